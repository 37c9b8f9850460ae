/**
 * Variables that a shell computes when they are read: time, chance, where it is.
 *
 * *Document*: the bash manual, "Bash Variables".
 *
 * Time is the model's, and chance comes from a stream of its seed, so that a run stays what it is.
 *
 * @module
 */
import { commandText } from "../syntax/function_text.ts";
import type { Shell } from "./state.ts";

/** The version of bash that the language follows. */
const BASH_VERSION = ["5", "2", "15", "1", "release", "x86_64-pc-linux-gnu"];

const scalars: Readonly<Record<string, (shell: Shell) => string>> = {
  UID: () => "0",
  EUID: () => "0",
  PPID: () => "1",
  LINENO: (shell) => String(shell.line),
  BASH_COMMAND: ({ executing }) =>
    executing?.listed === undefined ? "" : commandText(executing.command, executing.listed),
  BASH_VERSION: () => `${BASH_VERSION.slice(0, 3).join(".")}(${BASH_VERSION[3]})-${BASH_VERSION[4]}`,
  BASHPID: (shell) => String(shell.pid),
  SECONDS: (shell) => String(Math.floor((shell.machine.clock().uptimeNs - shell.secondsFromNs) / 1e9)),
  EPOCHSECONDS: (shell) => String(epoch(shell).seconds),
  EPOCHREALTIME: (shell) => {
    const { seconds, nanoseconds } = epoch(shell);
    return `${seconds}.${String(Math.floor(nanoseconds / 1000)).padStart(6, "0")}`;
  },
  RANDOM: (shell) => String(shell.machine.draw() >>> 17),
  SRANDOM: (shell) => String(shell.machine.draw()),
};

const arrays: Readonly<Record<string, (shell: Shell) => readonly string[]>> = {
  PIPESTATUS: (shell) => shell.pipeStatus.map(String),
  FUNCNAME: ({ functionNames, interactive }) =>
    functionNames.length === 0 ? [] : [...functionNames.toReversed(), ...(interactive ? [] : ["main"])],
  BASH_SOURCE: ({ sources, interactive, scriptPath, zero }) => [
    ...sources.toReversed(),
    ...(interactive ? [] : [scriptPath ?? zero]),
  ],
  BASH_VERSINFO: () => BASH_VERSION,
  DIRSTACK: ({ cwd, directoryStack }) => [cwd, ...directoryStack],
};

/** The text of a computed variable, element 0 of a computed array; undefined: it is none. */
export function computedText(shell: Shell, name: string): string | undefined {
  if (Object.hasOwn(scalars, name)) return scalars[name]!(shell);
  return computedArray(shell, name)?.get("0");
}

/** A computed array by keys; undefined: it is none. */
export function computedArray(shell: Shell, name: string): Map<string, string> | undefined {
  if (!Object.hasOwn(arrays, name)) return undefined;
  return new Map(arrays[name]!(shell).map((text, i) => [String(i), text]));
}

/** What an assignment to a computed variable does instead; true: it has been done; a text: why it cannot be. */
export function assignComputed(shell: Shell, name: string, value: string): boolean | string {
  switch (name) {
    case "SECONDS":
      shell.secondsFromNs = shell.machine.clock().uptimeNs - (Number.parseInt(value) || 0) * 1e9;
      return true;
    case "RANDOM":
      return "RANDOM: its numbers come from the seed of the run: see help boot";
    case "UID":
    case "EUID":
    case "PPID":
      return `${name}: readonly variable`;
    default:
      return Object.hasOwn(scalars, name) || Object.hasOwn(arrays, name); // as bash, which drops it
  }
}

/** Seconds since 1970 and what is left of a second. */
export function epoch(shell: Shell): { seconds: number; nanoseconds: number } {
  const { uptimeNs, bootTime } = shell.machine.clock();
  return { seconds: bootTime + Math.floor(uptimeNs / 1e9), nanoseconds: uptimeNs % 1e9 };
}
