/**
 * What a profile of tuned does to a computer, how it is undone, and whether it holds.
 *
 * *Document*: TuneD 2.20, its plug-ins for sysctl, sysfs, cpu, vm, scheduler and bootloader.
 *
 * What was there before is kept in a file, a line each, as the daemon keeps it in memory and in `/run/tuned`.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { parseCommandLine } from "../../linux/command_line.ts";
import { cpuList, parseCpuList } from "../../linux/cpu_mask.ts";
import { Errno } from "../../linux/errno.ts";
import { commandName } from "../../linux/fs/proc/proc_pid.ts";
import { affinity, setAffinity, setScheduler } from "../../linux/sched/scheduler_calls.ts";
import type { CpuMask, Policy, Task } from "../../linux/sched/task.ts";
import {
  changeIrqs,
  changeTasks,
  irqAffinity,
  listIrqs,
  setIrqAffinity,
  setShellAffinity,
  shellAffinity,
  without,
} from "../affinities.ts";
import { type ProgramProcess, readFile, writeFile } from "../program.ts";
import type { WholeProfile } from "./tuned_profiles.ts";

/** Where what was there before is kept. */
const ROLLBACK = "/run/tuned/rollback";

/** The files that a profile writes, with their values. */
function* filesOf(
  { system, kernel }: ProgramProcess,
  profile: WholeProfile,
): Activity<[path: string, value: string][]> {
  const files: [string, string][] = [
    ...Object.entries(profile.sysctl).map(([name, value]): [string, string] => [
      `/proc/sys/${name.replaceAll(".", "/")}`,
      value,
    ]),
    ...Object.entries(profile.files),
  ];
  if (profile.governor !== undefined) {
    for (const { id } of kernel.cpus) {
      const path = `/sys/devices/system/cpu/cpu${id}/cpufreq/scaling_governor`;
      if (!((yield* readFile(system, path)) instanceof Errno)) files.push([path, profile.governor]);
    }
  }
  return files;
}

/** What a file of the kernel says: of several words the one in brackets. */
function* valueOf({ system }: ProgramProcess, path: string): Activity<string | undefined> {
  const text = yield* readFile(system, path);
  return text instanceof Errno ? undefined : /\[(.*)\]/.exec(text)?.[1] ?? text.trim();
}

/** The cores that the profile's file of variables isolates; a text says what is wrong, null: the profile isolates none. */
export function* isolatedCores(
  { system, kernel }: ProgramProcess,
  { variables }: WholeProfile,
): Activity<{ list: string; mask: CpuMask } | string | null> {
  if (variables === undefined) return null;
  const text = yield* readFile(system, `/etc/tuned/${variables}`);
  const lines = (text instanceof Errno ? "" : text).split("\n");
  const said = lines.flatMap((line) => /^\s*isolated_cores\s*=\s*(.*?)\s*$/.exec(line)?.[1] ?? []).at(-1);
  // The file as it is shipped leaves one core of each socket to the host.
  const list = said === undefined || said === "${f:calc_isolated_cores:1}"
    ? kernel.cpus.slice(1).map(({ id }) => id).join(",")
    : said;
  if (list === "") return "Assertion 'isolated_cores are set' failed.";
  const mask = parseCpuList(list, kernel.cpus.length);
  if (mask instanceof Errno || (mask & ~kernel.onlineMask) !== 0) {
    return "Assertion 'isolated_cores contains online CPU(s)' failed.";
  }
  return { list, mask };
}

/** The words that a profile adds to the kernel's command line: those that the model takes, and the others. */
export function bootWords(
  { kernel }: ProgramProcess,
  { bootLine }: WholeProfile,
  isolated: { list: string; mask: CpuMask } | null,
): { all: string[]; taken: string[]; others: string[] } {
  const rest = kernel.possibleMask & ~(isolated?.mask ?? 0);
  const others = kernel.cpus.map(({ id }) => id).filter((id) => (rest & (1 << id)) !== 0).join(",");
  const all = bootLine.split(" ").filter((word) => word !== "")
    .map((word) => word.replace("@", isolated?.list ?? "").replace("!", others));
  const isTaken = (word: string) => typeof parseCommandLine(word, kernel.cpus.length) !== "string";
  return { all, taken: all.filter(isTaken), others: all.filter((word) => !isTaken(word)) };
}

/** Does what the profile says. @returns what there is no file for, by name */
export function* applyProfile(
  command: ProgramProcess,
  profile: WholeProfile,
  isolated: { mask: CpuMask } | null,
): Activity<string[]> {
  const { kernel, system } = command;
  const missing: string[] = [], kept: string[] = [];
  for (const [path, value] of yield* filesOf(command, profile)) {
    const before = yield* valueOf(command, path);
    if (before === undefined || (yield* writeFile(system.vfs, path, `${value}\n`)) instanceof Errno) {
      missing.push(path.startsWith("/proc/sys/") ? path.slice(10).replaceAll("/", ".") : path);
    } else kept.push(`file ${path} ${before}`);
  }
  if (isolated !== null) {
    const stays = ({ name }: Task) =>
      [...profile.staying, ...Object.keys(profile.threads)].some((start) => name.startsWith(start));
    kept.push(...yield* placesNow(command, (task) => !stays(task)));
    const change = without(isolated.mask, kernel.possibleMask);
    yield* changeTasks(command, change, (task) => !stays(task));
    yield* changeIrqs(command, change);
  }
  for (const [start, priority] of Object.entries(profile.threads)) {
    for (const task of [...kernel.tasks.values()].filter(({ name }) => name.startsWith(`${start}/`))) {
      kept.push(`policy ${task.pid} ${task.policy} ${task.rtPriority} ${commandName(task)}`);
      yield* schedule(command, task, "SCHED_FIFO", priority);
    }
  }
  yield* writeFile(system.vfs, ROLLBACK, kept.map((line) => `${line}\n`).join(""), true);
  return missing;
}

