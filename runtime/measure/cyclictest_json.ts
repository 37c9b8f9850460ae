/**
 * What cyclictest writes with `--json=FILE`.
 *
 * *Document*: files written by rt-tests 2.4 on Debian 12; the two keys with a colon in them are the tool's.
 *
 * @module
 */

import { calendarDate, twoDigits } from "./calendar.ts";
import type { CyclictestThread } from "./cyclictest_format.ts";

/** What stands around the threads' results. */
export interface CyclictestRun {
  /** The command line, words joined by blanks. */
  readonly commandLine: string;
  /** Version of rt-tests. */
  readonly version: string;
  /** Seconds since 1970. */
  readonly startTime: number;
  /** Likewise. */
  readonly endTime: number;
  /** Exit status. */
  readonly returnCode: number;
  /** `uname`. */
  readonly system: {
    readonly nodename: string;
    readonly release: string;
    readonly version: string;
    readonly machine: string;
    readonly realtime: boolean;
  };
}

/** The file's text. @param cpus the processor of each thread */
export function cyclictestJson(
  run: CyclictestRun,
  threads: readonly CyclictestThread[],
  cpus: readonly number[],
): string {
  const { system } = run;
  const text = (value: string) => JSON.stringify(value);
  const lines = [
    "{",
    `  "file_version": 1,`,
    `  "cmdline:": ${text(run.commandLine)},`,
    `  "rt_test_version:": ${text(run.version)},`,
    `  "start_time": ${text(dateText(run.startTime))},`,
    `  "end_time": ${text(dateText(run.endTime))},`,
    `  "return_code": ${run.returnCode},`,
    `  "sysinfo": {`,
    `    "sysname": "Linux",`,
    `    "nodename": ${text(system.nodename)},`,
    `    "release": ${text(system.release)},`,
    `    "version": ${text(system.version)},`,
    `    "machine": ${text(system.machine)},`,
    `    "realtime": ${Number(system.realtime)}`,
    "  },",
    `  "num_threads": ${threads.length},`,
    `  "resolution_in_ns": 0,`,
    `  "thread": {`,
  ];
  threads.forEach(({ number, histogram }, i) => {
    const bins: string[] = [];
    histogram.counts.forEach((count, us) => count > 0 && bins.push(`        "${us}": ${count}`));
    lines.push(
      `    "${number}": {`,
      bins.length === 0
        ? `      "histogram": {      },`
        : `      "histogram": {\n${bins.join(",\n")}\n      },`,
      `      "cycles": ${histogram.count},`,
      `      "min": ${histogram.minUs ?? 1_000_000},`,
      `      "max": ${histogram.maxUs ?? 0},`,
      `      "avg": ${(histogram.count === 0 ? 0 : histogram.sumUs / histogram.count).toFixed(2)},`,
      `      "cpu": ${cpus[i]},`,
      `      "node": 0`,
      i === threads.length - 1 ? "    }" : "    },",
    );
  });
  return [...lines, "  }", "}", ""].join("\n");
}

/** `Thu, 06 Sep 2012 00:00:00 +0000`, of the proleptic Gregorian calendar in UTC. */
function dateText(seconds: number): string {
  const { dayName, day, monthName, year, time } = calendarDate(seconds);
  return `${dayName}, ${twoDigits(day)} ${monthName} ${year} ${time} +0000`;
}
