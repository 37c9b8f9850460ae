/**
 * Ethernet as devices see it: trains of frames, the ring of a receive queue, the port of a function.
 *
 * A packet is never an event. Frames that follow each other at equal distances are one *train*; how many of them have
 * arrived is computed when somebody looks, and only the first one that somebody waits for needs an alarm.
 *
 * *Modelled*: destination and source address, arrival times, a ring that overflows.
 *
 * *Not modelled*: contents, descriptors in memory, checksums, VLANs, flow-control frames.
 *
 * @module
 */

import type { PciEffect } from "./pci_configuration.ts";
import type { StateHash } from "./sim/state_hash.ts";

/** Bytes that a full-size frame takes on the wire: 1500 of payload, header, check sequence, preamble and gap. */
export const FULL_FRAME_BYTES = 1538;

/** Frames that are sent in one go. The object is the sender's, who writes the next train into it: nobody else keeps it. */
export interface FrameTrain {
  /** MAC address of the receiver, 48 bits. */
  readonly destination: number;
  /** MAC address of the sender. */
  readonly source: number;
  /** How many. */
  frames: number;
  /** Length of each on the wire, bytes, preamble and gap included. */
  bytes: number;
  /** What they carry: the software's. */
  payload: unknown;
}

/** What a train's frames carry, and how many of them were taken. */
export type Deliver = (payload: unknown, frames: number) => void;

/** A network function as its driver uses it. The rings lie in the driver's memory; writing their tails does not exit. */
export interface EthernetPort {
  /** Its MAC address. */
  readonly mac: number;
  /** Receive queue 0. */
  readonly ring: ReceiveRing;
  /** Sends a train, not before `notBeforeNs` (now). What follows from it is carried out by whoever asked. */
  transmit(train: FrameTrain, nowNs: number, notBeforeNs?: number): readonly PciEffect[];
}

/** A train that arrives in a ring. */
interface Arrival {
  payload: unknown;
  frames: number;
  bytes: number;
  firstNs: number;
  spacingNs: number;
  taken: number;
}

/** The ring of a receive queue. */
export class ReceiveRing {
  declare readonly size: number;
  /** Frames for which the ring had no room (Missed Packet Count). */
  missed = 0;
  /** Frames that software has taken. */
  received = 0;
  readonly #arrivals: Arrival[] = [];
  /** Those that have been taken whole: what comes next is written into them. */
  readonly #spares: Arrival[] = [];
  #head = 0;
  /** Bytes of trains that have been taken whole. */
  #takenBytes = NaN;
  #lastTakenNs = -1;

  /** @param size descriptors */
  constructor(size: number) {
    this.size = size;
    this.#takenBytes = 0; // soon beyond 2^31: V8 shall make room for that from the start (see `Engine`)
  }

  /** Nothing has arrived; nothing will. */
  reset(): void {
    this.#arrivals.length = this.#head = 0;
    this.missed = this.received = 0;
    this.#lastTakenNs = -1;
  }

  /** `train` will arrive: its first frame at `firstNs`, each further one `spacingNs` later. */
  add({ payload, frames, bytes }: FrameTrain, firstNs: number, spacingNs: number): void {
    const room = this.size - this.#expected();
    const fit = Math.min(frames, room);
    this.missed += frames - fit;
    if (fit === 0) return;
    const last = this.#arrivals.at(-1);
    if (
      last !== undefined && last.payload === payload && last.spacingNs === spacingNs &&
      last.firstNs + last.frames * spacingNs === firstNs
    ) last.frames += fit; // one train goes on with the other
    else this.#arrivals.push(this.#arrival(payload, fit, bytes, firstNs, spacingNs));
  }

