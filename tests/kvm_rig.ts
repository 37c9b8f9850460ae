/**
 * A host with KVM, an 82599 and room for guests, for tests of KVM and QEMU: four CPUs, every duration flat, so that no
 * expectation depends on costs.
 *
 * @module
 */

import { type Activity, OUT, work } from "../hw/sim/activity.ts";
import { Engine } from "../hw/sim/engine.ts";
import { TraceLog } from "../hw/sim/trace.ts";
import { Machine } from "../hw/machine.ts";
import { DeviceEffects } from "../hw/machine_effects.ts";
import { buildPciBus, wireInterrupts } from "../hw/machine_pci.ts";
import { TALK_TOPOLOGY } from "../hw/machine_topology.ts";
import { PciBus } from "../hw/pci.ts";
import type { QemuEra } from "../runtime/qemu/era.ts";
import { qemuCosts } from "../runtime/qemu/costs.ts";
import type { GuestRequest, QemuMachine } from "../runtime/qemu/machine.ts";
import { Qemu } from "../runtime/qemu/qemu.ts";
import { KvmCalls } from "../runtime/kvm/ioctl/calls.ts";
import type { KernelFile } from "../runtime/kvm/ioctl/descriptors.ts";
import { IoctlCall } from "../runtime/kvm/ioctl/ioctl_call.ts";
import { kvmCosts } from "../runtime/kvm/costs.ts";
import type { DirectCapabilities } from "../runtime/kvm/direct.ts";
import { Kvm } from "../runtime/kvm/kvm.ts";
import { PROTOCOL, type Protocol } from "../runtime/kvm/protocol.ts";
import { KVM_VERSIONS, type KvmVersion } from "../runtime/kvm/versions.ts";
import { Ixgbe } from "../runtime/linux/drivers/ixgbe.ts";
import { Ixgbevf } from "../runtime/linux/drivers/ixgbevf.ts";
import { NetDeviceNames } from "../runtime/linux/drivers/net_device_names.ts";
import { PciStub } from "../runtime/linux/drivers/pci_stub.ts";
import { computerBoard, setUpLegacyPic } from "../runtime/linux/board.ts";
import { IoApicPins } from "../runtime/linux/irq/io_apic.ts";
import { IO_APIC_EDGE, IO_APIC_FASTEOI, Irqs, pciInterrupts } from "../runtime/linux/irq/irq.ts";
import { Kernel } from "../runtime/linux/kernel.ts";
import type { KernelCpu } from "../runtime/linux/kernel_cpu.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { PCI_QUIRKS, PciCore, settle } from "../runtime/linux/pci/pci_bus.ts";
import { pciCosts, pciSteps } from "../runtime/linux/pci/pci_costs.ts";
import type { PciPorts } from "../runtime/linux/pci/pci_device.ts";
import { kernelCosts, type KernelRelease } from "../runtime/linux/release.ts";
import type { Task } from "../runtime/linux/sched/task.ts";
import { Vector } from "../runtime/linux/irq/vectors.ts";
import { flowOf } from "../runtime/measure/flow.ts";
import { flat, FLAT_MACHINE } from "./flat_costs.ts";

const RELEASE: KernelRelease = { release: "3.4.0", hz: 100, noHz: true, realTime: false, clocksource: "tsc" };

/** The systems' capabilities, restated from the talk's slide 29. */
export const STOCK: DirectCapabilities = {
  slaveCpu: false,
  delivery: false,
  eoi: false,
  timer: false,
  divideConfiguration: false,
  enableAt: "each",
  disableAt: "any",
  leadsTo: "any",
  smp: true,
};
export const RFC_V1: DirectCapabilities = { ...STOCK, slaveCpu: true, delivery: true };
export const RFC_V2: DirectCapabilities = { ...RFC_V1, eoi: true, timer: true };

/** The host, booted: CPU 3 is offline where `offline` says so, and 0000:05:00.0 is bound to `vfDriver`. */
export class Rig {
  readonly engine = new Engine(1);
  readonly machine: Machine = new Machine(this.engine, FLAT_MACHINE);
  readonly host: Kernel;
  readonly irqs: Irqs;
  readonly pci: PciCore;
  readonly kvm: Kvm;
  /** What the guest's program shall write to I/O ports, each once: port and value. */
  readonly portWrites: (readonly [port: number, value: number])[] = [];
  readonly #effects: DeviceEffects;
  readonly #guests = new Map<Kernel, Irqs>();

