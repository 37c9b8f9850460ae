/**
 * perf and trace-cmd: what they count is what the kernel's own counters and files say.
 *
 * Shapes are those of perf 6.1 (captured on Debian 12), of mails about `perf kvm stat`, and of `trace-cmd report`.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const START =
  "qemu-kvm -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic; ssh vm0 true; cd /tmp";
const PATCHED = START.replace("qemu-kvm", "qemu-kvm.patched").replace(
  "qemu",
  "echo 0 > /sys/devices/system/cpu/cpu3/online; qemu",
);
const LOAD = "ssh vm0 cyclictest -q -n -p 99 -l 100 > /dev/null";
const EXITS = "cat /sys/kernel/debug/kvm/exits";

/** The rows of `perf kvm stat report`: reason, samples. */
function rows(report: string): (readonly [string, number])[] {
  return [...report.matchAll(/^ +([A-Z_]{3,}) +(\d+) +[\d.]+% /gm)].map((
    [, name, count],
  ) => [name!, Number(count)]);
}

Deno.test("perf stat -a counts as many kvm_exit as KVM does in its own statistics", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(START);
  const { out, err } = rig.run(`${EXITS}; perf stat -a -e 'kvm:kvm_ex*' ${LOAD}; ${EXITS}`);
  const [before, after] = out.trim().split("\n").map(Number);
  assertMatch(
    err,
    /^\n Performance counter stats for 'system wide':\n\n {1,17}[\d,]+ {6}kvm:kvm_exit {38}\n\n/,
  );
  const counted = Number(/([\d,]+) +kvm:kvm_exit/.exec(err)?.[1]?.replaceAll(",", ""));
  assertEquals(counted, after! - before!);
  assert(counted > 400, "four exits a period");
});

Deno.test("perf stat without -a counts the tasks of its command alone, with -p those of a process", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(START);
  const count = (script: string) => Number(/(\d+) +kvm:kvm_exit/.exec(rig.run(script).err)?.[1]);
  assertEquals(count(`perf stat -e kvm:kvm_exit ${LOAD}`), 0); // it is QEMU's thread that exits
  assert(count(`perf stat -e kvm:kvm_exit -p $(ps -C qemu-kvm -o pid=) ${LOAD}`) > 400);
  assert(count(`perf stat -C 3 -e kvm:kvm_exit ${LOAD}`) > 400);
  assertEquals(count(`perf stat -C 1 -e kvm:kvm_exit ${LOAD}`), 0);
});

Deno.test("perf stat: an event that nobody counts is <not supported>, one that nobody knows an error", () => {
  const rig = new SessionRig();
  assertMatch(
    rig.run("perf stat -e cycles,cs true").err,
    /\n {3}<not supported> {6}cycles {44}\n {17}\d {6}cs {48}\n/,
  );
  assertMatch(rig.run("perf stat -x, -a -e cs true").err, /^\d+,,cs,\d+,100\.00,,\n$/);
  const { status, err } = rig.run("perf stat -e kvm:nosuch true");
  assertEquals([status, err.split("\n")[0]], [129, "event syntax error: 'kvm:nosuch'"]);
  assertEquals(rig.run("perf stat -e cs nosuch").status, 127);
  assertEquals(rig.run("perf stat -e cs sh -c 'exit 7'").status, 7);
});

Deno.test("perf kvm stat: as many samples of each reason as the laboratory's statistics, sorted by them", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(START);
  const before = rig.ok(EXITS);
  rig.run(`perf kvm stat record ${LOAD}`);
  const exits = Number(rig.ok(EXITS)) - Number(before);
  const report = rig.ok("perf kvm stat report");
  const found = rows(report);
  assertEquals(found.map(([name]) => name).slice(0, 2), ["MSR_WRITE", "HLT"]);
  const samples = found.reduce((sum, [, count]) => sum + count, 0);
  assert(Math.abs(samples - exits) <= 1, `${samples} pairs, ${exits} exits: one may be open at the end`);
  assertMatch(
    report,
    /^\n\nAnalyze events for all VMs, all VCPUs:\n\n {13}VM-EXIT {4}Samples {2}Samples% {5}Time% /,
  );
  assertMatch(
    report,
    new RegExp(`\nTotal Samples:${samples}, Total events handled time:\\d+\\.\\d\\dus\\.\n\n$`),
  );
  assertEquals(rows(rig.ok("perf kvm stat report -k time"))[0]?.[0], "HLT"); // the guest sleeps in it
});

Deno.test("perf kvm stat of a dedicated CPU: cyclictest causes no exit", () => {
  const rig = new SessionRig({ system: "rfc-v2" });
  rig.ok(PATCHED);
  rig.run("ssh vm0 cyclictest -q -n -p 99 -l 1000 & sleep 0.1; perf kvm stat record sleep 0.2"); // ssh is a virtual interrupt
  assertMatch(rig.ok("perf kvm stat report"), /\nTotal Samples:0, Total events handled time:0\.00us\.\n/);
});

Deno.test("perf kvm stat report without a record says which file is missing", () => {
  const { status, err } = new SessionRig().run("cd /tmp; perf kvm stat report");
  assertEquals([status, err], [
    255,
    "failed to open perf.data.guest: No such file or directory  (try 'perf record' first)\n",
  ]);
});

Deno.test("trace-cmd report prints what ftrace has had, event by event, in columns of its own", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(START);
  rig.run(`trace-cmd record -e kvm:kvm_exit ${LOAD}`);
  const report = rig.ok("trace-cmd report").trimEnd().split("\n");
  assertEquals(report.shift(), "cpus=4");
  for (const line of report) {
    assertMatch(line, /^ +qemu-kvm-\d+ +\[003\] +\d+\.\d{6}: kvm_exit: {13}reason [A-Z_]+ rip 0x0 info /);
  }
  rig.run(`perf kvm stat record ${LOAD}`);
  const counts = rows(rig.ok("perf kvm stat report"));
  assert(Math.abs(report.length - counts.reduce((sum, [, count]) => sum + count, 0)) < 20, "two equal runs");
  assertEquals(rig.ok("trace-cmd report -F kvm_entry"), "cpus=4\n");
});

Deno.test("trace-cmd start, stop, show and reset drive the kernel's own buffer", () => {
  const rig = new SessionRig();
  const on = "/sys/kernel/debug/tracing/tracing_on";
  const text = rig.ok("trace-cmd start -e sched:sched_switch; sleep 0.01; trace-cmd stop; trace-cmd show");
  assertMatch(text, /^# tracer: nop\n[^]* sched_switch: prev_comm=sleep /);
  assertEquals(rig.ok(`cat ${on} /sys/kernel/debug/tracing/set_event`), "0\nsched:sched_switch\n");
  assertEquals(
    rig.ok(
      `trace-cmd reset; cat ${on} /sys/kernel/debug/tracing/set_event; trace-cmd show | grep -c sched_switch || true`,
    ),
    "1\n0\n",
  );
});

Deno.test("trace-cmd says what it cannot find as the real one does", () => {
  const rig = new SessionRig();
  for (
    const [line, err] of [
      [
        "trace-cmd record -e nosuch true",
        "trace-cmd: No such file or directory\n  No events enabled with nosuch\n",
      ],
      ["cd /tmp; trace-cmd report", "trace-cmd: No such file or directory\n  opening 'trace.dat'\n"],
      ["trace-cmd extract", "trace-cmd: extract: not modelled; see trace-cmd --help\n"],
    ] as const
  ) assertEquals(rig.run(line), { status: 1, out: "", err }, line);
});
