/**
 * What keeps a script from running, or from ending by itself: for people on standard error, and with `--json` for programs
 * on standard output, where the results would be.
 *
 * @module
 */

import type { HostPort } from "../host/host_port.ts";

/** The version of the format. */
const FORMAT = 1;

/** What is wrong. */
export interface RunProblem {
  /** The exit status that it leads to. */
  readonly status: number;
  /** For people, in one line or several. */
  readonly message: string;
  /** `file`: it cannot be read; `syntax`; `profile`; `deadlock`: it waits for what will never happen. */
  readonly kind: "file" | "syntax" | "profile" | "deadlock";
  /** The script or profile. */
  readonly file: string;
  /** Where in it, from 1. */
  readonly line?: number;
  readonly column?: number;
  /** What could have stood there. */
  readonly expected?: readonly string[];
}

/** Tells it; answers the exit status. The line is `{"version":1,"error":{"kind":"syntax","file":"x.rtk","line":3,…}}`. */
export function tell(problem: RunProblem, host: HostPort, json: boolean): number {
  const { kind, file, line, column, message, expected, status } = problem;
  host.err(`${message}\n`);
  if (json) { // what is undefined is left out
    const error = { kind, file, line, column, message, expected, status };
    host.out(`${JSON.stringify({ version: FORMAT, error })}\n`);
  }
  return status;
}
