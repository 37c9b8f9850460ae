/**
 * Linux's PCI core: devices, drivers, and how they come together and part.
 *
 * *Document*: Linux 3.5 `drivers/pci/pci-driver.c`, `drivers/pci/iov.c`, `drivers/base/bus.c`, `drivers/base/dd.c`; for
 * later kernels `Documentation/ABI/testing/sysfs-bus-pci`.
 *
 * *Modelled*: probing in registration order, static and dynamic identifiers, bind, unbind, new_id, remove_id,
 * driver_override, drivers_probe, removal by hand and rescan, SR-IOV, IOMMU groups. What differs between kernel versions is a row of {@linkcode PciQuirks}.
 *
 * *Not modelled*: deferred probing, device links, unloading drivers.
 *
 * *Deviations*: a driver that is loaded later is not held against devices that a driver of the kernel's own has had since
 * boot. A task that waits for a device's lock polls it; the waits of SR-IOV are work, not sleep.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { type Bdf, formatBdf, parseBdf, type PciBus, type PciFunction, routingId } from "../../../hw/pci.ts";
import type { StateHash } from "../../../hw/sim/state_hash.ts";
import { EBUSY, EEXIST, EINVAL, EIO, ENODEV, ENOMEM, ENXIO, type Errno } from "../errno.ts";
import type { IommuGroups } from "./iommu_groups.ts";
import type { PciSteps } from "./pci_costs.ts";
import { PciDevice, type PciPorts, sriovOffset } from "./pci_device.ts";
import { idFromNumbers, matchesDevice, type PciId, scanHex } from "./pci_ids.ts";

/** Where kernel versions differ. */
export interface PciQuirks {
  /** What `bind` says for a device that has a driver: EBUSY since 5.12, ENODEV before. */
  readonly bindOfBound: Errno;
  /** `bind` passes a failed probe's errno on (since 5.12) or says ENODEV. */
  readonly bindReportsProbeErrno: boolean;
  /** `new_id` of an identifier that the driver has says EEXIST (since 3.16) or accepts it again. */
  readonly newIdRefusesKnown: boolean;
  /** Devices have `driver_override` (since 3.16). */
  readonly driverOverride: boolean;
  /** Devices have `sriov_numvfs` and `sriov_totalvfs` (since 3.8). */
  readonly sriovNumvfs: boolean;
  /** Physical functions have `sriov_drivers_autoprobe` (since 4.12). */
  readonly sriovAutoprobe: boolean;
  /** What the log says of a probe that has failed, behind the driver's name. */
  readonly probeFailed: (driver: string, device: string, error: number) => string;
  /** Mode of `enable`. */
  readonly enableMode: number;
  /** Mode of `numa_node`. */
  readonly numaNodeMode: number;
  /** An interrupt in `msi_irqs` is a directory with a file `mode` (until 3.13), or that file. */
  readonly messageDirectories: boolean;
}

/** The rows of the kernels that the model knows. */
export const PCI_QUIRKS: Readonly<Record<"3.5" | "6.18", PciQuirks>> = {
  "3.5": {
    bindOfBound: ENODEV,
    bindReportsProbeErrno: false,
    newIdRefusesKnown: false,
    driverOverride: false,
    sriovNumvfs: false,
    sriovAutoprobe: false,
    probeFailed: (driver, device, error) => `${driver}: probe of ${device} failed with error ${error}`,
    enableMode: 0o600,
    numaNodeMode: 0o444,
    messageDirectories: true,
  },
  "6.18": {
    bindOfBound: EBUSY,
    bindReportsProbeErrno: true,
    newIdRefusesKnown: true,
    driverOverride: true,
    sriovNumvfs: true,
    sriovAutoprobe: true,
    probeFailed: (driver, device, error) =>
      `${driver} ${device}: probe with driver ${driver} failed with error ${error}`,
    enableMode: 0o644,
    numaNodeMode: 0o644,
    messageDirectories: false,
  },
};

