/**
 * cpusets: what each write does and how it is refused, after `kernel/cpuset.c` of Linux 3.5 and
 * `Documentation/cgroups/cpusets.txt`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const MOUNTED = "mkdir /dev/cpuset && mount -t cpuset none /dev/cpuset && cd /dev/cpuset";
/** Groups a (CPUs 0-1) and b (CPU 2), with memory. */
const GROUPS = "mkdir a b; echo 0-1 > a/cpus; echo 2 > b/cpus; echo 0 > a/mems; echo 0 > b/mems";

/** A session on the host, in the mounted directory. */
function rig(script = GROUPS): SessionRig {
  const made = new SessionRig({ system: "kvm" });
  made.ok(`${MOUNTED}; ${script}`);
  return made;
}

/** `strerror` of a write that is refused; "": it was taken. */
function refused(on: SessionRig, text: string, file: string): string {
  return /: write error: (.*)\n$/.exec(on.run(`echo ${text} > ${file}`).err)?.[1] ?? "";
}

Deno.test("the root has all CPUs online and the memory, is exclusive, and cannot be changed", () => {
  const on = rig("");
  assertEquals(on.ok("cat cpus mems cpu_exclusive mem_exclusive sched_load_balance"), "0-3\n0\n1\n1\n1\n");
  assertEquals(refused(on, "0-1", "cpus"), "Permission denied");
  assertEquals(refused(on, "0", "mems"), "Permission denied");
  on.ok("echo 0 > /sys/devices/system/cpu/cpu2/online");
  assertEquals(on.ok("cat cpus"), "0-1,3\n");
});

Deno.test("a new group is empty, and takes no task before it has CPUs and memory", () => {
  const on = rig("mkdir rt; stress -c 1 & sleep 1");
  assertEquals(on.ok("cat rt/cpus rt/mems rt/cpu_exclusive rt/tasks"), "\n\n0\n");
  assertEquals(refused(on, "$!", "rt/tasks"), "No space left on device");
  assertEquals(on.run("echo 3 > rt/cpus").status, 0);
  assertEquals(refused(on, "$!", "rt/tasks"), "No space left on device");
  assertEquals(on.run("echo 0 > rt/mems; echo $! > rt/tasks").err, "");
  assertEquals(on.ok("cat rt/tasks; echo $!").split("\n").slice(0, 2).length, 2);
});

Deno.test("what is no list of CPUs, or not of those online, or not of the parent's, is refused", () => {
  const on = rig();
  for (const text of ["x", "2-1", "0,,1", "9", "0-4"]) {
    assertEquals(refused(on, text, "a/cpus"), "Invalid argument", text);
  }
  on.ok("mkdir a/inner");
  assertEquals(refused(on, "2", "a/inner/cpus"), "Permission denied");
  on.ok("echo 1 > a/inner/cpus");
  assertEquals(refused(on, "0", "a/cpus"), "Device or resource busy", "the group below has CPU 1");
  assertEquals(refused(on, "1", "a/mems"), "Invalid argument", "there is one node");
  assertEquals(refused(on, "yes", "a/cpu_exclusive"), "Invalid argument");
});

Deno.test("an exclusive group shares no CPU with a sibling, and its parent has to be exclusive too", () => {
  const on = rig();
  on.ok("echo 1 > b/cpu_exclusive");
  assertEquals(refused(on, "1-2", "a/cpus"), "Invalid argument");
  on.ok("echo 1,3 > a/cpus; mkdir a/inner; echo 3 > a/inner/cpus");
  assertEquals(refused(on, "1", "a/inner/cpu_exclusive"), "Permission denied");
  on.ok("echo 0 > b/cpu_exclusive; echo 1-3 > a/cpus");
  assertEquals(refused(on, "1", "b/cpu_exclusive"), "Invalid argument", "the sibling is in the way");
});

Deno.test("a task goes to the CPUs of its group at once, children inherit, and taskset cannot lead out", () => {
  const on = rig("stress -c 4 & sleep 1");
  on.ok(
    "mkdir rt; echo 3 > rt/cpus; echo 0 > rt/mems; pids=$(ps -eLo tid,comm | awk '$2 == \"stress\" { print $1 }')",
  );
  on.ok("for pid in $pids; do echo $pid > rt/tasks; done; sleep 0.1");
  const tasks = () => [...on.lab.host.tasks.values()].filter(({ name }) => name === "stress");
  assertEquals(tasks().map(({ cpu }) => cpu), [3, 3, 3, 3, 3]);
  assertEquals(on.ok("cat rt/tasks | wc -l").trim(), "5");
  const { err, status } = on.run("taskset -p 7 $(head -n 1 rt/tasks)");
  assertEquals([status, err.includes("Invalid argument")], [1, true]);
  on.ok("echo 2-3 > rt/cpus; taskset -p 4 $(head -n 1 rt/tasks)");
  assertEquals(tasks()[0]!.cpu, 2);
  on.ok("for pid in $pids; do echo $pid > tasks; done"); // back to the root
  assertEquals(on.ok("cat rt/tasks"), "");
  assert(tasks().every(({ allowed }) => allowed === 15));
});

