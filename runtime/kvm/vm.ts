/**
 * A virtual machine: its vCPUs, the routing of its interrupt lines, the devices assigned to it.
 *
 * @module
 */

import type { RegisterFile } from "../../hw/register_file.ts";
import { Ept, Primary } from "../../hw/vmx.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { ApicMapCache } from "./irqchip/apic_map.ts";
import type { AssignedDevice } from "./assignment/assigned_device.ts";
import { CoalescedMmio } from "./coalesced_mmio.ts";
import { KvmIoapic } from "./irqchip/ioapic.ts";
import { IrqRouting } from "./irqchip/irq_routing.ts";
import type { Kvm } from "./kvm.ts";
import { KvmPic } from "./irqchip/pic.ts";
import type { Pit } from "./irqchip/pit.ts";
import type { TscWrite } from "./tsc.ts";
import { hostTscKhz } from "./vcpu_state.ts";
import { Vcpu } from "./vcpu.ts";

/** Eventfds that writes of the guest signal. */
export interface IoeventfdBus {
  /** @param pio a port, not memory @param from the CPU that serves the exit @returns whether an eventfd has taken it */
  written(pio: boolean, address: number, bytes: number, value: number, from: KernelCpu): boolean;
}

/** A virtual machine. */
export class Vm {
  /** Its virtual CPUs, in order of creation. */
  readonly vcpus: Vcpu[] = [];
  /** The interrupt controllers that the kernel emulates (`KVM_CREATE_IRQCHIP`), and who leads lines to them; null: none. */
  chips: { readonly ioapic: KvmIoapic; readonly pic: KvmPic; readonly routing: IrqRouting } | null = null;
  /** INT of its 8259s is high. Here because it is asked for at each entry. */
  picAsks = false;
  /** Its local APICs by destination. */
  readonly apicMap = new ApicMapCache(this);
  /** MSI addresses and saved local APICs hold ids of 32 bits (`KVM_X2APIC_API_USE_32BIT_IDS`). */
  x2apicFormat = false;
  /** Destination 0xff of a device is an id like others (`KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK`). */
  broadcastQuirkDisabled = false;
  /** Number of the vCPU that boots (`KVM_SET_BOOT_CPU_ID`). */
  bootCpuId = 0;
  /** The PIT that the kernel emulates (`KVM_CREATE_PIT2`); `null`: none. */
  pit: Pit | null = null;
  /** Who takes a write of the guest's before user space sees it (`KVM_IOEVENTFD`); null: nobody. */
  ioeventfds: IoeventfdBus | null = null;
  /** Writes of the guest's that wait for user space (`KVM_REGISTER_COALESCED_MMIO`). */
  readonly coalesced: CoalescedMmio = new CoalescedMmio();
  /** Its page tables. */
  readonly ept = new Ept();
  /** The root of its page tables has been made. */
  hasRoot = false;
  /** Devices of the host that belong to it. */
  readonly assigned: AssignedDevice[] = [];
  /** The domain of the remapping unit in which its devices reach memory; 0 is the host's. */
  readonly domain: number;
  /** The last write of its vCPUs' time-stamp counters; null: none has been made. */
  tscWrite: TscWrite | null = null;
  /** Rate of the counters of vCPUs to come, kHz. */
  tscKhz: number;
  /** The vCPU that another one's spinning has last given a CPU to (`last_boosted_vcpu`). */
  lastBoosted = 0;
  /** HLT of its vCPUs does not exit (`KVM_X86_DISABLE_EXITS_HLT`). */
  haltsInGuestMode = false;

  /** Not for direct use: `Kvm.createVm`. */
  constructor(readonly kvm: Kvm, readonly name: string) {
    this.domain = kvm.nextDomain++;
    this.tscKhz = hostTscKhz(kvm.tscRatio);
    kvm.host.engine.register(`vm ${name}`, this);
  }

  /** Whether the kernel emulates its interrupt controllers. */
  get irqchip(): boolean {
    return this.chips !== null;
  }

  /** KVM_CREATE_IRQCHIP. */
  createIrqchip(): void {
    this.chips = { ioapic: new KvmIoapic(this), pic: new KvmPic(this), routing: new IrqRouting(this) };
  }

  /** KVM_CREATE_VCPU; the vCPU executes with `registers` in guest mode. */
  createVcpu(registers: RegisterFile, id = this.vcpus.length): Vcpu {
    const vcpu = new Vcpu(this, id, registers);
    if (this.haltsInGuestMode) vcpu.vmcs.primary &= ~Primary.HltExiting;
    // The map is made when the vCPU is reset, before it is one of the machine's: it is missing there until something changes.
    this.apicMap.current();
    this.vcpus.push(vcpu);
    return vcpu;
  }

  /** Slave CPUs of its vCPUs, in order of the vCPUs (`kvm_get_slave_cpu_mask()`). */
  slaves(): number[] {
    return this.vcpus.filter((vcpu) => vcpu.slaveCpu >= 0).map((vcpu) => vcpu.slaveCpu);
  }

  /** Writes a tracepoint of what software on `from` does with the machine's lines. Call only where there is a trace. */
  tracepoint(name: string, fields: Record<string, number | string | boolean>, from: KernelCpu): void {
    const { engine } = this.kvm.host;
    engine.trace?.record({
      event: engine.event,
      cause: engine.cause,
      timeNs: engine.nowNs,
      where: `cpu${from.id}`,
      kind: "tracepoint",
      name,
      fields,
    });
  }

  /** `vcpu_scan_ioapic()`: which EOIs of `vcpu` the I/O APIC wants to know. */
  scanIoapic(vcpu: Vcpu): void {
    if (this.chips === null) vcpu.lapic.scanRequested = false;
    else this.chips.ioapic.scan(vcpu);
  }

  /** kvm_mmu_notifier_invalidate_page(): the host takes a page back. */
  unmapPage(): void {
    this.ept.mapped = false;
  }

  /** Adds chips, PIT and assigned devices to `hash`; the vCPUs add themselves. */
  hashInto(hash: StateHash): void {
    hash.flag(this.irqchip).flag(this.hasRoot).word(this.lastBoosted);
    for (const { spinLoop } of this.vcpus) hash.flag(spinLoop.inside).flag(spinLoop.eligible);
    this.chips?.routing.hashInto(hash);
    this.pit?.hashInto(hash);
    this.coalesced.hashInto(hash);
    this.chips?.ioapic.hashInto(hash);
    this.chips?.pic.hashInto(hash);
    for (const device of this.assigned) device.hashInto(hash);
  }
}
