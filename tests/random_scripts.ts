/**
 * Random scripts made from the grammar's own productions.
 *
 * The walk goes through the rules of `dsl/syntax/shell.ohm` as they are compiled, so a rule that changes changes the scripts,
 * and one that is added is walked or must be spoken of. What the rules cannot say is filled in by leaves: which names
 * there are, which built-ins, with what in their arguments, and how often a loop turns. Rules that are left out say
 * why. Look-aheads are passed over: what they would have refused, the parser refuses, and the piece is made again.
 */
import type { RandomStream } from "../hw/sim/random.ts";
import { parseScript } from "../dsl/syntax/parse.ts";
import { ShellSyntaxError } from "../dsl/syntax/syntax_error.ts";

/** A parsing expression as the compiled grammar writes it: `["seq", {…}, …]`. */
type Expression = readonly [kind: string, source: unknown, ...rest: unknown[]];

interface Rule {
  readonly parameters: readonly string[];
  readonly body: Expression;
  /** Blanks may stand between its parts. */
  readonly isSyntactic: boolean;
}

/** The rules of a compiled grammar. */
export function rulesOf(recipe: string): ReadonlyMap<string, Rule> {
  const definitions = JSON.parse(recipe)[5] as Record<string, readonly unknown[]>;
  return new Map(
    Object.entries(definitions).map(([name, definition]) => [name, {
      parameters: definition[3] as string[],
      body: definition[4] as Expression,
      isSyntactic: /^[A-Z]/.test(name),
    }]),
  );
}

/** What the rules do not say. */
export interface Plan {
  /** Texts for rules, instead of their productions. */
  readonly leaves: Readonly<Record<string, (walk: Walk) => string>>;
  /** Leaves that bring a production of their own rule, or of one as large. */
  readonly wraps: ReadonlySet<string>;
  /** Rules that are not walked, and why. */
  readonly excluded: Readonly<Record<string, string>>;
  /** How much likelier than others an alternative is; 1 where absent. */
  readonly weights: Readonly<Record<string, number>>;
}

/** Walks the rules. */
export class Walk {
  /** Rules that were walked, those of the leaves among them. */
  readonly walked = new Set<string>();
  /** Functions around the place that is being made. */
  functions = 0;
  /** Command substitutions around it. */
  substitutions = 0;
  /** Bodies of here-documents that the next line break must bring. */
  pending: string[] = [];
  #budget = 0;
  #counter = 0;
  readonly #heights = new Map<string, number>();

  constructor(
    readonly rules: ReadonlyMap<string, Rule>,
    readonly plan: Plan,
    readonly random: RandomStream,
  ) {
    // How deep the smallest text of each rule is: a fixed point from below.
    for (let changed = true; changed;) {
      changed = false;
      for (const [name, { body }] of rules) {
        const height = name in plan.excluded
          ? Infinity
          : name in plan.leaves && !plan.wraps.has(name)
          ? 1
          : this.#height(body) + 1;
        if (height === (this.#heights.get(name) ?? Infinity)) continue;
        this.#heights.set(name, height);
        changed = true;
      }
    }
  }

  /** A script that the parser takes. */
  script(): string {
    for (;;) {
      const text = this.text();
      try {
        parseScript(text);
        return text;
      } catch (error) {
        if (!(error instanceof ShellSyntaxError)) throw error;
      }
    }
  }

  /** A script, which may have something that a look-ahead refuses. */
  text(): string {
    this.#budget = 20 + this.below(160);
    this.#counter = 0;
    this.functions = 0;
    this.substitutions = 0;
    this.pending = [];
    return this.rule("Script") + this.newline();
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.random.uniform() * limit);
  }

  /** One of several. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** A number that this script has not had. */
  fresh(): number {
    return ++this.#counter;
  }

  /** A line break, with the here-documents that wait for one. */
  newline(): string {
    return ["", ...this.pending.splice(0)].join("\n") + (this.pending.length === 0 ? "\n" : "");
  }

  /** A text of a rule. */
  rule(name: string, args: readonly Expression[] = []): string {
    this.walked.add(name);
    const leaf = this.plan.leaves[name];
    if (leaf !== undefined) return leaf(this);
    return this.production(name, args);
  }

  /** A text of a rule's own production, for a leaf that only prepares or ends it. */
  production(name: string, args: readonly Expression[] = []): string {
    const rule = this.rules.get(name);
    if (rule === undefined) return this.#builtin(name, args);
    if (this.#isSmall) return this.#text(rule, args, rule.body);
    this.#budget--;
    return this.#text(rule, args, rule.body);
  }

  get #isSmall(): boolean {
    return this.#budget <= 0;
  }

  #builtin(name: string, args: readonly Expression[]): string {
    switch (name) {
      case "applySyntactic": {
        const [, , inner] = args[0] as unknown as [string, unknown, string];
        const outer = this.pending.splice(0); // they are for a line break outside
        this.substitutions++;
        const text = this.rule(inner) + (this.pending.length > 0 ? this.newline() : "");
        this.substitutions--;
        this.pending = outer;
        return text;
      }
      case "spaces":
        return this.pick(["", " "]);
      case "digit":
        return String(this.below(10));
      case "any":
        return this.pick(["a", "b", ".", "-", " "]);
      case "end":
        return "";
    }
    throw new Error(`${name}: no such rule`);
  }

