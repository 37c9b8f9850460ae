/**
 * The command line of cyclictest: words in, options or the tool's own complaint out.
 *
 * *Document*: cyclictest.c of rt-tests 0.83 (`process_options`), and 2.4, run on Debian 12.
 *
 * Like the tool it reads numbers with atoi(), which takes what stands at the beginning, and ignores words that are no
 * options. A value out of range brings the usage on descriptor 1 and status 1, without a word on which it was; here a
 * note says it.
 *
 * *Deviations*: `-h 0` is an error, as since 2.x; 0.83 took it for no histogram. `--json` is of 2.x too.
 *
 * @module
 */

/** The options of one run. */
export interface CyclictestOptions {
  /** `-t`: measuring threads; 0: one for each processor. */
  threads: number;
  /** `-a`: processor of all threads; `"each"`: thread N on processor N; `null`: anywhere. */
  affinity: number | "each" | null;
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

/** What the real tool prints for an option it does not have, shortened to the options that are modelled. */
export const USAGE = `cyclictest V 0.83
Usage:
cyclictest <options>

-a [NUM] --affinity        thread N on processor N, or all threads on processor NUM
-b USEC  --breaktrace=USEC end with the first latency longer than USEC
-d DIST  --distance=DIST   each further thread's interval is longer by DIST us, default 500
-D TIME  --duration=TIME   measure for TIME seconds, or with m, h or d minutes, hours, days
-h US    --histogram=US    print a histogram of latencies below US at the end
-H US    --histofall=US    likewise, with a column for all threads together
-i INTV  --interval=INTV   interval of the first thread, us, default 1000
-l LOOPS --loops=LOOPS     end after LOOPS loops
-m       --mlockall        lock memory
-n       --nanosleep       sleep by clock_nanosleep
-p PRIO  --prio=PRIO       SCHED_FIFO priority of the first thread, 0 to 99
-q       --quiet           print at the end only
-S       --smp             -a -t -n, all threads of one priority
-t [NUM] --threads=NUM     NUM threads; without NUM one for each processor
-u       --unbuffered      no effect
-v       --verbose         print every value: thread:cycle:latency
-y POLI  --policy=POLI     fifo (default) or rr
         --json=FILE       write the results into FILE
`;

/** Long names, and the letters that they stand for. */
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
  nanosleep: "n",
  policy: "y",
  prio: "p",
  priority: "p",
  quiet: "q",
  smp: "S",
  threads: "t",
  unbuffered: "u",
  verbose: "v",
};
const WITH_VALUE = "bdDhHilpyj";
const OPTIONAL_VALUE = "at";
const FLAGS = "mnqSuv";
/** Options of the real tool that are known and refused; their long names with them. */
const NOT_MODELLED = "BcCeEfIMNoOPrsTUwWxX";
const NOT_MODELLED_LONG = new Set(
  ("preemptirqs clock context latency event ftrace irqsoff refresh_on_max nsecs oscope traceopt preemptoff relative " +
    "system tracer numa wakeup wakeuprt").split(" "),
);
/** HIST_MAX: a longer histogram is cut to it. */
const HISTOGRAM_MAX = 1_000_000;
const DURATION_UNITS: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 };

/** atoi(). */
function integer(text: string): number {
  return parseInt(/^\s*[-+]?\d+/.exec(text)?.[0] ?? "0", 10);
}

/** Reads the command line. @param processors how many there are. Returns the options, or why it is refused. */
export function parseCyclictest(
  argv: readonly string[],
  processors = Infinity,
): CyclictestOptions | CyclictestRefusal {
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
    nanosleep: false,
    smp: false,
    locked: false,
    json: "",
  };
  const wrong: string[] = [];
  const args = argv.slice(1);
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === "--") break;
    let letters: string, value: string | undefined;
    if (word.startsWith("--")) {
      const [, name = "", given] = /^--([^=]*)(?:=(.*))?$/s.exec(word)!;
      if (NOT_MODELLED_LONG.has(name)) return notModelled(`--${name}`);
      const letter = LONG[name];
      if (letter === undefined) return refused(`unrecognized option '${word}'`);
      if (given !== undefined && FLAGS.includes(letter)) {
        return refused(`option '--${name}' doesn't allow an argument`);
      }
      if (letter === "j" && given === undefined && args[i + 1] === undefined) {
        return refused(`option '--${name}' requires an argument`);
      }
      [letters, value] = [letter, given];
    } else if (/^-./.test(word)) letters = word.slice(1);
    else continue; // getopt() leaves it, and nobody looks
    for (let k = 0; k < letters.length; k++) {
      const letter = letters[k]!;
      if (NOT_MODELLED.includes(letter)) return notModelled(`-${letter}`);
      if (FLAGS.includes(letter)) {
        set(options, letter, "", wrong);
        continue;
      }
      const known = WITH_VALUE.includes(letter) || OPTIONAL_VALUE.includes(letter);
      if (!known || (letter === "j" && !word.startsWith("--"))) {
        return refused(`invalid option -- '${letter}'`);
      }
      const rest = letters.slice(k + 1);
      if (rest !== "") value = rest;
      // An option whose value is optional takes the next word where that is a number, and no 0.
      else if (value === undefined && (WITH_VALUE.includes(letter) || integer(args[i + 1] ?? "") !== 0)) {
        value = args[++i];
      }
      if (value === undefined && WITH_VALUE.includes(letter)) {
        return refused(`option requires an argument -- '${letter}'`);
      }
      set(options, letter, value ?? "", wrong);
      break;
    }
  }
  if (typeof options.affinity === "number" && options.affinity >= processors) {
    const message = `WARN: CPU #${options.affinity} not found, only ${processors} CPUs available\n`;
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
function set(options: CyclictestOptions, letter: string, value: string, wrong: string[]): void {
  const number = integer(value);
  const check = (inRange: boolean, text: string) => inRange || wrong.push(`-${letter} ${value}: ${text}`);
  switch (letter) {
    case "a":
      options.affinity = value === "" ? "each" : number;
      check(number >= 0, "processors are numbered from 0");
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
      options.smp = options.nanosleep = true;
      options.threads = 0;
      options.affinity = "each";
      return;
  }
}
