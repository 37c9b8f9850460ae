/**
 * The actions for expressions and words.
 *
 * @module
 */
import { ArithmeticError, combineBinary, expansionsIn, parseNumber } from "./arithmetic.ts";
import type * as ast from "./ast.ts";
import { decodeEscapes } from "./escapes.ts";
import { strangeCharacter } from "./strange_characters.ts";
import {
  type Action,
  escapedCharacter,
  fail,
  fragment,
  joined,
  literal,
  many,
  maybe,
  one,
  type ParseNode,
  parts,
  quoted,
  tail,
  text,
  wordOfParts,
} from "./parse_nodes.ts";

const parameter = (
  name: ParseNode | undefined,
  subscript?: ParseNode,
  operation?: ast.ParameterOperation,
): ast.ParameterPart => {
  const element = subscript === undefined ? undefined : maybe<ast.ParameterPart["subscript"]>(subscript);
  if (element !== undefined && !/^[A-Za-z_]/.test(text(name))) {
    fail(name!, `\${${text(name)}[…]}: bad substitution`, ["the name of an array"]);
  }
  return { kind: "parameter", name: text(name), subscript: element, operation };
};

function expansion(part: ParseNode): ast.Expression {
  return { kind: "expansion", part: one(part), start: part.source.startIdx, end: part.source.endIdx };
}

/** An expression with its text and the places of its expansions. */
export function arithmeticText(node: ParseNode): ast.ArithmeticText {
  const tree = one<ast.Expression>(node);
  const from = node.source.startIdx;
  const holes = expansionsIn(tree).map(({ part, start, end }) => ({
    part,
    start: start - from,
    end: end - from,
  }));
  return { tree, text: text(node), holes };
}

/** The commands of backquotes: what is `escaped` in them loses its backslash first. */
function backquotes(node: ParseNode, characters: string, escaped: RegExp): ast.WordPart {
  const { source, parse } = fragment();
  const inner = source.at(source.base + node.source.startIdx + 1);
  return { kind: "command", body: parse<ast.List>(characters.replace(escaped, "$1"), "Script", inner) };
}

