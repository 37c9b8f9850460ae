/**
 * A machine that QEMU runs: its descriptors, its vCPU threads, its assigned devices, its end.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { VmFile } from "../kvm/device.ts";
import type { CpuMask, GuestMemory, KernelCpu, KvmProcess, PciFunction, Task } from "../kvm/user_space.ts";
import type { QemuSteps } from "./costs.ts";
import type { QemuOptions } from "./options.ts";
import { PciAssign } from "./pci_assign.ts";
import { featureText, type VcpuStatus, vcpuStatus } from "./status.ts";
import { PublishedVcpu, VcpuThread, type VcpuThreadOwner } from "./vcpu_thread.ts";

/** What a guest kernel is made for. */
export interface GuestRequest {
  /** As `ssh` takes it. */
  readonly name: string;
  /** Virtual CPUs. */
  readonly cpus: number;
  /** The processors show x2APIC: the kernel uses its registers as MSRs, not as memory. */
  readonly x2apic: boolean;
  /** All CPUID features that were added to the CPU model. */
  readonly features: ReadonlySet<string>;
  /** RAM, MiB. */
  readonly memoryMiB: number;
  /** Functions on its PCI bus 0, beside those of the board. */
  readonly functions: readonly PciFunction[];
}

/** A kernel as far as QEMU knows it: code that its CPUs execute from their reset on. */
export interface GuestKernel {
  /** Its CPUs, by number. */
  readonly cpus: readonly { prepareStart(): ReturnType<GuestMemory["start"]> }[];
}

/** What the machine needs from outside. */
export interface MachineContext {
  /** Makes the guest's kernel, not yet booted. */
  createGuest(request: GuestRequest): GuestKernel;
  /** Where the thread of vCPU `index` may run; `undefined`: where its process may. */
  vcpuAffinity(index: number): CpuMask | undefined;
  /** Whether the guest's memory is locked although the command line does not say so. */
  readonly memoryLocked?: boolean;
  /** The thread of a vCPU has begun. */
  vcpuStarted?(thread: Task): void;
  /** The machine is made, and runs unless it is stopped. */
  started(machine: QemuMachine): void;
  /** The process has ended, and everything that it had is given back. */
  ended(machine: QemuMachine): void;
}

/** The three pages of KVM's own below the BIOS, as QEMU places them. */
const IDENTITY_MAP_ADDRESS = 0xfeff_c000;
const TSS_ADDRESS = 0xfeff_d000;
/** Guest-physical memory of assigned devices. */
const DEVICE_MEMORY = 0xf200_0000;
const DEVICE_MEMORY_STEP = 0x0010_0000;

/** What takes the PIT out of the kernel. */
const PIT_OFF = { "2012": "-no-kvm-pit", today: "-M kernel-irqchip=split" } as const;

/** A machine. */
export class QemuMachine implements VcpuThreadOwner {
  /** The machine's descriptor. */
  vm = -1;
  /** @inheritdoc */
  readonly features: string;
  /** The vCPUs' threads, by number. */
  readonly threads: VcpuThread[] = [];
  /** Devices of the host that it has. */
  readonly assigned: PciAssign[] = [];
  /** @inheritdoc */
  running = false;
  /** @inheritdoc */
  killed = false;
  /** Lines for the terminal that came up after the command had returned. */
  readonly messages: string[] = [];
  /** The process's first thread: waits for the end, and cleans up. */
  #main: Task | null = null;
  #alive = 0;
  #canHaveSlaves = false;
  #slaveCpus: number[] = [];

  /**
   * @param name as `-name` says @param patched this QEMU knows slave CPUs
   */
  constructor(
    readonly name: string,
    readonly options: QemuOptions,
    readonly patched: boolean,
    readonly process: KvmProcess,
    readonly steps: QemuSteps,
    readonly context: MachineContext,
  ) {
    this.features = [...options.cpuFeatures.on].join(",");
    process.onKill = (from) => this.kill(from);
  }

  /** Process id; 0 before it has started. */
  get pid(): number {
    return this.#main?.pid ?? 0;
  }

  /** Process and thread ids. */
  get pids(): number[] {
    return [this.pid, ...this.threads.map(({ task }) => task?.pid ?? 0)];
  }

  /** The machine's open file. */
  get file(): VmFile {
    return this.process.calls.descriptors.get(this.vm) as VmFile;
  }

