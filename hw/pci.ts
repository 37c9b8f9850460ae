/**
 * PCI Express functions, root ports and the bus that finds them.
 *
 * *Document*: PCI Local Bus Specification 3.0, "Configuration Space"; PCI-to-PCI Bridge Architecture Specification
 * 1.2, "Bus numbers"; PCI Express Base Specification 2.1.
 *
 * *Modelled*: type 0 and type 1 headers, base address registers with the sizing protocol, Memory Space and Bus Master
 * Enable, routing of configuration accesses by bus number, decoding of memory accesses, INTx with Interrupt Status and
 * Interrupt Disable.
 *
 * *Not modelled*: I/O space accesses, expansion ROMs, bridge windows (a memory access reaches the function that claims the
 * address), hot plug.
 *
 * *Deviations*: INTx is a wire to the interrupt controller, as on PCI, where PCI Express has a pair of messages for it.
 *
 * @module
 */

import type { EthernetPort } from "./ethernet.ts";
import {
  addAccessControlServices,
  addExpressCapability,
  type AlarmEffect,
  ConfigurationSpace,
  ExpressType,
  type MsiXCapability,
  NO_EFFECTS,
  type PciEffect,
} from "./pci_configuration.ts";
import { type MsiEffect, MSIX_ENTRY_SIZE } from "./msi.ts";
import type { MsiCapability } from "./msi_capability.ts";
import { type Bdf, routingId } from "./pci_place.ts";
import { field, lowBits, register, reserved, u32 } from "./registers.ts";
import type { StateHash } from "./sim/state_hash.ts";

export type {
  AlarmEffect,
  PciEffect,
  UnmodelledEffect,
  VirtualFunctionsEffect,
} from "./pci_configuration.ts";

export { type Bdf, bdfOf, formatBdf, parseBdf, placeOf, routingId } from "./pci_place.ts";

/** Who a function is. */
export interface PciIdentity {
  /** Who made the silicon. */
  readonly vendorId: number;
  /** Which device of the vendor. */
  readonly deviceId: number;
  /** Base class, subclass and interface, 24 bits: 0x020000 is an Ethernet controller. */
  readonly classCode: number;
  /** Stepping, 8 bits. */
  readonly revision: number;
  /** Who made the board. */
  readonly subsystemVendorId: number;
  /** Which board of that vendor. */
  readonly subsystemId: number;
}

/** A base address register. Firmware has placed it at `base`. */
export interface Bar {
  /** 0 to 5; a 64-bit register takes the next index too. */
  readonly index: number;
  /** Memory or ports. */
  readonly space: "memory" | "io";
  /** Bytes, a power of two, at least 16. */
  readonly size: number;
  /** Physical address, or port. */
  readonly base: number;
  /** Width of the address. */
  readonly bits: 32 | 64;
  /** Reads have no side effects. */
  readonly prefetchable: boolean;
}

/** The Command register of a function whose switches but Bus Master Enable are `rw`, or hard-wired. */
function commandRegister(switches: "rw" | "ro") {
  const unmodelled = switches === "rw" ? "unmodelled" : "ro";
  return register("Command", 0x04, 0, 16, [
    field("ioSpace", 1, switches),
    field("memorySpace", 1, switches),
    field("busMaster", 1),
    field("specialCycles", 1, "ro"),
    field("memoryWriteInvalidate", 1, "ro"),
    field("vgaPaletteSnoop", 1, "ro"),
    field("parityErrorResponse", 1, unmodelled),
    reserved(1),
    field("serrEnable", 1, unmodelled),
    field("fastBackToBack", 1, "ro"),
    field("interruptDisable", 1, switches),
    reserved(5),
  ]);
}

const COMMAND = commandRegister("rw");
/**
 * A virtual function's: it has no ports and no interrupt pin, and its memory answers as its physical function says (SR-IOV 1.1,
 * 3.4.1.3).
 */
