/**
 * A run in slices of simulated time, between which its caller can look around.
 *
 * @module
 */

/** A run in slices: each `next` is one; what it returns is the exit status. */
export type Slices = Generator<void, number, void>;

/** Runs all slices without a pause. */
export function atOnce<T>(slices: Generator<void, T, void>): T {
  for (;;) {
    const { done, value } = slices.next();
    if (done) return value;
  }
}
