/**
 * CPU hotplug: taking a CPU from the kernel and giving it back.
 *
 * *Document*: Linux 3.5 `kernel/cpu.c`, `arch/x86/kernel/smpboot.c`, `arch/x86/kernel/irq.c`, `kernel/sched/core.c`,
 * `kernel/hrtimer.c`.
 *
 * *Modelled*: the calling task waits while the CPU's stopper thread, with interrupts off, moves interrupts and runnable
 * tasks away and the CPU plays dead; its timers go to the caller's CPU. Sleeping tasks choose another CPU when they
 * wake. A start is INIT and SIPI.
 *
 * *Not modelled*: notifiers that refuse, the freezing of the other CPUs by stop_machine.
 *
 * *Deviations*: asking for the state that the CPU has already is a success, as on kernels since 3.11.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import type { Activity } from "../../hw/sim/activity.ts";
import { Apic, DeliveryMode } from "../../hw/lapic.ts";
import type { Machine } from "../../hw/machine.ts";
import { EBUSY, EINVAL, type Errno } from "./errno.ts";
import { IdleLoop } from "./sched/idle.ts";
import type { Irqs } from "./irq/irq.ts";
import type { Kernel } from "./kernel.ts";
import { TRAMPOLINE_PAGE } from "./smp_boot.ts";
import type { KernelCpu } from "./kernel_cpu.ts";
import type { KernelThreads } from "./sched/kthreads.ts";
import type { Task } from "./sched/task.ts";

/** What a change has moved. Empty where the CPU was in the wanted state already. */
export interface HotplugReport {
  /** The CPU. */
  readonly cpu: number;
  /** The state it has now. */
  readonly online: boolean;
  /** Kernel threads that have left it (down), or are bound to it again (up), by name. */
  readonly threads: readonly string[];
  /** Other tasks that have left it, or will when they wake, by name. */
  readonly tasks: readonly string[];
  /** Interrupts that have left it, by number. */
  readonly irqs: readonly number[];
}

/** Hotplug of one kernel. */
export class CpuHotplug {
  /** The last change, for whoever wants to tell about it; a write to sysfs does not return it. */
  lastReport: HotplugReport | null = null;
  /** Told of each CPU that has gone offline. */
  onOffline: (cpu: number) => void = young(() => {});
  /** The CPU whose start-up message is on its way, and what to call when it is online. */
  #starting: { readonly cpu: KernelCpu; readonly online: () => void } | null = null;
  /** cpu_maps_update_begin(): one change at a time. */

  /**
   * Enters itself as the start-up code of `machine`, in front of what is there.
   *
   * @param movesInterrupts whether interrupts leave a CPU that goes offline (`fixup_irqs()`)
   */
  constructor(
    readonly kernel: Kernel,
    readonly machine: Pick<Machine, "startup">,
    readonly irqs: Irqs,
    readonly threads: KernelThreads,
    readonly movesInterrupts = true,
  ) {
    const { startup } = machine;
    machine.startup = young((physical) => {
      const starting = this.#starting;
      if (starting === null || starting.cpu.id !== physical.id) return startup(physical);
      return starting.cpu.prepareStart(undefined, new IdleLoop(starting.cpu, starting.online));
    });
  }

  /**
   * cpu_down(): takes CPU `id` offline. Executed by the task `by`.
   *
   * @returns EINVAL (no such CPU), EBUSY (CPU 0, or the last one online)
   */
  *cpuDown(id: number, by: Task): Activity<HotplugReport | Errno> {
    yield* this.kernel.cpuMaps.lock(by);
    const result = yield* this.#down(id, by);
    yield* this.kernel.cpuMaps.unlock(by);
    return result;
  }

  /**
   * cpu_up(): brings CPU `id` online. Executed by the task `by`.
   *
   * @returns EINVAL (no such CPU, or it is a slave)
   */
  *cpuUp(id: number, by: Task): Activity<HotplugReport | Errno> {
    yield* this.kernel.cpuMaps.lock(by);
    const result = yield* this.#up(id, by);
    yield* this.kernel.cpuMaps.unlock(by);
    return result;
  }

  // ---- down ----

