/**
 * The options of what stands behind the guest's devices: disk images, character devices, networks, memory.
 *
 * *Document*: `blockdev.c`, `qemu-char.c` / `chardev/char.c`, `net/net.c`, `backends/hostmem-file.c`.
 *
 * @module
 */

import type { CommandLine, Given } from "./command_line.ts";
import { RELEASES } from "./era.ts";
import { parseKeyValues } from "./key_values.ts";

/** A disk. */
export interface QemuDrive {
  /** Path of the image, relative to where QEMU was started; undefined for an empty drive. */
  readonly file: string | undefined;
  /** `virtio`, `ide`, … */
  readonly bus: string;
  readonly media: "disk" | "cdrom";
  readonly readOnly: boolean;
  /** `id=`, by which a device names it. */
  readonly id?: string;
  /** `cache=none` or `directsync`: not through the host's page cache. */
  readonly direct?: true;
}

/** Where the guest's network card leads to. */
export interface QemuNetdev {
  readonly id: string;
  /** `user`, `tap`, … */
  readonly type: string;
  /** Its option. */
  readonly given: Given;
}

const BUSES = ["ide", "scsi", "floppy", "pflash", "mtd", "sd", "virtio", "xen", "none"];
const DRIVE_KEYS = {
  "2012":
    ("bus unit if index cyls heads secs trans media snapshot file cache aio format serial rerror werror addr " +
      "readonly iops iops_rd iops_wr bps bps_rd bps_wr copy-on-read boot id").split(" "),
  today:
    ("bus unit if index media snapshot file cache aio format rerror werror readonly read-only id discard " +
      "detect-zeroes copy-on-read throttling.iops-total throttling.bps-total iops bps iops_rd iops_wr bps_rd bps_wr " +
      "cache.direct cache.no-flush cache.writeback file.locking driver node-name auto-read-only").split(" "),
} as const;

/** The disks. @param openImage undefined, or strerror of the error */
export function drives(line: CommandLine, openImage: (file: string) => string | undefined): QemuDrive[] {
  const found: QemuDrive[] = [];
  for (const given of line.given) {
    let values: ReadonlyMap<string, string>;
    if (given.option === "drive") values = parseKeyValues(given.argument);
    else if (given.option === "" || /^hd[abcd]$/.test(given.option)) {
      values = new Map([["file", given.argument]]);
    } else if (given.option === "cdrom") values = new Map([["file", given.argument], ["media", "cdrom"]]);
    else continue;
    for (const key of values.keys()) {
      if (!(DRIVE_KEYS[line.era] as readonly string[]).includes(key)) {
        line.fail(`Block format 'raw' does not support the option '${key}'`, given);
      }
    }
    const media = values.get("media") ?? "disk";
    if (media !== "disk" && media !== "cdrom") line.fail(`'${media}' invalid media`, given);
    const bus = values.get("if") ?? "ide";
    if (!BUSES.includes(bus)) line.fail(`unsupported bus type '${bus}'`, given);
    const readOnly = values.get("readonly") ?? values.get("read-only") ?? "off";
    line.checkSwitch("readonly", readOnly, given);
    const file = values.get("file") || undefined;
    const error = file === undefined ? undefined : openImage(file);
    if (error !== undefined) line.fail(`Could not open '${file}': ${error}`, given);
    const probed = values.get("format") === undefined && values.get("driver") === undefined;
    if (file !== undefined && line.era === "today" && media === "disk" && probed) {
      line.warnings.push(
        `WARNING: Image format was not specified for '${file}' and probing guessed raw.`,
        "         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be" +
          " restricted.",
        "         Specify the 'raw' format explicitly to remove the restrictions.",
      );
    }
    const direct = /^(none|directsync|off)$/.test(values.get("cache") ?? "") ||
      values.get("cache.direct") === "on";
    const id = values.get("id");
    found.push({
      file,
      bus,
      media,
      readOnly: readOnly === "on" || media === "cdrom",
      ...(id !== undefined && { id }),
      ...(direct && { direct }),
    });
  }
  return found;
}

/** What QEMU 1.1 finds wrong with `-drive` as soon as it reads it; 7.2 knows only with the format which keys there are. */
export function checkDrive(line: CommandLine, given: Given): void {
  if (line.era !== "2012") return;
  for (const key of parseKeyValues(given.argument).keys()) line.checkKey(key, DRIVE_KEYS["2012"], given);
}

/** Forms of a character device. */
const BACKEND =
  /^(?:mon:)?(?:pty|stdio|none|null|vc(?::.+)?|chardev:.+|(?:file|pipe|tcp|telnet|udp|unix):.+|\/dev\/.+)$/;

/** Back-ends of serial ports and monitors; with `-nographic` those that nobody placed share the terminal. */
export function characterDevices(line: CommandLine): { serial: string[]; monitor: string[] } {
  const serial = line.all("serial").map(({ argument }) => argument);
  const monitor = line.all("monitor").map(({ argument }) => argument);
  const bare = line.has("nodefaults");
  const nographic = line.has("nographic");
  if (!bare && serial.length === 0 && monitor.length === 0) {
    serial.push(nographic ? "mon:stdio" : "vc");
    if (!nographic) monitor.push("vc");
  } else if (!bare) {
    if (serial.length === 0) serial.push(nographic ? "stdio" : "vc");
    if (monitor.length === 0) monitor.push(nographic ? "stdio" : "vc");
  }
  const machineProtocol = line.all("qmp").map(({ argument }) => argument);
  if (
    [...serial, ...monitor, ...machineProtocol].filter((backend) => /^(mon:)?stdio$/.test(backend)).length > 1
  ) {
    line.fail("cannot use stdio by multiple character devices");
  }
  for (const given of line.all("serial", "monitor")) {
    if (BACKEND.test(given.argument)) continue;
    const device = given.option === "serial" ? "serial device" : "monitor";
    line.fail(`could not connect ${device} to character backend '${given.argument}'`, given);
  }
  return { serial: serial.filter(isBackend), monitor: monitor.filter(isBackend) };
}

