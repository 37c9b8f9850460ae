/**
 * A command line, read: what the commands of the program get, and how they say that it is wrong.
 *
 * @module
 */

import { NAMED_PROFILES } from "../../runtime/lab/named_profiles.ts";
import type { ProfileText } from "../../runtime/lab/profile.ts";
import { closest } from "../../runtime/lab/spelling.ts";
import type { HostPort } from "../host/host_port.ts";
import { tell } from "./run_problem.ts";

/** Wrong use of the command line. */
const USAGE = 2;

/** The command line, read. */
export interface Line {
  readonly command: string;
  readonly words: readonly string[];
  readonly values: ReadonlyMap<string, string>;
  readonly profiles: readonly string[];
  /** Of each `--set`. */
  readonly set: readonly string[];
  readonly flags: ReadonlySet<string>;
  /** What follows `--`. */
  readonly positional: readonly string[];
}

/** Says what is wrong with the command line; answers the exit status. */
export function wrong(host: HostPort, message: string): number {
  host.err(`rtkvm: ${message}\n`);
  return USAGE;
}

/** The integer that an option has; a text says that it has none. */
export function integer(
  { command, values }: Line,
  name: string,
  otherwise: number,
  least: number,
): number | string {
  const text = values.get(name);
  if (text === undefined) return otherwise;
  const value = Number(text.replaceAll("_", ""));
  if (/^[\d_]+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
  return `${command}: --${name} ${text}: expected an integer, ${least} or more`;
}

/** The profiles on top of the default ones: by name, or from files; undefined where one cannot be read. */
export function readProfiles(line: Line, host: HostPort): ProfileText[] | undefined {
  const profiles: ProfileText[] = [];
  for (const path of line.profiles) {
    const named = NAMED_PROFILES.get(path);
    const file = named ?? host.read(path);
    if ("problem" in file) {
      const meant = closest(path, NAMED_PROFILES.keys());
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      const message = `rtkvm: ${path}: ${file.problem}${hint}`;
      tell({ kind: "file", file: path, message, status: 1 }, host, line.flags.has("json"));
      return undefined;
    }
    profiles.push({ file: path, text: file.text });
  }
  return profiles;
}
