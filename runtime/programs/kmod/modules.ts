/**
 * The modules of a kernel: all are built in, as with a kernel that was configured for one computer.
 *
 * @module
 */

import { Errno } from "../../linux/errno.ts";
import type { ProgramProcess } from "../program.ts";

/** Modules by a directory that they alone make. */
const BEHIND: Readonly<Record<string, readonly string[]>> = {
  "/sys/kernel/debug/kvm": ["kvm", "kvm_intel"],
  "/dev/vfio": ["vfio", "vfio_iommu_type1"],
};

/** The names of what is built in. A module's name has `_` where its file or driver has `-`. */
export function builtIn({ system: { vfs } }: ProgramProcess): Set<string> {
  const drivers = vfs.list("/sys/bus/pci/drivers");
  const names = drivers instanceof Errno ? [] : drivers.map(moduleName);
  for (const [path, modules] of Object.entries(BEHIND)) {
    if (!(vfs.stat(path) instanceof Errno)) names.push(...modules);
  }
  return new Set(names);
}

/** `pci_stub` for `pci-stub`: both name the same module. */
export function moduleName(text: string): string {
  return text.replaceAll("-", "_");
}

/**
 * Whether the computer's tools are of kmod, which replaced module-init-tools in 2012; messages begin with the program's
 * name from then on.
 */
export function isKmod({ kernel }: ProgramProcess): boolean {
  return Number(kernel.release.release.split(".")[0]) >= 4;
}
