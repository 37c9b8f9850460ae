/**
 * Each mechanism of the talk on its own: the exits that it removes, by the rules of slides 9, 18, 20 and 22.
 *
 * A timer period on stock KVM is three exits: the guest arms the timer, the timer's interrupt, the EOI. The direct local
 * APIC timer removes the first two, and direct EOI the third, but only of an interrupt that is not virtual: without the
 * direct timer all three stay. A device's interrupt is two exits: direct delivery removes the first, direct EOI the
 * second.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { DirectCapabilities } from "../runtime/kvm/direct.ts";
import { SYSTEMS } from "../runtime/lab/systems.ts";
import { oneInterrupt, timerPeriod } from "./exit_rig.ts";
import { STOCK } from "./kvm_rig.ts";
import { SessionRig } from "./session_rig.ts";

/** Exits of a timer period and of a device's interrupt, as the slides count them. */
const EXITS: Readonly<Record<string, readonly [timer: number, device: number]>> = {
  "kvm": [3, 2],
  "isolation": [3, 2],
  "rfc-v1": [3, 1],
  "delivery+eoi": [3, 0],
  "delivery+timer": [1, 1],
  "rfc-v2": [0, 0],
  "talk": [0, 0],
};

for (const [name, [timer, device]] of Object.entries(EXITS)) {
  Deno.test(`${name}: ${timer} exits in a timer period, ${device} for a device's interrupt`, () => {
    const { capabilities } = SYSTEMS.find((system) => system.name === name)!;
    assertEquals(timerPeriod(capabilities).exits, timer);
    const { exits, taken } = oneInterrupt(capabilities);
    assertEquals([exits, taken], [device, 1]);
  });
}

Deno.test("a mechanism without the one that it rests on is refused, with the reason", () => {
  const refused = (changes: Partial<DirectCapabilities>, reason: string) =>
    assertThrows(() => timerPeriod({ ...STOCK, ...changes }), RangeError, reason);
  refused({ delivery: true }, "direct delivery without CPU isolation");
  refused({ slaveCpu: true, eoi: true }, "direct EOI without direct delivery");
  refused({ slaveCpu: true, timer: true }, "direct timer without direct delivery");
  refused({ slaveCpu: true, delivery: true, divideConfiguration: true }, "TDCR exposed without the timer");
});

Deno.test("an idle guest's average hangs on the direct timer, its tail on isolation", () => {
  const rig = new SessionRig();
  rig.session.shell.set("loops", "40000");
  rig.ok(". ./mechanisms.rtk > /dev/null");
  const of = (name: string) =>
    rig.session.results.find(({ system }) => system === name)!.cyclictest.threads[0]!.histogram;
  const mean = (name: string) => of(name).sumNs / of(name).count;
  for (const name of ["kvm-tuned", "isolation", "rfc-v1", "delivery+eoi"]) {
    const share = mean(name) / mean("kvm");
    assert(share > 0.7 && share < 1.15, `${name}: ${share} of kvm's average`);
  }
  for (const name of ["delivery+timer", "rfc-v2"]) {
    assert(mean(name) < mean("kvm") / 3, `${name}: ${mean(name)} ns on average`);
  }
  // The host's interrupts, softirqs and ticks delay whoever shares a CPU with them.
  const tail = (name: string) => of(name).maxUs! - of(name).avgUs!;
  for (const shared of ["kvm", "kvm-tuned"]) {
    for (const isolated of ["isolation", "rfc-v1", "delivery+eoi", "delivery+timer", "rfc-v2"]) {
      assert(tail(shared) > 1.5 * tail(isolated), `${shared} ${tail(shared)}, ${isolated} ${tail(isolated)}`);
    }
  }
});
