/** Fits in profiles, targets of the talk, and the commands that run its rows; few loops. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { main } from "../dsl/cli.ts";
import { fitYaml } from "../dsl/studies/fit_yaml.ts";
import { loadProfile, ProfileError } from "../runtime/lab/profile.ts";
import { calibrationText, fitRowsText } from "../runtime/lab/calibration.ts";
import { defaultProfile, profileWith } from "../runtime/lab/defaults.ts";
import { NAMED_PROFILES } from "../runtime/lab/named_profiles.ts";
import { provenanceLines } from "../runtime/lab/provenance.ts";
import { Histogram } from "../runtime/measure/histogram.ts";
import { PUBLISHED_LATENCIES, PUBLISHED_ROWS } from "../runtime/measure/published.ts";
import { type Measured, misfit, TARGETS } from "../runtime/measure/targets.ts";
import { ns, parameters } from "../hw/parameters.ts";

async function run(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  let out = "", err = "";
  const host = {
    read: () => ({ problem: "No such file or directory" }),
    list: () => [],
    write: () => "nothing is written here",
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    errIsTerminal: false,
    repl: () => Promise.resolve(0),
  };
  const status = await main(args, host);
  return { status, out, err };
}

// --- Fits ---------------------------------------------------------------------------------------------------------

const schema = parameters({ path: { entry: ns("Entry"), wake: ns("Wake-up") }, tail: ns("Tail") });
const values = `
path:
  entry: { value: 250, unit: ns, kind: calibrated, source: fit }
  wake: { value: 820, unit: ns, kind: calibrated, source: fit }
tail: { value: 3, unit: us, kind: calibrated, source: by hand }
`;
const fit = `
calibration:
  sum:
    parameters: [path.entry, path.wake]
    free: path.wake
    bounds: { from: 0.1, to: 2, unit: us }
    rows: [slide25/kvm, slide26/bare-metal/linux-3.4.0]
    identified_by: the average
`;
const load = (text: string) => loadProfile(schema, [{ file: "p.yaml", text }]);

Deno.test("a profile says which parameters were fitted together, to which rows, and what identifies them", () => {
  assertEquals(load(values + fit).fits, [{
    name: "sum",
    parameters: ["path.entry", "path.wake"],
    free: { path: "path.wake", from: 100, to: 2000 },
    rows: ["slide25/kvm/linux-3.4.0", "slide25/kvm/linux-3.4.4-rt14", "slide26/bare-metal/linux-3.4.0"],
    identifiedBy: "the average",
  }]);
  assertEquals(load(values + fit).hash, load(values).hash); // what a number comes from is no number
});

Deno.test("a number that an overlay or a program sets was not fitted by the profile below", () => {
  const profile = load(values + fit);
  const overlay = "path: { entry: { value: 1, unit: ns, kind: assumed, source: mine } }";
  assertEquals(profile.merge({ file: "o.yaml", text: overlay }).fits[0]?.parameters, ["path.wake"]);
  const [left] = profile.with({ "path.wake": { value: 1, unit: "ns" } }).fits;
  assertEquals([left?.parameters, left?.free], [["path.entry"], undefined]);
  const own =
    `${values}calibration: { other: { parameters: [tail], rows: [slide25], identified_by: "maxima" } }`;
  assertEquals(profile.merge({ file: "o.yaml", text: own }).fits.map(({ name }) => name), ["other"]);
});

Deno.test("a fit that does not fit names line and key, and what was meant", () => {
  const cases: [before: string, after: string, says: string][] = [
    [
      "path.entry, path",
      "path.entri, path",
      'calibration.sum.parameters: there is no parameter "path.entri"',
    ],
    ["slide25/kvm,", "slide25/kvn,", 'calibration.sum.rows: the talk has no row "slide25/kvn"'],
    ["free: path.wake", "free: tail", "calibration.sum.free: free: expected one of the parameters"],
    ["unit: us }", "unit: Hz }", 'calibration.sum.bounds: unit "Hz" does not measure a duration'],
    ["from: 0.1", "from: 3", "calibration.sum.bounds: bounds: from is not below to"],
    ["bounds", "bound", "calibration.sum.bound: unknown key, did you mean bounds?"],
    ["identified_by: the average", "identified_by: ''", "calibration.sum: identified_by: expected what"],
  ];
  for (const [before, after, says] of cases) {
    assertStringIncludes(fit, before);
    const error = assertThrows(() => load(values + fit.replace(before, after)), ProfileError);
    assertStringIncludes(error.message, says);
    assertMatch(error.message, /^p\.yaml:\d+:\d+: /);
  }
});

Deno.test("every calibrated number of the profiles stands in one fit, and no other number in any", () => {
  for (
    const profile of [
      defaultProfile(),
      ...[...NAMED_PROFILES.values()].map((text) => profileWith([text])),
    ]
  ) {
    const fitted = profile.fits.flatMap(({ parameters }) => parameters).sort();
    const calibrated = profile.list().filter(({ kind }) => kind === "calibrated").map(({ path }) => path)
      .sort();
    assertEquals(fitted, calibrated, profile.name);
    for (const { free, name } of profile.fits) {
      if (free === undefined) continue;
      const [record] = profile.list(free.path);
      assert(free.from <= record!.value && record!.value <= free.to, `${name} of ${profile.name}`);
    }
  }
});

Deno.test("idle-fit was fitted to slide 25 alone: slides 26 and 27 under it are predictions", () => {
  const { fits } = profileWith([NAMED_PROFILES.get("idle-fit")!]);
  assertEquals(
    calibrationText(fits, PUBLISHED_ROWS),
    "slide 25: 5 rows calibrated on; slide 26: 3 rows predicted; slide 27: 5 rows predicted",
  );
});

Deno.test("a calibrated number that does not say what it was fitted to makes no row a prediction", () => {
  const text = "hw: { msi_latency: { value: 1, unit: ns, kind: calibrated, source: mine } }";
  const [first] = provenanceLines(profileWith([{ file: "mine.yaml", text }]), PUBLISHED_ROWS);
  assertMatch(first!, /^no telling what is predicted: no fit says what it was made to for .*hw\.msi_latency/);
});

Deno.test("rows are named as shortly as they can be", () => {
  assertEquals(fitRowsText(PUBLISHED_ROWS.filter((row) => row.startsWith("slide25"))), "slide25");
  assertEquals(
    fitRowsText(["slide25/kvm/linux-3.4.4-rt14", "slide25/kvm/linux-3.4.0", "slide27/kvm/throughput"]),
    "slide25/kvm, slide27/kvm/throughput",
  );
});

// --- Targets --------------------------------------------------------------------------------------------------------

/** A run whose samples are `us` µs and 500 ns, so many of each. */
function measured(row: string, bins: Readonly<Record<string, number>>): Measured {
  const histogram = new Histogram(1000);
  for (const [us, samples] of Object.entries(bins)) {
    for (let i = 0; i < samples; i++) histogram.record(Number(us) * 1000 + 500);
  }
  return {
    latency: new Map([[row, histogram]]),
    minNs: new Map([[row, histogram.minNs]]),
    traffic: new Map(),
  };
}

