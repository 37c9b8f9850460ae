import type { Coroutine } from "../shell/jobs.ts";
import type { Command } from "./command.ts";

/** `builtin`. */
const doc = `builtin - runs a command of the shell, where a function hides it
Usage: builtin [NAME [ARGUMENT]…]
Effects: runs NAME, a command of the shell itself, passing over functions
Exit status: the command's; 0 without one; 1 if it is none
Errors: NAME: not a shell builtin
Differs from the real one: in nothing
Examples: cd() { builtin cd "$@" && pwd; }; cd /tmp`;

export const builtin: Command = {
  name: "builtin",
  kind: "builtin",
  doc,
  *run(context): Coroutine {
    const { shell, args } = context;
    const names = args[0] === "--" ? args.slice(1) : args;
    const [name] = names;
    if (name === undefined) return 0;
    const { interpreter } = shell.environment;
    const kind = interpreter.commands.get(name)?.kind;
    if (kind !== "builtin" && kind !== "special") return context.complain(`${name}: not a shell builtin`);
    return yield* interpreter.runNamed(shell, names, { skipFunctions: true });
  },
};
