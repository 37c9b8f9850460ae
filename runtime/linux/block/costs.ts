/**
 * What disks cost a kernel, as parameters.
 *
 * @module
 */

import { ns, parameters, type Values } from "../../../hw/parameters.ts";
import { type Layer, type Step, stepsOf, work } from "../../../hw/sim/activity.ts";

/** Costs, integer ns in their typical execution. */
export const blockCosts = parameters({
  submit: ns("From read() or write() of a disk to the driver's notification of the device, without that"),
  complete: ns("The interrupt's handler: the ring, the end of the request, the wake-up of whoever waits"),
  cachedPage: ns("Copying a page that the page cache has to user space, or from there"),
});

/** Values of {@linkcode blockCosts}. */
export type BlockCosts = Values<typeof blockCosts>;

/** The same as steps. */
export type BlockSteps = { readonly [Key in keyof BlockCosts]: Step };

/** Makes the steps, in the layer of the kernel whose they are. */
export function blockSteps(costs: BlockCosts, layer: Layer): BlockSteps {
  return stepsOf(costs, (name, ns) => work(`block.${name}`, layer, ns));
}
