/**
 * `trace`: the kernel's own events, in the lines that its ftrace has of them (`arch/x86/kvm/trace.h` of Linux 3.5).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { main } from "../dsl/cli.ts";
import { Session } from "../dsl/session/session.ts";
import { laboratoryWords } from "../dsl/words/index.ts";
import { FakeHost, SessionRig } from "./session_rig.ts";

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

Deno.test("trace FILE writes what the kernel's own trace file would be, and that follows the user back", () => {
  const rig = busy();
  const before = rig.lab.engine.stateHash();
  rig.ok("trace exit; trace exits.txt");
  assertEquals(rig.lab.engine.stateHash(), before);
  assertMatch(rig.ok("trace"), /^trace is on: kvm_exit, to exits\.txt\n/);
  assertEquals(traced(rig.ok("run 20ms")), [], "nothing of it goes to the user");
  const whole = rig.files.get("exits.txt")!;
  const [head, ...rest] = [whole.split("\n").filter((line) => line.startsWith("#")), ...traced(whole)];
  assert(rest.length > 2);
  const own = rig.ok("cat /sys/kernel/debug/tracing/trace").split("\n");
  assertEquals(
    head.filter((line) => !line.includes("entries")),
    own.filter((line) => /^#(?!.*entries)/.test(line)),
  );
  assertMatch(
    whole,
    new RegExp(`^# tracer: nop\n#\n# entries-in-buffer/entries-written: ${rest.length}/${rest.length} `),
  );
  rig.ok("run until exit; back 300");
  const shorter = traced(rig.files.get("exits.txt")!);
  assert(shorter.length < rest.length, "what has not happened yet is not in it");
  assertMatch(rig.ok("run 5ms; trace off"), /exits\.txt: \d+ events\n$/);
  const last = rig.files.get("exits.txt")!;
  assertEquals(traced(last).slice(0, shorter.length), shorter);
  rig.ok("run 20ms");
  assertEquals(rig.files.get("exits.txt"), last, "it is off");
});

Deno.test("a trace that cannot be written is refused, and nothing is traced then", () => {
  const rig = busy();
  assertMatch(rig.run("trace x.dat").err, /trace: x\.dat: only ftrace's text is written/);
  assertMatch(rig.run("trace x.txt exit").err, /expected no more words/);
  assertMatch(rig.ok("trace"), /^trace is off\n/);
  const bare = new Session({ io: { out() {}, err: (text) => void (said += text) }, words: laboratoryWords });
  let said = "";
  assertEquals(bare.runScript("trace x.txt", "x.rtk"), 1);
  assertMatch(said, /trace: x\.txt: no files of a computer are given here/);
});

Deno.test("run --trace FILE: the script's whole run as ftrace's text", async () => {
  const host = new FakeHost({ "x.rtk": ". /root/scripts/setup.rtk; run 5ms\n", "setup.rtk": "sleep 0.01\n" });
  assertEquals(await main(["run", "x.rtk", "--trace", "out/x.txt"], host), 0);
  assert(traced(host.written.get("out/x.txt")!).some((line) => line.includes(": sched_switch: ")));
  assertEquals(await main(["run", "x.rtk", "--trace", "x.json"], host), 1);
  assertMatch(host.stderr, /rtkvm: run: --trace x\.json: only ftrace's text/);
  host.problem = "Permission denied";
  assertEquals(await main(["run", "x.rtk", "--trace", "x.txt"], host), 1);
  assertMatch(host.stderr, /--trace x\.txt: Permission denied/);
});
