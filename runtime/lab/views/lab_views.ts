/**
 * What can be looked at in a laboratory, by the words of `show`.
 *
 * Each view answers lines, or a text that says what was wrong with the name that it was asked for.
 *
 * @module
 */

import type { Kernel } from "../../linux/kernel.ts";
import type { Vcpu } from "../../kvm/vcpu.ts";
import { lapicLines } from "../../qemu/info_lapic.ts";
import type { Lab, LabResult } from "../lab.ts";
import { closest } from "../spelling.ts";
import { cpuLines, layerLines } from "./cpus.ts";
import { exitTableLines } from "./exits.ts";
import { ioApicLines } from "../../qemu/info_pic.ts";
import { idtLines, msiLines, msiXLines, vectorLines } from "./interrupt_tables.ts";
import { taskLines } from "./tasks.ts";
import { vmcsLines } from "./vmcs.ts";

/** Lines, or what is wrong. */
export type View = readonly string[] | string;

/** The views of one laboratory. They change nothing. */
export class LabViews {
  /** Of `lab`. */
  constructor(readonly lab: Lab) {}

  /** The host's processors, or one of them. */
  cpus(which?: string): View {
    const only = this.#cpu(which);
    if (typeof only === "string") return only;
    return [...cpuLines(this.lab, only), "", ...layerLines(this.lab, only)];
  }

  /** Local APICs: of the processor or virtual CPU named, or of all processors. */
  lapics(which?: string): View {
    const { machine, engine } = this.lab;
    if (which !== undefined && !/^\d+$/.test(which)) {
      const vcpus = this.#vcpus(which);
      if (typeof vcpus === "string") return vcpus;
      return blocks(vcpus.map((vcpu) => lapicLines(vcpu.apic, vcpu.id, engine.nowNs)));
    }
    const only = this.#cpu(which);
    if (typeof only === "string") return only;
    const cpus = machine.cpus.filter(({ id }) => only === undefined || id === only);
    return blocks(cpus.map((cpu) => lapicLines(cpu.apic, cpu.id, engine.nowNs)));
  }

  /** MSI-X tables, and MSI where that is in use or there is nothing else: of the device named, or of all that have one. */
  messages(which?: string): View {
    const { software: { pci, irqs } } = this.lab;
    const devices = [...pci.devices].filter(({ fn }) => (fn.msiX ?? fn.msi) !== undefined);
    const names = devices.map(({ name }) => name);
    const chosen = which === undefined
      ? devices
      : devices.filter(({ name }) => name === which || name === `0000:${which}`);
    if (chosen.length === 0) return this.#unknown("device with messages", which ?? "", names);
    return blocks(chosen.flatMap(({ name, fn: { msi, msiX } }) => [
      ...msiX === undefined ? [] : [msiXLines(name, msiX.table, irqs)],
      ...msi !== undefined && (msi.enabled || msiX === undefined) ? [msiLines(name, msi, irqs)] : [],
    ]));
  }

  /** The redirection table of the computer's I/O APIC, or of a guest's. */
  ioApic(which?: string): View {
    if (which === undefined || which === "host") return ioApicLines("ioapic0", this.lab.machine.ioApic.chip);
    const guests = this.#guests(which);
    if (typeof guests === "string") return guests;
    const chips = guests[0]!.machine.file.vm.chips;
    return chips === null ? `${which}: its I/O APIC is not KVM's` : ioApicLines("ioapic0", chips.ioapic.core);
  }

  /** Which vector leads where on the CPUs of a machine, or on one of the host's. */
  vectors(which = "host"): View {
    if (/^(cpu)?\d+$/.test(which)) {
      const only = this.#cpu(which);
      return typeof only === "string" ? only : vectorLines([this.lab.host.cpus[only!]!]);
    }
    const kernel = this.#kernel(which);
    return typeof kernel === "string" ? kernel : vectorLines(kernel.cpus);
  }

