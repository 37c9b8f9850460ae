/**
 * PCI in sysfs: `/sys/bus/pci` and `/sys/devices/pci0000:00`.
 *
 * *Document*: Linux 3.5 `drivers/pci/pci-sysfs.c`, `drivers/pci/pci-driver.c`, `drivers/base/bus.c`;
 * `Documentation/ABI/testing/sysfs-bus-pci`.
 *
 * *Modelled*: the files a set-up script reads and writes: identifiers, `config`, `driver`, `resource`, `irq`, `enable`,
 * `uevent`, `remove`, `rescan`, `net`, SR-IOV links and (where the kernel has them) files, `driver_override`,
 * `iommu_group`; a driver's `bind`, `unbind`, `new_id`, `remove_id`; `drivers_probe` and `drivers_autoprobe`; the groups
 * of `/sys/kernel/iommu_groups`.
 *
 * *Not modelled*: `resourceN`, `rom`, `reset`, power management. They are absent, so a script that needs them fails.
 *
 * *Deviations*: `config` is the first 256 bytes, one character for each, and cannot be written.
 *
 * @module
 */

import { attribute, directory, type Entries, readOnly } from "../computed_nodes.ts";
import type { Activity } from "../../../../hw/sim/activity.ts";
import type { Bar } from "../../../../hw/pci.ts";
import { parseBoolean } from "./boolean_text.ts";
import { EBUSY, EINVAL, EIO, ENODEV, ENOENT, ERANGE, Errno } from "../../errno.ts";
import type { IommuGroup, IommuGroups } from "../../pci/iommu_groups.ts";
import type { PciCore, PciDriver } from "../../pci/pci_bus.ts";
import { type PciDevice, sriovOffset } from "../../pci/pci_device.ts";
import type { AttributeNode, DirectoryNode, LinkNode, Node } from "../vfs.ts";

function link(target: string): LinkNode {
  return { kind: "link", target: () => target };
}

