/**
 * One CPU as its kernel sees it: who runs, which timers are queued, what is pending.
 *
 * @module
 */

import type { Activity, Routine, Step } from "../../hw/sim/activity.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import { Apic, DeliveryMode, x2apicMsr } from "../../hw/lapic.ts";
import type { ClockRatio } from "../../hw/lapic_timer.ts";
import { type InterruptTable, RegisterFile } from "../../hw/register_file.ts";
import { measureApicClock, TDCR_DIVIDE_BY_16 } from "./apic_clock.ts";
import { type ApicWrite, type EoiWord, lintWrites, type StealRecord } from "./board.ts";
import { Background, type BackgroundParameters } from "./background.ts";
import { GuestTime } from "./sched/guest_time.ts";
import { HrTimer, HrTimerBase } from "./hrtimer.ts";
import { IdleLoop } from "./sched/idle.ts";
import { exceptionHandler, type InterruptHandler, interruptHandler, nmiHandler } from "./irq/interrupts.ts";
import type { Kernel } from "./kernel.ts";
import { balance, pull } from "./sched/load_balance.ts";
import { RunQueue } from "./sched/runqueue.ts";
import { startProcessors } from "./smp_boot.ts";
import { Steady } from "./sched/steady.ts";
import { Softirqs } from "./irq/softirqs.ts";
import { Task } from "./sched/task.ts";
import { setUpControlRegisters, switchTo } from "./switch_mm.ts";
import { traceSwitch } from "./trace/tracepoints.ts";
import { LVT_TSC_DEADLINE, nextDeadline } from "./tsc_deadline.ts";
import { VectorIrq } from "./irq/vector_irq.ts";
import { Vector } from "./irq/vectors.ts";

/** Timers of the wheel that nobody waits for are rounded to whole seconds (`round_jiffies()`). */
const WHEEL_NS = 1_000_000_000;
/** Where the xAPIC's registers are mapped. */
const APIC_BASE = 0xfee0_0000;
/** ICR bit 14: the level that a message other than INIT is sent with. */
const ICR_ASSERT = 0x4000;

/** Life of a CPU under hotplug; `slave` is the patched kernel's: runs a vCPU and nothing else. */
export type CpuState = "offline" | "online" | "slave";

/** A handler of one step, as most are: the step (by default that of a device's), and what it does when that has passed. */
export interface TopHalf {
  readonly step?: Step;
  act(cpu: KernelCpu): void;
}

/** What a device interrupt is connected to on one CPU. */
export interface IrqAction {
  /** Linux's interrupt number. */
  readonly irq: number;
  /** As `/proc/interrupts` prints it. */
  readonly name: string;
  /** The handler's own work, after entry, where that is one step; the EOI is the flow handler's. */
  readonly topHalf?: TopHalf | null;
  /** Its flow is handle_fasteoi_irq(): the EOI follows the handler. Otherwise it comes first. */
  readonly eoiLast?: boolean;
  /** It moves to another CPU as soon as it has been acknowledged once more. */
  readonly movePending?: boolean;
  /** Moves. */
  move?(): void;
  /** A level has been ended at the local APIC: whatever else has to hear of it is told. */
  ended?(): void;
  /** The handler's own work otherwise. */
  handler(cpu: KernelCpu): Activity<unknown>;
}

/** The device by which commands reach a kernel. */
export interface ConsoleDevice {
  /** Its interrupt. */
  readonly irq: number;
  readonly name: string;
  /** Its handler reads what the device has to say, and its line falls; absent: there is nothing to read. */
  readonly acknowledge?: () => void;
}

