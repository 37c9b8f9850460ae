/**
 * What a sample is made of: exact sums, the processor that has the matter in hand, re-runs that come to the same state,
 * and the word `explain`.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { main } from "../dsl/cli.ts";
import { rerun, rerunOn } from "../dsl/session/rerun.ts";
import { Session } from "../dsl/session/session.ts";
import type { TraceRecord } from "../hw/sim/trace.ts";
import { defaultProfile } from "../runtime/lab/defaults.ts";
import { SampleWatch, type WatchedSample } from "../runtime/lab/sample_watch.ts";
import { systemNamed } from "../runtime/lab/systems.ts";
import { groupsOf, isWait } from "../runtime/lab/views/sample.ts";
import { parametersOf } from "../runtime/lab/views/sample_parameters.ts";
import { criticalPath, type Part } from "../runtime/measure/critical_path.ts";
import type { Situation } from "../runtime/measure/trace_index.ts";
import { EXAMPLES, FakeHost, type RigOptions, SessionRig } from "./session_rig.ts";

const SETUP = ". ./talk_setup.rtk";
const row = (loops: number) => `loops=${loops}; . ./slide25_row.rtk`;
const idle = (loops: number, more = "") =>
  `${SETUP}\nssh vm0 cyclictest -a 0 -m -q -p 99 -n -l ${loops} ${more}`;
const RT = "linux-3.4.4-rt14";

/** Layers, as in runtime/linux/layers.ts. */
const [HARDWARE, HOST_KERNEL, KVM, , HOST_TASK, GUEST_KERNEL, GUEST_TASK] = [0, 1, 2, 3, 4, 5, 6];

/** Runs `script` with its first `count` samples looked at. */
function watched(options: RigOptions, script: string, count: number) {
  const rig = new SessionRig(options);
  const samples: WatchedSample[] = [];
  const wish = { run: 0, thread: 0, isNear: (number: number) => number <= count, wants: () => true };
  rig.lab.watch = new SampleWatch(rig.lab, wish, (sample) => samples.push(sample));
  rig.ok(script);
  return { rig, samples };
}

function sum(parts: readonly Part[], of: (part: Part) => boolean = () => true): number {
  return parts.filter(of).reduce((ns, part) => ns + part.ns, 0);
}

// ---- every sample ----

const RUNS: [title: string, options: RigOptions, script: string][] = [
  ...["bare-metal", "kvm", "rfc-v1", "rfc-v2"].flatMap((system): typeof RUNS => [
    [`${system}, idle`, { system }, idle(300)],
    [`${system}, host under load`, { system }, row(300)],
    [`${system}, RT guest`, { system, kernel: RT }, idle(300)],
  ]),
  [
    "kvm, guest and host overcommitted",
    { system: "kvm" },
    `${SETUP}\nfor i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; ssh vm0 "while :; do :; done" &
    sleep 0.3; ssh vm0 cyclictest -n -q -p 50 -l 300`,
  ],
  [
    "bare-metal, SCHED_OTHER, every loop late",
    { system: "bare-metal" },
    "for i in 1 2 3 4 5; do while :; do :; done & done; cyclictest -n -q -l 300 -i 2 -d 0 -t 3",
  ],
  ["rfc-v2, a period shorter than the path", { system: "rfc-v2" }, idle(300, "-i 3")],
];

