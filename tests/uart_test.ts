/**
 * The 16550A UART, and the guest's serial port that QEMU makes of it.
 *
 * Offsets, bits and values are restated from the PC16550D data sheet ("Registers", "Interrupt Control Functions"); which
 * accesses Linux makes from `serial8250_handle_irq()` and `serial8250_tx_chars()` of 3.5.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { TraceLog } from "../hw/sim/trace.ts";
import { Uart16550 } from "../hw/uart_16550.ts";
import { SessionRig } from "./session_rig.ts";

const DATA = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCRATCH = 7;

Deno.test("a byte that is written leaves, and the holding register is empty again: THRE and TEMT", () => {
  const uart = new Uart16550();
  assertEquals(uart.write(DATA, 0x141), 0x41);
  assertEquals(uart.read(LSR), 0x60);
});

Deno.test("the empty holding register interrupts where IER bit 1 is set; reading IIR clears it, and a byte brings it back", () => {
  const uart = new Uart16550();
  uart.write(DATA, 1);
  assertEquals([uart.interrupts, uart.read(IIR)], [false, 0x01], "no interrupt: bit 0 is set");
  uart.write(IER, 0x02);
  assertEquals([uart.interrupts, uart.read(IIR), uart.interrupts, uart.read(IIR)], [true, 0x02, false, 0x01]);
  uart.write(DATA, 2);
  assertEquals(uart.interrupts, true);
  uart.write(IER, 0);
  assertEquals(uart.interrupts, false);
});

Deno.test("received data go before the empty holding register, and stay until they are read", () => {
  const uart = new Uart16550();
  uart.write(IER, 0x03);
  assert(uart.receive(0x55));
  assertEquals([uart.read(IIR), uart.read(IIR), uart.read(LSR) & 1], [0x04, 0x04, 1]);
  assertEquals(uart.read(DATA), 0x55);
  assertEquals([uart.read(IIR), uart.read(LSR) & 1], [0x02, 0]);
});

Deno.test("without FIFOs one byte is held, with them 16; IIR bits 7:6 say that there are; FCR bit 1 clears them", () => {
  const uart = new Uart16550();
  assertEquals([uart.receive(1), uart.receive(2)], [true, false]);
  uart.write(FCR, 0x07);
  assertEquals([uart.read(IIR), uart.read(LSR) & 1], [0xc1, 0]);
  for (let i = 0; i < 16; i++) assert(uart.receive(i));
  assertEquals(uart.receive(16), false);
  assertEquals(uart.read(DATA), 0, "the first one first");
});

Deno.test("DLAB puts the divisor in the place of data and IER; loopback sends to itself; scratch keeps its byte", () => {
  const uart = new Uart16550();
  uart.write(LCR, 0x83);
  uart.write(DATA, 0x01);
  uart.write(IER, 0x02);
  assertEquals([uart.read(DATA), uart.read(IER), uart.read(LCR)], [0x01, 0x02, 0x83]);
  uart.write(LCR, 0x03);
  assertEquals(uart.read(IER), 0);
  uart.write(MCR, 0x10);
  assertEquals([uart.write(DATA, 0x7e), uart.read(DATA)], [undefined, 0x7e]);
  uart.write(SCRATCH, 0x5a);
  assertEquals([uart.read(SCRATCH), uart.read(MSR) & 0xf0], [0x5a, 0xb0]);
});

const setUp = (serial: string) => `
echo 0 > /sys/devices/system/cpu/cpu3/online
qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit ${serial}
ssh vm0 true
run 5ms
`;

/** What a guest's write of `text` to its serial port does: output, exits by port, and the trace. */
function written(system: string, text: string, serial = "-nographic") {
  const rig = new SessionRig({ system });
  rig.ok(`${setUp(serial)}ssh vm0 'echo first > /dev/ttyS0'; run 5ms`);
  const vcpu = rig.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]!;
  const before = vcpu.exits[30]!;
  const log = rig.lab.engine.trace = new TraceLog();
  const out = rig.ok(`ssh vm0 'echo ${text} > /dev/ttyS0'; run 5ms`);
  rig.lab.engine.trace = null;
  const ports = log.records.filter(({ kind, fields }) => kind === "exit" && fields.reason === 30)
    .map(({ fields }) => Number(fields.qualification) >>> 16);
  return { rig, log, out, ports, exits: vcpu.exits[30]! - before };
}

Deno.test("echo > /dev/ttyS0 in a guest: each register access is an exit to QEMU, and the text is on its terminal", () => {
  const { out, ports, exits } = written("kvm", "hello");
  assertEquals(out.split("event")[0], "hello\n");
  // IER on; per interrupt IIR, LSR, MSR; "hello\r\n"; IER off; IIR again until it says "none".
  const data = ports.filter((port) => port === 0x3f8).length;
  assertEquals(data, 7);
  assertEquals(ports.slice(0, 4), [0x3f9, 0x3fa, 0x3fd, 0x3fe]);
  assertEquals(ports.slice(4, 13), [...Array(7).fill(0x3f8), 0x3f9, 0x3fa]);
  assertEquals(exits, ports.length);
});

Deno.test("on a slave CPU each user exit goes to the online CPU and back once: a completion and a hand-off", () => {
  const { log, exits, rig } = written("talk", "hi");
  assert(exits >= 10);
  const vcpu = rig.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]!;
  assertEquals(vcpu.slaveCpu, 3);
  // Hand-off: a function-call interrupt (0xfb) to the slave; back: the slave's wake-up of the thread, by reschedule (0xfd).
  const at = log.records.findIndex(({ kind, fields }) => kind === "exit" && fields.reason === 30);
  const from = log.records.slice(at);
  const next = from.findIndex(({ kind, fields }, i) => i > 0 && kind === "exit" && fields.reason === 30);
  const trip = from.slice(0, next);
  const taken = trip.filter(({ kind }) => kind === "interrupt").map(({ where, name }) => `${where} ${name}`);
  assertEquals(taken.filter((text) => text.startsWith("cpu3")), ["cpu3 0xfb"], "one hand-off");
  assertEquals(taken.filter((text) => text.endsWith(" 0xfd")).length, 1, "one wake-up of its thread");
  const work = trip.filter(({ kind }) => kind === "work").map(({ name }) => name);
  assertEquals(
    ["handOff", "slaveLoad", "serveExit", "userExit"].map((step) =>
      work.filter((name) => name === step).length
    ),
    [
      1,
      1,
      1,
      1,
    ],
  );
});

Deno.test("with -serial pty the text comes out of the pseudo-terminal, as the line discipline has sent it", () => {
  const { rig } = written("kvm", "to the pty", "-nographic -serial pty");
  assertEquals(rig.ok("cat /dev/pts/0"), "first\r\nto the pty\r\n");
  assertEquals(rig.ok("cat /dev/pts/0"), "");
});

Deno.test("with -serial none there is no port: the guest has no such device", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(setUp("-nographic -serial none"));
  const { err } = rig.run("ssh vm0 'ls /dev/ttyS0'");
  assert(err.includes("No such file or directory"), err);
});
