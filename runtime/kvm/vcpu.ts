/**
 * A virtual CPU: its VMCS, its virtual local APIC, what it waits for. The loop inside KVM_RUN is `vcpu_loop.ts`.
 *
 * Modelled after `arch/x86/kvm/{x86,vmx,lapic}.c` of Linux 3.5.
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import { APIC_BASE_X2APIC } from "../../hw/lapic_base.ts";
import { DeliveryMode, type LocalApic } from "../../hw/lapic.ts";
import { EVENT_WINDOWS, PAUSE_LOOP_EXITING, Pin, Primary, Vmcs } from "../../hw/vmx.ts";
import type { ApicWrite } from "../linux/board.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import type { Task } from "../linux/sched/task.ts";
import type { RegisterFile } from "../../hw/register_file.ts";
import { type CpuidView, physicalAddressBits, shows } from "./cpuid.ts";
import { KvmLapic } from "./irqchip/lapic.ts";
import { setUpPaging, takeControlRegisters, VcpuMmu } from "./paging.ts";
import { PLE, SpinLoop } from "./pause_loop.ts";
import { PvEoi } from "./pv_eoi.ts";
import { MP_STATES, VcpuEvents } from "./vcpu_events.ts";
import { StealTime } from "./steal_time.ts";
import { catchUpTsc, startTsc, writeTsc } from "./tsc.ts";
import { VcpuState } from "./vcpu_state.ts";
import { VcpuTimes } from "./vcpu_times.ts";
import type { Vm } from "./vm.ts";

/** Why KVM_RUN returns. */
export type RunExit =
  /** Serve the access of the instruction that exited in user space, then run again. */
  | "KVM_EXIT_IO"
  | "KVM_EXIT_MMIO"
  | "KVM_EXIT_SET_TPR"
  /** A signal is pending for the thread. */
  | "KVM_EXIT_INTR"
  /** The guest cannot go on. */
  | "KVM_EXIT_FAIL_ENTRY";

/** What a turn of the loop left for its caller to do (`LOOP_*` of patch 06). */
export type LoopResult = RunExit | "online";

/** A virtual CPU. */
export class Vcpu {
  declare readonly vm: Vm;
  declare readonly id: number;
  declare registers: RegisterFile;
  /** The virtual local APIC: the same device as the physical one; this KVM carries out its effects. */
  readonly apic: LocalApic;
  /** Its control structure. */
  readonly vmcs: Vmcs;
  /** Its architectural state beside what `lapic`, `events`, `vmcs` and `registers` hold. */
  readonly state: VcpuState;
  /** The thread that called KVM_RUN. */
  thread: Task | null = null;
  /** The CPU on which it is loaded. */
  loadedOn: KernelCpu | null = null;
  /** That is a slave CPU. */
  onSlave = false;
  /** It executes, or is about to: whoever has something for it sends a kick (`vcpu->mode` is IN_GUEST_MODE). */
  inGuest = false;
  /** It executed HLT and waits (`KVM_MP_STATE_HALTED`). */
  halted = false;
  /** A signal is pending for the thread. */
  signalPending = false;
  /** The slave CPU it is bound to; -1: none. */
  slaveCpu = -1;
  /** What KVM makes of its local APIC. */
  readonly lapic: KvmLapic;
  /** What it tells the guest of the time that its thread has waited. */
  readonly steal = new StealTime();
  /** What its kernel can tell of where its time went. */
  readonly times: VcpuTimes;
  /** How its kernel can end an interrupt without an exit. */
  readonly pvEoi = new PvEoi(this);
  /** INIT, start-up messages and NMIs that wait for it. */
  readonly events: VcpuEvents;
  /** A start-up message has reached it: what lies there is executed; set by whoever knows the memory. */
  startUp: () => void = () => {};
  /** Whether there is memory at a guest-physical address; set by whoever knows it. */
  hasMemory: (address: bigint) => boolean = () => true;
  /** It waits for a page of its memory. */
  faulted = false;
  /** What an exit handler wants done outside of the loop; `null`: enter again. */
  left: LoopResult | null = null;
  /** Why the loop was left. */
  result: LoopResult = "online";
  /** What the last emulated load got (`mem_read` of the instruction emulator). */
  loaded = 0;
  /** Something is to be looked at before the next entry (`vcpu->requests`). */
  attention = true;
  /** Its thread is in KVM_RUN. */
  running = false;
  /** Exits by basic reason. */
  readonly exits = new Float64Array(64);
  /** Interrupts injected at entry. */
  injections = 0;
  /** NMIs injected at entry. */
  nmiInjections = 0;
  /** How often it was woken from HLT. */
  haltWakeups = 0;
  /** Accesses to memory without a page that only user space could serve. */
  mmioExits = 0;
  /** How often KVM_RUN has returned because a signal was pending. */
  signalExits = 0;
  /** Its own yields to other vCPUs. */
  readonly spinLoop = new SpinLoop();
  /** Its MMU: what it has at hand, and what it has done. */
  readonly mmu = new VcpuMmu();
  /** How often direct mode was switched. */
  directSwitches = 0;

