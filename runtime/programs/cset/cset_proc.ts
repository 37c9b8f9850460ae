/**
 * `cset proc`: the tasks of cpusets, listed, moved, started in one.
 *
 * *Document*: cpuset 1.6, `commands/proc.py`.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { commandName, threadsOf } from "../../linux/fs/proc/proc_pid.ts";
import { PRIORITY_MAX } from "../../linux/sched/scheduler_calls.ts";
import type { Task } from "../../linux/sched/task.ts";
import { CsetError, isUnbound, isUserTask, type NamedSet, pidsOf, type Sets } from "./cset_sets.ts";
import { execute } from "../execute.ts";
import { given, type ParsedOptions } from "../getopt.ts";
import type { ProgramProcess } from "../program.ts";

/** `root    12345     - Soth sleep 9 `; the parent is not modelled. */
function detail(task: Task): string {
  const { policy, rtPriority } = task;
  const priority = Math.min(rtPriority, PRIORITY_MAX);
  const scheduling = policy === "SCHED_OTHER"
    ? "oth"
    : `${policy === "SCHED_FIFO" ? "f" : "r"}${priority < 10 ? `_${priority}` : priority}`;
  const name = task.kernelThread ? `[${commandName(task)}]` : task.argv.map((word) => `${word} `).join("");
  const pid = String(task.pid).padStart(5);
  return `${"root".padEnd(8)} ${pid} ${"-".padStart(5)} ${task.runnable ? "R" : "S"}${scheduling} ${name}`;
}

/** A set's line, and a line for each task; wider ones are cut. */
export function* listTasks(
  { kernel }: ProgramProcess,
  sets: Sets,
  set: NamedSet,
  indent: string,
  width: number,
): Activity<void> {
  const pids = yield* sets.tasks(set);
  const lines = [yield* sets.summary(set)];
  if (pids.length > 0) {
    lines.push(
      `${indent}USER       PID  PPID SPPr TASK NAME`,
      `${indent}-------- ----- ----- ---- ---------`,
    );
  }
  for (const pid of pids) {
    const task = kernel.tasks.get(pid);
    if (task === undefined) continue;
    const line = detail(task);
    lines.push(indent + (width > 0 && line.length >= width ? `${line.slice(0, width - 3)}...` : line));
  }
  sets.say(lines.join("\n"));
}

