/**
 * The laboratory's words: what each does, what it refuses, and that looking changes nothing.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseCondition } from "../dsl/session/condition.ts";
import { durationText, parseDuration } from "../dsl/session/duration.ts";
import { Session } from "../dsl/session/session.ts";
import { laboratoryWords } from "../dsl/words/index.ts";
import { Context, RegisterFile } from "../hw/register_file.ts";
import { LocalApic } from "../hw/lapic.ts";
import { MsrBitmap, Pin, Vmcs } from "../hw/vmx.ts";
import type { Lab } from "../runtime/lab/lab.ts";
import { systemNamed } from "../runtime/lab/systems.ts";
import { exitTableLines } from "../runtime/lab/views/exits.ts";
import { lapicLines } from "../runtime/qemu/info_lapic.ts";
import { vmcsLines } from "../runtime/lab/views/vmcs.ts";

/** A prompt whose output is kept. */
class Prompt {
  readonly session: Session;
  text = "";

  constructor(system = "bare-metal", seed = 1) {
    this.session = new Session({
      io: { out: (text) => void (this.text += text), err: (text) => void (this.text += text) },
      system: systemNamed(system)!,
      seed,
      interactive: true,
      words: laboratoryWords,
    });
  }

  /** Runs a line: what it printed, and `[status]` where that is not 0. */
  type(line: string): string {
    this.text = "";
    const status = this.session.runLine(line, () => {});
    return this.text + (status === 0 ? "" : `[${status}]`);
  }
}

Deno.test("boot says what it has booted, and keeps what is not said", () => {
  const prompt = new Prompt();
  assertEquals(prompt.type("boot kvm --seed 7"), "system kvm, kernel linux-3.4.0, seed 7\n");
  assertEquals(
    prompt.type("boot rfc-v2 --kernel=linux-3.4.4-rt14"),
    "system rfc-v2, kernel linux-3.4.4-rt14, seed 7\n",
  );
  assertEquals(prompt.session.lab.engine.nowNs, 100_000_000);
});

Deno.test("boot of an unknown name says which one was meant, and leaves the machine as it is", () => {
  const prompt = new Prompt();
  const { lab } = prompt.session;
  assertEquals(prompt.type("boot kvn"), 'rtkvm: boot: unknown system "kvn": did you mean kvm?\n[2]');
  assertStringIncludes(prompt.type("boot --kernel linux-3.4.1"), "did you mean linux-3.4.0?");
  assertStringIncludes(prompt.type("boot --sed 2"), "did you mean --seed?");
  assertStringIncludes(prompt.type("boot --seed 1.5"), "expected an integer");
  assertStringIncludes(prompt.type("boot --mutant M"), "did you mean M1?");
  assertStringIncludes(prompt.type("boot --mutant M15"), "did you mean M1?");
  assert(prompt.session.lab === lab);
});

Deno.test("boot ends background jobs: nobody waits for tasks of a machine that is gone", () => {
  const prompt = new Prompt();
  prompt.type("while :; do :; done & sleep 1000 &");
  prompt.type("boot");
  assertEquals(prompt.type("wait; echo over"), "over\n");
});

Deno.test("boot belongs to the session's own shell", () => {
  const prompt = new Prompt();
  for (const line of ["(boot kvm)", "boot kvm | cat", "ssh vm0 boot kvm"]) {
    assertStringIncludes(prompt.type(line), "only in the session's own shell");
  }
  assertEquals(prompt.session.lab.options.system.name, "bare-metal");
});

Deno.test("variables and results outlive the machine", () => {
  const prompt = new Prompt();
  prompt.type("a=1; cyclictest -n -q -l 10; boot --seed 2");
  assertEquals(prompt.type("echo $a"), "1\n");
  assertEquals(prompt.session.results.length, 1);
});

Deno.test("words cost no time; step advances by one event and run by a duration", () => {
  const prompt = new Prompt();
  const { engine } = prompt.session.lab;
  const before = { nowNs: engine.nowNs, event: engine.event };
  for (const line of ["show cpu", "show lapic 3", "show events", "show tasks", "help", "slide 25"]) {
    prompt.type(line);
    assertEquals({ nowNs: engine.nowNs, event: engine.event }, before, line);
  }
  prompt.type("step");
  assertEquals(engine.event, before.event + 1);
  prompt.type("step 10 event");
  assertEquals(engine.event, before.event + 11);
  const { nowNs } = engine;
  prompt.type("run 2.5ms");
  assertEquals(engine.nowNs, nowNs + 2_500_000);
});

