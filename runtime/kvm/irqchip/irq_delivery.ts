/**
 * From an interrupt message to the local APICs that it means.
 *
 * *Document*: Linux 3.5 `virt/kvm/irq_comm.c` (`kvm_irq_delivery_to_apic()`); Linux 6.18 `arch/x86/kvm/lapic.c`
 * (`__kvm_irq_delivery_to_apic()`, `__kvm_irq_delivery_to_apic_fast()`, `kvm_apic_map_get_dest_lapic()`,
 * `kvm_apic_match_dest()`).
 *
 * Two ways lead there. The slow one asks every APIC; nobody asked is answered -1. The fast one looks the destination up
 * in the machine's {@linkcode ApicMap}, and answers 0 where nobody is. Shorthands and broadcasts go the slow way, and so
 * does everything while the APICs' modes differ or two of them share an id.
 *
 * @module
 */

import { Apic, DeliveryMode } from "../../../hw/lapic.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import type { ApicMap } from "./apic_map.ts";
import type { Vcpu } from "../vcpu.ts";
import type { Vm } from "../vm.ts";

/** `struct kvm_lapic_irq`. */
export interface LapicIrq {
  /** One of `DeliveryMode`. */
  readonly mode: number;
  /** Interrupt vector, or start-up page. */
  readonly vector: number;
  /** APIC id, or logical destination. */
  readonly destination: number;
  /** Whether the destination is logical. */
  readonly logical: boolean;
  /** Level bit. */
  readonly assert: boolean;
  /** Trigger mode: level. */
  readonly level: boolean;
  /** 0 none, 1 self, 2 all including self, 3 all excluding self. */
  readonly shorthand: number;
  /** Redirection hint of an MSI address: any one of the destinations will do. */
  readonly hint: boolean;
}

const BROADCAST = 0xff;
const X2APIC_BROADCAST = 0xffff_ffff;
const DFR_FLAT = 0xffff_ffff;
const DFR_CLUSTER = 0x0fff_ffff;

/** Takes note of a vCPU that has taken the message: the real-time clock's interrupt is counted so. */
export type Recipient = (vcpu: Vcpu, vector: number) => void;

/**
 * Delivers a message.
 *
 * @param source the vCPU that has sent it; null: a device
 * @param from the CPU whose software delivers it
 * @param recipient told of each vCPU that takes it
 * @returns how many have taken it; -1: nobody was meant
 */
export function deliver(
  vm: Vm,
  source: Vcpu | null,
  irq: LapicIrq,
  from: KernelCpu,
  recipient?: Recipient,
): number {
  const { version } = vm.kvm;
  if (version.apic.destinationMap) {
    const targets = fastTargets(vm, source, irq);
    if (targets !== null) return targets.reduce((sum, vcpu) => sum + give(vcpu, irq, from, recipient), 0);
    if (!irq.logical && irq.destination === BROADCAST && isLowestPriority(vm, irq)) {
      irq = { ...irq, mode: DeliveryMode.Fixed }; // "phys broadcast and lowest prio"
    }
  }
  if (!isLowestPriority(vm, irq)) {
    let taken = -1;
    for (const vcpu of vm.vcpus) {
      if (isMeant(vcpu, source, irq)) taken = Math.max(taken, 0) + give(vcpu, irq, from, recipient);
    }
    return taken;
  }
  const eligible = vm.vcpus.filter((vcpu) => isMeant(vcpu, source, irq) && vcpu.lapic.core.enabled);
  if (eligible.length === 0) return -1;
  const chosen = version.vectorHashing ? eligible[irq.vector % eligible.length]! : leastInterrupted(eligible);
  return give(chosen, irq, from, recipient);
}

/** Whether the slow way finds that `vcpu` is meant. */
function isMeant(vcpu: Vcpu, source: Vcpu | null, irq: LapicIrq): boolean {
  return vcpu.lapic.core.hardwareEnabled && matches(vcpu, source, irq);
}

/** Gives the message to `vcpu`. @returns 1: it has taken it; 0 */
function give(vcpu: Vcpu, irq: LapicIrq, from: KernelCpu, recipient?: Recipient): number {
  if (!vcpu.lapic.accept(irq, from)) return 0;
  recipient?.(vcpu, irq.vector);
  return 1;
}

/** Vcpus that a message of a device's may reach, for the I/O APIC (`kvm_bitmap_or_dest_vcpus()`). */
export function targetsOf(vm: Vm, irq: LapicIrq): readonly Vcpu[] {
  const fast = vm.kvm.version.apic.destinationMap ? fastTargets(vm, null, irq) : null;
  return fast ?? vm.vcpus.filter((vcpu) => isMeant(vcpu, null, irq));
}

function isLowestPriority(vm: Vm, irq: LapicIrq): boolean {
  return irq.mode === DeliveryMode.LowestPriority || (irq.hint && vm.kvm.version.apic.redirectionHint);
}

