/**
 * A vCPU that spins gives its CPU to one that may hold what it waits for.
 *
 * Expectations: Linux 3.5 `kernel/sched/fair.c` (`pick_next_entity()`: the skipped one's successor and the next buddy go first
 * where they are not ahead of the leftmost by more than `sched_wakeup_granularity`), `kernel/sched/core.c` (`yield_to()`:
 * only between tasks of one class, and the real-time class has no such operation), `virt/kvm/kvm_main.c`
 * (`kvm_vcpu_on_spin()`).
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Activity, PAUSE, work } from "../hw/sim/activity.ts";
import { ExitReason } from "../hw/vmx.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { RunQueue } from "../runtime/linux/sched/runqueue.ts";
import { schedulerDefaults } from "../runtime/linux/sched/sched_tunables.ts";
import { Task } from "../runtime/linux/sched/task.ts";
import { SessionRig } from "./session_rig.ts";

const MS = 1_000_000;

/** A queue of tasks at these virtual run times, the wake-up granularity 3 ms. */
function queueOf(...vruntimes: number[]) {
  const queue = new RunQueue(schedulerDefaults(4));
  const tasks = vruntimes.map((vruntimeNs, i) => {
    const task = new Task(100 + i, `t${i}`, 0, 1, (function* () {})());
    task.vruntimeNs = vruntimeNs;
    queue.enqueue(task, "as it is");
    return task;
  });
  return { queue, tasks, granularity: queue.tunables.wakeupGranularityNs };
}

Deno.test("the next buddy goes before the leftmost where it is not ahead by more than the granularity, once", () => {
  const { queue, tasks: [first, second, third], granularity } = queueOf(0, 1 * MS, 100 * MS);
  assert(granularity > 1 * MS && granularity < 100 * MS);
  queue.next = second!;
  assertEquals(queue.take(), second);
  assertEquals(queue.next, null);
  queue.next = third!;
  assertEquals(queue.take(), first, "too far ahead");
  assertEquals(queue.next, third, "it stays the next one");
  assertEquals(queue.take(), third);
});

Deno.test("who has given way is passed over where its successor is not ahead by more than the granularity", () => {
  const near = queueOf(0, 1 * MS);
  near.queue.skip = near.tasks[0]!;
  assertEquals(near.queue.take(), near.tasks[1]);
  assertEquals(near.queue.take(), near.tasks[0]);
  const far = queueOf(0, 100 * MS);
  far.queue.skip = far.tasks[0]!;
  assertEquals(far.queue.take(), far.tasks[0]);
  assertEquals(far.queue.skip, null);
});

Deno.test("a task that leaves the queue is nobody's buddy any more", () => {
  const { queue, tasks: [first, second] } = queueOf(0, 1 * MS);
  queue.next = second!;
  queue.remove(second!);
  assertEquals(queue.next, null);
  assertEquals(queue.take(), first);
});

/** A guest of `vcpus` on one CPU of the host: the first spins, or computes; the others compute. */
function sharing(vcpus: number, spins: boolean, before = "") {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`qemu-kvm -m 512 -smp ${vcpus} -cpu qemu64,+x2apic -nographic -no-kvm-pit; ssh vm0 true${before}`);
  const { lab } = rig;
  const { kernel, machine } = lab.guests.get("vm0")!;
  const turn = work("turn", Layers.GuestTask, spins ? 4 : 1000);
  for (const cpu of kernel.cpus) {
    const task = kernel.createTask(`busy${cpu.id}`, 1 << cpu.id, function* (): Activity<number> {
      for (;;) {
        if (spins && cpu.id === 0) yield PAUSE;
        yield cpu.id === 0 ? turn : kernel.endlessLoop;
      }
    });
    lab.type(kernel, (from) => kernel.wake(task, from));
  }
  const host = lab.host.cpus[3]!;
  rig.ok("run 20ms > /dev/null");
  return { rig, host, vm: machine.file.vm, machine };
}

/** Context switches of the host's CPU, and exits for PAUSE, in 100 ms. */
function watched({ rig, host, vm }: ReturnType<typeof sharing>) {
  const pauses = () => vm.vcpus[0]!.exits[40]!;
  const before = [host.contextSwitches, pauses()];
  rig.ok("run 100ms > /dev/null");
  return { switches: host.contextSwitches - before[0]!, pauses: pauses() - before[1]! };
}

Deno.test("a spinning vCPU gives way at each exit for PAUSE, as far as fairness lets the other one run ahead", () => {
  const computing = watched(sharing(2, false)), spinning = watched(sharing(2, true));
  assertEquals(computing.pauses, 0);
  assert(computing.switches < 50, `${computing.switches} switches`);
  assert(spinning.pauses > 10 && spinning.switches > computing.switches, JSON.stringify(spinning));
});

Deno.test("as real-time tasks the vCPUs' threads give way to nobody", () => {
  const guest = sharing(
    2,
    true,
    "\nfor tid in $(ps -eLo tid,comm | awk '$2 ~ /qemu/ { print $1 }'); do chrt -f -p 10 $tid; done",
  );
  const { switches } = watched(guest);
  assert(switches < 50, `${switches} switches`);
});

Deno.test("of several that wait for a CPU each gets its turn", () => {
  const { rig, vm } = sharing(3, true);
  const boosted = new Set<number>();
  for (let i = 0; i < 200; i++) {
    rig.lab.engine.runUntil(rig.lab.engine.nowNs + MS / 2);
    boosted.add(vm.lastBoosted);
  }
  assertEquals([...boosted].filter((id) => id > 0).sort(), [1, 2]);
});

Deno.test("a guest's kernel that waits for a shoot-down spins by PAUSE: many exits where the other vCPU has lost its CPU, at most one where each has its own", () => {
  const pauses = (system: string, setUp: string) => {
    const rig = new SessionRig({ system });
    rig.ok(setUp);
    rig.ok("ssh vm0 sysbench --test=cpu --num-threads=6 --cpu-max-prime=2000 run > /dev/null");
    const shootdowns = rig.ok("ssh vm0 grep TLB /proc/interrupts").match(/\d+/g)!.reduce(
      (a, b) => a + Number(b),
      0,
    );
    assert(shootdowns > 0, system);
    const { vcpus } = rig.lab.guests.get("vm0")!.machine.file.vm;
    return vcpus.reduce((sum, { exits }) => sum + exits[ExitReason.Pause]!, 0) / shootdowns;
  };
  const onOne = pauses(
    "kvm",
    "qemu-kvm -m 1024 -smp 2 -cpu qemu64,+x2apic -no-kvm-pit -nographic; ssh vm0 true",
  );
  assert(onOne > 10, `${onOne} for each shoot-down on one CPU`);
  const onTwo = pauses("talk", ". ./smp_guest.rtk");
  assert(onTwo <= 1, `${onTwo} for each shoot-down on two slave CPUs`);
});
