/**
 * taskset (util-linux): where a task may run.
 *
 * Texts are those of util-linux 2.38, captured on Debian 12; those of 2.21 (2012) are not known to differ for what is
 * modelled.
 *
 * *Modelled*: `-p [MASK] PID`, `-a`, `-c`, `MASK COMMAND`. PID may be that of a shell (`$$`): the commands that it starts
 * from then on run there.
 *
 * *Deviations*: processors are numbered as the process knows them: on bare metal vm0's processor 0 is cpu3.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { EINVAL, Errno } from "../../linux/errno.ts";
import { threadsOf } from "../../linux/fs/proc/proc_pid.ts";
import { affinity, setAffinity } from "../../linux/sched/scheduler_calls.ts";
import type { CpuMask, Task } from "../../linux/sched/task.ts";
import { execute } from "../execute.ts";
import { complain, getopt } from "../getopt.ts";
import { maskOf, type Placement, processorMask, type Program, type ProgramProcess } from "../program.ts";
import { noSuchProcess, parsePid, taskOf } from "../scheduled_task.ts";

const doc = `taskset - shows or sets on which CPUs a task may run
Usage: taskset [-c] MASK PROGRAM [ARG]...
  taskset -p [-a] [-c] [MASK] PID
Effects: shows or sets on which CPUs a task may run, or starts a program there; with -c MASK is a list (0,2-3), else hex;
  -a all threads of the process; PID may be a shell's ($$): what it starts from then on runs there
Exit status: 0; 1 if there is no such task, the mask is none, or no CPU of it is online; 127 if there is no such program
Errors: Invalid argument: only CPUs that are offline, or a kernel thread that is bound to its CPU
Differs from the real one: COMMAND may be a built-in; a shell has no task of its own, only what it starts
Examples: taskset -c 3 cyclictest -n -q -l 10
  sleep 9 & taskset -pc 0-2 $!
  taskset -c 2 sh -c 'while :; do :; done' & sleep 1; ps -eo psr,time,comm | grep bash; kill $!`;

/** The program. */
export const taskset: Program = {
  name: "taskset",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      flags: "apc",
      long: { pid: "p", "cpu-list": "c", "all-tasks": "a" },
      commandFollows: true,
    });
    if (typeof parsed === "string") return complain(command, taskset, parsed);
    const has = (option: string) => parsed.options.some(({ letter }) => letter === option);
    const asList = has("c"), { operands } = parsed;
    if (!has("p")) {
      if (operands.length < 2) return complain(command, taskset, "bad usage");
      const mask = requested(command, operands[0]!, asList);
      if (mask === undefined || (yield* set(command, command.task, command.pid, mask)) !== 0) return 1;
      return yield* execute(command, operands.slice(1));
    }
    if (operands.length < 1 || operands.length > 2) return complain(command, taskset, "bad usage");
    const pid = parsePid(operands.at(-1)!);
    if (pid === undefined) {
      command.stderr(`taskset: invalid PID argument: '${operands.at(-1)}'\n`);
      return 1;
    }
    const mask = operands.length === 2 ? requested(command, operands[0]!, asList) : null;
    if (mask === undefined) return 1;
    const shell = command.system.placementOf(pid);
    if (shell !== undefined) return placeShell(command, shell, pid, mask, asList);
    const found = taskOf(command, pid);
    if (found === undefined) return noSuchProcess(command, `get pid ${pid}'s affinity`, pid);
    for (const task of has("a") ? threadsOf(command.kernel, found) : [found]) {
      show(command, task.pid, affinity(command.kernel, task), "current", asList);
      if (mask === null) continue;
      const status = yield* set(command, task, task.pid, mask);
      if (status !== 0) return status;
      show(command, task.pid, affinity(command.kernel, task), "new", asList);
    }
    return 0;
  },
};

/** `taskset -p MASK $$`: where what a shell starts will run. */
function placeShell(
  command: ProgramProcess,
  shell: Placement,
  pid: number,
  mask: CpuMask | null,
  asList: boolean,
): number {
  const { kernel, processors } = command;
  const now = () => (shell.allowed ?? kernel.housekeeping(maskOf(processors))) & kernel.onlineMask;
  show(command, pid, now(), "current", asList);
  if (mask === null) return 0;
  const cpus = maskOf(processors.filter((_, i) => (mask & (1 << i)) !== 0)) & kernel.onlineMask;
  if (cpus === 0) {
    command.stderr(`taskset: failed to set pid ${pid}'s affinity: ${EINVAL.message}\n`);
    return 1;
  }
  shell.allowed = cpus;
  show(command, pid, now(), "new", asList);
  return 0;
}

/** The mask that was typed, of the process's processors; says so where it is none. */
function requested(command: ProgramProcess, text: string, asList: boolean): CpuMask | undefined {
  const mask = asList ? parseList(text) : parseMask(text);
  if (mask === undefined) {
    command.stderr(`taskset: failed to parse CPU ${asList ? "list" : "mask"}: ${text}\n`);
  }
  return mask;
}

/** cpumask_parse(): hexadecimal, `0x` before it or not. CPUs beyond 31 cannot be. */
function parseMask(text: string): CpuMask | undefined {
  const digits = /^(?:0x)?([0-9a-f]+(?:,[0-9a-f]+)*)$/i.exec(text)?.[1]?.replaceAll(",", "");
  return digits === undefined ? undefined : parseInt(digits.slice(-8), 16) | 0;
}

/** cpulist_parse(): `0,2-3`, `0-7:2`. CPUs beyond 31 cannot be. */
function parseList(text: string): CpuMask | undefined {
  let mask = 0;
  for (const range of text.split(",")) {
    const match = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(range);
    if (match === null) return undefined;
    const first = Number(match[1]), last = Number(match[2] ?? match[1]), stride = Number(match[3] ?? 1);
    if (first > last || stride === 0) return undefined;
    for (let cpu = first; cpu <= last && cpu < 32; cpu += stride) mask |= 1 << cpu;
  }
  return mask;
}

/** cpulist_create(): `0,1,4-6`; two neighbours are no range. */
function listOf(mask: CpuMask): string {
  const parts: string[] = [];
  for (let cpu = 0; cpu < 32; cpu++) {
    if ((mask & (1 << cpu)) === 0) continue;
    let last = cpu;
    while (last < 31 && (mask & (1 << (last + 1))) !== 0) last++;
    if (last - cpu >= 2) parts.push(`${cpu}-${last}`);
    else for (let each = cpu; each <= last; each++) parts.push(`${each}`);
    cpu = last;
  }
  return parts.join(",");
}

function show(
  command: ProgramProcess,
  pid: number,
  cpus: CpuMask,
  which: "current" | "new",
  asList: boolean,
): void {
  const mask = processorMask(cpus, command.processors);
  const text = asList ? listOf(mask) : (mask >>> 0).toString(16);
  command.stdout(`pid ${pid}'s ${which} affinity ${asList ? "list" : "mask"}: ${text}\n`);
}

/** Sets it; says so where the kernel refuses. Returns the exit status. */
function* set(command: ProgramProcess, task: Task, pid: number, mask: CpuMask): Activity<number> {
  const { kernel, system, processors } = command;
  const cpus = maskOf(processors.filter((_, i) => (mask & (1 << i)) !== 0));
  const refused = yield* setAffinity(kernel, system.threads, task, cpus, command.task);
  if (!(refused instanceof Errno)) return 0;
  command.stderr(`taskset: failed to set pid ${pid}'s affinity: ${refused.message}\n`);
  return 1;
}
