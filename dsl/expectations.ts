/**
 * Assertions about a laboratory. One that does not hold says what was expected and what is, and prints a document that
 * brings it back: `rtkvm verify` plays it.
 *
 * @module
 */

import { parseCondition } from "./session/condition.ts";
import { agrees, difference } from "./documents/agreement.ts";
import { blocksOf, linesOfDocument } from "./documents/markdown.ts";
import { type Lab, partsOf } from "./library.ts";
import { timeText } from "./session/duration.ts";
import { exitsSince } from "./embedding/view.ts";

/** An assertion about a laboratory does not hold. */
export class ExpectationFailure extends Error {
  /** `ExpectationFailure`. */
  override readonly name = "ExpectationFailure";
  /**
   * A Markdown document with a script and a console block that runs it and ends as this has; it is the end of the message too.
   * Empty where commands or devices of the program's own were used, which rtkvm does not have.
   */
  readonly transcript: string;

  /** Of an assertion. @param problem what was expected and what is @param transcript what brings it back @param note why there is none */
  constructor(problem: string, transcript: string, note = "") {
    const again = transcript === ""
      ? note
      : `rtkvm verify plays this document, and it ends the same:\n\n${transcript}`;
    super(`${problem}\n${again}`.trimEnd());
    this.transcript = transcript;
  }
}

/** Upper bounds of a measurement, in µs; a bound that is absent does not matter. */
export interface LatencyBounds {
  /** Of the smallest sample. */
  readonly minUs?: number;
  /** Of the exact mean. */
  readonly meanUs?: number;
  /** Of the largest sample. */
  readonly maxUs?: number;
}

/**
 * While `action` goes on, vm0 causes no VM exit.
 *
 * ```ts
 * import { expectNoExit, Lab } from "@rtkvm/rtkvm";
 *
 * await using lab = await Lab.boot({ system: "rfc-v2" });
 * await lab.sh`
 *   echo 0 > /sys/devices/system/cpu/cpu3/online
 *   qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic
 *   ssh vm0 true
 * `;
 * await expectNoExit(lab, () => lab.sh`run 10ms`);
 * ```
 *
 * @throws ExpectationFailure where it causes some
 */
export async function expectNoExit(lab: Lab, action: () => unknown): Promise<void> {
  const before = lab.stats.exits;
  await action();
  const { total, byReason } = exitsSince(before, lab.stats.exits);
  if (total === 0) return;
  const counts = Object.entries(byReason).map(([reason, count]) => `${count} ${reason}`).join(", ");
  fail(
    lab,
    `Expected no VM exit of vm0, and there ${
      total === 1 ? "was" : "were"
    } ${counts}, up to event ${lab.event}, ` +
      timeText(lab.timeNs),
    `expect exits.total == ${before.total}`,
  );
}

/**
 * The last measurement keeps within bounds, themselves included.
 *
 * ```ts
 * import { expectLatency, Lab } from "@rtkvm/rtkvm";
 *
 * await using lab = await Lab.boot({ system: "bare-metal" });
 * await lab.sh`cyclictest -m -q -p 99 -n -l 100`;
 * expectLatency(lab, { meanUs: 5, maxUs: 500 });
 * ```
 *
 * @throws ExpectationFailure where it does not, or nothing has been measured
 */
export function expectLatency(lab: Lab, bounds: LatencyBounds): void {
  for (const name of ["min", "mean", "max"] as const) {
    const bound = bounds[`${name}Us`];
    if (bound === undefined) continue;
    const condition = parseCondition(`cyclictest.${name} <= ${bound}us`);
    const { holds, left, right } = condition.look(partsOf(lab).session);
    if (holds !== true) fail(lab, `${left}, expected ${right}`, `expect ${condition.text}`);
  }
}

/**
 * What the laboratory has been given and has written is what a document prints: in its `console` blocks, or all of it where it
 * has none. Commands stand behind `# `, what goes on in further lines behind `> `; a line `...` stands for any lines.
 *
 * ```ts
 * import { assertTranscript, Lab } from "@rtkvm/rtkvm";
 *
 * await using lab = await Lab.boot();
 * await lab.sh`echo 0 > /sys/devices/system/cpu/cpu3/online; cat /sys/devices/system/cpu/online`;
 * const online = "/sys/devices/system/cpu/online";
 * assertTranscript(lab, `...\n# cat ${online}\n0-2`);
 * ```
 *
 * @throws ExpectationFailure where it is not
 */
export function assertTranscript(lab: Lab, document: string): void {
  const all = linesOfDocument(document.replaceAll("\r\n", "\n"));
  const blocks = blocksOf(all).filter(({ language }) => language === "console");
  const printed = blocks.length > 0 ? blocks.flatMap(({ lines }) => lines) : withoutBlankEnds(all);
  const actual = partsOf(lab).transcript.lines;
  if (agrees(actual, printed)) return;
  const marks = { same: " ", gone: "-", come: "+" };
  const lines = difference(actual, printed).map(({ kind, text }) => `  ${marks[kind]} ${text}`.trimEnd());
  fail(lab, `The transcript is another one (- the document, + the laboratory):\n${lines.join("\n")}`);
}

function withoutBlankEnds(lines: readonly string[]): readonly string[] {
  const isText = (line: string) => line.trim() !== "";
  return lines.slice(lines.findIndex(isText), lines.findLastIndex(isText) + 1);
}

/** Fails, with a document that ends with the command `last` which fails as well. */
function fail(lab: Lab, problem: string, last?: string): never {
  const laboratory = partsOf(lab), { transcript, words } = laboratory;
  const { devices = [] } = transcript.boot;
  const own = devices.length > 0 ? "devices" : laboratory.usesOwnCommands() ? "commands" : "";
  if (own !== "") {
    throw new ExpectationFailure(
      problem,
      "",
      `No document brings it back: ${own} of the program's own were used.`,
    );
  }
  const { document, status } = transcript.replay(words, last);
  if (last !== undefined && status === 0) {
    throw new ExpectationFailure(
      problem,
      "",
      "No document brings it back: run as one script, what the laboratory was given ends otherwise (exit, a trap).",
    );
  }
  throw new ExpectationFailure(problem, document);
}
