/**
 * Options of commands, as getopt reads them: `-ab`, `-n 3`, `-n3`, `--`.
 *
 * @module
 */

/** Options that were given, and what is left. */
export interface ParsedOptions {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  readonly operands: readonly string[];
}

/**
 * Reads options. `specification` lists the letters that are taken, each followed by `:` if it has a value.
 * An option that is not taken is an error, never ignored: the answer is then the complaint.
 */
export function parseOptions(args: readonly string[], specification: string): ParsedOptions | string {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  let i = 0;
  for (; i < args.length; i++) {
    const argument = args[i] ?? "";
    if (argument === "--") {
      i++;
      break;
    }
    if (argument === "-" || !argument.startsWith("-")) break;
    if (argument.startsWith("--")) return `unrecognized option '${argument}'`;
    for (let at = 1; at < argument.length; at++) {
      const letter = argument[at] ?? "";
      const known = specification.indexOf(letter);
      if (known === -1 || letter === ":") return `invalid option -- '${letter}'`;
      flags.add(letter);
      if (specification[known + 1] !== ":") continue;
      const value = at + 1 < argument.length ? argument.slice(at + 1) : args[++i];
      if (value === undefined) return `option requires an argument -- '${letter}'`;
      values.set(letter, value);
      break;
    }
  }
  return { flags, values, operands: args.slice(i) };
}
