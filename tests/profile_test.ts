/** Parameter profiles: units, overlays, provenance, and errors that name file, line and key path. */
import { assert, assertEquals, assertNotEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { count, hz, ns, parameters, perSecond, ppm, ratio, type Values } from "../hw/parameters.ts";
import { hashText, loadProfile, ProfileError } from "../runtime/lab/profile.ts";
import { keyPositions } from "../runtime/lab/profile_positions.ts";
import { closest, editDistance } from "../runtime/lab/spelling.ts";

const schema = parameters({
  hw: {
    vmExit: ns("VM exit, hardware part"),
    vmEntry: ns("VM entry, hardware part"),
    tsc: hz("Time-stamp counter"),
  },
  disturbances: {
    smi: { rate: perSecond("System management interrupts"), shape: ratio("Shape of the tail") },
  },
  weight: count("Packets in a poll", { min: 1, max: 300 }),
  drift: ppm("Drift of the clocks"),
});

const text = `# The default.
profile: test machine
hw:
  vm_exit: { value: 0.1, unit: us, kind: literature, source: "Agesen: ATC 2012 # table" }
  vm_entry:
    value: 130
    unit: ns
    kind: literature   # recalled
    source: >
      a folded
      text: with a colon
  tsc: { value: 3.4, unit: GHz, kind: published, source: slide 24 }
disturbances:
  smi:
    rate: { value: 0.1, unit: Hz, kind: assumed, source: nobody }
    shape: {
      value: -0.35, # a comment, with { brackets
      unit: ratio,
      kind: calibrated, source: 'maxima of slide 25, it''s weak' }
"weight": { value: 64, unit: count, kind: literature, source: driver }
drift: { value: 10, unit: ppm, kind: assumed, source: nobody }
`;
const defaults = [{ file: "default.yaml", text }];

/** The message of the error that the default gives with `before` replaced by `after`. */
function errorOf(before: string, after: string): string {
  assertStringIncludes(text, before);
  const changed = [{ file: "my.yaml", text: text.replace(before, after) }];
  return assertThrows(() => loadProfile(schema, changed), RangeError).message;
}

Deno.test("durations become integer nanoseconds, clocks integer hertz, rates stay real", () => {
  const values: Values<typeof schema> = loadProfile(schema, defaults).values;
  const vmExit: number = values.hw.vmExit;
  assertEquals(vmExit, 100);
  assertEquals(values, {
    hw: { vmExit: 100, vmEntry: 130, tsc: 3_400_000_000 },
    disturbances: { smi: { rate: 0.1, shape: -0.35 } },
    weight: 64,
    drift: 10,
  });
});

Deno.test("a decimal duration is exact or refused, never rounded", () => {
  for (let tenths = 1; tenths < 20_000; tenths++) {
    assertEquals(ns("t").convert(tenths / 1000, "us"), tenths);
  }
  assertEquals(ns("t").convert(124.928, "us"), 124_928);
  assertThrows(() => ns("t").convert(0.1234, "us"), RangeError, "0.1234 us is not a whole number of ns");
  assertThrows(() => ns("t").convert(1e10, "s"), RangeError, "too large to be exact");
});

Deno.test("a wrong key names file, line, column and path, and suggests the right one", () => {
  assertEquals(
    errorOf("vm_exit:", "vm_exti:"),
    "my.yaml:4:3: hw.vm_exti: unknown key, did you mean vm_exit?",
  );
  assertEquals(errorOf("vm_exit:", "vmExit:"), "my.yaml:4:3: hw.vmExit: unknown key, did you mean vm_exit?");
  assertEquals(
    errorOf("drift:", "surprise: 1\ndrift:"),
    "my.yaml:21:1: surprise: unknown key",
  );
  assertEquals(
    errorOf("vm_exit: { value", "vm_exit: { valeu"),
    "my.yaml:4:14: hw.vm_exit.valeu: unknown key, did you mean value?",
  );
});

Deno.test("a wrong unit names the units that fit", () => {
  assertEquals(
    errorOf("unit: us", "unit: MHz"),
    'my.yaml:4:32: hw.vm_exit.unit: unit "MHz" does not measure a duration, expected ns, us, ms or s',
  );
  assertEquals(
    errorOf("unit: GHz", "unit: ghz"),
    'my.yaml:12:28: hw.tsc.unit: unit "ghz" does not measure a clock, expected Hz, kHz, MHz or GHz',
  );
});

Deno.test("a missing key is reported where its group stands, with its meaning and its units", () => {
  assertEquals(
    errorOf("  tsc: { value: 3.4, unit: GHz, kind: published, source: slide 24 }\n", ""),
    "my.yaml:3:1: hw.tsc: missing: Time-stamp counter, in Hz | kHz | MHz | GHz",
  );
  assertEquals(
    errorOf("unit: us, ", ""),
    "my.yaml:4:12: hw.vm_exit: has no unit, expected ns | us | ms | s",
  );
});

Deno.test("a value that is no number, or out of range, is refused", () => {
  assertEquals(
    errorOf("value: 0.1, unit: us", "value: 10us, unit: us"),
    'my.yaml:4:21: hw.vm_exit.value: expected a number of ns | us | ms | s, found "10us"',
  );
  assertEquals(errorOf("    value: 130", "    value: -1").split(": ").slice(0, 2), [
    "my.yaml:6:12",
    "hw.vm_entry.value",
  ]);
  assertStringIncludes(errorOf("value: 64", "value: 301"), "out of range, expected from 1 to 300 count");
  assertStringIncludes(errorOf("value: 64", "value: 6.5"), "6.5 count is not a whole number of count");
  assertStringIncludes(errorOf("value: 64", "value: .inf"), "Infinity is not a finite number");
  assertStringIncludes(
    errorOf("drift: { value: 10, unit: ppm, kind: assumed, source: nobody }", "drift: 10"),
    "drift: expected { value: …, unit: ppm, kind: …, source: … }, found 10",
  );
});

Deno.test("a kind is one of four, a source is never empty", () => {
  assertEquals(
    errorOf("kind: published", "kind: publised"),
    "my.yaml:12:39: hw.tsc.kind: expected one of published, literature, calibrated, assumed, " +
      'found "publised"; did you mean published?',
  );
  assertStringIncludes(
    errorOf("source: driver", 'source: ""'),
    "weight.source: expected where the number comes",
  );
});

Deno.test("YAML syntax errors and duplicate keys carry their line and column", () => {
  assertStringIncludes(errorOf("unit: GHz,", "unit: [GHz,"), "my.yaml:12:");
  assertStringIncludes(errorOf('"weight":', "hw: 1\nweight:"), "my.yaml:20:");
  assertStringIncludes(errorOf('"weight":', "hw: 1\nweight:"), "duplicated key");
  assertStringIncludes(errorOf("hw:", "hw: [1]\nhw2:"), "my.yaml:3:5: hw: expected a group of parameters");
});

Deno.test("everything that is wrong with a profile is reported at once", () => {
  const broken = text.replace("vm_exit", "vm_exti").replace("unit: GHz", "unit: ns").replace(
    "value: 64",
    "value: x",
  );
  const error = assertThrows(() => loadProfile(schema, [{ file: "b.yaml", text: broken }]), ProfileError);
  assertEquals(error.problems.map(({ line, keyPath }) => [line, keyPath]), [
    [4, "hw.vm_exti"],
    [12, "hw.tsc.unit"],
    [20, "weight.value"],
  ]);
});

Deno.test("defaults add up, and two of them may not give the same parameter", () => {
  const [head = "", tail = ""] = text.split(/^(?=disturbances)/m);
  const parts = [{ file: "hw.yaml", text: head }, { file: "rest.yaml", text: tail }];
  assertEquals(loadProfile(schema, parts).hash, loadProfile(schema, defaults).hash);
  const twice = [...parts, { file: "more.yaml", text: tail }];
  const error = assertThrows(() => loadProfile(schema, twice), ProfileError);
  assertEquals(error.problems.map(({ keyPath }) => keyPath), [
    "disturbances.smi.rate",
    "disturbances.smi.shape",
    "weight",
    "drift",
  ]);
  assertEquals(error.problems[2]?.message, "given twice: also in rest.yaml:8");
});

Deno.test("an overlay replaces any subset of keys and brings its own provenance", () => {
  const overlay = {
    file: "mine.yaml",
    text: "profile: slow exits\nhw:\n  vm_exit: { value: 200, unit: ns, kind: assumed, source: me }\n",
  };
  const base = loadProfile(schema, defaults);
  const merged = loadProfile(schema, defaults, [overlay]);
  assertEquals(merged.hash, base.merge(overlay).hash);
  assertEquals([base.values.hw.vmExit, merged.values.hw.vmExit, merged.values.hw.vmEntry], [100, 200, 130]);
  assertEquals(merged.name, "test machine + slow exits");
  const [record] = merged.list("hw.vm_exit");
  assertEquals([record?.kind, record?.source, record?.file, record?.line], ["assumed", "me", "mine.yaml", 3]);
  assertThrows(
    () => base.merge({ file: "m", text: "hw: { vm_exits: 1 }" }),
    RangeError,
    "m:1:7: hw.vm_exits",
  );
});

Deno.test("a program sets single values by key path, and they count as assumed", () => {
  const base = loadProfile(schema, defaults);
  const doubled = base.with({
    "hw.vm_exit": { value: 200, unit: "ns" },
    "hw.vm_entry": { value: 0.26, unit: "us" },
  });
  assertEquals([doubled.values.hw.vmExit, doubled.values.hw.vmEntry, base.values.hw.vmExit], [200, 260, 100]);
  assertEquals(doubled.provenance(["hw"]), { published: 1, literature: 0, calibrated: 0, assumed: 2 });
  assertThrows(
    () => base.with({ "hw.vm_exot": { value: 1, unit: "ns" } }),
    RangeError,
    "did you mean hw.vm_exit?",
  );
  assertThrows(
    () => base.with({ "hw.vm_exit": { value: 1, unit: "Hz" } }),
    RangeError,
    "does not measure a duration",
  );
});

Deno.test("every parameter is listed once, with value, unit, kind, source and line", () => {
  const profile = loadProfile(schema, defaults);
  assertEquals(
    profile.list().map(({ path, value, unit, written, kind, line }) =>
      `${line} ${path} ${value} ${unit} (${written}) ${kind}`
    ),
    [
      "4 hw.vm_exit 100 ns (0.1 us) literature",
      "5 hw.vm_entry 130 ns (130 ns) literature",
      "12 hw.tsc 3400000000 Hz (3.4 GHz) published",
      "15 disturbances.smi.rate 0.1 Hz (0.1 Hz) assumed",
      "16 disturbances.smi.shape -0.35 ratio (-0.35 ratio) calibrated",
      "20 weight 64 count (64 count) literature",
      "21 drift 10 ppm (10 ppm) assumed",
    ],
  );
  assertEquals(profile.provenance(), { published: 1, literature: 3, calibrated: 1, assumed: 2 });
  assertEquals(profile.provenance(["hw", "hw.tsc", "weight"]).published, 1);
});

Deno.test("the hash depends on the values and not on how they are written", () => {
  const hash = (change: (text: string) => string) =>
    loadProfile(schema, [{ file: "x", text: change(text) }]).hash;
  const same = hash((t) => t);
  assert(/^[0-9a-f]{16}$/.test(same));
  assertEquals(hash((t) => t.replace("value: 0.1, unit: us", "value: 100, unit: ns")), same);
  assertEquals(
    hash((t) => t.replace("source: driver", "source: other").replace("kind: assumed", "kind: calibrated")),
    same,
  );
  assertNotEquals(hash((t) => t.replace("value: 130", "value: 131")), same);
});

Deno.test("the hash is FNV-1a 64 with the published test vectors", () => {
  // From test_fnv.c of Fowler, Noll and Vo.
  assertEquals(hashText(""), "cbf29ce484222325");
  assertEquals(hashText("a"), "af63dc4c8601ec8c");
  assertEquals(hashText("foobar"), "85944171f73967e8");
});

Deno.test("a schema refuses keys that a profile could not tell apart", () => {
  assertThrows(() => parameters({ vm_exit: ns("x") }), TypeError, 'not written like "vmExit"');
  assertThrows(() => ns("x", { min: 2, max: 1 }), TypeError, "No value fits");
});

Deno.test("positions are found in block and flow mappings, through comments, quotes and folded text", () => {
  const positions = keyPositions(
    [
      "---",
      "a: # b: 1",
      "  'q': \"x: {y: 1}\"",
      "  b: {c: {d: 1}, 'e f': [1, {g: 2}],",
      "    h: 2}",
      "i: |",
      "  j: 1",
      "",
      "  k: 2",
      "l: a:b",
      "  more",
      "m: http://x # n: 1",
      "...",
    ].join("\n"),
  );
  assertEquals(
    [...positions].map(([path, { key, value }]) =>
      `${path} ${key.line}:${key.column} ${value.line}:${value.column}`
    ),
    [
      "a 2:1 2:4",
      "a.q 3:3 3:8",
      "a.b 4:3 4:6",
      "a.b.c 4:7 4:10",
      "a.b.c.d 4:11 4:14",
      "a.b.e f 4:18 4:25",
      "a.b.h 5:5 5:8",
      "i 6:1 6:4",
      "l 10:1 10:4",
      "m 12:1 12:4",
    ],
  );
});

Deno.test("a suggestion is near, or there is none", () => {
  assertEquals(editDistance("kitten", "sitting"), 3);
  assertEquals(editDistance("vm_exti", "vm_exit"), 1);
  assertEquals(closest("cyclictset", ["cyclictest", "cat"]), "cyclictest");
  assertEquals(closest("ab", ["xy", "cd"]), undefined);
  assertEquals(closest("nosuch", ["touch"]), undefined); // two mistakes, in words of six letters and five
  assertEquals(closest("touhc", ["touch"]), "touch");
  assertEquals(closest("sl", ["ln", "ls"]), "ls");
  assertEquals(closest("lx", ["ls", "ln"]), undefined); // one mistake, but in two letters
});
