/**
 * The software around a kernel: its interrupts, its kernel threads, CPU hotplug, the PCI core with its drivers, and the
 * file systems in which all of it can be read and written.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import type { Activity } from "../../hw/sim/activity.ts";
import type { Machine } from "../../hw/machine.ts";
import { DeviceEffects } from "../../hw/machine_effects.ts";
import { buildPciBus } from "../../hw/machine_pci.ts";
import type { PciTopology } from "../../hw/machine_topology.ts";
import type { Nic82599 } from "../../hw/nic_82599.ts";
import type { NicTimes } from "../../hw/nic_82599_switch.ts";
import type { PciBus } from "../../hw/pci.ts";
import type { Disk } from "../linux/block/disk.ts";
import { type Board, computerBoard, setUpLegacyPic } from "../linux/board.ts";
import {
  fullDevice,
  miscDevice,
  nullDevice,
  randomDevice,
  zeroDevice,
} from "../linux/fs/character_devices.ts";
import { CORE_I7_3770, type CpuIdentity } from "../linux/cpu_identity.ts";
import { cpuList, cpuMask } from "../linux/cpu_mask.ts";
import { Ixgbe } from "../linux/drivers/ixgbe.ts";
import { Ixgbevf } from "../linux/drivers/ixgbevf.ts";
import { NetDeviceNames } from "../linux/drivers/net_device_names.ts";
import { addStubIds, PciStub } from "../linux/drivers/pci_stub.ts";
import { addVfioIds, VfioPci } from "../linux/drivers/vfio_pci.ts";
import { Errno } from "../linux/errno.ts";
import { Cpusets } from "../linux/sched/cpuset.ts";
import { CPUSET, DEBUGFS, PROCFS, ROOTFS, SYSCTL, SYSFS, TRACEFS } from "../linux/fs/file_systems.ts";
import { Ftrace, type TraceEvent } from "../linux/trace/ftrace.ts";
import { CpuHotplug } from "../linux/hotplug.ts";
import { IoApicPins, pinOf } from "../linux/irq/io_apic.ts";
import { IO_APIC_EDGE, type IrqDescriptor, Irqs, pciInterrupts } from "../linux/irq/irq.ts";
import { IrqLine } from "../linux/irq/irq_lines.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { KernelThreads } from "../linux/sched/kthreads.ts";
import { type BootParameters, parseCommandLine } from "../linux/command_line.ts";
import { IommuGroups } from "../linux/pci/iommu_groups.ts";
import type { KernelInterfaces } from "../linux/interfaces.ts";
import { procInterrupts } from "../linux/fs/proc/proc_interrupts.ts";
import { PciCore, settle } from "../linux/pci/pci_bus.ts";
import { matchesDevice } from "../linux/pci/pci_ids.ts";
import { type PciCosts, pciSteps } from "../linux/pci/pci_costs.ts";
import { type CpuTimes, physicalCpuTimes, procfs } from "../linux/fs/proc/procfs.ts";
import { debugSched } from "../linux/fs/proc/proc_sys.ts";
import { debugfs, sysfsRoot } from "../linux/fs/sysfs/sysfs.ts";
import { sysfsClocksource } from "../linux/fs/sysfs/sysfs_clocksource.ts";
import { sysfsCpu } from "../linux/fs/sysfs/sysfs_cpu.ts";
import { kernelTraceEvents } from "../linux/trace/trace_events.ts";
import { sysfsMm } from "../linux/fs/sysfs/sysfs_mm.ts";
import { netClass, netSysfs } from "../linux/fs/sysfs/sysfs_net.ts";
import { iommuGroupsDirectory, pciSysfs } from "../linux/fs/sysfs/sysfs_pci.ts";
import type { NetCosts } from "../linux/net/costs.ts";
import { NetStack, type Subnet } from "../linux/net/stack.ts";
import { thisCpu } from "../linux/this_cpu.ts";
import { MemoryDirectory } from "../linux/fs/tmpfs.ts";
import { type DirectoryNode, type FileSystem, type Node, Vfs } from "../linux/fs/vfs.ts";

/** 6 September 2012, the day of the second series of patches: what the model takes for the time of boot. */
const BOOT_TIME = 1_346_889_600;
/** Virtual functions that the host's ixgbe makes where `ixgbe.max_vfs` does not say. */
const VIRTUAL_FUNCTIONS = 1;

/** A directory to mount something on. */
const EMPTY: DirectoryNode = { kind: "directory", list: () => [], lookup: () => undefined };

