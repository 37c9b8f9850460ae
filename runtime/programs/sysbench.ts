/**
 * sysbench 0.4.12, its CPU test: how long a fixed amount of computing takes.
 *
 * Each request looks for the primes below `--cpu-max-prime` by trial division. How many divisions that is, is counted;
 * what one costs is a parameter.
 *
 * *Modelled*: `--test=cpu`, `--cpu-max-prime`, `--num-threads`, `--max-requests`, `run`, `help`, `version`.
 *
 * *Not modelled*: the other tests and options; refused by name.
 *
 * *Deviations*: the 95th percentile is exact, where the tool's is that of a histogram with logarithmic bins.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import { type Activity, type Layer, type Step, work } from "../../hw/sim/activity.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { Task } from "../linux/sched/task.ts";
import type { Program, ProgramProcess } from "./program.ts";
import { killThreads } from "./signals.ts";

const doc = `sysbench - measures how long a fixed amount of computing takes
Usage: sysbench --test=cpu [--cpu-max-prime=N] [--num-threads=N] [--max-requests=N] run
Effects: looks for the primes below N (10000) 10000 times, or as --max-requests says, and prints how long that took
Exit status: 0; 1 on a wrong argument
Errors: Missing required argument: --test.; Invalid test name: NAME.
Differs from the real one: only the CPU test; the 95th percentile is exact
Examples: sysbench --test=cpu --max-requests=100 run`;

/** What a run has measured. */
export interface SysbenchResult {
  /** `--cpu-max-prime`. */
  readonly maxPrime: number;
  /** Requests done. */
  readonly requests: number;
  /** From the first request to the end of the last, ns. */
  readonly totalNs: number;
  /** Layer of the program's work. */
  readonly layer: Layer;
}

const VERSION = "sysbench 0.4.12:  multi-threaded system evaluation benchmark";

const USAGE = `Usage:
  sysbench [general-options]... --test=<test-name> [test-options]... command

General options:
  --num-threads=N            number of threads to use [1]
  --max-requests=N           limit for total number of requests [10000]
  --test=STRING              test to run

Compiled-in tests:
  cpu - CPU performance test

Commands: run help version

See 'sysbench --test=<name> help' for a list of options for each test.
`;

const TEST_HELP = `${VERSION}

cpu options:
  --cpu-max-prime=N      upper limit for primes generator [10000]

`;

/** Numbers that options set, and their defaults. */
const NUMBERS = { "cpu-max-prime": 10_000, "num-threads": 1, "max-requests": 10_000 };
/** Tests and options that the tool has and the model has not. */
const OTHER_TESTS = ["fileio", "memory", "threads", "mutex", "oltp"];
const OTHER_OPTIONS = ["max-time", "forced-shutdown", "thread-stack-size", "init-rng", "debug", "validate"];

type Request = { readonly [Key in keyof typeof NUMBERS]: number };
/** Text for a descriptor, and the status. */
interface Ends {
  readonly out?: string;
  readonly err?: string;
  readonly status: number;
}

function parse(argv: readonly string[]): Request | Ends {
  const numbers = { ...NUMBERS };
  let test: string | undefined, command: string | undefined;
  for (const word of argv.slice(1)) {
    const [, name, value] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) command ??= word;
    else if (name === "test") test = value ?? "";
    else if (name === "help") command = "help";
    else if (name === "version") command = "version";
    else if (name in NUMBERS) {
      if (value === undefined || !/^\d+$/.test(value) || Number(value) === 0 && name !== "max-requests") {
        return { err: `Invalid value for ${name}: ${value ?? ""}.\n`, status: 1 };
      }
      numbers[name as keyof Request] = Number(value);
    } else if (OTHER_OPTIONS.includes(name) || /^(file|memory|thread|mutex|oltp|mysql|db)-/.test(name)) {
      return { err: `sysbench: option --${name} is not modelled\n`, status: 1 };
    } else return { err: `Unknown option: --${name}.\n`, status: 1 };
  }
  if (command === undefined) return { err: "Missing required command argument.\n", out: USAGE, status: 1 };
  if (command === "version") return { out: "sysbench 0.4.12\n", status: 0 };
  if (command === "help") return { out: test === "cpu" ? TEST_HELP : USAGE, status: 0 };
  if (test === undefined) return { err: "Missing required argument: --test.\n", out: USAGE, status: 1 };
  if (OTHER_TESTS.includes(test)) return { err: `sysbench: test ${test} is not modelled\n`, status: 1 };
  if (test !== "cpu") return { err: `Invalid test name: ${test}.\n`, status: 1 };
  if (command === "prepare" || command === "cleanup") {
    return { err: `'${test}' test does not have the '${command}' command.\n`, status: 1 };
  }
  if (command !== "run") return { err: `Invalid command: ${command}\n`, out: USAGE, status: 1 };
  if (numbers["max-requests"] === 0) {
    return { err: "sysbench: a run without end is not modelled: use --max-requests=N\n", status: 1 };
  }
  return numbers;
}

