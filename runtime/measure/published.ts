/**
 * The figures that the talk prints, as data.
 *
 * *Document*: Tomoki Sekiyama, "Improvement of Real-time Performance of KVM", LinuxCon/CloudOpen North America 2012,
 * slides 24 to 27. Tables are as printed. What was read off a chart says how far the reading may be off.
 *
 * Set-up of all rows (slide 24): Core i7-3770 without HyperThreading, host linux-3.5.0-rc6 with the patches, one vCPU
 * on one dedicated core, Intel 10 GbE NIC with SR-IOV and one VF passed through;
 * `cyclictest -a 0 -m -q -p 99 -n -l 300000 -h 30000`.
 *
 * @module
 */

/** A system of the laboratory that a row of the talk is compared with. */
export type PublishedSystem = "bare-metal" | "rfc-v2" | "kvm";

/** One bar of a histogram chart. */
export interface ChartBin {
  readonly us: number;
  /** Samples, ±40 %. */
  readonly samples: number;
}

/** One row of a latency table: what cyclictest printed, in whole µs. */
export interface PublishedLatency {
  readonly slide: 25 | 26;
  readonly system: PublishedSystem;
  /** What the slide calls the system. */
  readonly label: string;
  /** Kernel that cyclictest ran on. */
  readonly kernel: "linux-3.4.0" | "linux-3.4.4-rt14";
  readonly guestLoad: "idle" | "iperf";
  readonly hostLoad: "infinite loops" | "idle";
  readonly minUs: number;
  readonly avgUs: number;
  /** The slides say themselves: "test is too short to evaluate max latency". */
  readonly maxUs: number;
  /** The fullest bin of the chart, and how far the reading may be off; undefined where the chart is flat. */
  readonly mode: { readonly us: number; readonly toleranceUs: number } | undefined;
  /** Where the body of the chart ends, ±{@linkcode GONE_TOLERANCE_US}: singles only from there on; undefined where it is not told. */
  readonly goneUs: number | undefined;
  /** Bars of the chart that could be read. */
  readonly chart: readonly ChartBin[];
  /** The rest of the chart in words. */
  readonly shape: string;
  readonly source: string;
}

/** Samples in each row of slides 25 and 26. */
export const PUBLISHED_SAMPLES = 300_000;

/** How far a bar's height may be off, as a share of it. */
export const CHART_TOLERANCE = 0.4;

/** How far the end of a body may be off, µs. */
export const GONE_TOLERANCE_US = 2;

const TALK = "Sekiyama, LinuxCon North America 2012";

const slide25 = {
  slide: 25,
  guestLoad: "idle",
  hostLoad: "infinite loops",
  source: `${TALK}, slide 25`,
} as const;

const slide26 = {
  slide: 26,
  kernel: "linux-3.4.0",
  guestLoad: "iperf",
  hostLoad: "idle",
  chart: [],
  source: `${TALK}, slide 26`,
} as const;

/** The five rows of slide 25 and the three of slide 26, in the order of the slides. */
export const PUBLISHED_LATENCIES: readonly PublishedLatency[] = [
  {
    ...slide25,
    system: "bare-metal",
    label: "bare-metal",
    kernel: "linux-3.4.0",
    minUs: 1,
    avgUs: 1,
    maxUs: 376,
    mode: { us: 1, toleranceUs: 1 },
    chart: [{ us: 1, samples: 300_000 }, { us: 2, samples: 300 }],
    goneUs: undefined,
    shape: "nearly all in one bin",
  },
  {
    ...slide25,
    system: "rfc-v2",
    label: "KVM+DirectIRQ",
    kernel: "linux-3.4.0",
    minUs: 2,
    avgUs: 2,
    maxUs: 15,
    mode: { us: 3, toleranceUs: 1 },
    chart: [{ us: 2, samples: 10_000 }, { us: 3, samples: 300_000 }],
    goneUs: undefined,
    shape: "singles to 15",
  },
  {
    ...slide25,
    system: "rfc-v2",
    label: "KVM+DirectIRQ",
    kernel: "linux-3.4.4-rt14",
    minUs: 1,
    avgUs: 2,
    maxUs: 14,
    mode: { us: 2, toleranceUs: 1 },
    chart: [{ us: 2, samples: 300_000 }, { us: 3, samples: 4_000 }],
    goneUs: undefined,
    shape: "nearly all in one bin",
  },
  {
    ...slide25,
    system: "kvm",
    label: "KVM",
    kernel: "linux-3.4.0",
    minUs: 7,
    avgUs: 13,
    maxUs: 558,
    mode: { us: 13, toleranceUs: 1 },
    chart: [{ us: 16, samples: 600 }],
    goneUs: 33,
    shape: "shoulder 7 to 12, peak 13, gone at 33",
  },
  {
    ...slide25,
    system: "kvm",
    label: "KVM",
    kernel: "linux-3.4.4-rt14",
    minUs: 6,
    avgUs: 11,
    maxUs: 152,
    mode: { us: 11, toleranceUs: 1 },
    chart: [{ us: 16, samples: 100 }],
    goneUs: 32,
    shape: "peak 11, gone at 32, two singles near 128 to 150",
  },
  {
    ...slide26,
    system: "bare-metal",
    label: "bare-metal",
    minUs: 3,
    avgUs: 6,
    maxUs: 324,
    mode: { us: 5, toleranceUs: 2 },
    goneUs: undefined,
    shape: "tail to about 28, a flat floor to about 105, a small cluster near 240",
  },
  {
    ...slide26,
    system: "rfc-v2",
    label: "KVM+DirectIRQ",
    minUs: 2,
    avgUs: 14,
    maxUs: 157,
    mode: { us: 7, toleranceUs: 2 },
    goneUs: 36,
    shape: "broad to 20, second spike at 23 to 24, gone at 36, singles to 157",
  },
  {
    ...slide26,
    system: "kvm",
    label: "KVM",
    minUs: 6,
    avgUs: 35,
    maxUs: 855,
    mode: undefined,
    goneUs: 82,
    shape: "flat from 13 to 55, gone at 82, singles to 855",
  },
];

