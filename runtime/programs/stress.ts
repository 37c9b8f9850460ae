/**
 * stress 1.0.4: workers that load CPUs, as the talk's "infinite loop" on the host, or take memory.
 *
 * Texts are the tool's; a complaint names the line of its source that made it, as the tool does.
 *
 * *Modelled*: `-c N`, `-m N` with `--vm-bytes B`, `-t N`, `-q`, `-n`, `--backoff N`.
 *
 * *Not modelled*: I/O and disk workers, and the details of what memory workers do with their memory (`--vm-stride`,
 * `--vm-hang`, `--vm-keep`); refused by name. `-v` adds nothing.
 *
 * *Deviations*: workers begin at once, not after the backoff.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import { type Activity, Op, Step, work } from "../../hw/sim/activity.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { Memory, MemoryUser } from "../linux/memory.ts";
import type { Task } from "../linux/sched/task.ts";
import type { Program, ProgramProcess } from "./program.ts";

const doc = `stress - loads CPUs with endless loops, and memory
Usage: stress [-c N] [-m N] [--vm-bytes B] [-t N] [-q] [-n]
Effects: starts N processes in endless loops (-c), or that take memory (-m), 256 MB each or B; they end after N seconds (-t),
  or never. While more memory is taken than the computer has, workers take pages from guests that are not locked
Exit status: 0; 1 on a wrong argument
Errors: FAIL: [PID] (LINE) what is wrong
Differs from the real one: no I/O and disk workers, no --vm-stride, --vm-hang, --vm-keep
Examples: stress -c 4 -t 1s`;

/** What `--help` prints. */
const USAGE = `\`stress' imposes certain types of compute stress on your system

Usage: stress [OPTION [ARG]] ...
 -?, --help         show this help statement
     --version      show version statement
 -v, --verbose      be verbose
 -q, --quiet        be quiet
 -n, --dry-run      show what would have been done
 -t, --timeout N    timeout after N seconds
     --backoff N    wait factor of N microseconds before work starts
 -c, --cpu N        spawn N workers spinning on sqrt()
 -i, --io N         spawn N workers spinning on sync()
 -m, --vm N         spawn N workers spinning on malloc()/free()
     --vm-bytes B   malloc B bytes per vm worker (default is 256MB)
     --vm-stride B  touch a byte every B bytes (default is 4096)
     --vm-hang N    sleep N secs before free (default none, 0 is inf)
     --vm-keep      redirty memory instead of freeing and reallocating
 -d, --hdd N        spawn N workers spinning on write()/unlink()
     --hdd-bytes B  write B bytes per hdd worker (default is 1GB)

Example: stress --cpu 8 --io 4 --vm 2 --vm-bytes 128M --timeout 10s

Note: Numbers may be suffixed with s,m,h,d,y (time) or B,K,M,G (size).
`;

/** An option with a number: its names, and where and how the tool complains. */
interface NumberOption {
  readonly short?: string;
  readonly suffixes: Readonly<Record<string, number>>;
  /** Line of the complaint that the number is missing. */
  readonly missingAt: number;
  /** Line and text of the complaint that it is too small; NUMBER stands for it. */
  readonly wrongAt: number;
  readonly wrong: string;
  /** 1, or 0 where that is allowed. */
  readonly least: number;
}

const SIZES = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };
const TIMES = { s: 1, m: 60, h: 3600, d: 86_400, y: 31_536_000 };
const number = (
  missingAt: number,
  wrong: string,
  { short, suffixes = SIZES, least = 1, after = 4 }: Partial<NumberOption> & { after?: number } = {},
): NumberOption => ({ short, suffixes, missingAt, wrongAt: missingAt + after, wrong, least });