/** A driver. `probe` and `remove` run with the device's lock held and its `driver` set. */
export interface PciDriver {
  /** As in sysfs and in the log. */
  readonly name: string;
  /** The identifiers it was compiled with; `undefined` for one that has dynamic ones only. */
  readonly ids: readonly PciId[] | undefined;
  /** Logged when the driver is registered. */
  readonly banner?: readonly string[];
  /** Takes a device over, or says why not: ENODEV and ENXIO are not logged. */
  probe(device: PciDevice): Activity<Errno | void>;
  /** Lets the device go. */
  remove(device: PciDevice): Activity<void>;
  /** A program has the device, and the driver does not let it go. */
  isInUse?(device: PciDevice): boolean;
  /** Virtual functions that it manages at most (`pci_sriov_set_totalvfs`), if fewer than the hardware has. */
  readonly vfsMax?: number;
  /** Sets the number of virtual functions (`sriov_numvfs`). */
  sriovConfigure?(device: PciDevice, count: number): Activity<Errno | void>;
}

interface Registered {
  readonly driver: PciDriver;
  readonly dynamicIds: PciId[];
}

/** Devices and drivers of one kernel. */
export class PciCore {
  readonly #devices = new Map<string, PciDevice>();
  readonly #drivers = new Map<string, Registered>();
  /** Devices that are found are offered to the drivers (`drivers_autoprobe`). */
  autoprobe = true;
  /** An IOMMU keeps devices to the memory that they are given, shown in groups or not. */
  hasIommu = true;

  /**
   * Makes a core without devices and drivers: `scan`, then `registerDriver`.
   *
   * @param bus the hardware
   * @param steps the durations, from `pciSteps`
   * @param quirks the kernel version's row
   * @param iommu the groups of an IOMMU that is on and shown; `null` otherwise
   */
  constructor(
    readonly bus: PciBus,
    readonly ports: PciPorts,
    readonly steps: PciSteps,
    readonly quirks: PciQuirks,
    readonly iommu: IommuGroups | null = null,
  ) {}

  /** Every device, in the order found. */
  get devices(): Iterable<PciDevice> {
    return this.#devices.values();
  }

