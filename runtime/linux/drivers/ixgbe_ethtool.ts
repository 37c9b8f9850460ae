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
import { EINVAL } from "../errno.ts";
import type { ModerationOps } from "../net/ethtool_ops.ts";
import { type DynamicItr, itrOf } from "./ixgbe_itr.ts";

/** The card's, Mb/s. */
export const LINK_SPEED = 10_000;

/** Moderation by the vector of queue 0, whose value the others get too: `others` writes their registers. */
export function moderationOf(itr: DynamicItr, others: (value: number) => void): ModerationOps {
  return {
    get usecs() {
      return itr.usecs;
    },
    set: (receiveUsecs, transmitUsecs) => {
      if (transmitUsecs !== 0) return EINVAL;
      const refused = itr.set(receiveUsecs);
      if (refused) return refused;
      others(itrOf(receiveUsecs));
    },
  };
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
