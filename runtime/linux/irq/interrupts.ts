/**
 * Interrupt entry: from the vector to the handler, and what happens on the way out.
 *
 * Modelled after `arch/x86/kernel/{irq,smp,apic}.c`, `kernel/hrtimer.c` and `kernel/softirq.c` of Linux 3.4. The
 * same text serves a host and a guest: where a register access exits is decided by the processor.
 *
 * @module
 */

import { type Activity, Routine, type Step } from "../../../hw/sim/activity.ts";
import { Apic as Offsets } from "../../../hw/lapic.ts";
import type { HrTimer } from "../hrtimer.ts";
import type { IrqAction, KernelCpu, TopHalf } from "../kernel_cpu.ts";
import { Vector as Vectors } from "./vectors.ts";

const Apic = Offsets, Vector = Vectors; // see `hw/cpu.ts`

/** The handler of external interrupt `vector` on `cpu`. */
export function interruptHandler(cpu: KernelCpu, vector: number): Activity<unknown> | Routine {
  if (cpu.steady.on) cpu.steady.leave();
  if (vector === Vector.LocalTimer && cpu.localTimerOverride !== null) return cpu.localTimerOverride();
  const last = cpu.handlers[vector];
  const handler = last !== undefined && last.over ? last : cpu.handlers[vector] = makeHandler(cpu, vector);
  handler.begin();
  return handler;
}

function makeHandler(cpu: KernelCpu, vector: number): InterruptHandler {
  return new InterruptHandler(cpu, workOf(cpu, vector));
}

function workOf(cpu: KernelCpu, vector: number): HandlerWork {
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
const At = Object.freeze({
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
});

/** What one kind of interrupt is for: the part of its handler that is its own. */
abstract class HandlerWork {
  /** Where it runs. */
  declare readonly cpu: KernelCpu;
  /** It has begun. */
  begun = false;
  /** Whether the EOI follows it. */
  eoiLast = false;
  /** See {@linkcode Routine.top}. */
  top: Step | null = null;

  constructor(cpu: KernelCpu) {
    this.cpu = cpu;
  }

  /** The interrupt has come. True: {@linkcode eoiLast} or {@linkcode top} may be others than the last time. */
  begin(): boolean {
    this.begun = false;
    return false;
  }

  /** Does what its last step was for; answers the next one, or null: {@linkcode after} says how on. */
  abstract body(): Step | null;

  /** What comes after the body, one of {@linkcode At}. */
  after(): number {
    return At.Softirqs;
  }

  /** The EOI that follows it has been written. */
  ended(): void {}
}

/**
 * The frame of every handler: entry, EOI and the handler's own work, in this order or, of a level-triggered line, the other
 * way round; then irq_exit(): softirqs, with interrupts on, and the interrupts to other CPUs that wake-ups asked for; at
 * last the scheduler's word.
 *
 * Interrupts come by the million: a handler that is over serves its CPU and vector again. It is one class, its work's kind
 * being within: of up to four kinds of routine a processor's loop knows beforehand which code to call.
 */
export class InterruptHandler extends Routine {
  declare readonly cpu: KernelCpu;
  readonly #work: HandlerWork;
  #at: number = At.Over;

  /** @param cpu where it runs @param work what it is for */
  constructor(cpu: KernelCpu, work: HandlerWork) {
    super();
    this.cpu = cpu;
    this.#work = work;
    this.#prepare();
  }

  /** Whether it has been left: one whose task was killed never is. */
  get over(): boolean {
    return this.#at === At.Over;
  }

  /** The interrupt has come. */
  begin(): void {
    this.#at = At.Entry;
    if (this.#work.begin()) this.#prepare();
  }

  #prepare(): void {
    const { cpu } = this;
    const { top, eoiLast } = this.#work;
    this.top = top;
    this.entry = cpu.x2apic && !eoiLast ? cpu.kernel.steps.irqEntry : null;
  }

  override skipEntry(): void {
    this.#at = At.Eoi;
  }

  override skipHead(): void {
    this.#at = At.Body;
    this.cpu.apicWrite(Apic.EOI, 0);
    if (this.top !== null) this.#work.body();
  }

  override next(): Step | null {
    const { cpu } = this;
    const work = this.#work;
    for (;;) {
      switch (this.#at) {
        case At.Entry:
          this.#at = work.eoiLast ? At.Body : At.Eoi;
          return cpu.kernel.steps.irqEntry;
        case At.Eoi:
          this.#at = work.eoiLast ? At.Ended : At.Body;
          if (endsInMemory(cpu)) break;
          return cpu.apicWrite(Apic.EOI, 0);
        case At.Ended:
          work.ended();
          this.#at = work.after();
          break;
        case At.Body: {
          const step = work.body();
          if (step !== null) return step;
          this.#at = work.eoiLast ? At.Eoi : work.after();
          break;
        }
        case At.Softirqs:
          this.#at = cpu.softirqs.begin(cpu) ? At.Softirq : At.Ipis;
          break;
        case At.Softirq: {
          const step = cpu.softirqs.next(cpu);
          if (step !== null) return step;
          this.#at = cpu.softirqs.pending ? At.Softirqs : At.Ipis;
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
class LocalTimer extends HandlerWork {
  #programmed = false;
  #timer: HrTimer | null = null;

  override begin(): boolean {
    this.#programmed = false;
    this.#timer = null;
    return super.begin();
  }

  override body(): Step | null {
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
    const next = hrtimers.stale ? cpu.steady.nextTimer() : null;
    return next === null ? null : cpu.programTimer(next);
  }

  override after(): number {
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
  /** See {@linkcode HandlerWork.after}. */
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
class Interprocessor extends HandlerWork {
  readonly #message: Message;

  constructor(cpu: KernelCpu, message: Message) {
    super(cpu);
    this.#message = message;
  }

  override body(): Step | null {
    const { cpu } = this;
    if (this.begun) return this.#message.act(cpu);
    this.begun = true;
    this.#message.count(cpu);
    return cpu.kernel.steps.ipiHandler;
  }

  override after(): number {
    return this.#message.after(this.cpu);
  }
}

/** do_IRQ(): a device interrupt. An edge-triggered one is acknowledged before its handler runs. */
class DeviceInterrupt extends HandlerWork {
  declare readonly vector: number;
  #action: IrqAction | undefined;
  #topHalf: TopHalf | null = null;

  constructor(cpu: KernelCpu, vector: number) {
    super(cpu);
    this.vector = vector;
  }

  override begin(): boolean {
    const action = this.cpu.vectorIrq.get(this.vector);
    const topHalf = action?.topHalf ?? null;
    if (action === this.#action && topHalf === this.#topHalf) return super.begin();
    this.#action = action;
    this.#topHalf = topHalf;
    this.top = topHalf === null ? null : topHalf.step ?? this.cpu.kernel.steps.deviceHandler;
    this.eoiLast = action?.eoiLast === true;
    super.begin();
    return true;
  }

  override body(): Step | null {
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
  override ended(): void {
    this.#action?.ended?.();
    if (this.#action?.movePending) this.#action.move?.();
  }

  override after(): number {
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
