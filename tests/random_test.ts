/**
 * Named random streams: the generator against its authors' text, the names, and the distributions' closed forms.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Randomness, RandomStream } from "../hw/sim/random.ts";

/**
 * xoshiro128** as Blackman and Vigna print it (xoshiro128starstar.c, 2018), in exact integers instead of 32-bit
 * operators.
 */
function reference(state: readonly number[]): () => number {
  const mask = 0xffff_ffffn;
  const s = state.map((word) => BigInt.asUintN(32, BigInt(word)));
  const rotate = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & mask;
  return () => {
    const result = (rotate((s[1]! * 5n) & mask, 7n) * 9n) & mask;
    const t = (s[1]! << 9n) & mask;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotate(s[3]!, 11n);
    return Number(result);
  };
}

function draws(stream: RandomStream, count: number): number[] {
  return Array.from({ length: count }, () => stream.uint32());
}

Deno.test("the reference of these tests gives the published outputs for the state 1, 2, 3, 4", () => {
  const next = reference([1, 2, 3, 4]);
  // The test vector of Rust's rand_xoshiro, made with the C text.
  assertEquals(
    Array.from({ length: 10 }, next),
    [
      11520,
      0,
      5927040,
      70819200,
      2031721883,
      1637235492,
      1287239034,
      3734860849,
      3729100597,
      4258142804,
    ],
  );
});

Deno.test("a stream is xoshiro128** from the state where it stands", () => {
  for (const [seed, name] of [[1, "a"], [0, ""], [2 ** 53 - 1, "host.cpu3.irqoff.arrivals"]] as const) {
    const stream = new RandomStream(seed, name);
    const next = reference(stream.position());
    assertEquals(draws(stream, 1000), Array.from({ length: 1000 }, next), `seed ${seed}, stream "${name}"`);
  }
});

Deno.test("the same seed and name give the same draws, in whatever order streams are asked for", () => {
  const one = new Randomness(7), other = new Randomness(7);
  one.stream("x");
  const y = draws(one.stream("y"), 20);
  assertEquals(draws(other.stream("y"), 20), y);
  assertEquals(draws(other.stream("x"), 20), draws(one.stream("x"), 20));
});

Deno.test("another seed or another name gives other draws", () => {
  const first = draws(new RandomStream(1, "a"), 8);
  for (const stream of [new RandomStream(2, "a"), new RandomStream(1, "b"), new RandomStream(-1, "a")]) {
    assertNotEquals(draws(stream, 8), first, `seed ${stream.seed}, stream "${stream.name}"`);
  }
});

Deno.test("a stream added, and drawn from in between, shifts nobody else's draws", () => {
  const without = new Randomness(3);
  const expected = [draws(without.stream("timer"), 50), draws(without.stream("nic"), 50)];
  const random = new Randomness(3);
  const added = random.stream("new device");
  const timer: number[] = [], nic: number[] = [];
  for (let i = 0; i < 50; i++) {
    timer.push(random.stream("timer").uint32());
    added.exponential();
    nic.push(random.stream("nic").uint32());
    added.pareto(1, 0.5);
  }
  assertEquals([timer, nic], expected);
});

Deno.test("asking for a stream again gives the stream where it stands; they are listed in order of first use", () => {
  const random = new Randomness(1);
  const stream = random.stream("b");
  random.stream("a");
  stream.uint32();
  assertEquals(random.stream("b"), stream);
  assertEquals([...random.streams()].map(({ name }) => name), ["b", "a"]);
});

Deno.test("the streams of an owner who is gone are no more, and the next of its name repeats nothing of them", () => {
  const random = new Randomness(7);
  const first = draws(random.stream("vm0.tick"), 3), other = random.stream("vm01.tick");
  random.retire("vm0");
  assertEquals([...random.streams()], [other], "those of another, whose name only begins so, stay");
  const second = draws(random.stream("vm0.tick"), 3);
  assertNotEquals(second, first);
  assertNotEquals(second, draws(new RandomStream(7, "vm0.tick"), 6).slice(3), "nor does it go on with them");
  random.retire("vm0");
  assertNotEquals(draws(random.stream("vm0.tick"), 3), second);
  assertEquals(draws(random.stream("vm1.tick"), 3), draws(new RandomStream(7, "vm1.tick"), 3));
});

