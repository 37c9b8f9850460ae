/**
 * Interrupt entry: from the vector to the handler, and what happens on the way out.
 *
 * Modelled after `arch/x86/kernel/{irq,smp,apic}.c`, `kernel/hrtimer.c` and `kernel/softirq.c` of Linux 3.4. The
 * same text serves a host and a guest: where a register access exits is decided by the processor.
 *
 * @module
 */

import { type Activity, Routine, type Step } from "../../../hw/sim/activity.ts";
import { Apic } from "../../../hw/lapic.ts";
import type { HrTimer } from "../hrtimer.ts";
import type { IrqAction, KernelCpu } from "../kernel_cpu.ts";
import { Vector } from "./vectors.ts";

/** The handler of external interrupt `vector` on `cpu`. */
export function interruptHandler(cpu: KernelCpu, vector: number): Activity<unknown> | Routine {
  if (cpu.steadySinceNs >= 0) cpu.leaveSteady();
  if (vector === Vector.LocalTimer && cpu.localTimerOverride !== null) return cpu.localTimerOverride();
  const last = cpu.handlers[vector];
  const handler = last !== undefined && last.over ? last : cpu.handlers[vector] = makeHandler(cpu, vector);
  handler.begin();
  return handler;
}

function makeHandler(cpu: KernelCpu, vector: number): InterruptHandler {
  switch (vector) {
    case Vector.LocalTimer:
      return new LocalTimer(cpu);
    case Vector.Reschedule:
      return new Interprocessor(cpu, RESCHEDULE);
    case Vector.CallFunctionSingle:
    case Vector.CallFunction:
      return new Interprocessor(cpu, CALL_FUNCTION);
    default: {
      const sender = cpu.kernel.tlb.senderOf(vector);
      return sender < 0 ? new DeviceInterrupt(cpu, vector) : new Interprocessor(cpu, invalidation(sender));
    }
  }
}

/** Where a handler stands, in the order in which it comes by. */
const At = {
  Entry: 0,
  Eoi: 1,
  Body: 2,
  Softirqs: 3,
  Softirq: 4,
  Ipis: 5,
  Preempt: 6,
  End: 7,
  Over: 8,
  Ended: 9,
} as const;

/**
 * The frame of every handler: entry, EOI and the handler's own work, in this order or, of a level-triggered line, the other
 * way round; then irq_exit(): softirqs, with interrupts on, and the interrupts to other CPUs that wake-ups asked for; at
 * last the scheduler's word.
 *
 * Interrupts come by the million: a handler that is over serves its CPU and vector again.
 */
export abstract class InterruptHandler extends Routine {
  /** Where it runs. */
  declare readonly cpu: KernelCpu;
  /** Its own work has begun. */
  protected begun = false;
  /** Whether the EOI follows it. */
  protected eoiLast = false;
  #at: number = At.Over;

  constructor(cpu: KernelCpu) {
    super();
    this.cpu = cpu;
  }

  /** Whether it has been left: one whose task was killed never is. */
  get over(): boolean {
    return this.#at === At.Over;
  }

  /** The interrupt has come. */
  begin(): void {
    this.#at = At.Entry;
    this.begun = false;
    this.entry = this.cpu.x2apic && !this.eoiLast ? this.cpu.kernel.steps.irqEntry : null;
  }

  /** The handler's own work: does what its last step was for; answers the next one, or null: {@linkcode after} says how on. */
  protected abstract body(): Step | null;

  /** What comes after the body, one of {@linkcode At}. */
  protected after(): number {
    return At.Softirqs;
  }

  /** The EOI that follows the handler's own work has been written. */
  protected ended(): void {}

  override skipEntry(): void {
    this.#at = At.Eoi;
  }

  override skipHead(): void {
    this.#at = At.Body;
    this.cpu.apicWrite(Apic.EOI, 0);
  }

