/**
 * The main job: the talk's set-up runs, and cyclictest answers with the talk's numbers, for the talk's reasons.
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { main } from "../dsl/cli.ts";
import type { TraceRecord } from "../hw/sim/trace.ts";
import { defaultProfile } from "../runtime/lab/defaults.ts";
import { EXAMPLES, FakeHost, type RigOptions, SessionRig } from "./session_rig.ts";

/** The slide's flags, with fewer loops. */
const cyclictest = (loops: number) => `ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l ${loops} -h 30000`;
/** A row of slide 25: set-up, load on every online CPU of the host, cyclictest. */
const row = (loops: number) => `loops=${loops}; . ./slide25_row.rtk`;
const RT = "linux-3.4.4-rt14";

// ---- slide 25 ----

/** Slide 25, restated: whole µs as cyclictest prints them, and the fullest bin of the charts. */
const SLIDE_25 = [
  { system: "bare-metal", kernel: "linux-3.4.0", min: 1, avg: 1, mode: 1 },
  { system: "rfc-v2", kernel: "linux-3.4.0", min: 2, avg: 2, mode: 3 },
  { system: "rfc-v2", kernel: RT, min: 1, avg: 2, mode: 2 },
  { system: "kvm", kernel: "linux-3.4.0", min: 7, avg: 13, mode: 13 },
  { system: "kvm", kernel: RT, min: 6, avg: 11, mode: 11 },
];

for (const { system, kernel, min, avg, mode } of SLIDE_25) {
  Deno.test(`slide 25, ${system}, ${kernel}: minimum, average, mode within 1 us, the body in two bins`, () => {
    const rig = new SessionRig({ system, kernel });
    rig.ok(row(50_000));
    const { histogram } = rig;
    assertEquals([histogram.count, rig.result.hostLoad > 0], [50_000, true]);
    assertAlmostEquals(histogram.minUs!, min, 1);
    assertAlmostEquals(histogram.avgUs!, avg, 1);
    assertAlmostEquals(histogram.modeUs!, mode, 1);
    let body = 0; // the fullest two bins that lie side by side
    for (let us = 1; us < 100; us++) body = Math.max(body, histogram.counts[us - 1]! + histogram.counts[us]!);
    assert(body >= 0.9 * histogram.count, `${body} of ${histogram.count} in two bins`);
  });
}

Deno.test("slide 25's order: bare metal before DirectIRQ before KVM, and the RT guest before 3.4.0", () => {
  const means = SLIDE_25.map(({ system, kernel }) => {
    const rig = new SessionRig({ system, kernel });
    rig.ok(row(1000));
    return rig.histogram.meanUs!;
  });
  const [bare, direct, directRt, kvm, kvmRt] = means as [number, number, number, number, number];
  assert(bare < directRt && directRt < direct && direct < kvmRt && kvmRt < kvm, means.join(" "));
});

// ---- numbers come out of paths ----

/** What happens between two loops of cyclictest that decides how late the second one is. */
interface MeasuredPath {
  readonly exits: number;
  readonly entries: number;
}

/**
 * Counts the crossings of one measured path, of the guest of `rig`, which runs cyclictest.
 *
 * The path has two parts. From the expiry of KVM's timer to the guest's reading of the clock there is what one
 * expects: the injection's entry; EOI and two timer writes of a nohz guest, an exit and an entry each. But the guest
 * has also *started* its timer by an exit: it computes the delay first, and KVM's timer starts when the write has been
 * emulated. What that exit takes delays the expiry, so it is measured too; the entry after it is not, because the
 * timer runs already.
 */
function measuredPath(rig: SessionRig): MeasuredPath {
  const records = rig.trace(4_000_000);
  const find = (from: number, what: (record: TraceRecord) => boolean) => {
    const index = records.findIndex((record, i) => i >= from && what(record));
    assert(index >= 0, "the trace holds no whole period");
    return index;
  };
  const isWork = (name: string) => (record: TraceRecord) => record.kind === "work" && record.name === name;
  const sleeps = find(0, isWork("nanosleep"));
  const armed = find(sleeps, ({ name, fields }) => name === "kvm_apic" && fields.reg === "APIC_TMICT");
  const expires = find(armed, isWork("timerFunction"));
  const awake = find(expires, isWork("clockReadKvmclock"));
  const count = (kind: string) =>
    [...records.slice(sleeps, armed), ...records.slice(expires, awake)].filter((it) => it.kind === kind)
      .length;
  return { exits: count("exit"), entries: count("entry") };
}

