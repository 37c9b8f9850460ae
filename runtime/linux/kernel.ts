/**
 * A Linux kernel: instantiated as host, as guest and as any other computer. It cannot tell which it is.
 *
 * @module
 */

import {
  type Activity,
  contextSwitch,
  endless,
  type Layer,
  type Routine,
  type Step,
  stepsOf,
  work,
} from "../../hw/sim/activity.ts";
import type { Engine } from "../../hw/sim/engine.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import { HrTimer } from "./hrtimer.ts";
import { Clocksource } from "./clocksource.ts";
import type { BackgroundParameters } from "./background.ts";
import { type ConsoleDevice, type IrqAction, KernelCpu } from "./kernel_cpu.ts";
import { firstCpu } from "./cpu_mask.ts";
import { LoadAverage } from "./sched/loadavg.ts";
import { Memory, type MemoryCosts } from "./memory.ts";
import type { KernelCosts, KernelRelease } from "./release.ts";
import { Mutex } from "./mutex.ts";
import { rescale, schedulerDefaults, type SchedulerTunables } from "./sched/sched_tunables.ts";
import { StartUp } from "./start_up.ts";
import { type CpuMask, Task } from "./sched/task.ts";
import { TlbShootdowns } from "./tlb.ts";
import { traceWakeup } from "./trace/tracepoints.ts";

/** The kernel's steps, made once from its costs. */
export type KernelSteps = { readonly [Key in keyof KernelCosts]: Step };

/** What a kernel is built from. */
export interface KernelOptions {
  /** In traces and as the name of its random streams: `host`, `vm0`. */
  readonly name: string;
  /** Which build. */
  readonly release: KernelRelease;
  /** What its steps cost. */
  readonly costs: KernelCosts;
  /** Number of CPUs possible. */
  readonly cpus: number;
  /** Layer of the kernel's own work. */
  readonly kernelLayer: Layer;
  /** Layer of user-space work on it. */
  readonly taskLayer: Layer;
  /**
   * Whether the ticks of a steady CPU may be booked instead of simulated: on processors of its own nobody sees them come.
   * On virtual ones each costs somebody else something.
   */
  readonly booksSteadyCpus?: boolean;
  /** Its CPUs but the first wait for it to start them; else whoever builds the computer does. */
  readonly startsProcessors?: boolean;
  /** What it does on each CPU beside the work at hand; nothing where absent. */
  readonly background?: BackgroundParameters;
  /** Its computer's memory, MiB, and what shortage costs; without it memory is never short. */
  readonly memory?: { readonly mib: number; readonly costs?: MemoryCosts };
  /** The interrupt by which commands reach it: `{ irq: 1, name: "i8042" }`. */
  readonly consoleIrq: ConsoleDevice;
}

