import type { Coroutine } from "../shell/jobs.ts";
import { type Command, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `tac`. */
const doc = `tac - lines in reverse
Usage: tac [FILE]…
Effects: writes the lines of each file from the last to the first
Exit status: 0, or 1 if a file cannot be read
Errors: PATH: STRERROR
Differs from the real one: no -b, -r, -s
Examples: seq 3 | tac`;

export const tac: Command = {
  name: "tac",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "", "anywhere");
    if (typeof options === "string") return context.misuse(options);
    const { texts, failed } = yield* context.readFiles(options.operands);
    for (const { text } of texts) {
      for (const line of linesOf(text).reverse()) context.out(line + "\n");
    }
    return failed ? 1 : 0;
  },
};
