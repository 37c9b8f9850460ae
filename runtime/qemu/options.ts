/**
 * The command line of QEMU: words in, a machine's description or QEMU's own error text out.
 *
 * *Document*: `qemu-doc` of 1.1 and 7.2, "Invocation"; `vl.c` for the order of the checks.
 *
 * *Modelled*: the options that {@linkcode QemuOptions} has a field for. The command's first bad thing in QEMU's own
 * order stops it: unknown options and malformed arguments while parsing, left to right; then machine, CPUs, accelerator,
 * CPU model, drives, character devices, networks, memory, display and devices.
 *
 * *Not modelled*, and refused by name: emulation without KVM, USB, sound, a `-kernel` that is none of the laboratory's,
 * migration; of the device models only `pci-assign`, `vfio-pci`, `virtio-blk-pci` and one network card.
 *
 * *Deviations*: the texts of the release of 2012 are those captured from QEMU 7.2, which name the option in the same
 * way; 1.1 worded some of them differently (`qemu: invalid ram size: 1x`). Emulation is refused where nothing else is
 * wrong, so that QEMU's own messages come first.
 *
 * @module
 */

import {
  characterDevices,
  checkDrive,
  drives,
  globals,
  machineProtocol,
  networks,
  objects,
  type QemuDrive,
  unknownGlobals,
} from "./backends.ts";
import { CommandLine, endsOf, type Given, QemuEnds } from "./command_line.ts";
import {
  checkDevice,
  devices,
  disks,
  networkCard,
  type QemuDevice,
  type QemuDisk,
  type QemuNic,
  vga,
} from "./device_options.ts";
import { type QemuEra, RELEASES } from "./era.ts";
import { parseKeyValues } from "./key_values.ts";
import {
  accelerator,
  cpuChoice,
  cpuCount,
  DEFAULT_MEMORY_MIB,
  type KernelIrqchip,
  machineChoice,
  memoryMiB,
  SMP_KEYS,
} from "./machine_options.ts";
import { OPTIONS } from "./option_table.ts";

export { QemuEnds };
export type { QemuDevice, QemuDisk, QemuDrive, QemuNic };

/** What a command line describes. */
export interface QemuOptions {
  /** Which release reads it. */
  readonly era: QemuEra;
  /** By which name QEMU calls itself in messages. */
  readonly program: string;
  /** The machine's type: `pc-1.1`, `pc-i440fx-7.2`. */
  readonly machine: string;
  readonly memoryMiB: number;
  /** Number of vCPUs. */
  readonly cpus: number;
  readonly cpuModel: string;
  /** CPUID features added to and removed from the model, by canonical name. */
  readonly cpuFeatures: { readonly on: ReadonlySet<string>; readonly off: ReadonlySet<string> };
  /** KVM's own features that the guest is to have, as far as KVM has them. */
  readonly kvmFeatures: ReadonlySet<string>;
  /** Rate of the guest's TSC, kHz; undefined: the host's. QEMU 1.1 asks for one only where processors scale: never here. */
  readonly tscKhz: number | undefined;
  /** Always true: emulation is not modelled. */
  readonly kvm: boolean;
  /** Who emulates PIC, IOAPIC and local APIC. */
  readonly irqchip: KernelIrqchip;
  /** The PIT is emulated by the kernel. */
  readonly kvmPit: boolean;
  /** The kernel's PIT makes up for ticks that the guest missed. */
  readonly kvmPitReinjection: boolean;
  /** Back-ends of the serial ports in order: `pty`, `stdio`, `mon:stdio`, `vc`, … */
  readonly serial: readonly string[];
  /** Back-ends of the monitors, without one that shares a serial port's. */
  readonly monitor: readonly string[];
  /** `-qmp stdio`. */
  readonly machineProtocolOnStdio: boolean;
  readonly nographic: boolean;
  readonly vga: string;
  readonly drives: readonly QemuDrive[];
  /** The virtio disks. */
  readonly disks: readonly QemuDisk[];
  /** The guest's network card; undefined: it has none. */
  readonly nic: QemuNic | undefined;
  /** Type of the network back-end behind the card: `user`. */
  readonly netdevType: string;
  /** Ids of the network back-ends. */
  readonly netdevs: ReadonlySet<string>;
  readonly devices: readonly QemuDevice[];
  /** `-append`, behind a `-kernel`; undefined: the guest boots from its disk. */
  readonly append: string | undefined;
  /** `-S`: the vCPUs are created but do not run yet. */
  readonly stopped: boolean;
  /** The machine has ACPI: a power button, and a register that switches it off. */
  readonly acpi: boolean;
  /** `-no-reboot`: a reset ends QEMU. */
  readonly noReboot: boolean;
  /** `-no-shutdown`: a guest that switches itself off leaves QEMU stopped. */
  readonly noShutdown: boolean;
  /** `-realtime mlock=on`, `-overcommit mem-lock=on`. */
  readonly memoryLocked: boolean;
  /** `-overcommit cpu-pm=on`: HLT does not exit, and the host's CPU waits in guest mode. */
  readonly guestHalts: boolean;
  /** `-name`; undefined if not given. */
  readonly name: string | undefined;
  /** `-name debug-threads=on`: threads have names of their own. */
  readonly namedThreads: boolean;
  /** `-pidfile`. */
  readonly pidFile: string | undefined;
  /** Options that were accepted although nothing in the model depends on them, as typed. */
  readonly withoutEffect: readonly string[];
  /** Lines for standard error that stopped nothing. */
  readonly warnings: readonly string[];
}

