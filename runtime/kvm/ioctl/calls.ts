/**
 * The calls that a process makes on KVM: `open`, `close`, `ioctl`, `eventfd`, `read` and `write` of an eventfd, `mmap`
 * and `munmap` of memory for a machine.
 *
 * *Document*: the manual pages of section 2; `marshal.ts` for how arguments are written.
 *
 * *Modelled*: descriptors, the process's mappings, the order of an `ioctl`'s checks: the descriptor first (EBADF), then
 * whether it is one of KVM's at all (ENOTTY), then its own.
 *
 * *Not modelled*: files beside `/dev/kvm`; `mmap` of a vCPU's shared area, of which only `immediate_exit` and
 * `exit_reason` are there.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { parseBdf } from "../../../hw/pci.ts";
import { EBADF, EFAULT, EINVAL, ENODEV, ENOENT, ENOMEM, ENOSYS, Errno, errnoOf } from "../../linux/errno.ts";
import type { Kernel } from "../../linux/kernel.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import { settle } from "../../linux/pci/pci_bus.ts";
import type { Task } from "../../linux/sched/task.ts";
import { cpuidOf } from "../cpuid.ts";
import { Descriptors, failure, type KernelFile } from "./descriptors.ts";
import { EventFile } from "./eventfd.ts";
import { IoctlCall } from "./ioctl_call.ts";
import { ioctlName, KVM_CONSTANTS, MapFlag } from "./ioctls.ts";
import type { Kvm } from "../kvm.ts";
import { ArgumentError, type Buffer, bufferOf, type CallValue } from "./marshal.ts";
import { SystemFile } from "./system_file.ts";
import { type Request, requestNamed, REQUESTS } from "../uapi/requests.ts";
import type { Structure } from "../uapi/structure.ts";
import { Cpuid2, STRUCTURES } from "../uapi/structures.ts";
import { UserMemory } from "../uapi/user_memory.ts";
import type { GuestMemory } from "./vm_file.ts";

/** What a call takes. */
interface Signature {
  /** Fewest and most arguments. */
  readonly count: readonly [least: number, most: number];
  /** Those that are numbers. */
  readonly numbers: readonly number[];
}

const SIGNATURES: Readonly<Record<string, Signature>> = {
  open: { count: [2, 3], numbers: [1, 2] },
  close: { count: [1, 1], numbers: [0] },
  ioctl: { count: [2, Infinity], numbers: [0, 1] }, // a structure's numbers may stand in a row
  eventfd: { count: [1, 2], numbers: [0, 1] },
  read: { count: [3, 3], numbers: [0, 2] },
  write: { count: [3, 3], numbers: [0, 1, 2] },
  mmap: { count: [6, 6], numbers: [0, 1, 2, 3, 4, 5] },
  munmap: { count: [2, 2], numbers: [0, 1] },
};

/** The calls that a process makes. One for each process. */
export class KvmCalls {
  /** The process's descriptors. */
  readonly descriptors = new Descriptors();
  /** What it has mapped. */
  readonly memory = new UserMemory();
  /** Guests that lie in mappings, by address. */
  readonly guests = new Map<number, GuestMemory>();

  /** @param kvm the module behind `/dev/kvm` */
  constructor(readonly kvm: Kvm) {}

  /** The calls it takes. */
  static readonly names: readonly string[] = Object.keys(SIGNATURES);
  /** What a C call may name. */
  static readonly constants: ReadonlyMap<string, number> = KVM_CONSTANTS;
  /** Tags of structures. */
  static readonly structures: readonly string[] = [...STRUCTURES.keys()];

  /** The kernel that the process runs on. */
  get host(): Kernel {
    return this.kvm.host;
  }

  /**
   * Makes a call. The result is negative for an errno, as the kernel returns it.
   *
   * @param caller the task that makes it @param cpu the CPU on which it runs
   * @throws {ArgumentError} where {@linkcode complaint} has one
   */
  *call(name: string, args: readonly CallValue[], caller: Task, cpu: KernelCpu): Activity<number> {
    let result: number;
    if (name === "ioctl") result = yield* this.#ioctl(args, caller);
    else {
      yield this.kvm.steps.ioctl;
      if (name === "close") result = yield* this.descriptors.close(integer(name, args, 0), caller);
      else {
        const outcome = this.#other(name, args, cpu);
        result = outcome instanceof Errno ? failure(outcome) : outcome;
      }
    }
    this.#trace(name, args, result, cpu);
    return result;
  }

