/**
 * A laboratory: one machine with its host kernel, KVM and guests, wired and booted; what the language drives.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import { Engine } from "../../hw/sim/engine.ts";
import { Machine } from "../../hw/machine.ts";
import { wireInterrupts } from "../../hw/machine_pci.ts";
import { KERNELS } from "../guest/kernels.ts";
import { KvmCalls } from "../kvm/ioctl/calls.ts";
import { kvmDebugfs } from "../kvm/debugfs.ts";
import { kvmTraceEvents } from "../kvm/trace_events.ts";
import { Kvm } from "../kvm/kvm.ts";
import { KVM_VERSIONS } from "../kvm/versions.ts";
import { type Mutant, PROTOCOL } from "../kvm/protocol.ts";
import { INTERFACES } from "../linux/interfaces.ts";
import { ROOTFS, SYSFS } from "../linux/fs/file_systems.ts";
import { Kernel } from "../linux/kernel.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { LAYER_NAMES, Layers } from "../linux/layers.ts";
import type { Histogram } from "../measure/histogram.ts";
import type { Nic82599 } from "../../hw/nic_82599.ts";
import type { QemuMachine } from "../qemu/machine.ts";
import type { CyclictestResult } from "../programs/rt_tests/cyclictest.ts";
import { devmem } from "../programs/devmem.ts";
import type { TrafficFigures } from "../programs/program.ts";
import type { SysbenchResult } from "../programs/sysbench.ts";
import { hostCommandLine } from "./boot_parameters.ts";
import { Computer } from "./computer.ts";
import type { LabProfile } from "./defaults.ts";
import type { Era } from "./eras.ts";
import { type DeviceModel, loadDeviceDrivers, plugDevices } from "./devices.ts";
import { type InterruptSource, interruptSources } from "./interrupt_sources.ts";
import { qemuPrograms, ShellCalls } from "./guests.ts";
import { monitorProgram } from "./monitor_program.ts";
import { installFiles, userPrograms } from "./programs.ts";
import { moduleDirectory } from "../linux/fs/sysfs/sysfs.ts";
import type { Subnet } from "../linux/net/stack.ts";
import { settle } from "../linux/pci/pci_bus.ts";
import { labSubnet, outsidePeer } from "./peer.ts";
import type { SampleWatch } from "./sample_watch.ts";
import { Terminals } from "./terminals.ts";
import { hostBus, Software } from "./software.ts";
import { BOOT_NS, DEDICATED_CPU, type SystemRow } from "./systems.ts";
import { tuneHost } from "./tuning.ts";

/** What a laboratory is booted with. */
export interface BootOptions {
  /** Which system. */
  readonly system: SystemRow;
  /** Name of the kernel that `vm0` runs: a row of `KERNELS`. */
  readonly kernel: string;
  /** What all randomness is derived from. */
  readonly seed: number;
  /** Every number of the model. */
  readonly profile: LabProfile;
  /** The talk's time, or today. */
  readonly era: Era;
  /** What stands at the end of the host's kernel command line, behind what is there always. */
  readonly append: string;
  /** The mistake that its KVM makes; `null`: none. */
  readonly mutant: Mutant | null;
}

/** What a benchmark has measured, and on what. */
export interface LabResult {
  /** The system's name. */
  readonly system: string;
  /** The kernel on which the benchmark ran. */
  readonly kernel: string;
  /** The run's seed. */
  readonly seed: number;
  /** Which of the laboratory's benchmarks it was, in order of their starts, from 0. */
  readonly run: number;
  /** The benchmark's own result. */
  readonly cyclictest: CyclictestResult;
  /** Events of the engine while it ran. */
  readonly events: number;
  /** VM exits of vm0 by basic reason while it ran. */
  readonly exits: readonly number[];
  /** State hash at its end. */
  readonly hash: string;
  /** CPU-bound tasks on the host while it ran. */
  readonly hostLoad: number;
  /** Time that the host's CPUs spent in the host's kernel and KVM meanwhile, in percent of one CPU. */
  readonly hostCpuPercent: number;
  /** What the measured kernel did beside: nothing, or it received what iperf sent. */
  readonly guestLoad: "idle" | "iperf";
}

