/**
 * Programs: what runs in user space of any kernel, host or guest, and cannot tell which.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { CpuIdentity } from "../linux/cpu_identity.ts";
import { Errno } from "../linux/errno.ts";
import type { Ftrace } from "../linux/trace/ftrace.ts";
import type { NetDeviceNames } from "../linux/drivers/net_device_names.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { KernelThreads } from "../linux/sched/kthreads.ts";
import type { NetStack } from "../linux/net/stack.ts";
import type { PciCore } from "../linux/pci/pci_bus.ts";
import type { CpuMask, Policy, Task } from "../linux/sched/task.ts";
import type { Histogram } from "../measure/histogram.ts";
import type { FileSystem, Node, Vfs } from "../linux/fs/vfs.ts";
import type { ProgramCosts } from "./costs.ts";
import type { CyclictestResult } from "./rt_tests/cyclictest.ts";
import type { SysbenchResult } from "./sysbench.ts";

/** Versions of programs that behave differently from one to the next. */
export interface ToolVersions {
  /** rt-tests. */
  readonly cyclictest: "0.83" | "2.40";
  /** ethtool: by ioctl(), or by netlink. */
  readonly ethtool: "3.4" | "6.1";
  /** GNU coreutils. */
  readonly coreutils: "8.13" | "9.1";
  /** irqbalance. */
  readonly irqbalance: "1.0.3" | "1.9.2";
  /** iperf 2. */
  readonly iperf: "2.0.5" | "2.1.8";
  /** vmstat. */
  readonly procps: "3.2.8" | "4.0.2";
  /** mpstat. */
  readonly sysstat: "10.0.5" | "12.6.1";
  /** qemu-kvm of the talk's time, or today's qemu-system-x86_64. */
  readonly qemu: "1.1" | "7.2";
  /** tuned; null: there is none that is modelled. */
  readonly tuned: "2.20" | null;
  /** util-linux. */
  readonly utilLinux: "2.21" | "2.38";
}

/** Where the commands of a shell run, and how. */
export class Placement {
  /** CPUs of the kernel; null: wherever its tasks may be. */
  allowed: CpuMask | null = null;
  /** Scheduling policy. */
  policy: Policy = "SCHED_OTHER";
  /** Real-time priority 1 … 99; 0 for SCHED_OTHER. */
  rtPriority = 0;
  /** Pids of the tasks that have been started so. */
  readonly started = new Set<number>();

  /** That of a task: what its children inherit. */
  static of(
    { allowed, policy, rtPriority }: Pick<Placement, "allowed" | "policy" | "rtPriority">,
  ): Placement {
    return Object.assign(new Placement(), { allowed, policy, rtPriority });
  }
}

/** A signal that a command gets if it still runs after a time. */
export interface TimeLimit {
  /** The time, ns. */
  readonly ns: number;
  /** The signal's number. */
  readonly signal: number;
  /** Told when it is sent. */
  passed(): void;
}

/** What a program finds of its computer beside the kernel. */
export interface SystemPort {
  /** The name of the computer. */
  readonly hostname: string;
  /** What its processors are. */
  readonly identity: CpuIdentity;
  /** What the processors say that they are emulated by; `null`: they are real. */
  readonly hypervisor: string | null;
  /** When it booted, seconds since 1970. */
  readonly bootTime: number;
  /** Its PCI core. */
  readonly pci: PciCore;
  /** Its network. */
  readonly net: NetStack;
  /** Its network interfaces. */
  readonly netDevices: NetDeviceNames;
  /** Its per-CPU kernel threads. */
  readonly threads: KernelThreads;
  /** The programs that it has, by name. */
  readonly programs: ReadonlyMap<string, Program>;
  /** Versions of those whose versions differ. */
  readonly tools: ToolVersions;
  /** What work of programs costs here. */
  readonly costs: ProgramCosts;
  /** Its files. */
  readonly vfs: Vfs;
  /** Its tracing. */
  readonly trace: Ftrace;
  /** How the commands of the shell with that pid are placed, to be read and changed; undefined: it is no shell's. */
  placementOf(pid: number): Placement | undefined;
  /** Pids of its shells. */
  shells(): Iterable<number>;
  /** How the shells of sessions to come are placed, to be read and changed. */
  sessions(): Placement;
  /** What can be mounted; `undefined`: the kernel has no file system of that type with these options. */
  fileSystem(type: string, options: readonly string[]): { node: Node; fileSystem: FileSystem } | undefined;
}