for (const [title, options, script] of RUNS) {
  Deno.test(`${title}: the parts of each of 300 samples follow each other, and their sum is the latency`, () => {
    const { rig, samples } = watched(options, script, 300);
    assertEquals(samples.map(({ number }) => number), Array.from({ length: 300 }, (_, i) => i + 1));
    for (const { number, latencyNs, parts } of samples) {
      let atNs = 0;
      for (const { startNs, ns } of parts) {
        assert(Number.isInteger(ns) && ns > 0);
        assertEquals(startNs, atNs, `sample ${number}`);
        atNs += ns;
      }
      assertEquals(atNs, latencyNs, `sample ${number}`);
      assertEquals(sum(parts, ({ kind }) => kind === "idle"), 0, `sample ${number}: a cause is missing`);
      // A timer that is late by itself: a count of 160 ns, and the write that starts it.
      assert(
        parts.every(({ kind, ns }) => kind !== "timer" || ns < 200),
        `sample ${number}: a timer's cause is missing`,
      );
    }
    const { histogram } = rig;
    assertEquals(samples.reduce((ns, { latencyNs }) => ns + latencyNs, 0), histogram.sumNs);
    // Looking changes nothing.
    const unseen = new SessionRig(options);
    unseen.ok(script);
    assertEquals([rig.result.hash, rig.result.events], [unseen.result.hash, unseen.result.events]);
  });
}

// ---- who has the matter in hand ----

/** The samples of an undisturbed path: those without waiting, in the run's first 100. */
function undisturbed(system: string): WatchedSample[] {
  const { samples } = watched({ system }, idle(100), 100);
  const quiet = samples.filter(({ parts }) => !parts.some(isWait));
  assert(quiet.length > 50, "most samples are not disturbed");
  return quiet;
}

Deno.test("with direct delivery, EOI and timer nothing of the host is in a sample", () => {
  for (const { parts } of undisturbed("rfc-v2")) {
    assertEquals(sum(parts, ({ layer }) => ![HARDWARE, GUEST_KERNEL, GUEST_TASK].includes(layer)), 0);
    assert(parts.every(({ cpu }) => cpu === 3));
  }
});

Deno.test("with a trapped timer the exits on the path are those of EOI and of two timer writes", () => {
  for (const { parts } of undisturbed("kvm")) {
    const exits = parts.filter(({ kind, name }) => kind === "work" && name === "VM exit");
    // Registers 0x80b and 0x838 of the x2APIC: EOI; the timer when cyclictest's has expired, and out of idle.
    assertEquals(exits.map(({ activity }) => activity!.exit!.operand), [0x80b, 0x838, 0x838]);
    assert(sum(parts, ({ layer }) => layer === KVM) > sum(parts, ({ layer }) => layer === GUEST_KERNEL));
  }
});

Deno.test("a trapped timer write makes the timer late, and its steps are named for it", () => {
  for (const system of ["kvm", "rfc-v1"]) {
    for (const { parts } of undisturbed(system)) {
      const late = parts.filter(({ kind }) => kind === "late");
      assert(
        late.length > 0 && late.every(({ activity }) => activity!.exit!.operand === 0x838),
        system,
      );
      assertEquals(late.at(-1)!.layer, KVM);
    }
  }
});

Deno.test("rfc-v1: until the NMI comes, the sample is on the processor that runs the timer and sends it", () => {
  const { ipiLatency } = defaultProfile().values.hw;
  for (const { parts } of undisturbed("rfc-v1")) {
    const message = parts.findIndex(({ kind }) => kind === "message");
    assert(message > 0);
    assertEquals([parts[message]!.name, parts[message]!.ns, parts[message]!.layer], [
      "NMI",
      ipiLatency,
      HARDWARE,
    ]);
    const before = parts.slice(0, message).filter(({ kind }) => kind === "work");
    assert(before.every(({ cpu }) => cpu !== 3), "the host's CPUs 0 to 2 are online");
    assert(before.some(({ name, layer }) => name === "timerFunction" && layer === KVM));
    assertEquals(before.at(-1)!.address, 0x830, "the last thing that it does is to send");
    const after = parts.slice(message + 1);
    assert(after.every(({ cpu }) => cpu === 3));
    assertEquals(after.find(({ name }) => name === "VM exit")!.activity!.exit!.reason, 0, "by NMI");
  }
});

