/**
 * A core that is shared: what examples/overcommit.rtk shows.
 *
 * CFS of Linux 3.4 on four CPUs: two busy tasks take turns of 9 ms (`sched_latency` 18 ms), which end at a tick, 4 ms
 * apart; who is still behind at the end of a turn has another one.
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
    assert(shared.maxUs! <= 2 * (TURN_US + TICK_US), `shared: at most ${shared.maxUs} us`);
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

Deno.test("vCPU threads that may run anywhere are balanced apart, and their guests go on where they were", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`for name in vm0 vm1 vm2; do
      qemu-kvm -m 512 -cpu qemu64,+x2apic -nographic -name $name; ssh $name true
      ssh $name 'while :; do :; done' &
    done
    for tid in $(ps -eLo tid,psr,comm | awk '$2 == 3 && $3 == "qemu-kvm" { print $1 }'); do taskset -p f $tid; done
    sleep 0.3`);
  const threads = [...rig.lab.guests.values()].map(({ machine }) => machine.threads[0]!.task!);
  assertEquals(new Set(threads.map(({ cpu }) => cpu)).size, 3, "three busy guests on three CPUs");
  for (const name of ["vm0", "vm1", "vm2"]) {
    rig.ok(`ssh ${name} cyclictest -a 0 -q -p 99 -n -l 200`);
    assert(rig.histogram.maxUs! < 100, `${name}: ${rig.histogram.maxUs} us`);
  }
});
