/**
 * Slide mode: takes what the slides print, and says what a real kernel would want.
 *
 * Slide 30 writes `XXXX:XXXX` to `new_id` and `05:00.0` to `bind` and `unbind`; Linux wants two fields with a blank
 * between them, and the full name with its domain. The order and the effect stay the kernel's.
 *
 * @module
 */

import { DEDICATED_CPU } from "../../runtime/lab/systems.ts";
import type { Machine, SlideHook } from "../shell/ports.ts";
import type { Session } from "./session.ts";

/** What slide mode makes of a write. */
interface Rewriting {
  readonly text: string;
  readonly notes: readonly string[];
}

/** The leniency of `session`. */
export function slideHook(session: Session): SlideHook {
  return {
    write(machine: Machine, path: string, text: string): Rewriting {
      if (/^\/sys\/bus\/pci\/drivers\/[^/]+\/(new_id|remove_id)$/.test(path)) return identifiers(text);
      if (/^\/sys\/bus\/pci\/drivers\/[^/]+\/(bind|unbind)$/.test(path)) return address(text);
      if (path === `/sys/devices/system/cpu/cpu${DEDICATED_CPU}/online` && machine.name === "host") {
        return dedicatedCpu(session, text);
      }
      return { text, notes: [] };
    },
  };
}

/** D1: `8086:10ed` for `8086 10ed`. */
function identifiers(text: string): Rewriting {
  const fixed = text.replace(/^([0-9a-fA-F]{4}):([0-9a-fA-F]{4})\b/, "$1 $2");
  if (fixed === text) return { text, notes: [] };
  return { text: fixed, notes: [`D1: Linux wants a blank, not a colon: echo ${fixed.trim()}`] };
}

/** D2: `05:00.0` for `0000:05:00.0`. */
function address(text: string): Rewriting {
  if (!/^[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]\s*$/.test(text)) return { text, notes: [] };
  return { text: `0000:${text}`, notes: [`D2: Linux wants the full name: echo 0000:${text.trim()}`] };
}

/** In systems that keep the dedicated CPU for Linux, taking it offline would leave nothing to compare. */
function dedicatedCpu(session: Session, text: string): Rewriting {
  const { system } = session.lab.options;
  if (system.dedicated === "offline" || text.trim() !== "0") return { text, notes: [] };
  const use = system.vm0 === "host" ? "vm0's processor 0 is that CPU" : "the vCPU's thread is pinned to it";
  return { text: "1\n", notes: [`system ${system.name}: cpu${DEDICATED_CPU} stays online, ${use}`] };
}
