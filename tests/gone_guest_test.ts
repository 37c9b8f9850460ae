/**
 * What a guest leaves behind in the state when it has ended, or begins anew: nothing of its own.
 */
import { assertEquals } from "@std/assert";
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
