/**
 * cyclictest's options: what each does, in the lines that the tool prints.
 *
 * Formats and errors are those of cyclictest.c 0.83, and of rt-tests 2.4 on Debian 12 where 0.83 has no such option.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { cyclictestJson } from "../runtime/measure/cyclictest_json.ts";
import { SessionRig } from "./session_rig.ts";

const bare = () => new SessionRig({ system: "bare-metal" });

/** The run's lines, without the first, which says that the CPUs are kept out of deep sleep. */
function lines(options: string, rig = bare()): string[] {
  const [first, ...rest] = rig.ok(`cyclictest -n ${options}`).split("\n");
  assertEquals(first, "# /dev/cpu_dma_latency set to 0us");
  return rest;
}

Deno.test("not quiet: policy, load and a line for each thread, each 10 ms over the last", () => {
  const output = lines("-l 15 -t 2 -p 3");
  const header = /^policy: fifo: loadavg: \d\.\d\d \d\.\d\d \d\.\d\d \d+\/\d+ \d+ {10}$/;
  assertMatch(output[0]!, header);
  assertEquals(output[1], "");
  assertMatch(output[2]!, /^T: 0 \( +\d+\) P: 3 I:1000 C: {6}0 Min:1000000 Act: {4}0 Avg: {4}0 Max: {7}0$/);
  assertMatch(output[3]!, /^T: 1 \( +\d+\) P: 2 I:1500 C: {6}0 /);
  const up = "\x1b[4A"; // four lines up: header, empty line, two threads
  assert(output[4]!.startsWith(up));
  assertMatch(output[4]!.slice(up.length), header);
  assertMatch(output[6]!, / C: {6}9 /, "nine in the first 10 ms");
  assertEquals(
    output.filter((line) => line.startsWith(up)).length,
    2,
    "at 10 ms, and at 20 ms when it is done",
  );
  assertEquals(output.at(-1), "");
});

Deno.test("without -p the policy is other; where priorities run out, both are named", () => {
  assertMatch(lines("-l 3")[0]!, /^policy: other\/other: /);
  assertMatch(lines("-l 3 -p 1 -t 2")[0]!, /^policy: fifo\/other: /);
  assertMatch(lines("-l 3 -p 1 -y rr")[0]!, /^policy: rr: /);
});

Deno.test("-q -D: as many loops as the time has intervals; m is minutes", () => {
  assertMatch(lines("-q -D 1 -i 500")[0]!, / I:500 C: {3}(1999|2000) /);
  assertMatch(lines("-q -D 1m -i 100000")[0]!, / I:100000 C: {4}(599|600) /);
  assertMatch(lines("-q -D 10 -l 20")[0]!, / C: {5}20 /, "whichever comes first");
});

Deno.test("threads of longer intervals end with the first that is done; with a histogram all have one interval", () => {
  const [first, second] = lines("-q -l 100 -t 2");
  assertMatch(first!, /^T: 0 .* I:1000 C: {4}100 /);
  // 66 by then, and up to 10 ms more, because the tool looks each 10 ms.
  assertMatch(second!, /^T: 1 .* I:1500 C: {5}(6[6-9]|7[0-4]) /);
  const rig = bare();
  assertEquals(
    lines("-q -l 100 -t 2 -p 5 -h 3", rig).find((line) => line.startsWith("# Total")),
    "# Total: 000000100 000000100",
  );
  const { threads } = rig.result.cyclictest;
  assertEquals(threads.map(({ intervalUs, priority }) => [intervalUs, priority]), [[1000, 5], [1000, 5]]);
});

Deno.test("-v: thread, cycle and latency of every loop", () => {
  const rig = bare();
  const output = lines("-v -l 25", rig);
  assertEquals(output[0], "Thread 0 Interval: 1500", "the tool names the interval of the next");
  const values = output.slice(1, -1).map((line) =>
    /^ {7}0:([ \d]{8}):([ \d]{8})$/.exec(line)!.slice(1).map(Number)
  );
  assertEquals(values.map(([cycle]) => cycle), Array.from({ length: 25 }, (_, i) => i));
  assertEquals(values.reduce((sum, [, us]) => sum + us!, 0), rig.histogram.sumUs);
});

