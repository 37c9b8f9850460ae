/**
 * One `ioctl` as the kernel sees it: a request, a number or an address, and the memory of the process that called.
 *
 * *Document*: Linux `virt/kvm/kvm_main.c`: `kvm_dev_ioctl()`, `kvm_vm_ioctl()`, `kvm_vcpu_ioctl()`.
 *
 * A handler does what its case of the kernel's switch does, in that order: where `copy_from_user()` comes first a bad
 * pointer is EFAULT, where a state is looked at first that state's error wins. A request without a handler is answered
 * as by a kernel that does not know it.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { EFAULT, Errno } from "../../linux/errno.ts";
import type { Kernel } from "../../linux/kernel.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import type { Task } from "../../linux/sched/task.ts";
import type { Descriptors } from "./descriptors.ts";
import { known, type Level, type RequestName, requestNamed } from "../uapi/requests.ts";
import { sizeOf, type Structure, View } from "../uapi/structure.ts";
import type { UserMemory } from "../uapi/user_memory.ts";
import type { KvmVersion } from "../versions.ts";

/** The result of a request: a number, or an error. */
export type Outcome = number | Errno;

/** The process that calls. */
export interface CallingProcess {
  /** The kernel that it runs on. */
  readonly host: Kernel;
  /** What it has mapped. */
  readonly memory: UserMemory;
  /** What it has open. */
  readonly descriptors: Descriptors;
}

/** A call that is being made. */
export class IoctlCall {
  /**
   * @param argument the third argument, as the signed number that a register holds
   * @param process whose memory and descriptors the request means @param caller the task that calls
   */
  constructor(
    readonly request: number,
    readonly argument: number,
    readonly process: CallingProcess,
    readonly caller: Task,
  ) {}

  /** The CPU on which the caller runs now. */
  get cpu(): KernelCpu {
    return this.process.host.cpus[this.caller.cpu]!;
  }

  /** The argument as an `unsigned long`. */
  get unsigned(): number {
    return this.argument < 0 ? 2 ** 64 + this.argument : this.argument;
  }

  /** `copy_from_user()` of the structure that the argument points to; `null`: EFAULT. */
  copyIn<Name extends string>(structure: Structure<Name>): View<Name> | null {
    const bytes = this.process.memory.read(this.unsigned, structure.size);
    return bytes === null ? null : new View(structure, bytes);
  }

  /** `memdup_user()` of the first `count` elements of the array at the end of the argument's structure. */
  copyInTail<Element extends string>(
    structure: Structure,
    element: Structure<Element>,
    count: number,
  ): View<Element>[] | null {
    const { offset } = structure.tail!;
    const bytes = this.process.memory.read(this.unsigned + offset, count * element.size);
    if (bytes === null) return null;
    return Array.from({ length: count }, (_, i) => new View(element, bytes, i * element.size));
  }

  /** `copy_to_user()` of a structure to where the argument points. */
  copyOut(view: { readonly bytes: Uint8Array }): 0 | Errno {
    return this.process.memory.write(this.unsigned, view.bytes) ? 0 : EFAULT;
  }

  /** `copy_to_user()` of elements of the array at the structure's end. */
  copyOutTail(structure: Structure, bytes: Uint8Array): 0 | Errno {
    return this.process.memory.write(this.unsigned + structure.tail!.offset, bytes) ? 0 : EFAULT;
  }
}

/** Bytes of `values` in a row, each of a type's size. */
export function packed(type: "u32", values: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.length * sizeOf(type));
  const data = new DataView(bytes.buffer);
  values.forEach((value, i) => data.setUint32(i * sizeOf(type), value, true));
  return bytes;
}

/** What a request does on a file of its level. */
export type Handler<File> = (file: File, call: IoctlCall) => Outcome | Activity<Outcome>;

/** Handlers of one level, by request. */
export type Handlers<File> = Readonly<Partial<Record<RequestName, Handler<File>>>>;

/** What decides whether a request is there. */
export interface Surroundings {
  /** The row of the kernel. */
  readonly version: KvmVersion;
  /** Whether it has the series' patches. */
  readonly patched: boolean;
}

/**
 * Finds the handler of a request and calls it.
 *
 * @param unknown the answer to a request that is not there: EINVAL of the module and of vCPUs, ENOTTY of machines
 */
export function* dispatch<File>(
  level: Level,
  handlers: Handlers<File>,
  { version, patched }: Surroundings,
  unknown: Errno,
  file: File,
  call: IoctlCall,
): Activity<number> {
  const name = requestNamed(call.request);
  const handler = name !== undefined && known(name, level, version, patched) ? handlers[name] : undefined;
  if (handler === undefined) return -unknown.number;
  const answer = handler(file, call);
  const outcome = typeof answer === "number" || answer instanceof Errno ? answer : yield* answer;
  return outcome instanceof Errno ? -outcome.number : outcome;
}

/** The name of a request that this kernel has and `handlers` has not; `undefined`: it is none. */
export function unmodelledRequest<File>(
  level: Level,
  handlers: Handlers<File>,
  { version, patched }: Surroundings,
  request: number,
): RequestName | undefined {
  const name = requestNamed(request);
  if (name === undefined || !known(name, level, version, patched)) return undefined;
  return handlers[name] === undefined ? name : undefined;
}
