/**
 * sysbench's CPU test: what it prints, and what a guest costs it.
 *
 * The layout is that of sysbench 0.4.12, from published runs.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { divisions } from "../runtime/programs/sysbench.ts";
import { SessionRig } from "./session_rig.ts";

Deno.test("a request tries each number by all up to its root until one divides it", () => {
  // 4 to 8: one each; 9, 11, 13, 15: two; 17, 19: three; 10, 12, 14, 16, 18: one.
  assertEquals(divisions(20), 5 + 4 * 2 + 2 * 3 + 5);
  assertEquals(divisions(4), 0);
});

Deno.test("the report has the tool's layout, and its sums agree", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  const out = rig.ok("sysbench --test=cpu --cpu-max-prime=20000 --max-requests=100 run");
  const ns = divisions(20_000) * rig.lab.options.profile.values.programs.primeDivision;
  const each = (ns / 1e6).toFixed(2).replace(".", "\\.");
  const lines = out.split("\n");
  assertEquals(lines.slice(0, 14), [
    "sysbench 0.4.12:  multi-threaded system evaluation benchmark",
    "",
    "Running the test with following options:",
    "Number of threads: 1",
    "",
    "Doing CPU performance benchmark",
    "",
    "Threads started!",
    "Done.",
    "",
    "Maximum prime number checked in CPU test: 20000",
    "",
    "",
    "Test execution summary:",
  ]);
  assertMatch(lines[14]!, /^ {4}total time: {26}0\.\d{4}s$/);
  assertEquals(lines[15], "    total number of events:              100");
  assertMatch(lines[16]!, /^ {4}total time taken by event execution: 0\.\d{4}$/);
  assertEquals(lines[17], "    per-request statistics:");
  assertMatch(lines[18]!, new RegExp(`^ {9}min: {32} +${each}ms$`));
  assertMatch(lines[21]!, /^ {9}approx\. {2}95 percentile: {15}\d\.\d\dms$/);
  assertEquals(lines[18]!.length, lines[21]!.length);
  assertEquals(lines.slice(22, 25), [
    "",
    "Threads fairness:",
    "    events (avg/stddev):           100.0000/0.00",
  ]);
  const total = Number(/total time: +([\d.]+)s/.exec(out)![1]);
  assert(total >= (100 * ns) / 1e9 && total < (101 * ns) / 1e9, `${total} s`);
});

Deno.test("a busy host core halves a guest's computing by CFS; tuned or on a slave CPU it costs nothing", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.session.shell.set("requests", "100");
  rig.ok(". ./slowdown.rtk > /dev/null");
  const [bare, ...guests] = rig.session.computed;
  const slowdown = (system: string, loaded: boolean) =>
    guests.find((result) => result.system === system && result.hostLoad > 0 === loaded)!.sysbench.totalNs /
    bare!.sysbench.totalNs;
  // Stock KVM pays for its exits, some 1500 a second (below) of some 7 us each, the caches they cost included.
  for (const [system, most] of [["kvm", 1.02], ["kvm-tuned", 1.02], ["rfc-v2", 1.01]] as const) {
    const idle = slowdown(system, false);
    assert(idle > 0.99 && idle < most, `${system}, host idle: ${idle}`);
  }
  // Turns of 9 ms, the last of them cut off by the end of a run of some 0.2 s.
  assert(slowdown("kvm", true) > 1.8 && slowdown("kvm", true) < 2.2, `kvm: ${slowdown("kvm", true)}`);
  for (const [system, most] of [["kvm-tuned", 1.02], ["rfc-v2", 1.01]] as const) {
    const loaded = slowdown(system, true);
    assert(loaded > 0.99 && loaded < most, `${system}, host loaded: ${loaded}`);
  }
  // Slide 7 against slide 22: a tick of a busy guest, 250 a second, is three exits on stock KVM and none on rfc-v2. The
  // host's own interrupts on that CPU exit too: its tick, and its background.
  const { irqOff, preemptOff, heavy } = rig.lab.options.profile.values.hostBackground;
  const expected = 250 * (3 + 1) + irqOff.rate + preemptOff.rate + heavy.rate;
  const exits = (system: string) => {
    const { exits, sysbench } = guests.find((result) => result.system === system && result.hostLoad === 0)!;
    return (exits * 1e9) / sysbench.totalNs;
  };
  assert(Math.abs(exits("kvm") / expected - 1) < 0.1, `${exits("kvm")} a second, expected ${expected}`);
  assertEquals(exits("rfc-v2"), 0);
});

Deno.test("threads share the requests; two on one CPU take as long together as one alone", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  const run = (threads: number) =>
    rig.ok(`taskset -c 1 sysbench --test=cpu --num-threads=${threads} --max-requests=60 run`);
  const seconds = (out: string) => Number(/total time: +([\d.]+)s/.exec(out)![1]);
  const one = seconds(run(1)), out = run(2);
  assert(Math.abs(seconds(out) - one) < 0.002, `${seconds(out)}, ${one}`);
  assertMatch(out, /events \(avg\/stddev\): {11}30\.0000\//);
});

Deno.test("wrong arguments: the tool's texts, status 1", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  const said = (args: string) => {
    const { status, err } = rig.run(`sysbench ${args} > /dev/null`);
    return [status, err];
  };
  assertEquals(said("--test=cpu"), [1, "Missing required command argument.\n"]);
  assertEquals(said("--test=gpu run"), [1, "Invalid test name: gpu.\n"]);
  assertEquals(said("--test=cpu --bogus run"), [1, "Unknown option: --bogus.\n"]);
  assertEquals(said("run"), [1, "Missing required argument: --test.\n"]);
  assertEquals(said("--test=oltp run"), [1, "sysbench: test oltp is not modelled\n"]);
  assertEquals(said("--test=cpu --max-time=5 run"), [1, "sysbench: option --max-time is not modelled\n"]);
  assertEquals(rig.run("show results; show time").err.split("\n").length, 3);
});
