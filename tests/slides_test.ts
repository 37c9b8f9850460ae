/**
 * The command `slides`: every slide of the talk comes back, by runs where there is something to run.
 *
 * Kinds, sequences of flows and counts of exits are the talk's.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { main } from "../dsl/cli.ts";
import { SLIDES } from "../dsl/talk/catalogue.ts";
import { Runs } from "../dsl/slides/runs.ts";
import { laboratoryWords } from "../dsl/words/index.ts";
import { PUBLISHED_LATENCIES } from "../runtime/measure/published.ts";
import { FakeHost } from "./session_rig.ts";

/** Runs `rtkvm slides …`. */
async function slides(args: string, problem?: string) {
  const host = new FakeHost({});
  host.problem = problem;
  const status = await main(["slides", ...args.split(" ").filter((arg) => arg !== "")], host);
  return { status, out: host.stdout, err: host.stderr, written: host.written };
}

/** A part as JSON has it. */
interface PartJson {
  readonly kind: string;
  readonly title: string;
  readonly rows: readonly (readonly unknown[])[];
  readonly exits: number;
  readonly items: readonly { readonly text: string; readonly ns: number }[];
  readonly marks: readonly { readonly from: number; readonly label: string }[];
  readonly notes: readonly string[];
}

/** A slide as JSON has it. */
interface SlideJson {
  readonly slide: number;
  readonly kind: string;
  readonly problem?: string;
  readonly parts: readonly PartJson[];
  readonly runs: readonly { readonly system: string; readonly events: number }[];
}

/** Few loops: what is tested is that slides are executed, not what 300,000 loops find. */
const FEW = "--loops 50 --json";
let all: ReturnType<typeof slides> | undefined;

/** Every slide, as JSON and as files; run once for all tests. */
function everything(): ReturnType<typeof slides> {
  return all ??= slides(`all ${FEW} --out there`);
}

async function everySlide(): Promise<readonly SlideJson[]> {
  const { status, out } = await everything();
  assertEquals(status, 0);
  return JSON.parse(out).slides;
}

async function slide(number: number): Promise<SlideJson> {
  return (await everySlide())[number - 1]!;
}

/** The flows of a slide: their boxes and crossings, and their exits. */
async function flows(number: number) {
  return (await slide(number)).parts.filter(({ kind }) => kind === "flow").map(({ items, exits }) => ({
    boxes: items.map(({ text }) => text),
    exits,
  }));
}

async function tableOf(number: number): Promise<PartJson> {
  return (await slide(number)).parts.find(({ kind }) => kind === "table")!;
}

// ---- coverage ----

/** Agendas, motivation, plans and end matter; the status of the patches; all others have something to run. */
const TEXT = [1, 2, 3, 4, 8, 23, 28, 31, 32, 33, 34];
const DERIVED = [29];

Deno.test("every slide is listed once, in order, and none but agendas, motivation, plans and end matter is text", async () => {
  const lines = (await slides("list")).out.trimEnd().split("\n").slice(1).map((line) =>
    line.trim().split(/ {2,}/)
  );
  assertEquals(lines.map(([number]) => Number(number)), Array.from({ length: 34 }, (_, i) => i + 1));
  const numbersOf = (kind: string) =>
    lines.filter(([, found]) => found === kind).map(([number]) => Number(number));
  assertEquals([numbersOf("text"), numbersOf("derived")], [TEXT, DERIVED]);
  assertEquals(numbersOf("executed").length, 34 - TEXT.length - DERIVED.length);
});

Deno.test("coverage ends with how many slides come back in each way, and none is missing", async () => {
  const { status, out } = await slides("coverage");
  const executed = 34 - TEXT.length - DERIVED.length;
  const summary =
    `34 slides: ${executed} executed, ${DERIVED.length} derived, ${TEXT.length} text, 0 missing`;
  assertEquals([status, out.trimEnd().split("\n").at(-1)], [0, summary]);
  const json = JSON.parse((await slides("coverage --json")).out);
  assertEquals([json.version, json.slides.length, json.missing], [1, 34, 0]);
});

Deno.test("a slide that is listed as executed is executed; the others run nothing", async () => {
  for (const { slide: number, kind, runs, parts, problem } of await everySlide()) {
    assertEquals(kind, SLIDES[number - 1]!.kind);
    assertEquals(problem, undefined, `slide ${number}`);
    assert(parts.length > 0, `slide ${number}`);
    assertEquals(runs.length > 0, kind === "executed", `slide ${number}`);
    for (const { system, events } of runs) assert(events > 0, `slide ${number} on ${system}`);
  }
});

