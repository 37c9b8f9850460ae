/**
 * One table leads from the steps of a trace to the boxes of the talk's figures, for all systems; a step that it does not know
 * is told, and no figure is drawn with one. That the seven figures are the talk's, box by box, is in slides_test.ts.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { busyGuest } from "../dsl/slides/flow_slides.ts";
import { RunFailure, Runs } from "../dsl/slides/runs.ts";
import { laboratoryWords } from "../dsl/words/index.ts";
import { TraceLog } from "../hw/sim/trace.ts";
import { SYSTEMS } from "../runtime/lab/systems.ts";
import { FlowReader } from "../runtime/measure/flow.ts";
import { BOXES } from "../runtime/measure/flow_boxes.ts";
import { timerPeriod } from "./exit_rig.ts";
import { RFC_V2, STOCK } from "./kvm_rig.ts";

const RUNS = new Runs({ loops: 10, seed: 1, words: laboratoryWords });

for (const { name, vm0 } of SYSTEMS) {
  if (vm0 === "host") continue;
  Deno.test(`${name}: a timer period, a device's interrupt and a virtual one are steps that the table knows`, () => {
    const bench = busyGuest(RUNS, name);
    for (const script of ["run 12ms", "irq vf0\nrun 200us", "ssh vm0 true &\nrun 300us"]) {
      assert(bench.observe(script).items.length > 3, script);
    }
  });
}

Deno.test("a step that the table does not know fails the figure, by its name", () => {
  const bench = busyGuest(RUNS, "rfc-v2");
  const { engine } = bench.session.lab;
  const stray = () =>
    engine.trace!.record({
      event: 1,
      cause: 0,
      timeNs: engine.nowNs,
      where: "cpu3",
      kind: "work",
      name: "newHandle",
      fields: { mode: "root" },
    });
  assertThrows(
    () => bench.observe("run 100us", stray),
    RunFailure,
    "no box of the figures has work root newHandle",
  );
});

Deno.test("every box of the seven figures has a row", () => {
  // talk.md, section 2: the boxes of the figures.
  const drawn = [
    "set APIC timer",
    "emulate APIC access",
    "guest runs",
    "interrupt",
    "timer handler",
    "IRQ handler",
    "vIRQ injection",
    "EOI",
    "direct EOI",
    "NMI",
    "disable direct EOI",
    "re-enable direct EOI",
  ];
  const texts = new Set([...BOXES.values()].flatMap((box) => box === null ? [] : [box.text]));
  assertEquals(drawn.filter((text) => !texts.has(text)), []);
});

Deno.test("the steps of a bare timer period are known on stock KVM and with everything direct", () => {
  for (const capabilities of [STOCK, RFC_V2]) {
    const { log } = timerPeriod(capabilities);
    assert(log instanceof TraceLog);
    const reader = new FlowReader("cpu3");
    for (const record of log.records) reader.read(record);
    assertEquals([...reader.unknown], []);
  }
});