const NUMBERS: Readonly<Record<string, NumberOption>> = {
  "--backoff": number(135, "invalid backoff factor: NUMBER", { suffixes: {}, least: 0, after: 8 }),
  "--timeout": number(150, "invalid timeout value: NUMBERs", { short: "-t", suffixes: TIMES }),
  "--cpu": number(160, "invalid number of cpu hogs: NUMBER", { short: "-c" }),
  "--io": number(170, "invalid number of io hogs: NUMBER", { short: "-i" }),
  "--vm": number(180, "invalid number of vm hogs: NUMBER", { short: "-m" }),
  "--vm-bytes": number(190, "invalid vm byte value: NUMBER"),
  "--vm-stride": number(200, "invalid stride value: NUMBER"),
  "--vm-hang": number(210, "invalid value: NUMBER", { least: 0 }),
  "--hdd": number(224, "invalid number of hdd hogs: NUMBER", { short: "-d" }),
  "--hdd-bytes": number(234, "invalid hdd byte value: NUMBER"),
};
/** Options that the tool has and the model has not. */
const NOT_MODELLED = new Set(["--io", "--vm-stride", "--vm-hang", "--vm-keep", "--hdd", "--hdd-bytes"]);
/** Where the tool complains about an option that it does not have, and about a suffix or a number of either kind. */
const UNRECOGNIZED_AT = 244,
  SUFFIX_AT = { size: 647, time: 705 },
  NUMBER_AT = { size: 654, time: 712, plain: 138 };
/** The same about an empty text. */
const EMPTY_AT = { size: 622, time: 676 };
/** Longest step of a memory worker while memory is not short, ns. */
const LOOK_NS = 100_000_000;

/** What a command line asks for. */
interface Request {
  readonly numbers: ReadonlyMap<string, number>;
  readonly quiet: boolean;
  readonly dryRun: boolean;
}

/** A complaint and the line that makes it; a text for descriptor 1; or what was not modelled. */
type Refusal = { readonly line: number; readonly text: string } | { readonly shown: string } | {
  readonly notModelled: string;
};

/** Reads the command line from left to right, as the tool does. */
function parse(argv: readonly string[]): Request | Refusal {
  const numbers = new Map<string, number>();
  let quiet = false, dryRun = false;
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === "--help" || word === "-?") return { shown: USAGE };
    if (word === "--version") return { shown: "stress 1.0.4\n" };
    if (word === "--verbose" || word === "-v") continue;
    if (word === "--quiet" || word === "-q") quiet = true;
    else if (word === "--dry-run" || word === "-n") dryRun = true;
    else if (word === "--vm-keep") return { notModelled: word };
    else {
      const [name, option] = Object.entries(NUMBERS).find(([long, { short }]) =>
        word === long || word === short
      ) ??
        [];
      if (name === undefined || option === undefined) {
        return { line: UNRECOGNIZED_AT, text: `unrecognized option: ${word}` };
      }
      const text = argv[++i];
      if (text === undefined || /^-(?!\d)/.test(text)) {
        return { line: option.missingAt, text: `missing argument to option '${name}'` };
      }
      const value = numberOf(text, option);
      if (typeof value !== "number") return value;
      if (value < option.least) {
        return { line: option.wrongAt, text: option.wrong.replace("NUMBER", String(value)) };
      }
      if (NOT_MODELLED.has(name)) return { notModelled: word };
      numbers.set(name, value);
    }
  }
  if (!numbers.has("--cpu") && !numbers.has("--vm")) return { shown: USAGE };
  return { numbers, quiet, dryRun };
}

/** atoll_b() and atoll_s(): what sscanf("%lli") takes from the left, times the suffix. */
function numberOf(text: string, { suffixes }: NumberOption): number | Refusal {
  const kind = suffixes === TIMES ? "time" : suffixes === SIZES ? "size" : "plain";
  if (text === "" && kind !== "plain") return { line: EMPTY_AT[kind], text: "invalid string" };
  const last = text.at(-1) ?? "";
  const factor = /\d/.test(last) ? 1 : suffixes[last.toLowerCase()];
  if (kind !== "plain" && factor === undefined) {
    return { line: SUFFIX_AT[kind], text: `unrecognized suffix: ${last}` };
  }
  const digits = /^\s*[-+]?(0x[0-9a-f]+|\d+)/i.exec(text);
  if (digits === null) return { line: NUMBER_AT[kind], text: `invalid number: ${text}` };
  return Number(digits[0]) * (factor ?? 1);
}

