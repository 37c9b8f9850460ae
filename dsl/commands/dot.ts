import type { Coroutine } from "../shell/jobs.ts";
import { isErrno } from "../shell/ports.ts";
import { readText } from "../shell/script_file.ts";
import { ShellError } from "../syntax/shell_error.ts";
import { ReturnJump, ShellExit } from "../shell/state.ts";
import type { Command, CommandContext } from "./command.ts";

/** `.` and `source`. */
const doc = `., source - runs a file in the current shell
Usage: . FILE [ARGUMENT]…
Effects: runs the commands of a file of the virtual tree in the current shell
Exit status: that of the last command; 1 if the file cannot be read and 2 if it does not parse, which end a script
Errors: FILE: No such file or directory; filename argument required
Differs from the real one: PATH is not searched
Examples: . /root/examples/talk_setup.rtk`;

function* run(context: CommandContext): Coroutine {
  const { shell } = context;
  const [file, ...args] = context.args;
  if (file === undefined) throw new ShellError("filename argument required", 2);
  const text = yield* readText(shell, file);
  if (isErrno(text)) {
    context.complainOf(file, text);
    if (context.endsScript) throw new ShellExit(1);
    return 1;
  }
  const { positional, sources } = shell;
  if (args.length > 0) shell.positional = args;
  shell.sourceDepth++;
  shell.sources = [...sources, file];
  try {
    const status = yield* shell.environment.interpreter.runText(shell, text, file);
    if (status === 2 && shell.syntaxFailed && context.endsScript) throw new ShellExit(2);
    return status;
  } catch (jump) {
    if (jump instanceof ReturnJump) return jump.status;
    throw jump;
  } finally {
    shell.sourceDepth--;
    shell.sources = sources;
    if (args.length > 0) shell.positional = positional;
  }
}

export const dot: Command = { name: ".", kind: "special", doc, run };
export const source: Command = { name: "source", kind: "special", doc, run };
