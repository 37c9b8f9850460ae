/**
 * `trace`: the kernel's own events, in the lines that its ftrace has of them (`arch/x86/kvm/trace.h` of Linux 3.5).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

function busy(): SessionRig {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(". ./talk_setup.rtk > /dev/null 2>&1; ssh vm0 'while :; do :; done' &\nrun 100ms");
  return rig;
}

/** Lines that are no trace: where the run ended. */
const traced = (out: string) => out.split("\n").filter((line) => /^ *\S.*-\d+ +\[\d{3}\] /.test(line));

Deno.test("trace prints what the kernel's own buffer has at the same time, line by line", () => {
  const rig = busy();
  rig.ok("cd /sys/kernel/debug/tracing; echo '*:*' > set_event; echo > trace");
  rig.ok("trace on");
  const lines = traced(rig.ok("run 3ms; trace off"));
  assert(lines.length > 10);
  const buffer = traced(rig.ok("cat trace")).join("\n");
  assert(buffer.includes(lines.join("\n")), "the buffer has them, too");
  assertEquals(traced(rig.ok("run 3ms")), [], "it is off");
});

Deno.test("a filter takes an event by its name and fields", () => {
  const rig = busy();
  rig.ok("trace exit reason=EXTERNAL_INTERRUPT cpu=3");
  assertMatch(rig.ok("trace"), /^trace is on: kvm_exit reason=1 cpu=3\nevents: .*kvm_entry/);
  const before = rig.lab.exits()[1]!;
  const lines = traced(rig.ok("run 20ms"));
  assertEquals(lines.length, rig.lab.exits()[1]! - before);
  for (const line of lines) {
    assertMatch(line, /\[003\] \S+ +0\.\d{6}: kvm_exit: reason EXTERNAL_INTERRUPT rip 0x0 info/);
  }
  // It goes along to where the user goes, and a second filter adds to it.
  rig.ok("back 50; trace kvm_entry");
  const both = traced(rig.ok("run 5ms"));
  assert(
    both.some((line) => line.includes("kvm_entry: vcpu 0")) &&
      both.some((line) => line.includes("kvm_exit: ")),
  );
});

Deno.test("tracing changes nothing, and what is none is refused", () => {
  const rig = busy();
  const before = rig.lab.engine.stateHash();
  assertMatch(rig.run("trace exot").err, /unknown event "exot": did you mean/);
  assertMatch(rig.run("trace exit reason=HLTT").err, /did you mean HLT/);
  assertMatch(rig.run("trace exit reason").err, /expected FIELD=VALUE/);
  assertMatch(rig.run("trace on exit").err, /no more words/);
  assertEquals(rig.lab.engine.stateHash(), before);
  rig.ok("trace exit reasn=1");
  assertMatch(rig.run("run 20ms").err, /^trace: kvm_exit has no field reasn, but cpu, reason, .*: off\n$/);
  const other = busy();
  other.ok("run 20ms");
  assertEquals(rig.lab.engine.stateHash(), other.lab.engine.stateHash());
});
