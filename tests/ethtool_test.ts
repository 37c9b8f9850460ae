/**
 * ethtool on the 82599 and its virtual function: texts, moderation by EITR, what it refuses.
 *
 * Layouts and errors are those of ethtool 6.1, captured on Debian 12, and of ethtool 3.4 by its source; which driver has what,
 * and the register's value, from `ixgbe_ethtool.c` and ixgbevf's `ethtool.c` of Linux 3.5 and 6.18; the register's unit from
 * the 82599's datasheet.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

/** Stock KVM, or no guest, in an era. */
function host(era: "2012" | "today", system = "kvm"): SessionRig {
  const rig = new SessionRig({ system });
  rig.run(`boot ${system} --era ${era}`);
  return rig;
}

/** Both streams and the status. */
function said(rig: SessionRig, script: string): [status: number, text: string] {
  const { status, out, err } = rig.run(script);
  return [status, out + err];
}

Deno.test("ethtool -i names driver, version and place; today's drivers bear the kernel's version", () => {
  assertEquals(
    host("today").ok("ethtool -i eth1"),
    "driver: ixgbe\nversion: 6.18.0\nfirmware-version: \nexpansion-rom-version: \nbus-info: 0000:04:00.0\n" +
      "supports-statistics: yes\nsupports-test: no\nsupports-eeprom-access: no\nsupports-register-dump: no\n" +
      "supports-priv-flags: no\n",
  );
  assertMatch(
    host("2012").ok("ethtool --driver eth2"),
    /^driver: ixgbevf\nversion: 2\.6\.0-k\nfirmware-version: N\/A\nbus-info: 0000:05:00\.0\n/,
  );
});

Deno.test("ethtool -c has its blocks: n/a by netlink, 0 by ioctl, where the driver does not tell", () => {
  const rates = (none: string) =>
    ["low", "high"].map((rate) =>
      ["rx", "tx"].map((way) => `${way}-usecs-${rate}: ${none}\n${way}-frame-${rate}: ${none}\n`).join("") +
      "\n"
    ).join("");
  const ways = (none: string) =>
    [["rx", 1], ["tx", 0]].map(([way, usecs]) =>
      `${way}-usecs: ${usecs}\n${way}-frames: ${none}\n${way}-usecs-irq: ${none}\n${way}-frames-irq: ${none}\n\n`
    ).join("");
  const text = (adaptive: string, none: string) =>
    `Coalesce parameters for eth1:\nAdaptive RX: ${adaptive}  TX: ${adaptive}\nstats-block-usecs: ${none}\n` +
    `sample-interval: ${none}\npkt-rate-low: ${none}\npkt-rate-high: ${none}\n\n${ways(none)}${rates(none)}`;
  assertEquals(host("today").ok("ethtool -c eth1"), `${text("n/a", "n/a")}CQE mode RX: n/a  TX: n/a\n\n`);
  assertEquals(host("2012").ok("ethtool --show-coalesce eth1"), text("off", "0"));
});

Deno.test("rx-usecs N is N us in EITR, in units of 2.048 us: the card's and a virtual function's", () => {
  const rig = host("today");
  const { nic } = rig.lab;
  const interval = (device: string, usecs: number) => {
    rig.ok(`ethtool -C ${device} rx-usecs ${usecs}`);
    assertStringIncludes(rig.ok(`ethtool -c ${device}`), `\nrx-usecs: ${usecs}\n`);
    return (device === "eth1" ? nic : nic.vf(0)).interrupts.intervalNs(0);
  };
  for (const device of ["eth1", "eth2"]) {
    assertEquals(interval(device, 100), 50 * 2048, device); // 400 quarters of a us, bits 11:3
    assertEquals(interval(device, 1022), 511 * 2048, device);
    assertEquals(interval(device, 0), 0, device);
    assertEquals(interval(device, 1), 25 * 2048, device); // 20,000 a second, where the classes of traffic begin
  }
});

Deno.test("every queue has the interval, the vector of other causes keeps its own", () => {
  const rig = host("today");
  rig.ok("boot --append ixgbe.max_vfs=0"); // without virtual functions it has a queue for each CPU
  const { interrupts } = rig.lab.nic;
  const other = interrupts.intervalNs(4);
  rig.ok("ethtool -C eth1 rx-usecs 250");
  assertEquals(
    [0, 1, 2, 3].map((vector) => interrupts.intervalNs(vector)),
    [0, 1, 2, 3].map(() => 125 * 2048),
  );
  assertEquals(interrupts.intervalNs(4), other);
  assertMatch(rig.ok("ethtool -l eth1"), /Combined:\t63\nCurrent [^]*\nOther:\t\t1\nCombined:\t4\n$/);
});

