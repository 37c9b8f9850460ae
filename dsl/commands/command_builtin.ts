import type { Coroutine } from "../shell/jobs.ts";
import type { Command } from "./command.ts";
import { classify, describe } from "./type.ts";

/** `command`. */
const doc = `command - runs a command and passes over functions, or says what it is
Usage: command [-p] NAME [ARGUMENT]…, command -v NAME, command -V NAME
Effects: runs NAME, passing over functions; -v and -V say what it is
Exit status: the command's; for -v and -V 1 if there is none
Errors: NAME: command not found
Differs from the real one: in nothing
Examples: command -v taskset`;

export const command: Command = {
  name: "command",
  kind: "builtin",
  doc,
  *run(context): Coroutine {
    const args = [...context.args];
    let mode = "";
    while (/^-[pvV]+$/.test(args[0] ?? "")) mode += (args.shift() ?? "").slice(1).replace("p", "");
    if (args[0] === "--") args.shift();
    else if (args[0]?.startsWith("-") && args[0] !== "-") {
      return context.complain(`${args[0].slice(0, 2)}: invalid option`, 2);
    }
    if (args.length === 0) return 0;
    if (mode.endsWith("V")) return describe(context, args);
    const { interpreter } = context.shell.environment;
    if (mode === "") return yield* interpreter.runNamed(context.shell, args, { skipFunctions: true });
    let status = 0;
    for (const name of args) {
      const found = classify(context.shell, name);
      if (found === undefined) status = 1;
      else context.out(found.path + "\n");
    }
    return status;
  },
};
