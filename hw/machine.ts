/**
 * The machine: logical processors, their local APICs, the interrupt messages between them, the devices.
 *
 * This is the only place where devices meet. A device answers a register write with an effect; the machine carries
 * it out: it arms the APIC timer, sends the interprocessor interrupt, delivers the message-signalled interrupt.
 *
 * @module
 */

import type { Alarm, Engine } from "./sim/engine.ts";
import { NEVER } from "./sim/engine.ts";
import type { Hashed, StateHash } from "./sim/state_hash.ts";
import { LogicalCpu } from "./cpu.ts";
import { traceRequest } from "./cpu_trace.ts";
import { type ProcessorBus, processorCosts } from "./cpu_bus.ts";
import {
  type ApicEffect,
  DeliveryMode as DeliveryModes,
  type Ipi,
  LocalApic,
  MSR_TSC,
  MSR_TSC_DEADLINE,
  x2apicOffset,
} from "./lapic.ts";
import {
  APIC_BASE_BSP,
  APIC_BASE_ENABLE,
  APIC_BASE_X2APIC,
  APIC_DEFAULT_BASE,
  apicBaseAddress,
  apicState,
  hasReservedBits,
  isLegalTransition,
  MSR_APIC_BASE,
} from "./lapic_base.ts";
import type { ReceiveRing } from "./ethernet.ts";
import { clockRatio } from "./lapic_timer.ts";
import { readBase, writeBase } from "./base_msrs.ts";
import type { RegisterFile } from "./register_file.ts";
import { count, hz, ns, parameters, type Values } from "./parameters.ts";
import { nicTimes } from "./nic_82599_switch.ts";
import { type MemoryTraffic, pathFactorParameters, PathFactors } from "./path_factor.ts";
import { MachineIoApic } from "./machine_ioapic.ts";
import { RemappingUnit } from "./vtd.ts";

const DeliveryMode = DeliveryModes; // see `cpu.ts`

/** What makes one machine differ from another, beside its processors' own costs. */
export const machineParameters = parameters({
  cpus: count("Logical processors", { min: 1, max: 32 }),
  tsc: hz("Invariant time-stamp counter"),
  apicBus: hz("The local APIC timer's clock before division"),
  ipiLatency: ns("From the ICR write to the arrival at the other processor's APIC"),
  msiLatency: ns("From a device's message write to the arrival at the APIC"),
  processor: processorCosts,
  path: pathFactorParameters,
  nic: nicTimes,
});

/** MAXPHYADDR of the Core i7-3770 (CPUID 80000008H). */
const PHYSICAL_ADDRESS_BITS = 36;

/** Values of {@linkcode machineParameters}: durations in ns, clocks in Hz. */
export type MachineParameters = Values<typeof machineParameters>;

/** An interrupt message on its way. */
class Message implements Hashed {
  declare readonly alarm: Alarm;
  declare cpu: LogicalCpu;
  level = false;
  mode = 0;
  vector = 0;
  factor = 0;

  /** @param name of its alarm @param arrived what happens at its end */
  constructor(engine: Engine, name: string, cpu: LogicalCpu, arrived: (message: Message) => void) {
    this.cpu = cpu;
    this.alarm = engine.alarm(name, () => arrived(this), -1, this);
  }

  hashInto(hash: StateHash): void {
    hash.word(this.cpu.id).word(this.mode).word(this.vector).flag(this.level).number(this.factor);
  }
}

