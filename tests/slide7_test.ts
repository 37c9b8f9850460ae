/**
 * Slide 7 and slide 22: one timer period of a busy guest, box by box, out of registers.
 *
 * The expected sequences are the talk's figures. cpu0 is the host, cpu3 runs the vCPU.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { work } from "../hw/sim/activity.ts";
import { Engine } from "../hw/sim/engine.ts";
import { TraceLog } from "../hw/sim/trace.ts";
import { Machine } from "../hw/machine.ts";
import { Pin } from "../hw/vmx.ts";
import { kvmCosts } from "../runtime/kvm/costs.ts";
import type { DirectCapabilities } from "../runtime/kvm/direct.ts";
import { Kvm } from "../runtime/kvm/kvm.ts";
import { kvmRun, setSlaveCpu } from "../runtime/kvm/slave_cpu.ts";
import type { Vcpu } from "../runtime/kvm/vcpu.ts";
import { HrTimer } from "../runtime/linux/hrtimer.ts";
import { Kernel } from "../runtime/linux/kernel.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { kernelCosts, type KernelRelease } from "../runtime/linux/release.ts";
import { Vector } from "../runtime/linux/vectors.ts";
import { flowOf } from "../runtime/measure/flow.ts";
import { flat, FLAT_MACHINE } from "./flat_costs.ts";
import { RFC_V2, STOCK } from "./kvm_rig.ts";

const KERNEL_COSTS = flat(kernelCosts, 200);
const KVM_COSTS = flat(kvmCosts, 300);
const RELEASE: KernelRelease = { release: "3.4.0", hz: 100, noHz: true, realTime: false, clocksource: "tsc" };

/** One timer, armed by a guest that goes on running, up to 100 µs after it has fired. */
function period(capabilities: DirectCapabilities): { vcpu: Vcpu; log: TraceLog; exits: number } {
  const engine = new Engine(1);
  const machine = new Machine(engine, FLAT_MACHINE);
  const host = new Kernel(engine, {
    name: "host",
    release: RELEASE,
    costs: KERNEL_COSTS,
    cpus: 4,
    kernelLayer: Layers.HostKernel,
    taskLayer: Layers.HostTask,
    consoleIrq: { irq: 1, name: "i8042" },
  });
  const kvm = new Kvm(host, machine, KVM_COSTS, capabilities);
  machine.cpus[0]!.start(host.cpus[0]!.prepareStart());
  if (!capabilities.slaveCpu) machine.cpus[3]!.start(host.cpus[3]!.prepareStart());
  engine.runUntil(50_000_000);

  const guest = new Kernel(engine, {
    name: "vm0",
    release: RELEASE,
    costs: KERNEL_COSTS,
    cpus: 1,
    kernelLayer: Layers.GuestKernel,
    taskLayer: Layers.GuestTask,
    consoleIrq: { irq: 11, name: "eth0" },
  });
  const cpu = guest.cpus[0]!;
  const vcpu = kvm.createVm("vm0").createVcpu(cpu.prepareStart());
  const log = new TraceLog();
  let exits = 0;
  const runs = work("guest runs", Layers.GuestTask, 10_000);
  const runsLong = work("guest runs", Layers.GuestTask, 250_000);
  const timer = new HrTimer("one shot", work("timer handler", Layers.GuestKernel, 500), () => {});
  const busy = guest.createTask("busy", 1, function* () {
    cpu.hrtimers.cancel(cpu.tick); // the figure has one timer and no other
    yield work("settle", Layers.GuestTask, 20_000_000);
    const before = vcpu.totalExits;
    engine.trace = log;
    yield runs;
    cpu.hrtimers.start(timer, engine.nowNs + 100_000);
    yield cpu.programTimer();
    yield runsLong;
    engine.trace = null;
    exits = vcpu.totalExits - before;
    yield guest.endlessLoop;
    return 0;
  });
  guest.wake(busy, cpu);
  const home = host.cpus[capabilities.slaveCpu ? 0 : 3]!;
  const thread = host.createTask("CPU 0/KVM", 1 << home.id, function* (task) {
    vcpu.thread = task;
    if (capabilities.slaveCpu) assertEquals(yield* setSlaveCpu(vcpu, 3, home), 0);
    yield* kvmRun(vcpu);
    return 0;
  });
  host.wake(thread, home);
  machine.messageSignalled(home.id, Vector.Reschedule);
  engine.runUntil(200_000_000);
  return { vcpu, log, exits };
}

/** The boxes, host boxes indented. */
function boxes(log: TraceLog): string[] {
  return flowOf(log.records, "cpu3").map(({ lane, kind, text }) =>
    kind === "crossing" ? `--${text}--` : lane === "host" ? `  ${text}` : text
  );
}

Deno.test("stock KVM: a timer period is slide 7's figure, box by box, with three exits", () => {
  const { log, exits } = period(STOCK);
  assertEquals(boxes(log), [
    "guest runs",
    "set APIC timer",
    "--VM exit--",
    "  emulate APIC access",
    "--VM entry--",
    "guest runs",
    "interrupt",
    "--VM exit--",
    "  timer handler",
    "  vIRQ injection",
    "--VM entry--",
    "timer handler",
    "EOI",
    "--VM exit--",
    "  emulate APIC access",
    "--VM entry--",
    "guest runs",
  ]);
  assertEquals(exits, 3);
});

Deno.test("direct local APIC timer: a period is slide 22's figure, box by box, with no exit", () => {
  const { log, exits, vcpu } = period(RFC_V2);
  assertEquals(boxes(log), [
    "guest runs",
    "set APIC timer",
    "guest runs",
    "interrupt",
    "timer handler",
    "direct EOI",
    "guest runs",
  ]);
  assertEquals(exits, 0);
  assertEquals(vcpu.vmcs.pinBased & Pin.ExternalInterruptExiting, 0, "pin-based bit 0 is clear");
});

Deno.test("the exits that each register setting removes: delivery alone leaves the timer's three", () => {
  // Slide 9: without the direct timer the guest's timer interrupt stays a virtual one; here it comes from an
  // online CPU by NMI, so that the exits are arm, NMI, EOI.
  const { exits } = period({ ...RFC_V2, eoi: false, timer: false });
  assertEquals(exits, 3);
});

Deno.test("the same run gives the same trace", () => {
  assertEquals(period(STOCK).log.records, period(STOCK).log.records);
});

Deno.test("every event knows its cause: the injection goes back to the guest's write of the timer", () => {
  const { records } = period(STOCK).log;
  const causes = new Map(records.map(({ event, cause }) => [event, cause]));
  const eventOf = (name: string, text: string) =>
    records.find((record) => record.name === name && JSON.stringify(record.fields).includes(text))!.event;
  const armed = eventOf("kvm_apic", "TMICT");
  const chain: number[] = [];
  for (let event: number | undefined = eventOf("kvm_inj_virq", "239"); event !== undefined;) {
    chain.push(event);
    event = causes.get(event);
  }
  assert(chain.includes(armed), `${armed} is not among ${chain.join(" <- ")}`);
});
