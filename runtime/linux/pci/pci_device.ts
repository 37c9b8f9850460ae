/**
 * A PCI device as Linux knows it (`struct pci_dev`): who it is, who drives it, its messages and their IRQs, its line.
 *
 * *Document*: Linux 3.5 `include/linux/pci.h`, `drivers/pci/msi.c`, `drivers/pci/pci.c`.
 *
 * *Modelled*: enable count, bus mastering, MSI-X with one IRQ per vector, MSI with one, INTx and its mask in the device,
 * function-level reset.
 *
 * *Not modelled*: power states, resources requested by drivers.
 *
 * *Deviations*: Interrupt Line has the number of the I/O APIC's input, which Linux looks up in ACPI's tables.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { withVector } from "../../../hw/msi.ts";
import { type Bdf, formatBdf, type PciEffect, type PciFunction } from "../../../hw/pci.ts";
import { EINVAL, Errno } from "../errno.ts";
import type { IrqLine, LineAction } from "../irq/irq_lines.ts";
import type { TopHalf } from "../kernel_cpu.ts";
import type { PciSteps } from "./pci_costs.ts";

/** What the interrupt subsystem does for PCI. */
export interface InterruptPort {
  /**
   * Allocates an IRQ for message `entry` of `device` and requests it under `name`, as `/proc/interrupts` shows it.
   * Before it returns it has written the message with {@linkcode PciDevice.writeMessage}; it is unmasked
   * afterwards. Returns the IRQ number, or ENOSPC if no vector is left.
   */
  allocate(device: PciDevice, name: string, entry: number): number | Errno;
  /** Sets the handler of an IRQ; until then it is acknowledged and nothing else. */
  handle(irq: number, topHalf: TopHalf): void;
  /** Frees an IRQ that `allocate` gave; the entry is masked already. */
  free(irq: number): void;
  /** Requests a line, which others may have too; EBUSY: somebody does not want that. */
  requestLine(irq: number, action: LineAction): IrqLine | Errno;
  /** Frees it. */
  freeLine(irq: number, action: LineAction): void;
}

/** What the PCI core needs from the kernel and machine it runs on. */
export interface PciPorts {
  /** Appends a line to the kernel log, without time stamp and newline. */
  log(text: string): void;
  /** Messages are not used: `pci=nomsi`. */
  readonly noMessages?: boolean;
  /** The interrupt subsystem. */
  readonly interrupts: InterruptPort;
  /** Carries out what follows from an access to a device: sends a held-back message, arms a device's alarm, … */
  apply(effects: readonly PciEffect[]): void;
  /** The present, ns of absolute time. */
  nowNs(): number;
  /** How many CPUs are online: drivers size their queues by it. */
  onlineCpuCount(): number;
  /** CPUs near the device as a list, `"0-3"`. */
  localCpuList(): string;
  /** The same as `local_cpus` prints it, `"f"`. */
  localCpuMask(): string;
}

const COMMAND = 0x04, STATUS = 0x06;
const IO_SPACE = 1 << 0;
const MEMORY_SPACE = 1 << 1;
const BUS_MASTER = 1 << 2;
const INTX_DISABLE = 1 << 10;
/** In Status. */
const INTERRUPT = 1 << 3;
const MSIX_FUNCTION_MASK = 1 << 14;
const MSIX_ENABLE = 1 << 15;
const MSI_ENABLE = 1 << 0;
/** Multiple Message Enable. */
const MSI_QSIZE = 7 << 4;

/** By which of its capabilities a device sends messages. */
export type MessageKind = "MSI" | "MSI-X";

/** A message of a device. */
export interface MessageSource {
  /** The device's full name. */
  readonly device: string;
  readonly kind: MessageKind;
  /** Which one: an entry of the MSI-X table, or 0. */
  readonly entry: number;
}