const { vmExit: EXIT_NS, vmEntry: ENTRY_NS } = defaultProfile().values.hw.processor;
/** The profile's hardware, with exits and entries `factor` times as dear. */
const dearer = (factor: number) => ({
  "hw.processor.vm_exit": { value: factor * EXIT_NS, unit: "ns" },
  "hw.processor.vm_entry": { value: factor * ENTRY_NS, unit: "ns" },
});

Deno.test("dearer exits and entries move KVM's mean by those on the measured path, and by nothing else", () => {
  // Not 10: the path of 22 us would meet the guest's own tick, a timer write before, in a fifth of the periods.
  const [base, ...others] = [1, 2, 9].map((factor) => {
    const rig = new SessionRig({ system: "kvm", changes: dearer(factor) });
    rig.ok(row(3000));
    const meanNs = rig.histogram.sumNs / rig.histogram.count;
    rig.start(`${cyclictest(1000)} > /dev/null`);
    rig.lab.engine.runUntil(rig.lab.engine.nowNs + 50_000_000);
    return { factor, meanNs, path: measuredPath(rig) };
  });
  const { exits, entries } = base!.path;
  assert(exits > 0 && entries > 0);
  for (const { factor, meanNs, path } of others) {
    assertEquals(path, base!.path);
    const addedNs = (factor - 1) * (exits * EXIT_NS + entries * ENTRY_NS);
    // 160 ns: a count of the local APIC timer, 16 clocks of 100 MHz, to which the host's delays are cut.
    assertAlmostEquals(meanNs - base!.meanNs, addedNs, 160, `${factor} times as dear`);
  }
});

