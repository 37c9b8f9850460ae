/**
 * A machine that QEMU runs: its descriptors, its vCPU threads, its assigned devices, its main loop, its end.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import type { Activity } from "../../hw/sim/activity.ts";
import {
  type KernelCpu,
  type KvmProcess,
  type PciFunction,
  Ram,
  type Sender,
  type Task,
} from "../kvm/user_space.ts";
import { Ioctl } from "../kvm/ioctl/ioctls.ts";
import type { VmFile } from "../kvm/ioctl/vm_file.ts";
import type { QemuSteps } from "./costs.ts";
import { Acpi } from "./acpi.ts";
import { DeviceLine, SharedLines } from "./device_line.ts";
import { describeMachine, machineWarnings, obstacles } from "./describe.ts";
import { type Display, displayOf } from "./display.ts";
import { Disks } from "./disks.ts";
import type { HostDevice } from "./host_device.ts";
import { assign, eject } from "./hotplug.ts";
import { IrqRoutes } from "./irq_routes.ts";
import { MainLoop } from "./main_loop.ts";
import { Monitor } from "./monitor.ts";
import type { GuestKernel, MachineContext, RunState, Terminal } from "./machine_context.ts";
import type { QemuOptions } from "./options.ts";
import { COM1, type SerialPort, serialPortOf } from "./serial_port.ts";
import { type VcpuStatus, vcpuStatus } from "./status.ts";
import { setTscRate } from "./tsc_rate.ts";
import { type UserPit, userPitOf } from "./user_pit.ts";
import { PublishedVcpu, VcpuThread, type VcpuThreadOwner } from "./vcpu_thread.ts";

export type { GuestKernel, GuestRequest, MachineContext, RunState, Terminal } from "./machine_context.ts";

/** The three pages of KVM's own below the BIOS, as QEMU places them. */
const IDENTITY_MAP_ADDRESS = 0xfeff_c000;
const TSS_ADDRESS = 0xfeff_d000;

/** KVM_CAP_X86_DISABLE_EXITS and its flag for HLT. */
const DISABLE_EXITS = 143, DISABLE_HLT = 2;
/** The line of the emulated network card. */
const NETWORK_LINE = 11;
/** ELCR of the second 8259, and what the firmware writes there: the PCI lines 10 and 11 are level-triggered. */
const ELCR = Object.freeze({ port: 0x4d1, pciLines: 0x0c });
const SIGHUP = 1, SIGINT = 2, SIGTERM = 15, SIGKILL = 9;

