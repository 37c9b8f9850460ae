/**
 * Invariants of interrupt delivery, checked while a laboratory runs: what must hold of any hypervisor, whatever it does
 * with its registers.
 *
 * *Document*: Intel SDM vol. 3A, "Local APIC"; vol. 3C, "VM Entries"; the talk's slides 13 to 20.
 *
 * | kind                    | what has happened                                                                    |
 * | ----------------------- | ------------------------------------------------------------------------------------ |
 * | `lost interrupt`        | no processor took a message, or the kernel that took it has no handler                |
 * | `vanished request`      | a request has left the IRR and nobody has taken it                                    |
 * | `wrong owner`           | a guest has taken an interrupt, or an NMI, of the host's                              |
 * | `missed kick`           | a virtual interrupt waits, and the vCPU goes on in guest mode as if it did not        |
 * | `missed shoot-down`     | a slave CPU does not acknowledge a TLB shoot-down, and its sender spins               |
 * | `double EOI`            | an EOI came to a local APIC that had nothing in service                               |
 * | `stuck ISR`             | a vector is in service and no handler runs that could end it                          |
 * | `stuck line`            | an I/O APIC waits for the end of a level that no local APIC has in service or requested |
 * | `entry field overwritten` | an event that waited for the VM entry has been replaced by another one              |
 * | `wrong time`            | a guest's own timer fires elsewhen than its time-stamp counter says                   |
 * | `sum of layers`         | host time is booked as a guest's, or a guest's as the host's                          |
 * | `time`                  | the times of a processor's layers and its idle time do not add up                     |
 *
 * The watch reads trace records and the state behind them, and changes nothing. A violation is reported once for each
 * kind, place and vector; `count` goes on.
 *
 * @module
 */

import type { LogicalCpu } from "../../hw/cpu.ts";
import { Apic, EOI_MSR, type LocalApic, MSR_TSC_DEADLINE, x2apicMsr } from "../../hw/lapic.ts";
import { IOAPIC_PINS } from "../../hw/ioapic.ts";
import { FrameKind, type RegisterFile } from "../../hw/register_file.ts";
import type { TraceRecord, TraceSink } from "../../hw/sim/trace.ts";
import { Primary, type Vmcs } from "../../hw/vmx.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { Kernel } from "../linux/kernel.ts";
import { Vector } from "../linux/irq/vectors.ts";
import type { Lab } from "./lab.ts";
import { LayerSums } from "./layer_sums.ts";

/** Kinds of violations. */
export type ViolationKind =
  | "lost interrupt"
  | "vanished request"
  | "wrong owner"
  | "missed kick"
  | "missed shoot-down"
  | "double EOI"
  | "stuck ISR"
  | "stuck line"
  | "entry field overwritten"
  | "wrong time"
  | "sum of layers"
  | "time";

/** An invariant that does not hold. */
export interface Violation {
  readonly kind: ViolationKind;
  /** `cpu3`, or the vCPU: `vm0.0`. */
  readonly where: string;
  /** What has happened, as a sentence without a full stop. */
  readonly text: string;
  /** The event in which it was seen first. */
  readonly event: number;
  /** When, ns. */
  readonly timeNs: number;
  /** How often it has been seen. */
  count: number;
}

/** A violation in a line. */
export function violationText({ kind, where, text, event, timeNs }: Violation): string {
  return `${kind} at ${where}, event ${event}, ${(timeNs / 1e9).toFixed(9)} s: ${text}`;
}

/** So long a virtual interrupt may wait for a kick that is on its way, ns. A kick takes some microseconds. */
const KICK_BOUND_NS = 100_000;
/** So long an I/O APIC may wait with nothing in service, ns: a message takes some hundreds, and so does the EOI register. */
const LINE_BOUND_NS = 100_000;
/** A slave CPU acknowledges with its next exit at the latest, as soon: a fraction of a millisecond. */
const SHOOTDOWN_BOUND_NS = 1_000_000;
/** So much may lie between a guest's deadline and its timer, ns: the emulation of the write takes a microsecond or two. */
const DEADLINE_BOUND_NS = 10_000;
/** The EOI register's place in the xAPIC's page. */
const EOI_ADDRESS = 0xfee0_00b0;
/** The initial count: writing it arms the timer. */
const TMICT_MSR = x2apicMsr(Apic.TMICT);

