/**
 * KVM's counters in debugfs: `/sys/kernel/debug/kvm`.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/x86.c` (`debugfs_entries`), Linux 6.18 `kvm_vm_stats_desc` and
 * `kvm_vcpu_stats_desc`; `virt/kvm/kvm_main.c`.
 *
 * *Modelled*: the sums over all machines that there are, of what the vCPUs count: exits and some of their reasons,
 * interrupts injected, wake-ups from HLT, returns for a signal. A direct interrupt is in none of them.
 *
 * *Not modelled*: what the shadow MMU keeps, and everything else that does not happen here: these counters stay 0. There is no
 * directory for each machine, and nothing can be reset.
 *
 * @module
 */

import { ExitReason } from "../../hw/vmx.ts";
import { directory, type Entries, readOnly } from "../linux/fs/computed_nodes.ts";
import type { AttributeNode, DirectoryNode } from "../linux/fs/vfs.ts";
import type { Kvm } from "./kvm.ts";
import type { Vcpu } from "./vcpu.ts";
import { has, type Since } from "./versions.ts";

/** A counter: its name, the names' history, and what a vCPU has of it. */
interface Counter {
  readonly name: string;
  /** The version that has named it so. */
  readonly since?: Since;
  /** The version that no longer does. */
  readonly until?: Since;
  of?(vcpu: Vcpu): number;
}

const exits = (...reasons: number[]) => ({ exits: counts }: Vcpu) =>
  reasons.reduce((sum, reason) => sum + counts[reason]!, 0);

/** In the order of the kernel's tables, VM then vCPU. */
const COUNTERS: readonly Counter[] = [
  ...["mmu_shadow_zapped", "mmu_pte_write"].map((name) => ({ name })),
  { name: "mmu_pte_updated", until: "5.10" },
  ..."mmu_pde_zapped mmu_flooded mmu_recycled mmu_cache_miss mmu_unsync remote_tlb_flush".split(" ").map((
    name,
  ) => ({
    name,
  })),
  { name: "largepages", until: "5.14" },
  { name: "pages_4k", since: "5.14" },
  { name: "pages_2m", since: "5.14" },
  { name: "pages_1g", since: "5.14" },
  { name: "pf_taken", since: "5.19", of: ({ mmu }) => mmu.fixed },
  { name: "pf_fixed", of: ({ mmu }) => mmu.fixed },
  { name: "pf_guest" },
  { name: "tlb_flush", of: ({ mmu }) => mmu.flushes },
  { name: "invlpg", of: exits(ExitReason.Invlpg) },
  { name: "exits", of: ({ totalExits }) => totalExits },
  { name: "io_exits", of: exits(ExitReason.IoInstruction) },
  { name: "mmio_exits", of: ({ mmioExits }) => mmioExits },
  { name: "signal_exits", of: ({ signalExits }) => signalExits },
  { name: "irq_window", until: "5.14", of: exits(ExitReason.InterruptWindow) },
  { name: "irq_window_exits", since: "5.14", of: exits(ExitReason.InterruptWindow) },
  { name: "nmi_window", until: "5.14", of: exits(ExitReason.NmiWindow) },
  { name: "nmi_window_exits", since: "5.14", of: exits(ExitReason.NmiWindow) },
  { name: "halt_exits", of: exits(ExitReason.Hlt) },
  { name: "halt_wakeup", of: ({ haltWakeups }) => haltWakeups },
  { name: "hypercalls" },
  { name: "request_irq", until: "5.14" },
  { name: "request_irq_exits", since: "5.14" },
  { name: "irq_exits", of: exits(ExitReason.ExternalInterrupt) },
  { name: "host_state_reload" },
  { name: "efer_reload", until: "5.14" },
  { name: "fpu_reload" },
  {
    name: "insn_emulation",
    of: (vcpu) => exits(ExitReason.ApicAccess, ExitReason.EptMisconfig)(vcpu) + vcpu.mmu.mmio,
  },
  { name: "insn_emulation_fail" },
  { name: "irq_injections", of: ({ injections }) => injections },
  { name: "nmi_injections", of: ({ nmiInjections }) => nmiInjections },
];

/** `/sys/kernel/debug/kvm`. */
export function kvmDebugfs(kvm: Kvm): DirectoryNode {
  return directory(() => counterFiles(kvm));
}

function counterFiles(kvm: Kvm): Entries {
  const entries = new Map<string, AttributeNode>();
  for (const { name, since = "2.6.20", until, of = () => 0 } of COUNTERS) {
    if (!has(kvm.version, since, until)) continue;
    const total = () => {
      let sum = 0;
      for (const { vcpus } of kvm.vms) for (const vcpu of vcpus) sum += of(vcpu);
      return sum;
    };
    entries.set(name, readOnly(() => `${total()}\n`));
  }
  return entries;
}
