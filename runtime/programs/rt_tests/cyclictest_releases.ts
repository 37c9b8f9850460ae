/**
 * Releases of cyclictest, as data: which options each has, and what differs in what it prints.
 *
 * *Document*: cyclictest.c of rt-tests 0.83; 2.4, run on Debian 12.
 *
 * @module
 */

import type { CyclictestRelease } from "../../measure/cyclictest_format.ts";
import type { ToolVersions } from "../program.ts";

/** One release. */
export interface CyclictestOptionSet {
  /** As the tool says it. */
  readonly version: ToolVersions["cyclictest"];
  /** Whose lines are printed. */
  readonly lines: CyclictestRelease;
  /** Letters of options that have a value, that may have one, that have none. */
  readonly withValue: string;
  readonly optionalValue: string;
  readonly flags: string;
  /** Long names, and the letters that they stand for; a letter that is not in the three above has no short form. */
  readonly long: Readonly<Record<string, string>>;
  /** Options of the real tool that are known and refused. */
  readonly notModelled: string;
  readonly notModelledLong: ReadonlySet<string>;
  /** It sleeps by clock_nanosleep() without being asked, and `-a` takes a list of processors. */
  readonly modern: boolean;
  /** What the real tool prints for an option it does not have, shortened to the options that are modelled. */
  readonly usage: string;
}

const LONG: Readonly<Record<string, string>> = {
  affinity: "a",
  breaktrace: "b",
  distance: "d",
  duration: "D",
  histofall: "H",
  histogram: "h",
  interval: "i",
  json: "j",
  loops: "l",
  mlockall: "m",
  policy: "y",
  priority: "p",
  quiet: "q",
  smp: "S",
  threads: "t",
  unbuffered: "u",
  verbose: "v",
};

/** What both print. */
function usageOf(version: string, a: string, sleep: string, p: string, S: string, y: string): string {
  return `cyclictest V ${version}
Usage:
cyclictest <options>

${a}
-b USEC  --breaktrace=USEC end with the first latency longer than USEC
-d DIST  --distance=DIST   each further thread's interval is longer by DIST us, default 500
-D TIME  --duration=TIME   measure for TIME seconds, or with m, h or d minutes, hours, days
-h US    --histogram=US    print a histogram of latencies below US at the end
-H US    --histofall=US    likewise, with a column for all threads together
-i INTV  --interval=INTV   interval of the first thread, us, default 1000
-l LOOPS --loops=LOOPS     end after LOOPS loops
-m       --mlockall        lock memory
${sleep}-p PRIO  ${p} SCHED_FIFO priority of the first thread, 0 to 99
-q       --quiet           print at the end only
-S       --smp             ${S}, all threads of one priority
-t [NUM] --threads=NUM     NUM threads; without NUM one for each processor
-u       --unbuffered      no effect
-v       --verbose         print every value: thread:cycle:latency
${y} --policy=POLI     fifo (default) or rr
         --json=FILE       write the results into FILE
`;
}

/** The releases, by their versions. */
export const CYCLICTEST_RELEASES: Readonly<Record<ToolVersions["cyclictest"], CyclictestOptionSet>> = {
  "0.83": {
    version: "0.83",
    lines: "0.83",
    withValue: "bdDhHilpy",
    optionalValue: "at",
    flags: "mnqSuv",
    long: { ...LONG, nanosleep: "n", prio: "p" },
    notModelled: "BcCeEfIMNoOPrsTUwWxX",
    notModelledLong: new Set(
      ("preemptirqs clock context latency event ftrace irqsoff refresh_on_max nsecs oscope traceopt preemptoff " +
        "relative system tracer numa wakeup wakeuprt").split(" "),
    ),
    modern: false,
    usage: usageOf(
      "0.83",
      "-a [NUM] --affinity        thread N on processor N, or all threads on processor NUM",
      "-n       --nanosleep       sleep by clock_nanosleep\n",
      "--prio=PRIO      ",
      "-a -t -n",
      "-y POLI ",
    ),
  },
  "2.40": {
    version: "2.40",
    lines: "2.4",
    withValue: "bdDhHilp",
    optionalValue: "at",
    flags: "mqSuv",
    long: LONG,
    notModelled: "AcFMNoQrRsxX",
    notModelledLong: new Set(
      ("aligned clock default-system fifo histfile laptop latency mainaffinity nsecs oscope posix_timers priospread " +
        "refresh_on_max relative resolution secaligned smi spike spike-nodes system tracemark").split(" "),
    ),
    modern: true,
    usage: usageOf(
      "2.40",
      "-a [CPUSET] --affinity     thread N on processor N, or the threads on the processors of CPUSET in turn: 3-5,0",
      "",
      "--priority=PRIO  ",
      "-a -t",
      "        ",
    ),
  },
};
