/**
 * The plan of random scripts that bash and this shell can both run: built-ins only, relative names only, everything
 * ends, and nothing depends on which of two processes is faster.
 */
import { RandomStream } from "../hw/sim/random.ts";
import { recipe } from "../dsl/syntax/shell.recipe.ts";
import { type Plan, rulesOf, Walk } from "./random_scripts.ts";

const oursAlone = "the laboratory's own: bash has no such statement";
const refusedText = "text that is wrong on purpose: what bash says of it is in the vectors";

const discards =
  "bash drops the rest of the line and goes on; here an error of an expansion ends the script, as in dash";

const inPieces = "how a long script is read: what it takes, Script takes";

/** Rules that are not walked: deliberate differences, and what cannot be compared. */
const excluded: Readonly<Record<string, string>> = {
  Suffix: "the leaf of SimpleCommand_command brings arguments that its command could have",
  commandWord: "the leaf of SimpleCommand_command brings a built-in or a function",
  arrayArgument: "of declare and its like: the leaf of SimpleCommand_command brings words",
  CallStatement: oursAlone,
  Command_call: oursAlone,
  CallTarget: oursAlone,
  cCall: oursAlone,
  cArgument: oursAlone,
  cArgument_string: oursAlone,
  cArgument_expression: oursAlone,
  cArgumentTail: oursAlone,
  cArgument_compound: oursAlone,
  cArgument_variable: oursAlone,
  cArgument_initializer: oursAlone,
  cArgument_pointer: oursAlone,
  cStructure: oursAlone,
  cInitializer: oursAlone,
  cItems: oursAlone,
  cItem_designated: oursAlone,
  cItem_plain: oursAlone,
  cItem: oursAlone,
  cItemTail: oursAlone,
  cDesignator_member: oursAlone,
  cDesignator_element: oursAlone,
  cDesignator: oursAlone,
  cValue: oursAlone,
  cString: oursAlone,
  cCharacter: oursAlone,
  cCharacter_escape: oursAlone,
  cCharacter_plain: oursAlone,
  ConditionStatement: oursAlone,
  conditionWord: oursAlone,
  runUntil: oursAlone,
  conditionText: oursAlone,
  conditionPart: oursAlone,
  conditionQuoted: oursAlone,
  conditionGroup: oursAlone,
  conditionChars: oursAlone,
  conditionChars_plain: oursAlone,
  conditionChars_dollar: oursAlone,
  badSubstitution: refusedText,
  dollar_bad: refusedText,
  dollar_arithmeticText: refusedText,
  arithmeticText: refusedText,
  arithmeticPart: refusedText,
  arithmeticGroup: refusedText,
  arithmeticChars: refusedText,
  braced_indirect: `where the name it leads to is unset, ${discards}`,
  continuation: "joins lines before there are words: bash has no such part of a word",
  hereDash: "takes tabs away, which are in no text here",
  arithmeticLike: "only looked ahead at",
  noNumber: "only looked ahead at",
  reserved: "only looked ahead at",
  wordCharacter: "only looked ahead at",
  Separator_ampersand: "which of two jobs prints first is not determined",
  ampersand: "which of two jobs prints first is not determined",
  processSubstitution: "which of two jobs prints first is not determined",
  Piece: inPieces,
  Terminated: inPieces,
  rest: inPieces,
  filler: "stands for a here-document's body, which `redirection_here` brings",
  specialName:
    "`$$`, `$!` and `$-` are not the same in two shells: the leaf of dollar_special names the others",
};

const names = ["x", "y", "z"];
const arrays = ["p", "q"];
const texts = [
  "a",
  "b",
  "ab",
  "foo",
  "1",
  "2",
  "10",
  "007",
  "-1",
  "a.b",
  "=",
  "x=1",
  "A",
  "%",
  ",",
  "*",
  "?",
  "[ab]",
  "{a,b}",
  "{1..3}",
  "]",
  "f1",
  "+",
];
const files = ["f1", "f2", "f3"];

