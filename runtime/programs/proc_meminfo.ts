/**
 * `/proc/meminfo` as tools read it.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { Errno } from "../linux/errno.ts";
import { readFile, type SystemPort } from "./program.ts";

/** KiB by name; a name that is not there is none. Answers the errno where the file cannot be read. */
export function* readMeminfo(system: SystemPort): Activity<ReadonlyMap<string, number> | Errno> {
  const text = yield* readFile(system, "/proc/meminfo");
  if (text instanceof Errno) return text;
  return new Map([...text.matchAll(/^(\w+): +(\d+)/gm)].map(([, name, kib]) => [name!, Number(kib)]));
}
