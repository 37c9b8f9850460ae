/**
 * The layers of software whose time is told apart. 0 is the hardware's own (`hw/sim/activity.ts`).
 *
 * @module
 */

import { HARDWARE, type Layer } from "../../hw/sim/activity.ts";

/** Numbers of the layers, as steps carry them. */
export const Layers = Object.freeze({
  /** VM entries and exits, interrupt delivery, wake-ups from C1. */
  Hardware: HARDWARE,
  /** The host's kernel, without KVM. */
  HostKernel: 1,
  /** KVM, in the host's kernel. */
  Kvm: 2,
  /** QEMU, in the host's user space. */
  Qemu: 3,
  /** Other programs in the host's user space. */
  HostTask: 4,
  /** A guest's kernel. */
  GuestKernel: 5,
  /** Programs in a guest's user space. */
  GuestTask: 6,
});

/** What tables call the layers. */
export const LAYER_NAMES: readonly string[] = [
  "hardware",
  "host kernel",
  "KVM",
  "QEMU",
  "host task",
  "guest kernel",
  "guest task",
];

export type { Layer };