/** What iperf or ping has measured, and on what. */
export interface TrafficResult extends TrafficFigures {
  /** The system's name. */
  readonly system: string;
  /** The kernel of vm0. */
  readonly kernel: string;
  /** The run's seed. */
  readonly seed: number;
  /** Time that the host's CPUs spent in the host's kernel and KVM meanwhile, in percent of one CPU. */
  readonly hostCpuPercent: number;
}

/** How long a fixed amount of computing took, and where the time of the dedicated CPU went meanwhile. */
export interface ComputeResult {
  /** The system's name. */
  readonly system: string;
  /** The kernel on which it ran. */
  readonly kernel: string;
  /** The run's seed. */
  readonly seed: number;
  /** The benchmark's own result. */
  readonly sysbench: SysbenchResult;
  /** Time of the dedicated CPU by layer while it ran, ns. */
  readonly layerNs: readonly number[];
  /** VM exits of vm0 while it ran. */
  readonly exits: number;
  /** CPU-bound tasks on the host while it ran. */
  readonly hostLoad: number;
}

/** A guest that has been started. */
export interface Guest {
  /** As `ssh` takes it. */
  readonly name: string;
  /** Its kernel. */
  readonly kernel: Kernel;
  /** What runs around its kernel. */
  readonly software: Software;
  /** Its QEMU. */
  readonly machine: QemuMachine;
}

/** Slide 24: 16 GB. */
const HOST_MEMORY_MIB = 16_384;
/** The keyboard's line. */
const KEYBOARD = { irq: 1, name: "i8042" };

/** One laboratory. */
export class Lab {
  /** Time, alarms, randomness. */
  readonly engine: Engine;
  /** The hardware. */
  readonly machine: Machine;
  /** The host's kernel; on bare metal the kernel that is measured. */
  readonly host: Kernel;
  /** The host's KVM. */
  readonly kvm: Kvm;
  /** What runs around the host's kernel. */
  readonly software: Software;
  /** The 10 GbE card. */
  readonly nic: Nic82599;
  /** The subnet that the card is on. */
  readonly subnet: Subnet;
  /** Started guests, by name. */
  readonly guests = new Map<string, Guest>();
  /** What benchmarks have measured, oldest first. */
  readonly results: LabResult[] = [];
  /** What sysbench has measured, oldest first. */
  readonly computed: ComputeResult[] = [];
  /** What iperf and ping have measured, oldest first. */
  readonly traffic: TrafficResult[] = [];
  /** Constants of C calls. */
  readonly constants: ReadonlyMap<string, number> = KvmCalls.constants;
  /** Benchmarks started so far. */
  runs = 0;
  /** What benchmarks count their samples in, those of earlier ones included. */
  readonly histograms: Histogram[] = [];
  /** Looks at single samples of a benchmark; `null`: nobody does. */
  watch: SampleWatch | null = null;
  /** Pseudo-terminals of the host. */
  readonly terminals = new Terminals();
  /** C calls of the host's shell. */
  readonly calls: ShellCalls;
  /** Told of each guest that QEMU has made. */
  onGuest: (guest: Guest) => void = young(() => {});
  /** Told how far a long run has come, 0 … 1. */
  onProgress: (name: string, fraction: number) => void = young(() => {});
  /** Names of guests, also of those that are being started. */
  readonly #guestNames = new Set<string>();
  readonly #computers = new Map<string, Computer>();

