/**
 * iperf and ping: texts and statuses of the real tools (iperf 2.0.5, iputils), moderation as the driver's source has it,
 * flow control, and slides 26 and 27 in short runs. The talk's figures are in `runtime/measure/published.ts`.
 */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { Nic82599Function } from "../hw/nic_82599_function.ts";
import { DynamicItr } from "../runtime/linux/drivers/ixgbe_itr.ts";
import { addressText, parseAddress } from "../runtime/linux/net/packets.ts";
import { bitsPerSecond, iperfCsv, iperfLine, iperfTime } from "../runtime/measure/iperf_format.ts";
import { pingReply, pingSummary } from "../runtime/measure/ping_format.ts";
import { SessionRig } from "./session_rig.ts";

const SET_UP = ". /root/examples/talk_setup.rtk";
const QEMU = "qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic " +
  "-drive file=kvm/test.img,if=virtio";

/** What a script writes to both streams, and its status. */
function said(rig: SessionRig, script: string): { status: number; text: string } {
  const { status, out, err } = rig.run(script);
  return { status, text: out + err };
}

// ---- texts ----

Deno.test("iperf prints transfers in powers of 1024, bandwidths in powers of 1000, three digits each", () => {
  const line = (bytes: number, toNs: number) => iperfLine({ id: 3, fromNs: 0, toNs, bytes });
  // 5.03 GBytes in 2.0 s are 21.6 Gbit/s, as a real run says.
  assertEquals(line(5.03 * 1024 ** 3, 2e9), "[  3]  0.0- 2.0 sec  5.03 GBytes  21.6 Gbits/sec");
  assertEquals(line(112_500_000, 10e9), "[  3]  0.0-10.0 sec   107 MBytes  90.0 Mbits/sec");
  assertEquals(line(0, 1e9), "[  3]  0.0- 1.0 sec  0.00 Bytes  0.00 bits/sec");
  assertEquals(bitsPerSecond({ bytes: 2_605_973_564, fromNs: 0, toNs: 1e9 }), 20_847_788_512);
});

Deno.test("iperf -y C is a line of nine values", () => {
  const interval = { id: 3, fromNs: 0, toNs: 1e9, bytes: 1000 };
  assertEquals(
    iperfCsv(interval, iperfTime(0), ["127.0.0.1", 47714, "127.0.0.1", 5001]),
    "19700101000000,127.0.0.1,47714,127.0.0.1,5001,3,0.0-1.0,1000,8000",
  );
  assertEquals(iperfTime(951_782_400), "20000229000000", "a leap day of a century");
  assertEquals(iperfTime(4_107_542_399), "21000228235959");
});

Deno.test("ping shows a time with three significant digits from 1 ms on", () => {
  const time = (ms: number) => pingReply(64, "127.0.0.1", 1, ms * 1e6).replace(/.*time=/, "");
  assertEquals([0.121, 2.63, 12.3, 123].map(time), ["0.121 ms", "2.63 ms", "12.3 ms", "123 ms"]);
});

Deno.test("ping's statistics are those of the real tool, and have no times where no reply came", () => {
  assertEquals(pingSummary("127.0.0.1", { sent: 3, tripsNs: [121e3, 34e3, 49e3], lengthNs: 406e6 }), [
    "",
    "--- 127.0.0.1 ping statistics ---",
    "3 packets transmitted, 3 received, 0% packet loss, time 406ms",
    "rtt min/avg/max/mdev = 0.034/0.068/0.121/0.037 ms",
  ]);
  assertEquals(pingSummary("x", { sent: 1, tripsNs: [], lengthNs: 0 }).slice(2), [
    "1 packets transmitted, 0 received, 100% packet loss, time 0ms",
    "",
  ]);
});

Deno.test("an address is four numbers up to 255", () => {
  assertEquals(addressText(parseAddress("192.168.10.1")!), "192.168.10.1");
  assertEquals(["1.2.3", "1.2.3.256", "1.2.3.4.5", "vm0", ""].map(parseAddress), Array(5).fill(undefined));
});

// ---- statuses ----

Deno.test("iperf to nobody is refused, and ends with 0 as the real one does", () => {
  const { status, text } = said(new SessionRig(), `${SET_UP}; iperf -c vm0`);
  assertStringIncludes(text, "Client connecting to 192.168.10.2, TCP port 5001\n");
  assertStringIncludes(text, "tcp connect failed: Connection refused\n");
  assertEquals(status, 0);
});

Deno.test("a guest without the virtual function reaches no network", () => {
  const rig = new SessionRig();
  rig.run(QEMU);
  assertEquals(said(rig, "ssh vm0 ping -c 1 peer"), {
    status: 2,
    text: "ping: connect: Network is unreachable\n",
  });
});

