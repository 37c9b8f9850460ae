import { decodeEscapes } from "../syntax/escapes.ts";
import type { Coroutine } from "../shell/jobs.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `tr`. */
const doc = `tr - other characters for characters
Usage: tr [-cCds] SET1 [SET2]
Effects: translates, deletes (-d) or squeezes (-s) characters of standard input; -c complements SET1
Exit status: 0, or 1 if the operands are wrong
Errors: missing operand; extra operand 'TEXT'; invalid character class 'NAME'
Differs from the real one: no -t; no [=C=]; no [C*N]
Examples: tr ' ' ';' < /proc/loadavg`;

const classes: Readonly<Record<string, string>> = {
  digit: "0-9",
  lower: "a-z",
  upper: "A-Z",
  alpha: "A-Za-z",
  alnum: "0-9A-Za-z",
  space: "\t-\r ",
  blank: "\t ",
  punct: "!-/:-@[-`{-~",
  xdigit: "0-9A-Fa-f",
};

export const tr: Command = {
  name: "tr",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "cCds", "first", {
      "complement": "c",
      "delete": "d",
      "squeeze-repeats": "s",
    });
    if (typeof options === "string") return context.complain(options);
    const { flags, operands } = options;
    const [one, two] = operands;
    const needsTwo = !flags.has("d") && !flags.has("s");
    if (one === undefined) return context.misuse("missing operand");
    if (needsTwo && two === undefined) {
      return context.misuse(`missing operand after '${one}'\nTwo strings must be given when translating.`);
    }
    const extra = operands[flags.has("d") && !flags.has("s") ? 1 : 2];
    if (extra !== undefined) return context.misuse(`extra operand '${extra}'`);
    const from = charactersOf(one);
    const to = two === undefined ? undefined : charactersOf(two);
    if (typeof from === "string") return context.complain(from);
    if (typeof to === "string") return context.complain(to);
    const complement = flags.has("c") || flags.has("C");
    const inFrom = (c: string) => from.includes(c) !== complement;
    const translate = (c: string): string => {
      if (to === undefined || flags.has("d") || !inFrom(c)) return c;
      return to[complement ? to.length - 1 : Math.min(from.indexOf(c), to.length - 1)] ?? c;
    };
    const squeezed = (c: string) => to === undefined ? inFrom(c) : to.includes(c);
    const result: string[] = [];
    for (const c of yield* context.readInput()) {
      if (flags.has("d") && inFrom(c)) continue;
      const translated = translate(c);
      if (flags.has("s") && squeezed(translated) && result[result.length - 1] === translated) continue;
      result.push(translated);
    }
    context.out(result.join(""));
    return 0;
  },
};

/** The characters of a set, in order; a text is what is wrong with it. */
function charactersOf(set: string): string[] | string {
  let unknown: string | undefined;
  const named = set.replace(/\[:(\w*):\]/g, (_, name: string) => {
    unknown ??= classes[name] === undefined ? name : undefined;
    return classes[name] ?? "";
  });
  if (unknown !== undefined) return `invalid character class '${unknown}'`;
  if (/\[=.=\]|\[.\*\d*\]/.test(named)) return `'${set}' is not taken: equivalence classes and repeats`;
  const text = Array.from(decodeEscapes(named).text);
  const result: string[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? "";
    const end = text[i + 2];
    if (text[i + 1] !== "-" || end === undefined) {
      result.push(c);
      continue;
    }
    const [low, high] = [c.charCodeAt(0), end.charCodeAt(0)];
    if (low > high) return `range-endpoints of '${c}-${end}' are in reverse collating sequence order`;
    for (let code = low; code <= high; code++) result.push(String.fromCharCode(code));
    i += 2;
  }
  return result;
}