/** `kvm_apic_compare_prio()`: who has been given the fewest so far; the first of several. */
function leastInterrupted(vcpus: readonly Vcpu[]): Vcpu {
  return vcpus.reduce((least, vcpu) =>
    vcpu.lapic.arbitrationPriority < least.lapic.arbitrationPriority ? vcpu : least
  );
}

/** `kvm_apic_match_dest()`. */
export function matches(
  target: Vcpu,
  source: Vcpu | null,
  { shorthand, destination, logical }: Pick<LapicIrq, "shorthand" | "destination" | "logical">,
): boolean {
  switch (shorthand) {
    case 1:
      return target === source;
    case 2:
      return true;
    case 3:
      return target !== source;
  }
  if (!target.lapic.version.wideDestinations) return matchesByte(target, destination, logical);
  const { core } = target.lapic;
  // kvm_apic_mda(): without 32-bit MSI addresses, 0xff of a device means everybody, whatever form an APIC has.
  const widened = !target.vm.broadcastQuirkDisabled && source === null && destination === BROADCAST &&
    core.x2apic;
  const mda = widened ? X2APIC_BROADCAST : destination;
  if (mda === (core.x2apic ? X2APIC_BROADCAST : BROADCAST)) return true;
  if (!logical) {
    // Hotplug: an id that no xAPIC can have means the vCPU of that number although it is in xAPIC form.
    return core.x2apic || mda > BROADCAST ? mda === target.id : mda === core.register(Apic.ID) >>> 24;
  }
  const id = core.register(Apic.LDR);
  if (core.x2apic) return id >>> 16 === mda >>> 16 && (id & mda & 0xffff) !== 0;
  return matchesXapic(id >>> 24, core.register(Apic.DFR), mda);
}

/** The same until 4.8: eight bits of the destination, whatever form the APIC has. */
function matchesByte({ lapic: { core } }: Vcpu, destination: number, logical: boolean): boolean {
  if (!logical) {
    const mda = destination & 0xffff;
    return mda === BROADCAST || mda === (core.x2apic ? core.id & 0xff : core.register(Apic.ID) >>> 24);
  }
  const mda = destination & 0xff;
  const ldr = core.register(Apic.LDR);
  return core.x2apic ? (ldr & mda) !== 0 : matchesXapic(ldr >>> 24, core.register(Apic.DFR), mda);
}

/** A DFR that means neither of the two models matches nothing. */
function matchesXapic(id: number, dfr: number, mda: number): boolean {
  if (dfr === DFR_FLAT) return (id & mda) !== 0;
  return dfr === DFR_CLUSTER && id >>> 4 === mda >>> 4 && (id & mda & 0xf) !== 0;
}

/** `kvm_apic_map_get_dest_lapic()`. @returns null: the slow way */
function fastTargets(vm: Vm, source: Vcpu | null, irq: LapicIrq): readonly Vcpu[] | null {
  if (irq.shorthand === 1 && source !== null) return [source];
  if (irq.shorthand !== 0) return null;
  const map = vm.apicMap.current();
  if (map === null || isBroadcast(vm, source, irq, map)) return null;
  if (!irq.logical) {
    const vcpu = map.physical.get(irq.destination);
    return vcpu === undefined ? [] : [vcpu];
  }
  const found = map.logical(irq.destination);
  if (found === null) return null;
  const { members, mask } = found;
  if (!isLowestPriority(vm, irq)) return present(members, mask);
  if (!vm.kvm.version.vectorHashing) {
    const eligible = present(members, mask);
    return eligible.length === 0 ? [] : [leastInterrupted(eligible)];
  }
  // kvm_vector_to_index(): by the bits of the mask, whether somebody owns them or not.
  const bits: number[] = [];
  for (let bit = 0; bit < 16; bit++) if ((mask & (1 << bit)) !== 0) bits.push(bit);
  if (bits.length === 0) return [];
  const chosen = members(bits[irq.vector % bits.length]!);
  return chosen === undefined ? [] : [chosen];
}

function present(members: (bit: number) => Vcpu | undefined, mask: number): Vcpu[] {
  const vcpus: Vcpu[] = [];
  for (let bit = 0; bit < 16; bit++) {
    const vcpu = (mask & (1 << bit)) !== 0 ? members(bit) : undefined;
    if (vcpu !== undefined) vcpus.push(vcpu);
  }
  return vcpus;
}

/** `kvm_apic_is_broadcast_dest()`. */
function isBroadcast(vm: Vm, source: Vcpu | null, { destination }: LapicIrq, map: ApicMap): boolean {
  if (vm.broadcastQuirkDisabled) {
    return destination === X2APIC_BROADCAST || (destination === BROADCAST && map.mode !== "x2apic");
  }
  return destination === (source?.lapic.core.x2apic ? X2APIC_BROADCAST : BROADCAST);
}