/** `none` stands for no port at all. */
function isBackend(backend: string): boolean {
  return backend !== "none";
}

/**
 * QMP: on standard input and output, or on a socket that nobody connects to; then it is all the same whether it is there.
 *
 * @returns whether it is on standard input and output
 */
export function machineProtocol(line: CommandLine): boolean {
  let onStdio = false;
  for (const given of line.all("qmp")) {
    if (given.argument === "stdio" && line.era === "today") {
      onStdio = true;
      continue;
    }
    const [, address = ""] = /^(?:unix|tcp|telnet):(.*)$/.exec(given.argument) ?? [];
    if (address === "" && given.argument !== "none" && given.argument !== "null") {
      line.fail("QMP is modelled on stdio, since 7.2, and on a socket that nobody connects to", given);
    }
    const values = parseKeyValues(address, "path");
    const waits = values.get("server") === "on" && values.get("wait") !== "off";
    if (!waits) continue;
    line.failWith(
      `${line.program}: info: QEMU waiting for connection on: disconnected:${given.argument}`,
      "note: nobody can connect to it in this laboratory, and QEMU would wait for ever: wait=off (2012: nowait)",
    );
  }
  return onStdio;
}

/** Network back-ends, and the cards of the old `-net nic`. */
export function networks(
  line: CommandLine,
): { netdevs: QemuNetdev[]; cards: { model: string; mac?: string }[] } {
  const netdevs: QemuNetdev[] = [];
  const cards: { model: string; mac?: string }[] = [];
  for (const given of line.all("netdev", "net")) {
    const values = parseKeyValues(given.argument, "type");
    const type = values.get("type") ?? "";
    if (
      ![
        "user",
        "tap",
        "bridge",
        "socket",
        "vhost-user",
        "vde",
        ...given.option === "net" ? ["nic", "none"] : [],
      ]
        .includes(type)
    ) {
      line.fail(`Parameter 'type' expects a netdev backend type`, given);
    }
    if (values.has("vlan")) line.fail("Invalid parameter 'vlan'", given);
    if (given.option === "net") {
      if (type === "nic") {
        const mac = values.get("macaddr");
        cards.push({
          model: values.get("model") ?? RELEASES[line.era].defaultNic,
          ...mac === undefined ? {} : { mac },
        });
      }
      continue;
    }
    const id = values.get("id");
    if (id === undefined) line.fail("Parameter 'id' is missing", given);
    netdevs.push({ id, type, given });
  }
  return { netdevs, cards };
}

/** Types of `-object`. */
const OBJECTS =
  ("memory-backend-file memory-backend-ram memory-backend-memfd iothread thread-context rng-random " +
    "rng-builtin rng-egd secret throttle-group filter-dump tls-creds-x509 cryptodev-backend-builtin").split(
      " ",
    );

/** `-object`: memory back-ends by name, with what they say. */
export function objects(line: CommandLine): Map<string, ReadonlyMap<string, string>> {
  const backends = new Map<string, ReadonlyMap<string, string>>();
  for (const given of line.all("object")) {
    const values = parseKeyValues(given.argument, "qom-type");
    const type = values.get("qom-type") ?? "";
    if (!OBJECTS.includes(type)) line.fail(`Parameter 'qom-type' does not accept value '${type}'`, given);
    const id = values.get("id");
    if (id === undefined) line.fail("Parameter 'id' is missing", given);
    if (!type.startsWith("memory-backend-")) continue;
    if (type === "memory-backend-file" && !values.has("mem-path")) {
      line.fail("mem-path property not set", given);
    }
    if (!values.has("size")) line.fail("can't create backend with size 0", given);
    backends.set(id, values);
  }
  return backends;
}

/** Classes that `-global` may name, as far as anybody names them. */
const CLASSES =
  /^(kvm-|virtio-|vfio-|isa-|usb-|ide-|scsi-|pci|PIIX4_PM$|ICH9-LPC$|mc146818rtc$|hpet$|apic$|ioapic$|i8042$|fw_cfg|q35-pcihost$|i440FX|e1000|rtl8139|VGA$|cirrus|qxl|mch$|.*-(machine|x86_64-cpu)$|memory-backend)/;

/** `-global`: T.P=V by `T.P`. */
export function globals(line: CommandLine): Map<string, string> {
  const found = new Map<string, string>();
  for (const given of line.all("global")) {
    const [, driver, property, value] = /^([^.=]+)\.([^=]+)=(.*)$/.exec(given.argument) ?? [];
    if (driver === undefined) line.fail(`Invalid parameter '${given.argument.replace(/=.*/, "")}'`, given);
    found.set(`${driver}.${property}`, value!);
  }
  return found;
}

/** What QEMU says, once the machine is made, of a `-global` for a class that it does not have. */
export function unknownGlobals(line: CommandLine): void {
  for (const name of globals(line).keys()) {
    if (!CLASSES.test(name.replace(/\..*/, ""))) line.warn(`global ${name} has invalid class name`);
  }
}