/** Looks at one laboratory while it runs. */
export class Invariants implements TraceSink {
  /** What has been found, in the order of its first appearance. */
  readonly violations: Violation[] = [];
  /** Told of each violation when it is seen first. */
  onViolation: (violation: Violation) => void = () => {};
  readonly #seen = new Map<string, Violation>();
  /** Requests in a physical IRR that nobody has taken yet, by processor. */
  readonly #requested: Set<number>[];
  /** Since when a virtual interrupt has been waiting in guest mode, by vCPU. */
  readonly #waiting = new Map<Vcpu, number>();
  /** When its timer is due by the deadline that it has written, as its own counter counts, by vCPU. */
  readonly #deadlines = new Map<Vcpu, number>();
  /** The event that waits in a vCPU's entry field, as its tracepoint named it. */
  readonly #toEnter = new Map<string, string>();
  /** By the names that records have of them. */
  readonly #cpus: ReadonlyMap<string, LogicalCpu>;
  readonly #sums: LayerSums;
  /** Since when a pin has been waiting for the end of what nobody has, ns. */
  readonly #waitingPins = new Map<number, number>();
  #dropped = 0;
  readonly #spurious = new Map<Kernel, number>();
  #at: TraceRecord | null = null;

  /** @param lab what it looks at, from now on */
  constructor(readonly lab: Lab) {
    const { machine } = lab;
    const { vmEntry, vmExit } = lab.options.profile.values.hw.processor;
    this.#sums = new LayerSums(vmEntry + vmExit);
    this.#cpus = new Map(machine.cpus.map((cpu) => [`cpu${cpu.id}`, cpu]));
    this.#requested = machine.cpus.map(() => new Set());
    this.#dropped = machine.droppedMessages;
    this.#forKernels((kernel) => this.#spurious.set(kernel, kernel.spuriousVectors));
  }

  /** @inheritdoc */
  record(record: TraceRecord): void {
    this.#at = record;
    switch (record.kind) {
      case "request":
        this.#request(record);
        break;
      case "interrupt":
        this.#interrupt(record);
        break;
      case "entry":
      case "exit":
        this.#transition(record);
        break;
      case "injection":
        this.#toEnter.delete(this.#running(this.#cpuOf(record))?.name ?? "");
        break;
      case "tracepoint":
        this.#tracepoint(record);
        break;
      case "instruction":
        this.#instruction(record);
        break;
      case "iret":
        this.#returned(this.#cpuOf(record));
        break;
    }
    this.#losses();
    this.#requests();
    this.#kicks();
    this.#lines();
    this.#shootdowns();
  }

  /** Checks what can be told at one instant only: that time adds up. */
  checkTimes(): void {
    const { lab } = this;
    for (const { id, root } of lab.machine.cpus) {
      const sum = lab.timeByLayer(id).reduce((total, ns) => total + ns, 0);
      if (root === null || sum <= lab.engine.nowNs) continue;
      this.#report("time", `cpu${id}`, `${sum} ns of work in ${lab.engine.nowNs} ns`);
    }
  }

  // ---- physical requests ----