/** A running kernel. */
export class Kernel {
  declare readonly engine: Engine;
  /** As given. */
  readonly name: string;
  /** As given. */
  readonly release: KernelRelease;
  /** Its CPUs, by number. */
  readonly cpus: readonly KernelCpu[];
  /** Its steps. */
  readonly steps: KernelSteps;
  /** 10 ms of known time, against which the local APIC timer is measured at boot. */
  readonly calibration: Step;
  /** An endless loop in user space. */
  readonly endlessLoop: Step;
  /** Layer of user-space work. */
  readonly taskLayer: Layer;
  /** Layer of the kernel's own work. */
  readonly kernelLayer: Layer;
  /** Its memory. */
  readonly memory: Memory;
  /** Scheduler tunables, shared by all CPUs. */
  readonly tunables: SchedulerTunables = schedulerDefaults(1);
  #tunedFor = 1;
  /** 1 / CONFIG_HZ, ns. */
  readonly tickPeriodNs: number;
  readonly booksSteadyCpus: boolean;
  /** As given. */
  readonly startsProcessors: boolean;
  /** Where in absolute time the tick's grid lies: one draw a run, so ticks and programs do not run in step. */
  readonly tickPhaseNs: number;
  /** How long its clock has been held, all in all, ns: that of a guest stands still while it is stopped. */
  clockHeldNs = 0;
  /** All tasks that live, by pid. */
  readonly tasks = new Map<number, Task>();
  /** Those of them that are in an endless loop. */
  readonly spinning = new Set<Task>();
  /** CPUs that the scheduler leaves alone (`isolcpus`): only tasks that ask for one run there; no load is balanced. */
  isolated: CpuMask = 0;
  /** NMI handlers in order of registration; each says whether the NMI was for it. */
  readonly nmiHandlers: ((cpu: KernelCpu) => boolean)[] = [];
  /** queue_work_on(): `ns` of work for the kworker of `cpu`, asked for there; null before there are threads. */
  queueWork: ((cpu: KernelCpu, ns: number) => void) | null = null;
  /** Interrupts at a vector that no device has. */
  spuriousVectors = 0;
  /** How far it has booted. */
  readonly startUp: StartUp = new StartUp(this);
  /** Who takes a CPU from Linux, or gives one back, has this: one at a time (`cpu_add_remove_lock`). */
  readonly cpuMaps: Mutex = new Mutex(this);
  /** Its TLB shoot-downs. */
  readonly tlb: TlbShootdowns = new TlbShootdowns(this);
  /** What it reads the time from. */
  readonly clocksource: Clocksource;
  /** How many tasks want a CPU. */
  readonly loadAverage: LoadAverage = new LoadAverage(this);
  /** The kernel log: text and time. */
  readonly dmesg: { timeNs: number; text: string }[] = [];
  /** What has been typed: work that the console's interrupt does, oldest first. */
  readonly consoleInput: ((cpu: KernelCpu) => void)[] = [];
  /** The handler of the interrupt by which commands reach this kernel: its keyboard, or its network. */
  readonly consoleAction: IrqAction;
  /** How often each interrupt was taken on each CPU: by interrupt, then by CPU. */
  #interruptCounts = new Float64Array(0);
  #nextPid = 2;

