/**
 * KVM's events, in the words of `trace`.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/trace.h`, `include/trace/events/kvm.h`; patch 15 of the series for slave
 * CPUs.
 *
 * *Not modelled*: events of what does not happen here: `kvm_mmio`, `kvm_pio`, `kvm_cr`, nested ones. They are absent.
 *
 * @module
 */

import type { TraceRecord } from "../../hw/sim/trace.ts";
import type { TraceEvent } from "../linux/ftrace.ts";
import { exitReasonName } from "./exit_names.ts";
import type { Kvm } from "./kvm.ts";

/** Short names of the exceptions that are injected. */
const EXCEPTIONS: Readonly<Record<number, string>> = { 13: "#GP" };

/** `modern`: as 6.18 prints them, else as 3.5 does. */
export function kvmTraceEvents(kvm: Kvm, modern: boolean): readonly TraceEvent[] {
  const hex = (value: unknown, digits = 1) => Number(value).toString(16).padStart(digits, "0");
  const event = (name: string, text: (fields: TraceRecord["fields"]) => string): TraceEvent => ({
    system: "kvm",
    name,
    kind: "tracepoint",
    text: ({ fields }) => text(fields),
  });
  return [
    event("kvm_entry", ({ vcpu }) => {
      const id = String(vcpu).replace(/^.*\./, "");
      return modern ? `vcpu ${id}, rip 0x0 intr_info 0x00000000 error_code 0x00000000` : `vcpu ${id}`;
    }),
    {
      system: "kvm",
      name: "kvm_exit",
      kind: "exit",
      text({ fields: { reason, qualification, info } }, cpu) {
        const name = exitReasonName(Number(reason));
        if (!modern) return `reason ${name} rip 0x0 info ${hex(qualification)} ${hex(info)}`;
        const vcpu = kvm.vms.flatMap(({ vcpus }) => vcpus).find(({ loadedOn }) => loadedOn === cpu);
        const today = name === "PENDING_INTERRUPT" ? "INTERRUPT_WINDOW" : name;
        return `vcpu ${vcpu?.id ?? 0} reason ${today} rip 0x0 info1 0x${hex(qualification, 16)} ` +
          `info2 0x${hex(0, 16)} intr_info 0x${hex(info, 8)} error_code 0x00000000`;
      },
    },
    event("kvm_inj_virq", ({ irq }) => modern ? `IRQ 0x${hex(irq)}` : `irq ${irq}`),
    event("kvm_inj_exception", ({ vector }) => `${EXCEPTIONS[Number(vector)] ?? vector} (0x0)`),
    event("kvm_apic", ({ rw, reg, val }) => `apic_${rw} ${reg} = 0x${hex(val)}`),
    event("kvm_apic_accept_irq", ({ apicid, vec }) => `apicid ${hex(apicid)} vec ${vec} (Fixed|edge)`),
    event("kvm_eoi", ({ apicid, vector }) => `apicid ${hex(apicid)} vector ${vector}`),
    event(
      "kvm_msr",
      ({ rw, index, data, fault }) =>
        `msr_${rw} ${hex(index)} = 0x${hex(data)}${fault === true ? " (#GP)" : ""}`,
    ),
    ...(kvm.capabilities.slaveCpu
      ? [event("kvm_set_direct_interrupt", ({ enabled }) => `rip 0x0 enabled ${Number(enabled)}`)]
      : []),
  ];
}
