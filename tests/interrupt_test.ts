/**
 * Ctrl-C: ends the command that runs, not the laboratory.
 *
 * Expected values: signal(7), bash(1) "SIGNALS", and for programs their own sources (rt-tests, iputils, iperf).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { atOnce } from "../dsl/session/slices.ts";
import { parseScript } from "../dsl/syntax/parse.ts";
import { type Ended, SessionRig } from "./session_rig.ts";

/** Runs a script, with Ctrl-C after `slices` slices of 20 ms. */
function interrupted(rig: SessionRig, script: string, slices = 5): Ended {
  return rig.collect(() => {
    const run = rig.session.scriptSlices(parseScript(script, "x.rtk"));
    for (let i = 0; i < slices && !run.next().done; i++);
    rig.session.interrupt();
    return atOnce(run);
  });
}

const bareMetal = () => new SessionRig({ system: "bare-metal" });

Deno.test("Ctrl-C ends the running command and the script, status 130; the EXIT trap runs", () => {
  const rig = bareMetal();
  const { status, out } = interrupted(rig, "trap 'echo gone' EXIT; sleep 100; echo not reached");
  assertEquals([status, out], [130, "gone\n"]);
  assert(rig.lab.engine.nowNs < 1e9, "the sleep was cut short");
  assertEquals(rig.ok("echo $((1 + 1)); nproc"), "2\n4\n"); // the laboratory goes on
});

Deno.test("a trap for INT runs when the command has ended, and the script goes on", () => {
  const { status, out } = interrupted(bareMetal(), "trap 'echo caught' INT; sleep 100; echo $?; exit 3");
  assertEquals([status, out], [3, "caught\n130\n"]);
});

Deno.test("an ignored INT reaches neither the shell nor what it runs", () => {
  const { status, out } = interrupted(bareMetal(), "trap '' INT; sleep 1; echo $?");
  assertEquals([status, out], [0, "0\n"]);
});

Deno.test("loops, functions, lists, subshells, substitutions and pipelines end whole", () => {
  for (
    const script of [
      "while :; do :; done; echo no",
      "while true; do x=$((x + 1)); done; echo no",
      "for i in 1 2 3; do sleep 100; done; echo no",
      "f() { sleep 100; echo no; }; f; echo no",
      "sleep 100 && echo no || echo no",
      "if sleep 100; then echo no; else echo no; fi",
      "! sleep 100; echo no",
      "(sleep 100; echo no); echo no",
      "x=$(sleep 100; echo no); echo no$x",
      "echo $(sleep 100) no",
      "sleep 100 | cat; echo no",
      "sh -c 'sleep 100; echo no'; echo no",
      "eval 'sleep 100; echo no'; echo no",
    ]
  ) {
    const { status, out } = interrupted(bareMetal(), script);
    assertEquals([status, out], [130, ""], script);
  }
});

Deno.test("the inner shell's trap is its own; the outer one goes on where the inner one has", () => {
  const { status, out } = interrupted(
    bareMetal(),
    "( trap 'echo inner' INT; sleep 100; echo on ); echo outer $?",
  );
  assertEquals([status, out], [0, "inner\non\nouter 0\n"]);
});

Deno.test("wait is interrupted, and the background job is not", () => {
  const rig = bareMetal();
  const { status, out } = interrupted(
    rig,
    "trap 'echo caught' INT; sleep 1 & wait; echo $?; wait; echo $?; kill -0 $!",
  );
  assertEquals([status, out], [1, "caught\n130\n0\n"]);
});

Deno.test("the laboratory's words are interrupted too, and the state can be looked at", () => {
  for (const word of ["run 1000s", "run until event >= 100000000", "step 100000000"]) {
    const rig = bareMetal();
    const { status } = interrupted(rig, `stress -c 1 & ${word}; echo no`);
    assertEquals(status, 130, word);
    assert(rig.lab.engine.nowNs < 20e9, word);
    const { nowNs } = rig.lab.engine;
    assertMatch(rig.ok("show cpu"), /cpu0/);
    rig.ok("step");
    assert(rig.lab.engine.nowNs >= nowNs, word);
  }
});

Deno.test("at the prompt Ctrl-C ends the line, not the shell", () => {
  const rig = bareMetal();
  let left = false;
  const ended = rig.collect(() => {
    const run = rig.session.lineSlices("sleep 100; echo no", () => left = true);
    for (let i = 0; i < 3; i++) run.next();
    rig.session.interrupt();
    return atOnce(run);
  });
  assertEquals([ended.status, ended.out, left], [130, "", false]);
  assertEquals(rig.collect(() => rig.session.runLine("echo $?", () => {})).out, "130\n");
});

Deno.test("Ctrl-C with nothing in the foreground does nothing", () => {
  const rig = bareMetal();
  rig.session.interrupt();
  assertEquals(rig.ok("sleep 1; echo on"), "on\n");
});