/** A built-in with arguments that it could have. */
function simpleCommand(walk: Walk): string {
  const word = () => walk.rule("word");
  const words = () => Array.from({ length: walk.below(4) }, word).join(" ");
  const name = () => walk.pick(names);
  const few = () => walk.pick(["", "0", "1", "2"]);
  const commands: (() => string)[] = [
    () => `echo ${words()}`,
    () => `echo "$#:$*" ${word()}`,
    () => `echo "<$${name()}>" $?`,
    () => `printf '[%s]' ${words()}`,
    () =>
      `printf ${
        walk.pick(["'%d,%x,%o\\n'", "'%5s|%-5s|\\n'", "'%03d %+d\\n'", "%s\\\\n", "'%b\\n'", "'%c%%\\n'"])
      } ${words()}`,
    () => `: ${words()}`,
    () => walk.pick(["true", "false"]),
    () => `set -- ${words()}`,
    () => `set ${walk.pick(["-u", "+u", "-f", "+f", "-e", "+e", "-C", "+C", "-o pipefail", "+o pipefail"])}`,
    () => `[ ${word()} ${walk.pick(["=", "!=", "-eq", "-ne", "-lt", "-ge", "-a", "-o"])} ${word()} ]`,
    () => `test ${walk.pick(["-n", "-z", "-f", "-e", "-d", "-s", "!", "-r"])} ${word()}`,
    () => `export ${name()}=${word()}`,
    () => `local ${name()}=${word()}`,
    () => `declare ${walk.pick(["", "-a ", "-x "])}${name()}`,
    () => `unset ${walk.pick(["", "-v ", "-f "])}${walk.pick([...names, ...arrays, "f"])}`,
    () =>
      `eval ${walk.pick(["echo", "x=1", "'echo $x'", "'y=$x; echo $y'", "''"])} ${walk.pick(["", words()])}`,
    () => `shift ${few()}`,
    () => `read ${walk.pick(["", "-r "])}${walk.pick(["x", "x y", "x y z"])}`,
    () => `return ${few()}`,
    () => `break ${few()}`,
    () => `continue ${few()}`,
    () => `exit ${few()}`,
    () => `command ${walk.pick(["-v echo", "echo " + words(), "-v nosuch", "false"])}`,
    () => `type ${walk.pick(["nosuch", "nosuch2"])}`,
    () => `getopts ab:c ${name()}${walk.pick(["", " -a", " -b 1", " -c x"])}`,
    () => `trap ${walk.pick(["'echo bye' EXIT", "- EXIT", "'' INT", "'echo $?' EXIT"])}`,
    () => `let ${walk.pick(["x=1+2", "'y = x * 2'", "z++", "0"])}`,
    () => `umask ${walk.pick(["", "022", "077"])}`,
    () => `cd .`,
    () => `readonly ${walk.pick(["r", "r=1"])}`,
    () => walk.functions > 0 ? `echo in ${word()}` : `${walk.pick(["f", "g"])} ${words()}`,
    () => `nosuch ${words()}`,
  ];
  // What prints is likelier: a difference must come to light.
  const command = walk.below(3) === 0 ? walk.pick(commands.slice(0, 6)) : walk.pick(commands);
  return command();
}

/** A loop that turns at most twice. */
const loop = (keyword: "while" | "until") => (walk: Walk) => {
  const counter = `k${walk.fresh()}`;
  const end = keyword === "while" ? `[ $((${counter} += 1)) -le 2 ]` : `[ $((${counter} += 1)) -gt 2 ]`;
  return `${keyword} ${walk.rule("CompoundList")} ${end}; ${walk.rule("DoGroup")}`;
};

