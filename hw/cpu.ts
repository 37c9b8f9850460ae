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
import { HARDWARE as OWN, Op as Ops } from "./sim/activity.ts";
import type { Activity, OpCode, Routine, Step } from "./sim/activity.ts";
import { EOI_MSR as EOI, type LocalApic } from "./lapic.ts";
import { Action as Actions, type ActionCode, OwnSteps, pending, recognisable } from "./cpu_sequencer.ts";
import { concernsTlb, instructionNs, interception, missingPage, nmiExits } from "./cpu_sequencer.ts";
import { GENERAL_PROTECTION, openWindow, unblockNmis } from "./cpu_sequencer.ts";
import { access, type ProcessorBus, type ProcessorCosts } from "./cpu_bus.ts";
import { type Context, type Frame, FrameKind as FrameKinds, type RegisterFile } from "./register_file.ts";
import { hashCpu, traceCpu, traceExit, traceInterrupt, traceStep } from "./cpu_trace.ts";
import { BLOCKING_BY_NMI, decodeInterruptionInfo, EptAccess, EventType as EventTypes } from "./vmx.ts";
import { ExitReason as ExitReasons, instructionQualification, interruptionInfo } from "./vmx.ts";
import { PAGE_FAULT_INFO, Pin as Pins, type Vmcs } from "./vmx.ts";

// Names of the module's own: V8 writes such constants into the code; an imported name it looks up anew at each use.
const Action = Actions, Op = Ops, FrameKind = FrameKinds, HARDWARE = OWN, EOI_MSR = EOI;
const EventType = EventTypes, ExitReason = ExitReasons, Pin = Pins;

/** One logical processor. */
export class LogicalCpu {
  declare readonly id: number;
  declare readonly engine: Engine;
  declare readonly apic: LocalApic;
  declare readonly bus: ProcessorBus;
  declare readonly costs: ProcessorCosts;
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
  /** Where the factor comes from when an interrupt begins a path; null: all are 1. */
  paths: { draw(vector: number): number } | null = null;
  /** VM exits so far. */
  exits = 0;
  /** Time spent in each layer, ns. */
  readonly layerNs = new Float64Array(8);

  /** The step in flight. */
  #step: Step | null = null;
  #stepStartNs = 0;
  #stepNs = 0;
  /** Result of the last step; see {@linkcode Frame.result}. */
  #result: number = undefined!;
  readonly #done: Alarm;
  #attention = false;
  readonly #own: OwnSteps;

  /** @param id its number, which is also its APIC id */
  constructor(id: number, engine: Engine, apic: LocalApic, bus: ProcessorBus, costs: ProcessorCosts) {
    this.id = id;
    this.engine = engine;
    this.apic = apic;
    this.bus = bus;
    this.costs = costs;
    this.#done = engine.alarm(`cpu${id}`, () => this.#stepDone());
    this.#own = new OwnSteps(costs);
    this.#result = 0;
    engine.register(`cpu${id}`, { hashInto: (hash) => hashCpu(this, hash) });
  }

  /** Whether it has been started and not been reset since. */
  get running(): boolean {
    return this.root !== null;
  }

  /** INIT and SIPI: starts executing with `registers`. */
  start(registers: RegisterFile): void {
    this.reset();
    this.root = this.registers = registers;
    this.#run(Action.Resume);
  }

