/**
 * A compiled grammar as text, in the form that Ohm gives it, and read back.
 *
 * Ohm reads it as well, but takes most of the time in which a one-line script is parsed for checking again what it has
 * checked when it compiled the grammar.
 *
 * @module
 */

/** An expression; the second place is for where it stands in the text of the grammar, which nobody asks for. */
type Expression = readonly [kind: string, place: 0, ...parts: Part[]];
type Part = Expression | readonly Expression[] | string | number;

/** A rule. Without a description one that overrides another keeps that of the other. */
type Rule = readonly [
  kind: "define" | "override",
  place: 0,
  description: string | null,
  formals: readonly string[],
  body: Expression,
];

type Recipe = readonly [
  kind: "grammar",
  place: 0,
  name: string,
  base: null,
  start: string,
  rules: Readonly<Record<string, Rule>>,
];

/** The recipe that Ohm gives, without places and empty lists of arguments. */
export function compactRecipe(recipe: string): string {
  return JSON.stringify(JSON.parse(recipe, (_, value) => {
    if (!Array.isArray(value) || typeof value[0] !== "string" || typeof value[1] !== "object") return value;
    const [kind, , ...parts] = value;
    return [kind, 0, ...kind === "app" && parts[1].length === 0 ? [parts[0]] : parts];
  }));
}

/** The rules of a grammar, as Ohm has them. */
type Rules = Readonly<
  Record<string, {
    readonly body: object;
    readonly formals: readonly string[];
    readonly description: string | null | undefined;
    readonly primitive: boolean;
  }>
>;

/** What of Ohm makes a grammar: the constructors of its expressions, that of grammars, and the built-in rules. */
export interface GrammarMaker {
  readonly Terminal: new (text: string) => object;
  readonly Range: new (from: string, to: string) => object;
  readonly Param: new (index: number) => object;
  readonly Alt: new (terms: readonly object[]) => object;
  readonly Seq: new (factors: readonly object[]) => object;
  readonly Star: new (expression: object) => object;
  readonly Plus: new (expression: object) => object;
  readonly Opt: new (expression: object) => object;
  readonly Not: new (expression: object) => object;
  readonly Lookahead: new (expression: object) => object;
  readonly Lex: new (expression: object) => object;
  readonly Apply: new (rule: string, args: readonly object[]) => object;
  readonly Grammar: new (name: string, base: object, rules: Rules, start: string) => object;
  readonly base: { readonly rules: Rules };
}

/** The grammar of a recipe that {@linkcode compactRecipe} has made. */
export function grammarOf(recipe: string, ohm: GrammarMaker): object {
  const [, , name, , start, rules]: Recipe = JSON.parse(recipe);
  const read = (expression: Expression): object => {
    const [kind, , first, second] = expression;
    switch (kind) {
      case "app":
        return new ohm.Apply(first as string, ((second ?? []) as Expression[]).map(read));
      case "terminal":
        return new ohm.Terminal(first as string);
      case "seq":
        return new ohm.Seq((expression.slice(2) as Expression[]).map(read));
      case "alt":
        return new ohm.Alt((expression.slice(2) as Expression[]).map(read));
      case "range":
        return new ohm.Range(first as string, second as string);
      case "param":
        return new ohm.Param(first as number);
    }
    const of = ONE[kind];
    if (of === undefined) {
      throw new Error(`The recipe of ${name} has an expression that is not read: ${kind}`);
    }
    return new ohm[of](read(first as Expression));
  };
  const built: Record<string, Rules[string]> = Object.create(ohm.base.rules);
  for (const [rule, [, , own, formals, body]] of Object.entries(rules)) {
    const description = own ?? ohm.base.rules[rule]?.description;
    built[rule] = { body: read(body), formals, description, primitive: false };
  }
  return new ohm.Grammar(name, ohm.base, built, start);
}

/** Expressions of one expression. */
const ONE: Readonly<Record<string, "Star" | "Plus" | "Opt" | "Not" | "Lookahead" | "Lex">> = {
  star: "Star",
  plus: "Plus",
  opt: "Opt",
  not: "Not",
  lookahead: "Lookahead",
  lex: "Lex",
};
