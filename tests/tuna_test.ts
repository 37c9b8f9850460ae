/**
 * tuna: what it lists, and that threads, interrupts and shells go where it leads them.
 *
 * Columns, texts and statuses are those of tuna 0.15 on Debian 12, where they were recorded; what it writes, from its source.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

/** Both streams and the status. */
function said(rig: SessionRig, script: string): [status: number, text: string] {
  const { status, out, err } = rig.run(script);
  return [status, out + err];
}

Deno.test("tuna -P and -Q have the real columns, and a head on the terminal alone", () => {
  const rig = new SessionRig({ system: "kvm" });
  assertEquals(
    rig.ok("tuna -t 'ksoftirqd/[13]' -P | cat"),
    "  10     OTHER     0        1     ksoftirqd/1  \n  18     OTHER     0        3     ksoftirqd/3  \n",
  );
  assertEquals(
    rig.ok("tuna --threads=kthreadd --show_threads"),
    "                      thread       \n    pid SCHED_ rtpri affinity             cmd \n" +
      "  2      OTHER     0  0,1,2,3        kthreadd  \n",
  );
  assertEquals(
    rig.ok("tuna -q 'eth1*,eth2:mbx' -Q"),
    "   # users            affinity\n  40 eth1-TxRx-0       0,1,2,3  ixgbe\n" +
      "  41 eth1              0,1,2,3  ixgbe\n  43 eth2:mbx          0,1,2,3 \n",
  );
  assertEquals(rig.ok("tuna -t nosuch -P; tuna -q nosuch -Q; tuna -t 999999 -P | cat"), "");
});

Deno.test("--isolate leads threads, interrupts, those to come, and what shells start away from the CPUs", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok("while :; do :; done & taskset -pc 3 $!; sleep 0.1");
  const bound = rig.ok("cat /proc/18/status | grep list");
  assertEquals(rig.ok("tuna --cpus=3 --isolate"), "");
  assertEquals(rig.ok("cat /proc/irq/{40,41,42,43,1}/smp_affinity | uniq -c | tr -s ' '"), " 4 7\n 1 1\n");
  assertEquals(rig.ok("cat /proc/irq/default_smp_affinity"), "7\n");
  // The loop had no other CPU: it has all of the others now.
  assertMatch(rig.ok("taskset -pc $!; ps -p $! -o psr="), /affinity list: 0-2\n {2}[0-2]\n$/);
  assertEquals(rig.ok("cat /proc/18/status | grep list"), bound, "ksoftirqd/3 is bound to its CPU");
  assertEquals(rig.ok("nproc; sh -c nproc"), "3\n3\n");
  assertEquals(rig.ok("taskset -c 3 ps -C ps -o psr="), "  3\n", "who asks for it gets it");
  rig.ok("tuna --cpus=3 --include");
  assertEquals(
    rig.ok("nproc; cat /proc/irq/{default_smp_affinity,40/smp_affinity,1/smp_affinity}"),
    "4\nf\nf\n9\n",
  );
});

Deno.test("sessions to come are led away too, as sshd is", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.run("boot kvm --era today");
  rig.ok(
    "qemu-system-x86_64 -enable-kvm -m 1024 -smp 2 -cpu host -nographic > /dev/null & sleep 1; ssh vm0 true",
  );
  rig.ok("ssh vm0 tuna --cpus=1 --isolate");
  assertEquals(
    rig.ok("ssh vm0 nproc; ssh vm0 taskset -c 1 nproc; ssh vm0 'tuna -c 1 -I'; ssh vm0 nproc"),
    "1\n1\n2\n",
  );
});

Deno.test("an interrupt that was led away does not arrive there", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.run("boot bare-metal --era today");
  rig.run("ssh vm0 iperf -s > /dev/null & sleep 0.1");
  const counts = () =>
    rig.ok("grep eth1-TxRx-0 /proc/interrupts").trim().split(/\s+/).slice(1, 5).map(Number);
  rig.ok("tuna -q eth1-TxRx-0 -c 2 -m; ssh peer iperf -c vm0 -t 0.2");
  const before = counts();
  assert(before[2]! > 1000, `${before}`);
  rig.ok("tuna isolate -c 2; ssh peer iperf -c vm0 -t 0.2");
  assertEquals(counts()[2], before[2]);
});

Deno.test("--move and --spread lead what is chosen; a + adds to a list, a - takes from it", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok("tuna -q 'eth*' -c 0-3 -c -1 --spread");
  assertEquals(rig.ok("cat /proc/irq/4?/smp_affinity_list | xargs"), "0 2 3 0\n");
  rig.ok("tuna -q 40 -q +42 -c 1 -m");
  assertEquals(rig.ok("cat /proc/irq/4?/smp_affinity_list | xargs"), "1 2 1 0\n");
  rig.ok("sleep 9 & tuna move -t $! -c 2");
  assertMatch(rig.ok("taskset -pc $!"), /list: 2\n$/);
  rig.ok("tuna -t $$ -c 1 -m");
  assertEquals(rig.ok("ps -C ps -o psr="), "  1\n");
});

Deno.test("--priority sets policy and priority, of all threads of a process with -C; --run starts a command with them", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok("qemu-kvm -m 1024 -cpu qemu64,+x2apic -enable-kvm -nographic; ssh vm0 true");
  rig.ok("tuna -t qemu-kvm -C -p fifo:7");
  assertEquals(rig.ok("ps -L -C qemu-kvm -o cls=,rtprio= | sort -u"), " FF      7\n");
  rig.ok("tuna priority rr:3 -t $(pidof qemu-kvm)");
  assertEquals(rig.ok("ps -L -C qemu-kvm -o cls=,rtprio= | sort -u"), " FF      7\n RR      3\n");
  rig.ok("tuna -t qemu-kvm -c 1 -m");
  assertEquals(rig.ok("ps -L -C qemu-kvm -o psr= | sort -u"), "  1\n", "with all its threads");
  assertEquals(rig.ok("tuna run -c 2 -p fifo:20 'ps -C ps -o psr=,cls=,rtprio='"), "  2  FF     20\n");
});

Deno.test("tuna fails as the real one does", () => {
  const rig = new SessionRig();
  for (
    const [options, status, text] of [
      ["-i", 2, "tuna: --isolate requires a cpu list!\n"],
      ["-m", 2, "tuna: --move requires a cpu list!\n"],
      ["-c 0 -m", 2, "tuna: --move requires a list of threads/irqs!\n"],
      ["-p fifo:10", 2, "tuna: -p requires a thread list!\n"],
      ["-t 2 -p fifo:100", 2, "tuna: [Errno 22] Invalid argument\n"],
      ["-t 2 -c 9 -m", 0, "thread 2 cannot be moved as requested\n"],
      ["-t ksoftirqd/1 -c 0 -m", 0, "thread 10 cannot be moved as requested\n"],
      ["-c 0-3 -i", 2, "Function: isolate_cpus , Invalid argument\n"],
      ["-c x -i", 0, "Usage: tuna [OPTIONS]\n"],
      ["-S 1 -i", 2, "tuna: invalid socket 1 sockets available: 0\n"],
      ["--foo", 2, "Usage: tuna [OPTIONS]\noption --foo not recognized\n"],
      ["-W", 2, "tuna: option -W is not modelled\n"],
    ] as const
  ) assertEquals(said(rig, `tuna ${options}`), [status, text], options);
  assertStringIncludes(said(rig, "tuna")[1], "the window is not modelled");
});