  /** What a C compiler would say of a call: too few arguments, an unknown field; `undefined`: nothing. */
  complaint(name: string, args: readonly CallValue[]): string | undefined {
    const { count: [least, most], numbers } = SIGNATURES[name]!;
    if (args.length < least) return `too few arguments to function '${name}'`;
    if (args.length > most) return `too many arguments to function '${name}'`;
    try {
      for (const index of numbers) integer(name, args, index);
      if (name === "ioctl") argumentOf(integer(name, args, 1), args);
    } catch (error) {
      if (error instanceof ArgumentError) return error.message;
      throw error;
    }
  }

  /**
   * Makes a call that the model gives no time: what follows from a guest's access to a register that QEMU emulates.
   * Only for requests that neither wait nor reach another CPU.
   */
  callAtOnce(name: string, args: readonly CallValue[], caller: Task): number {
    return settle(this.call(name, args, caller, this.kvm.host.cpus[caller.cpu]!));
  }

  /** `mmap` of `bytes` bytes in which a guest lies: the address. */
  map(bytes: number, guest?: GuestMemory): number {
    const address = this.memory.map(bytes);
    if (guest !== undefined) this.guests.set(address, guest);
    return address;
  }

  #other(name: string, args: readonly CallValue[], cpu: KernelCpu): number | Errno {
    switch (name) {
      case "open":
        return this.#open(args[0]!);
      case "eventfd": {
        const file = EventFile.open(integer(name, args, 0), integer(name, args, 1));
        return file instanceof Errno ? file : this.descriptors.install(file);
      }
      case "read":
        return this.#read(args);
      case "write":
        return this.#write(args, cpu);
      case "mmap":
        return this.#mmap(args);
      case "munmap":
        this.guests.delete(integer(name, args, 0));
        this.memory.unmap(integer(name, args, 0));
        return 0;
      default:
        return ENOSYS;
    }
  }

  #open(path: CallValue): number | Errno {
    if (path === "/dev/kvm") return this.descriptors.install(new SystemFile(this.kvm, this));
    return typeof path === "string" ? ENOENT : EFAULT;
  }

  /** `read(fd, &count, 8)`. */
  #read(args: readonly CallValue[]): number | Errno {
    const file = this.descriptors.get(integer("read", args, 0));
    if (file === undefined) return EBADF;
    const bytes = file.read(integer("read", args, 2));
    if (bytes instanceof Errno) return bytes;
    const target = args[1]!;
    if (typeof target !== "object" || !("kind" in target) || target.kind !== "variable") return EFAULT;
    target.store(new Map([["0", new DataView(bytes.buffer).getBigUint64(0, true)]]));
    return bytes.length;
  }

  /** `write(fd, &count, 8)`, or with the number itself. */
  #write(args: readonly CallValue[], cpu: KernelCpu): number | Errno {
    const file = this.descriptors.get(integer("write", args, 0));
    if (file === undefined) return EBADF;
    const length = integer("write", args, 2);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(integer("write", args, 1)), true);
    return length > bytes.length ? EFAULT : file.write(bytes.subarray(0, length), cpu);
  }

  /** `mmap(NULL, length, prot, flags, fd, offset)` of anonymous memory. */
  #mmap(args: readonly CallValue[]): number | Errno {
    const [length, , flags, fd] = [1, 2, 3, 4].map((i) => integer("mmap", args, i)) as [
      number,
      number,
      number,
      number,
    ];
    if (length <= 0) return EINVAL;
    if ((flags & MapFlag.MAP_ANONYMOUS) === 0) return this.descriptors.get(fd) === undefined ? EBADF : ENODEV;
    return length > LONGEST_MAPPING ? ENOMEM : this.map(length);
  }

  *#ioctl(args: readonly CallValue[], caller: Task): Activity<number> {
    const file = this.descriptors.get(integer("ioctl", args, 0));
    if (file === undefined) return failure(EBADF);
    const request = integer("ioctl", args, 1);
    const argument = argumentOf(request, args);
    yield this.kvm.steps.ioctl;
    if (typeof argument === "number") {
      return yield* file.ioctl(new IoctlCall(request, argument, this, caller));
    }
    return yield* this.#withBuffer(file, request, argument, caller);
  }

  /** Passes the address of bytes that are in the process's memory as long as the call takes. */
  *#withBuffer(file: KernelFile, request: number, buffer: Buffer, caller: Task): Activity<number> {
    const { memory } = this;
    const address = memory.map(buffer.bytes.length);
    memory.write(address, buffer.bytes);
    const result = yield* file.ioctl(new IoctlCall(request, address, this, caller));
    buffer.copyBack?.(memory.read(address, buffer.bytes.length)!);
    memory.unmap(address);
    return result;
  }

  #trace(name: string, args: readonly CallValue[], result: number, cpu: KernelCpu): void {
    const { engine } = this.kvm.host;
    if (engine.trace === null) return;
    const shown = args.map((value, i) =>
      name === "ioctl" && i === 1 && typeof value === "number" ? ioctlName(value) : words(value)
    );
    engine.trace.record({
      event: engine.event,
      cause: engine.event,
      timeNs: engine.nowNs,
      where: `cpu${cpu.id}`,
      kind: "syscall",
      name,
      fields: {
        args: shown.join(", "),
        result: result < 0 ? `-${errnoOf(-result)?.name ?? -result}` : result,
      },
    });
  }
}

