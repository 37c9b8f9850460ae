/**
 * The switch inside an 82599: frames from one function to another, or to the cable.
 *
 * *Document*: Intel 82599 10 GbE Controller Datasheet, "Virtualization: Packet Switching (VMDq) Model", "PCIe SR-IOV".
 *
 * *Modelled*: switching by destination address between the physical and the virtual functions, without the wire's
 * speed; everything else leaves by the cable at 10 Gb/s; one frame at a time for each sender.
 *
 * *Not modelled*: broadcasts, filters, mirroring, transmit rate limits.
 *
 * @module
 */

import { type FrameTrain, FULL_FRAME_BYTES } from "./ethernet.ts";
import type { Nic82599Function } from "./nic_82599_function.ts";
import { ns, parameters, type Values } from "./parameters.ts";
import { NO_EFFECTS, type PciEffect } from "./pci_configuration.ts";

/** Times of a card, integer ns. */
export const nicTimes = parameters({
  transmit: ns("From the tail write to the frame in the switch: descriptor fetch, read of the payload"),
  receive: ns("From the switch to the payload and its descriptor in memory"),
  switchFrame: ns("A full-size frame from one function to another", { min: 1 }),
  wireFrame: ns("A full-size frame on the wire", { min: 1 }),
});

/** Values of {@linkcode nicTimes}. */
export type NicTimes = Values<typeof nicTimes>;

/** What is at the other end of the cable: gets the train, its first frame's time and the distance of two frames. */
export type Cable = (train: FrameTrain, firstNs: number, spacingNs: number) => void;

/** Something that sends frames, one at a time. */
export interface FrameSource {
  /** Up to when it does. */
  busyUntilNs: number;
}

/** The switch. */
export class Nic82599Switch {
  declare readonly times: NicTimes;
  /** The other end of the cable; `null`: none is plugged in. */
  cable: Cable | null = null;
  /** Frames to addresses that nobody has. */
  lost = 0;
  /** Up to when frames come in by the cable. */
  readonly #cableIn: FrameSource = { busyUntilNs: 0 };
  readonly #search: (mac: number) => Nic82599Function | undefined;
  /** Where the last train went: most go where the one before went. */
  #lastMac = NaN;
  #last: Nic82599Function | undefined;

  /**
   * @param times of the card @param search who on it has a MAC address now
   */
  constructor(times: NicTimes, search: (mac: number) => Nic82599Function | undefined) {
    this.times = times;
    this.#search = search;
  }

  /** Functions have come or gone: an address may be another one's now. */
  forget(): void {
    this.#lastMac = NaN;
  }

  #find(mac: number): Nic82599Function | undefined {
    if (mac !== this.#lastMac) {
      this.#last = this.#search(mac);
      this.#lastMac = mac;
    }
    return this.#last;
  }

  /** `from` has a train to send, not before `delayNs` from now. */
  send(from: Nic82599Function, train: FrameTrain, nowNs: number, delayNs: number): readonly PciEffect[] {
    const { times } = this;
    const to = this.#find(train.destination);
    const frameNs = to === undefined ? times.wireFrame : times.switchFrame;
    const spacingNs = spacing(train, frameNs);
    const firstNs = serialise(from, train, nowNs + delayNs + times.transmit, spacingNs);
    if (to !== undefined) {
      to.ring.add(train, firstNs + times.receive, spacingNs);
      return to.expect(nowNs);
    }
    if (this.cable === null) this.lost += train.frames;
    else this.cable(train, firstNs, spacingNs);
    return NO_EFFECTS;
  }

  /** A train comes in by the cable, not before `delayNs` from now. */
  arrive(train: FrameTrain, nowNs: number, delayNs: number): readonly PciEffect[] {
    const to = this.#find(train.destination);
    if (to === undefined) {
      this.lost += train.frames;
      return NO_EFFECTS;
    }
    const spacingNs = spacing(train, this.times.wireFrame);
    const firstNs = serialise(this.#cableIn, train, nowNs + delayNs, spacingNs);
    to.ring.add(train, firstNs + this.times.receive, spacingNs);
    return to.expect(nowNs);
  }
}

/** The distance of two frames of `train`, where a full-size one takes `frameNs`. */
function spacing({ bytes }: FrameTrain, frameNs: number): number {
  return bytes === FULL_FRAME_BYTES ? frameNs : Math.max(1, Math.round((frameNs * bytes) / FULL_FRAME_BYTES));
}

/** Frames of one sender follow each other: when the first of `train` leaves. */
function serialise(
  from: FrameSource,
  { frames }: FrameTrain,
  notBeforeNs: number,
  spacingNs: number,
): number {
  const firstNs = Math.max(notBeforeNs, from.busyUntilNs);
  from.busyUntilNs = firstNs + frames * spacingNs;
  return firstNs;
}
