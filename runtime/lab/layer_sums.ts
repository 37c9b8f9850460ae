/**
 * The invariant "sum of layers": what software books as guest time and as host time is what the processor spent in guest
 * mode and in root mode, and both together the time that has passed.
 *
 * Software takes its stamps in root mode, so one entry and one exit of the processor are within them; and an NMI that comes
 * between a stamp and its transition. What a turn of guest mode is booked with beyond that was somebody else's time.
 *
 * @module
 */

import type { Vcpu } from "../kvm/vcpu.ts";

/** A vCPU since its last entry. */
interface Turn {
  /** Guest time of its thread as booked at the entry, ns. */
  readonly bookedNs: number;
  /** When its processor came into guest mode. */
  readonly enteredNs: number;
  /** In guest mode since, ns. */
  guestModeNs: number;
  /** Handlers of NMIs in root mode since, ns. */
  nmiNs: number;
}

/** Compares the stamps of all vCPUs with what their processors record. */
export class LayerSums {
  readonly #turns = new Map<Vcpu, Turn>();
  /** When an NMI's handler began in root mode, by processor. */
  readonly #nmis = new Map<number, number>();

  /** @param transitionsNs what an exit and an entry cost together */
  constructor(readonly transitionsNs: number) {}

  /** `vcpu` is in guest mode from now on. @returns what is wrong with the books of the turn before; undefined: nothing */
  entered(vcpu: Vcpu, nowNs: number): string | undefined {
    const bookedNs = vcpu.thread!.guestNs;
    const turn = this.#turns.get(vcpu);
    this.#turns.set(vcpu, { bookedNs, enteredNs: nowNs, guestModeNs: 0, nmiNs: 0 });
    if (turn === undefined) return undefined;
    const surplusNs = bookedNs - turn.bookedNs - turn.guestModeNs - this.transitionsNs;
    if (surplusNs >= 0 && surplusNs <= turn.nmiNs) return undefined;
    return surplusNs < 0
      ? `${-surplusNs} ns of the guest's are booked as the host's`
      : `${surplusNs} ns of the host's are booked as the guest's, which was in guest mode for ${turn.guestModeNs} ns`;
  }

  /** `vcpu` leaves guest mode. */
  left(vcpu: Vcpu, nowNs: number): void {
    const turn = this.#turns.get(vcpu);
    if (turn !== undefined) turn.guestModeNs = nowNs - turn.enteredNs;
  }

  /** An NMI has come to processor `id`, in root mode. */
  nmi(id: number, nowNs: number): void {
    this.#nmis.set(id, nowNs);
  }

  /** A handler has returned on processor `id`. @param vcpu loaded there */
  returned(id: number, vcpu: Vcpu | undefined, nowNs: number): void {
    const sinceNs = this.#nmis.get(id);
    if (sinceNs === undefined) return;
    this.#nmis.delete(id);
    const turn = vcpu && this.#turns.get(vcpu);
    if (turn !== undefined) turn.nmiNs += nowNs - sinceNs;
  }
}
