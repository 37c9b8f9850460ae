/**
 * A logical processor: runs activities, takes interrupts, enters and leaves guest mode.
 *
 * *Document*: Intel SDM vol. 3A, "Interrupt and Exception Handling"; vol. 3C, "VMX Non-Root Operation",
 * "VM Entries", "VM Exits".
 *
 * *Modelled*: work that an interrupt suspends in the middle; atomic instructions, at whose end interrupts are
 * recognised; RFLAGS.IF; NMIs and their blocking until IRET; HLT and the wake-up from C1; in guest mode, exactly
 * those exits that the VMCS asks for; event injection at VM entry; a preemption timer of 0.
 *
 * *Not modelled*: deeper C-states, SMM, machine checks, instruction fetch.
 *
 * Nothing here knows which software runs. The processor asks registers: `RFLAGS.IF`, the pin-based controls, the
 * MSR bitmap. A step that ends is one event of the engine, whether or not an interrupt came between.
 *
 * @module
 */

import type { Alarm, Engine } from "./sim/engine.ts";
import { HARDWARE, Op, Step } from "./sim/activity.ts";
import type { StateHash } from "./sim/state_hash.ts";
import type { LocalApic } from "./lapic.ts";
import { type Context, type Frame, FrameKind, type RegisterFile } from "./register_file.ts";
import { EventType, ExitReason, interruptionInfo, Pin, Primary, type Vmcs } from "./vmx.ts";

/** Costs of what the processor itself does, integer ns. */
export interface ProcessorCosts {
  /** From the interrupt's arrival at the local APIC to the first instruction of its handler. */
  readonly interruptDelivery: number;
  /** From the entry that injects an event to the first instruction of its handler. */
  readonly eventInjection: number;
  /** Wake-up from C1. */
  readonly c1Exit: number;
  /** VM exit, hardware part. */
  readonly vmExit: number;
  /** VM entry, hardware part. */
  readonly vmEntry: number;
  /** RDMSR or WRMSR that does not exit. */
  readonly msrAccess: number;
  /** IN, OUT, or a load or store to device registers that does not exit. */
  readonly deviceAccess: number;
  /** CPUID that does not exit. */
  readonly cpuid: number;
}

/** What the processor's instructions reach: the machine's registers. */
export interface ProcessorBus {
  /** Performs a WRMSR; false: #GP. */
  writeMsr(cpu: LogicalCpu, msr: number, value: number): boolean;
  /** Performs an RDMSR; `undefined`: #GP. */
  readMsr(cpu: LogicalCpu, msr: number): number | undefined;
  /** Performs an OUT. */
  writePort(cpu: LogicalCpu, port: number, value: number): void;
  /** Performs an IN. */
  readPort(cpu: LogicalCpu, port: number): number;
  /** Performs a store to physical address `address`, outside RAM. */
  store(cpu: LogicalCpu, address: number, value: number): void;
  /** Performs a load from physical address `address`, outside RAM. */
  load(cpu: LogicalCpu, address: number): number;
}

/** #GP. */
const GENERAL_PROTECTION = 13;

/** One logical processor. */
export class LogicalCpu {
  /** Its own register file: root operation. */
  root: RegisterFile | null = null;
  /** The register file in use: its own, or the guest-state area of the VMCS it runs. */
  registers!: RegisterFile;
  /** The VMCS it runs; `null`: root operation. */
  vmcs: Vmcs | null = null;
  /** The current VMCS (VMPTRLD), which the next entry uses. */
  currentVmcs: Vmcs | null = null;
  /** An NMI has arrived and has not been taken. */
  nmiPending = false;
  /** NMIs are blocked until IRET. */
  nmiBlocked = false;
  /** Random factor of the path being executed: scales the cost of work. */
  pathFactor = 1;
  /** Draws the factor of a path that begins. */
  drawPathFactor: () => number = () => 1;
  /** VM exits so far. */
  exits = 0;
  /** Time spent in each layer, ns. */
  readonly layerNs = new Float64Array(8);

  /** The step in flight. */
  #step: Step | null = null;
  #stepStartNs = 0;
  #stepNs = 0;
  readonly #done: Alarm;
  #attention = false;
  readonly #deliver: Step;
  readonly #inject: Step;
  readonly #wake: Step;
  readonly #exit: Step;

