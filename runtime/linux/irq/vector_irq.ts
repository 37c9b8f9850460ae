/**
 * Which interrupt each vector of a CPU means: the per-CPU `vector_irq`.
 *
 * @module
 */

import type { IrqAction } from "../kernel_cpu.ts";

/** Vectors of a processor. */
const VECTORS = 256;

/** vector → interrupt: a map with a place for each vector, since every interrupt asks. */
export class VectorIrq {
  readonly #actions = new Array<IrqAction | undefined>(VECTORS).fill(undefined);

  /** The interrupt at `vector`. */
  get(vector: number): IrqAction | undefined {
    return this.#actions[vector];
  }

  /** Whether there is one. */
  has(vector: number): boolean {
    return this.#actions[vector] !== undefined;
  }

  /** Connects `vector` to it. */
  set(vector: number, action: IrqAction): void {
    this.#actions[vector] = action;
  }

  /** Disconnects `vector`. */
  delete(vector: number): void {
    this.#actions[vector] = undefined;
  }

  /** The vectors that are connected, ascending, with their interrupts. */
  *[Symbol.iterator](): Generator<[vector: number, action: IrqAction]> {
    for (const [vector, action] of this.#actions.entries()) if (action !== undefined) yield [vector, action];
  }
}
