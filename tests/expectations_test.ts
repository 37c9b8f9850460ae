/**
 * Assertions about a laboratory, the documents that bring a failure back, and commands of a program's own.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { assertTranscript, ExpectationFailure, expectLatency, expectNoExit, Lab } from "@rtkvm/rtkvm";
import { main } from "../dsl/cli.ts";
import { isTrue, play } from "../dsl/documents/play.ts";
import { report } from "../dsl/documents/verify.ts";
import { FakeHost } from "./session_rig.ts";

/** A guest on its dedicated CPU, with the network card's virtual function. */
const setup = `
  # slide 30
  echo 8086 10ed > /sys/bus/pci/drivers/pci-stub/new_id
  echo 0000:05:00.0 > /sys/bus/pci/drivers/ixgbevf/unbind
  echo 0 > /sys/devices/system/cpu/cpu3/online
  qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic -device pci-assign,host=05:00.0
  ssh vm0 true
`;

/** The failure's document says what rtkvm prints: the way \`rtkvm verify\` goes. Answers the document's last lines. */
async function replayed({ message, transcript }: ExpectationFailure): Promise<string> {
  assert(transcript !== "" && message.endsWith(transcript.trimEnd()), message);
  let blocks = 0;
  for await (const played of play(transcript, new FakeHost({}), main)) {
    assert(isTrue(played), report("failure.md", played));
    blocks++;
  }
  assertEquals(blocks, 1);
  return transcript.split("\n").slice(-4).join("\n");
}

// Scenario A9.
Deno.test("EOI does not exit: an interrupt of the assigned device costs the guest no exit", async () => {
  await using lab = await Lab.boot({ system: "rfc-v2", seed: 1 });
  await lab.sh`${setup}`;
  const { total } = lab.stats.exits;
  await expectNoExit(lab, () => lab.sh`irq vf0; step interrupt`);
  assertEquals(lab.stats.exits.total, total);
});

Deno.test("the same without direct EOI fails, and its message brings the failure back", async () => {
  await using lab = await Lab.boot({ system: "rfc-v1", seed: 1 });
  await lab.sh`${setup}`;
  const before = lab.stats.exits.total;
  const failure = await assertRejects(
    () => expectNoExit(lab, () => lab.sh`irq vf0; step interrupt`),
    ExpectationFailure,
    "Expected no VM exit of vm0, and there was 1 MSR_WRITE, up to event",
  );
  assertStringIncludes(failure.message, "$ rtkvm run failure.rtk --era 2012 --system rfc-v1 --seed 1\n");
  assertStringIncludes(
    await replayed(failure),
    `expect: exits.total == ${before}: exits.total is ${before + 1}, expected == ${before}\n`,
  );
});

Deno.test("a thousand laboratories with one script and seed have one hash", async () => {
  const hashes = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    await using lab = await Lab.boot({ system: "rfc-v2", seed: 1 });
    if (i % 100 === 0) await lab.sh`echo 0 > /sys/devices/system/cpu/cpu3/online`;
    else await lab.run("echo 0 > /sys/devices/system/cpu/cpu3/online");
    hashes.add(lab.stateHash);
  }
  assertEquals(hashes.size, 1);
});

Deno.test("a latency beyond its bound is reported with its value, and brought back", async () => {
  await using lab = await Lab.boot({ system: "kvm", kernel: "linux-3.4.4-rt14", seed: 5 });
  assertThrows(() => expectLatency(lab, { maxUs: 1 }), ExpectationFailure, "cyclictest.max is n/a");
  await lab.sh`${setup}`;
  await lab.sh`ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l ${200}`;
  const { maxUs, minUs } = lab.results[0]!;
  expectLatency(lab, { minUs: minUs! + 1, maxUs: maxUs! + 1 });
  expectLatency(lab, {});
  const failure = assertThrows(
    () => expectLatency(lab, { meanUs: 1000, maxUs: maxUs! - 1 }),
    ExpectationFailure,
  );
  assertStringIncludes(failure.message, `cyclictest.max is ${maxUs}.`);
  assertStringIncludes(failure.message, "--kernel linux-3.4.4-rt14 --seed 5");
  assertStringIncludes(await replayed(failure), `expected <= ${maxUs! - 1} us`);
});

Deno.test("steps and conditions of the program are part of what brings a failure back", async () => {
  await using lab = await Lab.boot({ system: "kvm" });
  await lab.sh`qemu-kvm -m 1024 -enable-kvm -nographic`;
  lab.until(({ stats }) => stats.exits.total >= 7);
  lab.step(3);
  const { event } = lab;
  const failure = await assertRejects(() => expectNoExit(lab, () => lab.sh`run 10ms`), ExpectationFailure);
  assertStringIncludes(
    failure.transcript,
    `run until event >= ${event - 3} > /dev/null\nstep 3 event > /dev/null\n`,
  );
  assertStringIncludes(await replayed(failure), "expected == 7");
});

