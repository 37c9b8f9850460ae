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
  /** Those on their way or waiting lie from #head to #tail; the others are free, and are written again. */
  readonly #arrivals: Arrival[] = [];
  #head = 0;
  #tail = 0;
  /** Descriptors that are spoken for. */
  #expected = 0;
  /** Bytes of trains that have been taken whole. */
  #takenBytes = NaN;
  #lastTakenNs = NaN;

  /** @param size descriptors */
  constructor(size: number) {
    this.size = size;
    this.#takenBytes = 0; // soon beyond 2^31: V8 shall make room for that from the start (see `Engine`)
    this.#lastTakenNs = -1;
  }

  /** Nothing has arrived; nothing will. */
  reset(): void {
    this.#head = this.#tail = this.#expected = 0;
    this.missed = this.received = 0;
    this.#lastTakenNs = -1;
  }

  /** `train` will arrive: its first frame at `firstNs`, each further one `spacingNs` later. */
  add({ payload, frames, bytes }: FrameTrain, firstNs: number, spacingNs: number): void {
    const fit = Math.min(frames, this.size - this.#expected);
    this.missed += frames - fit;
    if (fit === 0) return;
    this.#expected += fit;
    const last = this.#tail > this.#head ? this.#arrivals[this.#tail - 1]! : null;
    if (
      last !== null && last.payload === payload && last.spacingNs === spacingNs &&
      last.firstNs + last.frames * spacingNs === firstNs
    ) {
      last.frames += fit; // one train goes on with the other
      return;
    }
    const arrival = this.#free();
    arrival.payload = payload;
    arrival.frames = fit;
    arrival.bytes = bytes;
    arrival.firstNs = firstNs;
    arrival.spacingNs = spacingNs;
    arrival.taken = 0;
  }

  /** The place behind the last arrival. */
  #free(): Arrival {
    const arrivals = this.#arrivals;
    if (this.#tail === arrivals.length) {
      if (this.#head > 0) { // those that have been taken come behind the others
        arrivals.push(...arrivals.splice(0, this.#head));
        this.#tail -= this.#head;
        this.#head = 0;
      } else {
        arrivals.push({ payload: null, frames: 0, bytes: 0, firstNs: NaN, spacingNs: NaN, taken: 0 });
      }
    }
    return arrivals[this.#tail++]!;
  }

  /** Frames that have arrived by `nowNs` and have not been taken. */
  waiting(nowNs: number): number {
    let sum = 0;
    for (let i = this.#head; i < this.#tail; i++) {
      const arrival = this.#arrivals[i]!;
      if (arrival.firstNs > nowNs) break;
      sum += arrivedOf(arrival, nowNs) - arrival.taken;
    }
    return sum;
  }

  /** When the last frame arrived that has by `nowNs`; -1: none has. */
  lastArrivalNs(nowNs: number): number {
    let last = this.#lastTakenNs;
    for (let i = this.#head; i < this.#tail; i++) {
      const arrival = this.#arrivals[i]!;
      if (arrival.firstNs > nowNs) break;
      last = arrival.firstNs + (arrivedOf(arrival, nowNs) - 1) * arrival.spacingNs;
    }
    return last;
  }

  /** When the next frame arrives after `nowNs`; Infinity: none is on its way. */
  nextArrivalNs(nowNs: number): number {
    for (let i = this.#head; i < this.#tail; i++) {
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
    if (this.#head === this.#tail) return sum;
    for (let i = this.#head; i < this.#tail; i++) {
      const arrival = this.#arrivals[i]!;
      if (arrival.firstNs > nowNs) break;
      sum += arrivedOf(arrival, nowNs) * arrival.bytes;
    }
    return sum;
  }

  /** Software takes the first `count` frames; they must have arrived. */
  take(count: number, deliver: Deliver): void {
    this.received += count;
    this.#expected -= count;
    while (count > 0) {
      const arrival = this.#arrivals[this.#head]!;
      const part = Math.min(count, arrival.frames - arrival.taken);
      arrival.taken += part;
      count -= part;
      this.#lastTakenNs = arrival.firstNs + (arrival.taken - 1) * arrival.spacingNs;
      const { payload } = arrival;
      if (arrival.taken === arrival.frames) {
        this.#takenBytes += arrival.frames * arrival.bytes;
        if (++this.#head === this.#tail) this.#head = this.#tail = 0; // as it is most often
      }
      deliver(payload, part);
    }
  }

  /** Adds what is on its way and what waits to `hash`. */
  hashInto(hash: StateHash): void {
    hash.number(this.received).number(this.missed);
    for (let i = this.#head; i < this.#tail; i++) {
      const { frames, taken, firstNs, spacingNs } = this.#arrivals[i]!;
      hash.word(frames).word(taken).number(firstNs).number(spacingNs);
    }
  }
}

/** How many frames of a train that has begun to arrive are there. */
function arrivedOf({ frames, firstNs, spacingNs }: Arrival, nowNs: number): number {
  const sinceNs = nowNs - firstNs;
  return sinceNs >= (frames - 1) * spacingNs ? frames : Math.floor(sinceNs / spacingNs) + 1;
}
