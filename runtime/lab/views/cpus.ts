/**
 * The machine's processors: what each of them does at this instant, and where its time has gone.
 *
 * @module
 */

import { LAYER_NAMES } from "../../linux/layers.ts";
import { tableLines } from "../../measure/table.ts";
import type { Lab } from "../lab.ts";

/** What tables call the layer of that number. */
export function layerName(layer: number): string {
  return LAYER_NAMES[layer] ?? String(layer);
}

/** A line for each processor, or for processor `only`. */
export function cpuLines(lab: Lab, only?: number): string[] {
  lab.host.settle();
  const rows = lab.machine.cpus.filter(({ id }) => only === undefined || id === only).map((cpu) => {
    const kernel = lab.host.cpus[cpu.id]!;
    const vcpu = lab.kvm.slaves.get(cpu.id);
    const task = kernel.state === "offline"
      ? "-"
      : vcpu !== undefined && kernel.state === "slave"
      ? `${vcpu.vm.name} vcpu${vcpu.id}`
      : kernel.current.name;
    return [
      `cpu${cpu.id}`,
      kernel.state,
      !cpu.running ? "stopped" : cpu.vmcs === null ? "root" : "guest",
      cpu.running && cpu.registers.interruptFlag ? 1 : 0,
      cpu.running && cpu.registers.halted ? "C1" : cpu.inFlight?.name ?? "-",
      cpu.nmiBlocked ? "blocked" : cpu.nmiPending ? "pending" : "-",
      cpu.exits,
      task,
    ];
  });
  return tableLines(
    [
      { title: "cpu", align: "left" },
      { title: "state", align: "left" },
      { title: "mode", align: "left" },
      { title: "IF" },
      { title: "does", align: "left" },
      { title: "NMI", align: "left" },
      { title: "exits" },
      { title: "runs", align: "left" },
    ],
    rows,
  );
}

/** Time by layer on each processor, or on processor `only`, in milliseconds. */
export function layerLines(lab: Lab, only?: number): string[] {
  lab.host.settle();
  const cpus = lab.machine.cpus.filter(({ id }) => only === undefined || id === only);
  return tableLines(
    [{ title: "ms in", align: "left" }, ...LAYER_NAMES.map((title) => ({ title }))],
    cpus.map(({ id }) => [`cpu${id}`, ...lab.timeByLayer(id).map((ns) => (ns / 1e6).toFixed(3))]),
  );
}

/** Whether an interrupt is under way on processor `id`: requested, in service, or being worked on behind an exit. */
export function hasInterrupt({ machine, host, kvm }: Lab, id: number): boolean {
  const cpu = machine.cpus[id]!;
  if (!cpu.running) return false;
  if (cpu.apic.irr.highest() >= 0 || cpu.apic.isr.highest() >= 0 || cpu.nmiPending) return true;
  return kvm.slaves.has(id) && cpu.vmcs === null && !cpu.registers.halted && host.cpus[id]!.state === "slave";
}