Deno.test("a slide alone is the slide among all", async () => {
  const [alone] = JSON.parse((await slides(`25 ${FEW}`)).out).slides;
  assertEquals(alone, await slide(25));
});

Deno.test("the same seed gives the same slides, another one others", async () => {
  const [one, again, other] = await Promise.all([3, 3, 4].map((seed) => slides(`22 --seed ${seed} --json`)));
  assertEquals(one, again);
  assert(other!.out !== one!.out.replace('"seed":3', '"seed":4'));
});

Deno.test("slide 6: two busy guests on a core wait for each other for milliseconds, one with its own core does not", async () => {
  const [{ parts: [part] }] = JSON.parse((await slides("6 --json")).out).slides;
  const [alone, shared, own] = (part as PartJson).rows.map((row) => Number(row[3]));
  assert(shared! > 10 * alone! && own! <= alone!, `${alone} ${shared} ${own}`);
});

// ---- flows ----

/** Slides 7, 18, 20 and 22, restated. The host's interrupts and KVM's timer come as `interrupt`. */
const APIC_ACCESS = ["VM exit", "emulate APIC access", "VM entry"];
const VIRTUAL_TIMER = [
  ...["set APIC timer", ...APIC_ACCESS, "guest runs", "interrupt"],
  ...["VM exit", "timer handler", "vIRQ injection", "VM entry", "timer handler", "EOI", ...APIC_ACCESS],
];
const DIRECT_TIMER = ["set APIC timer", "guest runs", "interrupt", "timer handler", "direct EOI"];
const NORMAL = [
  ...["interrupt", "VM exit", "IRQ handler", "vIRQ injection", "VM entry"],
  ...["IRQ handler", "EOI", ...APIC_ACCESS, "guest runs"],
];
const DIRECT = ["interrupt", "IRQ handler", "EOI", ...APIC_ACCESS, "guest runs"];
const DIRECT_EOI = ["interrupt", "IRQ handler", "direct EOI", "guest runs"];
const VIRTUAL = [
  ...["NMI", "VM exit", "disable direct EOI", "vIRQ injection", "VM entry", "IRQ handler", "EOI"],
  ...["VM exit", "emulate APIC access", "re-enable direct EOI", "VM entry", "guest runs"],
];

Deno.test("slides 7, 18, 20 and 22 are the talk's figures box by box, with the talk's exits", async () => {
  const timer = { boxes: VIRTUAL_TIMER, exits: 3 };
  assertEquals(await flows(7), [timer]);
  assertEquals(await flows(18), [{ boxes: NORMAL, exits: 2 }, { boxes: DIRECT, exits: 1 }]);
  assertEquals(await flows(20), [{ boxes: DIRECT_EOI, exits: 0 }, { boxes: VIRTUAL, exits: 2 }]);
  assertEquals(await flows(22), [timer, { boxes: DIRECT_TIMER, exits: 0 }]);
});

Deno.test("the figures are the same under every seed: nothing else happens while they are drawn", async () => {
  for (const seed of [7, 8, 36]) {
    for (const [number, exits] of [[18, [2, 1]], [20, [0, 2]]] as const) {
      const [{ parts }] = JSON.parse((await slides(`${number} --seed ${seed} --json`)).out).slides;
      assertEquals(
        (parts as PartJson[]).map((part) => part.exits),
        [...exits],
        `slide ${number}, seed ${seed}`,
      );
    }
  }
});

Deno.test("slide 9: direct timer access removes the first exit, delivery the second, EOI the third", async () => {
  const { parts } = await slide(9);
  const { items, marks } = parts.find(({ marks = [] }) => marks.length > 0)!;
  assertEquals(items.map(({ text }) => text), VIRTUAL_TIMER);
  assertEquals(marks.map(({ from, label }) => [items[from]!.text, label]), [
    ["set APIC timer", "direct APIC timer removes it"],
    ["interrupt", "direct delivery removes it"],
    ["EOI", "direct EOI removes it"],
  ]);
});

Deno.test("slide 9: isolation removes no exit; a device costs 2, 1, 0; without the direct timer the timer's stay as they were", async () => {
  const { rows } = await tableOf(9);
  assertEquals(rows.map(([, ...exits]) => exits), [[3, 2, 2], [3, 2, 2], [3, 1, 2], [3, 0, 2], [0, 0, 2]]);
});

