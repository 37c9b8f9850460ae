/**
 * mpstat. The layout is that of sysstat 12.6.1, recorded on Debian 12 with two CPUs:
 *
 * ```text
 * Linux 6.18.44 (vm) 	11/30/26 	_x86_64_	(2 CPU)
 *
 * 10:24:04     CPU    %usr   %nice    %sys %iowait    %irq   %soft  %steal  %guest  %gnice   %idle
 * 10:24:05     all   64.50    0.00    3.00    0.00    0.00    0.50    0.00    0.00    0.00   32.00
 *
 * 10:24:04     CPU    intr/s
 * 10:24:05       1    380.20
 *
 * Average:     CPU    intr/s
 * ```
 *
 * That of 10.0.5 has no %gnice, a row of zeros for a CPU that is offline, and `-P ON`.
 */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const HEAD = "CPU    %usr   %nice    %sys %iowait    %irq   %soft  %steal  %guest";

/** The rows of one CPU's shares, or of interrupts a second, below a time or `Average:`; by name of the CPU. */
function rows(text: string, first = "Average:"): Map<string, number[]> {
  return new Map(
    [...text.matchAll(/^(\S+) +(\w+) +([\d. ]+)$/gm)].filter(([, time]) => time === first)
      .map(([, , cpu, values]) => [cpu!, values!.split(/ +/).map(Number)]),
  );
}

/** Digits as nines, so that only the columns are compared; a number has as many digits in front of its point as it needs. */
function layout(text: string): string {
  return text.replaceAll(/ +\d+\.\d\d(?![.\d])/g, (field) => "9.99".padStart(field.length));
}

Deno.test("mpstat's layout is the recorded one; in 2012 there is no %gnice", () => {
  const expected = (time: string, row: string, more: string, fields: number) =>
    `\n${time}     ${HEAD}${more}   %idle\n${row}     all${"    9.99".repeat(fields)}\n` +
    `${row}       1${"    9.99".repeat(fields)}\n` +
    `\n${time}     CPU    intr/s\n${row}     all      9.99\n${row}       1      9.99\n`;
  const rig = new SessionRig();
  assertEquals(
    layout(rig.ok("mpstat -u -I SUM -P 1 -P ALL 1 1 | grep -v ' [023]   '")),
    "Linux 3.5.0-rc6 (host) \t09/06/12 \t_x86_64_\t(4 CPU)\n" +
      expected("00:00:00", "00:00:01", "", 9) + expected("Average:", "Average:", "", 9),
  );
  rig.ok("boot kvm --era today");
  assertEquals(
    layout(rig.ok("mpstat -u -I SUM -P ALL 1 1 | grep -v ' [023]   '")),
    "Linux 6.18.0 (host) \t09/06/12 \t_x86_64_\t(4 CPU)\n" +
      expected("00:00:00", "00:00:01", "  %gnice", 10) + expected("Average:", "Average:", "  %gnice", 10),
  );
});

Deno.test("mpstat shows what has a CPU to itself, a guest apart from the user", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(
    ". ./talk_setup.rtk; taskset -c 2 stress -c 1 -t 9 & sleep 1; ssh vm0 'while :; do :; done' & sleep 1",
  );
  const cpus = rows(rig.ok("mpstat -P ALL 2 1"), "Average:");
  const [usr] = cpus.get("2")!;
  assert(usr! > 99);
  const guest = cpus.get("3")!;
  assert(guest[7]! > 95 && guest[0]! < 2, String(guest));
});

Deno.test("interrupts a second are what /proc/interrupts has counted more, by CPU", () => {
  const rig = new SessionRig();
  const counted = () =>
    rig.ok("cat /proc/interrupts").split("\n").slice(1)
      .map((row) => row.trim().split(/ +/)).filter((row) => row.length > 4 && /^\d+$/.test(row[4]!))
      .reduce((sum, [, cpu0]) => sum + Number(cpu0), 0);
  const before = counted();
  const [rate] = rows(rig.ok("mpstat -I SUM -P 0 10 1")).get("0")!;
  const after = counted();
  assertAlmostEquals(rate! * 10, after - before, 20);
});

Deno.test("a CPU that is offline has a row of zeros in 2012, unless -P ON, and none today", () => {
  const offline = "echo 0 > /sys/devices/system/cpu/cpu2/online; mpstat -P";
  const rig = new SessionRig();
  assertEquals(rows(rig.ok(`${offline} ALL 1 1`)).get("2"), new Array(9).fill(0));
  assertEquals([...rows(rig.ok("mpstat -P ON 1 1")).keys()], ["all", "0", "1", "3"]);
  rig.ok("boot kvm --era today");
  assertEquals([...rows(rig.ok(`${offline} ALL 1 1`)).keys()], ["all", "0", "1", "3"]);
});

Deno.test("without an interval mpstat tells of the time since boot; with one, for ever, until a Ctrl-C; today it ends with averages", () => {
  const rig = new SessionRig();
  assertEquals(rig.ok("sleep 1; mpstat").split("\n").length, 5);
  assertEquals(rows(rig.run("timeout -s INT 2.5 mpstat 1").out).size, 0);
  rig.ok("boot kvm --era today");
  assertEquals([...rows(rig.run("timeout -s INT 2.5 mpstat 1").out).keys()], ["all"]);
});

Deno.test("what mpstat does not take ends with its usage, status 1", () => {
  const rig = new SessionRig();
  for (const words of ["-P 4", "-P x", "-I NONE", "-Z", "x", "1 0", "0 1", "1 2 3"]) {
    const { status, err } = rig.run(`mpstat ${words}`);
    assertEquals(status, 1, words);
    assert(err.startsWith("Usage: mpstat [ options ] [ <interval> [ <count> ] ]\nOptions are:\n"), words);
  }
  assertStringIncludes(rig.run("mpstat -I CPU").err, "mpstat: -I CPU is not modelled");
});
