import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";
import { classify } from "./type.ts";

/** `which`. */
const doc = `which - where a program lies
Usage: which [-a] NAME…
Effects: writes the path of each program
Exit status: 0, or 1 if one is no program
Errors: none are printed, as with the real one
Differs from the real one: every program lies in /usr/bin; a word of the laboratory is none
Examples: which taskset`;

/** Built-ins that are files as well. */
const FILES = new Set(["[", "echo", "false", "kill", "printf", "pwd", "test", "true"]);

export const which: Command = {
  name: "which",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "a");
    if (typeof options === "string") return context.complain(options, 2);
    if (options.operands.length === 0) return 1;
    let status = 0;
    for (const name of options.operands) {
      const isFile = FILES.has(name) || classify(context.shell, name)?.kind === "file";
      if (isFile) context.out(`/usr/bin/${name}\n`);
      else status = 1;
    }
    return status;
  },
};
