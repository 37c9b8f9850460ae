/**
 * Device interrupts: numbers, vectors, affinity.
 *
 * *Document*: Linux 3.6 `arch/x86/kernel/apic/io_apic.c`, `arch/x86/kernel/irq.c`, `kernel/irq/manage.c`; patches 12
 * and 13 of the series for slave CPUs.
 *
 * *Modelled*: allocation of numbers and vectors, one destination CPU per interrupt, affinity, the move away from a CPU
 * that goes offline with its retriggered requests, lines that devices share (`irq_lines.ts`).
 *
 * *Not modelled*: managed affinity, polarity of IO-APIC pins.
 *
 * With interrupt remapping a device's message names an entry of the remapping table, and never changes; the entry carries
 * vector and destination (`intel_irq_remapping.c`, then `intr_remapping.c`).
 *
 * *Deviations*: the vector that an interrupt has left
 * stays connected until it is handed out again (Linux disconnects it with a clean-up interrupt), so a message that was
 * on its way is not lost.
 *
 * @module
 */

import { young } from "../../../hw/sim/young.ts";
import type { Activity } from "../../../hw/sim/activity.ts";
import type { Hashed, StateHash } from "../../../hw/sim/state_hash.ts";
import { Apic } from "../../../hw/lapic.ts";
import { encodeMsi, encodeRemappable } from "../../../hw/msi.ts";
import { firstCpu } from "../cpu_mask.ts";
import { EBUSY, EINVAL, EIO, ENOSPC, Errno } from "../errno.ts";
import type { IoApicPins } from "./io_apic.ts";
import { IrqLine, type LineAction } from "./irq_lines.ts";
import type { Kernel } from "../kernel.ts";
import type { IrqAction, KernelCpu, TopHalf } from "../kernel_cpu.ts";
import type { InterruptPort, MessageSource } from "../pci/pci_device.ts";
import type { CpuMask } from "../sched/task.ts";
import { Vector } from "./vectors.ts";

/** The interrupt controller behind an interrupt. `/proc/interrupts` prints `name-flow`. */
export interface IrqChip {
  readonly name: "PCI-MSI" | "IO-APIC";
  readonly flow: "edge" | "fasteoi";
}

/** Message-signalled interrupts of PCI devices. */
export const PCI_MSI_EDGE: IrqChip = { name: "PCI-MSI", flow: "edge" };
/** Pins of the IO-APIC: ISA interrupts. */
export const IO_APIC_EDGE: IrqChip = { name: "IO-APIC", flow: "edge" };
/** Pins of the IO-APIC: level-triggered PCI lines. */
export const IO_APIC_FASTEOI: IrqChip = { name: "IO-APIC", flow: "fasteoi" };

/** The message by which a device reaches the CPU and vector that its interrupt has. */
export interface IrqMessage {
  /** Physical address, 32 bits. */
  readonly address: number;
  readonly data: number;
}

/** The hardware's interrupt-remapping table, once software uses it. */
export interface InterruptRemapping {
  /** Writes an entry. */
  setEntry(index: number, entry: { readonly vector: number; readonly destination: number }): void;
  /** Takes an entry away. */
  clearEntry(index: number): void;
}

/** What somebody wants of an interrupt. */
export interface IrqRequest {
  /** As `/proc/interrupts` shows it: `eth0-TxRx-0`. */
  readonly name: string;
  readonly chip: IrqChip;
  /** The number, where the wiring decides it (IO-APIC pins, 0 … 39); a free one from 40 on where absent. */
  readonly irq?: number;
  /** The handler's own work; by default that of a device that is acknowledged and nothing else. */
  readonly handler?: (cpu: KernelCpu) => Activity<unknown>;
  /** Writes the message into the device: called on request and whenever CPU or vector change. */
  readonly program?: (message: IrqMessage) => void;
  /** The message of a device behind it. */
  readonly source?: MessageSource;
}

