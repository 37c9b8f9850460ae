/**
 * stress 1.0.4: its complaints, with the lines of stress.c that make them, and what its workers do.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

/** Status, descriptor 2 without the pid, and the first line of descriptor 1. */
function said(options: string): [status: number, err: string, out: string] {
  const { status, out, err } = new SessionRig({ system: "bare-metal" }).run(`stress ${options}`);
  return [status, err.replace(/\[\d+\]/, "[PID]"), out.split("\n")[0]!];
}

Deno.test("wrong arguments: FAIL, the pid, the line of stress.c, and what was wrong; status 1", () => {
  const fails = (options: string, line: number, text: string) =>
    assertEquals(said(options), [1, `stress: FAIL: [PID] (${line}) ${text}\n`, ""], options);
  fails("--foo", 244, "unrecognized option: --foo");
  fails("word", 244, "unrecognized option: word");
  fails("-c", 160, "missing argument to option '--cpu'");
  fails("-c -t 5", 160, "missing argument to option '--cpu'");
  fails("-c 0", 164, "invalid number of cpu hogs: 0");
  fails("-c -1", 164, "invalid number of cpu hogs: -1");
  fails("-c two", 647, "unrecognized suffix: o");
  fails("-c xk", 654, "invalid number: xk");
  fails("-c ''", 622, "invalid string");
  fails("-c 1 -t 0", 154, "invalid timeout value: 0s");
  fails("-c 1 -t 5x", 705, "unrecognized suffix: x");
  fails("-c 1 -t m", 712, "invalid number: m");
  fails("--vm", 180, "missing argument to option '--vm'");
  fails("-m 1 --vm-bytes 0", 194, "invalid vm byte value: 0");
  fails("--backoff x", 138, "invalid number: x");
  fails("--backoff -5", 143, "invalid backoff factor: -5");
  fails("-d 0", 228, "invalid number of hdd hogs: 0");
});

Deno.test("nothing to do: the usage and status 0, as with --help", () => {
  const usage = "`stress' imposes certain types of compute stress on your system";
  for (const options of ["", "-t 5", "--help", "-?", "-q"]) {
    assertEquals(said(options), [0, "", usage], options);
  }
  assertEquals(said("--version"), [0, "", "stress 1.0.4"]);
});

Deno.test("what the tool has and the model has not is refused by name", () => {
  for (const options of ["-i 1", "--hdd 2", "--vm-stride 64", "--vm-hang 1", "--vm-keep"]) {
    const [status, err] = said(`-c 1 ${options}`);
    assertEquals([status, err], [1, `stress: option ${options.split(" ")[0]} is not modelled\n`]);
  }
});

Deno.test("-t: the workers end when the time is over; units; -q says nothing", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  const out = rig.ok("stress --cpu 2 --timeout 1s");
  assertMatch(out, /^stress: info: \[(\d+)\] dispatching hogs: 2 cpu, 0 io, 0 vm, 0 hdd\n/);
  assertMatch(out, /\nstress: info: \[\d+\] successful run completed in 1s\n$/);
  const before = rig.lab.engine.nowNs;
  assertEquals(rig.ok("stress -q -c 4 -t 1m"), "");
  assertEquals(Math.floor((rig.lab.engine.nowNs - before) / 1e9), 60);
  assertEquals(rig.ok("stress -n -c 1 | tail -n 1").slice(-3), "0s\n");
});

Deno.test("memory workers have their memory until they end, also by a signal", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  const { memory } = rig.lab.host;
  rig.ok("stress -q --vm 2 --vm-bytes 9G & sleep 0.1");
  assert(memory.short);
  rig.ok("kill $(ps -eLo tid,comm | awk '$2 == \"stress\" { print $1 }'); sleep 0.5");
  assert(!memory.short);
  rig.ok("stress -q --vm 1 --vm-bytes 16G -t 1");
  assert(!memory.short, "no more than there is");
});