Deno.test("ping says what the real one says of hosts and arguments", () => {
  const rig = new SessionRig();
  for (
    const [args, text, status] of [
      ["-c 1 nosuch.invalid", "ping: nosuch.invalid: Name or service not known\n", 2],
      ["-c x vm0", "ping: invalid argument: 'x'\n", 1],
      [
        "-c 0 vm0",
        "ping: invalid argument: '0': out of range: 1 <= value <= 9223372036854775807\n",
        1,
      ],
      ["", "ping: usage error: Destination address required\n", 1],
    ] as const
  ) assertEquals(said(rig, `ping ${args}`), { status, text }, args);
});

Deno.test("nobody answers for an address that nobody has", () => {
  const { status, text } = said(new SessionRig(), "ping -c 1 192.168.10.77");
  assertStringIncludes(text, "1 packets transmitted, 0 received, 100% packet loss");
  assertEquals(status, 1);
});

Deno.test("what is not modelled is refused by name", () => {
  const rig = new SessionRig();
  assertMatch(said(rig, "iperf -c vm0 -u").text, /^iperf: option -u is not modelled\n/);
  assertMatch(said(rig, "ping -f vm0").text, /^ping: option -f is not modelled\n/);
});

Deno.test("a guest sends: its writer waits for the window, and ACKs come back by interrupts", () => {
  const rig = new SessionRig();
  rig.ok(`${SET_UP}; iperf -s > /dev/null & sleep 0.01; ssh vm0 iperf -c peer -t 1`);
  const [iperf] = rig.lab.traffic;
  assert(iperf!.bitsPerSecond! > 5e9, `${iperf!.bitsPerSecond}`);
  assert(deviceInterrupts(rig) > 1000);
  assertEquals(rig.lab.nic.ring.missed, 0);
});

Deno.test("a computer whose adapter is not simulated receives no bulk data, and says so", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  const { status, text } = said(rig, "ssh peer iperf -s");
  assertEquals({ status, text }, {
    status: 1,
    text: "iperf: this computer's adapter is not simulated: receiving is not modelled, iperf -c is\n",
  });
});

Deno.test("in an RT kernel a network interrupt has a thread of priority 50, and softirqs do not delay what is above", () => {
  const threads = ["linux-3.4.4-rt14", "linux-3.4.0"].map((kernel) => {
    const rig = new SessionRig({ kernel });
    rig.run(SET_UP);
    return [...rig.lab.guests.get("vm0")!.kernel.tasks.values()]
      .filter(({ name }) => name.startsWith("irq/")).map(({ policy, rtPriority }) =>
        `${policy} ${rtPriority}`
      );
  });
  assertEquals(threads, [["SCHED_FIFO 50"], []]);
  // The largest path of slide 26's DirectIRQ row without a softirq before it is below 25 us.
  const rig = new SessionRig({ kernel: "linux-3.4.4-rt14" });
  rig.ok("loops=2000; . /root/examples/slide26_row.rtk");
  assert(rig.histogram.maxUs! < 25, `${rig.histogram.maxUs}`);
});

Deno.test("a server that is killed gives its port back; two cannot have it", () => {
  const rig = new SessionRig();
  const { text } = said(
    rig,
    `${SET_UP}; ssh vm0 iperf -s > /dev/null & sleep 0.5; ssh vm0 iperf -s; echo $?; ` +
      "ssh vm0 'kill $(ps -e | grep iperf | cut -c1-5)'; sleep 0.1; iperf -c vm0",
  );
  assertStringIncludes(text, "bind failed: Address already in use\n");
  assertStringIncludes(text, "Connection refused");
});

// ---- the driver ----

Deno.test("throttling follows the rate of bytes: 20,000/s, then 8,000/s for bulk, 100,000/s for little", () => {
  const written: number[] = [];
  const itr = new DynamicItr((value) => void written.push(value), false);
  itr.update(50 * 1448); // 1,448 bytes a us since the last interrupt 50 us ago
  assertEquals(written.at(-1), Math.floor(1e9 / (8_000 * 256)));
  itr.update(64); // a byte in 2 us: one class down at each interrupt
  itr.update(64);
  assertEquals(written.slice(1), [20_000, 100_000].map((rate) => Math.floor(1e9 / (rate * 256))));
  itr.update(0);
  assertEquals(written.length, 3, "an interrupt without a frame says nothing about the rate");
});

Deno.test("under bulk traffic a vector sends a message in 125 us at most, and never in exactly 125", () => {
  const rig = new SessionRig();
  rig.run(
    `${SET_UP}; ssh vm0 iperf -s > /dev/null & sleep 0.01; ssh peer iperf -c vm0 -t 1 > /dev/null & sleep 0.5`,
  );
  const vf = rig.lab.nic.vf(0);
  assert(vf instanceof Nic82599Function);
  assertEquals(vf.interrupts.intervalNs(0), 61 * 2048);
});

// ---- flow control ----

