/**
 * What the actions of the parser stand on: Ohm's nodes, where they stand in the source, and the words made of them.
 *
 * @module
 */
import type * as ast from "./ast.ts";
import type { HereDocument } from "./heredoc.ts";
import { ShellSyntaxError } from "./syntax_error.ts";

/** The part of Ohm's node interface that is used here. */
export interface ParseNode {
  readonly children: readonly ParseNode[];
  readonly sourceString: string;
  /** Where it stands in the text that was parsed. */
  readonly source: { readonly sourceString: string; readonly startIdx: number; readonly endIdx: number };
  readonly ctorName: string;
  build(): unknown;
}

/** A source text with its lines; a fragment of it starts at `base`. */
export class SourceMap {
  readonly #lineStarts: readonly number[];

  constructor(
    readonly name: string,
    readonly text: string,
    readonly base: number,
    lines?: readonly number[],
  ) {
    if (lines === undefined) {
      const starts = [0];
      for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
      this.#lineStarts = starts;
    } else this.#lineStarts = lines;
  }

  /** The same source, for a fragment that starts at `base`. */
  at(base: number): SourceMap {
    return new SourceMap(this.name, this.text, base, this.#lineStarts);
  }

  /** The line, from 1, of an offset into the fragment. */
  line(offset: number): number {
    const target = this.base + offset;
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= target) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  }
}

/** What the actions need to know beside the nodes. */
export interface Fragment {
  /** The source, from where the nodes count. */
  readonly source: SourceMap;
  /** Where that is in the text whose here-documents are `bodies`. */
  readonly from: number;
  readonly bodies: ReadonlyMap<number, HereDocument>;
  parse<T>(text: string, rule: string, source: SourceMap): T;
}

let current: Fragment | undefined;

/** Runs `body` with `fragment` as what the actions speak of; fragments nest. */
export function withFragment<T>(fragment: Fragment, body: () => T): T {
  const outer = current;
  current = fragment;
  try {
    return body();
  } finally {
    current = outer;
  }
}

/** The fragment that is being built. */
export function fragment(): Fragment {
  if (current === undefined) throw new Error("An action was called outside a parse");
  return current;
}

/** What Ohm calls for a node; `this` is the node. */
export type Action = (this: ParseNode, ...children: ParseNode[]) => unknown;

/** The tree of a node. */
export const one = <T>(node: ParseNode | undefined): T => node!.build() as T;
/** The trees of an iteration. */
export const many = <T>(node: ParseNode | undefined): T[] =>
  node!.children.map((child) => child.build() as T);
/** The tree of an optional node. */
export const maybe = <T>(node: ParseNode | undefined): T | undefined =>
  node!.children[0]?.build() as T | undefined;
/** The source text of a node. */
export const text = (node: ParseNode | undefined): string => node!.sourceString;

/** Where a node stands in the source. */
export function span(node: ParseNode): ast.Span {
  const { source } = fragment();
  const { startIdx, endIdx } = node.source;
  return { start: source.base + startIdx, end: source.base + endIdx, line: source.line(startIdx) };
}

/** Refuses what the grammar takes, `from` a character of the node on. @throws {ShellSyntaxError} */
export function fail(node: ParseNode, problem: string, expected: readonly string[] = [], from = 0): never {
  const { source } = fragment();
  throw new ShellSyntaxError({
    file: source.name,
    text: source.text,
    offset: source.base + node.source.startIdx + from,
    problem,
    expected,
    incomplete: false,
  });
}

/** Drops what is nothing (a line continuation) and joins neighbours of one kind. */
export function joined(parts: readonly (ast.WordPart | undefined)[]): ast.WordPart[] {
  const result: ast.WordPart[] = [];
  for (const part of parts) {
    if (part === undefined) continue;
    const last = result[result.length - 1];
    if ((part.kind === "literal" || part.kind === "quoted") && last?.kind === part.kind) {
      result[result.length - 1] = { kind: part.kind, text: last.text + part.text };
    } else result.push(part);
  }
  return result;
}

/** A word of parts. */
export const word = (node: ParseNode, parts: readonly (ast.WordPart | undefined)[]): ast.Word => {
  return { kind: "word", span: span(node), parts: joined(parts) };
};

/** Characters as typed. */
export const literal: Action = function (_characters) {
  return { kind: "literal", text: this.sourceString } satisfies ast.WordPart;
};
/** Characters that are ordinary where they stand. */
export const quoted: Action = function (_characters) {
  return { kind: "quoted", text: this.sourceString } satisfies ast.WordPart;
};
/** `\x` stands for x. */
export const escapedCharacter: Action = (_backslash, character) => {
  return { kind: "quoted", text: text(character) } satisfies ast.WordPart;
};
/** The parts of a rule that is a list of them. */
export const parts: Action = (items) => joined(many<ast.WordPart | undefined>(items));
/** The word of a rule that is a list of parts. */
export const wordOfParts: Action = function (items) {
  return word(this, many<ast.WordPart | undefined>(items));
};
/** The source text itself. */
export const sourceText: Action = function () {
  return this.sourceString;
};
/** The second child: what follows a separator, or was looked at before. */
export const tail: Action = (_separator, item) => one(item);