  /** INIT: stops whatever it does and waits for a start-up message. */
  reset(): void {
    this.settleTime();
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
    this.#attention = pending(this);
    if (!this.#attention || this.root === null) return;
    if (this.#step !== null) {
      if (this.#step.op === Op.Work && recognisable(this)) {
        this.#suspendWork();
        this.#run(this.#recognise());
      }
    } else if (this.registers.halted && recognisable(this)) {
      // Delivery ends activity state HLT; an exit leaves it (SDM, "Architectural State before a VM Exit").
      const { wake } = this.#own;
      this.#run(this.#passes(wake, wake.ns) ? Action.Resume : this.#start(wake, wake.ns));
    }
    // Otherwise software is between two yields: the next boundary recognises it.
  }

  /** An NMI arrives. */
  nmi(): void {
    this.nmiPending = true;
    this.signal();
  }

  /** What is in flight, for displays: the step's name, when it began and when it ends. */
  get inFlight(): { name: string; op: OpCode; layer: number; sinceNs: number; untilNs: number } | null {
    const step = this.#step, sinceNs = this.#stepStartNs;
    return step === null
      ? null
      : { name: step.name, op: step.op, layer: step.layer, sinceNs, untilNs: sinceNs + this.#stepNs };
  }

  /** Books the time of the step in flight up to now, so that {@linkcode layerNs} is exact at this instant. */
  settleTime(): void {
    const step = this.#step, now = this.engine.nowNs;
    if (step === null || now === this.#stepStartNs) return;
    this.layerNs[step.layer]! += now - this.#stepStartNs;
    this.#stepNs -= now - this.#stepStartNs;
    this.#stepStartNs = now;
  }

  // ---- running ----

  /** Runs until something has to be waited for. */
  #run(action: ActionCode): void {
    while (action !== Action.Wait) {
      const registers = this.registers;
      const context = registers.context;
      const frame = context.frames[context.depth]!;
      const resumes = action === Action.Resume;
      // An instruction boundary: what is pending comes first.
      if (this.#attention && recognisable(this)) {
        if (!resumes) frame.goOnWith(this.#result);
        action = this.#recognise();
        continue;
      }
      let step = resumes ? frame.step : null;
      if (step !== null) {
        frame.step = null;
        if (step.op === Op.Work) action = this.#work(step, frame.remainingNs);
        else {
          registers.address = frame.address;
          registers.value = frame.value;
          action = this.#instruction(step, frame);
        }
        continue;
      }
      step = frame.next(resumes ? frame.result : this.#result);
      // Most often work follows work, with nothing due or pending in between.
      while (step !== null && step.op === Op.Work && !this.#attention) {
        const ns = this.#scaled(step);
        if (!this.#passes(step, ns)) return void this.#start(step, ns);
        step = frame.next(0);
      }
      action = step === null ? this.#return(context, frame) : this.#execute(step, frame);
    }
  }

  /** What a step costs on the path that is being executed. */
  #scaled(step: Step): number {
    return step.scales ? Math.floor(step.ns * this.pathFactor + 0.5) : step.ns;
  }

  /** Whether a step is over at once, as nothing else is due before its end. So short that V8 puts it in everywhere. */
  #passes(step: Step, ns: number): boolean {
    if (!this.engine.pass(ns)) return false;
    this.layerNs[step.layer]! += ns;
    return true;
  }

  /** Begins a step that the queue will end. */
  #start(step: Step, ns: number): ActionCode {
    const engine = this.engine;
    if (engine.trace !== null) traceStep(this, step, ns); // of a traced run nothing passes
    this.#step = step;
    this.#stepStartNs = engine.nowNs;
    this.#stepNs = ns;
    if (ns !== Infinity) this.#done.at(engine.nowNs + ns);
    return Action.Wait;
  }

  /** Begins work. */
  #work(step: Step, ns: number): ActionCode {
    if (!this.#passes(step, ns)) return this.#start(step, ns);
    this.#result = 0;
    return Action.Go;
  }

  /** What a step does at its end. */
  #perform(step: Step): ActionCode {
    switch (step.op) {
      case Op.Work:
        this.#result = 0;
        return Action.Go;
      case Op.Switch:
        this.registers.switchContext();
        return Action.Resume;
      case Op.Transition:
        return step === this.#own.wake ? Action.Resume : Action.Go;
      case Op.VmEntry:
        return this.#enterGuest();
      default:
        return this.#access(step);
    }
  }

  /** An access to registers outside of the processor. */
  #access(step: Step): ActionCode {
    const value = access(this, step.op);
    if (value === undefined) return this.#fault(step);
    this.#result = value;
    return Action.Go;
  }

  /** Executes a step that the running activity asks for. */
  #execute(step: Step, frame: Frame): ActionCode {
    switch (step.op) {
      case Op.Work: {
        const ns = this.#scaled(step);
        if (!this.#attention || !recognisable(this)) return this.#work(step, ns);
        frame.remainingNs = ns;
        frame.step = step;
        return this.#recognise();
      }
      case Op.Call:
        this.registers.context.push(this.registers.callee!, FrameKind.Call);
        this.#result = 0;
        return Action.Go;
      case Op.Switch: {
        const ns = this.#scaled(step);
        return this.#passes(step, ns) ? this.#perform(step) : this.#start(step, ns);
      }
      default:
        return this.#instruction(step, frame);
    }
  }