/** What iperf or ping has measured. */
export interface TrafficFigures {
  /** Which program. */
  readonly program: "iperf" | "ping";
  /** How long it measured, ns. */
  readonly lengthNs: number;
  /** iperf: throughput, bits per second. */
  readonly bitsPerSecond?: number;
  /** ping: round trip, ns: shortest, mean, longest, and how many. */
  readonly roundTrip?: {
    readonly minNs: number;
    readonly meanNs: number;
    readonly maxNs: number;
    readonly count: number;
  };
}

/** Standard input, by lines. */
export interface LineInput {
  /**
   * The next line without its newline, waited for; undefined after the end.
   *
   * @param stop asked whenever the process is woken: true ends the waiting, and undefined is the answer
   */
  readLine(stop?: () => boolean): Activity<string | undefined>;
}

/** A process, as its program sees it. */
export interface ProgramProcess {
  /** Its process id. */
  readonly pid: number;
  /** Its name and arguments. */
  readonly argv: readonly string[];
  /** Its environment. */
  readonly env: ReadonlyMap<string, string>;
  /** The directory it was started in. */
  readonly cwd: string;
  /** The kernel it runs on. */
  readonly kernel: Kernel;
  /** Its first thread. */
  readonly task: Task;
  /** The kernel's CPUs that the process knows, its processor 0 first. */
  readonly processors: readonly number[];
  /** The computer around it. */
  readonly system: SystemPort;
  /** Standard input where it is a pipe, a file or a here-document; undefined for the terminal and `/dev/null`. */
  readonly input: LineInput | undefined;
  /**
   * Runs another command, of the shell or a program, and waits for its end; answers its status, or undefined where there is
   * none of that name. `placement`: where its tasks run, and how; `limits`: signals that it gets after a time.
   */
  run(
    argv: readonly string[],
    placement?: Placement,
    limits?: readonly TimeLimit[],
  ): Activity<number | undefined>;
  /** Writes to descriptor 1. */
  stdout(text: string): void;
  /** Whether that leads to the terminal. */
  readonly toTerminal?: boolean | undefined;
  /** Writes to descriptor 2. */
  stderr(text: string): void;
  /** What thread `number` of a benchmark counts its latencies in; the thread numbered 0 asks first. */
  histogram(number: number, bins: number): Histogram;
  /** Hands a measurement to the laboratory. */
  measured(result: CyclictestResult): void;
  /** Begins to measure traffic; what it answers ends that, and hands the figures to the laboratory. */
  measureTraffic(): (figures: TrafficFigures) => void;
  /** Tells that a fixed amount of computing begins, and what came out. */
  computing(what: "begins" | SysbenchResult): void;
  /** Tells how far a long run has come, 0 … 1. */
  progress(fraction: number): void;
}

/** A program. */
export interface Program {
  /** What it is called by. */
  readonly name: string;
  /** Its manual: `NAME - summary`, then Usage, Effects, Exit status, Errors, Differs from the real one, Examples. */
  readonly doc: string;
  /** Its options, where its manual does not name them all. */
  readonly options?: readonly string[];
  /** Its life; returns the exit status. */
  main(process: ProgramProcess): Activity<number>;
}

/** Where `path` leads, which may be below the directory that the process was started in. */
export function pathOf({ cwd }: ProgramProcess, path: string): string {
  return path.startsWith("/") ? path : `${cwd === "/" ? "" : cwd}/${path}`;
}

/** What the file at an absolute path says. */
export function* readFile({ vfs }: SystemPort, path: string): Activity<string | Errno> {
  const file = vfs.open(path, { read: true });
  if (file instanceof Errno) return file;
  const text = yield* file.read();
  file.close();
  return text;
}

/** Writes to the file at an absolute path; `make`: as a new file, in folders that are made where they are not there. */
export function* writeFile(
  vfs: Vfs,
  path: string,
  text: string,
  make = false,
): Activity<Errno | void> {
  if (make) {
    for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) vfs.mkdir(path.slice(0, at));
  }
  const file = vfs.open(path, { write: true, create: make, truncate: make });
  if (file instanceof Errno) return file;
  const written = yield* file.write(text);
  file.close();
  if (written instanceof Errno) return written;
}

/** The mask of the kernel CPUs that `processors` are. */
export function maskOf(processors: readonly number[]): CpuMask {
  return processors.reduce((mask, cpu) => mask | (1 << cpu), 0);
}

/** The reverse of {@linkcode maskOf}, as the process numbers its processors: bit N for processor N. */
export function processorMask(cpus: CpuMask, processors: readonly number[]): CpuMask {
  return processors.reduce((mask, cpu, i) => (cpus & (1 << cpu)) === 0 ? mask : mask | (1 << i), 0);
}
