/**
 * chrt (util-linux): scheduling policy and priority of a task.
 *
 * Texts are those of util-linux 2.38, captured on Debian 12. Version 2.21 (2012) left a priority that is out of range to
 * the kernel and printed `Invalid argument`; `-m` lists the policies of 2012.
 *
 * *Modelled*: SCHED_OTHER, SCHED_FIFO, SCHED_RR; `-p [PRIO] PID`, `-a`, `-m`, `PRIO COMMAND`. PID may be that of a shell
 * (`$$`): the commands that it starts from then on run so.
 *
 * *Not modelled*: `-b`, `-i`, `-R`, `-v` and what came later.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { Errno } from "../../linux/errno.ts";
import { threadsOf } from "../../linux/fs/proc/proc_pid.ts";
import { PRIORITY_MAX, setScheduler } from "../../linux/sched/scheduler_calls.ts";
import type { Policy, Task } from "../../linux/sched/task.ts";
import { execute } from "../execute.ts";
import { complain, getopt } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";
import { noSuchProcess, parsePid, taskOf } from "../scheduled_task.ts";

const doc = `chrt - shows or sets a task's scheduling policy and priority
Usage: chrt [-f|-r|-o] PRIO PROGRAM [ARG]...
  chrt [-f|-r|-o] -p [-a] [PRIO] PID
  chrt -m
Effects: shows or sets a task's policy, SCHED_FIFO (-f), SCHED_RR (-r, the default) or SCHED_OTHER (-o), and its priority,
  1 to 99, 0 with -o; or starts a program with them; -m shows which priorities there are; -a all threads
  of the process; PID may be a shell's ($$): what it starts from then on runs so
Exit status: 0; 1 if there is no such task or the priority does not belong to the policy; 127 if there is no such program
Errors: Invalid argument: a stopper thread (migration/N) cannot be changed
Differs from the real one: no SCHED_BATCH (-b), SCHED_IDLE (-i), -R, -v; PROGRAM may be a built-in; a shell has no task of
  its own, only what it starts
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
      flags: "fropma",
      long: { "all-tasks": "a", fifo: "f", rr: "r", other: "o", pid: "p", max: "m" },
      notModelled: [
        "b",
        "batch",
        "i",
        "idle",
        "d",
        "deadline",
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
    const getting = operands.length === 1;
    const shell = command.system.placementOf(pid);
    if (shell !== undefined) {
      if (getting) show(command, pid, shell);
      else {
        const priority = priorityIn(command, policy, operands[0]!);
        if (priority === undefined) return 1;
        shell.policy = policy;
        shell.rtPriority = priority;
      }
      return 0;
    }
    const found = taskOf(command, pid);
    if (found === undefined) {
      return noSuchProcess(command, `${getting ? "get" : "set"} pid ${pid}'s policy`, pid);
    }
    for (const task of letters.includes("a") ? threadsOf(kernel, found) : [found]) {
      if (getting) show(command, task.pid, task);
      else {
        const status = yield* set(command, task, pid === 0 ? 0 : task.pid, policy, operands[0]!);
        if (status !== 0) return status;
      }
    }
    return 0;
  },
};

function show(
  command: ProgramProcess,
  pid: number,
  { policy, rtPriority }: { readonly policy: Policy; readonly rtPriority: number },
): void {
  command.stdout(`pid ${pid}'s current scheduling policy: ${policy}\n`);
  command.stdout(`pid ${pid}'s current scheduling priority: ${Math.min(rtPriority, PRIORITY_MAX)}\n`);
}

/** The priority that was typed; says so where it is none, or none of that policy. */
function priorityIn(command: ProgramProcess, policy: Policy, text: string): number | undefined {
  if (!/^-?\d+$/.test(text)) {
    command.stderr(`chrt: invalid priority argument: '${text}'\n`);
    return undefined;
  }
  const priority = Number(text), realTime = policy !== "SCHED_OTHER";
  if (realTime ? priority < 1 || priority > PRIORITY_MAX : priority !== 0) {
    command.stderr(
      `chrt: unsupported priority value for the policy: ${priority}: see --max for valid range\n`,
    );
    return undefined;
  }
  return priority;
}

/** Sets it; says so where it cannot be. Returns the exit status. */
function* set(
  command: ProgramProcess,
  task: Task,
  pid: number,
  policy: Policy,
  text: string,
): Activity<number> {
  const { kernel } = command;
  const priority = priorityIn(command, policy, text);
  if (priority === undefined) return 1;
  const here = kernel.cpus[command.task.cpu]!;
  const refused = setScheduler(kernel, task, policy, priority, here);
  yield* here.sendPendingIpis();
  if (!(refused instanceof Errno)) return 0;
  command.stderr(`chrt: failed to set pid ${pid}'s policy: ${refused.message}\n`);
  return 1;
}