  /** Builds it, not yet booted. */
  constructor(engine: Engine, options: KernelOptions) {
    this.engine = engine;
    this.name = options.name;
    this.release = options.release;
    this.kernelLayer = options.kernelLayer;
    this.taskLayer = options.taskLayer;
    this.booksSteadyCpus = options.booksSteadyCpus ?? false;
    this.startsProcessors = options.startsProcessors ?? false;
    this.tickPeriodNs = Math.round(1e9 / options.release.hz);
    this.tickPhaseNs = Math.floor(engine.random.stream(`${options.name}.tick`).uniform() * this.tickPeriodNs);
    const userSpace = new Set<keyof KernelCosts>(["clockReadVdso", "shellBuiltin"]);
    this.steps = stepsOf(
      options.costs,
      (name, ns) =>
        name === "contextSwitch"
          ? contextSwitch(name, options.kernelLayer, ns)
          : work(name, userSpace.has(name) ? options.taskLayer : options.kernelLayer, ns),
    );
    const { clockReadVdso, clockReadKvmclock } = this.steps;
    this.clocksource = new Clocksource(options.release, clockReadVdso, clockReadKvmclock);
    this.memory = new Memory(this, options.memory?.mib ?? Infinity, options.memory?.costs);
    const { irq, name, acknowledge } = options.consoleIrq;
    this.consoleAction = { irq, name, handler: (cpu) => this.#readConsole(cpu, acknowledge) };
    this.calibration = work("calibrate_APIC_clock", options.kernelLayer, 10_000_000, false);
    this.endlessLoop = endless("endless loop", options.taskLayer);
    const { background = null } = options;
    this.cpus = Array.from({ length: options.cpus }, (_, id) => new KernelCpu(this, id, background));
    engine.register(`kernel ${options.name}`, this);
  }

  /** The kernel's clock, ns. */
  get nowNs(): number {
    return this.engine.nowNs - this.clockHeldNs;
  }

  /** CPUs that are online, as a mask. */
  get onlineMask(): CpuMask {
    return this.cpus.reduce((mask, { id, state }) => state === "online" ? mask | (1 << id) : mask, 0);
  }

  /** All CPUs, as a mask. */
  get possibleMask(): CpuMask {
    return -1 >>> (32 - this.cpus.length) | 0;
  }

  /** Those of `mask` that are not isolated, where there are any: CPUs for tasks that nobody has placed. */
  housekeeping(mask: CpuMask): CpuMask {
    return mask & ~this.isolated || mask;
  }

  /** Tasks made since boot. */
  get forks(): number {
    return this.#nextPid - 2;
  }

  /**
   * Makes a task; it runs once {@linkcode wake} is called.
   *
   * @param body its life; the task ends when it returns
   * @param done called when it has ended, with the body's result
   * @param parent whose cpuset, policy and priority it inherits, as fork() and clone() do; absent: root, SCHED_OTHER
   */
  createTask(
    name: string,
    allowed: CpuMask,
    body: (task: Task) => Activity<number> | Routine,
    done?: (status: number) => void,
    parent?: Task,
  ): Task {
    const pid = this.takePid();
    const mask = (allowed & this.onlineMask) || this.onlineMask;
    const cpu = this.#leastLoaded(this.housekeeping(mask));
    const task: Task = new Task(pid, name, cpu.id, allowed, this.#life(() => task, body), done);
    if (parent !== undefined) {
      task.cpuset = parent.cpuset;
      task.policy = parent.policy;
      task.rtPriority = parent.rtPriority;
    }
    task.startNs = this.nowNs;
    this.tasks.set(pid, task);
    return task;
  }

  *#life(self: () => Task, body: (task: Task) => Activity<number> | Routine): Activity {
    const task = self();
    const status = yield this.cpus[task.cpu]!.registers.call(body(task));
    yield* this.lastWords(task, status);
  }

  /** A CPU has come online, or goes: the scheduler's tunables follow. */
  retune(): void {
    const online = this.cpus.filter(({ state }) => state === "online").length;
    rescale(this.tunables, this.#tunedFor, online);
    this.#tunedFor = online;
  }

  /** A process id that nobody has. */
  takePid(): number {
    return this.#nextPid++;
  }

  /** An endless loop in user space, as the life of `task`. */
  *spin(task: Task): Activity<number> {
    this.spinning.add(task);
    yield this.endlessLoop;
    return 0;
  }

  /**
   * Ends `task`, whatever it does: it never runs its own code again.
   *
   * @param status what it ends with @param from the CPU whose software does it
   */
  kill(task: Task, status: number, from: KernelCpu): void {
    if (task.dead || task.killed) return;
    task.killed = true;
    if (task.onKill !== null) return task.onKill(from);
    const cpu = this.cpus[task.cpu]!;
    if (cpu.current === task) {
      cpu.killStatus = status; // the next interrupt's way out ends it
      if (cpu !== from) from.rescheduleMask |= 1 << cpu.id;
      return;
    }
    task.preemptCount = 0;
    task.context.abandon(this.lastWords(task, status), false);
    if (!task.runnable) this.wake(task, from);
  }

  /**
   * Makes `task` runnable and decides whether it preempts.
   *
   * @param from the CPU whose software wakes it; where the task's CPU is another one, that CPU gets a reschedule
   * interrupt as soon as `from` can send it
   */
  wake(task: Task, from: KernelCpu): void {
    if (task.dead) return;
    if (task.runnable) {
      task.wakePending = true;
      return;
    }
    const isNew = !task.started;
    if (isNew) {
      // wake_up_new_task(): a new task goes where the least is to be done.
      task.started = true;
      const usable = task.allowed & this.onlineMask;
      if (usable !== 0) task.cpu = this.#leastLoaded(this.housekeeping(usable)).id;
    }
    let cpu = this.cpus[task.cpu]!;
    if (cpu.state !== "online" || (task.allowed & (1 << cpu.id)) === 0) {
      // A task on its way to sleep is still on its CPU and has to go on there.
      if (cpu.current !== task && this.onlineMask !== 0) this.migrate(task, cpu = this.fallback(task), from);
    }
    task.runnable = true;
    this.#updateCurrent(cpu);
    task.queuedNs = this.nowNs;
    cpu.runQueue.enqueue(task, isNew ? "new" : "waking", cpu.current);
    this.#checkPreempt(task, cpu, from);
    if (this.engine.trace !== null) traceWakeup(cpu, task);
  }

  /** update_curr(): the queue's virtual time is that of now, before a task is placed by it. */
  #updateCurrent(cpu: KernelCpu): void {
    cpu.steady.book();
    if (cpu.current !== cpu.idle) cpu.runQueue.account(cpu.current, this.nowNs);
  }

  /**
   * check_preempt_curr(): makes the CPU whose queue `task` has joined schedule, if the task is to run next.
   *
   * @param from the CPU whose software has put it there
   */
  resched(task: Task, cpu: KernelCpu, from: KernelCpu): void {
    this.#updateCurrent(cpu);
    this.#checkPreempt(task, cpu, from);
  }

  #checkPreempt(task: Task, cpu: KernelCpu, from: KernelCpu): void {
    if (cpu.runQueue.preempts(task, cpu.current, cpu.idle)) cpu.needResched = true;
    else if (!cpu.steady.on) return; // a steady CPU has stopped its tick and must be told to share
    if (cpu !== from) from.rescheduleMask |= 1 << cpu.id;
  }