const leaves: Plan["leaves"] = {
  // A list always ends with a separator, so that `}` and `done` are words of their own.
  List(walk) {
    const count = 1 + (walk.below(3));
    let text = "";
    for (let i = 0; i < count; i++) text += `${walk.rule("AndOr")} ${walk.rule("Separator")} `;
    return text.replace(/ $/, "");
  },
  Script: (walk) =>
    Array.from({ length: 1 + walk.below(4) }, () => walk.rule("AndOr") + walk.newline()).join("") +
    "echo end $?",
  newline: (walk) => walk.newline(),
  Newlines: (walk) => walk.below(6) === 0 ? walk.newline() : "",
  While: loop("while"),
  Until: loop("until"),
  arithmeticHead(walk) {
    const counter = `k${walk.fresh()}`;
    return `((${counter} = 0${walk.pick(["", " + 0"])}; ${counter} < ${walk.below(3)}; ${
      walk.pick([`${counter}++`, `${counter} += 1`])
    }))`;
  },
  SimpleCommand_command(walk) {
    const prefix = walk.below(6) === 0 ? walk.rule("Prefix") + " " : "";
    const suffix = walk.below(5) === 0 ? " " + walk.rule("redirect") : "";
    return prefix + simpleCommand(walk) + suffix;
  },
  FunctionDefinition_posix(walk) {
    walk.functions++;
    const text = walk.production("FunctionDefinition_posix");
    walk.functions--;
    return text;
  },
  FunctionDefinition_keyword(walk) {
    walk.functions++;
    const text = walk.production("FunctionDefinition_keyword");
    walk.functions--;
    return text;
  },
  // bash takes an array only before any redirection of its command.
  SimpleCommand_assignments(walk) {
    const assignments = Array.from({ length: 1 + walk.below(2) }, () => walk.rule("assignment"));
    return [...assignments, ...walk.below(4) === 0 ? [walk.rule("redirect")] : []].join(" ");
  },
  Prefix: (walk) =>
    walk.pick([() => walk.rule("redirect"), () => `${walk.pick(names)}=${walk.rule("word")}`])(),
  // bash evaluates the subscript of an element that it changes twice, and drops the line if it is no expression: here and
  // in subscriptText the variables are those that count loops.
  lvalue_element: (walk) => `${walk.pick(arrays)}[${walk.pick(["0", "1", "k1", "k2 + 1"])}]`,
  functionName: (walk) => walk.pick(["f", "g"]),
  redirection_here(walk) {
    if (walk.substitutions > 0) return `<<<${walk.rule("word")}`; // bash loses count of bodies in $( ) in (( ))
    const mark = `E${walk.fresh()}`;
    const isQuoted = walk.below(4) === 0;
    const body = walk.rule("hereBody").replace(/\n*$/, "");
    walk.pending.push(body + "\n" + mark);
    return `<<${isQuoted ? `'${mark}'` : mark}`;
  },
  redirection_file: (walk) =>
    walk.pick(["", "", "2", "3"]) + walk.rule("fileOperator") + walk.pick(["", " "]) + walk.pick(files),
  redirection_both: (walk) => walk.pick(["&>", "&>>"]) + walk.pick(files),
  redirection_duplicate: (walk) =>
    walk.pick(["2>&1", ">&2", "1>&2", "3>&1", "2>&-", "<&-", "0<&3", ">&3", "3>&-"]),
  name: (walk) => walk.pick([...names, ...names, ...arrays]),
  parameter: (walk) => walk.pick([...names, ...names, ...arrays, "1", "2", "10", "@", "*", "#", "?"]),
  // bash refuses an assignment after the colon, as C does.
  conditional_choose: (walk) =>
    `${walk.rule("binary")} ? ${walk.rule("expression")} : ${walk.rule("binary")}`,
  dollar_special: (walk) => "$" + walk.pick(["@", "*", "#", "?", "1", "2", "3"]),
  number: (walk) => walk.pick(["0", "1", "2", "3", "7", "10", "0x1f", "010", "2#101", "9223372036854775807"]),
  plainText: (walk) => walk.pick(texts),
  escaped: (walk) => "\\" + walk.pick(["a", "*", "$", '"', "'", "\\", " ", "`", "{", "n"]),
  singleQuoted: (walk) => `'${walk.pick(["", "a b", "$x", "*", '"', "\\", " ", "a'\\''b", "\\n", "~"])}'`,
  dqText_plain: (walk) => walk.pick(["a", " ", "a b", "*", "'", "  x ", "~", "{a,b}", ";", "#"]),
  dqText_dollar: () => "$ ",
  dqText_backslash: (walk) => "\\" + walk.pick(["a", "n", " ", "*"]),
  loneDollar: () => "$.",
  dqBraceText_plain: (walk) => walk.pick(["a", " ", "b c", "*", "1"]),
  dqBraceText_dollar: () => "$ ",
  dqBraceText_backslash: (walk) => "\\" + walk.pick(["a", " "]),
  braceText_plain: (walk) => walk.pick(["a", " ", "b c", "*", "?", "1", "b*", "[a-f]"]),
  braceText_dollar: () => "$ ",
  replaceText: (walk) => walk.pick(["a", "o", "?", "*", "[ab]", "1", "b*"]),
  hereText_plain: (walk) => walk.pick(["a\n", "x y ", "'q' ", '"d" ', "* "]),
  hereText_dollar: () => "$ ",
  hereText_backslash: () => "\\a",
  ansiQuoted: (walk) => `$'${walk.pick(["a", "\\n", "\\t", "\\x41", "\\101", "a\\'b", "\\e", "\\\\"])}'`,
  backquoted: (walk) =>
    "`" + walk.pick(["echo a", "echo $x", "echo \\\\a", "false", "echo \\`echo n\\`", "printf '%s' \"$y\""]) +
    "`",
  subscriptText: (walk) => walk.pick(["0", "1", "2", "k1", "$k1", "1+1", "-1"]),
  subscriptChars: (walk) => walk.pick(["0", "1", "2"]),
  regexText_plain: (walk) => walk.pick(["a", "^a", "b*", ".", "[0-9]+", "o+", "a|b"]),
  regexText_anchor: () => "$",
  unaryTest: (walk) => "-" + walk.pick(["n", "z", "f", "e", "d", "s"]),
  comment: () => "# a comment",
  blank: () => " ",
  ws: (walk) => walk.pick(["", " "]),
  arraySpace: () => " ",
};

