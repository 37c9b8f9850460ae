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
  /** The last message, what it says by the remapping unit's table of that revision… */
  #last: MsiEffect | null = null;
  #revision = -1;
  #message: MsiMessage | undefined | "blocked" = undefined;
  /** … and, where that is an interrupt of one processor, whose; -1: it is not. */
  #destination = -1;
  #vector = 0;
  /** What software touched although nothing follows from it, each once. */
  readonly unmodelled = new Set<string>();

  /** For the devices on `bus`. */
  constructor(machine: Machine, bus: PciBus) {
    this.machine = machine;
    this.bus = bus;
    this.engine = machine.engine;
  }

  /** Carries out `effects`. */
  apply(effects: readonly PciEffect[]): void {
    for (let i = 0; i < effects.length; i++) this.#carryOut(effects[i]!, false);
  }

  /** @param atEnd nobody does anything more at this instant: what travels may arrive within the call */
  #carryOut(effect: PciEffect, atEnd: boolean): void {
    switch (effect.kind) {
      case "msi":
        this.#signal(effect, atEnd);
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

  #signal(effect: MsiEffect, atEnd: boolean): void {
    const { machine } = this;
    // Devices answer with the same object until software writes another message.
    if (effect !== this.#last || machine.remapping.revision !== this.#revision) this.#decode(effect);
    if (this.#destination >= 0) machine.messageSignalled(this.#destination, this.#vector, atEnd);
    else this.#signalOther(effect);
  }

  #decode(effect: MsiEffect): void {
    const message = this.#message = this.#remap(effect);
    this.#last = message === "blocked" ? null : effect; // each one is a fault of its own
    this.#revision = this.machine.remapping.revision;
    const toOne = typeof message === "object" && message.destinationMode === "physical" &&
      isDelivered(message.deliveryMode);
    this.#destination = toOne ? message.destination : -1;
    this.#vector = toOne ? message.vector : 0;
  }

  /** The last message is to a set of processors, or not delivered. */
  #signalOther({ address }: MsiEffect): void {
    const message = this.#message;
    if (message === "blocked") this.machine.droppedMessages++;
    else if (message === undefined) this.unmodelled.add(`interrupt message to 0x${address.toString(16)}`);
    else if (isDelivered(message.deliveryMode)) {
      const { deliveryMode, vector, destination } = message;
      const mode = deliveryMode === "fixed" ? DeliveryMode.Fixed : DeliveryMode.LowestPriority;
      this.machine.interruptMessage({ mode, vector, destination, logical: true, level: false });
    } else this.unmodelled.add(`interrupt message with delivery mode ${message.deliveryMode}`);
  }

  #remap({ address, data }: MsiEffect): MsiMessage | undefined | "blocked" {
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
        const effects = found.alarm(source, this.engine.nowNs);
        if (effects.length === 1) this.#carryOut(effects[0]!, true);
        else this.apply(effects);
      });
      this.#alarms.set(key, alarm);
    }
    return alarm;
  }
}

/** Whether a message of that mode is one that processors get here. */
function isDelivered(mode: MsiMessage["deliveryMode"]): boolean {
  return mode === "fixed" || mode === "lowestPriority";
}
