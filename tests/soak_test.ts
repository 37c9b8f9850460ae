/**
 * Invariants of interrupt delivery under interrupts of all kinds at random instants: a short run of `deno task soak`. What each
 * mutant does to them is shown, and compared, in examples/mutants.md.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { MUTANTS } from "../runtime/lab/mutants.ts";
import { EXPOSURES, FINDINGS, soak } from "./soak.ts";

for (const system of ["kvm", "talk"]) {
  Deno.test(`${system}: every interrupt is delivered to its owner, merged, or reported; nothing is stuck or lost`, () => {
    const { lines, interrupts } = soak({ system, seed: 2, interrupts: 800 });
    assertEquals(lines, []);
    assertEquals(interrupts, 800);
  });
}

for (const system of ["kvm", "talk"]) {
  Deno.test(`${system}: so it is where the assigned device interrupts by its line`, () => {
    assertEquals(soak({ system, seed: 2, interrupts: 800, line: "shared" }).lines, []);
  });
}

for (const system of ["kvm", "talk"]) {
  Deno.test(`${system}: so it is by MSI, on both sides and on the host's alone`, () => {
    for (const line of ["none", "message"] as const) {
      assertEquals(soak({ system, seed: 2, interrupts: 800, line }).lines, [], line);
    }
  });
}

for (const system of ["kvm", "talk"]) {
  Deno.test(`${system}: so it is without EPT, where loads of CR3 exit too`, () => {
    assertEquals(soak({ system, seed: 2, interrupts: 800, append: "kvm-intel.ept=0" }).lines, []);
  });
}

Deno.test("a soak is its seed: the same state at its end", () => {
  const [first, second] = [1, 1].map((seed) => soak({ system: "rfc-v2", seed, interrupts: 200 }).hash);
  assertEquals(first, second);
});

Deno.test("rfc-v2 as written behaves like mutant M3 where virtual interrupts nest, which they do not in Linux 3.4", () => {
  const run = { system: "rfc-v2", seed: 1, interrupts: 400 };
  assertEquals(soak({ ...run, kernel: "linux-2.6.32" }).kinds, FINDINGS["rfc-v2"]!.kinds);
  assertEquals(soak(run).kinds, []);
});

Deno.test("fourteen mutants are named, and each has its exposure", () => {
  const ids = MUTANTS.map(({ id }) => id);
  assertEquals(ids, Array.from({ length: 14 }, (_, i) => `M${i + 1}`));
  assertEquals(Object.keys(EXPOSURES), ids);
});
