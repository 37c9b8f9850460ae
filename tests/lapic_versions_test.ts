/**
 * What KVM's interrupt controllers did in Linux 3.5 and do in 6.18. The rules are restated from `virt/kvm/irq_comm.c`,
 * `virt/kvm/ioapic.c` and `arch/x86/kvm/{lapic,x86}.c` of both; 6.18's are recorded as well (`vectors/kvm-lapic`).
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { lapicOutcome } from "./lapic_vectors.ts";

type Operations = Parameters<typeof lapicOutcome>[2];

/** The results of operations, by version. */
function results(n: number, ops: Operations): Record<string, unknown[]> {
  return Object.fromEntries(
    (["3.5", "3.6", "6.18"] as const).map((version) => [version, lapicOutcome(version, n, ops).results]),
  );
}

/** Two vCPUs in flat logical mode, both enabled: logical destinations 1 and 2. */
const FLAT: Operations = [0, 1].map((cpu) => ({
  op: "set_lapic",
  cpu,
  regs: { svr: "0x1ff", ldr: cpu === 0 ? "0x1000000" : "0x2000000" },
}));
/** An MSI: bit 2 of the address is logical, bit 3 the redirection hint; data bit 8 lowest priority. */
const msi = (lo: string, data: string) => ({ op: "msi", lo, hi: "0x0", data });
const irrs = (version: "3.5" | "6.18", ops: Operations) => {
  const { state } = lapicOutcome(version, 2, [...FLAT, ...ops]);
  return [state[0]!.irr, state[1]!.irr];
};

Deno.test("lowest priority: 3.5 gives it to who has had the fewest, 6.18 goes by the vector", () => {
  const ops = ["0x150", "0x152", "0x154"].map((data) => msi("0xfee03004", data));
  assertEquals(irrs("3.5", ops), [[0x50, 0x54], [0x52]]);
  assertEquals(irrs("6.18", ops), [[0x50, 0x52, 0x54], []]);
});

Deno.test("the redirection hint of an MSI address means nothing to 3.5", () => {
  const ops = [msi("0xfee0300c", "0x51")];
  assertEquals(irrs("3.5", ops), [[0x51], [0x51]]);
  assertEquals(irrs("6.18", ops), [[], [0x51]]);
});

Deno.test("a vector that is requested already counts as delivered in 6.18, as coalesced before", () => {
  const twice = [...FLAT, msi("0xfee00000", "0x60"), msi("0xfee00000", "0x60")];
  const [before, today] = [[1, 0], [1, 1]];
  const got = results(2, twice);
  assertEquals([got["3.5"]!.slice(2), got["3.6"]!.slice(2), got["6.18"]!.slice(2)], [before, before, today]);
});

Deno.test("IA32_APIC_BASE: 3.5 takes what the manual calls illegal", () => {
  const wrmsr = (val: string) => [{ op: "wrmsr", cpu: 0, msr: "0x1b", val }];
  for (const val of ["0xfee00500", "0xfee00901", "0x100000fee00900"]) {
    assertEquals(results(1, wrmsr(val)), { "3.5": ["ok"], "3.6": ["ok"], "6.18": ["GP"] }, val);
  }
});

Deno.test("an INIT changes the vCPU's state where it arrives in 3.5, the boot processor's too", () => {
  const state = (version: "3.5" | "6.18") =>
    lapicOutcome(version, 2, [msi("0xfee00000", "0x500"), msi("0xfee01000", "0x500")]).state;
  assertEquals([state("3.5")[0]!.mp, state("3.5")[1]!.mp], [2, 2]);
  assertEquals([state("6.18")[0]!.mp, state("6.18")[1]!.mp], [0, 2]);
});

Deno.test("a start-up message that nobody waits for is refused in 3.5, and forgotten in 6.18", () => {
  assertEquals(results(2, [msi("0xfee00000", "0x69a")]), { "3.5": [0], "3.6": [0], "6.18": [1] });
});

Deno.test("after reset LINT0 is open for the 8259 on every vCPU of 3.5, on the first one of 6.18", () => {
  const lint0 = (version: "3.5" | "6.18") =>
    [0, 1].map((cpu) => lapicOutcome(version, 2, []).state[cpu]!.lint0);
  assertEquals([lint0("3.5"), lint0("6.18")], [["0x700", "0x700"], ["0x700", "0x10000"]]);
});

Deno.test("the version register of 3.5 offers to suppress EOI broadcasts once CPUID shows x2APIC", () => {
  assertEquals(lapicOutcome("3.5", 1, []).state[0]!.ver, "0x1050014");
  assertEquals(lapicOutcome("6.18", 1, []).state[0]!.ver, "0x50014");
});

Deno.test("a reserved bit of the ICR faults in 6.18 and is stored in 3.5", () => {
  const ops = [
    { op: "wrmsr", cpu: 0, msr: "0x1b", val: "0xfee00d00" },
    { op: "wrmsr", cpu: 0, msr: "0x80f", val: "0x1ff" },
    { op: "wrmsr", cpu: 0, msr: "0x830", val: "0x104061" },
  ];
  assertEquals(results(1, ops), {
    "3.5": ["ok", "ok", "ok"],
    "3.6": ["ok", "ok", "ok"],
    "6.18": ["ok", "ok", "GP"],
  });
});

Deno.test("an EOI of the I/O APIC's level line: 3.5 knows its vectors at once, 6.18 from the vCPU's next entry", () => {
  const ops = [
    { op: "set_lapic", cpu: 0, regs: { svr: "0x1ff" } },
    { op: "set_ioapic", rt: { 20: "0x8061" } },
    { op: "irq_line", gsi: 20, level: 1 },
    { op: "irq_line", gsi: 20, level: 0 },
    { op: "set_lapic", cpu: 0, regs: { irr: [], isr: [0x61], tmr: [0x61] } },
    { op: "wrmsr", cpu: 0, msr: "0x1b", val: "0xfee00d00" },
    { op: "wrmsr", cpu: 0, msr: "0x80b", val: "0x0" },
  ];
  assertEquals(lapicOutcome("3.5", 1, ops).state.io!.rt20, "0x8061");
  assertEquals(lapicOutcome("6.18", 1, ops).state.io!.rt20, "0xc061", "remote IRR stays");
});
