/**
 * cset: shields, sets, and the tasks in them.
 *
 * Texts, columns and statuses are those of cpuset 1.6, from its tutorial and its source; what the kernel refuses is in
 * `cpuset_test.ts`.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const rigOf = () => new SessionRig({ system: "kvm" });

Deno.test("a shield is two exclusive sets; programs and what shells start are in the one without it", () => {
  const rig = rigOf();
  rig.ok("while :; do :; done & taskset -pc 3 $!; sleep 0.1");
  assertEquals(
    rig.ok("cset shield --cpu=3"),
    "cset: --> activating shielding:\ncset: moving 2 tasks from root into system cpuset...\n" +
      'cset: "system" cpuset of CPUSPEC(0-2) with 2 tasks running\n' +
      'cset: "user" cpuset of CPUSPEC(3) with 0 tasks running\n',
  );
  assertMatch(rig.ok("taskset -pc $!; ps -p $! -o psr="), /list: 0-2\n {2}[0-2]\n$/);
  assertEquals(rig.ok("cat /cpusets/{user,system}/{cpus,mems,cpu_exclusive} | xargs"), "3 0 1 0-2 0 1\n");
  assertEquals(rig.ok("nproc; cat /proc/self/cpuset"), "3\n/system\n");
  assertEquals(
    rig.ok("cset shield").replaceAll(/with \d+ tasks?/g, "with N"),
    'cset: --> shielding system active with\ncset: "system" cpuset of CPUSPEC(0-2) with N running\n' +
      'cset: "user" cpuset of CPUSPEC(3) with N running\n',
  );
});

Deno.test("--shield puts tasks behind it, --unshield takes them out, --exec starts a program there", () => {
  const rig = rigOf();
  rig.ok("cset shield -c 3; sleep 99 &");
  assertEquals(
    rig.ok("cset shield -s -p $!").replace(/\d+/, "PID"),
    "cset: --> shielding following pidspec: PID \ncset: done\n",
  );
  assertMatch(rig.ok("taskset -pc $!"), /list: 3\n$/);
  assertMatch(
    rig.ok("cset shield --shield --verbose"),
    /^cset: "user" cpuset of CPUSPEC\(3\) with 1 task running\n {3}USER {7}PID {2}PPID SPPr TASK NAME\n {3}-{8} -{5} -{5} -{4} -{9}\n {3}root {5} *\d+ {5}- Soth sleep 99 \ncset: done\n$/,
  );
  rig.ok("cset shield -u -p $!");
  assertMatch(rig.ok("taskset -pc $!"), /list: 0-2\n$/);
  assertMatch(
    rig.ok("cset shield -e -- ps -C ps -o psr="),
    /^cset: --> last message, executed args into cpuset "\/user", new pid is: \d+\n {2}3\n$/,
  );
  const { status, out } = rig.run("cset shield -s -p 2");
  assertEquals([status, out.split("\n").slice(1)], [2, [
    'cset: **> skipped 1 task, not in origination set "system"',
    "cset: --> hint: perhaps use --force if sure of command",
    "cset: **> tasks do not match all criteria, none moved",
    "",
  ]]);
});

Deno.test("-k leads kernel threads too, but those that are bound; kthreadd stays, as the kernel says", () => {
  const rig = rigOf();
  rig.ok("cset shield -c 3");
  assertEquals(
    rig.ok("cset shield -k on"),
    "cset: --> activating kthread shielding\ncset: kthread shield activated, moving 2 tasks into system cpuset...\n" +
      "cset: **> 1 tasks are not movable, impossible to move\ncset: done\n",
  );
  assertEquals(rig.ok("cat /proc/7/cpuset /proc/2/cpuset /proc/18/cpuset | xargs"), "/system / /\n");
  rig.ok("cset shield -k off");
  assertEquals(rig.ok("cat /proc/7/cpuset"), "/\n");
});

Deno.test("another --cpu changes a shield, --reset takes it away: everything may run everywhere again", () => {
  const rig = rigOf();
  rig.ok("cset shield -c 3; sleep 99 & cset shield -s -p $!");
  assertStringIncludes(rig.ok("cset shield -c 1-2"), "cset: --> shielding modified with:\n");
  assertMatch(rig.ok("cat /cpusets/{user,system}/cpus; taskset -pc $!"), /^1-2\n0,3\n.* list: 1,2\n$/);
  assertMatch(
    rig.ok("cset shield --reset"),
    /^cset: --> deactivating\/reseting shielding\ncset: moving 1 tasks from "\/user" user set to root set\.\.\.\ncset: moving \d tasks from "\/system" system set to root set\.\.\.\ncset: deleting "\/user" and "\/system" sets\ncset: done\n$/,
  );
  assertMatch(
    rig.ok("nproc; taskset -pc $!; ls -d /cpusets/* | grep -c user || true"),
    /^4\n.* list: 0-3\n0\n$/,
  );
});

Deno.test("set makes, changes, lists and destroys sets; more than three tasks are moved with a bar", () => {
  const rig = rigOf();
  assertEquals(rig.ok("cset set -c 2-3 -s rt"), 'cset: --> created cpuset "rt"\n');
  assertEquals(rig.ok("cset set -c 3 rt"), 'cset: --> modified cpuset "rt"\n');
  rig.ok("cset set -c 3 /rt/inner");
  assertEquals(
    rig.ok("cset set -l -r").replace(/ +\d+( +1 \/)$/m, "    N$1"),
    "cset: \n         Name       CPUs-X    MEMs-X Tasks Subs Path\n" +
      " ------------ ---------- - ------- - ----- ---- ----------\n" +
      "         root        0-3 y       0 y    N    1 /\n" +
      "           rt          3 n       0 n     0    1 /rt\n" +
      "        inner          3 n       0 n     0    0 /rt/inner\n",
  );
  assertEquals(
    rig.run("cset set -d rt").out,
    'cset: **> cpuset "/rt" has subsets, delete them first, or use --recurse\n',
  );
  rig.ok(
    "cset set -d inner; for i in 1 2 3 4; do sleep 9 & pids=${pids:+$pids,}$!; done; cset proc -m $pids rt",
  );
  assertEquals(
    rig.ok("cset set -d rt"),
    `cset: --> processing cpuset "rt", moving 4 tasks to parent "/"...\n[${"=".repeat(50)}]%\n` +
      'cset: --> deleting cpuset "/rt"\ncset: done\n',
  );
});

Deno.test("proc moves what it is told: pids, programs of a set, kernel threads with -k", () => {
  const rig = rigOf();
  rig.ok("cset set -c 2-3 rt; sleep 99 &");
  assertEquals(
    rig.ok("cset proc -m $! rt").replace(/\d+/, "PID"),
    "cset: moving following pidspec: PID\ncset: moving 1 userspace tasks to /rt\ncset: done\n",
  );
  assertEquals(
    rig.ok("cset proc -k -f root -t rt"),
    "cset: moving all kernel threads from / to /rt\ncset: moving 2 kernel threads to: /rt\n" +
      "cset: --> not moving 16 threads (not unbound, use --force)\n" +
      "cset: **> 1 tasks are not movable, impossible to move\ncset: done\n",
  );
  assertEquals(
    rig.ok("cset proc -l rt").replace(/root +\d+( +- Soth sleep)/, "root PID$1"),
    'cset: "rt" cpuset of CPUSPEC(2-3) with 2 tasks running\n USER       PID  PPID SPPr TASK NAME\n' +
      " -------- ----- ----- ---- ---------\n root         7     - Soth [kworker/u:0]\n root PID     - Soth sleep 99 \n",
  );
  assertEquals(
    rig.run("cset proc -m 7 root").out.split("\n").at(-2),
    "cset: **> if you want to move kernel threads, use -k",
  );
});

Deno.test("cset fails as the real one does, with status 2", () => {
  const rig = rigOf();
  for (
    const [line, text] of [
      ["shield", "shielding not active on system"],
      ["shield -c 4", 'CPUSPEC "4" specifies higher max(4) than available(3)'],
      ["shield -c a", 'CPUSPEC "a" contains invalid charaters: a'],
      ["set -c 1-2-3 x", 'CPUSPEC "1-2-3" has bad group "1-2-3"'],
      ["set -d nosuch", 'cpuset "nosuch" not found in cpusets'],
      ["proc -l", "cpuset not specified"],
      ["proc -m -f root", "destination cpuset not specified"],
    ] as const
  ) assertEquals(rig.run(`cset ${line}`), { status: 2, out: `cset: **> ${text}\n`, err: "" }, line);
  assertEquals(rig.run("cset foo"), {
    status: 1,
    out: 'cset: Unknown command: foo\ncset: Try "cset help" for a list of supported commands\n',
    err: "",
  });
  assertEquals(
    rig.run("cset sh").out,
    "cset: **> shielding not active on system\n",
    "what is left out is clear",
  );
  rig.ok("cset set -c 3 taken; echo 1 > /cpusets/taken/cpu_exclusive");
  assertEquals(rig.run("cset shield -c 3"), {
    status: 2,
    out:
      "cset: --> failed to create shield, hint: do other cpusets exist?\ncset: **> [Errno 22] Invalid argument\n",
    err: "",
  });
  assertEquals(rig.ok("ls -d /cpusets/* | grep -E 'user|system|taken'"), "/cpusets/taken\n");
});

Deno.test("cset finds the sets where they are mounted already, as a cgroup too", () => {
  const rig = rigOf();
  rig.ok("mkdir /dev/cpuset; mount -t cgroup -o cpuset none /dev/cpuset; cset shield -c 2-3");
  assertEquals(
    rig.ok("cat /dev/cpuset/user/cpuset.cpus; ls /cpusets 2> /dev/null || echo none"),
    "2-3\nnone\n",
  );
});
