/**
 * A vCPU's thread: makes the vCPU, and then `KVM_RUN` again and again, serving what KVM cannot.
 *
 * @module
 */

import { accessBytes, type Activity, Op, type Step } from "../../hw/sim/activity.ts";
import { KernelFile } from "../kvm/ioctl/descriptors.ts";
import type { IoctlCall } from "../kvm/ioctl/ioctl_call.ts";
import { Ioctl } from "../kvm/ioctl/ioctls.ts";
import type { KernelCpu, KvmProcess, Task } from "../kvm/user_space.ts";
import type { VcpuFile } from "../kvm/ioctl/vcpu_file.ts";

/** EINTR, as `KVM_RUN` returns it after a signal. */
const INTERRUPTED = -4;
/** EIO: a published descriptor outlives its machine. */
const MACHINE_GONE = -5;

/** What the threads of one machine share. */
export interface VcpuThreadOwner {
  /** The process. */
  readonly process: KvmProcess;
  /** The machine's descriptor. */
  readonly vm: number;
  /** Names of the CPUID features that its processors show, joined by commas. */
  readonly features: string;
  /** Whether the vCPUs shall run. */
  readonly running: boolean;
  /** Whether the process is to end. */
  readonly killed: boolean;
  /** The CPU that vCPU `index` shall have for itself; `undefined`: none. Asked once. */
  slaveCpuFor(index: number): number | undefined;
  /** The guest has written to an I/O port. @param thread the vCPU's */
  portWritten(port: number, bytes: 1 | 2 | 4, value: number, thread: Task): Activity;
  /** What the guest reads from an I/O port; all ones where nobody answers. */
  portRead(port: number, bytes: 1 | 2 | 4, thread: Task): number;
  /** The guest has written to an address without memory. */
  memoryWritten(address: number, bytes: number, value: number): void;
  /** What it reads there; all ones where nobody answers. */
  memoryRead(address: number, bytes: number): number;
  /** Does what the guest has written meanwhile and KVM has kept. */
  flushMemory(): Activity;
  /** Something went wrong: a line for the terminal. */
  warn(message: string): void;
  /** Something went wrong, and the vCPUs stop. */
  fatal(message: string): void;
}

/** A typed `KVM_RUN` that waits for the thread, or for its end. */
interface TypedRun {
  readonly caller: Task;
  result: number | undefined;
}

/** The thread of vCPU `index`. */
export class VcpuThread {
  /** The vCPU's descriptor; -1 before it is made. */
  fd = -1;
  /** Its task. */
  task: Task | null = null;
  /** It has tried to make its vCPU. */
  made = false;
  /** It waits, outside of KVM, until there is something to do. */
  idle = false;
  /** Who is to be woken when it comes to wait. */
  onIdle: Task | null = null;
  readonly #typed: TypedRun[] = [];
  /** What others want to know of the vCPU, or do to it, while it is outside of KVM. */
  readonly #visits: { readonly visitor: Task; readonly work?: (own: Task) => Activity; done: boolean }[] = [];
  #askedForSlave = false;

  /** @param init up to the first `KVM_RUN` @param serve one access served */
  constructor(
    readonly owner: VcpuThreadOwner,
    readonly index: number,
    readonly init: Step,
    readonly serve: Step,
  ) {}

  /** The vCPU's open file. */
  get file(): VcpuFile {
    return this.owner.process.calls.descriptors.get(this.fd) as VcpuFile;
  }

