/**
 * Who allocates what a guest's page tables are made of.
 *
 * Expectations: Linux 3.5 `arch/x86/kvm/mmu.c` (`mmu_topup_memory_caches()`: fewer than 8 + PTE_PREFETCH_NUM (8) reverse
 * mappings, 8 pages or 4 headers are filled up to KVM_NR_MEM_OBJS (40); `kvm_mmu_load()` and `tdp_page_fault()` begin with
 * it), sizes as `/proc/slabinfo` has them; patch 10 of the series: `vcpu_enter_guest_slave()` fills them, and on a slave CPU
 * nothing is allocated.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { TraceLog } from "../hw/sim/trace.ts";
import { KVM_VERSIONS } from "../runtime/kvm/versions.ts";
import { SYSTEMS } from "../runtime/lab/systems.ts";
import { RFC_V2, Rig, SERIAL_WRITE, startQemu, STOCK } from "./kvm_rig.ts";
import { SessionRig } from "./session_rig.ts";

const REVERSE_MAPPING = 32, HEADER = 168, FULL = 40;
const ENABLE = "echo 1 > /sys/kernel/debug/tracing/events/kmem/kmem_cache_alloc/enable";

/** A guest of `vcpus` vCPUs on the CPUs from 3 down, and what was allocated since before it was there. */
function guest(patched: boolean, version: keyof typeof KVM_VERSIONS = "3.5", vcpus = 1) {
  const slaves = [3, 2].slice(0, vcpus);
  const rig = new Rig(patched ? RFC_V2 : STOCK, {
    offline: patched ? slaves : [],
    version: KVM_VERSIONS[version],
  });
  const log = new TraceLog();
  rig.engine.recordTo(log, true);
  const { machine } = startQemu(
    rig,
    `${
      patched ? "qemu-kvm.patched" : "qemu-kvm"
    } -m 1024 -smp ${vcpus} -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic`,
  );
  rig.pass(100_000_000);
  const vm = rig.kvm.vms[0]!;
  /** Objects by CPU and size, since the last call. */
  const allocated = () => {
    const counts: Record<string, Record<number, number>> = {};
    for (const { name, where, fields } of log.records.splice(0)) {
      if (name !== "kmem_cache_alloc") continue;
      const sizes = counts[where] ??= {}, bytes = Number(fields.bytes_req);
      sizes[bytes] = (sizes[bytes] ?? 0) + 1;
    }
    return counts;
  };
  const vcpu = vm.vcpus[0]!, { pid } = machine!;
  /** The CPU of the vCPU's thread. */
  const threadCpu = `host.${vcpu.thread!.cpu}`;
  return { rig, vm, vcpu, pid, threadCpu, allocated };
}

Deno.test("the caches of a vCPU are filled before its first entry: on stock KVM by the CPU that runs it, patched by the online one", () => {
  const filled = { [REVERSE_MAPPING]: FULL, [HEADER]: FULL };
  const stock = guest(false), patched = guest(true);
  assertEquals(stock.allocated(), { "host.3": filled });
  assertEquals(stock.vcpu.loadedOn?.id, 3);
  assertEquals(patched.allocated(), { [patched.threadCpu]: filled });
  assertEquals(patched.vcpu.loadedOn?.id, 3);
  assertNotEquals(patched.threadCpu, "host.3");
});

Deno.test("the root of a machine's page tables takes one header and one page, whichever vCPU is first; without EPT there is none", () => {
  for (const patched of [false, true]) {
    const { vm: { vcpus } } = guest(patched, "3.5", 2);
    assertEquals(
      vcpus.map(({ mmu: { caches } }) => [caches.pageHeaders, caches.pages, caches.pteListDescs]).map(
        (caches) => caches.map(({ objects }) => objects),
      ).sort(([a], [b]) => a! - b!),
      [[FULL - 1, FULL - 1, FULL], [FULL, FULL, FULL]],
    );
  }
  const rig = new SessionRig({ system: "kvm" });
  rig.ok('boot kvm --append "kvm-intel.ept=0"; qemu-kvm -m 1024 -enable-kvm -nographic; ssh vm0 true');
  assertEquals(rig.lab.kvm.vms[0]!.vcpus[0]!.mmu.caches.pageHeaders.objects, FULL);
});