Deno.test("what the host does beside is waiting, with its name and its layer", () => {
  const { rig, samples } = watched({ system: "kvm" }, idle(3000), 3000);
  assertEquals(samples[rig.histogram.maxSample - 1]!.latencyNs, rig.histogram.maxNs);
  const waited = samples.map(({ parts }) => sum(parts, isWait));
  const worst = samples[waited.indexOf(Math.max(...waited))]!;
  const longest = worst.parts.filter(isWait).reduce((a, b) => b.ns > a.ns ? b : a);
  assertMatch(longest.name, /section$|^slow handler$/);
  const others = samples.filter(({ parts }) => !parts.some(isWait));
  const typical = others.reduce((ns, { latencyNs }) => ns + latencyNs, 0) / others.length;
  // Without its waiting, and what the guest's interrupted work takes longer for the exit, it is one like the others.
  const indirect = rig.lab.options.profile.values.hw.processor.vmExitIndirect;
  assert(worst.latencyNs - sum(worst.parts, isWait) - indirect < 1.2 * typical);
});

Deno.test("what came in between when the timer was set is paid at its expiry, and named for it", () => {
  // The timer's interrupt leaves nothing to wait for; a millisecond before, a section had held up the write.
  const { samples } = watched({ system: "kvm" }, idle(3000), 3000);
  const held = samples.filter(({ parts }) => sum(parts, ({ kind }) => kind === "late wait") > 2000);
  assert(held.length > 0);
  const quiet = samples.filter(({ parts }) => !parts.some(isWait)).map(({ latencyNs }) => latencyNs);
  const largest = quiet.reduce((a, b) => Math.max(a, b));
  for (const { latencyNs, parts } of held) {
    assert(latencyNs > largest, "late");
    // 160 ns: a count of the local APIC timer, to which delays are cut.
    assert(latencyNs - sum(parts, isWait) < largest + 160, "and without it like the others");
  }
});

Deno.test("a virtual CPU that is not scheduled waits for another task", () => {
  const [, options, script] = RUNS.find(([title]) => title.includes("overcommitted"))!;
  const { samples } = watched(options, script, 300);
  const worst = samples.reduce((a, b) => b.latencyNs > a.latencyNs ? b : a);
  assert(worst.latencyNs > 1_000_000, "a slice is milliseconds long");
  const looping = sum(
    worst.parts,
    ({ kind, layer, name }) => kind === "wait" && layer === HOST_TASK && name === "endless loop",
  );
  assert(looping > 0.9 * worst.latencyNs);
});

// ---- the walk alone ----

/** Records of a made-up machine: `at` an instant, in event `event`, which `cause` had caused. */
function trace() {
  const records: TraceRecord[] = [];
  const add = (
    timeNs: number,
    event: number,
    cause: number,
    where: string,
    kind: string,
    name: string,
    fields: TraceRecord["fields"] = {},
  ) => void records.push({ timeNs, event, cause, where, kind, name, fields });
  return {
    records,
    /** The alarm with which an event begins. */
    alarm: (timeNs: number, event: number, cause: number, name: string) =>
      add(timeNs, event, cause, name, "alarm", name),
    work: (timeNs: number, event: number, cpu: number, name: string, ns: number, layer = HOST_KERNEL) =>
      add(timeNs, event, 0, `cpu${cpu}`, "work", name, { layer, ns, mode: "root" }),
    add,
  };
}

const QUIET: Situation = {
  timeNs: 0,
  tasks: new Map([["host.0", { name: "idle", pid: 0 }], ["host.1", { name: "other", pid: 7 }]]),
  cpus: [0, 1].map((id) => ({ id, guestMode: false, vcpu: null, inFlight: null })),
};

