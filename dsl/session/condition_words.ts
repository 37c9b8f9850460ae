/**
 * How a condition may go on: what Tab offers behind `expect`, `stop-at`, `watch`, `changed` and `run until`.
 *
 * @module
 */

import { exitReasonNames } from "../../runtime/lab/views/exits.ts";
import { MSRS, registerNames } from "../../runtime/lab/views/registers.ts";
import { CPU_STATES, KNOWN, STATISTICS } from "./condition.ts";
import { nextParts } from "./dotted_names.ts";
import { OCCURRENCES } from "./occurrences.ts";
import type { Session } from "./session.ts";

/** Which conditions are meant: those on what is, those on what happens too, or quantities and registers alone. */
export type ConditionKind = "state" | "all" | "value";

/** Words that may stand where `word` has been begun, behind the words `before` of a condition. */
export function conditionWords(
  session: Session,
  kind: ConditionKind,
  before: readonly string[],
  word: string,
): readonly string[] {
  const { lab } = session;
  const processors = () => lab.machine.cpus.map((_, id) => String(id));
  const [first, second] = before;
  const last = before.at(-1);
  if (first === undefined) {
    const values = [
      ...["total", ...exitReasonNames().map((name) => name.toLowerCase())].map((name) => `exits.${name}`),
      ...STATISTICS.map((name) => `cyclictest.${name}`),
      ...registerNames(lab),
    ];
    const known = kind === "value" ? [] : KNOWN.filter((each) => !each.includes("."));
    return nextParts(
      [...known.filter((each) => kind === "all" || !OCCURRENCES.includes(each)), ...values],
      word,
    );
  }
  if (first === "msr-bitmap" || first === "msr") {
    return before.length === 1
      ? [...MSRS.keys()].map((msr) => `0x${msr.toString(16)}`)
      : first === "msr" && before.length === 2
      ? ["read", "write"]
      : [];
  }
  if (kind === "value") return [];
  if (first === "guest") {
    return before.length === 1
      ? [...new Set(["vm0", ...lab.guests.keys()])]
      : before.length === 2
      ? ["up", "down"]
      : [];
  }
  if (last === "cpu") return processors();
  if (first === "cpu") return before.length === 2 && /^\d+$/.test(second ?? "") ? CPU_STATES : [];
  if (!OCCURRENCES.includes(first)) return [];
  const place = before.includes("cpu") ? [] : ["cpu"];
  if (first !== "exit" || before.length > 1) return place;
  return word.startsWith("reason=")
    ? exitReasonNames().map((name) => `reason=${name}`)
    : ["reason=", ...place];
}
