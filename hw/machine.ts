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
import type { StateHash } from "./sim/state_hash.ts";
import { LogicalCpu } from "./cpu.ts";
import { traceRequest } from "./cpu_trace.ts";
import { type ProcessorBus, processorCosts } from "./cpu_bus.ts";
import {
  type ApicEffect,
  DeliveryMode,
  type Ipi,
  LocalApic,
  MSR_APIC_BASE,
  MSR_TSC_DEADLINE,
  x2apicOffset,
} from "./lapic.ts";
import { clockRatio } from "./lapic_timer.ts";
import type { RegisterFile } from "./register_file.ts";
import { count, hz, ns, parameters, type Values } from "./parameters.ts";
import { nicTimes } from "./nic_82599_switch.ts";
import { pathFactorParameters, pathFactors } from "./path_factor.ts";

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

/** Values of {@linkcode machineParameters}: durations in ns, clocks in Hz. */
export type MachineParameters = Values<typeof machineParameters>;

/** An interrupt message on its way. */
interface Message {
  readonly alarm: Alarm;
  cpu: LogicalCpu;
  mode: number;
  vector: number;
  factor: number;
}

/** A physical computer without its software. */
export class Machine implements ProcessorBus {
  /** The logical processors, by number. */
  readonly cpus: readonly LogicalCpu[];
  /** The start-up code that a SIPI makes a processor run; set by whoever owns the memory. */
  startup: (cpu: LogicalCpu) => RegisterFile | null = () => null;
  /** I/O ports and memory-mapped registers by address; devices enter themselves here. */
  readonly ports = new Map<number, { read(): number; write(value: number): void }>();
  /** Devices that write to memory. */
  readonly busMasters: { writtenBytes(nowNs: number): number }[] = [];
  readonly #timers: Alarm[];
  readonly #idleMessages: Message[] = [];
  #messages = 0;
  /** Interrupt messages that no processor took: the APIC was disabled or the processor not started. */
  droppedMessages = 0;

  /**
   * Builds the machine described by `parameters`, powered on, no processor started.
   *
   * @param name of a machine beside the first one: what its random streams begin with
   */
  constructor(readonly engine: Engine, readonly parameters: MachineParameters, name = "") {
    const bus = clockRatio(parameters.apicBus), tsc = clockRatio(parameters.tsc);
    const cpus: LogicalCpu[] = [];
    this.#timers = [];
    for (let id = 0; id < parameters.cpus; id++) {
      const cpu = new LogicalCpu(id, engine, new LocalApic(id, bus, tsc), this, parameters.processor);
      cpu.drawPathFactor = pathFactors(
        parameters.path,
        engine.random.stream(`${name}path.cpu${id}`),
        () => this.#writtenBytes(),
      );
      cpus.push(cpu);
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
    return false;
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
    if (msr === MSR_APIC_BASE) {
      return 0xfee0_0800 | (cpu.apic.x2apic ? 0x400 : 0) | (cpu.id === 0 ? 0x100 : 0);
    }
    return undefined;
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
  store(_cpu: LogicalCpu, address: number, value: number): void {
    this.ports.get(address)?.write(value);
  }

  /** @inheritdoc */
  load(_cpu: LogicalCpu, address: number): number {
    return this.ports.get(address)?.read() ?? 0xffff_ffff;
  }

  #writtenBytes(): number {
    let sum = 0;
    for (const master of this.busMasters) sum += master.writtenBytes(this.engine.nowNs);
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
    else this.#send(cpu, DeliveryMode.Fixed, vector, 0, this.parameters.msiLatency, atEnd);
  }

  #apply(cpu: LogicalCpu, effect: ApicEffect): boolean {
    switch (effect.kind) {
      case "none": // TPR may have been lowered
      case "eoi":
        cpu.signal();
        return true;
      case "timer":
        this.#armTimer(cpu);
        return true;
      case "ipi":
        this.#interprocessor(cpu, effect.ipi);
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
    if (cpu.apic.accept(vector)) cpu.signal();
    else this.droppedMessages++;
  }

  #interprocessor(from: LogicalCpu, ipi: Ipi): void {
    for (const cpu of this.cpus) {
      const meant = ipi.shorthand === 0
        ? cpu.apic.matches(ipi.destination, ipi.logical)
        : ipi.shorthand === 1
        ? cpu === from
        : ipi.shorthand === 2 || cpu !== from;
      if (meant) {
        this.#send(cpu, ipi.mode, ipi.vector, from.pathFactor, cpu === from ? 0 : this.parameters.ipiLatency);
      }
    }
  }

  #send(
    cpu: LogicalCpu,
    mode: number,
    vector: number,
    factor: number,
    latencyNs: number,
    atEnd = false,
  ): void {
    const message = this.#idleMessages.pop() ?? this.#newMessage(cpu);
    message.cpu = cpu;
    message.mode = mode;
    message.vector = vector;
    message.factor = factor;
    const arrivesNs = this.engine.nowNs + latencyNs;
    if (atEnd && this.engine.passTo(arrivesNs)) this.#arrived(message);
    else message.alarm.at(arrivesNs);
  }

  #newMessage(cpu: LogicalCpu): Message {
    const message: Message = {
      alarm: this.engine.alarm(`message ${this.#messages++}`, () => this.#arrived(message), -1),
      cpu,
      mode: 0,
      vector: 0,
      factor: 0,
    };
    return message;
  }

  #arrived(message: Message): void {
    const { cpu, mode, vector, factor } = message;
    this.#idleMessages.push(message);
    if (this.engine.trace !== null) traceRequest(cpu, mode === DeliveryMode.Nmi ? 2 : vector, "message");
    switch (mode) {
      case DeliveryMode.Fixed:
      case DeliveryMode.LowestPriority:
        if (!cpu.running || !cpu.apic.accept(vector)) {
          this.droppedMessages++;
          return;
        }
        cpu.apic.inheritedFactor[vector] = factor;
        cpu.signal();
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

  /** Adds counters of the machine itself to `hash`; its processors add themselves. */
  hashInto(hash: StateHash): void {
    hash.number(this.droppedMessages).word(this.#idleMessages.length);
  }
}
