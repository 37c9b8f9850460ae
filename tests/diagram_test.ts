/**
 * `diagram`: the flow of a processor as text, as a Mermaid sequence diagram and as SVG.
 *
 * The boxes are those of slide 18 of the talk.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

/** A guest on stock KVM that computes, and one interrupt of its device handled, between two timer interrupts. */
function interrupted(): SessionRig {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(". ./talk_setup.rtk > /dev/null 2>&1; ssh vm0 'while :; do :; done' &\nrun 100.8ms");
  rig.ok("irq vf0; step interrupt");
  return rig;
}

Deno.test("diagram last: the last interrupt, from its request to where it stands; nothing changes by it", () => {
  const rig = interrupted();
  const before = [rig.session.now, rig.lab.engine.stateHash()];
  const drawn = rig.ok("diagram last");
  const boxes = drawn.split("\n").slice(1, -1).map((line) => line.slice(9).replace(/[-<>]/g, "").trim());
  assertEquals(boxes, [ // slide 18, "KVM": the exit of the interrupt, and that of its EOI
    ...["interrupt", "VM exit", "IRQ handler", "vIRQ injection", "VM entry"],
    ...["IRQ handler", "EOI", "VM exit", "emulate APIC access", "VM entry"],
  ]);
  assertMatch(drawn, /^ +us .*\n {4}0\.000 /);
  assertEquals([rig.session.now, rig.lab.engine.stateHash()], before);
  rig.ok("back interrupt; run until exit reason=32");
  assertMatch(rig.ok("diagram last"), /EOI\n.* VM exit ->\n$/, "as far as it has come");
  assertMatch(rig.run("boot\ndiagram last cpu 3").err, /cpu3 has had no interrupt since the machine's boot/);
});

Deno.test("diagram --mermaid: what Mermaid's sequence diagrams are made of, box by box", () => {
  const rig = interrupted();
  const [first, ...lines] = rig.ok("diagram last --mermaid").trimEnd().split("\n");
  assertEquals(first, "sequenceDiagram");
  assertEquals(lines.slice(0, 2), ["  participant Guest", "  participant Host"]);
  for (const line of lines.slice(2)) {
    assertMatch(line, /^ {2}(Note over (Guest|Host)|Guest->>Host|Host->>Guest): [\w ]+, \d+\.\d{3} us$/);
  }
  assertEquals(lines.length - 2, rig.ok("diagram last").trimEnd().split("\n").length - 1);
  assertEquals(lines.filter((line) => line.includes("Guest->>Host: VM exit")).length, 2);
});

Deno.test("diagram --svg: a drawing with every box, as a file of the tree", () => {
  const rig = interrupted();
  rig.ok("diagram last --svg > /tmp/last.svg");
  const svg = rig.ok("cat /tmp/last.svg");
  assertMatch(svg, /^<\?xml [^]*<svg [^]*<\/svg>\n$/);
  assertStringIncludes(svg, "<title>kvm, cpu3: the last interrupt</title>");
  assertEquals(svg.match(/>VM exit</g)?.length, 2);
  assertMatch(rig.run("diagram --sgv").err, /unknown option "--sgv": did you mean --svg\?/);
  assertMatch(rig.run("diagram --svg --text").err, /expected one form/);
  assertMatch(rig.run("diagram 3").err, /expected a duration with its unit/);
});

Deno.test("why and diagram last are asked again in every turn of a loop, and in a pipe", () => {
  const rig = interrupted();
  const events: number[] = [];
  const out = rig.ok(
    "for i in 1 2 3; do step 100 > /dev/null; why | head -n 1; diagram last | tail -n 1; done",
  );
  assertEquals(out.trimEnd().split("\n").length, 6);
  for (const [, event] of out.matchAll(/^ +(\d+) {2}\d/gm)) events.push(Number(event));
  assertEquals(events.length, 3);
  assert(events[0]! < events[1]! && events[1]! < events[2]!);
});