  #text(rule: Rule, args: readonly Expression[], expression: Expression): string {
    const [kind, , ...rest] = expression;
    const inner = (one: unknown) => this.#text(rule, args, one as Expression);
    const join = (texts: readonly string[]) =>
      texts.filter((text) => text !== "").join(rule.isSyntactic ? " " : "");
    switch (kind) {
      case "terminal":
        return rest[0] as string;
      case "range": {
        const [from, to] = (rest as [string, string]).map((c) => c.charCodeAt(0)) as [number, number];
        return String.fromCharCode(from + this.below(to - from + 1));
      }
      case "param":
        return inner(args[rest[0] as number]);
      case "app": {
        const given = (rest[1] as Expression[] | undefined ?? []).map((one) => this.#bound(one, args));
        return this.rule(rest[0] as string, given);
      }
      case "seq":
        return join(rest.map(inner));
      case "alt":
        return inner(this.#choose(rest as Expression[]));
      case "opt":
        return this.#isSmall || this.below(2) === 0 || !this.#isPossible(rest[0] as Expression)
          ? ""
          : inner(rest[0]);
      case "star":
      case "plus": {
        const texts = kind === "plus" ? [inner(rest[0])] : [];
        if (this.#isPossible(rest[0] as Expression)) {
          const more = this.#weight(rest[0] as Expression) * 0.4;
          while (!this.#isSmall && this.random.uniform() < more) texts.push(inner(rest[0]));
        }
        return join(texts);
      }
      case "not":
      case "lookahead":
        return "";
    }
    throw new Error(`${kind}: no such kind of expression`);
  }

  /** An argument of a rule, with the rule's own parameters filled in. */
  #bound(expression: Expression, args: readonly Expression[]): Expression {
    return expression[0] === "param" ? args[expression[2] as number]! : expression;
  }

  #heightOf(rule: string): number {
    return this.#heights.get(rule) ?? (this.rules.has(rule) ? Infinity : 1);
  }

  #isPossible(expression: Expression): boolean {
    return this.#height(expression) < Infinity;
  }

  #weight(expression: Expression): number {
    return expression[0] === "app" ? this.plan.weights[expression[2] as string] ?? 1 : 1;
  }

  #choose(alternatives: readonly Expression[]): Expression {
    const heights = alternatives.map((one) => this.#height(one));
    if (this.#isSmall) return alternatives[heights.indexOf(Math.min(...heights))]!;
    const weights = alternatives.map((one, i) => {
      if (heights[i] === Infinity) return 0;
      return this.#weight(one);
    });
    let at = this.random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
    const found = weights.findIndex((weight) => (at -= weight) < 0);
    return alternatives[found]!;
  }

  #height(expression: Expression): number {
    const [kind, , ...rest] = expression;
    const inner = (one: unknown) => this.#height(one as Expression);
    switch (kind) {
      case "app":
        return rest[0] === "applySyntactic"
          ? inner((rest[1] as Expression[])[0])
          : this.#heightOf(rest[0] as string);
      case "seq":
        return Math.max(...rest.map(inner));
      case "alt":
        return Math.min(...rest.map(inner));
      case "plus":
        return inner(rest[0]);
      default:
        return 0;
    }
  }
}
