/**
 * The interrupt throttle value of ixgbe and ixgbevf: the time between two interrupts in quarters of a microsecond, as
 * the drivers count it. The register takes bits 11:3 and the hardware's unit is 2.048 µs, so 20,000/s is really one in
 * 51.2 µs.
 *
 * *Document*: Linux 3.5 `ixgbe.h`; Intel 82599 datasheet, "Interrupt Moderation".
 *
 * @module
 */

/** 20,000 interrupts a second: 20 to 100 MB/s; where the drivers start. */
export const ITR_20K = 200;