/** What the checks ask of the host, at the moment when QEMU would find out; an error is its strerror. */
export interface QemuHost {
  /** Opens `/dev/kvm`. */
  openKvm?(): string | undefined;
  /** Opens a disk image, or another file that has to be there. */
  openImage?(file: string): string | undefined;
  /** What is in the way of a guest with that kernel and command line; undefined: nothing. */
  kernelProblem?(file: string, append: string, cpus: number): string | undefined;
  /** Opens, or makes, what `-mem-path` names. */
  openMemory?(path: string): string | undefined;
  /** Reserves address space for the guest's memory. */
  reserve?(mib: number): string | undefined;
}

/**
 * Reads a command line; `argv[0]` is the program as typed.
 *
 * `host` answers what only the host knows; without it every file opens.
 */
export function parseOptions(
  argv: readonly string[],
  host: QemuHost = {},
  era: QemuEra = "2012",
): QemuOptions | QemuEnds {
  return endsOf(() => describe(new CommandLine(argv, era, checkSyntax), host));
}

/** Keys of options that are lists, where QEMU knows them all as soon as it reads the option. */
const KEYS: Readonly<Record<string, readonly [implied: string, keys: readonly string[]]>> = {
  name: ["guest", ["guest", "process", "debug-threads"]],
  realtime: ["", ["mlock"]],
  overcommit: ["", ["mem-lock", "cpu-pm"]],
  rtc: ["", ["base", "clock", "driftfix"]],
};

/** What QEMU finds wrong with an argument as soon as it reads it. */
function checkSyntax(line: CommandLine, given: Given): void {
  const { option, argument } = given;
  const known = KEYS[option];
  if (known !== undefined && !(option === "rtc" && line.era === "2012")) {
    for (const [key, value] of parseKeyValues(argument, known[0] || undefined)) {
      line.checkKey(key, known[1], given);
      if (/^(mlock|mem-lock|cpu-pm|debug-threads)$/.test(key)) line.checkSwitch(key, value, given);
    }
  }
  switch (option) {
    case "m":
      memoryMiB(line, given);
      break;
    case "smp":
      for (const [key, value] of parseKeyValues(argument, "cpus")) {
        line.checkKey(key, SMP_KEYS[line.era], given);
        if (!/^\d+$/.test(value)) line.fail(`Parameter '${key}' expects a number`, given);
      }
      break;
    case "drive":
      checkDrive(line, given);
      break;
    case "M":
    case "machine":
      if (line.era === "today") break; // there it is the machine that knows its properties
      for (const key of parseKeyValues(argument, "type").keys()) {
        line.checkKey(key, ["type", "accel", "kernel_irqchip"], given);
      }
      break;
    case "device":
      checkDevice(line, given);
      break;
    case "help":
    case "h":
      line.help();
      break;
    case "version":
      line.answer(...RELEASES[line.era].banner);
  }
}