  #request({ where, fields, name }: TraceRecord): void {
    const id = Number(/\d+$/.exec(where)?.[0]);
    if (name === "NMI" || typeof fields.vector !== "number") return;
    if (fields.by === "timer") this.#timer(id);
    if (this.lab.machine.cpus[id]!.running) this.#pendingRequest = { id, vector: fields.vector };
  }

  /** A request is recorded just before the APIC takes it: it is looked for at the next record. */
  #pendingRequest: { readonly id: number; readonly vector: number } | null = null;

  #requests(): void {
    const { cpus } = this.lab.machine;
    const arrived = this.#pendingRequest;
    if (arrived !== null && this.#at?.kind !== "request") {
      this.#pendingRequest = null;
      if (cpus[arrived.id]!.apic.irr.has(arrived.vector)) this.#requested[arrived.id]!.add(arrived.vector);
    }
    for (let id = 0; id < cpus.length; id++) {
      const requested = this.#requested[id]!;
      if (requested.size === 0) continue;
      for (const vector of requested) {
        const { apic, running } = cpus[id]!;
        if (apic.irr.has(vector)) continue;
        requested.delete(vector);
        if (running && apic.enabled) {
          this.#report("vanished request", `cpu${id}`, `the request of ${hex(vector)} is gone`, vector);
        }
      }
    }
  }

  #interrupt({ name, fields, where }: TraceRecord): void {
    const cpu = this.#cpuOf(this.#at!);
    if (cpu === undefined) return;
    const vector = Number(fields.vector);
    if (this.#pendingRequest?.id === cpu.id && this.#pendingRequest.vector === vector) {
      this.#pendingRequest = null;
    }
    this.#requested[cpu.id]!.delete(vector);
    if (name === "NMI" && fields.mode === "root") this.#sums.nmi(cpu.id, this.#at!.timeNs);
    if (fields.mode !== "guest") return;
    const vcpu = this.#running(cpu);
    if (vcpu === undefined) return;
    if (name === "NMI") {
      this.#report(
        "wrong owner",
        where,
        `${vcpu.name} takes an NMI that nobody has injected: a kick`,
        vector,
      );
    } else if (!owns(vcpu, cpu, vector)) {
      this.#report(
        "wrong owner",
        where,
        `${vcpu.name} takes ${hex(vector)}, an interrupt of the host's`,
        vector,
      );
    }
  }

  // ---- deadlines ----

  /** The guest writes IA32_TSC_DEADLINE, whether that exits or not. One that has passed already is due at once. */
  #deadline(vcpu: Vcpu | undefined, value: number): void {
    if (vcpu === undefined) return;
    if (value === 0) this.#deadlines.delete(vcpu);
    else this.#deadlines.set(vcpu, Math.max(value, vcpu.vmcs.guestTsc(this.lab.machine.tsc())));
  }

  /** The timer of a processor fires that a vCPU has for itself. */
  #timer(id: number): void {
    const vcpu = this.lab.kvm.slaves.get(id);
    const due = vcpu && this.#deadlines.get(vcpu);
    if (vcpu === undefined || due === undefined || vcpu.vmcs.msrWriteExits(TMICT_MSR)) return;
    const { ticks, ns } = this.lab.kvm.tscRatio;
    const lateNs = Math.round(((vcpu.vmcs.guestTsc(this.lab.machine.tsc()) - due) * ns) / ticks);
    if (Math.abs(lateNs) <= DEADLINE_BOUND_NS) return;
    const text = `the timer fires ${Math.abs(lateNs)} ns ${lateNs < 0 ? "before" : "after"} its deadline`;
    this.#report("wrong time", vcpu.name, text);
  }

  // ---- events to be injected ----

  #tracepoint({ name, fields }: TraceRecord): void {
    const cpu = this.#cpuOf(this.#at!);
    switch (name) {
      case "kvm_inj_virq":
      case "kvm_inj_exception": {
        const vcpu = this.#loaded(cpu);
        if (vcpu === undefined) return;
        const waits = this.#toEnter.get(vcpu.name);
        const event = name === "kvm_inj_virq" ? hex(Number(fields.irq)) : `exception ${fields.vector}`;
        if (waits !== undefined) {
          this.#report(
            "entry field overwritten",
            vcpu.name,
            `${waits} waited to enter when ${event} was written`,
          );
        }
        this.#toEnter.set(vcpu.name, event);
        return;
      }
      case "kvm_msr":
        if (fields.rw === "write" && fields.index === MSR_TSC_DEADLINE) {
          this.#deadline(this.#loaded(cpu), Number(fields.data));
        }
        return;
      case "kvm_eoi":
        if (fields.vector === -1) {
          this.#report("double EOI", `vcpu ${fields.apicid}`, "an emulated EOI with nothing in service");
        }
    }
  }

  // ---- EOI ----

  #instruction({ name, fields, where }: TraceRecord): void {
    if (name === "wrmsr" && fields.address === MSR_TSC_DEADLINE && fields.mode === "guest") {
      return this.#deadline(this.#running(this.#cpuOf(this.#at!)), Number(fields.value));
    }
    const eoi = name === "wrmsr" && fields.address === EOI_MSR ||
      name === "store" && fields.address === EOI_ADDRESS;
    if (!eoi || fields.mode === "guest" && name === "store") return; // an access to the page exits, and is emulated
    const cpu = this.#cpuOf(this.#at!);
    if (cpu !== undefined && !cpu.apic.inService) {
      const who = fields.mode === "guest" ? this.#running(cpu)?.name ?? "a guest" : "the host";
      this.#report("double EOI", where, `${who} ends an interrupt, and none is in service`);
    }
  }

  // ---- layers ----

  #transition({ kind, timeNs }: TraceRecord): void {
    const vcpu = this.#current(this.#cpuOf(this.#at!));
    if (vcpu === undefined) return;
    if (kind === "exit") return this.#sums.left(vcpu, timeNs);
    const wrong = this.#sums.entered(vcpu, timeNs);
    if (wrong !== undefined) this.#report("sum of layers", vcpu.name, wrong);
  }

  /** A handler has returned: what is in service has to be somebody's. */
  #returned(cpu: LogicalCpu | undefined): void {
    if (cpu === undefined || cpu.root === null) return;
    this.#sums.returned(cpu.id, this.#current(cpu), this.#at!.timeNs);
    const { currentVmcs } = cpu;
    const guest = currentVmcs?.guest;
    if (cpu.apic.inService && !handles(cpu.root) && (guest === undefined || !handles(guest))) {
      const vector = cpu.apic.isr.highest();
      this.#report("stuck ISR", `cpu${cpu.id}`, `${hex(vector)} is in service, and no handler runs`, vector);
    }
    const vcpu = this.#running(cpu);
    // Where the guest has ended it by PV EOI it is in service until the next exit, when KVM sees that.
    if (vcpu !== undefined && vcpu.apic.inService && !vcpu.pvEoi.ended && !handles(vcpu.registers)) {
      const vector = vcpu.apic.isr.highest();
      this.#report(
        "stuck ISR",
        vcpu.name,
        `virtual ${hex(vector)} is in service, and no handler runs`,
        vector,
      );
    }
  }

  // ---- losses ----

  #losses(): void {
    const { machine } = this.lab;
    if (machine.droppedMessages !== this.#dropped) {
      this.#dropped = machine.droppedMessages;
      this.#report("lost interrupt", "machine", "a message reached no local APIC that is enabled");
    }
    this.#forKernels((kernel) => {
      const before = this.#spurious.get(kernel) ?? 0;
      if (kernel.spuriousVectors === before) return;
      this.#spurious.set(kernel, kernel.spuriousVectors);
      this.#report("lost interrupt", kernel.name, `${kernel.name}: ${kernel.dmesg.at(-1)?.text ?? ""}`);
    });
  }

  #forKernels(look: (kernel: Kernel) => void): void {
    look(this.lab.host);
    for (const { kernel } of this.lab.guests.values()) look(kernel);
  }

  // ---- kicks ----

  #kicks(): void {
    const { nowNs } = this.lab.engine;
    for (const { vcpus } of this.lab.kvm.vms) {
      for (const vcpu of vcpus) {
        const cpu = vcpu.loadedOn === null ? undefined : this.lab.machine.cpus[vcpu.loadedOn.id];
        const inGuest = cpu?.vmcs === vcpu.vmcs;
        const window = (vcpu.vmcs.primary & Primary.InterruptWindowExiting) !== 0;
        if (!inGuest || window || vcpu.apic.pendingVector() < 0) {
          this.#waiting.delete(vcpu);
          continue;
        }
        const sinceNs = this.#waiting.get(vcpu);
        if (sinceNs === undefined) this.#waiting.set(vcpu, nowNs);
        else if (nowNs - sinceNs > KICK_BOUND_NS) {
          const vector = vcpu.apic.pendingVector();
          const text = `virtual ${hex(vector)} has been pending for ${
            KICK_BOUND_NS / 1000
          } us, and the guest runs on`;
          this.#report("missed kick", vcpu.name, text, vector);
          this.#waiting.set(vcpu, Infinity);
        }
      }
    }
  }

  // ---- lines ----

  #lines(): void {
    const { machine: { ioApic: { chip }, cpus }, engine: { nowNs } } = this.lab;
    if (!chip.waiting) {
      if (this.#waitingPins.size > 0) this.#waitingPins.clear();
      return;
    }
    const somebodyHas = cpus.some(({ apic: { tmr, isr, irr } }) =>
      tmr.members().some((vector) => isr.has(vector) || irr.has(vector))
    );
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      if (somebodyHas || !chip.remoteIrr(pin)) {
        this.#waitingPins.delete(pin);
        continue;
      }
      const sinceNs = this.#waitingPins.get(pin);
      if (sinceNs === undefined) this.#waitingPins.set(pin, nowNs);
      else if (nowNs - sinceNs > LINE_BOUND_NS) {
        const text = `pin ${pin} waits for the end of an interrupt that no local APIC has`;
        this.#report("stuck line", "I/O APIC", text, pin);
      }
    }
  }

  // ---- shoot-downs ----

  #shootdowns(): void {
    const { engine: { nowNs }, host: { tlb, cpus } } = this.lab;
    if (!tlb.busy) return;
    for (const { sinceNs, sender, waiting } of tlb.pending) {
      if (nowNs - sinceNs <= SHOOTDOWN_BOUND_NS) continue;
      for (const { id, state } of cpus) {
        if (state !== "slave" || (waiting & (1 << id)) === 0) continue;
        const text = `cpu${sender} has been spinning for ${
          SHOOTDOWN_BOUND_NS / 1_000_000
        } ms: cpu${id} does not acknowledge its TLB shoot-down`;
        this.#report("missed shoot-down", `cpu${id}`, text);
      }
    }
  }

  #cpuOf({ where }: TraceRecord): LogicalCpu | undefined {
    return this.#cpus.get(where);
  }

  /** The vCPU that is loaded on `cpu`. */
  #loaded(cpu: LogicalCpu | undefined): Vcpu | undefined {
    return this.lab.kvm.vms.flatMap(({ vcpus }) => vcpus).find(({ loadedOn }) => loadedOn?.id === cpu?.id);
  }

  /** The vCPU that `cpu` executes in guest mode. */
  #running(cpu: LogicalCpu | undefined): Vcpu | undefined {
    return this.#executing(cpu?.vmcs);
  }

  /** The vCPU that `cpu` enters next, or executes. */
  #current(cpu: LogicalCpu | undefined): Vcpu | undefined {
    return this.#executing(cpu?.currentVmcs);
  }

  #executing(vmcs: Vmcs | null | undefined): Vcpu | undefined {
    if (vmcs === null || vmcs === undefined) return undefined;
    for (const { vcpus } of this.lab.kvm.vms) for (const vcpu of vcpus) if (vcpu.vmcs === vmcs) return vcpu;
  }

  #report(kind: ViolationKind, where: string, text: string, vector = -1): void {
    const key = `${kind} ${where} ${vector}`;
    const seen = this.#seen.get(key);
    if (seen !== undefined) {
      seen.count++;
      return;
    }
    const { event, timeNs } = this.#at ?? { event: this.lab.engine.event, timeNs: this.lab.engine.nowNs };
    const violation: Violation = { kind, where, text, event, timeNs, count: 1 };
    this.#seen.set(key, violation);
    this.violations.push(violation);
    this.onViolation(violation);
  }
}

function hex(vector: number): string {
  return `0x${vector.toString(16)}`;
}

/** Whether an interrupt handler is on the stack that runs. */
function handles({ context }: RegisterFile): boolean {
  for (let i = context.depth; i >= 0; i--) if (context.frames[i]!.kind === FrameKind.Interrupt) return true;
  return false;
}

/** Whether physical interrupt `vector`, taken in guest mode, is the guest's: its timer's, or its assigned device's. */
function owns({ vm, apic, vmcs }: Vcpu, cpu: LogicalCpu, vector: number): boolean {
  if (vector === Vector.LocalTimer) {
    // The timer is whose entry of the local vector table it fires through.
    return !vmcs.msrWriteExits(TMICT_MSR) && sameTimer(apic, cpu.apic);
  }
  return vm.assigned.some((device) =>
    device.line?.directVector === vector ||
    device.interrupts().some(({ guestVector }) => guestVector === vector)
  );
}

function sameTimer(virtual: LocalApic, physical: LocalApic): boolean {
  return virtual.read(Apic.LVTT, 0) === physical.read(Apic.LVTT, 0);
}
