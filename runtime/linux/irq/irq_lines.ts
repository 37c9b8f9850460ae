/**
 * The handlers of a line, which devices share, and the ways in which the line is kept silent.
 *
 * *Document*: Linux 3.5 `kernel/irq/manage.c` (`__setup_irq()`, `disable_irq_nosync()`, `enable_irq()`,
 * `irq_finalize_oneshot()`), `kernel/irq/chip.c` (`handle_fasteoi_irq()`), `kernel/irq/spurious.c` (`note_interrupt()`).
 *
 * *Modelled*: IRQF_SHARED and IRQF_ONESHOT, nested disabling that takes effect with the next interrupt, a line that nobody
 * cares for.
 *
 * *Not modelled*: polling of a line that has been disabled so (`irqpoll`).
 *
 * @module
 */

import { young } from "../../../hw/sim/young.ts";
import type { Activity, Step } from "../../../hw/sim/activity.ts";
import type { StateHash } from "../../../hw/sim/state_hash.ts";
import { EBUSY, type Errno } from "../errno.ts";
import type { IoApicPins } from "./io_apic.ts";
import type { IrqDescriptor } from "./irq.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelCpu } from "../kernel_cpu.ts";

/** Flags of `request_irq()`, as the log prints them. */
const IRQF_SHARED = 0x80, IRQF_ONESHOT = 0x2000;
/** Of so many interrupts … */
const WATCHED = 100_000;
/** … so many have been nobody's: the line is stuck. */
const UNHANDLED_MAX = 99_900;

/** What a driver asks of a line (`struct irqaction`). */
export interface LineAction {
  /** As `/proc/interrupts` shows it. */
  readonly name: string;
  /** IRQF_SHARED: others may have handlers too. */
  readonly shared: boolean;
  /** IRQF_ONESHOT: from the interrupt until its thread has ended ({@linkcode IrqLine.threadEnded}) the line is masked. */
  readonly oneshot?: boolean;
  /** The handler's step; by default that of a device's. */
  readonly step?: Step;
  /** What it does when that has passed. @returns whether its device has interrupted; false: IRQ_NONE */
  act?(cpu: KernelCpu): boolean;
  /** A handler of several steps in their place; it takes every interrupt for its own. */
  run?(cpu: KernelCpu): Activity<unknown>;
}

/** A line that has handlers. */
export class IrqLine {
  readonly #actions: LineAction[] = [];
  /** `disable_irq()` calls without their `enable_irq()`. */
  #depth = 0;
  #masked = false;
  /** The thread of a ONESHOT interrupt works. */
  #threadRuns = false;
  #interrupts = 0;
  #unhandled = 0;

  /** Made by `Irqs.requestLine()`. */
  constructor(
    readonly kernel: Kernel,
    readonly descriptor: IrqDescriptor,
    readonly pins: IoApicPins | null,
  ) {}

  /** Whether it has handlers. */
  get inUse(): boolean {
    return this.#actions.length > 0;
  }

  /** Whether its pin is masked. */
  get masked(): boolean {
    return this.#masked;
  }

  /** `request_irq()`. @returns EBUSY: another handler does not share, or this one does not, or their flags differ */
  add(action: LineAction): Errno | void {
    const [old] = this.#actions;
    if (old !== undefined) {
      if (!(old.shared && action.shared) || (old.oneshot ?? false) !== (action.oneshot ?? false)) {
        this.kernel.log(
          `genirq: Flags mismatch irq ${this.descriptor.irq}. ${flagsOf(action)} vs. ${flagsOf(old)}`,
        );
        return EBUSY;
      }
    }
    this.#actions.push(action);
    this.#install();
  }

  /** `free_irq()`: a line without handlers is neither disabled nor masked any more. */
  remove(action: LineAction): void {
    const at = this.#actions.indexOf(action);
    if (at >= 0) this.#actions.splice(at, 1);
    if (!this.inUse) {
      this.#depth = 0;
      this.#threadRuns = false;
    }
    this.#install();
  }

  /** `disable_irq_nosync()`: the pin is masked when it interrupts the next time. */
  disable(): void {
    this.#depth++;
    this.#install();
  }

  /** `enable_irq()`: the last one unmasks, and a level that has lasted interrupts. */
  enable(): void {
    if (this.#depth === 0 || --this.#depth > 0) return;
    this.#install();
    if (!this.#threadRuns) this.#mask(false);
  }

  /** `irq_finalize_oneshot()`. */
  threadEnded(): void {
    this.#threadRuns = false;
    if (this.#depth === 0) this.#mask(false);
  }

  #mask(masked: boolean): void {
    if (masked === this.#masked) return;
    this.#masked = masked;
    this.pins?.setMask(this.descriptor.irq, masked);
  }

  /** Has the descriptor run what there is to run: a single handler of one step needs no more than that. */
  #install(): void {
    const { descriptor } = this;
    descriptor.name = this.#actions.map(({ name }) => name).join(", ");
    const [only] = this.#actions;
    const alone = this.#depth === 0 && this.#actions.length === 1 && !only!.oneshot;
    descriptor.topHalf = null;
    descriptor.action = young((cpu) => this.#handle(cpu));
    if (!alone) return;
    const { run, act, step } = only!;
    if (run !== undefined) descriptor.action = young((cpu) => run(cpu));
    else descriptor.topHalf = { ...(step && { step }), act: (cpu) => this.#note(act?.(cpu) ?? true) };
  }

  /** handle_fasteoi_irq(), up to the EOI. */
  *#handle(cpu: KernelCpu): Activity {
    if (this.#depth > 0) return this.#mask(true);
    const oneshot = this.#actions[0]?.oneshot === true;
    if (oneshot) {
      this.#mask(true);
      this.#threadRuns = true;
    }
    let handled = false;
    for (const { step, act, run } of [...this.#actions]) {
      if (run !== undefined) yield* run(cpu);
      else yield step ?? this.kernel.steps.deviceHandler;
      handled = (act?.(cpu) ?? true) || handled;
    }
    this.#note(handled);
  }

  #note(handled: boolean): void {
    if (!handled) this.#unhandled++;
    if (++this.#interrupts < WATCHED) return;
    this.#interrupts = 0;
    if (this.#unhandled > UNHANDLED_MAX) {
      const { irq } = this.descriptor;
      this.kernel.log(`irq ${irq}: nobody cared (try booting with the "irqpoll" option)`);
      this.kernel.log(`Disabling IRQ #${irq}`);
      this.disable();
      this.#mask(true);
    }
    this.#unhandled = 0;
  }

  /** Adds how it is kept silent to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.#depth).flag(this.#masked).flag(this.#threadRuns).word(this.#interrupts).word(
      this.#unhandled,
    );
  }
}

function flagsOf({ name, shared, oneshot }: LineAction): string {
  const flags = (shared ? IRQF_SHARED : 0) | (oneshot ? IRQF_ONESHOT : 0);
  return `${flags.toString(16).padStart(8, "0")} (${name})`;
}
