/**
 * From the number of an interrupt line to what it drives: the table of `KVM_SET_GSI_ROUTING`, and the messages of MSI.
 *
 * *Document*: Linux 3.5 `virt/kvm/irq_comm.c`; Linux 6.18 `virt/kvm/irqchip.c`, `arch/x86/kvm/irq.c`
 * (`kvm_set_irq()`, `setup_routing_entry()`, `kvm_set_routing_entry()`, `kvm_set_msi()`).
 *
 * @module
 */

import { IOAPIC_PINS } from "../../../hw/ioapic.ts";
import type { StateHash } from "../../../hw/sim/state_hash.ts";
import { EINVAL, type Errno } from "../../linux/errno.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { deliver, type LapicIrq, targetsOf } from "./irq_delivery.ts";
import type { Vcpu } from "../vcpu.ts";
import type { Vm } from "../vm.ts";

/** Chips by their number in `struct kvm_irq_routing_irqchip`. */
export const Irqchip = Object.freeze({ PicMaster: 0, PicSlave: 1, Ioapic: 2 });

/** Lines of one 8259. */
const PIC_PINS = 8;

/** Who drives a line: user space, an eventfd, the kernel's PIT, a device of the host. A line is high while one of them holds it so. */
export const LineSource = Object.freeze({ UserSpace: 0, Irqfd: 1, Pit: 2, Assigned: 3 });

/** Who wants to know that the guest has ended the interrupt of a line (`struct kvm_irq_ack_notifier`). */
export interface AckNotifier {
  readonly gsi: number;
  /** @param from the CPU whose software serves the guest's EOI */
  acked(from: KernelCpu): void;
}

/** Who wants to know that the guest has masked a line at its I/O APIC, or unmasked it (`struct kvm_irq_mask_notifier`). */
export interface MaskNotifier {
  readonly gsi: number;
  /** @param from the CPU whose software serves the guest's write */
  masked(masked: boolean, from: KernelCpu): void;
}

/** A line leads to a pin of an emulated chip. */
interface PinRoute {
  readonly gsi: number;
  readonly type: "irqchip";
  readonly chip: number;
  readonly pin: number;
}

/** A line leads to a message. */
interface MessageRoute {
  readonly gsi: number;
  readonly type: "msi";
  readonly addressLow: number;
  readonly addressHigh: number;
  readonly data: number;
}

/** Where a line leads. */
export type Route = PinRoute | MessageRoute;

/** A line of the table: it leads to one pin of each chip, or to one message. */
interface Line {
  readonly pins: readonly PinRoute[];
  readonly message: MessageRoute | null;
  /** What the message asks of the local APICs; null: it is not valid, or there is none. */
  irq: LapicIrq | null;
}

const NOWHERE: Line = { pins: [], message: null, irq: null };

/** The table that `KVM_CREATE_IRQCHIP` makes: the ISA lines to both kinds of chip, the others to the I/O APIC. */
const FIRST_ROUTES: readonly Route[] = Array.from({ length: IOAPIC_PINS }, (_, gsi): Route[] => [
  { gsi, type: "irqchip", chip: Irqchip.Ioapic, pin: gsi },
  ...gsi < 2 * PIC_PINS
    ? [{ gsi, type: "irqchip", chip: gsi < PIC_PINS ? 0 : 1, pin: gsi % PIC_PINS } as const]
    : [],
]).flat();

/** The routing table of a machine. */
export class IrqRouting {
  /** Times that each line has risen. */
  readonly raised = new Map<number, number>();
  /** Told of the ends of interrupts. */
  readonly ackNotifiers = new Set<AckNotifier>();
  /** Told of masks. */
  readonly maskNotifiers = new Set<MaskNotifier>();
  /** Who holds a line high, a bit for each source. */
  readonly #high = new Map<number, number>();
  /** Messages are decoded when the table is given, and again when addresses have got another format. */
  #lines: (Line | undefined)[] = [];
  #decodedWide = false;

  /** With the table that `KVM_CREATE_IRQCHIP` makes. */
  constructor(readonly vm: Vm) {
    this.replace(FIRST_ROUTES);
  }

  /** `kvm_set_irq_routing()`: the whole table. @returns EINVAL, and the old table stays */
  replace(routes: readonly Route[]): Errno | void {
    const { irqRoutes } = this.vm.kvm.version;
    const table: (Line | undefined)[] = [];
    if (routes.some(({ gsi }) => gsi >= irqRoutes)) return EINVAL;
    for (const route of routes) {
      const { pins, message } = table[route.gsi] ?? NOWHERE;
      if (message !== null || !this.#valid(route)) return EINVAL;
      const isPin = route.type === "irqchip";
      if (isPin ? pins.some(({ chip }) => chip === route.chip) : pins.length > 0) return EINVAL;
      table[route.gsi] = { pins: isPin ? [...pins, route] : pins, message: isPin ? null : route, irq: null };
    }
    this.#lines = table;
    this.#decodeMessages();
  }

  #decodeMessages(): void {
    this.#decodedWide = this.vm.x2apicFormat;
    for (const line of this.#lines) {
      if (line === undefined) continue;
      const { message } = line;
      line.irq = message !== null && this.#validMsi(message.addressHigh)
        ? this.#irqOf(message.addressLow, message.addressHigh, message.data)
        : null;
    }
  }

