/**
 * tuned-adm: profiles that are set, verified and undone.
 *
 * What each profile sets, texts, statuses and the spelling of "Verfication" are those of TuneD 2.20 (`tuned.conf` of the
 * profiles, `admin.py`, `consts.py`).
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

/** A host of today. */
function today(append = ""): SessionRig {
  const rig = new SessionRig({ system: "kvm" });
  rig.run(`boot kvm --era today${append === "" ? "" : ` --append "${append}"`}`);
  return rig;
}

const HOLDS = "Verfication succeeded, current system settings match the preset profile.\n" +
  "See TuneD log file ('/var/log/tuned/tuned.log') for details.\n";
const STATE = "sysctl -a; cat /sys/kernel/mm/transparent_hugepage/enabled; nproc; " +
  "cat /proc/irq/{1,40,41,42,43}/smp_affinity /proc/irq/default_smp_affinity; " +
  "ps -eo pid,cls,rtprio,comm | grep -v 'ps$'; for pid in 2 7 10; do taskset -p $pid; done";

Deno.test("list shows the profiles in its columns, active says which is; none at first, with status 1", () => {
  const rig = today();
  assertEquals(
    rig.ok("tuned-adm list").split("\n").filter((line) => /virtual-host|^Avail|^No/.test(line)),
    [
      "Available profiles:",
      "- realtime-virtual-host       - Optimize for KVM guests running realtime workloads",
      "No current active profile.",
    ],
  );
  assertEquals(rig.run("tuned-adm active"), { status: 1, out: "No current active profile.\n", err: "" });
  rig.ok("tuned-adm profile throughput-performance");
  assertEquals(rig.ok("tuned-adm active"), "Current active profile: throughput-performance\n");
  assertEquals(
    rig.ok("cat /etc/tuned/active_profile /etc/tuned/profile_mode"),
    "throughput-performance\nmanual\n",
  );
});

Deno.test("a profile sets what it includes too: realtime-virtual-host is realtime, network-latency, latency-performance", () => {
  const rig = today();
  rig.ok("echo isolated_cores=2-3 > /etc/tuned/realtime-virtual-host-variables.conf");
  rig.ok("while :; do :; done & taskset -pc 3 $!; sleep 0.1");
  rig.ok("tuned-adm profile realtime-virtual-host");
  assertEquals(rig.ok("sysctl -n vm.swappiness kernel.sched_rt_runtime_us"), "10\n-1\n");
  assertEquals(rig.ok("cat /sys/kernel/mm/transparent_hugepage/enabled"), "always madvise [never]\n");
  assertEquals(
    rig.ok("ps -eo comm,cls,rtprio | grep ksoftirqd | sort -u | tr -s ' ' | head -n 1"),
    "ksoftirqd/0 FF 2\n",
  );
  assertEquals(
    rig.ok("cat /proc/irq/{40,43}/smp_affinity /proc/irq/default_smp_affinity; nproc"),
    "3\n3\n3\n2\n",
  );
  assertMatch(rig.ok("taskset -pc $!; ps -p $! -o psr="), /list: 0,1\n {2}[01]\n$/);
  assertEquals(
    rig.ok("cat /etc/tuned/bootcmdline"),
    'TUNED_BOOT_CMDLINE="skew_tick=1 isolcpus=managed_irq,domain,2-3 intel_pstate=disable nosoftlockup tsc=reliable ' +
      'nohz=on nohz_full=2-3 rcu_nocbs=2-3 irqaffinity=0,1"\n',
  );
});

Deno.test("off puts everything back; so does the next profile before it is set", () => {
  const rig = today();
  const before = rig.ok(STATE);
  rig.ok("tuned-adm profile realtime; tuned-adm off");
  assertEquals(rig.ok(STATE), before);
  rig.ok("tuned-adm profile realtime; tuned-adm profile latency-performance; tuned-adm off");
  assertEquals(rig.ok(STATE), before);
  rig.ok("tuned-adm profile realtime; tuned-adm profile latency-performance");
  assertEquals(rig.ok("nproc; sysctl -n vm.swappiness kernel.sched_rt_runtime_us"), "4\n10\n950000\n");
});

Deno.test("the service keeps a profile: stop undoes it, start sets it again; in 2012 there is none", () => {
  const rig = today();
  rig.ok("systemctl enable --now tuned; tuned-adm profile realtime");
  assertEquals(
    rig.ok("systemctl is-active tuned; tuned-adm active"),
    "active\nCurrent active profile: realtime\n",
  );
  rig.ok("systemctl stop tuned");
  assertEquals(rig.ok("sysctl -n kernel.sched_rt_runtime_us; nproc"), "950000\n4\n");
  assertEquals(
    rig.ok("tuned-adm active"),
    "It seems that tuned daemon is not running, preset profile is not activated.\nPreset profile: realtime\n",
  );
  rig.ok("systemctl start tuned; sleep 0.1");
  assertEquals(
    rig.ok("sysctl -n kernel.sched_rt_runtime_us; nproc; tuned-adm active"),
    "-1\n1\nCurrent active profile: realtime\n",
  );
  assertEquals(
    new SessionRig().run("systemctl start tuned").err,
    "Failed to start tuned.service: Unit tuned.service not found.\n",
  );
});

