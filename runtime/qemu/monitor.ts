/**
 * QEMU's monitor: a line in, lines out.
 *
 * *Document*: `monitor.c` / `monitor/hmp.c`, `hmp-commands.hx` and `hmp-commands-info.hx` of QEMU 1.1 and 7.2.
 *
 * *Modelled*: the commands of {@linkcode COMMANDS} and of {@linkcode INFOS}, executed by QEMU's first thread. What looks
 * at registers brings the vCPUs out of KVM, as the real one does: it costs each of them an exit.
 *
 * *Not modelled*, and refused by name: the other commands that QEMU has.
 *
 * *Deviations*: `info lapic`, which came with 2.4, is there in 2012 too. The terminal's line editing leaves no control
 * sequences in the output.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Task } from "../kvm/user_space.ts";
import { RELEASES } from "./era.ts";
import type { QemuMachine } from "./machine.ts";
import {
  COMMANDS,
  help,
  INFOS,
  type MonitorCommand,
  UNMODELLED_COMMANDS,
  UNMODELLED_INFOS,
} from "./monitor_commands.ts";

/** What it asks with. */
export const PROMPT = "(qemu) ";

/** The monitor of one machine. Its sessions share the CPU that `cpu` has set. */
export class Monitor {
  /** The CPU that commands without one are about. */
  cpu = 0;

  /** Of `machine`. */
  constructor(readonly machine: QemuMachine) {}

  /** What it greets with. */
  get greeting(): string {
    return `QEMU ${
      RELEASES[this.machine.options.era].shortVersion
    } monitor - type 'help' for more information`;
  }

  /** Serves one line, typed by `caller`, who waits for the answer: its lines. */
  *serve(line: string, caller: Task): Activity<readonly string[]> {
    let answer: readonly string[] = [];
    const execute = (main: Task) => this.execute(line, main);
    yield* this.machine.loop.ask(caller, function* (main) {
      answer = yield* execute(main);
    });
    return answer;
  }

  /** The same, in QEMU's first thread. */
  *execute(line: string, main: Task): Activity<readonly string[]> {
    yield this.machine.steps.monitorCommand;
    const [name = "", ...args] = line.trim().split(/\s+/);
    if (name === "") return [];
    if (name !== "info") return yield* this.#run(COMMANDS, UNMODELLED_COMMANDS, name, name, args, main);
    const [what, ...more] = args;
    if (what === undefined) return help(INFOS, "info ");
    return yield* this.#run(INFOS, UNMODELLED_INFOS, what, `info ${what}`, more, main);
  }

  *#run(
    commands: readonly MonitorCommand[],
    unmodelled: ReadonlySet<string>,
    name: string,
    words: string,
    args: readonly string[],
    main: Task,
  ): Activity<readonly string[]> {
    if (unmodelled.has(name)) return [`${words}: this command is not modelled`];
    const command = commands.find(({ names }) => names.split("|").includes(name));
    if (command === undefined) return [`unknown command: '${words}'`];
    const [most = Infinity, least = 0] = command.takes ?? [0];
    if (args.length > most) return [`${words}: extraneous characters at the end of line`];
    if (args.length < least) return [`${words}: ${command.expects ?? "string expected"}`];
    return yield* command.run({ monitor: this, machine: this.machine, args, main });
  }
}