/** Makes the machine's description, in QEMU's order. */
function describe(line: CommandLine, host: QemuHost): QemuOptions {
  const { era } = line;
  for (const option of ["append", "initrd"]) {
    if (line.has(option) && !line.has("kernel")) line.fail(`-${option} only allowed with -kernel option`);
  }
  if (line.has("daemonize") && line.has("nographic")) {
    line.fail("-nographic cannot be used with -daemonize");
  }
  const machine = machineChoice(line);
  const backends = objects(line);
  const cpus = cpuCount(line, machine.name);
  const { kvm, irqchip = machine.irqchip } = accelerator(line, machine, () => host.openKvm?.());
  const cpu = cpuChoice(line, kvm);
  const images = drives(line, (file) => host.openImage?.(file));
  const { serial, monitor } = characterDevices(line);
  const network = networks(line);
  const machineProtocolOnStdio = machineProtocol(line);
  const mib = memory(line, machine.memoryBackend, backends, host);
  const append = kernelImage(line, host, cpus);
  const adapter = vga(line);
  const models = devices(line, network.netdevs, images);
  const nic = networkCard(line, models, network);
  unknownGlobals(line);
  const settings = switches(line);
  if (!kvm) line.fail("emulation without KVM is not modelled: -accel kvm, or -enable-kvm");
  // The kernel's PIT raises its line on the kernel's PIC: without the one there is not the other.
  const inKernel: KernelIrqchip = line.has("no-kvm-irqchip") ? "off" : irqchip;
  const name = parseKeyValues(line.last("name")?.argument ?? "", "guest");
  return {
    era,
    program: line.program,
    machine: machine.name,
    memoryMiB: mib,
    cpus,
    ...cpu,
    kvm,
    irqchip: inKernel,
    kvmPit: inKernel === "on" && !line.has("no-kvm-pit"),
    serial,
    monitor,
    machineProtocolOnStdio,
    nographic: line.has("nographic"),
    vga: adapter,
    drives: images,
    disks: disks(images, models),
    nic,
    netdevType: network.netdevs.find(({ id }) => id === nic?.netdev)?.type ?? "user",
    netdevs: new Set(network.netdevs.map(({ id }) => id)),
    devices: models.filter(({ model }) => model === "pci-assign" || model === "vfio-pci"),
    append,
    stopped: line.has("S"),
    acpi: machine.acpi && !line.has("no-acpi"),
    noReboot: line.has("no-reboot"),
    noShutdown: line.has("no-shutdown"),
    ...settings,
    name: name.get("guest"),
    namedThreads: era === "today" && name.get("debug-threads") === "on",
    pidFile: line.last("pidfile")?.argument,
    withoutEffect: line.given
      .filter(({ option }) => OPTIONS[era].get(option)?.treatment === "cosmetic")
      .map(({ words }) => words),
    warnings: line.warnings,
  };
}

/** Switches that change how the kernel treats the machine. */
function switches(
  line: CommandLine,
): Pick<QemuOptions, "kvmPitReinjection" | "memoryLocked" | "guestHalts"> {
  const overcommit = line.last("overcommit");
  const values = parseKeyValues(overcommit?.argument ?? "");
  return {
    kvmPitReinjection: !line.has("no-kvm-pit-reinjection") &&
      globals(line).get("kvm-pit.lost_tick_policy") !== "discard",
    guestHalts: values.get("cpu-pm") === "on",
    memoryLocked: values.get("mem-lock") === "on" ||
      parseKeyValues(line.last("realtime")?.argument ?? "").get("mlock") === "on",
  };
}

/** RAM, MiB, and where it comes from. */
function memory(
  line: CommandLine,
  backend: string | undefined,
  backends: ReadonlyMap<string, ReadonlyMap<string, string>>,
  host: QemuHost,
): number {
  const typed = line.last("m");
  let mib = typed === undefined ? DEFAULT_MEMORY_MIB : memoryMiB(line, typed);
  const path = line.last("mem-path");
  const files = path === undefined ? [] : [path.argument];
  if (backend !== undefined) {
    const values = backends.get(backend);
    if (values === undefined) line.fail(`Memory backend '${backend}' not found`);
    const size = values.get("size")!.replace(/^\d+$/, "$&b"); // here a number is one of bytes
    const own = memoryMiB(line, { option: "object", argument: size, words: `-object ${backend}` });
    if (typed !== undefined && own !== mib) {
      line.fail("Machine memory size does not match the size of the memory backend");
    }
    mib = own;
  }
  for (const values of backends.values()) if (values.has("mem-path")) files.push(values.get("mem-path")!);
  for (const file of files) {
    const error = line.era === "2012" ? undefined : host.openMemory?.(file);
    if (error !== undefined) line.fail(`can't open backing store ${file} for guest RAM: ${error}`);
  }
  const error = host.reserve?.(mib);
  if (error !== undefined) line.fail(`cannot set up guest memory 'pc.ram': ${error}`);
  return mib;
}

/** `-kernel`: QEMU opens it when it makes the board. @returns its command line; undefined: there is no `-kernel` */
function kernelImage(line: CommandLine, host: QemuHost, cpus: number): string | undefined {
  const kernel = line.last("kernel");
  if (kernel === undefined) return undefined;
  const error = host.openImage?.(kernel.argument);
  if (error !== undefined) line.failWith(`qemu: could not open kernel file '${kernel.argument}': ${error}`);
  const append = line.last("append");
  const problem = host.kernelProblem?.(kernel.argument, append?.argument ?? "", cpus);
  if (problem !== undefined) line.fail(problem, append ?? kernel);
  return append?.argument ?? "";
}
