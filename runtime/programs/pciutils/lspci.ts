/**
 * lspci (pciutils): the functions on the PCI bus.
 *
 * Layout of pciutils 3.1 (2012) where it is known; `-mm` with a programming interface that is 0, and `MSI 00` in `-v`,
 * after captures of later versions on Debian 12.
 *
 * *Modelled*: `-n`, `-nn`, `-D`, `-s`, `-d`, `-k`, `-v`, `-vv` (`-vvv` is the same), `-mm`.
 *
 * *Not modelled*: everything else. With `-v` a bridge's windows, with `-k` `Kernel modules`: the model's
 * drivers are no modules. Names of subsystems: their numbers are shown.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { PciDevice } from "../../linux/pci/pci_device.ts";
import { getopt } from "../getopt.ts";
import { details } from "./lspci_details.ts";
import { className, deviceName, fullName, type NameStyle, vendorName } from "./pci_names.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `lspci - lists the functions on the PCI bus
Usage: lspci [-nDkvmm] [-nn] [-s [[[DOMAIN]:]BUS:][DEVICE][.FUNCTION]] [-d [VENDOR]:[DEVICE]]
Effects: lists the functions on the PCI bus: by names, by numbers (-n) or both (-nn), with domains (-D), with drivers (-k),
  with flags, memory and capabilities (-v), with registers (-vv), for scripts (-mm); only a place (-s) or a kind (-d)
Exit status: 0, also where nothing is listed; 1 on a wrong argument
Errors: -s: Invalid slot number; -d: Invalid vendor ID
Differs from the real one: no -t, -x; no bridge windows, kernel modules and names of subsystems, no registers of PCI Express
Examples: lspci -nnk
  lspci -s 05:00.0 -vv`;

const USAGE = `Usage: lspci [<switches>]

See help lspci for what is modelled.
`;

/** How the list is printed. */
interface Style {
  readonly names: NameStyle;
  readonly domains: boolean;
  readonly drivers: boolean;
  /** How much of the configuration space: none, flags, registers. */
  readonly verbosity: number;
}

/** The program. */
export const lspci: Program = {
  name: "lspci",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      flags: "nDkvm",
      values: "sd",
      notModelled: [..."AbFGHiMOpPqQtx", "version"],
    });
    if (parsed === "--help") {
      command.stdout(`${doc}\n`);
      return 0;
    }
    if (typeof parsed === "string") {
      command.stderr(`lspci: ${parsed}\n${parsed.endsWith("is not modelled") ? "" : USAGE}`);
      return 1;
    }
    const count = (option: string) => parsed.options.filter(({ letter }) => letter === option).length;
    const machine = count("m");
    const refused = machine === 1 || (machine > 0 && count("v") > 0)
      ? "of -m only -mm is modelled, without -v"
      : parsed.operands.length > 0
      ? USAGE.trimEnd()
      : undefined;
    if (refused !== undefined) {
      command.stderr(`lspci: ${refused}\n`);
      return 1;
    }
    const filters: ((device: PciDevice) => boolean)[] = [];
    for (const { letter, value } of parsed.options) {
      if (letter !== "s" && letter !== "d") continue;
      const filter = letter === "s" ? placeFilter(value) : idFilter(value);
      if (typeof filter === "string") {
        command.stderr(`lspci: -${letter}: ${filter}\n`);
        return 1;
      }
      filters.push(filter);
    }
    const style: Style = {
      names: count("n") === 0 ? "names" : count("n") === 1 ? "numbers" : "both",
      domains: count("D") > 0,
      drivers: count("k") > 0 || count("v") > 0,
      verbosity: count("v"),
    };
    const devices = [...command.system.pci.devices].filter((device) =>
      filters.every((passes) => passes(device))
    );
    devices.sort((a, b) => a.name < b.name ? -1 : 1);
    for (const device of devices) {
      if (machine > 0) command.stdout(`${machineLine(device, style)}\n`);
      else {command.stdout(
          lines(device, style).map((line) => `${line}\n`).join("") + (style.verbosity > 0 ? "\n" : ""),
        );}
    }
    return 0;
  },
};