Deno.test("a task woken from another processor: the message, and before it what its sender did", () => {
  const { records, alarm, work, add } = trace();
  // cpu1 has been set a timer in event 1, takes its interrupt at 1000, wakes the task of cpu0, and sends.
  alarm(100, 1, 0, "cpu1");
  add(100, 1, 0, "cpu1", "work", "other's work", { layer: HOST_TASK, ns: Infinity, mode: "root" });
  alarm(1000, 2, 1, "lapic1 timer");
  add(1000, 2, 1, "lapic1", "request", "0xef", { vector: 0xef, by: "timer" });
  add(1000, 2, 1, "cpu1", "interrupt", "0xef", { vector: 0xef, mode: "root" });
  work(1000, 2, 1, "handler", 50);
  alarm(1050, 3, 2, "cpu1");
  add(1050, 3, 2, "host.0", "tracepoint", "sched_wakeup", { comm: "measured", pid: 9, target_cpu: 0 });
  add(1050, 3, 2, "cpu1", "instruction", "wrmsr", {
    layer: HARDWARE,
    ns: 30,
    address: 0x830,
    value: 0,
    mode: "root",
  });
  alarm(1080, 4, 3, "cpu1");
  work(1080, 4, 1, "more of the handler", 500);
  // Meanwhile cpu0 does something of its own, up to 1280; the message comes at 1180.
  work(900, 1, 0, "irqoff section", 380);
  alarm(1180, 5, 4, "message 0");
  add(1180, 5, 4, "lapic0", "request", "0xfd", { vector: 0xfd, by: "message" });
  alarm(1280, 6, 1, "cpu0");
  add(1280, 6, 1, "cpu0", "interrupt", "0xfd", { vector: 0xfd, mode: "root" });
  work(1280, 6, 0, "reschedule", 20);
  alarm(1300, 7, 6, "cpu0");
  add(1300, 7, 6, "host.0", "tracepoint", "sched_switch", {
    prev_comm: "idle",
    prev_pid: 0,
    next_comm: "measured",
    next_pid: 9,
  });
  work(1300, 7, 0, "contextSwitch", 40);
  alarm(1340, 8, 7, "cpu0");
  const parts = criticalPath(records.toSorted((a, b) => a.timeNs - b.timeNs), QUIET, 990);
  assertEquals(parts.map(({ kind, startNs, ns, cpu, name }) => [kind, startNs, ns, cpu, name]), [
    ["timer", 0, 10, 1, ""],
    ["work", 10, 50, 1, "handler"],
    ["work", 60, 30, 1, "wrmsr"],
    ["message", 90, 100, 0, "0xfd"],
    ["wait", 190, 100, 0, "irqoff section"],
    ["work", 290, 20, 0, "reschedule"],
    ["work", 310, 40, 0, "contextSwitch"],
  ]);
});

Deno.test("where no cause is known the time is the processor's, idle or not, and the sum holds", () => {
  const { records, alarm, work } = trace();
  work(200, 1, 0, "early", 100);
  alarm(300, 2, 1, "cpu0");
  work(450, 3, 0, "late", 50);
  alarm(500, 4, 3, "cpu0");
  const parts = criticalPath(records, QUIET, 250);
  assertEquals(parts.map(({ kind, ns, name }) => [kind, ns, name]), [
    ["work", 50, "early"],
    ["idle", 150, ""],
    ["work", 50, "late"],
  ]);
});

// ---- running again ----

for (const system of ["bare-metal", "kvm", "rfc-v1", "rfc-v2"]) {
  Deno.test(`${system}: a re-run comes to the same sample at the same event, and ends in the same state`, () => {
    const rig = new SessionRig({ system, seed: 5 });
    rig.ok(row(500));
    const { histogram, result, session } = rig;
    const before = [rig.lab.engine.event, rig.lab.engine.stateHash()];
    const sample = rerun(session, { result, thread: 0, number: histogram.maxSample });
    assert(typeof sample !== "string");
    assertEquals([sample.number, sample.latencyNs], [histogram.maxSample, histogram.maxNs]);
    assertEquals(sum(sample.parts), histogram.maxNs);
    // The re-run is left with the sample; here one goes on to its end, with the same window traced.
    let event: number | undefined;
    const again = new Session({
      ...session.options,
      repeats: {
        journal: session.journal,
        until: session.position,
        prepare: (lab) => {
          const isNear = (number: number) => number === sample.number;
          const wish = { run: 0, thread: 0, isNear, wants: isNear };
          lab.watch = new SampleWatch(lab, wish, (found) => event = found.event);
        },
      },
    });
    again.again!.run();
    const ended = again.results.at(-1)!;
    assertEquals([event, ended.hash, ended.events], [sample.event, result.hash, result.events]);
    assertEquals(again.lab.engine.stateHash(), before[1]);
    assertEquals(
      [rig.lab.engine.event, rig.lab.engine.stateHash()],
      before,
      "the laboratory has not been touched",
    );
  });
}

