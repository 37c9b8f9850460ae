/**
 * Slide 6: KVM shares and overcommits cores; what that costs a guest, and that a dedicated core is not shared.
 *
 * @module
 */

import { type Part, table } from "../talk/part.ts";
import type { Runs } from "./runs.ts";

/** A guest that is busy; the first one gets cpu3. */
const GUEST = (name: string) =>
  `qemu-kvm.patched -m 512 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic -name ${name}
ssh ${name} true
ssh ${name} 'while :; do :; done' &
run 100ms`;

/** What is beside vm0: its vCPU is on cpu3, as the next one is where no CPU is offline. */
const CASES = [
  { system: "kvm", beside: "nothing", guests: ["vm0"] },
  { system: "kvm", beside: "vm1, busy, on the same core", guests: ["vm0", "vm1"] },
  { system: "rfc-v2", beside: "vm1, busy; the core is vm0's own", guests: ["vm0", "vm1"] },
];

/** A share of a core is worth some milliseconds: a second of samples shows it. */
const LOOPS = 1000;

/** Slide 6. */
export function slide6(runs: Runs): Part[] {
  const loops = Math.min(LOOPS, runs.options.loops);
  const rows = CASES.map(({ system, beside, guests }) => {
    const bench = runs.bench(system);
    bench.run("echo 0 > /sys/devices/system/cpu/cpu3/online", "cpu3 offline");
    for (const name of guests) bench.run(GUEST(name), `${name}, busy`);
    bench.run(`ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l ${loops}`, "cyclictest");
    const histogram = bench.session.results.at(-1)?.cyclictest.threads[0]?.histogram;
    return [system, beside, histogram?.minUs, histogram?.avgUs, histogram?.maxUs, histogram?.count];
  });
  return [table({
    title: "cyclictest in vm0, which is busy; us",
    columns: [
      { title: "system", align: "left" },
      { title: "beside it", align: "left" },
      { title: "min" },
      { title: "avg" },
      { title: "max*" },
      { title: "n" },
    ],
    rows,
    notes: [
      "* maxima are not ranked",
      "A partitioning hypervisor is not modelled.",
    ],
  })];
}
