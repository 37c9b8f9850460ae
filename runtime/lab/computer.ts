/**
 * A computer as a shell sees it: its files, its programs, its tasks.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import type { Activity, Step } from "../../hw/sim/activity.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { Sender, Task } from "../linux/sched/task.ts";
import type { Vfs } from "../linux/fs/vfs.ts";
import {
  maskOf,
  Placement,
  type Program,
  type ProgramProcess,
  type SystemPort,
  type TimeLimit,
} from "../programs/program.ts";
import { Histogram } from "../measure/histogram.ts";
import type { CyclictestResult } from "../programs/rt_tests/cyclictest.ts";
import type { Lab } from "./lab.ts";
import { lineInput, type TextInput } from "./line_input.ts";
import { DEDICATED_CPU } from "./systems.ts";
import { totalExits } from "./views/exits.ts";
import type { Software } from "./software.ts";

/** Status of an ssh whose connection is lost. */
const CONNECTION_LOST = 255;

/** Five repeated SYNs (tcp_syn_retries), after 1, 2, 4, 8 and 16 s, and 32 s for an answer to the last. */
const CONNECT_TIMEOUT_NS = 63e9;

/** How a command is started: fixed before its task exists. */
export interface CommandLaunch {
  readonly argv: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  stdout(text: string): void;
  stderr(text: string): void;
  readonly stdin: TextInput | undefined;
  readonly shellPid: number;
  readonly placement?: object | undefined;
  readonly toTerminal?: boolean | undefined;
  start?(argv: readonly string[], placement?: object): StartedCommand | undefined;
}

/** A command that a program has started by way of its shell. */
export interface StartedCommand {
  readonly status: number | undefined;
  whenEnded(wake: () => void): void;
  signal(signal: number): void;
}

/** A command that runs, as its program sees it. */
export type CommandProcess = CommandLaunch & ProgramProcess;

/** A computer of a {@linkcode Lab}: the host, a guest, or a view of them. */
export class Computer {
  /** Its files. */
  readonly vfs: Vfs;
  /** Its kernel. */
  readonly kernel: Kernel;
  /** What a built-in of the shell costs. */
  readonly builtinCost: Step;
  /** Its programs by name. */
  readonly programs: ReadonlyMap<string, Program>;
  /** Commands that have not ended, by pid. */
  readonly #commands = new Map<number, { launch: CommandLaunch; done(status: number): void }>();
  /** How the commands of shells are placed, by the pid of the shell. */
  readonly #placements = new Map<number, Placement>();
  /** That of the sessions to come, as sshd's is; undefined: nobody has moved it. */
  #sessions: Placement | undefined;
  #gone = false;

  /**
   * @param name as `ssh` takes it @param software its kernel and what is around it
   * @param processors the kernel's CPUs that it knows, its processor 0 first
   */
  constructor(
    readonly lab: Lab,
    readonly name: string,
    readonly software: Software,
    readonly processors: readonly number[],
    programs: readonly Program[],
  ) {
    const { kernel, vfs } = software;
    this.kernel = kernel;
    this.vfs = vfs;
    this.builtinCost = kernel.steps.shellBuiltin;
    this.programs = new Map(programs.map((program) => [program.name, program]));
  }

  /** As `hostname` prints it. */
  get hostname(): string {
    return this.name;
  }

  /** C calls of its shell; only the host has KVM. */
  get calls(): Lab["calls"] | undefined {
    return this.kernel === this.lab.host && this.name === "host" ? this.lab.calls : undefined;
  }

  /** A CPU-bound activity that never ends. */
  hog(process: CommandProcess): Activity<number> {
    return this.kernel.spin(process.task);
  }

  /** Sleeps for `ns`: `yield*`. */
  *sleep(process: CommandProcess, ns: number): Activity<void> {
    const { kernel } = this;
    yield* kernel.sleepUntil(process.task, kernel.sleepTimer(process.task), kernel.nowNs + ns);
  }

  /** What its clock says: nanoseconds since it booted, and when that was, seconds since 1970. */
  clock(): { uptimeNs: number; bootTime: number } {
    return { uptimeNs: this.kernel.nowNs, bootTime: this.software.bootTime };
  }

  /** A number of 32 bits, of the stream that its shells share. */
  draw(): number {
    return this.lab.engine.random.stream(`${this.name}.shell`).uint32();
  }