Deno.test("a boot alone on its line is where a re-run begins; one inside a command is run again with it", () => {
  const rig = new SessionRig();
  rig.ok("n=30; f() { cyclictest -n -q -l $n; }; sleep 0.01\nboot kvm --seed 3\nf");
  assertEquals(rig.session.journal.inputs.flatMap(({ items }) => items.map(({ item }) => item.text)), ["f"]);
  const single = rerun(rig.session, { result: rig.result, thread: 0, number: rig.histogram.maxSample });
  assert(typeof single !== "string");
  assertEquals(single.latencyNs, rig.histogram.maxNs);

  rig.ok("for s in bare-metal kvm rfc-v2; do boot $s; f; done > /dev/null");
  const { result } = rig;
  const at = { result, thread: 0, number: rig.histogram.maxSample };
  const last = rerun(rig.session, at);
  assert(typeof last !== "string");
  assertEquals([result.system, last.latencyNs], ["rfc-v2", rig.histogram.maxNs]);
  const other = rerunOn(rig.session, at, systemNamed("kvm")!, last);
  assert(typeof other.sample !== "string", "the last of the three laboratories is the one that changes");
});

Deno.test("what the host does beside comes at the same instant on another system, and not on an isolated CPU", () => {
  // Sections of 3 ms, a few a second: longer than the period, so that whoever samples on that CPU then is hit.
  const changes = {
    "host_background.heavy.rate": { value: 5, unit: "Hz" },
    "host_background.heavy.scale": { value: 3, unit: "ms" },
  };
  const rig = new SessionRig({ system: "kvm", changes });
  rig.ok(row(500));
  const { maxNs, maxSample } = rig.histogram;
  const at = { result: rig.result, thread: 0, number: maxSample };
  const sample = rerun(rig.session, at);
  assert(typeof sample !== "string");
  const around = (system: string) => {
    const other = rerunOn(rig.session, at, systemNamed(system)!, sample).around;
    assert(typeof other !== "string");
    return other;
  };
  const PERIOD_NS = 1_000_000, PATH_NS = 50_000;
  assert(maxNs > 2 * PERIOD_NS);
  const bare = around("bare-metal");
  assert(Math.abs(bare.expiryNs - sample.expiryNs) < PERIOD_NS);
  assert(bare.latencyNs > maxNs - PERIOD_NS - PATH_NS, "the same section");
  assert(around("rfc-v2").latencyNs < PATH_NS);
});

Deno.test("a run in which something else than the shell has acted on the machine is not repeated", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.ok("true");
  rig.lab.interruptSources().get("pf0")!(0);
  rig.ok("sleep 0.01; cyclictest -n -q -l 10");
  const { status, err } = rig.run("explain max");
  assertEquals(status, 1);
  assertMatch(err, /explain: the run cannot be repeated: "cyclictest[^"]*" was come to at event \d+/);
});

Deno.test("commands are given again at their instants, whoever has let the time between them pass", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.ok("true");
  rig.lab.engine.runUntil(rig.lab.engine.nowNs + 10_000_000);
  rig.ok("cyclictest -n -q -l 10");
  const sample = rerun(rig.session, { result: rig.result, thread: 0, number: 5 });
  assert(typeof sample !== "string");
});

