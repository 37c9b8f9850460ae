/**
 * What a session has been given since its laboratory was booted: enough to come to the same state again.
 *
 * A run is deterministic, so nothing of it is recorded but its inputs. Going back to any instant is running again.
 *
 * @module
 */

import type { ListItem } from "./ast.ts";
import type { BootRequest } from "./session.ts";
import type { Shell } from "./state.ts";

/** A command of an input's top level. */
export interface JournalItem {
  readonly item: ListItem;
  /** The laboratory's event at which it was come to: a run that is repeated comes to it at the same one. */
  readonly event: number;
}

/** A script, or a line of the prompt. */
export interface JournalInput {
  readonly kind: "script" | "line";
  readonly name: string;
  /** Its commands as far as they have been come to. */
  readonly items: JournalItem[];
  /** Each Ctrl-C. */
  readonly interrupts: Interruption[];
}

/** When Ctrl-C comes. */
export interface Interruption {
  /** In which laboratory: so many boots have come since the journal's start. */
  readonly boots: number;
  /** After which of its events; `Infinity` where the time says it. */
  readonly event: number;
  /** Its time, ns; `Infinity` where the event says it. */
  readonly timeNs: number;
}

/** What `explain` has said: a run that is repeated says the same, without explaining again. */
export interface Answer {
  readonly out: string;
  readonly err: string;
  readonly status: number;
}

/** From where the inputs lead on. */
export interface JournalStart {
  /** What was booted; `null`: the laboratory is the session's first. */
  readonly boot: Required<BootRequest> | null;
  /** The shell as it was. */
  readonly shell: Shell;
}

/** Inputs of one session. */
export class Journal {
  /** `null`: nothing has been given yet. */
  start: JournalStart | null = null;
  /** Oldest first. */
  readonly inputs: JournalInput[] = [];
  /** Oldest first. */
  readonly answers: Answer[] = [];
  /** Which laboratory is the present one: so many boots have come since the start. */
  boots = 0;

  /** An input begins. */
  input(kind: JournalInput["kind"], name: string, shell: Shell): JournalInput {
    this.start ??= { boot: null, shell: copyOf(shell) };
    const input = { kind, name, items: [], interrupts: [] };
    this.inputs.push(input);
    return input;
  }

  /** A boot with nothing around it: what came before leads to nothing but the shell as it is. */
  begin(boot: Required<BootRequest>, shell: Shell): void {
    this.start = { boot, shell: copyOf(shell) };
    this.inputs.length = this.answers.length = this.boots = 0;
  }
}

/** Whether a command is `boot` and nothing else. */
export function isPlainBoot({ command: { first, rest }, background }: ListItem): boolean {
  const [only, ...more] = first.commands;
  if (background || rest.length > 0 || more.length > 0 || only?.kind !== "simple") return false;
  const [word] = only.words;
  const [part] = word?.kind === "word" ? word.parts : [];
  return only.redirects.length === 0 && only.assignments.length === 0 && part?.kind === "literal" &&
    part.text === "boot";
}

/** A shell that nothing happens to any more. */
function copyOf(shell: Shell): Shell {
  const copy = shell.subshell();
  for (const [name, action] of shell.traps) copy.traps.set(name, action); // a subshell would not have them
  return copy;
}
