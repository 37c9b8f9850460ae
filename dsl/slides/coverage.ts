/**
 * How many of the slides come back, and how.
 *
 * @module
 */

import { EXAMPLES } from "../host/examples.ts";
import { type SlideEntry, type SlideKind, SLIDES } from "../talk/catalogue.ts";

/** How many slides come back in each way, and those that cannot, because a script that they need does not exist. */
export interface Coverage {
  readonly executed: number;
  readonly derived: number;
  readonly text: number;
  /** Numbers of slides. */
  readonly missing: readonly number[];
}

/** The scripts that exist. */
const PRESENT: ReadonlySet<string> = new Set(EXAMPLES.files.keys());

/** How a slide comes back, given the scripts that exist. */
export function standing(slide: SlideEntry, scripts = PRESENT): SlideKind | "missing" {
  return slide.scripts?.every((script) => scripts.has(script)) === false ? "missing" : slide.kind;
}

/** The coverage, given the scripts that exist. */
export function coverage(scripts = PRESENT): Coverage {
  const those = (kind: SlideKind | "missing") => SLIDES.filter((slide) => standing(slide, scripts) === kind);
  return {
    executed: those("executed").length,
    derived: those("derived").length,
    text: those("text").length,
    missing: those("missing").map(({ number }) => number),
  };
}

/** `34 slides: 21 executed, 1 derived, 12 text, 0 missing`. */
export function coverageText({ executed, derived, text, missing }: Coverage): string {
  return `${SLIDES.length} slides: ${executed} executed, ${derived} derived, ${text} text, ${missing.length} missing`;
}
