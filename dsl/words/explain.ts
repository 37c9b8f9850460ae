import type { LabProfile } from "../../runtime/lab/defaults.ts";
import type { LabResult } from "../../runtime/lab/lab.ts";
import type { WatchedSample } from "../../runtime/lab/sample_watch.ts";
import { eraRefusal } from "../../runtime/lab/eras.ts";
import { systemNamed, type SystemRow, SYSTEMS } from "../../runtime/lab/systems.ts";
import { microseconds, sampleTable, sumText } from "../../runtime/lab/views/sample.ts";
import { parametersOf } from "../../runtime/lab/views/sample_parameters.ts";
import { provenanceText } from "../../runtime/measure/table.ts";
import type { Command } from "../commands/command.ts";
import { timeText } from "../session/duration.ts";
import type { Answer } from "../session/journal.ts";
import { type OtherSystem, rerun, rerunOn, type SampleAddress } from "../session/rerun.ts";
import { sampleJson } from "../session/sample_json.ts";
import { RepetitionError } from "../session/repeat.ts";
import type { Session } from "../session/session.ts";
import { unknownName } from "../shell/unknown_name.ts";

/** `explain`. */
const doc = `explain - what a sample of cyclictest is made of
Usage: explain max | min | N [thread T] [--with SYSTEM[,SYSTEM…]] [--alone] [--json]
Effects: runs everything since the last boot again, in the background and without its output, up to one sample of the
  last cyclictest: the largest, the smallest, or sample N; T is the thread's number, else the one that has the extreme, or 0.
  Prints the latency as an exact sum over the layers, then its parts in order of time. Where the measuring processor
  waited for another one, the part is what that one did. timer set late: the write that set the timer began in time and
  took so long, an exit and what came in between; waits: what is not the sample's own. Nothing changes in the laboratory
  --with   what these systems make of it, each run again; without it bare-metal, kvm, rfc-v1 and rfc-v2
  --alone  on no other system
  --json   one line of JSON
Exit status: 0; 1 if there is no such sample, or the run cannot be repeated; 2 for a word or system that is none
Other systems: the sample of the same number, which may be asked for at another instant, because the set-up takes another
  time; and the larger of the two samples around the same instant. What the host does by itself comes at the same
  instants everywhere
Examples: cyclictest -n -q -l 100; explain max
  cyclictest -n -q -l 100; explain 42 --with rfc-v2
  cyclictest -n -q -l 100 -t 2; explain min thread 1 --alone --json`;

/** With which systems a sample is compared unless it is said. */
const COMPARED = ["bare-metal", "kvm", "rfc-v1", "rfc-v2"];

/** What the arguments ask for. */
export interface ExplainRequest {
  readonly which: "max" | "min" | number;
  readonly thread: number | undefined;
  readonly others: readonly SystemRow[] | undefined;
  readonly json: boolean;
}

/** The word of a session. */
export function explain(session: Session): Command {
  return {
    name: "explain",
    kind: "laboratory",
    doc,
    complete(before) {
      if (before.at(-1) === "--with") return SYSTEMS.map(({ name }) => name);
      return before.some((word) => /^(max|min|\d+)$/.test(word)) ? ["thread"] : ["max", "min"];
    },
    run(context) {
      const prefix = `${context.shell.prefix()}explain: `;
      const answer = session.answer(context.shell, () => {
        const request = parseExplain(context.args);
        return typeof request === "string"
          ? { out: "", err: `${prefix}${request}\n`, status: 2 }
          : explanation(session, request, prefix);
      });
      context.out(answer.out);
      context.err(answer.err);
      return answer.status;
    },
  };
}

/** Explains a sample of the session's last measurement. `prefix` begins messages. */
export function explanation(session: Session, request: ExplainRequest, prefix: string): Answer {
  const refused = (message: string): Answer => ({ out: "", err: `${prefix}${message}\n`, status: 1 });
  const at = addressOf(session, request);
  if (typeof at === "string") return refused(at);
  try {
    const sample = rerun(session, at);
    if (typeof sample === "string") return refused(sample);
    const { profile, system, era, kernel } = session.lab.options;
    const exists = (other: SystemRow) => eraRefusal(era, other, kernel) === undefined;
    const others = request.others ??
      COMPARED.filter((name) => name !== system.name).flatMap((name) => systemNamed(name) ?? []).filter(
        exists,
      );
    const absent = others.find((other) => !exists(other));
    if (absent !== undefined) return refused(`--with: ${eraRefusal(era, absent, kernel)}`);
    const compared = others.map((other) => rerunOn(session, at, other, sample));
    const out = request.json
      ? `${sampleJson(at.result, at.thread, sample, compared, profile.hash)}\n`
      : explanationLines(at, sample, compared, profile).map((line) => `${line}\n`).join("");
    return { out, err: "", status: 0 };
  } catch (error) {
    if (error instanceof RepetitionError) return refused(`the run cannot be repeated: ${error.message}`);
    throw error;
  }
}