Deno.test("profiles and strictness are part of it too", async () => {
  const text =
    'hw: { processor: { vm_exit: { value: 500, unit: ns, kind: assumed, source: "a slow one" } } }\n';
  await using lab = await Lab.boot({ system: "kvm", strict: true, profiles: [{ file: "mine.yaml", text }] });
  await lab.sh`qemu-kvm -m 1024 -enable-kvm -nographic`;
  const failure = await assertRejects(
    () => expectNoExit(lab, () => lab.sh`ssh vm0 true`),
    ExpectationFailure,
  );
  assertStringIncludes(failure.transcript, "--strict --profile profile1.yaml");
  await replayed(failure);
});

Deno.test("a transcript is compared as a whole, or with gaps; the message shows the difference", async () => {
  await using lab = await Lab.boot({ system: "rfc-v2" });
  await lab.sh`
    echo 0 > /sys/devices/system/cpu/cpu3/online
    for i in 1 2; do
      echo $i
    done
    cat /sys/devices/system/cpu/online`;
  assertTranscript(
    lab,
    `\`\`\`console
# echo 0 > /sys/devices/system/cpu/cpu3/online
# for i in 1 2; do
>       echo $i
>     done
1
2
# cat /sys/devices/system/cpu/online
0-2
\`\`\``,
  );
  assertTranscript(lab, "...\n# cat /sys/devices/system/cpu/online\n0-2");
  const failure = assertThrows(
    () => assertTranscript(lab, "...\n# cat /sys/devices/system/cpu/online\n0-3"),
    ExpectationFailure,
    "\n  - 0-3\n  + 0-2\n",
  );
  await replayed(failure);
});

Deno.test("where what was given cannot be one script, the message says that nothing brings it back", async () => {
  await using lab = await Lab.boot({ system: "kvm" });
  await lab.sh`qemu-kvm -m 1024 -enable-kvm -nographic; exit 0`;
  const { transcript, message } = await assertRejects(
    () => expectNoExit(lab, () => lab.sh`ssh vm0 true`),
    ExpectationFailure,
  );
  assertEquals(transcript, "");
  assertStringIncludes(message, "No document brings it back");
});

/** Counts exits of a period that the caller names, in µs. */
const exitsWithin = {
  summary: "VM exits of vm0 within so many us",
  *run(
    { args, lab, out }: {
      args: readonly string[];
      lab: Lab | { stats: Lab["stats"] };
      out(text: string): void;
    },
  ) {
    const before = lab.stats.exits.total;
    yield 1000 * Number(args[0]);
    out(`${lab.stats.exits.total - before}\n`);
  },
};

Deno.test("a command of the program's own takes arguments, lets time go on and writes; others do not have it", async () => {
  await using lab = await Lab.boot({
    system: "kvm",
    commands: {
      "exits-within": exitsWithin,
      fails: { summary: "fails", run: ({ args, err }) => (err(`fails: ${args.join("|")}\n`), 4) },
    },
  });
  await using other = await Lab.boot({ system: "kvm" });
  await lab.sh`qemu-kvm -m 1024 -enable-kvm -nographic; ssh vm0 true`;
  const before = { timeNs: lab.timeNs, exits: lab.stats.exits.total };
  const [count] = await lab.sh`n=$(exits-within 20000); echo $((n))`.lines();
  assertEquals(Number(count), lab.stats.exits.total - before.exits);
  assert(Number(count) > 0 && lab.timeNs >= before.timeNs + 20_000_000);
  assertEquals(await lab.sh`fails "a b" c || echo $?`.nothrow(), {
    status: 0,
    stdout: "4\n",
    stderr: "fails: a b|c\n",
  });
  assertStringIncludes(await lab.sh`help`.text(), "exits-within");
  assertEquals(await lab.sh`help fails`.text(), "fails - fails\n");
  assertEquals((await other.sh`exits-within 1`.nothrow()).status, 127);
  const { message } = await assertRejects(
    () => expectNoExit(lab, () => lab.sh`ssh vm0 true`),
    ExpectationFailure,
  );
  assertStringIncludes(message, "commands of the program's own were used");
});

Deno.test("a command of the program's own is run again where the run is", async () => {
  await using lab = await Lab.boot({
    system: "bare-metal",
    commands: {
      pause: {
        summary: "lets a millisecond pass",
        *run() {
          yield 1_000_000;
        },
      },
    },
  });
  await lab.sh`run 1ms; pause; bookmark here; run 2ms`;
  const { stateHash } = lab;
  await lab.sh`goto here`;
  await lab.sh`run 2ms`;
  assertEquals(lab.stateHash, stateHash);
});

Deno.test("a command cannot have a name that is taken, or none", async () => {
  const run = () => {};
  for (const name of ["cat", "step", "cd", "a b", ""]) {
    await assertRejects(
      () => Lab.boot({ commands: { [name]: { summary: "x", run } } }),
      RangeError,
      "Cannot add",
    );
  }
});
