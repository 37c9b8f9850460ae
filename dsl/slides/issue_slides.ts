/**
 * Slides 13 to 17: the three issues of direct delivery, each made to happen, and its solution.
 *
 * @module
 */

import type { Cell } from "../../runtime/measure/table.ts";
import { flow } from "../talk/flow.ts";
import { busyGuest } from "./flow_slides.ts";
import { consoleText, paragraphs, type Part, table } from "../talk/part.ts";
import type { Bench, Runs } from "./runs.ts";

const SYSTEM = "rfc-v2";
/** The interrupt of the physical function's first queue: the host's own network. */
const FIND_IRQ = "irq=$(grep TxRx-0 /proc/interrupts | grep -v kvm | head -1 | cut -d: -f1)";
/** A busy guest without messages, which has the card itself. */
const LINE_GUEST = `echo 8086 10fb > /sys/bus/pci/drivers/pci-stub/new_id
echo 0000:04:00.0 > /sys/bus/pci/drivers/ixgbe/unbind
echo 0000:04:00.0 > /sys/bus/pci/drivers/pci-stub/bind
echo 0 > /sys/devices/system/cpu/cpu3/online
qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic \
  -kernel kvm/bzImage -append "root=/dev/vda1 ro pci=nomsi" -device pci-assign,host=04:00.0
ssh vm0 true
ssh vm0 'while :; do :; done' &
run 10ms`;
/** The vector of the host's reschedule IPI (Linux, `irq_vectors.h`). */
const RESCHEDULE = 0xfd;

/** The host's own device raises an interrupt, which is led to one CPU: who takes it. */
function hostDevice(runs: Runs, cpu: number) {
  const bench = busyGuest(runs, SYSTEM);
  const lines = bench.tell(`${FIND_IRQ}\necho ${1 << cpu} > /proc/irq/$(echo $irq)/smp_affinity`, "affinity");
  const { lab } = bench.session;
  const irq = Number(bench.run("echo $irq"));
  const guest = lab.guests.get("vm0")!.kernel;
  const handled = () => Array.from(lab.host.interruptCounts(irq)).reduce((sum, count) => sum + count, 0);
  const before = { handled: handled(), unknown: guest.spuriousVectors };
  const { items, exits } = bench.observe("irq pf0\nrun 100us");
  const row = [`cpu${cpu}`, handled() - before.handled, guest.spuriousVectors - before.unknown, exits];
  return {
    items,
    row,
    lines: [...lines, "# irq pf0", ...bench.tell("ssh vm0 dmesg | tail -1", "guest's log")],
  };
}

/** Who takes an interrupt of the host's device. */
function takers(rows: readonly (readonly Cell[])[]): Part {
  return table({
    title: "An interrupt of the host's own device, while the guest runs on cpu3",
    columns: [
      { title: "led to", align: "left" },
      { title: "handled by the host" },
      { title: "in the guest, without a handler" },
      { title: "VM exits" },
    ],
    rows,
  });
}

/** Slide 13. */
export function slide13(runs: Runs): Part[] {
  const { items, row, lines } = hostDevice(runs, 3);
  return [
    takers([row]),
    flow({ name: "slide13-host-device", title: "An interrupt for the host", system: SYSTEM, items }),
    consoleText("What the guest's kernel says", lines),
  ];
}

/** Slide 14. */
export function slide14(runs: Runs): Part[] {
  const [wrong, right] = [3, 0].map((cpu) => hostDevice(runs, cpu));
  const { items } = busyGuest(runs, SYSTEM).observe("irq vf0\nrun 200us");
  const byLine = runs.bench(SYSTEM);
  byLine.run(LINE_GUEST, "the card by its line, busy guest");
  const line = byLine.observe("irq pf0\nrun 200us");
  return [
    takers([wrong!.row, right!.row]),
    consoleText("Host devices go to host cores", right!.lines),
    flow({
      name: "slide14-assigned",
      title: "Passed-through devices go to the dedicated core",
      system: SYSTEM,
      items,
      notes: ["MSI and MSI-X only, as the slide says."],
    }),
    flow({
      name: "slide14-line",
      title: "A line, which may be shared, is forwarded by the host",
      system: SYSTEM,
      items: line.items,
    }),
  ];
}

