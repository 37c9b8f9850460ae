/**
 * The format `kvm-ioctl-errno/1`: results and errors of KVM's ioctls, recorded on Linux 6.18.
 *
 * A case is a list of calls on fresh descriptors; every result counts. The arguments are raw: addresses, buffers of
 * bytes, pointers to nothing. A request that this kernel has and the model has not must answer as where it is not there;
 * such a case is counted apart.
 */
import type { Activity } from "../hw/sim/activity.ts";
import { KvmCalls } from "../runtime/kvm/ioctl/calls.ts";
import { EventFile } from "../runtime/kvm/ioctl/eventfd.ts";
import { IoctlCall } from "../runtime/kvm/ioctl/ioctl_call.ts";
import { SystemFile } from "../runtime/kvm/ioctl/system_file.ts";
import { known, type Level, type RequestName, requestNamed, REQUESTS } from "../runtime/kvm/uapi/requests.ts";
import { VcpuFile } from "../runtime/kvm/ioctl/vcpu_file.ts";
import { KVM_VERSIONS } from "../runtime/kvm/versions.ts";
import { VmFile } from "../runtime/kvm/ioctl/vm_file.ts";
import { errnoOf } from "../runtime/linux/errno.ts";
import type { Task } from "../runtime/linux/sched/task.ts";
import { Rig, STOCK } from "./kvm_rig.ts";
import { saysFormat, type VectorFormat, type VectorResult } from "./vector_format.ts";

const FORMAT = "kvm-ioctl-errno/1";

interface Buffer {
  readonly bytes?: string;
  readonly from?: RequestName;
  readonly patch?: readonly (readonly [offset: number, hex: string])[];
  readonly userptr_at?: readonly number[];
  readonly eventfd_at?: readonly number[];
}

interface Step {
  readonly on: string;
  readonly ioctl: string;
  readonly req: string;
  readonly arg: number | "null" | "badptr" | Buffer;
  readonly ret: number | "fd" | "positive";
  readonly errno?: string;
  readonly immediate_exit?: number;
}

interface Case {
  readonly id: string;
  readonly steps: readonly Step[];
}

/** Mapped bytes of a buffer: more than any structure has. */
const BUFFER_BYTES = 2 ** 20;
/** No mapping is here. */
const BAD_ADDRESS = 0x1000;
const VERSION = KVM_VERSIONS["6.18"];
/** A capability that this kernel enables and the model does not know, and why the answer is EINVAL. */
const UNMODELLED_CAPABILITIES: ReadonlyMap<number, string> = new Map([
  [168, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2"],
  [188, "KVM_CAP_X86_USER_SPACE_MSR"],
  [204, "KVM_CAP_EXIT_ON_EMULATION_FAILURE"],
]);

/** Differences that are the recording's, not ours. */
const SUSPECT: ReadonlyMap<string, string> = new Map(
  ["set_msrs/noic/n1/277/2", "set_msrs/ic/n1/277/2"].map((id) => [
    id,
    "memory type 2 is reserved: kvm_set_msr_common() of 6.18 refuses it (kvm_pat_valid()); the recorded kernel is patched",
  ]),
);

/** One process that makes the calls of a case. */
class Process {
  readonly calls: KvmCalls;
  readonly #vcpus: number[] = [];
  readonly #system: number;
  #vm = -1;

  constructor(readonly rig: Rig) {
    this.calls = new KvmCalls(rig.kvm);
    this.#system = this.#finish((task) => this.calls.call("open", ["/dev/kvm", 2], task, rig.host.cpus[0]!));
  }

  end(): void {
    const { descriptors } = this.calls;
    this.#finish(function* (task) {
      yield* descriptors.closeAll(task);
      return 0;
    });
  }

  /** The descriptor that a step names. */
  fd(on: string): number {
    if (on === "sys") return this.#system;
    return on === "vm" ? this.#vm : this.#vcpus[Number(on.slice("vcpu".length))]!;
  }

  /** Makes the call of a step. */
  make({ on, req, arg, immediate_exit: immediate }: Step): number {
    const fd = this.fd(on);
    const file = this.calls.descriptors.get(fd)!;
    if (file instanceof VcpuFile) file.immediateExit = immediate === 1;
    const request = Number(req);
    const result = this.#ioctl(fd, request, typeof arg === "object" ? this.#buffer(fd, arg) : address(arg));
    if (result > 0 && request === REQUESTS.KVM_CREATE_VM.number) this.#vm = result;
    if (result > 0 && request === REQUESTS.KVM_CREATE_VCPU.number) this.#vcpus.push(result);
    return result;
  }

  #buffer(fd: number, { bytes = "", from, patch = [], userptr_at = [], eventfd_at = [] }: Buffer): number {
    const { memory, descriptors } = this.calls;
    const start = memory.map(BUFFER_BYTES);
    memory.write(start, hexBytes(bytes));
    if (from !== undefined) this.#ioctl(fd, REQUESTS[from].number, start);
    for (const [offset, hex] of patch) memory.write(start + offset, hexBytes(hex));
    for (const offset of userptr_at) {
      memory.write(start + offset, number64(this.#page ??= memory.map(BUFFER_BYTES)));
    }
    for (const offset of eventfd_at) {
      this.#event ??= descriptors.install(new EventFile(0, false));
      memory.write(start + offset, number64(this.#event).subarray(0, 4));
    }
    return start;
  }

  /** "A fresh eventfd" and "a mapped page", the same in all steps of a case. */
  #event: number | undefined;
  #page: number | undefined;

  #ioctl(fd: number, request: number, argument: number): number {
    const file = this.calls.descriptors.get(fd)!;
    return this.#finish((task) => file.ioctl(new IoctlCall(request, argument, this.calls, task)));
  }

  #finish(body: (task: Task) => Activity<number>): number {
    return this.rig.finish(body);
  }
}

