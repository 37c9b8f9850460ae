/**
 * The pair of 8259 in the kernel: `hw/i8259.ts` behind lines with several sources, with its output at LINT0.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/i8259.c`, `irq.c` (`kvm_cpu_has_extint()`).
 *
 * *Not modelled*: acknowledgement and mask notifiers.
 *
 * @module
 */

import { PIC_PINS, PicPair, type PicState } from "../../../hw/i8259.ts";
import type { StateHash } from "../../../hw/sim/state_hash.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import type { Vm } from "../vm.ts";

const RESULTS = Object.freeze({ taken: 1, coalesced: 0, masked: -1 });

/** The 8259s of a machine. */
export class KvmPic {
  /** The chips. */
  readonly core = new PicPair((high) => this.vm.picAsks = high);
  /** Who asserts a line, a bit for each source. */
  readonly #sources = new Uint32Array(PIC_PINS);

  /** Of `vm`. */
  constructor(readonly vm: Vm) {}

  /** `kvm_pic_set_irq()`. @returns 1 taken, 0 coalesced, -1 masked */
  setLine(line: number, high: boolean, source: number, from: KernelCpu): number {
    if (high) this.#sources[line]! |= 1 << source;
    else this.#sources[line]! &= ~(1 << source);
    const before = this.core.output;
    const result = RESULTS[this.core.setLine(line, this.#sources[line] !== 0)];
    if (from.kernel.engine.trace !== null) {
      const { elcr, imr } = this.core.state(line >>> 3);
      const coalesced = result === RESULTS.coalesced;
      this.vm.tracepoint("kvm_pic_set_irq", { chip: line >>> 3, pin: line & 7, elcr, imr, coalesced }, from);
    }
    if (this.core.output && !before) this.#wake(from);
    return result;
  }

  /** Whether a port is one of the chips'. */
  hasPort(port: number): boolean {
    return (port & ~1) === 0x20 || (port & ~1) === 0xa0 || (port & ~1) === 0x4d0;
  }

  /** `picdev_write()`. */
  write(port: number, value: number, from: KernelCpu): void {
    const before = this.core.output;
    this.core.write(port, value);
    if (this.core.output && !before) this.#wake(from);
  }

  /** `KVM_SET_IRQCHIP` for one chip. */
  setState(chip: number, state: PicState, from: KernelCpu): void {
    const before = this.core.output;
    this.core.setState(chip, state);
    if (this.core.output && !before) this.#wake(from);
  }

  /** `pic_unlock()`: the first vCPU whose LINT0 is open looks. */
  #wake(from: KernelCpu): void {
    this.vm.vcpus.find(({ lapic }) => lapic.acceptsPic)?.kick(from);
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    this.core.hashInto(hash);
    hash.words(this.#sources);
  }
}
