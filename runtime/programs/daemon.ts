/**
 * Processes that go into the background: daemon(3).
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { ProgramProcess } from "./program.ts";

/** Starts a process that nobody waits for, as daemon(3) does: it writes nowhere. Answers its pid. */
export function* startDaemon(
  command: ProgramProcess,
  argv: readonly string[],
  life: (process: ProgramProcess) => Activity<number>,
): Activity<number> {
  const { kernel, task } = command;
  const name = argv[0]!.replace(/^.*\//, "");
  const daemon = kernel.createTask(
    name,
    task.allowed,
    (created) =>
      life({ ...command, task: created, pid: created.pid, argv, cwd: "/", stdout() {}, stderr() {} }),
    undefined,
    task,
  );
  daemon.argv = argv;
  const here = kernel.cpus[task.cpu]!;
  kernel.wake(daemon, here);
  yield* here.sendPendingIpis();
  return daemon.pid;
}