  /** Executes an instruction, or exits because of it. */
  #instruction(step: Step, frame: Frame): ActionCode {
    const registers = this.registers, costs = this.costs;
    const reason = interception(this, step.op);
    if (reason >= 0) {
      frame.step = step;
      frame.address = registers.address;
      frame.value = registers.value;
      const info = reason === ExitReason.ExceptionOrNmi ? PAGE_FAULT_INFO : 0;
      return this.#exitGuest(reason, info, instructionQualification(reason, step, registers));
    }
    switch (step.op) {
      case Op.Hlt:
        if (this.engine.trace !== null) traceStep(this, step, 0);
        this.#result = 0;
        if (this.#attention && recognisable(this)) return Action.Go;
        registers.halted = true;
        frame.goOnWith(0);
        return Action.Wait;
      case Op.Wrmsr:
      case Op.Rdmsr:
        return this.#passes(step, costs.msrAccess) ? this.#access(step) : this.#start(step, costs.msrAccess);
      case Op.VmEntry:
        return this.#passes(step, costs.vmEntry) ? this.#enterGuest() : this.#start(step, costs.vmEntry);
      default:
        if (!concernsTlb(step.op, registers)) {
          const ns = instructionNs(step.op, costs);
          return this.#passes(step, ns) ? this.#access(step) : this.#start(step, ns);
        }
        // What it costs is what the TLB then lacks: time of the switch of address spaces or the fault that it belongs to.
        if (this.engine.trace !== null) traceStep(this, step, 0);
        return this.#access(step);
    }
  }

