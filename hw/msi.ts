/**
 * Message-signalled interrupts: the message a function writes to interrupt a processor, and the MSI-X table.
 *
 * *Document*: Intel SDM vol. 3A, "Message Signalled Interrupts" (address and data formats); Intel VT-d
 * specification, "Interrupt Requests in Remappable Format"; PCI Local Bus Specification 3.0, "MSI-X Capability and
 * Table Structures", "Per-vector Masking and Function Masking".
 *
 * *Modelled*: both address formats, message data, the MSI-X table with vector and function masks, the pending-bit
 * array, messages that were held back and leave when a mask opens.
 *
 * *Not modelled*: multiple-message MSI, level-triggered messages' deassertion.
 *
 * *Deviations*: the specification leaves undefined what happens when address or data of an unmasked entry change;
 * here the next message has the new value, as in the devices we know.
 *
 * Nothing here delivers a message: what a write or a signal leads to is returned as an {@linkcode MsiEffect}.
 *
 * @module
 */

import { field, register, reserved, u32 } from "./registers.ts";
import type { StateHash } from "./sim/state_hash.ts";

/** A function writes `data` to `address`: the interrupt is on its way. */
export interface MsiEffect {
  /** Tells effects apart. */
  readonly kind: "msi";
  /** Physical address, 0xFEEx_xxxx for the interrupt controllers of a PC. */
  readonly address: number;
  /** Upper half of the address; 0 unless the platform uses extended destination identifiers. */
  readonly addressHigh: number;
  /** Message data, see {@linkcode decodeMsi}. */
  readonly data: number;
  /** The MSI-X entry, or MSI message number, that it comes from. */
  readonly entry: number;
}

/** Delivery modes of message data (and of an APIC's interrupt command). */
export type DeliveryMode = "fixed" | "lowestPriority" | "smi" | "nmi" | "init" | "extInt";

/** What a message says once address and data are taken apart. */
export interface MsiMessage {
  /** The interrupt vector, 0 to 255. */
  readonly vector: number;
  /** APIC identifier, or a set of them in logical mode; 8 bits. */
  readonly destination: number;
  /** How `destination` is read. */
  readonly destinationMode: "physical" | "logical";
  /** Redirection hint: the message may go to any one of the destinations. */
  readonly redirectionHint: boolean;
  /** What the processor makes of it. */
  readonly deliveryMode: DeliveryMode;
  /** Trigger mode; messages of functions are edge-triggered. */
  readonly trigger: "edge" | "level";
  /** Only for level-triggered messages. */
  readonly level: 0 | 1;
}

const ADDRESS = register("Message Address", 0x00, 0xfee0_0000, 32, [
  reserved(2),
  field("destinationMode", 1),
  field("redirectionHint", 1),
  field("remappable", 1),
  reserved(7),
  field("destination", 8),
  field("base", 12, "ro"),
]);

// In remappable format bit 4 is set, bit 3 says that the data's low half is added to the handle, and the handle's
// bits 14:0 lie in 19:5, its bit 15 in bit 2.
const REMAPPABLE_ADDRESS = register("Message Address (remappable)", 0x00, 0xfee0_0010, 32, [
  reserved(2),
  field("handle15", 1),
  field("subhandleValid", 1),
  field("remappable", 1, "ro"),
  field("handle", 15),
  field("base", 12, "ro"),
]);

const DATA = register("Message Data", 0x08, 0, 32, [
  field("vector", 8),
  field("deliveryMode", 3),
  reserved(3),
  field("level", 1),
  field("trigger", 1),
  reserved(16),
]);

/** The 1 MiB of addresses that are interrupts and not memory. */
const INTERRUPT_BASE = 0xfee;

const DELIVERY_MODES: Readonly<Record<DeliveryMode, number>> = {
  fixed: 0,
  lowestPriority: 1,
  smi: 2,
  nmi: 4,
  init: 5,
  extInt: 7,
};

/** Whether a write to this address is an interrupt. */
export function isInterruptAddress(address: number): boolean {
  return ADDRESS.get(address, "base") === INTERRUPT_BASE;
}

/**
 * Address and data of a message.
 *
 * @throws {RangeError} if vector or destination do not fit their 8 bits
 */
export function encodeMsi(message: MsiMessage): { address: number; data: number } {
  let address = ADDRESS.reset;
  address = ADDRESS.with(address, "destination", message.destination);
  address = ADDRESS.with(address, "destinationMode", message.destinationMode === "logical" ? 1 : 0);
  address = ADDRESS.with(address, "redirectionHint", message.redirectionHint ? 1 : 0);
  let data = DATA.with(0, "vector", message.vector);
  data = DATA.with(data, "deliveryMode", DELIVERY_MODES[message.deliveryMode]);
  data = DATA.with(data, "trigger", message.trigger === "level" ? 1 : 0);
  data = DATA.with(data, "level", message.level);
  return { address, data };
}

/**
 * Takes a message in compatibility format apart.
 *
 * @returns `undefined` if the address is no interrupt's, is in remappable format, or the delivery mode is reserved
 */
