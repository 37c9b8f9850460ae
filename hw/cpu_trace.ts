/**
 * What a logical processor and its local APIC tell a trace.
 *
 * @module
 */

import { Op, type Step } from "./sim/activity.ts";
import type { TraceRecord } from "./sim/trace.ts";
import type { LogicalCpu } from "./cpu.ts";

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
