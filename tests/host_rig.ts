/**
 * A machine with a booted host kernel, its interrupts, kernel threads, hotplug, sysfs and procfs: what the tests of
 * these subsystems run on.
 *
 * @module
 */

import type { Activity } from "../hw/sim/activity.ts";
import { Engine } from "../hw/sim/engine.ts";
import { Machine } from "../hw/machine.ts";
import { CORE_I7_3770 } from "../runtime/linux/cpu_identity.ts";
import { Errno } from "../runtime/linux/errno.ts";
import { CpuHotplug } from "../runtime/linux/hotplug.ts";
import { INTERFACES } from "../runtime/linux/interfaces.ts";
import { Irqs } from "../runtime/linux/irq/irq.ts";
import { Kernel } from "../runtime/linux/kernel.ts";
import { KernelThreads } from "../runtime/linux/sched/kthreads.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { physicalCpuTimes, procfs } from "../runtime/linux/fs/proc/procfs.ts";
import { kernelCosts, type KernelRelease } from "../runtime/linux/release.ts";
import { sysfsCpu } from "../runtime/linux/fs/sysfs/sysfs_cpu.ts";
import type { Task } from "../runtime/linux/sched/task.ts";
import { thisCpu } from "../runtime/linux/this_cpu.ts";
import { Vector } from "../runtime/linux/irq/vectors.ts";
import { PROCFS, SYSCTL, SYSFS } from "../runtime/linux/fs/file_systems.ts";
import { Vfs } from "../runtime/linux/fs/vfs.ts";
import { flat, FLAT_MACHINE } from "./flat_costs.ts";

const RELEASE: KernelRelease = { release: "3.6.0", hz: 100, noHz: true, realTime: false, clocksource: "tsc" };

/** A booted host. */
export class HostRig {
  readonly engine = new Engine(1);
  readonly machine: Machine;
  readonly host: Kernel;
  readonly irqs: Irqs;
  readonly threads: KernelThreads;
  readonly hotplug: CpuHotplug;
  readonly vfs = new Vfs();

  /** @param slaveAffinity see {@linkcode Irqs} */
  constructor({ cpus = 4, slaveAffinity = false, realTime = false } = {}) {
    this.machine = new Machine(this.engine, { ...FLAT_MACHINE, cpus });
    this.host = new Kernel(this.engine, {
      name: "host",
      release: { ...RELEASE, realTime },
      costs: { ...flat(kernelCosts, 200), cpuDown: 1_000_000, cpuUp: 10_000_000 },
      cpus,
      kernelLayer: Layers.HostKernel,
      taskLayer: Layers.HostTask,
      consoleIrq: { irq: 1, name: "i8042" },
    });
    this.irqs = new Irqs(this.host, slaveAffinity);
    this.threads = new KernelThreads(this.host);
    this.hotplug = new CpuHotplug(this.host, this.machine, this.irqs, this.threads);
    const here = () => thisCpu(this.host, this.machine);
    const { root, sys } = procfs(this.host, {
      irqs: this.irqs,
      identity: CORE_I7_3770,
      interfaces: INTERFACES["3.5"],
      commandLine: "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro",
      bootTime: 1_352_246_400,
      disks: [],
      cpusets: null,
      vfs: this.vfs,
      current: () => here().current,
      cpuTimes: physicalCpuTimes(this.machine),
    });
    this.vfs.mount("/proc", root, PROCFS);
    this.vfs.mount("/proc/sys", sys, SYSCTL);
    this.vfs.mount(
      "/sys/devices/system/cpu",
      sysfsCpu(this.host, {
        identity: CORE_I7_3770,
        interfaces: INTERFACES["3.5"],
        hotplug: this.hotplug,
        thisCpu: here,
      }),
      SYSFS,
    );
    for (const cpu of this.machine.cpus) cpu.start(this.host.cpus[cpu.id]!.prepareStart());
    this.engine.runUntil(50_000_000);
  }

  /** Lets simulated time pass. */
  run(ns: number): void {
    this.engine.runUntil(this.engine.nowNs + ns);
  }

  /** Starts a task by an interrupt, as software outside of the machine cannot wake one. */
  start(name: string, allowed: number, body: (task: Task) => Activity<number>): Task {
    const task = this.host.createTask(name, allowed, body);
    const home = this.host.cpus[task.cpu]!;
    this.host.wake(task, home);
    this.machine.messageSignalled(home.id, Vector.Reschedule);
    return task;
  }

  /** Runs `body` as a task on the CPUs `allowed` until it ends, at most a second. */
  do<T>(body: (task: Task) => Activity<T>, allowed = 1): T {
    let result: { readonly value: T } | undefined;
    this.start("test", allowed, function* (task) {
      result = { value: yield* body(task) };
      return 0;
    });
    for (let step = 0; step < 100 && result === undefined; step++) this.run(10_000_000);
    if (result === undefined) throw new Error("The task has not ended within a second");
    return result.value;
  }

  /** `cat PATH`, in no time. */
  read(path: string): string {
    const file = this.vfs.open(path, { read: true });
    if (file instanceof Errno) throw new Error(`open ${path}: ${file}`);
    const step = file.read().next();
    if (step.done !== true || step.value instanceof Errno) throw new Error(`read ${path}`);
    return step.value;
  }

  /** `echo TEXT > PATH` on CPU 0 (or those `allowed`): undefined, or the errno's name. */
  write(path: string, text: string, allowed = 1): string | undefined {
    const file = this.vfs.open(path, { write: true, create: true, truncate: true });
    if (file instanceof Errno) return file.name;
    const written = this.do(() => file.write(text), allowed);
    return written instanceof Errno ? written.name : undefined;
  }
}
