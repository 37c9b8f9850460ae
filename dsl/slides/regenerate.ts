/**
 * From a slide's number to its parts: which module makes which slide.
 *
 * @module
 */

import type { SlideEntry } from "../talk/catalogue.ts";
import { standing } from "./coverage.ts";
import { slide18, slide20, slide22, slide7, slide9 } from "./flow_slides.ts";
import { slide13, slide14, slide15, slide16, slide17 } from "./issue_slides.ts";
import { latencyParts, slide5 } from "./latency_slides.ts";
import { slide6 } from "./overcommit_slide.ts";
import { paragraphs, type Part } from "../talk/part.ts";
import { slide12, slide19, slide21 } from "./register_slides.ts";
import { RunFailure, type RunRecord, type Runs } from "./runs.ts";
import { slide10, slide11, slide24, slide30 } from "./setup_slides.ts";
import { slide29 } from "./status_slide.ts";
import { slide27 } from "./traffic_slide.ts";

const MAKERS: ReadonlyMap<number, (runs: Runs) => readonly Part[]> = new Map([
  [5, slide5],
  [6, slide6],
  [7, slide7],
  [9, slide9],
  [10, slide10],
  [11, slide11],
  [12, slide12],
  [13, slide13],
  [14, slide14],
  [15, slide15],
  [16, slide16],
  [17, slide17],
  [18, slide18],
  [19, slide19],
  [20, slide20],
  [21, slide21],
  [22, slide22],
  [24, slide24],
  [25, (runs) => latencyParts(25, runs)],
  [26, (runs) => latencyParts(26, runs)],
  [27, slide27],
  [29, slide29],
  [30, slide30],
]);

/** A slide that has come back. */
export interface Regenerated {
  readonly slide: SlideEntry;
  readonly parts: readonly Part[];
  /** What it rests on. */
  readonly runs: readonly RunRecord[];
  /** Why a run that it needs has failed. */
  readonly problem?: string;
}

/** Makes a slide. */
export function regenerate(slide: SlideEntry, runs: Runs): Regenerated {
  const make = MAKERS.get(slide.number);
  if (make === undefined) return { slide, parts: [paragraphs(`Nothing to run: ${slide.by}.`)], runs: [] };
  runs.takeRecords();
  try {
    const parts = make(runs);
    return { slide, parts, runs: runs.takeRecords() };
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    return {
      slide,
      parts: [paragraphs(`n/a: ${error.message}`)],
      runs: runs.takeRecords(),
      problem: error.message,
    };
  }
}

/** `Slide 7: title`, underlined, and its parts. */
export function slideLines({ slide, parts }: Regenerated): string[] {
  const heading = `Slide ${slide.number}: ${slide.title} [${standing(slide)}]`;
  return [heading, "=".repeat(heading.length), ...parts.flatMap((part) => ["", ...part.text()])];
}

/** The same for programs. */
export function slideJson({ slide, parts, runs, problem }: Regenerated): Readonly<Record<string, unknown>> {
  return {
    slide: slide.number,
    title: slide.title,
    kind: standing(slide),
    by: slide.by,
    ...(problem === undefined ? {} : { problem }),
    parts: parts.map((part) => part.json()),
    runs,
  };
}
