/**
 * Virtio: queues, registers and the block device.
 *
 * Offsets, flags and rules are restated from the Virtio PCI Card Specification 0.9.5: 2.2.2.1 "Virtio Header", 2.3
 * "Virtqueue Configuration", 2.4.2 "Receiving Used Buffers From The Device", appendix A (`vring_need_event()`),
 * appendix D "Block Device".
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { Ram } from "../hw/ram.ts";
import { VirtioRegisters } from "../hw/virtio.ts";
import { blockDevice } from "../hw/virtio_blk.ts";
import { VirtioFunction } from "../hw/virtio_pci.ts";
import { DeviceQueue, DriverQueue, needsEvent, queueBytes } from "../hw/virtio_queue.ts";

const ADDRESS = 0x10_000;
const READ = { address: 0x2000, length: 16, writable: false };
const WRITE = { address: 0x3000, length: 512, writable: true };

function rings(eventIndex: boolean, indirect = false, size = 4) {
  const ram = new Ram(0x100_000);
  return {
    ram,
    driver: new DriverQueue(ram, ADDRESS, size, eventIndex, indirect),
    device: new DeviceQueue(ram, ADDRESS, size, eventIndex),
  };
}

Deno.test("memory keeps what is written, in the byte order of x86, across pages; the rest reads 0", () => {
  const ram = new Ram(0x4000);
  ram.write(0x1000, 8, 0x1234_5678 + 0x9abc * 2 ** 32);
  assertEquals([ram.read(0x1000, 4), ram.read(0x1004, 2), ram.read(0x1000, 1)], [0x1234_5678, 0x9abc, 0x78]);
  ram.copyIn(0x1ffe, Uint8Array.of(1, 2, 3, 4));
  assertEquals([...ram.copyOut(0x1ffd, 6)], [0, 1, 2, 3, 4, 0]);
  assertEquals(ram.read(0x3000, 4), 0);
  assertThrows(() => ram.write(0x4000, 1, 1), RangeError, "beyond");
});

Deno.test("a queue of 128: 2048 bytes of descriptors and 262 of the available ring fill a page, the used ring follows", () => {
  assertEquals(queueBytes(128), 2 * 4096);
  assertEquals(queueBytes(256), 3 * 4096, "the specification's example: 4096 + 518 bytes, then 2054");
});

Deno.test("a request goes to the device as a chain of descriptors, and comes back with the bytes that were written", () => {
  const { ram, driver, device } = rings(false);
  const head = driver.add([READ, WRITE], () => 0);
  // Descriptor 0: address, length, flags NEXT (1), next 1; descriptor 1: WRITE (2).
  assertEquals([ram.read(ADDRESS, 8), ram.read(ADDRESS + 8, 4), ram.read(ADDRESS + 12, 2)], [0x2000, 16, 1]);
  assertEquals([ram.read(ADDRESS + 14, 2), ram.read(ADDRESS + 16 + 12, 2)], [1, 2]);
  assertEquals(ram.read(ADDRESS + 4 * 16 + 2, 2), 1, "avail.idx");
  assertEquals(device.pop(), { head, buffers: [READ, WRITE] });
  assertEquals(device.pop(), undefined);
  device.push(head, 513);
  assertEquals(
    [ram.read(ADDRESS + 4096 + 2, 2), ram.read(ADDRESS + 4096 + 8, 4)],
    [1, 513],
    "used.idx, used.ring[0].len",
  );
  assertEquals([driver.take(), driver.take()], [head, -1]);
});

Deno.test("with indirect descriptors a request takes one descriptor, flag 4, whose buffer is the table", () => {
  const { ram, driver, device } = rings(false, true);
  const head = driver.add([READ, WRITE], () => 0x8000);
  assertEquals([ram.read(ADDRESS, 8), ram.read(ADDRESS + 8, 4), ram.read(ADDRESS + 12, 2)], [0x8000, 32, 4]);
  assertEquals(device.pop(), { head, buffers: [READ, WRITE] });
});

Deno.test("there is room for as many requests as there are descriptors for, and again when they have come back", () => {
  const { driver, device } = rings(false);
  const heads = [driver.add([READ, WRITE], () => 0), driver.add([READ, WRITE], () => 0)];
  assertEquals(driver.add([READ], () => 0), -1);
  device.pop();
  device.push(heads[0]!, 0);
  driver.take();
  for (let i = 0; i < 70_000; i++) { // the indices go round at 65536
    const head = driver.add([READ, WRITE], () => 0);
    assertEquals(device.pop()!.buffers.length, 2);
    device.push(i === 0 ? heads[1]! : head, 0);
    if (i === 0) device.push(head, 0);
    while (driver.take() >= 0);
  }
});

Deno.test("vring_need_event(): whether an index has gone past the one that was asked for, round at 65536", () => {
  assertEquals([needsEvent(0, 1, 0), needsEvent(1, 1, 0), needsEvent(5, 6, 6)], [true, false, false]);
  assertEquals([needsEvent(0xffff, 0, 0xffff), needsEvent(3, 5, 3)], [true, true]);
});

Deno.test("by event index: a device that has seen a request wants to hear of the next, a driver that has taken one too", () => {
  const { driver, device } = rings(true);
  const first = driver.add([READ], () => 0);
  assertEquals(
    [driver.needsNotification(), driver.needsNotification()],
    [true, false],
    "once for what is new",
  );
  const second = driver.add([READ], () => 0);
  assertEquals(driver.needsNotification(), false, "the device has not come to the first yet");
  device.pop();
  device.pop();
  device.push(first, 0);
  assertEquals(device.wantsInterrupt(), true);
  device.push(second, 0);
  assertEquals(device.wantsInterrupt(), false, "the driver has not taken the first");
  while (driver.take() >= 0);
  const third = driver.add([READ], () => 0);
  assertEquals(driver.needsNotification(), true);
  device.pop();
  device.push(third, 0);
  assertEquals(device.wantsInterrupt(), true);
});

Deno.test("by flags: NO_NOTIFY in the used ring, NO_INTERRUPT in the available ring", () => {
  const { ram, driver, device } = rings(false);
  ram.write(ADDRESS + 4096, 2, 1);
  driver.add([READ], () => 0);
  assertEquals(driver.needsNotification(), false);
  ram.write(ADDRESS + 4 * 16, 2, 1);
  assertEquals(device.wantsInterrupt(), false);
});

Deno.test("the header: features, a queue's size and page by selection, status 0 resets, ISR is cleared by reading", () => {
  const registers = new VirtioRegisters(
    new Ram(0x100_000),
    0x3000_0210,
    [128],
    Uint8Array.of(0x34, 0x12),
    2,
    () => false,
  );
  assertEquals(registers.read(0, 4), 0x3000_0210);
  registers.write(4, 0xffff_ffff);
  assertEquals(registers.read(4, 4), 0x3000_0210, "only what is offered can be accepted");
  assertEquals([registers.read(12, 2), registers.queue(0)], [128, null]);
  registers.write(8, ADDRESS / 4096);
  assertEquals([registers.read(8, 4), registers.queue(0)?.eventIndex], [ADDRESS / 4096, true]);
  registers.write(14, 1);
  assertEquals([registers.read(12, 2), registers.read(8, 4)], [0, 0], "there is no second queue");
  assertEquals(registers.write(16, 0), { kind: "notify", queue: 0 });
  assertEquals(registers.write(16, 1), undefined);
  registers.raise();
  assertEquals([registers.line, registers.read(19, 1), registers.line, registers.read(19, 1)], [
    true,
    1,
    false,
    0,
  ]);
  assertEquals(registers.read(20, 2), 0x1234, "without MSI-X the device's own configuration is here");
  assertEquals(registers.write(18, 7), { kind: "ready" });
  assertEquals(registers.read(18, 1), 7);
  assertEquals(registers.write(18, 0), { kind: "reset" });
  assertEquals([registers.read(18, 1), registers.queue(0)], [0, null]);
});

Deno.test("with MSI-X two vectors stand at 20 and 22 and the configuration at 24; a vector that is not there reads 0xffff", () => {
  const registers = new VirtioRegisters(
    new Ram(0x100_000),
    0,
    [128],
    Uint8Array.of(0x34, 0x12),
    2,
    () => true,
  );
  assertEquals([registers.read(20, 2), registers.read(22, 2), registers.read(24, 2)], [
    0xffff,
    0xffff,
    0x1234,
  ]);
  registers.write(20, 0);
  registers.write(22, 1);
  assertEquals([registers.read(20, 2), registers.read(22, 2), registers.queueVector(0)], [0, 1, 1]);
  registers.write(22, 2);
  assertEquals([registers.read(22, 2), registers.queueVector(0)], [0xffff, undefined]);
});

Deno.test("a block device is 1af4:1001 with subsystem 2; capacity in sectors of 512, seg_max at 12, blk_size at 20", () => {
  const spec = blockDevice(2 ** 33 + 8, true, [28, 29]);
  const place = {
    bdf: { domain: 0, bus: 0, device: 4, function: 0 },
    port: 0xc000,
    memory: 0xfebf_0000,
    line: 11,
  };
  const fn = new VirtioFunction(spec, place, new Ram(0x1000), () => {});
  const config = (offset: number) => fn.configuration.read(offset, 2);
  assertEquals([config(0), config(2), config(0x2c), config(0x2e)], [0x1af4, 0x1001, 0x1af4, 2]);
  assertEquals(fn.configuration.read(0x10, 4), 0xc001, "ports");
  const read = (offset: number) => fn.readPort(20 + offset, 4);
  assertEquals([read(0), read(4), read(12), read(20)], [8, 2, 126, 512]);
  // SEG_MAX 2, GEOMETRY 4, RO 5, BLK_SIZE 6, FLUSH 9, TOPOLOGY 10; of the ring 28 and 29.
  assertEquals(fn.readPort(0, 4), 0x3000_0674);
});
