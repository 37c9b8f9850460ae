/**
 * Requests on what reaches a vCPU: interrupts, exceptions, NMIs, its activity state, its local APIC, machine checks.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/x86.c`: `kvm_vcpu_ioctl_interrupt()`, `kvm_vcpu_ioctl_x86_{get,set}_
 * vcpu_events()`, `kvm_arch_vcpu_ioctl_set_mpstate()`, `kvm_vcpu_ioctl_x86_setup_mce()`.
 *
 * *Modelled*: what waits for the next entry, activity state, local APIC. A signal mask and a machine check are kept and
 * have no effect: the model has one signal, which a vCPU's thread always takes, and no guest with a handler.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { EFAULT, EINVAL, ENXIO, Errno } from "../../linux/errno.ts";
import { LAPIC_REGISTERS } from "../irqchip/lapic.ts";
import type { Handlers, Outcome } from "./ioctl_call.ts";
import { injectedEvent, setInjectedEvent } from "../pending_events.ts";
import {
  ExceptionEvent,
  Interrupt,
  InterruptEvent,
  LapicState,
  MceCapabilities,
  MpState,
  NmiEvent,
  SignalMask,
  TprAccessCtl,
  VapicAddr,
  VcpuEvents,
  X86Mce,
} from "../uapi/structures.ts";
import type { VcpuFile } from "./vcpu_file.ts";

/** Bits of `flags` in `struct kvm_vcpu_events`. */
const Valid = Object.freeze({
  NmiPending: 1,
  SipiVector: 2,
  Shadow: 4,
  Smm: 8,
  Payload: 0x10,
  TripleFault: 0x20,
});
/** Those that a kernel of 2012 knows, and those of today; the last two have to be switched on first. */
const FLAGS_OF_2012 = Valid.NmiPending | Valid.SipiVector | Valid.Shadow;
const FLAGS = FLAGS_OF_2012 | Valid.Smm | Valid.Payload | Valid.TripleFault;
/** The highest exception, and the one that is none. */
const [HIGHEST_EXCEPTION, NMI_VECTOR] = [31, 2];
/** KVM_MAX_MCE_BANKS. */
const MAX_MCE_BANKS = 32;
/** MCG_CTL_P, MCG_SER_P: what a guest's machine-check architecture may have beside its banks and their extensions. */
const MCE_CAPABILITIES = (1n << 8n) | (1n << 24n);
/** MCi_STATUS.VAL. */
const MCI_STATUS_VALID = 1n << 63n;
/** Bytes of a signal mask. */
const SIGNAL_MASK_BYTES = 8;
const LAST_MP_STATE = 4;

