/**
 * The tracepoints of what KVM emulates, `kvm_pio`, `kvm_mmio` and `kvm_cpuid`, and `kvm_page_fault`.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/x86.c` (`emulator_pio_in_out()`, later `emulator_pio_in()` and
 * `emulator_pio_out()`; `write_mmio()`, `read_exit_mmio()`, `read_prepare()`), `vmx.c` (`handle_ept_violation()`,
 * `handle_exception()`), `arch/x86/kvm/trace.h`, `include/trace/events/kvm.h`.
 *
 * An IN is traced when it exits, and since 3.16 when its value is known. A load that only user space can answer is traced
 * when it exits, and again with its value.
 *
 * *Deviations*: a page that is missing has no address here: 0. With EPT its error code is the exit's qualification.
 *
 * @module
 */

import { accessBytes, Op, type Step } from "../../hw/sim/activity.ts";
import type { Vcpu } from "./vcpu.ts";
import { has } from "./versions.ts";

/** Bits of a page fault's error code (SDM vol. 3A, "Interrupt 14"). */
const PageFault = Object.freeze({ Present: 1, Write: 2, Reserved: 8 });

/** The instruction that has exited; null: it is done. */
function instruction({ registers: { context } }: Vcpu): Step | null {
  return context.top.step;
}

/** An access exits: what is written, or that something is read. */
export function traceAccess(vcpu: Vcpu): void {
  const step = instruction(vcpu)!;
  const { value } = vcpu.registers;
  switch (step.op) {
    case Op.Out:
      return tracePort(vcpu, step, "write", value);
    case Op.In:
      if (!has(vcpu.vm.kvm.version, "3.16")) tracePort(vcpu, step, "read", 0);
      return;
    case Op.Store:
      return traceMemory(vcpu, step, "write", value);
    case Op.Load:
      return traceMemory(vcpu, step, "unsatisfied-read", 0);
  }
}

/** What was read is known. */
export function traceAnswer(vcpu: Vcpu, value: number): void {
  const step = instruction(vcpu);
  if (step?.op === Op.In && has(vcpu.vm.kvm.version, "3.16")) tracePort(vcpu, step, "read", value);
  if (step?.op === Op.Load) traceMemory(vcpu, step, "read", value);
}

/** `kvm_emulate_cpuid()`: what the guest is shown of the leaf that it asks for; zeros where there is none. */
export function traceCpuid(vcpu: Vcpu): void {
  const leaf = vcpu.registers.address;
  const entry = vcpu.state.cpuid.find((each) => each.get("function") === leaf);
  vcpu.tracepoint("kvm_cpuid", {
    func: leaf,
    rax: entry?.get("eax") ?? 0,
    rbx: entry?.get("ebx") ?? 0,
    rcx: entry?.get("ecx") ?? 0,
    rdx: entry?.get("edx") ?? 0,
    found: entry !== undefined,
  });
}

/** The guest has touched a page that is not there. */
export function traceMissingPage(vcpu: Vcpu): void {
  vcpu.tracepoint("kvm_page_fault", { vcpu: vcpu.id, address: 0, error: vcpu.vmcs.exitQualification });
}

/** Without EPT: the shadow of a device's page has reserved bits set. */
export function tracePageFault(vcpu: Vcpu): void {
  const write = instruction(vcpu)?.op === Op.Store;
  const error = PageFault.Present | PageFault.Reserved | (write ? PageFault.Write : 0);
  vcpu.tracepoint("kvm_page_fault", { vcpu: vcpu.id, address: vcpu.registers.address, error });
}

function tracePort(vcpu: Vcpu, step: Step, rw: string, value: number): void {
  const size = accessBytes(step);
  vcpu.tracepoint("kvm_pio", {
    rw,
    port: vcpu.registers.address,
    size,
    count: 1,
    val: truncated(value, size),
  });
}

function traceMemory(vcpu: Vcpu, step: Step, type: string, value: number): void {
  const len = accessBytes(step);
  vcpu.tracepoint("kvm_mmio", { type, len, gpa: vcpu.registers.address, val: truncated(value, len) });
}

function truncated(value: number, bytes: number): number {
  return bytes === 4 ? value >>> 0 : value & ((1 << (8 * bytes)) - 1);
}
