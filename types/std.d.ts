/**
 * Types of the three modules of Deno's standard library that we use.
 *
 * `deno.json` maps the names `@std/…` onto the npm package that carries them, and that package has no declarations:
 * without this file wrong names and wrong arguments would pass the type check and fail at run time.
 * `tests/std_types_test.ts` proves that every export that exists at run time is declared here, and no other.
 *
 * With JSR in place of npm, change the three lines in `deno.json` and drop its `types` line and this file.
 */

declare module "@std/assert" {
  // A constructor's arguments are contravariant: only `any` accepts every class.
  // deno-lint-ignore no-explicit-any
  type Constructor<T> = abstract new (...args: any[]) => T;

  /** Thrown by every assertion that does not hold. */
  export class AssertionError extends Error {
    constructor(message: string, options?: ErrorOptions);
  }
  export function assert(expr: unknown, msg?: string): asserts expr;
  export function assertAlmostEquals(
    actual: number,
    expected: number,
    tolerance?: number,
    msg?: string,
  ): void;
  export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, msg?: string): void;
  export function assertEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;
  export function assertFalse(expr: unknown, msg?: string): void;
  export function assertGreater<T>(actual: T, expected: T, msg?: string): void;
  export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void;
  export function assertInstanceOf<T>(
    actual: unknown,
    type: Constructor<T>,
    msg?: string,
  ): asserts actual is T;
  export function assertIsError<E extends Error = Error>(
    error: unknown,
    type?: Constructor<E>,
    matches?: string | RegExp,
    msg?: string,
  ): asserts error is E;
  export function assertLess<T>(actual: T, expected: T, msg?: string): void;
  export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void;
  export function assertMatch(actual: string, expected: RegExp, msg?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertNotInstanceOf<A, T>(
    actual: A,
    type: Constructor<T>,
    msg?: string,
  ): asserts actual is Exclude<A, T>;
  export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void;
  export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertObjectMatch(
    // An interface is not assignable to a record of `unknown`, only to one of `any`.
    // deno-lint-ignore no-explicit-any
    actual: Record<PropertyKey, any>,
    expected: Record<PropertyKey, unknown>,
    msg?: string,
  ): void;
  export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
  export function assertRejects<E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    type: Constructor<E>,
    includes?: string,
    msg?: string,
  ): Promise<E>;
  export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T;
  export function assertStringIncludes(actual: string, expected: string, msg?: string): void;
  export function assertThrows(fn: () => unknown, msg?: string): unknown;
  export function assertThrows<E extends Error = Error>(
    fn: () => unknown,
    type: Constructor<E>,
    includes?: string,
    msg?: string,
  ): E;
  export function equal(a: unknown, b: unknown): boolean;
  export function fail(msg?: string): never;
  export function unimplemented(msg?: string): never;
  export function unreachable(reason?: string): never;
}

declare module "@std/yaml" {
  /** A document that is not YAML. The position counts from 1; the package on JSR may not carry it. */
  export class YamlSyntaxError extends SyntaxError {
    readonly line?: number;
    readonly column?: number;
    readonly offset?: number;
    readonly snippet?: string;
  }
  export interface ParseOptions {
    allowDuplicateKeys?: boolean;
    schema?: "failsafe" | "json" | "core" | "default" | "extended";
    onWarning?(error: Error): void;
  }
  export interface StringifyOptions {
    indent?: number;
    lineWidth?: number;
    flowLevel?: number;
    sortKeys?: boolean | ((a: string, b: string) => number);
    skipInvalid?: boolean;
    useAnchors?: boolean;
    schema?: "failsafe" | "json" | "core" | "default" | "extended";
  }
  export function parse(content: string, options?: ParseOptions): unknown;
  export function parseAll(content: string, options?: ParseOptions): unknown[];
  export function stringify(data: unknown, options?: StringifyOptions): string;
}

declare module "@std/cli/parse-args" {
  /** The names listed under `K` of the options `O`, as a union of literals. */
  type Names<O, K extends string> = O extends { readonly [P in K]: readonly (infer N extends string)[] } ? N
    : never;

  export interface ParseOptions {
    /** Flags that take no value. */
    readonly boolean?: readonly string[];
    /** Flags whose value stays a string, even if it looks like a number. */
    readonly string?: readonly string[];
    /** Flags that may be given more than once. */
    readonly collect?: readonly string[];
    /** Flags that `--no-…` turns off. */
    readonly negatable?: readonly string[];
    readonly alias?: Readonly<Record<string, string | readonly string[]>>;
    readonly default?: Readonly<Record<string, unknown>>;
    /** What follows the first word that is no flag is left alone, in `_`. */
    readonly stopEarly?: boolean;
    /** What follows `--` goes to `"--"` and not to `_`. */
    readonly "--"?: boolean;
    unknown?(arg: string, key?: string, value?: unknown): unknown;
  }
  /** A flag that is not listed is a type error. */
  export type Args<O> =
    & { _: (string | number)[]; "--"?: string[] }
    & { [K in Names<O, "boolean">]: boolean }
    & { [K in Exclude<Names<O, "string">, Names<O, "collect">>]?: string }
    & { [K in Extract<Names<O, "string">, Names<O, "collect">>]: string[] };
  export function parseArgs<const O extends ParseOptions>(args: readonly string[], options?: O): Args<O>;
}
