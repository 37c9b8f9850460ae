/**
 * Control registers, and what KVM does about the guest's page tables.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/vmx.c` (`vmx_exec_control()`, `update_exception_bitmap()`, `vmx_set_cr0()`,
 * `vmx_set_cr4()`, `set_cr4_guest_host_mask()`, `handle_cr()`, `handle_invlpg()`), `x86.c` (`kvm_set_cr0()`,
 * `kvm_set_cr3()`, `kvm_set_cr4()`, `kvm_lmsw()`), `mmu.c` (`kvm_mmu_invlpg()`).
 *
 * *Modelled*: with EPT the guest owns CR3, INVLPG and CR4.PGE. Without it (`kvm-intel.ept=0`) KVM shadows the guest's page
 * tables: CR3 and INVLPG exit, and a page that the host has taken, or device memory, is a page fault that exits. Which bits
 * of CR0 and CR4 are the guest's own, what it reads of the others, and values that are refused.
 *
 * *Not modelled*: the shadow page tables themselves: an address space that the guest loads for the first time causes no
 * faults, and the guest has none of its own. The FPU is loaded with the guest: CR0.TS is its own, and #NM does not exit.
 *
 * @module
 */

import { ENABLE_EPT, PAGE_FAULT, Primary } from "../../hw/vmx.ts";
import { visible } from "../../hw/vmx_control_registers.ts";
import { MmuCaches } from "./mmu_caches.ts";
import type { Vcpu } from "./vcpu.ts";

/** Bits of CR0. */
const Cr0 = { PE: 1, TS: 1 << 3, ET: 1 << 4, NE: 1 << 5, WP: 1 << 16, NW: 1 << 29, CD: 1 << 30, PG: 1 << 31 };
/** Those that there are: PE, MP, EM, TS, ET, NE, WP, AM, NW, CD, PG. */
const CR0_KNOWN = 0xe005_003f;
/** Bits of CR4. */
const Cr4 = { PAE: 1 << 5, PGE: 1 << 7, VMXE: 1 << 13 };
/** Those that KVM 3.5 knows: VME to OSXMMEXCPT, RDWRGSFS, PCIDE, OSXSAVE, SMEP (`CR4_RESERVED_BITS`). */
const CR4_KNOWN = 0x0017_07ff;
/** `KVM_CR4_GUEST_OWNED_BITS`: PVI, DE, PCE, OSFXSR, OSXMMEXCPT. */
const CR4_OWNED = 0x0000_070a;
/** Of the eight bits of CR8 that are looked at. */
const CR8_RESERVED = 0xf0;
/** Access types of the exit qualification, bits 5:4. */
const MOV_TO = 0, MOV_FROM = 1, CLTS = 2;

/** What KVM has of a vCPU's MMU: objects for its page tables, and counts. */
export class VcpuMmu {
  /** Objects for its page tables. */
  readonly caches = new MmuCaches();
  /** Faults that gave the guest a page (`pf_fixed`). */
  fixed = 0;
  /** Faults without EPT that were an access to device memory. */
  mmio = 0;
  /** Flushes of the whole TLB that the guest asked for (`tlb_flush`). */
  flushes = 0;
}

/** What the controls of a new vCPU say, and its registers. */
export function setUpPaging(vcpu: Vcpu): void {
  const { vmcs, vm: { kvm: { ept } } } = vcpu;
  takeControlRegisters(vcpu);
  if (ept) return;
  vmcs.secondary &= ~ENABLE_EPT;
  vmcs.primary |= Primary.Cr3LoadExiting | Primary.Cr3StoreExiting | Primary.InvlpgExiting;
  vmcs.exceptionBitmap |= 1 << PAGE_FAULT;
}

/** The guest executes with other registers from now on: their values are those that its code has set before. */
export function takeControlRegisters(vcpu: Vcpu): void {
  const { vmcs, registers: { cr0, cr4 }, vm: { kvm: { ept } } } = vcpu;
  vmcs.cr0Mask = ~Cr0.TS;
  vmcs.cr4Mask = ~(CR4_OWNED | (ept ? Cr4.PGE : 0));
  loadCr0(vcpu, cr0);
  loadCr4(vcpu, cr4);
}