/** One bar of slide 27: traffic between the physical function of the NIC and the virtual function in the guest. */
export interface PublishedTraffic {
  readonly slide: 27;
  readonly system: "kvm" | "rfc-v2";
  readonly label: string;
  readonly measure: "throughput" | "round trip";
  readonly value: number;
  /** How far the reading off the chart may be off. */
  readonly tolerance: number;
  readonly unit: "Gb/s" | "us";
  readonly source: string;
}

const slide27 = { slide: 27, source: `${TALK}, slide 27 (chart)` } as const;
const throughput = { ...slide27, measure: "throughput", tolerance: 0.05, unit: "Gb/s" } as const;
const roundTrip = { ...slide27, measure: "round trip", tolerance: 0.3, unit: "us" } as const;

/** The four bars of slide 27: iperf and ping. */
export const PUBLISHED_TRAFFIC: readonly PublishedTraffic[] = [
  { ...throughput, system: "kvm", label: "KVM", value: 8.91 },
  { ...throughput, system: "rfc-v2", label: "KVM+DirectIRQ", value: 11.40 },
  { ...roundTrip, system: "kvm", label: "KVM", value: 69.1 },
  { ...roundTrip, system: "rfc-v2", label: "KVM+DirectIRQ", value: 54.2 },
];

/** What slide 27 says in words about KVM+DirectIRQ against KVM. */
export const PUBLISHED_CLAIMS = {
  throughput: "28% better",
  /** The chart's ratio of speeds is 1.27 (1.26 to 1.29), so 30 % is not in it; the latency falls by 21.6 %. */
  roundTrip: "30% faster",
  /** "5 - 10% reduced": share of the host's CPU time, in percent; of what, the slide does not say. */
  hostCpuReducedPercent: { from: 5, to: 10 },
  source: `${TALK}, slide 27`,
} as const;

/** The row of a slide for a system and kernel, or undefined if the talk prints none. */
export function publishedLatency(
  slide: number,
  system: string,
  kernel: string,
): PublishedLatency | undefined {
  return PUBLISHED_LATENCIES.find((row) =>
    row.slide === slide && row.system === system && row.kernel === kernel
  );
}

/** The name of a row of slides 25 and 26 in profiles and reports: `slide25/kvm/linux-3.4.0`. */
export function latencyRowId({ slide, system, kernel }: PublishedLatency): string {
  return `slide${slide}/${system}/${kernel}`;
}

/** The name of a bar of slide 27: `slide27/kvm/throughput`, `slide27/rfc-v2/round-trip`. */
export function trafficRowId({ system, measure }: PublishedTraffic): string {
  return `slide27/${system}/${measure.replace(" ", "-")}`;
}

/** The name of slide 27's third comparison: how much less of the host's CPU time direct delivery takes. */
export const HOST_CPU_ROW = "slide27/host-cpu";

/** The names of everything that the talk has measured, in the order of the slides. */
export const PUBLISHED_ROWS: readonly string[] = [
  ...PUBLISHED_LATENCIES.map(latencyRowId),
  ...PUBLISHED_TRAFFIC.map(trafficRowId),
  HOST_CPU_ROW,
];

/** The row that was measured under these conditions, or undefined if the talk prints none. */
export function publishedRow(
  conditions: Pick<PublishedLatency, "guestLoad" | "hostLoad"> & {
    readonly system: string;
    readonly kernel: string;
  },
): PublishedLatency | undefined {
  const { system, kernel, guestLoad, hostLoad } = conditions;
  return PUBLISHED_LATENCIES.find((row) =>
    row.system === system && row.kernel === kernel && row.guestLoad === guestLoad && row.hostLoad === hostLoad
  );
}