  /** @param id its number, which is also its APIC id */
  constructor(
    readonly id: number,
    readonly engine: Engine,
    readonly apic: LocalApic,
    readonly bus: ProcessorBus,
    readonly costs: ProcessorCosts,
  ) {
    this.#done = engine.alarm(`cpu${id}`, () => this.#stepDone());
    this.#deliver = atomic("interrupt delivery", costs.interruptDelivery);
    this.#inject = atomic("event injection", costs.eventInjection);
    this.#wake = atomic("C1 exit", costs.c1Exit);
    this.#exit = atomic("VM exit", costs.vmExit);
    engine.register(`cpu${id}`, this);
  }

  /** Whether it has been started and not been reset since. */
  get running(): boolean {
    return this.root !== null;
  }

  /** INIT and SIPI: starts executing with `registers`. */
  start(registers: RegisterFile): void {
    this.reset();
    this.root = this.registers = registers;
    this.#resumeTop();
  }

  /** INIT: stops whatever it does and waits for a start-up message. */
  reset(): void {
    this.#done.cancel();
    this.#step = null;
    this.root = null;
    this.vmcs = this.currentVmcs = null;
    this.nmiPending = this.nmiBlocked = false;
    this.#attention = false;
    this.apic.reset();
  }

  /** The local APIC's state has changed, or an NMI has come in: looks whether that interrupts what is running. */
  signal(): void {
    this.#attention = this.nmiPending || this.apic.pendingVector() >= 0;
    if (!this.#attention || this.root === null) return;
    if (this.#step !== null) {
      if (this.#step.op === Op.Work && this.#recognisable()) {
        this.#suspendWork();
        this.#recognise();
      }
    } else if (this.registers.halted && this.#recognisable()) {
      this.registers.halted = false;
      this.#start(this.#wake, this.costs.c1Exit);
    }
    // Otherwise software is between two yields: the next boundary recognises it.
  }

  /** An NMI arrives. */
  nmi(): void {
    this.nmiPending = true;
    this.signal();
  }

  /** What is in flight, for displays: the step's name and when it began. */
  get inFlight(): { name: string; layer: number; sinceNs: number } | null {
    const step = this.#step;
    return step === null ? null : { name: step.name, layer: step.layer, sinceNs: this.#stepStartNs };
  }

  /** Books the time of the step in flight up to now, so that {@linkcode layerNs} is exact at this instant. */
  settleTime(): void {
    const step = this.#step, now = this.engine.nowNs;
    if (step === null || now === this.#stepStartNs) return;
    this.layerNs[step.layer]! += now - this.#stepStartNs;
    this.#stepNs -= now - this.#stepStartNs;
    this.#stepStartNs = now;
  }

  // ---- steps ----

  #start(step: Step, ns: number): void {
    const now = this.engine.nowNs;
    this.#step = step;
    this.#stepStartNs = now;
    this.#stepNs = ns;
    if (ns !== Infinity) this.#done.at(now + ns);
    if (this.engine.trace !== null) this.#traceStep(step, ns);
  }

  #stepDone(): void {
    const step = this.#step!;
    this.#step = null;
    this.layerNs[step.layer]! += this.#stepNs;
    const registers = this.registers;
    switch (step.op) {
      case Op.Work:
        this.#advance(0);
        return;
      case Op.Transition:
        if (step === this.#exit) this.#advance(this.currentVmcs!.exitReason);
        else if (step === this.#wake) this.#resumeTop();
        else this.#advance(0);
        return;
      case Op.Wrmsr:
        if (this.bus.writeMsr(this, registers.address, registers.value)) this.#advance(0);
        else this.#fault(step);
        return;
      case Op.Rdmsr: {
        const value = this.bus.readMsr(this, registers.address);
        if (value === undefined) this.#fault(step);
        else this.#advance(value);
        return;
      }
      case Op.VmEntry:
        this.#enterGuest();
        return;
      case Op.Out:
        this.bus.writePort(this, registers.address, registers.value);
        this.#advance(0);
        return;
      case Op.In:
        this.#advance(this.bus.readPort(this, registers.address));
        return;
      case Op.Store:
        this.bus.store(this, registers.address, registers.value);
        this.#advance(0);
        return;
      case Op.Load:
        this.#advance(this.bus.load(this, registers.address));
        return;
      case Op.Cpuid:
        this.#advance(0);
        return;
      default:
        throw new Error(`Step "${step.name}" cannot be in flight`);
    }
  }

  /** An instruction boundary: recognises what is pending, else lets the running activity go on. */
  #advance(result: number): void {
    for (;;) {
      const context = this.registers.context;
      const frame = context.frames[context.depth]!;
      if (this.#attention && this.#recognisable()) {
        frame.step = null;
        frame.result = result;
        this.#recognise();
        return;
      }
      const next = frame.activity.next(result);
      if (next.done === true) {
        if (!this.#return(context, frame)) return;
        if (frame.kind !== FrameKind.Call) return this.#resumeTop();
        result = typeof next.value === "number" ? next.value : 0;
        continue;
      }
      const step = next.value;
      switch (step.op) {
        case Op.Work: {
          const ns = step.scales ? Math.floor(step.ns * this.pathFactor + 0.5) : step.ns;
          if (this.#attention && this.#recognisable()) {
            frame.step = step;
            frame.remainingNs = ns;
            this.#recognise();
            return;
          }
          this.#start(step, ns);
          return;
        }
        case Op.Call:
          context.push(this.registers.callee!, FrameKind.Call);
          result = 0;
          continue;
        case Op.Switch:
          frame.step = null;
          frame.result = 0;
          context.interruptFlag = this.registers.interruptFlag;
          this.registers.context = this.registers.next!;
          this.registers.interruptFlag = this.registers.context.interruptFlag;
          return this.#resumeTop();
        default:
          if (!this.#instruction(step, frame)) return;
          result = 0;
      }
    }
  }

  /** Begins an instruction. Returns true where it is over at once (a HLT that an interrupt ends). */
  #instruction(step: Step, frame: Frame): boolean {
    const registers = this.registers, costs = this.costs;
    if (this.vmcs !== null) {
      const reason = this.#interceptReason(this.vmcs, step, registers);
      if (reason >= 0) {
        frame.step = step;
        frame.address = registers.address;
        frame.value = registers.value;
        this.#exitGuest(reason, registers.address, 0);
        return false;
      }
    }
    switch (step.op) {
      case Op.Hlt:
        registers.halted = !(this.#attention && this.#recognisable());
        frame.step = null;
        frame.result = 0;
        if (registers.halted && this.engine.trace !== null) this.#traceStep(step, 0);
        return !registers.halted;
      case Op.Wrmsr:
      case Op.Rdmsr:
        this.#start(step, costs.msrAccess);
        return false;
      case Op.VmEntry:
        this.#start(step, costs.vmEntry);
        return false;
      case Op.Cpuid:
        this.#start(step, costs.cpuid);
        return false;
      default:
        this.#start(step, costs.deviceAccess);
        return false;
    }
  }

  /** The running activity has ended: removes its frame. False: the stack is empty, which is an error of software. */
  #return(context: Context, frame: Frame): boolean {
    if (context.depth === 0) {
      throw new Error(`Activity "${context.name}" ended and nobody switched away from it`);
    }
    context.depth--;
    if (frame.kind !== FrameKind.Call) {
      // IRET.
      this.registers.interruptFlag = frame.savedInterruptFlag;
      this.pathFactor = frame.savedFactor;
      if (frame.kind === FrameKind.Nmi) this.nmiBlocked = false;
      if (this.engine.trace !== null) this.#trace("iret", "iret", {});
    }
    return true;
  }

  /** Goes on with the top of the current context, where it stands. */
  #resumeTop(): void {
    const registers = this.registers;
    const frame = registers.context.top;
    const step = frame.step;
    if (step === null) return this.#advance(frame.result);
    if (this.#attention && this.#recognisable()) return this.#recognise();
    frame.step = null;
    if (step.op === Op.Work) return this.#start(step, frame.remainingNs);
    registers.address = frame.address;
    registers.value = frame.value;
    if (this.#instruction(step, frame)) this.#advance(0);
  }

  #suspendWork(): void {
    const step = this.#step!;
    const elapsed = this.engine.nowNs - this.#stepStartNs;
    const frame = this.registers.context.top;
    this.layerNs[step.layer]! += elapsed;
    frame.step = step;
    frame.remainingNs = this.#stepNs - elapsed;
    this.#step = null;
    this.#done.cancel();
  }

  // ---- interrupts ----

  /** Whether something pending would be taken now, by the rules of the current mode. */
  #recognisable(): boolean {
    const vmcs = this.vmcs;
    if (vmcs === null) {
      return (this.nmiPending && !this.nmiBlocked) ||
        (this.registers.interruptFlag && this.apic.pendingVector() >= 0);
    }
    if (this.nmiPending) {
      if ((vmcs.pinBased & Pin.NmiExiting) !== 0 || !this.nmiBlocked) return true;
    }
    return this.apic.pendingVector() >= 0 && (vmcs.externalInterruptExiting || this.registers.interruptFlag);
  }

  /** Takes what {@linkcode #recognisable} found: NMIs before external interrupts (SDM, "Priority"). */
  #recognise(): void {
    const vmcs = this.vmcs;
    if (this.nmiPending && (!this.nmiBlocked || vmcs !== null)) {
      this.nmiPending = false;
      if (vmcs !== null && (vmcs.pinBased & Pin.NmiExiting) !== 0) {
        this.nmiBlocked = true; // SDM: an NMI that exits blocks further ones once the exit completes
        return this.#exitGuest(ExitReason.ExceptionOrNmi, 0, interruptionInfo(EventType.Nmi, 2));
      }
      this.nmiBlocked = true;
      this.#pushHandler(this.registers.idt.nmi(), FrameKind.Nmi);
      return this.#start(this.#deliver, this.costs.interruptDelivery);
    }
    if (vmcs !== null && vmcs.externalInterruptExiting) {
      return this.#exitGuest(ExitReason.ExternalInterrupt, 0, 0); // the request stays in the APIC
    }
    const vector = this.apic.pendingVector();
    this.apic.acknowledge(vector);
    this.#attention = this.nmiPending || this.apic.pendingVector() >= 0;
    this.#pushHandler(this.registers.idt.interrupt(vector), FrameKind.Interrupt);
    const inherited = this.apic.inheritedFactor[vector]!;
    this.apic.inheritedFactor[vector] = 0;
    this.pathFactor = inherited !== 0 ? inherited : this.drawPathFactor();
    if (this.engine.trace !== null) {
      this.#trace("interrupt", `0x${vector.toString(16)}`, {
        vector,
        mode: vmcs === null ? "root" : "guest",
      });
    }
    this.#start(this.#deliver, this.costs.interruptDelivery);
  }

  #pushHandler(activity: ReturnType<RegisterFile["idt"]["nmi"]>, kind: number): void {
    const registers = this.registers;
    const below = registers.context.top;
    below.address = registers.address;
    below.value = registers.value;
    const frame = registers.context.push(activity, kind);
    frame.savedInterruptFlag = registers.interruptFlag;
    frame.savedFactor = this.pathFactor;
    registers.interruptFlag = false;
    registers.halted = false;
  }

  #fault(step: Step): void {
    if (this.engine.trace !== null) this.#trace("fault", step.name, { vector: GENERAL_PROTECTION });
    const frame = this.registers.context.top;
    frame.step = null; // the handler's fix-up continues behind the instruction
    frame.result = 0;
    this.#pushHandler(this.registers.idt.exception(GENERAL_PROTECTION), FrameKind.Exception);
    this.#start(this.#deliver, this.costs.interruptDelivery);
  }

  // ---- guest mode ----

  /** The basic reason with which `step` exits, or -1 where it does not. */
  #interceptReason(vmcs: Vmcs, step: Step, registers: RegisterFile): number {
    switch (step.op) {
      case Op.Wrmsr:
        return (vmcs.primary & Primary.UseMsrBitmaps) === 0 ||
            vmcs.msrBitmap.intercepts(registers.address, true)
          ? ExitReason.MsrWrite
          : -1;
      case Op.Rdmsr:
        return (vmcs.primary & Primary.UseMsrBitmaps) === 0 ||
            vmcs.msrBitmap.intercepts(registers.address, false)
          ? ExitReason.MsrRead
          : -1;
      case Op.Hlt:
        return (vmcs.primary & Primary.HltExiting) !== 0 ? ExitReason.Hlt : -1;
      case Op.Out:
      case Op.In:
        return ExitReason.IoInstruction;
      case Op.Store:
      case Op.Load:
        return ExitReason.EptMisconfig;
      case Op.Cpuid:
        return ExitReason.Cpuid;
      default:
        throw new Error(`Instruction "${step.name}" is not modelled in guest mode`);
    }
  }

  /** A VM entry completes. */
  #enterGuest(): void {
    const vmcs = this.currentVmcs;
    if (vmcs === null) throw new Error(`cpu${this.id}: VM entry without a current VMCS`);
    const guest = vmcs.guest;
    const info = vmcs.entryInterruptionInfo;
    this.vmcs = vmcs;
    this.registers = guest;
    if (this.engine.trace !== null) this.#trace("entry", "VM entry", { info });
    if (info !== 0) {
      vmcs.entryInterruptionInfo = 0;
      const vector = info & 0xff;
      const type = (info >>> 8) & 7;
      if (type === EventType.ExternalInterrupt && !guest.interruptFlag) {
        this.#exitGuest(ExitReason.InvalidGuestState, 0, 0); // SDM, "Checks on Guest RIP and RFLAGS"
        return;
      }
      const kind = type === EventType.ExternalInterrupt
        ? FrameKind.Interrupt
        : type === EventType.Nmi
        ? FrameKind.Nmi
        : FrameKind.Exception;
      const idt = guest.idt;
      this.#pushHandler(
        kind === FrameKind.Interrupt
          ? idt.interrupt(vector)
          : kind === FrameKind.Nmi
          ? idt.nmi()
          : idt.exception(vector),
        kind,
      );
      if (this.engine.trace !== null) this.#trace("injection", `0x${vector.toString(16)}`, { vector, type });
      if ((vmcs.pinBased & Pin.PreemptionTimer) === 0 || vmcs.preemptionTimerValue !== 0) {
        return this.#start(this.#inject, this.costs.eventInjection);
      }
    }
    if ((vmcs.pinBased & Pin.PreemptionTimer) !== 0 && vmcs.preemptionTimerValue === 0) {
      return this.#exitGuest(ExitReason.PreemptionTimer, 0, 0); // after injection, before the first instruction
    }
    this.#attention = this.nmiPending || this.apic.pendingVector() >= 0;
    if (this.#attention && this.#recognisable()) return this.#recognise();
    if ((vmcs.primary & Primary.InterruptWindowExiting) !== 0 && guest.interruptFlag) {
      return this.#exitGuest(ExitReason.InterruptWindow, 0, 0);
    }
    if (guest.halted) return; // activity state HLT
    this.#resumeTop();
  }

  #exitGuest(reason: number, qualification: number, info: number): void {
    const vmcs = this.vmcs!;
    vmcs.exitReason = reason;
    vmcs.exitQualification = qualification;
    vmcs.exitInterruptionInfo = info;
    this.exits++;
    this.vmcs = null;
    this.registers = this.root!;
    this.registers.interruptFlag = false; // SDM, "Loading Host RIP, RSP, SSP, and RFLAGS"
    if (this.engine.trace !== null) this.#trace("exit", "VM exit", { reason, qualification, info });
    this.#start(this.#exit, this.costs.vmExit);
  }

  // ---- watching ----

  #traceStep(step: Step, ns: number): void {
    const kind = step.op === Op.Work ? "work" : step.op === Op.Transition ? "transition" : "instruction";
    const fields: Record<string, number | string> = { layer: step.layer, ns };
    if (kind === "instruction") {
      fields.address = this.registers.address;
      fields.value = this.registers.value;
    }
    fields.mode = this.vmcs === null ? "root" : "guest";
    this.#trace(kind, step.name, fields);
  }

  #trace(kind: string, name: string, fields: Record<string, number | string | boolean>): void {
    const engine = this.engine;
    engine.trace!.record({
      event: engine.event,
      cause: this.#done.cause,
      timeNs: engine.nowNs,
      where: `cpu${this.id}`,
      kind,
      name,
      fields,
    });
  }

  /** Adds the processor's whole state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.flag(this.running).flag(this.nmiPending).flag(this.nmiBlocked).number(this.pathFactor).number(
      this.exits,
    );
    hash.text(this.#step?.name ?? "").number(this.#step === null ? 0 : this.#stepStartNs).number(
      this.#stepNs,
    );
    this.apic.hashInto(hash);
    if (this.root !== null) {
      hash.flag(this.root.interruptFlag).flag(this.root.halted);
      this.root.context.hashInto(hash);
    }
    if (this.currentVmcs !== null) {
      this.currentVmcs.hashInto(hash);
      const guest = this.currentVmcs.guest;
      hash.flag(guest.interruptFlag).flag(guest.halted);
      guest.context.hashInto(hash);
    }
  }
}

/** A step of the hardware's own: interrupts wait for its end. */
function atomic(name: string, ns: number): Step {
  return new Step(Op.Transition, name, HARDWARE, ns, false);
}