/** Its CR0, as it reads it. */
export function readCr0({ vmcs, registers }: Vcpu): number {
  return visible(registers.cr0, vmcs.cr0Mask, vmcs.cr0Shadow);
}

/** Its CR4, as it reads it. */
export function readCr4({ vmcs, registers }: Vcpu): number {
  return visible(registers.cr4, vmcs.cr4Mask, vmcs.cr4Shadow);
}

/** `vmx_set_cr0()`: VT-x without unrestricted guests, which need EPT, runs with protection and paging only. */
export function loadCr0({ vmcs, registers, vm: { kvm: { ept } } }: Vcpu, value: number): void {
  vmcs.cr0Shadow = value >>> 0;
  registers.cr0 = (value | Cr0.NE | Cr0.WP | (ept ? 0 : Cr0.PE | Cr0.PG)) >>> 0;
}

/** `vmx_set_cr4()`. */
export function loadCr4({ vmcs, registers }: Vcpu, value: number): void {
  vmcs.cr4Shadow = value >>> 0;
  registers.cr4 = (value | Cr4.PAE | Cr4.VMXE) >>> 0;
}

/** `handle_cr()`. Answers what a MOV reads; null: #GP for the guest. */
export function controlAccess(vcpu: Vcpu): number | null {
  const { registers, vmcs } = vcpu;
  const { exitQualification: qualification } = vmcs;
  const cr = qualification & 0xf, type = (qualification >>> 4) & 3;
  if (type === MOV_TO) {
    const { value } = registers;
    trace(vcpu, "write", cr, value);
    return set(vcpu, cr, value) ? 0 : null;
  }
  if (type === MOV_FROM) {
    const value = cr === 3 ? registers.cr3 : vcpu.lapic.cr8;
    trace(vcpu, "read", cr, value);
    return value;
  }
  if (type === CLTS) {
    loadCr0(vcpu, readCr0(vcpu) & ~Cr0.TS);
    trace(vcpu, "write", 0, readCr0(vcpu));
    return 0;
  }
  const word = (qualification >>> 16) & 0xf, cr0 = readCr0(vcpu);
  trace(vcpu, "write", 0, ((cr0 & ~0xf) | word) >>> 0);
  set(vcpu, 0, (cr0 & ~0xe) | word); // kvm_lmsw(): PE cannot be cleared
  return 0;
}

/** `kvm_set_cr0()`, `kvm_set_cr3()`, `kvm_set_cr4()`, `kvm_set_cr8()`; false: #GP. */
function set(vcpu: Vcpu, cr: number, value: number): boolean {
  switch (cr) {
    case 0: {
      const wanted = (value & CR0_KNOWN) | Cr0.ET;
      if ((wanted & (Cr0.NW | Cr0.CD)) === Cr0.NW) return false;
      if ((wanted & (Cr0.PG | Cr0.PE)) === Cr0.PG) return false;
      loadCr0(vcpu, wanted);
      return true;
    }
    case 3:
      if (value === vcpu.registers.cr3) vcpu.mmu.flushes++; // kvm_mmu_flush_tlb(): loaded anew to empty the TLB
      vcpu.registers.cr3 = value;
      return true;
    case 4:
      if ((value & ~CR4_KNOWN) !== 0) return false;
      loadCr4(vcpu, value);
      return true;
    default: {
      const { cr8 } = vcpu.lapic;
      if ((value & CR8_RESERVED) !== 0) return false;
      vcpu.lapic.cr8 = value;
      // Where user space has the interrupt controllers it hears of a priority that falls.
      if (!vcpu.vm.irqchip && vcpu.lapic.cr8 < cr8) vcpu.left = "KVM_EXIT_SET_TPR";
      return true;
    }
  }
}

function trace(vcpu: Vcpu, rw: "read" | "write", cr: number, val: number): void {
  if (vcpu.vm.kvm.host.engine.trace !== null) vcpu.tracepoint("kvm_cr", { rw, cr, val });
}
