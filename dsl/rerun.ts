/**
 * Runs a session's script again, in a laboratory of its own, up to one sample of a measurement.
 *
 * On the same system that leads to the same sample, event for event, and this time it is looked at. On another system it
 * leads to the sample of the same number.
 *
 * @module
 */

import type { LabResult } from "../runtime/lab/lab.ts";
import { SampleWatch, type WatchedSample } from "../runtime/lab/sample_watch.ts";
import type { SystemRow } from "../runtime/lab/systems.ts";
import { DeadlockError } from "./jobs.ts";
import { Session } from "./session.ts";

/** Which sample of which measurement. */
export interface SampleAddress {
  /** A measurement of the session's present laboratory. */
  readonly result: LabResult;
  /** The thread's number. */
  readonly thread: number;
  /** The sample's, from 1. */
  readonly number: number;
}

/** Thrown out of the run once the sample has been taken: nobody wants the rest. */
class Taken {
  constructor(readonly sample: WatchedSample) {}
}

/**
 * Runs again what `session` was given, up to the sample, and answers it; or why there is no such sample.
 *
 * @param system another system than the session's
 * @throws RepetitionError where the run cannot be repeated
 */
export function rerun(session: Session, at: SampleAddress, system?: SystemRow): WatchedSample | string {
  const { number, thread, result: { run, cyclictest } } = at;
  const { name } = system ?? session.lab.options.system;
  const repeated = new Session({
    ...session.options,
    io: { out() {}, err() {} },
    repeats: {
      journal: session.journal,
      ...(system === undefined ? {} : { system }),
      prepare: (lab) => {
        lab.watch = new SampleWatch(lab, { run, thread, first: number, last: number }, (sample) => {
          throw new Taken(sample);
        });
        lab.onProgress = (_, fraction) => {
          const share = Math.min(1, fraction * cyclictest.options.loops / number);
          session.onProgress(`explain: again on ${name}`, share);
        };
      },
    },
  });
  try {
    repeated.repeat();
  } catch (reason) {
    if (reason instanceof Taken) return reason.sample;
    if (reason instanceof DeadlockError) return `the run stands still: ${reason.message}`;
    throw reason;
  }
  return `the run ends before sample ${number}`;
}
