/**
 * The options of the machine itself: its type, memory, CPUs and accelerator.
 *
 * *Document*: `vl.c`, `hw/core/machine-smp.c` and `target/i386/cpu.c`.
 *
 * @module
 */

import { UNMODELLED_PV_FEATURES } from "../kvm/pv_features.ts";
import type { CommandLine, Given } from "./command_line.ts";
import {
  CPU_PROPERTIES,
  cpuFeature,
  cpuModels,
  defaultKvmFeatures,
  hasCpuModel,
  impliedFeatures,
  isKvmFeature,
  missingInEmulation,
} from "./cpu_models.ts";
import { RELEASES } from "./era.ts";
import { parseKeyValues } from "./key_values.ts";

/** Who emulates PIC, IOAPIC and local APIC: `on` the kernel, `off` QEMU, `split` the kernel the local APICs alone. */
export type KernelIrqchip = "on" | "off" | "split";

/** What `-machine` says. */
export interface MachineChoice {
  /** The type's own name. */
  readonly name: string;
  /** `accel=`, if given. */
  readonly accelerator: string | undefined;
  readonly irqchip: KernelIrqchip;
  /** `acpi=`. */
  readonly acpi: boolean;
  /** `memory-backend=`, if given. */
  readonly memoryBackend: string | undefined;
}

/** Properties of a machine type. */
const MACHINE_KEYS = {
  "2012": ["type", "accel", "kernel_irqchip"],
  today:
    ("type accel kernel-irqchip kernel_irqchip hpet acpi vmport usb smm mem-merge dump-guest-core nvdimm " +
      "memory-backend memory graphics suppress-vmdesc kvm-shadow-mem default_bus_bypass_iommu pit sata smbus i8042 " +
      "max-ram-below-4g hmat kernel append initrd smp igd-passthru firmware").split(" "),
} as const;

/** Those of them that are switches. */
const MACHINE_SWITCHES = ["hpet", "acpi", "usb", "mem-merge", "dump-guest-core", "nvdimm", "graphics", "pit"];

/** The machine's type and its properties. */
export function machineChoice(line: CommandLine): MachineChoice {
  const release = RELEASES[line.era];
  // Every -M and -machine is merged into one list.
  const values = new Map(
    line.all("M", "machine").flatMap(({ argument }) => [...parseKeyValues(argument, "type")]),
  );
  const type = values.get("type") ?? release.defaultMachine;
  if (type === "help" || type === "?") {
    line.answer("Supported machines are:", ...[...release.machines.keys()]);
  }
  const name = release.machines.get(type);
  if (name === undefined) {
    line.fail("unsupported machine type", undefined, "Use -machine help to list supported machines");
  }
  for (const [key, value] of values) {
    if (!(MACHINE_KEYS[line.era] as readonly string[]).includes(key)) {
      line.fail(`Property '${name}-machine.${key}' not found`);
    }
    if (MACHINE_SWITCHES.includes(key)) line.checkSwitch(key, value);
  }
  const irqchip = values.get("kernel_irqchip") ?? values.get("kernel-irqchip") ?? "on";
  return {
    name,
    accelerator: values.get("accel"),
    irqchip: irqchipOf(line, irqchip, line.era === "2012" ? line.last("M", "machine") : undefined),
    acpi: values.get("acpi") !== "off",
    memoryBackend: values.get("memory-backend"),
  };
}

function irqchipOf(line: CommandLine, text: string, at?: Given): KernelIrqchip {
  if (text === "on" || text === "off") return text;
  if (line.era === "2012") line.fail("Parameter 'kernel_irqchip' expects 'on' or 'off'", at);
  if (text !== "split") line.fail(`Parameter 'kernel-irqchip' does not accept value '${text}'`, at);
  return text;
}

/** Without `-m`. */
export const DEFAULT_MEMORY_MIB = 128;

/** Bytes with an optional suffix, megabytes without one. */
export function memoryMiB(line: CommandLine, given: Given): number {
  const text = parseKeyValues(given.argument, "size").get("size") ?? "0";
  const match = text.match(/^(\d+(?:\.\d+)?)([bBkKmMgGtTpPeE]?)$/);
  const power = { b: 0, k: 1, m: 2, g: 3, t: 4, p: 5, e: 6 }[match?.[2]?.toLowerCase() || "m"] ?? 2;
  const bytes = Number(match?.[1]) * 1024 ** power;
  if (match === null || !(bytes < 2 ** 64)) {
    line.fail(
      "Parameter 'size' expects a non-negative number below 2^64",
      given,
      "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-",
      "and exabytes, respectively.",
    );
  }
  return bytes === 0 ? DEFAULT_MEMORY_MIB : Math.ceil(bytes / 2 ** 20);
}

