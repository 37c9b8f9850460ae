/**
 * The tree of a script: what `build.ts` makes of a parse and `interpret.ts` runs.
 *
 * Every node that can be named in a message carries a {@linkcode Span}. Nothing here depends on a run: a tree is made
 * once and may be run many times.
 *
 * @module
 */

/** Where a node stands: offsets into the source text (end exclusive) and the number of its first line, from 1. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly line: number;
}

/** A whole source: its name as messages print it, its text, and what it says. */
export interface Script {
  readonly name: string;
  readonly text: string;
  readonly body: List;
}

/** Commands one after the other. */
export interface List {
  readonly items: readonly ListItem[];
}

/** One command of a list; `background` if `&` ended it. `text` is its source, for `[1] … done`. */
export interface ListItem {
  readonly command: AndOr;
  readonly background: boolean;
  readonly text: string;
}

/** Pipelines joined by `&&` and `||`, which have equal rank. */
export interface AndOr {
  readonly first: Pipeline;
  readonly rest: readonly { readonly operator: "&&" | "||"; readonly pipeline: Pipeline }[];
}

/** Commands joined by `|`; `negated` if an odd number of `!` precedes them. */
export interface Pipeline {
  readonly negated: boolean;
  readonly commands: readonly Command[];
  /** Of each command but the last, whether its messages go the same way: `|&`. */
  readonly merged: readonly boolean[];
}

/** Any command. */
export type Command =
  | SimpleCommand
  | Group
  | If
  | For
  | ArithmeticFor
  | Loop
  | Case
  | FunctionDefinition
  | TestCommand
  | ArithmeticCommand
  | CallStatement
  | ConditionStatement;

/** What every command has: its place and its redirections. */
interface CommandBase {
  readonly span: Span;
  readonly redirects: readonly Redirect[];
}

/** Assignments, a command's name and its arguments, each part optional. */
export interface SimpleCommand extends CommandBase {
  readonly kind: "simple";
  readonly assignments: readonly Assignment[];
  readonly words: readonly (Word | ArrayAssignment)[];
}

/** `{ … }`, or `( … )` if `subshell`. */
export interface Group extends CommandBase {
  readonly kind: "group";
  readonly subshell: boolean;
  readonly body: List;
}

/** `if`/`elif` arms in order, and `else`. */
export interface If extends CommandBase {
  readonly kind: "if";
  readonly arms: readonly { readonly condition: List; readonly body: List }[];
  readonly otherwise: List | undefined;
}

/** `for NAME in WORDS`; without `in`, over the positional parameters. */
export interface For extends CommandBase {
  readonly kind: "for";
  /** Its source up to the body, for `set -x`. */
  readonly head: string;
  readonly name: string;
  readonly words: readonly Word[] | undefined;
  readonly body: List;
}

/** `for ((start; condition; step))`. */
export interface ArithmeticFor extends CommandBase {
  readonly kind: "arithmetic-for";
  readonly start: ArithmeticText | undefined;
  readonly condition: ArithmeticText | undefined;
  readonly step: ArithmeticText | undefined;
  readonly body: List;
}

/** `while`, or `until` if `until`. */
export interface Loop extends CommandBase {
  readonly kind: "loop";
  readonly until: boolean;
  readonly condition: List;
  readonly body: List;
}

/** `case WORD in PATTERN|PATTERN) BODY;; … esac`. */
export interface Case extends CommandBase {
  readonly kind: "case";
  /** Its source up to `in`, for `set -x`. */
  readonly head: string;
  readonly subject: Word;
  readonly items: readonly CaseItem[];
}

/** `PATTERN|PATTERN) BODY;;`. */
export interface CaseItem {
  readonly patterns: readonly Word[];
  readonly body: List;
  /** Behind the body: `;;` ends the command, `;&` goes on with the next body, `;;&` with the next patterns. */
  readonly end: ";;" | ";&" | ";;&";
}