  /** Every driver, in the order registered. */
  get drivers(): Iterable<PciDriver> {
    return [...this.#drivers.values()].map(({ driver }) => driver);
  }

  /** The device with the full name `0000:05:00.0`. One newline may follow, as from `echo`. */
  device(name: string): PciDevice | undefined {
    return this.#devices.get(name.replace(/\n$/, ""));
  }

  /** The device at an address, in full or short form: what tools other than sysfs accept. */
  find(place: string | Bdf): PciDevice | undefined {
    const bdf = typeof place === "string" ? parseBdf(place) : place;
    return bdf && this.#devices.get(formatBdf(bdf));
  }

  /** The driver called `name`. */
  driver(name: string): PciDriver | undefined {
    return this.#drivers.get(name)?.driver;
  }

  /**
   * Name of the driver that is bound to the device at an address; `undefined` if there is none, or no such device.
   * Device assignment asks it: only a device that is unbound or held by pci-stub may be given away.
   */
  driverOf(place: string | Bdf): string | undefined {
    return this.find(place)?.driver;
  }

  /** The identifiers that a driver has been given by `new_id`, in that order. */
  dynamicIds(driverName: string): readonly PciId[] {
    return this.#drivers.get(driverName)?.dynamicIds ?? [];
  }

  /** The devices bound to a driver, in the order found. */
  boundTo(name: string): PciDevice[] {
    return [...this.devices].filter((device) => device.driver === name);
  }

  /** Enumerates the bus and offers each new device to the drivers. Virtual functions answer no enumeration. */
  *scan(): Activity<void> {
    for (const fn of this.bus.functions()) {
      if (fn.spec.virtual || this.#devices.has(formatBdf(fn.bdf))) continue;
      yield* this.#addDevice(fn, undefined);
    }
  }

  /** `echo 1 > rescan`: finds what has been removed by hand. */
  *rescan(): Activity<void> {
    yield this.steps.sysfsStore;
    yield* this.scan();
  }

  /** `echo 1 > remove`: the device, and all behind it, loses its driver and is gone until the next rescan. */
  *remove(device: PciDevice): Activity<void> {
    yield this.steps.sysfsStore;
    for (const behind of [...this.devices].reverse()) {
      if (behind.parent === device && this.#devices.has(behind.name)) yield* this.#drop(behind);
    }
    yield* this.#drop(device);
  }

  /** `echo NAME > drivers_probe`: offers a device that nobody drives to all drivers; ENODEV if there is none. */
  *driversProbe(text: string): Activity<Errno | void> {
    yield this.steps.sysfsStore;
    const device = this.device(text);
    if (device === undefined) return ENODEV;
    yield* this.#attach(device);
  }

  /** Registers a driver: its banner, then every device that it matches and nobody drives. */
  *registerDriver(driver: PciDriver): Activity<Errno | void> {
    if (this.#drivers.has(driver.name)) return EBUSY;
    this.#drivers.set(driver.name, { driver, dynamicIds: [] });
    for (const line of driver.banner ?? []) this.ports.log(line);
    yield* this.#driverAttach(driver.name);
  }

  /** `echo NAME > bind`; ENODEV, or EBUSY and the probe's errno on later kernels. */
  *bind(driverName: string, text: string): Activity<Errno | void> {
    yield this.steps.sysfsStore;
    const registered = this.#drivers.get(driverName);
    const device = this.device(text);
    if (registered === undefined || device === undefined) return ENODEV;
    yield this.steps.matchDevice;
    if (!this.#matches(registered, device)) return ENODEV;
    yield* this.#lock(device);
    let failed: Errno | void;
    if (device.driver !== undefined) {
      failed = this.quirks.bindOfBound;
    } else {
      failed = yield* this.#probe(registered, device);
      if (failed && !this.quirks.bindReportsProbeErrno) failed = ENODEV;
    }
    device.locked = false;
    return failed;
  }

  /** `echo NAME > unbind`; ENODEV if no device of that full name is bound to the driver; EBUSY if that keeps it. */
  *unbind(driverName: string, text: string): Activity<Errno | void> {
    yield this.steps.sysfsStore;
    const device = this.device(text);
    if (device === undefined || device.driver !== driverName) return ENODEV;
    if (this.driver(driverName)?.isInUse?.(device)) return EBUSY;
    yield* this.#lock(device);
    yield* this.#release(device);
    device.locked = false;
  }

  /** `echo "VVVV DDDD [SVVV SDDD CCCC MMMM PPPP]" > new_id`; EINVAL, or EEXIST on later kernels. */
  *newId(driverName: string, text: string): Activity<Errno | void> {
    yield this.steps.sysfsStore;
    const registered = this.#drivers.get(driverName);
    if (registered === undefined) return ENODEV;
    const numbers = scanHex(text, " ", 7);
    const id = idFromNumbers(numbers);
    if (id === undefined) return EINVAL;
    const { ids } = registered.driver;
    if (this.quirks.newIdRefusesKnown && numbers.length !== 7 && this.#knows(registered, id)) return EEXIST;
    // The driver must know what to do with the number: it has to be that of a static row.
    if (ids !== undefined && !ids.some(({ driverData }) => driverData === id.driverData)) return EINVAL;
    yield* this.addDynamicId(driverName, id);
  }

  /** `pci_add_dynid`: from now on the driver matches `id`; every such device that nobody drives is probed at once. */
  *addDynamicId(driverName: string, id: PciId): Activity<void> {
    this.#drivers.get(driverName)?.dynamicIds.push(id);
    yield* this.#driverAttach(driverName);
  }

  /** `echo "VVVV DDDD …" > remove_id`; EINVAL, ENODEV if there is no such dynamic identifier. Bound devices stay. */
  *removeId(driverName: string, text: string): Activity<Errno | void> {
    yield this.steps.sysfsStore;
    const wanted = idFromNumbers(scanHex(text, " ", 6));
    if (wanted === undefined) return EINVAL;
    const dynamicIds = this.#drivers.get(driverName)?.dynamicIds ?? [];
    const any = idFromNumbers([0, 0])!;
    const at = dynamicIds.findIndex((id) =>
      id.vendor === wanted.vendor && id.device === wanted.device &&
      (wanted.subvendor === any.subvendor || id.subvendor === wanted.subvendor) &&
      (wanted.subdevice === any.subdevice || id.subdevice === wanted.subdevice) &&
      ((id.class ^ wanted.class) & wanted.classMask) === 0
    );
    if (at < 0) return ENODEV;
    dynamicIds.splice(at, 1);
  }

  /**
   * `pci_enable_sriov`: makes `count` virtual functions appear and offers them to the drivers.
   *
   * Errors: ENODEV (no SR-IOV), EINVAL (already on, or more than TotalVFs), ENOMEM (their bus is not routed).
   */
  *enableSriov(device: PciDevice, count: number): Activity<Errno | void> {
    const at = sriovOffset(device);
    if (at === 0) return ENODEV;
    const { configuration } = device.fn;
    if (this.virtualFunctionCount(device) !== 0 || count > configuration.read(at + 0x0e, 2)) return EINVAL;
    const offset = configuration.read(at + 0x14, 2);
    const stride = configuration.read(at + 0x16, 2);
    if (offset === 0 || (count > 1 && stride === 0)) return EIO;
    const vfId = (index: number) => routingId(device.bdf) + offset + index * stride;
    if (this.bus.portOf(device.bdf.bus) !== this.bus.portOf(vfId(count - 1) >>> 8)) {
      device.log("SR-IOV: bus number out of range");
      return ENOMEM;
    }
    device.writeConfiguration(at + 0x10, 2, count);
    device.writeConfiguration(at + 0x08, 2, 0x0009);
    yield this.steps.enableSriov;
    for (let index = 0; index < count; index++) {
      const fn = this.bus.find(vfId(index));
      if (fn) yield* this.#addDevice(fn, device);
    }
  }

  /** `pci_disable_sriov`: the virtual functions lose their drivers and are gone. */
  *disableSriov(device: PciDevice): Activity<void> {
    const at = sriovOffset(device);
    if (at === 0 || this.virtualFunctionCount(device) === 0) return;
    for (const vf of this.virtualFunctions(device)) yield* this.#drop(vf);
    device.writeConfiguration(at + 0x08, 2, 0);
    yield this.steps.disableSriov;
  }

  /** Virtual functions of a physical one, in their order. */
  virtualFunctions(device: PciDevice): PciDevice[] {
    return [...this.devices].filter(({ physfn }) => physfn === device);
  }

  /** Number of virtual functions that are on. */
  virtualFunctionCount(device: PciDevice): number {
    const at = sriovOffset(device);
    if (at === 0 || (device.fn.configuration.read(at + 0x08, 2) & 1) === 0) return 0;
    return device.fn.configuration.read(at + 0x10, 2);
  }

  /** Adds who drives what, and the dynamic identifiers, to `hash`. */
  hashInto(hash: StateHash): void {
    for (const device of this.devices) {
      hash.text(device.name).text(device.driver ?? "").text(device.driverOverride ?? "").flag(
        device.assigned,
      );
      hash.flag(device.locked).word(device.enableCount);
    }
    for (const { driver, dynamicIds } of this.#drivers.values()) {
      hash.text(driver.name);
      for (const id of dynamicIds) hash.words([id.vendor, id.device, id.subvendor, id.subdevice, id.class]);
    }
  }

  /** A driver that is built into the kernel: it has its devices before anything of the model runs. */
  registerBuiltIn(driver: PciDriver): void {
    settle(this.scan());
    settle(this.registerDriver(driver));
    for (const device of this.boundTo(driver.name)) device.drivenFromBoot = true;
  }

  *#addDevice(fn: PciFunction, physfn: PciDevice | undefined): Activity<void> {
    const port = this.bus.portOf(fn.bdf.bus);
    const parent = port && this.#devices.get(formatBdf(port.bdf));
    const device = new PciDevice(fn, parent, physfn, this.ports, this.steps);
    this.#devices.set(device.name, device);
    this.iommu?.add(device);
    if (this.autoprobe && (physfn === undefined || physfn.probesVirtualFunctions)) {
      yield* this.#attach(device);
    }
  }

  /** device_attach(): the first driver that matches and does not refuse gets the device. */
  *#attach(device: PciDevice): Activity<void> {
    if (device.driver !== undefined) return;
    for (const registered of [...this.#drivers.values()]) {
      yield this.steps.matchDevice;
      if (!this.#matches(registered, device)) continue;
      yield* this.#lock(device);
      if (device.driver === undefined) yield* this.#probe(registered, device);
      device.locked = false;
      if (device.driver !== undefined) return;
    }
  }

  *#driverAttach(driverName: string): Activity<void> {
    const registered = this.#drivers.get(driverName);
    if (registered === undefined) return;
    // A probe may add devices (virtual functions): they are offered to the drivers when they are added.
    for (const device of [...this.devices]) {
      if (device.drivenFromBoot) continue;
      yield this.steps.matchDevice;
      if (!this.#devices.has(device.name) || !this.#matches(registered, device)) continue;
      yield* this.#lock(device);
      if (device.driver === undefined) yield* this.#probe(registered, device);
      device.locked = false;
    }
  }

  *#probe({ driver }: Registered, device: PciDevice): Activity<Errno | void> {
    device.driver = driver.name;
    const failed = yield* driver.probe(device);
    if (!failed) return;
    device.driver = undefined;
    device.driverData = undefined;
    if (failed !== ENODEV && failed !== ENXIO) {
      this.ports.log(this.quirks.probeFailed(driver.name, device.name, -failed.number));
    }
    return failed;
  }

  /** The device is gone. */
  *#drop(device: PciDevice): Activity<void> {
    yield* this.#lock(device);
    yield* this.#release(device);
    device.locked = false;
    this.#devices.delete(device.name);
    this.iommu?.remove(device);
  }

  *#release(device: PciDevice): Activity<void> {
    const registered = device.driver === undefined ? undefined : this.#drivers.get(device.driver);
    if (registered === undefined) return;
    device.drivenFromBoot = false;
    yield* registered.driver.remove(device);
    device.driver = undefined;
    device.driverData = undefined;
  }

  *#lock(device: PciDevice): Activity<void> {
    while (device.locked) yield this.steps.deviceLockWait;
    device.locked = true;
  }

  #matches({ driver, dynamicIds }: Registered, device: PciDevice): boolean {
    if (device.driverOverride !== undefined) return device.driverOverride === driver.name;
    return dynamicIds.some((id) => matchesDevice(id, device)) ||
      (driver.ids ?? []).some((id) => matchesDevice(id, device));
  }

  /** Whether the driver would take a device with exactly these numbers already. */
  #knows(
    { driver, dynamicIds }: Registered,
    { vendor, device, subvendor, subdevice, class: classCode }: PciId,
  ) {
    const numbers = {
      vendor,
      device,
      subsystemVendor: subvendor,
      subsystemDevice: subdevice,
      classCode,
    };
    return [...dynamicIds, ...(driver.ids ?? [])].some((id) => matchesDevice(id, numbers));
  }
}

/**
 * Runs an activity to its end outside simulated time: for what happened before the model's time begins, such as
 * the probing at boot.
 */
export function settle<T>(activity: Activity<T>): T {
  for (;;) {
    const { done, value } = activity.next(0);
    if (done) return value;
  }
}