/** A CPU of a kernel. */
export class KernelCpu implements InterruptTable {
  declare readonly kernel: Kernel;
  declare readonly id: number;
  /** Hotplug state. */
  state: CpuState = "offline";
  /** It has been given a kernel to start, and is not online yet. */
  booting = false;
  /** The registers it executes with. */
  readonly registers: RegisterFile;
  /** Its high-resolution timers. */
  readonly hrtimers = new HrTimerBase();
  /** What it has executed guests for. */
  readonly guestTime = new GuestTime();
  /** Its run queue. */
  readonly runQueue: RunQueue;
  /** The task that runs. */
  current: Task;
  /** Runs when nobody else wants to. */
  idle: Task;
  /** TIF_NEED_RESCHED. */
  needResched = false;
  /** CPUs that have to be told to reschedule; sent by whoever next can execute an instruction. */
  rescheduleMask = 0;
  /** CPUs that have to be sent an NMI, likewise. */
  nmiMask = 0;
  /** Takes the local timer's interrupt in the kernel's place (a slave CPU's timer belongs to its guest). */
  localTimerOverride: (() => Activity<unknown>) | null = null;
  /** The scheduler's tick. */
  readonly tick: HrTimer;
  /** vector → the handler that has served it last. */
  readonly handlers = new Array<InterruptHandler | undefined>(256).fill(undefined);
  /** vector → interrupt. */
  readonly vectorIrq = new VectorIrq();
  /** Local APIC in x2APIC form: registers are MSRs; else they are mapped memory. */
  x2apic = true;
  /** What a hypervisor tells it of time that others have had; null: nobody does. */
  steal: StealRecord | null = null;
  /** By what a hypervisor lets it end an interrupt; null: by its local APIC alone. */
  eoiWord: EoiWord | null = null;
  /** The time-stamp counter's clock, where the timer is set by deadlines; null: by counts. */
  deadlineClock: ClockRatio | null = null;
  /** Timer counts in … */
  timerTicks = 1;
  /** … so many ns, as measured at boot. */
  timerNs = 1;
  /** Local timer interrupts taken. */
  localTimerInterrupts = 0;
  /** Reschedule interrupts taken. */
  rescheduleInterrupts = 0;
  /** The process whose address space is loaded: its tgid; the idle task and the kernel's threads keep it. 0: nobody's. */
  addressSpace = 0;
  /** TLB shoot-downs that it has been asked for as a slave CPU (`nr_slave_tlbf`). */
  shootdowns = 0;
  /** TLB shoot-downs taken. */
  tlbInterrupts = 0;
  /** Function call interrupts taken. */
  callFunctionInterrupts = 0;
  /** NMIs taken. */
  nonMaskableInterrupts = 0;
  /** Handlers under way that run with interrupts on: others may have come in between (the hardirq part of preempt_count). */
  openHandlers = 0;
  /** General protection faults of accesses that have a fix-up. */
  faults = 0;
  /** Context switches. */
  contextSwitches = 0;
  /** From when on it may give tasks to other busy CPUs. */
  nextBalanceNs = NaN;
  /** Tells who takes the CPU down that it plays dead. */
  onDead: (() => void) | null = null;
  /** What the kernel does here beside the work at hand. */
  readonly background: Background | null;
  /** Work that handlers leave to be done on the way out of the interrupt. */
  readonly softirqs = new Softirqs();
  /** Whether it is looked at one event at a time. */
  readonly steady: Steady;
  /** How far apart ticks are: a tick's period, or more while the CPU idles without one. */
  #tickEvery = 0;
  /** A signal ends the running task, with this status; -1: none. */
  killStatus = -1;
  /** Functions sent by other CPUs (`smp_call_function_single`). */
  readonly callFunctions: Activity<unknown>[] = [];

  /** CPU `id` of `kernel`. */
  constructor(kernel: Kernel, id: number, background: BackgroundParameters | null) {
    this.kernel = kernel;
    this.id = id;
    this.nextBalanceNs = 0; // soon large: see `Engine`
    this.runQueue = new RunQueue(kernel.tunables);
    this.current = this.idle = this.#idleTask(`swapper/${id}`, new IdleLoop(this));
    this.registers = new RegisterFile(this, this.idle.context);
    this.steady = new Steady(this);
    const { name, steps } = kernel;
    this.tick = new HrTimer(`${name} tick ${id}`, steps.tick, (timer) => this.#tick(timer), true);
    this.background = background === null ? null : new Background(this, background);
  }

  #idleTask(name: string, life: Activity<unknown> | Routine): Task {
    const task = new Task(0, name, this.id, 1 << this.id, life);
    task.preemptCount = 1; // it asks for itself whether somebody wants to run
    task.runnable = true;
    return task;
  }

  /** Gives the CPU a new life, to be executed after the next start-up message: by default the idle loop's. */
  prepareStart(name?: string, life: Activity<unknown> | Routine = new IdleLoop(this)): RegisterFile {
    this.booting = name === undefined;
    this.current = this.idle = this.#idleTask(name ?? `swapper/${this.id}`, life);
    this.registers.context = this.idle.context;
    this.registers.interruptFlag = true;
    this.registers.halted = false;
    setUpControlRegisters(this);
    this.addressSpace = 0;
    this.needResched = false;
    this.hrtimers.programmedNs = Infinity;
    return this.registers;
  }

  /** What it writes to its local APIC's registers before {@linkcode boot}. */
  firstApicWrites(): readonly ApicWrite[] {
    return lintWrites(this.id === 0);
  }

  // ---- interrupt descriptor table ----

  /** @inheritdoc */
  interrupt(vector: number): Activity<unknown> | Routine {
    return interruptHandler(this, vector);
  }