Deno.test("looking changes nothing: the state hash is the same with and without show", () => {
  const hashes = [true, false].map((looks) => {
    const prompt = new Prompt();
    for (const line of ["while :; do :; done &", "run 3ms", "cyclictest -n -q -l 20 &", "run 7ms"]) {
      prompt.type(line);
      if (looks) { for (const what of ["cpu", "lapic", "events", "tasks"]) prompt.type(`show ${what}`); }
    }
    return prompt.session.lab.engine.stateHash();
  });
  assertEquals(hashes[0], hashes[1]);
});

Deno.test("stepping leads to the state that running leads to", () => {
  const stepped = new Prompt(), ran = new Prompt();
  stepped.type("step 500");
  // Several events share an instant: both go on to the same later one.
  const nowNs = stepped.session.lab.engine.nowNs + 1_000_000;
  stepped.session.lab.engine.runUntil(nowNs);
  ran.session.lab.engine.runUntil(nowNs);
  assertEquals(stepped.session.lab.engine.stateHash(), ran.session.lab.engine.stateHash());
});

Deno.test("step lists what happened, with number, time and place", () => {
  const prompt = new Prompt();
  for (const line of prompt.type("step 5").trimEnd().split("\n")) {
    assertMatch(line, /^ +\d+ {2}\d+\.\d{9} s {2}\S+ +\S/);
  }
});

Deno.test("background jobs go on while a word lets time pass", () => {
  const prompt = new Prompt();
  prompt.type("for i in 1 2 3; do sleep 0.001; echo $i; done &");
  assertMatch(prompt.type("run 10ms"), /1\n2\n3\n/);
});

Deno.test("run until stops with the first event after which the condition holds", () => {
  const prompt = new Prompt();
  const { engine, host } = prompt.session.lab;
  prompt.type("(sleep 0.01; echo 0 > /sys/devices/system/cpu/cpu2/online) &");
  assertStringIncludes(prompt.type("run until cpu 2 offline"), "cpu 2 is offline");
  assertEquals(host.cpus[2]!.state, "offline");
  prompt.type("run until time >= 1s");
  assertEquals(engine.nowNs, 1_000_000_000);
  const { event } = engine;
  prompt.type(`run until event >= ${event + 3}`);
  assertEquals(engine.event, event + 3);
});

Deno.test("a condition that does not come true ends with status 1", () => {
  const prompt = new Prompt();
  assertEquals(prompt.type("run until time < 1ns").endsWith("not within 100 s\n[1]"), true);
});

Deno.test("expect says nothing where the condition holds, else both sides", () => {
  const prompt = new Prompt();
  assertEquals(prompt.type("expect exits.total == 0"), "");
  assertEquals(
    prompt.type("expect cpu 3 offline"),
    "rtkvm: expect: cpu 3 offline: cpu 3 is online, expected offline\n[1]",
  );
  assertStringIncludes(
    prompt.type("expect time < 1ms"),
    "time is 0.100000000 s, expected < 0.001000000 s",
  );
});

Deno.test("a value that is not there is neither true nor false", () => {
  const prompt = new Prompt();
  for (const operator of ["<", ">="]) {
    assertStringIncludes(prompt.type(`expect cyclictest.max ${operator} 20us`), "cyclictest.max is n/a");
  }
  prompt.type("cyclictest -n -q -l 10");
  assertEquals(prompt.type("expect cyclictest.count == 10"), "");
  assertEquals(prompt.type("expect cyclictest.max < 1s"), "");
});

Deno.test("conditions that nothing can decide are refused, with what was meant", () => {
  const cases: [condition: string, says: string][] = [
    ["latency > 100us", "happens at an instant"],
    ["msr 0x80b", "happens at an instant"],
    ["exits.hltt > 0", "did you mean HLT?"],
    ["tme >= 1s", "did you mean time?"],
    ["time >= 1", "a duration with its unit"],
    ["event >= 1s", "a number"],
    ["cpu 3 offlin", "did you mean offline?"],
    ["cyclictest.maximum > 1us", "unknown statistic"],
    ["exits.total", "expected QUANTITY OPERATOR VALUE"],
  ];
  const prompt = new Prompt();
  for (const [condition, says] of cases) {
    const answer = prompt.type(`expect ${condition}`);
    assertStringIncludes(answer, says);
    assert(answer.endsWith("[2]"), answer);
  }
});

