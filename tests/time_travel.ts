/**
 * Goes to random positions of a busy run, steps and goes back, and compares state hashes; then comes to the same place in
 * three ways: forward, in steps, and by a checkpoint. The short run is a test, the long one a task.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { systemNamed } from "../runtime/lab/systems.ts";
import { SessionRig } from "./session_rig.ts";

/** Something happens everywhere: a benchmark, traffic, endless loops, a shell job that sleeps and writes. */
const SETUP = ". ./talk_setup.rtk > /dev/null 2>&1";
const BUSY = `
ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 100000 > /tmp/cyclictest &
iperf -c vm0 -t 60 > /tmp/iperf &
for i in 1 2; do while :; do :; done & done
(i=0; while sleep 0.003; do i=$((i + 1)); echo $i >> /tmp/count; done) &`;

/** A session in which much goes on. */
export function busySession(system: string, seed = 1): SessionRig {
  const rig = new SessionRig({ system, seed });
  if (systemNamed(system)!.vm0 !== "host") rig.ok(SETUP);
  rig.ok(BUSY);
  return rig;
}

/** Positions among the first `events` events: a fixed sequence that looks random. */
function* positions(from: number, events: number, seed: number): Generator<number> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield from + Math.floor((state / 2 ** 32) * (events - from));
  }
}

/**
 * At `count` random positions: the hash after `step n; back n` is the one before, and so is that of the run that goes
 * forward again.
 */
export function travel(system: string, count: number, events: number): void {
  const rig = busySession(system);
  const { session } = rig;
  const hash = () => rig.lab.engine.stateHash();
  const from = session.now.event;
  // A run that nobody goes back in: what the other one has to meet.
  const forward = busySession(system);
  const places = [...take(positions(from, events, 7), count)];
  const expected = new Map<number, string>();
  for (const event of [...places].sort((a, b) => a - b)) {
    if (event > forward.session.now.event) forward.ok(`run until event >= ${event}`);
    expected.set(event, forward.lab.engine.stateHash());
  }
  rig.ok(`run until event >= ${events}`);
  for (const [i, event] of places.entries()) {
    rig.ok(`goto ${event}`);
    assertEquals(hash(), expected.get(event), `${system}: event ${event} after goto, and run to`);
    const n = 1 + (i * 37) % 300;
    const before = session.now;
    rig.ok(`step ${n}`);
    assertEquals(session.now.event, before.event + n);
    const after = hash();
    rig.ok(`back ${n}`);
    assertEquals(
      [session.now, hash()],
      [before, expected.get(event)],
      `${system}: event ${event}, step ${n}; back ${n}`,
    );
    rig.ok(`run until event >= ${before.event + n}`);
    assertEquals(hash(), after, `${system}: event ${event}, forward again`);
  }
}

function* take<T>(values: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const value of values) {
    if (left-- === 0) return;
    yield value;
  }
}

if (import.meta.main) {
  const { SYSTEMS } = await import("../runtime/lab/systems.ts");
  for (const { name } of SYSTEMS) {
    travel(name, 200, 100_000);
    console.log(`${name}: 200 positions among 100000 events: step and back, goto and run lead to one state`);
  }
}