/** A device. */
export class PciDevice {
  /** The full name, `0000:05:00.0`. */
  readonly name: string;
  /** Vendor identifier. */
  readonly vendor: number;
  /** Device identifier. */
  readonly device: number;
  /** Subsystem vendor identifier. */
  readonly subsystemVendor: number;
  /** Subsystem identifier. */
  readonly subsystemDevice: number;
  /** 24 bits. */
  readonly classCode: number;
  /** Revision, 8 bits. */
  readonly revision: number;
  /** -1: the machine has one memory node and its firmware says nothing. */
  readonly numaNode = -1;
  /** Whose registers lie behind a base address register: found with the first access (`ioremap`). */
  readonly #mapped: PciFunction[] = [];
  /** Name of the driver that is bound, or is probing. */
  driver: string | undefined;
  /** That driver is built into the kernel and has had it since boot. */
  drivenFromBoot = false;
  /** Only this driver may bind; Linux 3.16 and later. */
  driverOverride: string | undefined;
  /** Of a physical function: drivers are offered the virtual functions that it makes (`sriov_drivers_autoprobe`). */
  probesVirtualFunctions = true;
  /** Given to a virtual machine (`PCI_DEV_FLAGS_ASSIGNED`). */
  assigned = false;
  /** Somebody holds the device's lock: a probe or remove is under way. */
  locked = false;
  /** `pci_enable_device` calls without their `pci_disable_device`. */
  enableCount = 0;
  /** What the driver keeps for the device (`pci_set_drvdata`). */
  driverData: unknown;
  /** Its messages are in use; null: the line is. */
  messageKind: MessageKind | null = null;
  readonly #irqs = new Map<number, number>();

  /**
   * Reads the identity from configuration space.
   *
   * @param fn the hardware
   * @param parent the bridge that it is behind, if it is not on bus 0
   * @param physfn of a virtual function, the physical one
   */
  constructor(
    readonly fn: PciFunction,
    readonly parent: PciDevice | undefined,
    readonly physfn: PciDevice | undefined,
    readonly ports: PciPorts,
    readonly steps: PciSteps,
  ) {
    const { configuration, bdf } = fn;
    this.name = formatBdf(bdf);
    const word = (offset: number) => configuration.read(offset, 2);
    // A virtual function's own identifiers read all ones: vendor and device are the physical function's word.
    this.vendor = physfn ? physfn.vendor : word(0x00);
    this.device = physfn ? vfDeviceId(physfn) : word(0x02);
    const classAndRevision = configuration.read(0x08, 4);
    this.classCode = classAndRevision >>> 8;
    this.revision = classAndRevision & 0xff;
    const bridge = (configuration.read(0x0e, 1) & 0x7f) === 1;
    this.subsystemVendor = bridge ? 0 : word(0x2c);
    this.subsystemDevice = bridge ? 0 : word(0x2e);
  }

  /** Where it is. */
  get bdf(): Bdf {
    return this.fn.bdf;
  }

  /** `pdev->irq`: the line that firmware routed INTx to, 0 for a function without a pin; MSI's interrupt while that is on. */
  get irq(): number {
    if (this.messageKind === "MSI") return this.#irqs.get(0)!;
    return this.fn.configuration.read(0x3d, 1) === 0 ? 0 : this.fn.interruptLine;
  }

  /** Message -> IRQ, of those in use: entries of MSI-X, or 0 of MSI. */
  get messageIrqs(): ReadonlyMap<number, number> {
    return this.#irqs;
  }

  /** Vectors that the hardware has; 0 without MSI-X. */
  get msiXVectorCount(): number {
    return this.fn.msiX?.table.size ?? 0;
  }

  /** Whether its interrupts can be messages of MSI-X (`pci_msi_check_device()`). */
  get hasMessages(): boolean {
    return this.msiXVectorCount > 0 && this.ports.noMessages !== true;
  }

  /** Whether they can be MSI's. */
  get hasMsi(): boolean {
    return this.fn.msi !== undefined && this.ports.noMessages !== true;
  }

  /** Offset of the extended capability of that identifier (`pci_find_ext_capability`); 0 if there is none. */
  extendedCapability(id: number): number {
    const { configuration } = this.fn;
    for (let offset = 0x100; offset !== 0;) {
      const header = configuration.read(offset, 4);
      if ((header & 0xffff) === id) return offset;
      offset = header >>> 20;
    }
    return 0;
  }

  /** Logs as `dev_info` does: driver (or bus) and device in front. */
  log(text: string): void {
    this.ports.log(`${this.driver ?? "pci"} ${this.name}: ${text}`);
  }

  /** Writes configuration space and carries out what follows. */
  writeConfiguration(offset: number, size: 1 | 2 | 4, value: number): void {
    this.ports.apply(this.fn.configuration.write(offset, size, value));
  }

  /** Reads a device register, 32 bits. */
  readRegister(bar: number, offset: number): number {
    return this.#registers(bar).readMemory(bar, offset, this.ports.nowNs());
  }

  /** Writes a device register, 32 bits, and carries out what follows. */
  writeRegister(bar: number, offset: number, value: number): void {
    const effects = this.#registers(bar).writeMemory(bar, offset, value, this.ports.nowNs());
    if (effects.length > 0) this.ports.apply(effects);
  }