/** An interrupt that has been requested (`struct irq_desc` and its `irq_cfg`). */
export class IrqDescriptor implements IrqAction {
  /** CPUs that may get it, as last written. */
  affinity: CpuMask = 0;
  /** The CPU that gets it. */
  cpu = 0;
  /** The vector that it has there. */
  vector = 0;
  /** Its entry of the remapping table; -1: none, the message itself says where it goes. */
  remapIndex = -1;
  /** Takes it to its new CPU, where that waits for it to come; null: nothing waits. */
  pendingMove: (() => void) | null = null;
  /** Runs in place of `action`, where one step is all. */
  topHalf: TopHalf | null = null;
  /** Ends its level at the chip, where an EOI broadcast does not; null: that does, or there is no level. */
  endLevel: (() => void) | null = null;
  /** @inheritdoc */
  readonly eoiLast: boolean;

  /** Made by {@linkcode Irqs.request}. */
  constructor(
    readonly irq: number,
    public name: string,
    readonly chip: IrqChip,
    readonly program: ((message: IrqMessage) => void) | null,
    /** Runs when it comes; whoever serves the interrupt may replace it. */
    public action: (cpu: KernelCpu) => Activity<unknown>,
    /** Behind a message-signalled interrupt. */
    readonly source?: MessageSource,
  ) {
    this.eoiLast = chip.flow === "fasteoi";
  }

  /** @inheritdoc */
  get movePending(): boolean {
    return this.pendingMove !== null;
  }

  /** @inheritdoc */
  move(): void {
    this.pendingMove?.();
  }

  /** @inheritdoc */
  ended(): void {
    this.endLevel?.();
  }

  /** @inheritdoc */
  handler(cpu: KernelCpu): Activity<unknown> {
    return this.action(cpu);
  }
}

/** An interrupt that has left a CPU, and the vector that it had there. */
export interface LeftVector {
  readonly descriptor: IrqDescriptor;
  readonly vector: number;
}

/** The vector of a guest's interrupt on a slave CPU. */
interface SlaveVector {
  readonly vector: number;
  /** The CPU's vector table has it. */
  readonly connects: boolean;
}

/** Interrupts below this number belong to the wiring: 24 pins of the IO-APIC and 16 reserved for ISA. */
const FIRST_DYNAMIC_IRQ = 40;
/** ISA interrupts have fixed vectors. */
const ISA_IRQS = 16;
/** Vectors of one priority class: the allocator takes every 16th, so that neighbours differ in priority. */
const CLASS = 16;
/** System call gate: never a device's. */
const SYSCALL_VECTOR = 0x80;

/** The interrupts of a kernel. */
export class Irqs implements Hashed {
  /** `/proc/irq/default_smp_affinity`. */
  defaultAffinity: CpuMask;
  /** Messages of devices are remapped by it; null: they are not. To be said before any interrupt is requested. */
  remapping: InterruptRemapping | null = null;
  /** The chip behind lines that are no messages; null: the kernel knows of none. To be said likewise. */
  ioApic: IoApicPins | null = null;
  /**
   * A new affinity waits until the interrupt comes (`CONFIG_GENERIC_PENDING_IRQ`), because chip or device cannot be changed
   * while a message may be on its way. Where interrupts are remapped they move at once (`IRQ_MOVE_PCNTXT`).
   */
  movesLater = false;
  /** Entries of the remapping table in use. */
  readonly #remapIndices = new Set<number>();
  readonly #descriptors = new Map<number, IrqDescriptor>();
  /** Lines that may be shared, by number. */
  readonly #lines = new Map<number, IrqLine>();
  /** By slave CPU: the vector that an interrupt has to have there, because it is its guest's. */
  readonly #slaveVectors = new Map<number, Map<number, SlaveVector>>();
  // __assign_irq_vector(): the search goes on where the last one ended. The first candidates are ISA's.
  #lastVector = Vector.FirstExternal + 1;
  #lastOffset = 1;

  /**
   * @param slaveAffinity the patched kernel's rule: an affinity may name slave CPUs
   */
  constructor(readonly kernel: Kernel, readonly slaveAffinity: boolean) {
    this.defaultAffinity = kernel.possibleMask;
    kernel.engine.register(`irqs ${kernel.name}`, this);
  }

  /** How many interrupts the kernel can have (`nr_irqs`). */
  get limit(): number {
    return FIRST_DYNAMIC_IRQ + 8 * this.kernel.cpus.length + 16 * FIRST_DYNAMIC_IRQ;
  }

