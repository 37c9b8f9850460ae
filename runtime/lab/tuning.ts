/**
 * The tuned set-up of stock KVM, as slide 7 advises: an exclusive cpuset for the vCPU's thread, SCHED_RR, locked memory.
 *
 * It is what examples/tuned.rtk types on system `kvm`, done when the host has booted and when a guest starts. What it
 * leaves on the dedicated CPU is what slide 7 says remains: the threads of the kernel that are bound to it, the host's
 * own interrupts, and the forwarding of the guest's.
 *
 * @module
 */

import { Cpuset } from "../linux/sched/cpuset.ts";
import { CPUSET } from "../linux/fs/file_systems.ts";
import { setScheduler } from "../linux/sched/scheduler_calls.ts";
import type { Task } from "../linux/sched/task.ts";
import type { Software } from "./software.ts";
import { DEDICATED_CPU } from "./systems.ts";

/** SCHED_RR priority of vCPU threads: `chrt -r -p 1`. */
const VCPU_PRIORITY = 1;

/** Gives the dedicated CPU to group `rt` and the others to group `system`, with every task that can be moved. */
export function tuneHost({ kernel, cpusets, vfs }: Software): void {
  const group = (name: string, cpus: number, exclusive: boolean) => {
    const made = new Cpuset(cpusets.root);
    made.cpus = cpus;
    made.mems = cpusets.root.mems;
    made.cpuExclusive = exclusive;
    cpusets.root.children.set(name, made);
    return made;
  };
  group("rt", 1 << DEDICATED_CPU, true);
  const system = group("system", kernel.possibleMask & ~(1 << DEDICATED_CPU), false);
  for (const task of kernel.tasks.values()) {
    if (task.bound || task.name === "kthreadd") continue;
    task.cpuset = system;
    task.allowed = system.cpus;
  }
  cpusets.shellGroup = system;
  vfs.mount("/dev/cpuset", cpusets.directory(""), CPUSET);
}

/** Puts a vCPU's thread, which runs, into group `rt` and gives it its policy. */
export function tuneVcpu({ kernel, cpusets }: Software, thread: Task): void {
  thread.cpuset = cpusets.root.children.get("rt") ?? null;
  setScheduler(kernel, thread, "SCHED_RR", VCPU_PRIORITY, kernel.cpus[thread.cpu]!);
}