Deno.test("every number that the talk gives is a target: minima, averages, modes, ends, bars, slide 27", () => {
  const bars = PUBLISHED_LATENCIES.reduce((sum, { chart }) => sum + chart.length, 0);
  const modes = PUBLISHED_LATENCIES.filter(({ mode }) => mode !== undefined).length;
  const ends = PUBLISHED_LATENCIES.filter(({ goneUs }) => goneUs !== undefined).length;
  assertEquals(TARGETS.length, 8 + 8 + modes + ends + bars + 4 + 1);
});

Deno.test("what prints as the talk does deviates by at most 1, the next whole number by more", () => {
  const row = "slide25/kvm/linux-3.4.0"; // 7/13, mode 13, 600 samples at 16
  const find = (what: string) => TARGETS.find((target) => target.row === row && target.what === what)!;
  const exact = measured(row, { 7: 10, 13: 300_000, 16: 601, 32: 60 });
  assertEquals(find("min").deviation(exact), 0);
  assert(Math.abs(find("avg").deviation(exact)!) <= 1);
  assertEquals(find("mode").deviation(exact), 0);
  assert(Math.abs(find("samples at 16 us").deviation(exact)!) < 0.01);
  const off = measured(row, { 8: 300_000, 16: 300_000 });
  assertEquals(find("min").deviation(off), 2); // 8.5 where 7 to 8 prints as 7
  assert(find("samples at 16 us").deviation(off)! > 3);
  assertEquals(find("min").deviation(measured("slide26/kvm/linux-3.4.0", { 7: 1 })), undefined);
  assertEquals(find("min").deviation({ ...off, minNs: new Map() }), undefined); // of a shorter run than the talk's
  const gone = find("gone at"); // at 33
  assert(Math.abs(gone.deviation(exact)!) < 0.5);
  assertEquals(gone.deviation(measured(row, { 13: 299_970, 558: 30 })), -9.5); // one in ten thousand is a single
  assert(gone.deviation(measured(row, { 13: 299_900, 36: 100 }))! > 1);
  assertEquals(gone.deviation(measured(row, { 13: 9_999 })), undefined); // too few to tell a single
  const mine = TARGETS.filter((target) => target.row === row);
  assert(misfit(mine, exact) < 0.05 && misfit(mine, off) > 5);
});

// --- Commands -------------------------------------------------------------------------------------------------------

