/**
 * Runs a session's script again, in a laboratory of its own, up to one sample of a measurement.
 *
 * On the same system that leads to the same sample, event for event, and this time it is looked at. On another system it
 * leads to the sample of the same number, under the same random numbers. That is not the same instant where the set-up
 * takes another time; but what the host does by itself comes at the same instants, so what is sampled around that one is
 * looked at too.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import type { LabResult } from "../../runtime/lab/lab.ts";
import { SampleWatch, type SampleWish, type WatchedSample } from "../../runtime/lab/sample_watch.ts";
import type { SystemRow } from "../../runtime/lab/systems.ts";
import { DeadlockError } from "../shell/jobs.ts";
import type { Session } from "./session.ts";

/** Which sample of which measurement. */
export interface SampleAddress {
  /** A measurement of the session's present laboratory. */
  readonly result: LabResult;
  /** The thread's number. */
  readonly thread: number;
  /** The sample's, from 1. */
  readonly number: number;
}

/** What another system makes of it; a text says why there is no such sample. */
export interface OtherSystem {
  /** The system's name. */
  readonly system: string;
  /** The sample of the same number. */
  readonly sample: WatchedSample | string;
  /** The larger of the two samples that lie around the same instant. */
  readonly around: WatchedSample | string;
}

/** Thrown out of the run once all that is wanted has been seen: nobody needs the rest. */
class Seen {}

/**
 * Runs again what `session` was given, up to the sample, and answers it; or why there is no such sample.
 *
 * @throws RepetitionError where the run cannot be repeated
 */
export function rerun(session: Session, at: SampleAddress): WatchedSample | string {
  let seen: WatchedSample | undefined;
  const wish = {
    isNear: (number: number) => number === at.number || number === at.number - 1,
    wants: (number: number) => number === at.number,
  };
  const problem = repeat(session, at, undefined, wish, (sample) => {
    seen = sample;
    throw new Seen();
  });
  return seen ?? problem ?? `the run ends before sample ${at.number}`;
}

/** The same on another system: the sample of that number, and what was sampled when `sample` was asked for. */
export function rerunOn(
  session: Session,
  at: SampleAddress,
  system: SystemRow,
  sample: WatchedSample,
): OtherSystem {
  const { expiryNs } = sample;
  const intervalNs = 1000 *
    at.result.cyclictest.threads.find((each) => each.number === at.thread)!.intervalUs;
  let numbered: WatchedSample | undefined, around: WatchedSample | undefined;
  const wish = {
    isNear: (number: number, lastNs: number) =>
      number === at.number || number === at.number - 1 ||
      (lastNs < expiryNs && lastNs >= expiryNs - 3 * intervalNs),
    wants: (number: number, atNs: number) => number === at.number || Math.abs(atNs - expiryNs) < intervalNs,
  };
  const problem = repeat(
    session,
    at,
    system,
    wish,
    (found) => {
      if (found.number === at.number) numbered = found;
      const isNear = Math.abs(found.expiryNs - expiryNs) < intervalNs;
      if (isNear && (around === undefined || found.latencyNs > around.latencyNs)) around = found;
      if (numbered !== undefined && found.expiryNs >= expiryNs) throw new Seen();
    },
  );
  return {
    system: system.name,
    sample: numbered ?? problem ?? `the run ends before sample ${at.number}`,
    around: around ?? problem ?? "nothing is measured then",
  };
}

/** Runs it again, with samples looked at, until `found` throws; otherwise to its end, or to where it stands still. */
function repeat(
  session: Session,
  { number, thread, result: { run, cyclictest } }: SampleAddress,
  system: SystemRow | undefined,
  wish: Pick<SampleWish, "isNear" | "wants">,
  found: (sample: WatchedSample) => void,
): string | undefined {
  const { name } = system ?? session.lab.options.system;
  const repeated = session.repeating({
    journal: session.journal,
    until: session.position,
    ...(system === undefined ? {} : { system }),
    prepare: (lab) => {
      lab.watch = new SampleWatch(lab, { run, thread, ...wish }, found);
      lab.onProgress = young((_, fraction) => {
        const share = Math.min(1, fraction * cyclictest.options.loops / number);
        session.onProgress(`explain: again on ${name}`, share);
      });
    },
  });
  try {
    repeated.again!.run();
  } catch (reason) {
    if (reason instanceof DeadlockError) return `the run stands still: ${reason.message}`;
    if (!(reason instanceof Seen)) throw reason;
  }
  return undefined;
}
