/**
 * A VT-d remapping unit: the table that interrupt messages are looked up in, and the domains that devices' memory
 * accesses are confined to.
 *
 * *Document*: Intel Virtualization Technology for Directed I/O, Architecture Specification, "Interrupt Remapping",
 * "Interrupt Remapping Table Entry (IRTE) for Remapped Interrupts", "DMA Remapping", "Fault Logging".
 *
 * *Modelled*: remapped interrupts with their faults, source validation, the compatibility format and its blocking,
 * contexts and domains with read and write permission for each page, fault recording registers.
 *
 * *Not modelled*: posted interrupts, the structures in memory (root, context and page tables are given entry by entry),
 * queued invalidation and what the caches hold until then, the fault event's own message, large pages, pass-through.
 *
 * Nothing here delivers: {@linkcode RemappingUnit.remap} and {@linkcode RemappingUnit.translate} answer.
 *
 * @module
 */

import { type MsiMessage, remappableIndex } from "./msi.ts";
import { field, register, reserved, u32 } from "./registers.ts";
import type { StateHash } from "./sim/state_hash.ts";

/** Entries of the largest table: 16 bits of handle. */
export const IRTE_COUNT = 0x1_0000;
/** Fault recording registers. */
const FAULT_RECORDS = 8;
const PAGE = 4096;

// An entry has 128 bits; the last dword is reserved.
const IRTE_0 = register("IRTE 31:0", 0x00, 0, 32, [
  field("present", 1),
  field("faultProcessingDisable", 1),
  field("destinationMode", 1),
  field("redirectionHint", 1),
  field("trigger", 1),
  field("deliveryMode", 3),
  field("available", 4),
  reserved(3),
  field("posted", 1),
  field("vector", 8),
  reserved(8),
]);
const IRTE_2 = register("IRTE 95:64", 0x08, 0, 32, [
  field("sourceId", 16),
  field("sourceQualifier", 2),
  field("validation", 2, "rw", { 0: "none", 1: "sourceId", 2: "bus" }),
  reserved(12),
]);

const DELIVERY_MODES = [
  "fixed",
  "lowestPriority",
  "smi",
  undefined,
  "nmi",
  "init",
  undefined,
  "extInt",
] as const;

/** Fault reasons (appendix "Fault Reason Encodings"). */
export const RemappingFault = Object.freeze({
  /** A context entry is not present. */
  ContextNotPresent: 0x02,
  /** No write permission. */
  WriteDenied: 0x05,
  /** No read permission. */
  ReadDenied: 0x06,
  /** The handle is beyond the table. */
  IndexTooLarge: 0x21,
  /** The entry is not present. */
  EntryNotPresent: 0x22,
  /** The entry has reserved bits or encodings. */
  EntryReserved: 0x24,
  /** A message in compatibility format is blocked. */
  CompatibilityBlocked: 0x25,
  /** The message comes from another source than the entry says. */
  SourceDenied: 0x26,
});

/** One fault, as a recording register holds it. */
export interface FaultRecord {
  /** One of {@linkcode RemappingFault}. */
  readonly reason: number;
  /** Routing identifier of the requester; -1 where its message does not say. */
  readonly source: number;
  /** The page of a memory access, the index of an interrupt. */
  readonly at: number;
}

/** What software writes into an entry. */
export interface IrteSettings {
  readonly vector: number;
  /** APIC id: 32 bits in x2APIC form. */
  readonly destination: number;
  readonly logical?: boolean;
  /** Routing identifier that alone may use it; absent: any. */
  readonly source?: number;
}

/** What became of a message: it goes on, with destination and vector of its entry, or it is blocked. */
export type Remapped =
  | { readonly kind: "message"; readonly message: MsiMessage }
  /** In compatibility format: as it came. */
  | { readonly kind: "unchanged" }
  | { readonly kind: "fault"; readonly reason: number };

/** Pages of a domain: device-visible page number to page and permissions. */
class Domain {
  readonly pages = new Map<number, { readonly page: number; readonly write: boolean }>();
}

/** A remapping unit, as it is after power-up: nothing is remapped. */
export class RemappingUnit {
  /** Interrupt remapping is enabled (GSTS.IRES). */
  interruptRemapping = false;
  /** Messages in compatibility format go through (GSTS.CFIS); never in x2APIC form. */
  compatibilityFormat = false;
  /** Memory accesses are translated (GSTS.TES). */
  translation = false;
  /** Faults, oldest first; further ones are lost once the registers are full. */
  readonly faults: FaultRecord[] = [];
  /** A fault found no free register (FSTS.PFO). */
  faultOverflow = false;
  /** Counts changes of the table: who remembers an answer asks again when it has moved. */
  revision = 0;
  /** Entries, three dwords each; the fourth is reserved. */
  readonly #table = new Map<number, readonly [number, number, number]>();
  readonly #domains = new Map<number, Domain>();
  /** Domain by routing identifier. */
  readonly #contexts = new Map<number, number>();

  /** @param size entries of the interrupt-remapping table */
  constructor(readonly size: number = IRTE_COUNT) {}

  // ---- interrupts ----

  /** Writes entry `index`: a fixed, edge-triggered interrupt. */
  setEntry(index: number, { vector, destination, logical = false, source }: IrteSettings): void {
    let low = IRTE_0.with(0, "present", 1);
    low = IRTE_0.with(low, "destinationMode", logical ? 1 : 0);
    low = IRTE_0.with(low, "vector", vector);
    let high = 0;
    if (source !== undefined) {
      high = IRTE_2.with(IRTE_2.with(0, "validation", 1), "sourceId", source);
    }
    this.writeEntry(index, low, u32(destination), high);
  }

