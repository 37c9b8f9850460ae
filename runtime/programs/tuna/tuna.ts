/**
 * tuna: leads threads and interrupts to CPUs or away from them.
 *
 * *Document*: tuna(8); what 0.15 prints and writes, recorded on Debian 12. Its options are carried out in their order; the
 * commands of later versions (`tuna isolate -c 3`) do the same.
 *
 * *Modelled*: threads are moved by sched_setaffinity(), interrupts by `/proc/irq/N/smp_affinity`, and `default_smp_affinity`
 * follows when CPUs are isolated or included. Kernel threads that are bound to a CPU stay.
 *
 * *Not modelled*: the window, profiles, cgroups, context switches, explanations of threads.
 *
 * *Deviations*: a shell is no task: it is moved with the others, or by its pid, and is not listed. The usage is shorter.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { CpuMask } from "../../linux/sched/task.ts";
import { changeIrqs, changeTasks, without } from "../affinities.ts";
import { complain, getopt, type ParsedOption } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";
import { maskOf } from "../program.ts";
import { move, priorityOf, run, setPriorities, showIrqs, showThreads } from "./tuna_actions.ts";
import { cpusOf, irqsOf, listed, prefixed, Selection, socketsOf, threadsNamed } from "./tuna_selection.ts";

const doc = `tuna - leads threads and interrupts to CPUs or away from them
Usage: tuna [-c CPUS] [-S SOCKETS] [-t THREADS] [-q IRQS] [-C] [-K] [-U] [-p [POLICY:]PRIO] [-i|-I|-m|-x|-P|-Q|-r COMMAND]...
  tuna isolate|include -c CPUS
  tuna move|spread -c CPUS [-t THREADS] [-q IRQS]
  tuna priority [POLICY:]PRIO -t THREADS [-C]
  tuna run [-c CPUS] [-p [POLICY:]PRIO] COMMAND
  tuna show_threads|show_irqs [-c CPUS] [-t THREADS] [-q IRQS]
Effects: options act in their order. -c (--cpus) 0,2-3 and -S (--sockets) say which CPUs, -t (--threads) PID,NAME* which threads,
  -q (--irqs) N,NAME* which interrupts; a + or - before a list adds to the last one, or takes from it. -i (--isolate) leads all
  threads and interrupts away from the CPUs, -I (--include) lets them run there too, -m (--move) leads the chosen ones there, -x
  (--spread) one to each CPU in turn, -p (--priority) fifo:10 sets policy and priority of the threads, -r (--run) runs COMMAND
  with them. -P (--show_threads) and -Q (--show_irqs) list, -C threads of processes too, -K no kernel threads, -U no others
Exit status: 0; 2 if it cannot, or on a wrong argument
Errors: tuna: --isolate requires a cpu list!
  thread N cannot be moved as requested: a kernel thread that is bound to its CPU, or no CPU of the list is online
Differs from the real one: no -a, -f, -g, -G, -l, -n, -N, -s, -W; no context switches; a shell is moved and not listed
Examples: tuna --cpus=2-3 --isolate; tuna -q 'eth1*' -Q
  sleep 9 & tuna -t $! -c 1 -m -P; tuna -t $! -p fifo:10 -P; kill $!
  tuna isolate -c 3; tuna run -c 3 -p fifo:20 "cyclictest -n -q -l 10"`;

/** What the commands of later versions do, by the letter of the option that did. */
const COMMANDS: Readonly<Record<string, string>> = {
  isolate: "i",
  include: "I",
  move: "m",
  mv: "m",
  spread: "x",
  priority: "p",
  run: "r",
  show_threads: "P",
  ps: "P",
  show_irqs: "Q",
  irqs: "Q",
};

const OPTIONS = {
  flags: "iImxPQCKUv",
  values: "cStqpr",
  long: {
    isolate: "i",
    include: "I",
    move: "m",
    spread: "x",
    show_threads: "P",
    show_irqs: "Q",
    affect_children: "C",
    no_kthreads: "K",
    no_uthreads: "U",
    version: "v",
    cpus: "c",
    cpu: "c",
    sockets: "S",
    socket: "S",
    threads: "t",
    thread: "t",
    irqs: "q",
    irq: "q",
    priority: "p",
    run: "r",
  },
  notModelled: [
    ...["a", "config_file_apply", "f", "filter", "g", "gui", "G", "cgroup", "l", "config_file_list", "n"],
    ...["show_sockets", "s", "save", "W", "what_is", "N", "nohz_full"],
  ],
};

/** The program. */
export const tuna: Program = {
  name: "tuna",
  doc,
  options: [...OPTIONS.flags, ...OPTIONS.values].map((letter) => `-${letter}`).concat(
    Object.keys(OPTIONS.long).map((name) => `--${name}`),
  ),
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const [first = "", ...rest] = command.argv.slice(1);
    const action = Object.hasOwn(COMMANDS, first) ? COMMANDS[first]! : undefined;
    const words = action === undefined ? command.argv.slice(1) : rest;
    if (words.includes("-h")) return complain(command, tuna, "--help");
    const parsed = getopt(words, OPTIONS);
    if (parsed === "--help") return complain(command, tuna, parsed);
    if (typeof parsed === "string") return refuse(command, parsed);
    if (action === undefined && parsed.options.length === 0) {
      return refuse(command, "the window is not modelled: say what to do by options");
    }
    const options = action === undefined ? parsed.options : inOrder(action, parsed.options, parsed.operands);
    if (typeof options === "string") return refuse(command, options);
    const selection = new Selection();
    for (const option of options) {
      const status = yield* act(command, selection, option);
      if (status !== undefined) return status;
    }
    if (!selection.priorityWaits) return 0;
    command.stdout("tuna: -p requires a thread list!\n");
    return 2;
  },
};

