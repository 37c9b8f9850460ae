/**
 * The KVM module of a host kernel: what all its virtual machines share.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import type { LogicalCpu } from "../../hw/cpu.ts";
import type { ClockRatio } from "../../hw/lapic_timer.ts";
import type { Machine } from "../../hw/machine.ts";
import type { RegisterFile } from "../../hw/register_file.ts";
import { Pin } from "../../hw/vmx.ts";
import type { VfioPci } from "../linux/drivers/vfio_pci.ts";
import type { Irqs } from "../linux/irq/irq.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import type { PciCore } from "../linux/pci/pci_bus.ts";
import { type KvmCosts, type KvmSteps, kvmSteps } from "./costs.ts";
import {
  type BitmapPair,
  contradiction,
  type DirectCapabilities,
  normalBitmaps,
  slaveBitmaps,
} from "./direct.ts";
import { PLE } from "./pause_loop.ts";
import { PROTOCOL, type Protocol } from "./protocol.ts";
import type { Vcpu } from "./vcpu.ts";
import { LoadedVcpu, type VcpuTimes } from "./vcpu_times.ts";
import { KVM_VERSIONS, type KvmVersion } from "./versions.ts";
import { Vm } from "./vm.ts";

/** What device assignment needs of the host. */
export interface HostDevices {
  /** Its PCI devices. */
  readonly pci: PciCore;
  /** Its interrupts. */
  readonly irqs: Irqs;
  /** Its vfio-pci; null: it has none. */
  readonly vfio: VfioPci | null;
}

/** `/dev/kvm`'s other side. */
export class Kvm {
  /** Its steps. */
  readonly steps: KvmSteps;
  /** The MSR bitmaps outside of direct mode. */
  readonly normalBitmaps: BitmapPair = normalBitmaps();
  /** The MSR bitmaps of direct mode. */
  readonly slaveBitmaps: BitmapPair;
  /** The machine's TSC. */
  readonly tscRatio: ClockRatio;
  /** Its machines, in order of creation. */
  readonly vms: Vm[] = [];
  /** Vcpus by the slave CPU they are bound to. */
  readonly slaves = new Map<number, Vcpu>();
  /** Slave CPUs that have been told to stop and have not yet. */
  readonly dying = new Set<number>();
  /** CPUs whose start-up message is on its way, and what they execute from then on. */
  readonly booting = new Map<number, () => RegisterFile>();
  /** Module parameter `ept` of kvm_intel: the processor walks guests' page tables. */
  ept = true;
  /** The number of the next machine's domain. */
  nextDomain = 1;
  /** What each processor executes of whom. */
  readonly loaded: readonly LoadedVcpu[];
  /** The host's devices; `null` where it has none to assign. */
  devices: HostDevices | null = null;

  /**
   * Loads the module into `host`, which runs on `machine`.
   *
   * @param version the row of the kernel it belongs to
   * @throws {RangeError} if the capabilities contradict each other
   */
  constructor(
    readonly host: Kernel,
    readonly machine: Machine,
    costs: KvmCosts,
    readonly capabilities: DirectCapabilities,
    readonly version: KvmVersion = KVM_VERSIONS["3.5"],
    readonly protocol: Protocol = PROTOCOL,
  ) {
    const wrong = contradiction(capabilities);
    if (wrong !== undefined) throw new RangeError(wrong);
    this.steps = kvmSteps(costs);
    this.slaveBitmaps = slaveBitmaps(capabilities, protocol.exposesDeadline);
    this.tscRatio = machine.cpus[0]!.apic.timer.tsc;
    this.loaded = machine.cpus.map((physical) => new LoadedVcpu(physical));
    const { startup } = machine;
    machine.startup = young((cpu) => this.booting.get(cpu.id)?.() ?? startup(cpu));
    if (!capabilities.slaveCpu) return;
    host.tlb.slaveMessage = protocol.kick;
    host.nmiHandlers.push((cpu) => host.tlb.nmiArrived(cpu), (cpu) => this.#kickArrived(cpu));
  }

  /** What `/sys/module/kvm_intel/parameters` shows. */
  get parameters(): Readonly<Record<string, string>> {
    return {
      ept: this.ept ? "Y" : "N",
      flexpriority: "Y",
      ple_gap: String(PLE.gap),
      ple_window: String(PLE.window),
    };
  }

  /** Whether it has the series' patches. */
  get patched(): boolean {
    return this.capabilities.slaveCpu;
  }

  /** KVM_CREATE_VM; without a name it gets the first free one of `vm0`, `vm1`, … */
  createVm(name?: string): Vm {
    let number = 0;
    while (this.vms.some((vm) => vm.name === `vm${number}`)) number++;
    const vm = new Vm(this, name ?? `vm${number}`);
    this.vms.push(vm);
    return vm;
  }

  /** The machine's last descriptor has been closed. */
  forget(vm: Vm): void {
    const index = this.vms.indexOf(vm);
    if (index >= 0) this.vms.splice(index, 1);
    for (const loaded of this.loaded) loaded.forget(vm);
    this.machine.remapping.destroyDomain(vm.domain);
    this.host.engine.unregister(vm, ...vm.vcpus);
  }

  /** Brings the times of all vCPUs up to now. */
  settleTimes(): void {
    for (const loaded of this.loaded) loaded.settle();
  }

  /** Times up to now of the vCPU that executes with `registers`; undefined: none does. */
  timesOf(registers: RegisterFile): Pick<VcpuTimes, "userNs" | "kernelNs" | "otherNs"> | undefined {
    this.settleTimes();
    const vcpu = this.vms.flatMap(({ vcpus }) => vcpus).find((each) => each.registers === registers);
    if (vcpu === undefined) return undefined;
    const { loadedOn, inGuest, times: { userNs, kernelNs, otherNs } } = vcpu;
    if (!inGuest || loadedOn === null) return { userNs, kernelNs, otherNs };
    const openNs = loadedOn.guestTime.openInsideNs(this.physical(loadedOn).layerNs);
    return { userNs, kernelNs, otherNs: otherNs + openNs };
  }

  /** The processor under a CPU of the host. */
  physical(cpu: KernelCpu): LogicalCpu {
    return this.machine.cpus[cpu.id]!;
  }

  /** Kicks a vCPU that a slave CPU runs: by NMI, because an ordinary interrupt would go to the guest. */
  kickSlave(vcpu: Vcpu, from: KernelCpu): void {
    const slave = vcpu.slaveCpu;
    if (from.id === slave || !vcpu.inGuest) return;
    if (this.protocol.kick === "NMI") from.nmiMask |= 1 << slave;
    else from.rescheduleMask |= 1 << slave;
  }

  /** The NMI handler `kvm_kick`, in host mode on `cpu`: claims every NMI of a CPU that has a vCPU. */
  #kickArrived(cpu: KernelCpu): boolean {
    const vcpu = this.slaves.get(cpu.id);
    if (vcpu === undefined) return false;
    // Patch 17: the requests have been looked at already. With the timer at 0 the entry is followed by an exit.
    if (vcpu.inGuest && this.protocol.preventsEntry) vcpu.vmcs.pinBased |= Pin.PreemptionTimer;
    return true;
  }
}