function writeOnly(store: AttributeNode["store"], mode = 0o200): AttributeNode {
  return attribute(mode, undefined, store);
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

/** Names and addresses of network interfaces, where the kernel has any. */
export interface NetSysfs {
  /** The interface that a device's driver has registered. */
  interfaceOf(device: PciDevice): string | undefined;
  /** Its directory. */
  directory(name: string, device: PciDevice): DirectoryNode;
}

/** The trees. Mount `bus` at `/sys/bus/pci` and `devices` at `/sys/devices/pci0000:00`. */
export interface PciSysfs {
  /** For `/sys/bus/pci`. */
  readonly bus: DirectoryNode;
  /** For `/sys/devices/pci0000:00`. */
  readonly devices: DirectoryNode;
}

/** Builds both trees on a core; they show its state at the time they are read. */
export function pciSysfs(core: PciCore, net: NetSysfs | null = null): PciSysfs {
  return {
    bus: busDirectory(core),
    devices: directory(() => childDirectories(core, net, undefined)),
  };
}

/** `/sys/kernel/iommu_groups`: the members of each group, as links. */
export function iommuGroupsDirectory(groups: IommuGroups): DirectoryNode {
  const members = ({ devices }: IommuGroup) =>
    directory(() =>
      new Map([...devices].map((each) => [each.name, link(`../../../../${devicePath(each)}`)]))
    );
  const entries = (group: IommuGroup) =>
    new Map<string, Node>([
      ["devices", members(group)],
      // No region is reserved here but that of the interrupt messages.
      ["reserved_regions", readOnly(() => "0x00000000fee00000 0x00000000feefffff msi\n")],
      ["type", readOnly(() => "DMA-FQ\n")],
    ]);
  return directory(() =>
    new Map(groups.groups.map((group) => [String(group.number), directory(() => entries(group))]))
  );
}

/** From `/sys`, the directory of a device: below its bridge, if it is behind one. */
export function devicePath(device: PciDevice): string {
  return `devices/pci0000:00/${device.parent ? `${device.parent.name}/` : ""}${device.name}`;
}

/** From a device's directory up to `/sys`. */
function upFrom(device: PciDevice): string {
  return "../".repeat(devicePath(device).split("/").length);
}

function childDirectories(core: PciCore, net: NetSysfs | null, parent: PciDevice | undefined): Entries {
  const entries = new Map<string, Node>();
  for (const device of core.devices) {
    if (device.parent !== parent) continue;
    entries.set(device.name, directory(() => deviceEntries(core, net, device)));
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
    [
      "drivers_autoprobe",
      attribute(
        0o644,
        () => core.autoprobe ? "1\n" : "0\n",
        // store_drivers_autoprobe(): everything but 0 is on.
        (text) => void (core.autoprobe = !text.startsWith("0")),
      ),
    ],
    ["drivers_probe", writeOnly((text) => core.driversProbe(text))],
    ["rescan", writeOnly((text) => ifNotZero(text, () => core.rescan()))],
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

/** Does `action` where a number other than 0 has been written. */
function* ifNotZero(text: string, action: () => Activity<Errno | void>): Activity<Errno | void> {
  const value = parseUnsigned(text);
  if (value instanceof Errno) return value;
  if (value !== 0) return yield* action();
}

function deviceEntries(core: PciCore, net: NetSysfs | null, device: PciDevice): Entries {
  const { quirks, ports } = core;
  const entries = new Map<string, Node>(childDirectories(core, net, device));
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
  entries.set("config", { ...readOnly(() => configText(device), 0o644), size: CONFIG_BYTES });
  entries.set("remove", writeOnly((text) => ifNotZero(text, () => core.remove(device)), 0o220));
  entries.set("rescan", writeOnly((text) => ifNotZero(text, () => core.rescan()), 0o220));
  entries.set(
    "msi_bus",
    attribute(
      0o644,
      // Only a bridge has a bus; the model's let messages pass.
      () => device.fn.spec.headerType === 1 || quirks.sriovNumvfs ? "1\n" : "\n",
      (text) => parseUnsigned(text) === 1 ? undefined : EINVAL,
    ),
  );
  entries.set(
    "numa_node",
    attribute(
      quirks.numaNodeMode,
      () => `${device.numaNode}\n`,
      // The model has one node and nothing that depends on it: every number but its own is refused.
      (text) => text.trim() === String(device.numaNode) ? undefined : EINVAL,
    ),
  );
  entries.set(
    "enable",
    attribute(quirks.enableMode, () => `${device.enableCount}\n`, (text) => storeEnable(device, text)),
  );
  entries.set("uevent", attribute(0o644, () => ueventText(device), ueventStore));
  entries.set("subsystem", link(`${upFrom(device)}bus/pci`));
  if (device.driver !== undefined) {
    entries.set("driver", link(`${upFrom(device)}bus/pci/drivers/${device.driver}`));
  }
  if (device.messageIrqs.size > 0) entries.set("msi_irqs", directory(() => msiIrqEntries(core, device)));
  const group = core.iommu?.of(device);
  if (group !== undefined) {
    entries.set("iommu_group", link(`${upFrom(device)}kernel/iommu_groups/${group.number}`));
  }
  const interfaceName = net?.interfaceOf(device);
  if (net && interfaceName !== undefined) {
    entries.set("net", directory(() => new Map([[interfaceName, net.directory(interfaceName, device)]])));
  }
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
      entries.set(
        "sriov_numvfs",
        attribute(
          0o644,
          () => `${core.virtualFunctionCount(device)}\n`,
          (text) => storeNumvfs(core, device, totalVfs, text),
        ),
      );
    }
    if (quirks.sriovAutoprobe) {
      entries.set(
        "sriov_drivers_autoprobe",
        attribute(0o644, () => device.probesVirtualFunctions ? "1\n" : "0\n", (text) => {
          const value = parseBoolean(text);
          if (value === undefined) return EINVAL;
          device.probesVirtualFunctions = value;
        }),
      );
    }
  }
  return entries;
}

/** Bytes of configuration space that `config` shows. */
const CONFIG_BYTES = 256;

function configText({ fn: { configuration } }: PciDevice): string {
  const bytes = Array.from({ length: CONFIG_BYTES }, (_, offset) => configuration.read(offset, 1));
  return String.fromCharCode(...bytes);
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

function msiIrqEntries({ quirks }: PciCore, device: PciDevice): Entries {
  const mode = readOnly(() => device.messageKind === "MSI" ? "msi\n" : "msix\n");
  const entry = quirks.messageDirectories ? directory(() => new Map([["mode", mode]])) : mode;
  return new Map([...device.messageIrqs.values()].map((irq) => [String(irq), entry]));
}

function driverOverride(core: PciCore, device: PciDevice): AttributeNode {
  return attribute(
    0o644,
    () => `${device.driverOverride ?? "(null)"}\n`,
    (text) => storeDriverOverride(core, device, text),
  );
}

function* storeDriverOverride(core: PciCore, device: PciDevice, text: string): Activity<Errno | void> {
  yield core.steps.sysfsStore;
  const name = text.split("\n", 1)[0]!;
  device.driverOverride = name === "" ? undefined : name;
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
