/**
 * What `irq` can make raise an interrupt: the functions of the network card, `pf0` and `vf0`.
 *
 * @module
 */

import type { Nic82599 } from "../../hw/nic_82599.ts";
import type { Nic82599Function } from "../../hw/nic_82599_function.ts";
import type { Software } from "./software.ts";

/** Makes a device raise the interrupt of one of its queues now; what is in the way, where it cannot. */
export type InterruptSource = (queue: number) => string | undefined;

/** The sources of a host: its card's physical function, and the virtual ones that its driver has made. */
export function interruptSources(software: Software, nic: Nic82599): Map<string, InterruptSource> {
  const sources = new Map<string, InterruptSource>([["pf0", source(software, nic)]]);
  for (let index = 0; index < nic.sriov.enabledVfs; index++) {
    sources.set(`vf${index}`, source(software, nic.vf(index)));
  }
  return sources;
}

/** Something has been received on a queue of `fn`: the same for the host's driver and for a guest's. */
function source(software: Software, fn: Nic82599Function): InterruptSource {
  return (queue) => {
    if (fn.queueVector(queue, "rx") === undefined) return `queue ${queue} has no vector: no driver uses it`;
    const { line: before } = fn.interrupts;
    const effects = fn.raiseQueue(queue, "rx", software.machine.engine.nowNs);
    software.effects.apply(effects);
    const told = effects.length > 0 || (fn.interrupts.line && !before); // a message, or the line
    return told ? undefined : `queue ${queue}: nothing sent: masked, or pending already`;
  };
}
