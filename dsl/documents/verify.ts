/**
 * `rtkvm verify`: whether documents say what the program does.
 *
 * @module
 */

import type { HostPort } from "../host/host_port.ts";
import type { Line } from "../run/command_line.ts";
import { agrees, difference } from "./agreement.ts";
import { type Block, linesOfDocument, withBlocks } from "./markdown.ts";
import { type Exchange, isTrue, play, type Played, type Program, refreshedLines } from "./play.ts";

/** The version of what `--json` prints. */
const FORMAT = 1;
/** Lines without a change that are shown beside one that has. */
const CONTEXT = 2;

/** What became of a document. */
interface Counts {
  blocks: number;
  ok: number;
  updated: number;
}

/** Verifies the documents of a command line, or with `--update` rewrites them; answers the exit status. */
export async function verify({ words, flags }: Line, host: HostPort, program: Program): Promise<number> {
  let status = 0;
  for (const path of words) {
    if (!await verifyDocument(path, flags.has("update"), flags.has("json"), host, program)) status = 1;
  }
  return status;
}

async function verifyDocument(
  path: string,
  update: boolean,
  json: boolean,
  host: HostPort,
  program: Program,
): Promise<boolean> {
  const file = host.read(path);
  if ("problem" in file) {
    host.err(`rtkvm: ${path}: ${file.problem}\n`);
    return false;
  }
  const counts: Counts = { blocks: 0, ok: 0, updated: 0 };
  const wrong: Played[] = [];
  const changed = new Map<Block, readonly string[]>();
  for await (const played of play(file.text, host, program)) {
    counts.blocks++;
    if (isTrue(played)) counts.ok++;
    else if (update && played.problem === undefined) {
      counts.updated++;
      changed.set(played.block, refreshedLines(played));
    } else wrong.push(played);
    if (!json && wrong.at(-1) === played) host.out(report(path, played));
  }
  if (changed.size > 0) {
    const problem = host.write(path, withBlocks(linesOfDocument(file.text), changed));
    if (problem !== undefined) {
      host.err(`rtkvm: ${path}: ${problem}\n`);
      return false;
    }
  }
  host.out(json ? `${jsonOf(path, counts, wrong)}\n` : summary(path, counts, wrong.length));
  return wrong.length === 0;
}

function summary(path: string, { blocks, ok, updated }: Counts, wrong: number): string {
  const parts = [`${blocks} ${blocks === 1 ? "block" : "blocks"}`, `${ok} ok`];
  if (updated > 0) parts.push(`${updated} updated`);
  if (wrong > 0) parts.push(`${wrong} wrong`);
  return `${path}: ${parts.join(", ")}\n`;
}

/** What is wrong with a block, with the document's line numbers. */
export function report(path: string, { exchanges, problem }: Played): string {
  const parts = exchanges.filter(({ actual, printed }) => !agrees(actual, printed))
    .map((exchange) => `${path}:${exchange.line}: ${exchange.typed.join("\n")}\n${diffText(exchange)}`);
  if (problem !== undefined) parts.push(`${path}:${problem.line}: ${problem.text}\n`);
  return parts.join("");
}

/** `-` is what the document prints and the program does not, `+` the other way round. */
function diffText({ line, typed, actual, printed }: Exchange): string {
  const lines = difference(actual, printed);
  const isNear = (i: number) =>
    lines.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some(({ kind }) => kind !== "same");
  const width = String(line + typed.length + printed.length).length;
  let text = "", skips = false;
  for (const [i, { kind, text: part, at }] of lines.entries()) {
    if (kind === "same" && !isNear(i)) {
      if (!skips) text += `${" ".repeat(width + 2)}  :\n`;
      skips = true;
      continue;
    }
    skips = false;
    const number = kind === "come" ? "" : String(line + typed.length + at);
    text += `  ${number.padStart(width)} ${{ same: " ", gone: "-", come: "+" }[kind]} ${part}`.trimEnd() +
      "\n";
  }
  return text;
}

function jsonOf(file: string, counts: Counts, wrong: readonly Played[]): string {
  const differences = wrong.flatMap(({ exchanges, problem }) => [
    ...exchanges.filter(({ actual, printed }) => !agrees(actual, printed)).map(
      ({ line, typed, actual, printed }) => ({ line, command: typed.join("\n"), printed, written: actual }),
    ),
    ...problem === undefined ? [] : [{ line: problem.line, problem: problem.text }],
  ]);
  return JSON.stringify({ version: FORMAT, file, ...counts, differences });
}
