/**
 * The virtual tree, as a table: what each write does on the host of either era, and with which words it fails.
 *
 * Expected values: sessions with bash 5.2 on Linux 6.18; for 2012 `drivers/pci/pci-driver.c`, `drivers/base/{bus,cpu}.c`,
 * `kernel/irq/proc.c`, `lib/bitmap.c` of Linux 3.5.
 *
 * @module
 */

import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const ERAS = ["2012", "today"] as const;
type EraName = typeof ERAS[number];

const CPU = "/sys/devices/system/cpu";
const DRIVERS = "/sys/bus/pci/drivers";
const VF = "0000:05:00.0";
const VF_DEVICE = `/sys/bus/pci/devices/${VF}`;
const PF_DEVICE = "/sys/bus/pci/devices/0000:04:00.0";

/** A host of the era, with stock KVM, that takes what Linux takes. */
function host(era: EraName): SessionRig {
  const rig = new SessionRig({ system: "kvm", strict: true });
  rig.ok(`set -o era=${era}`);
  return rig;
}

const OK = "";
const INVALID = "Invalid argument";
const NO_DEVICE = "No such device";
const BUSY = "Device or resource busy";
const EXISTS = "File exists";
const DENIED = "Permission denied";
const ABSENT = "No such file or directory";
const IO = "Input/output error";

/** How a write to `path` that fails so reads in a script: at the open, or at the write. */
function complaint(path: string, says: string): string {
  if (says === OK) return "";
  const atOpen = says === DENIED || says === ABSENT || says === "Is a directory";
  return `x.rtk: line 1: ${atOpen ? path : "echo: write error"}: ${says}\n`;
}

/** A write: what comes before it, the text that `echo` gets, the path, and how it fails in 2012 and today. */
interface Row {
  readonly after?: string;
  readonly text: string;
  readonly path: string;
  /** One answer for both, or one for each. */
  readonly says: string | readonly [in2012: string, today: string];
  /** A command that looks, and what it prints afterwards. */
  readonly then?: readonly [command: string, prints: string];
}

const UNBOUND = `echo ${VF} > ${DRIVERS}/ixgbevf/unbind`;
const STUBBED =
  `echo 8086 10ed > ${DRIVERS}/pci-stub/new_id; ${UNBOUND}; echo ${VF} > ${DRIVERS}/pci-stub/bind`;
const driver = `basename $(readlink ${VF_DEVICE}/driver) 2> /dev/null || echo none`;

