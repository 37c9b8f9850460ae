import { ShellError } from "../syntax/shell_error.ts";
import { ShellExit } from "../shell/state.ts";
import type { Coroutine } from "../shell/jobs.ts";
import type { Command } from "./command.ts";

/** `eval`. */
const doc = `eval - runs text as commands
Usage: eval [WORD]…
Effects: joins the words by blanks and runs the result in the current shell
Exit status: that of the last command; 0 without words; 2 if it does not parse, which ends a script unless
  a quote, a \${ or a (( has no end, or \`command eval' was said
Errors: those of the parser; -X: invalid option
Differs from the real one: its lines are counted from the first line of the command, not from the last
Examples: cpu=3; eval "echo \\$cpu"`;

export const evalCommand: Command = {
  name: "eval",
  kind: "special",
  doc,
  *run(context): Coroutine {
    const { shell } = context;
    const { interpreter } = shell.environment;
    const args = context.args[0] === "--" ? context.args.slice(1) : context.args;
    if (/^-./.test(args[0] ?? "") && args === context.args) {
      throw new ShellError(`${args[0]!.slice(0, 2)}: invalid option`, 2);
    }
    const status = yield* interpreter.runText(shell, args.join(" "), "eval", shell.line);
    if (status === 2 && shell.syntaxFailed && context.endsScript) throw new ShellExit(2);
    return status;
  },
};
