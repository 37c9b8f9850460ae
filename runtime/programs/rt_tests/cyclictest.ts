/**
 * cyclictest (rt-tests 0.83 and 2.4): how late a task is woken by a timer.
 *
 * Each measuring thread sleeps to absolute points in time with clock_nanosleep() and compares the clock with the
 * point it asked for. Latencies are cut to whole microseconds; so is the average.
 *
 * *Modelled*: -a -b -d -D -h -H -i -l -m -n -p -q -S -t -u -v -y, long options likewise; --json of version 2. Which of them
 * a release has says `cyclictest_releases.ts`.
 *
 * *Not modelled*: signal timers (without -n), tracing, -N, -o, -r; they are refused by name. With -b nothing is traced: it
 * only ends.
 *
 * As in the tool, threads of longer intervals end with the first that has done its loops.
 *
 * @module
 */

import { young } from "../../../hw/sim/young.ts";
import { type Activity, Routine, type Step } from "../../../hw/sim/activity.ts";
import {
  type CyclictestRelease,
  type CyclictestThread,
  DMA_LATENCY_LINE,
  histogramText,
  threadLine,
} from "../../measure/cyclictest_format.ts";
import { cyclictestJson } from "../../measure/cyclictest_json.ts";
import type { Histogram } from "../../measure/histogram.ts";
import { Errno } from "../../linux/errno.ts";
import type { HrTimer } from "../../linux/hrtimer.ts";
import type { Kernel } from "../../linux/kernel.ts";
import type { Task } from "../../linux/sched/task.ts";
import { type CyclictestOptions, parseCyclictest } from "./cyclictest_options.ts";
import { CYCLICTEST_RELEASES } from "./cyclictest_releases.ts";
import { pathOf, type Program, type ProgramProcess, readFile, type SystemPort } from "../program.ts";
import { killThreads, SIGINT, SIGTERM } from "../signals.ts";

/** What a run has measured. */
export interface CyclictestResult {
  /** As typed. */
  readonly options: CyclictestOptions;
  /** A row for each thread. */
  readonly threads: readonly CyclictestThread[];
}

/** What the threads of one run share. */
interface Run {
  readonly options: CyclictestOptions;
  /** No thread goes on: `-b`, `-D`, or a signal says so. */
  stopped: boolean;
  /** The thread whose latency was longer than `-b` allows, and how long, µs. */
  broken: { readonly thread: Thread; readonly us: number } | null;
}

/** One measuring thread. */
class Thread {
  /** `-v`: latencies that have not been printed, µs. */
  readonly values: number[] = [];
  /** `-v`: how many have been. */
  printed = 0;
  task!: Task;
  /** Loops whose latency was beyond the histogram, as many as it has bins; `null`: nobody prints them. */
  readonly overflowCycles: number[] | null;

  constructor(
    readonly number: number,
    readonly options: CyclictestOptions,
    readonly histogram: Histogram,
    release: CyclictestRelease,
  ) {
    this.overflowCycles = release === "2.4" && options.histogram > 0 ? [] : null;
  }

  /** The threads of a histogram have one interval and one priority. */
  get intervalUs(): number {
    const { intervalUs, distanceUs, histogram } = this.options;
    return histogram > 0 ? intervalUs : intervalUs + this.number * distanceUs;
  }

  get priority(): number {
    const { priority, histogram, smp } = this.options;
    return histogram > 0 || smp ? priority : Math.max(0, priority - this.number);
  }

  /** As `print_stat()` takes it. */
  get row(): CyclictestThread {
    const { number, priority, intervalUs, histogram, overflowCycles } = this;
    const row = { number, tid: this.task.pid, priority, intervalUs, histogram };
    return overflowCycles === null ? row : { ...row, overflowCycles };
  }
}

/** Where a measuring thread stands: what comes next, in the order in which it comes by. */
const At = Object.freeze({
  Start: 0,
  First: 1,
  Sleep: 2,
  Arm: 3,
  FallAsleep: 4,
  Leave: 5,
  Read: 6,
  Woken: 7,
});