  #valid(route: Route): boolean {
    if (route.type === "msi") return this.#validMsi(route.addressHigh);
    switch (route.chip) {
      case Irqchip.PicMaster:
      case Irqchip.PicSlave:
        return route.pin < PIC_PINS;
      case Irqchip.Ioapic:
        return route.pin < IOAPIC_PINS;
      default:
        return false;
    }
  }

  /** Where line `gsi` leads. */
  routesOf(gsi: number): readonly Route[] {
    const { pins, message } = this.#lines[gsi] ?? NOWHERE;
    return message === null ? pins : [message];
  }

  /** `kvm_msi_route_invalid()`: the upper half of an address holds bits 31:8 of the id, and else nothing. */
  #validMsi(addressHigh: number): boolean {
    return !this.vm.x2apicFormat || (addressHigh & 0xff) === 0;
  }

  /**
   * `kvm_set_irq()`: a line changes.
   *
   * @param source one of {@linkcode LineSource} @param status the caller asks whether the interrupt was coalesced
   * @returns more than 0: how many took it; 0: coalesced; below: ignored
   */
  setLine(gsi: number, high: boolean, source: number, status: boolean, from: KernelCpu): number {
    if (from.kernel.engine.trace !== null) {
      this.vm.tracepoint("kvm_set_irq", { gsi, level: Number(high), source }, from);
    }
    if (this.#decodedWide !== this.vm.x2apicFormat) this.#decodeMessages();
    const { pins, message, irq } = this.#lines[gsi] ?? NOWHERE;
    if (message !== null) return high && irq !== null ? this.#send(message, irq, from) : -1; // it has no level
    this.#count(gsi, high, source);
    let sum = -1;
    for (const { chip, pin } of pins) {
      const chips = this.vm.chips!;
      const result = chip === Irqchip.Ioapic
        ? chips.ioapic.setLine(pin, high, source, status, from)
        : chips.pic.setLine(chip * PIC_PINS + pin, high, source, from);
      if (result >= 0) sum = result + Math.max(sum, 0);
    }
    return sum;
  }

  #count(gsi: number, high: boolean, source: number): void {
    const before = this.#high.get(gsi) ?? 0;
    this.#high.set(gsi, high ? before | (1 << source) : before & ~(1 << source));
    if (high && before === 0) this.raised.set(gsi, (this.raised.get(gsi) ?? 0) + 1);
  }

  /** `kvm_notify_acked_irq()`: the guest has ended the interrupt of a chip's pin. */
  notifyAcked(chip: number, pin: number, from: KernelCpu): void {
    if (from.kernel.engine.trace !== null) this.vm.tracepoint("kvm_ack_irq", { irqchip: chip, pin }, from);
    for (const notifier of [...this.ackNotifiers]) {
      if (this.#leads(notifier.gsi, chip, pin)) notifier.acked(from);
    }
  }

  /** `kvm_fire_mask_notifiers()`: the guest has changed the mask of a chip's pin. */
  notifyMasked(chip: number, pin: number, masked: boolean, from: KernelCpu): void {
    for (const notifier of this.maskNotifiers) {
      if (this.#leads(notifier.gsi, chip, pin)) notifier.masked(masked, from);
    }
  }

  #leads(gsi: number, chip: number, pin: number): boolean {
    return this.#lines[gsi]?.pins.some((route) => route.chip === chip && route.pin === pin) === true;
  }

  /** The vCPUs that the message of a line may reach. */
  targets(gsi: number): readonly Vcpu[] {
    const { message } = this.#lines[gsi] ?? NOWHERE;
    if (message === null) return [];
    return targetsOf(this.vm, this.#irqOf(message.addressLow, message.addressHigh, message.data));
  }

  /** `KVM_SIGNAL_MSI`. @returns how many took it; -1: nobody was meant */
  signalMsi(addressLow: number, addressHigh: number, data: number, from: KernelCpu): number | Errno {
    if (!this.#validMsi(addressHigh)) return EINVAL;
    return this.#send({ addressLow, addressHigh, data }, this.#irqOf(addressLow, addressHigh, data), from);
  }

  /** @param irq what `message` asks for */
  #send(message: Omit<MessageRoute, "gsi" | "type">, irq: LapicIrq, from: KernelCpu): number {
    if (from.kernel.engine.trace !== null) {
      const { addressLow, addressHigh, data } = message;
      this.vm.tracepoint("kvm_msi_set_irq", { addressLow, addressHigh, data }, from);
    }
    return deliver(this.vm, null, irq, from);
  }

  /** `kvm_set_msi_irq()`: bits 31:20 of the address are not looked at, and a level counts as asserted. */
  #irqOf(addressLow: number, addressHigh: number, data: number): LapicIrq {
    const upper = this.vm.x2apicFormat ? addressHigh & 0xffff_ff00 : 0;
    return {
      mode: (data >>> 8) & 7,
      vector: data & 0xff,
      destination: (upper | ((addressLow >>> 12) & 0xff)) >>> 0,
      logical: (addressLow & 4) !== 0,
      assert: true,
      level: (data & 0x8000) !== 0,
      shorthand: 0,
      hint: (addressLow & 8) !== 0,
    };
  }

  /** Adds the levels of the lines, and how often they have risen, to `hash`. */
  hashInto(hash: StateHash): void {
    for (const [gsi, sources] of this.#high) hash.word(gsi).word(sources).number(this.raised.get(gsi) ?? 0);
  }
}