Deno.test("samples have their sum beside words that look, the one in which a diagram ends too", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.ok("cyclictest -n -q -l 12 > /dev/null & diagram 6ms > /dev/null; wait");
  const answers = Array.from(
    { length: 12 },
    (_, i) => rerun(rig.session, { result: rig.result, thread: 0, number: i + 1 }),
  );
  for (const answer of answers) {
    assert(typeof answer !== "string", String(answer));
    assertEquals(sum(answer.parts), answer.latencyNs);
  }
});

// ---- the word ----

Deno.test("explain max says what cyclictest calls its maximum, as a sum, and what it was elsewhere", () => {
  const rig = new SessionRig({ system: "kvm" });
  const out = rig.ok(`${row(200)}\nexplain max`);
  const { histogram } = rig;
  const line = out.split("\n").find((each) => each.startsWith("sample "))!;
  const us = (histogram.maxNs / 1000).toFixed(3);
  assert(line.startsWith(`sample ${histogram.maxSample} of 200: ${us} us = `), line);
  const terms = [...line.split(" = ")[1]!.matchAll(/(\d+)\.(\d{3}) [a-zA-Z]/g)].map(([, a, b]) =>
    Number(a! + b!)
  );
  assertEquals(terms.reduce((a, b) => a + b), histogram.maxNs);
  const others = [...out.matchAll(/^with (\S+): (\d+\.\d{3}) us/gm)].map(([, name]) => name);
  assertEquals(others, ["bare-metal", "rfc-v1", "rfc-v2"]);
  assertMatch(out, /^rests on \d+ parameters: .*\d+ calibrated/m);

  // The one on rfc-v2 is the one that a run on rfc-v2 takes.
  const elsewhere = new SessionRig({ system: "rfc-v2" });
  let there = 0;
  elsewhere.lab.watch = new SampleWatch(
    elsewhere.lab,
    { run: 0, thread: 0, isNear: () => true, wants: (number) => number === histogram.maxSample },
    ({ latencyNs }) => there = latencyNs,
  );
  elsewhere.ok(row(200));
  assertStringIncludes(out, `with rfc-v2: ${(there / 1000).toFixed(3)} us = `);
});

Deno.test("explain N --json is one line, and its parts and layers sum up", () => {
  const rig = new SessionRig({ system: "rfc-v1" });
  const out = rig.ok(`${idle(20)} > /dev/null\nexplain 7 --with rfc-v2,kvm --json`);
  const json = JSON.parse(out.trimEnd().split("\n").at(-1)!);
  assertEquals([json.version, json.system, json.sample, json.thread], [1, "rfc-v1", 7, 0]);
  const total = (list: number[]) => list.reduce((a, b) => a + b, 0);
  assertEquals(total(json.parts.map(({ ns }: { ns: number }) => ns)), json.latency_ns);
  assertEquals(total(Object.values(json.layers)), json.latency_ns);
  assertEquals(json.with.map(({ system }: { system: string }) => system), ["rfc-v2", "kvm"]);
});

Deno.test("explain refuses what there is not, and says why", () => {
  const cases: [script: string, status: number, says: string][] = [
    ["explain max", 1, "nothing has been measured: run cyclictest first"],
    ["cyclictest -n -q -l 5\nboot\nexplain max", 1, "nothing has been measured since the last boot"],
    ["cyclictest -n -q -l 5; explain 6", 1, "sample 6: thread 0 has taken 5"],
    ["cyclictest -n -q -l 5 -t 2; explain max thread 2", 1, "thread 2: cyclictest ran 2, from 0"],
    ["explain", 2, "expected which sample"],
    ["explain 0", 2, "expected max, min, or the number of a sample"],
    ["explain most", 2, "expected max, min"],
    ["explain max min", 2, '"min": expected one sample'],
    ["explain max --with kvn", 2, "did you mean kvm?"],
    ["explain max --jsn", 2, "did you mean --json?"],
  ];
  for (const [script, status, says] of cases) {
    const ended = new SessionRig({ system: "bare-metal" }).run(script);
    assertEquals(ended.status, status, script);
    assertStringIncludes(ended.err, says);
  }
});

