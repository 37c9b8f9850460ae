/**
 * Device interrupts: numbers, vectors, messages, affinity.
 *
 * Expected values: Linux 3.6 `__assign_irq_vector()`, SDM vol. 3A "Message Address Register Format" and "Message Data
 * Register Format", patch 12 of the series.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { RemappingUnit } from "../hw/vtd.ts";
import { Errno } from "../runtime/linux/errno.ts";
import {
  IO_APIC_EDGE,
  type IrqDescriptor,
  type IrqMessage,
  type Irqs,
  PCI_MSI_EDGE,
  pciInterrupts,
} from "../runtime/linux/irq/irq.ts";
import type { PciDevice } from "../runtime/linux/pci/pci_device.ts";
import { HostRig } from "./host_rig.ts";

/** Requests a message-signalled interrupt; `messages` collects what the device is programmed with. */
function request(irqs: Irqs, name: string, messages: IrqMessage[] = []): IrqDescriptor {
  const descriptor = irqs.request({ name, chip: PCI_MSI_EDGE, program: (message) => messages.push(message) });
  if (descriptor instanceof Errno) throw new Error(String(descriptor));
  return descriptor;
}

Deno.test("message-signalled interrupts are numbered from 40, their vectors begin at 0x41 in steps of 16", () => {
  const { irqs } = new HostRig();
  const got = Array.from({ length: 12 }, (_, i) => request(irqs, `irq${i}`));
  assertEquals(got.map(({ irq }) => irq), [40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51]);
  assertEquals(
    got.map(({ vector }) => vector),
    [0x41, 0x51, 0x61, 0x71, 0x81, 0x91, 0xa1, 0xb1, 0xc1, 0xd1, 0xe1, 0x22],
  );
});

Deno.test("ISA interrupt n has vector 0x30+n, wherever it goes", () => {
  const { irqs } = new HostRig();
  const serial = irqs.request({ name: "serial", chip: IO_APIC_EDGE, irq: 4 });
  if (serial instanceof Errno) throw new Error(String(serial));
  assertEquals([serial.irq, serial.cpu, serial.vector], [4, 0, 0x34]);
  assertEquals(irqs.setAffinity(4, 0b0100), undefined);
  assertEquals([serial.cpu, serial.vector], [2, 0x34]);
  const again = irqs.request({ name: "again", chip: IO_APIC_EDGE, irq: 4 });
  assertEquals(again instanceof Errno && again.name, "EBUSY");
});

Deno.test("each MSI-X entry of a device gets a number, and its message whenever CPU or vector change", () => {
  const { irqs } = new HostRig();
  const written: [entry: number, address: number][] = [];
  const device = { writeMessage: (entry: number, { address }: IrqMessage) => written.push([entry, address]) };
  const port = pciInterrupts(irqs);
  const numbers = [0, 1].map((entry) =>
    port.allocate(device as unknown as PciDevice, `eth0-${entry}`, entry)
  );
  assertEquals(numbers, [40, 41]);
  irqs.setAffinity(41, 0b0100);
  assertEquals(written, [[0, 0xfee0_0000], [1, 0xfee0_0000], [1, 0xfee0_2000]]);
  port.free(40);
  assertEquals(irqs.list().map(({ irq, name }) => [irq, name]), [[41, "eth0-1"]]);
});

Deno.test("with remapping a device's message names an entry and never changes; the entry carries vector and CPU", () => {
  const { irqs } = new HostRig();
  const unit = irqs.remapping = new RemappingUnit();
  unit.interruptRemapping = true;
  const messages: IrqMessage[] = [];
  const descriptor = request(irqs, "eth0", messages);
  request(irqs, "eth1");
  assertEquals(messages, [{ address: 0xfee0_0018, data: 0 }], "remappable, subhandle valid, index 0");
  const entry = () => {
    const [{ address, data }] = messages as [IrqMessage];
    const remapped = unit.remap(address, data);
    return remapped.kind === "message" && [remapped.message.destination, remapped.message.vector];
  };
  assertEquals(entry(), [0, 0x41]);
  irqs.setAffinity(descriptor.irq, 0b0100);
  assertEquals([entry(), messages.length], [[2, descriptor.vector], 1]);
  irqs.free(descriptor.irq);
  assertEquals(entry(), false, "a message that comes late is a fault");
  request(irqs, "eth2", messages);
  assertEquals(messages[1]!.address, messages[0]!.address, "the entry is free again");
});

Deno.test("a number that was given back is given out again, with counts of its own", () => {
  const { irqs, host } = new HostRig();
  const first = request(irqs, "first");
  request(irqs, "second");
  host.countInterrupt(first.irq, 0);
  irqs.free(first.irq);
  assertEquals(request(irqs, "third").irq, 40);
  assertEquals(host.interruptCounts(40)[0], 0);
});

