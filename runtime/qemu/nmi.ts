/**
 * The monitor's `nmi`: a pulse on LINT1 of every vCPU.
 *
 * *Document*: QEMU 1.1 `hmp.c` (`hmp_inject_nmi()`) and `hw/kvm/apic.c` (`do_inject_external_nmi()`); QEMU 7.2
 * `hw/i386/x86.c` (`x86_nmi()`).
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { Apic, DeliveryMode, type LocalApic, type Task } from "../kvm/user_space.ts";
import type { QemuMachine } from "./machine.ts";

/** An entry of the local vector table that is masked. */
const MASKED = 1 << 16;

/** Each vCPU's thread looks at the entry: Linux opens it on the first processor only. @param main by whom it is asked */
export function* injectNmis({ threads, process }: QemuMachine, main: Task): Activity {
  for (const thread of threads) {
    yield* thread.runOn(main, function* (own) {
      if (takesNmi(thread.file.vcpu.apic)) yield* process.ioctl(own, thread.fd, "KVM_NMI", 0);
    });
  }
}

/** Whether LINT1 is unmasked, with delivery mode NMI. */
function takesNmi(apic: LocalApic): boolean {
  const entry = apic.register(Apic.LVT1);
  return (entry & MASKED) === 0 && ((entry >>> 8) & 7) === DeliveryMode.Nmi;
}
