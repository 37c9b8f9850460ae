/** `sweep` and `merge`, on short runs: determinism, the tables, and what is wrong use. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { main } from "../dsl/cli.ts";

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function run(args: string, files: Record<string, string> = {}, terminal = false): Promise<Ran> {
  let out = "", err = "";
  const host = {
    read: (path: string) => {
      const text = files[path];
      return text === undefined ? { problem: "No such file or directory" } : { text };
    },
    list: () => [],
    write: () => "nothing is written here",
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    errIsTerminal: terminal,
    repl: () => Promise.resolve(0),
  };
  const status = await main(args.split(" "), host);
  return { status, out, err };
}

const files = {
  "bench.rtk": "ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l ${1:-40} -h 100 > /dev/null\n",
  "picky.rtk": '[ "$(uname -r)" = 3.4.0 ] || { echo not this one >&2; exit 3; }\n. ./bench.rtk\n',
  "silent.rtk": "true\n",
};
const RUNS = "sweep bench.rtk --system bare-metal";

Deno.test("a sweep's records are the same bytes on one thread and on two, in the order of the options", async () => {
  const options = `${RUNS} --seeds 3,1-2 --kernel linux-3.4.0,linux-3.5.0-rc6 --json`;
  const [one, two] = [await run(`${options} --threads 1`, files), await run(`${options} --threads 2`, files)];
  assertEquals(one.status, 0, one.err);
  assertEquals(one, two);
  const records = one.out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(records.map(({ kernel, seed }) => `${kernel} ${seed}`), [
    ..."312".split("").map((seed) => `linux-3.4.0 ${seed}`),
    ..."312".split("").map((seed) => `linux-3.5.0-rc6 ${seed}`),
  ]);
});

Deno.test("merging the records of two halves gives the tables of the whole", async () => {
  const options = "-- 60";
  const whole = await run(`${RUNS} --seeds 1-4 ${options}`, files);
  const halves = {
    "a.jsonl": (await run(`${RUNS} --seeds 1-2 --json ${options}`, files)).out,
    "b.jsonl": (await run(`${RUNS} --seeds 2-4 --json ${options}`, files)).out, // seed 2 twice counts once
  };
  const merged = await run("merge a.jsonl b.jsonl", halves);
  assertEquals(merged.status, 0, merged.err);
  assertEquals(merged.out, whole.out.split("\n").slice(2).join("\n"));
  assertMatch(whole.out, /^bare-metal +linux-3\.4\.0 +4 +240 /m);
});

Deno.test("a sweep that was interrupted goes on where it ended, and says the same in the end", async () => {
  const options = "--kernel linux-3.4.0,linux-3.5.0-rc6";
  const whole = (await run(`${RUNS} --seeds 1-3 ${options} --json`, files)).out;
  const begun = { ...files, "a.jsonl": whole.split("\n").slice(0, 4).join("\n") };
  const rest = await run(`${RUNS} --seeds 1-3 ${options} --json --resume a.jsonl`, begun);
  assertEquals([rest.status, rest.out], [0, whole.split("\n").slice(4).join("\n")]);
  const [table, resumed] = [
    await run(`${RUNS} --seeds 1-3 ${options}`, files),
    await run(`${RUNS} --seeds 1-3 ${options} --resume a.jsonl`, begun),
  ];
  assertEquals(resumed, table);
  // Other arguments or another profile are other runs.
  const others = await run(`${RUNS} --seeds 1 --json --resume a.jsonl --set linux.tick=3us -- 30`, begun);
  assertEquals(others.out.trimEnd().split("\n").length, 1);
});

Deno.test("two different results under one seed are no sweep", async () => {
  const line = (await run(`${RUNS} --seeds 1 --json`, files)).out;
  const other = line.replace(/"sum_ns":\d+/, '"sum_ns":1');
  const { status, err } = await run("merge a.jsonl", { "a.jsonl": line + other });
  assertEquals(status, 1);
  assertStringIncludes(err, "seed 1, is there twice with different results");
});

Deno.test("a setting is a row of its own, and moves what it should", async () => {
  const { status, out, err } = await run(
    `${RUNS} --seeds 1-2 --set linux.context_switch=560ns,1560ns --json`,
    files,
  );
  assertEquals(status, 0, err);
  const means = out.trimEnd().split("\n").map((line) => JSON.parse(line)).map(({ set, mean_us }) => [
    set["linux.context_switch"],
    mean_us,
  ]);
  assertEquals(means.map(([value]) => value), ["560ns", "560ns", "1560ns", "1560ns"]);
  assert(Math.abs(means[2]![1] - means[0]![1] - 1) < 0.1, `${means}`);
  const table = await run(`${RUNS} --seeds 1-2 --set linux.context_switch=560ns,1560ns`, files);
  assertMatch(table.out, /^linux\.context_switch +system +kernel +seeds/m);
  assertMatch(table.out, /^1560ns +bare-metal/m);
});

Deno.test("an interval takes two runs, p5 and p95 take twenty: n/a is not 0", async () => {
  const { out } = await run(`${RUNS} --seeds 7`, files);
  assertMatch(out, /^bare-metal +linux-3\.4\.0 +1 +40 +\d+ +\d+ +\d+\.\d{3} +n\/a +0\.00$/m);
  assertStringIncludes(out, "p5 and p95 take 20 runs");
  assertStringIncludes(out, "for < 1 per hour run 3.0 h, for < 1 per day run 72 h");
  assertStringIncludes(
    out,
    "n/a where fewer than 10 samples lie beyond: p90 needs 100 samples, there are 40",
  );
  assertStringIncludes(
    (await run(`${RUNS} --seeds 7 --rate 1/week`, files)).out,
    "for < 1 per week run 21 d",
  );
});

Deno.test("a table ends with what was calibrated on, what is predicted, and the kinds of parameters", async () => {
  const load = { "load.rtk": `while :; do :; done &\n${files["bench.rtk"]}` };
  const { out } = await run("sweep load.rtk --system bare-metal,kvm --seeds 1 -- 30", {
    "load.rtk": load["load.rtk"].replace(
      "ssh vm0",
      "ssh vm0 true 2> /dev/null || qemu-kvm -m 64 -enable-kvm; ssh vm0",
    ),
  });
  assertStringIncludes(out, "slide 25: 2 rows calibrated on\nrests on ");
  assertStringIncludes(
    (await run(`${RUNS} --seeds 1`, files)).out,
    "1 row not in the talk: predicted\nrests on ",
  );
});

Deno.test("runs under different loads are rows of their own and say so", async () => {
  const both = { "both.rtk": `${files["bench.rtk"]}while :; do :; done &\n${files["bench.rtk"]}` };
  const { out } = await run("sweep both.rtk --system bare-metal --seeds 1-2", both);
  assertMatch(out, /^bare-metal +linux-3\.4\.0 +idle \/ idle +2 +80 /m);
  assertMatch(out, /^bare-metal +linux-3\.4\.0 +idle \/ busy +2 +80 /m);
});

Deno.test("a run that fails is told with its seed, and gives the status", async () => {
  const { status, err } = await run(
    "sweep picky.rtk --seeds 5 --system bare-metal --kernel linux-3.5.0-rc6",
    files,
  );
  assertEquals(status, 3);
  assertStringIncludes(err, "bare-metal, linux-3.5.0-rc6, seed 5: status 3\nnot this one\n");
  const silent = await run("sweep silent.rtk --seeds 1", files);
  assertEquals(silent.status, 1);
  assertStringIncludes(silent.err, "no run has measured anything");
});

Deno.test("progress is shown on a terminal and gone at the end; elsewhere nothing is", async () => {
  const shown = await run(`${RUNS} --seeds 1-2`, files, true);
  assertStringIncludes(shown.err, "\rsweep: 1 of 2 runs");
  assertMatch(shown.err, /\r +\r$/);
  const silent = await run(`${RUNS} --seeds 1-2`, files);
  assertEquals([silent.err, silent.out], ["", shown.out]);
});

Deno.test("wrong use says what would be right", async () => {
  const cases: [args: string, status: number, says: string][] = [
    ["sweep", 2, "expected the file of one script"],
    ["sweep a.rtk b.rtk", 2, "expected the file of one script"],
    [`${RUNS} --seeds 5-1`, 2, "expected numbers and ranges"],
    [`${RUNS} --seeds 1,1`, 2, "each once"],
    ["sweep bench.rtk --system kvn", 2, "did you mean kvm?"],
    [`${RUNS} --kernel linux-3.4.1`, 2, "did you mean"],
    [`${RUNS} --threads 0`, 2, "expected an integer from 1"],
    [`${RUNS} --rate often`, 2, "like 1/day"],
    [`${RUNS} --set hw.tsc`, 2, "expected PARAMETER=VALUE"],
    [`${RUNS} --set hw.processor.vm_exitt=1ns`, 1, "did you mean vm_exit?"],
    [`${RUNS} --set hw.processor.vm_exit=fast`, 1, "expected a number with its unit"],
    [`${RUNS} --set hw.processor.vm_exit=1Hz`, 1, "does not measure a duration"],
    ["sweep nope.rtk", 127, "No such file"],
    [`${RUNS} --resume nope.jsonl`, 1, "nope.jsonl: No such file"],
    ["merge", 2, "expected files"],
    ["merge nope.jsonl", 1, "No such file"],
    ["merge bench.rtk", 1, "bench.rtk:1: no JSON"],
    ["sweep bench.rtk --profile idle-fitt", 1, "did you mean idle-fit?"],
  ];
  for (const [args, status, says] of cases) {
    const ran = await run(args, files);
    assertEquals([args, ran.status, ran.out], [args, status, ""], ran.err);
    assertStringIncludes(ran.err, says);
  }
});
