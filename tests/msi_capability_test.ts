/**
 * MSI, the capability: layouts, mask and pending bit; an 82599 that tells by it.
 *
 * Expected: PCI Local Bus Specification 3.0, 6.8.1 (offsets of the four layouts, "Mask Bits", "Pending Bits"); Intel 82599
 * datasheet, "MSI Capability" (64 bits, maskable) and "Interrupt Registers" (without MSI-X a read of EICR ends an interrupt).
 */
import { assertEquals } from "@std/assert";
import { MsiCapability } from "../hw/msi_capability.ts";
import { Nic82599 } from "../hw/nic_82599.ts";
import { ConfigurationSpace, type PciEffect } from "../hw/pci_configuration.ts";

const AT = 0x50;
const ENABLE = 1;

function capability(address64: boolean, maskable: boolean) {
  const configuration = new ConfigurationSpace();
  return { configuration, msi: new MsiCapability(configuration, AT, { address64, maskable }) };
}

/** Address and data of the messages among `effects`. */
function messages(effects: readonly (PciEffect | undefined)[]) {
  return effects.flatMap((effect) => effect?.kind === "msi" ? [[effect.address, effect.data]] : []);
}

Deno.test("Message Control says which layout it is, and only its enables can be written", () => {
  for (
    const [address64, maskable, control] of [
      [false, false, 0x0000],
      [true, false, 0x0080],
      [false, true, 0x0100],
      [true, true, 0x0180],
    ] as const
  ) {
    const { configuration } = capability(address64, maskable);
    assertEquals(configuration.read(AT, 1), 0x05);
    assertEquals(configuration.read(AT + 2, 2), control);
    configuration.write(AT + 2, 2, 0xffff);
    assertEquals(configuration.read(AT + 2, 2), control | 0x0071);
  }
});

Deno.test("data stands behind the address that the layout has, mask and pending bits behind the data", () => {
  for (const [address64, data, mask] of [[false, 0x08, 0x0c], [true, 0x0c, 0x10]] as const) {
    const { configuration, msi } = capability(address64, true);
    configuration.write(AT + 2, 2, ENABLE);
    configuration.write(AT + 4, 4, 0xfee0_300f);
    configuration.write(AT + data, 2, 0x4051);
    assertEquals(messages([msi.signal()]), [[0xfee0_300c, 0x4051]], "the two low address bits are 0");
    configuration.write(AT + mask, 4, 0xffff_ffff);
    assertEquals(configuration.read(AT + mask, 4), 1, "one message has one mask bit");
    assertEquals([msi.signal(), configuration.read(AT + mask + 4, 4)], [undefined, 1]);
    configuration.write(AT + mask + 4, 4, 0);
    assertEquals(configuration.read(AT + mask + 4, 4), 1, "software cannot write it");
    assertEquals(messages(configuration.write(AT + mask, 4, 0)), [[0xfee0_300c, 0x4051]]);
    assertEquals(configuration.read(AT + mask + 4, 4), 0);
    assertEquals(messages(configuration.write(AT + mask, 4, 0)), [], "once");
  }
});

Deno.test("while MSI is off nothing leaves, and nothing is pending", () => {
  const { msi } = capability(true, true);
  msi.writeMessage({ address: 0xfee0_0000, data: 0x51 });
  assertEquals([msi.signal(), msi.pending], [undefined, false]);
});

// ---- the 82599's ----

const EICR = 0x800, EIMS = 0x880, EIMC = 0x888, IVAR = 0x900, LINK = 1 << 20;
const COMMAND = 0x04, STATUS = 0x06, BUS_MASTER = 4, INTERRUPT = 8;

/** A card whose driver takes MSI, and lets everything interrupt. */
function card() {
  const nic = new Nic82599({
    ...{ bdf: "0000:04:00.0", memoryBase: 0xf000_0000, ioBase: 0xe000, interruptLine: 16, mac: 1 },
    ...{ subsystemVendorId: 0x8086, subsystemId: 3, firstVfOffset: 128, vfStride: 2 },
  });
  const { configuration } = nic;
  configuration.write(COMMAND, 2, BUS_MASTER);
  nic.msi!.writeMessage({ address: 0xfee0_1000, data: 0x61 });
  configuration.write(AT + 2, 2, ENABLE);
  nic.writeMemory(0, IVAR, 0x8080, 0);
  nic.writeMemory(0, EIMS, 0xffff | LINK, 0);
  return { nic, line: () => (configuration.read(STATUS, 2) & INTERRUPT) !== 0 };
}

Deno.test("82599: its MSI has 64 bits of address and a mask", () => {
  assertEquals(card().nic.configuration.read(AT + 2, 2), 0x0180 | ENABLE);
});

Deno.test("82599: with MSI a message leaves in the line's place, when the first enabled cause comes", () => {
  const { nic, line } = card();
  assertEquals(messages(nic.raiseQueue(0, "rx", 0)), [[0xfee0_1000, 0x61]]);
  assertEquals(line(), false);
  assertEquals(messages(nic.raiseOther(20, 10)), [], "it interrupts already");
  assertEquals(nic.readMemory(0, EICR, 20), (1 << 31 | LINK | 1) >>> 0);
  assertEquals(messages(nic.raiseOther(20, 30)), [[0xfee0_1000, 0x61]]);
});

Deno.test("82599: a cause that comes while all are disabled is told when software enables it", () => {
  const { nic } = card();
  nic.writeMemory(0, EIMC, 0xffff_ffff, 0);
  assertEquals(messages(nic.raiseQueue(0, "rx", 0)), []);
  assertEquals(messages(nic.writeMemory(0, EIMS, 1, 10)), [[0xfee0_1000, 0x61]]);
});

Deno.test("82599: when MSI is switched off what interrupts still does so by the line", () => {
  const { nic, line } = card();
  nic.raiseQueue(0, "rx", 0);
  nic.configuration.write(AT + 2, 2, 0);
  assertEquals(line(), true);
  nic.configuration.write(AT + 2, 2, ENABLE);
  assertEquals(line(), false);
});

Deno.test("82599: without Bus Master Enable no message leaves", () => {
  const { nic } = card();
  nic.configuration.write(COMMAND, 2, 0);
  assertEquals(messages(nic.raiseQueue(0, "rx", 0)), []);
});
