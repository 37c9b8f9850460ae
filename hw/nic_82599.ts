/**
 * Intel 82599 10 Gigabit Ethernet controller: one physical function with up to 64 virtual ones, as far as
 * interrupts are concerned.
 *
 * *Document*: Intel 82599 10 GbE Controller Datasheet, "Interrupt Registers", "MSI-X Configuration", "PCIe SR-IOV",
 * "Interrupt Moderation".
 *
 * *Modelled*: configuration space of both functions, the virtual functions that appear with VF Enable; EICR, EICS,
 * EIMS, EIMC, EIAC, EIAM and their extensions, GPIE, EITR, IVAR and the virtual functions' VT forms of them; MSI-X
 * with 64 vectors (physical) and 3 (virtual); INTA# of the physical function while its MSI-X is off, or the message of
 * its MSI; throttling; device reset.
 *
 * *Not modelled*: contents of packets, queues beyond the first, mailbox contents, link; the low-latency and TCP-timer interrupts; throttling of the causes in EICR bits 31:16; the counter field of EITR (a write
 * without CNT_WDIS lets the next interrupt go at once). Other registers read 0; a write to one says so.
 *
 * Interrupts, of queue q to a message:
 *
 *     queue q --IVAR--> vector v --EICR & EIMS--> EITR[v] elapsed? --MSI-X masks--> message
 *                          EIAC clears, EIAM disables on the way out
 *                                                                  --MSI-X off----> INTA#, until EICR has been read
 *                                                                                   (then EIAM disables)
 *
 * @module
 */

import type { ReceiveRing } from "./ethernet.ts";
import {
  allocated,
  DEVICE_ID_82599,
  DEVICE_ID_82599_VF,
  hexOffset,
  ivarByte,
  Nic82599Function,
  PF_VECTORS,
  resetsDevice,
  resetsLink,
  unmodelled,
  VFS_MAX,
} from "./nic_82599_function.ts";
import { VectorInterrupts } from "./nic_82599_interrupts.ts";
import { Nic82599Switch, type NicTimes } from "./nic_82599_switch.ts";
import { Nic82599Vf } from "./nic_82599_vf.ts";
import { INTEL } from "./pci_vendors.ts";
import { MsiCapability } from "./msi_capability.ts";
import { type Bdf, bdfOf, placeOf, routingId } from "./pci.ts";
import {
  addExpressCapability,
  ExpressType,
  ExtendedCapabilityId,
  MsiXCapability,
  NO_EFFECTS,
  type PciEffect,
  SriovCapability,
} from "./pci_configuration.ts";
import { GPIE, Pf, throttleVector } from "./nic_82599_registers.ts";
import { u32 } from "./registers.ts";
import type { StateHash } from "./sim/state_hash.ts";

export { Nic82599Vf } from "./nic_82599_vf.ts";
export {
  DEVICE_ID_82599,
  DEVICE_ID_82599_VF,
  PF_VECTORS,
  VF_VECTORS,
  VFS_MAX,
} from "./nic_82599_function.ts";

/** What of a card is a choice of board maker, firmware or topology. */
export interface Nic82599Record {
  /** Place of the physical function, `"0000:04:00.0"`. */
  readonly bdf: string;
  /**
   * Routing identifier of the first virtual function minus that of the physical one. Loaded from EEPROM; a card out of
   * the box has 0x80 with ARI and 0x180 without.
   */
  readonly firstVfOffset: number;
  /** Distance between two virtual functions. */
  readonly vfStride: number;
  /** Who made the board. */
  readonly subsystemVendorId: number;
  /** Which board it is. */
  readonly subsystemId: number;
  /** Physical address of BAR 0 (512 KiB); BAR 4 (16 KiB) follows, then the virtual functions' memory. */
  readonly memoryBase: number;
  /** First I/O port of BAR 2. */
  readonly ioBase: number;
  /** Interrupt controller input of INTA#, as firmware wrote it. */
  readonly interruptLine: number;
  /** MAC address of the physical function, 48 bits; the virtual ones' follow. */
  readonly mac: number;
}

/** A card whose frames take no time: for tests of its interrupts. */
const UNTIMED: NicTimes = { transmit: 0, receive: 0, switchFrame: 1, wireFrame: 1 };

const PF_BAR0_SIZE = 0x8_0000;
const MSIX_BAR_SIZE = 0x4000;
const VF_BAR_SIZE = 0x4000;

const AUTO_MASK = GPIE.field("autoMask").mask;
const MULTIPLE_MSIX = GPIE.field("multipleMsiX").mask;

/** The causes in EICR that belong to no queue; the numbers are bits of EICR. */
export const OtherCause = Object.freeze({
  flowDirector: 16,
  receiveMiss: 17,
  pciException: 18,
  mailbox: 19,
  linkStatusChange: 20,
});

