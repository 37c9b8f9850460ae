/**
 * The MSI capability of a PCI function: one message in configuration space, and where the device has it its mask.
 *
 * *Document*: PCI Local Bus Specification 3.0, "MSI Capability Structure", "Per-vector Masking and Function Masking".
 *
 * *Modelled*: the four layouts (32- or 64-bit address, with or without mask and pending bits), a message that a mask holds
 * back until it opens.
 *
 * *Not modelled*: more messages than one.
 *
 * @module
 */

import type { MsiEffect } from "./msi.ts";
import { CapabilityId, type ConfigurationSpace, NO_EFFECTS, type PciEffect } from "./pci_configuration.ts";
import { field, type Register, register, reserved, u32 } from "./registers.ts";

/** What a device's capability has. */
export interface MsiLayout {
  /** An address of 64 bits. */
  readonly address64: boolean;
  /** A mask bit and a pending bit for its message. */
  readonly maskable: boolean;
}

const ADDRESS = register("MSI Message Address", 0x04, 0, 32, [reserved(2), field("address", 30)]);
const ADDRESS_HIGH = register("MSI Message Upper Address", 0x08, 0, 32, [field("addressHigh", 32)]);

/** Message Control as a layout has it after reset. */
function controlOf({ address64, maskable }: MsiLayout) {
  return register("MSI Message Control", 0x02, (address64 ? 0x0080 : 0) | (maskable ? 0x0100 : 0), 16, [
    field("enable", 1),
    field("multipleMessageCapable", 3, "ro"),
    field("multipleMessageEnable", 3),
    field("address64", 1, "ro"),
    field("perVectorMasking", 1, "ro"),
    reserved(7),
  ]);
}

/** The capability. Its whole state is in configuration space. */
export class MsiCapability {
  declare readonly configuration: ConfigurationSpace;
  /** Where it stands. */
  declare readonly offset: number;
  declare readonly layout: MsiLayout;
  readonly #control: ReturnType<typeof controlOf>;
  readonly #data: Register<"data">;
  readonly #mask: Register<"mask">;
  readonly #pending: Register<"pending">;

  /**
   * Appends the capability to the list.
   *
   * @param written called after a write by software that touches Message Control, or address or data
   */
  constructor(
    configuration: ConfigurationSpace,
    offset: number,
    layout: MsiLayout,
    written: (what: "control" | "message") => readonly PciEffect[] = () => NO_EFFECTS,
  ) {
    this.configuration = configuration;
    this.offset = offset;
    this.layout = layout;
    const behindAddress = layout.address64 ? 0x0c : 0x08;
    this.#control = controlOf(layout);
    this.#data = register("MSI Message Data", behindAddress, 0, 16, [field("data", 16)]);
    this.#mask = register("MSI Mask Bits", behindAddress + 4, 0, 32, [field("mask", 1), reserved(31)]);
    this.#pending = register("MSI Pending Bits", behindAddress + 8, 0, 32, [
      field("pending", 1, "ro"),
      reserved(31),
    ]);
    configuration.addCapability(CapabilityId.msi, offset);
    configuration.add(this.#control, offset, () => [...this.#release(), ...written("control")]);
    const messageWritten = () => written("message");
    configuration.add(ADDRESS, offset, messageWritten);
    if (layout.address64) configuration.add(ADDRESS_HIGH, offset, messageWritten);
    configuration.add(this.#data, offset, messageWritten);
    if (!layout.maskable) return;
    configuration.add(this.#mask, offset, () => this.#release());
    configuration.add(this.#pending, offset);
  }

  /** MSI Enable: the function uses its message and not its line. */
  get enabled(): boolean {
    return (this.configuration.word(this.offset + 2) & 1) !== 0;
  }

  /** Software holds the message back. */
  get masked(): boolean {
    return this.layout.maskable && this.configuration.get(this.#mask, this.offset) !== 0;
  }

  /** A message is held back. */
  get pending(): boolean {
    return this.layout.maskable && this.configuration.get(this.#pending, this.offset) !== 0;
  }

  /** The message as software has written it, masked or not. */
  get message(): MsiEffect {
    const { configuration, offset, layout } = this;
    return {
      kind: "msi",
      address: configuration.get(ADDRESS, offset),
      addressHigh: layout.address64 ? configuration.get(ADDRESS_HIGH, offset) : 0,
      data: configuration.get(this.#data, offset),
      entry: 0,
    };
  }

  /** The device wants to interrupt; `undefined` if MSI is not enabled, or the mask holds the message back. */
  signal(): MsiEffect | undefined {
    if (!this.enabled) return undefined;
    if (!this.masked) return this.message;
    this.configuration.set(this.#pending, 1, this.offset);
    return undefined;
  }

  /** Writes address and data, as software does; whether it is masked meanwhile is the caller's business. */
  writeMessage(message: { address: number; addressHigh?: number; data: number }): readonly PciEffect[] {
    const { configuration, offset, layout } = this;
    return [
      ...configuration.write(offset + 4, 4, u32(message.address)),
      ...layout.address64 ? configuration.write(offset + 8, 4, u32(message.addressHigh ?? 0)) : NO_EFFECTS,
      ...configuration.write(offset + this.#data.offset, 2, message.data & 0xffff),
    ];
  }

  /** Sets or clears the mask bit, where there is one. */
  setMask(masked: boolean): readonly PciEffect[] {
    const { configuration, offset, layout } = this;
    return layout.maskable ? configuration.write(offset + this.#mask.offset, 4, masked ? 1 : 0) : NO_EFFECTS;
  }

  /** What was held back leaves. */
  #release(): readonly PciEffect[] {
    if (!this.pending || !this.enabled || this.masked) return NO_EFFECTS;
    this.configuration.set(this.#pending, 0, this.offset);
    return [this.message];
  }
}