/** The options of a command of later versions, what they choose before what is done. */
function inOrder(
  action: string,
  options: readonly ParsedOption[],
  operands: readonly string[],
): ParsedOption[] | string {
  const takesWord = action === "p" || action === "r";
  if (takesWord ? operands.length === 0 : operands.length > 0) {
    return takesWord
      ? `the following arguments are required: ${action === "p" ? "POLICY:RTPRIO" : "COMMAND"}`
      : `unrecognized arguments: ${operands.join(" ")}`;
  }
  return [...options, { letter: action, value: operands.join(" ") }];
}

/** As getopt.error of its language words it, behind the usage. */
function refuse(command: ProgramProcess, complaint: string): number {
  if (complaint.endsWith("is not modelled") || complaint.startsWith("the window")) {
    command.stderr(`tuna: ${complaint}\n`);
    return 2;
  }
  const unknown = /^(?:unrecognized option '(.*)'|invalid option -- '(.)')$/.exec(complaint);
  const text = unknown === null ? complaint : `option ${unknown[1] ?? `-${unknown[2]}`} not recognized`;
  command.stdout(`Usage: tuna [OPTIONS]\n${text}\n`);
  return 2;
}

/** Carries out an option; a number ends it all, with that status. */
function* act(
  command: ProgramProcess,
  selection: Selection,
  { letter, value }: ParsedOption,
): Activity<number | undefined> {
  const fail = (text: string) => {
    command.stdout(`tuna: ${text}\n`);
    return 2;
  };
  switch (letter) {
    case "c": {
      const { op, list } = prefixed(value);
      const cpus = cpusOf(list);
      if (cpus === undefined) {
        command.stdout("Usage: tuna [OPTIONS]\n");
        return 0;
      }
      selection.cpus = listed(op, selection.cpus, cpus);
      return undefined;
    }
    case "S": {
      const { op, list } = prefixed(value);
      const cpus = socketsOf(command, list.split(","));
      if (typeof cpus === "string") return fail(cpus);
      selection.cpus = listed(op, selection.cpus, cpus);
      return undefined;
    }
    case "t": {
      if (value === "-") {
        selection.threads = [];
        selection.named = false;
        return undefined;
      }
      const { op, list } = prefixed(value);
      const threads = threadsNamed(command, list.split(","));
      selection.threads = listed(op, selection.threads, threads);
      if (threads.length === 0) selection.named = true;
      if (op === undefined) selection.irqs = null;
      return undefined;
    }
    case "q": {
      const { op, list } = prefixed(value);
      const irqs = yield* irqsOf(command, list.split(","));
      selection.irqs = listed(op, selection.irqs ?? [], irqs);
      if (irqs.length === 0) selection.named = true;
      if (op === undefined) selection.threads = [];
      // The thread of an interrupt goes with it.
      const handlers = selection.irqs.flatMap((irq) => threadsNamed(command, [`irq/${irq}-*`]));
      selection.threads = [...selection.threads, ...handlers];
      return undefined;
    }
    case "C":
      selection.children = true;
      return undefined;
    case "K":
      selection.kernelThreads = false;
      return undefined;
    case "U":
      selection.userThreads = false;
      return undefined;
    case "v":
      command.stdout("0.15\n");
      return undefined;
    case "i":
    case "I":
      if (selection.cpus.length === 0) {
        return fail(`--${letter === "i" ? "isolate" : "include"} requires a cpu list!`);
      }
      return yield* isolateOrInclude(command, letter === "i", kernelMask(command, selection.cpus));
    case "m":
    case "x":
      if (selection.cpus.length === 0) return fail("--move requires a cpu list!");
      if (selection.threads.length === 0 && (selection.irqs ?? []).length === 0) {
        return fail("--move requires a list of threads/irqs!");
      }
      yield* move(command, selection, letter === "x");
      return undefined;
    case "p": {
      const priority = priorityOf(value);
      if (typeof priority === "string") return fail(priority);
      selection.priority = priority;
      if (selection.threads.length > 0) return yield* setPriorities(command, selection, priority);
      selection.priorityWaits = true;
      return undefined;
    }
    case "r":
      selection.priorityWaits = false;
      return yield* run(command, selection, value);
    case "P":
      if (selection.isEmpty()) return undefined;
      showThreads(command, selection);
      return undefined;
    default: // Q
      if ((selection.irqs ?? []).length > 0 || !selection.named) yield* showIrqs(command, selection);
      return undefined;
  }
}

/** The kernel's CPUs of the processors chosen. */
function kernelMask({ processors }: ProgramProcess, cpus: readonly number[]): CpuMask {
  return maskOf(processors.filter((_, number) => cpus.includes(number)));
}

function* isolateOrInclude(
  command: ProgramProcess,
  isolates: boolean,
  cpus: CpuMask,
): Activity<number | undefined> {
  const { kernel } = command;
  const change = isolates ? without(cpus, kernel.possibleMask) : (mask: CpuMask) => mask | cpus;
  // Threads that may run there; of the others nothing changes, or all.
  const refused = yield* changeTasks(command, change);
  if (refused) {
    command.stderr(`Function: ${isolates ? "isolate" : "include"}_cpus , ${refused.message}\n`);
    return 2;
  }
  yield* changeIrqs(command, change);
}
