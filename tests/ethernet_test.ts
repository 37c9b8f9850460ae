/**
 * Trains of frames, the receive ring, the 82599's switch and what its vectors tell of arriving frames.
 *
 * Rates: 1538 bytes (a full frame with preamble and gap) take 1230.4 ns at 10 Gb/s.
 */
import { assertEquals } from "@std/assert";
import { type FrameTrain, FULL_FRAME_BYTES, ReceiveRing } from "../hw/ethernet.ts";
import { TALK_TOPOLOGY } from "../hw/machine_topology.ts";
import { Nic82599 } from "../hw/nic_82599.ts";
import type { PciEffect, PciFunction } from "../hw/pci.ts";

const train = (frames: number, payload: unknown = "x"): FrameTrain => ({
  destination: 1,
  source: 2,
  frames,
  bytes: FULL_FRAME_BYTES,
  payload,
});

Deno.test("frames of a train arrive one by one, and nobody has to look at each", () => {
  const ring = new ReceiveRing(512);
  ring.add(train(10), 1000, 100);
  assertEquals([999, 1000, 1099, 1100, 1900, 5000].map((at) => ring.waiting(at)), [0, 1, 1, 2, 10, 10]);
  assertEquals([0, 1000, 1850, 1900].map((at) => ring.nextArrivalNs(at)), [1000, 1100, 1900, Infinity]);
  const arrived = ([since, now]: number[]) => ring.hasArrived(since!, now!);
  assertEquals([[-1, 999], [-1, 1000], [999, 1000], [1000, 1099]].map(arrived), [false, true, true, false]);
  assertEquals([[1099, 1100], [1101, 1199], [1050, 1190]].map(arrived), [true, false, true]);
  assertEquals([[1899, 9000], [1900, 9000], [1850, 1899]].map(arrived), [true, false, false]);
  ring.take(10);
  assertEquals([[1899, 9000], [1900, 9000]].map(arrived), [true, false]);
});

Deno.test("what comes in while software takes frames is taken too, until nothing waits", () => {
  const ring = new ReceiveRing(512);
  ring.add(train(10), 1000, 100); // 1000, 1100 … 1900
  assertEquals(ring.takable(999, 40, 64), 0);
  assertEquals(ring.takable(1000, 40, 64), 1); // done at 1040
  assertEquals(ring.takable(1000, 100, 64), 10); // each is done when the next one comes
  assertEquals(ring.takable(1000, 99.5, 64), 1); // done at 1099
  assertEquals(ring.takable(1350, 40, 64), 6); // four until 1510, six until 1590
  assertEquals(ring.takable(1350, 40, 5), 5);
  assertEquals(ring.takable(5000, 40, 64), 10);
});

Deno.test("trains of two senders may arrive at the same time, and an instant has passed before a later one is asked of", () => {
  const ring = new ReceiveRing(512);
  ring.add(train(3), 1000, 100); // 1000, 1100, 1200
  ring.add(train(4), 1050, 20); // 1050, 1070, 1090, 1110
  ring.add(train(2), 2000, 10);
  const instants = [1040, 1060, 1115, 1200, 2000, 1060, 3000, 999];
  assertEquals(instants.map((at) => ring.waiting(at)), [1, 2, 6, 7, 8, 2, 9, 0]);
  assertEquals(
    instants.map((at) => ring.writtenBytes(at) / FULL_FRAME_BYTES),
    [1, 2, 6, 7, 8, 2, 9, 0],
  );
  ring.take(5);
  assertEquals(
    [1200, 2000, 1200].map((at) => [ring.waiting(at), ring.writtenBytes(at) / FULL_FRAME_BYTES]),
    [[2, 7], [3, 8], [2, 7]],
  );
  ring.add(train(2), 2020, 10); // goes on with the third, which has come in
  assertEquals([2010, 2030, 2000].map((at) => ring.waiting(at)), [4, 6, 3]);
  assertEquals([2010, 2025, 2030].map((at) => ring.nextArrivalNs(at)), [2020, 2030, Infinity]);
});

Deno.test("software takes frames in the order of their arrival, whatever train they came in", () => {
  const ring = new ReceiveRing(512);
  ring.add(train(3, "first"), 0, 10);
  ring.add(train(4, "second"), 30, 10);
  ring.add(train(2, "second"), 100, 10);
  const taken: [unknown, number][] = [];
  for (let left = 8; left > 0; left -= taken.at(-1)![1]) taken.push([ring.payload, ring.take(left)]);
  assertEquals(taken, [["first", 3], ["second", 5]], "two trains that carry the same come in one go");
  assertEquals([ring.received, ring.waiting(1000)], [8, 1]);
});

Deno.test("a frame for which the ring has no descriptor is lost and counted", () => {
  const ring = new ReceiveRing(8);
  ring.add(train(6), 0, 10);
  ring.add(train(6), 100, 10);
  assertEquals([ring.waiting(1000), ring.missed], [8, 4]);
  ring.take(8);
  ring.add(train(1), 2000, 10);
  assertEquals([ring.waiting(2000), ring.missed], [1, 4]);
});

// Registers of a virtual function, from the datasheet.
const VTEIMS = 0x108, VTEIAC = 0x110, VTEIAM = 0x114, VTIVAR = 0x120, VTEITR = 0x820, GPIE = 0x898;