for (const system of ["bare-metal", "rfc-v2"]) {
  Deno.test(`dearer exits and entries leave ${system}'s histogram as it is, byte for byte`, () => {
    const [base, twice] = [1, 2].map((factor) => {
      const rig = new SessionRig({ system, changes: dearer(factor) });
      return rig.ok(`. ./talk_setup.rtk\n${cyclictest(3000)}`);
    });
    assertMatch(base!, /^# Total: 000003000$/m);
    assertEquals(twice, base);
  });
}

// ---- exits ----

/** Exits for each period of a run of cyclictest, by reason; those of one in a hundred periods or fewer are left out. */
function exitsPerPeriod(options: RigOptions): Record<string, number> {
  const rig = new SessionRig(options);
  rig.ok(`. ./talk_setup.rtk\n${cyclictest(2000)}`);
  return Object.fromEntries(
    Object.entries(rig.exits)
      .map(([reason, count]) => [reason, Math.round((count / rig.histogram.count) * 100) / 100] as const)
      .filter(([, rate]) => rate > 0.01), // rarer: an interrupt of the host's own that finds the guest running
  );
}

Deno.test("a period on kvm: four MSR writes, because the guest stops its tick, and one HLT", () => {
  // Slide 7 counts three exits of a busy guest: the timer write, the timer's interrupt, the EOI. A real run differs:
  // an idle guest has halted, so the timer's interrupt finds the CPU in the host and exits nothing; instead there is
  // the exit of the HLT before. And a guest that stops its tick writes the timer three times: for the next timer of the
  // wheel when cyclictest's has expired; for the tick, when it wakes out of idle; for cyclictest's next sleep.
  assertEquals(exitsPerPeriod({ system: "kvm" }), { MSR_WRITE: 4, HLT: 1 });

  const rig = new SessionRig({ system: "kvm" });
  rig.ok(". ./talk_setup.rtk");
  rig.start(`${cyclictest(100)} > /dev/null`);
  rig.lab.engine.runUntil(rig.lab.engine.nowNs + 50_000_000);
  const records = rig.trace(3_000_000);
  const halts = records.flatMap(({ kind, fields }, i) => kind === "exit" && fields.reason === 12 ? [i] : []);
  const registers = records.slice(halts[0], halts[1]).filter(({ name }) => name === "kvm_apic");
  assertEquals(registers.map(({ fields }) => fields.reg), [
    "APIC_EOI",
    "APIC_TMICT",
    "APIC_TMICT",
    "APIC_TMICT",
  ]);
});

Deno.test("a period on rfc-v2: no exit at all", () => {
  // Delivery, EOI and timer are direct (slides 20 and 22), and HLT halts the CPU in guest mode (patch 11).
  const rig = new SessionRig({ system: "rfc-v2" });
  rig.ok(`. ./talk_setup.rtk\n${cyclictest(2000)}`);
  assertEquals(rig.exits, {});
});

Deno.test("a period of a guest with a tick: two timer writes, and an EOI and a HLT for each interrupt", () => {
  // The RT kernel keeps its tick, 250 a second: in one of four periods of 1 ms two interrupts come, each with its EOI
  // and a HLT after it. The timer is written when cyclictest's has expired, for the tick; and once more for cyclictest's
  // next expiry: when it goes to sleep, or, where the tick comes first, at the tick.
  const { MSR_WRITE, HLT, ...others } = exitsPerPeriod({ system: "kvm", kernel: RT });
  assertEquals(others, {});
  assertAlmostEquals(HLT!, 1.25, 0.01);
  assertAlmostEquals(MSR_WRITE!, 3.25, 0.01);
});

// ---- determinism ----

for (const system of ["bare-metal", "kvm", "rfc-v2"]) {
  Deno.test(`${system}: the same seed gives the same bytes, events and state; another seed another state`, () => {
    const [one, again, other] = [3, 3, 4].map((seed) => {
      const rig = new SessionRig({ system, seed });
      const ended = rig.run(`. ./talk_setup.rtk\n${cyclictest(300)}\nshow cpu\nshow lapic`);
      const { hash, events } = rig.result;
      return { ended, hash, events, event: rig.lab.engine.event, state: rig.lab.engine.stateHash() };
    });
    assertEquals(one!.ended.status, 0);
    assertEquals(again, one);
    assertNotEquals(other!.hash, one!.hash);
    assertNotEquals(other!.state, one!.state);
  });

  Deno.test(`${system}: a run made of single steps ends in the state of one that ran`, () => {
    const [stepped, ran] = [true, false].map((steps) => {
      const rig = new SessionRig({ system });
      rig.ok(". ./talk_setup.rtk");
      rig.start(`${cyclictest(200)} > /dev/null`);
      const { engine } = rig.lab;
      const untilNs = engine.nowNs + 250_000_000;
      if (steps) { while (engine.nextNs <= untilNs) engine.step(); }
      else while (engine.run(untilNs)) { /* stopped for the shell, which has nothing to do */ }
      assertEquals(rig.histogram.count, 200);
      return { hash: rig.result.hash, event: engine.event, nowNs: engine.nowNs, state: engine.stateHash() };
    });
    assertEquals(stepped, ran);
  });
}

// ---- common random numbers ----

/** When what is queued on the host's CPUs as background arrives, in a window of time, by the name of its source. */
function arrivals(system: string, fromNs: number, toNs: number): Map<string, number[]> {
  const rig = new SessionRig({ system });
  rig.ok(". ./talk_setup.rtk");
  rig.start(`${cyclictest(2000)} > /dev/null`);
  const { engine, host } = rig.lab;
  assert(engine.nowNs < fromNs, "the set-up takes longer than the window allows");
  const seen = new Map<string, Set<number>>();
  while (engine.nowNs < toNs) {
    engine.runUntil(engine.nowNs + 20_000); // shorter than any gap that matters: each arrival is seen while it is the next
    host.settle(); // those of a CPU that idles are booked
    for (const cpu of host.cpus) {
      for (const { name, expiresNs } of cpu.hrtimers.timers()) {
        if (!name.startsWith(`host.cpu${cpu.id}.`) || expiresNs < fromNs || expiresNs >= toNs) continue;
        let times = seen.get(name);
        if (times === undefined) seen.set(name, times = new Set());
        times.add(expiresNs);
      }
    }
  }
  return new Map(
    [...seen].sort(([a], [b]) => a < b ? -1 : 1).map(([name, times]) => [name, [...times].sort()]),
  );
}

Deno.test("systems under one seed see the same arrivals, on each CPU that they have", () => {
  const [fromNs, toNs] = [700_000_000, 900_000_000];
  const bare = arrivals("bare-metal", fromNs, toNs);
  for (const cpu of [0, 1, 2, 3]) {
    for (const kind of ["irqoff", "preemptoff"]) {
      // 300 and 200 a second: some forty to sixty in the window.
      assert((bare.get(`host.cpu${cpu}.${kind}`)?.length ?? 0) > 20, `host.cpu${cpu}.${kind}`);
    }
  }
  assertEquals(arrivals("kvm", fromNs, toNs), bare);
  const notDedicated = new Map([...bare].filter(([name]) => !name.startsWith("host.cpu3.")));
  assertEquals(arrivals("rfc-v2", fromNs, toNs), notDedicated);
});

Deno.test("under load, where arrivals are booked and not simulated, they are the same too", () => {
  const next = (system: string) => {
    const rig = new SessionRig({ system });
    rig.ok(row(100));
    const { engine, host } = rig.lab;
    engine.runUntil(1_500_000_000);
    host.settle();
    const queued = host.cpus.slice(0, 3).flatMap((cpu) =>
      cpu.hrtimers.timers().filter(({ name }) => name.startsWith(`host.cpu${cpu.id}.`))
    );
    return new Map(queued.map(({ name, expiresNs }) => [name, expiresNs] as const).sort());
  };
  const bare = next("bare-metal");
  assertEquals(bare.size, 9); // three sources on three CPUs
  assertEquals(next("kvm"), bare);
  assertEquals(next("rfc-v2"), bare);
});

// ---- run --json ----

Deno.test("run --json: one line for each result, with the fields of its format", async () => {
  const script = `. ./slide25_row.rtk\nboot bare-metal --seed 8\n. ./slide25_row.rtk\n${
    cyclictest(50)
  } > /dev/null\n`;
  const host = new FakeHost({ ...EXAMPLES, "examples/x.rtk": `loops=100\n${script}` });
  assertEquals(await main(["run", "--json", "--system", "kvm", "--seed", "7", "examples/x.rtk"], host), 0);
  const lines = host.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const fields = "version slide system kernel n seed min_us avg_us max_us events exits hash".split(" ");
  for (const line of lines) {
    for (const field of fields) assert(field in line, field);
    const { version, min_us: min, avg_us: avg, max_us: max, events, hash } = line;
    assertEquals(version, 1);
    assert([min, avg, max, events].every(Number.isInteger) && min <= avg && avg <= max && events > 0);
    assertMatch(hash, /^[0-9a-f]{16}$/);
  }
  assertEquals(
    lines.map(({ slide, system, kernel, n, seed }) => [slide, system, kernel, n, seed]),
    [
      [25, "kvm", "linux-3.4.0", 100, 7],
      [25, "bare-metal", "linux-3.4.0", 100, 8],
      [25, "bare-metal", "linux-3.4.0", 50, 8],
    ],
  );
  const [kvm, bare] = lines;
  assertEquals(bare.exits, { total: 0 });
  const { total, ...reasons } = kvm.exits as Record<string, number>;
  assertEquals(total, Object.values(reasons).reduce((sum, count) => sum + count, 0));
  assert(reasons.MSR_WRITE! > reasons.HLT! && reasons.HLT! >= 100);
});

// ---- slide 11 ----

Deno.test("slide 11: the three lines typed as printed boot the CPU, switch direct mode on and run the vCPU", () => {
  const lines = EXAMPLES["examples/slide11.rtk"]!.split("\n");
  for (
    const line of [
      "echo 0 > /sys/devices/system/cpu/cpu3/online",
      "ioctl(vcpu[i], KVM_SET_SLAVE_CPU, slave_cpu_id[i]);",
      "ioctl(vcpu[i], KVM_RUN, 0);",
    ]
  ) assert(lines.includes(line), line);

  const rig = new SessionRig();
  const { status, err } = rig.run(". ./slide11.rtk");
  assertEquals(status, 0, err);
  const { host, guests } = rig.lab;
  assertEquals(host.cpus.map(({ state }) => state), ["online", "online", "online", "slave"]);
  const [vcpu] = guests.get("vm0")!.machine.file.vm.vcpus;
  const { vmcs } = vcpu!;
  assertEquals(vmcs.pinBased & (1 << 0), 0, "pin-based bit 0: interrupts go through the guest's table");
  assertEquals(vmcs.pinBased & (1 << 3), 1 << 3, "pin-based bit 3: NMIs exit, or nobody could kick it");
  assertEquals(vmcs.primary & (1 << 7), 0, "primary bit 7: HLT does not exit");
  for (const write of [false, true]) {
    const open = Array.from({ length: 0x100 }, (_, i) => 0x800 + i).filter((msr) =>
      !vmcs.msrBitmap.intercepts(msr, write)
    );
    assertEquals(open, [0x80b, 0x838, 0x839], "of the x2APIC: EOI, TMICT, TMCCT");
  }

  // KVM_RUN has not returned, and does not for as long as the guest runs.
  const job = rig.session.shell.children.at(-1)!;
  const exits = vcpu!.totalExits;
  rig.ok(`ssh vm0 true\nrun 2s`);
  assertEquals([job.name, job.status], ["ioctl(vcpu[i], KVM_RUN, 0)", undefined]);
  assert(guests.get("vm0")!.kernel.startUp.isUp);
  assert(vcpu!.totalExits - exits < 10, "nothing but the virtual interrupt that brought the command");
});
