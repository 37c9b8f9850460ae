/**
 * From Ohm's parse nodes to the tree of `ast.ts`: one action per rule of `shell.ohm`, in the grammar's order. Here are
 * those of commands; `build_words.ts` has those of expressions and words.
 *
 * Ohm calls `actions[rule](...children)`. A rule without an entry here has one child and passes it through.
 *
 * @module
 */
import type * as ast from "./ast.ts";
import { arithmeticText, wordActions } from "./build_words.ts";
import { decodeEscapes } from "./escapes.ts";
import { rememberOrigin } from "./origin.ts";
import {
  type Action,
  fail,
  fragment,
  joined,
  literal,
  many,
  maybe,
  one,
  type ParseNode,
  quoted,
  sourceText,
  span,
  tail,
  text,
  word,
} from "./parse_nodes.ts";

function listItem(command: ParseNode, background: boolean): ast.ListItem {
  const item = {
    command: one<ast.AndOr>(command),
    background,
    text: text(command).trim().replace(/\s+/g, " "),
  };
  const { source } = fragment();
  rememberOrigin(item, source, source.base + command.source.startIdx);
  return item;
}

function andOr(kind: "and" | "or"): Action {
  return (first, rest) =>
    many<ast.TestExpression>(rest).reduce<ast.TestExpression>(
      (left, right) => ({ kind, left, right }),
      one<ast.TestExpression>(first),
    );
}

function withRedirects<T extends object>(command: T, redirects: ParseNode | undefined): T {
  return { ...command, redirects: many<ast.Redirect>(redirects) };
}

function loop(until: boolean): Action {
  return function (_keyword, condition, body) {
    return {
      kind: "loop",
      span: span(this),
      redirects: [],
      until,
      condition: one(condition),
      body: one(body),
    };
  };
}

function group(subshell: boolean): Action {
  return function (_open, body, _close) {
    return { kind: "group", span: span(this), redirects: [], subshell, body: one(body) };
  };
}

const functionDefinition = (node: ParseNode, name: ParseNode, body: ParseNode, redirects: ParseNode) => {
  const tree = withRedirects(one<object>(body), redirects);
  const { source } = fragment();
  rememberOrigin(tree, source, source.base + node.source.startIdx);
  return { kind: "function", span: span(node), redirects: [], name: text(name), body: tree };
};

const fileDescriptor = (digits: ParseNode | undefined) => {
  const written = text(digits);
  return written === "" ? undefined : Number(written);
};

/** What stands behind the first command of a pipeline, and whether `|&` stands before it. */
interface PipeTail {
  readonly command: ast.Command;
  readonly merged: boolean;
}