/** The program. */
export const stress: Program = {
  name: "stress",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, task } = command;
    const request = parse(command.argv);
    if ("shown" in request) {
      command.stdout(request.shown);
      return 0;
    }
    if ("notModelled" in request) {
      command.stderr(`stress: option ${request.notModelled} is not modelled\n`);
      return 1;
    }
    if ("text" in request) {
      command.stderr(`stress: FAIL: [${command.pid}] (${request.line}) ${request.text}\n`);
      return 1;
    }
    const { numbers, quiet, dryRun } = request;
    const say = (text: string) => quiet || command.stdout(`stress: info: [${command.pid}] ${text}\n`);
    const cpu = numbers.get("--cpu") ?? 0, vm = numbers.get("--vm") ?? 0;
    const seconds = numbers.get("--timeout") ?? 0;
    const mib = (numbers.get("--vm-bytes") ?? 256 * 2 ** 20) / 2 ** 20;
    say(`dispatching hogs: ${cpu} cpu, 0 io, ${vm} vm, 0 hdd`);
    const startNs = kernel.nowNs;
    let running = dryRun ? 0 : cpu + vm;
    const hogs: Task[] = [];
    task.onSignal = young((signal, from, toGroup) => { // workers are processes: alone the first one leaves them behind
      if (toGroup) { for (const hog of hogs) kernel.kill(hog, 128 + signal, from); }
      return false;
    });
    for (let i = 0; i < running; i++) {
      const takesMemory = i >= cpu;
      const hog: Task = kernel.createTask(
        "stress",
        task.allowed,
        function* (worker): Activity<number> {
          yield* kernel.tlb.copyStack(worker);
          return yield* takesMemory ? takeMemory(kernel, worker, seconds) : spin(kernel, worker, seconds);
        },
        () => {
          kernel.memory.remove(user);
          running--;
          kernel.wake(task, kernel.cpus[hog.cpu]!);
        },
        task,
      );
      hogs.push(hog);
      const user: MemoryUser = { mib, locked: false, addressSpace: () => hog.tgid, unmapPage: () => {} };
      if (takesMemory) kernel.memory.add(user);
      const here = kernel.cpus[task.cpu]!;
      kernel.wake(hog, here);
      yield* here.sendPendingIpis();
      yield* kernel.tlb.copyStack(task);
    }
    while (running > 0) yield* kernel.cpus[task.cpu]!.sleep();
    say(`successful run completed in ${Math.floor((kernel.nowNs - startNs) / 1e9)}s`);
    return 0;
  },
};

/** hogcpu(). */
function* spin(kernel: Kernel, worker: Task, seconds: number): Activity<number> {
  if (seconds === 0) return yield* kernel.spin(worker);
  yield work("hogcpu", kernel.taskLayer, seconds * 1e9, false);
  return 0;
}

/** hogvm(): takes its memory again and again; while that is more than there is, it takes it from somebody. */
function* takeMemory(kernel: Kernel, worker: Task, seconds: number): Activity<number> {
  const memory: Memory = kernel.memory;
  const touches = new Step(Op.Work, "hogvm", kernel.taskLayer, 0, false);
  const endNs = seconds === 0 ? Infinity : kernel.nowNs + seconds * 1e9;
  kernel.spinning.add(worker);
  while (kernel.nowNs < endNs) {
    const { short } = memory;
    touches.ns = Math.min(short ? memory.untilReclaimNs() : LOOK_NS, endNs - kernel.nowNs);
    yield touches;
    if (!short) continue;
    yield memory.reclaimStep;
    yield* memory.reclaim(worker);
  }
  return 0;
}
