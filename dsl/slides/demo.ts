/**
 * The main job in one command: the talk's set-up told step by step, then slide 25's five rows and its table.
 *
 * @module
 */

import { example, EXAMPLES } from "../host/examples.ts";
import type { LabResult } from "../../runtime/lab/lab.ts";
import { systemNamed } from "../../runtime/lab/systems.ts";
import { periodLines } from "../../runtime/lab/views/lab_views.ts";
import { DMA_LATENCY_LINE, histogramLines } from "../../runtime/measure/cyclictest_format.ts";
import { PUBLISHED_LATENCIES } from "../../runtime/measure/published.ts";
import { durationText } from "../session/duration.ts";
import { narrator } from "../session/narrate.ts";
import { ProgressLine, progressText } from "../host/progress.ts";
import { Session } from "../session/session.ts";
import { latencySlideLines } from "../talk/slide_table.ts";
import { laboratoryWords } from "../words/index.ts";

/** What the demo may be told. */
export interface DemoOptions {
  /** Of cyclictest, in each row. */
  readonly loops: number;
  readonly seed: number;
}

/** Where it writes. */
export interface DemoPort {
  out(text: string): void;
  err(text: string): void;
  readonly errIsTerminal: boolean;
}

/** Rows of cyclictest's histogram that are shown at its head and at its tail. */
const SHOWN = { head: 24, tail: 3 };

/** The row whose output is shown as cyclictest prints it. */
const SHOWN_ROW = { system: "rfc-v2", kernel: "linux-3.4.0" };

/** Runs it; answers the exit status. */
export function demo({ loops, seed }: DemoOptions, port: DemoPort): number {
  const progress = new ProgressLine(port.errIsTerminal ? (part) => port.err(part) : undefined);
  const out = (text: string) => {
    progress.clear();
    port.out(text);
  };
  const err = (text: string) => {
    progress.clear();
    port.err(text);
  };
  // The rows repeat the set-up, which has been told already: what they say is kept for the case that one fails.
  let kept: string[] | undefined;
  const session = new Session({
    io: {
      out: (text) => kept === undefined ? out(text) : void kept.push(text),
      err: (text) => kept === undefined ? err(text) : void kept.push(text),
    },
    seed,
    name: "demo",
    folder: EXAMPLES,
    words: laboratoryWords,
  });
  session.onProgress = (name, fraction) => {
    const { system, kernel } = session.lab.options;
    progress.show(progressText(name, fraction, `${system.name}, ${kernel}`));
  };

  out("The set-up of slide 30, on rfc-v2 (the second series of patches):\n\n");
  let status = session.runScript(example("talk_setup.rtk"), "talk_setup.rtk", narrator(session, out));
  if (status !== 0) return failed(err, "the set-up", status);

  out(`\nSlide 25: cyclictest in vm0, ${loops} loops of 1 ms, endless loops on the host's CPUs.\n`);
  session.shell.set("loops", String(loops));
  for (const { system, kernel } of PUBLISHED_LATENCIES.filter(({ slide }) => slide === 25)) {
    session.boot({ system: systemNamed(system)!, kernel });
    kept = [];
    status = session.runScript(example("slide25_row.rtk"), "slide25_row.rtk");
    const said = kept.join("");
    kept = undefined;
    const result = session.results.at(-1);
    if (status !== 0 || result === undefined) return failed(err, `${said}${system} with ${kernel}`, status);
    out(`  ${system.padEnd(10)} ${kernel.padEnd(16)} ${lineOf(result)}\n`);
  }

  const { results } = session;
  const shown = results.find(({ system, kernel }) =>
    system === SHOWN_ROW.system && kernel === SHOWN_ROW.kernel
  );
  if (shown !== undefined) out(`\n${cyclictestText(shown)}`);
  for (const result of results.filter(({ system }) => system !== "bare-metal")) {
    out(`\n${periodLines(result).join("\n")}\n`);
  }
  out(`\n${latencySlideLines(25, results, session.lab.options.profile, seed).join("\n")}\n`);
  return 0;
}

function failed(err: (text: string) => void, what: string, status: number): number {
  err(`${what} ended with status ${status}\n`);
  return status === 0 ? 1 : status;
}

/** Minimum, average, maximum, and how much was simulated. */
function lineOf({ cyclictest, events }: LabResult): string {
  const { histogram, intervalUs } = cyclictest.threads[0]!;
  const length = durationText(histogram.count * intervalUs * 1000);
  return `min ${histogram.minUs} avg ${histogram.avgUs} max ${histogram.maxUs} us, ${length} in ${events} events`;
}

/** What cyclictest has printed, with the middle of its histogram left out and counted. */
function cyclictestText({ system, kernel, cyclictest }: LabResult): string {
  const { options } = cyclictest;
  const command =
    `cyclictest -a 0 -m -q -p ${options.priority} -n -l ${options.loops} -h ${options.histogram}`;
  const lines = [DMA_LATENCY_LINE, ...histogramLines(cyclictest.threads, { show: SHOWN })];
  return `${system}, ${kernel}:\n# ssh vm0 ${command}\n${lines.join("\n")}`;
}
