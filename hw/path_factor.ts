/**
 * The random factor of a path: how warm the caches are when an interrupt comes.
 *
 * A factor belongs to the root cause (one timer expiry, one device interrupt), and the whole chain of work that
 * follows inherits it. A typical path costs nearly the same every time: its factor is 1 plus a small excess, uniformly
 * distributed. Now and then everything is still in the first-level caches: then the factor lies between the warm floor
 * and 1.
 *
 * @module
 */

import { parameters, ratio, type Values } from "./parameters.ts";
import type { RandomStream } from "./sim/random.ts";

/** Shape of the factor's distribution; all are plain ratios. */
export const pathFactorParameters = parameters({
  warmShare: ratio("Share of paths that find warm caches"),
  warmFloor: ratio("Lowest factor of a warm path"),
  typicalSpread: ratio("Mean excess over 1 of a typical path"),
});

/** Values of {@linkcode pathFactorParameters}. */
export type PathFactorParameters = Values<typeof pathFactorParameters>;

/** A function that draws factors from `stream`. */
export function pathFactors(parameters: PathFactorParameters, stream: RandomStream): () => number {
  const { warmShare, warmFloor, typicalSpread } = parameters;
  const warmWidth = 1 - warmFloor;
  return () => {
    const u = stream.uniform();
    if (u < warmShare) return warmFloor + warmWidth * (u / warmShare);
    return 1 + 2 * typicalSpread * ((u - warmShare) / (1 - warmShare)); // the same draw, stretched to the rest
  };
}