function address(arg: number | "null" | "badptr"): number {
  return typeof arg === "number" ? arg : arg === "null" ? 0 : BAD_ADDRESS;
}

function hexBytes(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

function number64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

/** A result as the recordings write it. */
function words(result: number): string {
  return result < 0 ? `-1 ${errnoOf(-result)?.name ?? result}` : String(result);
}

function agrees({ ret, errno }: Step, result: number): boolean {
  if (ret === "fd") return result > 2;
  if (ret === "positive") return result > 0;
  return words(result) === (ret === -1 ? `-1 ${errno}` : String(ret));
}

/** What the model has not of a step: a request, a capability; `undefined`: nothing. */
function missing(step: Step): string | undefined {
  const level: Level = step.on === "sys" ? "system" : step.on === "vm" ? "vm" : "vcpu";
  const name = requestNamed(Number(step.req));
  if (name === undefined || !known(name, level, VERSION, false)) return undefined;
  const { handlers } = { system: SystemFile, vm: VmFile, vcpu: VcpuFile }[level];
  if (handlers[name] === undefined) return name;
  if (name !== "KVM_ENABLE_CAP" || typeof step.arg !== "object") return undefined;
  return UNMODELLED_CAPABILITIES.get(parseInt(step.arg.bytes?.slice(0, 2) ?? "", 16));
}

function result(rig: Rig, { id, steps }: Case): VectorResult {
  const process = new Process(rig);
  try {
    for (const [i, step] of steps.entries()) {
      const answer = process.make(step);
      const absent = missing(step);
      if (absent !== undefined) {
        const notThere = step.on === "vm" && !absent.startsWith("KVM_CAP") ? "ENOTTY" : "EINVAL";
        if (words(answer) === `-1 ${notThere}`) {
          return { name: id, expected: `${absent} is not modelled: ${notThere}, as where it is not there` };
        }
      }
      if (agrees(step, answer)) continue;
      if (SUSPECT.has(id)) return { name: id, expected: SUSPECT.get(id) };
      const wanted = step.ret === -1 ? `-1 ${step.errno}` : step.ret;
      return { name: id, difference: `step ${i + 1}, ${step.ioctl}: ${words(answer)}, recorded ${wanted}` };
    }
    return { name: id };
  } finally {
    process.end();
  }
}

/** See the module. */
export const kvmIoctlVectors: VectorFormat = {
  name: FORMAT,
  recognises: (content) => saysFormat(content, FORMAT),
  *run(content) {
    const rig = new Rig(STOCK, { version: VERSION, offline: [] });
    for (const each of (content as { cases: readonly Case[] }).cases) yield result(rig, each);
  },
};
