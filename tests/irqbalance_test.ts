/**
 * irqbalance and the services of a computer: irqbalance(1), systemctl(1).
 */
import { assertEquals, assertMatch } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const AFFINITIES = "grep -H . /proc/irq/*/smp_affinity | sed 's,/proc/irq/,,; s,/smp_affinity,,'";

/** By interrupt: its mask. */
function affinities(rig: SessionRig): Record<string, string> {
  return Object.fromEntries(rig.ok(AFFINITIES).trimEnd().split("\n").map((line) => line.split(":")));
}

Deno.test("irqbalance -o leads interrupts once, after ten seconds, those of network cards to a processor each", () => {
  const rig = new SessionRig();
  const before = affinities(rig);
  rig.ok("irqbalance --oneshot; sleep 9");
  assertEquals(affinities(rig), before);
  assertEquals(rig.ok("sleep 2; pidof irqbalance || echo gone"), "gone\n");
  assertEquals(affinities(rig), { 1: "f", 40: "1", 41: "2", 42: "4", 43: "8" });
});

Deno.test("IRQBALANCE_BANNED_CPUS and -i: processors that get no interrupt, an interrupt that stays", () => {
  const rig = new SessionRig();
  rig.ok("IRQBALANCE_BANNED_CPUS=8 irqbalance -o -i 41; sleep 11");
  assertEquals(affinities(rig), { 1: "7", 40: "1", 41: "f", 42: "2", 43: "4" });
});

Deno.test("until 1.0.9 irqbalance leads interrupts to isolated processors, since then it does not: isolcpus alone is no protection", () => {
  for (const [era, masks] of [["2012", ["1", "2", "4", "8"]], ["today", ["1", "2", "1", "2"]]] as const) {
    const rig = new SessionRig();
    rig.ok(`boot kvm --era ${era} --append isolcpus=2,3; irqbalance -o; sleep 11`);
    const after = affinities(rig);
    assertEquals([40, 41, 42, 43].map((irq) => after[irq]), [...masks], era);
  }
});

Deno.test("the daemon places everything anew when a processor goes, and leaves alone what somebody else has written", () => {
  const rig = new SessionRig();
  rig.ok("irqbalance; sleep 11; echo 2 > /proc/irq/40/smp_affinity; sleep 20");
  assertEquals(affinities(rig)[40], "2");
  rig.ok("echo 0 > /sys/devices/system/cpu/cpu3/online; sleep 11");
  assertEquals(affinities(rig), { 1: "7", 40: "1", 41: "2", 42: "4", 43: "1" });
  assertEquals(rig.ok("killall irqbalance; pidof irqbalance || echo gone"), "gone\n");
});

Deno.test("systemctl starts and stops a service, and says by its status whether it runs: 0, or 3", () => {
  const rig = new SessionRig();
  assertEquals(rig.run("systemctl stop irqbalance").status, 0); // it does not run, and that is no error
  assertEquals(rig.run("systemctl is-active irqbalance"), { status: 3, out: "inactive\n", err: "" });
  rig.ok("systemctl start irqbalance.service; sleep 65");
  assertEquals(
    rig.ok("systemctl is-active irqbalance; pgrep -a irqbalance | cut -d' ' -f2-"),
    [
      "active\n/usr/sbin/irqbalance --foreground\n",
    ].join(""),
  );
  assertMatch(
    rig.ok("systemctl status irqbalance"),
    /^● irqbalance.service - irqbalance daemon\n {5}Loaded: loaded \(.*; disabled; .*\)\n {5}Active: active \(running\) since Thu 2012-09-06 00:00:\d\d UTC; 1min \ds ago\n {3}Main PID: \d+ \(irqbalance\)\n$/,
  );
  assertEquals(
    rig.run("systemctl stop irqbalance; pidof irqbalance; systemctl -q is-active irqbalance").status,
    3,
  );
});

Deno.test("a service reads its environment from /etc/sysconfig: systemctl restart after an edit bans a processor", () => {
  const rig = new SessionRig();
  rig.ok("systemctl start irqbalance; mkdir -p /etc/sysconfig");
  rig.ok(
    "echo 'IRQBALANCE_BANNED_CPUS=\"c\"' > /etc/sysconfig/irqbalance; systemctl restart irqbalance; sleep 11",
  );
  assertEquals(affinities(rig), { 1: "3", 40: "1", 41: "2", 42: "1", 43: "2" });
});

Deno.test("what is enabled or masked are links; a masked service does not start", () => {
  const rig = new SessionRig();
  assertEquals(rig.run("systemctl is-enabled irqbalance"), { status: 1, out: "disabled\n", err: "" });
  rig.ok("systemctl -q enable --now irqbalance");
  assertEquals(
    rig.ok(
      "systemctl is-enabled irqbalance; readlink /etc/systemd/system/multi-user.target.wants/irqbalance.service",
    ),
    "enabled\n/usr/lib/systemd/system/irqbalance.service\n",
  );
  assertEquals(
    rig.run("systemctl disable --now irqbalance").err,
    'Removed "/etc/systemd/system/multi-user.target.wants/irqbalance.service".\n',
  );
  const masked = rig.run("systemctl mask irqbalance; systemctl start irqbalance");
  assertEquals([masked.status, masked.err], [
    1,
    "Created symlink /etc/systemd/system/irqbalance.service → /dev/null.\n" +
    "Failed to start irqbalance.service: Unit irqbalance.service is masked.\n",
  ]);
});

Deno.test("a service that there is not is an error with systemctl's status; service and chkconfig lead to it", () => {
  const rig = new SessionRig();
  for (
    const [line, status, err] of [
      ["systemctl stop ksm", 5, "Failed to stop ksm.service: Unit ksm.service not loaded.\n"],
      ["systemctl start ksm", 5, "Failed to start ksm.service: Unit ksm.service not found.\n"],
      ["systemctl status ksm", 4, "Unit ksm.service could not be found.\n"],
      ["systemctl disable ksm", 1, "Failed to disable unit: Unit file ksm.service does not exist.\n"],
      ["systemctl stpo irqbalance", 1, "Unknown command verb stpo.\n"],
      ["service irqbalance stop", 0, "Redirecting to /bin/systemctl stop irqbalance.service\n"],
      [
        "chkconfig irqbalance off",
        0,
        "Note: Forwarding request to 'systemctl disable irqbalance.service'.\n",
      ],
    ] as const
  ) assertEquals(rig.run(line), { status, out: "", err });
});