  constructor(
    capabilities: DirectCapabilities,
    { offline = [3], vfDriver = "pci-stub", version = KVM_VERSIONS["3.5"], protocol = {} }: {
      offline?: number[];
      vfDriver?: "pci-stub" | "ixgbevf";
      version?: KvmVersion;
      protocol?: Partial<Protocol>;
    } = {},
  ) {
    this.host = this.#kernel("host", 4, Layers.HostKernel, Layers.HostTask);
    this.kvm = new Kvm(this.host, this.machine, flat(kvmCosts, 300), capabilities, version, {
      ...PROTOCOL,
      ...protocol,
    });
    this.irqs = new Irqs(this.host, capabilities.slaveCpu);
    this.irqs.defaultAffinity = 1;
    this.irqs.ioApic = new IoApicPins(computerBoard(this.machine.ports));
    const { bus } = buildPciBus(TALK_TOPOLOGY);
    wireInterrupts(bus, this.machine.ioApic);
    this.#effects = new DeviceEffects(this.machine, bus);
    this.pci = this.#core(bus, this.host, this.irqs);
    const network = new NetDeviceNames();
    settle(this.pci.registerDriver(new PciStub(this.pci.steps)));
    settle(this.pci.registerDriver(new Ixgbe(this.pci, network, 1)));
    settle(this.pci.registerDriver(new Ixgbevf(this.pci.steps, network)));
    settle(this.pci.scan());
    if (vfDriver === "pci-stub") {
      settle(this.pci.newId("pci-stub", "8086 10ed"));
      settle(this.pci.unbind("ixgbevf", "0000:05:00.0"));
      settle(this.pci.bind("pci-stub", "0000:05:00.0"));
    }
    this.kvm.devices = { pci: this.pci, irqs: this.irqs, vfio: null };
    for (const cpu of this.host.cpus) {
      cpu.vectorIrq.set(Vector.Isa + 1, this.host.consoleAction);
      if (!offline.includes(cpu.id)) this.machine.cpus[cpu.id]!.start(cpu.prepareStart());
    }
    this.engine.runUntil(50_000_000);
  }

  /**
   * A guest's kernel. Its PCI bus has `functions`; its ixgbevf, once {@linkcode modprobe} has loaded it, answers an
   * interrupt of queue 0 by enabling it again, as the end of a NAPI poll does.
   */
  guest({ name, cpus, functions, board, readNetworkCause }: GuestRequest): Kernel {
    const kernel = this.#kernel(name, cpus, Layers.GuestKernel, Layers.GuestTask, readNetworkCause);
    const irqs = new Irqs(kernel, false);
    setUpLegacyPic(board);
    irqs.ioApic = new IoApicPins(board);
    this.#guests.set(kernel, irqs);
    const bus = new PciBus();
    bus.plug({ functions });
    const core = this.#core(bus, kernel, irqs);
    this.#cores.set(kernel, core);
    irqs.request({ ...kernel.consoleAction, chip: IO_APIC_FASTEOI });
    irqs.request({ irq: 0, name: "timer", chip: IO_APIC_EDGE, handler: () => acknowledge(kernel) });
    return kernel;
  }

  readonly #cores = new Map<Kernel, PciCore>();

  /** A guest's interrupts. */
  irqsOf(kernel: Kernel): Irqs {
    return this.#guests.get(kernel)!;
  }

  /** `modprobe ixgbevf` in a guest: its bus is scanned and the driver registered, by the calling task. */
  *modprobe(kernel: Kernel): Activity {
    const core = this.#cores.get(kernel)!;
    yield* core.scan();
    yield* core.registerDriver(new Ixgbevf(core.steps, new NetDeviceNames()));
  }

  /** Starts a task on CPU `cpu` of the host; the console's interrupt wakes it. */
  run(name: string, cpu: number, body: (task: Task) => Activity<number>): Task {
    const task = this.host.createTask(name, 1 << cpu, body);
    this.wake(task);
    return task;
  }

  /** Types: the console's interrupt on CPU 0 does it. */
  type(input: (cpu: KernelCpu) => void): void {
    this.host.consoleInput.push(input);
    this.machine.messageSignalled(0, Vector.Isa + 1);
  }

  /** Wakes a task of the host. */
  wake(task: Task): void {
    this.type((cpu) => this.host.wake(task, cpu));
  }

  /** Runs an activity in a task on CPU 0 to its end, at most a simulated minute, and returns its result. */
  finish<T>(body: (task: Task) => Activity<T>): T {
    let result: { value: T } | undefined;
    this.run("test", 0, function* (task) {
      result = { value: yield* body(task) };
      return 0;
    });
    const limitNs = this.engine.nowNs + 60_000_000_000;
    while (result === undefined && this.engine.nextNs <= limitNs) this.engine.step();
    if (result === undefined) throw new Error("the activity did not end within a minute");
    return result.value;
  }

  /** `ioctl` on an open file, by `task` of a process that has nothing else open. */
  ioctl(file: KernelFile, request: number, argument: number, task: Task): Activity<number> {
    return file.ioctl(new IoctlCall(request, argument, new KvmCalls(this.kvm), task));
  }

  /** Lets time pass. */
  pass(ns: number): void {
    this.engine.runUntil(this.engine.nowNs + ns);
  }