/** The measuring thread's life: `timerthread()` of cyclictest.c. A routine, as it is what most runs are for. */
class Measuring extends Routine {
  declare readonly thread: Thread;
  declare readonly run: Run;
  declare readonly kernel: Kernel;
  declare readonly command: ProgramProcess;
  readonly #timer: HrTimer;
  readonly #intervalNs: number;
  readonly #loops: number;
  readonly #part: number;
  readonly #watches: boolean;
  #at: number = At.Start;
  #loop = 0;
  #nextNs = NaN;

  constructor(thread: Thread, run: Run, kernel: Kernel, command: ProgramProcess) {
    super();
    this.thread = thread;
    this.run = run;
    this.kernel = kernel;
    this.command = command;
    const { options: { loops, verbose, breakUs }, overflowCycles, intervalUs, task } = thread;
    this.#timer = kernel.sleepTimer(task);
    this.#intervalNs = intervalUs * 1000;
    this.#loops = loops || Infinity;
    this.#part = Math.max(1, Math.floor(this.#loops / 100));
    this.#watches = verbose || breakUs > 0 || overflowCycles !== null;
    this.#nextNs = 0; // soon large: see `Engine`
  }

  override next(): Step | null {
    const { kernel, thread: { task } } = this;
    for (;;) {
      switch (this.#at) {
        case At.Start:
          this.#at = At.First;
          return kernel.clocksource.read;
        case At.First:
          this.#nextNs = kernel.nowNs + this.#intervalNs;
          this.#at = At.Sleep;
          break;
        case At.Sleep:
          if (this.#loop >= this.#loops || this.run.stopped) return null;
          this.#loop++;
          this.#at = At.Arm;
          // clock_nanosleep(), spelled out as in Kernel.sleepUntil: no step of the loop passes through another activity.
          return kernel.enterSleep(task);
        case At.Arm: {
          this.#at = At.FallAsleep;
          const program = kernel.armSleep(task, this.#timer, this.#nextNs);
          if (program !== null) return program;
          break;
        }
        case At.FallAsleep: {
          this.#at = At.Leave;
          const away = kernel.fallAsleep(task, this.#timer);
          if (away !== null) return away;
          break;
        }
        case At.Leave: {
          this.#at = At.Read;
          const preempted = kernel.leaveSleep(task);
          if (preempted !== null) return preempted;
          break;
        }
        case At.Read:
          this.#at = At.Woken;
          return kernel.clocksource.read;
        default:
          this.#count(kernel.nowNs);
          this.#at = At.Sleep;
      }
    }
  }

  #count(nowNs: number): void {
    const { thread, command } = this;
    thread.histogram.record(nowNs - this.#nextNs);
    if (this.#watches) watch(thread, this.run);
    this.#nextNs += this.#intervalNs;
    while (this.#nextNs < nowNs) this.#nextNs += this.#intervalNs; // the points that have passed are given up
    if (this.#loop % this.#part === 0) command.progress(this.#loop / this.#loops);
  }
}

/** What `-v`, `-b` and the list of overflows do with the latency that has just been counted. */
function watch(thread: Thread, run: Run): void {
  const { overflowCycles, histogram: { lastUs, bins, count } } = thread;
  if (overflowCycles !== null && lastUs >= bins && overflowCycles.length < bins) overflowCycles.push(count);
  if (run.options.verbose) thread.values.push(lastUs);
  if (run.options.breakUs === 0 || lastUs <= run.options.breakUs || run.stopped) return;
  run.stopped = true;
  run.broken = { thread, us: lastUs };
}

const doc = `cyclictest - measures how late a task is woken by a timer
Usage: cyclictest -n -l LOOPS | -D TIME [-a [NUM]] [-b USEC] [-d DIST] [-h US | -H US] [-i INTV] [-m] [-p PRIO]
  [-q] [-S] [-t [NUM]] [-v] [-y fifo|rr] [--json=FILE]
Effects: sleeps LOOPS times, or for TIME seconds (m, h, d: other units), or until Ctrl-C, for INTV us (1000) and prints how
  late it woke, us: minimum, last, average, maximum, each 10 ms or with -q once; -v every value, -h a histogram, --json a file.
  -a: on processor NUM; -t: NUM threads, each with DIST us (500) more; -p: SCHED_FIFO priority; -b: ends when it woke
  later than USEC; -S: -a -t -n
Exit status: 0; 1 after the usage on a value out of range, or on an option that is not modelled; 0 after the usage on an
  option that there is not, as version 0.83 ends; the errno if FILE cannot be written
Errors: option --X is not modelled; invalid option -- 'X'; Failed to open 'FILE'
Differs from the real one: in era 2012 -n is needed, today (2.4) it is gone: no signal timers; no tracing; --json is of
  version 2
Examples: cyclictest -a 0 -m -q -p 99 -n -l 1000
  cyclictest -n -q -l 1000 -h 20`;

/** How often the tool looks at its threads. */
const LOOK_NS = 10_000_000;

/** The program. */
export const cyclictest: Program = {
  name: "cyclictest",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, processors, task: main } = command;
    const release = CYCLICTEST_RELEASES[command.system.tools.cyclictest];
    const options = parseCyclictest(command.argv, processors.length, release);
    if ("message" in options) {
      command.stderr(options.message);
      if (options.usage) command.stdout(release.usage);
      return options.status;
    }
    command.stderr(options.warning);
    const count = options.threads === 0 ? processors.length : options.threads;
    const startNs = kernel.nowNs;
    command.stdout(`${DMA_LATENCY_LINE}\n`);
    const run: Run = { options, stopped: false, broken: null };
    const threads: Thread[] = [];
    let running = count;
    main.onSignal = young((signal, from) => {
      if (signal !== SIGINT && signal !== SIGTERM) return false;
      run.stopped = true;
      kernel.wake(main, from);
      return true;
    });
    main.atEnd = young(() => killThreads(main, kernel, threads.map(({ task }) => task)));
    for (let number = 0; number < count; number++) {
      const histogram = command.histogram(number, Math.max(options.histogram, 1));
      const thread = new Thread(number, options, histogram, release.lines);
      const { affinity } = options;
      const list = affinity === "each" ? processors.map((_, i) => i) : affinity;
      const allowed = list === null ? main.allowed : 1 << processors[list[number % list.length]!]!;
      yield* kernel.tlb.guardStack(main);
      thread.task = kernel.createTask(
        "cyclictest",
        allowed,
        () => new Measuring(thread, run, kernel, command),
        () => {
          running--;
          kernel.wake(main, kernel.cpus[thread.task.cpu]!);
        },
        main,
      );
      thread.task.tgid = main.pid;
      thread.task.policy = thread.priority > 0 ? options.policy : "SCHED_OTHER";
      thread.task.rtPriority = thread.priority;
      threads.push(thread);
      if (options.verbose) {
        const longer = options.histogram > 0 ? 0 : options.distanceUs; // the tool prints the next thread's
        command.stdout(`Thread ${number} Interval: ${thread.intervalUs + longer}\n`);
      }
      const here = kernel.cpus[main.cpu]!;
      kernel.wake(thread.task, here);
      yield* here.sendPendingIpis();
    }
    const endNs = options.durationSeconds === 0 ? Infinity : startNs + options.durationSeconds * 1e9;
    if (options.quiet && !options.verbose) yield* waitQuietly(command, run, endNs, () => running > 0);
    else yield* waitPrinting(command, run, endNs, threads, () => running > 0);
    const rows = threads.map(({ row }) => row);
    command.measured({ options, threads: rows });
    if (options.json !== "") {
      const cpus = threads.map(({ task }) => processors.indexOf(task.cpu));
      const status = yield* writeJson(command, options.json, startNs, rows, cpus);
      if (status !== 0) return status;
    }
    if (options.quiet && options.histogram === 0) {
      for (const row of rows) command.stdout(`${threadLine(row)}\n`);
    }
    if (options.histogram > 0) {
      const withSum = options.histogramSum && count > 1;
      command.stdout(histogramText(rows, { withSum, release: release.lines })); // at once, as stdio does
    }
    if (options.breakUs > 0) {
      command.stdout(`# Thread Ids:${rows.map(({ tid }) => ` ${String(tid).padStart(5, "0")}`).join("")}\n`);
      if (run.broken !== null) {
        const { thread, us } = run.broken;
        command.stdout(`# Break thread: ${thread.task.pid}\n# Break value: ${us}\n`);
      }
    }
    return 0;
  },
};

/**
 * The main thread with `-q`: sleeps until a thread has ended, or the time is over. (The tool looks each 10 ms, and disturbs
 * what it measures; here it wakes at those times only when there is something to see.)
 */
function* waitQuietly(
  { kernel, task }: ProgramProcess,
  run: Run,
  endNs: number,
  isRunning: () => boolean,
): Activity {
  const timer = kernel.sleepTimer(task);
  const startNs = kernel.nowNs;
  let untilNs = endNs;
  while (isRunning()) {
    if (untilNs === Infinity || run.stopped) yield* kernel.cpus[task.cpu]!.sleep();
    else {
      yield* kernel.sleepUntil(task, timer, untilNs);
      timer.base?.cancel(timer);
      run.stopped ||= kernel.nowNs >= untilNs;
    }
    // One has ended: the others end when the tool has seen it.
    untilNs = Math.min(untilNs, startNs + Math.ceil((kernel.nowNs - startNs) / LOOK_NS) * LOOK_NS);
  }
}

/** The main thread without `-q`, or with `-v`: prints each 10 ms, over what it has printed. */
function* waitPrinting(
  command: ProgramProcess,
  run: Run,
  endNs: number,
  threads: readonly Thread[],
  isRunning: () => boolean,
): Activity {
  const { kernel, task, system } = command;
  const { quiet, verbose, loops } = run.options;
  const timer = kernel.sleepTimer(task);
  for (;;) {
    if (verbose) { for (const thread of threads) printValues(thread, command); }
    else if (!quiet) {
      command.stdout(
        `policy: ${policies(threads, run.options)}: loadavg: ${yield* loadAverage(system)}          \n\n`,
      );
      for (const { row } of threads) command.stdout(`${threadLine(row)}\n`);
    }
    const done = loops > 0 && threads.some(({ histogram }) => histogram.count >= loops);
    const lookNs = kernel.nowNs + LOOK_NS;
    while (kernel.nowNs < lookNs) yield* kernel.sleepUntil(task, timer, lookNs); // an ending thread wakes it early
    run.stopped ||= kernel.nowNs >= endNs;
    if (run.stopped || done) break;
    if (!verbose && !quiet) command.stdout(`\x1b[${threads.length + 2}A`);
  }
  run.stopped = true;
  while (isRunning()) yield* kernel.cpus[task.cpu]!.sleep();
  if (verbose) { for (const thread of threads) printValues(thread, command); }
}

/** `fifo`, or `fifo/other` where a thread has no priority left. */
function policies(threads: readonly Thread[], { priority, policy }: CyclictestOptions): string {
  const first = priority === 0 ? "other" : policy === "SCHED_RR" ? "rr" : "fifo";
  return threads.some((thread) => thread.priority === 0) ? `${first}/other` : first;
}

/** Thread, cycle from 0, latency. */
function printValues(thread: Thread, command: ProgramProcess): void {
  const column = (value: number) => String(value).padStart(8);
  for (const us of thread.values.splice(0)) {
    command.stdout(`${column(thread.number)}:${column(thread.printed++)}:${column(us)}\n`);
  }
}

/** `/proc/loadavg` without its end of line. */
function* loadAverage(system: SystemPort): Activity<string> {
  const text = yield* readFile(system, "/proc/loadavg");
  return text instanceof Errno ? "" : text.trimEnd();
}

/** Writes the file of `--json`. Returns the exit status. */
function* writeJson(
  command: ProgramProcess,
  name: string,
  startNs: number,
  rows: readonly CyclictestThread[],
  cpus: readonly number[],
): Activity<number> {
  const { kernel, system } = command;
  const { release, realTime } = kernel.release;
  const seconds = (ns: number) => system.bootTime + Math.floor(ns / 1e9);
  const file = system.vfs.open(pathOf(command, name), { write: true, create: true, truncate: true });
  const written = file instanceof Errno ? file : yield* file.write(cyclictestJson(
    {
      commandLine: command.argv.join(" "),
      version: system.tools.cyclictest,
      startTime: seconds(startNs),
      endTime: seconds(kernel.nowNs),
      returnCode: 0,
      system: {
        nodename: system.hostname,
        release,
        version: `#1 SMP${realTime ? " PREEMPT RT" : ""}`,
        machine: "x86_64",
        realtime: realTime,
      },
    },
    rows,
    cpus,
  ));
  if (!(file instanceof Errno)) file.close();
  if (!(written instanceof Errno)) return 0;
  command.stderr(`Failed to open '${name}'\n: ${written.message}\n`);
  return written.number;
}