/** What is built around a kernel. */
export interface SoftwareOptions {
  /** Whether interrupts may be affine to slave CPUs: the patched kernel. */
  readonly slaveAffinity: boolean;
  /** Whether interrupts leave a CPU that goes offline; they do where absent. */
  readonly movesInterrupts?: boolean;
  /** What PCI work costs. */
  readonly pci: PciCosts;
  /** What networking costs. */
  readonly net: NetCosts;
  /** The subnet that its adapters are on. */
  readonly subnet: Subnet;
  /** Carries out what devices cause, where that is not for its own bus alone. */
  readonly effects?: DeviceEffects;
  /** Its interrupt controllers, where they are not those of the computer. */
  readonly board?: Board;
  /** Where the time of its CPUs goes, where they are no processors of the machine. */
  readonly cpuTimes?: (cpu: KernelCpu) => CpuTimes;
  /** `root=…`, as `/proc/cmdline` shows it. */
  readonly commandLine: string;
  /** What the kernel shows to programs. */
  readonly interfaces: KernelInterfaces;
  /** What its processors are. */
  readonly identity: CpuIdentity;
  /** Directories of debugfs that belong to others. */
  readonly debug?: Readonly<Record<string, DirectoryNode>>;
  /** Events that others trace on it. */
  readonly traceEvents?: readonly TraceEvent[];
}

/** A kernel with everything around it. */
export class Software {
  /** Its interrupts. */
  readonly irqs: Irqs;
  /** Its per-CPU kernel threads. */
  readonly threads: KernelThreads;
  /** CPU hotplug; `null` in a guest, which starts its processors once. */
  readonly hotplug: CpuHotplug | null;
  /** Its cpusets, mounted or not. */
  readonly cpusets: Cpusets;
  /** Its PCI core. */
  readonly pci: PciCore;
  /** Its vfio-pci; `null`: the kernel has none. */
  readonly vfio: VfioPci | null;
  /** What its command line says. */
  readonly boot: BootParameters;
  /** The interrupt by which commands reach it. */
  readonly console: IrqDescriptor;
  /** Its network. */
  readonly net: NetStack;
  /** Its tracing. */
  ftrace!: Ftrace;
  readonly #interfaces: KernelInterfaces;
  /** Names of its network interfaces. */
  readonly network: NetDeviceNames;
  /** Its disks. */
  readonly disks = new Set<Disk>();
  /** `/dev`. */
  readonly devices = new MemoryDirectory();
  /** Its files. */
  readonly vfs = new Vfs();
  /** Carries out what devices of its bus cause. */
  readonly effects: DeviceEffects;
  /** What its processors are. */
  readonly identity: CpuIdentity;
  /** When it booted, seconds since 1970. */
  readonly bootTime = BOOT_TIME;

