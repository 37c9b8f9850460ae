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
  virtioRequest: ns("A request taken from a virtqueue, parsed and handed to a worker thread"),
  virtioComplete: ns("A request given back to the guest, without the interrupt"),
  imageAccess: ns("pread() or pwrite() of a page of an image that the host's page cache has"),
  imagePage: ns("Each further page of the same call"),
  imageDirect: ns("The same past the page cache: the host's disk answers"),
  vgaWrite: ns("A write to video memory that KVM has kept: out of the ring, into the adapter's memory"),
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
