/**
 * The remapping unit. Formats, reasons and rules are restated from the Intel VT-d specification, "Interrupt Remapping",
 * "DMA Remapping" and the appendix "Fault Reason Encodings".
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { encodeMsi, encodeRemappable } from "../hw/msi.ts";
import { RemappingUnit } from "../hw/vtd.ts";

/** Bits of an entry: present, logical destination, redirection hint; delivery mode in 7:5, vector in 23:16, SVT in 83:82. */
const PRESENT = 1, LOGICAL = 1 << 2, HINT = 1 << 3, POSTED = 1 << 15;
const vector = (number: number) => number << 16;
const mode = (number: number) => number << 5;
const validate = (type: number, id: number, qualifier = 0) => (type << 18) | (qualifier << 16) | id;
const DEVICE = 0x0500; // 05:00.0

function unit(low = PRESENT | vector(0x61), destination = 3, source = 0): RemappingUnit {
  const made = new RemappingUnit(256);
  made.interruptRemapping = true;
  made.writeEntry(7, low, destination, source);
  return made;
}

/** What becomes of a message that uses entry `index`. */
function outcome(made: RemappingUnit, index = 7, source = DEVICE) {
  const remapped = made.remap(encodeRemappable(index, true), 0, source);
  if (remapped.kind !== "message") return remapped.kind === "fault" ? remapped.reason : remapped.kind;
  const { message } = remapped;
  return `${message.deliveryMode} ${message.vector} to ${message.destinationMode} ${message.destination}`;
}

Deno.test("vector, destination and delivery mode are the entry's, whatever the message says", () => {
  assertEquals(outcome(unit()), "fixed 97 to physical 3");
  const low = PRESENT | LOGICAL | HINT | mode(1) | vector(0xfe);
  assertEquals(outcome(unit(low, 0x1_0005)), "lowestPriority 254 to logical 65541");
  assertEquals(outcome(unit(PRESENT | mode(4), 2)), "nmi 0 to physical 2");
});

Deno.test("the subhandle in the message's data is added where the address says so", () => {
  const made = unit();
  assertEquals(made.remap(encodeRemappable(5, true), 2).kind, "message", "5 + 2");
  assertEquals(made.remap(encodeRemappable(7, false), 2).kind, "message", "7");
  assertEquals(made.remap(encodeRemappable(7, true), 1), { kind: "fault", reason: 0x22 });
});

Deno.test("what cannot be remapped faults by its reason, and is recorded with source and index", () => {
  const made = unit();
  made.writeEntry(8, 0, 0, 0);
  made.writeEntry(9, PRESENT | POSTED, 0, 0);
  made.writeEntry(10, PRESENT | mode(3), 0, 0);
  assertEquals([7, 8, 9, 10, 11, 256].map((index) => outcome(made, index)), [
    "fixed 97 to physical 3",
    0x22, // not present
    0x24, // posted interrupts are not there
    0x24, // a delivery mode that is none
    0x22,
    0x21, // beyond the table
  ]);
  assertEquals(made.faults[0], { reason: 0x22, source: DEVICE, at: 8 });
});

Deno.test("an entry that names its source takes no other's message", () => {
  const low = PRESENT | vector(0x61);
  const rows: [validation: number, source: number, allowed: boolean][] = [
    [validate(0, 0), 0x1234, true],
    [validate(1, DEVICE), DEVICE, true],
    [validate(1, DEVICE), DEVICE + 1, false],
    [validate(1, DEVICE, 1), DEVICE + 4, true], // bit 2 of the function does not count
    [validate(1, DEVICE, 3), DEVICE + 7, true],
    [validate(1, DEVICE, 3), DEVICE + 8, false],
    [validate(2, 0x0406), 0x0510, true], // buses 4 to 6
    [validate(2, 0x0406), 0x0700, false],
    [validate(3, DEVICE), DEVICE, false], // reserved
  ];
  for (const [validation, source, allowed] of rows) {
    const made = unit(low, 3, validation);
    assertEquals(
      outcome(made, 7, source),
      allowed ? "fixed 97 to physical 3" : 0x26,
      `${validation} ${source}`,
    );
  }
});

Deno.test("a message in compatibility format is blocked, unless software lets it through", () => {
  const { address, data } = encodeMsi({
    vector: 0x61,
    destination: 3,
    destinationMode: "physical",
    redirectionHint: false,
    deliveryMode: "fixed",
    trigger: "edge",
    level: 1,
  });
  const made = unit();
  assertEquals(made.remap(address, data), { kind: "fault", reason: 0x25 });
  made.compatibilityFormat = true;
  assertEquals(made.remap(address, data).kind, "unchanged");
  made.interruptRemapping = false;
  assertEquals(made.remap(encodeRemappable(7, true), 0).kind, "unchanged", "remapping is off");
});

Deno.test("eight faults are recorded, the ninth is an overflow", () => {
  const made = unit();
  for (let i = 0; i < 9; i++) outcome(made, 20 + i);
  assertEquals([made.faults.length, made.faultOverflow], [8, true]);
});

Deno.test("a device reaches its domain's pages, with the permissions that they have, and nothing else", () => {
  const made = new RemappingUnit();
  assertEquals(made.translate(DEVICE, 0x1234, true), 0x1234, "translation is off");
  made.translation = true;
  assertEquals(made.translate(DEVICE, 0x1234, true), undefined, "no context");
  made.attach(DEVICE, 1);
  made.map(1, 0x1000, 0x8_0000, 0x2000);
  made.map(1, 0x3000, 0x9_0000, 0x1000, false);
  assertEquals(made.translate(DEVICE, 0x2abc, true), 0x8_1abc);
  assertEquals([made.translate(DEVICE, 0x3010, false), made.translate(DEVICE, 0x3010, true)], [
    0x9_0010,
    undefined,
  ]);
  assertEquals(made.translate(DEVICE, 0x4000, false), undefined);
  assertEquals(made.translate(DEVICE + 1, 0x1000, false), undefined, "another device");
  made.destroyDomain(1);
  assertEquals(made.translate(DEVICE, 0x1000, false), undefined);
  assertEquals(made.faults.map(({ reason }) => reason), [0x02, 0x05, 0x06, 0x02, 0x02]);
});
