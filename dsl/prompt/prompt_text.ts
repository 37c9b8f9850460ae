/**
 * What stands before the line that is typed. It needs no laboratory: the first prompt is on the screen before that is
 * loaded and booted.
 *
 * @module
 */

import { type Era, ERA_2012, eraSystem } from "../../runtime/lab/eras.ts";
import { BOOT_NS, type SystemRow } from "../../runtime/lab/systems.ts";

/** `rfc-v2 0.100s # `, where time stands still at a stop `rfc-v2 0.100s [eoi] # `. */
export function promptText(system: SystemRow, nowNs: number, stop?: string): string {
  const reason = stop === undefined ? "" : `[${stop}] `;
  return `${system.name} ${(nowNs / 1e9).toFixed(3)}s ${reason}# `;
}

/** What a user can ask for that the first prompt tells. */
export interface FirstPrompt {
  readonly era?: Era;
  readonly system?: SystemRow;
}

/** The prompt of a laboratory that has just booted. */
export function firstPrompt({ era = ERA_2012, system = eraSystem(era) }: FirstPrompt): string {
  return promptText(system, BOOT_NS);
}
