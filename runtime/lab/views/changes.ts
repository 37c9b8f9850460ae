/**
 * What a command has changed in a laboratory: devices and their drivers, processors, guests, the kernel log.
 *
 * @module
 */

import type { Lab } from "../lab.ts";

/** The state of a laboratory as far as a set-up changes it. */
export class LabSnapshot {
  readonly #drivers: ReadonlyMap<string, string | undefined>;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #cpus: readonly string[];
  readonly #guests: ReadonlyMap<string, readonly string[]>;
  readonly #report: unknown;
  readonly #logLength: number;

  /** Takes it. Changes nothing. */
  constructor(readonly lab: Lab) {
    const { software: { pci, hotplug }, host, guests } = lab;
    this.#drivers = new Map([...pci.devices].map(({ name, driver }) => [name, driver]));
    this.#ids = new Map([...pci.drivers].map(({ name }) => [name, pci.dynamicIds(name).length]));
    this.#cpus = host.cpus.map(({ state }) => state);
    this.#guests = new Map([...guests].map(([name, { machine }]) => [name, machine.describe()]));
    this.#report = hotplug?.lastReport;
    this.#logLength = host.dmesg.length;
  }

  /** What has changed since, a sentence for each. The laboratory is still the same one. */
  changes(): string[] {
    return [...this.#devices(), ...this.#processors(), ...this.#machines()];
  }

  /** Lines that the host's kernel has logged since. */
  log(): string[] {
    return this.lab.host.dmesg.slice(this.#logLength).map(({ timeNs, text }) =>
      `[${(timeNs / 1e9).toFixed(6).padStart(12)}] ${text}`
    );
  }

  *#devices(): Generator<string> {
    const { pci } = this.lab.software;
    for (const { name } of pci.drivers) {
      for (const { vendor, device } of pci.dynamicIds(name).slice(this.#ids.get(name) ?? 0)) {
        yield `${name}: new id ${hex(vendor)}:${hex(device)}`;
      }
    }
    for (const { name, driver } of pci.devices) {
      const before = this.#drivers.get(name);
      if (before === driver) continue;
      if (before !== undefined) yield `${name} unbound from ${before}`;
      if (driver !== undefined) yield `${name} bound to ${driver}`;
    }
  }

  *#processors(): Generator<string> {
    const { host, software: { hotplug, irqs } } = this.lab;
    const report = hotplug?.lastReport;
    for (const { id, state } of host.cpus) {
      if (this.#cpus[id] === state) continue;
      yield `cpu${id} ${state}`;
      if (state !== "offline" || report === this.#report || report?.cpu !== id) continue;
      const names = report.irqs.map((irq) => `${irq} (${irqs.get(irq)?.name ?? "gone"})`);
      yield `${list("kernel thread", report.threads)} left cpu${id}`;
      if (report.tasks.length > 0) yield `${list("task", report.tasks)} left cpu${id}`;
      yield `${list("IRQ", names)} left cpu${id}`;
    }
  }

  *#machines(): Generator<string> {
    const { guests } = this.lab;
    for (const [name, { machine }] of guests) {
      const before = this.#guests.get(name) ?? [];
      for (const line of machine.describe()) if (!before.includes(line)) yield line;
    }
    for (const name of this.#guests.keys()) if (!guests.has(name)) yield `guest ${name} has ended`;
  }
}

const hex = (number: number): string => number.toString(16).padStart(4, "0");

/** `2 IRQs (41 (eth0), 42 (eth0))`, `no IRQ`. */
function list(what: string, names: readonly string[]): string {
  if (names.length === 0) return `no ${what}`;
  return `${names.length} ${what}${names.length === 1 ? "" : "s"} (${names.join(", ")})`;
}
