/**
 * The command line of qemu-kvm 1.1: words in, a machine's description or QEMU's own error text out.
 *
 * *Document*: `qemu-doc` of 1.1, "Invocation"; `vl.c` for the order of the checks.
 *
 * *Modelled*: the options that {@linkcode QemuOptions} has a field for. The command's first bad thing in QEMU's own
 * order stops it: unknown options and malformed arguments while parsing, left to right; then machine, accelerator,
 * CPU, drives, character devices, display and devices.
 *
 * *Not modelled*, and refused by name: emulation without KVM, USB, sound, network back-ends, guest images with a
 * `-kernel` of their own, QMP, migration; of the device models only `pci-assign`.
 *
 * *Deviations*: the texts are those captured from QEMU 7.2, which name the option in the same way; 1.1 worded some of
 * them differently (`qemu: invalid ram size: 1x`).
 *
 * @module
 */
import { CPU_MODELS, CPU_PROPERTIES, cpuFeature } from "./cpu_models.ts";
import { parseKeyValues } from "./key_values.ts";
import { OPTIONS, UNMODELLED_DEVICES } from "./option_table.ts";

/** A disk. */
export interface QemuDrive {
  /** Path of the image, relative to where QEMU was started; undefined for an empty drive. */
  readonly file: string | undefined;
  /** `virtio`, `ide`, … */
  readonly bus: string;
  readonly media: "disk" | "cdrom";
  readonly readOnly: boolean;
}

/** A `-device`. */
export interface QemuDevice {
  readonly model: string;
  /** Its properties as written, without `driver`; a host address is completed to `0000:05:00.0`. */
  readonly properties: ReadonlyMap<string, string>;
}

/** What a command line describes. */
export interface QemuOptions {
  /** By which name QEMU calls itself in messages. */
  readonly program: string;
  /** `pc-1.1` by default. */
  readonly machine: string;
  readonly memoryMiB: number;
  /** Number of vCPUs. */
  readonly cpus: number;
  readonly cpuModel: string;
  /** CPUID features added to and removed from the model, by canonical name. */
  readonly cpuFeatures: { readonly on: ReadonlySet<string>; readonly off: ReadonlySet<string> };
  /** Always true: the fork uses KVM unless told not to, and emulation is not modelled. */
  readonly kvm: boolean;
  /** PIC, IOAPIC and local APIC are emulated by the kernel. */
  readonly kernelIrqchip: boolean;
  /** The PIT is emulated by the kernel. */
  readonly kvmPit: boolean;
  /** The kernel's PIT makes up for ticks that the guest missed. */
  readonly kvmPitReinjection: boolean;
  /** Back-ends of the serial ports in order: `pty`, `stdio`, `mon:stdio`, `vc`, … */
  readonly serial: readonly string[];
  /** Back-ends of the monitors, without one that shares a serial port's. */
  readonly monitor: readonly string[];
  readonly nographic: boolean;
  readonly vga: string;
  readonly drives: readonly QemuDrive[];
  readonly devices: readonly QemuDevice[];
  /** `-S`: the vCPUs are created but do not run yet. */
  readonly stopped: boolean;
  /** `-realtime mlock=on`. */
  readonly memoryLocked: boolean;
  /** `-name`; undefined if not given. */
  readonly name: string | undefined;
  /** Options that were accepted although nothing in the model depends on them, as typed. */
  readonly withoutEffect: readonly string[];
}

/** QEMU ends before it makes a machine: an error, `-help` or `-version`. */
export class QemuEnds {
  constructor(
    /** 1 for an error, 0 for information that was asked for. */
    readonly status: 0 | 1,
    readonly stdout: readonly string[],
    readonly stderr: readonly string[],
  ) {}
}

/** What the checks ask of the host, at the moment when QEMU would find out. */
export interface QemuHost {
  /** Opens `/dev/kvm`: undefined, or strerror of the error (`No such file or directory`). */
  openKvm?(): string | undefined;
  /** Opens a disk image: undefined, or strerror of the error. */
  openImage?(file: string): string | undefined;
}

/** One option as typed. */
interface Given {
  readonly option: string;
  readonly argument: string;
  /** Its words, as messages show them: `-m 1x`. */
  readonly words: string;
}

/** Internal control flow only: {@linkcode parseOptions} turns it into its result. */
class Stop extends Error {
  constructor(readonly ends: QemuEnds) {
    super("QEMU ends");
  }
}

