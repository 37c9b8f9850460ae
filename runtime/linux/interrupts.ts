/**
 * Interrupt entry: from the vector to the handler, and what happens on the way out.
 *
 * Modelled after `arch/x86/kernel/{irq,smp,apic}.c`, `kernel/hrtimer.c` and `kernel/softirq.c` of Linux 3.4. The
 * same text serves a host and a guest: where a register access exits is decided by the processor.
 *
 * @module
 */

import { type Activity, Step } from "../../hw/sim/activity.ts";
import { Apic } from "../../hw/lapic.ts";
import type { KernelCpu } from "./kernel_cpu.ts";
import { Vector } from "./vectors.ts";

/** The handler of external interrupt `vector` on `cpu`. */
export function interruptHandler(cpu: KernelCpu, vector: number): Activity<unknown> {
  if (cpu.steadySinceNs >= 0) cpu.leaveSteady();
  switch (vector) {
    case Vector.LocalTimer:
      return cpu.localTimerOverride?.() ?? localTimer(cpu);
    case Vector.Reschedule:
      return reschedule(cpu);
    case Vector.CallFunctionSingle:
      return callFunctionSingle(cpu);
    default:
      return device(cpu, vector);
  }
}

/** smp_apic_timer_interrupt(): acknowledges first, then runs the timers that have expired. */
function* localTimer(cpu: KernelCpu): Activity {
  const { kernel, hrtimers } = cpu;
  yield kernel.steps.irqEntry;
  yield cpu.apicWrite(Apic.EOI, 0);
  cpu.localTimerInterrupts++;
  hrtimers.programmedNs = Infinity;
  const extra = cpu.background === null ? null : cpu.background.extraWork();
  if (extra !== null) yield extra;
  for (;;) {
    const timer = hrtimers.takeExpired(kernel.nowNs);
    if (timer === null) break;
    yield timer.step;
    timer.callback(timer, cpu);
  }
  if (hrtimers.stale && !cpu.enterSteady()) yield cpu.programTimer();
  if (cpu.softirqs.length > 0 || (cpu.rescheduleMask | cpu.nmiMask) !== 0) yield* leave(cpu);
  const away = cpu.preempt();
  if (away !== null) yield away;
}

/** scheduler_ipi(): somebody queued a task here. */
function* reschedule(cpu: KernelCpu): Activity {
  yield cpu.kernel.steps.irqEntry;
  yield cpu.apicWrite(Apic.EOI, 0);
  cpu.rescheduleInterrupts++;
  yield cpu.kernel.steps.ipiHandler;
  yield* leave(cpu);
  const away = cpu.preempt();
  if (away !== null) yield away;
}

/** generic_smp_call_function_single_interrupt(): runs what other CPUs have sent. */
function* callFunctionSingle(cpu: KernelCpu): Activity {
  yield cpu.kernel.steps.irqEntry;
  yield cpu.apicWrite(Apic.EOI, 0);
  cpu.callFunctionInterrupts++;
  yield cpu.kernel.steps.ipiHandler;
  if (cpu.state === "slave") return; // the slave's own loop takes them
  for (let work = cpu.callFunctions.shift(); work !== undefined; work = cpu.callFunctions.shift()) {
    yield cpu.registers.call(work);
  }
  yield* leave(cpu);
  const away = cpu.preempt();
  if (away !== null) yield away;
}

/** do_IRQ(): an edge-triggered device interrupt; acknowledged before its handler runs. */
function* device(cpu: KernelCpu, vector: number): Activity {
  const { kernel } = cpu;
  yield kernel.steps.irqEntry;
  const action = cpu.vectorIrq.get(vector);
  yield cpu.apicWrite(Apic.EOI, 0);
  if (action === undefined) {
    kernel.spuriousVectors++;
    kernel.log(`do_IRQ: ${cpu.id}.${vector} No irq handler for vector (irq -1)`);
    return;
  }
  kernel.countInterrupt(action.irq, cpu.id);
  const { topHalf } = action;
  if (topHalf) {
    yield topHalf.step ?? kernel.steps.deviceHandler;
    topHalf.act(cpu);
  } else yield cpu.registers.call(action.handler(cpu));
  yield* leave(cpu);
  const away = cpu.preempt();
  if (away !== null) yield away;
}

/**
 * irq_exit(): softirqs, with interrupts on; then the interrupts to other CPUs that wake-ups asked for.
 *
 * Softirqs cannot be preempted, save in an RT kernel, where they have the priority of a thread below every
 * real-time task: there a waking task takes the CPU in the middle of them.
 */
function* leave(cpu: KernelCpu): Activity {
  const { registers, softirqs } = cpu;
  while (softirqs.length > 0 && !cpu.inSoftirq) {
    const work = softirqs.shift()!;
    const task = cpu.current;
    const flag = registers.interruptFlag, count = task.preemptCount;
    task.preemptCount = cpu.kernel.release.realTime ? 0 : count + 1;
    cpu.inSoftirq = true;
    registers.interruptFlag = true;
    if (work instanceof Step) yield work;
    else for (let step = work.next(cpu); step !== null; step = work.next(cpu)) yield step;
    registers.interruptFlag = flag;
    cpu.inSoftirq = false;
    task.preemptCount = count;
  }
  yield* cpu.sendPendingIpis();
  if (cpu.killStatus >= 0 && !cpu.inSoftirq) {
    const task = cpu.current;
    const status = cpu.killStatus;
    cpu.killStatus = -1;
    task.preemptCount = 0;
    task.context.abandon(cpu.kernel.lastWords(task, status), true);
  }
  if (cpu.hrtimers.stale && cpu.hrtimers.programmedNs === Infinity) yield cpu.programTimer(); // it was steady
}

/** The NMI handler: asks the registered handlers in order. */
export function* nmiHandler(cpu: KernelCpu): Activity {
  yield cpu.kernel.steps.irqEntry;
  cpu.nonMaskableInterrupts++;
  for (const handler of cpu.kernel.nmiHandlers) if (handler(cpu)) return;
  cpu.kernel.log(`Uhhuh. NMI received for unknown reason on CPU ${cpu.id}.`);
}

/** An exception in the kernel: the fix-up table takes #GP of MSR accesses, and the log keeps it. */
export function* exceptionHandler(cpu: KernelCpu, vector: number): Activity {
  yield cpu.kernel.steps.irqEntry;
  cpu.kernel.log(`general protection fault on CPU ${cpu.id} (vector ${vector}), fixed up`);
}