/** A physical computer without its software. */
export class Machine implements ProcessorBus, MemoryTraffic {
  declare readonly engine: Engine;
  declare readonly parameters: MachineParameters;
  /** The logical processors, by number. */
  readonly cpus: readonly LogicalCpu[];
  /** The start-up code that a SIPI makes a processor run; set by whoever owns the memory. */
  startup: (cpu: LogicalCpu) => RegisterFile | null = () => null;
  /** I/O ports and memory-mapped registers by address; devices enter themselves here. */
  readonly ports = new Map<number, { read(): number; write(value: number): void }>();
  /** Registers in memory whose addresses software chooses: those of PCI functions. `null`: nobody has any. */
  memory: {
    /** `undefined`: nobody claims the address. */
    load(address: number): number | undefined;
    store(address: number, value: number): void;
  } | null = null;
  /** The I/O APIC: lines that are no messages. */
  readonly ioApic: MachineIoApic = new MachineIoApic(this);
  /** Between the devices on one side, memory and interrupt messages on the other; off until software switches it on. */
  readonly remapping: RemappingUnit = new RemappingUnit();
  /** Devices that write to memory, by their rings. */
  readonly busMasters: { readonly rings: readonly ReceiveRing[] }[] = [];
  readonly #timers: Alarm[];
  /** IA32_APIC_BASE by processor. Firmware has switched to x2APIC form. */
  readonly #apicBases: number[] = [];
  readonly #idleMessages: Message[] = [];
  #messages = 0;
  /** See {@linkcode machineParameters}. */
  readonly #msiLatencyNs: number;
  readonly #arrival = (message: Message) => {
    this.#idleMessages.push(message);
    this.#arrived(message);
  };
  /** Interrupt messages that no processor took: the APIC was disabled or the processor not started. */
  droppedMessages = 0;

  /**
   * Builds the machine described by `parameters`, powered on, no processor started.
   *
   * @param name of a machine beside the first one: what its random streams begin with
   */
  constructor(engine: Engine, parameters: MachineParameters, name = "") {
    this.engine = engine;
    this.parameters = parameters;
    this.#msiLatencyNs = parameters.msiLatency;
    const bus = clockRatio(parameters.apicBus), tsc = clockRatio(parameters.tsc);
    const cpus: LogicalCpu[] = [];
    this.#timers = [];
    for (let id = 0; id < parameters.cpus; id++) {
      const cpu = new LogicalCpu(id, engine, new LocalApic(id, bus, tsc), this, parameters.processor);
      cpu.paths = new PathFactors(parameters.path, engine.random.stream(`${name}path.cpu${id}`), this);
      cpus.push(cpu);
      const base = APIC_DEFAULT_BASE + APIC_BASE_ENABLE + APIC_BASE_X2APIC;
      this.#apicBases.push(base + (id === 0 ? APIC_BASE_BSP : 0));
      this.#timers.push(engine.alarm(`lapic${id} timer`, () => this.#timerExpired(cpu), -1));
    }
    this.cpus = cpus;
    engine.register("machine", this);
  }

  /** The time-stamp counter, in ticks. */
  tsc(): number {
    const { ticks, ns } = this.cpus[0]!.apic.timer.tsc;
    return Math.floor((this.engine.nowNs * ticks) / ns);
  }

  // ---- what instructions reach ----

  /** @inheritdoc */
  writeMsr(cpu: LogicalCpu, msr: number, value: number): boolean {
    if (msr >= 0x800 && msr < 0x900) {
      if (!cpu.apic.x2apic) return false;
      return this.#apply(cpu, cpu.apic.write(x2apicOffset(msr), value, this.engine.nowNs));
    }
    if (msr === MSR_TSC_DEADLINE) {
      cpu.apic.timer.startDeadline(value, this.engine.nowNs);
      this.#armTimer(cpu);
      return true;
    }
    if (msr === MSR_APIC_BASE) return this.#writeApicBase(cpu, value);
    return writeBase(cpu.registers, msr, value);
  }

  /** @inheritdoc */
  readMsr(cpu: LogicalCpu, msr: number): number | undefined {
    if (msr >= 0x800 && msr < 0x900) {
      const offset = x2apicOffset(msr);
      return cpu.apic.x2apic && cpu.apic.readable(offset)
        ? cpu.apic.read(offset, this.engine.nowNs)
        : undefined;
    }
    if (msr === MSR_TSC_DEADLINE) return cpu.apic.timer.deadline;
    if (msr === MSR_APIC_BASE) return this.#apicBases[cpu.id];
    return msr === MSR_TSC ? this.timeStamp(cpu) : readBase(cpu.registers, msr);
  }

  /** @inheritdoc */
  timeStamp({ vmcs }: LogicalCpu): number {
    return vmcs === null ? this.tsc() : vmcs.guestTsc(this.tsc());
  }

  /** @inheritdoc */
  writePort(_cpu: LogicalCpu, port: number, value: number): void {
    this.ports.get(port)?.write(value);
  }

  /** @inheritdoc */
  readPort(_cpu: LogicalCpu, port: number): number {
    return this.ports.get(port)?.read() ?? 0xff; // nobody drives the bus
  }

  /** @inheritdoc */
  store(cpu: LogicalCpu, address: number, value: number): void {
    const offset = this.#apicOffset(cpu, address);
    if (offset >= 0) this.#apply(cpu, cpu.apic.write(offset, value, this.engine.nowNs));
    else if (this.ports.has(address)) this.ports.get(address)!.write(value);
    else this.memory?.store(address, value);
  }

  /** @inheritdoc */
  load(cpu: LogicalCpu, address: number): number {
    const offset = this.#apicOffset(cpu, address);
    if (offset < 0) return this.ports.get(address)?.read() ?? this.memory?.load(address) ?? 0xffff_ffff;
    if (cpu.apic.readable(offset)) return cpu.apic.read(offset, this.engine.nowNs);
    cpu.apic.illegalRead();
    cpu.signal();
    return 0;
  }

  /** The offset of an address in the processor's xAPIC page, or -1: the page is elsewhere, or not there. */
  #apicOffset({ id, apic }: LogicalCpu, address: number): number {
    if (apic.x2apic || !apic.hardwareEnabled) return -1;
    const offset = address - apicBaseAddress(this.#apicBases[id]!);
    return offset >= 0 && offset < 0x1000 ? offset : -1;
  }

  /** SDM, "x2APIC State Transitions": what the diagram has no arrow for raises #GP. Enabling finds the reset values. */
  #writeApicBase(cpu: LogicalCpu, value: number): boolean {
    const { apic, id } = cpu;
    const from = apicState(this.#apicBases[id]!), to = apicState(value);
    if (hasReservedBits(value, PHYSICAL_ADDRESS_BITS, true) || !isLegalTransition(from, to)) return false;
    this.#apicBases[id] = value;
    apic.x2apic = to === "x2apic";
    if (from === "disabled" && to !== "disabled") apic.reset();
    apic.hardwareEnabled = to !== "disabled";
    this.#armTimer(cpu);
    return true;
  }

  /** @inheritdoc */
  writtenBytes(): number {
    const { nowNs } = this.engine;
    let sum = 0;
    for (const { rings } of this.busMasters) {
      for (const ring of rings) sum += ring.writtenBytes(nowNs);
    }
    return sum;
  }

  // ---- messages ----

  /**
   * A device's message-signalled interrupt: fixed delivery of `vector` to the physical APIC id `destination`.
   *
   * @param atEnd nobody does anything more at this instant: the message may arrive within the call
   */
  messageSignalled(destination: number, vector: number, atEnd = false): void {
    const cpu = this.cpus[destination];
    if (cpu === undefined) this.droppedMessages++;
    else if (atEnd && this.engine.pass(this.#msiLatencyNs)) this.#interrupt(cpu, vector, 0, false);
    else this.#send(cpu, DeliveryMode.Fixed, vector, 0, this.#msiLatencyNs);
  }

  /**
   * A message of a chip's or device's, to whomever its destination means.
   *
   * @returns whether there is somebody
   */
  interruptMessage(
    { mode, vector, destination, logical, level }: {
      readonly mode: number;
      readonly vector: number;
      readonly destination: number;
      readonly logical: boolean;
      readonly level: boolean;
    },
  ): boolean {
    const meant = this.#oneOf(
      this.cpus.filter(({ apic }) => apic.matches(destination, logical)),
      mode,
      vector,
    );
    for (const cpu of meant) {
      this.#send(cpu, mode, vector, 0, this.#msiLatencyNs, level);
    }
    if (meant.length === 0) this.droppedMessages++;
    return meant.length > 0;
  }

  /** Lowest-priority arbitration is the bus's own: any one of them may take the message. */
  #oneOf(cpus: readonly LogicalCpu[], mode: number, vector: number): readonly LogicalCpu[] {
    if (mode !== DeliveryMode.LowestPriority || cpus.length < 2) return cpus;
    return [cpus[this.engine.choose(cpus.length, `lowest priority, vector ${vector}`)]!];
  }

  #apply(cpu: LogicalCpu, effect: ApicEffect): boolean {
    switch (effect.kind) {
      case "eoi":
        if (effect.broadcast) this.ioApic.endOfInterrupt(effect.vector);
        cpu.signal();
        return true;
      case "none": // TPR may have been lowered
        cpu.signal();
        return true;
      case "timer":
        this.#armTimer(cpu);
        return true;
      case "ipi":
        this.#interprocessor(cpu, effect.ipi);
        return true;
      case "local":
        this.#send(cpu, effect.mode, effect.vector, 0, 0);
        return true;
      case "fault":
        return false;
    }
  }

  #armTimer(cpu: LogicalCpu): void {
    const expiresNs = cpu.apic.timer.expiresNs;
    const alarm = this.#timers[cpu.id]!;
    if (expiresNs === NEVER) alarm.cancel();
    else alarm.at(expiresNs);
  }

  #timerExpired(cpu: LogicalCpu): void {
    cpu.apic.timer.expired();
    this.#armTimer(cpu);
    const vector = cpu.apic.timerVector;
    if (vector < 0) return; // masked
    if (this.engine.trace !== null) traceRequest(cpu, vector, "timer");
    if (!cpu.apic.accept(vector)) this.droppedMessages++;
    cpu.signal();
  }

  /** A source of processor `cpu` itself, its thermal sensor say, interrupts through the LVT entry at `offset`. */
  localInterrupt(cpu: LogicalCpu, offset: number): void {
    this.#apply(cpu, cpu.apic.localInterrupt(offset));
  }

  #interprocessor(from: LogicalCpu, ipi: Ipi): void {
    if (ipi.mode === DeliveryMode.Init && ipi.level && !ipi.assert) return; // a de-assert: not since the Pentium 4
    const meant = this.#oneOf(this.cpus.filter((cpu) => means(ipi, cpu, from)), ipi.mode, ipi.vector);
    for (const cpu of meant) {
      this.#send(cpu, ipi.mode, ipi.vector, from.pathFactor, cpu === from ? 0 : this.parameters.ipiLatency);
    }
  }

  #send(
    cpu: LogicalCpu,
    mode: number,
    vector: number,
    factor: number,
    latencyNs: number,
    level = false,
  ): void {
    const message = this.#idleMessages.pop() ??
      new Message(this.engine, `message ${this.#messages++}`, cpu, this.#arrival);
    message.cpu = cpu;
    message.mode = mode;
    message.vector = vector;
    message.factor = factor;
    message.level = level;
    message.alarm.at(this.engine.nowNs + latencyNs);
  }

  #arrived({ cpu, mode, vector, factor, level }: Message): void {
    if (this.engine.trace !== null) traceRequest(cpu, mode === DeliveryMode.Nmi ? 2 : vector, "message");
    switch (mode) {
      case DeliveryMode.Fixed:
      case DeliveryMode.LowestPriority:
        this.#interrupt(cpu, vector, factor, level);
        return;
      case DeliveryMode.Nmi:
        if (!cpu.running) this.droppedMessages++;
        else cpu.nmi();
        return;
      case DeliveryMode.Init:
        this.#timers[cpu.id]!.cancel();
        cpu.reset();
        return;
      case DeliveryMode.Startup: {
        if (cpu.running) return; // SDM: a SIPI is taken only in wait-for-SIPI state
        const registers = this.startup(cpu);
        if (registers !== null) cpu.start(registers);
        return;
      }
      default:
        throw new Error(`Delivery mode ${mode} is not modelled`);
    }
  }

  /** An interrupt at `vector` has come to a processor's APIC. */
  #interrupt(cpu: LogicalCpu, vector: number, factor: number, level: boolean): void {
    if (cpu.running && cpu.apic.accept(vector, level)) cpu.apic.inheritedFactor[vector] = factor;
    else this.droppedMessages++;
    cpu.signal(); // of one that was not accepted the APIC's own error interrupt may have come
  }

  /** Adds counters of the machine itself to `hash`; its processors add themselves. */
  hashInto(hash: StateHash): void {
    for (const base of this.#apicBases) hash.number(base);
    this.remapping.hashInto(hash);
    this.ioApic.hashInto(hash);
    hash.number(this.droppedMessages).word(this.#idleMessages.length);
  }
}

/** Whether a message that `from` sends is for `cpu`: its destination, or the shorthand self, all, all but self. */
function means({ shorthand, destination, logical }: Ipi, cpu: LogicalCpu, from: LogicalCpu): boolean {
  if (shorthand === 0) return cpu.apic.matches(destination, logical);
  return shorthand === 1 ? cpu === from : shorthand === 2 || cpu !== from;
}