  /** @inheritdoc */
  nmi(): Activity<unknown> {
    return nmiHandler(this);
  }

  /** @inheritdoc */
  exception(vector: number): Activity<unknown> {
    return exceptionHandler(this, vector);
  }

  // ---- local APIC ----

  /** `yield cpu.apicWrite(offset, value)`: an MSR in x2APIC form, mapped memory otherwise. */
  apicWrite(offset: number, value: number): Step {
    if (this.x2apic) return this.registers.wrmsr(x2apicMsr(offset), value);
    return this.registers.store(APIC_BASE + offset, value);
  }

  /** `const value = yield cpu.apicRead(offset)`. */
  apicRead(offset: number): Step {
    if (this.x2apic) return this.registers.rdmsr(x2apicMsr(offset));
    return this.registers.load(APIC_BASE + offset);
  }

  /** `yield cpu.sendIpi(cpu, vector)`: fixed delivery to the CPU of that number. */
  sendIpi(destination: number, vector: number): Step {
    return this.sendMessage(destination, ICR_ASSERT + vector);
  }

  /**
   * `yield cpu.sendMessage(cpu, command)`: an interprocessor message to the CPU of that number. One write in x2APIC
   * form. In xAPIC form the destination has a register of its own, which is written first.
   */
  sendMessage(destination: number, command: number): Step {
    if (this.x2apic) return this.apicWrite(Apic.ICR, destination * 0x1_0000_0000 + command);
    return this.registers.call(this.#sendXapic(destination, command));
  }

  /** default_send_IPI_mask_sequence_phys(): with interrupts off, because a handler may send a message too. */
  *#sendXapic(destination: number, command: number): Activity {
    const { registers } = this;
    const flag = registers.interruptFlag;
    registers.interruptFlag = false;
    yield this.apicWrite(Apic.ICR2, (destination << 24) >>> 0);
    yield this.apicWrite(Apic.ICR, command);
    registers.interruptFlag = flag;
  }

  /**
   * `yield cpu.programTimer()`: writes the delay of a timer, the first one, into the initial-count register. Conversion
   * truncates, as `clockevents_program_event()` does; the shortest delay is one count.
   */
  programTimer({ expiresNs }: HrTimer = this.hrtimers.first!): Step {
    const delta = expiresNs - this.kernel.nowNs;
    this.hrtimers.programmedNs = expiresNs;
    const { registers, deadlineClock } = this;
    if (deadlineClock !== null) return registers.call(nextDeadline(registers, delta, deadlineClock));
    const counts = Math.floor((delta * this.timerTicks) / this.timerNs);
    return this.apicWrite(Apic.TMICT, counts < 1 ? 1 : counts);
  }

  /** Sets the local APIC up: enabled, timer one-shot or by deadlines, with vector 0xef, divisor 16, its clock measured. */
  *setupApic(calibration: Step): Activity {
    this.kernel.firstInstructions?.(this);
    yield this.apicWrite(Apic.SVR, 0x100 | Vector.Spurious);
    yield this.apicWrite(Apic.TDCR, TDCR_DIVIDE_BY_16);
    yield this.apicWrite(Apic.LVTT, 0x0001_0000 | Vector.LocalTimer);
    yield* measureApicClock(this, calibration);
    const mode = this.deadlineClock === null ? 0 : LVT_TSC_DEADLINE;
    yield this.apicWrite(Apic.LVTT, mode | Vector.LocalTimer);
  }

  // ---- scheduling ----

  /**
   * First steps of the CPU: local APIC, then the tick. What it runs before the idle loop.
   */
  *boot(): Activity {
    yield* this.setupApic(this.kernel.calibration);
    this.state = "online";
    this.kernel.retune();
    this.startTick();
    this.background?.start();
    yield this.programTimer();
    this.booting = false;
    if (this.id === 0 && this.kernel.startsProcessors) yield* startProcessors(this);
    this.kernel.startUp.cpuBooted();
    yield* this.sendPendingIpis();
  }

  /**
   * Lets the scheduler choose: `const away = cpu.schedule(); if (away !== null) yield away;`. The yield returns when the
   * running task runs again, perhaps on another CPU.
   *
   * @returns the context switch; null where the running task goes on
   */
  schedule(): Step | null {
    const { current, idle, kernel, runQueue } = this;
    const { nowNs } = kernel;
    this.needResched = false;
    if (current !== idle) {
      runQueue.account(current, nowNs);
      if (current.runnable) {
        current.queuedNs = nowNs;
        runQueue.putBack(current);
      }
    }
    const next = runQueue.take() ?? pull(this) ?? idle;
    next.sliceStartNs = next.cpuTimeNs;
    next.turnOver = false;
    if (next.queuedNs >= 0) next.runDelayNs += nowNs - next.queuedNs;
    next.queuedNs = -1;
    if (next === current) return null;
    next.execStartNs = nowNs;
    this.current = next;
    if (kernel.engine.trace !== null) traceSwitch(this, current, next);
    this.contextSwitches++;
    this.registers.next = next.context;
    const keeps = next.kernelThread || next === idle || next.tgid === this.addressSpace;
    return keeps ? kernel.steps.contextSwitch : switchTo(this, current, next.tgid);
  }

