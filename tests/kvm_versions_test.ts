/** The rows of KVM's versions: what a version has is a matter of its number. */
import { assert, assertEquals } from "@std/assert";
import { has, KVM_VERSIONS } from "../runtime/kvm/versions.ts";

Deno.test("a version has what came with it or before, and not what went with it or before", () => {
  const { "3.5": old, "3.6": next, "6.18": today } = KVM_VERSIONS;
  for (
    const [version, since, until, expected] of [
      [old, "2.6.30", undefined, true],
      [old, "3.5", undefined, true],
      [old, "3.6", undefined, false],
      [next, "3.6", undefined, true],
      [today, "3.10", undefined, true],
      [today, "6.18", undefined, true],
      [today, "6.19", undefined, false],
      [today, "2.6.28", "4.12", false],
      [old, "2.6.28", "4.12", true],
      [old, "2.6.20", "2.6.36", false],
    ] as const
  ) assertEquals(has(version, since, until), expected, `${version.kernel}: since ${since}, until ${until}`);
});

Deno.test("every row is named by its kernel, and later rows only widen the limits", () => {
  const rows = Object.entries(KVM_VERSIONS);
  for (const [name, { kernel }] of rows) assertEquals(kernel, name);
  for (const [i, [, row]] of rows.slice(1).entries()) {
    const before = rows[i]![1];
    assert(row.maxVcpus >= before.maxVcpus && row.irqRoutes >= before.irqRoutes, row.kernel);
    assert(row.memorySlots >= before.memorySlots && row.cpuidEntries >= before.cpuidEntries, row.kernel);
  }
});
