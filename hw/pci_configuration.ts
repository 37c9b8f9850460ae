/**
 * The configuration space of a PCI Express function, made of register tables, and the capabilities in it.
 *
 * *Document*: PCI Local Bus Specification 3.0, "Configuration Space"; PCI Express Base Specification 2.1, "PCI Express
 * Capability Structure", "Extended Capabilities"; Single Root I/O Virtualization and Sharing Specification 1.1,
 * "SR-IOV Extended Capability".
 *
 * *Modelled*: access by byte, word and dword; read-only, write-1-to-clear and live registers; the lists of
 * capabilities and extended capabilities; MSI-X, PCI Express (function-level reset), SR-IOV, Access
 * Control Services (its registers: the model has no peer-to-peer requests that it would redirect).
 *
 * *Not modelled*: power management, VPD, error reporting, VF migration, ARI.
 *
 * @module
 */

import { type MsiEffect, MsiXTable } from "./msi.ts";
import type { Alarm } from "./sim/engine.ts";
import { field, lowBits, type Register, register, reserved, u32 } from "./registers.ts";
import type { StateHash } from "./sim/state_hash.ts";

/** The number of virtual functions of a physical function has changed; they are there, or gone, now. */
export interface VirtualFunctionsEffect {
  /** Tells effects apart. */
  readonly kind: "virtualFunctions";
  /** Routing identifier of the physical function. */
  readonly physicalFunction: number;
  /** How many there are now. */
  readonly count: number;
}

/** The device asks to have `alarm(source, nowNs)` called at `atNs`: devices have no clock of their own. */
export interface AlarmEffect {
  /** Tells effects apart. */
  readonly kind: "alarm";
  /** Routing identifier of the function. */
  readonly function: number;
  /** What the function uses to know the alarm again: a vector number. */
  readonly source: number;
  /** When, ns of absolute time. */
  readonly atNs: number;
  /** Kept by whoever carries the effect out: a source asks with the same object each time. */
  alarm: Alarm | null;
}

/** Software touched something that exists but is not modelled: nothing follows, and it should be said. */
export interface UnmodelledEffect {
  /** Tells effects apart. */
  readonly kind: "unmodelled";
  /** What was touched, for a message: `"82599 register 0x05080"`. */
  readonly what: string;
}

/** What follows from an access to a function. Whoever made the access applies it. */
export type PciEffect = MsiEffect | VirtualFunctionsEffect | AlarmEffect | UnmodelledEffect;

/** Nothing follows. */
export const NO_EFFECTS: readonly PciEffect[] = [];

/** Bytes of the configuration space of a PCI Express function. */
export const CONFIGURATION_SIZE = 4096;

/** A register whose value lives elsewhere in the device. */
export interface LiveRegister {
  /** The value now. */
  read(): number;
  /** Software writes the whole register. */
  write(value: number): readonly PciEffect[];
}

/** Called after a write by software that touches a register, with its value before and after. */
type Written = (before: number, after: number) => readonly PciEffect[];

class Placed {
  readonly end: number;

  constructor(
    readonly start: number,
    readonly bytes: number,
    readonly reset: number | undefined,
    readonly live: LiveRegister | undefined,
    readonly written: Written | undefined,
  ) {
    this.end = start + bytes;
  }
}

/** The bytes of a configuration space and the rules for writing them. What no table covers reads 0. */
export class ConfigurationSpace {
  readonly #bytes: Uint8Array;
  readonly #writable: Uint8Array;
  readonly #clearable: Uint8Array;
  readonly #placed: Placed[] = [];
  #lastCapability = 0x34;
  #lastExtended = 0;

