import { ShellExit } from "../shell/state.ts";
import type { Coroutine } from "../shell/jobs.ts";
import type { Command } from "./command.ts";

/** `eval`. */
const doc = `eval - runs text as commands
Usage: eval [WORD]…
Effects: joins the words by blanks and runs the result in the current shell
Exit status: that of the last command; 0 without words; 2 if it does not parse, which ends a script
Errors: those of the parser
Differs from the real one: its lines are counted from the first line of the command, not from the last
Examples: cpu=3; eval "echo \\$cpu"`;

export const evalCommand: Command = {
  name: "eval",
  kind: "special",
  doc,
  *run(context): Coroutine {
    const { shell } = context;
    const { interpreter } = shell.environment;
    const status = yield* interpreter.runText(shell, context.args.join(" "), "eval", shell.line);
    if (status === 2 && shell.syntaxFailed && !shell.interactive) throw new ShellExit(2);
    return status;
  },
};
