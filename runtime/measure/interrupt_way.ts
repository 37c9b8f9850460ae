/**
 * The way of one interrupt through a processor: from its request, or from where it stands, to its end.
 *
 * It ends with the EOI of its last handler: a guest's own write, or, where that exits, the entry behind it. An interrupt
 * that software hands on, by injection, is still the same one. One of the host itself ends with the entry that injects
 * nothing, or where the processor goes on without a guest.
 *
 * @module
 */

import type { TraceRecord } from "../../hw/sim/trace.ts";

/** The EOI register: as an MSR, and in the page of the local APIC (SDM vol. 3A, "x2APIC Register Address Space"). */
const EOI_MSR = 0x80b;
const EOI_ADDRESS = 0xfee0_00b0;
/** Exit reasons by which a guest's EOI is emulated: WRMSR, APIC access. */
const WRMSR = 32;
const APIC_ACCESS = 44;

/** Where an interrupt is. */
type Stage =
  /** None is under way. */
  | "none"
  /** It has been requested or taken, and the host or the guest works on it. */
  | "host"
  /** A guest's handler runs. */
  | "guest"
  /** EOI is being written in the guest. */
  | "eoi"
  /** EOI has exited: KVM emulates it. */
  | "emulated"
  /** The host's own EOI has been written; nothing says yet whether the interrupt is handed on. */
  | "acknowledged";

/** Follows the interrupts of one processor. */
export class InterruptWay {
  #stage: Stage;

  /**
   * @param cpu number of the processor
   * @param isUnderWay an interrupt has been requested or taken before the first record
   * @param hasGuests whether an interrupt may be handed on now; otherwise it ends with its handler
   */
  constructor(readonly cpu: number, isUnderWay: boolean, readonly hasGuests: () => boolean) {
    this.#stage = isUnderWay ? "host" : "none";
  }

  /** An interrupt has been requested or taken, and has not ended. */
  get isUnderWay(): boolean {
    return this.#stage !== "none";
  }

  /** Reads the next record; true: with it the interrupt under way has ended. */
  read({ where, kind, name, fields }: TraceRecord): boolean {
    if (where === `lapic${this.cpu}`) {
      if (kind === "request" && this.#stage === "none") this.#stage = "host";
      return false;
    }
    if (where !== `cpu${this.cpu}`) return false;
    const before = this.#stage;
    const inGuest = fields.mode === "guest";
    if (before === "eoi" && kind !== "fault") return this.#end(); // whatever comes next: the write is over
    switch (kind) {
      case "interrupt":
        this.#stage = inGuest ? "guest" : "host";
        break;
      case "injection":
        this.#stage = "guest";
        break;
      case "exit":
        if (before === "guest") this.#stage = isEoi(fields) ? "emulated" : "guest";
        else if (before === "none" && fields.reason === 1) this.#stage = "host";
        break;
      case "entry":
        if (before === "emulated") return this.#end();
        if ((before === "host" || before === "acknowledged") && Number(fields.info) >>> 31 === 0) {
          return this.#end();
        }
        break;
      case "instruction": {
        const address = Number(fields.address);
        const isWrite = (name === "wrmsr" && address === EOI_MSR) ||
          (name === "store" && address === EOI_ADDRESS);
        if (isWrite && inGuest && before === "guest") this.#stage = "eoi";
        else if (isWrite && !inGuest && before === "host") this.#stage = "acknowledged";
        else if (name === "hlt" && !inGuest && before !== "none") return this.#end();
        break;
      }
      case "iret":
        if (before === "acknowledged" && !this.hasGuests()) return this.#end();
        break;
    }
    return false;
  }

  #end(): true {
    this.#stage = "none";
    return true;
  }
}

function isEoi({ reason, operand }: TraceRecord["fields"]): boolean {
  return (reason === WRMSR && operand === EOI_MSR) ||
    (reason === APIC_ACCESS && (Number(operand) & 0xfff) === 0xb0);
}
