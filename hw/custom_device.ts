/**
 * A PCI function whose registers are given by a program from outside the model.
 *
 * *Document*: PCI Local Bus Specification 3.0; PCI Express Base Specification 2.1, as `pci.ts` and `msi.ts` have them.
 *
 * *Modelled*: a type 0 header, one memory BAR of 32-bit registers, I/O ports at fixed addresses, vendor-specific
 * registers of configuration space, messages by MSI-X or MSI, one interrupt line, alarms at virtual times.
 *
 * *Not modelled*: DMA, expansion ROMs, function-level reset, I/O BARs: the ports stay where they are.
 *
 * @module
 */

import type { StateHash } from "./sim/state_hash.ts";
import { type PciEndpoint, PciFunction, placeOf } from "./pci.ts";
import { MsiXCapability, NO_EFFECTS, type PciEffect } from "./pci_configuration.ts";
import { MSIX_ENTRY_SIZE } from "./msi.ts";
import { MsiCapability } from "./msi_capability.ts";

/** What a device can do to the machine. */
export interface DevicePort {
  /** Virtual time, ns. */
  readonly nowNs: number;
  /**
   * Sends the message of MSI-X entry `entry`, or with MSI in use the one message; where software has masked it, it is
   * pending. Not while something is read.
   */
  message(entry: number): void;
  /** Asserts INTA#, or no longer; software may forbid that (Interrupt Disable). */
  line(asserted: boolean): void;
  /** {@linkcode DeviceRegisters.woken} is called at `timeNs` with that number; a later call for it moves it. Not while something is read. */
  wakeAt(timeNs: number, number?: number): void;
}

/** The registers of a device, made anew for each machine. What it does depends on nothing but its calls. */
export interface DeviceRegisters {
  /** Reads 32 bits, `offset` bytes into its memory. */
  read(offset: number): number;
  /** Writes 32 bits. */
  write(offset: number, value: number): void;
  /** Reads a port, counted from its first one; all bits are 1 where absent. */
  readPort?(port: number): number;
  /** Writes a port. */
  writePort?(port: number, value: number): void;
  /** Reads 32 bits of configuration space from 0xc0 on, where a vendor has registers of its own; 0 where absent. */
  readConfiguration?(offset: number): number;
  /** Writes them. */
  writeConfiguration?(offset: number, value: number): void;
  /** An alarm is due. */
  woken?(number: number): void;
  /** All of its state, for the state hash. */
  state(): readonly (number | string | boolean)[];
}

/** What a device is, and how its registers are made. */
export interface DeviceModel {
  /** What messages, drivers and tables call it: lower-case letters, digits and `_`. */
  readonly name: string;
  /** Its place on bus 0, `00:1f.0`. */
  readonly address: string;
  /** Who made it, 16 bits. */
  readonly vendorId: number;
  /** Which device of the vendor, 16 bits. */
  readonly deviceId: number;
  /** Base class, subclass and interface, 24 bits; 0xff0000, "unassigned class", where absent. */
  readonly classCode?: number;
  /** Bytes of memory for its registers, a power of two from 16; 4096 where absent. */
  readonly memoryBytes?: number;
  /** Its I/O ports. */
  readonly ports?: { readonly first: number; readonly count: number };
  /** Entries of its MSI-X table; without one where absent. */
  readonly messages?: number;
  /** It has MSI, a message with a 64-bit address that software can mask or not; without MSI where absent. */
  readonly msi?: "maskable" | "plain";
  /** The input of the I/O APIC that its INTA# leads to, alone or with others; without a pin where absent. */
  readonly line?: number;
  /** Software has a driver of its name, which opens the device and takes its messages; without one where absent. */
  readonly driver?: boolean;
  /** Makes the registers as they are after power-up. */
  create(port: DevicePort): DeviceRegisters;
}

/** Where configuration space is the vendor's own. */
const VENDOR_REGISTERS = { first: 0xc0, end: 0x100 };

/** What it is wired to. */
export interface DeviceWiring {
  /** Virtual time, ns. */
  nowNs(): number;
  /** I/O ports by address. */
  readonly ports: Map<number, { read(): number; write(value: number): void }>;
  /** Carries out what an access to a port leads to. */
  apply(effects: readonly PciEffect[]): void;
}