  /** Starts a task. See the shell's `Machine`. */
  spawn(
    name: string,
    body: (process: CommandProcess) => Activity<number>,
    done: (status: number) => void,
    launch: CommandLaunch,
  ): number {
    const { kernel, lab } = this;
    const { cpusets } = this.software;
    const { shellGroup } = cpusets;
    const inRoot = shellGroup === cpusets.root;
    const anywhere = kernel.housekeeping(maskOf(this.processors)); // what init has left to all its descendants
    if (this.#gone) {
      done(CONNECTION_LOST);
      return kernel.takePid();
    }
    const placement = placementIn(launch) ?? this.#placements.get(launch.shellPid) ?? this.#sessions;
    const group = inRoot ? anywhere : cpusets.cpusOf(shellGroup);
    const task = kernel.createTask(
      name,
      placement?.allowed == null ? group : (placement.allowed & (inRoot ? -1 : group)) || group,
      (created) => commandLife(kernel, created, () => body(this.#process(created, launch))),
      (status) => {
        if (!this.#commands.delete(task.pid)) return;
        done(status);
        lab.engine.stop();
      },
    );
    task.argv = launch.argv;
    if (!inRoot) task.cpuset = shellGroup;
    if (placement !== undefined) {
      task.policy = placement.policy;
      task.rtPriority = placement.rtPriority;
      placement.started.add(task.pid);
    }
    this.#commands.set(task.pid, { launch, done });
    kernel.startUp.whenUp(() => lab.type(kernel, (cpu) => kernel.wake(task, cpu)));
    if (lab.guests.get(this.name)?.machine.running === false) this.#timeOut(task);
    return task.pid;
  }

  /** The guest is stopped and answers no SYN: ssh gives up, unless somebody lets it go on before. */
  #timeOut(task: Task): void {
    const { engine } = this.lab;
    const alarm = engine.alarm(
      `ssh ${this.name}`,
      () => {
        engine.release(alarm);
        const command = task.started ? undefined : this.#commands.get(task.pid);
        if (command === undefined) return;
        this.#commands.delete(task.pid);
        this.kernel.tasks.delete(task.pid);
        task.dead = true;
        command.launch.stderr(`ssh: connect to host ${this.name} port 22: Connection timed out\n`);
        command.done(CONNECTION_LOST);
        engine.stop();
      },
      0,
      task,
    );
    alarm.at(engine.nowNs + CONNECT_TIMEOUT_NS);
  }

  /** The guest that it is has ended, or begins anew: whoever waits for a command there hears no more of it. */
  vanish(): void {
    this.#gone = true;
    const commands = [...this.#commands.values()];
    this.#commands.clear();
    for (const { done } of commands) done(CONNECTION_LOST);
    if (commands.length > 0) this.lab.engine.stop();
  }

  /** Whether it has vanished: nothing can be started there any more. */
  get ended(): boolean {
    return this.#gone;
  }

  /** A pid for a shell, which is no simulated task. */
  newPid(parent?: number): number {
    const pid = this.kernel.takePid();
    this.software.cpusets.shells.add(pid);
    const placement = parent === undefined ? this.#sessions : this.#placements.get(parent);
    if (placement !== undefined) this.#placements.set(pid, Placement.of(placement));
    return pid;
  }

  /** How the commands of a shell are placed; undefined: there is no such shell. */
  #placementOf(pid: number): Placement | undefined {
    if (!this.software.cpusets.shells.has(pid)) return undefined;
    const placement = this.#placements.get(pid) ?? Placement.of(this.#sessions ?? new Placement());
    this.#placements.set(pid, placement);
    return placement;
  }

  /** A shell that was here before the computer: it keeps the pid that it had on another. */
  adoptShell(pid: number): void {
    this.software.cpusets.shells.add(pid);
  }

  /**
   * Sends a signal; signal 0 only asks. A negative pid is a program with all the processes that it has made, as the
   * terminal signals them. False: no such process.
   */
  kill(pid: number, signal: number, sender: Sender | null = null): boolean {
    const { kernel } = this;
    const task = kernel.tasks.get(Math.abs(pid));
    if (task === undefined) return false;
    if (signal !== 0) {
      this.lab.type(kernel, (cpu) => {
        if (!task.onSignal?.(signal, cpu, pid < 0, sender)) kernel.kill(task, 128 + signal, cpu);
      });
    }
    return true;
  }

  #system(): SystemPort {
    const { net, network, pci, threads, identity, bootTime, isGuest } = this.software;
    const { hostname, programs } = this;
    return {
      hostname,
      identity,
      hypervisor: isGuest ? "KVM" : null,
      bootTime,
      net,
      netDevices: network,
      pci,
      threads,
      programs,
      tools: this.lab.options.era.tools,
      costs: this.lab.options.profile.values.programs,
      vfs: this.vfs,
      trace: this.software.ftrace,
      placementOf: (pid) => this.#placementOf(pid),
      shells: () => this.software.cpusets.shells,
      sessions: () => this.#sessions ??= new Placement(),
      fileSystem: (type, options) => this.software.fileSystem(type, options),
    };
  }

  /** A program's task waits for a command that its shell starts meanwhile. */
  *#run(
    task: Task,
    launch: CommandLaunch,
    argv: readonly string[],
    placement?: Placement,
    limits: readonly TimeLimit[] = [],
  ): Activity<number | undefined> {
    const { kernel, lab } = this;
    const child = launch.start?.(argv, placement);
    if (child === undefined) return undefined;
    lab.engine.stop(); // the shell is asked what there is to do
    const { onSignal } = task;
    task.onSignal = young((signal, _from, toGroup) => {
      if (!toGroup) { // of a group it has had the signal already
        child.signal(signal);
        lab.engine.stop();
      }
      return true; // it ends as the command does
    });
    child.whenEnded(() => lab.type(kernel, (cpu) => kernel.wake(task, cpu)));
    const alarms = limits.map(({ ns, signal, passed }) => {
      const alarm = lab.engine.alarm(`${argv[0]} limit`, () => {
        passed();
        child.signal(signal);
        lab.engine.stop();
      });
      alarm.at(lab.engine.nowNs + ns);
      return alarm;
    });
    while (child.status === undefined) yield* kernel.cpus[task.cpu]!.sleep();
    for (const alarm of alarms) alarm.cancel();
    task.onSignal = onSignal;
    return child.status;
  }

