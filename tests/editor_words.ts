/**
 * The lists of the editor's grammar, `dsl/editor/rtk.tmLanguage.json`: each is the `match` of the rule of that name,
 * made from the registries of the program. Run as a program it writes them; a test proves that they are fresh.
 *
 * ```sh
 * deno run --allow-read=. --allow-write=dsl/editor tests/editor_words.ts
 * ```
 *
 * @module
 */
import { commands } from "../dsl/commands/index.ts";
import { refused } from "../dsl/commands/refused.ts";
import { ERAS } from "../runtime/lab/eras.ts";
import { SessionRig } from "./session_rig.ts";

const file = new URL("../dsl/editor/rtk.tmLanguage.json", import.meta.url);

/** What ends a word of the shell, seen from behind. */
const END = "(?![^\\s;&|()<>])";

/** The reserved words, as `shell.ohm` lists them. */
function reservedWords(): string[] {
  const grammar = Deno.readTextFileSync(new URL("../dsl/syntax/shell.ohm", import.meta.url));
  const [, list = ""] = /^ {2}reserved\s+=\s*\(([^)]*)\)/m.exec(grammar) ?? [];
  return [...list.matchAll(/"([^"]+)"/g)].map(([, word = ""]) => word);
}

/** The alternatives of a pattern, the longer of two with one beginning first. */
function anyOf(names: Iterable<string>): string {
  const sorted = [...new Set(names)].sort((a, b) => (a < b ? 1 : -1));
  return `(?:${sorted.map((name) => name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})`;
}

/** The patterns by the names of their rules. */
export function editorPatterns(): Readonly<Record<string, string>> {
  const rigs = ERAS.map(({ kernel }) => new SessionRig({ kernel }));
  const [{ session, lab }] = rigs as [SessionRig];
  const notHere = new Set(refused.map(({ name }) => name));
  const here = [...commands.values()].filter(({ name }) => !notHere.has(name));
  const first = (names: Iterable<string>) => `\\G${anyOf(names)}${END}`;
  return {
    keywords: `${anyOf(reservedWords())}${END}`,
    laboratoryWords: first(session.shell.environment.words.keys()),
    builtins: first(here.filter(({ kind }) => kind !== "filter").map(({ name }) => name)),
    filters: first(here.filter(({ kind }) => kind === "filter").map(({ name }) => name)),
    programs: first(rigs.flatMap((rig) => [...rig.lab.computer("host")!.programs.keys()])),
    refused: first(notHere),
    calls: `\\b${anyOf(session.shell.machine.calls?.names ?? [])}\\b`,
    constants: `(?<![\\w$])${anyOf(lab.constants.keys())}\\b`,
  };
}

/** The text of the grammar as it lies in the tree. */
export const grammarText = (): string => Deno.readTextFileSync(file);

/** The text with its lists made anew. */
export function withFreshWords(text: string): string {
  for (const [rule, pattern] of Object.entries(editorPatterns())) {
    const place = new RegExp(`("${rule}": \\{[^{}]*"match": )"(?:[^"\\\\]|\\\\.)*"`);
    if (!place.test(text)) throw new Error(`${file.pathname} has no rule ${rule} with a match`);
    text = text.replace(
      place,
      (_, before: string) => before + JSON.stringify(pattern),
    );
  }
  return text;
}

if (import.meta.main) {
  Deno.writeTextFileSync(file, withFreshWords(grammarText()));
}