export function decodeMsi(address: number, data: number): MsiMessage | undefined {
  if (!isInterruptAddress(address) || ADDRESS.get(address, "remappable") === 1) return undefined;
  const mode = DATA.get(data, "deliveryMode");
  const deliveryMode = (Object.keys(DELIVERY_MODES) as DeliveryMode[]).find((name) =>
    DELIVERY_MODES[name] === mode
  );
  if (deliveryMode === undefined) return undefined;
  return {
    vector: DATA.get(data, "vector"),
    destination: ADDRESS.get(address, "destination"),
    destinationMode: ADDRESS.get(address, "destinationMode") === 1 ? "logical" : "physical",
    redirectionHint: ADDRESS.get(address, "redirectionHint") === 1,
    deliveryMode,
    trigger: DATA.get(data, "trigger") === 1 ? "level" : "edge",
    level: DATA.get(data, "level") === 1 ? 1 : 0,
  };
}

/** `data` with another vector and everything else kept: how an interrupt is re-vectored on the device. */
export function withVector(data: number, vector: number): number {
  return DATA.with(data, "vector", vector);
}

/** The address of a message in remappable format: `handle` is an index into the interrupt-remapping table, 16 bits. */
export function encodeRemappable(handle: number, subhandleValid: boolean): number {
  let address = REMAPPABLE_ADDRESS.with(REMAPPABLE_ADDRESS.reset, "handle", handle & 0x7fff);
  address = REMAPPABLE_ADDRESS.with(address, "handle15", (handle >>> 15) & 1);
  return REMAPPABLE_ADDRESS.with(address, "subhandleValid", subhandleValid ? 1 : 0);
}

/** The remapping-table index of a message, or `undefined` if it is not in remappable format. */
export function remappableIndex(address: number, data: number): number | undefined {
  if (!isInterruptAddress(address) || REMAPPABLE_ADDRESS.get(address, "remappable") === 0) return undefined;
  const handle = REMAPPABLE_ADDRESS.get(address, "handle") |
    (REMAPPABLE_ADDRESS.get(address, "handle15") << 15);
  return REMAPPABLE_ADDRESS.get(address, "subhandleValid") === 1
    ? (handle + (data & 0xffff)) & 0xffff
    : handle;
}

const MESSAGE_CONTROL = register("MSI-X Message Control", 0x02, 0, 16, [
  field("tableSize", 11, "ro"),
  reserved(3),
  field("functionMask", 1),
  field("enable", 1),
]);

const VECTOR_CONTROL = register("MSI-X Vector Control", 0x0c, 1, 32, [field("mask", 1), reserved(31)]);

const ENABLE = MESSAGE_CONTROL.field("enable").mask;
const FUNCTION_MASK = MESSAGE_CONTROL.field("functionMask").mask;
const MASK = VECTOR_CONTROL.field("mask").mask;

/** Dwords of an entry: address, upper address, data, vector control. */
const ENTRY_DWORDS = 4;

/** Bytes of an entry. */
export const MSIX_ENTRY_SIZE = 16;

const NONE: readonly MsiEffect[] = [];

/**
 * The MSI-X table of a function with its pending-bit array and its Message Control register.
 *
 * `signal` is the device's side, the `write…` methods are software's. Each returns the messages that leave at once.
 */
export class MsiXTable {
  readonly #entries: Uint32Array;
  readonly #pending: Uint32Array;
  /** The message of each entry, made when it first leaves after a write, so that a signal allocates nothing. */
  readonly #messages: (MsiEffect | undefined)[];
  #control: number;
  /** Told when software opens the mask of an entry; null: nobody wants to know. */
  unmasked: (() => void) | null = null;

  /**
   * Makes the table as it is after reset.
   *
   * @param size entries, 1 to 2048
   */
  constructor(readonly size: number) {
    if (!Number.isInteger(size) || size < 1 || size > 2048) {
      throw new RangeError(`MSI-X table of ${size} entries: must be 1 to 2048`);
    }
    this.#entries = new Uint32Array(size * ENTRY_DWORDS);
    this.#pending = new Uint32Array(Math.ceil(size / 32));
    this.#messages = new Array<undefined>(size);
    this.#control = MESSAGE_CONTROL.with(0, "tableSize", size - 1);
    this.reset();
  }

  /** Every entry masked and empty, MSI-X disabled. */
  reset(): void {
    this.#entries.fill(0);
    this.#pending.fill(0);
    this.#messages.fill(undefined);
    for (let entry = 0; entry < this.size; entry++) {
      this.#entries[entry * ENTRY_DWORDS + 3] = VECTOR_CONTROL.reset;
    }
    this.#control = MESSAGE_CONTROL.with(0, "tableSize", this.size - 1);
  }