  /** Whether it has something to do. */
  get #wanted(): boolean {
    return this.owner.killed || this.owner.running || this.#typed.length > 0 || this.#visits.length > 0;
  }

  /** The thread's life. @param creator is woken when the vCPU is there */
  *life(task: Task, creator: Task): Activity<number> {
    const { owner } = this;
    const { process } = owner;
    this.task = task;
    const fd = yield* process.ioctl(task, owner.vm, "KVM_CREATE_VCPU", this.index);
    if (fd < 0) owner.fatal(`KVM_CREATE_VCPU: ${process.strerror(-fd)}`);
    else yield* process.ioctl(task, fd, "KVM_SET_CPUID2", owner.features);
    yield this.init;
    this.fd = fd;
    this.made = true;
    yield* process.wake([creator], task);
    if (fd < 0) return 1;
    for (;;) {
      if (!this.#wanted) yield* this.#wait(task);
      if (owner.killed) break;
      for (const visit of this.#visits.splice(0)) {
        if (visit.work !== undefined) yield* visit.work(task);
        visit.done = true;
        yield* process.wake([visit.visitor], task);
      }
      if (!owner.running && this.#typed.length === 0) continue;
      if (owner.running && !this.#askedForSlave) yield* this.#askForSlave(task);
      const typed = owner.running ? undefined : this.#typed.shift();
      const result = yield* process.ioctl(task, fd, "KVM_RUN", 0);
      if (this.file.vcpu.vm.coalesced.length > 0) yield* owner.flushMemory();
      if (result >= 0) yield* this.#served(task);
      else if (result !== INTERRUPTED) owner.fatal(`kvm run failed: ${process.strerror(-result)}`);
      if (typed !== undefined && result === INTERRUPTED && this.#visits.length > 0) {
        this.#typed.unshift(typed); // the signal was for a visit: whoever typed KVM_RUN still waits for an exit
      } else if (typed !== undefined) {
        typed.result = result;
        yield* process.wake([typed.caller], task);
      }
    }
    for (const typed of this.#typed.splice(0)) {
      typed.result = INTERRUPTED;
      yield* process.wake([typed.caller], task);
    }
    this.idle = true;
    return 0;
  }

  *#wait(task: Task): Activity {
    const { process } = this.owner;
    this.idle = true;
    if (this.onIdle !== null) yield* process.wake([this.onIdle], task);
    this.onIdle = null;
    yield* process.waitUntil(task, () => this.#wanted);
    this.idle = false;
  }

  /** Makes it come out of KVM, for whatever has changed. */
  interrupt(from: KernelCpu): void {
    if (!this.idle && this.fd >= 0) this.file.signal(from);
  }

  /**
   * `cpu_synchronize_state()`: fetches the vCPU's registers, for which it has to come out of KVM. Call before they are
   * looked at. @param visitor the task that wants to see them
   */
  *synchronize(visitor: Task): Activity {
    const { process } = this.owner;
    if (this.idle || this.owner.killed) return;
    const visit = { visitor, done: false };
    this.#visits.push(visit);
    this.interrupt(process.cpuOf(visitor));
    yield* process.cpuOf(visitor).sendPendingIpis();
    yield* process.waitUntil(visitor, () => visit.done || this.owner.killed);
  }

  /** `run_on_cpu()`: this thread does `work`, outside of KVM, while `visitor` waits. */
  *runOn(visitor: Task, work: (own: Task) => Activity): Activity {
    const { process } = this.owner;
    const visit = { visitor, work, done: false };
    this.#visits.push(visit);
    this.interrupt(process.cpuOf(visitor));
    yield* process.wake([this.task!], visitor);
    yield* process.waitUntil(visitor, () => visit.done || this.owner.killed);
  }

  /** A typed `KVM_RUN`, made by this thread on behalf of its caller. Returns when it has. */
  *run(call: IoctlCall): Activity<number> {
    const { caller } = call;
    const { process, running, killed } = this.owner;
    if (running || killed) return yield* this.file.ioctl(call);
    const typed: TypedRun = { caller, result: undefined };
    this.#typed.push(typed);
    yield* process.wake([this.task!], caller);
    yield* process.waitUntil(caller, () => typed.result !== undefined);
    return typed.result!;
  }

  /** A fatal signal. */
  kill(from: KernelCpu): void {
    if (this.fd >= 0) this.file.signal(from);
    if (this.task !== null) this.owner.process.kvm.host.wake(this.task, from);
  }

  /** The patched QEMU: a CPU that Linux does not use shall run this vCPU and nothing else. */
  *#askForSlave(task: Task): Activity {
    const { owner } = this;
    this.#askedForSlave = true;
    const cpu = owner.slaveCpuFor(this.index);
    if (cpu === undefined || this.file.vcpu.slaveCpu >= 0) return; // or somebody has set one by hand
    const result = yield* owner.process.ioctl(task, this.fd, "KVM_SET_SLAVE_CPU", cpu);
    if (result < 0) owner.warn(`KVM_SET_SLAVE_CPU, ${cpu}: ${owner.process.strerror(-result)}`);
  }

  /** Serves the access that has exited. @returns what is read; of a write it is nobody's business */
  *#access(task: Task): Activity<number> {
    const { owner } = this;
    const { address, value, context } = this.file.vcpu.registers;
    const step = context.top.step!, bytes = accessBytes(step);
    switch (step.op) {
      case Op.Out:
        yield* owner.portWritten(address, bytes, value, task);
        return 0;
      case Op.In:
        return owner.portRead(address, bytes, task);
      case Op.Store:
        owner.memoryWritten(address, bytes, value);
        return 0;
      default:
        return owner.memoryRead(address, bytes);
    }
  }

  /** Serves what `KVM_RUN` returned for. */
  *#served(task: Task): Activity {
    const { file } = this;
    switch (file.exitReason) {
      case "KVM_EXIT_IO":
      case "KVM_EXIT_MMIO":
        yield this.serve;
        return file.answer(yield* this.#access(task));
      case "KVM_EXIT_FAIL_ENTRY":
        return this.owner.fatal("KVM: entry failed, hardware error");
      case "KVM_EXIT_INTERNAL_ERROR":
        return this.owner.fatal("KVM internal error. Suberror: 1");
    }
  }
}

/**
 * The descriptor of a vCPU as a shell gets it. Requests go to the vCPU; `KVM_RUN` is made by QEMU's own thread while
 * the machine is stopped, because a vCPU belongs to the thread that runs it.
 */
export class PublishedVcpu extends KernelFile {
  #thread: VcpuThread | null;

  /** @param thread the vCPU's */
  constructor(thread: VcpuThread) {
    super();
    this.#thread = thread;
  }

  /** Its machine has ended: a shell may keep the number for ever, and with it nothing else. */
  outlive(): void {
    this.#thread = null;
  }

  override get lastExit(): string | undefined {
    return this.#file?.lastExit;
  }

  override get busy(): boolean {
    return this.#file?.busy ?? false;
  }

  override unmodelled(request: number): string | undefined {
    return this.#file?.unmodelled(request);
  }

  override caution(request: number): string | undefined {
    return this.#file?.caution(request);
  }

  override *ioctl(call: IoctlCall): Activity<number> {
    const file = this.#file;
    if (file === undefined) return MACHINE_GONE;
    if (call.request === Ioctl.KVM_RUN && call.argument === 0) return yield* this.#thread!.run(call);
    return yield* file.ioctl(call);
  }

  override *release(): Activity {}

  get #file(): KernelFile | undefined {
    return this.#thread?.owner.process.calls.descriptors.get(this.#thread.fd);
  }
}