Deno.test("the message has the CPU in address bits 19:12 and the vector in data bits 7:0", () => {
  const { irqs } = new HostRig();
  const messages: IrqMessage[] = [];
  const { irq } = request(irqs, "eth0", messages);
  irqs.setAffinity(irq, 0b1000);
  assertEquals(messages.map(({ address, data }) => [address, data & 0xff]), [
    [0xfee0_0000, 0x41],
    [0xfee0_3000, 0x51],
  ]);
  assertEquals(messages[1]!.data & 0x8700, 0, "edge-triggered, fixed delivery");
});

Deno.test("an interrupt is handled and counted on the CPU that its affinity names", () => {
  const rig = new HostRig();
  const handled: number[] = [];
  const descriptor = request(rig.irqs, "eth0");
  descriptor.action = function* (cpu) {
    handled.push(cpu.id);
    yield cpu.kernel.steps.deviceHandler;
  };
  rig.machine.messageSignalled(descriptor.cpu, descriptor.vector);
  rig.run(1_000_000);
  rig.irqs.setAffinity(descriptor.irq, 0b0110);
  rig.machine.messageSignalled(descriptor.cpu, descriptor.vector);
  rig.run(1_000_000);
  assertEquals(handled, [0, 1]);
  assertEquals(Array.from(rig.host.interruptCounts(descriptor.irq)), [1, 1, 0, 0]);
});

Deno.test("a message that was on its way when the affinity changed is not lost", () => {
  const rig = new HostRig();
  const descriptor = request(rig.irqs, "eth0");
  rig.machine.messageSignalled(descriptor.cpu, descriptor.vector);
  rig.irqs.setAffinity(descriptor.irq, 0b1000);
  rig.run(1_000_000);
  assertEquals(Array.from(rig.host.interruptCounts(descriptor.irq)), [1, 0, 0, 0]);
  assertEquals(rig.host.spuriousVectors, 0);
});

Deno.test("an affinity that keeps the CPU keeps the vector", () => {
  const { irqs } = new HostRig();
  const descriptor = request(irqs, "eth0");
  irqs.setAffinity(descriptor.irq, 0b0001);
  assertEquals([descriptor.cpu, descriptor.vector, descriptor.affinity], [0, 0x41, 1]);
});

Deno.test("an affinity without an online CPU is EINVAL, of an unknown interrupt EIO", () => {
  const rig = new HostRig();
  const { irq } = request(rig.irqs, "eth0");
  assertEquals(rig.write("/sys/devices/system/cpu/cpu3/online", "0\n"), undefined);
  const refused = rig.irqs.setAffinity(irq, 0b1000);
  assertEquals(refused instanceof Errno && refused.name, "EINVAL");
  const unknown = rig.irqs.setAffinity(99, 1);
  assertEquals(unknown instanceof Errno && unknown.name, "EIO");
});

Deno.test("patch 12: an affinity may name slaves; a mixed one is trimmed to its online part", () => {
  const rig = new HostRig({ slaveAffinity: true });
  const descriptor = request(rig.irqs, "kvm:0000:05:00.0");
  rig.host.cpus[3]!.state = "slave";
  assertEquals(rig.irqs.setAffinity(descriptor.irq, 0b1000), undefined);
  assertEquals([descriptor.cpu, descriptor.affinity], [3, 0b1000]);
  assertEquals(rig.irqs.setAffinity(descriptor.irq, 0b1110), undefined);
  assertEquals([descriptor.cpu, descriptor.affinity], [1, 0b0110]);
  const stock = new HostRig();
  stock.host.cpus[3]!.state = "slave";
  const refused = stock.irqs.setAffinity(request(stock.irqs, "eth0").irq, 0b1000);
  assertEquals(refused instanceof Errno && refused.name, "EINVAL");
});

Deno.test("a CPU has room for every vector but those of ISA, system calls and the kernel's own; then ENOSPC", () => {
  const { irqs } = new HostRig();
  const vectors = new Set<number>();
  for (;;) {
    const descriptor = irqs.request({ name: "x", chip: PCI_MSI_EDGE });
    if (descriptor instanceof Errno) {
      assertEquals(descriptor.name, "ENOSPC");
      break;
    }
    vectors.add(descriptor.vector);
  }
  // 0x21 … 0xee without 0x30 … 0x3f and 0x80.
  assertEquals(vectors.size, 0xef - 0x21 - 16 - 1);
  assertEquals(
    [...vectors].some((v) => (v >= 0x30 && v < 0x40) || v === 0x80 || v >= 0xef || v < 0x21),
    false,
  );
});
