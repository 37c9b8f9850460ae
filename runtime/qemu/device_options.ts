/**
 * The options of devices: `-device`, `-vga`, and the network card.
 *
 * *Document*: `qdev-monitor.c`; `hw/device-assignment.c` of qemu-kvm 1.1, `hw/vfio/pci.c` of QEMU 7.2.
 *
 * @module
 */

import type { CommandLine, Given } from "./command_line.ts";
import type { QemuDrive, QemuNetdev } from "./backends.ts";
import {
  ASSIGNMENT,
  DISK,
  NETWORK_CARDS,
  PROPERTIES,
  propertyOwner,
  UNMODELLED_DEVICES,
} from "./device_models.ts";
import { type QemuEra, RELEASES } from "./era.ts";
import { parseKeyValues } from "./key_values.ts";

/** A `-device`. */
export interface QemuDevice {
  readonly model: string;
  /** Its properties as written, without `driver`; a host address is completed to `0000:05:00.0`. */
  readonly properties: ReadonlyMap<string, string>;
  /** The option as messages name it: `-device pci-assign,host=05:00.0`. */
  readonly words: string;
}

/** The guest's network card, by which commands reach it. */
export interface QemuNic {
  /** Its `id=`, or what QEMU calls it without one: `e1000.0`. */
  readonly name: string;
  readonly model: string;
  readonly mac: string;
  /** The back-end it is plugged into; undefined for that of the old `-net user`. */
  readonly netdev: string | undefined;
}

/** What is wrong with a device: the message, and the lines behind it. */
export interface DeviceFault {
  readonly message: string;
  readonly hints?: readonly string[];
}

/** Whether an answer is a fault. */
export function isFault(answer: QemuDevice | DeviceFault): answer is DeviceFault {
  return "message" in answer;
}

/**
 * Reads the argument of `-device` or `device_add`.
 *
 * @param words the option as messages name it @param netdevs ids of the network back-ends
 * @param drives ids of the drives that have no device yet
 */
export function readDevice(
  argument: string,
  words: string,
  era: QemuEra,
  netdevs: ReadonlySet<string>,
  drives: ReadonlySet<string> = new Set(),
): QemuDevice | DeviceFault {
  const values = new Map(parseKeyValues(argument, "driver"));
  const model = values.get("driver");
  if (model === undefined) return { message: "Parameter 'driver' is missing" };
  values.delete("driver");
  const isCard = era === "today" && NETWORK_CARDS.has(model);
  if (!isCard && UNMODELLED_DEVICES[era].has(model)) {
    return { message: `device model '${model}' is not modelled` };
  }
  if (!isCard && model !== DISK && model !== ASSIGNMENT[era]) {
    return { message: `'${model}' is not a valid device model name` };
  }
  for (const key of values.keys()) {
    if (!PROPERTIES[model]!.has(key) && !(model === "vfio-pci" && key.startsWith("x-"))) {
      return { message: `Property '${model}.${key}' not found` };
    }
  }
  const device = { model, properties: values, words };
  if (model === DISK) {
    const drive = values.get("drive");
    if (drive === undefined) {
      return {
        message: era === "2012" ? "virtio-blk-pci: drive property not set" : "drive property not set",
      };
    }
    if (drives.has(drive)) return device;
    return { message: `Property '${propertyOwner(model)}.drive' can't find value '${drive}'` };
  }
  if (isCard) {
    const netdev = values.get("netdev");
    if (netdev === undefined || netdevs.has(netdev)) return device;
    return { message: `Property '${propertyOwner(model)}.netdev' can't find value '${netdev}'` };
  }
  const host = values.get("host") ??
    /^\/sys\/bus\/pci\/devices\/([^/]+)\/?$/.exec(values.get("sysfsdev") ?? "")?.[1];
  if (host === undefined) {
    return era === "2012" ? { message: "No host device specified" } : {
      message: "No provided host device",
      hints: ["Use -device vfio-pci,host=DDDD:BB:DD.F or -device vfio-pci,sysfsdev=PATH_TO_DEVICE"],
    };
  }
  const address = hostAddress(host);
  if (address === undefined) return { message: `Property '${model}.host' doesn't take value '${host}'` };
  values.set("host", address);
  return device;
}

/** What QEMU finds wrong with `-device` as soon as it reads it. */
export function checkDevice(line: CommandLine, given: Given): void {
  const id = parseKeyValues(given.argument, "driver").get("id");
  if (id !== undefined) line.checkId(id, "device", given);
}