  /**
   * The running task shall sleep until {@linkcode Kernel.wake}: prepare, then {@linkcode schedule}.
   *
   * @returns false where a wake-up has come already
   */
  prepareSleep(): boolean {
    const task = this.current;
    if (task.wakePending) {
      task.wakePending = false;
      return false;
    }
    task.runnable = false;
    return true;
  }

  /** The running task sleeps. Call with `yield*`. */
  *sleep(): Activity {
    if (!this.prepareSleep()) return;
    const away = this.schedule();
    if (away !== null) yield away;
  }

  /** The running task ends; never returns to it. */
  *exit(): Activity {
    this.current.runnable = false;
    this.current.dead = true;
    yield this.schedule()!;
    throw new Error(`Task "${this.current.name}" ran after its end`);
  }

  /** Sends the interrupts to other CPUs that wake-ups and kicks have left to be sent. */
  *sendPendingIpis(): Activity {
    for (let send = this.nextIpi(); send !== null; send = this.nextIpi()) yield send;
  }

  /** The next of these: NMIs first; null where none is left. */
  nextIpi(): Step | null {
    if (this.nmiMask !== 0) {
      const target = 31 - Math.clz32(this.nmiMask & -this.nmiMask);
      this.nmiMask &= ~(1 << target);
      return this.sendMessage(target, ICR_ASSERT + (DeliveryMode.Nmi << 8));
    }
    if (this.rescheduleMask !== 0) {
      const target = 31 - Math.clz32(this.rescheduleMask & -this.rescheduleMask);
      this.rescheduleMask &= ~(1 << target);
      return this.sendIpi(target, Vector.Reschedule);
    }
    return null;
  }

  /**
   * The way out of an interrupt: the scheduler chooses where the running task can be preempted; a long system call that
   * cannot yields at its next preemption point.
   */
  preempt(): Step | null {
    if (!this.needResched || this.openHandlers > 0) return null;
    const { current } = this;
    if (current.preemptCount === 0) return this.schedule();
    current.longCall?.cut(current.context);
    return null;
  }

  /** Preemption on the way out of an interrupt or at the end of a non-preemptible section. */
  get preemptible(): boolean {
    return this.needResched && this.current.preemptCount === 0;
  }

  // ---- tick ----

  /** Queues the tick for its next point on the kernel's grid. */
  startTick(): void {
    this.#tickEvery = this.kernel.tickPeriodNs;
    this.#queueTick();
  }

  /** Puts the tick off to the next timer of the wheel; those that nobody waits for are rounded to whole seconds. */
  stopTick(): void {
    this.#tickEvery = WHEEL_NS;
    this.#queueTick();
  }

  #queueTick(): void {
    const phase = this.kernel.tickPhaseNs, every = this.#tickEvery;
    this.hrtimers.start(this.tick, (Math.floor((this.kernel.nowNs - phase) / every) + 1) * every + phase);
  }

  #tick(timer: HrTimer): void {
    this.kernel.loadAverage.update();
    const { current } = this;
    if (this.runQueue.fairLength > 0) balance(this);
    if (current !== this.idle) {
      this.runQueue.account(current, this.kernel.nowNs);
      if (current.policy === "SCHED_RR") this.runQueue.countSlice(current, 1, this.kernel.tickPeriodNs);
      if (this.runQueue.sliceOver(current)) this.needResched = true;
    }
    this.hrtimers.start(timer, timer.expiresNs + this.#tickEvery);
  }

  /** Adds its state, and that of its tasks, to `hash`. */
  hashInto(hash: StateHash): void {
    hash.text(this.state).flag(this.needResched).word(this.rescheduleMask).word(this.current.pid);
    this.steady.hashInto(hash);
    hash.number(this.nextBalanceNs);
    hash.number(this.localTimerInterrupts).number(this.rescheduleInterrupts).flag(this.x2apic);
    hash.number(this.faults).number(this.callFunctionInterrupts).number(this.nonMaskableInterrupts).number(
      this.contextSwitches,
    );
    this.hrtimers.hashInto(hash);
    this.runQueue.hashInto(hash);
  }
}
