/**
 * The 8254, counter by counter. Rules are restated from the Intel 8254 data sheet, "Mode Definitions" and "Read Operations";
 * the clock is 1,193,182 Hz.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Pit8254, pitNs } from "../hw/i8254.ts";

const CONTROL = 3;
/** Control word: counter, access (1 low byte, 2 high byte, 3 both), mode. */
const word = (counter: number, access: number, mode: number) => (counter << 6) | (access << 4) | (mode << 1);
/** After `clocks` of the chip's clock: somewhere inside that clock. */
const after = (clocks: number) => pitNs(clocks) + 400;

function loaded(mode: number, count: number, counter = 0): Pit8254 {
  const pit = new Pit8254();
  pit.write(CONTROL, word(counter, 3, mode), 0);
  assertEquals(pit.write(counter, count & 0xff, 0), -1, "half a count");
  assertEquals(pit.write(counter, count >>> 8, 0), counter);
  return pit;
}

/** Reads both bytes. */
function read(pit: Pit8254, nowNs: number, counter = 0): number {
  return pit.read(counter, nowNs) | (pit.read(counter, nowNs) << 8);
}

Deno.test("a count of 0 is 65536, the largest", () => {
  assertEquals(loaded(2, 0).schedule(0), { kind: "periodic", counts: 65536 });
});

Deno.test("modes 2 and 3 rise again and again, 0, 1 and 4 once, 5 by its gate only", () => {
  const kinds = [0, 1, 2, 3, 4, 5, 6, 7].map((mode) => loaded(mode, 100).schedule(0).kind);
  const periodic = "periodic", once = "once";
  assertEquals(kinds, [once, once, periodic, periodic, once, "never", periodic, periodic]);
});

Deno.test("mode 0: the output is low until the count is 0, then high; the count goes on below 0", () => {
  const pit = loaded(0, 100);
  assertEquals([99, 100, 5000].map((clocks) => pit.output(0, after(clocks))), [false, true, true]);
  assertEquals([0, 40, 100].map((clocks) => read(pit, after(clocks))), [100, 60, 0]);
  assertEquals(read(pit, after(101)), 0xffff);
});

Deno.test("mode 2: the output is low for the last clock of each period", () => {
  const pit = loaded(2, 100);
  const low = [];
  for (let clocks = 0; clocks < 300; clocks++) if (!pit.output(0, after(clocks))) low.push(clocks);
  assertEquals(low, [99, 199, 299]);
  assertEquals(read(pit, after(130)), 70);
});

Deno.test("mode 3: the output is high for half of each period, of an odd count for one clock more", () => {
  for (const [count, high] of [[100, 50], [101, 51]] as const) {
    const pit = loaded(3, count);
    let clocksHigh = 0;
    for (let clocks = 0; clocks < count; clocks++) if (pit.output(0, after(clocks))) clocksHigh++;
    assertEquals(clocksHigh, high);
  }
});

Deno.test("a latched count stays until it has been read, whatever passes", () => {
  const pit = loaded(2, 1000);
  pit.write(CONTROL, word(0, 0, 0), after(100));
  assertEquals(pit.read(0, after(300)), 900 & 0xff);
  assertEquals(pit.read(0, after(500)), 900 >>> 8);
  assertEquals(read(pit, after(500)), 500);
});

Deno.test("read-back latches count and status of the counters that it names; the status is read first", () => {
  const pit = loaded(2, 1000);
  pit.write(CONTROL, 0b1100_0010, after(100)); // both, of counter 0
  const status = pit.read(0, after(200));
  assertEquals([status & 0x3f, (status & 0x80) !== 0], [0x30 | (2 << 1), true], "access, mode, output");
  assertEquals(read(pit, after(200)), 900);
  pit.write(CONTROL, 0b1110_0100, 0); // status only, of counter 1
  assertEquals(read(pit, after(300)), 700, "counter 0 has nothing latched");
});

Deno.test("with one byte of access a write loads at once, and reads are of that byte", () => {
  const pit = new Pit8254();
  pit.write(CONTROL, word(1, 1, 2), 0);
  assertEquals(pit.write(1, 50, 0), 1);
  assertEquals([pit.schedule(1).counts, pit.read(1, after(20)), pit.read(1, after(21))], [50, 30, 29]);
  pit.write(CONTROL, word(2, 2, 2), 0);
  assertEquals(pit.write(2, 1, 0), 2);
  assertEquals([pit.schedule(2).counts, pit.read(2, 0)], [256, 1]);
});

Deno.test("the gate's rise starts a periodic counter anew", () => {
  const pit = loaded(3, 1000, 2);
  pit.setGate(2, false, 0);
  pit.setGate(2, true, after(600));
  assert(pit.output(2, after(600 + 499)));
  assertEquals(pit.output(2, after(600 + 501)), false);
});