const ROWS: readonly Row[] = [
  // ---- CPUs ----
  { text: "1", path: `${CPU}/cpu3/online`, says: OK, then: [`cat ${CPU}/online`, "0-3\n"] },
  { text: "0", path: `${CPU}/cpu3/online`, says: OK, then: [`cat ${CPU}/online ${CPU}/offline`, "0-2\n3\n"] },
  { text: "2", path: `${CPU}/cpu3/online`, says: INVALID },
  { text: "x", path: `${CPU}/cpu3/online`, says: INVALID },
  { text: "", path: `${CPU}/cpu3/online`, says: INVALID },
  { text: "n", path: `${CPU}/cpu3/online`, says: [INVALID, OK] },
  { text: "off", path: `${CPU}/cpu3/online`, says: [INVALID, OK] },
  { text: "Y", path: `${CPU}/cpu3/online`, says: [INVALID, OK] },
  { text: "0x", path: `${CPU}/cpu3/online`, says: OK, then: [`cat ${CPU}/cpu3/online`, "0\n"] },
  { text: "0", path: `${CPU}/cpu0/online`, says: DENIED },
  { text: "0", path: `${CPU}/cpu4/online`, says: ABSENT },
  { text: "0", path: `${CPU}/online`, says: DENIED },
  { text: "0", path: `${CPU}/offline`, says: DENIED },
  { text: "0", path: `${CPU}/possible`, says: DENIED },
  { text: "0", path: `${CPU}/present`, says: DENIED },
  { text: "0", path: `${CPU}/isolated`, says: DENIED },
  { text: "0", path: CPU, says: "Is a directory" },
  // ---- bind and unbind ----
  { text: VF, path: `${DRIVERS}/ixgbevf/unbind`, says: OK, then: [driver, "none\n"] },
  { text: "05:00.0", path: `${DRIVERS}/ixgbevf/unbind`, says: NO_DEVICE, then: [driver, "ixgbevf\n"] },
  { text: "0000:05:00.1", path: `${DRIVERS}/ixgbevf/unbind`, says: NO_DEVICE },
  { text: VF, path: `${DRIVERS}/pci-stub/unbind`, says: NO_DEVICE },
  { text: "0000:07:00.0", path: `${DRIVERS}/ixgbevf/bind`, says: NO_DEVICE },
  { after: UNBOUND, text: "05:00.0", path: `${DRIVERS}/ixgbevf/bind`, says: NO_DEVICE },
  { after: UNBOUND, text: VF, path: `${DRIVERS}/pci-stub/bind`, says: NO_DEVICE },
  { after: UNBOUND, text: VF, path: `${DRIVERS}/ixgbevf/bind`, says: OK, then: [driver, "ixgbevf\n"] },
  { text: VF, path: `${DRIVERS}/ixgbevf/bind`, says: [NO_DEVICE, BUSY] },
  { text: VF, path: `${DRIVERS}/nosuch/bind`, says: ABSENT },
  // ---- new_id and remove_id ----
  { text: "xyz", path: `${DRIVERS}/pci-stub/new_id`, says: INVALID },
  { text: "dead", path: `${DRIVERS}/pci-stub/new_id`, says: INVALID },
  { text: "8086:10ed", path: `${DRIVERS}/pci-stub/new_id`, says: INVALID },
  {
    after: UNBOUND,
    text: "8086 10ed",
    path: `${DRIVERS}/pci-stub/new_id`,
    says: OK,
    then: [driver, "pci-stub\n"],
  },
  { text: "8086 10ed", path: `${DRIVERS}/pci-stub/new_id`, says: OK, then: [driver, "ixgbevf\n"] },
  { text: "8086 10ed ffffffff ffffffff 20000 ff0000 0", path: `${DRIVERS}/pci-stub/new_id`, says: OK },
  { after: STUBBED, text: "8086 10ed", path: `${DRIVERS}/pci-stub/new_id`, says: [OK, EXISTS] },
  { text: "8086 10ed", path: `${DRIVERS}/ixgbevf/new_id`, says: [OK, EXISTS] },
  { text: "xyz", path: `${DRIVERS}/pci-stub/remove_id`, says: INVALID },
  { text: "8086 10ed", path: `${DRIVERS}/pci-stub/remove_id`, says: NO_DEVICE },
  {
    after: STUBBED,
    text: "8086 10ed",
    path: `${DRIVERS}/pci-stub/remove_id`,
    says: OK,
    then: [driver, "pci-stub\n"],
  },
  // ---- what later kernels have ----
  { text: "vfio-pci", path: `${VF_DEVICE}/driver_override`, says: [DENIED, OK] },
  { text: VF, path: `${DRIVERS}/vfio-pci/bind`, says: [ABSENT, NO_DEVICE] },
  { text: "0", path: `${PF_DEVICE}/sriov_numvfs`, says: [DENIED, OK] },
  { text: "2", path: `${PF_DEVICE}/sriov_numvfs`, says: [DENIED, BUSY] },
  { text: "64", path: `${PF_DEVICE}/sriov_numvfs`, says: [DENIED, "Numerical result out of range"] },
  { text: "x", path: `${PF_DEVICE}/sriov_numvfs`, says: [DENIED, INVALID] },
  { text: "63", path: `${PF_DEVICE}/sriov_totalvfs`, says: DENIED },
  // ---- attributes of devices ----
  { text: "0x8086", path: `${VF_DEVICE}/vendor`, says: DENIED },
  { text: "1", path: `${VF_DEVICE}/enable`, says: OK },
  { text: "x", path: `${VF_DEVICE}/enable`, says: INVALID },
  { after: UNBOUND, text: "0", path: `${VF_DEVICE}/enable`, says: IO },
  { text: "change", path: `${VF_DEVICE}/uevent`, says: OK },
  { text: "nonsense", path: `${VF_DEVICE}/uevent`, says: INVALID },
  {
    text: "1",
    path: `${VF_DEVICE}/remove`,
    says: OK,
    then: ["ls /sys/bus/pci/devices", "0000:00:01.0\n0000:04:00.0\n"],
  },
  { text: "x", path: `${VF_DEVICE}/remove`, says: INVALID },
  { text: "1", path: "/sys/bus/pci/rescan", says: OK },
  { text: "0000:09:00.0", path: "/sys/bus/pci/drivers_probe", says: NO_DEVICE },
  { after: UNBOUND, text: VF, path: "/sys/bus/pci/drivers_probe", says: OK, then: [driver, "ixgbevf\n"] },
  {
    text: "0",
    path: "/sys/bus/pci/drivers_autoprobe",
    says: OK,
    then: ["cat /sys/bus/pci/drivers_autoprobe", "0\n"],
  },
  // ---- interrupts ----
  {
    text: "4",
    path: "/proc/irq/42/smp_affinity",
    says: OK,
    then: ["cat /proc/irq/42/smp_affinity_list", "2\n"],
  },
  { text: "zz", path: "/proc/irq/42/smp_affinity", says: INVALID },
  { text: "0", path: "/proc/irq/42/smp_affinity", says: INVALID },
  { after: `echo 0 > ${CPU}/cpu3/online`, text: "8", path: "/proc/irq/42/smp_affinity", says: INVALID },
  { text: "10", path: "/proc/irq/42/smp_affinity", says: "Value too large for defined data type" },
  {
    text: "1-2",
    path: "/proc/irq/42/smp_affinity_list",
    says: OK,
    then: ["cat /proc/irq/42/smp_affinity", "6\n"],
  },
  { text: "4", path: "/proc/irq/42/smp_affinity_list", says: "Numerical result out of range" },
  { text: "2-1", path: "/proc/irq/42/smp_affinity_list", says: INVALID },
  { text: "1", path: "/proc/irq/99/smp_affinity", says: ABSENT },
  { text: "3", path: "/proc/irq/default_smp_affinity", says: OK },
  // ---- sysctl ----
  { text: "-1", path: "/proc/sys/kernel/sched_rt_runtime_us", says: OK },
  { text: "x", path: "/proc/sys/kernel/sched_rt_runtime_us", says: INVALID },
  { text: "1000000", path: "/proc/sys/kernel/sched_min_granularity_ns", says: [OK, ABSENT] },
  { text: "1000000", path: "/sys/kernel/debug/sched/base_slice_ns", says: [ABSENT, OK] },
  {
    text: "64",
    path: "/proc/sys/vm/nr_hugepages",
    says: OK,
    then: ["grep -c 'HugePages_Total: *64$' /proc/meminfo", "1\n"],
  },
  { text: "Linux", path: "/proc/sys/kernel/ostype", says: DENIED },
  // ---- memory and frequency ----
  {
    text: "never",
    path: "/sys/kernel/mm/transparent_hugepage/enabled",
    says: OK,
    then: ["cat /sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n"],
  },
  { text: "perhaps", path: "/sys/kernel/mm/transparent_hugepage/enabled", says: INVALID },
  { text: "performance", path: `${CPU}/cpu1/cpufreq/scaling_governor`, says: OK },
  { text: "powersave", path: `${CPU}/cpu1/cpufreq/scaling_governor`, says: INVALID },
];