  /** vCPU `id` of `vm`, executing with `registers` when in guest mode. */
  constructor(vm: Vm, id: number, registers: RegisterFile) {
    this.vm = vm;
    this.id = id;
    this.registers = registers;
    this.times = new VcpuTimes(this.steal, vm.kvm.protocol);
    this.lapic = new KvmLapic(this);
    this.apic = this.lapic.core;
    this.events = new VcpuEvents(this);
    this.vmcs = new Vmcs(registers, vm.kvm.normalBitmaps.legacy);
    this.#setUpControls();
    this.vmcs.ept = vm.ept;
    this.state = new VcpuState(vm.tscKhz);
    startTsc(this);
    vm.kvm.host.engine.register(`${vm.name} vcpu${id}`, this);
  }

  /** `setup_vmcs_config()`: what the processor has. Without local APICs in the kernel user space hears of CR8. */
  #setUpControls(): void {
    const { vmcs } = this;
    vmcs.pinBased |= Pin.VirtualNmis;
    vmcs.secondary |= PAUSE_LOOP_EXITING;
    vmcs.pleGap = PLE.gap;
    vmcs.pleWindow = PLE.window;
    vmcs.virtualApic = this.apic;
    vmcs.primary |= this.vm.irqchip ? Primary.UseTprShadow : Primary.Cr8LoadExiting | Primary.Cr8StoreExiting;
    setUpPaging(this);
  }

  /** In traces: `vm0.0`. */
  get name(): string {
    return `${this.vm.name}.${this.id}`;
  }

  /** Whether it boots the machine (`kvm_vcpu_is_reset_bsp()`). */
  get bootProcessor(): boolean {
    return this.id === this.vm.bootCpuId;
  }

  /** `kvm_vcpu_reset()`, as far as interrupts go. @param init by INIT */
  reset(init: boolean): void {
    this.events.reset();
    this.lapic.reset(init);
    this.pvEoi.reset();
    this.halted = false;
  }

  /**
   * What user space sets when it resets the machine: registers, local APIC, no event to be injected. What it has no say in
   * stays: the slave CPU, whether direct mode is on, and what a slave's own APIC holds.
   *
   * @param registers what it executes from now on
   */
  restart(registers: RegisterFile): void {
    this.vm.kvm.settleTimes();
    this.times.reset();
    this.registers = this.vmcs.guest = registers;
    this.vmcs.entryInterruptionInfo = 0;
    this.vmcs.primary &= ~EVENT_WINDOWS;
    takeControlRegisters(this);
    this.reset(false);
    this.state.reset();
    this.steal.reset();
    writeTsc(this, 0n);
    this.faulted = false;
    this.events.setMpState(MP_STATES[this.bootProcessor ? "runnable" : "uninitialized"]);
  }

  /** KVM_SET_CPUID2: what CPUID shows, and with that which bits the local APIC has. */
  setCpuid(entries: readonly CpuidView[]): void {
    this.state.cpuid = entries;
    this.lapic.features = {
      x2apic: shows(entries, "x2apic"),
      tscDeadline: shows(entries, "tsc_deadline_timer"),
      physicalAddressBits: physicalAddressBits(entries),
    };
  }

  /**
   * The first thing that the guest's kernel does: where CPUID shows x2APIC it puts its APIC into that form, and then
   * writes `writes`. (Programs of the model begin behind it.)
   */
  startGuestApic(writes: readonly ApicWrite[] = []): void {
    const x2apic = shows(this.state.cpuid, "x2apic");
    const { base } = this.lapic;
    this.lapic.setBase((x2apic ? base | APIC_BASE_X2APIC : base & ~APIC_BASE_X2APIC) >>> 0, true);
    for (const [offset, value] of writes) this.lapic.write(offset, value, this.vm.kvm.host.cpus[0]!); // nothing is sent
  }

  /** Exits of all reasons. */
  get totalExits(): number {
    let sum = 0;
    for (const count of this.exits) sum += count;
    return sum;
  }

  /** Whether a virtual interrupt or a wake-up waits for it. */
  get runnable(): boolean {
    if (this.signalPending) return true;
    if (!this.events.runnable) return this.events.startable;
    return !this.halted || this.hasInterrupt || this.lapic.timer.interrupts || this.events.nmiWaits;
  }

  /**
   * What is looked at before an entry (`vcpu_enter_guest()`): events, the I/O APIC's entries, an expiry of the timer.
   *
   * @returns whether it can run
   */
  serveRequests(cpu: KernelCpu): boolean {
    const { lapic, events, vm } = this;
    const { tscCatchesUp } = this.state;
    this.attention = tscCatchesUp; // what else stays pending, the change that lets it through will ask for
    if (tscCatchesUp) catchUpTsc(this);
    events.accept();
    if (!events.runnable) return false;
    this.mmu.caches.load(this, cpu);
    if (lapic.scanRequested) vm.scanIoapic(this);
    lapic.timer.inject(cpu);
    events.collectNmis();
    return true;
  }

  /**
   * The interrupt that the guest takes next, acknowledged (`kvm_cpu_get_interrupt()`): the APIC's or the 8259's; -1: none.
   *
   * @param vector that of the APIC, or -1
   */
  acknowledgeInterrupt(vector = this.apic.pendingVector()): number {
    const { apic } = this;
    if (this.hasExtInt && (vector < 0 || this.lapic.version.extIntFirst)) {
      const external = this.vm.chips!.pic.core.acknowledge();
      apic.inheritedFactor[external] = 0; // a path of its own begins
      return external;
    }
    if (vector >= 0) apic.acknowledge(vector);
    return vector;
  }

  /** `kvm_cpu_has_extint()`: the 8259 asks, and LINT0 is open for it. */
  get hasExtInt(): boolean {
    return this.vm.picAsks && this.lapic.acceptsPic;
  }

  /** `kvm_cpu_has_interrupt()`. */
  get hasInterrupt(): boolean {
    return this.apic.pendingVector() >= 0 || this.hasExtInt;
  }

  /** Makes the vCPU look at what has changed for it: wakes it, or interrupts the CPU that runs it. */
  kick(from: KernelCpu): void {
    const thread = this.thread;
    if (this.slaveCpu >= 0 && this.loadedOn?.state === "slave") {
      this.vm.kvm.kickSlave(this, from);
      return;
    }
    if (thread === null) return;
    this.vm.kvm.host.wake(thread, from);
    const cpu = this.loadedOn;
    if (this.inGuest && cpu !== null && cpu !== from) from.rescheduleMask |= 1 << cpu.id;
  }

  /**
   * A virtual interrupt for it, into the virtual APIC, and a kick.
   *
   * @param mode delivery mode of the message @returns whether it counts as delivered
   */
  interrupt(vector: number, from: KernelCpu, level = false, mode: number = DeliveryMode.Fixed): boolean {
    const { apic } = this;
    const coalesced = apic.irr.has(vector) && this.lapic.version.coalesces;
    if (!apic.accept(vector, level)) return false;
    if (from.kernel.engine.trace !== null) {
      const fields = { vcpu: this.name, apicid: apic.id, vec: vector, mode, level, coalesced };
      this.vm.tracepoint("kvm_apic_accept_irq", fields, from);
    }
    if (coalesced) return false; // who requested it first has kicked
    apic.inheritedFactor[vector] = this.vm.kvm.physical(from).pathFactor; // caches as the cause has found them
    this.kick(from);
    return true;
  }

  /** Its timer has expired on `cpu`: it is woken, or leaves guest mode, and finds the interrupt. */
  timerExpired(cpu: KernelCpu): void {
    this.attention = true;
    // In KVM_RUN the loop's next turn takes it up; that it does at once makes no difference to anybody else.
    if (this.running) this.lapic.timer.inject(cpu);
    else this.kick(cpu);
  }

  /** Writes a tracepoint of KVM, with the kernel's names. */
  tracepoint(name: string, fields: Record<string, number | string | boolean>): void {
    const { engine } = this.vm.kvm.host;
    if (engine.trace === null) return;
    engine.trace.record({
      event: engine.event,
      cause: engine.cause,
      timeNs: engine.nowNs,
      where: this.loadedOn === null ? this.vm.name : `cpu${this.loadedOn.id}`,
      kind: "tracepoint",
      name,
      fields,
    });
  }

  /** Adds the vCPU's state to `hash`. */
  hashInto(hash: StateHash): void {
    this.lapic.hashInto(hash);
    this.events.hashInto(hash);
    this.steal.hashInto(hash);
    this.pvEoi.hashInto(hash);
    this.vmcs.hashInto(hash);
    hash.word(this.loaded).text(this.inGuest ? "in guest" : "outside").flag(this.halted).flag(
      this.signalPending,
    ).flag(this.faulted);
    hash.word(this.slaveCpu).flag(this.registers.interruptFlag).flag(this.registers.halted);
    this.registers.context.hashInto(hash);
    this.state.hashInto(hash);
    this.mmu.caches.hashInto(hash);
    for (const count of this.exits) hash.number(count);
  }
}