  /** Builds and boots it, with `devices` beside its own. Takes 100 ms of simulated time. */
  constructor(readonly options: BootOptions, readonly devices: readonly DeviceModel[] = []) {
    const { system, profile, era, mutant } = options;
    const capabilities = { ...system.capabilities, ...mutant?.capabilities };
    const protocol = { ...PROTOCOL, ...mutant?.protocol };
    const { values } = profile;
    this.engine = new Engine(options.seed);
    this.machine = new Machine(this.engine, values.hw);
    const build = system.vm0 === "host" ? options.kernel : era.hostKernel;
    const { interfaces, ...release } = KERNELS[build]!;
    this.host = new Kernel(this.engine, {
      name: "host",
      release: { ...release, clocksource: "tsc" },
      costs: values.linux,
      cpus: values.hw.cpus,
      kernelLayer: Layers.HostKernel,
      taskLayer: Layers.HostTask,
      consoleIrq: KEYBOARD,
      background: values.hostBackground,
      memory: { mib: HOST_MEMORY_MIB, costs: values.memory },
      booksSteadyCpus: true,
    });
    const version = KVM_VERSIONS[interfaces];
    this.kvm = new Kvm(this.host, this.machine, values.kvm, capabilities, version, protocol);
    const { bus, nic } = hostBus(era.topology, values.hw.nic);
    this.nic = nic;
    this.engine.register("nic", nic);
    this.machine.busMasters.push(nic);
    plugDevices(devices, this.machine, bus, (effects) => this.software.effects.apply(effects));
    wireInterrupts(bus, this.machine.ioApic);
    this.subnet = labSubnet(nic, system.vm0 === "host");
    this.software = new Software(this.host, this.machine, bus, {
      slaveAffinity: capabilities.slaveCpu,
      movesInterrupts: protocol.movesHostInterrupts,
      pci: values.pci,
      net: values.net,
      subnet: this.subnet,
      commandLine: hostCommandLine(release.release, options.append),
      interfaces: INTERFACES[interfaces],
      identity: era.identity,
      debug: { kvm: kvmDebugfs(this.kvm) },
      traceEvents: kvmTraceEvents(this.kvm, INTERFACES[interfaces].tracefs),
    }, false);
    installFiles(this.software.vfs, era);
    this.kvm.ept = this.software.boot.ept;
    this.software.vfs.mount("/dev/pts", this.terminals.directory(), ROOTFS);
    this.software.vfs.mount("/sys/module", moduleDirectory({ kvm_intel: this.kvm.parameters }), SYSFS);
    for (const cpu of this.host.cpus) this.machine.cpus[cpu.id]!.start(cpu.prepareStart());
    this.engine.runUntil(BOOT_NS);
    this.machine.memory = this.software.effects;
    this.software.startPci();
    settle(loadDeviceDrivers(devices, this.software));
    if (system.tuned) tuneHost(this.software);
    const { pci, irqs, vfio } = this.software;
    this.kvm.devices = { pci, irqs, vfio };
    this.calls = new ShellCalls(this);
    this.#computers.set(
      "host",
      new Computer(this, "host", this.software, range(values.hw.cpus), [
        ...userPrograms(),
        devmem,
        ...qemuPrograms(this),
        monitorProgram(this),
      ]),
    );
    if (system.vm0 === "host") {
      // The measured CPU is the same in all systems: vm0's processor 0 is the dedicated one.
      const processors = [DEDICATED_CPU, ...range(values.hw.cpus).filter((cpu) => cpu !== DEDICATED_CPU)];
      this.#computers.set("vm0", new Computer(this, "vm0", this.software, processors, userPrograms()));
    }
  }

  /** What can be made to raise an interrupt now, by the names that `irq` takes. */
  interruptSources: () => Map<string, InterruptSource> = young(() =>
    interruptSources(this.software, this.nic)
  );

  /** The computer that a shell can run commands on, by name: `host`, `vm0`. */
  computer(name: string): Computer | undefined {
    if (name === "peer" && !this.#computers.has("peer")) this.#computers.set("peer", this.#peer());
    return this.#computers.get(name);
  }

  /** Where traffic to vm0 comes from: the host, or, where that is vm0 itself, a second computer. */
  #peer(): Computer {
    const { host, software } = this;
    return this.options.system.vm0 === "host"
      ? new Computer(this, "peer", outsidePeer(this), [0], userPrograms())
      : new Computer(this, "peer", software, range(host.cpus.length), userPrograms());
  }

  /** The names that {@linkcode computer} knows. */
  computers(): string[] {
    return [...this.#computers.keys()];
  }

  /** Enters a started guest, so that `ssh` finds it, or one that has been reset in the place of what it was before. */
  addGuest(guest: Guest): void {
    this.#computers.get(guest.name)?.vanish();
    this.#unregister(this.guests.get(guest.name));
    this.guests.set(guest.name, guest);
    this.onGuest(guest);
    const processors = range(guest.kernel.cpus.length);
    this.#computers.set(
      guest.name,
      new Computer(this, guest.name, guest.software, processors, userPrograms()),
    );
  }

  /** Gives a guest that is being started its name, `vm0`, `vm1`, … without one; undefined: another has it. */
  claimGuestName(wanted?: string): string | undefined {
    let name = wanted ?? "vm0";
    for (let number = 1; wanted === undefined && this.#guestNames.has(name); number++) name = `vm${number}`;
    if (this.#guestNames.has(name) || this.#computers.has(name)) return undefined;
    this.#guestNames.add(name);
    return name;
  }

  /** Forgets a guest that has ended. */
  removeGuest(name: string): void {
    this.#guestNames.delete(name);
    const gone = this.guests.get(name);
    this.#unregister(gone);
    this.engine.random.retire(name);
    this.guests.delete(name);
    this.#computers.get(name)?.vanish();
    this.#computers.delete(name);
  }

  /** The software of a guest is no state any more. */
  #unregister(guest: Guest | undefined): void {
    if (guest === undefined) return;
    const { kernel, software: { irqs, net } } = guest;
    this.engine.unregister(kernel, irqs, net);
  }

  /**
   * Brings `input` to `kernel` as a console does: by an interrupt. The host's comes from its keyboard; a guest's
   * through the emulated network card of its QEMU, as a virtual interrupt.
   */
  type(kernel: Kernel, input: (cpu: KernelCpu) => void): void {
    kernel.consoleInput.push(input);
    const guest = [...this.guests.values()].find((candidate) => candidate.kernel === kernel);
    if (guest === undefined) {
      const software = [...this.#computers.values()].find((computer) => computer.kernel === kernel)?.software;
      if (software === undefined) return; // a guest that has ended
      return software.typed();
    }
    this.type(this.host, (cpu) => guest.machine.networkLine.raise(cpu));
  }

  /**
   * Begins to count the time that the host's CPUs spend in the host's kernel and in KVM, with the exits and entries
   * themselves. What a sender that is not simulated would take is not in it.
   *
   * @returns what tells that time, in percent of one CPU, since this call
   */
  hostCpu(): () => number {
    const fromNs = this.engine.nowNs, hostNs = this.#hostNs();
    return () => (100 * (this.#hostNs() - hostNs)) / (this.engine.nowNs - fromNs);
  }

  #hostNs(): number {
    const { vmExit, vmEntry } = this.options.profile.values.hw.processor;
    this.host.settle();
    let sum = 0;
    for (const { id, exits } of this.machine.cpus) {
      const layerNs = this.timeByLayer(id);
      sum += layerNs[Layers.HostKernel]! + layerNs[Layers.Kvm]! + exits * (vmExit + vmEntry);
    }
    return sum;
  }

  /** Time of processor `id` by layer so far, ns. The step in flight is counted without being booked: nothing changes. */
  timeByLayer(id: number): number[] {
    const { layerNs, inFlight } = this.machine.cpus[id]!;
    const { steady } = this.host.cpus[id]!;
    return LAYER_NAMES.map((_, layer) =>
      layerNs[layer]! + steady.bookedNs(layer) +
      (inFlight?.layer === layer ? this.engine.nowNs - inFlight.sinceNs : 0)
    );
  }

  /** Exits of a guest by basic reason so far; of vm0 where that is none. */
  exits(name = "vm0"): number[] {
    const sum = new Array<number>(64).fill(0);
    for (const vcpu of (this.guests.get(name) ?? this.guests.get("vm0"))?.machine.file.vm.vcpus ?? []) {
      vcpu.exits.forEach((n, reason) => sum[reason]! += n);
    }
    return sum;
  }
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
