/**
 * Slides 7, 9, 18, 20 and 22: the way of an interrupt, drawn from the trace of a guest that runs an endless loop.
 *
 * *Deviations*: the talk's timer is any timer; here it is the guest's own tick. Linux acknowledges the interrupt
 * before it runs its timers, so EOI stands where the handler begins.
 *
 * @module
 */

import { systemNamed, type SystemRow } from "../../runtime/lab/systems.ts";
import { exitsOf, type FlowItem, periodOf, withoutHostInterrupts } from "../../runtime/measure/flow.ts";
import { flow, type FlowContent } from "../talk/flow.ts";
import type { FlowMark } from "../talk/flow_figure.ts";
import { paragraphs, type Part, table } from "../talk/part.ts";
import type { Bench, Runs } from "./runs.ts";

/** The set-up of slide 30, and a task that keeps the guest busy. */
const BUSY = ". ./talk_setup.rtk\nssh vm0 'while :; do :; done' &\nrun 100ms";
/** On stock KVM the device's interrupt goes to the vCPU's CPU: the best case, and the figure's. */
const AFFINITY = "for irq in $(grep kvm: /proc/interrupts | cut -d: -f1); do\n" +
  "  echo 8 > /proc/irq/$irq/smp_affinity\ndone";
/** One interrupt of the assigned device, and what follows. */
const DEVICE = "irq vf0\nrun 200us";
/** A command that the host's console types into the guest, by its emulated network card. */
const VIRTUAL = "ssh vm0 true &\nrun 300us";
/** Three ticks of a guest with 250 a second. */
const TICKS = "run 12ms";
const ARMED = "set APIC timer";

/** A busy guest on `system`. */
export function busyGuest(runs: Runs, system: SystemRow | string): Bench {
  const bench = runs.bench(system);
  bench.run(BUSY, "talk_setup.rtk, busy guest");
  if (bench.session.lab.options.system.dedicated === "pinned") bench.run(AFFINITY, "affinity to cpu3");
  return bench;
}

/** A period of the guest's tick, from the write of its timer to the next one. */
interface Period {
  readonly items: readonly FlowItem[];
  readonly notes: readonly string[];
}

function timerPeriod(bench: Bench): Period {
  const { items: all } = bench.observe(TICKS);
  const { items, removed } = withoutHostInterrupts(periodOf(all, ARMED));
  return {
    items,
    notes: removed === 0
      ? []
      : [`Left out: ${removed} more exits in this period, for timer interrupts of the host itself.`],
  };
}

/** What one interrupt brings, up to the task that it has interrupted. */
function interrupt(bench: Bench, script: typeof DEVICE | typeof VIRTUAL): readonly FlowItem[] {
  const { items } = withoutHostInterrupts(bench.observe(script).items);
  const end = items.findIndex(({ text }, i) => text === "guest runs" && i > 0);
  return end < 0 ? items : items.slice(0, end + 1);
}

/** Slide 7. */
export function slide7(runs: Runs): Part[] {
  const { items, notes } = timerPeriod(busyGuest(runs, "kvm"));
  return [
    flow({ name: "slide07-timer", title: "Timer interrupt, stock KVM", system: "kvm", items, notes }),
  ];
}

/** Slide 18. */
export function slide18(runs: Runs): Part[] {
  return [
    deviceFlow(runs, "kvm", { name: "slide18-normal", title: "Normal interrupt delivery" }),
    deviceFlow(runs, "rfc-v1", { name: "slide18-direct", title: "Direct interrupt delivery" }),
  ];
}

/** Slide 20. */
export function slide20(runs: Runs): Part[] {
  const items = interrupt(busyGuest(runs, "rfc-v2"), VIRTUAL);
  return [
    deviceFlow(runs, "rfc-v2", { name: "slide20-direct-eoi", title: "Direct delivery and direct EOI" }),
    flow({
      name: "slide20-virtual",
      title: "Virtual interrupt under direct mode",
      system: "rfc-v2",
      items,
      notes: ["The interrupt is that of the emulated network card, by which the host's console types."],
    }),
  ];
}

/** Slide 22. */
export function slide22(runs: Runs): Part[] {
  const [stock, direct] = ["kvm", "rfc-v2"].map((system) => timerPeriod(busyGuest(runs, system)));
  return [
    flow({ name: "slide22-virtual", title: "Virtual local APIC timer", system: "kvm", ...stock! }),
    flow({ name: "slide22-direct", title: "Direct local APIC timer", system: "rfc-v2", ...direct! }),
  ];
}

