/** Histograms, cyclictest's output format, the talk's figures, the bound of a run, tables. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { StateHash } from "../hw/sim/state_hash.ts";
import {
  type CyclictestThread,
  histogramLines,
  histogramText,
  threadLine,
} from "../runtime/measure/cyclictest_format.ts";
import { Histogram } from "../runtime/measure/histogram.ts";
import { missRateBound, missRateText } from "../runtime/measure/miss_rate.ts";
import { PUBLISHED_LATENCIES, PUBLISHED_TRAFFIC, publishedLatency } from "../runtime/measure/published.ts";
import { latencyTable, latencyVerdict, provenanceText, tableLines } from "../runtime/measure/table.ts";

function histogram(bins: number, ...latenciesNs: number[]): Histogram {
  const result = new Histogram(bins);
  for (const latencyNs of latenciesNs) result.record(latencyNs);
  return result;
}

/** `n` samples of `us` µs. */
function times(n: number, us: number): number[] {
  return Array.from({ length: n }, () => us * 1000);
}

Deno.test("a latency is cut to whole microseconds; one beyond the bins counts as overflow only", () => {
  const { counts, overflows, count, sumUs, sumNs, minUs, maxUs } = histogram(3, 999, 1000, 1999, 2999, 3000);
  assertEquals([...counts], [1, 2, 1]);
  assertEquals([overflows, count, sumUs, sumNs, minUs, maxUs], [1, 5, 0 + 1 + 1 + 2 + 3, 9997, 0, 3]);
});

Deno.test("the average is cut twice as cyclictest does, the mean is not", () => {
  const measured = histogram(10, 1999, 2999, 2999);
  assertEquals([measured.avgUs, measured.meanUs?.toFixed(3)], [1, "2.666"]);
});

Deno.test("sums stay exact over a long run", () => {
  const measured = new Histogram(0);
  for (let i = 0; i < 100_000; i++) measured.record(1_000_000_007);
  assertEquals(measured.sumNs, 100_000_000_700_000);
  assertEquals(measured.sumUs, 100_000_000_000);
});

