/**
 * tuned: the daemon that keeps a profile set while it runs.
 *
 * *Document*: tuned(8), TuneD 2.20.
 *
 * *Modelled*: it sets the profile that is active, unless that is set already, and undoes it when it ends by SIGTERM.
 *
 * *Not modelled*: it recommends no profile where none is active, and does not look at what is started later.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { young } from "../../../hw/sim/young.ts";
import { startDaemon } from "../daemon.ts";
import { complain, getopt } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";
import { signalOf } from "../signals.ts";
import { activeProfile, switchProfile } from "./tuned_adm.ts";
import { isApplied, rollBack } from "./tuned_settings.ts";

const doc = `tuned - keeps a profile of settings while it runs
Usage: tuned [-d] [-l] [-P]
Effects: sets the profile that tuned-adm has made the active one; ended by SIGTERM it undoes it. -d (--daemon) in the background;
  systemctl starts it so, as service tuned. -l and -P change nothing
Exit status: 0; 1 on a wrong argument
Errors: invalid option -- 'X'
Differs from the real one: today only; no -D, -n, -p; recommends no profile; tuned-adm does without it
Examples: set -o era=today; systemctl enable --now tuned; tuned-adm profile latency-performance; systemctl stop tuned`;

const SIGTERM = signalOf("TERM")!;

/** The program. */
export const tuned: Program = {
  name: "tuned",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      flags: "dlP",
      long: { daemon: "d", log: "l", pid: "P" },
      notModelled: ["D", "debug", "n", "no-dbus", "p", "profile", "v", "version"],
      noOperands: true,
    });
    if (typeof parsed === "string") return complain(command, tuned, parsed);
    if (command.system.tools.tuned === null) {
      return complain(command, tuned, "the daemon of 2012 is not modelled");
    }
    if (parsed.options.every(({ letter }) => letter !== "d")) return yield* life(command);
    yield* startDaemon(command, command.argv, life);
    return 0;
  },
};

function* life(process: ProgramProcess): Activity<number> {
  const { kernel, task } = process;
  const name = yield* activeProfile(process);
  if (name !== undefined && !isApplied(process)) yield* switchProfile(process, [name]);
  let ended = false;
  task.onSignal = young((signal, from) => {
    if (signal !== SIGTERM) return false;
    ended = true;
    kernel.wake(task, from);
    return true;
  });
  while (!ended) yield* kernel.cpus[task.cpu]!.sleep();
  yield* rollBack(process);
  return 0;
}
