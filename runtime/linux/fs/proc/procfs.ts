/**
 * procfs: what `/proc` shows of a kernel, made from its state when it is read.
 *
 * *Document*: Linux 3.5 `fs/proc/`; `Documentation/filesystems/proc.txt`.
 *
 * *Modelled*: `cmdline`, `cpuinfo`, `diskstats`, `filesystems`, `interrupts`, `irq`, `loadavg`, `meminfo`, `modules`,
 * `mounts`, `partitions`, `softirqs`, `stat`, `sys`, `uptime`, `version`; directories of processes.
 *
 * *Not modelled*: everything else; it is absent.
 *
 * *Deviations*: the idle time of a CPU that was offline meanwhile includes that time. In `stat` interrupts and softirqs are
 * system time, as of a kernel without IRQ_TIME_ACCOUNTING whose tick never meets them.
 *
 * ```ts ignore
 * const { root, sys } = procfs(kernel, ports);
 * vfs.mount("/proc", root, PROCFS);
 * vfs.mount("/proc/sys", sys, SYSCTL);
 * ```
 *
 * @module
 */

import type { Machine } from "../../../../hw/machine.ts";
import type { Disk } from "../../block/disk.ts";
import { procDiskstats, procPartitions } from "../../block/proc_disks.ts";
import type { CpuIdentity } from "../../cpu_identity.ts";
import type { Cpusets } from "../../sched/cpuset.ts";
import type { KernelInterfaces } from "../../interfaces.ts";
import type { Irqs } from "../../irq/irq.ts";
import type { Kernel } from "../../kernel.ts";
import type { KernelCpu } from "../../kernel_cpu.ts";
import { type Layer, Layers } from "../../layers.ts";
import { procCpuinfo } from "./proc_cpuinfo.ts";
import { interruptTotal, procInterrupts, sum } from "./proc_interrupts.ts";
import { procIrq } from "./proc_irq.ts";
import { procMeminfo } from "./proc_meminfo.ts";
import { procPid, procSelf } from "./proc_pid.ts";
import { procSoftirqs } from "./proc_softirqs.ts";
import { procSys } from "./proc_sys.ts";
import type { Task } from "../../sched/task.ts";
import { readOnly } from "../computed_nodes.ts";
import type { DirectoryNode, Node, Vfs } from "../vfs.ts";

/** How a CPU has spent its time, ns. The rest it was idle. */
export interface CpuTimes {
  readonly userNs: number;
  readonly systemNs: number;
  /** Executing a guest, as KVM's stamps say; part of the user time, as in the kernel's accounts. */
  readonly guestNs: number;
}

/** What procfs needs to know beside the kernel. */
export interface ProcPorts {
  readonly irqs: Irqs;
  /** What the processors are. */
  readonly identity: CpuIdentity;
  /** Which files there are, and what they look like. */
  readonly interfaces: KernelInterfaces;
  /** The kernel's command line, without newline. */
  readonly commandLine: string;
  /** When the kernel booted, seconds since 1970: `btime`. The model has no wall clock. */
  readonly bootTime: number;
  /** Where the time of a CPU went up to now. */
  cpuTimes(cpu: KernelCpu): CpuTimes;
  /** Groups of tasks; `null`: the kernel is built without. */
  readonly cpusets: Cpusets | null;
  /** Its disks. */
  readonly disks: Iterable<Disk>;
  /** What is mounted. */
  readonly vfs: Pick<Vfs, "mounts">;
  /** The task that executes now. */
  current(): Task;
}

/** {@linkcode ProcPorts.cpuTimes} of a kernel that runs on the processors of `machine` themselves. */
export function physicalCpuTimes(machine: Machine): (cpu: KernelCpu) => CpuTimes {
  return ({ id, guestTime, steady, kernel }) => {
    const physical = machine.cpus[id]!;
    physical.settleTime();
    const spent = (...layers: Layer[]) =>
      layers.reduce((ns, layer) => ns + physical.layerNs[layer]! + steady.bookedNs(layer), 0);
    const guestNs = guestTime.bookedNs + guestTime.openNs(kernel.engine.nowNs);
    const insideNs = guestTime.insideNs + guestTime.openInsideNs(physical.layerNs);
    return {
      userNs: spent(Layers.Qemu, Layers.HostTask) + guestNs,
      systemNs: spent(Layers.Hardware, Layers.HostKernel, Layers.Kvm) - insideNs,
      guestNs,
    };
  };
}

