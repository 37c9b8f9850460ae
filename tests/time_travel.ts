/**
 * Comes to random places of a run in four ways, and compares state hashes: a run that goes forward, the same after going
 * forth and back, the same in steps, and a checkpoint saved there and loaded elsewhere. The short run is a test, the long
 * one a task.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { systemNamed } from "../runtime/lab/systems.ts";
import { numberOption } from "./number_option.ts";
import { SessionRig } from "./session_rig.ts";

const SETUP = ". ./talk_setup.rtk > /dev/null 2>&1";

/** What goes on while the run is travelled in. */
const LOADS = {
  /** Nothing but a benchmark that sleeps most of the time. */
  idle: "ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 100000 > /tmp/cyclictest &",
  /** Something happens everywhere: a benchmark, traffic, endless loops, a shell job that sleeps and writes. */
  busy: `
ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 100000 > /tmp/cyclictest &
iperf -c vm0 -t 60 > /tmp/iperf &
for i in 1 2; do while :; do :; done & done
(i=0; while sleep 0.003; do i=$((i + 1)); echo $i >> /tmp/count; done) &`,
} as const;

/** One of {@linkcode LOADS}. */
export type Load = keyof typeof LOADS;

/** A session in which much goes on, or little. */
export function travelSession(system: string, load: Load, seed = 1): SessionRig {
  const rig = new SessionRig({ system, seed });
  if (systemNamed(system)!.vm0 !== "host") rig.ok(SETUP);
  rig.ok(LOADS[load]);
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

/** What {@linkcode travel} is told. */
export interface Journey {
  readonly load: Load;
  /** At so many places. */
  readonly count: number;
  /** They lie among the first so many events. */
  readonly events: number;
}

/**
 * At `count` random places: the hash after `goto`, after `step n; back n`, in a session that has loaded a checkpoint of it, and
 * after `n` steps from there are those of a run that nobody goes back in.
 */
export function travel(system: string, { load, count, events }: Journey): void {
  const rig = travelSession(system, load);
  const { session } = rig;
  const from = session.now.event;
  const places = [...take(positions(from, events, 7), count)]
    .map((event, i) => ({ event, n: 1 + (i * 37) % 300 }));
  const forward = travelSession(system, load);
  const expected = new Map<number, string>();
  for (const event of places.flatMap(({ event, n }) => [event, event + n]).sort((a, b) => a - b)) {
    if (event > forward.session.now.event) forward.ok(`run until event >= ${event}`);
    expected.set(event, forward.lab.engine.stateHash());
  }
  rig.ok(`run until event >= ${events}`);
  const loaded = new SessionRig({ system: system === "kvm" ? "rfc-v2" : "kvm" });
  const meets = ({ session, lab }: SessionRig, event: number, how: string) =>
    assertEquals(
      [session.now.event, lab.engine.stateHash()],
      [event, expected.get(event)],
      `${system}, ${load}: event ${event} after ${how}, and forward`,
    );
  for (const { event, n } of places) {
    rig.ok(`goto ${event}`);
    meets(rig, event, "goto");
    rig.ok(`step ${n}`);
    meets(rig, event + n, `goto ${event}; step ${n}`);
    rig.ok(`back ${n}`);
    meets(rig, event, `step ${n}; back ${n}`);
    rig.ok("save here.json");
    loaded.files.set("here.json", rig.files.get("here.json")!);
    loaded.ok("load here.json");
    meets(loaded, event, "save and load");
    loaded.ok(`step ${n}`);
    meets(loaded, event + n, `load; step ${n}`);
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
  const [count, events] = [numberOption("count", 200), numberOption("events", 100_000)];
  for (const load of ["idle", "busy"] as const) {
    for (const { name } of SYSTEMS) {
      travel(name, { load, count, events });
      console.log(
        `${name}, ${load}: at ${count} places among ${events} events, forward, goto, step and back, save and load ` +
          "lead to one state",
      );
    }
  }
}