const VF_COMMAND = commandRegister("ro");
const BUS_MASTER = COMMAND.field("busMaster").mask;
const INTERRUPT_DISABLE = COMMAND.field("interruptDisable").mask;
const STATUS = register("Status", 0x06, 0x0010, 16, [
  reserved(3),
  field("interruptStatus", 1, "ro"),
  field("capabilitiesList", 1, "ro"),
  reserved(3),
  field("masterDataParityError", 1, "rw1c"),
  reserved(2),
  field("signaledTargetAbort", 1, "rw1c"),
  field("receivedTargetAbort", 1, "rw1c"),
  field("receivedMasterAbort", 1, "rw1c"),
  field("signaledSystemError", 1, "rw1c"),
  field("detectedParityError", 1, "rw1c"),
]);
const INTERRUPT_STATUS = STATUS.field("interruptStatus").mask;
const INTERRUPT_LINE = register("Interrupt Line", 0x3c, 0, 8, [field("line", 8)]);

/** What a function is made from. */
export interface PciFunctionSpec extends PciIdentity {
  /** Where it is. */
  readonly bdf: Bdf;
  /** Its base address registers. */
  readonly bars: readonly Bar[];
  /** Header type: 0 for an endpoint, 1 for a bridge. */
  readonly headerType: 0 | 1;
  /** A virtual function: identifiers read all ones, base address registers are in the physical function. */
  readonly virtual?: boolean;
  /** 0 for none, 1 for INTA#. */
  readonly interruptPin?: number;
  /** The interrupt controller's input that firmware wrote into Interrupt Line. */
  readonly interruptLine?: number;
}

/** One function: configuration space, base addresses, and what its memory answers. Devices extend it. */
export class PciFunction {
  declare readonly spec: PciFunctionSpec;
  /** Where it is. */
  readonly bdf: Bdf;
  /** Its configuration space. */
  readonly configuration = new ConfigurationSpace();
  /** The MSI-X capability, if the function has one. */
  msiX: MsiXCapability | undefined;
  /** The MSI capability, if the function has one. */
  msi: MsiCapability | undefined;
  /** Where INTx# leads; null: nowhere. */
  interruptWire: ((asserted: boolean) => void) | null = null;
  /** Bus Master Enable: without it a function sends no messages. {@linkcode #commandChanged} keeps it. */
  #busMaster = false;
  readonly #wakes: (AlarmEffect & { atNs: number })[][] = [];

  /** Makes the function with the header that its specification describes. */
  constructor(spec: PciFunctionSpec) {
    this.spec = spec;
    this.bdf = spec.bdf;
    const { configuration } = this;
    const all = spec.virtual ? 0xffff : 0;
    configuration.addConstant(0x00, 16, spec.vendorId | all); // Vendor ID
    configuration.addConstant(0x02, 16, spec.deviceId | all); // Device ID
    configuration.add(spec.virtual ? VF_COMMAND : COMMAND, 0, () => this.#commandChanged());
    configuration.add(STATUS);
    configuration.addConstant(0x08, 32, u32(spec.classCode << 8 | spec.revision)); // Revision ID, Class Code
    configuration.addConstant(0x0e, 8, spec.headerType); // Header Type
    if (spec.headerType === 0) {
      configuration.addConstant(0x2c, 16, spec.subsystemVendorId); // Subsystem Vendor ID
      configuration.addConstant(0x2e, 16, spec.subsystemId); // Subsystem ID
    }
    if (!spec.virtual) { for (const bar of spec.bars) addBar(configuration, bar); }
    configuration.add(register("Interrupt Line", 0x3c, spec.interruptLine ?? 0, 8, [field("line", 8)]));
    configuration.addConstant(0x3d, 8, spec.interruptPin ?? 0); // Interrupt Pin
  }

  /** Memory Space Enable; a virtual function's is in its physical function, which overrides this. */
  get memoryEnabled(): boolean {
    return COMMAND.get(this.configuration.get(COMMAND), "memorySpace") === 1;
  }

  /** Bus Master Enable: without it a function sends no messages. */
  get busMaster(): boolean {
    return this.#busMaster;
  }

  /** Interrupt Line as software left it. */
  get interruptLine(): number {
    return this.configuration.get(INTERRUPT_LINE);
  }

  /** What `reset` and function-level reset do: every register of configuration space and device as after power-up. */
  reset(): void {
    this.configuration.reset();
    this.msiX?.table.reset();
    this.#commandChanged();
  }

  /** The device wants to interrupt by its line, or no more: Interrupt Status says so, and INTx# unless software forbids it. */
  protected setInterrupt(asserted: boolean): void {
    const before = this.configuration.word(STATUS.offset);
    const status = asserted ? before | INTERRUPT_STATUS : before & ~INTERRUPT_STATUS;
    if (status === before) return;
    this.configuration.set(STATUS, status);
    this.#driveInterrupt();
  }

  #commandChanged(): readonly PciEffect[] {
    this.#busMaster = (this.configuration.word(COMMAND.offset) & BUS_MASTER) !== 0;
    this.#driveInterrupt();
    return NO_EFFECTS;
  }