  /** The vCPUs' descriptors for a shell, by number. */
  publish(): PublishedVcpu[] {
    return this.threads.map((thread) => new PublishedVcpu(thread));
  }

  /**
   * Makes the machine, up to vCPUs that wait. Executed by the command's task.
   *
   * @returns the lines that QEMU prints where it fails; none: done
   */
  *make(task: Task): Activity<string[]> {
    const { process, options, steps } = this;
    const kvm = yield* process.calls.call("open", ["/dev/kvm", 2], task, process.cpuOf(task));
    yield* process.ioctl(task, kvm, "KVM_GET_API_VERSION", 0);
    this.vm = yield* process.ioctl(task, kvm, "KVM_CREATE_VM", 0);
    yield* process.ioctl(task, this.vm, "KVM_SET_IDENTITY_MAP_ADDR", IDENTITY_MAP_ADDRESS);
    yield* process.ioctl(task, this.vm, "KVM_SET_TSS_ADDR", TSS_ADDRESS);
    yield* process.ioctl(task, this.vm, "KVM_CREATE_IRQCHIP", 0);
    if (options.kvmPit) yield* process.ioctl(task, this.vm, "KVM_CREATE_PIT2", 0);
    yield steps.machineInit;
    let slot = firstFreeSlot(options);
    for (const [index, { properties, words }] of options.devices.entries()) {
      yield steps.assignDevice;
      const place = { slot: slot++, memoryBase: DEVICE_MEMORY + index * DEVICE_MEMORY_STEP };
      const device = new PciAssign(
        process,
        this.vm,
        properties.get("host")!,
        properties.get("id"),
        () => this.threads[0]!.task!,
      );
      const failed = yield* device.realize(task, `${options.program}: ${words}`, place);
      if (failed.length > 0) {
        yield* process.calls.descriptors.closeAll(task);
        return failed;
      }
      this.assigned.push(device);
    }
    const guest = this.context.createGuest({
      name: this.name,
      cpus: options.cpus,
      x2apic: options.cpuFeatures.on.has("x2apic"),
      features: options.cpuFeatures.on,
      memoryMiB: options.memoryMiB,
      functions: this.assigned.map((device) => device.function!),
    });
    const address = process.calls.map({ start: (id) => guest.cpus[id]!.prepareStart() });
    const bytes = options.memoryMiB * 2 ** 20;
    yield* process.ioctl(task, this.vm, "KVM_SET_USER_MEMORY_REGION", 0, 0, 0, bytes, address);
    const { vm } = this.file;
    process.useMemory({
      mib: options.memoryMiB,
      locked: options.memoryLocked || this.context.memoryLocked === true,
      unmapPage: (from) => vm.unmapPage(from),
    });
    yield* this.#startThreads(task, kvm, steps);
    this.context.started(this);
    return [];
  }

