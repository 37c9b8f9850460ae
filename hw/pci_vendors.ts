/**
 * Who has made a function, as its Vendor ID says.
 *
 * @module
 */

/** Intel Corporation. */
export const INTEL = 0x8086;