const DEFAULT_MEMORY_MIB = 128;
const MAX_CPUS = 255;
const MACHINES = [
  "pc-1.1",
  "pc",
  "pc-1.0",
  "pc-0.15",
  "pc-0.14",
  "pc-0.13",
  "pc-0.12",
  "pc-0.11",
  "pc-0.10",
  "isapc",
];
const BUSES = ["ide", "scsi", "floppy", "pflash", "mtd", "sd", "virtio", "xen", "none"];
const VGAS = ["std", "cirrus", "vmware", "xenfb", "qxl", "none"];
const DRIVE_KEYS = new Set(
  ("bus unit if index cyls heads secs trans media snapshot file cache aio format serial rerror werror addr readonly " +
    "iops iops_rd iops_wr bps bps_rd bps_wr copy-on-read boot id").split(" "),
);
const PCI_ASSIGN_PROPERTIES = new Set(
  ("host prefer_msi share_intx configfd bootindex romfile rombar addr multifunction command_serr_enable id bus")
    .split(" "),
);
/**
 * Reads a command line; `argv[0]` is the program as typed.
 *
 * `host` answers what only the host knows; without it every image opens.
 */
export function parseOptions(argv: readonly string[], host: QemuHost = {}): QemuOptions | QemuEnds {
  try {
    return new CommandLine(argv, host).options();
  } catch (stop) {
    if (stop instanceof Stop) return stop.ends;
    throw stop;
  }
}

class CommandLine {
  readonly #program: string;
  readonly #given: Given[] = [];

  constructor(argv: readonly string[], readonly host: QemuHost) {
    // QEMU calls itself by the last part of the path.
    this.#program = (argv[0] ?? "qemu-kvm").replace(/^.*\//, "");
    this.#split(argv.slice(1));
  }

