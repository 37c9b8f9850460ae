/**
 * vmstat. The layout is that of procps 4.0.2, recorded on Debian 12:
 *
 * ```text
 * procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----
 *  r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st
 *  3  0      0 21980076  64128 2097328    0    0    58   170  343  676 67 14 19  0  0
 * ```
 *
 * That of 3.2.8 ends with `wa`. On the recorded machine `/proc/stat` had 35,773,283 interrupts in 10,421,510 ticks of its two
 * CPUs: 343 in a hundred of them.
 */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const HEADS = {
  then: "procs -----------memory---------- ---swap-- -----io---- -system-- ----cpu----\n" +
    " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa\n",
  now: "procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----\n" +
    " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st\n",
};

/** The values of each line, by name. */
function lines(text: string): Record<string, number>[] {
  const [, names = "", ...rows] = text.trimEnd().split("\n");
  const keys = names.trim().split(/ +/);
  return rows.map((row) => {
    const values = row.trim().split(/ +/).map(Number);
    assertEquals(values.length, keys.length);
    return Object.fromEntries(keys.map((key, i) => [key, values[i]!]));
  });
}

Deno.test("vmstat's head is the recorded one, in 2012 without st; values end where their names do", () => {
  const rig = new SessionRig();
  const text = rig.ok("vmstat");
  assertEquals(text.slice(0, HEADS.then.length), HEADS.then);
  // 16 GiB have eight digits, in a field of six, as recorded.
  assertEquals(text.split("\n")[2]!.replace("16777216", "999999").length, HEADS.then.split("\n")[1]!.length);
  rig.ok("boot kvm --era today");
  assertEquals(rig.ok("vmstat").slice(0, HEADS.now.length), HEADS.now);
});

Deno.test("the shares of an interval are those of the CPUs together; an endless loop on one of four is a quarter", () => {
  const rig = new SessionRig({ system: "kvm" });
  const [, ...each] = lines(rig.ok("while :; do :; done & vmstat 1 4"));
  assertEquals(each.map(({ us, id, r }) => [us, id, r]), [[25, 75, 2], [25, 75, 2], [25, 75, 2]]);
});

Deno.test("the first line is since boot, by the second of a CPU", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok("sleep 10");
  const [, ticks, interrupts] = /^cpu {2}(.*)\n[^]*^intr (\d+)/m.exec(rig.ok("cat /proc/stat"))!;
  const total = ticks!.split(" ").slice(0, 8).reduce((sum, text) => sum + Number(text), 0);
  assertAlmostEquals(lines(rig.ok("vmstat"))[0]!["in"]!, Number(interrupts) * 100 / total, 1);
});

Deno.test("the head comes again after 21 lines, with -n never", () => {
  const rig = new SessionRig();
  const heads = (script: string) => rig.ok(script).match(/^procs/gm)!.length;
  assertEquals(heads("vmstat 1 22"), 2);
  assertEquals(heads("vmstat -n 1 22"), 1);
});

Deno.test("what vmstat does not take ends with status 1, in its own words", () => {
  const rig = new SessionRig();
  const said = (words: string) => {
    const { status, err } = rig.run(`vmstat ${words}`);
    return [status, err.split("\n")[0]];
  };
  assertEquals(said("0"), [1, "vmstat: delay must be positive integer"]);
  assertEquals(said("1 x"), [1, "vmstat: failed to parse argument: 'x'"]);
  assertEquals(said("1.5"), [1, "vmstat: failed to parse argument: '1.5'"]);
  assertEquals(said("-Z"), [1, "vmstat: invalid option -- 'Z'"]);
  assertEquals(said("-d"), [1, "vmstat: option -d is not modelled"]);
});
