/**
 * Stepping forth and back: three grains, stops, bookmarks, and the future that is there until it is replaced.
 *
 * Expected numbers of exits are the talk's: slides 18, 20 and 22.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Layers } from "../runtime/linux/layers.ts";
import { SYSTEMS } from "../runtime/lab/systems.ts";
import { SessionRig } from "./session_rig.ts";
import { travel } from "./time_travel.ts";

/** A guest that computes, set up as the talk does; no interrupt is under way. */
function busyGuest(system: string): SessionRig {
  const rig = new SessionRig({ system });
  rig.ok(". ./talk_setup.rtk > /dev/null 2>&1; ssh vm0 'while :; do :; done' &\nrun 100ms");
  while (rig.lab.machine.cpus[3]!.inFlight?.layer !== Layers.GuestTask) rig.ok("run 10us");
  return rig;
}

const state = ({ session, lab }: SessionRig) => ({ ...session.now, hash: lab.engine.stateHash() });

// ---- step and back ----

for (const { name } of SYSTEMS) {
  Deno.test(`${name}: forward, goto, step n and back n, save and load lead to one state`, () => {
    travel(name, { load: "busy", count: 4, events: 20_000 });
    travel(name, { load: "idle", count: 2, events: 10_000 });
  });
}

for (const [system, exits] of [["kvm", 2], ["rfc-v1", 1], ["rfc-v2", 0]] as const) {
  Deno.test(`${system}: a device's interrupt causes ${exits} exits, and going back undoes it (A3)`, () => {
    const rig = busyGuest(system);
    rig.ok("irq vf0");
    const before = state(rig);
    const out = rig.ok("step interrupt");
    assertMatch(out, new RegExp(`: ${exits} VM exits?\n$`));
    assertStringIncludes(out, "IRQ handler");
    const after = state(rig);
    rig.ok("back interrupt");
    assertEquals(state(rig), before);
    assertEquals(rig.ok("step interrupt"), out, "the same way again");
    assertEquals(state(rig), after);
    // The pieces of work of an interrupt, and back as many.
    rig.ok("back interrupt; step 3 phase; back 3 phase");
    assertEquals(state(rig), before);
  });
}

Deno.test("a virtual interrupt under direct delivery: an NMI and a trapped EOI, direct EOI off between (A3)", () => {
  const rig = busyGuest("rfc-v2");
  const { results } = rig.session;
  assertEquals(results.length, 0);
  const exits = rig.lab.exits();
  rig.ok("ssh vm0 true &\nrun until msr-bitmap 0x80b = 1");
  rig.ok("run until msr-bitmap 0x80b = 0\nrun 5us");
  const made = rig.lab.exits().map((count, reason) => count - exits[reason]!);
  assertEquals([made[0], made[32], made.reduce((a, b) => a + b)], [1, 1, 2], "EXCEPTION_NMI, MSR_WRITE, all");
});

Deno.test("a period of the guest's timer: three exits on stock KVM, none under the direct timer (A3)", () => {
  const reasons = (system: string) => {
    const rig = busyGuest(system);
    const fires = system === "kvm" ? "inject 0xef" : "vector 0xef cpu 3";
    rig.ok(`run until ${fires}`);
    const before = rig.lab.exits();
    rig.ok(`step\nrun until ${fires}`);
    return rig.lab.exits().map((n, reason) => n - before[reason]!);
  };
  assertEquals(reasons("rfc-v2").reduce((a, b) => a + b), 0);
  const kvm = reasons("kvm");
  assertEquals(kvm[32], 2, "MSR_WRITE: to arm it, and EOI");
  assert(kvm[1]! >= 1, "EXTERNAL_INTERRUPT: it fires; others are timers of the host itself");
});

Deno.test("a phase or an interrupt is one of any processor, and back goes the same way (A3)", () => {
  const rig = busyGuest("kvm");
  const before = state(rig);
  for (const [cpu, what] of [[0, /Host\n.* timer handler\n/], [3, /VM exit/]] as const) {
    const out = rig.ok(`step interrupt cpu ${cpu}`);
    assertMatch(out, what);
    const after = state(rig);
    rig.ok(`back interrupt cpu ${cpu}`);
    assertEquals(state(rig), before, `cpu ${cpu}`);
    rig.ok(`step 2 phase cpu ${cpu}; back phase cpu ${cpu}; back phase cpu ${cpu}`);
    assertEquals(state(rig), before, `cpu ${cpu}`);
    assertEquals(rig.ok(`step interrupt cpu ${cpu}`), out);
    assertEquals(state(rig), after);
    rig.ok(`goto ${before.event}`);
  }
  rig.ok("step interrupt cpu 0; run 20us");
  const between = state(rig);
  rig.ok("step interrupt cpu 3; back interrupt cpu 3");
  assertEquals(state(rig), between, "a step of another processor is none of this one's");
});