/** `NAME() BODY`. */
export interface FunctionDefinition extends CommandBase {
  readonly kind: "function";
  readonly name: string;
  readonly body: Command;
}

/** `[[ … ]]`. */
export interface TestCommand extends CommandBase {
  readonly kind: "test";
  readonly condition: TestExpression;
}

/** What stands between `[[` and `]]`. */
export type TestExpression =
  | { readonly kind: "or" | "and"; readonly left: TestExpression; readonly right: TestExpression }
  | { readonly kind: "not"; readonly operand: TestExpression }
  | { readonly kind: "word"; readonly word: Word }
  | { readonly kind: "unary"; readonly operator: string; readonly word: Word }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Word; readonly right: Word };

/** `(( … ))`. */
export interface ArithmeticCommand extends CommandBase {
  readonly kind: "arithmetic";
  readonly expression: ArithmeticText;
}

/** `ioctl(…);` or `x = ioctl(…);`. */
export interface CallStatement extends CommandBase {
  readonly kind: "call";
  readonly target: Lvalue | undefined;
  readonly name: string;
  readonly arguments: readonly CallArgument[];
}

/** One argument of a C call, with its source text, which messages name. */
export interface CallArgument {
  readonly text: string;
  readonly value:
    | string
    | Expression
    | CallInitializer
    /** `&name`. */
    | { readonly kind: "address of"; readonly name: string }
    /** `(void *)EXPRESSION`. */
    | { readonly kind: "pointer"; readonly address: Expression };
}

/** `{ … }`, or with a tag `&(struct tag){ … }`. */
export interface CallInitializer {
  readonly kind: "initializer";
  readonly tag: string | undefined;
  readonly items: readonly {
    /** `.name`, `[index]`. */
    readonly designators: readonly (string | Expression)[];
    readonly value: Expression | CallInitializer;
  }[];
}

/** `expect CONDITION` and its like: the rest of the line is text in which only `$` means something. */
export interface ConditionStatement extends CommandBase {
  readonly kind: "condition";
  readonly word: "expect" | "stop-at" | "watch" | "run until";
  readonly condition: Word;
}

/** `NAME=WORD`, `NAME[SUBSCRIPT]=WORD`, `+=`. */
export interface ScalarAssignment {
  readonly kind: "scalar";
  readonly name: string;
  readonly subscript: Word | undefined;
  readonly append: boolean;
  readonly value: Word;
}

/** `NAME=(…)`. */
export interface ArrayAssignment {
  readonly kind: "array";
  /** Its source, for `set -x`. */
  readonly text: string;
  readonly name: string;
  readonly append: boolean;
  readonly elements: readonly { readonly key: Word | undefined; readonly value: Word }[];
}

/** An assignment before or without a command. */
export type Assignment = ScalarAssignment | ArrayAssignment;

/** One redirection. `fd` is undefined where the operator's own default holds. */
export type Redirect =
  | {
    readonly kind: "file";
    readonly operator: ">" | ">>" | ">|" | "<" | "<>" | "&>" | "&>>";
    readonly fd: number | undefined;
    readonly target: Word;
  }
  | {
    readonly kind: "duplicate";
    readonly operator: ">&" | "<&";
    readonly fd: number | undefined;
    readonly target: Word;
  }
  | {
    readonly kind: "text";
    readonly fd: number | undefined;
    readonly body: Word;
    /** The text of a here-document as it was written; undefined for `<<<`, which adds a newline. */
    readonly document: string | undefined;
  };

/** A word of the shell, before expansion. An empty list of parts is the empty word. */
export interface Word {
  readonly kind: "word";
  readonly span: Span;
  readonly parts: readonly WordPart[];
}