  override next(): Step | null {
    const { cpu } = this;
    for (;;) {
      switch (this.#at) {
        case At.Entry:
          this.#at = this.eoiLast ? At.Body : At.Eoi;
          return cpu.kernel.steps.irqEntry;
        case At.Eoi:
          this.#at = this.eoiLast ? At.Ended : At.Body;
          if (endsInMemory(cpu)) break;
          return cpu.apicWrite(Apic.EOI, 0);
        case At.Ended:
          this.ended();
          this.#at = this.after();
          break;
        case At.Body: {
          const step = this.body();
          if (step !== null) return step;
          this.#at = this.eoiLast ? At.Eoi : this.after();
          break;
        }
        case At.Softirqs:
          this.#at = cpu.softirqs.begin(cpu) ? At.Softirq : At.Ipis;
          break;
        case At.Softirq: {
          const step = cpu.softirqs.next(cpu);
          if (step !== null) return step;
          this.#at = At.Softirqs;
          break;
        }
        case At.Ipis:
          if ((cpu.rescheduleMask | cpu.nmiMask) !== 0) return cpu.nextIpi();
          if (cpu.killStatus >= 0 && !cpu.softirqs.running && cpu.openHandlers === 0) killCurrent(cpu);
          this.#at = At.Preempt;
          if (cpu.hrtimers.programmedNs === Infinity && cpu.hrtimers.stale) return cpu.programTimer(); // it was steady
          break;
        case At.Preempt: {
          const away = cpu.preempt();
          this.#at = away === null ? At.Over : At.End;
          return away;
        }
        default:
          this.#at = At.Over;
          return null;
      }
    }
  }
}

/** kvm_guest_apic_eoi_write(): test and clear, one instruction of a nanosecond. @returns false: the APIC has to be told */
function endsInMemory({ eoiWord }: KernelCpu): boolean {
  if (eoiWord === null || !eoiWord.set) return false;
  eoiWord.set = false;
  return true;
}

/** A signal has come for the running task: it never runs its own code again. */
function killCurrent(cpu: KernelCpu): void {
  const task = cpu.current;
  const status = cpu.killStatus;
  cpu.killStatus = -1;
  task.preemptCount = 0;
  task.context.abandon(cpu.kernel.lastWords(task, status), true);
}

/** smp_apic_timer_interrupt(): acknowledges first, then runs the timers that have expired. */
class LocalTimer extends InterruptHandler {
  #programmed = false;
  #timer: HrTimer | null = null;

  override begin(): void {
    super.begin();
    this.#programmed = false;
    this.#timer = null;
  }

