import type { Activity } from "../../hw/sim/activity.ts";
import type { Description } from "../shell/descriptors.ts";
import type { Coroutine } from "../shell/jobs.ts";
import { openTarget } from "../shell/redirect.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `tee`. */
const doc = `tee - copies standard input to files and to standard output
Usage: tee [-a] [FILE]…
Effects: copies standard input to standard output and to the files; -a appends
Exit status: 0, or 1 if a file could not be written
Errors: PATH: STRERROR; it still copies to standard output
Differs from the real one: no -i, -p
Examples: echo 1 | tee /sys/devices/system/cpu/cpu3/online`;

export const tee: Command = {
  name: "tee",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "a", "anywhere", { "append": "a" });
    if (typeof options === "string") return context.complain(options);
    const { shell, name } = context;
    const text = yield* context.readInput();
    context.out(text);
    let status = 0;
    const opened: { path: string; description: Description }[] = [];
    for (const path of options.operands) {
      const description = openTarget(shell, path, options.flags.has("a") ? ">>" : ">");
      if (typeof description === "string") status = context.complain(description);
      else opened.push({ path, description: description.retain() });
    }
    const errors: string[] = [];
    yield {
      kind: "task",
      machine: shell.machine,
      name,
      launch: shell.launch([name, ...context.args], context.env),
      body: () => writeAll(opened, text, errors),
    };
    for (const { description } of opened) description.release();
    for (const error of errors) status = context.complain(error);
    return status;
  },
};

function* writeAll(
  opened: readonly { readonly path: string; readonly description: Description }[],
  text: string,
  errors: string[],
): Activity<number> {
  for (const { path, description } of opened) {
    const error = yield* description.write(text);
    if (error !== undefined) errors.push(`${path}: ${error.message}`);
  }
  return 0;
}
