/**
 * What is given in the foreground: commands of a script or of a line, each entered in the journal as it is come to.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import type { ListItem, Script } from "../syntax/ast.ts";
import { runList } from "../shell/interpret.ts";
import type { Coroutine } from "../shell/jobs.ts";
import { isPlainBoot, type ItemKind, type JournalInput, kindOf } from "./journal.ts";
import { forEver } from "./repeat.ts";
import type { Session } from "./session.ts";
import type { Shell } from "../shell/state.ts";

/** Told about the commands of a script, as it comes to each of its top level. */
export interface ScriptWatcher {
  before(item: ListItem, script: Script): void;
  after(item: ListItem, status: number): void;
}

/** The foreground of a session. */
export class Foreground {
  /** What the running command of the top level does. */
  does: ItemKind = "looks";
  /** The input that is being performed, as far as it is in the journal. */
  #input: JournalInput | undefined;
  /** The same, and whether it has been left. */
  #run = { isLeft: false };
  /** Commands inside each other that are entered in the journal by themselves. */
  #depth = 0;

  /** Of `session`. */
  constructor(readonly session: Session) {}

  /** What runs goes on as time does; nothing of it is entered any more. */
  leave(): void {
    this.#run.isLeft = true;
    this.#input = undefined;
    this.does = "looks";
  }

  /** Ctrl-C has come: it is part of what has been given. */
  interrupted(): void {
    this.#input?.interrupts.push(this.session.now);
    for (const item of this.#input?.items.slice(-1) ?? []) item.does = "given";
  }

  /**
   * The session has gone back, and goes on with another run. False: a word of its own did that. True: it did so from inside
   * a command, whose rest is given to that run command by command.
   */
  wentBack(): boolean {
    this.#input = undefined;
    if (this.does === "looks") return false;
    this.#depth = 0;
    this.session.shell.entering = young((item) => this.#entering(item));
    return true;
  }

  /** Runs the commands of an input's top level, each entered in the journal as it is come to. */
  *enter(
    kind: JournalInput["kind"],
    name: string,
    items: readonly ListItem[],
    told?: { watcher: ScriptWatcher; script: Script },
  ): Coroutine {
    const { session } = this;
    const { shell } = session;
    const run = this.#run = { isLeft: false };
    this.#input = shell.entering = undefined;
    this.#depth = 0;
    let status = 0;
    try {
      for (const item of items) {
        const { boots } = session.journal;
        this.does = kindOf(item, shell.functions);
        this.#note(kind, name, item);
        told?.watcher.before(item, told.script);
        status = yield* runList(shell, { items: [item] });
        if (run.isLeft) yield* forEver();
        shell.entering = undefined;
        if (session.journal.boots === boots + 1 && isPlainBoot(item) && shell.descriptors.onlyTerminal) {
          session.journal.begin(session.lab.options, shell);
          this.#input = undefined;
        }
        told?.watcher.after(item, status);
      }
      return status;
    } finally {
      if (!run.isLeft) this.#endEnter(kind, shell);
    }
  }

  #endEnter(kind: JournalInput["kind"], shell: Shell): void {
    // What a trap at the end of a script does is given like any command.
    shell.entering = kind === "script" && this.session.timeline.isElsewhere
      ? (item) => this.#entering(item)
      : undefined;
    if (this.#input !== undefined) this.#input.ended = this.session.now;
    this.does = "looks";
  }

  /** Enters a command in the journal, unless it only moves in what has been given already. */
  #note(kind: JournalInput["kind"], name: string, item: ListItem): void {
    const { journal, now, shell, timeline } = this.session;
    const does = kindOf(item, shell.functions);
    if (timeline.isElsewhere) {
      if (does !== "given") return;
      timeline.branch();
      this.#input = undefined;
    }
    journal.open(this.session.lab.options, shell);
    this.#input ??= journal.input(kind, name);
    journal.add(this.#input, { item, ...now, status: shell.status, does });
  }

  /** A command inside the one that has gone back is come to. */
  #entering(item: ListItem): () => void {
    if (this.#depth++ === 0) {
      this.#note("line", item.text, item);
      this.session.timeline.isElsewhere = true; // the next one finds another shell than this one leaves
    }
    return () => this.#depth = Math.max(0, this.#depth - 1);
  }
}
