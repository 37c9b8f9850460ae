/**
 * Accesses to guest-physical addresses without memory behind them that KVM itself answers: its local APIC's page and its
 * I/O APIC.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/x86.c` (`vcpu_mmio_write()`, `vcpu_mmio_read()`: the vCPU's own APIC
 * first, then the machine's chips), `lapic.c` (`apic_mmio_write()`, `apic_mmio_read()`), `ioapic.c`
 * (`ioapic_mmio_write()`, `ioapic_mmio_read()`).
 *
 * @module
 */

import type { Step } from "../../hw/sim/activity.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import type { KvmLapic } from "./irqchip/lapic.ts";
import type { Vcpu } from "./vcpu.ts";

/** The bits of an access of `size` bytes. */
function accessMask(size: number): number {
  return size >= 4 ? 0xffff_ffff : (1 << (size * 8)) - 1;
}

/**
 * A store of `size` bytes.
 *
 * @returns a register write of the host's own that remains to be executed, or null; undefined: it is user space's
 */
export function writeMemory(
  { lapic, vm }: Vcpu,
  address: number,
  size: number,
  value: number,
  cpu: KernelCpu,
): Step | null | undefined {
  const offset = lapic.pageOffset(address);
  if (offset >= 0 && (lapic.hasPage || lapic.version.pageHole)) {
    // An aligned dword reaches a register; anything else, and a register that is not there, is lost.
    if (!lapic.hasPage || size !== 4 || (offset & 0xf) !== 0) return null;
    return lapic.write(offset, value, cpu) ?? null;
  }
  const ioapic = vm.chips?.ioapic;
  const place = ioapic?.memoryOffset(address) ?? -1;
  if (place < 0) {
    const taken = vm.coalesced.take(address, size, value) ||
      vm.ioeventfds?.written(false, address, size, value, cpu) === true;
    return taken ? null : undefined;
  }
  ioapic!.write(place, (value & accessMask(size)) >>> 0, cpu);
  return null;
}

/** A load of `size` bytes. @returns undefined: it is user space's */
export function readMemory(vcpu: Vcpu, address: number, size: number): number | undefined {
  const { lapic, vm } = vcpu;
  const mask = accessMask(size);
  const offset = lapic.pageOffset(address);
  const ioapic = vm.chips?.ioapic;
  const place = ioapic?.memoryOffset(address) ?? -1;
  let value: number | undefined;
  if (offset >= 0 && lapic.hasPage) value = readRegister(lapic, offset, size);
  else if (offset >= 0 && lapic.version.pageHole) value = mask;
  else if (place >= 0) value = ioapic!.core.read(place);
  else return undefined;
  // A load that finds no register writes nothing into the emulator's buffer: it gets what the last one got.
  if (value !== undefined) vcpu.loaded = ((vcpu.loaded & ~mask) | (value & mask)) >>> 0;
  return (vcpu.loaded & mask) >>> 0;
}

/** Bytes of a register. @returns undefined: there is no such register, or the access crosses its end */
function readRegister(lapic: KvmLapic, offset: number, size: number): number | undefined {
  const byte = offset & 0xf;
  if (byte + size > 4) return undefined;
  const value = lapic.read(offset & ~0xf);
  return value === undefined ? undefined : value >>> (byte * 8);
}