  /** QEMU prints a message and exits. `at` is the option that the message is about. */
  #fail(message: string, at?: Given, ...hints: string[]): never {
    const place = at === undefined ? "" : `${at.words}: `;
    throw new Stop(new QemuEnds(1, [], [`${this.#program}: ${place}${message}`, ...hints]));
  }

  // --- Parsing, left to right ------------------------------------------------------------------------------------

  #split(words: readonly string[]): void {
    for (let i = 0; i < words.length; i++) {
      const word = words[i] ?? "";
      if (!word.startsWith("-")) {
        this.#given.push({ option: "", argument: word, words: word });
        continue;
      }
      const option = word.replace(/^--?/, "");
      const row = OPTIONS.get(option);
      const bare = { option, argument: "", words: word };
      if (row === undefined) this.#fail("invalid option", bare);
      if (row.hasArgument && i + 1 >= words.length) this.#fail("requires an argument", bare);
      const argument = row.hasArgument ? words[++i] ?? "" : "";
      const given = { option, argument, words: row.hasArgument ? `${word} ${argument}` : word };
      if (row.treatment === "unmodelled") this.#fail("this option is not modelled", given);
      this.#checkSyntax(given);
      this.#given.push(given);
    }
  }

  /** What QEMU finds wrong with an argument as soon as it reads it. */
  #checkSyntax(given: Given): void {
    switch (given.option) {
      case "m":
        this.#memoryMiB(given);
        break;
      case "smp":
        for (const [key, value] of parseKeyValues(given.argument, "cpus")) {
          this.#checkKey(key, ["cpus", "sockets", "cores", "threads", "maxcpus"], given);
          if (!/^\d+$/.test(value)) this.#fail(`Parameter '${key}' expects a number`, given);
        }
        break;
      case "drive":
        for (const key of parseKeyValues(given.argument).keys()) this.#checkKey(key, DRIVE_KEYS, given);
        break;
      case "name":
        for (const key of parseKeyValues(given.argument, "guest").keys()) {
          this.#checkKey(key, ["guest", "process", "debug-threads"], given);
        }
        break;
      case "realtime":
        for (const [key, value] of parseKeyValues(given.argument)) {
          this.#checkKey(key, ["mlock"], given);
          if (!/^(on|off)$/.test(value)) this.#fail(`Parameter '${key}' expects 'on' or 'off'`, given);
        }
        break;
      case "M":
      case "machine":
        for (const key of parseKeyValues(given.argument, "type").keys()) {
          this.#checkKey(key, ["type", "accel", "kernel_irqchip"], given);
        }
        break;
      case "device": {
        const values = parseKeyValues(given.argument, "driver");
        const id = values.get("id");
        if (id !== undefined) this.#checkId(id, given);
        break;
      }
      case "help":
      case "h":
        throw new Stop(
          new QemuEnds(0, [this.#version(), `usage: ${this.#program} [options] [disk_image]`], []),
        );
      case "version":
        throw new Stop(new QemuEnds(0, [this.#version()], []));
    }
  }

  #version(): string {
    return "QEMU emulator version 1.1.0 (qemu-kvm-1.1.0), Copyright (c) 2003-2008 Fabrice Bellard";
  }

  #checkKey(key: string, known: Iterable<string>, given: Given): void {
    if (![...known].includes(key)) this.#fail(`Invalid parameter '${key}'`, given);
  }

  #checkId(id: string, given: Given): void {
    if (!/^[A-Za-z][A-Za-z0-9._-]*$/.test(id)) {
      this.#fail(
        "Parameter 'id' expects an identifier",
        given,
        "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.",
      );
    }
    const others = this.#given.filter(({ option }) => option === "device");
    if (others.some(({ argument }) => parseKeyValues(argument, "driver").get("id") === id)) {
      this.#fail(`Duplicate ID '${id}' for device`, given);
    }
  }

  /** Bytes with an optional suffix, megabytes without one. */
  #memoryMiB(given: Given): number {
    const match = given.argument.match(/^(?:size=)?(\d+(?:\.\d+)?)([bBkKmMgGtTpPeE]?)$/);
    const power = { b: 0, k: 1, m: 2, g: 3, t: 4, p: 5, e: 6 }[match?.[2]?.toLowerCase() || "m"] ?? 2;
    const bytes = Number(match?.[1]) * 1024 ** power;
    if (match === null || !(bytes < 2 ** 64)) {
      this.#fail(
        "Parameter 'size' expects a non-negative number below 2^64",
        given,
        "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-",
        "and exabytes, respectively.",
      );
    }
    return bytes === 0 ? DEFAULT_MEMORY_MIB : Math.ceil(bytes / 2 ** 20);
  }

  // --- Making the machine, in QEMU's order -----------------------------------------------------------------------

  #last(...options: string[]): Given | undefined {
    return this.#given.findLast(({ option }) => options.includes(option));
  }

  #has(option: string): boolean {
    return this.#last(option) !== undefined;
  }

  options(): QemuOptions {
    const machine = this.#machine();
    const cpus = this.#cpus(machine.name);
    this.#accelerator(machine.accelerator);
    const cpu = this.#cpu();
    const drives = this.#drives();
    const { serial, monitor } = this.#characterDevices();
    const vga = this.#vga();
    const devices = this.#given.filter(({ option }) => option === "device").map((given) =>
      this.#device(given)
    );
    const memory = this.#last("m");
    const name = this.#last("name");
    return {
      program: this.#program,
      machine: machine.name,
      memoryMiB: memory === undefined ? DEFAULT_MEMORY_MIB : this.#memoryMiB(memory),
      cpus,
      ...cpu,
      kvm: true,
      kernelIrqchip: machine.kernelIrqchip && !this.#has("no-kvm-irqchip"),
      // The kernel's PIT raises its line on the kernel's PIC: without the one there is not the other.
      kvmPit: machine.kernelIrqchip && !this.#has("no-kvm-irqchip") && !this.#has("no-kvm-pit"),
      kvmPitReinjection: !this.#has("no-kvm-pit-reinjection"),
      serial,
      monitor,
      nographic: this.#has("nographic"),
      vga,
      drives,
      devices,
      stopped: this.#has("S"),
      memoryLocked: parseKeyValues(this.#last("realtime")?.argument ?? "").get("mlock") === "on",
      name: name === undefined ? undefined : parseKeyValues(name.argument, "guest").get("guest"),
      withoutEffect: this.#given
        .filter(({ option }) => OPTIONS.get(option)?.treatment === "cosmetic")
        .map(({ words }) => words),
    };
  }

  #machine(): { name: string; accelerator: string | undefined; kernelIrqchip: boolean } {
    const values = parseKeyValues(this.#last("M", "machine")?.argument ?? "", "type");
    const name = values.get("type") ?? "pc-1.1";
    if (!MACHINES.includes(name)) {
      this.#fail("unsupported machine type", undefined, "Use -machine help to list supported machines");
    }
    const irqchip = values.get("kernel_irqchip") ?? "on";
    if (irqchip !== "on" && irqchip !== "off") {
      this.#fail("Parameter 'kernel_irqchip' expects 'on' or 'off'", this.#last("M", "machine"));
    }
    return {
      name: name === "pc" ? "pc-1.1" : name,
      accelerator: values.get("accel"),
      kernelIrqchip: irqchip === "on",
    };
  }

  #cpus(machine: string): number {
    const values = parseKeyValues(this.#last("smp")?.argument ?? "1", "cpus");
    const number = (key: string) => values.has(key) ? Number(values.get(key)) : undefined;
    if ([...values.values()].some((value) => Number(value) === 0)) {
      this.#fail("Invalid CPU topology: CPU topology parameters must be greater than zero");
    }
    const cores = number("cores") ?? 1;
    const threads = number("threads") ?? 1;
    const maximum = number("maxcpus") ?? number("cpus");
    const sockets = number("sockets") ?? (maximum === undefined ? 1 : Math.ceil(maximum / (cores * threads)));
    const product = sockets * cores * threads;
    if (maximum !== undefined && product !== maximum) {
      const hierarchy = `sockets (${sockets}) * dies (1) * cores (${cores}) * threads (${threads})`;
      const rule = "product of the hierarchy must match maxcpus";
      this.#fail(`Invalid CPU topology: ${rule}: ${hierarchy} != maxcpus (${maximum})`);
    }
    const cpus = number("cpus") ?? maximum ?? product;
    if (cpus > product) this.#fail(`Invalid CPU topology: maxcpus must be equal to or greater than smp`);
    if (product > MAX_CPUS) {
      this.#fail(
        `Invalid SMP CPUs ${product}. The max CPUs supported by machine '${machine}' is ${MAX_CPUS}`,
      );
    }
    return cpus;
  }

  #accelerator(name: string | undefined): void {
    const at = this.#last("no-kvm") ?? (name === "tcg" ? this.#last("M", "machine") : undefined);
    if (at !== undefined) this.#fail("emulation without KVM is not modelled", at);
    if (name !== undefined && !name.split(":").includes("kvm")) {
      this.#fail(`invalid accelerator ${name}`, this.#last("M", "machine"));
    }
    const error = this.host.openKvm?.();
    if (error === undefined) return;
    const lines = [`Could not access KVM kernel module: ${error}`, `failed to initialize KVM: ${error}`];
    // Asked for by name, KVM is a must; by default the fork falls back to emulation.
    lines.push(this.#has("enable-kvm") ? "No accelerator found!" : "Back to tcg accelerator (not modelled).");
    throw new Stop(new QemuEnds(1, [], lines));
  }

  #cpu(): Pick<QemuOptions, "cpuModel" | "cpuFeatures"> {
    const given = this.#last("cpu");
    const [cpuModel = "", ...items] = (given?.argument ?? "qemu64").split(",");
    if (cpuModel === "?" || cpuModel === "help") {
      throw new Stop(new QemuEnds(0, [...CPU_MODELS].map((model) => `x86 ${model.padStart(16)}`), []));
    }
    if (!CPU_MODELS.has(cpuModel)) this.#fail(`unable to find CPU model '${cpuModel}'`);
    const on = new Set<string>();
    const off = new Set<string>();
    for (const item of items) {
      const [, sign = "", name = "", value] = item.match(/^([+-]?)([^=]*)(?:=(.*))?$/) ?? [];
      if (
        sign === "" && (CPU_PROPERTIES.has(name) || (value === undefined && /^(check|enforce)$/.test(name)))
      ) continue;
      const feature = cpuFeature(name);
      if (feature === undefined) this.#fail(`Property '${cpuModel}-x86_64-cpu.${name}' not found`);
      if (sign === "" && value !== undefined && value !== "on" && value !== "off") {
        this.#fail(`Parameter '${name}' expects 'on' or 'off'`);
      }
      const enabled = sign === "" ? value !== "off" : sign === "+";
      (enabled ? on : off).add(feature);
    }
    // `-feature` wins wherever it stands: QEMU collects both lists and takes away last.
    for (const feature of off) on.delete(feature);
    return { cpuModel, cpuFeatures: { on, off } };
  }

  #drives(): QemuDrive[] {
    const drives: QemuDrive[] = [];
    for (const given of this.#given) {
      let values: ReadonlyMap<string, string>;
      if (given.option === "drive") values = parseKeyValues(given.argument);
      else if (given.option === "" || /^hd[abcd]$/.test(given.option)) {
        values = new Map([["file", given.argument]]);
      } else if (given.option === "cdrom") values = new Map([["file", given.argument], ["media", "cdrom"]]);
      else continue;
      const media = values.get("media") ?? "disk";
      if (media !== "disk" && media !== "cdrom") this.#fail(`'${media}' invalid media`, given);
      const bus = values.get("if") ?? "ide";
      if (!BUSES.includes(bus)) this.#fail(`unsupported bus type '${bus}'`, given);
      const readOnly = values.get("readonly") ?? "off";
      if (readOnly !== "on" && readOnly !== "off") {
        this.#fail("Parameter 'readonly' expects 'on' or 'off'", given);
      }
      const file = values.get("file") || undefined;
      const error = file === undefined ? undefined : this.host.openImage?.(file);
      if (error !== undefined) this.#fail(`Could not open '${file}': ${error}`, given);
      drives.push({ file, bus, media, readOnly: readOnly === "on" || media === "cdrom" });
    }
    return drives;
  }

  /** Serial ports and monitors; with `-nographic` those that nobody placed share the terminal. */
  #characterDevices(): { serial: string[]; monitor: string[] } {
    const typed = (option: string) => this.#given.filter((given) => given.option === option);
    const serial = typed("serial").map(({ argument }) => argument);
    const monitor = typed("monitor").map(({ argument }) => argument);
    const bare = this.#has("nodefaults");
    const nographic = this.#has("nographic");
    if (!bare && serial.length === 0 && monitor.length === 0) {
      serial.push(nographic ? "mon:stdio" : "vc");
      if (!nographic) monitor.push("vc");
    } else if (!bare) {
      if (serial.length === 0) serial.push(nographic ? "stdio" : "vc");
      if (monitor.length === 0) monitor.push(nographic ? "stdio" : "vc");
    }
    if ([...serial, ...monitor].filter((backend) => /^(mon:)?stdio$/.test(backend)).length > 1) {
      this.#fail("cannot use stdio by multiple character devices");
    }
    for (const given of [...typed("serial"), ...typed("monitor")]) {
      if (
        !/^(?:mon:)?(?:pty|stdio|none|null|vc(?::.+)?|(?:file|pipe|tcp|telnet|udp|unix):.+|\/dev\/.+)$/.test(
          given.argument,
        )
      ) {
        const device = given.option === "serial" ? "serial device" : "monitor";
        this.#fail(`could not connect ${device} to character backend '${given.argument}'`, given);
      }
    }
    return { serial: serial.filter(isBackend), monitor: monitor.filter(isBackend) };
  }

  #vga(): string {
    const vga = this.#last("vga")?.argument ?? "cirrus";
    if (!VGAS.includes(vga)) this.#fail(`unknown vga type: ${vga}`);
    return vga;
  }

  #device(given: Given): QemuDevice {
    const values = new Map(parseKeyValues(given.argument, "driver"));
    const model = values.get("driver");
    if (model === undefined) this.#fail("Parameter 'driver' is missing", given);
    values.delete("driver");
    if (UNMODELLED_DEVICES.has(model)) this.#fail(`device model '${model}' is not modelled`, given);
    if (model !== "pci-assign") this.#fail(`'${model}' is not a valid device model name`, given);
    for (const key of values.keys()) {
      if (!PCI_ASSIGN_PROPERTIES.has(key)) this.#fail(`Property '${model}.${key}' not found`, given);
    }
    const host = values.get("host");
    if (host === undefined) this.#fail("No host device specified", given);
    const address = hostAddress(host);
    if (address === undefined) this.#fail(`Property '${model}.host' doesn't take value '${host}'`, given);
    values.set("host", address);
    return { model, properties: values };
  }
}

/** `none` stands for no port at all. */
function isBackend(backend: string): boolean {
  return backend !== "none";
}

/** `5:0.0` or `0000:05:00.0` as `0000:05:00.0`; undefined if it is no PCI address. */
function hostAddress(text: string): string | undefined {
  const match = text.match(/^(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])$/i);
  if (match === null || parseInt(match[3] ?? "", 16) > 0x1f) return undefined;
  const [, domain = "0", bus = "", device = "", fn = ""] = match;
  return `${domain.padStart(4, "0")}:${bus.padStart(2, "0")}:${device.padStart(2, "0")}.${fn}`.toLowerCase();
}