Deno.test("a histogram without samples has no minimum, average, mode or quantile: n/a is not 0", () => {
  const { minUs, maxUs, avgUs, meanUs, modeUs } = new Histogram(10);
  assertEquals([minUs, maxUs, avgUs, meanUs, modeUs], [
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(new Histogram(10).quantileUs(0.5), undefined);
});

Deno.test("mode, quantiles and filled bins", () => {
  const measured = histogram(10, ...times(90, 2), ...times(9, 5), 20_000);
  assertEquals([measured.modeUs, measured.quantileUs(0.9), measured.quantileUs(0.91)], [2, 2, 5]);
  assertEquals([measured.quantileUs(0.99), measured.quantileUs(1)], [5, undefined]);
  assertEquals([...measured.entries()], [[2, 90], [5, 9]]);
});

Deno.test("merging equals counting one after the other", () => {
  const first = [1000, 2500, 90_000];
  const second = [500, 7000];
  const merged = histogram(10, ...first);
  merged.merge(histogram(10, ...second));
  const hash = (of: Histogram) => {
    const state = new StateHash();
    of.hashInto(state);
    return state.hex();
  };
  assertEquals(hash(merged), hash(histogram(10, ...first, ...second)));
  assertThrows(() => merged.merge(new Histogram(11)), RangeError, "11 bins into one of 10");
});

Deno.test("a latency that is negative or no integer is refused", () => {
  for (const latencyNs of [-1, 0.5, NaN, Infinity]) {
    assertThrows(() => new Histogram(1).record(latencyNs), RangeError, `${latencyNs} ns`);
  }
});

// --- cyclictest's format, compared with lines that cyclictest printed ------------------------------------------------

function thread(measured: Histogram, change: Partial<CyclictestThread> = {}): CyclictestThread {
  return { number: 0, tid: 10581, priority: 99, intervalUs: 500, histogram: measured, ...change };
}

Deno.test("a thread's line has cyclictest's columns", () => {
  // 500 samples with the sum 500 * 21, the last one 18.
  const measured = histogram(0, 17_000, 68_000, ...times(457, 21), ...times(40, 20), 18_000);
  assertEquals(
    threadLine(thread(measured)),
    "T: 0 (10581) P:99 I:500 C:    500 Min:     17 Act:   18 Avg:   21 Max:      68",
  );
  assertEquals(
    threadLine(thread(new Histogram(0), { number: 1, tid: 7, priority: 0, intervalUs: 1500 })),
    "T: 1 (    7) P: 0 I:1500 C:      0 Min:1000000 Act:    0 Avg:    0 Max:       0",
  );
});

Deno.test("the histogram block is cyclictest 0.83's, digit by digit", () => {
  const measured = histogram(4, ...times(41, 1), ...times(2, 3), 173_000);
  assertEquals([...histogramLines([thread(measured)])], [
    "# Histogram",
    "000000 000000",
    "000001 000041",
    "000002 000000",
    "000003 000002",
    "# Total: 000000043",
    "# Min Latencies: 00001",
    "# Avg Latencies: 00005",
    "# Max Latencies: 00173",
    "# Histogram Overflows: 00001",
    "",
  ]);
});

Deno.test("release 2.4 also lists the loops that overflowed, as many as there are bins", () => {
  const measured = histogram(2, 5000, 6000, 7000, 8000);
  const lines = [
    ...histogramLines([thread(measured, { overflowCycles: [15, 73, 179, 200] })], { release: "2.4" }),
  ];
  assertEquals(lines.slice(-4), [
    "# Histogram Overflows: 00004",
    "# Histogram Overflow at cycle number:",
    "# Thread 0: 00015 00073 # 00002 others",
    "",
  ]);
});

Deno.test("threads stand side by side, separated by tabs, with -H a column for their sum", () => {
  const threads = [thread(histogram(2, 0, 1000)), thread(histogram(2, 1000, 1000), { number: 1 })];
  assertEquals([...histogramLines(threads)].slice(1, 5), [
    "000000 000001\t000000",
    "000001 000001\t000002",
    "# Total: 000000002 000000002",
    "# Min Latencies: 00000 00001",
  ]);
  assertEquals([...histogramLines(threads, { withSum: true })].slice(1, 4), [
    "000000 000001\t000000\t000001",
    "000001 000001\t000002\t000003",
    "# Total: 000000002 000000002 000000004",
  ]);
  assertThrows(
    () => [...histogramLines([...threads, thread(new Histogram(3))])],
    RangeError,
    "same number of bins",
  );
});

Deno.test("a shortened histogram says how many rows and samples it leaves out", () => {
  const measured = histogram(30_000, ...times(29_900, 1), ...times(99, 2), 376_000);
  const lines = [...histogramLines([thread(measured)], { show: { head: 3, tail: 1 } })];
  assertEquals(lines.slice(0, 6), [
    "# Histogram",
    "000000 000000",
    "000001 029900",
    "000002 000099",
    "# ... 29996 rows left out here (000003 to 029998): 1 of them not zero, 1 samples",
    "029999 000000",
  ]);
  assertEquals([...histogramLines([thread(measured)])].length, 30_007);
  assertEquals([...histogramLines([thread(histogram(3))], { show: { head: 5, tail: 5 } })].length, 10);
});

Deno.test("a histogram's text is its lines, each with its end, however many there are", () => {
  for (const bins of [1, 992, 993, 994, 2993]) {
    const threads = [thread(new Histogram(bins))];
    assertEquals(histogramText(threads), [...histogramLines(threads)].map((line) => `${line}\n`).join(""));
  }
});

// --- Published figures, bound, tables --------------------------------------------------------------------------------

Deno.test("the talk's latency tables are complete: five rows on slide 25, three on slide 26", () => {
  const printed = PUBLISHED_LATENCIES.map(({ slide, system, kernel, minUs, avgUs, maxUs }) =>
    `${slide} ${system} ${kernel} ${minUs}/${avgUs}/${maxUs}`
  );
  assertEquals(printed, [
    "25 bare-metal linux-3.4.0 1/1/376",
    "25 rfc-v2 linux-3.4.0 2/2/15",
    "25 rfc-v2 linux-3.4.4-rt14 1/2/14",
    "25 kvm linux-3.4.0 7/13/558",
    "25 kvm linux-3.4.4-rt14 6/11/152",
    "26 bare-metal linux-3.4.0 3/6/324",
    "26 rfc-v2 linux-3.4.0 2/14/157",
    "26 kvm linux-3.4.0 6/35/855",
  ]);
  assertEquals(publishedLatency(25, "kvm", "linux-3.4.4-rt14")?.maxUs, 152);
  assertEquals(publishedLatency(25, "bare-metal", "linux-3.4.4-rt14"), undefined);
});

Deno.test("slide 27's bars give the slide's 28 %, and not its 30 %", () => {
  const value = (measure: string, system: string) =>
    PUBLISHED_TRAFFIC.find((bar) => bar.measure === measure && bar.system === system)?.value ?? NaN;
  assertEquals((value("throughput", "rfc-v2") / value("throughput", "kvm")).toFixed(2), "1.28");
  assertEquals((value("round trip", "kvm") / value("round trip", "rfc-v2")).toFixed(2), "1.27");
});

Deno.test("no miss in n samples bounds the rate to 3/n, and to 1 at most", () => {
  assertEquals([missRateBound(300_000), missRateBound(2)], [0.00001, 1]);
  assertEquals(missRateText(300_000), "no miss in 300000 samples: rate at most 1.0e-5 (3/n, 95 %)");
  // 3/n is a bound from above of the exact one, 1 - 0.05^(1/n).
  for (const n of [3, 10, 100, 300_000]) {
    const exact = 1 - 0.05 ** (1 / n);
    assertEquals(missRateBound(n) >= exact && missRateBound(n) < exact * 1.6, true, String(n));
  }
  assertThrows(() => missRateBound(0), RangeError, "by 0 samples");
});

Deno.test("columns are aligned, groups stand over their columns, undefined is n/a", () => {
  const columns = [
    { title: "system", align: "left" as const },
    { title: "min", group: "published" },
    { title: "max", group: "published" },
    { title: "n" },
  ];
  assertEquals(tableLines(columns, [["bare-metal", 1, 376, 10], ["kvm", undefined, 15, 300_000]]), [
    "            published",
    "system      min   max       n",
    "bare-metal    1   376      10",
    "kvm         n/a    15  300000",
  ]);
  assertThrows(() => tableLines(columns, [["x"]]), RangeError, "1 cells in a table of 4 columns");
});

Deno.test("a latency table puts published beside modelled, with n, seed, verdict and the bound of its maxima", () => {
  const { columns, rows, notes } = latencyTable([
    {
      system: "bare-metal",
      kernel: "linux-3.4.0",
      published: publishedLatency(25, "bare-metal", "linux-3.4.0"),
      modelled: histogram(10, ...times(3, 1), 2000),
      seed: 7,
    },
    { system: "talk", kernel: "linux-3.4.0", published: undefined, modelled: undefined, seed: 7 },
  ]);
  const lines = [...tableLines(columns, rows), ...notes];
  assertEquals(lines.map((line) => line.replace(/ +/g, " ").trim()), [
    "published modelled",
    "system kernel min avg max* min avg max* mean n seed verdict",
    "bare-metal linux-3.4.0 1 1 376 1 1 2 1.25 4 7 within 1 us",
    "talk linux-3.4.0 n/a n/a n/a n/a n/a n/a n/a n/a 7 not run",
    "* maxima are not ranked: beyond the largest of them, no miss in 4 samples: rate at most 7.5e-1 (3/n, 95 %)",
  ]);
});

Deno.test("a verdict allows one microsecond in minimum and average, and never judges a maximum", () => {
  const published = publishedLatency(25, "kvm", "linux-3.4.0"); // 7/13/558
  assertEquals(latencyVerdict(published, histogram(100, ...times(9, 14), 8000)), "within 1 us");
  assertEquals(latencyVerdict(published, histogram(100, ...times(9, 16), 3000)), "off: min -4");
  assertEquals(latencyVerdict(published, histogram(100, ...times(9, 18), 8000)), "off: avg +4");
  assertEquals(latencyVerdict(undefined, histogram(1, 1)), "not published");
});

Deno.test("the kinds of parameters are counted, best first", () => {
  const text = provenanceText({ assumed: 7, published: 3, calibrated: 0, literature: 2 });
  assertStringIncludes(text, "rests on 12 parameters: 3 published, 2 literature, 7 assumed");
});