  /** The running activity has ended: removes its frame; a handler's ends with IRET. */
  #return(context: Context, frame: Frame): ActionCode {
    if (context.depth === 0) {
      throw new Error(`Activity "${context.name}" ended and nobody switched away from it`);
    }
    context.depth--;
    if (frame.kind === FrameKind.Call) {
      this.#result = frame.result;
      return Action.Go;
    }
    this.registers.interruptFlag = frame.savedInterruptFlag;
    this.pathFactor = frame.savedFactor;
    unblockNmis(this); // an IRET of any kind does
    if (this.engine.trace !== null) traceCpu(this, "iret", "iret", {});
    return Action.Resume;
  }

  /** The queue says that the step in flight is over. */
  #stepDone(): void {
    const step = this.#step!;
    this.#step = null;
    this.layerNs[step.layer]! += this.#stepNs;
    this.#run(this.#perform(step));
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

  /** Takes what {@linkcode recognisable} found: the NMI window, NMIs, the interrupt window, interrupts (SDM, "Priority"). */
  #recognise(): ActionCode {
    const vmcs = this.vmcs;
    const window = vmcs === null ? -1 : openWindow(vmcs);
    if (window >= 0 && window !== ExitReason.InterruptWindow) return this.#exitGuest(window);
    if (this.nmiPending && (!this.nmiBlocked || nmiExits(this))) {
      this.nmiPending = false;
      this.nmiBlocked = true; // SDM: an NMI that exits blocks further ones too, once the exit completes
      if (nmiExits(this)) {
        return this.#exitGuest(ExitReason.ExceptionOrNmi, interruptionInfo(EventType.Nmi, 2));
      }
      this.#pushHandler(this.registers.idt.nmi(), FrameKind.Nmi);
      if (this.engine.trace !== null) traceInterrupt(this, "NMI", 2);
      return this.#transit(this.#own.deliver);
    }
    if (window >= 0) return this.#exitGuest(window);
    if (vmcs !== null && vmcs.externalInterruptExiting) {
      return this.#exitGuest(ExitReason.ExternalInterrupt); // the request stays in the APIC
    }
    const { apic } = this;
    const vector = apic.pendingVector();
    const { routine } = this.#pushHandler(this.registers.idt.interrupt(vector), FrameKind.Interrupt);
    const inherited = apic.inheritedFactor[vector]!;
    apic.inheritedFactor[vector] = 0;
    this.pathFactor = inherited !== 0 ? inherited : this.paths?.draw(vector) ?? 1;
    if (routine !== null && this.#passHead(routine, vector)) return Action.Go;
    apic.acknowledge(vector);
    this.#attention = pending(this);
    if (this.engine.trace !== null) traceInterrupt(this, `0x${vector.toString(16)}`, vector);
    return this.#transit(this.#own.deliver);
  }

  /** Begins a step of the processor's own, after which the running activity goes on. */
  #transit(step: Step): ActionCode {
    return this.#passes(step, step.ns) ? Action.Go : this.#start(step, step.ns);
  }

  /**
   * Delivery and all of the handler that is known beforehand in one go, where nothing is due before it is over and the EOI
   * does not exit: `vector` comes into service and leaves it, and nobody could look in between.
   */
  #passHead(routine: Routine, vector: number): boolean {
    const { entry, top } = routine;
    if (entry === null || this.nmiPending || this.vmcs?.msrWriteExits(EOI_MSR)) return false;
    const { costs, layerNs } = this;
    const ownNs = costs.interruptDelivery + costs.msrAccess;
    const entryNs = this.#scaled(entry), topNs = top === null ? 0 : this.#scaled(top);
    if (!this.engine.pass(ownNs + entryNs + topNs, top === null ? 3 : 4)) return false;
    layerNs[HARDWARE]! += ownNs;
    layerNs[entry.layer]! += entryNs;
    if (top !== null) layerNs[top.layer]! += topNs;
    routine.skipHead();
    this.apic.withdraw(vector);
    this.#attention = pending(this);
    return true;
  }

  #pushHandler(activity: Activity<unknown> | Routine, kind: number): Frame {
    const registers = this.registers;
    const below = registers.context.top;
    below.address = registers.address;
    below.value = registers.value;
    const frame = registers.context.push(activity, kind);
    frame.savedInterruptFlag = registers.interruptFlag;
    frame.savedFactor = this.pathFactor;
    registers.interruptFlag = false;
    registers.halted = false;
    this.#result = 0;
    return frame;
  }

  #fault(step: Step): ActionCode {
    if (this.engine.trace !== null) traceCpu(this, "fault", step.name, { vector: GENERAL_PROTECTION });
    this.registers.context.top.goOnWith(0); // the handler's fix-up continues behind the instruction
    this.#pushHandler(this.registers.idt.exception(GENERAL_PROTECTION), FrameKind.Exception);
    return this.#transit(this.#own.deliver);
  }

  // ---- guest mode ----

  /** A VM entry completes. */
  #enterGuest(): ActionCode {
    const vmcs = this.currentVmcs;
    if (vmcs === null) throw new Error(`cpu${this.id}: VM entry without a current VMCS`);
    const guest = vmcs.guest;
    const info = vmcs.entryInterruptionInfo;
    this.vmcs = vmcs;
    this.registers = guest;
    if (this.engine.trace !== null) traceCpu(this, "entry", "VM entry", { info });
    const preempted = (vmcs.pinBased & Pin.PreemptionTimer) !== 0 && vmcs.preemptionTimerValue === 0;
    if (info >>> 31 === 1) {
      const { vector, type } = decodeInterruptionInfo(info);
      const external = type === EventType.ExternalInterrupt;
      // An entry that fails leaves the field as it is.
      if (!vmcs.takes(type)) return this.#exitGuest(ExitReason.InvalidGuestState);
      vmcs.entryInterruptionInfo = 0;
      if (type === EventType.Nmi && (vmcs.pinBased & Pin.VirtualNmis) !== 0) {
        vmcs.interruptibility |= BLOCKING_BY_NMI;
      }
      if (!vmcs.ept.mapped) return this.#exitGuest(...missingPage(vmcs, EptAccess.Read), info);
      let entry: Step | null = null;
      if (external) {
        entry = this.#pushHandler(guest.idt.interrupt(vector), FrameKind.Interrupt).routine?.entry ?? null;
        if (vmcs.entryPathFactor !== 0) this.pathFactor = vmcs.entryPathFactor;
        vmcs.entryPathFactor = 0;
      } else if (type === EventType.Nmi) this.#pushHandler(guest.idt.nmi(), FrameKind.Nmi);
      else this.#pushHandler(guest.idt.exception(vector), FrameKind.Exception);
      if (this.engine.trace !== null) {
        traceCpu(this, "injection", `0x${vector.toString(16)}`, { vector, type });
      }
      if (!preempted) {
        this.#attention = pending(this);
        if (entry !== null && !this.#attention && this.#passInjection(entry)) return Action.Go;
        return this.#transit(this.#own.inject);
      }
    }
    if (preempted) return this.#exitGuest(ExitReason.PreemptionTimer); // before the first instruction
    if (!vmcs.ept.mapped) return this.#exitGuest(...missingPage(vmcs, EptAccess.Fetch));
    this.#attention = pending(this);
    if (this.#attention && recognisable(this)) return this.#recognise();
    return guest.halted ? Action.Wait : Action.Resume; // activity state HLT or active
  }

  /** Injection and the handler's first work in one go, as {@linkcode #passHead}; its EOI may exit. */
  #passInjection(entry: Step): boolean {
    const { layerNs, costs: { eventInjection } } = this;
    const entryNs = this.#scaled(entry);
    if (!this.engine.pass(eventInjection + entryNs, 2)) return false;
    layerNs[HARDWARE]! += eventInjection;
    layerNs[entry.layer]! += entryNs;
    this.registers.context.top.routine!.skipEntry();
    return true;
  }

  #exitGuest(reason: number, info = 0, qualification = 0, idtVectoringInfo = 0): ActionCode {
    const vmcs = this.vmcs!;
    vmcs.recordExit(reason, info, qualification, idtVectoringInfo);
    this.exits++;
    vmcs.guest.context.delayWork(this.costs.vmExitIndirect);
    this.vmcs = null;
    this.registers = this.root!;
    this.registers.interruptFlag = false; // SDM, "Loading Host RIP, RSP, SSP, and RFLAGS"
    if (this.engine.trace !== null) traceExit(this, vmcs);
    this.#result = reason;
    return this.#transit(this.#own.exit);
  }
}