/** The devices. */
export function devices(
  line: CommandLine,
  netdevs: readonly QemuNetdev[],
  drives: readonly QemuDrive[],
): QemuDevice[] {
  const ids = new Set(netdevs.map(({ id }) => id));
  const free = new Set(drives.filter(({ bus }) => bus === "none").map(({ id }) => id ?? ""));
  return line.all("device").map((given) => {
    const device = readDevice(given.argument, given.words, line.era, ids, free);
    if (isFault(device)) line.fail(device.message, given, ...device.hints ?? []);
    free.delete(device.properties.get("drive") ?? "");
    return device;
  });
}

/** A virtio disk. */
export interface QemuDisk {
  /** Path of its image. */
  readonly file: string;
  readonly readOnly: boolean;
  /** Not through the host's page cache. */
  readonly direct: boolean;
  /** KVM takes the guest's notifications itself. */
  readonly ioeventfd: boolean;
  /** Features of the ring that it offers. */
  readonly eventIndex: boolean;
  readonly indirect: boolean;
}

/** The virtio disks: of `if=virtio`, and those that a `-device` has been made for. */
export function disks(drives: readonly QemuDrive[], devices: readonly QemuDevice[]): QemuDisk[] {
  const on = (properties: ReadonlyMap<string, string> | undefined, name: string) =>
    !/^(off|no|false|0)$/.test(properties?.get(name) ?? "on");
  const disk = (drive: QemuDrive | undefined, properties?: ReadonlyMap<string, string>): QemuDisk[] =>
    drive?.file === undefined ? [] : [{
      file: drive.file,
      readOnly: drive.readOnly,
      direct: drive.direct ?? false,
      ioeventfd: on(properties, "ioeventfd"),
      eventIndex: on(properties, "event_idx"),
      indirect: on(properties, "indirect_desc"),
    }];
  return [
    ...drives.filter(({ bus }) => bus === "virtio").flatMap((drive) => disk(drive)),
    ...devices.filter(({ model }) => model === DISK).flatMap(({ properties }) =>
      disk(drives.find(({ id }) => id === properties.get("drive")), properties)
    ),
  ];
}

/** The display adapter. */
export function vga(line: CommandLine): string {
  const { vgas } = RELEASES[line.era];
  const name = line.last("vga")?.argument ?? (line.has("nodefaults") ? "none" : vgas[0]!);
  if (!vgas.includes(name)) line.fail(`unknown vga type: ${name}`);
  return name;
}

/** The network card; undefined where there is none. The model has one at most. */
export function networkCard(
  line: CommandLine,
  devices: readonly QemuDevice[],
  { netdevs, cards }: { netdevs: readonly QemuNetdev[]; cards: readonly { model: string; mac?: string }[] },
): QemuNic | undefined {
  const placed = devices.filter(({ model }) => NETWORK_CARDS.has(model));
  const used = new Set(placed.map(({ properties }) => properties.get("netdev")));
  for (const { id } of netdevs) if (!used.has(id)) line.warn(`netdev ${id} has no peer`);
  const all: {
    model: string;
    mac?: string | undefined;
    id?: string | undefined;
    netdev?: string | undefined;
  }[] = [
    ...cards,
    ...placed.map(({ model, properties }) => ({
      model,
      mac: properties.get("mac"),
      id: properties.get("id"),
      netdev: properties.get("netdev"),
    })),
  ];
  const asked = line.all("net", "netdev").length > 0 || line.has("nodefaults") || placed.length > 0;
  if (all.length === 0 && !asked) all.push({ model: RELEASES[line.era].defaultNic });
  if (all.length > 1) {
    const at = line.all("device", "net").findLast(({ argument }) =>
      /^nic|^virtio-net|^e1000|^rtl8139/.test(argument)
    );
    line.fail("a second network card is not modelled", at);
  }
  const [card] = all;
  if (card === undefined) return undefined;
  const { model, mac = "52:54:00:12:34:56", id, netdev } = card;
  return { name: id ?? `${model}.0`, model, mac, netdev };
}

/** `5:0.0` or `0000:05:00.0` as `0000:05:00.0`; undefined if it is no PCI address. */
function hostAddress(text: string): string | undefined {
  const match = text.match(/^(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])$/i);
  if (match === null || parseInt(match[3] ?? "", 16) > 0x1f) return undefined;
  const [, domain = "0", bus = "", device = "", fn = ""] = match;
  return `${domain.padStart(4, "0")}:${bus.padStart(2, "0")}:${device.padStart(2, "0")}.${fn}`.toLowerCase();
}