Deno.test("threads of the kernel that are bound to a CPU stay: EINVAL; there is no such task: ESRCH", () => {
  const on = rig();
  const threads = [...on.lab.host.tasks.values()].filter(({ kernelThread }) => kernelThread);
  for (const { pid, bound, name } of threads) {
    const expected = bound || name === "kthreadd" ? "Invalid argument" : "";
    assertEquals(refused(on, String(pid), "a/tasks"), expected, name);
  }
  assertEquals(refused(on, "9999", "a/tasks"), "No such process");
  assertEquals(refused(on, "x", "a/tasks"), "Invalid argument");
});

Deno.test("what a shell in a group starts, runs in the group", () => {
  const on = rig("mkdir system; echo 0-2 > system/cpus; echo 0 > system/mems; echo $$ > system/tasks");
  on.ok("stress -c 3 & sleep 1");
  const cpus = [...on.lab.host.tasks.values()].filter(({ name }) => name === "stress").map(({ cpu }) => cpu);
  assert(cpus.length === 4 && !cpus.includes(3), `on CPUs ${cpus}`);
  assertEquals(on.ok("cat system/tasks | wc -l").trim(), "5"); // four, and cat
});

Deno.test("a thread is in the group of the thread that made it", () => {
  const on = new SessionRig({ system: "bare-metal" });
  on.ok(
    `. ./talk_setup.rtk; ${MOUNTED}; mkdir net; echo 0-2 > net/cpus; echo 0 > net/mems; echo $$ > net/tasks`,
  );
  on.ok("iperf -s > /dev/null & sleep 0.01; ssh peer iperf -c vm0 -t 1 > /dev/null & sleep 0.5");
  assertEquals([...on.lab.host.tasks.values()].filter(({ name }) => name === "iperf").length, 2); // listener, reader
  assertEquals(on.ok("cat net/tasks | wc -l").trim(), "3"); // those, and cat
});

Deno.test("a group with tasks or groups below is busy; an empty one can be removed", () => {
  const on = rig("mkdir a a/b; echo 0 > a/cpus; echo 0 > a/mems");
  assertEquals(on.run("rmdir a").err, "rmdir: failed to remove ‘a’: Device or resource busy\n");
  on.ok("rmdir a/b; rmdir a");
  assertEquals(on.run("cat a/cpus").status, 1);
  assertEquals(on.run("echo 1 > new").err.includes("Permission denied"), true);
  assertEquals(on.run("mkdir a; mkdir a").err.includes("File exists"), true);
});

Deno.test("a CPU that goes offline leaves its group for good; tasks of an empty one go to the group above", () => {
  const on = rig("mkdir rt; echo 2 > rt/cpus; echo 0 > rt/mems; stress -c 1 & sleep 1");
  on.ok("echo $! > rt/tasks; echo 0 > /sys/devices/system/cpu/cpu2/online");
  assertEquals(on.ok("cat rt/cpus rt/tasks"), "\n");
  on.ok("echo 1 > /sys/devices/system/cpu/cpu2/online");
  assertEquals(on.ok("cat rt/cpus cpus"), "\n0-3\n");
});

Deno.test("as a cgroup the files have a prefix; a type that there is not is unknown, status 32", () => {
  const on = new SessionRig({ system: "kvm" });
  on.ok("mkdir -p /dev/cgroup; mount -t cgroup -o cpuset none /dev/cgroup");
  assertEquals(on.ok("cat /dev/cgroup/cpuset.cpus"), "0-3\n");
  assertEquals(on.ok("ls /dev/cgroup | grep tasks"), "tasks\n");
  const said = (command: string) => {
    const { status, err } = on.run(command);
    return [status, err.split("\n")[0]];
  };
  assertEquals(said("mount -t cpuset none /dev/nowhere"), [
    32,
    "mount: mount point /dev/nowhere does not exist",
  ]);
  assertEquals(said("mount -t ext4 none /tmp"), [32, "mount: unknown filesystem type 'ext4'"]);
  assertEquals(said("mount -t cgroup -o cpuset none /dev/cgroup"), [
    32,
    "mount: none already mounted or /dev/cgroup busy",
  ]);
  assert(on.ok("mount").includes("none on /dev/cgroup type cgroup (rw)\n"));
});