/** The trees: mount `root` at `/proc`, then `sys` at `/proc/sys`, whose modes bind root. */
export function procfs(kernel: Kernel, ports: ProcPorts): { root: DirectoryNode; sys: DirectoryNode } {
  const { irqs, identity, commandLine, interfaces } = ports;
  const sys = procSys(kernel, interfaces);
  const entries = new Map<string, Node>([
    ["cmdline", readOnly(() => `${commandLine}\n`)],
    ["cpuinfo", readOnly(() => procCpuinfo(kernel, identity))],
    ["interrupts", readOnly(() => procInterrupts(kernel, irqs, interfaces))],
    ["irq", procIrq(irqs, interfaces)],
    ["diskstats", readOnly(() => procDiskstats(ports.disks, interfaces.diskstatsFields))],
    ["filesystems", readOnly(() => FILE_SYSTEMS.map((name) => `nodev\t${name}\n`).join(""))],
    ["loadavg", readOnly(() => loadavg(kernel))],
    ["meminfo", readOnly(() => procMeminfo(kernel.memory, interfaces))],
    ["modules", readOnly(() => "")], // all are built in
    ["mounts", readOnly(() => mounts(ports.vfs))],
    ["partitions", readOnly(() => procPartitions(ports.disks))],
    ["softirqs", readOnly(() => procSoftirqs(kernel, interfaces))],
    ["stat", readOnly(() => stat(kernel, ports))],
    ["sys", sys],
    ["uptime", readOnly(() => uptime(kernel, ports))],
    ["version", readOnly(() => version(kernel, interfaces))],
  ]);
  const pidPorts = { cpusets: ports.cpusets, schedColumn: interfaces.schedColumn, current: ports.current };
  entries.set("self", procSelf(kernel, pidPorts));
  const root: DirectoryNode = {
    kind: "directory",
    mode: 0o555,
    *list() {
      yield* entries.keys();
      for (const { pid, tgid } of kernel.tasks.values()) if (pid === tgid) yield String(pid);
    },
    lookup: (name) =>
      entries.get(name) ?? (/^[1-9]\d*$/.test(name) ? procPid(kernel, pidPorts, Number(name)) : undefined),
  };
  return { root, sys };
}

/** What `mount -t` takes; the first word says that it needs no block device. */
const FILE_SYSTEMS = ["sysfs", "rootfs", "tmpfs", "proc", "cgroup", "cpuset", "debugfs"];

/** `/proc/mounts`: as `mount` keeps them in its table. */
function mounts(vfs: ProcPorts["vfs"]): string {
  return [...vfs.mounts()].map(({ source, path, fileSystem: { name } }) =>
    `${source} ${path} ${name} rw,relatime 0 0\n`
  ).join("");
}

/** `/proc/version`: the kernel's builder and build date are nobody and no day. */
function version({ release: { release, realTime } }: Kernel, { compiler }: KernelInterfaces): string {
  return `Linux version ${release} (root@localhost) (${compiler}) #1 SMP${realTime ? " PREEMPT RT" : ""}\n`;
}

/** Runnable tasks, and those that live. The idle tasks do not count. */
function taskCounts(kernel: Kernel): { running: number; threads: number } {
  let running = 0;
  for (const { runnable } of kernel.tasks.values()) if (runnable) running++;
  return { running, threads: kernel.tasks.size };
}

/** `0.00 0.01 0.05 1/83 1234`: averages, runnable and all tasks, the youngest. */
function loadavg(kernel: Kernel): string {
  const { running, threads } = taskCounts(kernel);
  return `${kernel.loadAverage} ${running}/${threads} ${kernel.forks + 1}\n`;
}

/** Time that `cpu` was idle, ns. A CPU that is not online neither works nor idles. */
function idleNs(cpu: KernelCpu, times: CpuTimes): number {
  const busyNs = times.userNs + times.systemNs + (cpu.steal?.stealNs ?? 0);
  return cpu.state === "online" ? Math.max(0, cpu.kernel.nowNs - busyNs) : 0;
}

/** `4352.10 17001.27`: seconds since boot, and seconds that all CPUs were idle, together. */
function uptime(kernel: Kernel, ports: ProcPorts): string {
  kernel.settle();
  let idle = 0;
  for (const cpu of kernel.cpus) idle += idleNs(cpu, ports.cpuTimes(cpu));
  const seconds = (ns: number) => (Math.floor(ns / 1e7) / 100).toFixed(2);
  return `${seconds(kernel.nowNs)} ${seconds(idle)}\n`;
}

/** `/proc/stat`: times in 1/100 s (USER_HZ), then counts since boot. */
function stat(kernel: Kernel, ports: ProcPorts): string {
  const { irqs } = ports;
  kernel.settle();
  // user nice system idle iowait irq softirq steal guest guest_nice
  const all = new Array<number>(10).fill(0);
  const rows: string[] = [];
  for (const cpu of kernel.cpus) {
    const times = ports.cpuTimes(cpu);
    const steal = cpu.steal?.stealNs ?? 0;
    const ns = [times.userNs, 0, times.systemNs, idleNs(cpu, times), 0, 0, 0, steal, times.guestNs, 0];
    ns.forEach((value, i) => all[i]! += value);
    if (cpu.state === "online") rows.push(`cpu${cpu.id} ${ns.map(ticks).join(" ")}`);
  }
  const perIrq: number[] = [];
  for (let irq = 0; irq < irqs.limit; irq++) {
    perIrq.push(irqs.get(irq) ? sum(kernel.interruptCounts(irq)) : 0);
  }
  const switches = kernel.cpus.reduce((total, cpu) => total + cpu.contextSwitches, 0);
  const { running } = taskCounts(kernel);
  return [
    `cpu  ${all.map(ticks).join(" ")}`,
    ...rows,
    `intr ${interruptTotal(kernel, irqs)} ${perIrq.join(" ")}`,
    `ctxt ${switches}`,
    `btime ${ports.bootTime}`,
    `processes ${kernel.forks}`,
    `procs_running ${running}`,
    "procs_blocked 0",
    "",
  ].join("\n");
}

function ticks(ns: number): number {
  return Math.floor(ns / 1e7);
}
