/**
 * PCI in sysfs: `/sys/bus/pci` and `/sys/devices/pci0000:00`.
 *
 * *Document*: Linux 3.5 `drivers/pci/pci-sysfs.c`, `drivers/pci/pci-driver.c`, `drivers/base/bus.c`;
 * `Documentation/ABI/testing/sysfs-bus-pci`.
 *
 * *Modelled*: the files a set-up script reads and writes: identifiers, `driver`, `resource`, `irq`, `enable`,
 * `uevent`, SR-IOV links and (where the kernel has them) files, `driver_override`; a driver's `bind`, `unbind`,
 * `new_id`, `remove_id`.
 *
 * *Not modelled*: `config`, `resourceN`, `rom`, `remove`, `rescan`, `reset`, `msi_bus`, power management. They are
 * absent, so a script that needs them fails.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Bar } from "../../hw/pci.ts";
import { EBUSY, EINVAL, EIO, ENODEV, ENOENT, ERANGE, Errno } from "./errno.ts";
import type { PciCore, PciDriver } from "./pci_bus.ts";
import { type PciDevice, sriovOffset } from "./pci_device.ts";
import type { AttributeNode, DirectoryNode, LinkNode, Node } from "./vfs.ts";

/** A directory whose entries are given by functions, in a fixed order of names. */
type Entries = ReadonlyMap<string, Node>;

function directory(entries: () => Entries): DirectoryNode {
  return {
    kind: "directory",
    list: () => entries().keys(),
    lookup: (name) => entries().get(name),
  };
}

function link(target: string): LinkNode {
  return { kind: "link", target: () => target };
}

function readOnly(show: () => string): AttributeNode {
  return { kind: "attribute", mode: 0o444, show };
}

function writeOnly(store: (text: string) => Errno | void | Activity<Errno | void>): AttributeNode {
  return { kind: "attribute", mode: 0o200, store };
}

/** Actions that a `uevent` file takes; the model has nobody who listens. */
const UEVENT_ACTIONS = ["add", "remove", "change", "move", "online", "offline"];

function ueventStore(text: string): Errno | void {
  if (!UEVENT_ACTIONS.includes(text.replace(/\n$/, ""))) return EINVAL;
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, "0");
}

/** Parses what `strict_strtoul` with base 0 takes: decimal, 0x… or 0…, one newline. */
function parseUnsigned(text: string): number | Errno {
  const match = /^\+?(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)\n?$/i.exec(text);
  if (match === null) return EINVAL;
  const digits = match[1]!;
  return /^0[0-7]+$/.test(digits) ? parseInt(digits, 8) : Number(digits);
}

/** `pci:v00008086d000010EDsv…`, by which modules are found. */
export function modalias(device: PciDevice): string {
  const upper = (number: number, digits: number) => hex(number, digits).toUpperCase();
  const { vendor, device: id, subsystemVendor, subsystemDevice, classCode } = device;
  return `pci:v${upper(vendor, 8)}d${upper(id, 8)}sv${upper(subsystemVendor, 8)}sd${
    upper(subsystemDevice, 8)
  }` +
    `bc${upper(classCode >>> 16, 2)}sc${upper(classCode >>> 8 & 0xff, 2)}i${hex(classCode & 0xff, 2)}`;
}

/** The two trees. Mount `bus` at `/sys/bus/pci` and `devices` at `/sys/devices/pci0000:00`. */
export interface PciSysfs {
  /** For `/sys/bus/pci`. */
  readonly bus: DirectoryNode;
  /** For `/sys/devices/pci0000:00`. */
  readonly devices: DirectoryNode;
}

/** Builds both trees on a core; they show its state at the time they are read. */
export function pciSysfs(core: PciCore): PciSysfs {
  return {
    bus: busDirectory(core),
    devices: directory(() => childDirectories(core, undefined)),
  };
}

/** From `/sys`, the directory of a device: below its bridge, if it is behind one. */
function devicePath(device: PciDevice): string {
  return `devices/pci0000:00/${device.parent ? `${device.parent.name}/` : ""}${device.name}`;
}

/** From a device's directory up to `/sys`. */
function upFrom(device: PciDevice): string {
  return "../".repeat(devicePath(device).split("/").length);
}

