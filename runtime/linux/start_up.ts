/**
 * A kernel's way up: its CPUs, then user space.
 *
 * *Document*: Linux 3.4 `init/main.c` (`kernel_init()`: `smp_init()` before init is run).
 *
 * @module
 */

import type { Kernel } from "./kernel.ts";
import type { Task } from "./sched/task.ts";

/** How far a kernel has booted, and who waits for it. */
export class StartUp {
  /** Boot tasks that have not ended. */
  #tasks = 0;
  /** Its CPUs are online, and user space has begun. */
  #userSpace = false;
  readonly #toStart: Task[] = [];
  readonly #whenUp: (() => void)[] = [];

  /** @param kernel whose it is */
  constructor(readonly kernel: Kernel) {}

  /** Whether it has booted. */
  get isUp(): boolean {
    return this.#tasks === 0 && this.#userSpace;
  }

  /** Starts `task`, like `init`, as soon as the CPUs are online; the kernel counts as up when it has ended. */
  atBoot(task: Task): void {
    this.#tasks++;
    this.#toStart.push(task);
  }

  /** A CPU has come online. Once all that were started are, the boot tasks start: they find them all. */
  cpuBooted(): void {
    const { cpus } = this.kernel;
    if (this.#userSpace || cpus.some(({ booting }) => booting)) return;
    this.#userSpace = true;
    for (const task of this.#toStart.splice(0)) this.kernel.wake(task, cpus[0]!);
    this.#tellIfUp();
  }

  /** One of the boot tasks is done. */
  taskDone(): void {
    this.#tasks--;
    this.#tellIfUp();
  }

  /** Calls `action` as soon as the kernel is up. */
  whenUp(action: () => void): void {
    if (this.isUp) action();
    else this.#whenUp.push(action);
  }

  #tellIfUp(): void {
    if (!this.isUp) return;
    for (const action of this.#whenUp.splice(0)) action();
  }
}
