/**
 * What a session has been given since its laboratory was booted: enough to come to the same state again.
 *
 * A run is deterministic, so nothing of it is recorded but its inputs, each with the instant at which it was given. Going
 * back to any instant is running again.
 *
 * @module
 */

import type { Command, ListItem, WordPart } from "../syntax/ast.ts";
import type { BootRequest } from "./boot_request.ts";
import { copyOf, type Shell } from "../shell/state.ts";

/** An instant of a run. Several events may share a time, and time passes between two events. */
export interface Instant {
  /** Number of the laboratory's last event. */
  readonly event: number;
  /** Its time, ns. */
  readonly timeNs: number;
}

/** An instant, and how much has been given up to it: several commands may be given at one. */
export interface Position extends Instant {
  /** So many commands of the journal. */
  readonly given: number;
}

/**
 * What a command of an input's top level does: it is one word that `looks` and changes nothing, or one with which time
 * `passes` and nothing else, as the instants of what follows say; or something is `given` to the machine.
 */
export type ItemKind = "looks" | "passes" | "given";

/** A command of an input's top level. */
export interface JournalItem extends Instant {
  readonly item: ListItem;
  /** `$?` before it. */
  readonly status: number;
  /** A word that is interrupted is as good as given: a trap may follow. */
  does: ItemKind;
}

/** A script, or a line of the prompt. */
export interface JournalInput {
  readonly kind: "script" | "line";
  readonly name: string;
  /** Its commands as far as they have been come to. */
  readonly items: JournalItem[];
  /** Each Ctrl-C. */
  readonly interrupts: Instant[];
  /** When all of it was over; null: it has been left before. */
  ended: Instant | null;
}

/** Here the prompt was taken from what ran; that goes on as time does. What follows is given to another shell. */
export interface JournalCut extends Instant {
  readonly kind: "cut";
  /** What that shell is. */
  readonly shell: Shell;
  /** The last input went back from inside one of its commands: of that nothing goes on. */
  readonly isFrozen: boolean;
}

/** What `explain` and its like have said: a run that is repeated says the same, without asking again. */
export interface Answer {
  readonly out: string;
  readonly err: string;
  readonly status: number;
}

/** From where the inputs lead on. */
export interface JournalStart {
  /** What was booted. */
  readonly boot: Required<BootRequest>;
  /** With it the shell came into being; otherwise that is older. */
  readonly isFirst: boolean;
  /** The shell as it was. */
  readonly shell: Shell;
}

/** Inputs of one session. */
export class Journal {
  /** `null`: nothing has been given yet. */
  start: JournalStart | null = null;
  /** Oldest first. */
  readonly entries: (JournalInput | JournalCut)[] = [];
  /** Oldest first. */
  readonly answers: Answer[] = [];
  /** Which laboratory is the present one: so many boots have come since the start. */
  boots = 0;
  /** Commands of all inputs. */
  given = 0;

  /** The inputs alone. */
  get inputs(): readonly JournalInput[] {
    return this.entries.filter((entry) => entry.kind !== "cut");
  }

  /** The first thing that is given: `shell` is as it finds it. */
  open(boot: Required<BootRequest>, shell: Shell): void {
    this.start ??= { boot, isFirst: true, shell: copyOf(shell) };
  }

  /** An input begins. */
  input(kind: JournalInput["kind"], name: string): JournalInput {
    const input: JournalInput = { kind, name, items: [], interrupts: [], ended: null };
    this.entries.push(input);
    return input;
  }

  /** A command of `input` is come to. */
  add(input: JournalInput, item: JournalItem): void {
    input.items.push(item);
    this.given++;
  }

  /** What ran is left at `instant`; from there on `shell` is given commands. */
  cut({ event, timeNs }: Instant, shell: Shell, isFrozen = false): void {
    this.entries.push({ kind: "cut", event, timeNs, shell: copyOf(shell), isFrozen });
  }

  /** A boot with nothing around it: what came before leads to nothing but the shell as it is. */
  begin(boot: Required<BootRequest>, shell: Shell): void {
    this.start = { boot, isFirst: false, shell: copyOf(shell) };
    this.entries.length =
      this.answers.length =
      this.boots =
      this.given =
        0;
  }
}

/** The command that an item is, if it is one alone, in the foreground and not redirected. */
export function onlyCommand({ command: { first, rest }, background }: ListItem): Command | undefined {
  const [only, ...more] = first.commands;
  if (background || first.negated || rest.length > 0 || more.length > 0 || only === undefined) {
    return undefined;
  }
  return only.redirects.length > 0 ? undefined : only;
}

/** The name of the command that an item is, if it is a simple one with nothing before its name. */
export function simpleName(item: ListItem): string | undefined {
  const only = onlyCommand(item);
  if (only?.kind !== "simple" || only.assignments.length > 0) return undefined;
  const [word] = only.words;
  const [part, ...parts] = word?.kind === "word" ? word.parts : [];
  return part?.kind === "literal" && parts.length === 0 ? part.text : undefined;
}

/** Whether a command is `boot` and nothing else. */
export function isPlainBoot(item: ListItem): boolean {
  return simpleName(item) === "boot";
}

/** The word that waits for a condition of the program that has made the session: no name that a script would have. */
export const OWN_CONDITION = "lab::until";

/** Words with which time passes, and nothing else. */
const PASSING = new Set(["step", "run", "diagram", OWN_CONDITION]);
/** Words that change nothing; `back` and its like lead to another run, which has its own journal. */
const LOOKING = new Set([
  ...["back", "goto", "load", "save", "bookmark", "stop-at", "watch", "delete", "trace"],
  ...["show", "why", "changed", "explain", "expect", "help", "params", "slide"],
]);

/** What a command does. Functions may hide a word, and an argument may run a command. */
export function kindOf(item: ListItem, functions: ReadonlyMap<string, unknown>): ItemKind {
  const only = onlyCommand(item);
  const isCondition = only?.kind === "condition";
  const name = isCondition ? only.word.split(" ")[0]! : simpleName(item);
  if (name === undefined || functions.has(name)) return "given";
  const kind = PASSING.has(name) ? "passes" : LOOKING.has(name) ? "looks" : "given";
  const words = isCondition ? [only.condition] : only?.kind === "simple" ? only.words : [];
  return words.every((word) => word.kind === "word" && isInert(word.parts)) ? kind : "given";
}

/** Texts and `$x`: nothing that costs time or sets a variable. */
function isInert(parts: readonly WordPart[]): boolean {
  return parts.every((part) =>
    part.kind === "literal" || part.kind === "quoted" || (part.kind === "double" && isInert(part.parts)) ||
    (part.kind === "parameter" && part.operation === undefined && typeof part.subscript !== "object")
  );
}