Deno.test("params prints every parameter, its fit, and what identifies that", async () => {
  const { status, out } = await run("params");
  assertEquals(status, 0);
  for (const { path } of defaultProfile().list()) {
    assertMatch(out, new RegExp(`^${path.replaceAll(".", "\\.")} `, "m"));
  }
  const { out: path } = await run("params", "kvm.timer_write_handle");
  assertMatch(path, /^kvm\.timer_write_handle +\d+ ns +calibrated +timer_write\* +slide 25/m);
  assertMatch(path, /^timer_write +slide25\/kvm +KVM on 3\.4\.0, which writes the timer once more/m);
  assertMatch(path, /^1 parameters: 1 calibrated \(profile /m);
});

Deno.test("residuals tell for each profile what was fitted and what is predicted", async () => {
  const { status, out, err } = await run("residuals", "--loops", "30", "--seeds", "1");
  assertEquals([status, err], [0, ""]);
  assertMatch(out, /^ +default +idle-fit$/m);
  assertMatch(out, /^slide25\/kvm\/linux-3\.4\.0 +avg +13 +\d+\.\d\d +[+-]\d\.\d\d +fitted +\d/m);
  assertStringIncludes(out, "note: the talk's minima are of 300000 samples, these of 30");
  assertMatch(out, /^idle-fit: \d+ fits, \d+ with a free parameter$/m);
  assertMatch(out, /^rests on \d+ parameters/m);
});

Deno.test("a calibration of few loops fits, says what is determined, and writes a profile that loads", async () => {
  const { status, out, err } = await run(
    ...["calibrate", "timer_write", "--stage", "idle", "--rounds", "1", "--loops", "20", "--yaml"],
  );
  assertEquals(status, 0, err);
  assertMatch(err, /^stage idle: 5 rows, 25 targets, 1 free parameter; 20 loops, 1 seed; from profile /);
  assertMatch(err, /^ {2}round 1: misfit \d+\.\d+ after \d+ trials$/m);
  assertMatch(err, /^kvm\.timer_write_handle +300 to 4000 +\d+ +\d+ /m);
  assertStringIncludes(err, "Directions, best determined first");
  const profile = profileWith([{ file: "fitted.yaml", text: out }]);
  const { fits } = profileWith([NAMED_PROFILES.get("idle-fit")!]);
  const own = fits.filter(({ rows }) => rows.every((row) => row.startsWith("slide25/")));
  assert(own.length > 0);
  for (const path of own.flatMap(({ parameters }) => parameters)) {
    assertEquals(profile.list(path)[0]!.file, "fitted.yaml", path);
  }
  assertEquals(profile.fits.slice(-own.length).map(({ name }) => name), own.map(({ name }) => name));
});

Deno.test("a written profile has what was fitted, and keeps the priors of the profile it began with", () => {
  const text = "hw: { msi_latency: { value: 500, unit: ns, kind: assumed, source: a prior } }";
  const start = profileWith([{ file: "start.yaml", text }]);
  const yaml = fitYaml({
    ...{ stage: "idle", profile: start, fits: start.fits.filter(({ name }) => name !== "host_tail") },
    ...{ fitted: new Map([["kvm.unblock", 3000]]), overlay: "start.yaml" },
  });
  const written = profileWith([{ file: "written.yaml", text: yaml }]);
  const get = (path: string) => {
    const [record] = written.list(path);
    return [record!.value, record!.kind, record!.file];
  };
  assertEquals(get("kvm.unblock"), [3000, "calibrated", "written.yaml"]);
  assertEquals(get("hw.msi_latency"), [500, "assumed", "written.yaml"]);
  assertEquals(get("host_background.heavy.rate")[2], "runtime/profiles/linux-3.yaml"); // not of these fits
  assertEquals(written.name.split(" + ").at(-1), "idle-fit");
});

Deno.test("the timer write moves KVM's rows and no other", async () => {
  const { status, out, err } = await run(
    ...["sensitivity", "kvm.timer_write_handle", "--loops", "60", "--seeds", "1-2"],
  );
  assertEquals([status, err], [0, ""]);
  const [line] = out.match(/^kvm\.timer_write_handle.*$/m)!;
  const [, , , kind, bare, direct, rt14, kvm, kvmRt14] = line.split(/ +/);
  assertEquals([kind, bare, direct, rt14], ["calibrated", ".", ".", "."]);
  assert(Number(kvm) > 0 && Number(kvmRt14) > 0 && Number(kvm) > 1.3 * Number(kvmRt14), line); // it is written once more
  assertStringIncludes(out, "0 others move no row beyond the noise");
});

Deno.test("wrong use of these commands says what would be right", async () => {
  const cases: [args: string, status: number, says: string][] = [
    ["calibrate --stage idel", 2, "did you mean idle?"],
    ["calibrate --loops 0", 2, "expected an integer, 1 or more"],
    ["calibrate timer_wite", 2, "did you mean timer_write?"],
    ["calibrate --rounds 0", 2, "expected an integer, 1 or more"],
    ["params hw.procesor", 2, "did you mean hw.processor?"],
    ["params hw linux", 2, 'unexpected word "linux"'],
    ["residuals now", 2, 'unexpected word "now"'],
    ["residuals --stage idle", 2, "takes no --stage"],
    ["sensitivity hw.procesor", 2, "did you mean hw.processor?"],
    ["sensitivity hw hw", 2, 'unexpected word "hw"'],
  ];
  for (const [args, status, says] of cases) {
    const ran = await run(...args.split(" "));
    assertEquals([args, ran.status, ran.out], [args, status, ""]);
    assertStringIncludes(ran.err, says);
  }
});