  #registers(bar: number): PciFunction {
    return this.#mapped[bar] ??= this.fn.mapped(bar);
  }

  /** Reads `bytes` bytes of a port of the device, at the instant of the access. */
  readPort(offset: number, bytes: 1 | 2 | 4): number {
    return this.fn.readPort(offset, bytes);
  }

  /** Writes them. */
  writePort(offset: number, bytes: 1 | 2 | 4, value: number): void {
    this.fn.writePort(offset, bytes, value);
  }

  /** Its first port; undefined: it has none. */
  get firstPort(): number | undefined {
    return this.fn.spec.bars.find(({ space }) => space === "io")?.base;
  }

  /** `pci_enable_device_mem`: the first call opens the device's memory; `pci_enable_device` opens its `ports` too. */
  enable(ports = false): void {
    if (this.enableCount++ === 0) this.#command(ports ? MEMORY_SPACE | IO_SPACE : MEMORY_SPACE, true);
  }

  /** `pci_disable_device`: the last call stops bus mastering; the memory stays open, as on Linux. */
  disable(): void {
    if (--this.enableCount === 0) this.#command(BUS_MASTER, false);
  }

  /** `pci_set_master`, `pci_clear_master`: without it the device sends no messages. */
  setMaster(on: boolean): void {
    this.#command(BUS_MASTER, on);
  }

  /** `pci_reset_function`: everything as after power-up, except the Command register, which Linux restores. */
  reset(): void {
    const command = this.fn.configuration.read(0x04, 2);
    this.fn.reset();
    this.writeConfiguration(0x04, 2, command);
  }

  /**
   * Switches MSI-X on and requests one IRQ per name, for entries 0, 1, …: `pci_enable_msix` and `request_irq`.
   *
   * Errors: EINVAL (no MSI-X, already on, more names than entries), or what the interrupt subsystem says; MSI-X is off
   * again then.
   */
  *enableMsiX(names: readonly string[]): Activity<Errno | void> {
    const { msiX } = this.fn;
    if (!this.hasMessages || msiX === undefined || this.messageKind !== null) return EINVAL;
    if (names.length > msiX.table.size) return EINVAL;
    this.messageKind = "MSI-X";
    // All entries are masked until each has its message.
    this.#msiXControl(MSIX_ENABLE | MSIX_FUNCTION_MASK, 0);
    for (const [entry, name] of names.entries()) {
      yield this.steps.msixVector;
      const irq = this.ports.interrupts.allocate(this, name, entry);
      if (irq instanceof Errno) {
        this.disableMsiX();
        return irq;
      }
      this.#irqs.set(entry, irq);
      this.setMask(entry, false);
    }
    this.setIntx(false); // pci_intx_for_msi()
    this.#msiXControl(0, MSIX_FUNCTION_MASK);
  }

  /**
   * Switches MSI on and requests its IRQ: `pci_enable_msi` and `request_irq`.
   *
   * Errors: EINVAL (no MSI, messages in use already), or what the interrupt subsystem says; MSI is off again then.
   */
  *enableMsi(name: string): Activity<Errno | void> {
    const { msi } = this.fn;
    if (!this.hasMsi || msi === undefined || this.messageKind !== null) return EINVAL;
    this.messageKind = "MSI";
    this.ports.apply(msi.setMask(true));
    yield this.steps.msixVector;
    const irq = this.ports.interrupts.allocate(this, name, 0);
    if (irq instanceof Errno) {
      this.messageKind = null;
      return irq;
    }
    this.#irqs.set(0, irq);
    this.setIntx(false);
    this.#msiControl(MSI_ENABLE, 0);
    this.ports.apply(msi.setMask(false));
  }

  /** Frees the IRQ and switches MSI off. The mask is left open (`pci_msi_shutdown()`). */
  disableMsi(): void {
    const { msi } = this.fn;
    const irq = this.#irqs.get(0);
    if (msi === undefined || this.messageKind !== "MSI" || irq === undefined) return;
    this.ports.apply(msi.setMask(true));
    this.ports.interrupts.free(irq);
    this.#msiControl(0, MSI_ENABLE);
    this.setIntx(true);
    this.ports.apply(msi.setMask(false));
    this.#irqs.clear();
    this.messageKind = null;
  }

  // ---- INTx ----

  /** Whether the device may assert its line. */
  get intx(): boolean {
    return (this.fn.configuration.read(COMMAND, 2) & INTX_DISABLE) === 0;
  }

  /** `pci_intx()`. */
  setIntx(on: boolean): void {
    this.#command(INTX_DISABLE, !on);
  }

  /** `pci_intx_mask_supported()`: Interrupt Disable can be written, as PCI 2.3 has it. */
  get masksIntx(): boolean {
    const before = this.fn.configuration.read(COMMAND, 2);
    this.writeConfiguration(COMMAND, 2, before ^ INTX_DISABLE);
    const after = this.fn.configuration.read(COMMAND, 2);
    this.writeConfiguration(COMMAND, 2, before);
    return ((before ^ after) & INTX_DISABLE) !== 0;
  }

  /** `pci_check_and_mask_intx()`. @returns false: it does not interrupt, and nothing is changed */
  checkAndMaskIntx(): boolean {
    if (!this.#interrupts()) return false;
    this.#command(INTX_DISABLE, true);
    return true;
  }

  /** `pci_check_and_unmask_intx()`. @returns false: it interrupts still, and stays masked */
  checkAndUnmaskIntx(): boolean {
    if (this.#interrupts()) return false;
    this.#command(INTX_DISABLE, false);
    return true;
  }

  #interrupts(): boolean {
    return (this.fn.configuration.word(STATUS) & INTERRUPT) !== 0;
  }

  /** Masks all entries, frees their IRQs and switches MSI-X off. */
  disableMsiX(): void {
    const { msiX } = this.fn;
    if (msiX === undefined || this.messageKind === "MSI") return;
    for (const [entry, irq] of this.#irqs) {
      this.setMask(entry, true);
      this.ports.interrupts.free(irq);
    }
    this.#irqs.clear();
    this.#msiXControl(0, MSIX_ENABLE | MSIX_FUNCTION_MASK);
    this.setIntx(true);
    this.messageKind = null;
  }

  /**
   * Writes address and data of an MSI-X entry, or of MSI: what the interrupt subsystem does on allocation and when the
   * affinity changes. MSI's Message Control is written before (`__write_msi_msg()`), with as many messages as are used; an
   * entry of MSI-X is masked meanwhile (`irq_move_irq()`).
   *
   * @throws {RangeError} if the device has no such entry
   */
  writeMessage(entry: number, message: { address: number; addressHigh?: number; data: number }): void {
    if (this.messageKind === "MSI") {
      this.#msiControl(0, MSI_QSIZE);
      this.ports.apply(this.fn.msi!.writeMessage(message));
      return;
    }
    const table = this.#table(), masked = table.masked(entry);
    if (!masked) this.setMask(entry, true);
    table.writeMessage(entry, message);
    if (!masked) this.setMask(entry, false);
  }

  /**
   * Gives an MSI-X entry another vector and leaves the rest of its message alone: a patched hypervisor writes the
   * guest's vector.
   *
   * @throws {RangeError} if the device has no such entry or the vector does not fit 8 bits
   */
  rewriteVector(entry: number, vector: number): void {
    const { address, addressHigh, data } = this.#table().message(entry);
    this.#table().writeMessage(entry, { address, addressHigh, data: withVector(data, vector) });
  }

  /** Masks or unmasks an MSI-X entry; unmasking lets a pending message go. */
  setMask(entry: number, masked: boolean): void {
    this.ports.apply(this.#table().setMask(entry, masked));
  }

  /** The MSI-X entries whose interrupts leave now; empty while MSI-X is off or the function is masked. */
  enabledMsiXEntries(): number[] {
    return this.fn.msiX?.table.enabledEntries() ?? [];
  }

  #table() {
    const { msiX } = this.fn;
    if (msiX === undefined) throw new RangeError(`${this.name} has no MSI-X`);
    return msiX.table;
  }

  #command(bits: number, on: boolean): void {
    const command = this.fn.configuration.read(0x04, 2);
    this.writeConfiguration(0x04, 2, on ? command | bits : command & ~bits);
  }

  #msiXControl(set: number, clear: number): void {
    this.#control(this.fn.msiX!.offset + 2, set, clear);
  }

  #msiControl(set: number, clear: number): void {
    this.#control(this.fn.msi!.offset + 2, set, clear);
  }

  #control(offset: number, set: number, clear: number): void {
    this.writeConfiguration(offset, 2, this.fn.configuration.read(offset, 2) & ~clear | set);
  }
}

/** Offset of the SR-IOV extended capability of a device; 0 if it has none. */
export function sriovOffset(device: PciDevice): number {
  return device.extendedCapability(0x0010);
}

function vfDeviceId(physfn: PciDevice): number {
  return physfn.fn.configuration.read(sriovOffset(physfn) + 0x1a, 2);
}