/** How many divisions a request makes: each number from 3 on by all up to its root, until one divides it. */
export function divisions(maxPrime: number): number {
  let count = 0;
  for (let candidate = 3; candidate < maxPrime; candidate++) {
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) {
      count++;
      if (candidate % divisor === 0) break;
    }
  }
  return count;
}

/** One thread's requests, ns each. */
interface Worker {
  readonly task: Task;
  readonly took: number[];
}

/** The program. */
export const sysbench: Program = {
  name: "sysbench",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, task: main, system } = command;
    yield kernel.steps.shellBuiltin;
    const request = parse(command.argv);
    if ("status" in request) {
      if (request.err !== undefined) command.stderr(request.err);
      if (request.out !== undefined) command.stdout(request.out);
      return request.status;
    }
    const maxPrime = request["cpu-max-prime"], requests = request["max-requests"];
    const count = request["num-threads"];
    command.stdout(
      `${VERSION}\n\nRunning the test with following options:\nNumber of threads: ${count}\n\n` +
        "Doing CPU performance benchmark\n\nThreads started!\n",
    );
    const event = work(
      "sysbench event",
      kernel.taskLayer,
      divisions(maxPrime) * system.costs.primeDivision,
      false,
    );
    let left = requests, running = count;
    const workers: Worker[] = [];
    main.atEnd = young(() => killThreads(main, kernel, workers.map((worker) => worker.task)));
    command.computing("begins");
    const startNs = kernel.nowNs;
    for (let i = 0; i < count; i++) {
      const took: number[] = [];
      yield* kernel.tlb.guardStack(main);
      const task: Task = kernel.createTask(
        "sysbench",
        main.allowed,
        () => requestLoop(kernel, event, took, () => left-- > 0),
        () => {
          running--;
          kernel.wake(main, kernel.cpus[task.cpu]!);
        },
        main,
      );
      task.tgid = main.pid;
      workers.push({ task, took });
      const here = kernel.cpus[main.cpu]!;
      kernel.wake(task, here);
      yield* here.sendPendingIpis();
    }
    while (running > 0) yield* kernel.cpus[main.cpu]!.sleep();
    const totalNs = kernel.nowNs - startNs;
    command.computing({ maxPrime, requests, totalNs, layer: kernel.taskLayer });
    command.stdout(
      `Done.\n\nMaximum prime number checked in CPU test: ${maxPrime}\n\n\n${summary(totalNs, workers)}`,
    );
    return 0;
  },
};

/** Takes requests as long as there are some. */
function* requestLoop(kernel: Kernel, event: Step, took: number[], next: () => boolean): Activity<number> {
  while (next()) {
    yield kernel.clocksource.read;
    const beginNs = kernel.nowNs;
    yield event;
    yield kernel.clocksource.read;
    took.push(kernel.nowNs - beginNs);
  }
  return 0;
}

/** print_run_mode's summary, column by column. */
function summary(totalNs: number, workers: readonly Worker[]): string {
  const all = workers.flatMap(({ took }) => took).sort((a, b) => a - b);
  const sum = (list: readonly number[]) => list.reduce((total, value) => total + value, 0);
  const seconds = (ns: number) => (ns / 1e9).toFixed(4), ms = (ns: number) => `${(ns / 1e6).toFixed(2)}ms`;
  const spread = (list: readonly number[]) => {
    const mean = sum(list) / list.length;
    return { mean, deviation: Math.sqrt(sum(list.map((value) => (value - mean) ** 2)) / list.length) };
  };
  const line = (title: string, value: string | number) => `    ${title.padEnd(36)} ${value}\n`;
  const request = (title: string, ns: number) => `         ${title.padEnd(32)}${ms(ns).padStart(12)}\n`;
  const events = spread(workers.map(({ took }) => took.length));
  const times = spread(workers.map(({ took }) => sum(took) / 1e9));
  return "Test execution summary:\n" +
    line("total time:", `${seconds(totalNs)}s`) + line("total number of events:", all.length) +
    line("total time taken by event execution:", seconds(sum(all))) + "    per-request statistics:\n" +
    request("min:", all[0]!) + request("avg:", sum(all) / all.length) + request("max:", all.at(-1)!) +
    request("approx.  95 percentile:", all[Math.ceil(all.length * 0.95) - 1]!) + "\nThreads fairness:\n" +
    `    events (avg/stddev):           ${events.mean.toFixed(4)}/${events.deviation.toFixed(2)}\n` +
    `    execution time (avg/stddev):   ${times.mean.toFixed(4)}/${times.deviation.toFixed(2)}\n\n`;
}