/** `-s`: a filter, or the complaint. */
function placeFilter(text: string): ((device: PciDevice) => boolean) | string {
  const parts = text.split(":");
  const slot = parts.pop()!, bus = parts.pop() ?? "", domain = parts.pop() ?? "";
  const [device = "", fn = "", ...more] = slot.split(".");
  const number = (part: string, max: number) => {
    if (part === "" || part === "*") return -1;
    const value = /^[0-9a-f]{1,4}$/i.test(part) ? parseInt(part, 16) : Infinity;
    return value <= max ? value : undefined;
  };
  const wanted = {
    domain: number(domain, 0xffff),
    bus: number(bus, 0xff),
    device: number(device, 31),
    function: number(fn, 7),
  };
  if (parts.length > 0 || wanted.domain === undefined) return "Invalid domain number";
  if (wanted.bus === undefined) return "Invalid bus number";
  if (wanted.device === undefined || more.length > 0) return "Invalid slot number";
  if (wanted.function === undefined) return "Invalid function number";
  const fields = ["domain", "bus", "device", "function"] as const;
  return ({ bdf }) => fields.every((field) => wanted[field] === -1 || wanted[field] === bdf[field]);
}

/** `-d`: a filter, or the complaint. */
function idFilter(text: string): ((device: PciDevice) => boolean) | string {
  const [vendor = "", device, ...more] = text.split(":");
  if (device === undefined) return "':' expected";
  const number = (part: string) =>
    part === "" || part === "*" ? -1 : /^[0-9a-f]{1,4}$/i.test(part) ? parseInt(part, 16) : undefined;
  const wantedVendor = number(vendor), wantedDevice = number(device);
  if (wantedVendor === undefined) return "Invalid vendor ID";
  if (wantedDevice === undefined || more.length > 0) return "Invalid device ID";
  return (found) =>
    (wantedVendor === -1 || found.vendor === wantedVendor) &&
    (wantedDevice === -1 || found.device === wantedDevice);
}

function place({ name }: PciDevice, { domains }: Style): string {
  return domains ? name : name.slice("0000:".length);
}

function hasSubsystem({ subsystemVendor, subsystemDevice }: PciDevice): boolean {
  return subsystemVendor !== 0 || subsystemDevice !== 0;
}

function hex2(number: number): string {
  return number.toString(16).padStart(2, "0");
}

/** `-mm`: fields in quotes. */
function machineLine(device: PciDevice, style: Style): string {
  const { vendor, device: id, subsystemVendor, subsystemDevice, classCode, revision } = device;
  const pair = (maker: number, model: number, isSubsystem: boolean): [string, string] => {
    const [makerId = "", modelId = ""] = fullName(maker, model, "numbers").split(":");
    if (style.names === "numbers") return [makerId, modelId];
    const makerName = vendorName(maker), modelName = deviceName(maker, model, isSubsystem);
    if (style.names === "names") return [makerName, modelName];
    return [
      `${makerName.replace(/^Vendor .*/, "Vendor")} [${makerId}]`,
      `${modelName.replace(/^Device .*/, "Device")} [${modelId}]`,
    ];
  };
  const quoted = (texts: readonly string[]) => texts.map((text) => `"${text}"`).join(" ");
  const subsystem = hasSubsystem(device) ? pair(subsystemVendor, subsystemDevice, true) : ["", ""];
  return `${place(device, style)} ${
    quoted([className(classCode, style.names), ...pair(vendor, id, false)])
  } ` +
    `-r${hex2(revision)} -p${hex2(classCode & 0xff)} ${quoted(subsystem)}`;
}

function lines(device: PciDevice, style: Style): string[] {
  const { vendor, device: id, subsystemVendor, subsystemDevice, classCode, revision, driver } = device;
  const { names } = style;
  const head = `${place(device, style)} ${className(classCode, names)}: ${fullName(vendor, id, names)}` +
    (revision === 0 ? "" : ` (rev ${hex2(revision)})`);
  const shown = [head];
  if (!style.drivers) return shown;
  if (hasSubsystem(device)) {
    shown.push(`\tSubsystem: ${fullName(subsystemVendor, subsystemDevice, names, true)}`);
  }
  if (style.verbosity > 0) shown.push(...details(device, style.verbosity > 1));
  if (driver !== undefined) shown.push(`\tKernel driver in use: ${driver}`);
  return shown;
}