  /** MSI-X Enable: the function uses MSI-X and no other interrupt. */
  get enabled(): boolean {
    return (this.#control & ENABLE) !== 0;
  }

  /** Function Mask: all entries are masked. */
  get functionMasked(): boolean {
    return (this.#control & FUNCTION_MASK) !== 0;
  }

  /** Whether entry `entry`'s own mask bit is set. */
  masked(entry: number): boolean {
    this.#check(entry);
    return (this.#entries[entry * ENTRY_DWORDS + 3]! & MASK) !== 0;
  }

  /** Whether a message of this entry is held back. */
  pending(entry: number): boolean {
    this.#check(entry);
    return (this.#pending[entry >>> 5]! >>> (entry & 31) & 1) === 1;
  }

  /** The message that the entry holds, masked or not. */
  message(entry: number): MsiEffect {
    this.#check(entry);
    return this.#messages[entry] ?? this.#compose(entry);
  }

  /** The entries whose signals leave now: MSI-X enabled, function not masked, entry not masked. Ascending. */
  enabledEntries(): number[] {
    const entries: number[] = [];
    if (!this.enabled || this.functionMasked) return entries;
    for (let entry = 0; entry < this.size; entry++) if (!this.masked(entry)) entries.push(entry);
    return entries;
  }

  /**
   * The device wants to interrupt through `entry`.
   *
   * @returns the message, or `undefined` if a mask holds it back (it is pending then) or MSI-X is not enabled (a
   * function uses its other interrupt mechanism then, and nothing is pending)
   */
  signal(entry: number): MsiEffect | undefined {
    this.#check(entry);
    if (!this.enabled) return undefined;
    if (((this.#control & FUNCTION_MASK) | (this.#entries[entry * ENTRY_DWORDS + 3]! & MASK)) !== 0) {
      this.#pending[entry >>> 5]! |= 1 << (entry & 31);
      return undefined;
    }
    return this.#messages[entry] ?? this.#compose(entry);
  }

  /** The condition behind a pending message is gone: the device takes it back. */
  withdraw(entry: number): void {
    this.#check(entry);
    this.#pending[entry >>> 5]! &= ~(1 << (entry & 31));
  }

  /** Reads a dword of the table; `offset` in bytes from its start. Beyond the table reads 0. */
  read(offset: number): number {
    return this.#entries[offset >>> 2] ?? 0;
  }

  /** Writes a dword of the table; `offset` in bytes from its start. Beyond the table nothing happens. */
  write(offset: number, value: number): readonly MsiEffect[] {
    const index = offset >>> 2;
    const before = this.#entries[index];
    if (before === undefined) return NONE;
    const entry = Math.floor(index / ENTRY_DWORDS);
    switch (index % ENTRY_DWORDS) {
      case 0:
        // Messages are dwords: the two low address bits are read-only zero.
        this.#entries[index] = u32(value & ~3);
        break;
      case 3:
        this.#entries[index] = VECTOR_CONTROL.write(before, value);
        if ((before & ~this.#entries[index]! & MASK) !== 0) this.unmasked?.();
        return this.#release(entry);
      default:
        this.#entries[index] = u32(value);
    }
    this.#messages[entry] = undefined;
    return NONE;
  }

  /** Reads 32 bits of the pending-bit array; software cannot write it. `offset` in bytes, a multiple of 4. */
  readPending(offset: number): number {
    return u32(this.#pending[offset >>> 2] ?? 0);
  }

  /** Message Control, 16 bits. */
  readControl(): number {
    return this.#control;
  }

  /** Writes Message Control. Opening the function mask lets pending messages go. */
  writeControl(value: number): readonly MsiEffect[] {
    this.#control = MESSAGE_CONTROL.write(this.#control, value);
    const effects: MsiEffect[] = [];
    for (let entry = 0; entry < this.size; entry++) effects.push(...this.#release(entry));
    return effects;
  }

  /** Rewrites address and data of an entry in one go, as three dword writes do. */
  writeMessage(entry: number, message: { address: number; addressHigh?: number; data: number }): void {
    this.#check(entry);
    const offset = entry * MSIX_ENTRY_SIZE;
    this.write(offset, message.address);
    this.write(offset + 4, message.addressHigh ?? 0);
    this.write(offset + 8, message.data);
  }

  /** Sets or clears the mask bit of an entry. */
  setMask(entry: number, masked: boolean): readonly MsiEffect[] {
    this.#check(entry);
    return this.write(entry * MSIX_ENTRY_SIZE + 12, masked ? 1 : 0);
  }

  /** Adds the whole state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.#control).words(this.#entries).words(this.#pending);
  }

  #release(entry: number): readonly MsiEffect[] {
    if (!this.pending(entry) || !this.enabled || this.functionMasked || this.masked(entry)) return NONE;
    this.withdraw(entry);
    return [this.message(entry)];
  }

  #compose(entry: number): MsiEffect {
    const at = entry * ENTRY_DWORDS;
    return this.#messages[entry] = {
      kind: "msi",
      address: this.#entries[at]!,
      addressHigh: this.#entries[at + 1]!,
      data: this.#entries[at + 2]!,
      entry,
    };
  }

  #check(entry: number): void {
    if (!(entry >= 0 && entry < this.size)) {
      throw new RangeError(`MSI-X entry ${entry}: the table has ${this.size}`);
    }
  }
}
