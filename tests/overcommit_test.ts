/**
 * A core that is shared: what examples/overcommit.rtk shows.
 *
 * CFS of Linux 3.4 on four CPUs: two busy tasks take turns of 9 ms (`sched_latency` 18 ms), which end at a tick, 4 ms
 * apart; who comes first may have one turn more.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const TURN_US = 9_000, TICK_US = 4_000;

Deno.test("two busy guests on a core cost cyclictest milliseconds, a host loop too; SCHED_RR ends that", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.session.shell.set("loops", "400");
  rig.ok(". ./overcommit.rtk");
  const results = rig.session.results.map(({ cyclictest }) => cyclictest.threads[0]!.histogram);
  assertEquals(results.length, 5);
  const [idle, busy, guests, loop, roundRobin] = results;
  for (const alone of [idle!, busy!, roundRobin!]) assert(alone.maxUs! < 100, `alone: ${alone.maxUs} us`);
  for (const shared of [guests!, loop!]) {
    assert(shared.maxUs! >= TURN_US, `shared: at most ${shared.maxUs} us`);
    assert(shared.maxUs! <= TURN_US + 2 * TICK_US, `shared: at most ${shared.maxUs} us`);
    assert(shared.avgUs! >= 500, `shared: on average ${shared.avgUs} us`);
  }
});

Deno.test("show results lists every run of the session, with its exits for each period", () => {
  const rig = new SessionRig({ system: "kvm" });
  assertEquals(rig.run("show results").err, "x.rtk: line 1: show: nothing has been measured\n");
  rig.ok("qemu-kvm -nographic -cpu qemu64,+x2apic -no-kvm-pit; ssh vm0 cyclictest -n -q -l 100");
  rig.ok("boot bare-metal; cyclictest -n -q -l 50");
  const [titles, first, second] = rig.ok("show results").split("\n").map((line) => line.trim().split(/\s+/));
  assertEquals(titles!.slice(0, 3), ["#", "system", "kernel"]);
  assertEquals(first!.slice(0, 5), ["1", "kvm", "linux-3.4.0", "0", "100"]);
  assertEquals(second!.slice(0, 5), ["2", "bare-metal", "linux-3.4.0", "0", "50"]);
  assertEquals(second!.at(-2), "0.00");
});