  #arrival(payload: unknown, frames: number, bytes: number, firstNs: number, spacingNs: number): Arrival {
    const spare = this.#spares.pop();
    if (spare === undefined) return { payload, frames, bytes, firstNs, spacingNs, taken: 0 };
    spare.payload = payload;
    spare.frames = frames;
    spare.bytes = bytes;
    spare.firstNs = firstNs;
    spare.spacingNs = spacingNs;
    spare.taken = 0;
    return spare;
  }

  /** Frames that have arrived by `nowNs` and have not been taken. */
  waiting(nowNs: number): number {
    let sum = 0;
    for (let i = this.#head; i < this.#arrivals.length; i++) {
      const arrival = this.#arrivals[i]!;
      if (arrival.firstNs > nowNs) break;
      sum += arrivedOf(arrival, nowNs) - arrival.taken;
    }
    return sum;
  }

  /** When the last frame arrived that has by `nowNs`; -1: none has. */
  lastArrivalNs(nowNs: number): number {
    let last = this.#lastTakenNs;
    for (let i = this.#head; i < this.#arrivals.length; i++) {
      const arrival = this.#arrivals[i]!;
      if (arrival.firstNs > nowNs) break;
      last = arrival.firstNs + (arrivedOf(arrival, nowNs) - 1) * arrival.spacingNs;
    }
    return last;
  }

  /** When the next frame arrives after `nowNs`; Infinity: none is on its way. */
  nextArrivalNs(nowNs: number): number {
    for (let i = this.#head; i < this.#arrivals.length; i++) {
      const arrival = this.#arrivals[i]!;
      if (arrival.firstNs > nowNs) return arrival.firstNs;
      const arrived = arrivedOf(arrival, nowNs);
      if (arrived < arrival.frames) return arrival.firstNs + arrived * arrival.spacingNs;
    }
    return Infinity;
  }

  /** Bytes that have been written to memory by `nowNs`, since power-up. */
  writtenBytes(nowNs: number): number {
    let sum = this.#takenBytes;
    if (this.#head === this.#arrivals.length) return sum;
    for (let i = this.#head; i < this.#arrivals.length; i++) {
      const arrival = this.#arrivals[i]!;
      if (arrival.firstNs > nowNs) break;
      sum += arrivedOf(arrival, nowNs) * arrival.bytes;
    }
    return sum;
  }

  /** Software takes the first `count` frames; they must have arrived. */
  take(count: number, deliver: Deliver): void {
    this.received += count;
    while (count > 0) {
      const arrival = this.#arrivals[this.#head]!;
      const part = Math.min(count, arrival.frames - arrival.taken);
      arrival.taken += part;
      count -= part;
      this.#lastTakenNs = arrival.firstNs + (arrival.taken - 1) * arrival.spacingNs;
      const { payload } = arrival;
      if (arrival.taken === arrival.frames) {
        this.#spares.push(arrival);
        this.#takenBytes += arrival.frames * arrival.bytes;
        this.#head++;
        if (this.#arrivals.length === 1) this.#arrivals.pop(), this.#head = 0; // as it is most often
        else if (this.#head === this.#arrivals.length) this.#arrivals.length = this.#head = 0;
        else if (this.#head === 64) this.#arrivals.splice(0, this.#head), this.#head = 0;
      }
      deliver(payload, part);
    }
  }

  /** Adds what is on its way and what waits to `hash`. */
  hashInto(hash: StateHash): void {
    hash.number(this.received).number(this.missed);
    for (let i = this.#head; i < this.#arrivals.length; i++) {
      const { frames, taken, firstNs, spacingNs } = this.#arrivals[i]!;
      hash.word(frames).word(taken).number(firstNs).number(spacingNs);
    }
  }

  /** Descriptors that are spoken for. */
  #expected(): number {
    let sum = 0;
    for (let i = this.#head; i < this.#arrivals.length; i++) {
      sum += this.#arrivals[i]!.frames - this.#arrivals[i]!.taken;
    }
    return sum;
  }
}

/** How many frames of a train that has begun to arrive are there. */
function arrivedOf({ frames, firstNs, spacingNs }: Arrival, nowNs: number): number {
  const sinceNs = nowNs - firstNs;
  return sinceNs >= (frames - 1) * spacingNs ? frames : Math.floor(sinceNs / spacingNs) + 1;
}
