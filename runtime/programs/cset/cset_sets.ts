/**
 * Cpusets as cset sees them: the directories below the mount point, and what it does with their files.
 *
 * *Document*: cpuset 1.6, `cset.py`; texts of its complaints.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { cpuList, parseCpuList } from "../../linux/cpu_mask.ts";
import { EINVAL, Errno, ESRCH } from "../../linux/errno.ts";
import { affinity } from "../../linux/sched/scheduler_calls.ts";
import type { Task } from "../../linux/sched/task.ts";
import { type ProgramProcess, readFile, writeFile } from "../program.ts";

/** Where it mounts them, where nobody has. */
const MOUNT_POINT = "/cpusets";
/** As many tasks are moved without a bar. */
const UNBARRED = 3;

/** A cpuset. */
export interface NamedSet {
  /** `root`, or the last part of the path. */
  readonly name: string;
  /** `/`, `/user`. */
  readonly path: string;
}

/** What goes wrong, as cset words it; the command ends with status 2. */
export class CsetError {
  constructor(readonly text: string) {}
}

/** The cpusets of a computer. */
export class Sets {
  readonly #command: ProgramProcess;
  readonly #mount: string;
  /** Before the names of files where they are a cgroup's. */
  readonly #prefix: "" | "cpuset.";

  private constructor(command: ProgramProcess, mount: string, prefix: "" | "cpuset.") {
    this.#command = command;
    this.#mount = mount;
    this.#prefix = prefix;
  }

  /** Finds where they are mounted, or mounts them. */
  static mounted(command: ProgramProcess): Sets | CsetError {
    const { vfs, fileSystem } = command.system;
    for (const { path, fileSystem: { name } } of vfs.mounts()) {
      if (name !== "cpuset" && name !== "cgroup") continue;
      return new Sets(command, path, vfs.stat(`${path}/cpus`) instanceof Errno ? "cpuset." : "");
    }
    const found = fileSystem("cpuset", []);
    if (found === undefined) {
      return new CsetError("mount of cpuset filesystem failed, do you have permission?");
    }
    vfs.mkdir(MOUNT_POINT);
    vfs.mount(MOUNT_POINT, found.node, found.fileSystem, "none");
    return new Sets(command, MOUNT_POINT, "");
  }

  /** Where they are mounted. */
  get mount(): string {
    return this.#mount;
  }

  folder({ path }: NamedSet): string {
    return path === "/" ? this.#mount : `${this.#mount}${path}`;
  }

  /** The sets right below one. */
  below(set: NamedSet): NamedSet[] {
    const { vfs } = this.#command.system;
    const names = vfs.list(this.folder(set));
    if (names instanceof Errno) return [];
    return names.flatMap((name) => {
      const path = set.path === "/" ? `/${name}` : `${set.path}/${name}`;
      const stat = vfs.stat(`${this.#mount}${path}`);
      return !(stat instanceof Errno) && stat.kind === "directory" ? [{ name, path }] : [];
    });
  }

  /** All of them, the root first. */
  all(from: NamedSet = ROOT): NamedSet[] {
    return [from, ...this.below(from).flatMap((set) => this.all(set))];
  }

  /** The sets of a name, or the one of a path. */
  named(name: string): NamedSet[] | CsetError {
    if (name === "root" || name === "/") return [ROOT];
    const path = name.startsWith("/") ? name : `/${name}`;
    const found = this.all().filter((set) => name.includes("/") ? set.path === path : set.name === name);
    return found.length > 0 ? found : new CsetError(`cpuset "${name}" not found in cpusets`);
  }

  /** The only set of that name. */
  one(name: string): NamedSet | CsetError {
    const found = this.named(name);
    if (found instanceof CsetError) return found;
    if (found.length === 1) return found[0]!;
    const paths = found.map(({ path }) => `'${path}'`).join(", ");
    return new CsetError(`cpuset name "${name}" not unique: [${paths}]`);
  }

