/**
 * What ixgbe and ixgbevf have in common of what they do for ethtool.
 *
 * *Document*: Linux 3.5 `ixgbe_ethtool.c` (`ixgbe_set_coalesce`), 6.18 ixgbevf's `ethtool.c`.
 *
 * *Not modelled*: receive-side coalescing, which a short interval switches off, with a reset of the card where it was on; all
 * counters but those of received and of missed frames.
 *
 * @module
 */

import type { EthernetPort } from "../../../hw/ethernet.ts";
import { EINVAL, type Errno } from "../errno.ts";
import type { ModerationOps } from "../net/ethtool_ops.ts";
import { type DynamicItr, itrOf } from "./ixgbe_itr.ts";

/** The card's, Mb/s. */
export const LINK_SPEED = 10_000;

/**
 * Moderation by the vector of queue 0, whose value the others get too. A class: a getter that is written into an object is
 * kept by V8 as a piece of the program is, and with it the laboratory that it refers to (see `young.ts`).
 */
export class VectorModeration implements ModerationOps {
  declare readonly itr: DynamicItr;
  declare readonly others: (value: number) => void;

  /** @param others writes the registers of the other vectors */
  constructor(itr: DynamicItr, others: (value: number) => void) {
    this.itr = itr;
    this.others = others;
  }

  get usecs(): number {
    return this.itr.usecs;
  }

  set(receiveUsecs: number, transmitUsecs: number): Errno | void {
    if (transmitUsecs !== 0) return EINVAL;
    const refused = this.itr.set(receiveUsecs);
    if (refused) return refused;
    this.others(itrOf(receiveUsecs));
  }
}

/** Counters of the receive ring, which is queue 0's: under the name of all frames, of the queue, of those missed. */
export function receiveStatistics(
  port: EthernetPort | undefined,
  queue: readonly string[],
  missed?: string,
): (readonly [string, number])[] {
  if (port === undefined) return [];
  const { received } = port.ring;
  const counts: [string, number][] = [["rx_packets", received]];
  if (missed !== undefined) counts.push([missed, port.ring.missed]);
  return [...counts, ...queue.map((name) => [name, received] as const)];
}