/** Actions of the rules from `expression` on, but for those of whole commands. */
export const wordActions: Record<string, Action> = {
  // Expressions
  expression: (_before, value, _after) => one(value),
  conditional_set: (target, _w1, operator, _w2, value) => ({
    kind: "set",
    target: one(target),
    operator: text(operator).slice(0, -1),
    value: one(value),
  }),
  conditional_choose: (condition, _w1, _question, yes, _colon, _w2, no) => ({
    kind: "choose",
    condition: one(condition),
    yes: one(yes),
    no: one(no),
  }),
  binary: function (first, rest) {
    try {
      return combineBinary(one(first), many(rest));
    } catch (error) {
      if (!(error instanceof ArithmeticError)) throw error;
      return fail(this, error.message);
    }
  },
  binaryTail: (_w1, operator, _w2, operand) => ({ operator: text(operator), operand: one(operand) }),
  unary_step: (operator, _ws, target) => ({
    kind: "step",
    target: one(target),
    by: text(operator) === "++" ? 1n : -1n,
    prefix: true,
  }),
  unary_sign: (operator, _ws, operand) => ({
    kind: "unary",
    operator: text(operator),
    operand: one(operand),
  }),
  postfix_step: (target, _ws, operator) => ({
    kind: "step",
    target: one(target),
    by: text(operator) === "++" ? 1n : -1n,
    prefix: false,
  }),
  primary_group: (_open, inner, _close) => one(inner),
  primary_dollar: (part) => expansion(part!),
  primary_backquoted: (part) => expansion(part!),
  lvalue_element: (name, _open, index, _close) => {
    const { tree, ...subscript } = arithmeticText(index!);
    return { kind: "variable", name: text(name), index: tree, subscript };
  },
  lvalue_name: (name) => ({ kind: "variable", name: text(name), index: undefined }),
  number: function (_first, _rest) {
    const value = parseNumber(this.sourceString);
    if (typeof value === "string") fail(this, value);
    return { kind: "number", value };
  },

  // Words
  word: wordOfParts,
  specialPart: tail,
  plainText: function (_characters) {
    const { sourceString } = this;
    const strange = strangeCharacter(sourceString);
    if (strange !== undefined) fail(this, strange.problem, [strange.meant], strange.offset);
    return { kind: "literal", text: sourceString };
  },
  loneDollar: literal,
  continuation: (_characters) => undefined,
  escaped: escapedCharacter,
  singleQuoted: (_open, characters, _close) => ({ kind: "quoted", text: text(characters) }),
  doubleQuoted: (_open, items, _close) => ({ kind: "double", parts: joined(many(items)) }),
  dqEscaped: escapedCharacter,
  dqText_plain: quoted,
  dqText_backslash: quoted,
  dqText_dollar: quoted,
  backquoted: function (_open, characters, _close) {
    return backquotes(this, text(characters), /\\([$`\\])/g);
  },
  dqBackquoted: function (quotes) {
    return backquotes(this, text(quotes).slice(1, -1), /\\([$`\\"])/g);
  },
  processSubstitution: (_open, body, _ws, _close) => ({ kind: "process", body: one(body) }),

  dollar_arithmetic: (_open, expression, _close) => ({
    kind: "arithmetic",
    expression: arithmeticText(expression!),
  }),
  dollar_arithmeticText: function (_open, content, _close) {
    const found = one<ast.WordPart[]>(content);
    if (found.every((part) => part.kind === "literal")) {
      const { source, parse } = fragment();
      parse(text(content), "expression", source.at(source.base + content!.source.startIdx));
    }
    return { kind: "arithmetic", expression: found };
  },
  dollar_command: (_open, body, _ws, _close) => ({ kind: "command", body: one(body) }),
  dollar_braced: (_open, inner, _close) => one(inner),
  badSubstitution: function (_open, _inner, _close) {
    return fail(this, `${this.sourceString}: bad substitution`, ["a parameter and an operator"]);
  },
  dollar_name: (_dollar, name) => ({
    kind: "parameter",
    name: text(name),
    subscript: undefined,
    operation: undefined,
    isBare: true,
  }),
  dollar_special: (_dollar, name) => parameter(name),
  ansiQuoted: (_open, characters, _close) => ({ kind: "quoted", text: decodeEscapes(text(characters)).text }),

  braced_length: (_hash, name, subscript, _close) => parameter(name, subscript, { kind: "length" }),
  braced_keys: (_bang, name, all) => ({
    kind: "parameter",
    name: text(name),
    subscript: one<"@" | "*">(all),
    operation: { kind: "keys" },
  }),
  braced_indirect: (_bang, name, _close) => parameter(name, undefined, { kind: "indirect" }),
  braced_plain: (name, subscript, _close) => parameter(name, subscript),
  braced_use: (name, subscript, operator, value) => {
    const symbol = text(operator);
    return parameter(name, subscript, {
      kind: "use",
      operator: symbol.slice(-1) as "-" | "=" | "?" | "+",
      colon: symbol.length === 2,
      word: one(value),
    });
  },
  braced_trim: (name, subscript, operator, pattern) =>
    parameter(name, subscript, {
      kind: "trim",
      operator: text(operator) as "#" | "##" | "%" | "%%",
      word: one(pattern),
    }),
  braced_replace: (name, subscript, operator, pattern, replacement) =>
    parameter(name, subscript, {
      kind: "replace",
      operator: text(operator) as "/" | "//" | "/#" | "/%",
      pattern: one(pattern),
      replacement: maybe(replacement) ?? [],
    }),
  replacement: tail,
  braced_slice: (name, subscript, _colon, offset, length) =>
    parameter(name, subscript, { kind: "slice", offset: arithmeticText(offset!), length: maybe(length) }),
  braced_sliceStart: (name, subscript, _colon, length) =>
    parameter(name, subscript, { kind: "slice", offset: undefined, length: one(length) }),
  sliceLength: (_colon, length) => arithmeticText(length!),
  braced_case: (name, subscript, operator, _close) =>
    parameter(name, subscript, { kind: "case", operator: text(operator) as "^" | "^^" | "," | ",," }),
  braced_transform: (name, subscript, _at, operator, _close) =>
    parameter(name, subscript, {
      kind: "transform",
      operator: text(operator) as "Q" | "U" | "u" | "L" | "E",
    }),
  subscript_all: (all) => one(all),
  subscript_text: (_open, content, _close) => one(content),
  subscriptAll: (_open, which, _close) => text(which),
  subscriptText: wordOfParts,
  subscriptChars: literal,

  braceWord: parts,
  braceText_plain: literal,
  braceText_dollar: literal,
  replacePattern: parts,
  replaceText: literal,
  dqBraceWord: parts,
  dqBraceEscaped: escapedCharacter,
  dqBraceText_plain: quoted,
  dqBraceText_backslash: quoted,
  dqBraceText_dollar: quoted,
  arithmeticText: (items) => joined(many<ast.WordPart[]>(items).flat()),
  arithmeticPart: (part) => {
    const built = one<ast.WordPart | ast.WordPart[] | undefined>(part);
    return built === undefined ? [] : Array.isArray(built) ? built : [built];
  },
  arithmeticGroup: (open, inner, close) => [
    { kind: "literal", text: text(open) },
    ...one<ast.WordPart[]>(inner),
    { kind: "literal", text: text(close) },
  ],
  arithmeticChars: literal,

  hereBody: parts,
  hereEscaped: escapedCharacter,
  hereText_plain: quoted,
  hereText_backslash: quoted,
  hereText_dollar: quoted,
};
