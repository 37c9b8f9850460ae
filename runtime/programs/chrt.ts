/**
 * chrt (util-linux): scheduling policy and priority of a task.
 *
 * Texts are those of util-linux 2.38, captured on Debian 12. Version 2.21 (2012) left a priority that is out of range to
 * the kernel and printed `Invalid argument`; `-m` lists the policies of 2012.
 *
 * *Modelled*: SCHED_OTHER, SCHED_FIFO, SCHED_RR; `-p [PRIO] PID`, `-m`, `PRIO COMMAND`, where COMMAND is a program of
 * the computer.
 *
 * *Not modelled*: `-b`, `-i`, `-a`, `-R`, `-v` and what came later; built-ins and filters of the shell as COMMAND.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { Errno } from "../linux/errno.ts";
import { PRIORITY_MAX, setScheduler } from "../linux/scheduler_calls.ts";
import type { Policy, Task } from "../linux/task.ts";
import { execute } from "./execute.ts";
import { complain, getopt } from "./getopt.ts";
import type { Program, ProgramProcess } from "./program.ts";
import { noSuchProcess, parsePid, taskOf } from "./scheduled_task.ts";

const doc = `chrt - shows or sets a task's scheduling policy and priority
Usage: chrt [-f|-r|-o] PRIO PROGRAM [ARG]...
  chrt [-f|-r|-o] -p [PRIO] PID
  chrt -m
Effects: shows or sets a task's policy, SCHED_FIFO (-f), SCHED_RR (-r, the default) or SCHED_OTHER (-o), and its priority,
  1 to 99, 0 with -o; or starts a program with them; -m shows which priorities there are
Exit status: 0; 1 if there is no such task or the priority does not belong to the policy; 127 if there is no such program
Errors: Invalid argument: a stopper thread (migration/N) cannot be changed
Differs from the real one: no SCHED_BATCH (-b), SCHED_IDLE (-i), -a, -R, -v; COMMAND is a program that help lists
Examples: chrt -m
  chrt -f 80 cyclictest -n -q -l 10`;

const POLICIES: Readonly<Record<string, Policy>> = { f: "SCHED_FIFO", r: "SCHED_RR", o: "SCHED_OTHER" };

const LIMITS = `SCHED_OTHER min/max priority\t: 0/0
SCHED_FIFO min/max priority\t: 1/99
SCHED_RR min/max priority\t: 1/99
SCHED_BATCH min/max priority\t: 0/0
SCHED_IDLE min/max priority\t: 0/0
`;

/** The program. */
export const chrt: Program = {
  name: "chrt",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel } = command;
    yield kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      flags: "frompm",
      long: { fifo: "f", rr: "r", other: "o", pid: "p", max: "m" },
      notModelled: [
        "b",
        "batch",
        "i",
        "idle",
        "d",
        "deadline",
        "a",
        "all-tasks",
        "R",
        "reset-on-fork",
        "v",
        "verbose",
      ],
      commandFollows: true,
    });
    if (typeof parsed === "string") return complain(command, chrt, parsed);
    const letters = parsed.options.map(({ letter }) => letter), { operands } = parsed;
    if (letters.includes("m")) {
      command.stdout(LIMITS);
      return 0;
    }
    const policy = POLICIES[letters.findLast((letter) => letter in POLICIES) ?? "r"]!;
    if (!letters.includes("p")) {
      if (operands.length < 2) return complain(command, chrt, "bad usage");
      const status = yield* set(command, command.task, 0, policy, operands[0]!);
      return status === 0 ? yield* execute(command, operands.slice(1)) : status;
    }
    if (operands.length < 1 || operands.length > 2) return complain(command, chrt, "bad usage");
    const pid = parsePid(operands.at(-1)!);
    if (pid === undefined) {
      command.stderr(`chrt: invalid PID argument: '${operands.at(-1)}'\n`);
      return 1;
    }
    const task = taskOf(command, pid), getting = operands.length === 1;
    if (task === undefined) {
      return noSuchProcess(command, `${getting ? "get" : "set"} pid ${pid}'s policy`, pid);
    }
    if (!getting) return yield* set(command, task, pid, policy, operands[0]!);
    command.stdout(`pid ${task.pid}'s current scheduling policy: ${task.policy}\n`);
    command.stdout(
      `pid ${task.pid}'s current scheduling priority: ${Math.min(task.rtPriority, PRIORITY_MAX)}\n`,
    );
    return 0;
  },
};

/** Sets it; says so where it cannot be. Returns the exit status. */
function* set(
  command: ProgramProcess,
  task: Task,
  pid: number,
  policy: Policy,
  text: string,
): Activity<number> {
  const { kernel } = command;
  if (!/^-?\d+$/.test(text)) {
    command.stderr(`chrt: invalid priority argument: '${text}'\n`);
    return 1;
  }
  const priority = Number(text), realTime = policy !== "SCHED_OTHER";
  if (realTime ? priority < 1 || priority > PRIORITY_MAX : priority !== 0) {
    command.stderr(
      `chrt: unsupported priority value for the policy: ${priority}: see --max for valid range\n`,
    );
    return 1;
  }
  const here = kernel.cpus[command.task.cpu]!;
  const refused = setScheduler(kernel, task, policy, priority, here);
  yield* here.sendPendingIpis();
  if (!(refused instanceof Errno)) return 0;
  command.stderr(`chrt: failed to set pid ${pid}'s policy: ${refused.message}\n`);
  return 1;
}