/** The physical function, and with it the whole card: it makes its virtual functions. */
export class Nic82599 extends Nic82599Function {
  /** Causes and throttling of its 64 vectors. */
  readonly interrupts: VectorInterrupts;
  /** The SR-IOV capability. */
  readonly sriov: SriovCapability;
  /** @inheritdoc */
  readonly switch: Nic82599Switch;
  /** Virtual functions, made on first use; those below NumVFs are on the bus while VF Enable is set. */
  readonly #vfs: Nic82599Vf[] = [];
  /** The receive rings of the functions that have been made. */
  readonly rings: ReceiveRing[] = [this.ring];
  readonly #ivar = new Uint8Array(256);
  readonly #ivarMisc = new Uint8Array(4);
  readonly #vfBars: readonly { readonly index: number; readonly base: number }[];
  #gpie = GPIE.reset;
  /** A cause is set and enabled, and MSI-X is off: as {@linkcode #lineChanged} left it. */
  #interrupting = false;
  #otherCauses = 0;
  #otherEnabled = 0;

  /**
   * Makes the card as it is after power-up and firmware.
   *
   * @throws {RangeError} if the record's place is no BDF
   */
  constructor(readonly record: Nic82599Record, times: NicTimes = UNTIMED) {
    const bdf = placeOf(record.bdf);
    const { memoryBase } = record;
    super({
      bdf,
      vendorId: INTEL,
      deviceId: DEVICE_ID_82599,
      classCode: 0x02_0000,
      revision: 1,
      subsystemVendorId: record.subsystemVendorId,
      subsystemId: record.subsystemId,
      headerType: 0,
      interruptPin: 1,
      interruptLine: record.interruptLine,
      bars: [
        { index: 0, space: "memory", size: PF_BAR0_SIZE, base: memoryBase, bits: 64, prefetchable: true },
        { index: 2, space: "io", size: 32, base: record.ioBase, bits: 32, prefetchable: false },
        {
          index: 4,
          space: "memory",
          size: MSIX_BAR_SIZE,
          base: memoryBase + PF_BAR0_SIZE,
          bits: 64,
          prefetchable: true,
        },
      ],
    });
    const vfBase = memoryBase + PF_BAR0_SIZE + MSIX_BAR_SIZE;
    this.#vfBars = [{ index: 0, base: vfBase }, { index: 3, base: vfBase + VFS_MAX * VF_BAR_SIZE }];
    const { configuration } = this;
    const layout = { address64: true, maskable: true };
    this.msi = new MsiCapability(
      configuration,
      0x50,
      layout,
      (what) => what === "control" ? this.#lineChanged() : NO_EFFECTS,
    );
    this.msiX = new MsiXCapability(
      configuration,
      0x70,
      PF_VECTORS,
      { bar: 4, offset: 0 },
      { bar: 4, offset: 0x2000 },
    );
    addExpressCapability(configuration, 0xa0, ExpressType.endpoint, () => {
      const vfs = this.sriov.enabledVfs;
      this.reset();
      return vfs === 0 ? NO_EFFECTS : [{
        kind: "virtualFunctions",
        physicalFunction: routingId(bdf),
        count: 0,
      }];
    });
    configuration.addExtendedCapability(ExtendedCapabilityId.advancedErrorReporting, 1, 0x100);
    this.sriov = new SriovCapability(
      configuration,
      0x160,
      {
        totalVfs: VFS_MAX,
        firstVfOffset: record.firstVfOffset,
        vfStride: record.vfStride,
        vfDeviceId: DEVICE_ID_82599_VF,
        vfBars: this.#vfBars,
      },
      routingId(bdf),
      () => this.#resetVfs(),
    );
    this.interrupts = new VectorInterrupts(this, PF_VECTORS, this, () => this.#lineChanged());
    // Behind the capability's own register: with MSI-X the line is not used.
    configuration.addLive(0x72, 16, {
      read: () => this.msiX!.table.readControl(),
      write: () => this.#lineChanged(),
    });
    this.switch = new Nic82599Switch(times, (mac) => this.#functionOf(mac));
  }

  /** GPIE.EIAME: a message disables its cause as EIAM says, for the virtual functions too. */
  get autoMaskEnabled(): boolean {
    return (this.#gpie & AUTO_MASK) !== 0;
  }

  /** The functions on the bus now: this one and, while VF Enable is set, NumVFs virtual ones. */
  *functions(): Iterable<Nic82599Function> {
    yield this;
    for (let index = 0; index < this.sriov.enabledVfs; index++) yield this.vf(index);
  }

  /**
   * Virtual function `index`, on the bus or not.
   *
   * @throws {RangeError} if the silicon has no such function
   */
  vf(index: number): Nic82599Vf {
    if (!(index >= 0 && index < VFS_MAX)) throw new RangeError(`82599 has no virtual function ${index}`);
    while (this.#vfs.length <= index) {
      const vf = this.#makeVf(this.#vfs.length);
      this.#vfs.push(vf);
      this.rings.push(vf.ring);
    }
    return this.#vfs[index]!;
  }

  /** The function on the bus with that MAC address. */
  #functionOf(mac: number): Nic82599Function | undefined {
    const index = mac - this.mac - 1;
    if (index === -1) return this;
    return index >= 0 && index < this.sriov.enabledVfs ? this.vf(index) : undefined;
  }

  /** Function-level reset: the virtual functions go with it. */
  override reset(): void {
    super.reset();
    this.#resetDevice();
    this.#resetVfs();
  }

  override get mac(): number {
    return this.record.mac;
  }

  override queueVector(queue: number, direction: "rx" | "tx"): number | undefined {
    const vector = allocated(this.#ivar[2 * queue + (direction === "tx" ? 1 : 0)] ?? 0);
    // Without Multiple_MSIX every cause goes out through vector 0.
    return vector === undefined || (this.#gpie & MULTIPLE_MSIX) !== 0 ? vector : 0;
  }

  /** Raises a cause that belongs to no queue: the link has changed, a virtual function has written its mailbox. */
  raiseOther(cause: typeof OtherCause[keyof typeof OtherCause], nowNs: number): readonly PciEffect[] {
    this.#otherCauses |= 1 << cause;
    return this.#signalOther(1 << cause, nowNs);
  }

  /** Adds the whole card to `hash`. */
  override hashInto(hash: StateHash): void {
    super.hashInto(hash);
    for (const vf of this.#vfs) vf.hashInto(hash);
    hash.words(this.#ivar).words(this.#ivarMisc).word(this.#gpie).word(this.#otherCauses).word(
      this.#otherEnabled,
    );
  }

  protected override readRegister(bar: number, offset: number, _nowNs: number): number {
    if (bar !== 0) return 0;
    const { interrupts } = this;
    switch (offset) {
      case Pf.eicr: {
        const causes = this.#causes();
        // OCD: a read clears bits 29:16 only.
        const cleared = GPIE.get(this.#gpie, "otherClearDisable") === 1 ? 0x3fff_0000 : 0xffff_ffff;
        this.#otherCauses &= ~cleared;
        interrupts.clear(0, cleared & 0xffff);
        this.#maskAfterAccess();
        return causes;
      }
      case Pf.eics:
        return this.#causes();
      case Pf.eims:
        return u32(interrupts.enabled(0) & 0xffff | this.#otherEnabled);
      case Pf.eiac:
        return interrupts.autoClear(0) & 0xffff;
      case Pf.eiam:
        return interrupts.autoMask(0) & 0xffff;
      case Pf.gpie:
        return this.#gpie;
      case Pf.ivarMisc:
        return this.#ivarMisc[0]! | this.#ivarMisc[1]! << 8;
      case Pf.eimsEx:
      case Pf.eimsEx + 4:
        return interrupts.enabled((offset - Pf.eimsEx) >>> 2);
      case Pf.eiamEx:
      case Pf.eiamEx + 4:
        return interrupts.autoMask((offset - Pf.eiamEx) >>> 2);
    }
    const throttled = throttleVector(offset);
    if (throttled !== undefined) return interrupts.readThrottle(throttled);
    if (offset >= Pf.ivar && offset < Pf.ivar + this.#ivar.length) {
      const at = offset - Pf.ivar;
      return u32(
        this.#ivar[at]! | this.#ivar[at + 1]! << 8 | this.#ivar[at + 2]! << 16 | this.#ivar[at + 3]! << 24,
      );
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
    const others = u32(value & 0x7fff_0000);
    switch (offset) {
      case Pf.ctrl:
        if (resetsDevice(value) || resetsLink(value)) this.#resetDevice();
        return NO_EFFECTS;
      case Pf.eicr:
        this.#otherCauses &= ~value;
        interrupts.clear(0, value & 0xffff);
        this.#maskAfterAccess();
        return NO_EFFECTS;
      case Pf.eics:
        this.#otherCauses |= others;
        return [...interrupts.set(0, value & 0xffff, nowNs), ...this.#signalOther(others, nowNs)];
      case Pf.eims:
        this.#otherEnabled |= others;
        return [
          ...this.enable(0, value & 0xffff, nowNs),
          ...this.#signalOther(others & this.#otherCauses, nowNs),
        ];
      case Pf.eimc:
        this.#otherEnabled &= ~value;
        interrupts.disable(0, value & 0xffff); // the line is looked at there
        return NO_EFFECTS;
      case Pf.eiac:
        interrupts.setAutoClear(0, value & 0xffff);
        return NO_EFFECTS;
      case Pf.eiam:
        interrupts.setAutoMask(0, value & 0xffff);
        return NO_EFFECTS;
      case Pf.gpie: {
        const before = this.#gpie;
        this.#gpie = GPIE.write(before, value);
        this.routed();
        return GPIE.unmodelled(before, this.#gpie).flatMap((name) => unmodelled(`82599 GPIE.${name}`));
      }
      case Pf.ivarMisc:
        this.#ivarMisc[0] = ivarByte(value);
        this.#ivarMisc[1] = ivarByte(value >>> 8);
        return NO_EFFECTS;
      case Pf.eicsEx:
      case Pf.eicsEx + 4:
        return interrupts.set((offset - Pf.eicsEx) >>> 2, value, nowNs);
      case Pf.eimsEx:
      case Pf.eimsEx + 4:
        return this.enable((offset - Pf.eimsEx) >>> 2, value, nowNs);
      case Pf.eimcEx:
      case Pf.eimcEx + 4:
        interrupts.disable((offset - Pf.eimcEx) >>> 2, value);
        return NO_EFFECTS;
      case Pf.eiamEx:
      case Pf.eiamEx + 4:
        interrupts.setAutoMask((offset - Pf.eiamEx) >>> 2, value);
        return NO_EFFECTS;
    }
    const throttled = throttleVector(offset);
    if (throttled !== undefined) {
      interrupts.writeThrottle(throttled, value);
      return NO_EFFECTS;
    }
    if (offset >= Pf.ivar && offset < Pf.ivar + this.#ivar.length) {
      for (let i = 0; i < 4; i++) {
        this.#ivar[offset - Pf.ivar + i] = ivarByte(value >>> (8 * i));
      }
      this.routed();
      return NO_EFFECTS;
    }
    return unmodelled(`82599 register ${hexOffset(offset)}`);
  }

  /** EICR: the queue causes of vectors 15:0, the other causes, and bit 31, which says that one of those is set. */
  #causes(): number {
    const other = this.#otherCauses;
    return u32(this.interrupts.causes(0) & 0xffff | other | (other === 0 ? 0 : 1 << 31));
  }

  /** EIAM without EIAME: an access to EICR disables causes, for whoever tells by line or MSI. */
  #maskAfterAccess(): void {
    if (!this.autoMaskEnabled) this.interrupts.disable(0, this.interrupts.autoMask(0));
  }

  /**
   * With MSI-X off INTA# says that a cause is set and enabled, queue's or other; with MSI in its place the message leaves
   * when that begins.
   */
  #lineChanged(): readonly PciEffect[] {
    const before = this.#interrupting;
    const others = (this.#otherCauses & this.#otherEnabled) !== 0;
    this.#interrupting = !this.msiX!.table.enabled && (others || this.interrupts.line);
    this.setInterrupt(this.#interrupting && !this.msi!.enabled);
    const message = this.#interrupting && !before ? this.messageOf(0) : undefined;
    return message === undefined ? NO_EFFECTS : [message];
  }

  #signalOther(causes: number, _nowNs: number): readonly PciEffect[] {
    if (!this.msiX!.table.enabled) return this.#lineChanged();
    // Bits 1 of IVAR_MISC (the second byte) route the causes that are not the TCP timer.
    const vector = allocated(this.#ivarMisc[1]!);
    if ((causes & this.#otherEnabled) === 0 || vector === undefined || !this.busMaster) return NO_EFFECTS;
    const message = this.msiX!.table.signal(GPIE.get(this.#gpie, "multipleMsiX") === 1 ? vector : 0);
    return message === undefined ? NO_EFFECTS : [message];
  }

  #resetDevice(): void {
    this.interrupts.reset();
    this.ring.reset();
    this.#ivar.fill(0);
    this.#ivarMisc.fill(0);
    this.#gpie = GPIE.reset;
    this.routed();
    this.#otherCauses = 0;
    this.#otherEnabled = 0;
    this.#lineChanged();
  }

  /** Virtual functions have come or gone: those that come are as after power-up. */
  #resetVfs(): void {
    this.switch.forget();
    for (const vf of this.#vfs) vf.reset();
  }

  #makeVf(index: number): Nic82599Vf {
    const { spec, record } = this;
    return new Nic82599Vf(this, index, {
      ...spec,
      bdf: vfPlace(this.bdf, record, index),
      deviceId: DEVICE_ID_82599_VF,
      virtual: true,
      interruptPin: 0,
      interruptLine: 0,
      bars: this.#vfBars.map(({ index: bar, base }) => ({
        index: bar,
        space: "memory",
        size: VF_BAR_SIZE,
        base: base + index * VF_BAR_SIZE,
        bits: 64,
        prefetchable: true,
      })),
    });
  }
}

function vfPlace(physical: Bdf, record: Nic82599Record, index: number): Bdf {
  return bdfOf(routingId(physical) + record.firstVfOffset + index * record.vfStride, physical.domain);
}
