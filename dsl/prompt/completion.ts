/**
 * Completion: what may stand where the cursor is, from the text before it and the session.
 *
 * The text is read as far as that needs: where the command under the cursor begins, which words it has so far, and
 * whether the last one is quoted. What a word of the laboratory takes, it says itself ({@linkcode Command.complete}).
 *
 * @module
 */

import type { Command } from "../commands/command.ts";
import { commands } from "../commands/index.ts";
import { isRefused, optionsOf } from "../shell/manual.ts";
import { isErrno, type Machine } from "../shell/ports.ts";
import type { Session } from "../session/session.ts";
import type { Shell } from "../shell/state.ts";

/** What may be put in the place of the end of a text. */
export interface Completion {
  /** The end of the text that is replaced. */
  readonly word: string;
  /** What it may become, in the order of the alphabet. One that ends with a blank is whole. */
  readonly candidates: readonly string[];
}

const NOTHING: Completion = { word: "", candidates: [] };

/** Words of the grammar that a command may follow. */
const OPENERS: readonly string[] = ["if", "then", "elif", "else", "while", "until", "do", "!", "{"];
/** All words of the grammar that stand where a command does. */
const GRAMMAR: readonly string[] = [...OPENERS, "fi", "for", "done", "case", "esac", "function", "}"]
  .filter((word) => /^\w/.test(word));
/** Commands whose arguments are a command. */
const CARRIERS: readonly string[] = ["exec", "command", "builtin", "nohup", "time"];

