/**
 * What waits for a vCPU beside vectors: INIT, start-up messages and NMIs, and the state that they lead to.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/lapic.c` (`__apic_accept_irq()`), `x86.c` (`__vcpu_run()`, `process_nmi()`); Linux
 * 6.18 the same, and `kvm_apic_accept_events()`.
 *
 * *Deviations*: until 3.10 KVM_RUN of a vCPU that waits for INIT returns EAGAIN once it is woken, and its thread calls again;
 * here it goes on. What is executed after a start-up message is what {@linkcode Vcpu.startUp} finds, whatever the page.
 *
 * *Not modelled*: processors without virtual NMIs, for which KVM guesses when the guest's handler has returned (`soft_vnmi_blocked`).
 *
 * @module
 */

import type { StateHash } from "../../hw/sim/state_hash.ts";
import { BLOCKING_BY_NMI } from "../../hw/vmx.ts";
import { EINVAL, type Errno } from "../linux/errno.ts";
import { injectedEvent } from "./pending_events.ts";
import type { Vcpu } from "./vcpu.ts";

/** `KVM_MP_STATE_…`, but for the halted vCPU, which {@linkcode Vcpu.halted} tells. */
export type ActivityState = "runnable" | "uninitialized" | "init-received" | "sipi-received";

/** Numbers of the states in `struct kvm_mp_state`. */
export const MP_STATES = Object.freeze({
  "runnable": 0,
  "uninitialized": 1,
  "init-received": 2,
  "halted": 3,
  "sipi-received": 4,
});

/** CS after reset. */
const RESET_SEGMENT = 0xf000;

/** The events of a vCPU. */
export class VcpuEvents {
  declare readonly vcpu: Vcpu;
  #state: ActivityState;
  /** Whether its state is "runnable": asked at each entry. */
  runnable = false;
  /** The selector of CS, from which it starts. */
  codeSegment = RESET_SEGMENT;
  /** NMIs that have been seen and wait for an entry. */
  nmiPending = 0;
  #nmiQueued = 0;
  #initPending = false;
  #sipiPending = false;
  #sipiVector = 0;

  /** Of `vcpu`: processors other than the first wait for INIT and a start-up message. */
  constructor(vcpu: Vcpu) {
    this.vcpu = vcpu;
    this.#state = "uninitialized";
    if (vcpu.bootProcessor) this.state = "runnable";
  }

  /** See {@linkcode ActivityState}. */
  get state(): ActivityState {
    return this.#state;
  }

  set state(state: ActivityState) {
    this.#state = state;
    this.runnable = state === "runnable";
  }

  // ---- what arrives ----

  /** INIT. */
  init(): void {
    this.vcpu.attention = true;
    if (this.vcpu.lapic.version.latchesEvents) {
      this.#initPending = true;
      this.#sipiPending = false;
    } else this.state = "init-received";
  }

  /** A start-up message for `page`. @returns whether it counts as delivered */
  startup(page: number): boolean {
    this.vcpu.attention = true;
    this.#sipiVector = page;
    if (this.vcpu.lapic.version.latchesEvents) {
      this.#sipiPending = true;
      return true;
    }
    if (this.state !== "init-received") return false;
    this.state = "sipi-received";
    return true;
  }

  /** The page of a start-up message, as user space sets it (`KVM_SET_VCPU_EVENTS`). */
  set startupPage(page: number) {
    this.#sipiVector = page & 0xff;
  }

  /** `kvm_inject_nmi()`. */
  queueNmi(): void {
    this.vcpu.attention = true;
    this.#nmiQueued++;
  }

  /** A remote read wakes a halted vCPU (`pv_unhalted`). */
  unhalt(): void {
    this.vcpu.halted = false;
  }

  // ---- what the vCPU does about it ----

  /** An NMI has been written into the entry field. */
  get nmiInjected(): boolean {
    return injectedEvent(this.vcpu)?.kind === "nmi";
  }

  /** The guest is in its NMI handler (`vmx_get_nmi_mask()`). */
  get nmiMasked(): boolean {
    return (this.vcpu.vmcs.interruptibility & BLOCKING_BY_NMI) !== 0;
  }

  /** `vmx_set_nmi_mask()`. */
  set nmiMasked(masked: boolean) {
    const { vmcs } = this.vcpu;
    if (masked) vmcs.interruptibility |= BLOCKING_BY_NMI;
    else vmcs.interruptibility &= ~BLOCKING_BY_NMI;
  }

  /** `kvm_apic_accept_events()`: takes up INIT, then a start-up message. */
  accept(): void {
    if (this.state === "sipi-received") {
      this.vcpu.reset(true);
      this.#start();
      return;
    }
    if (this.#initPending) {
      this.#initPending = false;
      this.vcpu.reset(true);
      this.state = this.vcpu.bootProcessor ? "runnable" : "init-received";
    }
    if (!this.#sipiPending) return;
    this.#sipiPending = false;
    if (this.state === "init-received") this.#start();
  }

  #start(): void {
    this.codeSegment = this.#sipiVector << 8;
    this.state = "runnable";
    this.vcpu.startUp();
  }

  /** Whether something waits for a vCPU that does not run that may make it run. */
  get startable(): boolean {
    return this.state === "sipi-received" || this.#initPending || this.#sipiPending;
  }

  /** `process_nmi()`: two wait at most; one while an NMI is being handled. */
  collectNmis(): void {
    if ((this.nmiPending | this.#nmiQueued) === 0) return;
    const limit = this.nmiMasked || this.nmiInjected ? 1 : 2;
    this.nmiPending = Math.min(this.nmiPending + this.#nmiQueued, limit);
    this.#nmiQueued = 0;
  }

  /** Whether an NMI waits that the guest would take: it ends HLT. */
  get nmiWaits(): boolean {
    return this.state === "runnable" && (this.#nmiQueued > 0 || this.nmiPending > 0) && !this.nmiMasked;
  }

  /** `kvm_vcpu_reset()`. */
  reset(): void {
    this.#nmiQueued = this.nmiPending = 0;
    this.nmiMasked = false;
    this.codeSegment = RESET_SEGMENT;
  }

  /** The number that `KVM_GET_MP_STATE` answers with, once it has taken up what was pending. */
  get mpState(): number {
    if (this.vcpu.lapic.version.latchesEvents) this.accept();
    return MP_STATES[this.state === "runnable" && this.vcpu.halted ? "halted" : this.state];
  }

  /** `KVM_SET_MP_STATE`. A state that stands for a pending start-up message leaves one behind. @returns EINVAL: no state */
  setMpState(number: number): Errno | void {
    if (this.vcpu.vm.kvm.version.checksMpState && !(Object.values(MP_STATES) as number[]).includes(number)) {
      return EINVAL;
    }
    this.vcpu.halted = number === MP_STATES.halted;
    this.vcpu.attention = true;
    switch (number) {
      case MP_STATES.uninitialized:
        this.state = "uninitialized";
        return;
      case MP_STATES["init-received"]:
        this.state = "init-received";
        return;
      case MP_STATES["sipi-received"]:
        if (this.vcpu.lapic.version.latchesEvents) {
          this.state = "init-received";
          this.#sipiPending = true;
        } else this.state = "sipi-received";
        return;
      default:
        this.state = "runnable";
    }
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    hash.text(this.state).word(this.codeSegment).word(this.nmiPending).word(this.#nmiQueued);
    hash.flag(this.#initPending).flag(this.#sipiPending);
    hash.word(this.#sipiVector);
  }
}
