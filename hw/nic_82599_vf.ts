/**
 * A virtual function of an 82599: three vectors and the VT forms of the interrupt registers.
 *
 * *Document*: Intel 82599 10 GbE Controller Datasheet, "Virtual Function Device Registers", "PCIe SR-IOV".
 *
 * See `nic_82599.ts` for what is modelled and what is not.
 *
 * @module
 */

import type { Nic82599 } from "./nic_82599.ts";
import {
  allocated,
  hexOffset,
  ivarByte,
  Nic82599Function,
  resetsDevice,
  unmodelled,
  VF_VECTORS,
} from "./nic_82599_function.ts";
import { VectorInterrupts } from "./nic_82599_interrupts.ts";
import type { Nic82599Switch } from "./nic_82599_switch.ts";
import type { PciFunctionSpec } from "./pci.ts";
import {
  addExpressCapability,
  ExpressType,
  MsiXCapability,
  NO_EFFECTS,
  type PciEffect,
} from "./pci_configuration.ts";
import { u32 } from "./registers.ts";
import type { StateHash } from "./sim/state_hash.ts";

/** Registers of a virtual function, byte offsets in its BAR 0. */
const Vf = Object.freeze({
  vtctrl: 0x0000,
  vtstatus: 0x0008,
  vteicr: 0x0100,
  vteics: 0x0104,
  vteims: 0x0108,
  vteimc: 0x010c,
  vteiac: 0x0110,
  vteiam: 0x0114,
  vtivar: 0x0120,
  vtivarMisc: 0x0140,
  vteitr: 0x0820,
});

/** A virtual function. */
export class Nic82599Vf extends Nic82599Function {
  declare readonly physicalFunction: Nic82599;
  declare readonly index: number;
  /** @inheritdoc */
  declare readonly switch: Nic82599Switch;
  /** Causes and throttling of its three vectors. */
  readonly interrupts: VectorInterrupts;
  readonly #ivar = new Uint8Array(5);

  /** Made by the physical function only. */
  constructor(physicalFunction: Nic82599, index: number, spec: PciFunctionSpec) {
    super(spec);
    this.physicalFunction = physicalFunction;
    this.index = index;
    this.switch = physicalFunction.switch;
    this.msiX = new MsiXCapability(
      this.configuration,
      0x70,
      VF_VECTORS,
      { bar: 3, offset: 0 },
      { bar: 3, offset: 0x2000 },
    );
    addExpressCapability(this.configuration, 0xa0, ExpressType.endpoint, () => {
      this.reset();
      return NO_EFFECTS;
    });
    // Whether EIAM applies is decided for the whole device, in GPIE of the physical function.
    this.interrupts = new VectorInterrupts(this, VF_VECTORS, physicalFunction);
  }

  /** VF Memory Space Enable of the physical function: a virtual one has no such bit. */
  override get memoryEnabled(): boolean {
    return this.physicalFunction.sriov.memorySpaceEnabled;
  }

  /** Function-level reset. */
  override reset(): void {
    super.reset();
    this.#resetDevice();
  }

  override get mac(): number {
    return this.physicalFunction.mac + 1 + this.index;
  }

  override queueVector(queue: number, direction: "rx" | "tx"): number | undefined {
    return allocated(this.#ivar[2 * queue + (direction === "tx" ? 1 : 0)] ?? 0);
  }

  /** A message from the physical function has arrived in the mailbox. */
  raiseMailbox(nowNs: number): readonly PciEffect[] {
    const vector = allocated(this.#ivar[4]!);
    return vector === undefined ? NO_EFFECTS : this.interrupts.raise(vector, nowNs);
  }

  override hashInto(hash: StateHash): void {
    super.hashInto(hash);
    hash.words(this.#ivar);
  }

  protected override readRegister(bar: number, offset: number, _nowNs: number): number {
    if (bar !== 0) return 0;
    const { interrupts } = this;
    switch (offset) {
      case Vf.vteicr: {
        const causes = interrupts.causes(0);
        interrupts.clear(0, causes);
        return causes;
      }
      case Vf.vteics:
        return interrupts.causes(0);
      case Vf.vteims:
        return interrupts.enabled(0);
      case Vf.vteiac:
        return interrupts.autoClear(0);
      case Vf.vteiam:
        return interrupts.autoMask(0);
      case Vf.vtivar:
        return this.#ivar[0]! | this.#ivar[1]! << 8 | this.#ivar[2]! << 16 | u32(this.#ivar[3]! << 24);
      case Vf.vtivarMisc:
        return this.#ivar[4]!;
    }
    if (offset >= Vf.vteitr && offset < Vf.vteitr + 4 * VF_VECTORS) {
      return interrupts.readThrottle((offset - Vf.vteitr) >>> 2);
    }
    return 0;
  }

  protected override writeRegister(
    bar: number,
    offset: number,
    value: number,
    nowNs: number,
  ): readonly PciEffect[] {
    if (bar !== 0) return NO_EFFECTS;
    const { interrupts } = this;
    switch (offset) {
      case Vf.vtctrl:
        if (resetsDevice(value)) this.#resetDevice();
        return NO_EFFECTS;
      case Vf.vteicr:
        interrupts.clear(0, value);
        return NO_EFFECTS;
      case Vf.vteics:
        return interrupts.set(0, value, nowNs);
      case Vf.vteims:
        return this.enable(0, value, nowNs);
      case Vf.vteimc:
        interrupts.disable(0, value);
        return NO_EFFECTS;
      case Vf.vteiac:
        interrupts.setAutoClear(0, value);
        return NO_EFFECTS;
      case Vf.vteiam:
        interrupts.setAutoMask(0, value);
        return NO_EFFECTS;
      case Vf.vtivar:
        for (let i = 0; i < 4; i++) this.#ivar[i] = ivarByte(value >>> (8 * i));
        this.routed();
        return NO_EFFECTS;
      case Vf.vtivarMisc:
        this.#ivar[4] = ivarByte(value);
        return NO_EFFECTS;
    }
    if (offset >= Vf.vteitr && offset < Vf.vteitr + 4 * VF_VECTORS) {
      interrupts.writeThrottle((offset - Vf.vteitr) >>> 2, value);
      return NO_EFFECTS;
    }
    return unmodelled(`82599 VF register ${hexOffset(offset)}`);
  }

  #resetDevice(): void {
    this.interrupts.reset();
    this.ring.reset();
    this.#ivar.fill(0);
    this.routed();
  }
}
