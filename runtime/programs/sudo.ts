/**
 * sudo: a command as root, which everybody is here.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { execute } from "./execute.ts";
import { complain, getopt } from "./getopt.ts";
import type { Program, ProgramProcess } from "./program.ts";

const doc = `sudo - a command as root
Usage: sudo [-EHn] [-u root] COMMAND [ARG]...
Effects: runs COMMAND: everybody is root. The shell's redirections are not part of it, as with the real one: see tee
Exit status: that of COMMAND; 1 if there is none such, or on a wrong argument
Errors: NAME: command not found; unknown user NAME
Differs from the real one: nobody asks for a password; COMMAND may be a built-in; no -i, -s, -l, -v
Examples: echo 0 | sudo tee /sys/devices/system/cpu/cpu3/online
  sudo sh -c 'echo 0 > /sys/devices/system/cpu/cpu2/online'`;

/** The program. */
export const sudo: Program = {
  name: "sudo",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      flags: "EHn",
      values: "u",
      long: { "preserve-env": "E", "set-home": "H", "non-interactive": "n", "user": "u" },
      notModelled: ["i", "login", "s", "shell", "l", "list", "v", "validate", "b", "background", "e", "edit"],
      commandFollows: true,
    });
    if (typeof parsed === "string") return complain(command, sudo, parsed);
    const user = parsed.options.findLast(({ letter }) => letter === "u")?.value ?? "root";
    if (user !== "root") {
      command.stderr(`sudo: unknown user ${user}\n`);
      return 1;
    }
    if (parsed.operands.length === 0) return complain(command, sudo, "expected a command, as in: sudo lspci");
    return yield* execute(command, parsed.operands, (path) => {
      command.stderr(`sudo: ${path}: command not found\n`);
      return 1;
    });
  },
};