Deno.test("slices change nothing: a run of many events each has the hash of one of a single event each", () => {
  const script = "stress -c 4 & cyclictest -q -n -p 99 -l 300; echo $?; run 30ms";
  const many = new SessionRig(), single = new SessionRig();
  single.session.interruptAt(1e12); // never comes, but until then each event is a slice
  assertEquals(many.run(script), single.run(script));
  assertEquals(many.lab.engine.stateHash(), single.lab.engine.stateHash());
});

Deno.test("an interrupt at an event comes at that event, and a run that is repeated has it too", () => {
  const script = "cyclictest -q -n -l 100; trap : INT; cyclictest -q -n -l 20000; sleep 100";
  const hashes = [1, 2].map(() => {
    const rig = bareMetal();
    rig.session.interruptAt(5000);
    rig.ok(`${script}; true`);
    const [input] = rig.session.journal.inputs;
    assertEquals(input!.interrupts.map(({ event }) => event), [5000]);
    return rig.lab.engine.stateHash();
  });
  assertEquals(hashes[0], hashes[1]);
});

Deno.test("cyclictest prints the summary of what ran, and has measured it", () => {
  for (const loops of ["-l 300000", ""]) {
    const rig = bareMetal();
    const { status, out } = interrupted(rig, `cyclictest -n -q -p 99 ${loops}; echo $?`, 50);
    assertMatch(out, /^# .*\nT: 0 \( *\d+\) P:99 I:1000 C: +\d+ Min: .*\n0\n$/);
    assertEquals(status, 0); // it has handled the signal: bash goes on
    const { cyclictest: { threads: [thread] } } = rig.result;
    assert(thread!.histogram.count > 900 && thread!.histogram.count < 1100);
  }
});

Deno.test("cyclictest -h prints its histogram, for SIGTERM as well; SIGKILL leaves no thread behind", () => {
  const rig = bareMetal();
  assertMatch(
    rig.ok("cyclictest -n -q -h 3 & sleep 0.1; kill $!; wait $!; echo $?"),
    /# Histogram\n[^]*# Max Latencies: \d+\n[^]*\n0\n$/,
  );
  rig.run("cyclictest -n -q -t 3 & sleep 0.1; kill -9 $!; wait $!");
  assertEquals(rig.ok("sleep 0.1; ps -eLo comm").includes("cyclictest"), false);
});

Deno.test("ping prints its statistics: all that came back, status 0", () => {
  const rig = new SessionRig();
  rig.ok(
    "echo 0 > /sys/devices/system/cpu/cpu3/online; qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm",
  );
  const { out, status } = interrupted(rig, "ssh vm0 true; ping -i 0.1 peer; echo $?", 25);
  assertMatch(out, /\n\n--- peer ping statistics ---\n(\d) packets transmitted, \1 received, 0% packet loss/);
  assertMatch(out, /rtt min[^\n]*\n0\n$/);
  assertEquals(status, 0);
});

Deno.test("ping without a reply: status 1", () => {
  const { out } = interrupted(new SessionRig(), "ping -i 0.1 192.168.10.77; echo $?", 25);
  assertMatch(out, /\d packets transmitted, 0 received, 100% packet loss, time \d+ms\n\n1\n$/);
});

Deno.test("iperf's client reports what it has sent; its server waits for its threads, or ends at once", () => {
  const rig = new SessionRig();
  rig.run(". ./talk_setup.rtk; ssh vm0 true");
  const { out, err } = interrupted(
    rig,
    "ssh vm0 iperf -s > /dev/null & sleep 0.1; iperf -c vm0 -t 100; echo $?",
    30,
  );
  assertMatch(out, /\n\[ {2}3\] {2}0\.0- 0\.\d sec .*\n0\n$/, err);
  assertEquals(rig.lab.traffic.length, 1);
  const idle = interrupted(bareMetal(), "iperf -s > /dev/null; echo $?");
  assertEquals([idle.out, idle.err], ["0\n", ""]);
});

Deno.test("stress, sysbench and endless loops die of it with all their processes", () => {
  // Four loops keep all CPUs busy: time goes on all the same.
  for (
    const command of [
      "stress -c 3 -q",
      "stress -c 4 -q",
      "sysbench --test=cpu --max-requests=1000000 run > /dev/null",
    ]
  ) {
    const rig = bareMetal();
    const { status } = interrupted(rig, `${command}; echo no`);
    assertEquals(status, 130, command);
    assertEquals(/stress|sysbench/.test(rig.ok("sleep 0.1; ps -eLo comm")), false, command);
  }
});

Deno.test("a command over ssh gets it, and its shell as well", () => {
  const rig = new SessionRig();
  rig.ok(
    "echo 0 > /sys/devices/system/cpu/cpu3/online; qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm",
  );
  rig.ok("ssh vm0 true");
  const { out } = interrupted(rig, "ssh vm0 'cyclictest -n -q -l 300000; echo on $?'");
  assertMatch(out, /\nT: 0 .*\non 0\n$/);
  assertEquals(interrupted(rig, "ssh vm0 sleep 1000; echo no").status, 130);
  assertEquals(rig.ok("ssh vm0 uname -r"), "3.4.0\n");
});
