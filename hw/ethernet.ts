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

/** A network function as its driver uses it. The rings lie in the driver's memory; writing their tails does not exit. */
export interface EthernetPort {
  /** Its MAC address. */
  readonly mac: number;
  /** Receive queue 0. */
  readonly ring: ReceiveRing;
  /** Sends a train, not before `delayNs` (0) from now. What follows from it is carried out by whoever asked. */
  transmit(train: FrameTrain, nowNs: number, delayNs?: number): readonly PciEffect[];
}

/** A train that arrives in a ring. */
class Arrival {
  payload: unknown = null;
  frames = 0;
  bytes = 0;
  firstNs = NaN;
  spacingNs = NaN;
  /** When its last frame arrives. */
  lastNs = NaN;
  taken = 0;
  /** The one behind it. */
  next: Arrival | null = null;

  /** How many of its frames are there, once the first one is. */
  arrived(nowNs: number): number {
    // Of a quotient so small and never negative, `| 0` is the floor, and an integer for V8.
    return nowNs >= this.lastNs ? this.frames : ((nowNs - this.firstNs) / this.spacingNs | 0) + 1;
  }

  /** When the last one of these came. */
  arrivedNs(nowNs: number): number {
    return this.firstNs + (this.arrived(nowNs) - 1) * this.spacingNs;
  }
}

/** The ring of a receive queue. */
export class ReceiveRing {
  declare readonly size: number;
  /** Frames for which the ring had no room (Missed Packet Count). */
  missed = 0;
  /** Frames that software has taken. */
  received = 0;
  /** Those on their way or waiting, by time. */
  #first: Arrival | null = null;
  #last: Arrival | null = null;
  /** Those that have been taken: they are written again. */
  #free: Arrival | null = null;
  /** Descriptors that are spoken for. */
  #expected = 0;
  /** Bytes of trains that have been taken whole, and when the last one's last frame came. */
  #takenBytes = NaN;
  #takenNs = NaN;

  /** @param size descriptors */
  constructor(size: number) {
    this.size = size;
    this.#takenBytes = 0; // soon beyond 2^31: V8 shall make room for that from the start (see `Engine`)
    this.#takenNs = -1;
  }

  /** Nothing has arrived; nothing will. */
  reset(): void {
    this.#first = this.#last = null;
    this.#expected = 0;
    this.missed = this.received = 0;
    this.#takenNs = -1;
  }

  /** `train` will arrive: its first frame at `firstNs`, each further one `spacingNs` later. */
  add({ payload, frames, bytes }: FrameTrain, firstNs: number, spacingNs: number): void {
    const fit = Math.min(frames, this.size - this.#expected);
    this.missed += frames - fit;
    if (fit === 0) return;
    this.#expected += fit;
    const last = this.#last;
    if (
      last !== null && last.payload === payload && last.spacingNs === spacingNs &&
      last.lastNs + spacingNs === firstNs
    ) {
      last.frames += fit; // one train goes on with the other
      last.lastNs += fit * spacingNs;
      return;
    }
    const arrival = this.#free ?? new Arrival();
    this.#free = arrival.next;
    arrival.payload = payload;
    arrival.frames = fit;
    arrival.bytes = bytes;
    arrival.firstNs = firstNs;
    arrival.spacingNs = spacingNs;
    arrival.lastNs = firstNs + (fit - 1) * spacingNs;
    arrival.taken = 0;
    arrival.next = null;
    if (last === null) this.#first = arrival;
    else last.next = arrival;
    this.#last = arrival;
  }

  /** Frames that have arrived by `nowNs` and have not been taken. */
  waiting(nowNs: number): number {
    return waitingFrom(this.#first, nowNs);
  }

  /**
   * How many frames somebody takes who begins at `nowNs`, needs `frameNs` for each, and goes on until nothing waits or there are
   * `limit` of them.
   */
  takable(nowNs: number, frameNs: number, limit: number): number {
    let taken = 0;
    // A train that has arrived whole is counted once: what is asked next is how many there are later.
    let whole = 0;
    let train = this.#first;
    while (taken < limit) {
      const atNs = nowNs + Math.floor(taken * frameNs);
      for (; train !== null && train.lastNs <= atNs; train = train.next) whole += train.frames - train.taken;
      const there = whole + waitingFrom(train, atNs);
      if (there <= taken) break;
      taken = Math.min(limit, there);
    }
    return taken;
  }

  /** Whether the last frame that has arrived by `nowNs` came after `sinceNs`. */
  hasArrived(sinceNs: number, nowNs: number): boolean {
    let last: Arrival | null = null;
    for (let train = this.#first; train !== null && train.firstNs <= nowNs; train = train.next) last = train;
    if (last === null) return this.#takenNs > sinceNs;
    // In the middle of a train it is enough that the time of a frame has passed.
    return Math.min(nowNs, last.lastNs) - sinceNs >= last.spacingNs || last.arrivedNs(nowNs) > sinceNs;
  }

  /** When the next frame arrives after `nowNs`; Infinity: none is on its way. */
  nextArrivalNs(nowNs: number): number {
    for (let train = this.#first; train !== null; train = train.next) {
      if (train.firstNs > nowNs) return train.firstNs;
      if (train.lastNs > nowNs) return train.firstNs + train.arrived(nowNs) * train.spacingNs;
    }
    return Infinity;
  }

  /** Bytes that have been written to memory by `nowNs`, since power-up. */
  writtenBytes(nowNs: number): number {
    let sum = this.#takenBytes;
    for (let train = this.#first; train !== null && train.firstNs <= nowNs; train = train.next) {
      sum += train.arrived(nowNs) * train.bytes;
    }
    return sum;
  }

  /** What the first frame carries; undefined: none is on its way. */
  get payload(): unknown {
    return this.#first?.payload;
  }

  /**
   * Software takes frames that carry the {@linkcode payload} of the first one.
   *
   * @param limit how many at most; so many must have arrived
   * @returns how many: fewer where one comes that carries something else
   */
  take(limit: number): number {
    const { payload } = this.#first!;
    let count = 0;
    do {
      const train = this.#first!;
      const part = Math.min(limit - count, train.frames - train.taken);
      train.taken += part;
      count += part;
      if (train.taken === train.frames) this.#passed(train);
    } while (count < limit && this.#first!.payload === payload);
    this.received += count;
    this.#expected -= count;
    return count;
  }

  /** The first train has been taken whole. */
  #passed(train: Arrival): void {
    this.#takenBytes += train.frames * train.bytes;
    this.#takenNs = train.lastNs;
    this.#first = train.next;
    if (this.#first === null) this.#last = null;
    train.next = this.#free;
    this.#free = train;
  }

  /** Adds what is on its way and what waits to `hash`. */
  hashInto(hash: StateHash): void {
    hash.number(this.received).number(this.missed);
    for (let train = this.#first; train !== null; train = train.next) {
      hash.word(train.frames).word(train.taken).number(train.firstNs).number(train.spacingNs);
    }
  }
}

/** Frames of `train` and those behind it that have arrived by `nowNs` and have not been taken. */
function waitingFrom(train: Arrival | null, nowNs: number): number {
  let sum = 0;
  for (; train !== null && train.firstNs <= nowNs; train = train.next) {
    sum += train.arrived(nowNs) - train.taken;
  }
  return sum;
}