/** Reads the arguments: what is asked for, or what is wrong with them. */
export function parseExplain(args: readonly string[]): ExplainRequest | string {
  let which: ExplainRequest["which"] | undefined;
  let thread: number | undefined, others: readonly SystemRow[] | undefined;
  let json = false;
  for (let i = 0; i < args.length; i++) {
    const [word = "", attached] = (args[i] ?? "").split("=", 2);
    if (word === "--json") json = true;
    else if (word === "--alone") others = [];
    else if (word === "--with") {
      const rows: SystemRow[] = [];
      for (const name of (attached ?? args[++i] ?? "").split(",")) {
        const row = systemNamed(name);
        if (row === undefined) {
          return `--with: ${unknownName("system", name, SYSTEMS.map((each) => each.name))}`;
        }
        rows.push(row);
      }
      others = rows;
    } else if (word === "thread") {
      const number = args[++i] ?? "";
      if (!/^\d+$/.test(number)) return `thread "${number}": expected the number of a thread, from 0`;
      thread = Number(number);
    } else if (word.startsWith("-")) return unknownName("option", word, ["--with", "--alone", "--json"]);
    else if (which !== undefined) return `"${word}": expected one sample`;
    else if (word === "max" || word === "min") which = word;
    else if (/^\d+$/.test(word) && Number(word) > 0) which = Number(word);
    else return `"${word}": expected max, min, or the number of a sample, from 1`;
  }
  return which === undefined
    ? "expected which sample: max, min, or its number"
    : { which, thread, others, json };
}

/** Which sample of the last measurement is meant, or why there is none. */
function addressOf(session: Session, { which, thread }: ExplainRequest): SampleAddress | string {
  const { results } = session.lab;
  const result = results.at(-1);
  if (result === undefined) {
    return session.results.length === 0
      ? "nothing has been measured: run cyclictest first"
      : "nothing has been measured since the last boot, and what came before it cannot be gone back to";
  }
  if (session.options.io.read !== undefined) {
    return "the run cannot be repeated: what was typed for its commands is not kept";
  }
  const { threads } = result.cyclictest;
  const asked = thread === undefined ? threads : threads.filter(({ number }) => number === thread);
  const of = typeof which === "number" ? asked[0] : extreme(asked, which);
  if (of === undefined) return `thread ${thread}: cyclictest ran ${threads.length}, from 0`;
  const { count, maxSample, minSample } = of.histogram;
  const number = which === "max" ? maxSample : which === "min" ? minSample : which;
  if (number < 1 || number > count) return `sample ${number}: thread ${of.number} has taken ${count}`;
  return { result, thread: of.number, number };
}

function extreme(threads: LabResult["cyclictest"]["threads"], which: "max" | "min") {
  const best = (a: typeof threads[number], b: typeof threads[number]) =>
    (which === "max" ? b.histogram.maxNs > a.histogram.maxNs : b.histogram.minNs < a.histogram.minNs) ? b : a;
  return threads.length === 0 ? undefined : threads.reduce(best);
}

function explanationLines(
  { result, thread, number }: SampleAddress,
  sample: WatchedSample,
  others: readonly OtherSystem[],
  profile: LabProfile,
): string[] {
  const paths = parametersOf(sample.parts, (path) => profile.list(path).length > 0);
  const { system, kernel, seed, cyclictest: { threads } } = result;
  const count = threads.find((each) => each.number === thread)!.histogram.count;
  const lines = [
    `sample ${number} of ${count}${threads.length > 1 ? `, thread ${thread}` : ""}: ${sumText(sample)}`,
    `${system}, ${kernel}, seed ${seed}; asked for ${
      timeText(sample.expiryNs)
    }, taken in event ${sample.event}`,
    "",
    ...sampleTable(sample),
    "",
    `${provenanceText(profile.provenance(paths))} (profile ${profile.name}, ${profile.hash})`,
  ];
  if (others.length === 0) return lines;
  lines.push("", "The same script and seed on other systems:");
  for (const { system: name, sample: same, around } of others) {
    const more = (other: WatchedSample) =>
      `     sample ${other.number}, asked for ${moved(other.expiryNs - sample.expiryNs)}` +
      `; largest up to there ${microseconds(other.maxSoFarNs)} us`;
    lines.push(`with ${name}: ${typeof same === "string" ? `n/a: ${same}` : sumText(same)}`);
    if (typeof same !== "string") lines.push(more(same));
    if (typeof around === "string") lines.push(`  at that instant: n/a: ${around}`);
    else if (typeof same === "string" || around.number !== same.number) {
      lines.push(`  at that instant: ${sumText(around)}`, more(around));
    }
  }
  return [...lines, ...COMPARING];
}

/** What the comparison means. */
const COMPARING = [
  "The path is another one; what the host does by itself comes at the same instants everywhere. The sample of the same",
  "number may be asked for at another instant, because the set-up takes another time: so the larger of the two samples",
  "around the same instant stands beside it.",
];

function moved(ns: number): string {
  if (ns === 0) return "at the same instant";
  return `${(Math.abs(ns) / 1e6).toFixed(3)} ms ${ns > 0 ? "later" : "earlier"}`;
}
