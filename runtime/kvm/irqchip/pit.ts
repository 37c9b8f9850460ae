/**
 * The 8254 in the kernel (`KVM_CREATE_PIT2`): `hw/i8254.ts` at ports 0x40 to 0x43, whose counter 0 is an hrtimer of the host
 * and drives interrupt line 0, and port 0x61 with the speaker's gate.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/i8254.c` (`pit_load_count()`, `create_pit_timer()`, `pit_ioport_write()`,
 * `speaker_ioport_write()`).
 *
 * *Modelled*: the chip's registers; counter 0 as a timer of the host CPU on which it was created: a pulse on line 0 with
 * each expiry.
 * Its state as user space reads and sets it (`pit_state.ts`).
 *
 * *Not modelled*: reinjection of ticks that the guest missed, `KVM_PIT_SPEAKER_DUMMY`, HPET in legacy mode.
 *
 * *Assumption*: counter 0 counts as the BIOS leaves it, in mode 2 with a count of 0 (18.2 Hz), until somebody programs it
 * otherwise. A kernel that has found its local APIC timer shuts the PIT down by a count of 0 in mode 0; the guests here
 * do not. The talk says that the in-kernel PIT has to be switched off with `-no-kvm-pit`, and that is how it can be seen
 * to matter. QEMU's own PIT takes its place then; the guest's kernel has shut that one down.
 *
 * @module
 */

import type { Step } from "../../../hw/sim/activity.ts";
import type { StateHash } from "../../../hw/sim/state_hash.ts";
import { type CounterState, Pit8254, PIT_PORTS, pitNs } from "../../../hw/i8254.ts";
import { HrTimer } from "../../linux/hrtimer.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { startHostTimer } from "./host_timer.ts";
import { LineSource } from "./irq_routing.ts";
import type { Vm } from "../vm.ts";

export { PIT_HZ } from "../../../hw/i8254.ts";

/** The line that counter 0 drives. */
const LINE = 0;
/** The speaker's port: bit 0 gates counter 2, bit 1 lets it sound, bit 4 changes with time, bit 5 reads the output. */
const SPEAKER_PORT = 0x61;
const SPEAKER_COUNTER = 2;
/** Half a period of bit 4, which was memory's refresh once: 15 us, as the kernel has it. */
const REFRESH_NS = 1 << 14;
/** What the BIOS writes: counter 0, both bytes, mode 2; and a count of 0. */
const BIOS_CONTROL = 0x34;

/** The PIT of a machine. */
export class Pit {
  /** The chip. */
  readonly core = new Pit8254();
  /** Ticks so far. */
  ticks = 0;
  readonly #timer: HrTimer;
  #speakerOn = false;

  /** @param home the CPU on which its timer expires: where it was created, then where counter 0 was last programmed */
  constructor(readonly vm: Vm, public home: KernelCpu) {
    this.#timer = new HrTimer(
      `kvm pit ${vm.name}`,
      vm.kvm.steps.pitTick,
      (timer, cpu) => this.#tick(timer, cpu),
    );
    this.core.setGate(SPEAKER_COUNTER, false, 0);
  }

  /** Whether counter 0 counts. */
  get running(): boolean {
    return this.#timer.base !== null;
  }

  /** Time from tick to tick, ns; truncated, as `muldiv64()` does. */
  get periodNs(): number {
    return pitNs(this.core.schedule(0).counts);
  }

  /** The BIOS starts it. @returns the register write that remains to be done, if any */
  start(): Step | null {
    const { nowNs } = this.home.kernel;
    this.core.write(PIT_PORTS.control, BIOS_CONTROL, nowNs);
    this.core.write(0, 0, nowNs);
    this.core.write(0, 0, nowNs);
    return this.#load(this.home);
  }

  /** Stops counting. */
  stop(): void {
    this.#timer.base?.cancel(this.#timer);
  }

  /** Whether a port is the chip's, or the speaker's. */
  hasPort(port: number): boolean {
    return port === SPEAKER_PORT || (port >= PIT_PORTS.base && port < PIT_PORTS.base + PIT_PORTS.count);
  }

  /** `pit_ioport_write()`, by software on `cpu`. @returns the register write that remains to be done there, if any */
  write(port: number, value: number, cpu: KernelCpu): Step | null {
    const { nowNs } = this.home.kernel;
    if (port === SPEAKER_PORT) {
      this.#speakerOn = (value & 2) !== 0;
      this.core.setGate(SPEAKER_COUNTER, (value & 1) !== 0, nowNs);
      return null;
    }
    return this.core.write(port - PIT_PORTS.base, value, nowNs) === 0 ? this.#load(cpu) : null;
  }

  /** `pit_ioport_read()`. */
  read(port: number): number {
    const { nowNs } = this.home.kernel;
    if (port !== SPEAKER_PORT) return this.core.read(port - PIT_PORTS.base, nowNs);
    return Number(this.core.gate(SPEAKER_COUNTER)) | (this.#speakerOn ? 2 : 0) |
      (Math.floor(nowNs / REFRESH_NS) % 2 === 0 ? 0 : 0x10) |
      (this.core.output(SPEAKER_COUNTER, nowNs) ? 0x20 : 0);
  }

  /** All counters get their states and start anew, by software on `cpu`. @returns as {@linkcode write} */
  setState(counters: readonly CounterState[], cpu: KernelCpu): Step | null {
    const loadNs = this.home.kernel.nowNs;
    for (const [number, state] of counters.entries()) this.core.setState(number, { ...state, loadNs });
    return this.#load(cpu);
  }

  /** `pit_load_count()`: counter 0 starts anew. Without the interrupt controllers there is no line to raise. */
  #load(cpu: KernelCpu): Step | null {
    this.stop();
    if (!this.vm.irqchip || this.core.schedule(0).kind === "never") return null;
    if (cpu.state !== "slave") this.home = cpu;
    return startHostTimer(this.#timer, cpu.kernel.nowNs + this.periodNs, this.home, cpu);
  }

  #tick(timer: HrTimer, cpu: KernelCpu): void {
    this.ticks++;
    if (this.core.schedule(0).kind === "periodic") cpu.hrtimers.start(timer, timer.expiresNs + this.periodNs);
    // pit_do_work(): a pulse.
    for (const high of [true, false]) this.vm.chips?.routing.setLine(LINE, high, LineSource.Pit, false, cpu);
  }

  /** Adds chip and ticks to `hash`. */
  hashInto(hash: StateHash): void {
    this.core.hashInto(hash);
    hash.number(this.ticks).flag(this.#speakerOn);
  }
}
