/**
 * Network interfaces in sysfs: `/sys/class/net`, and `net` in the directory of the device behind each.
 *
 * *Document*: Linux 3.5 `net/core/net-sysfs.c`; `Documentation/ABI/testing/sysfs-class-net`.
 *
 * *Modelled*: interfaces of devices that the model has: `address`, `addr_len`, `carrier`, `dev_port`'s place `device`,
 * `ifindex`, `mtu`, `operstate`, `type`.
 *
 * *Not modelled*: `lo` and the board's own `eth0`, which have no device here; `queues`, `statistics`, writing. They are
 * absent.
 *
 * @module
 */

import type { NetDeviceNames } from "../../drivers/net_device_names.ts";
import { devicePath, type NetSysfs } from "./sysfs_pci.ts";
import { readOnly } from "../computed_nodes.ts";
import type { DirectoryNode, Node } from "../vfs.ts";

/** Bytes of a MAC address. */
const ADDRESS_BYTES = 6;

/** Directories of interfaces, for {@linkcode pciSysfs}. */
export function netSysfs(names: NetDeviceNames): NetSysfs {
  return {
    interfaceOf: (device) => [...names.interfaces()].find(([, each]) => each === device)?.[0],
    directory: (name, device) => {
      const file = (show: () => string): Node => readOnly(() => `${show()}\n`);
      const mac = device.fn.ethernet?.mac ?? 0;
      const up = () => names.stack?.interfaces.some((each) => each.name === name) ?? false;
      const entries = new Map<string, Node>([
        ["addr_len", file(() => String(ADDRESS_BYTES))],
        ["address", file(() => macText(mac))],
        ["carrier", file(() => up() ? "1" : "0")],
        ["device", { kind: "link", target: () => `../../../${device.name}` }],
        ["ifindex", file(() => String(names.indexOf(name)))],
        ["mtu", file(() => "1500")],
        ["operstate", file(() => up() ? "up" : "down")],
        ["type", file(() => "1")], // ARPHRD_ETHER
      ]);
      return { kind: "directory", list: () => entries.keys(), lookup: (entry) => entries.get(entry) };
    },
  };
}

/** `/sys/class/net`: a link for each interface. */
export function netClass(names: NetDeviceNames): DirectoryNode {
  const linkOf = (name: string): Node | undefined => {
    const device = names.device(name);
    return device && { kind: "link", target: () => `../../${devicePath(device)}/net/${name}` };
  };
  return {
    kind: "directory",
    list: () => [...names.interfaces()].map(([name]) => name),
    lookup: linkOf,
  };
}

function macText(mac: number): string {
  const digits = mac.toString(16).padStart(2 * ADDRESS_BYTES, "0");
  return digits.match(/../g)!.join(":");
}
