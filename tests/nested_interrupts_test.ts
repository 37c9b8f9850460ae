/**
 * Kernels whose device handlers run with interrupts on: an interrupt within a handler neither switches tasks nor runs
 * softirqs on its way out. Both wait for the outermost handler's end.
 *
 * *Document*: Linux 2.6.32 `include/linux/hardirq.h` (`in_interrupt()`), `kernel/softirq.c` (`irq_exit()`),
 * `arch/x86/kernel/entry_64.S` (`retint_kernel`: no preemption while the count is not 0). Found by the soak: a handler was
 * left behind on the stack of a task that had been switched away from.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { work } from "../hw/sim/activity.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { MS, SchedulerRig } from "./scheduler_rig.ts";

const OUTER = 0x51, INNER = 0x61;

/** A long handler, and within it an interrupt that wakes an urgent task and raises a softirq. */
function nested(nestedInterrupts: boolean): string[] {
  const rig = new SchedulerRig({ nestedInterrupts });
  const { kernel } = rig;
  const cpu = kernel.cpus[0]!;
  const events: string[] = [];
  cpu.vectorIrq.set(OUTER, {
    irq: 40,
    name: "outer",
    *handler() {
      yield work("outer handler", Layers.HostKernel, 20_000);
      events.push("outer handler ends");
    },
  });
  const urgent = kernel.createTask("urgent", 1, function* () {
    yield kernel.steps.wakeUp;
    events.push("urgent task runs");
    return 0;
  });
  urgent.policy = "SCHED_FIFO";
  urgent.rtPriority = 50;
  cpu.vectorIrq.set(INNER, {
    irq: 41,
    name: "inner",
    *handler(here) {
      yield kernel.steps.deviceHandler;
      here.softirqs.raise({
        next: () => {
          if (!events.includes("softirq")) events.push("softirq");
          return null;
        },
      });
      kernel.wake(urgent, here);
      events.push("inner handler ends");
    },
  });
  rig.hog("busy");
  rig.run(MS);
  rig.machine.messageSignalled(0, OUTER);
  rig.run(5000);
  rig.machine.messageSignalled(0, INNER);
  rig.run(MS);
  return events;
}

Deno.test("an interrupt within a handler leaves softirqs and the scheduler to the handler's end", () => {
  assertEquals(nested(true), ["inner handler ends", "outer handler ends", "softirq", "urgent task runs"]);
});

Deno.test("where handlers run with interrupts off the interrupt comes behind", () => {
  assertEquals(nested(false), ["outer handler ends", "inner handler ends", "softirq", "urgent task runs"]);
});
