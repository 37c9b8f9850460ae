/** Statistics over runs, against figures of textbooks and of other programs. */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Histogram } from "../runtime/measure/histogram.ts";
import { parseRate, runLengthS, runLengthText } from "../runtime/measure/miss_rate.ts";
import {
  distribution,
  meanInterval,
  percentileOf,
  percentiles,
  quantile,
  standardDeviation,
  studentT,
} from "../runtime/measure/statistics.ts";

Deno.test("Student's t is that of the printed tables", () => {
  // Two-sided 95 % and 99 %, from the table of any textbook.
  const printed: [degrees: number, t95: number, t99: number][] = [
    [1, 12.706, 63.657],
    [2, 4.303, 9.925],
    [3, 3.182, 5.841],
    [4, 2.776, 4.604],
    [9, 2.262, 3.250],
    [10, 2.228, 3.169],
    [29, 2.045, 2.756],
    [30, 2.042, 2.750],
    [49, 2.010, 2.680],
    [120, 1.980, 2.617],
  ];
  for (const [degrees, t95, t99] of printed) {
    assertAlmostEquals(studentT(degrees), t95, 0.0006, `${degrees}`);
    assertAlmostEquals(studentT(degrees, 0.99), t99, 0.0006, `${degrees}`);
  }
  assertAlmostEquals(studentT(100_000), 1.959964, 1e-4); // the normal distribution's
  for (const degrees of [0, 1.5, NaN]) assertThrows(() => studentT(degrees), RangeError);
  assertThrows(() => studentT(5, 1), RangeError);
});

Deno.test("a mean has Student's interval; one value has a mean and no interval", () => {
  // Student's own example (1908), the additional hours of sleep by ten patients: mean 1.58, s 1.23, 95 %: 0.70 to 2.46.
  const hours = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4];
  const interval = meanInterval(hours)!;
  assertAlmostEquals(interval.mean, 1.58, 1e-12);
  assertAlmostEquals(standardDeviation(hours)!, 1.23, 0.001);
  assertAlmostEquals(interval.mean - interval.halfWidth!, 0.70, 0.005);
  assertAlmostEquals(interval.mean + interval.halfWidth!, 2.46, 0.005);
  assertEquals(meanInterval([7]), { mean: 7, halfWidth: undefined });
  assertEquals(meanInterval([]), undefined);
});

Deno.test("quantiles are those that R and NumPy print", () => {
  // quantile(c(15, 20, 35, 40, 50), c(0.05, 0.25, 0.4, 0.5, 0.95)) in R.
  const values = [50, 15, 40, 20, 35];
  for (
    const [share, expected] of [[0.05, 16], [0.25, 20], [0.4, 29], [0.5, 35], [0.95, 48], [0, 15], [1, 50]]
  ) {
    assertAlmostEquals(quantile(values, share!)!, expected!, 1e-12, `${share}`);
  }
  assertEquals(quantile([], 0.5), undefined);
  assertThrows(() => quantile(values, 1.1), RangeError);
});

Deno.test("a percentile rank counts those below, and half of those equal", () => {
  assertEquals(percentileOf(376, [100, 200, 300, 400]), 75);
  assertEquals(percentileOf(15, [15, 15, 15, 15]), 50);
  assertEquals(percentileOf(1, [2, 3]), 0);
  assertEquals(percentileOf(1, []), undefined);
});

Deno.test("fewer than twenty runs have no 5th and no 95th percentile", () => {
  const few = distribution(Array.from({ length: 19 }, (_, i) => i))!;
  assertEquals([few.runs, few.min, few.p5, few.p50, few.p95, few.max], [19, 0, undefined, 9, undefined, 18]);
  const enough = distribution(Array.from({ length: 21 }, (_, i) => i))!;
  assertEquals([enough.p5, enough.p50, enough.p95], [1, 10, 19]);
  assertEquals(distribution([]), undefined);
});

Deno.test("percentiles end where fewer than ten samples lie beyond them", () => {
  const histogram = new Histogram(100);
  for (let i = 0; i < 9_900; i++) histogram.record(1_500);
  for (let i = 0; i < 90; i++) histogram.record(7_000);
  for (let i = 0; i < 9; i++) histogram.record(30_000);
  histogram.record(99_000);
  const found = percentiles(histogram);
  assertEquals(found.slice(0, 4).map(({ name, us }) => [name, us]), [
    ["p50", 1],
    ["p90", 1],
    ["p99", 1],
    ["p99.9", 7],
  ]);
  assertEquals(found[4], { name: "p99.99", us: undefined, reason: "needs 100000 samples, there are 10000" });
  const overflowing = new Histogram(2);
  for (let i = 0; i < 20; i++) overflowing.record(5_000);
  assertStringIncludes(percentiles(overflowing)[0]!.reason!, "beyond the histogram");
});

Deno.test("the run length for a rate is three times its reciprocal", () => {
  assertEquals(runLengthS(1 / 3600), 10_800);
  assertEquals(
    runLengthText(300_000, 1000),
    "300000 samples in 300 s bound misses beyond the maximum to 1 in 100 s (95 %); " +
      "for < 1 per hour run 3.0 h, for < 1 per day run 72 h",
  );
  assertStringIncludes(runLengthText(15_000_000, 1000), "enough for < 1 per hour, for < 1 per day run 72 h");
  assertEquals(parseRate("2/minute"), { text: "2 per minute", perSecond: 2 / 60 });
  for (const text of ["1", "0/hour", "1/fortnight", "-1/hour"]) assertEquals(parseRate(text), undefined);
  assert(Math.abs(runLengthS(parseRate("0.5/week")!.perSecond) - 6 * 604_800) < 1e-6);
});
