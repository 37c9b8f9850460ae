/**
 * The kernels that a laboratory can boot, for those who may not look below it.
 *
 * @module
 */

import { KERNELS } from "../guest/kernels.ts";

/** Names of the kernels, the host's first. */
export const KERNEL_NAMES: readonly string[] = Object.keys(KERNELS);