for (const [index, era] of ERAS.entries()) {
  Deno.test(`${era}: what each write does, and how a script reads that it has failed`, () => {
    let rig = host(era);
    for (const { after, text, path, says, then } of ROWS) {
      const expected = typeof says === "string" ? says : says[index]!;
      rig.session.boot({});
      if (after !== undefined) rig.ok(after);
      const { status, out, err } = rig.run(`echo ${text} > ${path}`);
      const what = `echo ${text} > ${path}`;
      assertEquals([what, status, out, err], [what, expected === OK ? 0 : 1, "", complaint(path, expected)]);
      if (then !== undefined && expected === OK) assertEquals([what, rig.ok(then[0])], [what, then[1]]);
    }
    rig = host(era);
    assertEquals(rig.run(`printf '' > ${CPU}/cpu3/online`), { status: 0, out: "", err: "" }); // no byte: no store
  });

  Deno.test(`${era}: what cannot be read, listed, made or removed, in the words of the tools`, () => {
    const rig = host(era);
    const says = (command: string) => rig.run(command).err;
    assertEquals(says(`cat ${DRIVERS}/pci-stub/bind`), `cat: ${DRIVERS}/pci-stub/bind: Permission denied\n`);
    assertEquals(says(`cat ${VF_DEVICE}/remove`), `cat: ${VF_DEVICE}/remove: Permission denied\n`);
    assertEquals(says(`cat ${CPU}`), `cat: ${CPU}: Is a directory\n`);
    assertEquals(says(`cat ${CPU}/cpu0/online`), `cat: ${CPU}/cpu0/online: No such file or directory\n`);
    assertEquals(says("read -r x < /sys/nosuch"), "x.rtk: line 1: /sys/nosuch: No such file or directory\n");
    assertEquals(says("ls /sys/nosuch"), "ls: cannot access '/sys/nosuch': No such file or directory\n");
    assertEquals(
      says("mkdir /sys/foo"),
      "mkdir: cannot create directory ‘/sys/foo’: Operation not permitted\n",
    );
    assertEquals(says(`rm ${CPU}/online`), `rm: cannot remove '${CPU}/online': Operation not permitted\n`);
    assertEquals(says(`cd ${CPU}/cpu9`), `x.rtk: line 1: cd: ${CPU}/cpu9: No such file or directory\n`);
    const tee = rig.run(`echo 2 | tee ${CPU}/cpu3/online`);
    assertEquals([tee.status, tee.out, tee.err], [1, "2\n", `tee: ${CPU}/cpu3/online: Invalid argument\n`]);
    assertEquals([rig.run("/sys/nosuch").status, rig.run("cyclicttest").status], [127, 127]);
  });

  Deno.test(`${era}: modes and sizes of a device's files, and where its links lead`, () => {
    const rig = host(era);
    const lines = rig.ok(`ls -l ${VF_DEVICE}/ ${DRIVERS}/ixgbevf/`).split("\n");
    const line = (name: string) => lines.find((each) => new RegExp(` ${name}( ->.*)?$`).test(each)) ?? "";
    const modes: [name: string, mode: string][] = [
      ...["vendor", "device", "class", "irq", "resource", "modalias", "local_cpulist"].map((name) =>
        [name, "-r--r--r--"] as [string, string]
      ),
      ...["bind", "unbind", "new_id", "remove_id"].map((name) => [name, "--w-------"] as [string, string]),
      ["remove", "--w--w----"],
      ["msi_bus", "-rw-r--r--"],
      ["enable", era === "2012" ? "-rw-------" : "-rw-r--r--"],
      ["numa_node", era === "2012" ? "-r--r--r--" : "-rw-r--r--"],
    ];
    if (era === "today") modes.push(["driver_override", "-rw-r--r--"]);
    for (const [name, mode] of modes) {
      assertEquals([name, line(name).slice(0, 10)], [name, mode]);
      assertMatch(line(name), / 4096 /, name);
    }
    assertMatch(line("config"), /^-rw-r--r-- .* 256 /);
    assertMatch(line("driver"), /-> \.\.\/\.\.\/\.\.\/\.\.\/bus\/pci\/drivers\/ixgbevf$/);
    assertMatch(line(VF), new RegExp(`-> ../../../../devices/pci0000:00/0000:00:01.0/${VF}$`));
    assertEquals(
      rig.ok(`cat ${VF_DEVICE}/uevent`),
      "DRIVER=ixgbevf\nPCI_CLASS=20000\nPCI_ID=8086:10ED\nPCI_SUBSYS_ID=8086:0003\nPCI_SLOT_NAME=0000:05:00.0\n" +
        "MODALIAS=pci:v00008086d000010EDsv00008086sd00000003bc02sc00i00\n",
    );
  });
}

