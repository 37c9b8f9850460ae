/**
 * What QEMU's own code costs.
 *
 * @module
 */

import { type Step, stepsOf } from "../../hw/sim/activity.ts";
import { ns, parameters, type Values } from "../../hw/parameters.ts";
import { qemuWork } from "../kvm/user_space.ts";

/** QEMU's steps, integer ns in their typical execution, without the kernel's part of system calls. */
export const qemuCosts = parameters({
  startUp: ns("From exec to the end of the command line's checks"),
  machineInit: ns("Making the machine: memory, firmware, devices"),
  vcpuInit: ns("A vCPU thread up to its first KVM_RUN"),
  assignDevice: ns("Finding, mapping and resetting a device that is to be assigned, without KVM's part"),
  serveExit: ns("One I/O or memory-mapped access served by a device model, with the way from and to KVM_RUN"),
  monitorCommand: ns("A line read, parsed and answered by the monitor"),
});

/** Values of {@linkcode qemuCosts}. */
export type QemuCosts = Values<typeof qemuCosts>;

/** The same as steps. */
export type QemuSteps = { readonly [Key in keyof QemuCosts]: Step };

/** Makes QEMU's steps. */
export function qemuSteps(costs: QemuCosts): QemuSteps {
  return stepsOf(costs, (name, ns) => qemuWork(name, ns));
}