  #driveInterrupt(): void {
    const { configuration } = this;
    const wanted = (configuration.word(STATUS.offset) & INTERRUPT_STATUS) !== 0;
    this.interruptWire?.(wanted && (configuration.word(COMMAND.offset) & INTERRUPT_DISABLE) === 0);
  }

  /**
   * The message of cause `entry`: that entry's of MSI-X, or the one of MSI, which all causes share.
   *
   * @returns `undefined` if a mask holds it back, or messages are off, or Bus Master Enable is
   */
  protected messageOf(entry: number): MsiEffect | undefined {
    if (!this.busMaster) return undefined;
    return this.msiX?.table.enabled ? this.msiX.table.signal(entry) : this.msi?.signal();
  }

  /** The function whose memory lies behind `bar`: this one, unless a hypervisor has mapped another's there. */
  mapped(_bar: number): PciFunction {
    return this;
  }

  /** Reads 32 bits of memory behind `bar`, `offset` bytes from its base. Some registers change when they are read. */
  readMemory(bar: number, offset: number, nowNs: number): number {
    const inMsiX = this.#msiX(bar, offset);
    if (inMsiX === undefined) return this.readRegister(bar, offset, nowNs);
    return inMsiX.table ? this.msiX!.table.read(inMsiX.offset) : this.msiX!.table.readPending(inMsiX.offset);
  }

  /** Writes 32 bits of memory behind `bar`, `offset` bytes from its base. */
  writeMemory(bar: number, offset: number, value: number, nowNs: number): readonly PciEffect[] {
    const inMsiX = this.#msiX(bar, offset);
    if (inMsiX === undefined) return this.writeRegister(bar, offset, value, nowNs);
    return inMsiX.table ? this.msiX!.table.write(inMsiX.offset, value) : NO_EFFECTS;
  }

  /** Reads a port, `offset` from the first one of its I/O base address register. */
  readPort(_offset: number, bytes: 1 | 2 | 4): number {
    return lowBits(8 * bytes);
  }

  /** Writes a port. */
  writePort(_offset: number, _bytes: 1 | 2 | 4, _value: number): void {}

  /** Its network port, if it has one. */
  get ethernet(): EthernetPort | undefined {
    return undefined;
  }

  /**
   * The effect that asks for {@linkcode alarm} at `atNs`. It is carried out at once, so each source has one object for all
   * its alarms.
   */
  wakeAt(source: number, atNs: number): readonly PciEffect[] {
    const wake = this.#wakes[source] ??= [
      { kind: "alarm", function: routingId(this.bdf), source, atNs: NaN, alarm: null },
    ];
    wake[0]!.atNs = atNs;
    return wake;
  }

  /** An alarm that an effect asked for is due. */
  alarm(_source: number, _nowNs: number): readonly PciEffect[] {
    return NO_EFFECTS;
  }

  /** Adds the whole state to `hash`. */
  hashInto(hash: StateHash): void {
    this.configuration.hashInto(hash);
    this.msiX?.table.hashInto(hash);
  }

  /** A device's registers; reads 0 where there is none. */
  protected readRegister(_bar: number, _offset: number, _nowNs: number): number {
    return 0;
  }

  /** A device's registers. */
  protected writeRegister(
    _bar: number,
    _offset: number,
    _value: number,
    _nowNs: number,
  ): readonly PciEffect[] {
    return NO_EFFECTS;
  }

  #msiX(bar: number, offset: number): { table: boolean; offset: number } | undefined {
    if (this.msiX === undefined) return undefined;
    const { table, tableLocation, pendingLocation } = this.msiX;
    if (bar !== tableLocation.bar && bar !== pendingLocation.bar) return undefined;
    const inTable = offset - tableLocation.offset;
    if (bar === tableLocation.bar && inTable >= 0 && inTable < table.size * MSIX_ENTRY_SIZE) {
      return { table: true, offset: inTable };
    }
    const inPending = offset - pendingLocation.offset;
    if (bar === pendingLocation.bar && inPending >= 0 && inPending < Math.ceil(table.size / 64) * 8) {
      return { table: false, offset: inPending };
    }
    return undefined;
  }
}