Deno.test("what is on the way and not read never exceeds the window, and the ring loses nothing", () => {
  const rig = new SessionRig();
  rig.run(
    `${SET_UP}; ssh vm0 iperf -s > /dev/null & sleep 0.01; ssh peer iperf -c vm0 -t 1 > /dev/null & sleep 0.2`,
  );
  const { net } = rig.lab.guests.get("vm0")!.software;
  const [connection] = [...net.receiving];
  for (let i = 0; i < 200; i++) {
    rig.lab.engine.runUntil(rig.lab.engine.nowNs + 17_001);
    const { sent, read } = connection!;
    assert(sent - read <= net.costs.window, `${sent - read} frames`);
  }
  assertEquals(rig.lab.nic.vf(0).ring.missed, 0);
});

Deno.test("the state hash covers the card and the connections", () => {
  const rig = new SessionRig();
  rig.run(
    `${SET_UP}; ssh vm0 iperf -s > /dev/null & sleep 0.01; ssh peer iperf -c vm0 -t 1 > /dev/null & sleep 0.2`,
  );
  const { engine } = rig.lab;
  const before = engine.partHashes();
  engine.runUntil(engine.nowNs + 200_000);
  const after = engine.partHashes();
  for (const part of ["nic", "net vm0"]) assertNotEquals(after.get(part), before.get(part), part);
});

Deno.test("on bare metal the wire is the limit: 9.41 Gb/s of payload in frames of 1538 bytes", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.ok("iperf -s > /dev/null & sleep 0.01; ssh peer iperf -c vm0 -t 1");
  // 1448 of 1538 bytes are payload.
  assertAlmostEquals(rig.lab.traffic[0]!.bitsPerSecond! / 1e9, 10 * 1448 / 1538, 0.02);
});

// ---- the slides, in short runs ----

/** Averages and minima of slide 26, as published. */
const SLIDE_26 = [
  { system: "bare-metal", min: 3, avg: 6 },
  { system: "rfc-v2", min: 2, avg: 14 },
  { system: "kvm", min: 6, avg: 35 },
];

for (const { system, min, avg } of SLIDE_26) {
  Deno.test(`slide 26, ${system}: average within 10 % of ${avg}, no sample more than 1 us below ${min}`, () => {
    const rig = new SessionRig({ system });
    rig.ok("loops=2000; . /root/examples/slide26_row.rtk");
    const { histogram, result } = rig;
    assertEquals(result.guestLoad, "iperf");
    assertAlmostEquals(histogram.meanUs! - 0.5, avg + 0.5, 0.1 * avg + 0.5);
    assert(histogram.minUs! >= min - 1, `minimum ${histogram.minUs}`);
  });
}

Deno.test("slide 27: throughput and round trip within 8 %, host 5 to 10 points lower with direct delivery", () => {
  const measured = ["kvm", "rfc-v2"].map((system) => {
    const rig = new SessionRig({ system });
    rig.ok("seconds=1; . /root/examples/slide27_row.rtk");
    return rig.lab.traffic;
  });
  const [kvm, direct] = measured.map(([iperf]) => iperf!);
  assertAlmostEquals(kvm!.bitsPerSecond! / 1e9, 8.91, 0.08 * 8.91);
  assertAlmostEquals(direct!.bitsPerSecond! / 1e9, 11.40, 0.08 * 11.40);
  const [kvmTrip, directTrip] = measured.map(([, ping]) => ping!.roundTrip!.meanNs / 1000);
  assertAlmostEquals(kvmTrip!, 69.1, 0.08 * 69.1);
  assertAlmostEquals(directTrip!, 54.2, 0.08 * 54.2);
  const lower = kvm!.hostCpuPercent - direct!.hostCpuPercent;
  assert(lower >= 5 && lower <= 10, `${lower} points`);
});

Deno.test("under iperf a guest with direct delivery exits for nothing, and a stock one twice a device interrupt", () => {
  const exits = ["rfc-v2", "kvm"].map((system) => {
    const rig = new SessionRig({ system });
    rig.ok(
      `${SET_UP}; ssh vm0 iperf -s > /dev/null & sleep 0.01; ssh peer iperf -c vm0 -t 2 > /dev/null & sleep 0.2`,
    );
    const before = rig.lab.exits(), interrupts = () => deviceInterrupts(rig);
    const from = interrupts();
    rig.lab.engine.runUntil(rig.lab.engine.nowNs + 100_000_000);
    const all = rig.lab.exits().reduce((sum, count, reason) => sum + count - before[reason]!, 0);
    return { exits: all, interrupts: interrupts() - from };
  });
  const [direct, stock] = exits;
  assert(direct!.interrupts > 700 && stock!.interrupts > 700);
  assertEquals(direct!.exits, 0);
  // Besides, the guest's tick (250 Hz) exits some times: not more than 8.
  const beside = stock!.exits - 2 * stock!.interrupts;
  assert(beside >= 0 && beside <= 8 * 25, `${beside} exits`);
});

/** Interrupts of the virtual function's queue that the guest has taken. */
function deviceInterrupts(rig: SessionRig): number {
  const { kernel, software } = rig.lab.guests.get("vm0")!;
  const { irq } = software.irqs.list().find(({ name }) => name.endsWith("TxRx-0"))!;
  return kernel.interruptCounts(irq)[0]!;
}
