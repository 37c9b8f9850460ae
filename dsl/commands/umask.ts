import type { Command } from "./command.ts";

/** `umask`. */
const doc = `umask - the mask of permissions of new files
Usage: umask [OCTAL]
Effects: sets, or without an operand prints, the mask of permissions of new files
Exit status: 0, or 1 if the mask is none
Errors: MASK: octal number out of range
Differs from the real one: no -S, no symbolic masks; the virtual tree's files do not use it
Examples: umask`;

export const umask: Command = {
  name: "umask",
  kind: "builtin",
  doc,
  run(context) {
    const [mask] = context.args;
    if (mask === undefined) context.out(context.shell.umask.toString(8).padStart(4, "0") + "\n");
    else if (!/^[0-7]{1,4}$/.test(mask)) return context.complain(`${mask}: octal number out of range`);
    else context.shell.umask = parseInt(mask, 8);
    return 0;
  },
};
