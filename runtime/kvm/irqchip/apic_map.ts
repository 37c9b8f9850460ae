/**
 * The map of a machine's local APICs by destination.
 *
 * *Document*: Linux 6.18 `arch/x86/kvm/lapic.c` (`kvm_recalculate_apic_map()`, `kvm_recalculate_phys_map()`,
 * `kvm_recalculate_logical_map()`, `kvm_apic_map_get_logical_dest()`).
 *
 * The kernel makes it anew after every write that changes an id, a mode or an enable bit; here the next message does,
 * which finds the same registers.
 *
 * @module
 */

import { Apic } from "../../../hw/lapic.ts";
import type { Vcpu } from "../vcpu.ts";
import type { Vm } from "../vm.ts";

/** How logical destinations are read (`enum kvm_apic_logical_mode`). */
export type LogicalMode = "none enabled" | "flat" | "cluster" | "x2apic" | "mixed";

const DFR_FLAT = 0xffff_ffff;
/** Room for every id of an xAPIC. */
const LOWEST_MAXIMUM = 255;

/** The APICs that a logical destination may mean: by bit of the destination's mask. */
export interface LogicalGroup {
  /** Who owns a bit. */
  members(bit: number): Vcpu | undefined;
  /** Bits that the destination names. */
  readonly mask: number;
}

/** `struct kvm_apic_map`. */
export class ApicMap {
  /** See {@linkcode LogicalMode}. */
  mode: LogicalMode = "none enabled";
  /** By physical id. */
  readonly physical = new Map<number, Vcpu>();
  readonly #flat = new Map<number, Vcpu>();
  /** By cluster and bit: cluster * 4 + bit. */
  readonly #clusters = new Map<number, Vcpu>();
  /** Ids above it are nobody's. */
  #highestId = LOWEST_MAXIMUM;

  /** The map of `vm`'s present APICs; null where two of them share a physical id. */
  static of(vm: Vm): ApicMap | null {
    const map = new ApicMap();
    const present = vm.vcpus.filter(({ lapic }) => lapic.core.hardwareEnabled);
    map.#highestId = present.reduce((highest, { id }) => Math.max(highest, id), LOWEST_MAXIMUM);
    for (const vcpu of present) {
      if (!map.#addPhysical(vcpu, vm.x2apicFormat)) return null;
      map.#addLogical(vcpu);
    }
    return map;
  }

  #addPhysical(vcpu: Vcpu, x2apicFormat: boolean): boolean {
    const { physical } = this;
    const { core } = vcpu.lapic;
    const xapicId = core.register(Apic.ID) >>> 24;
    if (!x2apicFormat) {
      const id = core.x2apic ? vcpu.id : xapicId;
      if (physical.has(id)) return false;
      physical.set(id, vcpu);
      return true;
    }
    if (core.x2apic || vcpu.id > 0xff) physical.set(vcpu.id, vcpu);
    if (!core.x2apic && !physical.has(xapicId)) physical.set(xapicId, vcpu);
    return true;
  }

  #addLogical(vcpu: Vcpu): void {
    const { core } = vcpu.lapic;
    if (this.mode === "mixed" || !core.enabled) return;
    const ldr = core.register(Apic.LDR);
    if (ldr === 0) return;
    const mode = core.x2apic ? "x2apic" : core.register(Apic.DFR) === DFR_FLAT ? "flat" : "cluster";
    if (this.mode === "none enabled") this.mode = mode;
    else if (this.mode !== mode) {
      this.mode = "mixed";
      return;
    }
    if (core.x2apic) return; // found by its physical id
    const id = ldr >>> 24;
    const mask = mode === "flat" ? id : id & 0xf;
    if (mask === 0) return;
    const bit = 31 - Math.clz32(mask & -mask);
    const table = mode === "flat" ? this.#flat : this.#clusters;
    const place = mode === "flat" ? bit : (id >>> 4) * 4 + bit;
    if ((mask & (mask - 1)) !== 0 || table.has(place)) this.mode = "mixed";
    else table.set(place, vcpu);
  }

  /** Who a logical destination means; null: the map cannot say. */
  logical(destination: number): LogicalGroup | null {
    switch (this.mode) {
      case "mixed":
        return null;
      case "none enabled":
        return { members: () => undefined, mask: 0 };
      case "flat":
        return { members: (bit) => this.#flat.get(bit), mask: destination & 0xff };
      case "cluster": {
        const first = ((destination >>> 4) & 0xf) * 4;
        return { members: (bit) => this.#clusters.get(first + bit), mask: destination & 0xf };
      }
      case "x2apic": {
        const first = (destination >>> 16) * 16;
        const size = Math.min(this.#highestId - first + 1, 16);
        const mask = size <= 0 ? 0 : destination & (0xffff >>> (16 - size));
        return { members: (bit) => this.physical.get(first + bit), mask };
      }
    }
  }
}

/** A machine's map, made when somebody asks and something has changed. */
export class ApicMapCache {
  /** None before the first vCPU. */
  #map: ApicMap | null = null;
  #dirty = false;

  /** Of `vm`. */
  constructor(readonly vm: Vm) {}

  /** An id, a mode or an enable bit has changed. The I/O APIC's entries may mean other vCPUs now. */
  changed(): void {
    this.#dirty = true;
    for (const { lapic } of this.vm.vcpus) lapic.scanRequested = true;
  }

  /** The map as it is now; null: none fits. */
  current(): ApicMap | null {
    if (this.#dirty) {
      this.#map = ApicMap.of(this.vm);
      this.#dirty = false;
    }
    return this.#map;
  }
}