Deno.test("a step back from the middle of nowhere leads to the end of the step before", () => {
  const rig = busyGuest("kvm");
  rig.ok("irq vf0; step interrupt");
  const { event } = rig.session.now;
  rig.ok("run 20us; back interrupt");
  assertEquals(rig.session.now.event, event);
});

Deno.test("going back leaves the shell as it is, and takes the machine with its jobs and files", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.ok("(for i in 1 2 3 4; do sleep 0.01; echo $i; done > /tmp/x) &\nbookmark here");
  rig.ok("run 25ms; x=later; echo y > /tmp/y");
  assertEquals(rig.ok("cat /tmp/y; goto here").split("\n")[0], "y");
  assertEquals(
    rig.ok("echo $x; ls /tmp/y 2>/dev/null || echo gone; wait; cat /tmp/x"),
    "later\ngone\n1\n2\n3\n4\n",
  );
});

Deno.test("what was given later comes again at its time, until something else is given", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.ok("bookmark here; run 5ms; echo a > /tmp/a; run 5ms; sleep 0.001");
  const end = state(rig);
  rig.ok("goto here; show cpu; step 3; back 3");
  assertEquals(rig.ok(`run ${end.timeNs - rig.session.now.timeNs}ns; show cpu`).length > 0, true);
  assertEquals(state(rig), end, "the same future");
  rig.ok("goto here; echo b > /tmp/b; run 20ms");
  assertEquals(rig.ok("ls /tmp"), "b\n", "another one");
  assertMatch(rig.run("goto 99999").err, /the run has come to event/);
});

Deno.test("a loop that goes back and gives something each time is a run that can be gone back in", () => {
  const rig = busyGuest("rfc-v2");
  rig.ok("for i in 1 2 3; do step 30 > /dev/null; back 20; irq vf0; x=$i; step interrupt; done");
  rig.ok("run 3ms; echo $x > /tmp/x");
  const before = state(rig);
  rig.ok("step 100; back 100");
  assertEquals(state(rig), before);
  assertEquals(rig.ok("cat /tmp/x"), "3\n");
});

Deno.test("a script goes on behind a step back, and its trap runs in the run that it leads to", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.ok("trap 'echo over > /tmp/over; sleep 0.01' EXIT; run 5ms; back 10; echo in > /tmp/in");
  const before = state(rig);
  rig.ok("step 5; back 5");
  assertEquals(state(rig), before);
  assertEquals(rig.ok("cat /tmp/in /tmp/over"), "in\nover\n");
});

Deno.test("a boot is where a run begins: nothing before it can be gone back to", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  assertMatch(rig.run("back").err, /nothing lies before the machine's boot/);
  rig.ok("run 5ms\nboot kvm\nrun 5ms; back 3; step 3; bookmark a");
  assertMatch(rig.run("back 100000").err, /only \d+ events lie behind/);
  rig.ok("boot rfc-v2");
  assertEquals(rig.ok("bookmark"), "");
});

// ---- refusals ----

Deno.test("bad use is a clear error, and the state is untouched", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.ok("sleep 0.01");
  const before = state(rig);
  const cases: [line: string, says: RegExp][] = [
    ["step -1", /"-1": expected a number of steps/],
    ["step 0", /1 or more/],
    ["step 1.5", /"1.5": expected a number/],
    ["step 3 phas", /did you mean phase/],
    ["step phase cpu 4", /cpu 4: this machine has processors 0 to 3/],
    ["back interrupt cpu", /cpu: this machine has processors 0 to 3/],
    ["step cpu 1", /an event has no processor/],
    ["back 100000", /only \d+ events lie behind/],
    ["back 3 interrupts", /did you mean interrupt/],
    ["goto 99999999", /the run has come to event \d+, 0\.\d+ s/],
    ["goto 1", /had booted with event/],
    ["goto 1ms", /had booted at 0\.1/],
    ["goto 100s", /the run has come to/],
    ["goto nowhere", /unknown bookmark "nowhere"/],
    ["bookmark 17", /begins with a letter/],
    ["stop-at msr 0x80c", /unknown register "0x80c": did you mean/],
    ["stop-at msr EIO", /did you mean 0x80b \(EOI\)/],
    ["stop-at cpu3.lapic.irs = none", /did you mean cpu3\.lapic\.isr/],
    ["stop-at exit reason=HLTT", /did you mean HLT/],
    ["stop-at vektor 1", /did you mean vector/],
    ["watch 17", /expected a quantity or a register/],
    ["delete 1", /no such stop/],
    ["run", /no stop is set/],
    ["expect eoi", /happens at an instant/],
    ["(back)", /only in the session's own shell/],
  ];
  for (const [line, says] of cases) {
    const { status, err } = rig.run(line);
    assert(status !== 0, line);
    assertMatch(err, says, line);
    assertEquals([state(rig), rig.session.stops.list.length], [before, 0], line);
  }
});