/** The third argument of an `ioctl`: a number or an address, or the bytes that it is to point to. */
function argumentOf(request: number, args: readonly CallValue[]): number | Buffer {
  const rest = args.slice(2);
  const [only] = rest;
  if (typeof only === "object" && "kind" in only && only.kind === "address") return only.address;
  const name = requestNamed(request);
  const structure = name === undefined ? undefined : (REQUESTS[name] as Request).structure;
  if (structure !== undefined) return bufferOf(structure, written(structure, rest));
  if (rest.length > 1) throw new ArgumentError("too many arguments to function 'ioctl'");
  return rest.length === 0 ? 0 : integer("ioctl", args, 2);
}

/** What may be written as a string: the place of a PCI device for its id, names of CPUID features for their bits. */
function written(structure: Structure, args: readonly CallValue[]): readonly CallValue[] {
  const [text, ...more] = args;
  if (typeof text !== "string") return args;
  if (structure.name === Cpuid2.name) return [cpuidOf(text.split(","))];
  const place = parseBdf(text);
  if (place === undefined || !structure.fields.has("assigned_dev_id")) {
    throw new ArgumentError(`"${text}" does not name a struct ${structure.name}`);
  }
  const { domain, bus, device, function: fn } = place;
  const devfn = (device << 3) | fn;
  const id = (domain * 0x1_0000) + (bus << 8) + devfn; // calc_assigned_dev_id() of qemu-kvm
  if (!structure.fields.has("devfn")) return [id, ...more];
  const [flags = ENABLE_IOMMU, ...rest] = more;
  return [id, bus, devfn, flags, domain, ...rest];
}

/** KVM_DEV_ASSIGN_ENABLE_IOMMU, without which no device is assigned: the flags where none are written. */
const ENABLE_IOMMU = 1;

/** Argument `index` of a call as an integer. */
function integer(name: string, args: readonly CallValue[], index: number): number {
  const value = args[index] ?? 0;
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  if (typeof value === "object" && "kind" in value) {
    if (value.kind === "address") return value.address;
    if (value.kind === "variable" && value.number !== undefined) return Number(value.number);
  }
  throw new ArgumentError(`argument ${index + 1} of '${name}' is a number`);
}

/** An argument as a trace shows it. */
function words(value: CallValue): string | number {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object") return value;
  if (!("kind" in value)) return `&(struct ${value.structure.name}){…}`;
  if (value.kind === "address") return value.address === 0 ? "NULL" : `0x${value.address.toString(16)}`;
  return value.kind === "variable" ? `&${value.name}` : "{…}";
}

/** More than a process can have. */
const LONGEST_MAPPING = 2 ** 46;