Deno.test("times in a flow never go back, and the first is 0", async () => {
  for (const number of [7, 9, 18, 20, 22]) {
    for (const { kind, items } of (await slide(number)).parts) {
      if (kind !== "flow") continue;
      assertEquals(items[0]!.ns, 0);
      items.forEach(({ ns }, i) => assert(i === 0 || ns >= items[i - 1]!.ns, `slide ${number}`));
    }
  }
});

// ---- issues and registers ----

Deno.test("slides 13 and 14: led to the dedicated CPU the host's interrupt is the guest's; affinity mends it", async () => {
  const toGuest = ["cpu3", 0, 1, 0], toHost = ["cpu0", 1, 0, 0];
  assertEquals((await tableOf(13)).rows, [toGuest]);
  assertEquals((await tableOf(14)).rows, [toGuest, toHost]);
});

Deno.test("slide 14: messages go straight to the guest, a shared line is forwarded by the host", async () => {
  const [message, line] = await flows(14);
  assertEquals([message!.exits, line!.exits], [0, 2]);
  assertEquals(line!.boxes, [
    ...["NMI", "VM exit", "disable direct EOI", "vIRQ injection", "VM entry"],
    ...["IRQ handler", "EOI", "VM exit", "emulate APIC access", "re-enable direct EOI", "VM entry"],
    "guest runs",
  ]);
});

Deno.test("slide 15: an ordinary interrupt for the host stays in the guest, an NMI exits", async () => {
  assertEquals((await flows(15)).map(({ boxes, exits }) => [boxes[0], boxes[1], exits]), [
    ["interrupt", "IRQ handler", 0],
    ["NMI", "VM exit", 2],
  ]);
});

Deno.test("slide 16: the device is programmed with the host's vector on kvm, with the guest's on rfc-v2", async () => {
  for (const [system, , , hostVector, goesTo, guestVector] of (await tableOf(16)).rows) {
    assertEquals([hostVector === guestVector, goesTo], [system === "rfc-v2", "cpu3"]);
  }
});

Deno.test("slide 17: registered, the guest's vector becomes a virtual interrupt; else it is lost, and logged", async () => {
  const { rows, notes } = await tableOf(17);
  assertEquals(rows, [["registered", 1, 1, 0], ["not registered", 0, 0, 1]]);
  assertMatch(notes.join(), /No irq handler for vector/);
});

Deno.test("slides 12, 19 and 21: the bits of the control structure and the bitmap are the talk's", async () => {
  assertEquals(
    (await tableOf(12)).rows.map(([bit, , kvm, direct]) => [bit, String(kvm)[0], String(direct)[0]]),
    [
      [0, "1", "0"],
      [3, "1", "1"],
    ],
  );
  assertEquals((await tableOf(19)).rows.map(([, , eoi, bit]) => [eoi, bit]), [
    ["direct", 0],
    ["exits", 1],
    ["direct", 0],
  ]);
  const opened = (await tableOf(21)).rows.map(([msr, , , , talk]) => [msr, talk !== "exits"]);
  assertEquals(opened, [["0x838", true], ["0x839", true], ["0x83e", true], ["0x832", false], [
    "0x6e0",
    false,
  ]]);
});

// ---- tables ----

Deno.test("slide 25 has the talk's five rows beside what ran, with n and seed, and judges no maximum", async () => {
  const { rows, notes } = await tableOf(25);
  const published = PUBLISHED_LATENCIES.filter((row) => row.slide === 25);
  assertEquals(
    rows.map((row) => row.slice(0, 5)),
    published.map(({ system, kernel, minUs, avgUs, maxUs }) => [system, kernel, minUs, avgUs, maxUs]),
  );
  for (const row of rows) {
    assertEquals(row.slice(9, 11), [50, 1]);
    assert(!String(row[11]).includes("max"));
  }
  assertStringIncludes(notes.join("\n"), "maxima are not ranked");
  assertMatch(notes.join("\n"), /rests on \d+ parameters: /);
});

Deno.test("a row is run once, however many slides show it", () => {
  const runs = new Runs({ loops: 20, seed: 1, words: laboratoryWords });
  const [row] = PUBLISHED_LATENCIES;
  const first = runs.latency(row!);
  const records = runs.takeRecords();
  assert("result" in first && records.length > 0);
  assert(runs.latency(row!) === first);
  assertEquals(runs.takeRecords(), records, "the second slide rests on the same run");
});