/** Registers whose writable bits are those above the size, so that writing all ones reads back the size. */
function addBar(configuration: ConfigurationSpace, bar: Bar): void {
  const { index, space, size, base, bits, prefetchable } = bar;
  const zeros = Math.log2(size);
  if (!Number.isInteger(zeros) || zeros < 4 || zeros > 31 || base % size !== 0) {
    throw new RangeError(`BAR ${index}: size ${size} at 0x${base.toString(16)} is not aligned`);
  }
  const type = space === "io" ? 1 : (bits === 64 ? 4 : 0) | (prefetchable ? 8 : 0);
  const offset = 0x10 + 4 * index;
  configuration.add(
    register(`BAR ${index}`, offset, u32(base % 2 ** 32 | type), 32, [
      field("type", 4, "ro"),
      reserved(zeros - 4),
      field("base", 32 - zeros),
    ]),
  );
  if (bits === 64) {
    const high = Math.floor(base / 2 ** 32);
    configuration.add(register(`BAR ${index} upper half`, offset + 4, high, 32, [field("base", 32)]));
  }
}

const BUS_NUMBERS = register("Bus Numbers", 0x18, 0, 32, [
  field("primary", 8),
  field("secondary", 8),
  field("subordinate", 8),
  field("latencyTimer", 8, "ro"),
]);

/** A root port: the bridge from bus 0 to the buses of one slot. */
export class RootPort extends PciFunction {
  /**
   * Makes a port that firmware has numbered.
   *
   * @param secondaryBus the bus right behind the port, as firmware numbered it
   * @param subordinateBus the highest bus number behind the port: configuration accesses beyond it do not get through
   * @param accessControl whether it has Access Control Services
   */
  constructor(
    secondaryBus: number,
    subordinateBus: number,
    identity: PciIdentity & { readonly bdf: Bdf },
    accessControl = false,
  ) {
    super({ ...identity, bars: [], headerType: 1 });
    this.configuration.add(BUS_NUMBERS);
    this.configuration.set(BUS_NUMBERS, secondaryBus << 8 | subordinateBus << 16);
    addExpressCapability(this.configuration, 0xa0, ExpressType.rootPort);
    if (accessControl) addAccessControlServices(this.configuration, 0x100);
  }

  /** The bus right behind the port. */
  get secondaryBus(): number {
    return BUS_NUMBERS.get(this.configuration.get(BUS_NUMBERS), "secondary");
  }

  /** The highest bus number behind the port. */
  get subordinateBus(): number {
    return BUS_NUMBERS.get(this.configuration.get(BUS_NUMBERS), "subordinate");
  }