/** The actions of the operation `build`. */
export const actions: Record<string, Action> = {
  _terminal: sourceText,

  // Lists and pipelines
  Script: (body, _end) => one(body),
  Body: (_newlines, list) => maybe<ast.List>(list) ?? { items: [] },
  CompoundList: (_newlines, list) => one(list),
  Piece: (_newlines, items, rest) => ({ items: many(items), length: rest!.source.startIdx }),
  Terminated: (command, separator) => listItem(command!, one(separator)),
  List: (first, separators, rest, last) => {
    const ends = [...many<boolean>(separators), ...many<boolean>(last)];
    return { items: [first!, ...rest!.children].map((command, i) => listItem(command, ends[i] ?? false)) };
  },
  Separator_semicolon: (_a, _b) => false,
  Separator_ampersand: (_a, _b) => true,
  Separator_newline: (_a, _b) => false,
  AndOr: (first, rest) => ({ first: one(first), rest: many(rest) }),
  AndOrTail: (operator, _newlines, pipeline) => ({ operator: text(operator), pipeline: one(pipeline) }),
  Pipeline: (bangs, first, rest) => ({
    negated: bangs!.children.length % 2 === 1,
    commands: [one(first), ...many<PipeTail>(rest).map(({ command }) => command)],
    merged: many<PipeTail>(rest).map(({ merged }) => merged),
  }),
  PipeTail: (pipe, _newlines, command): PipeTail => ({ command: one(command), merged: text(pipe) === "|&" }),

  // Commands
  Command_compound: (command, redirects) => withRedirects(one<object>(command), redirects),
  Command_call: (command, redirects) => withRedirects(one<object>(command), redirects),
  Compound: tail,
  BraceGroup: group(false),
  Subshell: group(true),
  If: function (_if, condition, _then, body, elifs, otherwise, _fi) {
    const arms = [{ condition: one(condition), body: one(body) }, ...many<object>(elifs)];
    return { kind: "if", span: span(this), redirects: [], arms, otherwise: maybe(otherwise) };
  },
  Elif: (_elif, condition, _then, body) => ({ condition: one(condition), body: one(body) }),
  Else: (_else, body) => one(body),
  For_arithmetic: function (_for, head, _separator, body) {
    return { kind: "arithmetic-for", span: span(this), redirects: [], ...one<object>(head), body: one(body) };
  },
  For_words: function (_for, name, _newlines, _in, words, _separator, body) {
    const [variable, list] = [text(name), many<ast.Word>(words)];
    const head = ["for", variable, "in", ...words!.children.map(text)].join(" ");
    return {
      kind: "for",
      span: span(this),
      redirects: [],
      head,
      name: variable,
      words: list,
      body: one(body),
    };
  },
  For_arguments: function (_for, name, _separator, body) {
    return {
      kind: "for",
      span: span(this),
      redirects: [],
      head: `for ${text(name)} in "$@"`,
      name: text(name),
      words: undefined,
      body: one(body),
    };
  },
  While: loop(false),
  Until: loop(true),
  DoGroup: (_do, body, _done) => one(body),
  Case: function (_case, subject, _n1, _in, _n2, items, last, _esac) {
    const all = [...many(items), ...many(last)];
    const head = `case ${text(subject)} in`;
    return { kind: "case", span: span(this), redirects: [], head, subject: one(subject), items: all };
  },
  CaseItem: (patterns, _n1, body, end, _n2) => ({
    patterns: one(patterns),
    body: maybe(body) ?? { items: [] },
    end: text(end),
  }),
  LastCaseItem: (patterns, _n, body) => ({
    patterns: one(patterns),
    body: maybe(body) ?? { items: [] },
    end: ";;",
  }),
  CasePatterns: (_open, first, rest, _close) => [one(first), ...many(rest)],
  CaseMore: tail,
  FunctionDefinition_posix: function (name, _open, _close, _newlines, body, redirects) {
    return functionDefinition(this, name!, body!, redirects!);
  },
  FunctionDefinition_keyword: function (_function, name, _parentheses, _newlines, body, redirects) {
    return functionDefinition(this, name!, body!, redirects!);
  },
  arithmeticHead: (_open, start, _w1, _s1, condition, _w2, _s2, step, _w3, _close) => ({
    start: start!.children.map(arithmeticText)[0],
    condition: condition!.children.map(arithmeticText)[0],
    step: step!.children.map(arithmeticText)[0],
  }),
  arithmeticCommand: function (_open, expression, _close) {
    return { kind: "arithmetic", span: span(this), redirects: [], expression: arithmeticText(expression!) };
  },

  // [[ … ]]
  TestCommand: function (_open, condition, _close) {
    return { kind: "test", span: span(this), redirects: [], condition: one(condition) };
  },
  TestOr: andOr("or"),
  TestOrTail: (_operator, _newlines, term) => one(term),
  TestAnd: andOr("and"),
  TestAndTail: (_operator, _newlines, term) => one(term),
  TestTerm_not: (_bang, operand) => ({ kind: "not", operand: one(operand) }),
  TestTerm_group: (_open, inner, _close) => one(inner),
  TestTerm_unary: (operator, operand) => ({ kind: "unary", operator: text(operator), word: one(operand) }),
  TestTerm_regex: (left, _operator, right) => ({
    kind: "binary",
    operator: "=~",
    left: one(left),
    right: one(right),
  }),
  TestTerm_binary: (left, operator, right) => ({
    kind: "binary",
    operator: text(operator),
    left: one(left),
    right: one(right),
  }),
  TestTerm_word: (only) => ({ kind: "word", word: one(only) }),
  regexWord: function (items) {
    return word(this, many<ast.WordPart[]>(items).flat());
  },
  regexPart: (part) => {
    const built = one<ast.WordPart | ast.WordPart[]>(part);
    return Array.isArray(built) ? built : [built];
  },
  regexGroup: (open, inner, close) => [
    { kind: "literal", text: text(open) },
    ...inner!.children.flatMap((part): ast.WordPart[] =>
      part.ctorName === "blank" ? [{ kind: "literal", text: text(part) }] : one<ast.WordPart[]>(part)
    ),
    { kind: "literal", text: text(close) },
  ],
  regexText_plain: literal,
  regexText_anchor: literal,

  // Simple commands and redirections
  SimpleCommand_command: function (prefixes, name, suffixes) {
    const before = many<ast.Redirect | ast.Assignment>(prefixes);
    const after = many<ast.Redirect | ast.Word | ast.ArrayAssignment>(suffixes);
    return {
      kind: "simple",
      span: span(this),
      assignments: before.filter(isAssignment),
      words: [one<ast.Word>(name), ...after.filter(isArgument)],
      redirects: [...before, ...after].filter(isRedirect),
    };
  },
  SimpleCommand_assignments: function (prefixes) {
    const all = many<ast.Redirect | ast.Assignment>(prefixes);
    return {
      kind: "simple",
      span: span(this),
      assignments: all.filter(isAssignment),
      words: [],
      redirects: all.filter(isRedirect),
    };
  },
  assignment_array: (name, operator, elements) => arrayAssignment(name!, operator!, elements!),
  assignment_scalar: function (name, subscript, operator, value) {
    const empty: ast.Word = { kind: "word", span: span(this), parts: [] };
    const key = maybe<ast.Word | "@" | "*">(subscript);
    if (key === "@" || key === "*") fail(this, `${text(name)}[${key}]: bad array subscript`);
    return {
      kind: "scalar",
      name: text(name),
      subscript: key,
      append: text(operator) === "+=",
      value: maybe(value) ?? empty,
    };
  },
  arrayArgument: (name, operator, elements) => arrayAssignment(name!, operator!, elements!),
  arrayLiteral: (_open, _space, elements, _close) => many(elements),
  arrayElement_keyed: function (_open, key, _close, value, _space) {
    const empty: ast.Word = { kind: "word", span: span(this), parts: [] };
    return { key: one(key), value: maybe(value) ?? empty };
  },
  arrayElement_plain: (value, _space) => ({ key: undefined, value: one(value) }),

  redirect: tail,
  redirection_here: function (digits, _operator, _dash, _spaces, _delimiter) {
    const { bodies, from, source, parse } = fragment();
    const document = bodies.get(from + this.source.startIdx + text(digits).length);
    if (document === undefined) fail(this, "a here-document inside another, or after `((', is not taken");
    const inner = source.at(source.base - from + document.start);
    const content: ast.WordPart[] = document.quoted
      ? [{ kind: "quoted", text: document.body }]
      : [{ kind: "double", parts: parse<ast.WordPart[]>(document.body, "hereBody", inner) }];
    return { kind: "text", fd: fileDescriptor(digits), body: word(this, content), document: document.body };
  },
  redirection_string: (digits, _operator, _spaces, value) => ({
    kind: "text",
    fd: fileDescriptor(digits),
    body: one(value),
    document: undefined,
  }),
  redirection_both: (operator, _spaces, target) => ({
    kind: "file",
    operator: text(operator),
    fd: undefined,
    target: one(target),
  }),
  redirection_duplicate: (digits, operator, _spaces, target) => ({
    kind: "duplicate",
    operator: text(operator),
    fd: fileDescriptor(digits),
    target: one(target),
  }),
  redirection_file: (digits, operator, _spaces, target) => ({
    kind: "file",
    operator: text(operator),
    fd: fileDescriptor(digits),
    target: one(target),
  }),

  // Conditions
  ConditionStatement: function (wordNode, condition) {
    return {
      kind: "condition",
      span: span(this),
      redirects: [],
      word: text(wordNode).replace(/\s+/, " "),
      condition: one(condition),
    };
  },
  conditionWord: (word) => text(word),
  conditionText: function (items) {
    const found = joined(many<ast.WordPart[]>(items).flat());
    const last = found[found.length - 1];
    if (last?.kind === "quoted") found[found.length - 1] = { kind: "quoted", text: last.text.trimEnd() };
    return word(this, found);
  },
  conditionPart: (part) => {
    const built = one<ast.WordPart | ast.WordPart[]>(part);
    return Array.isArray(built) ? built : [built];
  },
  conditionQuoted: function (_open, _inner, _close) {
    return { kind: "quoted", text: this.sourceString };
  },
  conditionGroup: (open, inner, close) => [
    { kind: "quoted", text: text(open) },
    ...many<ast.WordPart[]>(inner).flat(),
    { kind: "quoted", text: text(close) },
  ],
  conditionChars_plain: quoted,
  conditionChars_dollar: quoted,

  // C calls
  CallStatement: function (target, call) {
    return {
      kind: "call",
      span: span(this),
      redirects: [],
      target: maybe(target),
      ...one<object>(call),
    };
  },
  CallTarget: (target, _equals) => one(target),
  cCall: (name, _open, first, rest, _close) => ({ name: text(name), arguments: [one(first), ...many(rest)] }),
  cArgumentTail: tail,
  cArgument_string: (_before, value, _after) => ({ text: text(value), value: one<string>(value) }),
  cArgument_expression: (value) => ({ text: text(value).trim(), value: one<ast.Expression>(value) }),
  cArgument_compound: (_before, ampersand, _space, structure, _after) => ({
    text: text(ampersand) + text(structure),
    value: one<ast.CallInitializer>(structure),
  }),
  cArgument_variable: (_before, ampersand, _space, name, _after) => ({
    text: text(ampersand) + text(name),
    value: { kind: "address of", name: text(name) },
  }),
  cArgument_initializer: (_before, value, _after) => ({
    text: text(value),
    value: one<ast.CallInitializer>(value),
  }),
  cArgument_pointer: (_before, _open, _1, _void, _2, _star, _3, _close, address) => ({
    text: `(void *)${text(address).trim()}`,
    value: { kind: "pointer", address: one<ast.Expression>(address) },
  }),
  cStructure: (_open, _1, _struct, _2, tag, _3, _close, _4, initializer) => ({
    ...one<ast.CallInitializer>(initializer),
    tag: text(tag),
  }),
  cInitializer: (_open, _before, items, _after, _close) => ({
    kind: "initializer",
    tag: undefined,
    items: maybe<readonly object[]>(items) ?? [],
  }),
  cItems: (first, rest, _comma) => [one(first), ...many(rest)],
  cItem_designated: (_before, designators, _1, _equals, _2, value, _after) => ({
    designators: many(designators),
    value: one(value),
  }),
  cItem_plain: (_before, value, _after) => ({ designators: [], value: one(value) }),
  cItemTail: tail,
  cDesignator_member: (_dot, _space, name) => text(name),
  cDesignator_element: (_open, index, _close) => one(index),
  cString: (_open, characters, _close) => decodeEscapes(text(characters)).text,

  ...wordActions,
};

function arrayAssignment(name: ParseNode, operator: ParseNode, elements: ParseNode): ast.ArrayAssignment {
  const { sourceString, endIdx } = elements.source;
  if (!/^(?:[\s;&|()<>]|\\\n|$)/.test(sourceString.slice(endIdx, endIdx + 2))) {
    fail(elements, "text behind an array: not in this language", ["a blank"], text(elements).length);
  }
  return {
    kind: "array",
    text: text(name) + text(operator) + text(elements),
    name: text(name),
    append: text(operator) === "+=",
    elements: one(elements),
  };
}

type Item = { readonly kind: string };
const isAssignment = (item: Item): item is ast.Assignment => item.kind === "scalar" || item.kind === "array";
const isArgument = (item: Item): item is ast.Word | ast.ArrayAssignment =>
  item.kind === "word" || item.kind === "array";
const isRedirect = (item: Item): item is ast.Redirect => !isAssignment(item) && item.kind !== "word";
