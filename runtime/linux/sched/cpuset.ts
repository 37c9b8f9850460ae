/**
 * cpusets: groups of tasks that may use some CPUs only; one of them can be alone on its CPUs.
 *
 * *Document*: Linux 3.5 `kernel/cpuset.c` (`validate_change`, `update_cpumask`, `update_flag`, `cpuset_can_attach`),
 * `kernel/cgroup.c`; `Documentation/cgroups/cpusets.txt`.
 *
 * *Modelled*: the tree of groups, `cpus`, `mems`, `cpu_exclusive`, `mem_exclusive`, `tasks` with the kernel's errors;
 * tasks that are moved to the CPUs of their group, and stay there whatever they ask for; children inherit.
 *
 * *Not modelled*: memory placement: there is one node, and the memory flags are only kept. Load is balanced by where
 * tasks may run, whatever `sched_load_balance` says. Neither `release_agent` nor `cgroup.event_control`.
 *
 * *Deviations*: shells are no tasks here. Writing the pid of one, or 0 as `echo` does for the shell that it belongs to,
 * decides where the programs that are started from then on begin, of all shells of the computer; `tasks` does not list
 * them. `cgroup.procs` moves one task, as `tasks` does, not its whole process.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { cpuList, parseCpuList } from "../cpu_mask.ts";
import { EACCES, EBUSY, EEXIST, EINVAL, ENOSPC, Errno, ESRCH } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { KernelThreads } from "./kthreads.ts";
import { setCpusAllowed } from "./scheduler_calls.ts";
import type { CpuMask, Task } from "./task.ts";
import { attribute, readOnly } from "../fs/computed_nodes.ts";
import type { AttributeNode, DirectoryNode, Node } from "../fs/vfs.ts";

/** The machine's memory: node 0. */
const ALL_NODES = 1;

/** What a group allows. */
interface Allowance {
  readonly cpus: CpuMask;
  readonly mems: number;
  readonly cpuExclusive: boolean;
  readonly memExclusive: boolean;
}

/** A group. */
export class Cpuset implements Allowance {
  /** CPUs, bit N for CPU N. */
  cpus: CpuMask = 0;
  /** Memory nodes. */
  mems = 0;
  /** No sibling may have a CPU of these. */
  cpuExclusive = false;
  /** No sibling may have a node of these. */
  memExclusive = false;
  /** Flags that are kept and have no effect, by their names. */
  readonly kept = new Map<string, number>([
    ["mem_hardwall", 0],
    ["memory_migrate", 0],
    ["memory_spread_page", 0],
    ["memory_spread_slab", 0],
    ["notify_on_release", 0],
    ["sched_load_balance", 1],
    ["cgroup.clone_children", 0],
  ]);
  /** The groups below it, by name. */
  readonly children = new Map<string, Cpuset>();

  /** A group below `parent`; null: the root. */
  constructor(readonly parent: Cpuset | null) {}
}

/** The groups of one kernel. */
export class Cpusets {
  /** Every task's group, unless it was moved. */
  readonly root: Cpuset = new Cpuset(null);
  /** Pids of shells. */
  readonly shells = new Set<number>();
  /** Where programs begin that a shell starts. */
  shellGroup: Cpuset = this.root;

  /** @param thisCpu the CPU that executes a store */
  constructor(readonly kernel: Kernel, readonly threads: KernelThreads, readonly thisCpu: () => KernelCpu) {
    this.root.cpuExclusive = this.root.memExclusive = true;
    this.root.mems = ALL_NODES;
  }

  /**
   * The directory to mount. `mount -t cpuset` names files as they were called before there were cgroups: `cpus`;
   * `mount -t cgroup -o cpuset` says `cpuset.cpus`.
   */
  directory(prefix: "" | "cpuset."): DirectoryNode {
    return this.#directory(this.root, prefix);
  }

