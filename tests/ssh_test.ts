/**
 * ssh: the status of the remote command, or 255 for what is wrong with the connection.
 *
 * Expected values: ssh(1) "EXIT STATUS", OpenSSH's messages.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const bareMetal = () => new SessionRig({ system: "bare-metal" });

Deno.test("ssh ends with the status of the remote command", () => {
  const rig = bareMetal();
  assertEquals(rig.run("ssh vm0 'exit 7'").status, 7);
  assertEquals(rig.run("ssh vm0 false || echo $?").out, "1\n");
  assertEquals(rig.run("ssh vm0 nosuch").status, 127);
  assertEquals(rig.ok("ssh peer nproc; ssh host nproc"), "1\n4\n");
});

Deno.test("what is wrong with the connection is 255, with ssh's own message", () => {
  const rig = bareMetal();
  for (
    const [command, err] of [
      ["ssh nosuch true", "ssh: Could not resolve hostname nosuch: Name or service not known\n"],
      ["ssh root@nosuch true", "ssh: Could not resolve hostname nosuch: Name or service not known\n"],
      ["ssh -p 2222 vm0 true", "ssh: connect to host vm0 port 2222: Connection refused\n"],
      ["ssh vm0", "ssh: a command is needed: there is no terminal to log in on\n"],
      [
        "ssh -Z vm0 true",
        "unknown option -- Z\nusage: ssh [-nqTtv] [-l USER] [-o OPTION=VALUE] [-p PORT] [USER@]MACHINE [COMMAND…]\n",
      ],
    ] as const
  ) assertEquals(rig.run(command), { status: 255, out: "", err }, command);
});

Deno.test("options of the login are taken, and a user before the machine", () => {
  assertEquals(bareMetal().ok("ssh -q -t -o StrictHostKeyChecking=no -l root root@vm0 echo a"), "a\n");
});

Deno.test("without a command ssh runs what standard input says", () => {
  const rig = bareMetal();
  assertEquals(rig.ok("ssh -T vm0 <<END\nx=2\necho \\$x\nEND"), "2\n");
  assertEquals(rig.run("echo 'exit 3' | ssh vm0"), {
    status: 3,
    out: "",
    err: "Pseudo-terminal will not be allocated because stdin is not a terminal.\n",
  });
});

Deno.test("a remote command that does not parse fails with 2, and the script goes on", () => {
  const { status, out, err } = bareMetal().run("ssh vm0 'fi'; echo $?");
  assertEquals([status, out], [0, "2\n"]);
  assertStringIncludes(err, "bash: -c: line 1: syntax error near unexpected token `fi'");
});

Deno.test("a guest that ends takes its commands with it: 255, and nothing hangs", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok("qemu-kvm -m 512 -enable-kvm; ssh vm0 true");
  for (const command of ["sleep 100", "'while true; do sleep 1; done'", "'sleep 100 | cat; echo no'"]) {
    const { out, err } = rig.run(
      `ssh vm0 ${command} & sleep 0.5; kill $(ps -C qemu-kvm -o pid= | head -n 1); wait $!; echo $?; qemu-kvm -m 512 -enable-kvm`,
    );
    assertEquals(out, "255\n", command);
    assertEquals(
      err.replace(/^(note|qemu): .*\n/gm, ""),
      "Connection to vm0 closed by remote host.\n",
      command,
    );
  }
});
