/**
 * Linux builds that the laboratory knows, as data.
 *
 * @module
 */

import type { KernelRelease } from "../linux/release.ts";

/** A build, without what the machine below decides. */
export type KernelBuild = Omit<KernelRelease, "clocksource">;

/**
 * The builds, by name. CONFIG_HZ and CONFIG_NO_HZ are assumed: the talk does not say; 250 is the default of
 * `kernel/Kconfig.hz`. That the RT kernel writes its
 * timer once on the way out of idle, and 3.4.0 twice, is what slide 25's rows identify; a periodic tick is the one
 * configuration of the time that does so.
 */
export const KERNELS: Readonly<Record<string, KernelBuild>> = {
  "linux-3.5.0-rc6": { release: "3.5.0-rc6", hz: 250, noHz: true, realTime: false },
  "linux-3.4.0": { release: "3.4.0", hz: 250, noHz: true, realTime: false },
  "linux-3.4.4-rt14": { release: "3.4.4-rt14", hz: 250, noHz: false, realTime: true },
};