Deno.test("qemu's threads stay on isolated cores under realtime-virtual-host, under realtime they leave", () => {
  for (const [profile, cpu] of [["realtime-virtual-host", "  3"], ["realtime", "  0"]] as const) {
    const rig = today();
    rig.ok("qemu-system-x86_64 -enable-kvm -name vm0 -m 1024 -cpu host -nographic & sleep 1");
    rig.ok(`echo isolated_cores=1-3 > /etc/tuned/${profile}-variables.conf`);
    rig.ok("for thread in $(ps -L -C qemu-system-x86_64 -o tid=); do taskset -pc 3 $thread; done");
    rig.ok("for pid in $(pidof qemu-system-x86_64); do echo qemu-kvm > /proc/$pid/comm; done");
    rig.ok(`tuned-adm profile ${profile}`);
    assertEquals(rig.ok("ps -C qemu-kvm -o psr="), `${cpu}\n`, profile);
  }
});

Deno.test("verify fails with what its log says, until the kernel is started with the profile's words", () => {
  const rig = today();
  rig.ok("echo isolated_cores=3 > /etc/tuned/realtime-variables.conf; tuned-adm profile realtime");
  const { status, out } = rig.run("tuned-adm verify");
  assertEquals([status, out.split("\n")[0]], [
    1,
    "Verification failed, current system settings differ from the preset profile.",
  ]);
  assertStringIncludes(
    rig.ok("cat /var/log/tuned/tuned.log"),
    "verify: failed: cmdline arg 'isolcpus' is missing, expected 'isolcpus=managed_irq,domain,3'\n",
  );
  const started = today("isolcpus=managed_irq,domain,3");
  started.ok("echo isolated_cores=3 > /etc/tuned/realtime-variables.conf; tuned-adm profile realtime");
  assertEquals(started.ok("tuned-adm verify"), HOLDS);
  started.ok("echo 8 > /proc/irq/40/smp_affinity; sysctl -q -w vm.swappiness=60");
  assertEquals(started.run("tuned-adm verify").status, 1);
  assertEquals(
    started.ok("cat /var/log/tuned/tuned.log").split("\n").filter((line) => line !== "").map((line) =>
      line.slice(16)
    ),
    [
      "verify: failed: '/proc/sys/vm/swappiness' = '60', expected '10'",
      "verify: failed: 'SMP affinity of IRQ 40' = '3', expected '0-2'",
    ],
  );
});

Deno.test("what the model lacks is named: files that are not there, words that the kernel would not take", () => {
  const { err } = today().run("tuned-adm profile network-latency");
  assertEquals(err.split("\n"), [
    "note: not modelled, and left out: vm.dirty_ratio, vm.dirty_background_ratio, net.core.busy_read, " +
    "net.core.busy_poll, net.ipv4.tcp_fastopen, kernel.numa_balancing, force_latency=cstate.id_no_zero:1|3, " +
    "energy_perf_bias=performance, min_perf_pct=100",
    "note: not modelled, of what is for the next boot: skew_tick=1",
    "",
  ]);
  assertStringIncludes(
    today().run("tuned-adm profile realtime").err,
    'note: takes effect at the next boot: boot --append "isolcpus=managed_irq,domain,1,2,3"\n',
  );
});

Deno.test("tuned-adm fails as the real one does; in 2012 it says what there is instead", () => {
  const rig = today();
  const before = rig.ok(STATE);
  for (
    const [script, err] of [
      ["tuned-adm profile nosuch", "Requested profile 'nosuch' doesn't exist.\n"],
      [
        "echo isolated_cores=2-9 > /etc/tuned/realtime-variables.conf; tuned-adm profile realtime",
        "Unable to switch profile: Assertion 'isolated_cores contains online CPU(s)' failed.\n",
      ],
      [
        "echo isolated_cores= > /etc/tuned/realtime-variables.conf; tuned-adm profile realtime",
        "Unable to switch profile: Assertion 'isolated_cores are set' failed.\n",
      ],
      ["tuned-adm profile_info", "tuned-adm: profile_info is not modelled\n"],
    ] as const
  ) assertEquals(rig.run(script), { status: 1, out: "", err }, script);
  assertEquals(rig.ok(STATE), before);
  assertEquals(rig.run("tuned-adm nosuch").status, 2);
  assertEquals(
    new SessionRig().run("tuned-adm profile latency-performance").err,
    "tuned-adm: profiles of 2012 are not modelled: see examples/setup/realtime_host.rtk, or set -o era=today\n",
  );
});
