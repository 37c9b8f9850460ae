import type { Coroutine } from "../shell/jobs.ts";
import { isErrno } from "../shell/ports.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `cat`. */
const doc = `cat - writes files one after the other
Usage: cat [-n] [FILE | -]…
Effects: writes the files one after the other, standard input without a file; -n numbers the lines
Exit status: 0, or 1 if a file cannot be read
Errors: PATH: No such file or directory; PATH: Is a directory; PATH: Permission denied
Differs from the real one: no other options
Examples: cat /sys/devices/system/cpu/online
  cat /proc/interrupts`;

export const cat: Command = {
  name: "cat",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "n", "anywhere");
    if (typeof options === "string") return context.complain(options);
    const files = options.operands.length > 0 ? options.operands : ["-"];
    let status = 0;
    let line = 0;
    for (const path of files) {
      const text = yield* context.readFile(path);
      if (isErrno(text)) status = context.complainOf(path, text);
      else if (!options.flags.has("n")) context.out(text);
      else for (const one of linesOf(text)) context.out(`${String(++line).padStart(6)}\t${one}\n`);
    }
    return status;
  },
};