  /** All interrupts in use, by number. */
  list(): IrqDescriptor[] {
    return [...this.#descriptors.values()].sort((a, b) => a.irq - b.irq);
  }

  /** Interrupt `irq`, if it is in use. */
  get(irq: number): IrqDescriptor | undefined {
    return this.#descriptors.get(irq);
  }

  /**
   * Allocates an interrupt, routes it to the first CPU of the default affinity and writes its message.
   *
   * @returns EBUSY (the number is in use), EINVAL (it is none of the wiring's), ENOSPC (no number or vector is left)
   */
  request({ name, chip, irq, handler, program, source }: IrqRequest): IrqDescriptor | Errno {
    const { kernel } = this;
    if (irq !== undefined && (irq < 0 || irq >= FIRST_DYNAMIC_IRQ)) return EINVAL;
    if (irq !== undefined && this.#descriptors.has(irq)) return EBUSY;
    const number = irq ?? this.#freeNumber();
    if (number >= this.limit) return ENOSPC;
    const action = handler ?? acknowledgeOnly;
    const descriptor = new IrqDescriptor(number, name, chip, program ?? null, action, source);
    const online = kernel.onlineMask || 1; // before anybody is online CPU 0 boots
    descriptor.affinity = (this.defaultAffinity & online) || online;
    kernel.clearInterruptCounts(number);
    const reachesUnit = program !== undefined || (chip.name === "IO-APIC" && this.ioApic !== null);
    if (this.remapping !== null && reachesUnit) descriptor.remapIndex = this.#allocateEntry();
    if (descriptor.remapIndex >= 0 && descriptor.eoiLast) {
      descriptor.endLevel = young(() => this.ioApic?.endOfInterrupt(number));
    }
    const failed = this.#route(descriptor, firstCpu(descriptor.affinity));
    if (failed) {
      this.#freeEntry(descriptor);
      return failed;
    }
    if (descriptor.remapIndex >= 0) {
      program?.({ address: encodeRemappable(descriptor.remapIndex, true), data: 0 });
    }
    this.#descriptors.set(number, descriptor);
    return descriptor;
  }

  /**
   * `request_irq()` of a level-triggered line, which may have handlers already.
   *
   * @returns EBUSY: it is not to be shared, or as {@linkcode request}
   */
  requestLine(irq: number, action: LineAction): IrqLine | Errno {
    const known = this.#lines.get(irq);
    if (known !== undefined) return known.add(action) ?? known;
    const descriptor = this.request({ irq, name: action.name, chip: IO_APIC_FASTEOI });
    if (descriptor instanceof Errno) return descriptor;
    const line = new IrqLine(this.kernel, descriptor, this.ioApic);
    line.add(action);
    this.#lines.set(irq, line);
    return line;
  }

  /** `free_irq()` of a handler that {@linkcode requestLine} has taken; the last one gives the line back. */
  freeLine(irq: number, action: LineAction): void {
    const line = this.#lines.get(irq);
    line?.remove(action);
    if (line === undefined || line.inUse) return;
    this.#lines.delete(irq);
    this.free(irq);
  }

  /** A line that {@linkcode requestLine} has given. */
  line(irq: number): IrqLine | undefined {
    return this.#lines.get(irq);
  }

  /** Gives an interrupt back. */
  free(irq: number): void {
    const descriptor = this.#descriptors.get(irq);
    if (descriptor === undefined) return;
    this.#descriptors.delete(irq);
    this.#freeEntry(descriptor);
    if (descriptor.chip.name === "IO-APIC") this.ioApic?.free(irq);
    for (const { vectorIrq } of this.kernel.cpus) {
      for (const [vector, action] of vectorIrq) if (action === descriptor) vectorIrq.delete(vector);
    }
  }

  /**
   * Says which CPUs may get interrupt `irq`; the first of them gets it, unless the one that has it is among them.
   *
   * Linux delivers to online CPUs only. The patched kernel trims a mask to its online part, or, where that is empty,
   * takes the slave CPUs of it: an interrupt goes to either kind.
   *
   * @returns EIO (no such interrupt), EINVAL (the mask names no CPU that could get it), ENOSPC (no vector is left)
   */
  setAffinity(irq: number, mask: CpuMask): Errno | void {
    const descriptor = this.#descriptors.get(irq);
    if (descriptor === undefined) return EIO;
    const { kernel } = this;
    let usable = mask & kernel.onlineMask;
    if (usable === 0 && this.slaveAffinity) {
      for (const cpu of kernel.cpus) if (cpu.state === "slave") usable |= mask & (1 << cpu.id);
    }
    if (usable === 0) return EINVAL;
    descriptor.pendingMove = null;
    if ((usable & (1 << descriptor.cpu)) === 0) {
      if (this.movesLater) descriptor.pendingMove = young(() => this.#move(descriptor));
      else {
        const failed = this.#route(descriptor, firstCpu(usable));
        if (failed) return failed;
      }
    }
    descriptor.affinity = this.slaveAffinity ? usable : mask;
  }

  /** irq_move_irq(): a level that has come again meanwhile stays where it is until its end. */
  #move(descriptor: IrqDescriptor): void {
    if (descriptor.eoiLast && this.ioApic?.ackPending(descriptor.irq)) return;
    descriptor.pendingMove = null;
    const usable = descriptor.affinity & this.kernel.onlineMask;
    if (usable !== 0) this.#route(descriptor, firstCpu(usable));
  }

  /**
   * fixup_irqs(): routes everything that `cpu` gets to CPUs that stay online. An affinity that names none of them is
   * given up, with a line in the log. Call {@linkcode retrigger} with the result once messages on their way have come.
   */
  evacuate(cpu: KernelCpu): LeftVector[] {
    const { kernel } = this;
    const left: LeftVector[] = [];
    const online = kernel.onlineMask & ~(1 << cpu.id);
    for (const descriptor of this.list()) {
      if (descriptor.cpu !== cpu.id) continue;
      const { irq, vector } = descriptor;
      const broken = (descriptor.affinity & online) === 0;
      if (broken) descriptor.affinity = kernel.possibleMask;
      if (this.#route(descriptor, firstCpu(descriptor.affinity & online))) {
        kernel.log(`Cannot set affinity for irq ${irq}`);
        continue;
      }
      if (broken) kernel.log(`Broke affinity for irq ${irq}`);
      left.push({ descriptor, vector });
    }
    return left;
  }

  /** Sends what `cpu` has been requested meanwhile, and will not take any more, to where it goes now. */
  *retrigger(cpu: KernelCpu, left: readonly LeftVector[]): Activity {
    for (const { descriptor, vector } of left) {
      const requests = yield cpu.apicRead(Apic.IRR + (vector >>> 5) * 0x10);
      if (((requests >>> (vector & 31)) & 1) !== 0) yield cpu.sendIpi(descriptor.cpu, descriptor.vector);
    }
    for (const [vector, action] of cpu.vectorIrq) {
      if (action instanceof IrqDescriptor) cpu.vectorIrq.delete(vector);
    }
  }

  /**
   * remap_slave_vector_irq(): on slave CPU `cpu` interrupt `irq` has vector `vector` from now on, once its affinity leads
   * there.
   *
   * @param connects whether the CPU knows the vector, so that an interrupt that comes while the guest is out is not lost
   */
  remapSlaveVector(irq: number, vector: number, cpu: KernelCpu, connects = true): void {
    const descriptor = this.#descriptors.get(irq);
    if (descriptor === undefined) return;
    let vectors = this.#slaveVectors.get(cpu.id);
    if (vectors === undefined) this.#slaveVectors.set(cpu.id, vectors = new Map());
    vectors.set(irq, { vector, connects });
    if (connects) cpu.vectorIrq.set(vector, descriptor);
  }

  /** revert_slave_vector_irq(): the vector that interrupt `irq` had on slave CPUs leads nowhere any more. */
  revertSlaveVectors(irq: number): void {
    for (const [id, vectors] of this.#slaveVectors) {
      const remapped = vectors.get(irq);
      if (remapped === undefined) continue;
      vectors.delete(irq);
      this.kernel.cpus[id]!.vectorIrq.delete(remapped.vector);
    }
  }

  /** The first free entry of the remapping table. */
  #allocateEntry(): number {
    let index = 0;
    while (this.#remapIndices.has(index)) index++;
    this.#remapIndices.add(index);
    return index;
  }

  #freeEntry({ remapIndex }: IrqDescriptor): void {
    if (remapIndex < 0) return;
    this.#remapIndices.delete(remapIndex);
    this.remapping?.clearEntry(remapIndex);
  }

  #freeNumber(): number {
    let irq = FIRST_DYNAMIC_IRQ;
    while (this.#descriptors.has(irq)) irq++;
    return irq;
  }

  /** Gives `descriptor` a vector on CPU `target` and tells the device. */
  #route(descriptor: IrqDescriptor, target: number): Errno | void {
    const cpu = this.kernel.cpus[target]!;
    const line = descriptor.chip.name === "IO-APIC";
    const isa = line && descriptor.irq < ISA_IRQS;
    const remapped = cpu.state === "slave" ? this.#slaveVectors.get(target)?.get(descriptor.irq) : undefined;
    const vector = isa ? Vector.Isa + descriptor.irq : remapped?.vector ?? this.#freeVector(cpu);
    if (vector instanceof Errno) return vector;
    descriptor.cpu = target;
    descriptor.vector = vector;
    if (cpu.state === "slave") {
      this.kernel.log(`slave vector remap: irq: ${descriptor.irq} => vector: ${vector}`);
    }
    if (remapped?.connects ?? true) cpu.vectorIrq.set(vector, descriptor);
    const { remapIndex } = descriptor;
    if (remapIndex >= 0) this.remapping!.setEntry(remapIndex, { vector, destination: target });
    if (line) {
      const level = descriptor.chip.flow === "fasteoi";
      return this.ioApic?.route(descriptor.irq, { vector, destination: target, level, remapIndex });
    }
    if (remapIndex >= 0) return;
    descriptor.program?.(encodeMsi({
      vector,
      destination: target,
      destinationMode: "physical",
      redirectionHint: false,
      deliveryMode: "fixed",
      trigger: "edge",
      level: 1,
    }));
  }

