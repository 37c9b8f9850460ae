/**
 * What a logical processor is given: the costs of its own actions, and the registers that its instructions reach.
 *
 * @module
 */

import { Op as Ops, type OpCode } from "./sim/activity.ts";
import type { LogicalCpu } from "./cpu.ts";
import { accessControl, setTaskPriority } from "./cpu_control_registers.ts";
import { Apic } from "./lapic_registers.ts";
import { ns, parameters, type Values } from "./parameters.ts";

const Op = Ops; // see `cpu.ts`

/** Costs of what the processor itself does, integer ns. */
export const processorCosts = parameters({
  interruptDelivery: ns(
    "From the interrupt's arrival at the local APIC to the first instruction of its handler",
  ),
  eventInjection: ns("From the entry that injects an event to the first instruction of its handler"),
  c1Exit: ns("Wake-up from C1"),
  vmExit: ns("VM exit, hardware part"),
  vmEntry: ns("VM entry, hardware part"),
  vmExitIndirect: ns("What work that an exit has interrupted takes longer afterwards: caches, TLBs"),
  msrAccess: ns("RDMSR or WRMSR that does not exit"),
  deviceAccess: ns("IN, OUT, or a load or store to device registers that does not exit"),
  cpuid: ns("CPUID that does not exit"),
  rdtsc: ns("RDTSC"),
  crAccess: ns("MOV to or from a control register, CLTS or LMSW that does not exit"),
  pause: ns("PAUSE that does not exit"),
});

/** Values of {@linkcode processorCosts}. */
export type ProcessorCosts = Values<typeof processorCosts>;

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
  /** The time-stamp counter as software on `cpu` reads it. */
  timeStamp(cpu: LogicalCpu): number;
  /** Performs a load from physical address `address`, outside RAM. */
  load(cpu: LogicalCpu, address: number): number;
}

/**
 * Executes an access to registers outside of the processor, with the operands in its register file.
 *
 * @returns what the destination register receives (0 for a write); `undefined`: #GP
 */
export function access(cpu: LogicalCpu, op: OpCode): number | undefined {
  const { bus } = cpu;
  const { address, value } = cpu.registers;
  switch (op) {
    case Op.Wrmsr:
      return bus.writeMsr(cpu, address, value) ? 0 : undefined;
    case Op.Rdmsr:
      return bus.readMsr(cpu, address);
    case Op.Out:
      bus.writePort(cpu, address, value);
      return 0;
    case Op.In:
      return bus.readPort(cpu, address);
    case Op.MovToCr:
    case Op.MovFromCr:
    case Op.Clts:
    case Op.Lmsw:
      return accessControl(cpu, op);
    case Op.Invlpg: // what a TLB holds is not modelled
    case Op.Cpuid: // it exits, or answers nothing that is modelled
    case Op.Pause:
      return 0;
    case Op.Store:
      if (cpu.vmcs !== null) setTaskPriority(cpu, value & 0xff); // of all device memory nothing else does not exit
      else bus.store(cpu, address, value);
      return 0;
    case Op.Load:
      return cpu.vmcs?.virtualApic?.register(Apic.TPR) ?? bus.load(cpu, address);
    case Op.Rdtsc:
      return bus.timeStamp(cpu);
    default:
      throw new Error(`Operation ${op} is no access`);
  }
}
