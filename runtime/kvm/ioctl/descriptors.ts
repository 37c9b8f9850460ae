/**
 * File descriptors of a process that talks to KVM, and what a descriptor of `/dev/kvm` and its children is.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { EBADF, EINVAL, ENOTTY, type Errno } from "../../linux/errno.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import type { Task } from "../../linux/sched/task.ts";
import type { IoctlCall } from "./ioctl_call.ts";

/** The first descriptor that is not the shell's. */
const FIRST = 3;

/** The result of a system call as the kernel gives it: negative is an errno. */
export function failure(errno: { readonly number: number }): number {
  return -errno.number;
}

/** An open file that takes ioctls. Descriptors of several processes may share one: the last close releases it. */
export abstract class KernelFile {
  /** Descriptors that refer to it. */
  references = 0;

  /** `ioctl(2)`, made by a task on the CPU it runs on; negative: an errno. */
  // deno-lint-ignore require-yield
  *ioctl(_call: IoctlCall): Activity<number> {
    return failure(ENOTTY);
  }

  /** The name of a request that the real file takes and this one has no model of; `undefined`: it is none. */
  unmodelled(_request: number): string | undefined {
    return undefined;
  }

  /** `read(2)` of as many bytes: what came, or an errno. */
  read(_length: number): Uint8Array<ArrayBuffer> | Errno {
    return EINVAL;
  }

  /** `write(2)`: how many bytes were taken, or an errno. */
  write(_bytes: Uint8Array, _from: KernelCpu): number | Errno {
    return EINVAL;
  }

  /** What somebody should know who has just made that request with success; `undefined`: nothing. */
  caution(_request: number): string | undefined {
    return undefined;
  }

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

/** What 0, 1 and 2 of a shell are: no device that takes requests of KVM. */
class Terminal extends KernelFile {
  override *release(): Activity {}
}

/** The descriptors of one process. 0, 1 and 2 are the shell's. */
export class Descriptors {
  readonly #files = new Map<number, KernelFile>();

  constructor() {
    const terminal = new Terminal();
    for (let fd = 0; fd < FIRST; fd++) this.#files.set(fd, terminal);
  }

  /** Enters a file under the lowest free number. */
  install(file: KernelFile): number {
    let fd = FIRST;
    while (this.#files.has(fd)) fd++;
    this.#files.set(fd, file);
    file.references++;
    return fd;
  }

  /** The file of a descriptor. */
  get(fd: number): KernelFile | undefined {
    return this.#files.get(fd);
  }

  /** The open descriptors, ascending, without the shell's. */
  numbers(): number[] {
    return [...this.#files.keys()].filter((fd) => fd >= FIRST).sort((a, b) => a - b);
  }

  /** `close(2)`. */
  *close(fd: number, caller: Task): Activity<number> {
    const file = this.get(fd);
    if (file === undefined) return failure(EBADF);
    if (fd < FIRST) return 0; // the shell keeps its terminal
    this.#files.delete(fd);
    if (--file.references === 0) yield* file.release(caller);
    return 0;
  }

  /** What the end of the process does: closes everything, lowest number first. */
  *closeAll(caller: Task): Activity {
    for (const fd of this.numbers()) yield* this.close(fd, caller);
  }
}