Deno.test("an empty set of CPUs is a bare newline, a list joins what is adjacent, kernel_max is 255", () => {
  const rig = host("today");
  assertEquals(rig.ok(`cd ${CPU}; cat offline isolated possible present kernel_max`), "\n\n0-3\n0-3\n255\n");
  rig.ok(`echo 0 > ${CPU}/cpu1/online`);
  assertEquals(rig.ok(`cd ${CPU}; cat online offline cpu1/online`), "0,2-3\n1\n0\n");
});

Deno.test("an interface has its device's address and is up while its driver has it", () => {
  const rig = host("2012");
  assertEquals(
    rig.ok("cd /sys/class/net; cat eth2/address eth2/operstate eth2/mtu"),
    "90:e2:ba:00:00:01\nup\n1500\n",
  );
  assertEquals(
    rig.ok("basename $(readlink /sys/class/net/eth2/device); ls /sys/bus/pci/devices/*/net"),
    `${VF}\n${PF_DEVICE}/net:\neth1\n\n${VF_DEVICE}/net:\neth2\n`,
  );
  rig.ok(UNBOUND);
  assertEquals(rig.ok("ls /sys/class/net"), "eth1\n");
});

Deno.test("/proc/PID is a process: its threads are in task, each with its name, policy and CPUs", () => {
  const rig = host("2012");
  rig.ok("qemu-kvm -m 1024 -nographic; ssh vm0 true");
  const [main, vcpu] = rig.ok("ps -eLo tid,comm | awk '/qemu/ { print $1 }'").trim().split("\n");
  assertEquals(rig.ok(`ls /proc/${main}/task`), `${main}\n${vcpu}\n`);
  assertEquals(rig.run(`ls /proc | grep -x ${vcpu}`).out, "");
  rig.ok(`chrt -f -p 10 ${vcpu}`);
  const status = rig.ok(`cat /proc/${main}/task/${vcpu}/status`);
  assertMatch(
    status,
    new RegExp(`^Name:\tqemu-kvm\nState:\tS \\(sleeping\\)\nTgid:\t${main}\nPid:\t${vcpu}\n`),
  );
  assertMatch(status, /\nThreads:\t2\nCpus_allowed:\t8\nCpus_allowed_list:\t3\n/);
  // proc(5): fields 39 to 41 are processor, rt_priority and policy (SCHED_FIFO is 1), 18 is -1 - rt_priority.
  assertEquals(rig.ok(`awk '{ print $18, $39, $40, $41 }' /proc/${vcpu}/stat`), "-11 3 10 1\n");
  assertEquals(rig.ok("cat /proc/self/comm /proc/self/cpuset"), "cat\n/\n");
});