  /**
   * Makes a task belong to `to`: a sleeping one wakes there, a waiting one changes queues. One that a CPU executes, or
   * is about to, stays.
   *
   * @param from the CPU whose software does it
   */
  migrate(task: Task, to: KernelCpu, from: KernelCpu): void {
    const { runQueue: queue, current } = this.cpus[task.cpu]!;
    if (current === task || (task.runnable && !queue.remove(task))) return;
    this.#updateCurrent(this.cpus[task.cpu]!);
    this.#updateCurrent(to);
    task.vruntimeNs += to.runQueue.minVruntimeNs - queue.minVruntimeNs; // lags behind its new peers as it did here
    task.cpu = to.id;
    if (!task.runnable) return;
    to.runQueue.enqueue(task, "as it is");
    this.#checkPreempt(task, to, from);
  }

  /**
   * select_fallback_rq(): the CPU for a task that may not, or cannot, run on its own. Where none that it may use is
   * online it may use all from now on. Linux takes the first and balances later; this is the one with least to do.
   */
  fallback(task: Task): KernelCpu {
    const online = this.onlineMask;
    if ((task.allowed & online) === 0) {
      const { pid, name, cpu } = task;
      if (!task.kernelThread) this.log(`process ${pid} (${name}) no longer affine to cpu${cpu}`);
      task.allowed = this.possibleMask;
    }
    return this.#leastLoaded(this.housekeeping(task.allowed & online));
  }

  /**
   * The running task sleeps until `expiresNs` on `timer`, made with a callback that wakes it: clock_nanosleep(); or until
   * somebody wakes it because `ready` holds: a wait with a timeout.
   */
  *sleepUntil(task: Task, timer: HrTimer, expiresNs: number, ready?: () => boolean): Activity {
    yield this.enterSleep(task);
    const program = this.armSleep(task, timer, expiresNs);
    if (program !== null) yield program;
    while (ready === undefined || !ready()) {
      const away = this.fallAsleep(task, timer);
      if (away === null) break;
      yield away;
      if (timer.base === null) break;
    }
    timer.base?.cancel(timer);
    const preempted = this.leaveSleep(task);
    if (preempted !== null) yield preempted;
  }

  /** First part of {@linkcode sleepUntil}: the system call. */
  enterSleep(task: Task): Step {
    task.preemptCount++;
    return this.steps.nanosleep;
  }

  /** Second part: starts the timer, if that lies ahead; returns the register write that it needs, or null. */
  armSleep(task: Task, timer: HrTimer, expiresNs: number): Step | null {
    if (expiresNs <= this.nowNs) return null;
    const cpu = this.cpus[task.cpu]!;
    cpu.hrtimers.start(timer, expiresNs);
    return cpu.hrtimers.first === timer && cpu.hrtimers.stale ? cpu.programTimer() : null;
  }

  /** Third part: gives the CPU away until the timer has expired; null where it has already. */
  fallAsleep(task: Task, timer: HrTimer): Step | null {
    const cpu = this.cpus[task.cpu]!;
    task.wakePending = false; // the timer's own wake-up, which came already, or one that is not meant for this sleep
    return timer.base !== null && cpu.prepareSleep() ? cpu.schedule() : null;
  }

