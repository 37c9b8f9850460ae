/**
 * What a logical processor and its local APIC tell whoever watches: a trace, the state hash.
 *
 * @module
 */

import { Op, type Step } from "./sim/activity.ts";
import type { StateHash } from "./sim/state_hash.ts";
import type { TraceRecord } from "./sim/trace.ts";
import type { LogicalCpu } from "./cpu.ts";
import { ExitReason, type Vmcs } from "./vmx.ts";

/** The vector of non-maskable interrupts. */
const NMI = 2;

/** Records something that happens on `cpu`. */
export function traceCpu(
  cpu: LogicalCpu,
  kind: string,
  name: string,
  fields: TraceRecord["fields"],
): void {
  const { engine, id } = cpu;
  engine.trace!.record({
    event: engine.event,
    cause: engine.cause,
    timeNs: engine.nowNs,
    where: `cpu${id}`,
    kind,
    name,
    fields,
  });
}

/** Records that a step of `ns` begins: work, a transition of the hardware's own, or an instruction and its operands. */
export function traceStep(cpu: LogicalCpu, step: Step, ns: number): void {
  const mode = cpu.vmcs === null ? "root" : "guest";
  const { layer, name, op } = step;
  if (op === Op.Work || op === Op.Switch) return traceCpu(cpu, "work", name, { layer, ns, mode });
  if (op === Op.Transition) return traceCpu(cpu, "transition", name, { layer, ns, mode });
  const { address, value } = cpu.registers;
  traceCpu(cpu, "instruction", name, { layer, ns, address, value, mode });
}

/** Records that `vector` is requested of `cpu`'s local APIC, by its own timer or by a message from elsewhere. */
export function traceRequest({ engine, id }: LogicalCpu, vector: number, by: "timer" | "message"): void {
  engine.trace!.record({
    event: engine.event,
    cause: engine.cause,
    timeNs: engine.nowNs,
    where: `lapic${id}`,
    kind: "request",
    name: vector === NMI ? "NMI" : `0x${vector.toString(16)}`,
    fields: { vector, by },
  });
}

/** Reasons of exits because of an instruction that names something: an MSR, a port, an address. */
const WITH_OPERAND: ReadonlySet<number> = new Set([
  ExitReason.IoInstruction,
  ExitReason.MsrRead,
  ExitReason.MsrWrite,
  ExitReason.ApicAccess,
  ExitReason.EptMisconfig,
]);

/** Records that `cpu` leaves guest mode. `operand` is what the instruction names that exits: MSR, port, address; else 0. */
export function traceExit(cpu: LogicalCpu, vmcs: Vmcs): void {
  const { exitReason: reason, exitQualification: qualification, exitInterruptionInfo: info } = vmcs;
  const operand = WITH_OPERAND.has(reason) ? vmcs.guest.address : 0;
  traceCpu(cpu, "exit", "VM exit", { reason, qualification, info, operand });
}

/** Records that `cpu` takes an interrupt. */
export function traceInterrupt(cpu: LogicalCpu, name: string, vector: number): void {
  traceCpu(cpu, "interrupt", name, { vector, mode: cpu.vmcs === null ? "root" : "guest" });
}

/** Adds the whole state of `cpu` to `hash`. */
export function hashCpu(cpu: LogicalCpu, hash: StateHash): void {
  const { root, currentVmcs, inFlight } = cpu;
  hash.flag(cpu.running).flag(cpu.nmiPending).flag(cpu.nmiBlocked).number(cpu.pathFactor).number(cpu.exits);
  // Of a step in flight its end: looking at it and booking its time so far change that not.
  hash.text(inFlight?.name ?? "").number(inFlight?.untilNs ?? 0);
  if (
    inFlight !== null && inFlight.op !== Op.Work && inFlight.op !== Op.Switch && inFlight.op !== Op.Transition
  ) {
    hash.number(cpu.registers.address).number(cpu.registers.value);
  }
  cpu.apic.hashInto(hash);
  if (root !== null) {
    hash.flag(root.interruptFlag).flag(root.halted).word(root.cr0).number(root.cr3).word(root.cr4);
    root.context.hashInto(hash);
  }
  if (currentVmcs !== null) {
    currentVmcs.hashInto(hash);
    const { guest } = currentVmcs;
    hash.flag(guest.interruptFlag).flag(guest.halted);
    guest.context.hashInto(hash);
  }
}