  /**
   * @param bus the PCI bus that it sees @param isGuest whether it runs on virtual CPUs of `machine`
   * @throws {RangeError} if the command line says what is wrong, or not modelled
   */
  constructor(
    readonly kernel: Kernel,
    readonly machine: Machine,
    readonly bus: PciBus,
    options: SoftwareOptions,
    readonly isGuest: boolean,
  ) {
    this.vfs.nowNs = young(() => kernel.nowNs);
    this.identity = options.identity;
    const boot = parseCommandLine(options.commandLine, kernel.cpus.length);
    if (typeof boot === "string") throw new RangeError(boot);
    this.boot = boot;
    this.#interfaces = options.interfaces;
    kernel.isolated = boot.isolated; // before there is a task
    this.effects = options.effects ?? new DeviceEffects(machine, bus);
    this.irqs = new Irqs(kernel, options.slaveAffinity);
    if (!isGuest) {
      kernel.firstInstructions = young((cpu) => {
        const { apic } = machine.cpus[cpu.id]!;
        for (const [offset, value] of cpu.firstApicWrites()) apic.write(offset, value, kernel.nowNs);
      });
      // x2APIC form needs it: intr_remapping.c switches it on wherever firmware lists a unit
      machine.remapping.interruptRemapping = true;
      machine.remapping.translation = boot.iommu;
      this.irqs.remapping = machine.remapping;
    }
    this.irqs.movesLater = this.irqs.remapping === null;
    const board = options.board ?? computerBoard(machine.ports);
    setUpLegacyPic(board);
    this.irqs.ioApic = new IoApicPins(board);
    if (boot.irqAffinity !== 0) this.irqs.defaultAffinity = boot.irqAffinity;
    this.threads = new KernelThreads(kernel, options.interfaces.hotplugThreads);
    this.hotplug = isGuest
      ? null
      : new CpuHotplug(kernel, machine, this.irqs, this.threads, options.movesInterrupts);
    this.cpusets = new Cpusets(kernel, this.threads, () => thisCpu(kernel, machine));
    if (this.hotplug !== null) this.hotplug.onOffline = young((cpu) => this.cpusets.cpuGone(cpu));
    const { irq, name, handler } = kernel.consoleAction;
    // A keyboard has an ISA line; the emulated network card a PCI line, which is level-triggered.
    const console = isGuest
      ? this.irqs.requestLine(irq, { name, shared: true, run: handler })
      : this.irqs.request({ irq, name, chip: IO_APIC_EDGE, handler });
    if (console instanceof Errno) throw new Error(`The console's interrupt ${irq}: ${console.message}`);
    this.console = console instanceof IrqLine ? console.descriptor : console;
    this.net = new NetStack(kernel, options.net, options.subnet, (cpu, poll) => {
      this.threads.ksoftirqd(cpu, poll);
    });
    this.network = new NetDeviceNames(["eth0"], this.net, options.interfaces.ethtool);
    this.pci = new PciCore(
      bus,
      {
        log: (text) => kernel.log(text),
        interrupts: pciInterrupts(this.irqs),
        noMessages: boot.noMessages,
        apply: (effects) => this.effects.apply(effects),
        nowNs: () => kernel.engine.nowNs, // a device's time: a guest's own may have stood still
        onlineCpuCount: () => kernel.cpus.filter(({ state }) => state === "online").length,
        localCpuList: () => cpuList(kernel.possibleMask),
        localCpuMask: () => cpuMask(kernel.possibleMask, kernel.cpus.length),
      },
      pciSteps(options.pci, kernel.kernelLayer),
      options.interfaces.pci,
      boot.iommu && options.interfaces.iommuGroups ? new IommuGroups() : null,
    );
    this.pci.hasIommu = boot.iommu;
    this.vfio = options.interfaces.vfio ? new VfioPci(this.pci) : null;
    this.#mount(options);
  }

  /** What `mount -t TYPE -o OPTIONS` finds; `undefined`: the kernel has no such file system. */
  fileSystem(type: string, options: readonly string[]): { node: Node; fileSystem: FileSystem } | undefined {
    if (type === "cpuset") return { node: this.cpusets.directory(""), fileSystem: CPUSET };
    if (type === "cgroup" && options.includes("cpuset")) {
      const prefix = options.includes("noprefix") ? "" : "cpuset.";
      return { node: this.cpusets.directory(prefix), fileSystem: { ...CPUSET, name: "cgroup" } };
    }
  }

  /** A key of its keyboard has been pressed: a pulse on that line. */
  typed(): void {
    for (const high of [true, false]) this.machine.ioApic.setLine(pinOf(this.console.irq), high);
  }