/** A piece of a word. */
export type WordPart =
  /** Characters as typed: subject to tilde, braces and globs. */
  | { readonly kind: "literal"; readonly text: string }
  /** Characters that quoting made ordinary. */
  | { readonly kind: "quoted"; readonly text: string }
  /** `"…"`. */
  | { readonly kind: "double"; readonly parts: readonly WordPart[] }
  | ParameterPart
  /** `$( … )` or backquotes. */
  | { readonly kind: "command"; readonly body: List }
  /** `<( … )`. */
  | { readonly kind: "process"; readonly body: List }
  /** `$(( … ))`; text that is an expression only after expansion is kept as parts. */
  | { readonly kind: "arithmetic"; readonly expression: ArithmeticText | readonly WordPart[] };

/** `$x`, `${x…}`. */
export interface ParameterPart {
  readonly kind: "parameter";
  readonly name: string;
  /** `[…]` after the name; `"@"` and `"*"` mean all elements. */
  readonly subscript: Word | "@" | "*" | undefined;
  readonly operation: ParameterOperation | undefined;
  /** `$x` without braces: a letter behind it would belong to the name. */
  readonly isBare?: true;
}

/** What is done with a parameter's value. */
export type ParameterOperation =
  | { readonly kind: "length" }
  | { readonly kind: "keys" }
  | { readonly kind: "indirect" }
  | {
    readonly kind: "use";
    readonly operator: "-" | "=" | "?" | "+";
    readonly colon: boolean;
    readonly word: readonly WordPart[];
  }
  | { readonly kind: "trim"; readonly operator: "#" | "##" | "%" | "%%"; readonly word: readonly WordPart[] }
  | {
    readonly kind: "replace";
    readonly operator: "/" | "//" | "/#" | "/%";
    readonly pattern: readonly WordPart[];
    readonly replacement: readonly WordPart[];
  }
  | {
    readonly kind: "slice";
    /** Undefined: from the start. */
    readonly offset: ArithmeticText | undefined;
    readonly length: ArithmeticText | undefined;
  }
  | { readonly kind: "case"; readonly operator: "^" | "^^" | "," | ",," }
  /** `@Q` quotes so that a shell reads it again, `@U`, `@u` and `@L` change letters, `@E` takes escapes as `$'…'` does. */
  | { readonly kind: "transform"; readonly operator: "Q" | "U" | "u" | "L" | "E" };

/**
 * An expression with its text. Its `$…` are replaced before it is read, so `x=1+2; $(($x * 3))` is 7: the tree holds
 * only while each of them gives a single operand.
 */
export interface ArithmeticText {
  readonly tree: Expression;
  readonly text: string;
  /** Where its `$…` stand in `text`, in order. */
  readonly holes: readonly { readonly start: number; readonly end: number; readonly part: WordPart }[];
}

/** An expression of C. */
export type Expression =
  | { readonly kind: "number"; readonly value: bigint }
  | Lvalue
  | { readonly kind: "unary"; readonly operator: "!" | "~" | "+" | "-"; readonly operand: Expression }
  | { readonly kind: "step"; readonly target: Lvalue; readonly by: 1n | -1n; readonly prefix: boolean }
  | {
    readonly kind: "binary";
    readonly operator: string;
    readonly left: Expression;
    readonly right: Expression;
  }
  | {
    readonly kind: "choose";
    readonly condition: Expression;
    readonly yes: Expression;
    readonly no: Expression;
  }
  | {
    readonly kind: "set";
    readonly target: Lvalue;
    /** `""` for `=`, otherwise the binary operator. */
    readonly operator: string;
    readonly value: Expression;
  }
  /** `$x`, `${…}`, `$( … )` inside an expression, and where it stands in the source. */
  | { readonly kind: "expansion"; readonly part: WordPart; readonly start: number; readonly end: number };

/** What an expression may assign to: `x` or `x[expression]`. */
export interface Lvalue {
  readonly kind: "variable";
  readonly name: string;
  readonly index: Expression | undefined;
  /** The subscript as it stands in the source, with the places of its expansions: the key, in an associative array. */
  readonly subscript?: Omit<ArithmeticText, "tree">;
}
