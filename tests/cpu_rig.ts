/**
 * A machine whose software is the test's own: handlers by vector, one program a processor, and a list of what happened
 * when. Every cost is another number, so that a sum of times says what it is made of.
 *
 * @module
 */

import { type Activity, HLT, type Routine, type Step, WRMSR } from "../hw/sim/activity.ts";
import { Engine } from "../hw/sim/engine.ts";
import type { LogicalCpu } from "../hw/cpu.ts";
import { Machine, type MachineParameters } from "../hw/machine.ts";
import { Context, type InterruptTable, RegisterFile } from "../hw/register_file.ts";

/** What the processor's own actions cost, ns. */
export const COST = {
  interruptDelivery: 103,
  eventInjection: 61,
  c1Exit: 709,
  vmExit: 113,
  vmEntry: 127,
  vmExitIndirect: 0,
  msrAccess: 41,
  deviceAccess: 251,
  cpuid: 71,
  rdtsc: 7,
  crAccess: 6,
  pause: 3,
} as const;

/** From the ICR write to the other processor's APIC, ns. */
export const IPI_LATENCY_NS = 211;

/** MSR of the x2APIC register at `offset` (SDM, "x2APIC Register Address Space": 0x800 + offset/16). */
export const msr = (offset: number): number => 0x800 + offset / 16;
/** The EOI register's MSR. */
export const EOI_MSR = 0x80b;

const PARAMETERS: MachineParameters = {
  cpus: 2,
  tsc: 1_000_000_000,
  apicBus: 100_000_000,
  ipiLatency: IPI_LATENCY_NS,
  msiLatency: 307,
  processor: COST,
  path: { warmShare: 0, warmFloor: 1, typicalSpread: 0, coldExcess: 0, coldSpread: 0, coldBytes: 1 },
  nic: { transmit: 0, receive: 0, switchFrame: 1, wireFrame: 1 },
};

/** A handler that returns at once; ended, it does so as often as it is run. */
const NOTHING: Activity = (function* (): Activity {
  yield HLT;
})();
NOTHING.return();

/** An interrupt table with the test's handlers. */
export class Handlers implements InterruptTable {
  readonly interrupts = new Map<number, () => Activity<unknown> | Routine>();
  onNmi: () => Activity<unknown> = () => NOTHING;
  onException: (vector: number) => Activity<unknown> = () => NOTHING;

  interrupt(vector: number): Activity<unknown> | Routine {
    const handler = this.interrupts.get(vector);
    if (handler === undefined) throw new Error(`Vector 0x${vector.toString(16)} has no handler`);
    return handler();
  }

  nmi(): Activity<unknown> {
    return this.onNmi();
  }

  exception(vector: number): Activity<unknown> {
    return this.onException(vector);
  }
}

/** Two processors, of which the test starts what it needs. */
export class CpuRig {
  readonly engine = new Engine(1);
  readonly machine: Machine;
  readonly cpu: LogicalCpu;
  /** The handlers of processor 0 in root operation. */
  readonly handlers = new Handlers();
  /** What happened: `TIME what`. */
  readonly log: string[] = [];

  constructor(parameters: Partial<MachineParameters> = {}) {
    this.machine = new Machine(this.engine, { ...PARAMETERS, ...parameters });
    this.cpu = this.machine.cpus[0]!;
  }

  /** Writes down that `what` happens now. */
  note(what: string): void {
    this.log.push(`${this.engine.nowNs} ${what}`);
  }

  /** Starts `program` on a processor, its APIC enabled; after its end the processor halts for ever. */
  start(
    program: (registers: RegisterFile) => Activity<unknown>,
    { cpu = this.cpu, handlers = this.handlers } = {},
  ): RegisterFile {
    function* life(): Activity {
      yield* program(registers);
      for (;;) yield HLT;
    }
    const registers = new RegisterFile(handlers, new Context(`program ${cpu.id}`, life()));
    cpu.start(registers);
    cpu.apic.write(0x0f0, 0x1ff, this.engine.nowNs);
    return registers;
  }

  /** A handler of `vector` that notes its beginning, yields `steps`, ends the interrupt, and notes its end. */
  handle(vector: number, ...steps: Step[]): void {
    this.handlers.interrupts.set(vector, () => this.#handler(`0x${vector.toString(16)}`, steps));
  }

  *#handler(name: string, steps: Step[]): Activity {
    this.note(`${name} begins`);
    for (const step of steps) yield step;
    yield this.eoi();
    this.note(`${name} ends`);
  }

  /** As a handler: notes `what`, then yields `steps`. */
  *notes(what: string, ...steps: Step[]): Activity {
    this.note(what);
    for (const step of steps) yield step;
  }

  /** `yield rig.eoi()`. */
  eoi(cpu = this.cpu): Step {
    cpu.registers.address = EOI_MSR;
    cpu.registers.value = 0;
    return WRMSR;
  }

  /** Calls `action` at `timeNs`. */
  at(timeNs: number, action: () => void): void {
    this.engine.alarm("test", action).at(timeNs);
  }

  /** A fixed interrupt reaches a processor's APIC at `timeNs`. */
  interruptAt(timeNs: number, vector: number, cpu = this.cpu): void {
    this.at(timeNs, () => {
      if (!cpu.apic.accept(vector)) throw new Error("The APIC takes nothing");
      cpu.signal();
    });
  }

  /** An NMI reaches a processor at `timeNs`. */
  nmiAt(timeNs: number, cpu = this.cpu): void {
    this.at(timeNs, () => cpu.nmi());
  }
}
