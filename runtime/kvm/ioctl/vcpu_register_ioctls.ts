/**
 * Requests on a vCPU's registers: general and system registers, MSRs, CPUID, x87 and extended state.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/x86.c`: `kvm_arch_vcpu_ioctl()`, `msr_io()`, `kvm_is_valid_sregs()`,
 * `kvm_vcpu_ioctl_x86_set_xcrs()`; `arch/x86/kvm/cpuid.c`.
 *
 * *Modelled*: reset values, checks, and what has been set; see `vcpu_state.ts` for what of it is live.
 *
 * @module
 */

import type { Activity, Step } from "../../../hw/sim/activity.ts";
import { E2BIG, EFAULT, EINVAL } from "../../linux/errno.ts";
import type { CpuidView } from "../cpuid.ts";
import type { Handlers, IoctlCall, Outcome } from "./ioctl_call.ts";
import { loadCr0, loadCr4, readCr0, readCr4 } from "../paging.ts";
import { clearException, queuedInterrupt, setInjectedEvent } from "../pending_events.ts";
import type { Structure, View } from "../uapi/structure.ts";
import {
  Cpuid,
  Cpuid2,
  CpuidEntry,
  CpuidEntry2,
  Debugregs,
  Fpu,
  MsrEntry,
  Msrs,
  Regs,
  Segment,
  Sregs,
  Xcr,
  Xcrs,
  Xsave,
} from "../uapi/structures.ts";
import { readUserMsr, writeUserMsr } from "./user_msrs.ts";
import { selectBitmap } from "../direct.ts";
import { refusesTscKhz, setTscKhz } from "../tsc.ts";
import { hostTscKhz } from "../vcpu_state.ts";
import type { VcpuFile } from "./vcpu_file.ts";

/** RFLAGS.IF. */
const INTERRUPT_FLAG = 1n << 9n;
/** RFLAGS bit 1 is always set. */
const ALWAYS_SET = 2n;
/** MAX_IO_MSRS. */
const MAX_IO_MSRS = 256;
/** Extended control registers of a structure. */
const MAX_XCRS = 16;
/** XCR0 bit 0, x87, must be set. */
const X87 = 1n;

/** CR0. */
const Cr0 = Object.freeze({ NW: 1n << 29n, CD: 1n << 30n, PG: 1n << 31n, PE: 1n });
/** CR4.PAE, and the bits that exist: VME to OSXMMEXCPT, UMIP, FSGSBASE, PCIDE, OSXSAVE, SMEP, SMAP. */
const Cr4 = Object.freeze({ PAE: 1n << 5n, known: 0x37_0ffffn | (1n << 11n) });
/** EFER.LME, EFER.LMA. */
const Efer = Object.freeze({ LME: 1n << 8n, LMA: 1n << 10n });
const CS_LONG = 1;
/** Those that the guest writes itself. */
const CONTROL_REGISTERS = ["cr0", "cr3", "cr4"] as const;
/** The widest physical address. */
const PHYSICAL_BITS = 52;
const HIGHEST_CR8 = 15;

