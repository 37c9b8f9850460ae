/**
 * TLB shoot-down: who changes an address space tells the CPUs that may have cached it, and waits until they have
 * forgotten.
 *
 * *Document*: Linux 3.4 and 3.6 `mm/memory.c` (`do_wp_page()`), `arch/x86/mm/tlb.c` (`flush_tlb_page()`, `flush_tlb_others_ipi()`, `smp_invalidate_interrupt()`,
 * `leave_mm()`), `kernel/smp.c`; patch 21 of the series (`request_slave_tlb_flush()`).
 *
 * *Modelled*: which CPUs have an address space loaded, also those that idle with it (they leave it at the first
 * shoot-down); a message to each, its handler, the mask of CPUs that have not acknowledged yet, the sender that spins
 * until it is empty. Slave CPUs are asked by NMI; one that is in its loop acknowledges in the handler, one that runs a vCPU
 * before its next entry, or when it gives the vCPU back. A process that fork() has made copies the page of its stack that it
 * writes first, and so does its parent: each flushes that page.
 *
 * *Not modelled*: what a TLB holds, kernel addresses; the faults themselves, other pages that are copied on write, and the
 * flush of the parent's whole address space in fork().
 *
 * *Deviations*: on the machine itself the sender looks at the mask after 20 ns at first, then after ever longer times, at most
 * 1/64 of what it has waited; in a guest, whose processor may leave a loop of PAUSE (PLE), each turn is executed. What the MMU notifier and the process itself have to tell other CPUs is one message.
 *
 * @module
 */

import { type Activity, Op, PAUSE, Step } from "../../hw/sim/activity.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { Kernel } from "./kernel.ts";
import type { KernelCpu } from "./kernel_cpu.ts";
import { Layers } from "./layers.ts";
import { flushOwn, flushPage, leaveMm } from "./switch_mm.ts";
import type { CpuMask, Task } from "./sched/task.ts";
import { Vector } from "./irq/vectors.ts";

/** How soon a spinning sender looks again, ns: at first, at last. */
const FIRST_LOOK_NS = 20;
const LAST_LOOK_NS = 1_000_000;
/** It looks again after this part of the time that it has waited. */
const LOOKS = 64;

/** Where a process of 64 bits has its stack, downwards (`STACK_TOP_MAX`), and bytes of a page. */
const STACK_TOP = 0x7fff_ffff_f000, PAGE = 0x1000;

/** A turn of the loop beside its PAUSE: load, test and branch, ns. */
const TURN_NS = 8;

/** A shoot-down under way. */
export interface Shootdown {
  /** The process whose address space it is: its tgid. */
  readonly addressSpace: number;
  /** The CPU that waits. */
  readonly sender: number;
  /** Since when, ns. */
  readonly sinceNs: number;
  /** CPUs that have not acknowledged yet. */
  waiting: CpuMask;
}

/** The shoot-downs of one kernel. */
export class TlbShootdowns {
  /** What a slave CPU is asked by; an ordinary interrupt would go to its guest. */
  slaveMessage: "NMI" | "IPI" = "NMI";
  /** Slave CPUs in their loop, with nothing to run (`slave_idle`). */
  idleSlaves: CpuMask = 0;
  /** Shoot-downs that somebody had to be asked for. */
  count = 0;
  /** By sender: what its interrupt is about (`flush_state`). */
  readonly #bySender = new Map<number, Shootdown>();
  /** Those that slave CPUs have been asked for (`fti_list`). */
  readonly #ofSlaves: Shootdown[] = [];

  /** @param kernel whose they are */
  constructor(readonly kernel: Kernel) {}

  /** Whether somebody spins. */
  get busy(): boolean {
    return this.#bySender.size + this.#ofSlaves.length > 0;
  }

  /** Those for which somebody spins, in order of their sender's asking. */
  get pending(): readonly Shootdown[] {
    return [...this.#bySender.values(), ...this.#ofSlaves];
  }

  /** The CPU whose shoot-down `vector` means; -1: it is no vector of shoot-downs. */
  senderOf(vector: number): number {
    const vectors = this.kernel.release.tlbVectors;
    if (vectors === undefined || vector < vectors.first || vector >= vectors.first + vectors.count) return -1;
    return vector - vectors.first;
  }

  /**
   * mprotect() of a new thread's stack, whose lowest page is its guard. A range without pages is flushed too, until 3.8.
   *
   * @param task the thread that makes the other
   */
  *guardStack(task: Task): Activity {
    if (this.kernel.release.tlbVectors !== undefined) yield* this.flush(task, task.tgid);
  }

  /** exit_mmap(): with its last thread, `task`, an address space goes; CPUs that idle with it are told. */
  *exitMm(task: Task): Activity {
    const { cpus, tasks } = this.kernel;
    if (!cpus.some(({ addressSpace }) => addressSpace === task.tgid)) return;
    for (const { tgid } of tasks.values()) if (tgid === task.tgid) return;
    if (cpus[task.cpu]!.addressSpace === task.tgid) yield* leaveMm(cpus[task.cpu]!);
    yield* this.flush(task, task.tgid);
  }

  /**
   * do_wp_page(): the first write of a process, `task`, to its stack after a fork() that it came out of, on either side. The
   * page is shared until then; it is copied, and what the TLB holds of it is wrong.
   */
  *copyStack(task: Task): Activity {
    yield* this.flush(task, task.tgid, STACK_TOP - PAGE);
  }

  /**
   * flush_tlb_page(), or of all pages flush_tlb_mm(): makes all CPUs forget them of the address space of process
   * `addressSpace`. Executed by `task`.
   */
  *flush(task: Task, addressSpace: number, page?: number): Activity {
    const { kernel } = this;
    const cpu = kernel.cpus[task.cpu]!;
    if (cpu.addressSpace === addressSpace) yield* page === undefined ? flushOwn(cpu) : flushPage(cpu, page);
    let online = 0, slaves = 0;
    for (const other of kernel.cpus) {
      if (other === cpu || other.addressSpace !== addressSpace) continue;
      if (other.state === "online") online |= 1 << other.id;
      else if (other.state === "slave") slaves |= 1 << other.id;
    }
    if ((online | slaves) === 0) return;
    this.count++;
    task.preemptCount++; // it stays on this CPU, with interrupts on
    if (online !== 0) yield* this.#interrupt(cpu, this.#shootdown(cpu, addressSpace, online));
    if (slaves !== 0) yield* this.#askSlaves(cpu, this.#shootdown(cpu, addressSpace, slaves));
    task.preemptCount--;
    const preempted = cpu.preemptible ? cpu.schedule() : null;
    if (preempted !== null) yield preempted;
  }

  #shootdown(cpu: KernelCpu, addressSpace: number, waiting: CpuMask): Shootdown {
    return { addressSpace, sender: cpu.id, sinceNs: this.kernel.nowNs, waiting };
  }

