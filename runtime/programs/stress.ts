/**
 * stress: CPU-bound workers, as the talk's "infinite loop" on the host.
 *
 * *Modelled*: `-c N` (`--cpu N`), `-t SECONDS` (`--timeout`).
 *
 * *Not modelled*: memory, I/O and disk workers; refused by name.
 *
 * @module
 */

import { type Activity, type Step, work } from "../../hw/sim/activity.ts";
import type { Program, ProgramProcess } from "./program.ts";

const doc = `Usage: stress -c N [-t SECONDS]
Effects: starts N processes in endless loops; they end after SECONDS, or never
Exit status: 0; 1 on a wrong argument
Differs from the real one: no memory, I/O and disk workers`;

/** The program. */
export const stress: Program = {
  name: "stress",
  summary: "loads CPUs with endless loops",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, argv, task } = command;
    let workers = 0, seconds = 0;
    for (let i = 1; i < argv.length; i++) {
      const option = argv[i]!, value = Number(argv[i + 1]);
      const known = ["-c", "--cpu", "-t", "--timeout"].includes(option);
      if (!known) {
        command.stderr(`stress: FAIL: [${command.pid}] unrecognized or not modelled option: ${option}\n`);
        return 1;
      }
      if (!Number.isInteger(value) || value <= 0) {
        command.stderr(`stress: FAIL: [${command.pid}] ${option} wants a positive number\n`);
        return 1;
      }
      if (option === "-c" || option === "--cpu") workers = value;
      else seconds = value;
      i++;
    }
    if (workers === 0) {
      command.stderr(`stress: FAIL: [${command.pid}] no workers: use -c N\n`);
      return 1;
    }
    command.stdout(`stress: info: [${command.pid}] dispatching hogs: ${workers} cpu, 0 io, 0 vm, 0 hdd\n`);
    const lengthNs = seconds * 1e9;
    let running = workers;
    for (let i = 0; i < workers; i++) {
      const hog = kernel.createTask(
        "stress",
        task.allowed,
        (worker) =>
          seconds === 0 ? kernel.spin(worker) : spinFor(work("hogcpu", kernel.taskLayer, lengthNs, false)),
        () => {
          running--;
          kernel.wake(task, kernel.cpus[hog.cpu]!);
        },
        task,
      );
      hog.policy = task.policy; // as fork() does
      hog.rtPriority = task.rtPriority;
      const here = kernel.cpus[task.cpu]!;
      kernel.wake(hog, here);
      yield* here.sendPendingIpis();
    }
    while (running > 0) yield* kernel.cpus[task.cpu]!.sleep();
    command.stdout(`stress: info: [${command.pid}] successful run completed in ${seconds}s\n`);
    return 0;
  },
};

/** A worker with an end. */
function* spinFor(loop: Step): Activity<number> {
  yield loop;
  return 0;
}
