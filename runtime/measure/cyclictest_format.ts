/**
 * What cyclictest prints, character by character: the line of each thread, and the histogram of `-q -h N`.
 *
 * *Document*: `print_stat()` and `print_hist()` of rt-tests; samples of 0.83 and 2.4.
 *
 * @module
 */
import type { Histogram } from "./histogram.ts";

/** One measuring thread at the end of its run. */
export interface CyclictestThread {
  /** Its number, from 0. */
  readonly number: number;
  /** Its thread id. */
  readonly tid: number;
  /** Real-time priority; 0 with SCHED_OTHER. */
  readonly priority: number;
  /** Interval between expiries. */
  readonly intervalUs: number;
  readonly histogram: Histogram;
  /** The loops, counted from 1, whose latency was beyond the histogram; only 2.x prints them. */
  readonly overflowCycles?: readonly number[];
}

/** Release whose output is printed. `0.83` is what the year 2012 ran. */
export type CyclictestRelease = "0.83" | "2.4";

/** How a histogram is printed. */
export interface HistogramFormat {
  /** Which release's lines; 0.83 if not given. */
  readonly release?: CyclictestRelease;
  /** `-H`: one more column with the sum over all threads. */
  readonly withSum?: boolean;
  /** Print only so many rows at the beginning and at the end, and say what was left out. */
  readonly show?: { readonly head: number; readonly tail: number };
}

/** The first line of every run: cyclictest holds the CPUs out of deep sleep. */
export const DMA_LATENCY_LINE = "# /dev/cpu_dma_latency set to 0us";

/** What cyclictest's minimum is before the first sample. */
const NO_MINIMUM = 1_000_000;

function integer(value: number, width: number, fill: " " | "0" = " "): string {
  return String(value).padStart(width, fill);
}

/** The numbers of three digits, as text. */
const THREE_DIGITS: readonly string[] = Array.from({ length: 1000 }, (_, i) => integer(i, 3, "0"));

/** A number of at least six digits. There are tens of thousands of them in a histogram: two halves from a table are made at once. */
function sixDigits(value: number): string {
  return value < 1_000_000
    ? THREE_DIGITS[Math.floor(value / 1000)]! + THREE_DIGITS[value % 1000]!
    : String(value);
}

/** A thread's line, as printed at the end of a run with `-q` and without `-h`. */
export function threadLine({ number, tid, priority, intervalUs, histogram }: CyclictestThread): string {
  return `T:${integer(number, 2)} (${integer(tid, 5)}) P:${integer(priority, 2)} I:${intervalUs}` +
    ` C:${integer(histogram.count, 7)} Min:${integer(histogram.minUs ?? NO_MINIMUM, 7)}` +
    ` Act:${integer(histogram.lastUs, 5)} Avg:${integer(histogram.avgUs ?? 0, 5)}` +
    ` Max:${integer(histogram.maxUs ?? 0, 8)}`;
}

/** The row of one bin: its latency, then the samples of each thread. */
function histogramRow(us: number, threads: readonly CyclictestThread[], withSum: boolean): string {
  let row = `${sixDigits(us)} `; // by hand: there are tens of thousands of rows
  let sum = 0;
  for (let i = 0; i < threads.length; i++) {
    const samples = threads[i]!.histogram.counts[us] ?? 0;
    sum += samples;
    row += i === 0 ? sixDigits(samples) : `\t${sixDigits(samples)}`;
  }
  return withSum ? `${row}\t${sixDigits(sum)}` : row;
}

/** The line in place of rows that are not shown; a comment, as all lines that are no row. */
function leftOut(from: number, to: number, threads: readonly CyclictestThread[]): string {
  let filled = 0;
  let samples = 0;
  for (let us = from; us < to; us++) {
    const here = threads.reduce((sum, { histogram }) => sum + (histogram.counts[us] ?? 0), 0);
    if (here > 0) filled++;
    samples += here;
  }
  const range = `${integer(from, 6, "0")} to ${integer(to - 1, 6, "0")}`;
  return `# ... ${to - from} rows left out here (${range}): ${filled} of them not zero, ${samples} samples`;
}

/**
 * The block that `-q -h N` prints at the end of a run, line by line: one row for each of the `bins` of the threads'
 * histograms, the totals, and an empty line.
 *
 * @throws RangeError if there is no thread, or the threads' histograms differ in their number of bins.
 */
export function* histogramLines(
  threads: readonly CyclictestThread[],
  format: HistogramFormat = {},
): Generator<string, void> {
  const bins = threads[0]?.histogram.bins;
  if (bins === undefined || threads.some(({ histogram }) => histogram.bins !== bins)) {
    throw new RangeError(
      "Cannot print histograms side by side: expected one or more with the same number of bins",
    );
  }
  const withSum = format.withSum ?? false;
  const head = Math.min(format.show?.head ?? bins, bins);
  const tail = Math.max(head, bins - (format.show?.tail ?? 0));
  yield "# Histogram";
  for (let us = 0; us < head; us++) yield histogramRow(us, threads, withSum);
  if (tail > head) yield leftOut(head, tail, threads);
  for (let us = tail; us < bins; us++) yield histogramRow(us, threads, withSum);

  const summary = (title: string, width: number, value: (histogram: Histogram) => number) =>
    `# ${title}:${threads.map(({ histogram }) => ` ${integer(value(histogram), width, "0")}`).join("")}`;
  const total = withSum
    ? ` ${integer(threads.reduce((sum, { histogram }) => sum + histogram.inRange, 0), 9, "0")}`
    : "";
  yield summary("Total", 9, (histogram) => histogram.inRange) + total;
  yield summary("Min Latencies", 5, (histogram) => histogram.minUs ?? NO_MINIMUM);
  yield summary("Avg Latencies", 5, (histogram) => histogram.avgUs ?? 0);
  yield summary("Max Latencies", 5, (histogram) => histogram.maxUs ?? 0);
  yield summary("Histogram Overflows", 5, (histogram) => histogram.overflows);
  if (format.release === "2.4") {
    yield "# Histogram Overflow at cycle number:";
    for (const thread of threads) yield overflowLine(thread);
  }
  yield "";
}

/** Lines that are joined at a time: of tens of thousands only so many are strings of their own at once. */
const BLOCK = 1000;

/** The same block as one text, each line with its end. */
export function histogramText(threads: readonly CyclictestThread[], format: HistogramFormat = {}): string {
  let text = "";
  const block: string[] = [];
  for (const line of histogramLines(threads, format)) {
    block.push(line);
    if (block.length === BLOCK) text += `${block.splice(0).join("\n")}\n`;
  }
  return block.length === 0 ? text : `${text}${block.join("\n")}\n`;
}

/** The loops whose latency was beyond the histogram; the list has at most as many entries as there are bins. */
function overflowLine({ number, histogram, overflowCycles = [] }: CyclictestThread): string {
  const listed = overflowCycles.slice(0, histogram.bins);
  const others = histogram.overflows - listed.length;
  return `# Thread ${number}:${listed.map((cycle) => ` ${integer(cycle, 5, "0")}`).join("")}` +
    (others > 0 ? ` # ${integer(others, 5, "0")} others` : "");
}