/** Levels of a topology, outermost first, by release: 1.1 knows neither dies nor clusters. */
const LEVELS = {
  "2012": ["sockets", "cores", "threads"],
  today: ["sockets", "dies", "cores", "threads"],
} as const;

/** Keys of `-smp`. */
export const SMP_KEYS = {
  "2012": ["cpus", "sockets", "cores", "threads", "maxcpus"],
  today: ["cpus", "sockets", "dies", "clusters", "cores", "threads", "maxcpus"],
} as const;

/** The number of vCPUs: the last `-smp` wins. `machine` is named where there are too many. */
export function cpuCount(line: CommandLine, machine: string): number {
  const values = parseKeyValues(line.last("smp")?.argument ?? "1", "cpus");
  if ([...values.values()].some((value) => Number(value) === 0)) {
    line.fail("Invalid CPU topology: CPU topology parameters must be greater than zero");
  }
  const number = (key: string) => values.has(key) ? Number(values.get(key)) : undefined;
  const clusters = number("clusters");
  if (clusters !== undefined && clusters > 1) {
    line.fail("clusters not supported by this machine's CPU topology");
  }
  const wanted = number("cpus");
  const maximum = number("maxcpus") ?? wanted;
  const topology = completeTopology(line, number, maximum);
  const product = Object.values(topology).reduce((all, count) => all * count, 1);
  const hierarchy = Object.entries({ sockets: 1, dies: 1, cores: 1, threads: 1, ...topology })
    .map(([level, count]) => `${level} (${count})`).join(" * ");
  const most = maximum ?? product;
  if (product !== most) {
    const rule = "product of the hierarchy must match maxcpus";
    line.fail(`Invalid CPU topology: ${rule}: ${hierarchy} != maxcpus (${most})`);
  }
  const cpus = wanted ?? most;
  if (cpus > most) {
    const rule = "maxcpus must be equal to or greater than smp";
    line.fail(`Invalid CPU topology: ${rule}: ${hierarchy} == maxcpus (${most}) < smp_cpus (${cpus})`);
  }
  const limit = RELEASES[line.era].maxCpus(machine);
  if (most > limit) {
    line.fail(`Invalid SMP CPUs ${most}. The max CPUs supported by machine '${machine}' is ${limit}`);
  }
  return cpus;
}

/** Fills in the levels that were not given: those of 2012 by sockets, QEMU since 6.2 by cores before sockets. */
function completeTopology(
  line: CommandLine,
  number: (key: string) => number | undefined,
  maximum: number | undefined,
): Record<string, number> {
  const levels: readonly string[] = LEVELS[line.era];
  const filled = maximum === undefined
    ? []
    : line.era === "2012"
    ? ["sockets"]
    : ["cores", "sockets", "threads"];
  const free = filled.find((level) => number(level) === undefined);
  const topology = Object.fromEntries(
    levels.map((level) => [level, level === free ? 1 : number(level) ?? 1]),
  );
  if (free === undefined) return topology;
  const others = Object.values(topology).reduce((all, count) => all * count, 1);
  const whole = maximum! / others;
  return { ...topology, [free]: line.era === "2012" ? Math.ceil(whole) : Math.floor(whole) };
}

/** What the accelerator's choice comes to. */
export interface Accelerator {
  readonly kvm: boolean;
  /** `kernel-irqchip=` of `-accel`, if given. */
  readonly irqchip: KernelIrqchip | undefined;
}

/** Finds the accelerator. `openKvm` is asked where KVM is tried: undefined, or strerror of the error. */
export function accelerator(
  line: CommandLine,
  machine: MachineChoice,
  openKvm: () => string | undefined,
): Accelerator {
  return line.era === "2012"
    ? accelerator2012(line, machine, openKvm)
    : acceleratorToday(line, machine, openKvm);
}

function accelerator2012(
  line: CommandLine,
  { accelerator: name }: MachineChoice,
  openKvm: () => string | undefined,
): Accelerator {
  const at = line.last("no-kvm") ?? (name === "tcg" ? line.last("M", "machine") : undefined);
  if (at !== undefined) line.fail("emulation without KVM is not modelled", at);
  if (name !== undefined && !name.split(":").includes("kvm")) {
    line.fail(`invalid accelerator ${name}`, line.last("M", "machine"));
  }
  const error = openKvm();
  if (error === undefined) return { kvm: true, irqchip: undefined };
  line.failWith(
    `Could not access KVM kernel module: ${error}`,
    `failed to initialize KVM: ${error}`,
    // Asked for by name, KVM is a must; by default the fork falls back to emulation.
    line.has("enable-kvm") ? "No accelerator found!" : "Back to tcg accelerator (not modelled).",
  );
}

