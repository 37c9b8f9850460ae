/**
 * Slide 7 and slide 22: one timer period of a busy guest, box by box, out of registers.
 *
 * The expected sequences are the talk's figures. cpu0 is the host, cpu3 runs the vCPU.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { TraceLog } from "../hw/sim/trace.ts";
import { Pin } from "../hw/vmx.ts";
import { flowOf } from "../runtime/measure/flow.ts";
import { timerPeriod } from "./exit_rig.ts";
import { RFC_V2, STOCK } from "./kvm_rig.ts";

/** The boxes, host boxes indented. */
function boxes(log: TraceLog): string[] {
  return flowOf(log.records, "cpu3").map(({ lane, kind, text }) =>
    kind === "crossing" ? `--${text}--` : lane === "host" ? `  ${text}` : text
  );
}

Deno.test("stock KVM: a timer period is slide 7's figure, box by box, with three exits", () => {
  const { log, exits } = timerPeriod(STOCK);
  assertEquals(boxes(log), [
    "guest runs",
    "set APIC timer",
    "--VM exit--",
    "  emulate APIC access",
    "--VM entry--",
    "guest runs",
    "interrupt",
    "--VM exit--",
    "  timer handler",
    "  vIRQ injection",
    "--VM entry--",
    "timer handler",
    "EOI",
    "--VM exit--",
    "  emulate APIC access",
    "--VM entry--",
    "guest runs",
  ]);
  assertEquals(exits, 3);
});

Deno.test("direct local APIC timer: a period is slide 22's figure, box by box, with no exit", () => {
  const { log, exits, vcpu } = timerPeriod(RFC_V2);
  assertEquals(boxes(log), [
    "guest runs",
    "set APIC timer",
    "guest runs",
    "interrupt",
    "timer handler",
    "direct EOI",
    "guest runs",
  ]);
  assertEquals(exits, 0);
  assertEquals(vcpu.vmcs.pinBased & Pin.ExternalInterruptExiting, 0, "pin-based bit 0 is clear");
});

Deno.test("the exits that each register setting removes: delivery alone leaves the timer's three", () => {
  // Slide 9: without the direct timer the guest's timer interrupt stays a virtual one; here it comes from an
  // online CPU by NMI, so that the exits are arm, NMI, EOI.
  const { exits } = timerPeriod({ ...RFC_V2, eoi: false, timer: false });
  assertEquals(exits, 3);
});

Deno.test("the same run gives the same trace", () => {
  assertEquals(timerPeriod(STOCK).log.records, timerPeriod(STOCK).log.records);
});

Deno.test("every event knows its cause: the injection goes back to the guest's write of the timer", () => {
  const { records } = timerPeriod(STOCK).log;
  const causes = new Map(records.map(({ event, cause }) => [event, cause]));
  const eventOf = (name: string, text: string) =>
    records.find((record) => record.name === name && JSON.stringify(record.fields).includes(text))!.event;
  const armed = eventOf("kvm_apic", "TMICT");
  const chain: number[] = [];
  for (let event: number | undefined = eventOf("kvm_inj_virq", "239"); event !== undefined;) {
    chain.push(event);
    event = causes.get(event);
  }
  assert(chain.includes(armed), `${armed} is not among ${chain.join(" <- ")}`);
});
