/**
 * QMP on standard input and output: what a program reads there. Expected objects were captured from QEMU 7.2.22.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { jsonText } from "../runtime/qemu/qmp.ts";
import { SessionRig } from "./session_rig.ts";

const CAPABILITIES = '{"execute": "qmp_capabilities"}';

/** What a client of a stopped machine reads behind the greeting, for the lines that it writes. */
function answers(...lines: string[]): string[] {
  return talk("-S", lines).slice(1);
}

function talk(options: string, lines: readonly string[]): string[] {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok("boot kvm --era today");
  return rig.ok(
    `qemu-system-x86_64 -accel kvm -name guest=vm0 -qmp stdio ${options} <<'END'\n${lines.join("\n")}\nEND`,
  )
    .trimEnd().split("\n");
}

Deno.test("the greeting names the release", () => {
  assertEquals(talk("", [CAPABILITIES]), [
    '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, ' +
    '"package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}',
    '{"return": {}}',
  ]);
});

Deno.test("nothing is done before the capabilities are negotiated", () => {
  assertEquals(answers('{"execute": "query-status"}', CAPABILITIES, '{"execute": "query-status", "id": 7}'), [
    '{"error": {"class": "CommandNotFound", "desc": "Expecting capabilities negotiation with ' +
    "'qmp_capabilities'\"}}",
    '{"return": {}}',
    '{"return": {"status": "prelaunch", "singlestep": false, "running": false}, "id": 7}',
  ]);
});

/** Lines after the negotiation, and their answers. */
const ANSWERS: readonly (readonly [line: string, answer: string])[] = [
  ['{"execute": "query-kvm"}', '{"return": {"enabled": true, "present": true}}'],
  ['{"execute": "query-name"}', '{"return": {"name": "vm0"}}'],
  [
    '{"execute": "query-cpus"}',
    '{"error": {"class": "CommandNotFound", "desc": "The command query-cpus has not been found"}}',
  ],
  [
    '{"execute": "device_add", "arguments": {"driver": "nosuch"}}',
    '{"error": {"class": "GenericError", "desc": "\'nosuch\' is not a valid device model name"}}',
  ],
  [
    '{"execute": "device_del", "arguments": {"id": "zz"}}',
    '{"error": {"class": "DeviceNotFound", "desc": "Device \'zz\' not found"}}',
  ],
  ["not json", '{"error": {"class": "GenericError", "desc": "JSON parse error, invalid keyword \'not\'"}}'],
  [
    '{"execute": "device_del"}',
    '{"error": {"class": "GenericError", "desc": "Parameter \'id\' is missing"}}',
  ],
  [
    '{"execute": "stop", "arguments": {"x": 1}}',
    '{"error": {"class": "GenericError", "desc": "Parameter \'x\' is unexpected"}}',
  ],
  ["[1]", '{"error": {"class": "GenericError", "desc": "QMP input must be a JSON object"}}'],
  ["{}", '{"error": {"class": "GenericError", "desc": "QMP input lacks member \'execute\'"}}'],
  [
    '{"execute": "human-monitor-command", "arguments": {"command-line": "info status"}}',
    '{"return": "VM status: paused (prelaunch)\\r\\n"}',
  ],
];

Deno.test("answers and errors, word for word", () => {
  assertEquals(
    answers(CAPABILITIES, ...ANSWERS.map(([line]) => line)).slice(1),
    ANSWERS.map(([, answer]) => answer),
  );
});

Deno.test("query-cpus-fast has the threads", () => {
  const [, cpus] = answers(CAPABILITIES, '{"execute": "query-cpus-fast"}');
  assertMatch(
    cpus!,
    /^{"return": \[{"thread-id": \d+, "props": {.*}, "qom-path": ".*", "cpu-index": 0, "target": "x86_64"}\]}$/,
  );
});

Deno.test("events come with their time, before the return of the command that caused them", () => {
  const stamp = '{"timestamp": {"seconds": N, "microseconds": N}, "event": ';
  const commands = ["cont", "stop", "system_reset", "quit"];
  const lines = answers(CAPABILITIES, ...commands.map((execute) => jsonText({ execute }))).slice(1);
  assertEquals(lines.map((line) => line.replace(/("(?:micro)?seconds": )\d+/g, "$1N")), [
    `${stamp}"RESUME"}`,
    '{"return": {}}',
    `${stamp}"STOP"}`,
    '{"return": {}}',
    `${stamp}"RESET", "data": {"guest": false, "reason": "host-qmp-system-reset"}}`,
    '{"return": {}}',
    `${stamp}"SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}`,
    '{"return": {}}',
  ]);
});

Deno.test("QMP of 1.1 is refused by name", () => {
  const rig = new SessionRig({ system: "kvm" });
  assertEquals(rig.run("qemu-kvm -qmp stdio </dev/null"), {
    status: 1,
    out: "",
    err:
      "qemu-kvm: -qmp stdio: QMP is modelled on stdio, since 7.2, and on a socket that nobody connects to\n",
  });
});