  /** Goes on, event by event, until `ready`; fails after a simulated second. */
  until(ready: () => boolean): void {
    const limitNs = this.engine.nowNs + 1_000_000_000;
    while (!ready()) {
      if (this.engine.nextNs > limitNs) throw new Error("not within a second");
      this.engine.step();
    }
  }

  /** What processor 3 does while `cause` has its effect, as boxes; host boxes are indented. */
  boxes(ns: number, cause: () => void): string[] {
    const log = this.engine.trace = new TraceLog();
    cause();
    this.pass(ns);
    this.engine.trace = null;
    return flowOf(log.records, "cpu3").map(({ lane, kind, text }) =>
      kind === "crossing" ? `--${text}--` : lane === "host" ? `  ${text}` : text
    );
  }

  #kernel(
    name: string,
    cpus: number,
    kernelLayer: number,
    taskLayer: number,
    acknowledge?: () => void,
  ): Kernel {
    return new Kernel(this.engine, {
      name,
      release: RELEASE,
      costs: flat(kernelCosts, 200),
      cpus,
      kernelLayer,
      taskLayer,
      startsProcessors: name !== "host",
      consoleIrq: name === "host"
        ? { irq: 1, name: "i8042" }
        : { irq: 11, name: "eth0", ...(acknowledge && { acknowledge }) },
    });
  }

  #core(bus: PciBus, kernel: Kernel, irqs: Irqs): PciCore {
    const ports: PciPorts = {
      log: (text) => kernel.log(text),
      interrupts: pciInterrupts(irqs),
      apply: (effects) => this.#effects.apply(effects),
      nowNs: () => this.engine.nowNs,
      onlineCpuCount: () => 1,
      localCpuList: () => "0",
      localCpuMask: () => "1",
    };
    return new PciCore(bus, ports, pciSteps(flat(pciCosts, 1000), kernel.kernelLayer), PCI_QUIRKS["3.5"]);
  }
}

/** A write to a port that user space serves. */
export const SERIAL_WRITE = [0x3f8, 0] as const;

/** What {@linkcode startQemu} has started. */
export interface Started {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The machine; `undefined`: QEMU ended before it made one. */
  readonly machine: QemuMachine | undefined;
  /** Its guest's kernel. */
  readonly guest: Kernel | undefined;
}

/**
 * Runs a QEMU command on CPU 0 to its end. The guest boots, loads ixgbevf and then runs for ever, without a tick; the
 * vCPUs' threads are on CPU 3 where that is online, else on CPU 0.
 */
export function startQemu(rig: Rig, commandLine: string, era: QemuEra = "2012"): Started {
  const argv = commandLine.trim().split(/\s+/);
  let stdout = "", stderr = "";
  let machine: QemuMachine | undefined, guest: Kernel | undefined;
  const program = new Qemu({
    name: argv[0]!,
    patched: argv[0]!.endsWith(".patched"),
    costs: flat(qemuCosts, 1000),
    kvm: rig.kvm,
    era,
    openImage: (file) => file === "kvm/test.img" ? undefined : "No such file or directory",
    timeOfDayNs: () => rig.engine.nowNs,
    claimName: (name) => name ?? "vm0",
    releaseName: () => {},
    // deno-lint-ignore require-yield
    *writeFile() {
      return "Read-only file system";
    },
    removeFile: () => {},
    openPty: () => "/dev/pts/0",
    createGuest(request) {
      const kernel = guest = rig.guest(request);
      for (const cpu of kernel.cpus) {
        cpu.x2apic = request.x2apic;
        const busy = kernel.createTask(`busy/${cpu.id}`, 1 << cpu.id, function* () {
          cpu.hrtimers.cancel(cpu.tick);
          if (cpu.id === 0) yield* rig.modprobe(kernel);
          for (;;) {
            const write = cpu.id === 0 ? rig.portWrites.shift() : undefined;
            if (write !== undefined) {
              [cpu.registers.address, cpu.registers.value] = write;
              yield OUT;
            }
            yield GUEST_RUNS;
          }
        });
        busy.cpu = cpu.id;
        kernel.startUp.whenUp(() => kernel.wake(busy, kernel.cpus[0]!));
      }
      return kernel;
    },
    vcpuAffinity: () => rig.host.cpus[3]!.state === "online" ? 1 << 3 : 1 << 0,
    started: (made) => machine = made,
    ended: () => {},
  });
  const status = rig.finish((task) =>
    program.main({
      argv,
      task,
      input: undefined,
      stdout: (text) => stdout += text,
      stderr: (text) => stderr += text,
    })
  );
  return { status, stdout, stderr, machine, guest };
}

function* acknowledge(kernel: Kernel): Activity {
  yield kernel.steps.deviceHandler;
}

/** Work of a guest's program that does not end: what the slides call "guest runs". */
export const GUEST_RUNS = work("guest runs", Layers.GuestTask, 10_000);
