/**
 * Events that wait for a vCPU's next entry, as user space sees and sets them. The VM-entry interruption-information field
 * holds the one that goes first.
 *
 * *Document*: Linux `arch/x86/kvm/x86.h`: `kvm_queue_interrupt()`, `kvm_clear_exception_queue()`.
 *
 * @module
 */

import { decodeInterruptionInfo, EventType, interruptionInfo } from "../../hw/vmx.ts";
import type { Vcpu } from "./vcpu.ts";

/** What an event is, in the words of `struct kvm_vcpu_events`. */
export type EventKind = "exception" | "interrupt" | "nmi";

/** The event that the next entry injects. */
export interface InjectedEvent {
  readonly kind: EventKind;
  readonly vector: number;
}

const TYPES: Readonly<Record<EventKind, number>> = {
  exception: EventType.HardwareException,
  interrupt: EventType.ExternalInterrupt,
  nmi: EventType.Nmi,
};

/** What the next entry injects; `undefined`: nothing. */
export function injectedEvent({ vmcs }: Vcpu): InjectedEvent | undefined {
  const info = vmcs.entryInterruptionInfo;
  if (info === 0) return undefined;
  const { type, vector } = decodeInterruptionInfo(info);
  const kind = (Object.keys(TYPES) as EventKind[]).find((name) => TYPES[name] === type);
  return { kind: kind ?? "exception", vector };
}

/** Makes the next entry inject `event`, or nothing. */
export function setInjectedEvent({ vmcs }: Vcpu, event: InjectedEvent | undefined): void {
  vmcs.entryInterruptionInfo = event === undefined ? 0 : interruptionInfo(TYPES[event.kind], event.vector);
}

/** The interrupt that user space has queued, of a machine whose controllers it emulates; -1: none. */
export function queuedInterrupt(vcpu: Vcpu): number {
  const event = injectedEvent(vcpu);
  return event?.kind === "interrupt" ? event.vector : -1;
}

/** `kvm_clear_exception_queue()`. */
export function clearException(vcpu: Vcpu): void {
  if (injectedEvent(vcpu)?.kind === "exception") setInjectedEvent(vcpu, undefined);
}
