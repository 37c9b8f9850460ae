/**
 * Carries out what accesses to PCI devices lead to: interrupt messages travel to processors, alarms are armed.
 *
 * @module
 */

import type { Alarm, Engine } from "./sim/engine.ts";
import { DeliveryMode } from "./lapic.ts";
import type { Machine } from "./machine.ts";
import { decodeMsi, type MsiEffect, type MsiMessage } from "./msi.ts";
import type { PciBus, PciEffect } from "./pci.ts";

/** The effects of one bus's devices on one machine. */
export class DeviceEffects {
  declare readonly machine: Machine;
  declare readonly bus: PciBus;
  declare readonly engine: Engine;
  /** By routing identifier and source. */
  readonly #alarms = new Map<number, Alarm>();
  /** The last message, decoded by the remapping unit's table as it was then. */
  #decoded: { effect: MsiEffect | null; revision: number; message: MsiMessage | undefined | "blocked" } = {
    effect: null,
    revision: -1,
    message: undefined,
  };
  /** What software touched although nothing follows from it, each once. */
  readonly unmodelled = new Set<string>();

  /** For the devices on `bus`. */
  constructor(machine: Machine, bus: PciBus) {
    this.machine = machine;
    this.bus = bus;
    this.engine = machine.engine;
  }

  /**
   * Carries out `effects`.
   *
   * @param atEnd nobody does anything more at this instant: what travels may arrive within the call
   */
  apply(effects: readonly PciEffect[], atEnd = false): void {
    for (let i = 0; i < effects.length; i++) {
      const effect = effects[i]!;
      switch (effect.kind) {
        case "msi":
          this.#message(effect, atEnd && effects.length === 1);
          break;
        case "alarm":
          effect.alarm ??= this.#alarm(effect.function, effect.source);
          effect.alarm.at(Math.max(effect.atNs, this.engine.nowNs));
          break;
        case "unmodelled":
          this.unmodelled.add(effect.what);
          break;
        case "virtualFunctions":
          break; // the bus finds them, or does not, from now on
      }
    }
  }

  /** Reads 32 bits of a function's memory; `undefined`: no function claims the address. */
  load(address: number): number | undefined {
    const to = this.bus.decode(address);
    return to?.function.readMemory(to.bar, to.offset, this.engine.nowNs);
  }

  /** Writes 32 bits of a function's memory, and carries out what follows; nothing does where no function claims the address. */
  store(address: number, value: number): void {
    const to = this.bus.decode(address);
    if (to !== undefined) {
      this.apply(to.function.writeMemory(to.bar, to.offset, value, this.engine.nowNs));
    }
  }

  #message(effect: MsiEffect, atEnd: boolean): void {
    const { machine } = this;
    const { address, data } = effect;
    const { remapping } = machine;
    // Devices answer with the same object until software writes another message.
    if (this.#decoded.effect !== effect || this.#decoded.revision !== remapping.revision) {
      this.#decoded = { effect, revision: remapping.revision, message: this.#remap(address, data) };
    }
    const { message } = this.#decoded;
    if (message === "blocked") {
      this.#decoded.effect = null; // each one is a fault of its own
      machine.droppedMessages++;
      return;
    }
    if (message === undefined) {
      this.unmodelled.add(`interrupt message to 0x${address.toString(16)}`);
      return;
    }
    const { destination, destinationMode, deliveryMode, vector } = message;
    if (deliveryMode !== "fixed" && deliveryMode !== "lowestPriority") {
      this.unmodelled.add(`interrupt message with delivery mode ${deliveryMode}`);
      return;
    }
    if (destinationMode === "physical") return machine.messageSignalled(destination, vector, atEnd);
    const mode = deliveryMode === "fixed" ? DeliveryMode.Fixed : DeliveryMode.LowestPriority;
    machine.interruptMessage({ mode, vector, destination, logical: true, level: false });
  }

  #remap(address: number, data: number): MsiMessage | undefined | "blocked" {
    const remapped = this.machine.remapping.remap(address, data);
    switch (remapped.kind) {
      case "message":
        return remapped.message;
      case "unchanged":
        return decodeMsi(address, data);
      case "fault":
        return "blocked";
    }
  }

  #alarm(fn: number, source: number): Alarm {
    const key = fn << 8 | source;
    let alarm = this.#alarms.get(key);
    if (alarm === undefined) {
      const found = this.bus.find(fn)!;
      alarm = this.engine.alarm(`pci ${fn.toString(16)}.${source}`, () => {
        // A function that has left the bus has been reset: its alarm finds nothing to do.
        this.apply(found.alarm(source, this.engine.nowNs), true);
      });
      this.#alarms.set(key, alarm);
    }
    return alarm;
  }
}