  /** Online CPUs: by a vector of the sender's, or, since 3.6, as a function call. */
  *#interrupt(cpu: KernelCpu, shootdown: Shootdown): Activity {
    const { cpus, release: { tlbVectors } } = this.kernel;
    this.#bySender.set(cpu.id, shootdown);
    const targets = cpus.filter(({ id }) => (shootdown.waiting & (1 << id)) !== 0);
    for (const target of targets) {
      if (tlbVectors === undefined) target.callFunctions.push(this.#called(target, shootdown));
      const called = targets.length > 1 ? Vector.CallFunction : Vector.CallFunctionSingle;
      yield cpu.sendIpi(
        target.id,
        tlbVectors === undefined ? called : tlbVectors.first + cpu.id % tlbVectors.count,
      );
    }
    yield* this.#spin(shootdown);
    this.#bySender.delete(cpu.id);
  }

  // deno-lint-ignore require-yield
  *#called(cpu: KernelCpu, shootdown: Shootdown): Activity {
    this.#forget(cpu, shootdown);
  }

  /** Slave CPUs: patch 21. */
  *#askSlaves(cpu: KernelCpu, shootdown: Shootdown): Activity {
    const { cpus } = this.kernel;
    this.#ofSlaves.push(shootdown);
    for (const slave of cpus) if ((shootdown.waiting & (1 << slave.id)) !== 0) slave.shootdowns++;
    if (this.slaveMessage === "NMI") cpu.nmiMask |= shootdown.waiting;
    else cpu.rescheduleMask |= shootdown.waiting;
    yield* cpu.sendPendingIpis();
    yield* this.#spin(shootdown);
    this.#ofSlaves.splice(this.#ofSlaves.indexOf(shootdown), 1);
  }

  /** `while (!cpumask_empty(mask)) cpu_relax()`: without an end if nobody answers. */
  *#spin(shootdown: Shootdown): Activity {
    const { kernel } = this;
    const look = new Step(Op.Work, "flush_tlb_others", kernel.kernelLayer, TURN_NS, false);
    while (shootdown.waiting !== 0) {
      if (kernel.kernelLayer === Layers.GuestKernel) {
        yield PAUSE;
        yield look;
        continue;
      }
      const waitedNs = kernel.nowNs - shootdown.sinceNs;
      look.ns = Math.min(LAST_LOOK_NS, Math.max(FIRST_LOOK_NS, Math.floor(waitedNs / LOOKS)));
      yield look;
    }
  }

  /** The shoot-down of `sender` has come to `cpu`, by its interrupt. */
  arrived(cpu: KernelCpu, sender: number): void {
    const shootdown = this.#bySender.get(sender);
    if (shootdown !== undefined) this.#forget(cpu, shootdown);
  }

  /** slave_tlb_flush_nmi(): the NMI handler. A CPU that is on its way into or out of a guest answers later. */
  nmiArrived(cpu: KernelCpu): boolean {
    if (cpu.state !== "slave" || cpu.shootdowns === 0) return false;
    if ((this.idleSlaves & (1 << cpu.id)) !== 0) this.serveSlave(cpu);
    return true;
  }

  /** handle_slave_tlb_flush(): does what slave CPU `cpu` has been asked for. */
  serveSlave(cpu: KernelCpu): void {
    if (cpu.shootdowns === 0) return;
    for (const shootdown of this.#ofSlaves) {
      if ((shootdown.waiting & (1 << cpu.id)) !== 0) this.#forget(cpu, shootdown);
    }
    cpu.shootdowns = 0;
  }

  /** flush_tlb_func(): a CPU that only idles with the address space leaves it. */
  #forget(cpu: KernelCpu, shootdown: Shootdown): void {
    shootdown.waiting &= ~(1 << cpu.id);
    const { current } = cpu;
    if (current.tgid !== shootdown.addressSpace && cpu.state === "online") cpu.addressSpace = 0;
  }

  /** Adds what is under way to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.count).word(this.idleSlaves);
    for (const { addressSpace, waiting } of this.pending) hash.word(addressSpace).word(waiting);
  }
}