  protected override body(): Step | null {
    const { cpu } = this;
    const { kernel, hrtimers, background } = cpu;
    if (!this.begun) {
      this.begun = true;
      cpu.localTimerInterrupts++;
      hrtimers.programmedNs = Infinity;
      const extra = background === null ? null : background.extraWork();
      if (extra !== null) return extra;
    }
    if (this.#programmed) return null;
    const expired = this.#timer;
    if (expired !== null) expired.callback(expired, cpu);
    this.#timer = hrtimers.takeExpired(kernel.nowNs);
    if (this.#timer !== null) return this.#timer.step;
    this.#programmed = true;
    return hrtimers.stale && !cpu.enterSteady() ? cpu.programTimer() : null;
  }

  protected override after(): number {
    const { softirqs, rescheduleMask, nmiMask } = this.cpu;
    return softirqs.pending || (rescheduleMask | nmiMask) !== 0 ? At.Softirqs : At.Preempt;
  }
}

/** What another CPU's message asks for. */
interface Message {
  /** Counts the interrupt. */
  count(cpu: KernelCpu): void;
  /** Done when the handler's step has passed; a call of an activity, or null. */
  act(cpu: KernelCpu): Step | null;
  /** See {@linkcode InterruptHandler.after}. */
  after(cpu: KernelCpu): number;
}

/** scheduler_ipi(): somebody queued a task here. */
const RESCHEDULE: Message = {
  count: (cpu) => void cpu.rescheduleInterrupts++,
  act: () => null,
  after: () => At.Softirqs,
};

/** generic_smp_call_function_single_interrupt(): runs what other CPUs have sent. A slave's own loop does that. */
const CALL_FUNCTION: Message = {
  count: (cpu) => void cpu.callFunctionInterrupts++,
  act(cpu) {
    const work = cpu.state === "slave" ? undefined : cpu.callFunctions.shift();
    return work === undefined ? null : cpu.registers.call(work);
  },
  after: (cpu) => cpu.state === "slave" ? At.End : At.Softirqs,
};

/** smp_invalidate_interrupt(): another CPU has changed an address space. */
function invalidation(sender: number): Message {
  return {
    count: (cpu) => void cpu.tlbInterrupts++,
    act(cpu) {
      cpu.kernel.tlb.arrived(cpu, sender);
      return null;
    },
    after: () => At.End,
  };
}

/** An interrupt that another CPU has sent. */
class Interprocessor extends InterruptHandler {
  readonly #message: Message;

  constructor(cpu: KernelCpu, message: Message) {
    super(cpu);
    this.#message = message;
  }

  protected override body(): Step | null {
    const { cpu } = this;
    if (this.begun) return this.#message.act(cpu);
    this.begun = true;
    this.#message.count(cpu);
    return cpu.kernel.steps.ipiHandler;
  }

  protected override after(): number {
    return this.#message.after(this.cpu);
  }
}

/** do_IRQ(): a device interrupt. An edge-triggered one is acknowledged before its handler runs. */
class DeviceInterrupt extends InterruptHandler {
  declare readonly vector: number;
  #action: IrqAction | undefined;

  constructor(cpu: KernelCpu, vector: number) {
    super(cpu);
    this.vector = vector;
  }

  override begin(): void {
    const action = this.#action = this.cpu.vectorIrq.get(this.vector);
    const topHalf = action?.topHalf;
    this.top = topHalf ? topHalf.step ?? this.cpu.kernel.steps.deviceHandler : null;
    this.eoiLast = action?.eoiLast === true;
    super.begin();
  }

  override skipHead(): void {
    super.skipHead();
    if (this.top !== null) this.body();
  }

  protected override body(): Step | null {
    const { cpu } = this;
    const action = this.#action;
    if (action === undefined) return null;
    const nests = cpu.kernel.release.nestedInterrupts === true;
    if (this.begun) {
      action.topHalf?.act(cpu);
      cpu.registers.interruptFlag = false;
      if (nests) cpu.openHandlers--;
      return null;
    }
    this.begun = true;
    if (nests) {
      cpu.openHandlers++;
      cpu.registers.interruptFlag = true;
    }
    cpu.kernel.countInterrupt(action.irq, cpu.id);
    if (action.movePending && !action.eoiLast) action.move?.(); // ack_apic_edge(): irq_move_irq()
    return this.top ?? cpu.registers.call(action.handler(cpu));
  }

  /** ack_apic_level() */
  protected override ended(): void {
    this.#action?.ended?.();
    if (this.#action?.movePending) this.#action.move?.();
  }

  protected override after(): number {
    if (this.#action !== undefined) return At.Softirqs;
    const { kernel, id } = this.cpu;
    kernel.spuriousVectors++;
    kernel.log(`do_IRQ: ${id}.${this.vector} No irq handler for vector (irq -1)`);
    return At.End;
  }
}

/** The NMI handler: asks the registered handlers in order. */
export function* nmiHandler(cpu: KernelCpu): Activity {
  yield cpu.kernel.steps.irqEntry;
  cpu.nonMaskableInterrupts++;
  let handled = false;
  for (const handler of cpu.kernel.nmiHandlers) handled = handler(cpu) || handled; // several NMIs may have come as one
  if (!handled) cpu.kernel.log(`Uhhuh. NMI received for unknown reason on CPU ${cpu.id}.`);
}

/** An exception in the kernel: the fix-up table takes #GP of MSR accesses, and the log keeps it. */
export function* exceptionHandler(cpu: KernelCpu, vector: number): Activity {
  yield cpu.kernel.steps.irqEntry;
  cpu.faults++;
  cpu.kernel.log(`general protection fault on CPU ${cpu.id} (vector ${vector}), fixed up`);
}
