/**
 * Options of commands, as getopt reads them: `-ab`, `-n 3`, `-n3`, `--`.
 *
 * The programs of the simulated computer have a reader of their own (`runtime/programs/getopt.ts`), with long names and
 * the complaints of GNU's `getopt_long`; it lies on another floor. Built-ins take letters alone, some filters the long names
 * of their letters too.
 *
 * @module
 */

/** Options that were given, and what is left. */
export interface ParsedOptions {
  /** The letters that were given. */
  readonly flags: ReadonlySet<string>;
  /** The value of each, the last one where it was given several times. */
  readonly values: ReadonlyMap<string, string>;
  /** All letters with their values, in the order given. */
  readonly given: readonly (readonly [letter: string, value: string])[];
  /** The other words. */
  readonly operands: readonly string[];
}

/**
 * Where options end. `first`: before the first operand, as POSIX says and built-ins do, and programs whose operands are
 * another command. `anywhere`: nowhere but at `--`, as in GNU's filters. `number`: as `first`, and before what looks like a
 * negative number.
 */
export type OptionOrder = "first" | "anywhere" | "number";

/**
 * Reads options. `specification` lists the letters that are taken, each followed by `:` if it has a value.
 * An option that is not taken is an error, never ignored: the answer is then the complaint. `long` are the letters that
 * long names stand for; an empty letter is `--color`, which changes nothing as long as it is not `always`.
 */
export function parseOptions(
  args: readonly string[],
  specification: string,
  order: OptionOrder = "first",
  long: Readonly<Record<string, string>> = {},
): ParsedOptions | string {
  const given: [letter: string, value: string][] = [];
  const operands: string[] = [];
  let i = 0;
  for (; i < args.length; i++) {
    const argument = args[i]!;
    if (argument === "--") {
      i++;
      break;
    }
    if (argument === "-" || !argument.startsWith("-")) {
      if (order !== "anywhere") break;
      operands.push(argument);
      continue;
    }
    if (order === "number" && /^-[\d.]/.test(argument)) break;
    if (argument.startsWith("--")) {
      const { 1: name = "", 2: own } = /^--([^=]*)(?:=([^]*))?$/.exec(argument)!;
      const letter = Object.hasOwn(long, name) ? long[name]! : undefined;
      if (letter === undefined || (letter === "" && own === "always")) {
        return `unrecognized option '${argument}'`;
      }
      if (letter === "") continue;
      const takesValue = specification[specification.indexOf(letter) + 1] === ":";
      if (!takesValue && own !== undefined) return `option '--${name}' doesn't allow an argument`;
      const value = takesValue ? own ?? args[++i] : "";
      if (value === undefined) return `option '--${name}' requires an argument`;
      given.push([letter, value]);
      continue;
    }
    for (let at = 1; at < argument.length; at++) {
      const letter = argument[at]!;
      const known = specification.indexOf(letter);
      if (known === -1 || letter === ":") return `invalid option -- '${letter}'`;
      if (specification[known + 1] !== ":") {
        given.push([letter, ""]);
        continue;
      }
      const value = at + 1 < argument.length ? argument.slice(at + 1) : args[++i];
      if (value === undefined) return `option requires an argument -- '${letter}'`;
      given.push([letter, value]);
      break;
    }
  }
  const flags = new Set(given.map(([letter]) => letter));
  const values = new Map(
    given.filter(([letter]) => specification[specification.indexOf(letter) + 1] === ":"),
  );
  return { flags, values, given, operands: [...operands, ...args.slice(i)] };
}

/** What an option that may be given several times says, a line for each; undefined where it was not given. */
export function linesOfOption({ given }: ParsedOptions, letter: string): string | undefined {
  const lines = given.flatMap(([each, value]) => each === letter ? [value] : []);
  return lines.length === 0 ? undefined : lines.join("\n");
}