  constructor() {
    const memory = new ArrayBuffer(3 * CONFIGURATION_SIZE); // one piece: a laboratory boots with many functions
    const part = (index: number) => new Uint8Array(memory, index * CONFIGURATION_SIZE, CONFIGURATION_SIZE);
    [this.#bytes, this.#writable, this.#clearable] = [part(0), part(1), part(2)];
  }

  /** Places `width` bits that say what the function is, and never change. */
  addConstant(offset: number, width: 8 | 16 | 32, value: number): void {
    if (u32(value & lowBits(width)) !== value) {
      throw new RangeError(`Constant at 0x${offset.toString(16)}: ${value} does not fit in ${width} bits`);
    }
    this.#store(offset, width / 8, value);
  }

  /** Places a register at `base + register.offset` with its reset value. */
  add<Name extends string>(register: Register<Name>, base = 0, written?: Written): void {
    const start = base + register.offset;
    const bytes = register.width / 8;
    for (let i = 0; i < bytes; i++) {
      this.#writable[start + i] = register.writableMask >>> (8 * i);
      this.#clearable[start + i] = register.clearableMask >>> (8 * i);
    }
    this.#store(start, bytes, register.reset);
    this.#placed.push(new Placed(start, bytes, register.reset, undefined, written));
  }

  /** Places a register of `width` bits whose value lives elsewhere. */
  addLive(offset: number, width: 8 | 16 | 32, live: LiveRegister): void {
    this.#placed.push(new Placed(offset, width / 8, undefined, live, undefined));
  }

  /** Appends a capability to the list: its header at `offset`. Capabilities are added in the order of the list. */
  addCapability(id: number, offset: number): void {
    this.#bytes[this.#lastCapability] = offset;
    this.#bytes[offset] = id;
    this.#lastCapability = offset + 1;
  }

  /** Appends an extended capability. The first must be at 0x100. */
  addExtendedCapability(id: number, version: number, offset: number): void {
    const header = this.#lastExtended;
    if (header !== 0) {
      this.#store(header, 4, u32(this.#load(header, 4) & 0x000f_ffff | offset << 20));
    } else if (offset !== 0x100) {
      throw new RangeError(`First extended capability at 0x${offset.toString(16)}: must be at 0x100`);
    }
    this.#store(offset, 4, id | version << 16);
    this.#lastExtended = offset;
  }

  /** Every register to its reset value; the lists of capabilities stay. */
  reset(): void {
    for (const { start, bytes, reset } of this.#placed) {
      if (reset !== undefined) this.#store(start, bytes, reset);
    }
  }

  /** Reads `size` bytes (1, 2 or 4). Beyond the end, or across it, all bits read 1. */
  read(offset: number, size: 1 | 2 | 4): number {
    if (offset < 0 || offset + size > CONFIGURATION_SIZE) return lowBits(8 * size);
    for (const { start, end, bytes, live } of this.#placed) {
      if (live && start < offset + size && offset < end) this.#store(start, bytes, live.read());
    }
    return this.#load(offset, size);
  }

  /** Writes `size` bytes (1, 2 or 4) as software does; what the tables protect stays. */
  write(offset: number, size: 1 | 2 | 4, value: number): readonly PciEffect[] {
    if (offset < 0 || offset + size > CONFIGURATION_SIZE) return NO_EFFECTS;
    const touched = this.#placed.filter(({ start, end }) => start < offset + size && offset < end);
    const before = touched.map(({ start, bytes, live }) => live ? live.read() : this.#load(start, bytes));
    for (let i = 0; i < size; i++) {
      const written = value >>> (8 * i) & 0xff;
      const writable = this.#writable[offset + i]!;
      const clearable = this.#clearable[offset + i]! & written;
      this.#bytes[offset + i] = (this.#bytes[offset + i]! & ~writable | written & writable) & ~clearable;
    }
    const effects: PciEffect[] = [];
    touched.forEach(({ start, end, bytes, live, written }, index) => {
      if (live) {
        // The part of the register that this access does not reach keeps its value.
        this.#store(start, bytes, before[index]!);
        for (let i = Math.max(start, offset); i < Math.min(end, offset + size); i++) {
          this.#bytes[i] = value >>> (8 * (i - offset));
        }
        effects.push(...live.write(this.#load(start, bytes)));
      } else if (written) {
        effects.push(...written(before[index]!, this.#load(start, bytes)));
      }
    });
    return effects;
  }

  /** The device's own look at a register. */
  get<Name extends string>(register: Register<Name>, base = 0): number {
    return this.#load(base + register.offset, register.width / 8);
  }

  /** The 16 bits at `offset`, as they are: for what is looked at with every interrupt. */
  word(offset: number): number {
    return this.#bytes[offset]! | this.#bytes[offset + 1]! << 8;
  }

  /** The device's own write of a register: no access rules, no effects. */
  set<Name extends string>(register: Register<Name>, value: number, base = 0): void {
    this.#store(base + register.offset, register.width / 8, value);
  }

  /** Adds every byte to `hash`. */
  hashInto(hash: StateHash): void {
    hash.words(this.#bytes);
  }

  #load(offset: number, bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= this.#bytes[offset + i]! << (8 * i);
    return u32(value);
  }

  #store(offset: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) this.#bytes[offset + i] = value >>> (8 * i);
  }
}

/** Capability identifiers (PCI Code and ID Assignment Specification). */
export const CapabilityId = Object.freeze({ msi: 0x05, pciExpress: 0x10, msiX: 0x11 });

/** Extended capability identifiers. */
export const ExtendedCapabilityId = Object.freeze({
  advancedErrorReporting: 0x0001,
  accessControlServices: 0x000d,
  sriov: 0x0010,
});

/** Where a capability says that a structure lies. */
export interface BarLocation {
  /** Index of the base address register. */
  readonly bar: number;
  /** Bytes, a multiple of 8. */
  readonly offset: number;
}

/** The MSI-X capability: where table and pending bits are, and Message Control. */
export class MsiXCapability {
  /** The table, which holds Message Control too. */
  readonly table: MsiXTable;

  /** Appends the capability to its list. */
  constructor(
    configuration: ConfigurationSpace,
    readonly offset: number,
    size: number,
    readonly tableLocation: BarLocation,
    readonly pendingLocation: BarLocation,
  ) {
    const table = this.table = new MsiXTable(size);
    configuration.addCapability(CapabilityId.msiX, offset);
    configuration.addLive(offset + 2, 16, {
      read: () => table.readControl(),
      write: (value) => table.writeControl(value),
    });
    // MSI-X Table Offset, MSI-X PBA Offset: BAR Indicator Register in bits 2:0.
    configuration.addConstant(offset + 0x04, 32, u32(tableLocation.offset | tableLocation.bar));
    configuration.addConstant(offset + 0x08, 32, u32(pendingLocation.offset | pendingLocation.bar));
  }
}

const EXPRESS_DEVICE_CONTROL = register("Device Control", 0x08, 0x2810, 16, [
  field("errorReporting", 4, "unmodelled"),
  field("relaxedOrdering", 1, "unmodelled"),
  field("maxPayloadSize", 3, "unmodelled"),
  field("extendedTag", 1, "unmodelled"),
  field("phantomFunctions", 1, "unmodelled"),
  field("auxPower", 1, "unmodelled"),
  field("noSnoop", 1, "unmodelled"),
  field("maxReadRequestSize", 3, "unmodelled"),
  field("functionLevelReset", 1),
]);

/** PCI Express device and port types of the PCI Express Capabilities register. */
export const ExpressType = Object.freeze({ endpoint: 0, rootPort: 4 });

/**
 * Adds a PCI Express capability.
 *
 * @param functionLevelReset called when software writes Initiate Function Level Reset
 */
export function addExpressCapability(
  configuration: ConfigurationSpace,
  offset: number,
  type: number,
  functionLevelReset?: () => readonly PciEffect[],
): void {
  configuration.addCapability(CapabilityId.pciExpress, offset);
  // PCI Express Capabilities: version in bits 3:0, type in 7:4. Device Capabilities: Function Level Reset in bit 28.
  configuration.addConstant(offset + 0x02, 16, 2 | type << 4);
  configuration.addConstant(offset + 0x04, 32, functionLevelReset ? 1 << 28 : 0);
  configuration.add(EXPRESS_DEVICE_CONTROL, offset, (_before, after) => {
    if (EXPRESS_DEVICE_CONTROL.get(after, "functionLevelReset") === 0) return NO_EFFECTS;
    // The bit always reads 0.
    configuration.set(
      EXPRESS_DEVICE_CONTROL,
      EXPRESS_DEVICE_CONTROL.with(after, "functionLevelReset", 0),
      offset,
    );
    return functionLevelReset ? functionLevelReset() : NO_EFFECTS;
  });
}

const SRIOV_CONTROL = register("SR-IOV Control", 0x08, 0, 16, [
  field("vfEnable", 1),
  field("vfMigrationEnable", 1, "unmodelled"),
  field("vfMigrationInterruptEnable", 1, "unmodelled"),
  field("vfMemorySpaceEnable", 1),
  field("ariCapableHierarchy", 1, "ro"),
  reserved(11),
]);
const VF_ENABLE = SRIOV_CONTROL.field("vfEnable").mask;
const SRIOV_NUM_VFS = register("NumVFs", 0x10, 0, 16, [field("numVfs", 16)]);
const SRIOV_PAGE_SIZE = register("System Page Size", 0x20, 1, 32, [field("pageSize", 32, "unmodelled")]);

const ACS_SERVICES = [
  "sourceValidation",
  "translationBlocking",
  "p2pRequestRedirect",
  "p2pCompletionRedirect",
  "upstreamForwarding",
] as const;
/** All five services that keep requests of one function from another, bits 4:0. */
const ACS_ALL = 0x1f;
const ACS_CAPABILITY = register("ACS Capability", 0x04, ACS_ALL, 16, [
  ...ACS_SERVICES.map((name) => field(name, 1, "ro")),
  reserved(11),
]);
const ACS_CONTROL = register("ACS Control", 0x06, 0, 16, [
  ...ACS_SERVICES.map((name) => field(name, 1)),
  reserved(11),
]);

/** Adds Access Control Services at `offset`: software may have the port keep the functions behind it apart. */
export function addAccessControlServices(configuration: ConfigurationSpace, offset: number): void {
  configuration.addExtendedCapability(ExtendedCapabilityId.accessControlServices, 1, offset);
  configuration.add(ACS_CAPABILITY, offset);
  configuration.add(ACS_CONTROL, offset);
}

/** What a device says in its SR-IOV capability. */
export interface SriovParameters {
  /** InitialVFs and TotalVFs. */
  readonly totalVfs: number;
  /** Routing identifier of the first virtual function minus that of the physical one. */
  readonly firstVfOffset: number;
  /** Distance of the routing identifiers of two virtual functions. */
  readonly vfStride: number;
  /** Device identifier of the virtual functions. */
  readonly vfDeviceId: number;
  /** Physical base address of virtual function 0's memory, by index of its base address register. */
  readonly vfBars: readonly { readonly index: number; readonly base: number }[];
}

/** The SR-IOV extended capability of a physical function. */
export class SriovCapability {
  /** Appends the capability to its list. */
  constructor(
    readonly configuration: ConfigurationSpace,
    readonly offset: number,
    readonly parameters: SriovParameters,
    routingId: number,
    /** Called when virtual functions appear or go, before anybody can reach them. */
    changed: () => void,
  ) {
    const { totalVfs, firstVfOffset, vfStride, vfDeviceId, vfBars } = parameters;
    const constant = (at: number, width: 16 | 32, value: number) =>
      configuration.addConstant(offset + at, width, value);
    configuration.addExtendedCapability(ExtendedCapabilityId.sriov, 1, offset);
    configuration.add(SRIOV_CONTROL, offset, (before, after) => {
      if (SRIOV_CONTROL.get(before, "vfEnable") === SRIOV_CONTROL.get(after, "vfEnable")) return NO_EFFECTS;
      changed();
      return [{ kind: "virtualFunctions", physicalFunction: routingId, count: this.enabledVfs }];
    });
    constant(0x0c, 16, totalVfs); // InitialVFs
    constant(0x0e, 16, totalVfs); // TotalVFs
    configuration.add(SRIOV_NUM_VFS, offset, (before, after) => {
      // Undefined by the specification: a change while VF Enable is set, a number above TotalVFs. Both are refused.
      if (this.#enabled || after > totalVfs) configuration.set(SRIOV_NUM_VFS, before, offset);
      return NO_EFFECTS;
    });
    constant(0x14, 16, firstVfOffset); // First VF Offset
    constant(0x16, 16, vfStride); // VF Stride
    constant(0x1a, 16, vfDeviceId); // VF Device ID
    constant(0x1c, 32, 0x553); // Supported Page Sizes
    configuration.add(SRIOV_PAGE_SIZE, offset);
    for (const { index, base } of vfBars) {
      // 64-bit, prefetchable memory; firmware has given the address.
      constant(0x24 + 4 * index, 32, u32(base % 2 ** 32 | 0xc));
      constant(0x28 + 4 * index, 32, Math.floor(base / 2 ** 32));
    }
  }

  get #enabled(): boolean {
    return (this.configuration.get(SRIOV_CONTROL, this.offset) & VF_ENABLE) !== 0;
  }

  /** NumVFs. */
  get numVfs(): number {
    return this.configuration.get(SRIOV_NUM_VFS, this.offset);
  }

  /** Virtual functions that exist: NumVFs while VF Enable is set, else 0. */
  get enabledVfs(): number {
    const { configuration, offset } = this;
    const enabled = (configuration.word(offset + SRIOV_CONTROL.offset) & VF_ENABLE) !== 0;
    return enabled ? configuration.word(offset + SRIOV_NUM_VFS.offset) : 0;
  }

  /** VF Memory Space Enable: virtual functions answer to memory accesses. */
  get memorySpaceEnabled(): boolean {
    return SRIOV_CONTROL.get(this.configuration.get(SRIOV_CONTROL, this.offset), "vfMemorySpaceEnable") === 1;
  }
}