  /** Writes the dwords of entry `index`. */
  writeEntry(index: number, low: number, destination: number, source: number): void {
    this.#table.set(index, [low, destination, source]);
    this.revision++;
  }

  /** Entry `index` is not present any more. */
  clearEntry(index: number): void {
    this.#table.delete(index);
    this.revision++;
  }

  /** The dwords of entry `index`; undefined: not present. */
  entry(index: number): readonly [number, number, number] | undefined {
    return this.#table.get(index);
  }

  /** A message on its way. @param source routing identifier of who wrote it; -1: not known */
  remap(address: number, data: number, source = -1): Remapped {
    if (!this.interruptRemapping) return { kind: "unchanged" };
    const index = remappableIndex(address, data);
    if (index === undefined) {
      return this.compatibilityFormat
        ? { kind: "unchanged" }
        : this.#fault(RemappingFault.CompatibilityBlocked, source, 0);
    }
    if (index >= this.size) return this.#fault(RemappingFault.IndexTooLarge, source, index);
    const entry = this.#table.get(index);
    if (entry === undefined || IRTE_0.get(entry[0], "present") === 0) {
      return this.#fault(RemappingFault.EntryNotPresent, source, index);
    }
    const [low, destination, high] = entry;
    const deliveryMode = DELIVERY_MODES[IRTE_0.get(low, "deliveryMode")];
    if (deliveryMode === undefined || IRTE_0.get(low, "posted") === 1) {
      return this.#fault(RemappingFault.EntryReserved, source, index);
    }
    if (!this.#validSource(high, source)) return this.#fault(RemappingFault.SourceDenied, source, index);
    return {
      kind: "message",
      message: {
        vector: IRTE_0.get(low, "vector"),
        destination,
        destinationMode: IRTE_0.get(low, "destinationMode") === 1 ? "logical" : "physical",
        redirectionHint: IRTE_0.get(low, "redirectionHint") === 1,
        deliveryMode,
        trigger: IRTE_0.get(low, "trigger") === 1 ? "level" : "edge",
        level: 1,
      },
    };
  }

  /** SVT 1: the identifier, of which the qualifier leaves out function bits. SVT 2: a range of bus numbers. */
  #validSource(high: number, source: number): boolean {
    const id = IRTE_2.get(high, "sourceId");
    switch (IRTE_2.valueName(high, "validation")) {
      case "none":
        return true;
      case "sourceId": {
        const ignored = [0, 4, 6, 7][IRTE_2.get(high, "sourceQualifier")]!;
        return (source & ~ignored) === (id & ~ignored);
      }
      case "bus":
        return source >>> 8 >= id >>> 8 && source >>> 8 <= (id & 0xff);
      default:
        return false;
    }
  }

  // ---- memory ----

  /** The device `source` belongs to domain `domain` from now on. */
  attach(source: number, domain: number): void {
    if (!this.#domains.has(domain)) this.#domains.set(domain, new Domain());
    this.#contexts.set(source, domain);
  }

  /** The device belongs to no domain: its accesses fault. */
  detach(source: number): void {
    this.#contexts.delete(source);
  }

  /** The domain of a device; undefined: none. */
  domainOf(source: number): number | undefined {
    return this.#contexts.get(source);
  }

  /** Maps `bytes` of a domain from `address` on to memory from `target` on; whole pages. */
  map(domain: number, address: number, target: number, bytes: number, write = true): void {
    const pages = (this.#domains.get(domain) ?? this.#newDomain(domain)).pages;
    for (let offset = 0; offset < bytes; offset += PAGE) {
      pages.set(Math.floor((address + offset) / PAGE), { page: Math.floor((target + offset) / PAGE), write });
    }
  }

  #newDomain(number: number): Domain {
    const domain = new Domain();
    this.#domains.set(number, domain);
    return domain;
  }

  /** A domain is gone, with everything that is mapped in it. */
  destroyDomain(domain: number): void {
    this.#domains.delete(domain);
    for (const [source, of] of this.#contexts) if (of === domain) this.#contexts.delete(source);
  }

  /** A device reads or writes memory. @returns the memory's address; undefined: a fault, and nothing is transferred */
  translate(source: number, address: number, write: boolean): number | undefined {
    if (!this.translation) return address;
    const domain = this.#contexts.get(source);
    const page = Math.floor(address / PAGE);
    if (domain === undefined) {
      this.#fault(RemappingFault.ContextNotPresent, source, page);
      return undefined;
    }
    const entry = this.#domains.get(domain)!.pages.get(page);
    if (entry === undefined || (write && !entry.write)) {
      this.#fault(write ? RemappingFault.WriteDenied : RemappingFault.ReadDenied, source, page);
      return undefined;
    }
    return entry.page * PAGE + address % PAGE;
  }

  #fault(reason: number, source: number, at: number): Remapped {
    if (this.faults.length < FAULT_RECORDS) this.faults.push({ reason, source, at });
    else this.faultOverflow = true;
    return { kind: "fault", reason };
  }

  /** Adds tables, contexts and faults to `hash`. */
  hashInto(hash: StateHash): void {
    hash.flag(this.interruptRemapping).flag(this.compatibilityFormat).flag(this.translation);
    for (const [index, dwords] of this.#table) hash.word(index).words(dwords);
    for (const [source, domain] of this.#contexts) hash.word(source).word(domain);
    for (const [number, { pages }] of this.#domains) {
      hash.word(number);
      for (const [page, entry] of pages) hash.number(page).number(entry.page).flag(entry.write);
    }
    for (const { reason, source, at } of this.faults) hash.word(reason).number(source).number(at);
    hash.flag(this.faultOverflow);
  }
}
