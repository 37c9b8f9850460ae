/**
 * Slides 12, 19 and 21: what stands in the control structure and the MSR bitmap of a guest that runs.
 *
 * *Document*: Intel SDM vol. 3C, "VM-Execution Control Fields"; vol. 3A, "x2APIC Register Address Space".
 *
 * @module
 */

import { busyGuest } from "./flow_slides.ts";
import { consoleText, paragraphs, type Part, table } from "../talk/part.ts";
import type { Bench, Runs } from "./runs.ts";

/** The first vCPU of vm0. */
function vcpuOf({ session }: Bench) {
  return session.lab.guests.get("vm0")!.machine.file.vm.vcpus[0]!;
}

/** The pin-based controls that the slide names. */
const PIN_CONTROLS = [
  { bit: 0, name: "external-interrupt exiting", set: "interrupts exit", clear: "through the guest's IDT" },
  { bit: 3, name: "NMI exiting", set: "NMIs exit", clear: "through the guest's IDT" },
];

/** Slide 12. */
export function slide12(runs: Runs): Part[] {
  const stock = vcpuOf(busyGuest(runs, "kvm")).vmcs.pinBased;
  const direct = busyGuest(runs, "rfc-v2");
  const fields = [stock, vcpuOf(direct).vmcs.pinBased];
  const meaning = (field: number, { bit, set, clear }: typeof PIN_CONTROLS[number]) =>
    (field & (1 << bit)) !== 0 ? `1: ${set}` : `0: ${clear}`;
  return [
    table({
      title: "Pin-based VM-execution controls while the guest runs",
      columns: [
        { title: "bit" },
        { title: "control", align: "left" },
        { title: "kvm", align: "left" },
        { title: "rfc-v2", align: "left" },
      ],
      rows: PIN_CONTROLS.map((control) => [
        control.bit,
        control.name,
        ...fields.map((field) => meaning(field, control)),
      ]),
    }),
    consoleText("rfc-v2", direct.tell("show vmcs vm0", "show vmcs")),
  ];
}

/** Slide 19. */
export function slide19(runs: Runs): Part[] {
  const bench = busyGuest(runs, "rfc-v2");
  const vcpu = vcpuOf(bench);
  const EOI = 0x80b;
  const state = (when: string) => [
    when,
    vcpu.vmcs.msrBitmap.name,
    vcpu.vmcs.msrBitmap.intercepts(EOI, true) ? "exits" : "direct",
    vcpu.vmcs.pinBased & 1,
  ];
  const rows = [state("no virtual interrupt")];
  bench.run("ssh vm0 true &", "a virtual interrupt");
  bench.until(() => vcpu.vmcs.msrBitmap.intercepts(EOI, true));
  rows.push(state("a virtual interrupt is injected"));
  bench.until(() => !vcpu.vmcs.msrBitmap.intercepts(EOI, true));
  rows.push(state("its EOI is emulated"));
  const noX2apic = runs.bench("rfc-v2").tell(
    "echo 0 > /sys/devices/system/cpu/cpu3/online\n" +
      "qemu-kvm.patched -m 1024 -cpu qemu64 -enable-kvm -no-kvm-pit -nographic\nssh vm0 true",
    "no x2APIC",
  );
  return [
    table({
      title: "MSR bitmap of a guest on rfc-v2, as time goes on",
      columns: [
        { title: "when", align: "left" },
        { title: "bitmap", align: "left" },
        { title: "write of 0x80b (EOI)", align: "left" },
        { title: "pin-based bit 0" },
      ],
      rows,
    }),
    consoleText("Without x2APIC the APIC is memory, and direct EOI is impossible", noX2apic),
  ];
}

/** Registers of slide 21 as it lists them. */
const TIMER_REGISTERS = [
  { msr: 0x838, name: "TMICT, initial count", slide: "exposed: a write starts the timer" },
  { msr: 0x839, name: "TMCCT, current count", slide: "exposed: read" },
  { msr: 0x83e, name: "TDCR, divide configuration", slide: "exposed: read and write" },
  { msr: 0x832, name: "LVTT, vector and mode", slide: "not exposed: KVM checks the vector" },
  { msr: 0x6e0, name: "IA32_TSC_DEADLINE", slide: "not exposed: the guest's TSC has an offset" },
];

/** Slide 21. */
export function slide21(runs: Runs): Part[] {
  const systems = ["rfc-v2", "talk"];
  const made = systems.map((system) => {
    const bench = busyGuest(runs, system);
    const { msrBitmap } = vcpuOf(bench).vmcs;
    const access = TIMER_REGISTERS.map(({ msr }) => {
      const [read, write] = [!msrBitmap.intercepts(msr, false), !msrBitmap.intercepts(msr, true)];
      return read && write ? "read, write" : read ? "read" : write ? "write" : "exits";
    });
    return { access, timers: bench.session.lab.host.cpus.map((cpu) => cpu.hrtimers.timers().length) };
  });
  const { timers } = made[0]!;
  return [
    table({
      title: "What the guest reaches without an exit: the MSR bitmap while it runs",
      columns: [
        { title: "MSR", align: "left" },
        { title: "register", align: "left" },
        { title: "slide", align: "left" },
        ...systems.map((title) => ({ title, align: "left" as const })),
      ],
      rows: TIMER_REGISTERS.map(({ msr, name, slide }, i) => [
        `0x${msr.toString(16)}`,
        name,
        slide,
        ...made.map(({ access }) => access[i]!),
      ]),
      notes: [
        "The patches open TMCCT for writing too, which the register ignores, and trap TDCR; talk does as the slide says.",
      ],
    }),
    paragraphs(
      `Host timers on the dedicated core must be off: the host has ${timers[3]} timers queued on cpu3, and ${
        timers[0]
      } on cpu0.`,
    ),
  ];
}