Deno.test("uniform numbers lie inside (0, 1), a tenth in each tenth", () => {
  const stream = new RandomStream(11, "uniform");
  const count = 200_000;
  const tenths = new Array<number>(10).fill(0);
  for (let i = 0; i < count; i++) {
    const u = stream.uniform();
    assert(u > 0 && u < 1);
    tenths[Math.floor(u * 10)]!++;
  }
  // Chi-squared with 9 degrees of freedom: above 27.9 with probability 0.001.
  const chi2 = tenths.reduce((sum, n) => sum + (n - count / 10) ** 2 / (count / 10), 0);
  assert(chi2 < 27.9, `chi-squared ${chi2}`);
});

Deno.test("exponentials have mean 1, variance 1 and the quantiles -ln(1 - p)", () => {
  const stream = new RandomStream(12, "exponential");
  const count = 200_000;
  const values = Float64Array.from({ length: count }, () => stream.exponential()).sort();
  const mean = values.reduce((sum, x) => sum + x, 0) / count;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count;
  assert(values[0]! > 0);
  assert(Math.abs(mean - 1) < 4 / Math.sqrt(count), `mean ${mean}`); // standard error 1 / sqrt(n)
  assert(Math.abs(variance - 1) < 4 * Math.sqrt(8 / count), `variance ${variance}`); // fourth central moment 9
  quantiles(values, (p) => -Math.log1p(-p), (x) => Math.exp(-x));
});

Deno.test("Pareto excesses have the quantiles scale / shape * ((1 - p)^-shape - 1)", () => {
  const count = 200_000;
  for (const [scale, shape] of [[1000, 0.3], [25, 0.9]] as const) {
    const stream = new RandomStream(13, `pareto ${shape}`);
    const values = Float64Array.from({ length: count }, () => stream.pareto(scale, shape)).sort();
    assert(values[0]! >= 0);
    quantiles(
      values,
      (p) => (scale / shape) * ((1 - p) ** -shape - 1),
      (x) => (1 / scale) * (1 + (shape * x) / scale) ** (-1 / shape - 1),
    );
  }
});

Deno.test("consecutive draws, and draws of different streams, are uncorrelated", () => {
  const count = 100_000;
  const a = new RandomStream(1, "a"), b = new RandomStream(1, "b");
  const u = Array.from({ length: count }, () => a.uniform() - 0.5);
  const v = Array.from({ length: count }, () => b.uniform() - 0.5);
  const limit = 4 / Math.sqrt(count); // the coefficient's standard error is 1 / sqrt(n)
  const correlation = (f: (i: number) => number, g: (i: number) => number) => {
    let sum = 0;
    for (let i = 0; i < count - 1; i++) sum += f(i) * g(i);
    return (12 * sum) / count; // a uniform's variance is 1/12
  };
  assert(Math.abs(correlation((i) => u[i]!, (i) => u[i + 1]!)) < limit);
  assert(Math.abs(correlation((i) => u[i]!, (i) => v[i]!)) < limit);
});

/**
 * Sample quantiles of sorted `values` against the closed form. A quantile's standard error is sqrt(p (1 - p) / n) over
 * the density at it.
 */
function quantiles(
  values: Float64Array,
  closedForm: (p: number) => number,
  density: (x: number) => number,
): void {
  for (const p of [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999]) {
    const expected = closedForm(p);
    const error = Math.sqrt((p * (1 - p)) / values.length) / density(expected);
    const found = values[Math.floor(p * values.length)]!;
    assert(Math.abs(found - expected) < 4 * error, `p = ${p}: ${found}, expected ${expected} ± ${error}`);
  }
}
