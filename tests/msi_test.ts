import { assertEquals, assertThrows } from "@std/assert";
import {
  decodeMsi,
  encodeMsi,
  encodeRemappable,
  isInterruptAddress,
  MsiXTable,
  remappableIndex,
  withVector,
} from "../hw/msi.ts";
import { field, register, reserved } from "../hw/registers.ts";

/** An address for APIC 3 in physical mode and data for a fixed, edge-triggered vector 0x51. */
const ADDRESS = 0xfee0_3000;
const DATA = 0x0051;

/** Table offsets: 16 bytes an entry. */
const ENTRY = 16;
const VECTOR_CONTROL = 12;
/** Message Control bits. */
const ENABLE = 0x8000;
const FUNCTION_MASK = 0x4000;

function table(): MsiXTable {
  const msiX = new MsiXTable(3);
  for (let entry = 0; entry < 3; entry++) {
    msiX.write(entry * ENTRY, ADDRESS);
    msiX.write(entry * ENTRY + 8, DATA + entry);
    msiX.write(entry * ENTRY + VECTOR_CONTROL, 0);
  }
  msiX.writeControl(ENABLE);
  return msiX;
}

Deno.test("a register whose widths do not total its size cannot be made", () => {
  assertThrows(() => register("R", 0, 0, 16, [field("a", 8), reserved(7)]), RangeError, "15 bits");
  assertThrows(() => register("R", 0, 0, 8, [field("a", 8), field("b", 8)]), RangeError, "16 bits");
  assertThrows(() => register("R", 0, 0, 16, [field("a", 8), field("a", 8)]), RangeError, "two fields");
  assertThrows(() => register("R", 0, 0x100, 8, [field("a", 8)]), RangeError, "reset value");
});

Deno.test("a write changes what the fields allow and nothing else", () => {
  const r = register("R", 0, 0x8000_00f0, 32, [
    field("free", 4),
    field("fixed", 4, "ro"),
    field("events", 8, "rw1c"),
    field("noted", 8, "unmodelled"),
    reserved(7),
    field("top", 1),
  ]);
  const value = r.with(r.reset, "events", 0xff);
  assertEquals(r.write(value, 0x0012_0f05), 0x0012_f0f5);
  assertEquals(r.unmodelled(value, r.write(value, 0x0012_0000)), ["noted"]);
  assertEquals(r.get(0x8000_0000, "top"), 1);
  assertThrows(() => r.with(0, "free", 16), RangeError, "does not fit");
});

Deno.test("address and data take the bits that the manual gives them", () => {
  // Address: base 0xfee, destination 19:12, redirection hint 3, destination mode 2. Data: level 14, trigger 15,
  // delivery mode 10:8, vector 7:0.
  const message = {
    vector: 0x51,
    destination: 3,
    destinationMode: "logical",
    redirectionHint: true,
    deliveryMode: "lowestPriority",
    trigger: "level",
    level: 1,
  } as const;
  assertEquals(encodeMsi(message), { address: 0xfee0_300c, data: 0xc151 });
  assertEquals(decodeMsi(0xfee0_300c, 0xc151), message);
  assertEquals(decodeMsi(ADDRESS, DATA)?.deliveryMode, "fixed");
  assertEquals(decodeMsi(ADDRESS, 0x0400)?.deliveryMode, "nmi");
});

Deno.test("what is no message in compatibility format is not decoded", () => {
  assertEquals(decodeMsi(0xfed0_3000, DATA), undefined);
  assertEquals(decodeMsi(0xfee0_0010, DATA), undefined);
  // Delivery modes 3 and 6 are reserved for messages.
  assertEquals(decodeMsi(ADDRESS, 0x0300), undefined);
  assertEquals(isInterruptAddress(0xfeef_fffc), true);
});

Deno.test("a remappable address carries a 16-bit index", () => {
  // Handle bits 14:0 in 19:5, bit 15 in 2, format in 4, subhandle valid in 3.
  assertEquals(encodeRemappable(0x8001, false), 0xfee0_0034);
  assertEquals(remappableIndex(0xfee0_0034, 0), 0x8001);
  assertEquals(remappableIndex(encodeRemappable(5, true), 2), 7);
  assertEquals(remappableIndex(ADDRESS, DATA), undefined);
});

Deno.test("another vector leaves the rest of the data alone", () => {
  assertEquals(withVector(0xc151, 0x2a), 0xc12a);
  assertThrows(() => withVector(DATA, 256), RangeError);
});

Deno.test("after reset MSI-X is off and every entry is masked", () => {
  const msiX = new MsiXTable(3);
  assertEquals(msiX.readControl(), 2);
  assertEquals(msiX.read(VECTOR_CONTROL), 1);
  assertEquals(msiX.enabledEntries(), []);
  assertEquals(msiX.signal(0), undefined);
  assertEquals(msiX.pending(0), false);
});

Deno.test("a signal sends the entry's address and data", () => {
  assertEquals(table().signal(1), {
    kind: "msi",
    address: ADDRESS,
    addressHigh: 0,
    data: DATA + 1,
    entry: 1,
  });
});

Deno.test("a masked entry holds one message back and sends it when unmasked", () => {
  const msiX = table();
  msiX.write(ENTRY + VECTOR_CONTROL, 1);
  assertEquals(msiX.signal(1), undefined);
  assertEquals(msiX.signal(1), undefined);
  assertEquals(msiX.readPending(0), 0b010);
  assertEquals(msiX.enabledEntries(), [0, 2]);
  assertEquals(msiX.write(ENTRY + VECTOR_CONTROL, 0).map(({ entry }) => entry), [1]);
  assertEquals(msiX.readPending(0), 0);
  assertEquals(msiX.write(ENTRY + VECTOR_CONTROL, 0), []);
});

Deno.test("the function mask holds all entries back, those with their own mask longer", () => {
  const msiX = table();
  msiX.writeControl(ENABLE | FUNCTION_MASK);
  msiX.write(2 * ENTRY + VECTOR_CONTROL, 1);
  assertEquals([msiX.signal(0), msiX.signal(2)], [undefined, undefined]);
  assertEquals(msiX.enabledEntries(), []);
  assertEquals(msiX.writeControl(ENABLE).map(({ entry }) => entry), [0]);
  assertEquals(msiX.pending(2), true);
});

Deno.test("a message that left a mask carries what the entry holds then, not when it was signalled", () => {
  const msiX = table();
  msiX.setMask(0, true);
  msiX.signal(0);
  msiX.writeMessage(0, { address: 0xfee0_1000, data: 0x2a });
  const [message] = msiX.setMask(0, false);
  assertEquals([message?.address, message?.data], [0xfee0_1000, 0x2a]);
});

Deno.test("read-only bits of the table and Message Control keep their value", () => {
  const msiX = table();
  msiX.write(0, 0xfee0_3003);
  assertEquals(msiX.read(0), 0xfee0_3000);
  msiX.writeControl(0xffff);
  assertEquals(msiX.readControl(), ENABLE | FUNCTION_MASK | 2);
  assertEquals(msiX.write(3 * ENTRY, 1), []);
  assertThrows(() => msiX.signal(3), RangeError);
});