  *read(set: NamedSet, file: string): Activity<string> {
    const text = yield* readFile(this.#command.system, `${this.folder(set)}/${this.#prefix}${file}`);
    return text instanceof Errno ? "" : text.trim();
  }

  *write(set: NamedSet, file: string, value: string): Activity<CsetError | void> {
    const path = `${this.folder(set)}/${this.#prefix}${file}`;
    const refused = yield* writeFile(this.#command.system.vfs, path, value);
    if (refused instanceof Errno) return new CsetError(`[Errno ${refused.number}] ${refused.message}`);
  }

  /** Makes a set, if it is not there, and gives it what is said. Answers whether it is new. */
  *create(
    name: string,
    values: { readonly cpus?: string; readonly mems?: string; readonly exclusive?: boolean },
  ): Activity<boolean | CsetError> {
    const path = name.startsWith("/") ? name : `/${name}`;
    const found = this.named(name);
    const isNew = found instanceof CsetError;
    if (!isNew && found.length > 1) {
      return new CsetError(`cpuset "${name}" not unique, please specify by path`);
    }
    const set = isNew ? { name: path.replace(/^.*\//, ""), path } : found[0]!;
    if (isNew) {
      const refused = this.#command.system.vfs.mkdir(this.folder(set));
      if (refused instanceof Errno) {
        return new CsetError(`[Errno ${refused.number}] ${refused.message}: '${this.folder(set)}'`);
      }
    }
    const files: [file: string, value: string | undefined][] = [
      ["cpus", values.cpus],
      ["mems", values.mems ?? (isNew ? "0" : undefined)],
      ["cpu_exclusive", values.exclusive === undefined ? undefined : values.exclusive ? "1" : "0"],
    ];
    for (const [file, value] of files) {
      const refused = value === undefined ? undefined : yield* this.write(set, file, value);
      if (refused instanceof CsetError) return refused;
    }
    return isNew;
  }

  /** Pids of the tasks of a set. */
  *tasks(set: NamedSet): Activity<number[]> {
    const text = yield* readFile(this.#command.system, `${this.folder(set)}/tasks`);
    return text instanceof Errno ? [] : text.split("\n").filter((line) => line !== "").map(Number);
  }

  /** Moves tasks into a set; says which could not be moved. */
  *move(pids: readonly number[], set: NamedSet): Activity<CsetError | void> {
    const { stdout, system } = this.#command;
    let gone = 0, unmovable = 0;
    for (const pid of pids) {
      const refused = yield* writeFile(system.vfs, `${this.folder(set)}/tasks`, `${pid}`);
      if (refused === ESRCH) gone++;
      else if (refused === EINVAL) unmovable++;
      else if (refused instanceof Errno) return new CsetError(`[Errno ${refused.number}] ${refused.message}`);
    }
    if (pids.length > UNBARRED) stdout(`[${"=".repeat(50)}]%\n`);
    if (gone > 0) this.say(`**> ${gone} tasks were not found, so were not moved`);
    if (unmovable > 0) this.say(`**> ${unmovable} tasks are not movable, impossible to move`);
  }

  /** What shells start from then on begins in a set. */
  *leadShells(set: NamedSet): Activity<CsetError | void> {
    const refused = yield* writeFile(this.#command.system.vfs, `${this.folder(set)}/tasks`, "0");
    if (refused instanceof Errno) return new CsetError(`[Errno ${refused.number}] ${refused.message}`);
  }

  /** Takes a set away; its tasks must have left it. */
  destroy(set: NamedSet): CsetError | void {
    const refused = this.#command.system.vfs.remove(this.folder(set));
    if (refused instanceof Errno) {
      return new CsetError(`[Errno ${refused.number}] ${refused.message}: '${this.folder(set)}'`);
    }
  }

  /** `"user" cpuset of CPUSPEC(3) with 0 tasks running`. */
  *summary(set: NamedSet): Activity<string> {
    const { length } = yield* this.tasks(set);
    const cpus = yield* this.read(set, "cpus");
    return `"${set.name}" cpuset of CPUSPEC(${cpus}) with ${length} ${
      length === 1 ? "task" : "tasks"
    } running`;
  }

  /** A line of output. */
  say(text: string): void {
    this.#command.stdout(`cset: ${text}\n`);
  }
}

/** The root. */
export const ROOT: NamedSet = { name: "root", path: "/" };

/** Whether a CPUSPEC is one, of CPUs that there are. */
export function checkCpus({ kernel }: ProgramProcess, spec: string): CsetError | void {
  const strange = /[^0-9,-]/.exec(spec);
  if (strange !== null) {
    return new CsetError(`CPUSPEC "${spec}" contains invalid charaters: ${strange[0]}`); // as it is spelt there
  }
  const online = cpuList(kernel.onlineMask);
  const max = Number(online.split(/[-,]/).at(-1));
  const last = spec.split(",").at(-1)!.split("-").at(-1)!;
  if (Number(last) > max) {
    return new CsetError(`CPUSPEC "${spec}" specifies higher max(${last}) than available(${max})`);
  }
  const bad = spec.split(",").find((part) => part.split("-").length > 2 || /^-|-$/.test(part));
  if (bad !== undefined) return new CsetError(`CPUSPEC "${spec}" has bad group "${bad}"`);
}

/** The CPUs up to the last one online that a CPUSPEC does not name, as another. */
export function inverse({ kernel }: ProgramProcess, spec: string): string {
  const mask = parseCpuList(spec, kernel.cpus.length);
  const last = 31 - Math.clz32(kernel.onlineMask);
  return cpuList(((2 << last) - 1) & ~(mask instanceof Errno ? 0 : mask));
}

/** It has an executable, as kernel threads have none. */
export function isUserTask(task: Task | undefined): boolean {
  return task !== undefined && !task.kernelThread;
}

/** It may run on every CPU. */
export function isUnbound({ kernel }: ProgramProcess, task: Task | undefined): boolean {
  return task !== undefined && affinity(kernel, task) === kernel.onlineMask;
}

/** PIDs of `1,2,600-700`: of a range those that there are; undefined: it is none. */
export function pidsOf({ kernel, system }: ProgramProcess, spec: string): number[] | undefined {
  if (!/^\d[\d,-]*$/.test(spec)) return undefined;
  const shells = new Set(system.shells());
  const pids = new Set<number>();
  for (const part of spec.split(",").filter((each) => each !== "")) {
    const [first, last] = part.split("-").map(Number);
    if (last === undefined) pids.add(first!);
    else {for (let pid = first!; pid <= last; pid++) {
        if (kernel.tasks.has(pid) || shells.has(pid)) pids.add(pid);
      }}
  }
  return [...pids];
}
