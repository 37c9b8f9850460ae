/**
 * File descriptors of a process that talks to KVM, and what a descriptor of `/dev/kvm` and its children is.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { EBADF, ENOTTY } from "../linux/errno.ts";
import type { Task } from "../linux/task.ts";

/** An argument of a system call: an integer, or a string. */
export type CallValue = number | string;

/** The result of a system call as the kernel gives it: negative is an errno. */
export function failure(errno: { readonly number: number }): number {
  return -errno.number;
}

/** An open file that takes ioctls. Descriptors of several processes may share one: the last close releases it. */
export abstract class KernelFile {
  /** Descriptors that refer to it. */
  references = 0;

  /**
   * `ioctl(2)`, made by `caller` on the CPU it runs on.
   *
   * @param args what follows the request; a structure is given by its fields in their order
   */
  abstract ioctl(request: number, args: readonly CallValue[], caller: Task): Activity<number>;

  /** Of a vCPU: why its last `KVM_RUN` returned. */
  get lastExit(): string | undefined {
    return undefined;
  }

  /** Of a vCPU: whether somebody is in a request on it, so that another one waits. */
  get busy(): boolean {
    return false;
  }

  /** The last descriptor has been closed. */
  abstract release(caller: Task): Activity;
}

/** `eventfd(2)`: a counter. */
export class EventFile extends KernelFile {
  /** @param count the initial value */
  constructor(public count: number) {
    super();
  }

  // deno-lint-ignore require-yield
  override *ioctl(): Activity<number> {
    return failure(ENOTTY);
  }

  override *release(): Activity {}
}

/** The descriptors of one process. 0, 1 and 2 are the shell's. */
export class Descriptors {
  readonly #files = new Map<number, KernelFile>();

  /** Enters a file under the lowest free number. */
  install(file: KernelFile): number {
    let fd = 3;
    while (this.#files.has(fd)) fd++;
    this.#files.set(fd, file);
    file.references++;
    return fd;
  }

  /** The file of a descriptor. */
  get(fd: CallValue | undefined): KernelFile | undefined {
    return typeof fd === "number" ? this.#files.get(fd) : undefined;
  }

  /** The open descriptors, ascending. */
  numbers(): number[] {
    return [...this.#files.keys()].sort((a, b) => a - b);
  }

  /** `close(2)`. */
  *close(fd: CallValue | undefined, caller: Task): Activity<number> {
    const file = this.get(fd);
    if (file === undefined) return failure(EBADF);
    this.#files.delete(fd as number);
    if (--file.references === 0) yield* file.release(caller);
    return 0;
  }

  /** What the end of the process does: closes everything, lowest number first. */
  *closeAll(caller: Task): Activity {
    for (const fd of this.numbers()) yield* this.close(fd, caller);
  }
}