Deno.test("-b: the first latency that is longer ends the run; who it was, and how long", () => {
  const rig = bare();
  const output = lines("-q -b 1 -l 1000 -t 2", rig);
  assertMatch(output[2]!, /^# Thread Ids: \d{5} \d{5}$/);
  const thread = Number(/^# Break thread: (\d+)$/.exec(output[3]!)![1]);
  const value = Number(/^# Break value: (\d+)$/.exec(output[4]!)![1]);
  const broken = rig.result.cyclictest.threads.find(({ tid }) => tid === thread)!;
  assert(value > 1 && broken.histogram.lastUs === value);
  assert(rig.histogram.count < 1000);
  assertEquals(lines("-q -b 100000 -l 10").slice(1).map((line) => line.slice(0, 12)), ["# Thread Ids", ""]);
});

Deno.test("-S: a thread on each processor, of one priority; -H adds a column where there are several", () => {
  const rig = bare();
  rig.ok("cyclictest -S -q -p 80 -l 10");
  assertEquals(rig.result.cyclictest.threads.map(({ priority }) => priority), [80, 80, 80, 80]);
  assertMatch(lines("-q -l 5 -H 3 -t 2")[1]!, /^000000 000000\t000000\t000000$/);
  assertEquals(lines("-q -l 5 -H 3")[1], "000000 000000");
});

Deno.test("-a with a blank takes the next word where that is a number, and no 0", () => {
  const rig = bare();
  const at = (options: string) => {
    rig.ok(`cyclictest -n -q -l 3 -t 2 ${options} --json=/tmp/out`);
    return JSON.parse(rig.ok("cat /tmp/out")).thread;
  };
  assertEquals(Object.values<{ cpu: number }>(at("-a 1")).map(({ cpu }) => cpu), [1, 1]);
  assertEquals(
    Object.values<{ cpu: number }>(at("-a 0")).map(({ cpu }) => cpu),
    [0, 1],
    "thread N on processor N",
  );
  assertEquals(Object.values<{ cpu: number }>(at("-a0")).map(({ cpu }) => cpu), [0, 0]);
});

Deno.test("--json: the tool's keys and layout, the histogram's bins that are not empty, two decimals", () => {
  const rig = bare();
  rig.ok("cyclictest -n -q -l 50 -h 30 --json=/tmp/out > /dev/null");
  const text = rig.ok("cat /tmp/out");
  const { counts, sumUs, minUs, maxUs } = rig.histogram;
  const bins = [...counts].flatMap((count, us) => count === 0 ? [] : [`        "${us}": ${count}`]);
  assertEquals(
    text.split('  "thread": {\n')[1],
    `    "0": {
      "histogram": {
${bins.join(",\n")}
      },
      "cycles": 50,
      "min": ${minUs},
      "max": ${maxUs},
      "avg": ${(sumUs / 50).toFixed(2)},
      "cpu": ${JSON.parse(text).thread[0].cpu},
      "node": 0
    }
  }
}
`,
  );
  const file = JSON.parse(text);
  assertEquals(Object.keys(file), [
    "file_version",
    "cmdline:",
    "rt_test_version:",
    "start_time",
    "end_time",
    "return_code",
    "sysinfo",
    "num_threads",
    "resolution_in_ns",
    "thread",
  ]);
  assertEquals(file["cmdline:"], "cyclictest -n -q -l 50 -h 30 --json=/tmp/out");
  assertMatch(file.start_time, /^Thu, 06 Sep 2012 00:00:0\d \+0000$/);
  assertEquals(Object.keys(file.sysinfo), [
    "sysname",
    "nodename",
    "release",
    "version",
    "machine",
    "realtime",
  ]);
});

Deno.test("--json: dates are those of the calendar", () => {
  const at = (startTime: number) => {
    const system = { nodename: "", release: "", version: "", machine: "", realtime: false };
    const run = { commandLine: "", version: "", startTime, endTime: startTime, returnCode: 0, system };
    return JSON.parse(cyclictestJson(run, [], [])).start_time;
  };
  // As date -u -R prints them.
  assertEquals(at(0), "Thu, 01 Jan 1970 00:00:00 +0000");
  assertEquals(at(951_782_399), "Mon, 28 Feb 2000 23:59:59 +0000");
  assertEquals(at(951_782_400), "Tue, 29 Feb 2000 00:00:00 +0000");
  assertEquals(at(1_346_889_600 + 3661), "Thu, 06 Sep 2012 01:01:01 +0000");
  assertEquals(at(1_356_998_399), "Mon, 31 Dec 2012 23:59:59 +0000");
});

Deno.test("--json without a histogram has an empty one; a file that cannot be written ends with its errno", () => {
  const rig = bare();
  rig.ok("cd /tmp; cyclictest -n -q -l 5 --json out > /dev/null");
  assert(rig.ok("cat /tmp/out").includes('      "histogram": {      },\n'));
  const { status, out, err } = rig.run("cyclictest -n -q -l 5 --json=/nowhere/out");
  assertEquals([status, out], [2, "# /dev/cpu_dma_latency set to 0us\n"]);
  assertEquals(err, "Failed to open '/nowhere/out'\n: No such file or directory\n");
});

Deno.test("bad values: the usage on descriptor 1 and status 1; a note says which it was", () => {
  const rig = bare();
  const said = (options: string) => {
    const { status, out, err } = rig.run(`cyclictest -n -l 5 -q ${options}`);
    return [status, out.split("\n")[0], err];
  };
  const usage = "cyclictest V 0.83";
  assertEquals(said("-p 100"), [1, usage, "note: -p 100: priorities go from 0 to 99\n"]);
  assertEquals(said("-h 0"), [1, usage, "note: -h 0: a histogram has at least 1 us\n"]);
  assertEquals(said("-t0"), [1, usage, "note: -t 0: at least 1 thread\n"]);
  assertEquals(said("-a 4"), [1, usage, "WARN: CPU #4 not found, only 4 CPUs available\n"]);
  assertEquals(said("-y batch"), [1, usage, "note: -y batch: policies are fifo and rr\n"]);
});

Deno.test("what getopt complains about: its words, the usage, status 0; what is not modelled: status 1, no usage", () => {
  const rig = bare();
  const said = (options: string) => {
    const { status, out, err } = rig.run(`cyclictest ${options}`);
    return [status, out !== "", err];
  };
  assertEquals(said("-k"), [0, true, "cyclictest: invalid option -- 'k'\n"]);
  assertEquals(said("-j"), [0, true, "cyclictest: invalid option -- 'j'\n"]);
  assertEquals(said("--quiet=yes"), [0, true, "cyclictest: option '--quiet' doesn't allow an argument\n"]);
  assertEquals(said("-q -p"), [0, true, "cyclictest: option requires an argument -- 'p'\n"]);
  assertEquals(said("-n -r -l 5"), [1, false, "cyclictest: option -r is not modelled\n"]);
  assertEquals(said("--nsecs"), [1, false, "cyclictest: option --nsecs is not modelled\n"]);
  assertEquals(said("-l 5"), [
    1,
    false,
    "cyclictest: signal timers are not modelled: use -n (clock_nanosleep)\n",
  ]);
  assertEquals(said("-n -q -l 5 word > /dev/null"), [0, false, ""], "words that are no options are ignored");
});

// ---- rt-tests 2.4, in era today ----

/** A host of today, bare metal. */
function modern(): SessionRig {
  const rig = bare();
  rig.ok("set -o era=today");
  return rig;
}

Deno.test("2.4: -n is gone: an invalid option, the usage on descriptor 1, status 0; without it it runs", () => {
  const rig = modern();
  const slides = "cyclictest -a 0 -m -q -p 99 -n -l 300000 -h 30000";
  const { status, out, err } = rig.run(slides);
  assertEquals([status, err], [0, "cyclictest: invalid option -- 'n'\n"]);
  assertEquals(out.split("\n")[0], "cyclictest V 2.40");
  assertEquals(rig.session.results.length, 0);
  const lines = rig.ok("cyclictest -a 0 -m -q -p 99 -l 200 -h 100").split("\n");
  assertEquals(lines.slice(0, 2), ["# /dev/cpu_dma_latency set to 0us", "# Histogram"]);
  assertEquals(rig.result.cyclictest.threads[0]!.histogram.count, 200);
});

Deno.test("2.4: letters and long names that are gone are invalid, those that are not modelled are refused by name", () => {
  const rig = modern();
  const says = (options: string) => {
    const { status, err } = rig.run(`cyclictest -q -l 10 ${options}`);
    return [status, err];
  };
  for (const letter of "BCEfIOPTwWUyn") {
    assertEquals(says(`-${letter}`), [0, `cyclictest: invalid option -- '${letter}'\n`]);
  }
  assertEquals(says("--nanosleep"), [0, "cyclictest: unrecognized option '--nanosleep'\n"]);
  assertEquals(says("--policy=rr -p 5"), [0, ""]);
  for (const option of ["--mainaffinity=1", "--latency=0", "--secaligned", "--laptop", "-x", "--smi"]) {
    assertEquals(says(option), [1, `cyclictest: option ${option.replace(/=.*/, "")} is not modelled\n`]);
  }
});

Deno.test("2.4: -a takes a list of processors, which the threads take in turn; an impossible one: usage, status 1", () => {
  const rig = modern();
  const allowed = () =>
    rig.run(
      "cyclictest -q -l 3 -t 3 -a 1,3 &\nsleep 0.001; for t in /proc/[0-9]*/task/*; do read -r n < $t/comm; [ $n = cyclictest ] && grep Cpus_allowed_list $t/status; done; wait",
    ).out;
  assertEquals(allowed().match(/Cpus_allowed_list:\t.*/g), [
    "Cpus_allowed_list:\t0-3",
    "Cpus_allowed_list:\t1",
    "Cpus_allowed_list:\t3",
    "Cpus_allowed_list:\t1",
  ]);
  const { status, out, err } = rig.run("cyclictest -q -l 10 -a 5");
  assertEquals([status, err, out.split("\n")[0]], [
    1,
    "libnuma: Warning: cpu argument 5 is out of range\n",
    "cyclictest V 2.40",
  ]);
});

Deno.test("2.4: -S with -a: the affinity is ignored, with a warning", () => {
  const rig = modern();
  const { status, out, err } = rig.run("cyclictest -S -a 2 -q -l 10");
  assertEquals([status, err], [0, "WARN: -a ignored due to smp mode\n"]);
  assertEquals(out.match(/^T: \d/gm), ["T: 0", "T: 1", "T: 2", "T: 3"]);
});

Deno.test("2.4: the cycles whose latency lay beyond the histogram are listed, as many as it has bins", () => {
  const rig = modern();
  const out = rig.ok("cyclictest -a 3 -q -l 50 -h 1 -p 50");
  const overflows = rig.histogram.overflows;
  assertMatch(out, /\n# Histogram Overflow at cycle number:\n# Thread 0:/);
  assert(overflows > 1);
  const list = /# Thread 0:(.*)/.exec(out)![1]!;
  assertMatch(list, new RegExp(`^ \\d{5} # ${String(overflows - 1).padStart(5, "0")} others$`));
  assertEquals(bare().ok("cyclictest -n -a 3 -q -l 50 -h 1 -p 50").includes("at cycle number"), false); // 0.83
});