/** Goes into a set and on as another program. */
export function* executeIn(
  command: ProgramProcess,
  sets: Sets,
  set: NamedSet,
  argv: readonly string[],
): Activity<number | CsetError> {
  const name = (argv[0] ?? "").replace(/^.*\//, "");
  if (!command.system.programs.has(name)) {
    return new CsetError(`${name}: only programs are executed in a cpuset here, and that is the shell's own`);
  }
  const refused = yield* sets.move([command.pid], set);
  if (refused instanceof CsetError) return refused;
  sets.say(`--> last message, executed args into cpuset "${set.path}", new pid is: ${command.pid}`);
  return yield* execute(command, argv);
}

/** The threads of the processes of `pids` too. */
export function withThreads({ kernel }: ProgramProcess, pids: readonly number[]): number[] {
  return [
    ...new Set(pids.flatMap((pid) => {
      const task = kernel.tasks.get(pid);
      return task === undefined ? [pid] : [pid, ...threadsOf(kernel, task).map((thread) => thread.pid)];
    })),
  ];
}

/** Which of `pids` are in a set; shells are wherever they are looked for. */
export function* within(
  { system }: ProgramProcess,
  sets: Sets,
  pids: readonly number[],
  set: NamedSet,
): Activity<number[]> {
  const tasks = new Set(yield* sets.tasks(set)), shells = new Set(system.shells());
  const found = pids.filter((pid) => tasks.has(pid) || shells.has(pid));
  const skipped = pids.length - found.length;
  if (skipped > 0) {
    sets.say(
      `**> skipped ${skipped} ${skipped > 1 ? "tasks" : "task"}, not in origination set "${set.name}"`,
    );
  }
  return found;
}

/** cset proc. */
export function* proc(
  command: ProgramProcess,
  sets: Sets,
  parsed: ParsedOptions,
): Activity<number | CsetError> {
  const { operands } = parsed, { has, value } = given(parsed);
  const named = value("s") ?? value("t");
  if (has("e")) {
    const [first, ...rest] = named === undefined ? operands : [named, ...operands];
    const set = first === undefined ? new CsetError("cpuset not specified") : sets.one(first);
    return set instanceof CsetError ? set : yield* executeIn(command, sets, set, rest);
  }
  if (!has("l") && (has("m") || has("k"))) {
    return yield* moveTasks(command, sets, parsed);
  }
  const names = named === undefined ? operands : [named];
  if (names.length === 0) {
    return new CsetError(has("l") ? "cpuset not specified" : "cpuset(s) to list not specified");
  }
  for (const name of names) {
    const found = sets.named(name);
    if (found instanceof CsetError) return found;
    for (const set of found) yield* listTasks(command, sets, set, " ", has("v") ? 0 : 78);
  }
  return 0;
}

function* moveTasks(
  command: ProgramProcess,
  sets: Sets,
  parsed: ParsedOptions,
): Activity<number | CsetError> {
  const { operands } = parsed, { has, value } = given(parsed);
  const words = [...operands];
  let spec = value("p");
  const isMove = has("m");
  if (spec === undefined && isMove && words.length > 0 && pidsOf(command, words[0]!) !== undefined) {
    spec = words.shift();
  }
  const toName = value("t") ?? (value("f") !== undefined || spec !== undefined ? value("s") : undefined) ??
    words.pop();
  const fromName = value("f") ?? (toName === value("s") ? undefined : value("s")) ?? words.pop();
  if (toName === undefined) return new CsetError("destination cpuset not specified");
  const to = sets.one(toName), from = fromName === undefined ? undefined : sets.one(fromName);
  if (to instanceof CsetError) return to;
  if (from instanceof CsetError) return from;
  if ((yield* sets.read(to, "cpus")) === "") {
    return new CsetError(`"${to.path}" cpuset not active, no cpus defined`);
  }
  let pids: number[];
  if (spec !== undefined) {
    const listed = pidsOf(command, spec);
    if (listed === undefined) return new CsetError(`pidspec=${spec} is none`);
    pids = has("T") ? withThreads(command, listed) : listed;
    if (from !== undefined && !has("F")) pids = yield* within(command, sets, pids, from);
    if (pids.length === 0) sets.say("**> no tasks moved");
    else sets.say(`moving following pidspec: ${pids.join(",")}`);
  } else {
    if (from === undefined) return new CsetError("origination cpuset not specified");
    if (from.path === to.path && !has("F")) {
      return new CsetError("error, same source/destination cpuset, use --force if ok");
    }
    pids = yield* sets.tasks(from);
    if (pids.length === 0) return new CsetError(`no tasks to move from cpuset "${from.path}"`);
    sets.say(
      isMove
        ? `moving all tasks from ${from.name} to ${to.path}`
        : `moving all kernel threads from ${from.path} to ${to.path}`,
    );
    if (!isMove) pids = pids.filter((pid) => !isUserTask(command.kernel.tasks.get(pid)));
  }
  if (pids.length > 0) {
    const refused = yield* moveSelected(command, sets, pids, to, has("k"), has("F"));
    if (refused instanceof CsetError) return refused;
  }
  sets.say("done");
  return 0;
}

/** selective_move(): user tasks; kernel threads where they are asked for and may run anywhere. */
function* moveSelected(
  command: ProgramProcess,
  sets: Sets,
  pids: readonly number[],
  to: NamedSet,
  kernelThreads: boolean,
  forced: boolean,
): Activity<CsetError | void> {
  const { tasks } = command.kernel;
  const shells = new Set(command.system.shells());
  const user = pids.filter((pid) => isUserTask(tasks.get(pid)) || shells.has(pid));
  const kernel = pids.filter((pid) => tasks.get(pid)?.kernelThread === true);
  const movable = kernelThreads ? kernel.filter((pid) => forced || isUnbound(command, tasks.get(pid))) : [];
  const bound = kernelThreads ? kernel.length - movable.length : 0;
  if (user.length + movable.length === 0) {
    sets.say("**> no task matched move criteria");
    if (bound > 0) return new CsetError("kernel tasks are bound, use --force if ok");
    return kernelThreads ? undefined : new CsetError("if you want to move kernel threads, use -k");
  }
  if (user.length > 0) sets.say(`moving ${user.length} userspace tasks to ${to.path}`);
  if (kernelThreads) sets.say(`moving ${movable.length} kernel threads to: ${to.path}`);
  if (bound > 0) sets.say(`--> not moving ${bound} threads (not unbound, use --force)`);
  return yield* sets.move([...user, ...movable], to);
}