  /** `/proc/interrupts`. */
  interruptText(): string {
    return procInterrupts(this.kernel, this.irqs, this.#interfaces);
  }

  /** Enumerates PCI and loads the drivers. */
  *loadDrivers(): Activity {
    const { pci, network, vfio, boot } = this;
    yield* pci.scan();
    yield* pci.registerDriver(new PciStub(pci.steps));
    yield* addStubIds(pci, boot.stubIds);
    if (vfio !== null) {
      yield* pci.registerDriver(vfio);
      yield* addVfioIds(pci, boot.vfioIds);
    }
    if (!this.isGuest) yield* pci.registerDriver(this.#ixgbe());
    yield* pci.registerDriver(new Ixgbevf(pci.steps, network));
    if (this.isGuest) yield* this.loadByAlias();
  }

  #ixgbe(): Ixgbe {
    return new Ixgbe(this.pci, this.network, this.boot.maxVfs ?? (this.isGuest ? 0 : VIRTUAL_FUNCTIONS));
  }

  /** udev loads what a guest's devices need beside that: ixgbe, where it has a physical function. */
  *loadByAlias(): Activity {
    const driver = this.#ixgbe();
    const { pci } = this;
    if (pci.driver(driver.name) !== undefined) return;
    const wanted = [...pci.devices].some((device) => driver.ids.some((id) => matchesDevice(id, device)));
    if (wanted) yield* pci.registerDriver(driver);
  }

  /** The same at the host's boot, which takes no simulated time. */
  startPci(): void {
    settle(this.loadDrivers());
  }

  #mount(options: SoftwareOptions): void {
    const { kernel, machine, vfs, irqs, hotplug } = this;
    const { identity, commandLine, interfaces, debug = {}, traceEvents = [] } = options;
    const { cpuTimes = physicalCpuTimes(machine) } = options;
    const { root, sys } = procfs(kernel, {
      irqs,
      identity,
      interfaces,
      commandLine,
      bootTime: BOOT_TIME,
      cpusets: this.cpusets,
      disks: this.disks,
      vfs,
      current: () => thisCpu(kernel, machine).current,
      cpuTimes,
    });
    vfs.mount("/proc", root, PROCFS);
    vfs.mount("/proc/sys", sys, SYSCTL);
    const { iommu } = this.pci;
    vfs.mount(
      "/sys",
      sysfsRoot({
        ...(iommu === null ? {} : { iommu_groups: iommuGroupsDirectory(iommu) }),
        ...(interfaces.tracefs ? { tracing: EMPTY } : {}),
        mm: sysfsMm(kernel.memory),
      }),
      SYSFS,
    );
    vfs.mount(
      "/sys/devices/system/cpu",
      sysfsCpu(kernel, { identity, interfaces, hotplug, thisCpu: () => thisCpu(kernel, machine) }),
      SYSFS,
    );
    vfs.mount("/sys/devices/system/clocksource", sysfsClocksource(kernel, interfaces), SYSFS);
    const { bus, devices } = pciSysfs(this.pci, netSysfs(this.network));
    vfs.mount("/sys/bus/pci", bus, SYSFS);
    vfs.mount("/sys/class/net", netClass(this.network), SYSFS);
    vfs.mount("/sys/devices/pci0000:00", devices, SYSFS);
    const inDebugfs = interfaces.schedulerTunables === "debugfs";
    vfs.mount(
      "/sys/kernel/debug",
      debugfs({ tracing: EMPTY, ...(inDebugfs ? { sched: debugSched(kernel) } : {}), ...debug }),
      DEBUGFS,
    );
    const ftrace = this.ftrace = new Ftrace(kernel, {
      physical: !this.isGuest,
      modern: interfaces.tracefs,
      events: [...kernelTraceEvents(kernel, interfaces.tracefs), ...traceEvents],
      thisCpu: () => thisCpu(kernel, machine),
    });
    const tracing = ftrace.directory();
    vfs.mount("/sys/kernel/debug/tracing", tracing, interfaces.tracefs ? TRACEFS : DEBUGFS);
    if (interfaces.tracefs) vfs.mount("/sys/kernel/tracing", tracing, TRACEFS);
    for (const folder of ["/tmp", "/root", "/var", "/etc"]) vfs.mkdir(folder);
    vfs.mount("/dev", this.devices, ROOTFS);
    this.devices.set("null", nullDevice);
    this.devices.set("zero", zeroDevice);
    this.devices.set("full", fullDevice);
    const draws = () => kernel.engine.random.stream(`${kernel.name}.urandom`);
    this.devices.set("random", randomDevice(8, draws));
    this.devices.set("urandom", randomDevice(9, draws));
    if (debug.kvm !== undefined) this.devices.set("kvm", miscDevice(KVM_MINOR));
    if (this.vfio !== null) vfs.mount("/dev/vfio", this.vfio.directory(), ROOTFS);
  }
}

/** `/dev/kvm` among the misc devices (`include/linux/miscdevice.h`). */
const KVM_MINOR = 232;

/** The host's PCI bus: the talk's network card, its virtual functions made by the driver. */
export function hostBus(topology: PciTopology, times: NicTimes): { bus: PciBus; nic: Nic82599 } {
  const { bus, nics } = buildPciBus(topology, times);
  return { bus, nic: nics[0]! };
}

/** What a guest sees: QEMU's qemu64 has one processor of no particular make. */
export const GUEST_IDENTITY: CpuIdentity = {
  ...CORE_I7_3770,
  modelName: "QEMU Virtual CPU version 1.1.0",
  model: 2,
  stepping: 3,
  cores: 1,
  threads: 1,
  // The model qemu64 of QEMU 1.1, without what `-cpu` adds.
  flags:
    "fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pse36 clflush mmx fxsr sse sse2 syscall nx lm " +
    "rep_good nopl pni cx16 popcnt hypervisor lahf_lm",
};
