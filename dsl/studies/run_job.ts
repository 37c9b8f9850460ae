/**
 * One run as a job: plain data in, plain data out, so that another thread can do it.
 *
 * This module is also what such a thread is started with: then it answers jobs by their outcomes.
 *
 * @module
 */

import { parameterSettings } from "../../runtime/lab/defaults.ts";
import type { ProfileText } from "../../runtime/lab/profile.ts";
import type { ScriptFolder } from "../../runtime/lab/script_folder.ts";
import { systemNamed } from "../../runtime/lab/systems.ts";
import { DeadlockError } from "../shell/jobs.ts";
import { recordsOf, type RunRecord, type Settings } from "./run_record.ts";
import { Session } from "../session/session.ts";
import { laboratoryWords } from "../words/index.ts";

/** A script and the conditions under which it runs. */
export interface RunJob {
  readonly path: string;
  readonly text: string;
  readonly folder: ScriptFolder;
  /** `$1 $2 …`. */
  readonly positional: readonly string[];
  /** Name of the system that is booted first. */
  readonly system: string;
  readonly kernel: string;
  readonly seed: number;
  readonly profiles: readonly ProfileText[];
  /** Single parameters on top of the profiles. */
  readonly set: Settings;
  readonly strict: boolean;
}

/** How a job has ended. */
export interface RunOutcome {
  /** The script's exit status. */
  readonly status: number;
  /** What it wrote to descriptor 2. */
  readonly stderr: string;
  readonly records: readonly RunRecord[];
}

/**
 * Runs a job on a machine of its own.
 *
 * @throws ProfileError where profiles or settings do not fit
 */
export function runJob(job: RunJob): RunOutcome {
  let stderr = "";
  const session = new Session({
    io: { out: () => {}, err: (text) => void (stderr += text) },
    system: systemNamed(job.system)!,
    kernel: job.kernel,
    seed: job.seed,
    profiles: [...job.profiles, ...parameterSettings(job.set)],
    strict: job.strict,
    name: job.path,
    folder: job.folder,
    words: laboratoryWords,
  });
  session.shell.positional = [...job.positional];
  let status: number;
  try {
    status = session.runScript(job.text, job.path);
  } catch (error) {
    if (!(error instanceof DeadlockError)) throw error;
    stderr += `${error.message}\n`;
    status = 1;
  }
  const { profile } = session.lab.options;
  const origin = { script: job.path, args: job.positional, booted: bootedText(job), set: job.set };
  return { status, stderr, records: recordsOf(session.results, session.lab.traffic, profile.hash, origin) };
}

/** What is booted first, as records say it. */
export function bootedText({ system, kernel }: Pick<RunJob, "system" | "kernel">): string {
  return `${system} ${kernel}`;
}

// ---- as a thread ----

/** What a thread of a pool is called. */
export const THREAD_NAME = "rtkvm run";

/** A thread, seen from inside. */
interface ThreadScope {
  readonly name?: unknown;
  onmessage: (event: { readonly data: RunJob }) => void;
  postMessage(outcome: RunOutcome): void;
}

const scope = globalThis as unknown as ThreadScope;
if (scope.name === THREAD_NAME) scope.onmessage = ({ data }) => scope.postMessage(runJob(data));