// ---- stops ----

Deno.test("run ends at a stop with the event that it asks for, and says why", () => {
  const rig = busyGuest("kvm");
  const cases: [stop: string, says: RegExp][] = [
    ["stop-at exit reason=EXTERNAL_INTERRUPT", /exit EXTERNAL_INTERRUPT on cpu3 \(stop \d+\)\n$/],
    ["stop-at exit reason=32", /exit MSR_WRITE of 0x8\w+ \(\w+\) on cpu3/],
    ["stop-at msr 0x80b write cpu 3", /msr 0x80b \(EOI\) written by the (guest, which exits|host)/],
    ["stop-at eoi", /EOI by the (host|guest)/],
    ["stop-at vector 0xef", /vector 0xef (taken by the host|injected) on cpu\d/],
    ["stop-at inject", /vector 0xef injected on cpu3/],
    ["stop-at entry", /entry on cpu3/],
    ["watch exits.total", /exits\.total: \d+ -> \d+/],
    ["stop-at time >= 600ms", /time is 0\.6/],
  ];
  for (const [stop, says] of cases) {
    rig.ok(stop);
    const out = rig.ok("run");
    assertMatch(out, /^stopped at event \d+, time \d+\.\d{9} s: /);
    assertMatch(out, says);
    rig.ok("delete all");
  }
});

Deno.test("a stop shows the state after the event, and time stands still", () => {
  const rig = busyGuest("rfc-v2");
  rig.ok("watch cpu3.lapic.isr");
  assertMatch(rig.ok("run"), /cpu3\.lapic\.isr: none -> 0xef/);
  assertStringIncludes(rig.ok("show lapic 3"), "ISR\t 239");
  const { nowNs } = rig.lab.engine;
  rig.ok("show events; show stats; help stop-at");
  assertEquals(rig.lab.engine.nowNs, nowNs);
  assertMatch(rig.ok("run"), /0xef -> none/);
});

Deno.test("the sample that is late stops the run; stops change nothing", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.ok("cyclictest -n -q -l 200 > /tmp/x &\nstop-at latency > 2us");
  const out = rig.ok("run");
  assertMatch(out, /latency of sample \d+ is (2\.\d+|[3-9]|\d\d+)/);
  const plain = new SessionRig({ system: "bare-metal" });
  plain.ok(`cyclictest -n -q -l 200 > /tmp/x &\nrun until event >= ${rig.session.now.event}`);
  assertEquals(state(plain), state(rig));
});

Deno.test("at a stop the prompt comes back, and the command goes on as time does", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  const type = (line: string) => rig.collect(() => rig.session.runLine(line, () => {}));
  type("stop-at latency > 2us");
  const { out } = type("x=1; cyclictest -n -q -l 200 > /tmp/x; echo done > /tmp/y; y=2");
  assertMatch(out, /^stopped at event \d+, time \S+ s: latency of sample \d+/);
  assert(rig.session.results.length === 0, "it has not ended");
  const before = state(rig);
  type("delete all; bookmark left");
  assertEquals(type("echo $x$y").out, "1\n");
  type("run 1s");
  assertEquals(rig.session.results.at(-1)!.cyclictest.threads[0]!.histogram.count, 200);
  type("goto left");
  assertEquals(state(rig), before);
  assertMatch(type("ls /tmp; step 50; back 50").out, /x\n/);
});

Deno.test("who disabled direct EOI, and who enabled it again (A4)", () => {
  const rig = busyGuest("rfc-v2");
  rig.ok("ssh vm0 true &\nstop-at msr-bitmap 0x80b");
  assertMatch(rig.ok("run"), /msr-bitmap 0x80b: 0 -> 1/);
  const before = state(rig);
  const why = rig.ok("why");
  assertMatch(why, /kvm_set_direct_interrupt vcpu=0 enabled=false/);
  assertMatch(why, /cpu3 +exit VM exit reason=0/, "the NMI kick");
  assertMatch(why, /<- .*lapic3 +request NMI/);
  assertMatch(why, /lapic0 +request/, "what came to the host");
  assertMatch(rig.ok("changed msr-bitmap 0x80b"), new RegExp(`0 -> 1 at event ${before.event}, `));
  assertEquals(state(rig), before, "looking changes nothing");
  rig.ok("run");
  assertMatch(
    rig.ok("why"),
    /enabled=true\n<- [^]*exit VM exit reason=32 qualification=0 info=0x0 operand=2059/,
    "the last EOI",
  );
  assertMatch(rig.run("changed cpu3.lapic.irs").err, /did you mean cpu3\.lapic\.isr/);
});