  /** Last part: back to user space, or to somebody who has become more urgent. */
  leaveSleep(task: Task): Step | null {
    task.preemptCount--;
    const cpu = this.cpus[task.cpu]!; // it may have been moved while it slept
    return cpu.preemptible ? cpu.schedule() : null;
  }

  /** A timer that wakes `task`. */
  sleepTimer(task: Task): HrTimer {
    return new HrTimer(
      `sleep of ${task.name}`,
      this.steps.hrtimerWake,
      (_timer, cpu) => this.wake(task, cpu),
    );
  }

  /** Writes a line to the kernel log. */
  log(text: string): void {
    this.dmesg.push({ timeNs: this.nowNs, text });
  }

  /** Books one interrupt `irq` on CPU `cpu`, for `/proc/interrupts`. */
  countInterrupt(irq: number, cpu: number): void {
    const place = irq * this.cpus.length + cpu;
    if (place >= this.#interruptCounts.length) this.#countUpTo(irq);
    this.#interruptCounts[place]!++;
  }

  /** Forgets the counts of interrupt `irq`: its number is given to another one. */
  clearInterruptCounts(irq: number): void {
    this.interruptCounts(irq).fill(0);
  }

  /**
   * What a CPU executes before {@linkcode KernelCpu.boot}, and takes no time: the pins of its local APIC, where no hypervisor
   * begins behind that.
   */
  firstInstructions: ((cpu: KernelCpu) => void) | null = null;

  /** How often interrupt `irq` was taken on each CPU. */
  interruptCounts(irq: number): Float64Array {
    const { length } = this.cpus;
    if (irq * length >= this.#interruptCounts.length) this.#countUpTo(irq);
    return this.#interruptCounts.subarray(irq * length, (irq + 1) * length);
  }

  #countUpTo(irq: number): void {
    const counts = new Float64Array(2 * (irq + 1) * this.cpus.length);
    counts.set(this.#interruptCounts);
    this.#interruptCounts = counts;
  }

  *#readConsole(cpu: KernelCpu, acknowledge?: () => void): Activity {
    acknowledge?.();
    for (let input = this.consoleInput.shift(); input !== undefined; input = this.consoleInput.shift()) {
      yield this.steps.deviceHandler;
      input(cpu);
    }
  }

  /** The end of `task`: tells whoever waits, and leaves the CPU for ever. */
  *lastWords(task: Task, status: number): Activity {
    task.atEnd?.();
    this.spinning.delete(task);
    this.tasks.delete(task.pid);
    yield* this.tlb.exitMm(task);
    task.done?.(status);
    yield* this.cpus[task.cpu]!.sendPendingIpis();
    yield* this.cpus[task.cpu]!.exit();
  }

  /**
   * The CPU of `mask` with the least to do; where several have, that is a free choice. Nobody looks at the load of
   * isolated ones: the first is taken.
   */
  #leastLoaded(mask: CpuMask): KernelCpu {
    if ((mask & this.isolated) !== 0) return this.cpus[firstCpu(mask)]!;
    let best: KernelCpu[] = [];
    let least = Infinity;
    for (const cpu of this.cpus) {
      if ((mask & (1 << cpu.id)) === 0) continue;
      const load = cpu.runQueue.length + (cpu.current === cpu.idle ? 0 : 1);
      if (load < least) [best, least] = [[], load];
      if (load === least) best.push(cpu);
    }
    return best[this.engine.choose(best.length, `${this.name}: CPU of a new task`)] ?? this.cpus[0]!;
  }

  /** Books what steady CPUs have done up to now, before anybody looks. */
  settle(): void {
    for (const cpu of this.cpus) cpu.steady.book();
  }

  /** Adds the kernel's whole state to `hash`. */
  hashInto(hash: StateHash): void {
    this.settle();
    for (const cpu of this.cpus) cpu.hashInto(hash);
    this.tlb.hashInto(hash);
    this.loadAverage.hashInto(hash);
    this.memory.hashInto(hash);
    this.clocksource.hashInto(hash);
    for (const value of Object.values(this.tunables)) hash.number(value);
    for (const task of this.tasks.values()) task.hashInto(hash);
    hash.number(this.spuriousVectors).word(this.dmesg.length).word(this.consoleInput.length);
  }
}
