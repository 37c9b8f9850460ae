/**
 * Interrupt throttle values of ixgbe and ixgbevf: the time between two interrupts in quarters of a microsecond, as
 * the drivers count it. The register takes bits 11:3 and the hardware's unit is 2.048 µs, so 8000/s is really one in
 * 126.976 µs.
 *
 * *Document*: Linux 3.5 `ixgbe.h`; Intel 82599 datasheet, "Interrupt Moderation".
 *
 * @module
 */

/** 100,000 interrupts a second: up to 20 MB/s. */
export const ITR_100K = 40;
/** 20,000 interrupts a second: 20 to 100 MB/s; where the drivers start. */
export const ITR_20K = 200;
/** 10,000 interrupts a second: a vector that only sends. */
export const ITR_10K = 400;
/** 8,000 interrupts a second: above 100 MB/s. */
export const ITR_8K = 500;