const weights: Plan["weights"] = {
  SimpleCommand: 8,
  SimpleCommand_command: 5,
  FunctionDefinition: 1.5,
  TestCommand: 1.5,
  Separator_newline: 1,
  plainText: 3,
  specialPart: 10, // as many as its alternatives weigh
  bang: 0.1,
  conditional_set: 0.2,
  conditional_choose: 0.2,
  unary_sign: 0.2,
  unary_step: 0.2,
  postfix_step: 0.2,
  lvalue_element: 0.2,
  primary_backquoted: 0.2,
  number: 4,
  doubleQuoted: 2,
  dollar: 3,
  dollar_name: 4,
  dollar_braced: 4,
  dollar_command: 1.5,
  ansiQuoted: 0.5,
  redirection_here: 0.5,
  loneDollar: 0.1,
};

const wraps = new Set([
  "conditional_choose",
  "SimpleCommand_assignments",
  "List",
  "Script",
  "While",
  "Until",
  "FunctionDefinition_posix",
  "FunctionDefinition_keyword",
]);

/** A redirection without a command, perhaps behind assignments, and what ends it. */
const alone = "(?:\\w+\\+?=(?:\\([^)]*\\)|\\S*)\\s+)*\\d?[<>]+[&|]?\\s?f\\d\\s*(?=[\\n;)|]|$)";