function deviceFlow(runs: Runs, system: string, what: Pick<FlowContent, "name" | "title">): Part {
  return flow({ ...what, system, items: interrupt(busyGuest(runs, system), DEVICE) });
}

// ---- slide 9 ----

/** A mechanism of slide 9, the row of a system that has it and those before it, and what it removes first. */
interface Mechanism {
  readonly label: string;
  readonly system: SystemRow;
  /** Class of its colour. */
  readonly classes: string;
}

/** Slide 9: the mechanisms, each on top of those before it; which exits go is counted. */
const MECHANISMS: readonly Mechanism[] = [
  { label: "stock KVM", system: systemNamed("kvm")!, classes: "bare-metal" },
  { label: "CPU isolation", system: systemNamed("isolation")!, classes: "bare-metal" },
  { label: "direct delivery", system: systemNamed("rfc-v1")!, classes: "kvm" },
  { label: "direct EOI", system: systemNamed("delivery+eoi")!, classes: "eoi" },
  { label: "direct APIC timer", system: systemNamed("rfc-v2")!, classes: "rfc-v2" },
];

/** What a system's exits are caused by, in a period of its timer, by a device's interrupt, by a virtual one. */
interface Causes {
  readonly timer: Period;
  readonly device: readonly FlowItem[];
  readonly virtual: readonly FlowItem[];
}

/** The items that end in an exit, by index. */
function causesOf(items: readonly FlowItem[]): number[] {
  return items.flatMap((_, i) => items[i + 1]?.text === "VM exit" ? [i] : []);
}

/** Slide 9. */
export function slide9(runs: Runs): Part[] {
  const steps = MECHANISMS.map((mechanism) => {
    const causes: Causes = {
      timer: timerPeriod(busyGuest(runs, mechanism.system)),
      device: interrupt(busyGuest(runs, mechanism.system), DEVICE),
      virtual: interrupt(busyGuest(runs, mechanism.system), VIRTUAL),
    };
    return { mechanism, causes };
  });
  const stock = steps[0]!.causes.timer;
  return [
    flow({
      name: "slide09-removed",
      title: "Timer interrupt, stock KVM, and what removes its exits",
      system: "kvm",
      items: stock.items,
      marks: removalMarks(stock.items, steps),
      notes: stock.notes,
    }),
    table({
      title: "VM exits, counted, with one mechanism more in each row",
      columns: [
        { title: "mechanism", align: "left" },
        { title: "timer period" },
        { title: "assigned device's interrupt" },
        { title: "virtual interrupt" },
      ],
      rows: steps.map(({ mechanism, causes }, i) => [
        i === 0 ? mechanism.label : `+ ${mechanism.label}`,
        ...[causes.timer.items, causes.device, causes.virtual].map(exitsOf),
      ]),
      notes: [
        "Without the direct timer the guest's timer interrupt stays a virtual one: delivery and EOI alone leave its exits.",
      ],
    }),
    ...steps.slice(1).map(({ mechanism, causes }, i) =>
      flow({
        name: `slide09-step${i + 1}`,
        title: `Timer interrupt, + ${mechanism.label}`,
        system: mechanism.system.name,
        items: causes.timer.items,
      })
    ),
    paragraphs(
      "A mark names the first mechanism with which a path, the timer's or a device's, has fewer exits than in the row before, and fewer of this cause than on stock KVM.",
    ),
  ];
}

/**
 * Marks each exit of a stock period with the mechanism that removes it: the first with which a path, this one or a
 * device's, has fewer exits than before, and fewer of this cause than on stock KVM.
 */
function removalMarks(
  items: readonly FlowItem[],
  steps: readonly { readonly mechanism: Mechanism; readonly causes: Causes }[],
): FlowMark[] {
  const paths = ({ timer, device }: Causes) => [timer.items, device];
  const count = (path: readonly FlowItem[], cause: string) =>
    causesOf(path).filter((i) => path[i]!.text === cause).length;
  const stock = paths(steps[0]!.causes);
  return causesOf(items).flatMap((from): FlowMark[] => {
    const to = items.findIndex(({ text }, i) => i > from && text === "VM entry");
    const cause = items[from]!.text;
    const by = steps.slice(1).find(({ causes }, i) => {
      const before = paths(steps[i]!.causes);
      return paths(causes).some((path, which) =>
        exitsOf(path) < exitsOf(before[which]!) && count(path, cause) < count(stock[which]!, cause)
      );
    });
    if (by === undefined || to < 0) return [];
    const { label, classes } = by.mechanism;
    return [{ from, to, label: `${label} removes it`, classes }];
  });
}
