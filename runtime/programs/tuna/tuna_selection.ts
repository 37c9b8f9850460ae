/**
 * What tuna acts on: lists of CPUs, threads and interrupts, as its options add them up.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { placeOf } from "../../linux/cpu_identity.ts";
import { commandName } from "../../linux/fs/proc/proc_pid.ts";
import type { Policy } from "../../linux/sched/task.ts";
import { listIrqs } from "../affinities.ts";
import type { ProgramProcess } from "../program.ts";

/** Policy and priority; a policy of null: the thread's own. */
export interface Priority {
  readonly policy: Policy | null;
  readonly priority: number;
}

/** What has been chosen so far. */
export class Selection {
  /** Processors, as the process numbers them. */
  cpus: number[] = [];
  /** Pids of threads, and of shells. */
  threads: number[] = [];
  /** Interrupts; null: nobody has chosen. */
  irqs: number[] | null = null;
  /** Names were given that nothing has: then nothing is shown, not everything. */
  named = false;
  /** With all threads of their processes. */
  children = false;
  kernelThreads = true;
  userThreads = true;
  /** What `-p` said last. */
  priority: Priority | null = null;
  /** It said so before there were threads. */
  priorityWaits = false;

  /** Nothing is chosen, though somebody has tried. */
  isEmpty(): boolean {
    return this.threads.length === 0 && (this.irqs ?? []).length === 0 && this.named;
  }
}

/** Takes a `+` or `-` off a list. */
export function prefixed(value: string): { op: "+" | "-" | undefined; list: string } {
  const op = value[0];
  return op === "+" || op === "-" ? { op, list: value.slice(1) } : { op: undefined, list: value };
}

/** A list after another one has been added, taken away, or put in its place. */
export function listed(
  op: "+" | "-" | undefined,
  before: readonly number[],
  list: readonly number[],
): number[] {
  if (op === "+") return [...new Set([...before, ...list])];
  if (op === "-") return before.filter((each) => !list.includes(each));
  return [...new Set(list)];
}

/** `0,2-3`; undefined: it is no such list. */
export function cpusOf(text: string): number[] | undefined {
  const cpus: number[] = [];
  for (const field of text.split(",")) {
    const match = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(field);
    if (match === null) return undefined;
    const first = Number(match[1]), last = Number(match[2] ?? match[1]);
    for (let cpu = first; cpu <= last && cpu < 1024; cpu++) cpus.push(cpu);
  }
  return cpus.sort((a, b) => a - b);
}

/** Processors of sockets; a text says which sockets there are. */
export function socketsOf(
  { system, kernel, processors }: ProgramProcess,
  names: readonly string[],
): number[] | string {
  const socket = (cpu: number) => String(placeOf(system.identity, cpu, kernel.cpus.length).package);
  const there = [...new Set(processors.map(socket))];
  const missing = names.find((name) => !there.includes(name));
  if (missing !== undefined) return `invalid socket ${missing} sockets available: ${there.join(",")}`;
  return [...processors.keys()].filter((number) => names.includes(socket(processors[number]!)));
}

/** Pids as they stand, and those of the processes whose names match a pattern. */
export function threadsNamed({ kernel }: ProgramProcess, words: readonly string[]): number[] {
  return words.flatMap((word) => {
    if (/^\d+$/.test(word)) return [Number(word)];
    const pattern = patternOf(word);
    return [...kernel.tasks.values()]
      .filter((task) => task.pid === task.tgid && pattern.test(commandName(task)))
      .map(({ pid }) => pid);
  });
}

/** Numbers as they stand, and those of interrupts one of whose users matches a pattern. */
export function* irqsOf({ system }: ProgramProcess, words: readonly string[]): Activity<number[]> {
  const irqs = yield* listIrqs(system);
  return words.flatMap((word) => {
    if (/^\d+$/.test(word)) return [Number(word)];
    const pattern = patternOf(word);
    return irqs.filter(({ users }) => users.some((user) => pattern.test(user))).map(({ number }) => number);
  });
}

/** fnmatch(): `*`, `?`, `[a-z]`, `[!a]`; the whole name must match. */
function patternOf(text: string): RegExp {
  const source = text.replace(
    /\[!?[^\]]+\]|[\s\S]/g,
    (part) =>
      part === "*"
        ? ".*"
        : part === "?"
        ? "."
        : part.length > 1
        ? part.replace(/^\[!/, "[^").replaceAll("\\", "\\\\")
        : part.replace(/[\\^$.|+(){}[\]]/, "\\$&"),
  );
  return new RegExp(`^${source}$`);
}
