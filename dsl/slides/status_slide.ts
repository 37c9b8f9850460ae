/**
 * Slide 29: what each series of patches can do, beside the capabilities of the systems' rows.
 *
 * @module
 */

import { systemNamed } from "../../runtime/lab/systems.ts";
import { type Part, table } from "../talk/part.ts";

/** A line of the slide: what it says of both series, and which capability of a row says the same. */
interface StatusLine {
  readonly feature: string;
  readonly v1: string;
  readonly v2: string;
  /** Undefined where no capability decides it. */
  readonly capability?: "slaveCpu" | "delivery" | "eoi" | "timer";
  readonly note?: string;
}

const NOT_MODELLED = "not modelled";

/** As the slide prints it. */
const LINES: readonly StatusLine[] = [
  { feature: "CPU isolation", v1: "yes", v2: "yes", capability: "slaveCpu" },
  { feature: "direct interrupt delivery", v1: "yes", v2: "yes", capability: "delivery" },
  { feature: "direct EOI", v1: "no", v2: "yes", capability: "eoi" },
  { feature: "direct local APIC timer", v1: "no", v2: "yes", capability: "timer" },
  { feature: "SMP guest", v1: "no", v2: "yes", note: "no capability: -smp is QEMU's" },
  { feature: "AMD SVM", v1: "no", v2: "no", note: NOT_MODELLED },
  { feature: "in-kernel PIT", v1: "no", v2: "no", note: "its ticks are virtual interrupts: -no-kvm-pit" },
  { feature: "non-Linux guest", v1: "no", v2: "no", note: NOT_MODELLED },
  { feature: "page-fault handling", v1: "has an issue", v2: "has an issue", note: NOT_MODELLED },
];

/** Slide 29. */
export function slide29(): Part[] {
  const [v1, v2] = ["rfc-v1", "rfc-v2"].map((name) => systemNamed(name)!.capabilities);
  const agree = LINES.filter(({ capability, v1: first, v2: second }) =>
    capability !== undefined && text(v1![capability]) === first && text(v2![capability]) === second
  );
  const decided = LINES.filter(({ capability }) => capability !== undefined);
  return [table({
    title: "Patch submission status",
    columns: [
      { title: "feature", align: "left" },
      { title: "RFC v1", align: "left", group: "slide" },
      { title: "RFC v2", align: "left", group: "slide" },
      { title: "rfc-v1", align: "left", group: "row" },
      { title: "rfc-v2", align: "left", group: "row" },
      { title: "capability", align: "left" },
    ],
    rows: LINES.map(({ feature, v1: first, v2: second, capability, note }) => [
      feature,
      first,
      second,
      capability === undefined ? undefined : text(v1![capability]),
      capability === undefined ? undefined : text(v2![capability]),
      capability ?? note,
    ]),
    notes: [`${agree.length} of ${decided.length} capabilities of the rows are those of the slide.`],
  })];
}

function text(has: boolean): string {
  return has ? "yes" : "no";
}