/** The handlers. */
export const registerHandlers: Handlers<VcpuFile> = {
  KVM_GET_REGS({ vcpu }, call) {
    const { regs } = vcpu.state;
    const flags = regs.big("rflags") & ~INTERRUPT_FLAG;
    regs.set("rflags", vcpu.registers.interruptFlag ? flags | INTERRUPT_FLAG : flags);
    return call.copyOut(regs);
  },

  KVM_SET_REGS({ vcpu }, call) {
    const regs = call.copyIn(Regs);
    if (regs === null) return EFAULT;
    vcpu.state.regs.bytes.set(regs.bytes);
    vcpu.state.regs.set("rflags", regs.big("rflags") | ALWAYS_SET);
    vcpu.registers.interruptFlag = (regs.big("rflags") & INTERRUPT_FLAG) !== 0n;
    clearException(vcpu);
    return 0;
  },

  KVM_GET_SREGS({ vcpu }, call) {
    const { sregs } = vcpu.state;
    sregs.set("cr8", vcpu.lapic.cr8).set("apic_base", vcpu.lapic.base);
    const live = { cr0: readCr0(vcpu), cr3: vcpu.registers.cr3, cr4: readCr4(vcpu) };
    for (const name of CONTROL_REGISTERS) {
      if (held(sregs, name) !== live[name]) sregs.set(name, live[name]); // else what lies beyond is kept with it
    }
    const queued = queuedInterrupt(vcpu);
    for (let word = 0; word < 4; word++) {
      const here = queued >= 0 && queued >> 6 === word;
      sregs.set("interrupt_bitmap", here ? 1n << BigInt(queued & 63) : 0, word);
    }
    return call.copyOut(sregs);
  },

  KVM_SET_SREGS({ vcpu }, call) {
    const sregs = call.copyIn(Sregs);
    if (sregs === null) return EFAULT;
    if (vcpu.vm.kvm.version.checksState && !validSregs(sregs)) return EINVAL;
    if (!vcpu.lapic.setBase(sregs.get("apic_base"), true)) return EINVAL;
    if (sregs.get("cr8") <= HIGHEST_CR8) vcpu.lapic.cr8 = sregs.get("cr8"); // kvm_set_cr8() refuses, nobody looks
    vcpu.state.sregs.bytes.set(sregs.bytes);
    selectBitmap(vcpu);
    vcpu.registers.cr3 = held(sregs, "cr3");
    loadCr0(vcpu, held(sregs, "cr0"));
    loadCr4(vcpu, held(sregs, "cr4"));
    for (let vector = 0; vector < 256; vector++) {
      if ((sregs.big("interrupt_bitmap", vector >> 6) >> BigInt(vector & 63)) & 1n) {
        setInjectedEvent(vcpu, { kind: "interrupt", vector });
        break; // the lowest one: find_first_bit()
      }
    }
    return 0;
  },

  KVM_GET_FPU: ({ vcpu }, call) => call.copyOut(vcpu.state.fpu),
  KVM_SET_FPU: ({ vcpu }, call) => keep(vcpu.state.fpu, Fpu, call),
  KVM_GET_XSAVE: ({ vcpu }, call) => call.copyOut(vcpu.state.xsave),
  KVM_SET_XSAVE: ({ vcpu }, call) => keep(vcpu.state.xsave, Xsave, call),
  KVM_GET_DEBUGREGS: ({ vcpu }, call) => call.copyOut(vcpu.state.debugregs),

  KVM_SET_DEBUGREGS({ vcpu }, call) {
    const registers = call.copyIn(Debugregs);
    if (registers === null) return EFAULT;
    if (registers.big("flags") !== 0n) return EINVAL;
    const high = (registers.big("dr6") | registers.big("dr7")) >> 32n;
    if (vcpu.vm.kvm.version.checksState && high !== 0n) return EINVAL;
    vcpu.state.debugregs.bytes.set(registers.bytes);
    return 0;
  },

  KVM_GET_XCRS({ vcpu }, call) {
    const xcrs = Xcrs.make().set("nr_xcrs", 1);
    xcrs.part("xcrs", Xcr).set("value", vcpu.state.xcr0);
    return call.copyOut(xcrs);
  },

  KVM_SET_XCRS({ vcpu }, call) {
    const xcrs = call.copyIn(Xcrs);
    if (xcrs === null) return EFAULT;
    const number = xcrs.get("nr_xcrs");
    if (number > MAX_XCRS || xcrs.get("flags") !== 0) return EINVAL;
    for (let i = 0; i < number; i++) {
      const xcr = xcrs.part("xcrs", Xcr, i);
      if (xcr.get("xcr") !== 0) continue; // only XCR0 is supported
      if (xcr.big("value") !== X87) return EINVAL; // what the guest's CPUID shows, and it shows no leaf 0xd
      vcpu.state.xcr0 = xcr.big("value");
      break;
    }
    return 0;
  },

  KVM_GET_MSRS({ vcpu }, call) {
    return eachMsr(call, true, (entry) => {
      const value = readUserMsr(vcpu, entry.get("index"));
      if (value !== undefined) entry.set("data", value);
      return value === undefined ? undefined : null;
    });
  },

  KVM_SET_MSRS({ vcpu }, call) {
    return eachMsr(
      call,
      false,
      (entry) => writeUserMsr(vcpu, entry.get("index"), entry.big("data"), call.cpu),
    );
  },

  KVM_SET_CPUID(file, call) {
    const header = call.copyIn(Cpuid);
    if (header === null) return EFAULT;
    const number = header.get("nent");
    if (number > file.vcpu.vm.kvm.version.cpuidEntries) return E2BIG;
    const entries = call.copyInTail(Cpuid as Structure, CpuidEntry, number);
    if (entries === null) return EFAULT;
    setCpuid(
      file,
      entries.map((entry) => {
        const wide: CpuidView = CpuidEntry2.make();
        for (const name of ["function", "eax", "ebx", "ecx", "edx"] as const) wide.set(name, entry.get(name));
        return wide;
      }),
    );
    return 0;
  },

  KVM_SET_CPUID2(file, call) {
    const header = call.copyIn(Cpuid2);
    if (header === null) return EFAULT;
    const number = header.get("nent");
    if (number > file.vcpu.vm.kvm.version.cpuidEntries) return E2BIG;
    const entries = call.copyInTail(Cpuid2 as Structure, CpuidEntry2, number);
    if (entries === null) return EFAULT;
    setCpuid(file, entries);
    return 0;
  },

  KVM_GET_CPUID2({ vcpu }, call) {
    const header = call.copyIn(Cpuid2);
    if (header === null) return EFAULT;
    return copyOutCpuid(call, header.get("nent"), vcpu.state.cpuid);
  },

  KVM_GET_TSC_KHZ: ({ vcpu }) => vcpu.state.tscKhz,

  KVM_SET_TSC_KHZ({ vcpu }, { argument }) {
    const { kvm } = vcpu.vm;
    if (refusesTscKhz(kvm)) return EINVAL;
    return setTscKhz(vcpu, argument >>> 0 || hostTscKhz(kvm.tscRatio)) ? 0 : EINVAL;
  },
};