Deno.test("/proc/meminfo: a guest's memory is taken from what is free, locked or not", () => {
  const rig = host("2012");
  const kb = (name: string) => Number(/\d+/.exec(rig.ok(`grep ^${name}: /proc/meminfo`))![0]);
  const before = kb("MemFree");
  assertEquals([kb("MemTotal"), before, kb("Mlocked")], [16 * 2 ** 20, 16 * 2 ** 20, 0]);
  rig.ok("qemu-kvm -m 1024 -nographic -realtime mlock=on; ssh vm0 true");
  assertEquals([before - kb("MemFree"), kb("Mlocked")], [2 ** 20, 2 ** 20]);
  assertEquals(rig.ok("ssh vm0 grep MemTotal /proc/meminfo"), "MemTotal:        1048576 kB\n");
  rig.ok("echo 100000 > /proc/sys/vm/nr_hugepages"); // as many as there is memory for
  assertEquals([rig.ok("cat /proc/sys/vm/nr_hugepages"), kb("MemFree")], ["7680\n", 0]);
});

Deno.test("/dev has the devices that there are: null, and kvm on a host, with their numbers", () => {
  const rig = new SessionRig();
  assertEquals(
    rig.ok("ls -l /dev/null /dev/kvm; test -c /dev/kvm && test ! -b /dev/kvm && test -e /dev/null; echo $?"),
    "crw-rw---- 1 root root 10, 232 Sep  6 00:00 /dev/kvm\n" +
      "crw-rw-rw- 1 root root  1,   3 Sep  6 00:00 /dev/null\n0\n",
  );
  assertEquals(
    rig.ok("echo x > /dev/null; cat /dev/null; cat < /dev/null; wc -c /dev/null"),
    "0 /dev/null\n",
  );
  assertEquals(rig.ok("cat /dev/kvm; echo $?"), "1\n");
  assertEquals(
    rig.ok("qemu-kvm.patched -m 1024 -enable-kvm -nographic & sleep 1; ssh vm0 ls /dev"),
    "full\nnull\nrandom\ntty0\ntty1\nttyS0\nurandom\nvcs\nzero\n", // -nographic takes the window, not the card
  );
});