Deno.test("only a condition on time can be skipped to", () => {
  assertEquals(parseCondition("time >= 2ms").fromNs, 2_000_000);
  assertEquals(parseCondition("time > 2ms").fromNs, 2_000_001);
  assertEquals(parseCondition("time < 2ms").fromNs, undefined);
  assertEquals(parseCondition("event > 2").fromNs, undefined);
});

Deno.test("durations have a unit", () => {
  assertEquals(["5ns", "1.5us", "2 ms", "1s"].map(parseDuration), [5, 1500, 2_000_000, 1_000_000_000]);
  assertEquals(["5", "us", "1m", "-1s", "1e3us"].map(parseDuration), Array(5).fill(undefined));
  assertEquals([0, 999, 1500, 300e9].map(durationText), ["0 ns", "999 ns", "1.5 us", "300 s"]);
});

Deno.test("show names what there is", () => {
  const prompt = new Prompt();
  assertStringIncludes(prompt.type("show vmc"), "did you mean vmcs?");
  assertStringIncludes(prompt.type("show msi 05:00.9"), "no device with messages");
  assertStringIncludes(prompt.type("show cpu 4"), "there are 4, from 0");
  assertStringIncludes(prompt.type("show vmcs"), "no guest runs");
  assertStringIncludes(prompt.type("show tasks hst"), "did you mean host?");
});

Deno.test("a local APIC is shown as QEMU's info lapic does", () => {
  const apic = new LocalApic(0, { ticks: 1, ns: 10 }, { ticks: 17, ns: 5 });
  apic.write(0x0f0, 0x1ff, 0);
  apic.write(0x320, 0xef, 0);
  apic.write(0x3e0, 0x3, 0);
  apic.write(0x380, 1000, 0);
  apic.accept(0xef);
  const lines = lapicLines(apic, 0, 0);
  // The lines of formats.md, section 10, from QEMU 7.2, and those of its source.
  assertEquals(lines[0], "dumping local APIC state for CPU 0 ");
  assert(lines.includes("LVTT\t 0x000000ef active-hi edge                 one-shot     Fixed  (vec 239)"));
  assert(lines.includes("Timer\t DCR=0x3 (divide by 16) initial_count = 1000 current_count = 1000"));
  assert(lines.includes("SPIV\t 0x000001ff APIC enabled, focus=off, spurious vec 255"));
  assert(lines.includes("ISR\t (none)"));
  assert(lines.includes("IRR\t 239"));
});

function controlStructure(): Vmcs {
  const table = { interrupt: idle, nmi: idle, exception: idle };
  return new Vmcs(new RegisterFile(table, new Context("guest", idle())), new MsrBitmap("normal"));
}

function* idle() {}

