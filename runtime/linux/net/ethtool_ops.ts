/**
 * What network drivers tell and take by way of SIOCETHTOOL.
 *
 * *Document*: Linux 3.5 and 6.18 `include/linux/ethtool.h` (`struct ethtool_ops`), `ixgbe_ethtool.c`, ixgbevf's `ethtool.c`.
 *
 * @module
 */

import type { Errno } from "../errno.ts";

/** Which of them drivers of a kernel have. */
export interface EthtoolVersion {
  /** Drivers bear versions of their own; today's bear the kernel's. */
  readonly ownVersions: boolean;
  /** ixgbe tells of its channels; in 3.5 it does not yet. */
  readonly channels: boolean;
  /** ixgbevf's interrupts can be moderated; in 3.5 they cannot yet. */
  readonly virtualModeration: boolean;
}

/** By version of the interfaces. */
export const ETHTOOL_VERSIONS: Readonly<Record<"3.5" | "6.18", EthtoolVersion>> = {
  "3.5": { ownVersions: true, channels: false, virtualModeration: false },
  "6.18": { ownVersions: false, channels: true, virtualModeration: true },
};

/** Interrupt moderation (`get_coalesce`, `set_coalesce`), as far as ixgbe and ixgbevf have it: an interval for all queues. */
export interface ModerationOps {
  /** The interval in force, us; 0: none, 1: the driver's choice, by the traffic. */
  readonly usecs: number;
  /**
   * Sets it.
   *
   * @param receiveUsecs of the vectors @param transmitUsecs must be 0, since a vector serves both directions
   * @returns EINVAL where the register cannot hold it
   */
  set(receiveUsecs: number, transmitUsecs: number): Errno | void;
}

/** Queues with a vector (`get_channels`). */
export interface ChannelOps {
  /** Pairs of queues that there could be, and are. */
  readonly maxCombined: number;
  readonly combined: number;
  /** Vectors for other causes. */
  readonly other: number;
}

/** The operations of an interface's driver. */
export interface EthtoolOps {
  readonly driver: string;
  /** Its own; undefined: the kernel's. */
  readonly version: string | undefined;
  readonly firmware: string;
  /** Mb/s. */
  readonly speed: number;
  /** undefined: not supported. */
  readonly moderation: ModerationOps | undefined;
  /** undefined: not supported. */
  readonly channels: ChannelOps | undefined;
  /** Counters by name. */
  statistics(): readonly (readonly [name: string, count: number])[];
}