Deno.test("/dev/zero and /dev/urandom give as much as is asked for, /dev/full takes nothing: zero(4), random(4), full(4)", () => {
  const rig = new SessionRig();
  assertEquals(rig.ok("head -c 4 /dev/zero | wc -c; head -c 4 < /dev/zero | tr '\\0' x"), "4\nxxxx");
  assertEquals(rig.run("echo x > /dev/full"), {
    status: 1,
    out: "",
    err: "x.rtk: line 1: echo: write error: No space left on device\n",
  });
  assertEquals(rig.run("cat /dev/zero").err, "cat: /dev/zero: endless: take a part of it with head -c\n");
  const drawn = (seed: number) => new SessionRig({ seed }).ok("head -c 40 /dev/urandom");
  assertEquals([...drawn(1)].length, 40);
  assertEquals(drawn(1), drawn(1));
  assertNotEquals(drawn(1), drawn(2));
});

Deno.test("date is the time of boot and what has passed since: 6 September 2012 in the model", () => {
  const rig = new SessionRig();
  assertEquals(rig.ok("date"), "Thu Sep  6 00:00:00 UTC 2012\n");
  assertEquals(rig.ok("sleep 61; date '+%F %T'"), "2012-09-06 00:01:01\n");
  assertEquals(rig.ok("SECONDS=0; sleep 2; echo $SECONDS; [ $(date +%s) -eq $EPOCHSECONDS ]"), "2\n");
});

Deno.test("what a program writes to a file of memory is there when it has been written, not at its end", () => {
  const rig = new SessionRig();
  // A head line, and the replies at 0 s and 1 s; then the third reply and four lines of statistics.
  const lines = "wc -l < /tmp/f";
  assertEquals(
    rig.ok(`ping -c 3 -i 1 peer > /tmp/f & sleep 1.5; ${lines}; wait; ${lines}`),
    "3\n8\n",
  );
  assertEquals(rig.ok("nosuch 2> /tmp/e; cat /tmp/e"), "x.rtk: line 1: nosuch: command not found\n");
});

Deno.test("/proc/mounts tells what is mounted, and what a script mounts", () => {
  const rig = host("2012");
  rig.ok("mkdir /dev/cpuset; mount -t cpuset none /dev/cpuset");
  assertEquals(
    rig.ok("awk '{ print $1, $2, $3 }' /proc/mounts | grep -v scripts"),
    "rootfs / rootfs\nproc /proc proc\nsysfs /sys sysfs\ndebugfs /sys/kernel/debug debugfs\nnone /dev/cpuset cpuset\n",
  );
});

Deno.test("debugfs counts KVM's exits by the kernel's names; a direct interrupt is in none of them", () => {
  const rig = new SessionRig();
  rig.ok(`echo 8086:10ed > ${DRIVERS}/pci-stub/new_id; echo ${VF} > ${DRIVERS}/ixgbevf/unbind
    echo ${VF} > ${DRIVERS}/pci-stub/bind; echo 0 > ${CPU}/cpu3/online
    qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic -device pci-assign,host=05:00.0
    ssh vm0 true`);
  const counters = () => rig.ok("cd /sys/kernel/debug/kvm; grep . *");
  const before = counters();
  rig.ok("irq vf0; run 1ms");
  assertEquals(counters(), before);
  const stock = host("2012");
  stock.ok("qemu-kvm -m 1024 -cpu qemu64,+x2apic -no-kvm-pit -nographic; ssh vm0 cyclictest -n -q -l 100");
  const { vcpus } = stock.lab.guests.get("vm0")!.machine.file.vm;
  const value = (name: string) => Number(stock.ok(`cat /sys/kernel/debug/kvm/${name}`));
  assertEquals(value("exits"), vcpus[0]!.totalExits);
  assertEquals(value("halt_exits"), vcpus[0]!.exits[12]!);
  assertEquals(value("irq_injections"), vcpus[0]!.injections);
  assertEquals(stock.ok("ls /sys/kernel/debug/kvm | grep -c window"), "2\n");
  assertEquals(
    host("today").ok("cd /sys/kernel/debug/kvm; ls *window*"),
    "irq_window_exits\nnmi_window_exits\n",
  );
});

