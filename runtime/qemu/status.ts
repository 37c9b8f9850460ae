/**
 * What a running machine's vCPUs can do without an exit, read from their control structures and registers.
 *
 * @module
 */

import type { VcpuFile } from "../kvm/ioctl/vcpu_file.ts";

/** x2APIC MSRs of the registers that direct mode opens (SDM vol. 3A, "x2APIC Register Address Space"). */
const EOI = 0x80b;
const TMICT = 0x838;

/** Something that is off, or on, and why. */
export interface Feature {
  /** Whether it is on now. */
  readonly on: boolean;
  /** Why it is off; empty where it is on. */
  readonly reason: string;
}

/** One vCPU. */
export interface VcpuStatus {
  /** The vCPU's number. */
  readonly index: number;
  /** Its slave CPU; `null`: it runs where its thread runs. */
  readonly slaveCpu: number | null;
  /** External interrupts go through the guest's own table. */
  readonly directInterrupts: Feature;
  /** The guest's EOI reaches the processor's own APIC. */
  readonly directEoi: Feature;
  /** The guest starts the processor's own timer. */
  readonly directTimer: Feature;
  /** How often direct mode has been switched. */
  readonly directSwitches: number;
  /** Exits so far. */
  readonly exits: number;
}

const ON: Feature = { on: true, reason: "" };

/** Reads the state of a vCPU. */
export function vcpuStatus(index: number, { vcpu }: VcpuFile): VcpuStatus {
  const { vmcs, apic } = vcpu;
  const slave = vcpu.slaveCpu >= 0;
  const off = (reason: string): Feature => ({ on: false, reason });
  const noSlave = "no slave CPU";
  // A slave begins in direct mode, where KVM has one.
  const switchedOff = vcpu.directSwitches === 0
    ? "this KVM has no direct delivery: every interrupt exits"
    : "direct mode is off until KVM has emulated the EOI of a virtual interrupt";
  const access = (msr: number): Feature => {
    if (!slave) return off(noSlave);
    if (!apic.x2apic) {
      return off("no x2APIC (+x2apic in -cpu): the APIC is memory, and every access to it exits");
    }
    if (!vmcs.msrBitmap.intercepts(msr, true)) return ON;
    return off(
      vmcs.externalInterruptExiting
        ? switchedOff
        : `the MSR bitmap "${vmcs.msrBitmap.name}" does not open 0x${msr.toString(16)}`,
    );
  };
  return {
    index,
    slaveCpu: slave ? vcpu.slaveCpu : null,
    directInterrupts: !vmcs.externalInterruptExiting ? ON : off(slave ? switchedOff : noSlave),
    directEoi: access(EOI),
    directTimer: access(TMICT),
    directSwitches: vcpu.directSwitches,
    exits: vcpu.totalExits,
  };
}

/** `on`, or `off: ` and the reason. */
export function featureText({ on, reason }: Feature): string {
  return on ? "on" : `off: ${reason}`;
}
