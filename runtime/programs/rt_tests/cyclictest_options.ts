/**
 * The command line of cyclictest: words in, options or the tool's own complaint out.
 *
 * *Document*: cyclictest.c of rt-tests 0.83 (`process_options`), and 2.4, run on Debian 12.
 *
 * Like the tool it reads numbers with atoi(), which takes what stands at the beginning, and ignores words that are no
 * options. A value out of range brings the usage on descriptor 1 and status 1, without a word on which it was; here a
 * note says it.
 *
 * What the releases differ in is data: `cyclictest_releases.ts`.
 *
 * *Deviations*: `-h 0` is an error, as since 2.x; 0.83 took it for no histogram. `--json` is of 2.x too.
 *
 * @module
 */

import type { CyclictestOptionSet } from "./cyclictest_releases.ts";

/** The options of one run. */
export interface CyclictestOptions {
  /** `-t`: measuring threads; 0: one for each processor. */
  threads: number;
  /** `-a`: processors that the threads take in turn; `"each"`: thread N on processor N; `null`: anywhere. */
  affinity: readonly number[] | "each" | null;
  /** `-p`: real-time priority of the first thread; 0: SCHED_OTHER. */
  priority: number;
  /** `-y`: policy of threads that have a priority. */
  policy: "SCHED_FIFO" | "SCHED_RR";
  /** `-i`: interval of the first thread, µs. */
  intervalUs: number;
  /** `-d`: by how much each further thread's interval is longer, µs; with a histogram none is. */
  distanceUs: number;
  /** `-l`: loops; 0: without end. */
  loops: number;
  /** `-D`: how long it measures, s; 0: until the loops are done. */
  durationSeconds: number;
  /** `-h` or `-H`: bins of the histogram; 0: none. */
  histogram: number;
  /** `-H`: with a column for the sum. */
  histogramSum: boolean;
  /** `-q`: prints at the end only. */
  quiet: boolean;
  /** `-v`: prints every value. */
  verbose: boolean;
  /** `-b`: ends with the first latency that is longer, µs; 0: none is. */
  breakUs: number;
  /** `-n`: clock_nanosleep(). */
  nanosleep: boolean;
  /** `-S`: one thread for each processor, all of one priority. */
  smp: boolean;
  /** `-m`: memory locked. */
  locked: boolean;
  /** `--json`: a file for the results; empty: none. */
  json: string;
  /** Lines for descriptor 2 before it begins; empty: none. */
  warning: string;
}

/** Why a command line is not run, and what the tool ends with. */
export interface CyclictestRefusal {
  /** Lines for descriptor 2. */
  readonly message: string;
  /** The exit status. */
  readonly status: number;
  /** Whether the usage follows on descriptor 1: for what the real tool refuses, not for what is not modelled here. */
  readonly usage?: boolean;
}

/** HIST_MAX: a longer histogram is cut to it. */
const HISTOGRAM_MAX = 1_000_000;
const DURATION_UNITS: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 };

/** atoi(). */
function integer(text: string): number {
  return parseInt(/^\s*[-+]?\d+/.exec(text)?.[0] ?? "0", 10);
}

/**
 * Reads the command line.
 *
 * @param processors how many there are
 * @param release whose options they are
 * @returns the options, or why it is refused
 */
export function parseCyclictest(
  argv: readonly string[],
  processors: number,
  release: CyclictestOptionSet,
): CyclictestOptions | CyclictestRefusal {
  const { withValue, optionalValue, flags, long, modern } = release;
  const options: CyclictestOptions = {
    threads: 1,
    affinity: null,
    priority: 0,
    policy: "SCHED_FIFO",
    intervalUs: 1000,
    distanceUs: 500,
    loops: 0,
    durationSeconds: 0,
    histogram: 0,
    histogramSum: false,
    quiet: false,
    verbose: false,
    breakUs: 0,
    nanosleep: modern,
    smp: false,
    locked: false,
    json: "",
    warning: "",
  };
  const wrong: string[] = [];
  const args = argv.slice(1);
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === "--") break;
    let letters: string, value: string | undefined;
    if (word.startsWith("--")) {
      const [, name = "", given] = /^--([^=]*)(?:=(.*))?$/s.exec(word)!;
      if (release.notModelledLong.has(name)) return notModelled(`--${name}`);
      const letter = Object.hasOwn(long, name) ? long[name] : undefined;
      if (letter === undefined) return refused(`unrecognized option '${word}'`);
      if (given !== undefined && flags.includes(letter)) {
        return refused(`option '--${name}' doesn't allow an argument`);
      }
      if (longOnly(letter, release) && given === undefined && args[i + 1] === undefined) {
        return refused(`option '--${name}' requires an argument`);
      }
      [letters, value] = [letter, given];
    } else if (/^-./.test(word)) letters = word.slice(1);
    else continue; // getopt() leaves it, and nobody looks
    for (let k = 0; k < letters.length; k++) {
      const letter = letters[k]!;
      if (release.notModelled.includes(letter)) return notModelled(`-${letter}`);
      if (flags.includes(letter)) {
        set(options, letter, "", wrong, release);
        continue;
      }
      const needsValue = withValue.includes(letter) || (longOnly(letter, release) && word.startsWith("--"));
      if (!needsValue && !optionalValue.includes(letter)) return refused(`invalid option -- '${letter}'`);
      const rest = letters.slice(k + 1);
      if (rest !== "") value = rest;
      else if (value === undefined && (needsValue || takesNext(letter, args[i + 1] ?? "", release))) {
        value = args[++i];
      }
      if (value === undefined && needsValue) {
        return refused(`option requires an argument -- '${letter}'`);
      }
      set(options, letter, value ?? "", wrong, release);
      break;
    }
  }
  const absent = Array.isArray(options.affinity)
    ? options.affinity.find((cpu) => cpu >= processors)
    : undefined;
  if (absent !== undefined) {
    const message = modern
      ? `libnuma: Warning: cpu argument ${absent} is out of range\n`
      : `WARN: CPU #${absent} not found, only ${processors} CPUs available\n`;
    return { message, status: 1, usage: true };
  }
  if (wrong.length > 0) {
    return { message: wrong.map((text) => `note: ${text}\n`).join(""), status: 1, usage: true };
  }
  if (!options.nanosleep) return limit("signal timers are not modelled: use -n (clock_nanosleep)");
  if (options.intervalUs === 0) {
    return limit("an interval of 0 is not modelled: the tool does not end either");
  }
  return options;
}

