/**
 * `-cpu …,tsc-frequency=HZ`: the rate that the guest's time-stamp counters shall have.
 *
 * *Document*: QEMU 7.2 `target/i386/kvm/kvm.c` (`kvm_arch_set_tsc_khz()`), `accel/kvm/kvm-all.c` (`kvm_init_vcpu()`); QEMU 1.1
 * `kvm_arch_init_vcpu()`, which asks where KVM has `KVM_CAP_TSC_CONTROL` only: on no processor of its time from Intel.
 *
 * *Deviations*: the machine is asked, before it has vCPUs, where QEMU asks each of them: what follows is the same.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Task } from "../kvm/user_space.ts";
import type { QemuMachine } from "./machine.ts";

/** Rates that differ by no more than NTP corrects a clock by are the same. */
const CLOCK_CORRECTION_PPM = 250;

/** Sets the rate. @returns the lines that QEMU prints where it fails; none: done */
export function* setTscRate({ process, options, vm }: QemuMachine, task: Task): Activity<string[]> {
  const { tscKhz: wanted, program } = options;
  if (wanted === undefined) return [];
  const has = yield* process.ioctl(task, vm, "KVM_GET_TSC_KHZ", 0);
  if (Math.abs(wanted - has) <= Math.floor((has * CLOCK_CORRECTION_PPM) / 1_000_000)) {
    yield* process.ioctl(task, vm, "KVM_SET_TSC_KHZ", wanted);
    return [];
  }
  return [
    `${program}: warning: TSC frequency mismatch between VM (${wanted} kHz) and host (${has} kHz), and TSC scaling ` +
    "unavailable",
    `${program}: kvm_init_vcpu: kvm_arch_init_vcpu failed (0): Operation not supported`,
  ];
}
