/**
 * cpupower, numactl, timeout, nohup, and what is said of tools that are not modelled.
 *
 * Texts are those of cpupower of Linux 3.5, numactl 2.0 and coreutils 9.1.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

Deno.test("cpupower frequency-set writes the governor of every CPU that is online, or says that it cannot be", () => {
  const rig = new SessionRig();
  assertEquals(
    rig.ok("cpupower frequency-set -g performance"),
    "Setting cpu: 0\nSetting cpu: 1\nSetting cpu: 2\nSetting cpu: 3\n",
  );
  assertEquals(
    rig.ok("echo 0 > /sys/devices/system/cpu/cpu3/online; cpupower frequency-set -d 3.4GHz"),
    "Setting cpu: 0\nSetting cpu: 1\nSetting cpu: 2\n",
  );
  const { status, out, err } = rig.run("cpupower frequency-set -g powersave");
  assertEquals([status, out, err.split("\n")[0]], [
    1,
    "Setting cpu: 0\n",
    "Error setting new values. Common errors:",
  ]);
  assertStringIncludes(
    rig.ok("cpupower -c 1 frequency-info"),
    "analyzing CPU 1:\n  driver: acpi-cpufreq\n",
  );
  assertMatch(rig.ok("cpupower frequency-info"), /\n {2}hardware limits: 3\.40 GHz - 3\.40 GHz\n/);
});

Deno.test("numactl runs a command on its CPUs, built-ins too; there is one node", () => {
  const rig = new SessionRig();
  assertEquals(rig.ok("numactl --physcpubind=2 --membind=0 ps -C ps -o psr="), "  2\n");
  assertEquals(rig.ok("numactl -C 1-2 sh -c nproc; numactl -N 0 nproc"), "2\n4\n");
  assertMatch(
    rig.ok("numactl --hardware"),
    /^available: 1 nodes \(0\)\nnode 0 cpus: 0 1 2 3\nnode 0 size: 16384 MB\nnode 0 free: \d+ MB\nnode distances:\n/,
  );
  for (const [line, what] of [["-C 9", "cpu argument 9"], ["-m 1", "node argument 1"]] as const) {
    const { status, err } = rig.run(`numactl ${line} true`);
    assertEquals([status, err.split("\n")[0]], [1, `libnuma: Warning: ${what} is out of range`]);
  }
});

Deno.test("timeout ends a command after its time with 124, with KILL 137, and has else its status", () => {
  const rig = new SessionRig();
  const time = () => rig.lab.engine.nowNs;
  const before = time();
  assertEquals(rig.run("timeout 0.5 sleep 9").status, 124);
  assertMatch(String((time() - before) / 1e9), /^0\.50/);
  assertEquals(rig.run("timeout 1m sh -c 'exit 7'").status, 7);
  assertEquals(rig.run("timeout -s KILL 0.1 sleep 9").status, 137);
  assertEquals(rig.run("timeout 0.1 sh -c 'while :; do :; done'").status, 124);
  assertEquals(rig.ok("ps -C bash -o pid= || echo none"), "none\n");
  assertEquals(
    rig.run("timeout 1 nosuch").err,
    "timeout: failed to run command 'nosuch': No such file or directory\n",
  );
  assertEquals(rig.run("timeout x true").status, 125);
  assertMatch(
    rig.run("timeout 0.1 cyclictest -q -n -p 99").out,
    /^T: 0 \( *\d+\) P:99 I:1000 C: +(99|100|101) Min:/m,
  );
  assertEquals(rig.ok("nohup echo hi"), "hi\n");
});

Deno.test("sudo runs a command as it is: a filter behind a pipe, a shell with its redirections, a program", () => {
  const rig = new SessionRig();
  rig.ok("echo 0 | sudo tee /sys/devices/system/cpu/cpu3/online > /dev/null");
  assertEquals(
    rig.ok("sudo -n sh -c 'echo 0 > /sys/devices/system/cpu/cpu2/online'; sudo -u root nproc"),
    "2\n",
  );
  assertEquals(rig.run("sudo nosuch"), { status: 1, out: "", err: "sudo: nosuch: command not found\n" });
  assertEquals(rig.run("sudo -u bob ls").err, "sudo: unknown user bob\n");
  assertEquals(rig.run("sudo -i").err, "sudo: option -i is not modelled\n");
});

Deno.test("help says of a tool that is not modelled what there is instead", () => {
  const { status, err } = new SessionRig().run("help turbostat");
  assertEquals([status, err.split("\n")[0]], [
    1,
    "x.rtk: line 1: help: turbostat is not modelled: the clock does not change, and idle CPUs are in C1; see rdmsr, /proc/stat",
  ]);
});

Deno.test("a tool of the field that is not modelled says so by name, and what there is instead", () => {
  const rig = new SessionRig();
  for (
    const [line, note] of [["hwlatdetect --duration 10", "SMIs"], ["turbostat", "rdmsr"], [
      "bpftrace -l",
      "perf stat",
    ]]
  ) {
    const { status, err } = rig.run(line!);
    const name = line!.split(" ")[0];
    assertEquals(status, 127);
    assertMatch(
      err,
      new RegExp(`^x\\.rtk: line 1: ${name}: command not found\nnote: ${name} is not modelled: .*${note}`),
    );
  }
});
