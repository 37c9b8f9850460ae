/**
 * The random factor of a path: how warm the caches are when an interrupt comes.
 *
 * A factor belongs to the root cause (one timer expiry, one device interrupt), and the whole chain of work that
 * follows inherits it. A typical path costs nearly the same every time: its factor is 1 plus a small excess, uniformly
 * distributed. Now and then everything is still in the first-level caches: then the factor lies between the warm floor
 * and 1.
 *
 * That is a machine whose caches belong to its software. Devices that write to memory take them away: in modern machines
 * DMA goes through the last-level cache, and what the processors copy from there displaces their own caches too. A path
 * is the colder, and dearer, the more has been written since the processor ran it last.
 *
 * @module
 */

import { count, parameters, ratio, type Values } from "./parameters.ts";
import type { RandomStream } from "./sim/random.ts";

/** Shape of the factor's distribution; all are plain ratios. */
export const pathFactorParameters = parameters({
  warmShare: ratio("Share of paths that find warm caches"),
  warmFloor: ratio("Lowest factor of a warm path"),
  typicalSpread: ratio("Mean excess over 1 of a typical path"),
  coldExcess: ratio("Mean excess of a path whose code and data devices have displaced", { max: 20 }),
  coldSpread: ratio("Farthest that it lies from that mean, as a share of it", { max: 1 }),
  coldBytes: count("Bytes written by devices that displace all but 1/e of a path", { min: 1 }),
});

/** Values of {@linkcode pathFactorParameters}. */
export type PathFactorParameters = Values<typeof pathFactorParameters>;

/** Memory that devices write to. */
export interface MemoryTraffic {
  /** What they have written so far, bytes. */
  writtenBytes(): number;
}

/** The paths of one processor, by interrupt vector. */
export class PathFactors {
  declare readonly parameters: PathFactorParameters;
  declare readonly stream: RandomStream;
  declare readonly memory: MemoryTraffic;
  /** When the path of a vector ran last, in bytes written. */
  readonly #writtenAt = new Float64Array(256);

  /** @param stream what the factors are drawn from @param memory what the caches hold a part of */
  constructor(parameters: PathFactorParameters, stream: RandomStream, memory: MemoryTraffic) {
    this.parameters = parameters;
    this.stream = stream;
    this.memory = memory;
  }

  /** The factor of the path that an interrupt at `vector` begins now. */
  draw(vector: number): number {
    const factor = this.#undisturbed();
    const written = this.memory.writtenBytes();
    const since = written - this.#writtenAt[vector]!;
    if (since === 0) return factor;
    this.#writtenAt[vector] = written;
    const { coldExcess, coldSpread, coldBytes } = this.parameters;
    // How much of it a path happens to need again varies: a triangle around the mean.
    const v = this.stream.uniform();
    const triangle = v < 0.5 ? Math.sqrt(2 * v) - 1 : 1 - Math.sqrt(2 - 2 * v);
    const excess = coldExcess * (1 + coldSpread * triangle);
    return factor * (1 + excess * (1 - Math.exp(-since / coldBytes)));
  }

  #undisturbed(): number {
    const { warmShare, warmFloor, typicalSpread } = this.parameters;
    const u = this.stream.uniform();
    if (u < warmShare) return warmFloor + (1 - warmFloor) * (u / warmShare);
    return 1 + 2 * typicalSpread * ((u - warmShare) / (1 - warmShare)); // the same draw, stretched to the rest
  }
}