Deno.test("slide 29: what the rows of rfc-v1 and rfc-v2 can do is what the slide says", async () => {
  const { rows } = await tableOf(29);
  const decided = rows.filter((row) => row[3] !== null);
  assertEquals(decided.length, 4);
  for (const [feature, v1, v2, first, second] of decided) {
    assertEquals([first, second], [v1, v2], String(feature));
  }
});

// ---- files ----

Deno.test("--out writes a page, every figure of it, and the coverage", async () => {
  const { status, out, written } = await slides("18 --out there/");
  assertEquals(status, 0);
  assertEquals([...written.keys()].sort(), [
    "there/coverage.txt",
    "there/index.html",
    "there/slide18-direct.svg",
    "there/slide18-normal.svg",
  ]);
  assertEquals(out, "there/index.html: 1 slide, 2 figures\n");
});

Deno.test("a folder that cannot be written is found out before anything runs", async () => {
  const { status, out, err } = await slides("25 --out there", "Permission denied");
  assertEquals([status, out, err], [1, "", "rtkvm: there/coverage.txt: Permission denied\n"]);
});

/** Whether tags are closed in the order in which they were opened. */
function assertWellFormed(xml: string, name: string): void {
  const open: string[] = [];
  for (const [, closing, tag, empty] of xml.matchAll(/<(\/?)([a-z]\w*)\b[^>]*?(\/?)>/g)) {
    if (closing === "/") assertEquals(open.pop(), tag, name);
    else if (empty !== "/") open.push(tag!);
  }
  assertEquals(open, [], name);
  assert(!/NaN|undefined|Infinity/.test(xml), name);
}

Deno.test("figures are well-formed, have a title, and colours only in their style sheet", async () => {
  const { written } = await everything();
  const figures = [...written].filter(([name]) => name.endsWith(".svg"));
  for (const [, number] of figures.join("\n").matchAll(/there\/slide(\d+)-/g)) assert(Number(number) <= 34);
  assert(figures.length >= 12);
  for (const [name, svg] of figures) {
    const [sheet = ""] = /<style>[^]*<\/style>/.exec(svg) ?? [];
    assertWellFormed(svg.replace(sheet, ""), name);
    assertMatch(svg, /<title>[^<]+<\/title>/);
    assertMatch(sheet, /prefers-color-scheme:dark/);
    assert(!/#[0-9a-f]{3,6}\b/.test(svg.replace(sheet, "")), `${name} names a colour`);
  }
});

Deno.test("the page loads nothing, runs nothing, and its index leads to what is there", async () => {
  const page = (await everything()).written.get("there/index.html")!;
  assert(!/<script|<link|<img|@import|url\(/.test(page));
  const addresses = [...page.matchAll(/https?:[^"\s]*/g)].map(([address]) => address);
  assertEquals(addresses.filter((address) => address !== "http://www.w3.org/2000/svg"), []);
  assertMatch(page, /prefers-color-scheme:dark/);
  const linked = [...page.matchAll(/href="#(slide-\d+)"/g)].map(([, id]) => id);
  const there = [...page.matchAll(/<section id="(slide-\d+)"/g)].map(([, id]) => id);
  assertEquals(linked, there);
  assertEquals(there.length, 34 - TEXT.length);
});

// ---- wrong use ----

Deno.test("wrong use has status 2 and says what there is", async () => {
  const cases: [args: string, says: string][] = [
    ["", "1 to 34"],
    ["7 9", "1 to 34"],
    ["0", 'no slide "0"'],
    ["35", 'no slide "35"'],
    ["seven", 'no slide "seven"'],
    ["list --out x", "takes no --out"],
    ["coverage --loops 3", "takes no --loops"],
    ["7 --loops 0", "1 or more"],
    ["7 --strict", "takes no --strict"],
  ];
  for (const [args, says] of cases) {
    const { status, out, err } = await slides(args);
    assertEquals([args, status, out], [args, 2, ""]);
    assertStringIncludes(err, says);
  }
});

Deno.test("a profile that cannot be read, or does not fit, has status 1", async () => {
  const { status, err } = await slides("29 --profile nope.yaml");
  assertEquals([status, err], [1, "rtkvm: nope.yaml: No such file or directory\n"]);
});
