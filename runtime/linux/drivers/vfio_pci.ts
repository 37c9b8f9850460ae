/**
 * vfio-pci: hands a device, with its IOMMU group, to a program.
 *
 * *Document*: Linux 6.x `drivers/vfio/pci/vfio_pci.c`, `drivers/vfio/group.c`; `Documentation/driver-api/vfio.rst`.
 *
 * *Modelled*: dynamic identifiers only; endpoints with an IOMMU group and nothing else; `/dev/vfio/vfio`, and
 * `/dev/vfio/N` for a group as long as one of its devices is bound; a group that is open once; the parameter `ids=` with
 * its log lines.
 *
 * *Not modelled*: the ioctls of these files: who assigns a device asks {@linkcode VfioPci} itself. Neither iommufd nor
 * no-IOMMU mode.
 *
 * *Deviations*: unbinding a device whose group a program has open fails with EBUSY; Linux asks the program to let it go,
 * and waits.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { EBUSY, EINVAL, type Errno } from "../errno.ts";
import { addIds } from "./ids_parameter.ts";
import type { IommuGroup } from "../pci/iommu_groups.ts";
import { immediately } from "../fs/open_files.ts";
import type { PciCore, PciDriver } from "../pci/pci_bus.ts";
import type { PciDevice } from "../pci/pci_device.ts";
import type { PciId } from "../pci/pci_ids.ts";
import type { DeviceNode, DirectoryNode, OpenFile } from "../fs/vfs.ts";

/** Drivers beside which a group can be given away: they do no DMA of their own. */
const HARMLESS: ReadonlySet<string> = new Set(["vfio-pci", "pci-stub", "pcieport"]);

/** The driver. */
export class VfioPci implements PciDriver {
  /** As in sysfs. */
  readonly name = "vfio-pci";
  /** It has dynamic identifiers only. */
  readonly ids = undefined;
  readonly banner = ["VFIO - User Level meta-driver version: 0.3"];
  readonly #open = new Set<number>();

  /** Makes the driver; `registerDriver` loads it. */
  constructor(readonly core: PciCore) {}

  /** EINVAL for a bridge, and where there is no IOMMU to keep the device to its program's memory. */
  *probe(device: PciDevice): Activity<Errno | void> {
    yield this.core.steps.pciStubProbe;
    if (device.fn.spec.headerType !== 0 || this.core.iommu?.of(device) === undefined) return EINVAL;
  }

  /** Nothing to undo. */
  *remove(_device: PciDevice): Activity<void> {
    yield this.core.steps.pciStubRemove;
  }

  isInUse(device: PciDevice): boolean {
    const group = this.core.iommu?.of(device);
    return group !== undefined && this.isOpen(group);
  }

  /** Groups of which a device is bound: those that `/dev/vfio` has a file for, by number. */
  groups(): IommuGroup[] {
    const { iommu } = this.core;
    return iommu?.groups.filter(({ devices }) => [...devices].some(({ driver }) => driver === this.name)) ??
      [];
  }

  /** Whether all of a group can be given away: none of its endpoints has a driver of the host's. */
  isViable({ devices }: IommuGroup): boolean {
    return [...devices].every(({ driver, fn }) =>
      driver === undefined || HARMLESS.has(driver) || fn.spec.headerType === 1
    );
  }

  /** Whether a program has the group open. */
  isOpen({ number }: IommuGroup): boolean {
    return this.#open.has(number);
  }

  /** Opens a group for a program; EBUSY: another one has it. */
  openGroup(group: IommuGroup): Errno | void {
    if (this.isOpen(group)) return EBUSY;
    this.#open.add(group.number);
  }

  /** The program has closed it, or has ended. */
  closeGroup({ number }: IommuGroup): void {
    this.#open.delete(number);
  }

  /** `/dev/vfio`. */
  directory(): DirectoryNode {
    const container: DeviceNode = {
      kind: "device",
      mode: 0o666,
      number: VFIO_CONTAINER,
      open: () => new OpenVfio(),
    };
    return {
      kind: "directory",
      list: () => ["vfio", ...this.groups().map(({ number }) => String(number))],
      lookup: (name) => {
        if (name === "vfio") return container;
        const group = this.groups().find(({ number }) => String(number) === name);
        const number = [VFIO_GROUP_MAJOR, Number(name)] as const;
        return group && { kind: "device", mode: 0o600, number, open: () => this.#openFile(group) };
      },
    };
  }

  #openFile(group: IommuGroup): OpenFile | Errno {
    return this.openGroup(group) ?? new OpenVfio(() => this.closeGroup(group));
  }
}

/** `VFIO_MINOR` of the misc driver (`include/linux/miscdevice.h`). */
const VFIO_CONTAINER = [10, 196] as const;

/** Groups get a free major number; the first that the kernel gives counts down from here. */
const VFIO_GROUP_MAJOR = 243;

/** A file of `/dev/vfio`: it takes ioctls, which are not modelled; it cannot be read or written. */
class OpenVfio implements OpenFile {
  /** @param close called once, at the end */
  constructor(readonly close: () => void = () => {}) {}

  read(): Activity<Errno> {
    return immediately(EINVAL);
  }

  write(_text: string): Activity<Errno> {
    return immediately(EINVAL);
  }
}

/** `vfio-pci.ids=…` of the kernel command line, for a registered vfio-pci. */
export function addVfioIds(core: PciCore, ids: string): Activity<void> {
  const hex = (number: number, digits: number) => number.toString(16).padStart(digits, "0");
  const describe = ({ vendor, device, subvendor, subdevice, class: classCode, classMask }: PciId) =>
    `[${hex(vendor, 4)}:${hex(device, 4)}[${hex(subvendor, 8)}:${hex(subdevice, 8)}]] ` +
    `class 0x${hex(classCode, 6)}/${hex(classMask, 8)}`;
  return addIds(core, { driver: "vfio-pci", prefix: "vfio_pci", describe }, ids);
}