  /** Whether configuration accesses to `bus` go through this port. */
  routes(bus: number): boolean {
    return bus >= this.secondaryBus && bus <= this.subordinateBus;
  }
}

/** Something in a slot: one function or several, whose number may change (virtual functions). */
export interface PciEndpoint {
  /** The functions that are there now. */
  functions(): Iterable<PciFunction>;
}

/** Where a memory access ends. */
export interface Decoded {
  /** The function that claims the address. */
  readonly function: PciFunction;
  /** Index of its base address register. */
  readonly bar: number;
  /** Bytes from the base of the register's range. */
  readonly offset: number;
}

/** One hierarchy of buses: a root complex, its ports and what is plugged in. */
export class PciBus {
  readonly #ports: RootPort[] = [];
  readonly #endpoints: PciEndpoint[] = [];

  /** Adds a root port; it is a function of bus 0 itself. */
  addPort(port: RootPort): void {
    this.#ports.push(port);
  }

  /** Plugs something in. */
  plug(endpoint: PciEndpoint): void {
    this.#endpoints.push(endpoint);
  }

  /** The root ports, in the order added. */
  get ports(): readonly RootPort[] {
    return this.#ports;
  }

  /** The port behind which `bus` lies; `undefined` for bus 0 and for buses that no port routes. */
  portOf(bus: number): RootPort | undefined {
    return this.#ports.find((port) => port.routes(bus));
  }

  /** Every function that configuration accesses reach now, by routing identifier. */
  functions(): PciFunction[] {
    const found: PciFunction[] = [...this.#ports];
    for (const endpoint of this.#endpoints) {
      for (const each of endpoint.functions()) {
        if (each.bdf.bus === 0 || this.portOf(each.bdf.bus)) found.push(each);
      }
    }
    return found.sort((a, b) => routingId(a.bdf) - routingId(b.bdf));
  }

  /** The function at a place, or with a routing identifier, of domain 0. */
  find(place: Bdf | number): PciFunction | undefined {
    if (typeof place !== "number" && place.domain !== 0) return undefined;
    const id = typeof place === "number" ? place : routingId(place);
    return this.functions().find((each) => routingId(each.bdf) === id);
  }

  /** Reads configuration space; where no function answers all bits read 1. */
  read(place: Bdf, offset: number, size: 1 | 2 | 4): number {
    return this.find(place)?.configuration.read(offset, size) ?? lowBits(8 * size);
  }

  /** Writes configuration space. */
  write(place: Bdf, offset: number, size: 1 | 2 | 4, value: number): readonly PciEffect[] {
    return this.find(place)?.configuration.write(offset, size, value) ?? NO_EFFECTS;
  }

  /** The function whose enabled memory range holds `address`. */
  decode(address: number): Decoded | undefined {
    for (const each of this.functions()) {
      if (!each.memoryEnabled) continue;
      for (const { index, base, size } of memoryRanges(each)) {
        if (address >= base && address < base + size) {
          return { function: each, bar: index, offset: address - base };
        }
      }
    }
    return undefined;
  }

  /** Adds the state of every function on the bus to `hash`. */
  hashInto(hash: StateHash): void {
    for (const each of this.functions()) {
      hash.word(routingId(each.bdf));
      each.hashInto(hash);
    }
  }
}

/** The memory ranges of a function as its base address registers stand now. */
export function memoryRanges(each: PciFunction): { index: number; base: number; size: number }[] {
  return each.spec.bars.filter(({ space }) => space === "memory").map(({ index, base, size, bits }) => {
    if (each.spec.virtual) return { index, base, size };
    const offset = 0x10 + 4 * index;
    const low = u32(each.configuration.read(offset, 4) & ~15);
    return { index, base: low + (bits === 64 ? each.configuration.read(offset + 4, 4) * 2 ** 32 : 0), size };
  });
}
