/**
 * Which parameters of the model a sample rests on: those of the steps that it is made of.
 *
 * @module
 */

import type { Part } from "../../measure/critical_path.ts";

/** Steps whose names are not those of their parameters. */
const PARAMETERS: Readonly<Record<string, string>> = {
  vmentry: "hw.processor.vm_entry",
  wrmsr: "hw.processor.msr_access",
  rdmsr: "hw.processor.msr_access",
  load: "hw.processor.device_access",
  store: "hw.processor.device_access",
  in: "hw.processor.device_access",
  out: "hw.processor.device_access",
};
/** Where the parameter of a step may stand, by the name of the step. */
const FOLDERS = ["hw.processor", "linux", "kvm", "qemu"];
/** What a kernel does beside the work at hand. */
const BACKGROUND: Readonly<Record<string, string>> = {
  "irqoff section": "irq_off",
  "preemptoff section": "preempt_off",
  "heavy section": "heavy",
  "slow handler": "slow_handler",
};

/** Their paths, as far as `isKnown` knows them; a step without a cost of its own, as an endless loop, has none. */
export function parametersOf(parts: readonly Part[], isKnown: (path: string) => boolean): string[] {
  const paths = new Set(["hw.path"]); // the factor of every path
  for (const part of parts) for (const path of pathsOf(part)) if (isKnown(path)) paths.add(path);
  return [...paths];
}

function pathsOf({ activity, kind, name }: Part): string[] {
  if (kind === "message") return ["hw.ipi_latency"];
  const section = BACKGROUND[name];
  if (section !== undefined) {
    return [`${activity?.world.startsWith("host.") ? "host" : "guest"}_background.${section}`];
  }
  const own = name.replaceAll(" ", "_").replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();
  const instruction = PARAMETERS[name];
  return instruction === undefined ? FOLDERS.map((folder) => `${folder}.${own}`) : [instruction];
}