Deno.test("under bulk traffic there are 1e6/N interrupts a second, whatever the driver would have chosen", () => {
  const rig = host("today", "bare-metal");
  rig.run("ssh vm0 iperf -s > /dev/null & sleep 0.1");
  const count = () => Number(/^ *40: +(\d+) /m.exec(rig.ok("cat /proc/interrupts"))![1]);
  const perSecond = (usecs: number) => {
    rig.ok(`ethtool -C eth1 rx-usecs ${usecs}`);
    const before = count();
    rig.ok("ssh peer iperf -c vm0 -t 1");
    return count() - before;
  };
  const slow = perSecond(500);
  assert(slow > 1930 && slow < 1980, `${slow}`); // 250 units: 512 us
  const byTraffic = perSecond(1);
  assert(byTraffic > 7900 && byTraffic < 8200, `${byTraffic}`); // bulk: 8,000
  const every = perSecond(0);
  assert(every > 20_000, `${every}`);
  const packets = /\n {5}rx_packets: (\d+)\n {5}rx_missed_errors: 0\n/.exec(rig.ok("ethtool -S eth1"))!;
  assert(Number(packets[1]) > 3 * 700_000, packets[1]); // 9.4 Gb/s in frames of 1538 bytes
});

Deno.test("what a driver of 2012 does not have yet, and what its card cannot hold", () => {
  const rig = host("2012");
  for (
    const [options, status, text] of [
      [
        "-c eth2",
        82,
        "Coalesce parameters for eth2:\nCannot get device coalesce settings: Operation not supported\n",
      ],
      ["-C eth2 rx-usecs 10", 76, "Cannot get device coalesce settings: Operation not supported\n"],
      [
        "-l eth1",
        1,
        "Channel parameters for eth1:\nCannot get device channel parameters\n: Operation not supported\n",
      ],
      ["-C eth1 rx-usecs 1023", 81, "Cannot set device coalesce parameters: Invalid argument\n"],
      ["-C eth1 tx-usecs 10", 81, "Cannot set device coalesce parameters: Invalid argument\n"],
      ["-C eth1 rx-usecs 1", 80, "rx-usecs unmodified, ignoring\nno coalesce parameters changed, aborting\n"],
      [
        "-C eth1 rx-usec 1",
        1,
        "ethtool: bad command line argument(s)\nFor more information run ethtool -h\n",
      ],
      ["-i", 1, "ethtool: bad command line argument(s)\nFor more information run ethtool -h\n"],
      ["-i eth9", 71, "Cannot get driver information: No such device\n"],
      ["-k eth1", 1, "ethtool: option -k is not modelled\n"],
    ] as const
  ) assertEquals(said(rig, `ethtool ${options}`), [status, text], options);
});

Deno.test("today's errors are netlink's", () => {
  const rig = host("today");
  const unsupported = "netlink error: cannot modify an unsupported parameter (offset 36)\n";
  const gone = "netlink error: no device matches name (offset 24)\nnetlink error: No such device\n";
  for (
    const [options, status, text] of [
      ["-C eth1 rx-usecs 1023", 1, "netlink error: Invalid argument\n"],
      ["-C eth1 adaptive-rx on", 1, `${unsupported}netlink error: Invalid argument\n`],
      ["-C eth1 rx-usecs", 1, "ethtool (-C): no value for parameter 'rx-usecs'\n"],
      ["-C eth1 foo 3", 1, "ethtool (-C): unknown parameter 'foo'\n"],
      ["-C eth1 rx-usecs x", 1, "ethtool (-C): invalid value 'x' for parameter 'rx-usecs'\n"],
      ["-C eth1", 0, ""],
      ["-l eth2", 1, "netlink error: Operation not supported\n"],
      ["-c nope", 1, gone],
      ["nope", 75, `No data available\n${gone.repeat(5)}`],
      ["-S nope", 96, "Cannot get stats strings information: No such device\n"],
      ["-c eth1 more", 1, "ethtool: unexpected parameter 'more'\n"],
    ] as const
  ) assertEquals(said(rig, `ethtool ${options}`), [status, text], options);
});

Deno.test("an interface goes with its driver, and a guest has the one that was assigned to it", () => {
  const rig = new SessionRig();
  rig.run(". /root/examples/talk_setup.rtk");
  assertEquals(said(rig, "ethtool -i eth2"), [71, "Cannot get driver information: No such device\n"]);
  assertStringIncludes(rig.ok("ssh vm0 ethtool -i eth1"), "driver: ixgbevf\nversion: 2.6.0-k\n");
  assertEquals(
    rig.ok("ethtool eth1"),
    "Settings for eth1:\n\tSpeed: 10000Mb/s\n\tDuplex: Full\n\tLink detected: yes\n",
  );
});