Deno.test("a control structure is shown bit by bit, with the MSRs that are open", () => {
  const vmcs = controlStructure();
  const stock = vmcsLines(vmcs).join("\n");
  assertMatch(stock, /pin-based controls +0x00000009/);
  assertMatch(stock, /bit +0 = 1 +external-interrupt exiting/);
  assertMatch(stock, /bit +3 = 1 +NMI exiting/);
  assertMatch(stock, /bit +7 = 1 +HLT exiting/);
  assertMatch(stock, /MSR bitmap +normal: every access exits/);
  vmcs.pinBased &= ~Pin.ExternalInterruptExiting;
  vmcs.msrBitmap = new MsrBitmap("slave").open(0x80b, "rw").open(0x838, "rw").open(0x839, "r");
  const direct = vmcsLines(vmcs).join("\n");
  assertMatch(direct, /bit +0 = 0 +external-interrupt exiting: interrupts go through the guest's IDT/);
  assertMatch(direct, /0x80b rw x2APIC EOI/);
  assertMatch(direct, /0x838 rw x2APIC TMICT/);
  assertMatch(direct, /0x839 r +x2APIC TMCCT/);
});

Deno.test("exits are listed by the names of kvm_stat, most frequent first, with the rate for each period", () => {
  const exits = new Array<number>(64).fill(0);
  exits[1] = 1000;
  exits[12] = 1003;
  exits[32] = 3000;
  const rows = exitTableLines(exits, 1000).map((line) => line.trim().split(/ {2,}/).join(" "));
  assertEquals(rows, [
    "event total per period",
    "kvm_exit 5003 5.00",
    "kvm_exit(MSR_WRITE) 3000 3.00",
    "kvm_exit(HLT) 1003 1.00",
    "kvm_exit(EXTERNAL_INTERRUPT) 1000 1.00",
  ]);
});

Deno.test("slide 25 puts n/a where nothing was measured, and takes no row measured under other conditions", () => {
  const prompt = new Prompt();
  const empty = prompt.type("slide 25").split("\n");
  assertEquals(empty.filter((line) => /not run$/.test(line)).length, 5);
  assertMatch(prompt.type("slide 25"), /rests on \d+ parameters: /);
  const cyclictest = "ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 100 -h 100 > /dev/null";
  assertEquals(prompt.type(cyclictest), "");
  assertStringIncludes(prompt.type("slide 25"), "measured without load on the host");
  prompt.type("for i in 1 2 3; do while :; do :; done & done");
  prompt.type(cyclictest);
  const table = prompt.type("slide 25");
  assertEquals(table.split("\n").filter((line) => /not run$/.test(line)).length, 4);
  assertStringIncludes(table, "no miss in 100 samples: rate at most 3.0e-2");
});

Deno.test("slide 26 takes no row of an idle guest", () => {
  const prompt = new Prompt();
  prompt.type("ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 100 -h 100 > /dev/null");
  const table = prompt.type("slide 26").split("\n");
  assertEquals(table.filter((line) => /not run$/.test(line)).length, 3);
});

Deno.test("slide 27 is what iperf and ping have measured, on all machines of the session", () => {
  const prompt = new Prompt("kvm");
  const result = { kernel: "linux-3.4.0", seed: 1, lengthNs: 1e9, hostCpuPercent: 40 };
  prompt.session.lab.traffic.push({ ...result, system: "kvm", program: "iperf", bitsPerSecond: 9e9 });
  prompt.type("boot rfc-v2");
  prompt.session.lab.traffic.push({ ...result, system: "rfc-v2", program: "iperf", bitsPerSecond: 12e9 });
  const rows = prompt.type("slide 27").split("\n").filter((line) => line.startsWith("iperf"));
  assertEquals(rows.map((line) => line.split(/ {2,}/).slice(1, 4)), [
    ["kvm", "8.91 ±0.05", "9.00"],
    ["rfc-v2", "11.40 ±0.05", "12.00"],
  ]);
});

Deno.test("slides that are no table of what a session measures lead to the command that makes them", () => {
  const prompt = new Prompt();
  const answer = prompt.type("slide 7");
  assertStringIncludes(answer, "rtkvm slides 7");
  assert(answer.endsWith("[2]"), answer);
  for (const wrong of ["slide 0", "slide 35", "slide x", "slide 25 26", "slide"]) {
    assertStringIncludes(prompt.type(wrong), "1 to 34");
  }
});

Deno.test("irq asks the device, and says which there are", () => {
  const prompt = new Prompt();
  const interruptSources: ReturnType<Lab["interruptSources"]> = new Map();
  prompt.session.lab.interruptSources = () => interruptSources;
  assertStringIncludes(prompt.type("irq vf0"), "no device");
  const raised: number[] = [];
  interruptSources.set("vf0", (queue) => queue > 1 ? `no queue ${queue}` : void raised.push(queue));
  assertEquals(prompt.type("irq vf0; irq vf0 1"), "");
  assertEquals(raised, [0, 1]);
  assertStringIncludes(prompt.type("irq vf0 2"), "vf0: no queue 2");
  assertStringIncludes(prompt.type("irq vf1"), "did you mean vf0?");
});

Deno.test("help knows every word, built-in and program, and what a misspelt one means", () => {
  const prompt = new Prompt();
  const all = prompt.type("help");
  for (const word of laboratoryWords(prompt.session)) {
    assertStringIncludes(all, `  ${word.name}`);
  }
  assertMatch(prompt.type("help cd"), /^cd - .*\nUsage: cd/);
  assertMatch(prompt.type("help cyclictest"), /^cyclictest - /);
  assertStringIncludes(prompt.type("help shwo"), "did you mean show?");
});

Deno.test("the examples in the help of a word are in the language", () => {
  const prompt = new Prompt();
  for (const word of laboratoryWords(prompt.session)) {
    const examples = /\nExamples: ([\s\S]*)$/.exec(word.doc)?.[1]?.split("\n") ?? [];
    for (const example of examples) {
      const answer = prompt.type(example.trim());
      assert(!answer.endsWith("[2]"), `${example.trim()}: ${answer}`);
    }
  }
});
