/**
 * Notes below the errors of commands that run: what was probably meant by a name, a path or a device that is not there.
 *
 * @module
 */
import { closest } from "../../runtime/lab/spelling.ts";
import type { Assignment } from "../syntax/ast.ts";
import { notModelled } from "./not_modelled.ts";
import { isErrno } from "./ports.ts";
import type { Shell } from "./state.ts";

/** Words that belong to the grammar. */
const RESERVED = [
  "if",
  "then",
  "elif",
  "else",
  "fi",
  "for",
  "while",
  "until",
  "do",
  "done",
  "case",
  "esac",
  "function",
];

/**
 * A note on a command that nobody knows, or undefined.
 *
 * @param known every name that a command line may start with
 * @param assignments what stands before the command
 */
export function hintOnName(
  fields: readonly string[],
  known: readonly string[],
  assignments: readonly Assignment[] = [],
): string | undefined {
  const [name = "", second = "", third = ""] = fields;
  const last = assignments[assignments.length - 1];
  if (last?.kind === "scalar" && last.value.parts.length === 0) {
    return `an assignment has no blanks: ${last.name}=${name}`;
  }
  if (/^\w+(\[.*\])?$/.test(name) && /^=(?!=)/.test(second)) {
    return `an assignment has no blanks: ${name}=${second.slice(1) || third}`;
  }
  if (/^\w*=/.test(name)) return "an assignment names its variable without $: NAME=VALUE";
  const glued = /^(\[\[?)(\S+)/.exec(name);
  if (glued !== null) return `a blank follows ${glued[1]}: ${glued[1]} ${glued[2]}`;
  const instead = notModelled(name);
  if (instead !== undefined) return instead;
  if (name.length <= 2) return undefined; // near to too many others
  const meant = closest(name, [...known, ...RESERVED]);
  return meant === undefined ? undefined : `did you mean ${meant}?`;
}

/** The path that was probably meant by one that is not there, or undefined. */
export function nearPath(shell: Shell, path: string): string | undefined {
  const { vfs } = shell.machine;
  const absolute = path.startsWith("/");
  const parts = path.split("/").filter((part) => part !== "");
  let found = absolute ? "" : ".";
  let changed = false;
  for (const part of parts) {
    const next = `${found}/${part}`;
    if (!isErrno(vfs.stat(shell.resolve(next)))) {
      found = next;
      continue;
    }
    const names = vfs.list(shell.resolve(found === "" ? "/" : found));
    if (isErrno(names)) return undefined;
    const meant = /^\d+$/.test(part) ? undefined : closest(part, names);
    // cpu9 is no misspelt cpu0: numbers count, they do not spell.
    if (meant === undefined || meant.replace(/\d+/g, "") === part.replace(/\d+/g, "")) return undefined;
    found = `${found}/${meant}`;
    changed = true;
  }
  return changed ? (absolute ? found : found.slice(2)) : undefined;
}

/** A note on a path that could not be opened, or undefined. */
export function hintOnPath(shell: Shell, path: string): string | undefined {
  const meant = nearPath(shell, path);
  return meant === undefined ? undefined : `did you mean ${meant}?`;
}

/** A note on a device that a driver's `bind` or `unbind` does not know, or undefined. Strict mode says what Linux says. */
export function hintOnDevice(shell: Shell, path: string, text: string): string | undefined {
  if (shell.options.strict || !/^\/sys\/bus\/pci\/drivers\/[^/]+\/(bind|unbind)$/.test(path)) {
    return undefined;
  }
  const name = text.trim();
  if (!/^[\da-f]{4}:[\da-f]{2}:[\da-f]{2}\.[0-7]$/.test(name)) return undefined; // slide mode has spoken already
  const devices = shell.machine.vfs.list("/sys/bus/pci/devices");
  if (isErrno(devices) || devices.includes(name)) return undefined;
  const meant = closest(name, devices.filter((device) => device.slice(0, 8) === name.slice(0, 8))); // on the same bus
  return `there is no ${name} in /sys/bus/pci/devices` +
    (meant === undefined ? "" : `: did you mean ${meant}?`);
}
