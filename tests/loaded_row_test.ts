/**
 * A row of slide 26 runs in long strides, where nothing is due in between: interrupts pass from their message to behind
 * their handler's own work in one go. Stepped and traced runs take every step for itself. All three are the same run.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const LOOPS = 1500;

/** The row's set-up and traffic, up to where cyclictest starts. */
const TRAFFIC = `. ./talk_setup.rtk
for irq in $(grep kvm: /proc/interrupts | cut -d: -f1); do echo 8 > /proc/irq/$irq/smp_affinity; done
ssh vm0 iperf -s > /dev/null &
sleep 0.01
ssh peer iperf -c vm0 -t 10 > /dev/null &
sleep 0.1`;

/** How a run gets on. */
type Way = "free" | "stepped" | "traced";

/** Runs the row to the end of cyclictest, and what is to be seen then. */
function end(system: string, kernel: string, way: Way) {
  const rig = new SessionRig({ system, kernel });
  rig.ok(TRAFFIC);
  rig.start(`ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l ${LOOPS} -h 30000 > /dev/null`);
  const { engine, machine } = rig.lab;
  const untilNs = engine.nowNs + (LOOPS + 50) * 1_000_000;
  let records = 0;
  if (way === "traced") engine.trace = { record: () => void records++ };
  if (way === "stepped") { while (engine.nextNs <= untilNs) engine.step(); }
  else while (engine.run(untilNs)) { /* stopped for the shell, which has nothing to do */ }
  engine.trace = null;
  assertEquals(records > 0, way === "traced");
  assertEquals(rig.histogram.count, LOOPS);
  const layers = machine.cpus.map((cpu) => {
    cpu.settleTime();
    return [...cpu.layerNs];
  });
  const interrupts = rig.ok("ssh vm0 cat /proc/interrupts; cat /proc/interrupts");
  const { hash, exits } = rig.result;
  return {
    hash,
    exits,
    layers,
    interrupts,
    event: engine.event,
    nowNs: engine.nowNs,
    state: engine.stateHash(),
  };
}

/** The most interrupts that a receive queue has had, in a text like that of /proc/interrupts. */
function cardInterrupts(text: string): number {
  const queues = text.split("\n").filter((line) => line.includes("-TxRx-"));
  return Math.max(
    ...queues.map((line) => (line.match(/ \d+(?= )/g) ?? []).reduce((sum, n) => sum + Number(n), 0)),
  );
}

for (const kernel of ["linux-3.4.0", "linux-3.4.4-rt14"]) {
  for (const system of ["rfc-v2", "kvm", "bare-metal"]) {
    Deno.test(`${system}, ${kernel}, under iperf: free, stepped and traced, a run ends in the same state`, () => {
      const free = end(system, kernel, "free");
      // The card's throttling lets 8,000 interrupts a second through: eight in each of cyclictest's periods.
      assert(cardInterrupts(free.interrupts) > 7.9 * LOOPS, free.interrupts);
      assertEquals(end(system, kernel, "stepped"), free);
      assertEquals(end(system, kernel, "traced"), free);
    });
  }
}
