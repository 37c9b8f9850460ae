import { isErrno } from "../shell/ports.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `mktemp`. */
const doc = `mktemp - a file or directory of a new name
Usage: mktemp [-d] [-u] [-q] [-p DIRECTORY] [TEMPLATE]
Effects: makes a file, with -d a directory, and writes its name: that of TEMPLATE (/tmp/tmp.XXXXXXXXXX) with other characters for
  the Xs at its end; -u only writes it
Exit status: 0, or 1 if it cannot be made
Errors: too few X's in template 'TEXT'; failed to create file via template 'TEXT': STRERROR
Differs from the real one: the characters are those of the first name that is free, the same in each run
Examples: log=$(mktemp); echo $log`;

const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

export const mktemp: Command = {
  name: "mktemp",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "duqtp:", "anywhere", {
      "directory": "d",
      "dry-run": "u",
      "quiet": "q",
      "tmpdir": "p",
    });
    if (typeof options === "string") return context.misuse(options);
    const { flags, values, operands } = options;
    if (operands.length > 1) return context.misuse("too many templates");
    const { shell } = context;
    const given = operands[0] ?? "tmp.XXXXXXXXXX";
    const inFolder = operands.length === 0 || values.has("p") || flags.has("t");
    const template = inFolder ? `${values.get("p") ?? context.env.get("TMPDIR") ?? "/tmp"}/${given}` : given;
    const marks = /X+$/.exec(template)?.[0].length ?? 0;
    if (marks < 3) return context.complain(`too few X's in template '${given}'`);
    const { vfs } = shell.machine;
    const stem = template.slice(0, -marks);
    const nameOf = (number: number) => {
      let text = "", rest = number;
      for (let i = 0; i < marks; i++) {
        text = LETTERS[rest % LETTERS.length]! + text;
        rest = Math.floor(rest / LETTERS.length);
      }
      return stem + text;
    };
    let number = 1;
    while (!isErrno(vfs.lstat(shell.resolve(nameOf(number))))) number++;
    const path = nameOf(number);
    if (!flags.has("u")) {
      const made = flags.has("d")
        ? vfs.mkdir(shell.resolve(path), 0o700)
        : vfs.open(shell.resolve(path), { write: true, create: true, exclusive: true, mode: 0o600 });
      if (isErrno(made)) {
        const what = flags.has("d") ? "directory" : "file";
        const message = `failed to create ${what} via template '${template}': ${made.message}`;
        return flags.has("q") ? 1 : context.complain(message);
      }
      if (made !== undefined) made.close();
    }
    context.out(`${path}\n`);
    return 0;
  },
};