Deno.test("a page fault fills what is low, on the CPU that serves it: the vCPU's own, or patched the online one; full caches stay", () => {
  for (const patched of [false, true]) {
    const { rig, vm, vcpu, pid, threadCpu, allocated } = guest(patched);
    assertEquals(threadCpu === "host.3", !patched);
    const { pageHeaders, pages, pteListDescs } = vcpu.mmu.caches;
    const fault = () => {
      allocated();
      vm.unmapPage();
      rig.run("reclaim", 1, function* (task) {
        yield* rig.host.tlb.flush(task, pid);
        return 0;
      });
      rig.pass(100_000_000);
      assert(vm.ept.mapped, "the fault has been served");
      return allocated();
    };
    assertEquals(fault(), {});
    pageHeaders.objects = 4; // as if 36 tables had been made
    pages.objects = 7;
    pteListDescs.objects = 16;
    assertEquals(fault(), {}, "none of the slab's is below its least");
    assertEquals([pageHeaders.objects, pages.objects, pteListDescs.objects], [4, FULL, 16]);
    pageHeaders.objects = 3;
    pteListDescs.objects = 15;
    assertEquals(fault(), { [threadCpu]: { [REVERSE_MAPPING]: FULL - 15, [HEADER]: FULL - 3 } });
  }
});

Deno.test("a user exit from a slave CPU brings full caches back: they are filled before each hand-off", () => {
  const { rig, vcpu, threadCpu, allocated } = guest(true);
  allocated();
  vcpu.mmu.caches.pageHeaders.objects = 0;
  rig.portWrites.push(SERIAL_WRITE);
  rig.pass(100_000_000);
  assertEquals(allocated(), { [threadCpu]: { [HEADER]: FULL } });
});

Deno.test("a slave CPU takes from full caches, and one that is to fill them is a mistake that says so", () => {
  const { rig, vcpu } = guest(true);
  const { caches } = vcpu.mmu, slave = rig.host.cpus[3]!;
  caches.topUp(vcpu, slave);
  caches.pages.objects = 0;
  caches.topUp(vcpu, slave); // the page allocator is there
  caches.pageHeaders.objects = 0;
  assertThrows(
    () => caches.topUp(vcpu, slave),
    Error,
    "cpu3 is a slave CPU, and is to take 40 objects of 168 bytes",
  );
  assertThrows(() => caches.pageHeaders.take(), Error, "kernel BUG at arch/x86/kvm/mmu.c");
});

Deno.test("no slave CPU allocates on any of the systems that have them, memory being short, and stock KVM does on the vCPU's", () => {
  for (const { name, capabilities, vm0, tuned = false } of SYSTEMS) {
    if (vm0 !== "guest") continue;
    const rig = new SessionRig({ system: name });
    const qemu = capabilities.slaveCpu
      ? "echo 0 > /sys/devices/system/cpu/cpu3/online; qemu-kvm.patched"
      : "qemu-kvm";
    rig.ok(`${ENABLE}; echo 1 > /sys/kernel/debug/tracing/events/kvm/kvm_page_fault/enable
      ${qemu} -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic; ssh vm0 true
      stress -q --vm 2 --vm-bytes 9G & ssh vm0 cyclictest -q -n -l 200 > /dev/null`);
    const trace = rig.ok("cat /sys/kernel/debug/tracing/trace");
    const cpus = (event: string) =>
      new Set([...trace.matchAll(new RegExp(`\\[00(\\d)\\].* ${event}: `, "g"))].map(([, cpu]) => cpu));
    const taken = tuned ? [] : ["3"]; // tuned, the guest's memory is locked
    assertEquals(cpus("kvm_page_fault"), new Set(taken), `${name}: pages of the guest that were taken`);
    assertEquals(cpus("kmem_cache_alloc"), new Set([capabilities.slaveCpu ? "2" : "3"]), name);
  }
});

Deno.test("the event has the kernel's words; a version whose caches are not modelled has none", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`${ENABLE}; qemu-kvm -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic; ssh vm0 true`);
  assertMatch(
    rig.ok("tail -1 /sys/kernel/debug/tracing/trace"),
    / kmem_cache_alloc: call_site=0 ptr=0{16} bytes_req=168 bytes_alloc=168 gfp_flags=GFP_KERNEL\|GFP_ZERO\n$/,
  );
  assertEquals(guest(false, "6.18").allocated(), {});
  rig.ok("set -o era=today; ls /sys/kernel/tracing/events/kvm");
  assertEquals(rig.run("ls /sys/kernel/tracing/events/kmem").status, 2);
});