/** Options of the modern release that have a long form and no letter; `--json` has none in either. */
function longOnly(letter: string, { withValue }: CyclictestOptionSet): boolean {
  return letter === "j" || (letter === "y" && !withValue.includes("y"));
}

/** Whether an option whose value is optional takes the next word: a number that is no 0, later any list of processors. */
function takesNext(letter: string, next: string, { modern }: CyclictestOptionSet): boolean {
  return modern && letter === "a" ? /^\d/.test(next) : integer(next) !== 0;
}

/** Processors of `3-5,0` in the order of their numbers, as a set has them; undefined: it is none. */
function processorList(text: string): number[] | undefined {
  const list = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) return undefined;
    const first = Number(match[1]), last = Number(match[2] ?? match[1]);
    if (last < first || last > 1023) return undefined;
    for (let cpu = first; cpu <= last; cpu++) list.add(cpu);
  }
  return [...list].sort((a, b) => a - b);
}

/** What getopt() complains about: the usage follows, and the status is 0. */
function refused(text: string): CyclictestRefusal {
  return { message: `cyclictest: ${text}\n`, status: 0, usage: true };
}

function limit(text: string): CyclictestRefusal {
  return { message: `cyclictest: ${text}\n`, status: 1 };
}

function notModelled(option: string): CyclictestRefusal {
  return limit(`option ${option} is not modelled`);
}

/** Sets one option. Enters into `wrong` what is out of range. */
function set(
  options: CyclictestOptions,
  letter: string,
  value: string,
  wrong: string[],
  { modern }: CyclictestOptionSet,
): void {
  const number = integer(value);
  const check = (inRange: boolean, text: string) => inRange || wrong.push(`-${letter} ${value}: ${text}`);
  switch (letter) {
    case "a":
      // The modern one has looked whether -S stood before it.
      if (modern && options.smp) options.warning = "WARN: -a ignored due to smp mode\n";
      else if (modern) options.affinity = value === "" ? "each" : processorList(value) ?? [];
      else options.affinity = value === "" ? "each" : [number];
      check(number >= 0, "processors are numbered from 0");
      check(options.affinity?.length !== 0, "expected processors, such as 3-5,0");
      return;
    case "t":
      options.threads = value === "" ? 0 : number;
      check(value === "" || number >= 1, "at least 1 thread");
      return;
    case "b":
      options.breakUs = Math.max(0, number);
      return;
    case "d":
      options.distanceUs = number;
      return;
    case "D":
      options.durationSeconds = number * (DURATION_UNITS[value.at(-1) ?? ""] ?? 1);
      return;
    case "h":
    case "H":
      options.histogram = Math.min(number, HISTOGRAM_MAX);
      options.histogramSum ||= letter === "H";
      check(number > 0, "a histogram has at least 1 us");
      return;
    case "i":
      options.intervalUs = number;
      check(number >= 0, "an interval is not negative");
      return;
    case "j":
      options.json = value;
      return;
    case "l":
      options.loops = Math.max(0, number);
      return;
    case "p":
      options.priority = number;
      check(number >= 0 && number <= 99, "priorities go from 0 to 99");
      return;
    case "y":
      options.policy = /^rr/i.test(value) ? "SCHED_RR" : "SCHED_FIFO";
      check(/^(rr|fifo)/i.test(value), "policies are fifo and rr");
      return;
    case "m":
      options.locked = true;
      return;
    case "n":
      options.nanosleep = true;
      return;
    case "q":
      options.quiet = true;
      return;
    case "v":
      options.verbose = true;
      return;
    case "S":
      if (modern && options.affinity !== null) options.warning = "WARN: -a ignored due to smp mode\n";
      options.smp = options.nanosleep = true;
      options.threads = 0;
      options.affinity = "each";
      return;
  }
}
