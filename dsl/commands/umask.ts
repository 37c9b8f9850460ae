import { ShellError } from "../syntax/shell_error.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `umask`. */
const doc = `umask - the mask of permissions of new files
Usage: umask [-p] [-S] [OCTAL | [ugoa]…[+-=][rwx]…,…]
Effects: sets, or without an operand prints, the mask of permissions of new files; -S prints the permissions that are
  left, -p a command that sets the mask
Exit status: 0, or 1 if the mask is none
Errors: MASK: octal number out of range; \`C': invalid symbolic mode character; \`C': invalid symbolic mode operator
Differs from the real one: no permissions but r, w and x; the virtual tree's files do not use it
Examples: umask; umask -S`;

export const umask: Command = {
  name: "umask",
  kind: "builtin",
  doc,
  run(context) {
    const options = parseOptions(context.args, "pS");
    if (typeof options === "string") return context.complain(options, 2);
    const { shell } = context;
    const { flags, operands: [mask] } = options;
    if (mask !== undefined) {
      const set = /^\d/.test(mask) ? octal(mask) : 0o777 & ~symbolic(mask, 0o777 & ~shell.umask);
      shell.umask = set;
      if (!flags.has("S")) return 0;
    }
    const text = flags.has("S") ? letters(0o777 & ~shell.umask) : shell.umask.toString(8).padStart(4, "0");
    context.out(`${flags.has("p") ? `umask ${flags.has("S") ? "-S " : ""}` : ""}${text}\n`);
    return 0;
  },
};

function octal(text: string): number {
  if (!/^[0-7]{1,4}$/.test(text)) throw new ShellError(`${text}: octal number out of range`);
  return parseInt(text, 8);
}

/** Where the bits of each user stand. */
const shifts = { u: 6, g: 3, o: 0 } as const;

/** `u=rwx,g=rx,o=rx`. */
function letters(permissions: number): string {
  return Object.entries(shifts).map(([who, shift]) => {
    const bits = permissions >> shift;
    return `${who}=${bits & 4 ? "r" : ""}${bits & 2 ? "w" : ""}${bits & 1 ? "x" : ""}`;
  }).join(",");
}

/** Permissions changed by `u=rwx,g-w,…`. @throws {ShellError} */
function symbolic(text: string, permissions: number): number {
  let changed = permissions;
  for (const clause of text.split(",")) {
    const [, who = "", operator = "", what = ""] = /^([ugoa]*)(.?)(.*)$/s.exec(clause) ?? [];
    if (!/^[-+=]$/.test(operator)) throw new ShellError(`\`${operator}': invalid symbolic mode operator`);
    const wrong = /[^rwx]/.exec(what)?.[0];
    if (wrong !== undefined) throw new ShellError(`\`${wrong}': invalid symbolic mode character`);
    const bits = (what.includes("r") ? 4 : 0) | (what.includes("w") ? 2 : 0) | (what.includes("x") ? 1 : 0);
    for (const [name, shift] of Object.entries(shifts)) {
      if (who !== "" && !who.includes(name) && !who.includes("a")) continue;
      if (operator === "=") changed &= ~(7 << shift);
      changed = operator === "-" ? changed & ~(bits << shift) : changed | (bits << shift);
    }
  }
  return changed;
}