/** Texts that no script may have, where a rule is too much to leave out. */
export const avoided: readonly { readonly pattern: RegExp; readonly reason: string }[] = [
  {
    pattern: /\beval\b[^\n]*%/,
    reason: "a job by its name is fg, and jobs do not come to the front here",
  },
  { pattern: /\$\{[@*#?\d]\d*:?=/, reason: `a parameter that cannot be assigned to: ${discards}` },
  {
    pattern: /\$\{[^}:]*:(?![-=?+])[^}]*(?:[/%]=|\$)/,
    reason: `a slice that may divide by zero, or become no expression: ${discards}`,
  },
  {
    pattern: /!\s+(?:[{(]|\[\[|(?:if|for|while|until|case)\b)[^]*[<>]/,
    reason:
      "bash forgets the ! before a compound command whose redirection fails; here, as in POSIX and dash, it counts",
  },
  {
    pattern: /\$\((?!\()[^]*(?:=\([^)]*\\|\$\{[^}]*\$')/,
    reason:
      "bash parses $( ) once more from its own print of it, where \\' in an array and $'\\\\' in braces are others",
  },
  {
    pattern: /\bcase\b[^]*\bfor \w+\s*\n\s*in\b/,
    reason:
      "inside of case bash takes the `in` on a line of its own for that of case, and refuses the do; dash does not",
  },
  {
    pattern: /\$\{[^}]*\/[^}]*'"'/,
    reason:
      'bash --posix reads "${x/\'"\'}", and refuses it as it expands; bash without --posix and this shell do not',
  },
  {
    pattern: new RegExp(`(?<!\\|)\\|&?\\s*${alone}|(?:^|[;({&\\n])\\s*${alone}\\|(?!\\|)`),
    reason:
      "bash turns the status of a failed redirection around where a part of a pipeline is nothing else; dash does not",
  },
  {
    pattern: /\b([xyz])\+?=[^\n;|&]*\b(?:getopts ab:c|let) '?\1/,
    reason:
      "bash keeps what let and getopts set of what is assigned before them alone, and not what read sets of it",
  },
  {
    pattern: /\beval\b[^]*\bfunction\b/,
    reason: "bash refuses function f ( ) behind an eval that has not closed a quote; dash has no such word",
  },
  {
    pattern: /set -e[^]*=\([^)]*\[(?:\$k1|-1)\]/,
    reason:
      "under set -e bash ends with its message of a bad subscript in an array, the status of which is 0",
  },
  {
    pattern: /\*\*\s*[-~]/,
    reason:
      "bash computes a power whose value it does not need, so that 1 || 2 ** -1 is an error; 1 || 1 / 0 is none",
  },
  {
    pattern: /\$\{[^}]*:[^}]*[<>]\(/,
    reason: "bash takes the >( of a comparison in a slice for a process substitution",
  },
  {
    pattern: /[<>][^\n;]*trap '[^']+' EXIT|trap '[^']+' EXIT *\d?[<>&]/,
    reason:
      "bash runs the EXIT trap that a pipeline's command sets with that command's redirections, which are over",
  },
  {
    pattern:
      /^(?=[^]*trap '[^']+' EXIT)(?=[^]*(?:\|&?\s*(?:while|until|if|for|case)\b|\b(?:done|fi|esac)\b[^\n;]*\|))/,
    reason:
      "bash forgets the EXIT trap of a loop, an if or a case that is part of a pipeline; dash and this shell do not",
  },
];

/** The plan. */
export const bashPlan: Plan = { leaves, wraps, excluded, weights };

/** The walk of a seed. */
export function bashWalk(seed: number): Walk {
  return new Walk(rulesOf(recipe), bashPlan, new RandomStream(seed, "scripts"));
}

/** The script of a seed. */
export function bashScript(seed: number): string {
  const walk = bashWalk(seed);
  for (;;) {
    const script = walk.script();
    if (!avoided.some(({ pattern }) => pattern.test(script))) return script;
  }
}
