/**
 * /proc and /sys/devices/system/cpu: layouts, and what writes do.
 *
 * Expected values: layouts of Linux 3.5 (`show_interrupts`, `arch_show_interrupts`, `show_cpuinfo`), recordings of
 * error numbers on a real system, Documentation/ABI/testing/sysfs-devices-system-cpu.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { cpuList, cpuMask, parseCpuList, parseCpuMask } from "../runtime/linux/cpu_mask.ts";
import { Errno } from "../runtime/linux/errno.ts";
import { IO_APIC_EDGE, IO_APIC_FASTEOI, PCI_MSI_EDGE } from "../runtime/linux/irq/irq.ts";
import { HostRig } from "./host_rig.ts";

const CPU = "/sys/devices/system/cpu";

function withDevices(): HostRig {
  const rig = new HostRig();
  rig.irqs.request({ name: "timer", chip: IO_APIC_EDGE, irq: 0 });
  rig.irqs.request({ name: "ehci_hcd:usb1", chip: IO_APIC_FASTEOI, irq: 16 });
  rig.irqs.request({ name: "eth0-TxRx-0", chip: PCI_MSI_EDGE });
  return rig;
}

// ---- /proc/interrupts ----

Deno.test("/proc/interrupts: a column of 11 places for each CPU, chip and flow joined by a hyphen, then the name", () => {
  const rig = withDevices();
  rig.host.countInterrupt(0, 0);
  for (let i = 0; i < 158_007; i++) rig.host.countInterrupt(40, 1);
  const lines = rig.read("/proc/interrupts").split("\n");
  assertEquals(lines.slice(0, 4), [
    "           CPU0       CPU1       CPU2       CPU3       ",
    "  0:          1          0          0          0   IO-APIC-edge      timer",
    " 16:          0          0          0          0   IO-APIC-fasteoi   ehci_hcd:usb1",
    " 40:          0     158007          0          0   PCI-MSI-edge      eth0-TxRx-0",
  ]);
  assertEquals(lines.at(-1), "", "a newline ends it");
});

Deno.test("/proc/interrupts: the processor's own rows follow in the order of Linux 3.5; ERR and MIS have one number", () => {
  const rig = withDevices();
  const rows = rig.read("/proc/interrupts").trimEnd().split("\n").slice(4);
  assertEquals(
    rows.map((row) => row.slice(0, 4)),
    [
      "NMI:",
      "LOC:",
      "SPU:",
      "PMI:",
      "IWI:",
      "RTR:",
      "RES:",
      "CAL:",
      "TLB:",
      "TRM:",
      "THR:",
      "MCE:",
      "MCP:",
      "ERR:",
      "MIS:",
    ],
  );
  assertEquals(rows[0], "NMI:          0          0          0          0   Non-maskable interrupts");
  assertMatch(rows[1]!, /^LOC:( +\d+){4} {3}Local timer interrupts$/);
  assertMatch(rows[6]!, /^RES:( +\d+){4} {3}Rescheduling interrupts$/);
  assertMatch(rows[7]!, /^CAL:( +\d+){4} {3}Function call interrupts$/);
  assertEquals(rows.slice(-2), ["ERR:          0", "MIS:          0"]);
});

Deno.test("/proc/interrupts: the column of an offline CPU goes", () => {
  const rig = withDevices();
  rig.write(`${CPU}/cpu2/online`, "0\n");
  const [head, row] = rig.read("/proc/interrupts").split("\n");
  assertEquals(head, "           CPU0       CPU1       CPU3       ");
  assertMatch(row!, /^ {2}0:( {10}\d){3} {3}IO-APIC-edge {6}timer$/);
});

Deno.test("/proc/interrupts: what happens is counted where it happens", () => {
  const rig = withDevices();
  const count = (row: string, cpu: number) =>
    Number(
      rig.read("/proc/interrupts").split("\n").find((line) => line.startsWith(row))!.split(/\s+/)[cpu + 1],
    );
  const before = { nmi: count("NMI", 2), res: count("RES", 1), loc: count("LOC", 3) };
  rig.machine.cpus[2]!.nmi();
  rig.machine.messageSignalled(1, 0xfd);
  rig.start("hog", 0b1000, function* () {
    yield rig.host.endlessLoop;
    return 0;
  });
  rig.run(1_000_000_000);
  assertEquals(count("NMI", 2), before.nmi + 1);
  assertEquals(count("RES", 1), before.res + 1);
  assert(Math.abs(count("LOC", 3) - before.loc - 100) <= 1, "a busy CPU ticks 100 times a second");
});

// ---- /proc/irq ----

Deno.test("smp_affinity: hexadecimal, padded to the number of CPUs; its list form reads back the same", () => {
  const rig = withDevices();
  assertEquals(rig.read("/proc/irq/40/smp_affinity"), "f\n");
  assertEquals(rig.write("/proc/irq/40/smp_affinity", "a\n"), undefined);
  assertEquals(rig.read("/proc/irq/40/smp_affinity"), "a\n");
  assertEquals(rig.read("/proc/irq/40/smp_affinity_list"), "1,3\n");
  assertEquals(rig.write("/proc/irq/40/smp_affinity_list", "0-2\n"), undefined);
  assertEquals(rig.read("/proc/irq/40/smp_affinity"), "7\n");
  assertEquals(rig.irqs.get(40)!.cpu, 1, "the CPU that has it is among them and keeps it");
});

Deno.test("smp_affinity refuses: not hexadecimal, no CPU, only offline CPUs EINVAL; a CPU too many ERANGE in a list", () => {
  const rig = withDevices();
  rig.write(`${CPU}/cpu3/online`, "0\n");
  const mask = "/proc/irq/40/smp_affinity", list = "/proc/irq/40/smp_affinity_list";
  for (const text of ["xyz\n", "0\n", "8\n", "0x3\n", "\n"]) {
    assertEquals(rig.write(mask, text), "EINVAL", text);
  }
  assertEquals(rig.write(list, "9\n"), "ERANGE");
  assertEquals(rig.write(list, "3\n"), "EINVAL");
  assertEquals(rig.write(list, "2-1\n"), "EINVAL");
  assertEquals(rig.write("/proc/irq/99/smp_affinity", "1\n"), "ENOENT");
  assertEquals(rig.read(mask), "f\n");
});

Deno.test("an interrupt requested later follows default_smp_affinity", () => {
  const rig = withDevices();
  assertEquals(rig.read("/proc/irq/default_smp_affinity"), "f\n");
  assertEquals(rig.write("/proc/irq/default_smp_affinity", "c\n"), undefined);
  rig.irqs.request({ name: "late", chip: PCI_MSI_EDGE });
  assertEquals([rig.irqs.get(41)!.cpu, rig.read("/proc/irq/41/smp_affinity")], [2, "c\n"]);
});

Deno.test("CPU masks and lists: runs are joined, an empty set is empty, over 32 CPUs groups are read", () => {
  assertEquals([cpuList(0b11_0010_1111), cpuList(0), cpuList(1 << 31)], ["0-3,5,8-9", "", "31"]);
  assertEquals([cpuMask(3, 2), cpuMask(0xff, 8), cpuMask(1, 8), cpuMask(-1, 32)], [
    "3",
    "ff",
    "01",
    "ffffffff",
  ]);
  assertEquals(parseCpuMask("00000000,0000000f", 4), 15);
  assertEquals(parseCpuList("0-1,3", 4), 0b1011);
  const tooMany = parseCpuMask("1f", 4);
  assertEquals(tooMany instanceof Errno && tooMany.name, "EOVERFLOW");
});

// ---- /proc/cpuinfo, cmdline, stat, uptime, loadavg ----

Deno.test("/proc/cpuinfo: a block for each CPU online, keys padded with tabs, a blank line between", () => {
  const rig = new HostRig();
  rig.write(`${CPU}/cpu1/online`, "0\n");
  const text = rig.read("/proc/cpuinfo");
  assertEquals(text.match(/^processor\t: \d+$/gm), ["processor\t: 0", "processor\t: 2", "processor\t: 3"]);
  const block = text.split("\n\n")[1]!.split("\n");
  assertEquals(block.slice(0, 6), [
    "processor\t: 2",
    "vendor_id\t: GenuineIntel",
    "cpu family\t: 6",
    "model\t\t: 58",
    "model name\t: Intel(R) Core(TM) i7-3770 CPU @ 3.40GHz",
    "stepping\t: 9",
  ]);
  const has = (line: string) => assert(block.includes(line), line);
  has("cpu MHz\t\t: 3400.000");
  has("cache size\t: 8192 KB");
  has("physical id\t: 0");
  has("siblings\t: 3");
  has("core id\t\t: 2");
  has("initial apicid\t: 2");
  has("fpu\t\t: yes");
  has("fpu_exception\t: yes");
  has("wp\t\t: yes");
  has("bogomips\t: 6800.00");
  has("address sizes\t: 36 bits physical, 48 bits virtual");
  assertMatch(block.find((line) => line.startsWith("flags"))!, /^flags\t\t: fpu vme .* vmx .* ept vpid/);
  assertEquals(block.at(-1), "power management:");
});

Deno.test("/proc/cmdline is the command line and a newline", () => {
  assertEquals(new HostRig().read("/proc/cmdline"), "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro\n");
});

Deno.test("/proc/uptime: seconds since boot, and the idle seconds of all CPUs together", () => {
  const rig = new HostRig();
  rig.start("hog", 0b1000, function* () {
    yield rig.host.endlessLoop;
    return 0;
  });
  rig.run(9_950_000_000);
  const [up, idle] = rig.read("/proc/uptime").trim().split(" ").map(Number);
  assertEquals(up, 10);
  assert(Math.abs(idle! - 30) < 0.3, `three of four CPUs idled for 10 s: ${idle}`);
});

Deno.test("/proc/stat: times in hundredths of a second, a row for each CPU online, then counts", () => {
  const rig = withDevices();
  rig.write(`${CPU}/cpu2/online`, "0\n");
  rig.start("hog", 0b1000, function* () {
    yield rig.host.endlessLoop;
    return 0;
  });
  rig.run(10_000_000_000);
  const rows = rig.read("/proc/stat").trimEnd().split("\n").map((row) => row.split(/\s+/));
  assertEquals(rows.map(([key]) => key), [
    "cpu",
    "cpu0",
    "cpu1",
    "cpu3",
    "intr",
    "ctxt",
    "btime",
    "processes",
    "procs_running",
    "procs_blocked",
  ]);
  assertEquals(rows.slice(0, 4).map((row) => row.length), [11, 11, 11, 11]);
  assert(Math.abs(Number(rows[3]![1]) - 1000) < 10, "user time of the hog");
  assertEquals(rows[4]!.length, 2 + 712, "a total and nr_irqs of four CPUs");
  assertEquals(rows[8], ["procs_running", "1"]);
});

Deno.test("/proc/loadavg: one hog for a minute after an idle hour gives 0.63, 0.18, 0.06", () => {
  const rig = new HostRig();
  rig.run(3_600_000_000_000);
  const hog = rig.start("hog", 0b1000, function* () {
    yield rig.host.endlessLoop;
    return 0;
  });
  rig.run(60_000_000_000);
  const [one, five, fifteen, counts, last] = rig.read("/proc/loadavg").trim().split(" ");
  // 1 - exp(-60 s / 1, 5, 15 min), within one interval of 5 s.
  assert(Math.abs(Number(one) - 0.63) < 0.06, one);
  assert(Math.abs(Number(five) - 0.18) < 0.03, five);
  assert(Math.abs(Number(fifteen) - 0.06) < 0.02, fifteen);
  assertEquals(counts, `1/${rig.host.tasks.size}`);
  assertEquals(Number(last), hog.pid);
});

// ---- /proc/sys ----

Deno.test("sched_* are the scheduler's tunables: 18, 2.25 and 3 ms on four CPUs", () => {
  const rig = new HostRig();
  const path = (name: string) => `/proc/sys/kernel/sched_${name}_ns`;
  assertEquals(["latency", "min_granularity", "wakeup_granularity"].map((name) => rig.read(path(name))), [
    "18000000\n",
    "2250000\n",
    "3000000\n",
  ]);
  assertEquals(rig.write(path("latency"), "6000000\n"), undefined);
  assertEquals(rig.host.tunables.latencyNs, 6_000_000);
  assertEquals(rig.write(path("wakeup_granularity"), "0\n"), undefined);
  for (const text of ["99999\n", "1000000001\n", "-1\n", "many\n", "\n"]) {
    assertEquals(rig.write(path("latency"), text), "EINVAL", text);
  }
  assertEquals(rig.host.tunables.latencyNs, 6_000_000);
});

// ---- /sys/devices/system/cpu ----

Deno.test("CPU masks of sysfs are lists; an empty one is a bare newline; all are read-only, even for root", () => {
  const rig = new HostRig();
  const show = () =>
    ["online", "offline", "possible", "present", "kernel_max"].map((name) => rig.read(`${CPU}/${name}`));
  assertEquals(show(), ["0-3\n", "\n", "0-3\n", "0-3\n", "255\n"]);
  rig.write(`${CPU}/cpu3/online`, "0\n");
  assertEquals(show(), ["0-2\n", "3\n", "0-3\n", "0-3\n", "255\n"]);
  for (const name of ["online", "offline", "possible", "present"]) {
    assertEquals(rig.write(`${CPU}/${name}`, "0-3\n"), "EACCES");
  }
});

Deno.test("cpuN/topology tells core and package of a CPU online, and which others of them are", () => {
  const rig = new HostRig();
  const show = (cpu: number) =>
    ["core_id", "physical_package_id", "thread_siblings_list", "core_siblings_list"].map((name) =>
      rig.read(`${CPU}/cpu${cpu}/topology/${name}`)
    );
  assertEquals(show(2), ["2\n", "0\n", "2\n", "0-3\n"]);
  rig.write(`${CPU}/cpu3/online`, "0\n");
  assertEquals(show(2)[3], "0-2\n");
  assertEquals(rig.vfs.list(`${CPU}/cpu3`), ["online"]);
  assertEquals(rig.vfs.list(`${CPU}/cpu0`), ["cpufreq", "topology"]);
});

// ---- kernel threads ----

Deno.test("kernel threads have the low pids; those of a CPU are bound to it and sleep", () => {
  const rig = new HostRig();
  const shown = [...rig.host.tasks.values()].slice(0, 10).map((
    { pid, name, cpu, runnable },
  ) => [pid, name, cpu, runnable]);
  assertEquals(shown, [
    [2, "kthreadd", 0, false],
    [3, "ksoftirqd/0", 0, false],
    [4, "kworker/0:0", 0, false],
    [5, "migration/0", 0, false],
    [6, "watchdog/0", 0, false],
    [7, "kworker/u:0", 0, false],
    [8, "migration/1", 1, false],
    [9, "kworker/1:0", 1, false],
    [10, "ksoftirqd/1", 1, false],
    [11, "watchdog/1", 1, false],
  ]);
});
