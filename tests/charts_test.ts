/**
 * Charts out of synthetic results: what is drawn where, in SVG and in text.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { barsText } from "../dsl/talk/bars_figure.ts";
import { EMPTY_BIN, linear, logarithmic } from "../dsl/talk/axes.ts";
import { flowFigure } from "../dsl/talk/flow_figure.ts";
import { histogramFigure } from "../dsl/talk/histogram_figure.ts";
import { histogramText } from "../dsl/talk/histogram_text.ts";
import { outline } from "../dsl/talk/outline.ts";
import { escape } from "../dsl/talk/svg.ts";
import { trafficParts } from "../dsl/slides/traffic_slide.ts";
import { trafficOf } from "../dsl/talk/traffic_table.ts";
import type { TrafficResult } from "../runtime/lab/lab.ts";
import { type FlowItem, periodOf, withoutHostInterrupts } from "../runtime/measure/flow.ts";
import { Histogram } from "../runtime/measure/histogram.ts";
import { PUBLISHED_LATENCIES } from "../runtime/measure/published.ts";

/** A histogram with so many samples in some bins. */
function histogram(bins: Readonly<Record<number, number>>): Histogram {
  const made = new Histogram(1000);
  for (const [us, samples] of Object.entries(bins)) {
    for (let i = 0; i < samples; i++) made.record(Number(us) * 1000);
  }
  return made;
}