  *#startThreads(task: Task, kvm: number, steps: QemuSteps): Activity {
    const { process, options, context } = this;
    this.#canHaveSlaves = this.patched && (yield* process.extension(task, kvm, "KVM_CAP_SLAVE_CPU")) === 1;
    this.#slaveCpus = this.#canHaveSlaves ? process.offlineCpus().reverse() : [];
    this.#main = yield* process.startThread(
      task,
      this.options.program,
      undefined,
      (main) => this.#wait(main),
    );
    const { pid } = this.#main;
    this.#main.tgid = pid; // fork() of -daemonize: what it makes are threads of it
    for (let index = 0; index < options.cpus; index++) {
      const thread = new VcpuThread(this, index, steps.vcpuInit, steps.serveExit);
      this.threads.push(thread);
      this.#alive++;
      const made = yield* process.startThread(
        task,
        this.options.program,
        context.vcpuAffinity(index),
        (own) => this.#thread(thread, own, task),
      );
      made.tgid = pid;
      yield* process.waitUntil(task, () => thread.made);
    }
  }

  *#thread(thread: VcpuThread, own: Task, creator: Task): Activity<number> {
    this.context.vcpuStarted?.(own);
    const status = yield* thread.life(own, creator);
    this.#alive--;
    yield* this.process.wake([this.#main!], own);
    return status;
  }

  /** The first thread's life: waits for the last vCPU thread, then gives back what the process had. */
  *#wait(main: Task): Activity<number> {
    const { process } = this;
    yield* process.waitUntil(main, () => this.killed && this.#alive === 0);
    process.freeMemory();
    yield* process.calls.descriptors.closeAll(main);
    this.context.ended(this);
    return 0;
  }

  /** Lets the vCPUs run (`cont`). @param by the task that asks */
  *cont(by: Task): Activity {
    this.running = true;
    yield* this.process.wake(this.threads.map(({ task }) => task!), by);
  }

  /** A fatal signal for the process: every thread leaves KVM, the last one gives everything back. */
  kill(from: KernelCpu): void {
    if (this.killed) return;
    this.killed = true;
    for (const thread of this.threads) thread.kill(from);
    if (this.#main !== null) this.process.kvm.host.wake(this.#main, from);
  }

  /** @inheritdoc */
  slaveCpuFor(index: number): number | undefined {
    return this.#slaveCpus[index];
  }

  /** @inheritdoc */
  warn(message: string): void {
    this.messages.push(`${this.options.program}: ${message}`);
  }

  /** @inheritdoc */
  fatal(message: string): void {
    this.warn(message);
    this.running = false;
  }

  /** The vCPUs as their registers stand now. */
  status(): VcpuStatus[] {
    return this.threads.map((thread) => vcpuStatus(thread.index, thread.file));
  }

  /** What the machine is and does, a line each; warnings last. */
  describe(): string[] {
    const { vm } = this.file;
    const lines = [
      `${this.name}: ${this.options.program}, pid ${this.pid}, ${this.running ? "running" : "stopped"}`,
    ];
    for (const { index, slaveCpu, directInterrupts, directEoi, directTimer } of this.status()) {
      lines.push(
        `vcpu[${index}]: ${slaveCpu === null ? "no slave CPU" : `slave cpu${slaveCpu}`}`,
        `  direct interrupts ${featureText(directInterrupts)}`,
        `  direct EOI ${featureText(directEoi)}`,
        `  direct timer ${featureText(directTimer)}`,
      );
    }
    for (
      const { device, interrupts } of vm.assigned.map((each) => ({
        device: each,
        interrupts: each.interrupts(),
      }))
    ) {
      lines.push(
        `${device.device.name}: ${
          interrupts.length === 0 ? "assigned, its interrupts are not in use" : "assigned"
        }`,
      );
      for (const { entry, irq, guestVector, cpu, hostVector } of interrupts) {
        const direct = hostVector === guestVector && vm.slaves().includes(cpu);
        lines.push(
          `  MSI-X ${entry}: irq ${irq}, vector ${hostVector} on cpu${cpu}, guest's vector ${guestVector}` +
            (direct ? ", straight to the guest" : ", through the host"),
        );
      }
    }
    return [...lines, ...this.warnings()];
  }

  /** What stands in the way of direct delivery. */
  warnings(): string[] {
    const { vm } = this.file;
    const warnings = [...this.messages, ...this.assigned.flatMap(({ messages }) => messages)];
    if (vm.slaves().length === 0) return warnings;
    const switches = vm.vcpus.reduce((sum, vcpu) => sum + vcpu.directSwitches, 0);
    return [...warnings, ...this.#obstacles(`, ${vm.pit?.ticks} so far,`, ` (${switches} switches so far)`)];
  }

  /**
   * What the command line puts in the way of direct delivery, said before anything has run; nothing where no vCPU will
   * have a slave CPU. With `-S` somebody may still give it one.
   */
  cautions(): string[] {
    return this.#slaveCpus.length > 0 || this.#canHaveSlaves && this.options.stopped ? this.#obstacles() : [];
  }

  /** @param ticks, switches counts for the sentence on the PIT */
  #obstacles(ticks = "", switches = ""): string[] {
    const obstacles: string[] = [];
    if (this.file.vm.pit !== null) {
      obstacles.push(
        `the PIT is in the kernel (no ${
          PIT_OFF[this.options.era]
        }): its ticks${ticks} arrive as virtual interrupts ` +
          `and turn direct mode off each time${switches}`,
      );
    }
    if (!this.options.cpuFeatures.on.has("x2apic")) {
      obstacles.push("no +x2apic in -cpu: EOI and timer are trapped");
    }
    return obstacles;
  }
}

/**
 * The first free device number on bus 0: behind host bridge and south bridge come the display, the default network card
 * and virtio disks.
 */
function firstFreeSlot({ vga, drives }: QemuOptions): number {
  return 2 + (vga === "none" ? 0 : 1) + 1 + drives.filter(({ bus }) => bus === "virtio").length;
}