Deno.test("on a system where the script takes another way the sample is n/a, with the reason", () => {
  const rig = new SessionRig({ system: "kvm" });
  const out = rig.ok(`${SETUP}
    if grep -q 1 /sys/devices/system/cpu/cpu3/online; then ssh vm0 cyclictest -n -q -l 10; fi
    explain 5 --with rfc-v2,bare-metal`);
  assertStringIncludes(out, "with rfc-v2: n/a: the run ends before sample 5");
  assertMatch(out, /with bare-metal: \d+\.\d{3} us = /);
});

Deno.test("explain inside what is explained: its answers are part of the run", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  const out = rig.ok(`cyclictest -n -q -l 10 > /dev/null
    line=$(explain max --alone | head -1); for i in $(seq \${#line}); do true; done
    cyclictest -n -q -l 10 -t 2 -i 400 > /dev/null; explain max --alone; explain min thread 1 --alone`);
  const [first, second] = rig.result.cyclictest.threads;
  const heads = out.split("\n").filter((line) => line.startsWith("sample "));
  const largest = Math.max(first!.histogram.maxNs, second!.histogram.maxNs);
  assertStringIncludes(heads[0]!, `: ${(largest / 1000).toFixed(3)} us = `);
  assertStringIncludes(heads[1]!, `thread 1: ${(second!.histogram.minNs / 1000).toFixed(3)} us = `);
});

Deno.test("neighbours of one processor, layer and cause are one row, and rows keep the sum", () => {
  const [sample] = watched({ system: "kvm" }, idle(3), 1).samples;
  const groups = groupsOf(sample!.parts);
  assertEquals(groups.reduce((ns, group) => ns + group.ns, 0), sample!.latencyNs);
  for (const [i, { kind, cpu, layer, cause }] of groups.entries()) {
    const next = groups[i + 1];
    assert(next?.kind !== kind || next.cpu !== cpu || next.layer !== layer || next.cause !== cause);
  }
});

Deno.test("a sample rests on the parameters of its steps, each of which the profile has", () => {
  const profile = defaultProfile();
  const [sample] = undisturbed("rfc-v2");
  const paths = parametersOf(sample!.parts, (path) => profile.list(path).length > 0).toSorted();
  // The path of model.md, section 4, P2: idle guest, direct delivery, EOI and timer, two writes of the timer.
  assertEquals(paths, [
    "hw.path",
    "hw.processor.c1_exit",
    "hw.processor.interrupt_delivery",
    "hw.processor.msr_access",
    "linux.clock_read_kvmclock",
    "linux.context_switch",
    "linux.hrtimer_wake",
    "linux.irq_entry",
    "linux.nohz_restart",
  ]);
});

// ---- the command line ----

Deno.test("the command line runs a script and explains its last measurement", async () => {
  const host = new FakeHost(EXAMPLES);
  const args = "explain max examples/slide25_row.rtk --system kvm --with rfc-v2 --json -- 50 1".split(" ");
  assertEquals(await main(args, host), 0);
  const json = JSON.parse(host.stdout);
  assertEquals([json.explains, json.system, json.with.length], ["cyclictest", "kvm", 1]);
});

Deno.test("the command line refuses what it cannot explain", async () => {
  const files = { ...EXAMPLES, "bad.rtk": "false", "none.rtk": "true" };
  const cases: [args: string, status: number, says: string][] = [
    ["explain max", 2, "expected a sample and a script"],
    ["explain mx none.rtk", 2, 'explain: "mx": expected max'],
    ["explain max bad.rtk", 1, "bad.rtk has ended with status 1"],
    ["explain max none.rtk", 1, "rtkvm: explain: nothing has been measured"],
    ["explain max other.rtk", 127, "No such file"],
    ["run none.rtk --alone", 2, "run: takes no --alone"],
  ];
  for (const [args, status, says] of cases) {
    const host = new FakeHost(files);
    assertEquals(await main(args.split(" "), host), status, args);
    assertStringIncludes(host.stderr, says);
  }
});
