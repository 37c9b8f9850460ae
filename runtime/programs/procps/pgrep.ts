/**
 * pgrep, pkill, pidof, killall: tasks by their names.
 *
 * *Modelled*: names, `-f` whole command lines, `-x` whole names, `-l`, `-a`, `-c`, `-n`, `-o`, signals.
 *
 * *Not modelled*: selection by user, parent, terminal, session. Patterns are JavaScript's, which agree with POSIX's for what
 * is written for these tools.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { commandName } from "../../linux/fs/proc/proc_pid.ts";
import type { Task } from "../../linux/sched/task.ts";
import { complain, getopt } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";
import { sendSignal, signalOf, SIGTERM } from "../signals.ts";

const pgrepDoc = `pgrep - tasks by their names
Usage: pgrep [-flaxcno] PATTERN
Effects: writes the pids of the processes whose names match; -f looks at the whole command line, -x wants the whole name, -l
  writes names too, -a command lines, -c how many, -n the newest, -o the oldest
Exit status: 0; 1 if none matches; 2 on a wrong argument
Errors: no matching criteria specified
Differs from the real one: no -u, -P, -t, -g, -s
Examples: pgrep -l ksoftirqd`;

const pkillDoc = `pkill - sends a signal to tasks by their names
Usage: pkill [-SIGNAL] [-fxno] PATTERN
Effects: sends a signal, TERM without one, to the processes whose names match; options as of pgrep
Exit status: 0; 1 if none matches; 2 on a wrong argument
Errors: no matching criteria specified
Differs from the real one: no -u, -P, -t, -g, -s
Examples: sleep 9 & pkill sleep; wait $! || echo $?`;

const pidofDoc = `pidof - pids of a program
Usage: pidof [-s] NAME...
Effects: writes the pids of the processes of that name, the newest first; -s only one
Exit status: 0, or 1 if there is none
Errors: none are printed, as with the real one
Differs from the real one: no -o, -x
Examples: sleep 1 & pidof sleep`;

const killallDoc = `killall - sends a signal to tasks of a name
Usage: killall [-SIGNAL] [-q] NAME...
Effects: sends a signal, TERM without one, to all processes of that name; -q without a message where there is none
Exit status: 0, or 1 if there is none
Errors: NAME: no process found
Differs from the real one: no -u, -r, -i, -w
Examples: sleep 9 & killall sleep; wait $! || echo $?`;

/** Processes but the asking one. */
function others(command: ProgramProcess): Task[] {
  return [...command.kernel.tasks.values()].filter((task) =>
    task.pid === task.tgid && task !== command.task && task.tgid !== command.task.tgid
  );
}

const lineOf = (task: Task) => task.argv.length > 0 ? task.argv.join(" ") : commandName(task);

/** Takes `-9`, `-KILL`, `--signal 9` off the arguments. */
function takeSignal(args: readonly string[]): { signal: number; rest: string[] } {
  const rest: string[] = [];
  let signal = SIGTERM;
  for (const argument of args) {
    const found = /^-(?:-signal=)?([A-Z0-9]{1,8})$/.exec(argument);
    const number = found === null ? undefined : signalOf(found[1]!);
    if (number === undefined) rest.push(argument);
    else signal = number;
  }
  return { signal, rest };
}

function* search(
  program: Program,
  command: ProgramProcess,
  args: readonly string[],
  found: (task: Task, has: (letter: string) => boolean) => void,
): Activity<number> {
  yield command.kernel.steps.shellBuiltin;
  const parsed = getopt(args, {
    flags: "flaxcno",
    long: { full: "f", "list-name": "l", "list-full": "a", exact: "x", count: "c", newest: "n", oldest: "o" },
    notModelled: [..."uPtgsvd", "parent", "euid"],
  });
  if (typeof parsed === "string") {
    complain(command, program, parsed);
    return 2;
  }
  const has = (letter: string) => parsed.options.some((option) => option.letter === letter);
  const [pattern] = parsed.operands;
  if (pattern === undefined) {
    command.stderr(
      `${program.name}: no matching criteria specified\nTry \`${program.name} --help' for more information.\n`,
    );
    return 2;
  }
  let expression: RegExp;
  try {
    expression = new RegExp(has("x") ? `^(?:${pattern})$` : pattern);
  } catch {
    command.stderr(`${program.name}: ${pattern}: not taken as a pattern\n`);
    return 2;
  }
  let tasks = others(command).filter((task) => expression.test(has("f") ? lineOf(task) : commandName(task)));
  if (has("n")) tasks = tasks.slice(-1);
  else if (has("o")) tasks = tasks.slice(0, 1);
  if (has("c")) command.stdout(`${tasks.length}\n`);
  else for (const task of tasks) found(task, has);
  return tasks.length > 0 ? 0 : 1;
}

/** pgrep. */
export const pgrep: Program = {
  name: "pgrep",
  doc: pgrepDoc,
  main: (command) =>
    search(pgrep, command, command.argv.slice(1), (task, has) => {
      const more = has("a") ? ` ${lineOf(task)}` : has("l") ? ` ${commandName(task)}` : "";
      command.stdout(`${task.pid}${more}\n`);
    }),
};

/** pkill. */
export const pkill: Program = {
  name: "pkill",
  doc: pkillDoc,
  *main(command): Activity<number> {
    const { signal, rest } = takeSignal(command.argv.slice(1));
    const status = yield* search(pkill, command, rest, (task) => sendSignal(command, task, signal));
    yield* command.kernel.cpus[command.task.cpu]!.sendPendingIpis();
    return status;
  },
};

/** pidof. */
export const pidof: Program = {
  name: "pidof",
  doc: pidofDoc,
  *main(command): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), { flags: "s", notModelled: [..."oxz"] });
    if (typeof parsed === "string") return complain(command, pidof, parsed);
    const pids = parsed.operands.flatMap((name) =>
      others(command).filter((task) => commandName(task) === commandName({ name: name.replace(/^.*\//, "") }))
        .map((
          { pid },
        ) => pid)
    ).reverse();
    if (pids.length === 0) return 1;
    command.stdout(`${(parsed.options.length > 0 ? pids.slice(0, 1) : pids).join(" ")}\n`);
    return 0;
  },
};

/** killall. */
export const killall: Program = {
  name: "killall",
  doc: killallDoc,
  *main(command): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const { signal, rest } = takeSignal(command.argv.slice(1));
    const parsed = getopt(rest, { flags: "q", long: { quiet: "q" }, notModelled: [..."eIgiruvwyoZ"] });
    if (typeof parsed === "string") return complain(command, killall, parsed);
    if (parsed.operands.length === 0) return complain(command, killall, "no process name given");
    let status = 0;
    for (const name of parsed.operands) {
      const tasks = others(command).filter((task) => commandName(task) === commandName({ name }));
      for (const task of tasks) sendSignal(command, task, signal);
      if (tasks.length > 0) continue;
      status = 1;
      if (parsed.options.length === 0) command.stderr(`${name}: no process found\n`);
    }
    yield* command.kernel.cpus[command.task.cpu]!.sendPendingIpis();
    return status;
  },
};