  /** first_system_vector: shoot-downs and the timer have what lies behind. */
  get #firstSystemVector(): number {
    return Math.min(this.kernel.release.tlbVectors?.first ?? Infinity, Vector.LocalTimer);
  }

  /** The next vector of `cpu` that no interrupt has. */
  #freeVector(cpu: KernelCpu): number | Errno {
    let vector = this.#lastVector, offset = this.#lastOffset;
    do {
      vector += CLASS;
      if (vector >= this.#firstSystemVector) {
        offset = (offset + 1) % CLASS;
        vector = Vector.FirstExternal + offset;
      }
      if (this.#usable(cpu, vector)) {
        this.#lastVector = vector;
        this.#lastOffset = offset;
        return vector;
      }
    } while (vector !== this.#lastVector);
    return ENOSPC;
  }

  #usable(cpu: KernelCpu, vector: number): boolean {
    if (vector === Vector.FirstExternal || vector === SYSCALL_VECTOR) return false; // clean-up, system calls
    if (vector >= Vector.Isa && vector < Vector.Isa + ISA_IRQS) return false;
    const action = cpu.vectorIrq.get(vector);
    if (action === undefined) return true;
    return action instanceof IrqDescriptor && (action.cpu !== cpu.id || action.vector !== vector);
  }

  /** Adds numbers, vectors and affinities to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.defaultAffinity).word(this.#lastVector).word(this.#lastOffset);
    for (const { irq, name, cpu, vector, affinity, movePending } of this.list()) {
      hash.word(irq).text(name).word(cpu).word(vector).word(affinity).flag(movePending);
    }
    for (const line of this.#lines.values()) line.hashInto(hash);
  }
}

/** The handler of a device that wants nothing but to be acknowledged. */
function* acknowledgeOnly(cpu: KernelCpu): Activity {
  yield cpu.kernel.steps.deviceHandler;
}

/** The interrupts of a kernel as its PCI core wants them: one for each message. */
export function pciInterrupts(irqs: Irqs): InterruptPort {
  return {
    allocate(device, name, entry) {
      const descriptor = irqs.request({
        name,
        chip: PCI_MSI_EDGE,
        source: { device: device.name, kind: device.messageKind!, entry },
        program: (message) => device.writeMessage(entry, message),
      });
      return descriptor instanceof Errno ? descriptor : descriptor.irq;
    },
    handle(irq, topHalf) {
      const descriptor = irqs.get(irq);
      if (descriptor !== undefined) descriptor.topHalf = topHalf;
    },
    free: (irq) => irqs.free(irq),
    requestLine: (irq, action) => irqs.requestLine(irq, action),
    freeLine: (irq, action) => irqs.freeLine(irq, action),
  };
}