/** One accelerator after the other is tried; the first that starts is taken. */
function acceleratorToday(
  line: CommandLine,
  { accelerator: name }: MachineChoice,
  openKvm: () => string | undefined,
): Accelerator {
  const typed = line.all("accel");
  const enabled = line.last("enable-kvm");
  if (typed.length > 0 && (name !== undefined || enabled !== undefined)) {
    line.fail('The -accel and "-machine accel=" options are incompatible');
  }
  const byName = enabled !== undefined
    ? "kvm"
    : name ?? (line.program.endsWith("kvm") ? "kvm:tcg" : "tcg:kvm");
  const candidates = typed.length > 0
    ? typed.map((given) => ({ values: parseKeyValues(given.argument, "accel"), at: given }))
    : byName.split(":").map((each) => ({ values: new Map([["accel", each]]), at: undefined }));
  let failed = false;
  const message = (text: string, at: Given | undefined) => {
    failed = true;
    line.warnings.push(`${line.program}: ${at === undefined ? "" : `${at.words}: `}${text}`);
  };
  for (const { values, at } of candidates) {
    const which = values.get("accel");
    if (which !== "kvm" && which !== "tcg") {
      message(`invalid accelerator ${which}`, at);
      continue;
    }
    const irqchip = values.get("kernel-irqchip");
    const checked = irqchip === undefined ? undefined : irqchipOf(line, irqchip, at);
    if (which === "kvm") {
      const error = openKvm();
      if (error !== undefined) {
        line.warnings.push(`Could not access KVM kernel module: ${error}`);
        message(`failed to initialize kvm: ${error}`, at);
        continue;
      }
    }
    if (failed) line.warnings.push(`${line.program}: falling back to ${which.toUpperCase()}`);
    return { kvm: which === "kvm", irqchip: checked };
  }
  line.failWith();
}

/** The CPU model and the features added to it and taken away. */
export function cpuChoice(line: CommandLine, kvm: boolean): {
  cpuModel: string;
  cpuFeatures: { on: ReadonlySet<string>; off: ReadonlySet<string> };
  kvmFeatures: ReadonlySet<string>;
  tscKhz: number | undefined;
} {
  const { era } = line;
  let tscKhz: number | undefined;
  const given = line.last("cpu");
  const [cpuModel = "", ...items] = (given?.argument ?? "qemu64").split(",");
  if (cpuModel === "?" || cpuModel === "help") {
    line.answer(...cpuModels(era).map((model) => `x86 ${model.padStart(16)}`));
  }
  if (!hasCpuModel(cpuModel, era)) line.fail(`unable to find CPU model '${cpuModel}'`);
  const on = new Set(impliedFeatures(cpuModel, era, kvm));
  const off = new Set<string>();
  const kvmFeatures = new Set(kvm ? defaultKvmFeatures(cpuModel, era) : []);
  for (const item of items) {
    const [, sign = "", name = "", value] = item.match(/^([+-]?)([^=]*)(?:=(.*))?$/) ?? [];
    if (era === "today" && name === "tsc-frequency") {
      if (!/^\d+$/.test(value ?? "")) line.fail(`Invalid parameter type for '${name}', expected: int64`);
      tscKhz = Math.floor(Number(value) / 1000);
    }
    if (
      sign === "" &&
      (CPU_PROPERTIES[era].has(name) || (value === undefined && /^(check|enforce)$/.test(name)))
    ) continue;
    const feature = cpuFeature(name, era);
    if (feature === undefined) line.fail(`Property '${cpuModel}-x86_64-cpu.${name}' not found`);
    if (sign === "" && value !== undefined) line.checkSwitch(name, value);
    const enabled = sign === "" ? value !== "off" : sign === "+";
    if (enabled && UNMODELLED_PV_FEATURES.has(feature)) {
      line.warnings.push(`note: -cpu: ${feature} is not modelled, and the guest is not shown it`);
    }
    (enabled ? on : off).add(feature);
  }
  // `-feature` wins wherever it stands: QEMU collects both lists and takes away last.
  for (const feature of off) on.delete(feature);
  for (const feature of on) {
    if (!isKvmFeature(feature)) continue;
    on.delete(feature);
    kvmFeatures.add(feature);
  }
  for (const feature of off) kvmFeatures.delete(feature);
  if (era === "today" && !kvm) {
    if (cpuModel === "host") line.fail("CPU model 'host' requires KVM or HVF");
    for (const feature of on) {
      const missing = missingInEmulation(feature);
      if (missing !== undefined) line.warn(`TCG doesn't support requested feature: ${missing}`);
    }
  }
  return { cpuModel, cpuFeatures: { on, off }, kvmFeatures, tscKhz };
}