/** The handlers. */
export const eventHandlers: Handlers<VcpuFile> = {
  KVM_INTERRUPT({ vcpu, machine }, call) {
    const interrupt = call.copyIn(Interrupt);
    if (interrupt === null) return EFAULT;
    const vector = interrupt.get("irq");
    if (vector > 255) return EINVAL;
    if (machine.splitIrqchip) { // with the local APIC in the kernel this is the 8259's line, from user space
      vcpu.interrupt(vector, call.cpu);
      return 0;
    }
    if (vcpu.vm.irqchip) return ENXIO;
    setInjectedEvent(vcpu, { kind: "interrupt", vector });
    vcpu.kick(call.cpu);
    return 0;
  },

  *KVM_NMI({ vcpu }, call) {
    vcpu.events.queueNmi();
    vcpu.kick(call.cpu);
    yield* call.cpu.sendPendingIpis();
    return 0;
  },

  KVM_GET_MP_STATE: ({ vcpu }, call) => call.copyOut(MpState.make().set("mp_state", vcpu.events.mpState)),

  KVM_SET_MP_STATE({ vcpu, machine }, call) {
    const given = call.copyIn(MpState);
    if (given === null) return EFAULT;
    const state = given.get("mp_state");
    if (vcpu.vm.kvm.version.checksMpState) {
      if (state > LAST_MP_STATE && state !== AP_RESET_HOLD) return EINVAL;
      if (state !== 0 && !machine.hasLapics) return EINVAL;
    }
    vcpu.events.setMpState(state);
    return 0;
  },

  KVM_GET_VCPU_EVENTS({ vcpu }, call) {
    const events = VcpuEvents.make();
    const injected = injectedEvent(vcpu);
    vcpu.events.collectNmis();
    if (injected?.kind === "exception") {
      events.part("exception", ExceptionEvent).set("injected", 1).set("nr", injected.vector);
    } else if (injected?.kind === "interrupt") {
      events.part("interrupt", InterruptEvent).set("injected", 1).set("nr", injected.vector);
    }
    events.part("nmi", NmiEvent).set("injected", injected?.kind === "nmi" ? 1 : 0)
      .set("pending", vcpu.events.nmiPending).set("masked", vcpu.events.nmiMasked ? 1 : 0);
    events.set("flags", Valid.NmiPending | Valid.Shadow | (vcpu.vm.kvm.version.checksState ? Valid.Smm : 0));
    return call.copyOut(events);
  },

  KVM_SET_VCPU_EVENTS({ vcpu, machine }, call) {
    const events = call.copyIn(VcpuEvents);
    if (events === null) return EFAULT;
    const { checksState } = vcpu.vm.kvm.version;
    const flags = events.get("flags");
    if ((flags & ~(checksState ? FLAGS : FLAGS_OF_2012)) !== 0) return EINVAL;
    if ((flags & Valid.Payload) !== 0 && !machine.exceptionPayload) return EINVAL;
    const exception = events.part("exception", ExceptionEvent);
    const vector = exception.get("nr");
    const raised = exception.get("injected") !== 0;
    if (checksState && raised && (vector > HIGHEST_EXCEPTION || vector === NMI_VECTOR)) return EINVAL;
    if ((flags & Valid.TripleFault) !== 0 && !machine.tripleFaultEvent) return EINVAL;
    const interrupt = events.part("interrupt", InterruptEvent);
    const nmi = events.part("nmi", NmiEvent);
    setInjectedEvent(
      vcpu,
      raised
        ? { kind: "exception", vector }
        : interrupt.get("injected") !== 0
        ? { kind: "interrupt", vector: interrupt.get("nr") }
        : nmi.get("injected") !== 0
        ? { kind: "nmi", vector: NMI_VECTOR }
        : undefined,
    );
    vcpu.events.nmiMasked = nmi.get("masked") !== 0;
    if ((flags & Valid.NmiPending) !== 0) vcpu.events.nmiPending = nmi.get("pending");
    vcpu.attention = true;
    if ((flags & Valid.SipiVector) !== 0 && machine.hasLapics) {
      vcpu.events.startupPage = events.get("sipi_vector");
    }
    return 0;
  },

  KVM_GET_LAPIC({ vcpu, machine }, call) {
    if (!machine.hasLapics) return EINVAL;
    const page = LapicState.make();
    const data = new DataView(page.bytes.buffer);
    vcpu.lapic.state().forEach((value, i) => data.setUint32(i << 4, value, true));
    return call.copyOut(page);
  },

  *KVM_SET_LAPIC({ vcpu, machine }, call): Activity<Outcome> {
    if (!machine.hasLapics) return EINVAL;
    const page = call.copyIn(LapicState);
    if (page === null) return EFAULT;
    const data = new DataView(page.bytes.buffer);
    const registers = Uint32Array.from({ length: LAPIC_REGISTERS }, (_, i) => data.getUint32(i << 4, true));
    const answer = vcpu.lapic.setState(registers, call.cpu);
    if (answer instanceof Errno) return answer;
    if (answer !== null) yield answer;
    return 0;
  },

  KVM_TPR_ACCESS_REPORTING(_file, call) {
    const control = call.copyIn(TprAccessCtl);
    return control === null ? EFAULT : call.copyOut(control); // accesses are not reported: TPR is an MSR or a page
  },

  KVM_SET_VAPIC_ADDR({ vcpu, machine }, call) {
    if (!machine.hasLapics) return EINVAL;
    const address = call.copyIn(VapicAddr);
    if (address === null) return EFAULT;
    const page = address.big("vapic_addr");
    const checks = vcpu.vm.kvm.version.strictSlots;
    return page !== 0n && checks && !machine.slots.covers(page) ? EINVAL : 0;
  },

  KVM_SET_SIGNAL_MASK({ vcpu }, call) {
    if (call.argument === 0) {
      vcpu.state.signalMask = null;
      return 0;
    }
    const header = call.copyIn(SignalMask);
    if (header === null) return EFAULT;
    if (header.get("len") !== SIGNAL_MASK_BYTES) return EINVAL;
    const bytes = call.process.memory.read(call.unsigned + SignalMask.size, SIGNAL_MASK_BYTES);
    if (bytes === null) return EFAULT;
    vcpu.state.signalMask = new DataView(bytes.buffer).getBigUint64(0, true);
    return 0;
  },

  KVM_X86_SETUP_MCE({ vcpu }, call) {
    const capabilities = call.copyIn(MceCapabilities);
    if (capabilities === null) return EFAULT;
    const value = capabilities.big("value");
    const banks = Number(value & 0xffn);
    if (banks === 0 || banks > MAX_MCE_BANKS) return EINVAL;
    if ((value & ~(MCE_CAPABILITIES | 0xff_00ffn)) !== 0n) return EINVAL;
    vcpu.state.mcgCap = value;
    vcpu.state.mcBanks.clear();
    return 0;
  },

  KVM_X86_SET_MCE({ vcpu }, call) {
    const event = call.copyIn(X86Mce);
    if (event === null) return EFAULT;
    const bank = event.get("bank");
    const status = event.big("status");
    if (bank >= Number(vcpu.state.mcgCap & 0xffn) || (status & MCI_STATUS_VALID) === 0n) return EINVAL;
    vcpu.state.mcBanks.set(bank, status);
    return 0;
  },

  // kvm_set_guest_paused(): the guest has given no page for its clock.
  KVM_KVMCLOCK_CTRL: () => EINVAL,
};

/** KVM_MP_STATE_AP_RESET_HOLD. */
const AP_RESET_HOLD = 9;
