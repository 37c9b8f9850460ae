import type { Coroutine } from "../shell/jobs.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `sort`. */
const doc = `sort - lines in order
Usage: sort [-nghVrufbscz] [-k KEY]… [-t SEPARATOR] [-o FILE] [FILE]…
Effects: writes the lines in order of their characters; -n by number, -g by number with exponent, -h by number with K, M,
  G, -V by version, -r reversed, -u each once, -f without regard to case, -b without leading blanks; -k by fields FIRST
  to LAST, each FIELD[.CHARACTER][OPTIONS], several in turn; -s leaves equal ones as they came; -c only looks whether they
  are in order; -z lines end with NUL characters; -o writes into FILE
Exit status: 0; 1 if -c finds disorder; 2 on an error
Errors: cannot read: PATH: STRERROR; -:2: disorder: LINE; multi-character tab 'TEXT'
Differs from the real one: no -d, -i, -M, -R, -m
Examples: printf '%s\\n' 10 9 | sort -n
  ps -eo psr,comm | sort -k1,1n -k2`;

const LONG = {
  "numeric-sort": "n",
  "general-numeric-sort": "g",
  "human-numeric-sort": "h",
  "version-sort": "V",
  "reverse": "r",
  "unique": "u",
  "ignore-case": "f",
  "ignore-leading-blanks": "b",
  "stable": "s",
  "check": "c",
  "key": "k",
  "field-separator": "t",
  "output": "o",
  "zero-terminated": "z",
};

/** What a key is compared as. */
const ORDERS = "nghVrfb";

/** Where a key begins and ends, and how it is compared. */
interface Key {
  readonly first: readonly [field: number, character: number];
  /** Character 0: the end of the field. */
  readonly last: readonly [field: number, character: number] | undefined;
  readonly options: ReadonlySet<string>;
}

export const sort: Command = {
  name: "sort",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "nghVrufbsczk:t:o:", "anywhere", LONG);
    if (typeof options === "string") return context.misuse(options, 2);
    const { flags, values, operands } = options;
    const separator = values.get("t") === "\\0" ? "\0" : values.get("t");
    if (separator === "") return context.complain("empty tab", 2);
    if (separator !== undefined && separator.length > 1) {
      return context.complain(`multi-character tab '${separator}'`, 2);
    }
    const global = new Set([...flags].filter((letter) => ORDERS.includes(letter)));
    const keys: Key[] = [];
    for (const [letter, text] of options.given) {
      if (letter !== "k") continue;
      const key = keyOf(text, global);
      if (typeof key === "string") return context.complain(key, 2);
      keys.push(key);
    }
    if (keys.length === 0) keys.push({ first: [1, 1], last: undefined, options: global });
    const { texts, failed } = yield* context.readFiles(operands);
    if (failed) return 2;
    const compareKeys = (a: string, b: string) => {
      for (const key of keys) {
        const order = compare(partOf(a, key, separator), partOf(b, key, separator), key.options);
        if (order !== 0) return key.options.has("r") ? -order : order;
      }
      return 0;
    };
    const lastResort = (a: string, b: string) =>
      flags.has("u") || flags.has("s") ? 0 : (a < b ? -1 : a > b ? 1 : 0) * (flags.has("r") ? -1 : 1);
    const end = flags.has("z") ? "\0" : "\n";
    const lines = texts.flatMap(({ text }) => linesOf(text, end));
    const order = (a: string, b: string) => compareKeys(a, b) || lastResort(a, b);
    if (flags.has("c")) {
      const at = lines.findIndex((line, i) =>
        i > 0 && order(lines[i - 1]!, line) > (flags.has("u") ? -1 : 0)
      );
      return at === -1 ? 0 : context.complain(`${operands[0] ?? "-"}:${at + 1}: disorder: ${lines[at]}`);
    }
    lines.sort(order);
    const sorted = flags.has("u")
      ? lines.filter((line, i) => i === 0 || compareKeys(lines[i - 1]!, line) !== 0)
      : lines;
    const text = sorted.map((line) => line + end).join("");
    const output = values.get("o");
    if (output === undefined) context.out(text);
    else {
      const error = yield* context.writeFile(output, text);
      if (error !== undefined) return context.complain(`open failed: ${output}: ${error.message}`, 2);
    }
    return 0;
  },
};