/** Writes CPUID entries behind a header, and their number into it. @param room how many the caller has room for */
export function copyOutCpuid(call: IoctlCall, room: number, entries: readonly CpuidView[]): Outcome {
  if (room < entries.length) return E2BIG;
  const bytes = new Uint8Array(entries.length * CpuidEntry2.size);
  entries.forEach((entry, i) => {
    const { start } = entry;
    bytes.set(entry.bytes.subarray(start, start + CpuidEntry2.size), i * CpuidEntry2.size);
  });
  if (call.copyOutTail(Cpuid2 as Structure, bytes) !== 0) return EFAULT;
  return call.copyOut(Cpuid2.make().set("nent", entries.length));
}

/**
 * `msr_io()`.
 *
 * @param act on one entry; it returns a register write that remains to be executed, null, or `undefined`: refused
 * @returns the number of entries that were done before one was refused
 */
export function* eachMsr(
  call: IoctlCall,
  writeBack: boolean,
  act: (entry: View<keyof typeof MSR_FIELDS>) => Step | null | undefined,
): Activity<Outcome> {
  const header = call.copyIn(Msrs);
  if (header === null) return EFAULT;
  const number = header.get("nmsrs");
  if (number >= MAX_IO_MSRS) return E2BIG;
  const entries = call.copyInTail(Msrs as Structure, MsrEntry, number);
  if (entries === null) return EFAULT;
  let count = 0;
  for (const entry of entries) {
    const step = act(entry);
    if (step === undefined) break;
    if (step !== null) yield step;
    count++;
  }
  if (writeBack && number > 0 && call.copyOutTail(Msrs as Structure, entries[0]!.bytes) !== 0) return EFAULT;
  return count;
}

const MSR_FIELDS = Object.freeze({ index: 0, reserved: 0, data: 0 });

function keep<Name extends string>(held: View<Name>, structure: Structure<Name>, call: IoctlCall): Outcome {
  const given = call.copyIn(structure);
  if (given === null) return EFAULT;
  held.bytes.set(given.bytes);
  return 0;
}

/** A control register, as many bits of it as there are: 3.5 takes others too, and nothing follows from them. */
function held(sregs: View<typeof CONTROL_REGISTERS[number]>, name: typeof CONTROL_REGISTERS[number]): number {
  return Number(BigInt.asUintN(name === "cr3" ? PHYSICAL_BITS : 32, sregs.big(name)));
}

function setCpuid(file: VcpuFile, entries: readonly CpuidView[]): void {
  file.vcpu.setCpuid(entries);
  file.startGuest();
}

/** `kvm_is_valid_sregs()`: control registers that a processor could have together. */
function validSregs(sregs: View<"cr0" | "cr4" | "efer" | "cs">): boolean {
  const [cr0, cr4, efer] = [sregs.big("cr0"), sregs.big("cr4"), sregs.big("efer")];
  const paging = (cr0 & Cr0.PG) !== 0n;
  if ((efer & Efer.LME) !== 0n && paging) {
    if ((cr4 & Cr4.PAE) === 0n || (efer & Efer.LMA) === 0n) return false;
  } else if ((efer & Efer.LMA) !== 0n || sregs.part("cs", Segment).get("l") === CS_LONG) {
    return false;
  }
  if ((cr0 >> 32n) !== 0n || (cr4 & ~Cr4.known) !== 0n) return false;
  if ((cr0 & Cr0.NW) !== 0n && (cr0 & Cr0.CD) === 0n) return false;
  return !paging || (cr0 & Cr0.PE) !== 0n;
}