  /** The interrupt descriptor table of a machine's kernel. */
  descriptors(which = "host"): View {
    const kernel = this.#kernel(which);
    return typeof kernel === "string" ? kernel : idtLines(kernel);
  }

  /** `/proc/interrupts` of a machine. */
  interrupts(which = "host"): View {
    const computer = this.lab.computer(which);
    if (computer === undefined) return this.#unknown("machine", which, this.lab.computers());
    return computer.software.interruptText().trimEnd().split("\n");
  }

  /** Control structures of the virtual CPUs named, or of all. */
  controlStructures(which?: string): View {
    const vcpus = this.#vcpus(which);
    if (typeof vcpus === "string") return vcpus;
    return blocks(vcpus.map((vcpu) => [`VMCS of ${vcpu.vm.name} vcpu${vcpu.id}`, ...vmcsLines(vcpu.vmcs)]));
  }

  /** The tasks of a computer; the host's where none is named. */
  tasks(which = "host"): View {
    const kernel = this.#kernel(which);
    return typeof kernel === "string" ? kernel : taskLines(kernel);
  }

  /** Exits since the guest's start, and for each period of the last benchmark. */
  exits(which?: string): View {
    const guests = this.#guests(which);
    if (typeof guests === "string") return guests;
    const last = this.lab.results.at(-1);
    return [
      ...guests.flatMap((guest) => {
        const sum = new Array<number>(64).fill(0);
        for (const vcpu of guest.machine.file.vm.vcpus) {
          vcpu.exits.forEach((count, reason) => sum[reason]! += count);
        }
        return [`kvm statistics of ${guest.name}, since its start`, "", ...exitTableLines(sum)];
      }),
      ...(last === undefined ? [] : ["", ...periodLines(last)]),
    ];
  }

  #kernel(which: string): Kernel | string {
    return this.lab.computer(which)?.kernel ?? this.#unknown("machine", which, this.lab.computers());
  }

  #guests(which?: string) {
    const { guests } = this.lab;
    if (guests.size === 0) return "no guest runs";
    if (which === undefined) return [...guests.values()];
    const guest = guests.get(which);
    return guest === undefined ? this.#unknown("guest", which, [...guests.keys()]) : [guest];
  }

  #vcpus(which?: string): Vcpu[] | string {
    const [name, number] = which?.split(".", 2) ?? [];
    const guests = this.#guests(name);
    if (typeof guests === "string") return guests;
    const vcpus = guests.flatMap((guest) => [...guest.machine.file.vm.vcpus]);
    if (number === undefined) return vcpus;
    const vcpu = vcpus.find(({ id }) => String(id) === number);
    return vcpu === undefined ? `${name} has no vCPU "${number}": there are ${vcpus.length}, from 0` : [vcpu];
  }

  #cpu(which?: string): number | undefined | string {
    if (which === undefined) return undefined;
    const { length } = this.lab.machine.cpus;
    const number = /^(cpu)?\d+$/.test(which) ? Number(which.replace("cpu", "")) : NaN;
    return number < length ? number : `no processor "${which}": there are ${length}, from 0`;
  }

  #unknown(what: string, name: string, known: readonly string[]): string {
    const meant = closest(name, known);
    return `no ${what} "${name}": ` +
      (meant === undefined ? `there are ${known.join(", ")}` : `did you mean ${meant}?`);
  }
}

/** The exits of one benchmark, for each of its periods. */
export function periodLines(result: LabResult): string[] {
  const periods = result.cyclictest.threads[0]?.histogram.count ?? 0;
  return [
    `while cyclictest ran on ${result.system} (${result.kernel}, ${periods} periods)`,
    "",
    ...exitTableLines(result.exits, Math.max(1, periods)),
  ];
}

/** Blocks of lines with an empty line between them. */
function blocks(list: readonly (readonly string[])[]): string[] {
  return list.flatMap((lines, i) => i === 0 ? lines : ["", ...lines]);
}