function childDirectories(core: PciCore, parent: PciDevice | undefined): Entries {
  const entries = new Map<string, Node>();
  for (const device of core.devices) {
    if (device.parent === parent) entries.set(device.name, directory(() => deviceEntries(core, device)));
  }
  return entries;
}

function busDirectory(core: PciCore): DirectoryNode {
  const entries = new Map<string, Node>([
    [
      "devices",
      directory(() =>
        new Map([...core.devices].map((device) => [device.name, link(`../../../${devicePath(device)}`)]))
      ),
    ],
    [
      "drivers",
      directory(() =>
        new Map(
          [...core.drivers].map((driver) => [driver.name, directory(() => driverEntries(core, driver))]),
        )
      ),
    ],
    ["drivers_autoprobe", readOnly(() => "1\n")],
    ["uevent", writeOnly(ueventStore)],
  ]);
  return directory(() => entries);
}

function driverEntries(core: PciCore, { name }: PciDriver): Entries {
  const entries = new Map<string, Node>();
  for (const device of core.boundTo(name)) {
    entries.set(device.name, link(`../../../../${devicePath(device)}`));
  }
  entries.set("bind", writeOnly((text) => core.bind(name, text)));
  entries.set("unbind", writeOnly((text) => core.unbind(name, text)));
  entries.set("new_id", writeOnly((text) => core.newId(name, text)));
  entries.set("remove_id", writeOnly((text) => core.removeId(name, text)));
  entries.set("uevent", writeOnly(ueventStore));
  return entries;
}

function deviceEntries(core: PciCore, device: PciDevice): Entries {
  const { quirks, ports } = core;
  const entries = new Map<string, Node>(childDirectories(core, device));
  const show = (name: string, text: () => string) => entries.set(name, readOnly(text));
  show("vendor", () => `0x${hex(device.vendor, 4)}\n`);
  show("device", () => `0x${hex(device.device, 4)}\n`);
  show("subsystem_vendor", () => `0x${hex(device.subsystemVendor, 4)}\n`);
  show("subsystem_device", () => `0x${hex(device.subsystemDevice, 4)}\n`);
  show("class", () => `0x${hex(device.classCode, 6)}\n`);
  show("irq", () => `${device.irq}\n`);
  show("local_cpus", () => `${ports.localCpuMask()}\n`);
  show("local_cpulist", () => `${ports.localCpuList()}\n`);
  show("modalias", () => `${modalias(device)}\n`);
  show("resource", () => resourceText(core, device));
  entries.set("numa_node", {
    kind: "attribute",
    mode: quirks.numaNodeMode,
    show: () => `${device.numaNode}\n`,
    // The model has one node and nothing that depends on it: every number but its own is refused.
    store: (text) => text.trim() === String(device.numaNode) ? undefined : EINVAL,
  });
  entries.set("enable", {
    kind: "attribute",
    mode: quirks.enableMode,
    show: () => `${device.enableCount}\n`,
    store: (text) => storeEnable(device, text),
  });
  entries.set("uevent", {
    kind: "attribute",
    mode: 0o644,
    show: () => ueventText(device),
    store: ueventStore,
  });
  entries.set("subsystem", link(`${upFrom(device)}bus/pci`));
  if (device.driver !== undefined) {
    entries.set("driver", link(`${upFrom(device)}bus/pci/drivers/${device.driver}`));
  }
  if (device.msiXIrqs.size > 0) entries.set("msi_irqs", directory(() => msiIrqEntries(device)));
  if (quirks.driverOverride) entries.set("driver_override", driverOverride(core, device));
  if (device.physfn) entries.set("physfn", link(`../${device.physfn.name}`));
  if (device.physfn === undefined && sriovOffset(device) !== 0) {
    for (const [index, vf] of core.virtualFunctions(device).entries()) {
      entries.set(`virtfn${index}`, link(`../${vf.name}`));
    }
    if (quirks.sriovNumvfs) {
      const vfsMax = device.driver === undefined ? undefined : core.driver(device.driver)?.vfsMax;
      const totalVfs = Math.min(
        device.fn.configuration.read(sriovOffset(device) + 0x0e, 2),
        vfsMax ?? Infinity,
      );
      show("sriov_totalvfs", () => `${totalVfs}\n`);
      entries.set("sriov_numvfs", {
        kind: "attribute",
        mode: 0o644,
        show: () => `${core.virtualFunctionCount(device)}\n`,
        store: (text) => storeNumvfs(core, device, totalVfs, text),
      });
    }
  }
  return entries;
}

