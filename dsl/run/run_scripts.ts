/**
 * Runs scripts that are files of the computer the program runs on.
 *
 * @module
 */

import { ProfileError } from "../../runtime/lab/profile.ts";
import type { ScriptFolder } from "../../runtime/lab/script_folder.ts";
import type { Script } from "../syntax/ast.ts";
import type { HostPort } from "../host/host_port.ts";
import { DeadlockError } from "../shell/jobs.ts";
import { narrator } from "../session/narrate.ts";
import { parseScript } from "../syntax/parse.ts";
import { ProgressLine, progressText } from "../host/progress.ts";
import { resultLines } from "./result_json.ts";
import type { RunOptions } from "../host/run_options.ts";
import { tell } from "./run_problem.ts";
import { Session } from "../session/session.ts";
import { atOnce } from "../session/slices.ts";
import { ShellSyntaxError } from "../syntax/syntax_error.ts";
import { type ExplainRequest, explanation } from "../words/explain.ts";
import { laboratoryWords } from "../words/index.ts";
import { traceNameProblem } from "../words/trace.ts";

/** How scripts are run. */
export interface ScriptOptions extends RunOptions {
  /** Which sample of the last measurement to explain afterwards; results are not printed then. */
  readonly explain?: ExplainRequest;
}

/** A script that parses. */
export interface Source {
  readonly path: string;
  readonly script: Script;
  /** The scripts that lie beside it. */
  readonly folder: ScriptFolder;
}

/** What a script from standard input is called, in messages and as `$0`. */
const STDIN = "<stdin>";

/**
 * Reads a script and sees whether it parses; a number is the exit status of what is wrong with it.
 *
 * @param from a file's path; `-` is standard input, beside which lie the scripts of the current folder
 * @param json what is wrong is a line of JSON on standard output as well
 */
export function readScript(from: string, host: HostPort, json = false): Source | number {
  const path = from === "-" ? STDIN : from;
  const file = from === "-" ? host.readInput?.() ?? { problem: "there is none" } : host.read(from);
  if ("problem" in file) {
    const message = `rtkvm: ${path}: ${file.problem}`;
    return tell({ kind: "file", file: path, message, status: 127 }, host, json); // as a shell says of a script
  }
  try {
    return { path, script: parseScript(file.text, path), folder: folderOf(path, host) };
  } catch (error) {
    if (!(error instanceof ShellSyntaxError)) throw error;
    const { file, place, expected } = error;
    return tell(
      { kind: "syntax", file, ...place, message: syntaxErrorText(error), expected, status: 2 },
      host,
      json,
    );
  }
}

/** Runs each script on a machine of its own; answers the first exit status that is not 0. */
export async function runScripts(
  paths: readonly string[],
  options: ScriptOptions,
  host: HostPort,
): Promise<number> {
  const sources: Source[] = [];
  for (const path of paths) { // all are parsed before the first runs
    const source = readScript(path, host, options.json);
    if (typeof source === "number") return source;
    sources.push(source);
  }
  let first = 0;
  for (const source of sources) {
    const status = await runOne(source, options, host);
    if (first === 0) first = status;
  }
  return first;
}

/** `setup.rtk:3:1: syntax error near …`, then the line with a caret and what was expected. */
export function syntaxErrorText({ file, place, problem, excerpt }: ShellSyntaxError): string {
  return `${file}:${place.line}:${place.column}: ${problem}\n${excerpt}`;
}

async function runOne(
  { path, script, folder }: Source,
  options: ScriptOptions,
  host: HostPort,
): Promise<number> {
  const progress = new ProgressLine(host.errIsTerminal ? (part) => host.err(part) : undefined);
  const err = (part: string) => {
    progress.clear();
    host.err(part);
  };
  const out = options.json ? err : (part: string) => {
    progress.clear();
    host.out(part);
  };
  let session: Session;
  try {
    session = new Session({
      ...options,
      io: { out, err },
      name: path,
      folder,
      files: host,
      words: laboratoryWords,
    });
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error;
    const messages = error.message.split("\n"); // a line for each problem
    for (const [i, { file, line, column }] of error.problems.entries()) {
      tell({ kind: "profile", file, line, column, message: messages[i]!, status: 1 }, host, options.json);
    }
    return 1;
  }
  if (options.trace !== undefined) {
    const problem = traceNameProblem(options.trace) ?? session.tracing.writeTo(options.trace);
    if (problem !== undefined) {
      const message = `rtkvm: run: --trace ${options.trace}: ${problem}`;
      return tell({ kind: "file", file: options.trace, message, status: 1 }, host, options.json);
    }
  }
  session.shell.positional = [...options.positional];
  session.onProgress = (name, fraction) => {
    const { system, kernel } = session.lab.options;
    progress.show(progressText(name, fraction, `${system.name}, ${kernel}`));
  };
  let status: number;
  try {
    const slices = session.scriptSlices(script, options.verbose ? narrator(session, out) : undefined);
    status = host.interruptible === undefined
      ? atOnce(slices)
      : await host.interruptible(slices, () => session.interrupt());
  } catch (error) {
    if (!(error instanceof DeadlockError)) throw error;
    progress.clear();
    const message = `rtkvm: ${error.message}`;
    status = tell({ kind: "deadlock", file: path, message, status: 1 }, host, options.json);
  }
  progress.clear();
  if (options.explain !== undefined && status !== 0) {
    err(`rtkvm: explain: ${path} has ended with status ${status}\n`);
  } else if (options.explain !== undefined) {
    const answer = explanation(session, options.explain, "rtkvm: explain: ");
    progress.clear();
    host.out(answer.out);
    err(answer.err);
    status = answer.status;
  } else if (options.json) {
    for (const line of resultLines(session, session.lab.options.profile.hash)) host.out(`${line}\n`);
  }
  return status;
}

/** The scripts that lie beside one, as the virtual tree shows them: `/root/examples`. */
function folderOf(path: string, host: HostPort): ScriptFolder {
  const parts = path.split("/").slice(0, -1);
  const folder = parts.join("/");
  const name = parts.findLast((part) => part !== "" && part !== "." && part !== "..") ?? "scripts";
  const files = new Map<string, string>();
  for (const file of host.list(path.startsWith("/") && folder === "" ? "/" : folder === "" ? "." : folder)) {
    if (!file.endsWith(".rtk")) continue;
    const content = host.read(folder === "" ? file : `${folder}/${file}`);
    if ("text" in content) files.set(file, content.text);
  }
  return { path: `/root/${name}`, files };
}