/** Slide 15. */
export function slide15(runs: Runs): Part[] {
  const rescheduled = (bench: Bench) => bench.run("ssh vm0 grep RES /proc/interrupts").trim();
  const ipi = busyGuest(runs, SYSTEM);
  const before = rescheduled(ipi);
  const { machine } = ipi.session.lab;
  const taken = ipi.observe("run 100us", () => machine.messageSignalled(3, RESCHEDULE));
  const kick = busyGuest(runs, SYSTEM).observe("ssh vm0 true &\nrun 300us");
  return [
    flow({
      name: "slide15-ipi",
      title: "The host's reschedule vector, sent while the guest runs",
      system: SYSTEM,
      items: taken.items,
      notes: [`In the guest, before: ${before}`, `After: ${rescheduled(ipi)}`],
    }),
    flow({
      name: "slide15-nmi",
      title: "A request with an NMI",
      system: SYSTEM,
      items: kick.items,
    }),
    paragraphs("Not modelled: TLB shoot-down, which uses the same NMI."),
  ];
}

/** Slide 16. */
export function slide16(runs: Runs): Part[] {
  const rows = ["kvm", SYSTEM].flatMap((system) => {
    const bench = busyGuest(runs, system);
    return assigned(bench).interrupts().map(({ entry, irq, hostVector, cpu, guestVector }) => [
      system,
      entry,
      irq,
      hostVector,
      `cpu${cpu}`,
      guestVector,
      hostVector === guestVector ? "the guest's vector" : "the host's vector",
    ]);
  });
  return [table({
    title: "Vectors of the assigned device, for each entry of its MSI-X table",
    columns: [
      { title: "system", align: "left" },
      { title: "entry" },
      { title: "irq" },
      { title: "host's vector" },
      { title: "goes to", align: "left" },
      { title: "guest's vector" },
      { title: "device is programmed with", align: "left" },
    ],
    rows,
  })];
}

/** Slide 17. */
export function slide17(runs: Runs): Part[] {
  const cases = [true, false].map((registered) => {
    const bench = busyGuest(runs, SYSTEM);
    const { lab } = bench.session;
    const device = assigned(bench);
    const { guestVector } = device.interrupts()[0]!;
    if (!registered) lab.host.cpus[3]!.vectorIrq.delete(guestVector); // as if patch 13 were not there
    const exits = lab.exits().reduce((sum, count) => sum + count, 0);
    // What the host types comes as an NMI. The message arrives while the vCPU is out for it.
    const observed = bench.observe(
      `ssh vm0 true &\nrun until exits.total >= ${exits + 1}\nirq vf0\nrun 100us`,
    );
    const taken = bench.run("ssh vm0 grep TxRx-0 /proc/interrupts | sed 's/^[^:]*: *//; s/ .*//'").trim();
    const { spuriousVectors: lost, dmesg } = lab.host;
    return { registered, observed, forwarded: device.forwarded, lost, taken, log: dmesg.at(-1)?.text ?? "" };
  });
  return [
    table({
      title: "The device interrupts while the vCPU is out of guest mode",
      columns: [
        { title: "the guest's vector in the host's table", align: "left" },
        { title: "made a virtual interrupt" },
        { title: "taken by the guest" },
        { title: "lost" },
      ],
      rows: cases.map(({ registered, forwarded, taken, lost }) => [
        registered ? "registered" : "not registered",
        forwarded,
        Number(taken),
        lost,
      ]),
      notes: [`Where it is lost, the host's log says: ${cases[1]!.log}`],
    }),
    flow({
      name: "slide17-registered",
      title: "Registered: the host takes the guest's vector and injects it",
      system: SYSTEM,
      items: cases[0]!.observed.items,
    }),
  ];
}

/** The device of vm0. */
function assigned({ session }: Bench) {
  return session.lab.guests.get("vm0")!.machine.file.vm.assigned[0]!;
}