/** What the end of `text` may become. */
export function complete(text: string, session: Session): Completion {
  const { shell } = session;
  const line = text.replace(/^[ \t]*[#$] (?=\S)/, (prompt) => " ".repeat(prompt.length));
  return completeOn(line, { session, shell, machine: shell.machine });
}

/** Where a text would run. */
interface Place {
  readonly session: Session;
  readonly shell: Shell;
  readonly machine: Machine;
}

function completeOn(text: string, place: Place): Completion {
  const { session, shell } = place;
  const spot = spotOf(text);
  if (spot.isComment) return NOTHING;
  const remote = guestCommand(spot, session);
  if (remote !== undefined && spot.quote !== "") {
    return completeOn(spot.raw.slice(spot.raw.indexOf(spot.quote) + 1), { ...place, machine: remote });
  }
  if (spot.quote !== "'") {
    const variable = /\$(\{?)(\w*)$/.exec(spot.raw);
    if (variable !== null) return variableNames(shell, variable[1] ?? "", variable[2] ?? "");
  }
  const call = spot.quote === "" ? openCall(text, place.machine) : undefined;
  if (call !== undefined) return callWords(place, call.name, call.args);
  return argument(
    spot,
    remote === undefined ? place : { ...place, machine: remote },
    remote === undefined ? 0 : 2,
  );
}

/** The command under the cursor. */
interface Spot {
  /** Its words that are whole, without quotes. */
  readonly words: readonly string[];
  /** The last word as it stands there. */
  readonly raw: string;
  /** The same without quotes. */
  readonly value: string;
  /** The quote that is open in it. */
  readonly quote: "" | "'" | '"';
  /** It is where a redirection leads. */
  readonly isTarget: boolean;
  readonly isComment: boolean;
}

function spotOf(text: string): Spot {
  let words: string[] = [];
  let start = -1; // of the last word; -1: none has begun
  let value = "";
  let quote: Spot["quote"] = "";
  let isTarget = false, isComment = false;
  const endWord = () => {
    if (start >= 0 && !isTarget) words.push(value);
    if (start >= 0) isTarget = false;
    [start, value] = [-1, ""];
  };
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (isComment) {
      isComment = char !== "\n";
      if (!isComment) words = [];
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else if (char === "\\" && quote === '"' && i + 1 < text.length) value += text[++i]!;
      else value += char;
    } else if (char === "'" || char === '"') {
      if (start < 0) start = i;
      quote = char;
    } else if (char === "\\" && text[i + 1] === "\n") i++;
    else if (char === " " || char === "\t") endWord();
    else if ("\n;&|()`".includes(char)) {
      endWord();
      [words, isTarget] = [[], false];
    } else if (char === "<" || char === ">") {
      if (/^\d+$/.test(value)) [start, value] = [-1, ""]; // of a descriptor
      endWord();
      isTarget = true;
    } else if (char === "#" && start < 0) isComment = true;
    else {
      if (start < 0) start = i;
      value += char === "\\" ? text[++i] ?? "" : char;
      if (OPENERS.includes(value) && words.length === 0 && text[i + 1] === " ") [start, value] = [-1, ""];
    }
  }
  while (/^\w+(\[[^\]]*\])?\+?=/.test(words[0] ?? "")) words.shift();
  while (CARRIERS.includes(words[0] ?? "")) words.shift();
  return { words, raw: start < 0 ? "" : text.slice(start), value, quote, isTarget, isComment };
}

/** The machine on which `ssh vm0 …` runs the rest of a command. */
function guestCommand({ words, isTarget }: Spot, session: Session): Machine | undefined {
  const [command, name] = words;
  if (command !== "ssh" || name === undefined || isTarget) return undefined;
  return session.shell.environment.machines(name);
}

/** Variables behind `$`; of an array its elements. */
function variableNames(shell: Shell, brace: string, begun: string): Completion {
  const names = [...shell.variables].filter(([name]) => name.startsWith(begun)).flatMap(
    ([name, { value }]) => {
      if (value instanceof Map) {
        return [...value.keys()].map((key) => `\${${name}[${key}]}`);
      }
      return value === undefined ? [] : [brace === "" ? `$${name}` : `\${${name}}`];
    },
  );
  return { word: `$${brace}${begun}`, candidates: sorted(names) };
}

/** The C call whose arguments are being typed. */
function openCall(text: string, machine: Machine): { name: string; args: string } | undefined {
  const [, name = "", args = ""] = /(?:^|[\s;=|&(])(\w+)\s*\(([^()]*)$/.exec(text) ?? [];
  return machine.calls?.names.includes(name) ? { name, args } : undefined;
}

/** Constants and variables of a C call. A request is a constant that begins as requests do. */
function callWords({ session, shell }: Place, name: string, args: string): Completion {
  const word = /[A-Za-z_]\w*$/.exec(args)?.[0] ?? "";
  if (word === "" && /\w$/.test(args)) return NOTHING;
  const constants = [...session.lab.constants.keys()];
  const isRequest = name === "ioctl" && args.split(",").length === 2;
  const requests = constants.filter((each) => each.startsWith("KVM_"));
  const variables = [...shell.variables].flatMap(([each, { value }]) =>
    value instanceof Map
      ? [...value.keys()].map((key) => `${each}[${key}]`)
      : value === undefined
      ? []
      : [each]
  );
  const known = isRequest ? requests : word === "" ? variables : [...constants, ...variables];
  return { word, candidates: sorted(known.filter((each) => each.startsWith(word))) };
}

/** A command's name, one of its arguments, or a path. */
function argument(spot: Spot, place: Place, skipped: number): Completion {
  const { raw, value, isTarget } = spot;
  const [name, ...before] = spot.words.slice(skipped);
  if (isTarget) return paths(spot, place, value);
  if (name === undefined) {
    if (/^\w+=/.test(value)) return paths(spot, place, value.slice(value.indexOf("=") + 1));
    return value.includes("/") ? paths(spot, place, value) : matching(raw, value, commandNames(place));
  }
  const { word, doc, options, takes } = known(name, place);
  const attached = /^(-[\w-]+)=(.*)$/s.exec(value);
  if (attached !== null) {
    const [, option = "", begun = ""] = attached;
    const values = takes?.([...before, option], begun);
    return values === undefined ? paths(spot, place, begun) : matching(begun, begun, values);
  }
  if (value.startsWith("-")) {
    return matching(raw, value, options ?? (doc === undefined ? [] : optionsOf(doc)));
  }
  if (takes !== undefined) return matching(raw, value, takes(before, value));
  if (name === "ssh" && before.length === 0) return matching(raw, value, place.session.lab.computers());
  if (word === "laboratory") return NOTHING;
  if (name === "cd" || name === "rmdir") return paths(spot, place, value, true);
  const equals = value.lastIndexOf("=");
  return paths(spot, place, value.slice(equals + 1));
}

/** What is known of a command. */
function known(name: string, { shell, machine }: Place): {
  readonly word?: Command["kind"];
  readonly doc?: string;
  readonly options?: readonly string[] | undefined;
  readonly takes?: ((before: readonly string[], word: string) => readonly string[]) | undefined;
} {
  const word = shell.environment.words.get(name) ?? commands.get(name);
  if (word !== undefined) {
    const options = word.options && [...optionsOf(word.doc), ...word.options];
    return { word: word.kind, doc: word.doc, options, takes: word.complete?.bind(word) };
  }
  const program = machine.programs.get(name.replace(/^.*\//, ""));
  return program === undefined ? {} : { doc: program.doc, options: program.options };
}

/** Everything that a command may begin with; a call with its parenthesis. */
function commandNames({ shell, machine }: Place): string[] {
  return [
    ...[...commands.values()].filter(({ doc }) => !isRefused(doc)).map(({ name }) => name),
    ...shell.environment.words.keys(),
    ...machine.programs.keys(),
    ...shell.functions.keys(),
    ...machine.calls?.names.map((name) => `${name}(`) ?? [],
    ...GRAMMAR,
  ];
}

function matching(raw: string, value: string, names: readonly string[]): Completion {
  const found = sorted(names.filter((name) => name.startsWith(value) && name !== ""));
  return { word: raw, candidates: finished(found, "") };
}

/** Names below the folder that `path`, the end of the last word, leads to. */
function paths({ raw, quote }: Spot, place: Place, path: string, foldersOnly = false): Completion {
  const { shell, machine } = place;
  const slash = path.lastIndexOf("/");
  const folder = path.slice(0, slash + 1), begun = path.slice(slash + 1);
  const { vfs } = machine;
  const at = machine === shell.machine
    ? shell.resolve(folder === "" ? "." : folder)
    : folder.startsWith("/")
    ? folder.replace(/(.)\/$/, "$1")
    : `/root/${folder}`.replace(/\/$/, "");
  const names = vfs.list(at);
  if (isErrno(names)) return { word: begun, candidates: [] };
  const found = names.filter((name) => name.startsWith(begun) && (begun !== "" || !name.startsWith(".")))
    .flatMap((name) => {
      const stat = vfs.stat(`${at === "/" ? "" : at}/${name}`);
      const isFolder = !isErrno(stat) && stat.kind === "directory";
      return foldersOnly && !isFolder ? [] : [quoted(name, quote) + (isFolder ? "/" : "")];
    });
  // What stands before the name is left as it is typed: it may be quoted.
  const word = raw.slice(
    Math.max(raw.lastIndexOf("/"), raw.lastIndexOf("="), raw.lastIndexOf(quote || "\0")) + 1,
  );
  return { word, candidates: finished(sorted(found), quote) };
}

function quoted(name: string, quote: string): string {
  return quote === "" ? name.replace(/[\s'"\\$&|;<>()*?[\]#`]/g, "\\$&") : name;
}

/** The only candidate ends its word, unless something may follow in it. */
function finished(candidates: readonly string[], quote: string): readonly string[] {
  const [only] = candidates;
  return candidates.length === 1 && !/[/.=(]$/.test(only!) ? [`${only}${quote} `] : candidates;
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
