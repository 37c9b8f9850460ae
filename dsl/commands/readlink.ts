import { isErrno } from "../shell/ports.ts";
import type { Shell } from "../shell/state.ts";
import type { Command, CommandContext } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `readlink`. */
const doc = `readlink - where links lead
Usage: readlink [-femn] PATH…
Effects: writes where links lead, as they say it; -f the whole path without links, . and .., of what may be missing in its
  last place; -e nowhere, -m anywhere; -n no newline at the end
Exit status: 0, or 1 if one is no link, or something is missing
Errors: none are printed, as with the real one; missing operand
Differs from the real one: no -q, -v, -z
Examples: readlink /sys/bus/pci/devices/0000:05:00.0
  readlink -f /sys/bus/pci/devices/0000:05:00.0`;

/** What has to exist of a path: all of it, all but the last part, nothing. */
export type Existing = "all" | "parent" | "nothing";

/** The path without links, `.` and `..`; undefined where what has to exist does not. */
export function canonical(shell: Shell, path: string, existing: Existing, depth = 0): string | undefined {
  if (path === "" || depth > 40) return undefined;
  const { vfs } = shell.machine;
  const absolute = shell.resolve(path);
  const real = vfs.realpath(absolute);
  if (!isErrno(real)) return real;
  if (existing === "all") return undefined;
  const slash = absolute.lastIndexOf("/");
  const parent = canonical(
    shell,
    absolute.slice(0, slash) || "/",
    existing === "parent" ? "all" : existing,
    depth + 1,
  );
  if (parent === undefined) return undefined;
  const whole = `${parent === "/" ? "" : parent}/${absolute.slice(slash + 1)}`;
  const target = vfs.readlink(whole);
  if (isErrno(target)) return whole;
  return canonical(shell, target.startsWith("/") ? target : `${parent}/${target}`, existing, depth + 1);
}

export const readlink: Command = {
  name: "readlink",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "femn", "anywhere", {
      "canonicalize": "f",
      "canonicalize-existing": "e",
      "canonicalize-missing": "m",
      "no-newline": "n",
    });
    if (typeof options === "string") return context.misuse(options);
    const { flags, operands, given } = options;
    if (operands.length === 0) return context.misuse("missing operand");
    const kind = given.findLast(([letter]) => letter !== "n")?.[0];
    const found = operands.map((path) => targetOf(context, path, kind));
    const lines = found.filter((target) => target !== undefined);
    const end = flags.has("n") && operands.length === 1 ? "" : "\n";
    for (const line of lines) context.out(line + end);
    return lines.length === found.length ? 0 : 1;
  },
};

function targetOf(context: CommandContext, path: string, kind: string | undefined): string | undefined {
  const { shell } = context;
  if (kind !== undefined) {
    return canonical(shell, path, kind === "e" ? "all" : kind === "m" ? "nothing" : "parent");
  }
  const target = shell.machine.vfs.readlink(shell.resolve(path));
  return isErrno(target) ? undefined : target;
}
