/**
 * How a kernel sends an interprocessor message in each form of the local APIC.
 *
 * *Document*: Intel SDM vol. 3A, "Interrupt Command Register (ICR)", "ICR Operation in x2APIC Mode": in xAPIC form the
 * write to the low half (0x300) sends, so the destination, bits 31:24 of 0x310, has to be there before.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Activity, Step } from "../hw/sim/activity.ts";
import { Apic, DeliveryMode, LocalApic } from "../hw/lapic.ts";
import type { KernelCpu } from "../runtime/linux/kernel_cpu.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { Vector } from "../runtime/linux/irq/vectors.ts";
import { SchedulerRig } from "./scheduler_rig.ts";

const PAGE = 0xfee0_0000;

/** Lets CPU 0, in xAPIC form, send `message`; the messages that leave a local APIC of that form. */
function sent(message: (cpu: KernelCpu) => Step) {
  const rig = new SchedulerRig();
  const apic = new LocalApic(0, { ticks: 1, ns: 10 }, { ticks: 17, ns: 5 });
  apic.x2apic = false;
  const messages: { destination: number; mode: number; vector: number; interruptible: boolean }[] = [];
  const cpu = rig.kernel.cpus[0]!;
  for (const offset of [Apic.ICR, Apic.ICR2]) {
    rig.machine.ports.set(PAGE + offset, {
      write: (value) => {
        const effect = apic.write(offset, value, 0);
        if (effect.kind !== "ipi") return;
        const { destination, mode, vector } = effect.ipi;
        messages.push({ destination, mode, vector, interruptible: cpu.registers.interruptFlag });
      },
      read: () => 0,
    });
  }
  rig.start("sender", function* (): Activity<number> {
    cpu.x2apic = false;
    yield message(cpu);
    cpu.x2apic = true;
    messages.push({ destination: -1, mode: 0, vector: 0, interruptible: cpu.registers.interruptFlag });
    return 0;
  });
  rig.run(1_000_000);
  return messages;
}

Deno.test("in xAPIC form the destination is written to ICR2 first, and no interrupt comes between the two writes", () => {
  const after = { destination: -1, mode: 0, vector: 0, interruptible: true };
  for (const destination of [0, 3, 0xfe]) {
    assertEquals(sent((cpu) => cpu.sendIpi(destination, 0xfd)), [
      { destination, mode: DeliveryMode.Fixed, vector: 0xfd, interruptible: false },
      after,
    ]);
  }
  assertEquals(sent((cpu) => cpu.sendMessage(3, DeliveryMode.Init << 8)), [
    { destination: 3, mode: DeliveryMode.Init, vector: 0, interruptible: false },
    after,
  ]);
  assertEquals(sent((cpu) => cpu.sendMessage(3, (DeliveryMode.Startup << 8) + 0x99)), [
    { destination: 3, mode: DeliveryMode.Startup, vector: 0x99, interruptible: false },
    after,
  ]);
});

Deno.test("kicks by NMI name their CPU in xAPIC form too", () => {
  const rig = new SchedulerRig();
  const cpu = rig.kernel.cpus[0]!;
  const written: [number, number][] = [];
  for (const offset of [Apic.ICR, Apic.ICR2]) {
    rig.machine.ports.set(PAGE + offset, {
      write: (value) => void written.push([offset, value]),
      read: () => 0,
    });
  }
  rig.start("sender", function* (): Activity<number> {
    cpu.x2apic = false;
    cpu.nmiMask = 1 << 3;
    yield* cpu.sendPendingIpis();
    cpu.x2apic = true;
    return 0;
  });
  rig.run(1_000_000);
  // SDM, figure "Interrupt Command Register": bits 10:8 100 NMI, bit 14 assert.
  assertEquals(written, [[0x310, 0x0300_0000], [0x300, 0x4400]]);
});

Deno.test("an interrupt of another CPU that comes again is counted, and costs, as it did the first time", () => {
  const rig = new SchedulerRig();
  const cpu = rig.kernel.cpus[0]!, { layerNs } = rig.machine.cpus[0]!;
  const counts = {
    [Vector.Reschedule]: () => cpu.rescheduleInterrupts,
    [Vector.CallFunctionSingle]: () => cpu.callFunctionInterrupts,
    [0xcf]: () => cpu.tlbInterrupts, // INVALIDATE_TLB_VECTOR_START of Linux 3.4
  };
  for (const [vector, count] of Object.entries(counts)) {
    const seen = [1, 2, 3].map(() => {
      const before = { count: count(), ns: layerNs[Layers.HostKernel]! };
      rig.machine.messageSignalled(0, Number(vector));
      rig.run(100_000);
      return { count: count() - before.count, ns: layerNs[Layers.HostKernel]! - before.ns };
    });
    assertEquals(seen.map(({ count }) => count), [1, 1, 1], vector);
    assertEquals(new Set(seen.map(({ ns }) => ns)).size, 1, vector);
  }
});
