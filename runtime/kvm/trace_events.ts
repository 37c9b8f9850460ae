/**
 * KVM's events, in the words of `trace`.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/trace.h`, `include/trace/events/kvm.h`; patch 15 of the series for slave
 * CPUs.
 *
 * *Not modelled*: events of what does not happen here: nested virtualization, asynchronous page faults, hypercalls. They
 * are absent, and so are `kvm_emulate_insn`, which prints an instruction's bytes, `kvm_fpu` and `kvm_age_page`.
 *
 * The kernel's `kmem_cache_alloc` is here, because nobody but KVM's MMU allocates (`mmu_caches.ts`); its words are those of
 * `include/trace/events/kmem.h`.
 *
 * *Deviations*: rip is 0: guests of the model have no instruction pointer. So are `call_site` and `ptr`.
 *
 * @module
 */

import type { TraceRecord } from "../../hw/sim/trace.ts";
import type { TraceEvent } from "../linux/trace/ftrace.ts";
import { exitReasonName } from "./exit_names.ts";
import { RunExitReason } from "./ioctl/ioctls.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import type { Kvm } from "./kvm.ts";
import { showsCaches } from "./mmu_caches.ts";
import { PV_EOI_SINCE } from "./pv_features.ts";
import type { Vcpu } from "./vcpu.ts";
import { has } from "./versions.ts";

/** Short names of the exceptions that are injected. */
const EXCEPTIONS: Readonly<Record<number, string>> = { 13: "#GP" };

/** Chips by their numbers (`kvm_irqchips`). */
const IRQCHIPS = ["PIC master", "PIC slave", "IOAPIC"];

/** Delivery modes by their numbers. */
const DELIVERY_MODES = ["Fixed", "LowPrio", "SMI", "Res3", "NMI", "INIT", "SIPI", "ExtINT"];

/** Destination shorthands by their numbers (`kvm_apic_dst_shorthand`). */
const SHORTHANDS = ["dst", "self", "all", "all-but-self"];

/** Delivery mode and trigger mode of a message's data; the destination mode is bit `bit` of `holder`. */
function messageText(data: number, bit: number, holder: number): string {
  const destination = (holder & (1 << bit)) === 0 ? "physical" : "logical";
  return `${DELIVERY_MODES[(data >>> 8) & 7]}|${destination}|${(data & 0x8000) === 0 ? "edge" : "level"}`;
}

/** An event that is one of the kernel's tracepoints. */
class Tracepoint implements TraceEvent {
  readonly kind = "tracepoint";

  /** @param words what stands behind its name */
  constructor(
    readonly system: string,
    readonly name: string,
    readonly words: (fields: TraceRecord["fields"]) => string,
    readonly vcpu?: TraceEvent["vcpu"],
  ) {}

  text({ fields }: TraceRecord): string {
    return this.words(fields);
  }
}