  *#down(id: number, by: Task): Activity<HotplugReport | Errno> {
    const { kernel } = this;
    const cpu = kernel.cpus[id];
    if (cpu === undefined) return EINVAL;
    if (id === 0) return EBUSY;
    if (cpu.state !== "online") return nothingMoved(id, false);
    if (kernel.onlineMask === 1 << id) return EBUSY;
    const there = [...kernel.tasks.values()].filter((task) => task.cpu === id);
    const irqs: number[] = [];
    let dead = false;
    cpu.onDead = young(() => {
      dead = true;
      kernel.wake(by, cpu);
    });
    const here = kernel.cpus[by.cpu]!;
    const stopper = this.threads.stopper(id);
    stopper.run(this.#takeCpuDown(cpu, stopper.task, irqs), here);
    yield* here.sendPendingIpis();
    while (!dead) yield* kernel.cpus[by.cpu]!.sleep();
    yield* this.#takeTimers(cpu, kernel.cpus[by.cpu]!);
    this.onOffline(id);
    kernel.log(`smpboot: CPU ${id} is now offline`);
    const names = (threads: boolean) => there.filter((t) => t.kernelThread === threads).map((t) => t.name);
    return this.#report({ cpu: id, online: false, threads: names(true), tasks: names(false), irqs });
  }

  /** take_cpu_down(), by the stopper of `cpu` on `cpu` itself. Interrupts stay off until the next INIT. */
  *#takeCpuDown(cpu: KernelCpu, stopper: Task, irqs: number[]): Activity {
    const { kernel } = this;
    const { registers, hrtimers } = cpu;
    // An RT kernel's softirqs can be preempted, by this thread too: one that has begun here has to end here.
    const again = kernel.sleepTimer(stopper);
    while (cpu.softirqs.running) yield* kernel.sleepUntil(stopper, again, kernel.nowNs + kernel.tickPeriodNs);
    registers.interruptFlag = false;
    cpu.state = "offline";
    kernel.retune();
    for (const timer of [...hrtimers.timers()]) if (timer.pinned) hrtimers.cancel(timer);
    yield cpu.apicWrite(Apic.TMICT, 0);
    hrtimers.programmedNs = Infinity;
    const left = this.movesInterrupts ? this.irqs.evacuate(cpu) : [];
    irqs.push(...left.map(({ descriptor }) => descriptor.irq));
    for (const task of cpu.runQueue.tasks()) kernel.migrate(task, kernel.fallback(task), cpu);
    yield* cpu.sendPendingIpis();
    yield kernel.steps.cpuDown; // meanwhile the interrupt messages that were on their way come in
    yield* this.irqs.retrigger(cpu, left);
    for (let work = cpu.callFunctions.shift(); work !== undefined; work = cpu.callFunctions.shift()) {
      yield registers.call(work);
    }
    yield* cpu.sendPendingIpis();
  }

  /** migrate_hrtimers(): what is queued on the dead CPU expires on `here` instead, the CPU that executes this. */
  *#takeTimers(dead: KernelCpu, here: KernelCpu): Activity {
    for (const timer of [...dead.hrtimers.timers()]) here.hrtimers.start(timer, timer.expiresNs);
    if (here.hrtimers.stale) yield here.programTimer();
  }

  // ---- up ----

  *#up(id: number, by: Task): Activity<HotplugReport | Errno> {
    const { kernel } = this;
    const cpu = kernel.cpus[id];
    if (cpu === undefined || cpu.state === "slave") return EINVAL;
    if (cpu.state === "online") return nothingMoved(id, true);
    kernel.log(`smpboot: Booting Node 0 Processor ${id} APIC 0x${id.toString(16)}`);
    let online = false;
    this.#starting = {
      cpu,
      online: () => {
        online = true;
        kernel.wake(by, cpu);
      },
    };
    yield kernel.cpus[by.cpu]!.sendMessage(id, DeliveryMode.Init << 8);
    yield kernel.steps.cpuUp;
    yield kernel.cpus[by.cpu]!.sendMessage(id, (DeliveryMode.Startup << 8) + TRAMPOLINE_PAGE);
    while (!online) yield* kernel.cpus[by.cpu]!.sleep();
    this.#starting = null;
    const here = kernel.cpus[by.cpu]!;
    const threads = this.threads.rebind(cpu, here);
    yield* here.sendPendingIpis();
    return this.#report({ cpu: id, online: true, threads, tasks: [], irqs: [] });
  }

  #report(report: HotplugReport): HotplugReport {
    this.lastReport = report;
    return report;
  }
}

/** The CPU was in the wanted state already. */
function nothingMoved(cpu: number, online: boolean): HotplugReport {
  return { cpu, online, threads: [], tasks: [], irqs: [] };
}