/** The function on its bus, alone in its slot. */
export class CustomFunction extends PciFunction implements PciEndpoint {
  readonly #registers: DeviceRegisters;
  /** What follows from the access that is under way; `null`: nothing may. */
  #effects: PciEffect[] | null = null;

  /** Makes it, its memory at `memoryBase` as firmware has placed it; the bus finds it once it is plugged in. */
  constructor(device: DeviceModel, memoryBase: number, wiring: DeviceWiring) {
    const { classCode = 0xff_0000, memoryBytes = 4096, messages = 0 } = device;
    const memory = { index: 0, space: "memory", size: memoryBytes, base: memoryBase, bits: 32 } as const;
    const table = { index: 1, space: "memory", bits: 32, prefetchable: false } as const;
    // Beside the registers, as large as table and pending bits need it, and aligned.
    const tableBytes = messages > 0
      ? 2 ** Math.ceil(Math.log2(Math.max(memoryBytes, 2 * MSIX_ENTRY_SIZE * messages)))
      : 0;
    super({
      bdf: placeOf(device.address),
      vendorId: device.vendorId,
      deviceId: device.deviceId,
      classCode,
      revision: 0,
      subsystemVendorId: device.vendorId,
      subsystemId: 0,
      headerType: 0,
      ...(device.line === undefined ? {} : { interruptPin: 1, interruptLine: device.line }),
      bars: [
        { ...memory, prefetchable: false },
        ...(messages > 0
          ? [{
            ...table,
            size: tableBytes,
            base: Math.ceil((memoryBase + memoryBytes) / tableBytes) * tableBytes,
          }]
          : []),
      ],
    });
    if (messages > 0) {
      const pending = { bar: 1, offset: tableBytes / 2 };
      this.msiX = new MsiXCapability(this.configuration, 0x70, messages, { bar: 1, offset: 0 }, pending);
    }
    if (device.msi !== undefined) {
      const layout = { address64: true, maskable: device.msi === "maskable" };
      this.msi = new MsiCapability(this.configuration, 0x50, layout);
    }
    const send = (what: PciEffect | undefined) => {
      if (this.#effects === null) {
        throw new Error(`Device ${device.name} acts while it is read: it may while it is written or woken`);
      }
      if (what !== undefined) this.#effects.push(what);
    };
    const registers = this.#registers = device.create({
      get nowNs() {
        return wiring.nowNs();
      },
      message: (entry) => send(this.messageOf(entry)),
      line: (asserted) => {
        if (device.line === undefined) throw new Error(`Device ${device.name} has no interrupt line`);
        this.setInterrupt(asserted);
      },
      wakeAt: (timeNs, number = 0) => send(this.wakeAt(number, timeNs)[0]),
    });
    for (let offset = VENDOR_REGISTERS.first; offset < VENDOR_REGISTERS.end; offset += 4) {
      this.configuration.addLive(offset, 32, {
        read: () => registers.readConfiguration?.(offset) ?? 0,
        write: (value) => this.#acting(() => registers.writeConfiguration?.(offset, value)),
      });
    }
    const { first, count } = device.ports ?? { first: 0, count: 0 };
    for (let port = 0; port < count; port++) {
      wiring.ports.set(first + port, {
        read: () => registers.readPort?.(port) ?? 0xff,
        write: (value) => wiring.apply(this.#acting(() => registers.writePort?.(port, value))),
      });
    }
  }

  /** @inheritdoc */
  *functions(): Iterable<PciFunction> {
    yield this;
  }

  /** @inheritdoc */
  override alarm(source: number): readonly PciEffect[] {
    return this.#acting(() => this.#registers.woken?.(source));
  }

  /** @inheritdoc */
  override hashInto(hash: StateHash): void {
    super.hashInto(hash);
    for (const value of this.#registers.state()) {
      if (typeof value === "string") hash.text(value);
      else hash.number(Number(value));
    }
  }

  protected override readRegister(bar: number, offset: number): number {
    return bar === 0 ? this.#registers.read(offset) >>> 0 : 0;
  }

  protected override writeRegister(bar: number, offset: number, value: number): readonly PciEffect[] {
    return bar === 0 ? this.#acting(() => this.#registers.write(offset, value)) : NO_EFFECTS;
  }

  #acting(act: () => void): readonly PciEffect[] {
    const effects: PciEffect[] = this.#effects = [];
    try {
      act();
    } finally {
      this.#effects = null;
    }
    return effects;
  }
}
