/**
 * What physical and virtual functions of an 82599 have in common: identifiers, queues routed to vectors by IVAR.
 *
 * *Document*: Intel 82599 10 GbE Controller Datasheet, "Interrupt Registers", "Mapping of Interrupt Causes".
 *
 * @module
 */

import type { VectorInterrupts } from "./nic_82599_interrupts.ts";
import { type EthernetPort, type FrameTrain, ReceiveRing } from "./ethernet.ts";
import type { FrameSource, Nic82599Switch } from "./nic_82599_switch.ts";
import { PciFunction } from "./pci.ts";
import { NO_EFFECTS, type PciEffect } from "./pci_configuration.ts";
import { field, register, reserved } from "./registers.ts";
import type { StateHash } from "./sim/state_hash.ts";

/** Device identifier of the physical function (SFP+ variant). */
export const DEVICE_ID_82599 = 0x10fb;
/** Device identifier of a virtual function. */
export const DEVICE_ID_82599_VF = 0x10ed;

/** MSI-X vectors of the physical function. */
export const PF_VECTORS = 64;
/** MSI-X vectors of a virtual function. */
export const VF_VECTORS = 3;
/** Virtual functions that the silicon has. */
export const VFS_MAX = 64;

// Device Control of the physical function, VTCTRL of a virtual one.
const CTRL = register("CTRL", 0x0000, 0, 32, [
  reserved(2),
  field("masterDisable", 1, "unmodelled"),
  field("linkReset", 1),
  reserved(22),
  field("deviceReset", 1),
  reserved(5),
]);

const IVAR_BYTE = register("IVAR entry", 0, 0, 8, [
  field("vector", 6),
  reserved(1),
  field("valid", 1),
]);

const IVAR_VALID = IVAR_BYTE.field("valid").mask;
const IVAR_VECTOR = IVAR_BYTE.field("vector").mask;

/** Whether a write of `value` to Device Control (or VTCTRL) resets the function's registers. */
export function resetsDevice(value: number): boolean {
  return CTRL.get(value, "deviceReset") === 1;
}

/** Whether a write of `value` to Device Control resets the link, and with it the function's registers. */
export function resetsLink(value: number): boolean {
  return CTRL.get(value, "linkReset") === 1;
}

/** What a byte of an IVAR register holds after a write of `value`: one entry, or as much of it as exists. */
export function ivarByte(value: number): number {
  return IVAR_BYTE.write(0, value & 0xff);
}

/** The vector of an IVAR byte, or `undefined` if the entry is not valid. */
export function allocated(byte: number): number | undefined {
  return (byte & IVAR_VALID) !== 0 ? byte & IVAR_VECTOR : undefined;
}

/** The effect of touching something that has no model. */
export function unmodelled(what: string): readonly PciEffect[] {
  return [{ kind: "unmodelled", what }];
}

/** A register's offset as messages show it, `0x05080`. */
export function hexOffset(offset: number): string {
  return `0x${offset.toString(16).padStart(5, "0")}`;
}

/** Descriptors of a receive ring, as the drivers set it up. */
const RING_SIZE = 512;
/** The alarm of receive queue 0: those of the vectors are numbered from 0. */
const ARRIVAL = 128;

/** The registers that physical and virtual functions have in common, and what raises interrupts. */
export abstract class Nic82599Function extends PciFunction implements EthernetPort, FrameSource {
  /** Causes and throttling of the function's vectors. */
  abstract readonly interrupts: VectorInterrupts;
  /** The switch between the card's functions and the cable. */
  abstract readonly switch: Nic82599Switch;
  /** Its MAC address, from the card's EEPROM. */
  abstract readonly mac: number;
  /** @inheritdoc */
  readonly ring = new ReceiveRing(RING_SIZE);
  /** @inheritdoc */
  busyUntilNs = 0;
  /** The vector of receive queue 0, as {@linkcode routed} found it; -1: it has none that exists. */
  #vector = -1;

  /** @inheritdoc */
  transmit(train: FrameTrain, nowNs: number, delayNs = 0): readonly PciEffect[] {
    return this.switch.send(this, train, nowNs, delayNs);
  }

  /** A network function's driver finds its port here. */
  override get ethernet(): EthernetPort {
    return this;
  }

  /** A train has been added to the ring. */
  expect(nowNs: number): readonly PciEffect[] {
    return this.#listens ? this.#expectArrival(this.#untold(nowNs), nowNs) : NO_EFFECTS;
  }

  /** IVAR, or what it depends on, has changed. */
  protected routed(): void {
    const vector = this.queueVector(0, "rx");
    this.#vector = vector === undefined || vector >= this.interrupts.vectors ? -1 : vector;
  }

  /**
   * Software enables causes. What has arrived since the last message has set the queue's: of frames that came while it
   * was disabled nobody could tell until now.
   */
  protected enable(bank: number, bits: number, nowNs: number): readonly PciEffect[] {
    const vector = this.#vector;
    if (vector < 0) return this.interrupts.enable(bank, bits, nowNs);
    const untold = this.#untold(nowNs);
    if (untold) this.interrupts.note(vector);
    const told = this.interrupts.enable(bank, bits, nowNs);
    return told.length === 0 && this.#listens ? this.#expectArrival(untold, nowNs) : told;
  }

  /** Whether a frame that arrives could lead to a message: not so during a poll. */
  get #listens(): boolean {
    return this.#vector >= 0 && this.interrupts.listens(this.#vector);
  }

  /** Whether frames have arrived since the last message of their vector. */
  #untold(nowNs: number): boolean {
    return this.ring.hasArrived(this.interrupts.toldNs(this.#vector), nowNs);
  }

  /** The next frame sets an enabled cause: not before its message may leave, since nobody could tell. */
  #expectArrival(untold: boolean, nowNs: number): readonly PciEffect[] {
    const nextNs = untold ? nowNs : this.ring.nextArrivalNs(nowNs);
    if (nextNs === Infinity) return NO_EFFECTS;
    return this.wakeAt(ARRIVAL, Math.max(nextNs, this.interrupts.notBeforeNs(this.#vector)));
  }

  /**
   * Queue `queue` has received (`"rx"`) or sent (`"tx"`) something: its interrupt cause is raised.
   *
   * @returns the message, an alarm if throttling holds it back, or nothing if it is masked, pending already, or the
   * queue has no vector
   */
  raiseQueue(queue: number, direction: "rx" | "tx", nowNs: number): readonly PciEffect[] {
    const vector = this.queueVector(queue, direction);
    return vector === undefined ? NO_EFFECTS : this.interrupts.raise(vector, nowNs);
  }

  /** The vector that IVAR gives to a queue. */
  abstract queueVector(queue: number, direction: "rx" | "tx"): number | undefined;

  /** The throttling interval of a vector has passed, or a frame has arrived. */
  override alarm(source: number, nowNs: number): readonly PciEffect[] {
    return source === ARRIVAL ? this.#arrived(nowNs) : this.interrupts.elapsed(source, nowNs);
  }

  /** A frame is there that software may want to know of. */
  #arrived(nowNs: number): readonly PciEffect[] {
    if (!this.#listens || !this.#untold(nowNs)) return NO_EFFECTS;
    return this.interrupts.raise(this.#vector, nowNs);
  }

  /** Adds the whole state to `hash`. */
  override hashInto(hash: StateHash): void {
    super.hashInto(hash);
    this.interrupts.hashInto(hash);
    this.ring.hashInto(hash);
  }
}