/** Reads `-k`; a text is the complaint. */
function keyOf(text: string, global: ReadonlySet<string>): Key | string {
  const form = /^(\d+)(?:\.(\d+))?([a-zA-Z]*)(?:,(\d+)(?:\.(\d+))?([a-zA-Z]*))?$/.exec(text);
  if (form === null) {
    return /^\d/.test(text)
      ? `stray character in field spec: invalid field specification '${text}'`
      : `invalid number at field start: invalid count at start of '${text}'`;
  }
  const [, field, character, own = "", lastField, lastCharacter, lastOwn = ""] = form;
  if (field === "0") return `field number is zero: invalid field specification '${text}'`;
  if (character === "0") return `character offset is zero: invalid field specification '${text}'`;
  const letters = [...own + lastOwn];
  const unknown = letters.find((letter) => !ORDERS.includes(letter));
  if (unknown !== undefined) return `key option ${unknown} is not taken`;
  return {
    first: [Number(field), Number(character ?? 1)],
    last: lastField === undefined ? undefined : [Number(lastField), Number(lastCharacter ?? 0)],
    options: letters.length > 0 ? new Set(letters) : global,
  };
}

/** The part of a line that a key is; without a separator a field has the blanks before it. */
function partOf(line: string, { first, last, options }: Key, separator: string | undefined): string {
  const bounds: { from: number; to: number }[] = [];
  if (separator === undefined) {
    for (const { 0: field, index } of line.matchAll(/[ \t]*[^ \t]+/g)) {
      bounds.push({ from: index, to: index + field.length });
    }
  } else {
    let from = 0;
    for (const field of line.split(separator)) {
      bounds.push({ from, to: from + field.length });
      from += field.length + 1;
    }
  }
  const skip = (at: number) => options.has("b") ? at + (/^[ \t]*/.exec(line.slice(at))?.[0].length ?? 0) : at;
  const begin = bounds[first[0] - 1];
  if (begin === undefined) return "";
  const from = skip(begin.from) + first[1] - 1;
  let to = line.length;
  if (last !== undefined) {
    const end = bounds[last[0] - 1];
    if (end !== undefined) to = last[1] === 0 ? end.to : Math.min(line.length, skip(end.from) + last[1]);
  }
  return line.slice(from, Math.max(from, to));
}

const UNITS = "KMGTPE";

function compare(x: string, y: string, options: ReadonlySet<string>): number {
  if (options.has("n")) return decimal(x) - decimal(y);
  if (options.has("g")) return general(x) - general(y) || 0;
  if (options.has("h")) return human(x) - human(y);
  if (options.has("V")) return versions(x, y);
  const [a, b] = options.has("f") ? [x.toUpperCase(), y.toUpperCase()] : [x, y];
  return a < b ? -1 : a > b ? 1 : 0;
}

function decimal(text: string): number {
  return Number(/^[ \t]*(-?\d*\.?\d*)/.exec(text)?.[1] || 0) || 0;
}

function general(text: string): number {
  return Number(/^[ \t]*([-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?)/i.exec(text)?.[1] ?? -Number.MAX_VALUE);
}

/** A unit weighs more than any number before it. */
function human(text: string): number {
  const [, sign = "", number = "", unit = ""] = /^[ \t]*(-?)(\d*\.?\d*)([KMGTPEk]?)/.exec(text)!;
  const value = (Number(number) || 0) * 1e6 ** (UNITS.indexOf(unit.toUpperCase() || " ") + 1);
  return sign === "" ? value : -value;
}

/** Runs of digits compare as numbers, what stands between them as text. */
function versions(x: string, y: string): number {
  const runs = (text: string): readonly string[] => text.match(/\d+|\D+/g) ?? [];
  const [a, b] = [runs(x), runs(y)];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [one = "", other = ""] = [a[i], b[i]];
    if (one === other) continue;
    const order = /^\d/.test(one) && /^\d/.test(other) ? Number(one) - Number(other) : one < other ? -1 : 1;
    if (order !== 0) return order;
  }
  return x < y ? -1 : x > y ? 1 : 0;
}