Deno.test("/proc/softirqs counts a network device's polls on the CPU of its interrupt; /proc/modules is empty", () => {
  const rig = host("today");
  const polls = () => rig.ok("awk '/NET_RX/ { print $2, $3, $4, $5 }' /proc/softirqs");
  assertEquals(polls(), "0 0 0 0\n");
  rig.ok("echo 4 > /proc/irq/42/smp_affinity; irq vf0; run 1ms; irq vf0; run 1ms");
  assertEquals(polls(), "0 0 2 0\n");
  assertEquals(
    rig.ok("head -n 2 /proc/softirqs"),
    "                    CPU0       CPU1       CPU2       CPU3       \n          HI:          0          0          0          0\n",
  );
  assertEquals(rig.ok("grep -c IOPOLL /proc/softirqs || grep -c IRQ_POLL /proc/softirqs"), "0\n1\n");
  assertEquals(rig.ok("wc -c < /proc/modules"), "0\n");
});

Deno.test("today every CPU has a thread for its hotplug, and none for a watchdog", () => {
  assertEquals(
    host("today").ok("ps -eo comm | grep /2"),
    "cpuhp/2\nmigration/2\nksoftirqd/2\nkworker/2:0-eve\n",
  );
  assertEquals(
    host("2012").ok("ps -eo comm | grep /2"),
    "migration/2\nkworker/2:0\nksoftirqd/2\nwatchdog/2\n",
  );
});

Deno.test("ps lists processes; with -L their threads, each with its process's pid beside its own", () => {
  const rig = host("2012");
  rig.ok("qemu-kvm -m 1024 -nographic; ssh vm0 true");
  const lines = (options: string) => rig.ok(`ps ${options} | grep qemu`).trim().split("\n");
  assertEquals(lines("-eo pid,comm").length, 1);
  const [pid] = lines("-eo pid=,comm=")[0]!.trim().split(" ");
  const threads = lines("-eLo pid=,tid=,comm=").map((line) => line.trim().split(/ +/));
  assertEquals(threads.map(([process]) => process), [pid, pid]);
  assertEquals(threads.map(([, tid]) => tid).join("\n"), rig.ok(`ls /proc/${pid}/task`).trim());
});

Deno.test("ls -l shows links, owner and the model's time: a file has that of its last write, /proc that of the look", () => {
  const rig = new SessionRig();
  rig.ok("cd /tmp; echo abc > a; mkdir d d/e; ln a b; sleep 60; ln -s a l; sleep 60; echo abc >> b");
  assertEquals(
    rig.ok("ls -l"),
    "total 8\n" +
      "-rw-r--r-- 2 root root    8 Sep  6 00:02 a\n-rw-r--r-- 2 root root    8 Sep  6 00:02 b\n" +
      "drwxr-xr-x 3 root root 4096 Sep  6 00:00 d\nlrwxrwxrwx 1 root root    1 Sep  6 00:01 l -> a\n",
  );
  assertEquals(
    rig.ok("ls -t; rm a; touch d; ls -rt; ls -l b"),
    [
      ...["a", "b", "l", "d", "l", "b", "d"],
      "-rw-r--r-- 1 root root 8 Sep  6 00:02 b\n",
    ].join("\n"),
  );
  assertEquals(
    rig.ok("ls -l /proc/interrupts /sys/devices/system/cpu/online; ls -ld /sys/bus/pci/drivers/pci-stub"),
    "-r--r--r-- 1 root root    0 Sep  6 00:02 /proc/interrupts\n" +
      "-r--r--r-- 1 root root 4096 Sep  6 00:00 /sys/devices/system/cpu/online\n" +
      "drwxr-xr-x 2 root root 0 Sep  6 00:00 /sys/bus/pci/drivers/pci-stub\n",
  );
  assertEquals(rig.ok("stat -c '%h %n' b d; echo $(($(date +%s) - $(stat -c %Y b)))"), "1 b\n3 d\n0\n");
  // The driver of a device, as guides look at it: a link that is named is not followed by -l.
  assertEquals(
    rig.ok(`ls -l ${VF_DEVICE}/driver`),
    `lrwxrwxrwx 1 root root 0 Sep  6 00:00 ${VF_DEVICE}/driver -> ../../../../bus/pci/drivers/ixgbevf\n`,
  );
});