/** A machine. */
export class QemuMachine implements VcpuThreadOwner {
  /** The machine's descriptor. */
  vm = -1;
  /** @inheritdoc */
  readonly features: string;
  /** The vCPUs' threads, by number. */
  readonly threads: VcpuThread[] = [];
  /** Devices of the host that it has. */
  readonly assigned: HostDevice[] = [];
  /** See {@linkcode RunState}. */
  runState: RunState = "prelaunch";
  /** @inheritdoc */
  killed = false;
  /** Everything is given back. */
  ended = false;
  /** Done when everything is given back. */
  atEnd: () => void = young(() => {});
  /** What the process ended with. */
  exitStatus = 0;
  /** Lines for the terminal that came up after the command had returned. */
  readonly messages: string[] = [];
  /** Pseudo-terminals of its character devices, by label. */
  readonly terminals = new Map<string, string>();
  /** The process's first thread. */
  readonly loop: MainLoop;
  /** What its monitors serve. */
  readonly monitor: Monitor = new Monitor(this);
  #guest: GuestKernel | null = null;
  /** When the guest's clock was stopped; -1: it goes. */
  #stoppedNs = -1;
  #alive = 0;
  /** {@linkcode MachineContext.started} has been called. */
  #entered = false;
  #canHaveSlaves = false;
  /** The lines of PCI. */
  readonly pciLines: SharedLines = new SharedLines();
  /** The line of its emulated network card. */
  readonly networkLine: DeviceLine = new DeviceLine(() => this.file, NETWORK_LINE, this.pciLines);
  /** Its memory, as far as devices reach it. */
  readonly ram: Ram;
  /** Its display adapter; null: it has none that is modelled. */
  readonly display: Display | null;
  /** Its virtio disks. */
  readonly disks: Disks;
  /** `null`: a machine without ACPI. */
  readonly acpi: Acpi | null;
  /** Its PIT; null: it is the kernel's. */
  readonly pit: UserPit | null;
  /** Its serial port; null: it has none. */
  readonly serial: SerialPort | null;
  /** Where its lines lead. */
  readonly routes: IrqRoutes = new IrqRoutes();
  #slaveCpus: number[] = [];
  /** Descriptors that shells have of its vCPUs. */
  #published: PublishedVcpu[] = [];
  #terminatedBy: { readonly signal: number; readonly sender: Sender | null } | null = null;

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
    readonly terminal: Terminal,
  ) {
    const kvmFeatures = process.pvFeatures().filter((name) => options.kvmFeatures.has(name));
    this.features = [...options.cpuFeatures.on, ...kvmFeatures].join(",");
    this.acpi = options.acpi ? new Acpi(() => this.file, options.era) : null;
    this.serial = serialPortOf(this);
    this.ram = new Ram(options.memoryMiB * 2 ** 20);
    this.loop = new MainLoop(process);
    this.pit = userPitOf(this);
    this.disks = new Disks(this);
    this.display = displayOf(this);
    process.onKill = young((from) => this.kill(from));
    process.onSignal = young((signal, from, sender) => this.#signalled(signal, from, sender));
  }

  /** Process id; 0 before it has started. */
  get pid(): number {
    return this.loop.pid;
  }

  /** Process and thread ids. */
  get pids(): number[] {
    return [this.pid, ...this.threads.map(({ task }) => task?.pid ?? 0)];
  }

  /** @inheritdoc */
  get running(): boolean {
    return this.runState === "running";
  }

  /** Functions on the guest's PCI bus, beside those of the board. */
  get functions(): readonly PciFunction[] {
    return [...this.disks.functions, ...this.assigned.map((device) => device.function!)];
  }

  /** The machine's open file. */
  get file(): VmFile {
    return this.process.calls.descriptors.get(this.vm) as VmFile;
  }

  /** The vCPUs' descriptors for a shell, by number. */
  publish(): PublishedVcpu[] {
    const files = this.threads.map((thread) => new PublishedVcpu(thread));
    this.#published.push(...files);
    return files;
  }

  // ---- its beginning ----

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
    if (options.guestHalts) {
      yield* process.ioctl(task, this.vm, "KVM_ENABLE_CAP", DISABLE_EXITS, 0, DISABLE_HLT);
    }
    // The time of kvm_pc_setup_irq_routing() is within that of machineInit.
    process.calls.callAtOnce("ioctl", [this.vm, Ioctl.KVM_SET_GSI_ROUTING, this.routes.table()], task);
    if (options.kvmPit) yield* process.ioctl(task, this.vm, "KVM_CREATE_PIT2", 0);
    this.display?.coalesce(task);
    yield steps.machineInit;
    const failed = yield* setTscRate(this, task);
    for (const device of options.devices) {
      if (failed.length > 0 || this.killed) break;
      yield steps.assignDevice;
      failed.push(...yield* assign(this, task, device, `${options.program}: ${device.words}`));
    }
    if (failed.length > 0 || this.killed) {
      yield* process.calls.descriptors.closeAll(task);
      return failed;
    }
    this.#guest = this.#createGuest(task);
    const bytes = options.memoryMiB * 2 ** 20;
    const address = process.calls.map(bytes, {
      start: (id) => this.#guest!.cpus[id]!.prepareStart(),
      firstApicWrites: (id) => this.#guest!.cpus[id]!.firstApicWrites(),
      stealRecord: (id) => this.#guest!.cpus[id]!.steal,
      eoiWord: (id) => this.#guest!.cpus[id]!.eoiWord,
    });
    yield* process.ioctl(task, this.vm, "KVM_SET_USER_MEMORY_REGION", 0, 0, 0, bytes, address);
    const { vm } = this.file;
    const { loop } = this;
    process.useMemory({
      mib: options.memoryMiB,
      locked: options.memoryLocked || this.context.memoryLocked === true,
      addressSpace: () => loop.pid,
      unmapPage: () => vm.unmapPage(),
    });
    yield* this.#startThreads(task, kvm, steps);
    const { engine } = process.kvm.host;
    if (this.serial !== null) engine.register(`${this.name} serial port`, this.serial);
    if (this.pit !== null) engine.register(`${this.name} PIT`, this.pit);
    if (this.acpi !== null) engine.register(`${this.name} ACPI`, this.acpi);
    engine.register(`${this.name} disks`, this.disks);
    if (this.display !== null) engine.register(`${this.name} display`, this.display);
    this.context.started(this);
    this.#entered = true;
    if (this.killed) yield* this.loop.wake(task);
    return [];
  }

  /** Firmware and a kernel. @param by the thread in whose name their accesses are served until the first one runs */
  #createGuest(by: Task): GuestKernel {
    const { options, process } = this;
    const main = () => this.loop.task ?? by;
    this.disks.servant = main;
    const board = process.guestBoard(this.vm, main);
    board.out(ELCR.port, ELCR.pciLines);
    return this.context.createGuest({
      name: this.name,
      cpus: options.cpus,
      x2apic: options.cpuFeatures.on.has("x2apic"),
      cpuModel: options.cpuModel,
      features: options.cpuFeatures.on,
      kvmClock: options.kvmFeatures.has("kvmclock"),
      kvmClockStable: options.kvmFeatures.has("kvmclock_stable_bit"),
      memoryMiB: options.memoryMiB,
      commandLine: options.append,
      functions: () => this.functions,
      ram: this.ram,
      board,
      readNetworkCause: () => this.networkLine.lower(process.cpuOf(main())),
      acpi: this.acpi?.ports,
      serial: this.serial === null ? undefined : COM1,
      vga: this.display !== null,
    });
  }

  *#startThreads(task: Task, kvm: number, steps: QemuSteps): Activity {
    const { process, options, context } = this;
    this.#canHaveSlaves = this.patched && (yield* process.extension(task, kvm, "KVM_CAP_SLAVE_CPU")) === 1;
    this.#slaveCpus = this.#canHaveSlaves ? process.offlineCpus().reverse() : [];
    this.loop.task = yield* process.startThread(
      task,
      options.program,
      undefined,
      (main) => this.#main(main),
    );
    for (let index = 0; index < options.cpus && !this.killed; index++) {
      const thread = new VcpuThread(this, index, steps.vcpuInit, steps.serveExit);
      this.threads.push(thread);
      this.#alive++;
      yield* process.startThread(
        task,
        options.namedThreads ? `CPU ${index}/KVM` : options.program,
        context.vcpuAffinity(index),
        (own) => this.#thread(thread, own, task),
      );
      yield* process.waitUntil(task, () => thread.made);
    }
  }

  *#thread(thread: VcpuThread, own: Task, creator: Task): Activity<number> {
    this.context.vcpuStarted?.(own);
    const status = yield* thread.life(own, creator);
    this.#alive--;
    yield* this.loop.wake(own);
    return status;
  }

  // ---- its life ----

  /** The first thread's life: serves the monitors, waits for the last vCPU thread, gives back what the process had. */
  *#main(main: Task): Activity<number> {
    const { process } = this;
    yield* this.loop.run(main, () => this.killed);
    const by = this.#terminatedBy;
    if (by !== null) this.terminal.stderr(`${this.#terminationText(by.signal, by.sender)}\n`);
    yield* process.waitUntil(main, () => this.#alive === 0 && this.#entered);
    yield* this.disks.end(main);
    process.freeMemory();
    this.pit?.stop();
    const devices = [this.serial, this.pit, this.acpi, this.disks, this.display].filter((device) =>
      device !== null
    );
    process.kvm.host.engine.unregister(...devices);
    this.context.ended(this); // from here on there is nothing to be looked at
    yield* process.calls.descriptors.closeAll(main);
    for (const file of this.#published) file.outlive();
    this.atEnd();
    this.ended = true;
    yield* this.loop.end(main);
    return this.exitStatus;
  }

  /** Lets the vCPUs run (`cont`). @param by the task that asks */
  *cont(by: Task): Activity {
    if (this.running) return;
    if (this.#stoppedNs >= 0) this.context.clockHeld?.(this, this.#nowNs - this.#stoppedNs);
    this.#stoppedNs = -1;
    this.runState = "running";
    yield* this.process.wake(this.threads.map(({ task }) => task!), by);
  }

  /** Makes every vCPU leave KVM and wait (`stop`). @param by the task that asks */
  *stop(by: Task, state: RunState = "paused"): Activity {
    if (!this.running) return;
    this.runState = state;
    yield* this.#quiesce(by);
    // kvmclock_vm_state_change(): since QEMU 1.7 the guest's clock counts only while the machine runs.
    if (this.options.era === "today") this.#stoppedNs = this.#nowNs;
  }

  get #nowNs(): number {
    return this.process.kvm.host.nowNs;
  }

  *#quiesce(by: Task): Activity {
    const { process, threads } = this;
    for (const thread of threads) thread.interrupt(process.cpuOf(by));
    yield* process.cpuOf(by).sendPendingIpis();
    for (const thread of threads) thread.onIdle = by;
    yield* process.waitUntil(by, () => this.killed || threads.every(({ idle }) => idle));
  }

  /** `system_reset`: vCPUs, devices and the guest begin anew. What Linux and the processors know of them does not. */
  *reset(main: Task): Activity {
    const { process } = this;
    if (this.options.noReboot) return yield* this.quit(main);
    const state = this.runState;
    yield* this.stop(main);
    if (this.killed) return;
    for (const device of this.assigned) device.reset();
    this.networkLine.lower(process.cpuOf(main));
    this.acpi?.reset(process.cpuOf(main));
    this.serial?.reset(process.cpuOf(main));
    this.pit?.reset(process.cpuOf(main));
    this.disks.reset(process.cpuOf(main));
    this.display?.reset();
    this.#guest = this.#createGuest(main);
    this.#stoppedNs = -1; // the new kernel's clock begins anew
    for (const { file } of this.threads) yield* file.reset();
    this.context.restarted?.(this);
    if (state === "running") yield* this.cont(main);
    else yield* process.cpuOf(main).sendPendingIpis();
  }

  /** `system_powerdown`: the power button. */
  *powerDown(main: Task): Activity {
    this.acpi?.press(this.process.cpuOf(main));
    yield* this.process.cpuOf(main).sendPendingIpis();
  }

  /** @inheritdoc */
  *portWritten(port: number, bytes: 1 | 2 | 4, value: number, thread: Task): Activity {
    const { options } = this;
    const disk = this.disks.at(port);
    if (disk !== undefined) return yield* disk.portWritten(port, bytes, value, thread);
    const here = this.process.cpuOf(thread);
    if (this.display?.vga.hasPort(port)) return this.display.vga.writePort(port, bytes, value);
    if (this.pit?.hasPort(port)) return yield* this.pit.write(port, value, thread);
    if (this.serial?.write(port, value, here)) return yield* here.sendPendingIpis();
    if (!this.acpi?.write(port, value, here)) return yield* eject(this, thread);
    if (options.noShutdown) {
      this.runState = "shutdown"; // this thread sees it before its next KVM_RUN
      for (const other of this.threads) {
        if (other.task !== thread) other.interrupt(this.process.cpuOf(thread));
      }
      yield* this.process.cpuOf(thread).sendPendingIpis();
    } else yield* this.quit(thread);
  }

  /** @inheritdoc */
  portRead(port: number, bytes: 1 | 2 | 4, thread: Task): number {
    const disk = this.disks.at(port);
    if (disk !== undefined) return disk.portRead(port, bytes, this.process.cpuOf(thread));
    if (this.display?.vga.hasPort(port)) return this.display.vga.readPort(port, bytes);
    if (this.pit?.hasPort(port)) return this.pit.read(port);
    return this.serial?.read(port, this.process.cpuOf(thread)) ?? this.acpi?.read(port) ?? 0xffff_ffff;
  }

  /** @inheritdoc */
  memoryWritten(address: number, bytes: number, value: number): void {
    this.display?.write(address, bytes, value);
  }

  /** @inheritdoc */
  memoryRead(address: number, bytes: number): number {
    return this.display?.read(address, bytes) ?? 0xffff_ffff;
  }

  /** @inheritdoc */
  *flushMemory(): Activity {
    yield* this.display?.flush() ?? [];
  }

  // ---- its end ----

  /** Ends the process: every thread leaves KVM, the first one gives everything back. @param by the task that asks */
  *quit(by: Task): Activity {
    const here = this.process.cpuOf(by);
    this.#end(here, 0);
    yield* here.sendPendingIpis();
  }

  /** A fatal signal for the process. */
  kill(from: KernelCpu): void {
    this.#end(from, 128 + SIGKILL);
  }

  #end(from: KernelCpu, status: number): void {
    if (this.killed) return;
    this.killed = true;
    this.exitStatus = status;
    for (const thread of this.threads) thread.kill(from);
    if (this.loop.task !== null) this.process.kvm.host.wake(this.loop.task, from);
  }

  /** `termsig_handler()`. */
  #signalled(signal: number, from: KernelCpu, sender: Sender | null): boolean {
    if (![SIGHUP, SIGINT, SIGTERM].includes(signal) || this.loop.task === null) return false;
    this.#terminatedBy ??= { signal, sender };
    this.#end(from, 0);
    return true;
  }

  /** `qemu_kill_report()`: 1.1 calls itself by no other name than `qemu`. */
  #terminationText(signal: number, sender: Sender | null): string {
    const { era, program } = this.options;
    const text = `terminating on signal ${signal}`;
    if (era === "2012") return `qemu: ${text}${sender === null ? "" : ` from pid ${sender.pid}`}`;
    return `${program}: ${text}${sender === null ? "" : ` from pid ${sender.pid} (${sender.name})`}`;
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
    this.runState = "internal-error";
  }

  /** The vCPUs as their registers stand now. */
  status(): VcpuStatus[] {
    return this.threads.map((thread) => vcpuStatus(thread.index, thread.file));
  }

  /** What the machine is and does, a line each; warnings last. */
  describe(): string[] {
    return describeMachine(this);
  }

  /** What stands in the way of direct delivery. */
  warnings(): string[] {
    return machineWarnings(this);
  }

  /**
   * What the command line puts in the way of direct delivery, said before anything has run; nothing where no vCPU will
   * have a slave CPU. With `-S` somebody may still give it one.
   */
  cautions(): string[] {
    return this.#slaveCpus.length > 0 || this.#canHaveSlaves && this.options.stopped ? obstacles(this) : [];
  }
}