/** `modern`: as 6.18 prints them, else as 3.5 does. */
export function kvmTraceEvents(kvm: Kvm, modern: boolean): readonly TraceEvent[] {
  const hex = (value: unknown, digits = 1) => Number(value).toString(16).padStart(digits, "0");
  const on = (cpu: KernelCpu) =>
    kvm.vms.flatMap(({ vcpus }) => vcpus).find(({ loadedOn }) => loadedOn === cpu);
  const described = (vcpu: Vcpu | undefined) => vcpu && { name: vcpu.name, pid: vcpu.thread?.tgid ?? 0 };
  const event = (name: string, words: Tracepoint["words"]) => new Tracepoint("kvm", name, words);
  return [
    new Tracepoint("kvm", "kvm_entry", ({ vcpu }) => {
      const id = String(vcpu).replace(/^.*\./, "");
      return modern ? `vcpu ${id}, rip 0x0 intr_info 0x00000000 error_code 0x00000000` : `vcpu ${id}`;
    }, (_record, cpu) => described(on(cpu))),
    {
      system: "kvm",
      name: "kvm_exit",
      kind: "exit",
      text({ fields: { reason, qualification, info } }, cpu) {
        const name = exitReasonName(Number(reason));
        if (!modern) return `reason ${name} rip 0x0 info ${hex(qualification)} ${hex(info)}`;
        const vcpu = on(cpu);
        const today = name === "PENDING_INTERRUPT" ? "INTERRUPT_WINDOW" : name;
        return `vcpu ${vcpu?.id ?? 0} reason ${today} rip 0x0 info1 0x${hex(qualification, 16)} ` +
          `info2 0x${hex(0, 16)} intr_info 0x${hex(info, 8)} error_code 0x00000000`;
      },
      vcpu: (_record, cpu) => described(on(cpu)),
    },
    event("kvm_inj_virq", ({ irq }) => modern ? `IRQ 0x${hex(irq)}` : `irq ${irq}`),
    event("kvm_cr", ({ rw, cr, val }) => `cr_${rw} ${hex(cr)} = 0x${hex(val)}`),
    event("kvm_inj_exception", ({ vector }) => `${EXCEPTIONS[Number(vector)] ?? vector} (0x0)`),
    event("kvm_apic", ({ rw, reg, val }) => `apic_${rw} ${reg} = 0x${hex(val)}`),
    event("kvm_cpuid", ({ func, rax, rbx, rcx, rdx, found }) => {
      const registers = `rax ${hex(rax)} rbx ${hex(rbx)} rcx ${hex(rcx)} rdx ${hex(rdx)}`;
      return modern
        ? `func ${hex(func)} idx 0 ${registers}, cpuid entry ${found === true ? "found" : "not found"}`
        : `func ${hex(func)} ${registers}`;
    }),
    event("kvm_apic_ipi", ({ destination, vector, mode, logical, assert, level, shorthand }) => {
      const words = [
        DELIVERY_MODES[Number(mode)],
        logical === true ? "logical" : "physical",
        assert === true ? "assert" : "de-assert",
        level === true ? "level" : "edge",
        SHORTHANDS[Number(shorthand)],
      ];
      return `dst ${hex(destination)} vec ${vector} (${words.join("|")})`;
    }),
    event("kvm_apic_accept_irq", ({ apicid, vec, mode, level, coalesced }) => {
      const words = `${DELIVERY_MODES[Number(mode)]}|${level === true ? "level" : "edge"}`;
      return `apicid ${hex(apicid)} vec ${vec} (${words})${coalesced === true ? " (coalesced)" : ""}`;
    }),
    event(
      "kvm_page_fault",
      ({ vcpu, address, error }) =>
        modern
          ? `vcpu ${vcpu} rip 0x0 address 0x${hex(address, 16)} error_code 0x${hex(error)}`
          : `address ${hex(address)} error_code ${hex(error)}`,
    ),
    event("kvm_userspace_exit", ({ reason, error }) => {
      if (Number(error) !== 0) return `reason restart (${error})`;
      const name = Object.entries(RunExitReason).find(([, number]) => number === reason)![0];
      return `reason ${name} (${reason})`;
    }),
    event("kvm_set_irq", ({ gsi, level, source }) => `gsi ${gsi} level ${level} source ${source}`),
    event("kvm_ioapic_set_irq", ({ pin, low, high, coalesced }) => {
      const entry = Number(low);
      const vec = `vec${modern ? " " : "="}${entry & 0xff}`;
      const masked = (entry & (1 << 16)) === 0 ? "" : "|masked";
      return `pin ${pin} dst ${hex(Number(high) >>> 24)} ${vec} (${messageText(entry, 11, entry)}${masked})${
        coalesced === true ? " (coalesced)" : ""
      }`;
    }),
    event("kvm_pic_set_irq", ({ chip, pin, elcr, imr, coalesced }) => {
      const bit = 1 << Number(pin);
      const level = (Number(elcr) & bit) === 0 ? "edge" : "level";
      const masked = (Number(imr) & bit) === 0 ? "" : "|masked";
      return `chip ${chip} pin ${pin} (${level}${masked})${coalesced === true ? " (coalesced)" : ""}`;
    }),
    event("kvm_msi_set_irq", ({ addressLow, addressHigh, data }) => {
      const low = Number(addressLow), destination = (low >>> 12) & 0xff, vector = Number(data) & 0xff;
      const hint = (low & 8) === 0 ? "" : "|rh";
      const place = modern
        ? `dst ${hex(destination | Number(addressHigh) & 0xffff_ff00)} vec ${vector}`
        : `dst ${destination} vec ${hex(vector)}`;
      return `${place} (${messageText(Number(data), 2, low)}${hint})`;
    }),
    event("kvm_ack_irq", ({ irqchip, pin }) => `irqchip ${IRQCHIPS[Number(irqchip)]} pin ${pin}`),
    event("kvm_eoi", ({ apicid, vector }) => `apicid ${hex(apicid)} vector ${vector}`),
    ...(has(kvm.version, PV_EOI_SINCE)
      ? [event("kvm_pv_eoi", ({ apicid, vector }) => `apicid ${hex(apicid)} vector ${vector}`)]
      : []),
    event(
      "kvm_msr",
      ({ rw, index, data, fault }) =>
        `msr_${rw} ${hex(index)} = 0x${hex(data)}${fault === true ? " (#GP)" : ""}`,
    ),
    event("kvm_pio", ({ rw, port, size, count, val }) => {
      const text = `pio_${rw} at 0x${hex(port)} size ${size} count ${count}`;
      return modern ? `${text} val 0x${hex(val)} ` : text; // a string of several would end in "(...)"
    }),
    event(
      "kvm_mmio",
      ({ type, len, gpa, val }) => `mmio ${type} len ${len} gpa 0x${hex(gpa)} val 0x${hex(val)}`,
    ),
    ...(kvm.capabilities.slaveCpu
      ? [event("kvm_set_direct_interrupt", ({ enabled }) => `rip 0x0 enabled ${Number(enabled)}`)]
      : []),
    ...(showsCaches(kvm.version)
      ? [
        new Tracepoint(
          "kmem",
          "kmem_cache_alloc",
          ({ bytes_req, bytes_alloc, gfp_flags }) =>
            `call_site=0 ptr=${
              hex(0, 16)
            } bytes_req=${bytes_req} bytes_alloc=${bytes_alloc} gfp_flags=${gfp_flags}`,
        ),
      ]
      : []),
  ];
}