  /** Where a group is in the tree: `/rt`; that of null is the root. */
  pathOf(group: Cpuset | null): string {
    if (group === null || group.parent === null) return "/";
    const name = [...group.parent.children].find(([, child]) => child === group)?.[0] ?? "";
    const above = this.pathOf(group.parent);
    return above === "/" ? `/${name}` : `${above}/${name}`;
  }

  /** cpuset_cpus_allowed(): where the tasks of `group` may run now. */
  cpusOf(group: Cpuset): CpuMask {
    return group === this.root ? this.kernel.onlineMask : group.cpus & this.kernel.onlineMask;
  }

  /** A CPU went offline: it leaves every group for good, and tasks of a group without CPUs go to the one above. */
  cpuGone(cpu: number): void {
    for (const group of this.#below(this.root)) {
      group.cpus &= ~(1 << cpu);
      if (group.cpus !== 0) continue;
      for (const task of this.#tasksOf(group)) this.#join(task, group.parent!);
      if (this.shellGroup === group) this.shellGroup = group.parent!;
    }
  }

  *#below(group: Cpuset): Iterable<Cpuset> {
    for (const child of group.children.values()) {
      yield* this.#below(child);
      yield child;
    }
  }

  #join(task: Task, group: Cpuset): void {
    task.cpuset = group === this.root ? null : group;
  }

  #tasksOf(group: Cpuset): Task[] {
    return [...this.kernel.tasks.values()].filter((task) => (task.cpuset ?? this.root) === group);
  }

  // ---- changes ----

  /** validate_change(): whether `group` may become `trial`. */
  #refusal(group: Cpuset, trial: Allowance): Errno | undefined {
    for (const child of group.children.values()) if (!isSubset(child, trial)) return EBUSY;
    if (group.parent === null) return undefined;
    const parent = group.parent === this.root ? this.#rootAllowance() : group.parent;
    if (!isSubset(trial, parent)) return EACCES;
    for (const sibling of group.parent.children.values()) {
      if (sibling === group) continue;
      const cpus = (trial.cpus & sibling.cpus) !== 0, mems = (trial.mems & sibling.mems) !== 0;
      if ((trial.cpuExclusive || sibling.cpuExclusive) && cpus) return EINVAL;
      if ((trial.memExclusive || sibling.memExclusive) && mems) return EINVAL;
    }
    const inUse = this.#tasksOf(group).length > 0 || this.shellGroup === group;
    if (inUse && (trial.cpus === 0 || trial.mems === 0)) return ENOSPC;
  }

  #rootAllowance(): Allowance {
    const { mems, cpuExclusive, memExclusive } = this.root;
    return { cpus: this.kernel.onlineMask, mems, cpuExclusive, memExclusive };
  }

  #change(group: Cpuset, change: Partial<Allowance>): Errno | void {
    const { cpus, mems, cpuExclusive, memExclusive } = group;
    const trial: Allowance = { cpus, mems, cpuExclusive, memExclusive, ...change };
    const refused = this.#refusal(group, trial);
    if (refused !== undefined) return refused;
    Object.assign(group, trial);
  }

  /** update_cpumask(). */
  *#setCpus(group: Cpuset, text: string): Activity<Errno | void> {
    if (group === this.root) return EACCES;
    const { kernel, threads } = this;
    const cpus = parseCpuList(text, kernel.cpus.length);
    if (cpus instanceof Errno) return EINVAL;
    if ((cpus & ~kernel.onlineMask) !== 0) return EINVAL;
    if (cpus === group.cpus) return;
    const refused = this.#change(group, { cpus });
    if (refused !== undefined) return refused;
    const by = this.thisCpu().current;
    for (const task of this.#tasksOf(group)) yield* setCpusAllowed(kernel, threads, task, cpus, by);
  }

  #setMems(group: Cpuset, text: string): Errno | void {
    if (group === this.root) return EACCES;
    const mems = parseCpuList(text, 32);
    if (mems instanceof Errno || (mems & ~ALL_NODES) !== 0) return EINVAL;
    return this.#change(group, { mems });
  }

  /** attach_task_by_pid(). */
  *#attach(group: Cpuset, text: string): Activity<Errno | void> {
    const { kernel, threads } = this;
    const pid = /^\s*\d+\s*$/.test(text) ? Number(text) : NaN;
    if (Number.isNaN(pid)) return EINVAL;
    const task = kernel.tasks.get(pid);
    if (task === undefined && pid !== 0 && !this.shells.has(pid)) return ESRCH;
    // Threads bound to a CPU stay there, and kthreadd where the threads that it makes can go anywhere.
    if (task?.bound || task?.name === "kthreadd") return EINVAL;
    const cpus = this.cpusOf(group);
    if (group !== this.root && (group.cpus === 0 || group.mems === 0)) return ENOSPC;
    if (task === undefined) {
      this.shellGroup = group;
      return;
    }
    this.#join(task, group);
    yield* setCpusAllowed(kernel, threads, task, cpus, this.thisCpu().current);
  }

  #remove(parent: Cpuset, name: string): Errno | void {
    const group = parent.children.get(name)!;
    if (group.children.size > 0 || this.#tasksOf(group).length > 0 || this.shellGroup === group) return EBUSY;
    parent.children.delete(name);
  }

  // ---- files ----

  #directory(group: Cpuset, prefix: string): DirectoryNode {
    const files = new Map<string, Node>();
    const file = (name: string, show: () => string, store?: AttributeNode["store"], own = prefix) =>
      files.set(
        name.startsWith("cgroup.") ? name : own + name,
        store === undefined ? readOnly(show) : attribute(0o644, show, store),
      );
    const flag = (name: "cpuExclusive" | "memExclusive") => (text: string) => {
      const value = parseNumber(text);
      return value === undefined ? EINVAL : this.#change(group, { [name]: value !== 0 });
    };
    const pids = () => this.#tasksOf(group).map(({ pid }) => `${pid}\n`).join("");
    file(
      "cpus",
      () => `${cpuList(group === this.root ? this.kernel.onlineMask : group.cpus)}\n`,
      (text) => this.#setCpus(group, text),
    );
    file("mems", () => `${cpuList(group.mems)}\n`, (text) => this.#setMems(group, text));
    file("cpu_exclusive", () => `${Number(group.cpuExclusive)}\n`, flag("cpuExclusive"));
    file("mem_exclusive", () => `${Number(group.memExclusive)}\n`, flag("memExclusive"));
    file("memory_pressure", () => "0\n");
    for (const name of group.kept.keys()) {
      const store = (text: string): Errno | void => {
        const value = parseNumber(text);
        if (value === undefined) return EINVAL;
        group.kept.set(name, Number(value !== 0));
      };
      file(name, () => `${group.kept.get(name)}\n`, store, name === "notify_on_release" ? "" : prefix);
    }
    file("tasks", pids, (text) => this.#attach(group, text), "");
    file("cgroup.procs", pids, (text) => this.#attach(group, text));
    return {
      kind: "directory",
      list: () => [...files.keys(), ...group.children.keys()],
      lookup: (name) => {
        const child = group.children.get(name);
        return files.get(name) ?? (child && this.#directory(child, prefix));
      },
      mkdir: (name) => {
        if (files.has(name) || group.children.has(name)) return EEXIST;
        group.children.set(name, new Cpuset(group));
      },
      rmdir: (name) => this.#remove(group, name),
    };
  }
}

/** is_cpuset_subset(). */
function isSubset(inner: Allowance, outer: Allowance): boolean {
  return (inner.cpus & ~outer.cpus) === 0 && (inner.mems & ~outer.mems) === 0 &&
    (outer.cpuExclusive || !inner.cpuExclusive) && (outer.memExclusive || !inner.memExclusive);
}

/** simple_strtoull() of the whole text: decimal, octal or hexadecimal. */
function parseNumber(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^0[0-7]+$/.test(trimmed)) return parseInt(trimmed, 8);
  return /^(0x[0-9a-f]+|\d+)$/i.test(trimmed) ? Number(trimmed) : undefined;
}