/** A card with one virtual function whose queue is on vector 0, moderated to one message in 61 units of 2.048 us. */
function card(): { nic: Nic82599; vf: PciFunction & { ring: ReceiveRing; mac: number } } {
  const times = { transmit: 500, receive: 300, switchFrame: 800, wireFrame: 1230 };
  const nic = new Nic82599(TALK_TOPOLOGY.nics[0]!, times);
  nic.configuration.write(0x170, 2, 1); // NumVFs
  nic.configuration.write(0x168, 2, 0x0009); // VF Enable, VF Memory Space Enable
  nic.writeMemory(0, GPIE, 0x4000_0010, 0);
  const vf = nic.vf(0);
  vf.configuration.write(0x04, 2, 0x0006);
  vf.configuration.write(0x72, 2, 0x8000);
  vf.writeMemory(3, 0, 0xfee0_0000, 0);
  vf.writeMemory(3, 8, 0x41, 0);
  vf.writeMemory(3, 12, 0, 0);
  vf.writeMemory(0, VTIVAR, 0x8080, 0);
  vf.writeMemory(0, VTEIAC, 1, 0);
  vf.writeMemory(0, VTEIAM, 1, 0);
  vf.writeMemory(0, VTEITR, 61 << 3, 0);
  vf.writeMemory(0, VTEIMS, 1, 0);
  return { nic, vf };
}

/** `0x41` for a message, `@time` for an alarm. */
function summary(effects: readonly PciEffect[]): string[] {
  return effects.map((effect) => {
    if (effect.kind === "msi") return `0x${effect.data.toString(16)}`;
    return effect.kind === "alarm" ? `@${effect.atNs}` : effect.kind;
  });
}

Deno.test("a train from the physical to the virtual function never sees the wire", () => {
  const { nic, vf } = card();
  let cabled = 0;
  nic.switch.cable = () => void cabled++;
  const effects = nic.transmit({ ...train(100), destination: vf.mac }, 10_000);
  assertEquals(summary(effects), ["@10800"], "an alarm for the first frame: transmit and receive later");
  assertEquals(vf.ring.waiting(10_800 + 99 * 800), 100);
  assertEquals(cabled, 0);
});

Deno.test("what no function on the card has the address of leaves by the cable at 10 Gb/s, or is lost", () => {
  const { nic } = card();
  assertEquals(nic.transmit({ ...train(3), destination: 77 }, 0), []);
  assertEquals(nic.switch.lost, 3);
  const seen: number[][] = [];
  nic.switch.cable = ({ frames }, firstNs, spacingNs) => void seen.push([frames, firstNs, spacingNs]);
  nic.transmit({ ...train(3), destination: 77 }, 100_000);
  assertEquals(seen, [[3, 100_500, 1230]]);
});

Deno.test("a virtual function that goes takes its address with it, and has it again when it comes back", () => {
  const { nic, vf } = card();
  const send = () => nic.transmit({ ...train(1), destination: vf.mac }, 0);
  send();
  nic.configuration.write(0x168, 2, 0x0008); // VF Enable clear
  send();
  assertEquals([vf.ring.waiting(1_000_000), nic.switch.lost], [0, 1]);
  nic.configuration.write(0x168, 2, 0x0009);
  send();
  assertEquals([vf.ring.waiting(1_000_000), nic.switch.lost], [1, 1]);
  nic.reset();
  send();
  assertEquals(nic.switch.lost, 2);
});

Deno.test("frames of one sender follow each other", () => {
  const { nic, vf } = card();
  nic.transmit({ ...train(10), destination: vf.mac }, 0);
  nic.transmit({ ...train(10), destination: vf.mac }, 0);
  assertEquals(vf.ring.nextArrivalNs(800 + 9 * 800), 800 + 10 * 800);
});

Deno.test("the first frame sends a message; those that come while the cause is masked tell when it is enabled", () => {
  const { nic, vf } = card();
  nic.transmit({ ...train(2), destination: vf.mac }, 0);
  assertEquals(summary(vf.alarm(128, 800)), ["0x41"]);
  // Auto-mask has disabled the cause. Frames come, and nothing is told.
  assertEquals(summary(nic.transmit({ ...train(5), destination: vf.mac }, 1000)), []);
  // The poll has taken two; enabling tells of the others, as soon as the interval of 61 x 2048 ns has passed.
  assertEquals(summary(vf.writeMemory(0, VTEIMS, 1, 20_000)), [`@${800 + 61 * 2048}`]);
});

Deno.test("enabling the cause with nothing new waits for the next frame, and not before the interval has passed", () => {
  const { nic, vf } = card();
  nic.transmit({ ...train(1), destination: vf.mac }, 0);
  assertEquals(summary(vf.alarm(128, 800)), ["0x41"]);
  assertEquals(summary(vf.writeMemory(0, VTEIMS, 1, 5_000)), []);
  assertEquals(
    summary(nic.transmit({ ...train(1), destination: vf.mac }, 6_000)),
    [`@${800 + 61 * 2048}`],
    "too early for a message",
  );
  assertEquals(summary(vf.alarm(128, 800 + 61 * 2048)), ["0x41"]);
  vf.writeMemory(0, VTEIMS, 1, 200_000);
  assertEquals(summary(nic.transmit({ ...train(1), destination: vf.mac }, 400_000)), ["@400800"]);
});

Deno.test("reset of a function empties its ring", () => {
  const { nic, vf } = card();
  nic.transmit({ ...train(5), destination: vf.mac }, 0);
  vf.reset();
  assertEquals(vf.ring.waiting(1_000_000), 0);
});