/** The points of an SVG path of straight lines. */
function points(path: string): [number, number][] {
  return [...path.matchAll(/[ML](-?[\d.]+),(-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
}

// ---- histograms ----

Deno.test("equal factors of a count are equally high, and an empty bin is half a count", () => {
  const { scale, decades } = logarithmic(EMPTY_BIN, 1e6, [100, 0]);
  const step = scale(1) - scale(10);
  for (const count of [10, 1000, 1e5]) assert(Math.abs(scale(count) - scale(10 * count) - step) < 1e-9);
  assertEquals([scale(EMPTY_BIN), scale(1e6), decades], [100, 0, [0, 1, 2, 3, 4, 5, 6]]);
});

Deno.test("between two bins far apart the outline goes down to the empty bins: there is no plateau", () => {
  const { scale: x } = linear(0, 10, [0, 100]);
  const { scale: y } = logarithmic(EMPTY_BIN, 1000, [100, 0]);
  const { line } = outline([0, 100, 0, 0, 0, 1, 0, 0], 8, x, y);
  const level = points(line).filter(([px]) => px > 20 && px < 50).map(([, py]) => py);
  assert(level.length > 0 && level.every((py) => py === 100), line);
  // It begins with the first full bin and ends with the last.
  assertEquals([points(line)[0]![0], points(line).at(-1)![0]], [10, 60]);
});

Deno.test("in text a line is a power of ten, a single sample is seen, and what lies beyond is counted", () => {
  const lines = histogramText(histogram({ 1: 1, 2: 10, 3: 100, 5: 1000, 30: 2, 700: 1 }), 20, 3);
  assertEquals(lines, [
    "10^3 |     █",
    "10^2 |   █ █",
    "10^1 | ▁██ █",
    "     +---------+---------+",
    "     0         10        20 us",
    "      from 20 us on: 3 samples, the last at 700 us",
  ]);
});

Deno.test("a wide body takes several microseconds a column, each as high as its fullest bin", () => {
  const lines = histogramText(histogram({ 0: 10, 1: 1, 127: 10 }), 128, 1);
  assertEquals(lines[0], `10^1 |█${" ".repeat(62)}█`);
});

Deno.test("a latency chart has a panel for each row, the talk's bars as rings, the tail as single lines", () => {
  const rows = PUBLISHED_LATENCIES.filter(({ slide }) => slide === 25).map((published, i) => ({
    published,
    modelled: i === 0 ? undefined : histogram({ 2: 500, 3: 20, 90: 1, 300: 1 }),
  }));
  const { body, width, height } = histogramFigure({ name: "x", title: "x", rows, bodyUs: 40, tailUs: 1000 });
  assertEquals([...body.matchAll(/class="outline /g)].length, 4);
  assertEquals([...body.matchAll(/class="single /g)].length, 8);
  // One ring in the legend.
  assertEquals(
    [...body.matchAll(/<circle [^>]*class="reading"/g)].length,
    1 + rows.reduce((sum, { published }) => sum + published.chart.length, 0),
  );
  assertStringIncludes(body, "modelled n/a");
  assertStringIncludes(body, "maxima are not ranked");
  for (const [, name, text] of body.matchAll(/ (x|y|x1|x2|y1|y2|cx|cy)="([^"]+)"/g)) {
    const value = Number(text);
    assert(value >= 0 && value <= (name!.includes("x") ? width : height), `${name}=${text}`);
  }
});

// ---- traffic ----

const RESULT = { system: "kvm", kernel: "linux-3.4.0", seed: 1, lengthNs: 10e9 };

Deno.test("traffic is put together from iperf and ping; what was not measured is n/a and not 0", () => {
  const results: TrafficResult[] = [
    { ...RESULT, program: "iperf", bitsPerSecond: 9e9, hostCpuPercent: 40 },
    {
      ...RESULT,
      program: "ping",
      roundTrip: { minNs: 60_000, meanNs: 70_000, maxNs: 90_000, count: 10 },
      hostCpuPercent: 3,
    },
  ];
  const measured = trafficOf(results, "kvm");
  assertEquals([measured.gigabitsPerSecond, measured.roundTripUs, measured.hostCpuPercent], [9, 70, 40]);
  const [table, bars] = trafficParts([measured, trafficOf(results, "rfc-v2")], ["why"]);
  const text = table!.text().join("\n");
  assertMatch(text, /iperf throughput, Gb\/s +kvm +8\.91 ±0\.05 +9\.00 +10\.0 s +1 +\+1\.0 %, within 8 %/);
  assertMatch(text, /iperf throughput, Gb\/s +rfc-v2 +11\.40 ±0\.05 +n\/a +n\/a +n\/a +not run/);
  assertMatch(text, /\nwhy$/);
  assertStringIncludes(bars!.figure!.body, ">n/a<");
});

Deno.test("slide 27 compares both systems: speeds as ratios, host CPU use in points", () => {
  const of = (hostCpuPercent: number, bitsPerSecond: number) =>
    trafficOf([{ ...RESULT, program: "iperf", bitsPerSecond, hostCpuPercent }], "kvm");
  const [table] = trafficParts([of(48, 10e9), of(41, 13e9)], []);
  const text = table!.text().join("\n");
  assertMatch(text, /throughput, rfc-v2 \/ kvm +both +1\.28 +1\.30 .*the slide says "28% better"/);
  assertMatch(text, /round trip, kvm \/ rfc-v2 +both +1\.27 +n\/a .*not run/);
  assertStringIncludes(text, "7.00 points lower; the slide says 5 - 10 % lower");
  assertStringIncludes(text, "off: +14.0 %");
});

Deno.test("in text bars are as long as their values, with the talk's value marked", () => {
  const lines = barsText([{
    title: "round trip",
    unit: "us",
    bars: [
      { label: "A", system: "kvm", modelled: 20, published: { value: 10, tolerance: 1 } },
      { label: "B", system: "rfc-v2", modelled: undefined },
    ],
  }], String);
  assertEquals(lines[1], `A  ${"█".repeat(20)}|${"█".repeat(19)}      20  (published 10)`);
  assertMatch(lines[2]!, /^B +n\/a$/);
});

// ---- flows ----

const box = (lane: FlowItem["lane"], text: string, timeNs = 0): FlowItem => ({
  kind: "box",
  lane,
  text,
  timeNs,
});
const exit: FlowItem = { kind: "crossing", lane: "host", text: "VM exit", timeNs: 0 };
const entry: FlowItem = { kind: "crossing", lane: "guest", text: "VM entry", timeNs: 0 };

Deno.test("an interrupt that ends in no injection is the host's own, and is left out and counted", () => {
  const own = [box("guest", "interrupt"), exit, box("host", "timer handler"), entry];
  const injected = [
    box("guest", "interrupt"),
    exit,
    box("host", "timer handler"),
    box("host", "vIRQ injection"),
    entry,
  ];
  const runs = box("guest", "guest runs");
  assertEquals(withoutHostInterrupts([runs, ...own, runs, ...own, runs, ...injected]), {
    items: [runs, ...injected],
    removed: 2,
  });
});

Deno.test("a period lasts from one box of a name to the next; where there is no next one there is none", () => {
  const [a, b] = [box("guest", "set APIC timer"), box("guest", "guest runs")];
  assertEquals(periodOf([b, a, b, a, b], "set APIC timer"), [a, b]);
  assertEquals(periodOf([b, a, b], "set APIC timer"), []);
});

Deno.test("a flow draws each box once, and each crossing with its name, also the last one", () => {
  const items = [box("guest", "EOI"), exit, box("host", "emulate APIC access", 100), entry];
  const { body } = flowFigure("x", "x", items);
  assertEquals([...body.matchAll(/class="box"/g)].length, 2);
  assertEquals([...body.matchAll(/>VM (exit|entry)</g)].map(([, kind]) => kind), ["exit", "entry"]);
  assertStringIncludes(body, ">0.10<");
});

Deno.test("text in figures is escaped", () => {
  assertEquals(escape('a < b & "c"'), "a &lt; b &amp; &quot;c&quot;");
});
