/**
 * What a guest leaves behind in the state when it has ended, or begins anew: nothing of its own.
 */
import { assertEquals, assertNotEquals } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const QEMU = "-m 1024 -enable-kvm -nographic -serial pty";

const parts = ({ lab }: SessionRig) => [...lab.engine.partHashes().keys()];

Deno.test("when a guest has ended, no part of it is in the state any more", () => {
  const rig = new SessionRig({ system: "kvm" });
  const before = parts(rig);
  rig.ok(`qemu-kvm ${QEMU}; ssh vm0 true`);
  const running = parts(rig);
  assertEquals(running.slice(0, before.length), before);
  assertEquals(running.filter((name) => name.startsWith("kernel ")), ["kernel host", "kernel vm0"]);
  const [pid] = rig.lab.guests.get("vm0")!.machine.pids;
  rig.ok(`kill ${pid}; sleep 1`);
  assertEquals(rig.lab.guests.size, 0);
  assertEquals(parts(rig), before);
  rig.ok(`qemu-kvm ${QEMU}; ssh vm0 true`);
  assertEquals(parts(rig), running, "the next one has as many");
});

Deno.test("a guest that begins anew has one kernel in the state, and its machine's parts as before", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`qemu-kvm ${QEMU}; ssh vm0 true`);
  const before = parts(rig).sort();
  rig.ok("monitor vm0 system_reset; sleep 1; ssh vm0 true");
  assertEquals(parts(rig).sort(), before);
});

/** What a laboratory keeps beside time: parts of its state, alarms, random streams, tasks, interrupt messages' places. */
function kept({ lab }: SessionRig) {
  const { engine, host } = lab;
  return {
    parts: [...engine.partHashes().keys()],
    alarms: engine.alarms,
    streams: [...engine.random.streams()].map(({ name }) => name),
    tasks: host.tasks.size,
  };
}

Deno.test("200 guests booted and killed one after the other: the laboratory keeps nothing of them", () => {
  const rig = new SessionRig({ system: "kvm" });
  const life = (name: string) => {
    rig.ok(`qemu-kvm ${QEMU} -name ${name}; ssh ${name} true`);
    const [pid] = rig.lab.guests.get(name)!.machine.pids;
    rig.ok(`kill ${pid}; sleep 1`);
  };
  const before = kept(rig);
  life("first"); // of interrupt messages as many are made as have been on their way at a time
  const { alarms } = kept(rig);
  for (let i = 0; i < 200; i++) life(i % 2 === 0 ? "vm0" : `guest${i}`);
  assertEquals(kept(rig), { ...before, alarms });
});

Deno.test("back across the end of a guest, and forward again: the same states", () => {
  const rig = new SessionRig({ system: "kvm" });
  const state = () => ({ event: rig.session.now.event, hash: rig.lab.engine.stateHash() });
  rig.ok(`qemu-kvm ${QEMU}; ssh vm0 true; run 1ms`);
  const first = state();
  rig.ok("run 10ms"); // a command that is given at an event is part of what follows from it
  rig.ok(`kill ${rig.lab.guests.get("vm0")!.machine.pids[0]}`);
  rig.ok(`sleep 1; qemu-kvm ${QEMU}; ssh vm0 true`);
  const second = state();
  rig.ok(`goto ${first.event}`);
  assertEquals(state(), first);
  rig.ok(`goto ${second.event}`);
  assertEquals(state(), second);
});

Deno.test("what a guest of the same name meets after the first has gone is not the same once more", () => {
  const rig = new SessionRig({ system: "kvm" });
  const latencies = () => {
    rig.ok(`qemu-kvm ${QEMU}; ssh vm0 cyclictest -q -p 99 -n -l 2000`);
    const { sumNs } = rig.histogram;
    const [pid] = rig.lab.guests.get("vm0")!.machine.pids;
    rig.ok(`kill ${pid}; sleep 1`);
    return sumNs;
  };
  assertNotEquals(latencies(), latencies());
});

Deno.test("a machine that could not be made leaves no part of it in the state", () => {
  const rig = new SessionRig({ system: "kvm" });
  const make = () => rig.run(`qemu-kvm ${QEMU} -device pci-assign,host=05:00.0`).status;
  assertEquals(make(), 1); // ixgbevf has the device
  const before = kept(rig);
  for (let i = 0; i < 3; i++) assertEquals(make(), 1);
  assertEquals(kept(rig), before);
});

Deno.test("QEMU killed while it starts, at whatever instant, leaves nothing in the state", () => {
  const rig = new SessionRig({ system: "kvm" });
  const start = (us: number) => {
    rig.run(`qemu-kvm ${QEMU} & sleep 0.${String(us).padStart(6, "0")}; kill -9 $!; sleep 1`);
    for (const { machine: { pids } } of rig.lab.guests.values()) rig.ok(`kill -9 ${pids[0]}; sleep 1`);
  };
  start(500_000);
  const before = kept(rig);
  for (let us = 10; us < 100_000; us = Math.ceil(us * 1.3)) {
    start(us);
    assertEquals(rig.lab.guests.size, 0, `${us} us`);
    assertEquals(kept(rig), before, `${us} us`);
  }
});

Deno.test("ssh to a guest that is stopped takes an alarm for as long as it waits", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`qemu-kvm ${QEMU}; ssh vm0 true; monitor vm0 stop`);
  const { alarms } = kept(rig);
  for (let i = 0; i < 5; i++) assertEquals(rig.run("ssh vm0 true").status, 255);
  assertEquals(kept(rig).alarms, alarms);
});

Deno.test("a pressed power button is part of the state until the guest has taken note", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`qemu-kvm ${QEMU}; ssh vm0 true; monitor vm0 stop`);
  const part = () => rig.lab.engine.partHashes().get("vm0 ACPI");
  const before = part();
  rig.ok("monitor vm0 system_powerdown");
  assertNotEquals(part(), before);
  rig.ok("monitor vm0 system_reset");
  assertEquals(part(), before);
});