function storeEnable(device: PciDevice, text: string): Errno | void {
  const value = parseUnsigned(text);
  if (value instanceof Errno) return value;
  if (value !== 0) return device.enable();
  if (device.enableCount === 0) return EIO;
  device.disable();
}

function* storeNumvfs(
  core: PciCore,
  device: PciDevice,
  totalVfs: number,
  text: string,
): Activity<Errno | void> {
  const count = parseUnsigned(text);
  if (count instanceof Errno) return count;
  yield core.steps.sysfsStore;
  if (count > totalVfs) return ERANGE;
  const present = core.virtualFunctionCount(device);
  if (count === present) return;
  const driver = device.driver === undefined ? undefined : core.driver(device.driver);
  if (driver?.sriovConfigure === undefined) return driver === undefined ? ENODEV : ENOENT;
  // Linux changes the number only by way of 0.
  if (count !== 0 && present !== 0) return EBUSY;
  return yield* driver.sriovConfigure(device, count);
}

function msiIrqEntries(device: PciDevice): Entries {
  return new Map([...device.msiXIrqs.values()].map((irq) => [String(irq), readOnly(() => "msix\n")]));
}

function driverOverride(core: PciCore, device: PciDevice): AttributeNode {
  return {
    kind: "attribute",
    mode: 0o644,
    show: () => `${device.driverOverride ?? "(null)"}\n`,
    *store(text): Activity<Errno | void> {
      yield core.steps.sysfsStore;
      const name = text.split("\n", 1)[0]!;
      device.driverOverride = name === "" ? undefined : name;
    },
  };
}

function ueventText(device: PciDevice): string {
  const upper = (number: number, digits: number) => hex(number, digits).toUpperCase();
  const lines = [
    `PCI_CLASS=${upper(device.classCode, 4)}`,
    `PCI_ID=${upper(device.vendor, 4)}:${upper(device.device, 4)}`,
    `PCI_SUBSYS_ID=${upper(device.subsystemVendor, 4)}:${upper(device.subsystemDevice, 4)}`,
    `PCI_SLOT_NAME=${device.name}`,
    `MODALIAS=${modalias(device)}`,
  ];
  if (device.driver !== undefined) lines.unshift(`DRIVER=${device.driver}`);
  return lines.map((line) => `${line}\n`).join("");
}

/** Flags of a resource: the register's own low bits, and IORESOURCE_ bits for its kind. */
function resourceFlags({ space, bits, prefetchable }: Bar): number {
  const sizeAligned = 0x4_0000;
  if (space === "io") return sizeAligned | 0x100 | 1;
  return sizeAligned | 0x200 | (prefetchable ? 0x2000 | 8 : 0) | (bits === 64 ? 0x10_0000 | 4 : 0);
}

/** One line a resource: six base addresses, the ROM, six of the virtual functions; four windows of a bridge. */
function resourceText(core: PciCore, device: PciDevice): string {
  const { spec, configuration } = device.fn;
  const lines: string[] = Array(spec.headerType === 1 ? 17 : 13).fill(resourceLine(0, 0, 0));
  for (const bar of spec.bars) {
    lines[bar.index] = resourceLine(bar.base, bar.base + bar.size - 1, resourceFlags(bar));
  }
  const at = sriovOffset(device);
  const vf = core.virtualFunctions(device)[0];
  if (at !== 0 && vf !== undefined) {
    const totalVfs = configuration.read(at + 0x0e, 2);
    for (const bar of vf.fn.spec.bars) {
      lines[7 + bar.index] = resourceLine(bar.base, bar.base + bar.size * totalVfs - 1, resourceFlags(bar));
    }
  }
  return lines.join("");
}

function resourceLine(start: number, end: number, flags: number): string {
  return `0x${hex(start, 16)} 0x${hex(end, 16)} 0x${hex(flags, 16)}\n`;
}