  #process(task: Task, launch: CommandLaunch): CommandProcess {
    const { lab } = this;
    const events = lab.engine.event, exits = lab.exits(this.name);
    const hostCpu = lab.hostCpu();
    let run = -1;
    let before = { layerNs: [] as number[], exits: 0 };
    const soFar = () => ({
      layerNs: lab.timeByLayer(DEDICATED_CPU),
      exits: totalExits(lab.exits(this.name)),
    });
    return {
      ...launch,
      input: launch.stdin &&
        lineInput(
          launch.stdin,
          this.kernel,
          task,
          () => lab.type(this.kernel, (cpu) => this.kernel.wake(task, cpu)),
        ),
      run: (argv, placement, limits) => this.#run(task, launch, argv, placement, limits),
      pid: task.pid,
      kernel: this.kernel,
      task,
      processors: this.processors,
      system: this.#system(),
      progress: (fraction) => lab.onProgress(launch.argv[0] ?? "", fraction),
      histogram: (number, bins) => {
        if (number === 0) run = lab.runs++;
        const histogram = lab.watch?.histogram(run, number, bins) ?? new Histogram(bins);
        lab.histograms.push(histogram);
        return histogram;
      },
      computing: (what) => {
        if (what === "begins") return void (before = soFar());
        const { options } = lab, after = soFar();
        lab.computed.push({
          system: options.system.name,
          kernel: `linux-${this.kernel.release.release}`,
          seed: options.seed,
          sysbench: what,
          layerNs: after.layerNs.map((ns, layer) => ns - before.layerNs[layer]!),
          exits: after.exits - before.exits,
          hostLoad: lab.host.spinning.size,
        });
      },
      measured: (cyclictest: CyclictestResult) => {
        const { options, engine, results } = lab;
        results.push({
          system: options.system.name,
          kernel: `linux-${this.kernel.release.release}`,
          seed: options.seed,
          run,
          cyclictest,
          events: engine.event - events,
          exits: lab.exits(this.name).map((count, reason) => count - exits[reason]!),
          hash: engine.stateHash(),
          hostLoad: lab.host.spinning.size,
          hostCpuPercent: hostCpu(),
          guestLoad: this.software.net.receiving.size > 0 ? "iperf" : "idle",
        });
      },
      measureTraffic: () => {
        const { options, traffic } = lab;
        const hostCpu = lab.hostCpu();
        return (figures) =>
          traffic.push({
            ...figures,
            system: options.system.name,
            kernel: options.kernel,
            seed: options.seed,
            hostCpuPercent: hostCpu(),
          });
      },
    };
  }
}

/** How a program around a command has been told to place it. */
function placementIn({ placement }: CommandLaunch): Placement | undefined {
  return placement instanceof Placement ? placement : undefined;
}

/** The life of a command's process. */
function* commandLife(kernel: Kernel, task: Task, body: () => Activity<number>): Activity<number> {
  yield* kernel.tlb.copyStack(task); // the shell has made it by fork()
  return yield kernel.cpus[task.cpu]!.registers.call(body());
}