function* schedule(command: ProgramProcess, task: Task, policy: Policy, priority: number): Activity<void> {
  const here = command.kernel.cpus[command.task.cpu]!;
  setScheduler(command.kernel, task, policy, priority, here);
  yield* here.sendPendingIpis();
}

/** Where tasks, shells and interrupts may run, as lines to be undone by. */
function* placesNow(command: ProgramProcess, moves: (task: Task) => boolean): Activity<string[]> {
  const { kernel, system } = command;
  const lines: string[] = [];
  for (const task of kernel.tasks.values()) {
    if (!task.bound && moves(task)) {
      lines.push(`task ${task.pid} ${cpuList(affinity(kernel, task))} ${commandName(task)}`);
    }
  }
  for (const pid of system.shells()) {
    lines.push(`shell ${pid} ${cpuList(shellAffinity(command, system.placementOf(pid)!))}`);
  }
  lines.push(`session - ${cpuList(shellAffinity(command, system.sessions()))}`);
  for (const { number } of yield* listIrqs(system)) {
    lines.push(`irq ${number} ${cpuList(yield* irqAffinity(command, number))}`);
  }
  lines.push(`irq default ${cpuList(yield* irqAffinity(command, "default"))}`);
  return lines;
}

/** Whether a profile is set, and not yet undone. */
export function isApplied({ system }: ProgramProcess): boolean {
  return !(system.vfs.stat(ROLLBACK) instanceof Errno);
}

/** Undoes what the last profile did: a task that is another one by now stays as it is. */
export function* rollBack(command: ProgramProcess): Activity<void> {
  const { kernel, system } = command;
  const text = yield* readFile(system, ROLLBACK);
  if (text instanceof Errno) return;
  const maskOfList = (list: string): CpuMask => {
    const mask = parseCpuList(list, kernel.cpus.length);
    return mask instanceof Errno ? 0 : mask;
  };
  for (const line of text.split("\n")) {
    const [kind = "", what = "", value = "", ...more] = line.split(" ");
    const task = kernel.tasks.get(Number(what));
    if (kind === "file") yield* writeFile(system.vfs, what, `${[value, ...more].join(" ")}\n`);
    else if (kind === "irq") {
      yield* setIrqAffinity(command, what === "default" ? "default" : Number(what), maskOfList(value));
    } else if (kind === "shell") {
      const placement = system.placementOf(Number(what));
      if (placement !== undefined) setShellAffinity(command, placement, maskOfList(value));
    } else if (kind === "session") {
      setShellAffinity(command, system.sessions(), maskOfList(value));
    } else if (kind === "task" && task !== undefined && commandName(task) === more.join(" ")) {
      yield* setAffinity(kernel, system.threads, task, maskOfList(value), command.task);
    } else if (kind === "policy" && task !== undefined && commandName(task) === more.slice(1).join(" ")) {
      yield* schedule(command, task, value as Policy, Number(more[0]));
    }
  }
  system.vfs.remove(ROLLBACK);
}

/** What does not hold of the profile, as tuned's log has it. What the model does not have is not looked at. */
export function* verifyProfile(
  command: ProgramProcess,
  profile: WholeProfile,
  isolated: { list: string; mask: CpuMask } | null,
): Activity<string[]> {
  const { kernel } = command;
  const failures: string[] = [];
  const expect = (what: string, now: string, wanted: string) => {
    if (now !== wanted) failures.push(`verify: failed: '${what}' = '${now}', expected '${wanted}'`);
  };
  for (const [path, value] of yield* filesOf(command, profile)) {
    const now = yield* valueOf(command, path);
    if (now !== undefined) expect(path, now, value);
  }
  const line = (yield* valueOf(command, "/proc/cmdline")) ?? "";
  for (const word of bootWords(command, profile, isolated).taken) {
    if (line.split(" ").includes(word)) continue;
    const [name = ""] = word.split("=", 1);
    const other = line.split(" ").findLast((each) => each.startsWith(`${name}=`));
    failures.push(
      other === undefined
        ? `verify: failed: cmdline arg '${name}' is missing, expected '${word}'`
        : `verify: failed: cmdline arg '${other}', expected '${word}'`,
    );
  }
  if (isolated === null) return failures;
  const allowed = kernel.possibleMask & ~isolated.mask;
  for (const irq of [...(yield* listIrqs(command.system)).map(({ number }) => number), "default" as const]) {
    const now = yield* irqAffinity(command, irq);
    if ((now & ~allowed) === 0) continue;
    const what = irq === "default" ? "default IRQ SMP affinity" : `SMP affinity of IRQ ${irq}`;
    expect(what, cpuList(now), cpuList(allowed));
  }
  return failures;
}
