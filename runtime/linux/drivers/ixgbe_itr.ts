/**
 * Interrupt throttling of ixgbe and ixgbevf: a class by the rate of bytes, and what the drivers write for it.
 *
 * *Document*: Linux 3.4 `ixgbe_main.c` (`ixgbe_update_itr`, `ixgbe_set_itr`), `ixgbevf_main.c`
 * (`ixgbevf_update_itr`, `ixgbevf_set_itr_msix`); Intel 82599 datasheet, "Interrupt Moderation".
 *
 * `ethtool -C DEV rx-usecs N` puts an interval of N us in place of the classes (`ixgbe_set_coalesce`).
 *
 * The drivers count the interval in quarters of a microsecond; the register takes bits 11:3 of that, and the hardware's
 * unit is 2.048 us, so 20,000/s is really one in 49 to 51 us.
 *
 * @module
 */

import { EINVAL, type Errno } from "../errno.ts";
import type { PolledQueue } from "../net/napi.ts";
import { SEGMENT_BYTES } from "../net/packets.ts";
import type { PciDevice } from "../pci/pci_device.ts";

/** 20,000 interrupts a second, in the register's form: where the drivers start. */
export const ITR_20K = 200;

/** What the drivers write for an interval that ethtool has set, us; 1: where they start to follow the traffic. */
export function itrOf(usecs: number): number {
  return usecs === 1 ? ITR_20K : usecs << 2;
}

/** Classes of traffic. */
type ItrClass = "lowest latency" | "low latency" | "bulk latency";

/** Above so many bytes a microsecond traffic is of the next class. */
const LOW_BYTES_PER_US = 10, BULK_BYTES_PER_US = 20;
/** Interrupts a second of each class. */
const RATE: Readonly<Record<ItrClass, number>> = {
  "lowest latency": 100_000,
  "low latency": 20_000,
  "bulk latency": 8_000,
};

/** The longest interval that EITR holds, us. */
const USECS_MAX = 0xff8 >> 2;

/** The throttling of one vector: by the traffic, unless an interval is set (`rx_itr_setting`). */
export class DynamicItr {
  declare readonly write: (itr: number) => void;
  declare readonly smoothed: boolean;
  #usecs = 1;
  #class: ItrClass = "low latency";
  /** The class's rate, and the one that has been reached, with its interval as the drivers reckon it, us. */
  #wanted = RATE["low latency"];
  #rate = 0;
  #rateUs = 0;

  /** @param write sets the register @param smoothed whether a new rate is approached, as ixgbe does, or set (ixgbevf) */
  constructor(write: (itr: number) => void, smoothed: boolean) {
    this.write = write;
    this.smoothed = smoothed;
    this.#reach(this.#wanted);
  }

  /** The interval that has been set, us; 1: by the traffic, as from the beginning; 0: none. */
  get usecs(): number {
    return this.#usecs;
  }

  /** Sets it, and the register. @returns EINVAL: the register cannot hold it */
  set(usecs: number): Errno | void {
    if (usecs < 0 || usecs > USECS_MAX) return EINVAL;
    this.#usecs = usecs;
    if (usecs === 1) this.#reach(RATE["low latency"]);
    this.write(itrOf(usecs));
  }

  /** One interrupt has brought so many bytes: writes the register where the rate changes. */
  update(bytes: number): void {
    if (bytes === 0 || this.#usecs !== 1) return;
    const bytesPerUs = bytes / this.#rateUs;
    const was = this.#class;
    if (was === "lowest latency") {
      if (bytesPerUs > LOW_BYTES_PER_US) this.#enter("low latency");
    } else if (was === "low latency") {
      if (bytesPerUs > BULK_BYTES_PER_US) this.#enter("bulk latency");
      else if (bytesPerUs <= LOW_BYTES_PER_US) this.#enter("lowest latency");
    } else if (bytesPerUs <= BULK_BYTES_PER_US) this.#enter("low latency");
    const rate = this.#rate, wanted = this.#wanted;
    if (wanted === rate) return;
    // A tenth of the way at each interrupt, until integers do not change any more.
    const next = this.smoothed ? Math.floor((rate * 90 + wanted * 10) / 100) : wanted;
    this.#reach(next === rate ? wanted : next);
    this.write(Math.floor(1_000_000_000 / (this.#rate * 256)));
  }

  #enter(next: ItrClass): void {
    this.#class = next;
    this.#wanted = RATE[next];
  }

  #reach(rate: number): void {
    this.#rate = rate;
    this.#rateUs = Math.floor(1_000_000 / rate);
  }
}

/** The vector of queue 0, as both drivers have it: after a poll its throttling may change, and it is enabled again. */
export class QueueVector implements PolledQueue {
  declare readonly device: PciDevice;
  declare readonly itr: DynamicItr;
  declare readonly enable: number;

  /** @param enable the register, in BAR 0, whose bit 0 enables vector 0 */
  constructor(device: PciDevice, itr: DynamicItr, enable: number) {
    this.device = device;
    this.itr = itr;
    this.enable = enable;
  }

  completed(frames: number): void {
    this.itr.update(frames * SEGMENT_BYTES);
    this.device.writeRegister(0, this.enable, 1);
  }
}
