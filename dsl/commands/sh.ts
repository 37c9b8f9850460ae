import type { Coroutine } from "../shell/jobs.ts";
import { runChild, runScriptFile } from "../shell/script_file.ts";
import type { Command, CommandContext } from "./command.ts";

/** `sh` and `bash`. */
const doc = `sh, bash - a new shell
Usage: sh [-enux] [-c TEXT [NAME [ARGUMENT]…] | FILE [ARGUMENT]…]
Effects: runs a script in a new shell of this same language; without an operand the script is standard input; -n only
  parses it
Exit status: the script's; 2 if it does not parse; 127 if the file is not there
Errors: FILE: No such file or directory
Differs from the real one: it is this shell again, whatever name it is called by
Examples: sh -c 'echo $1' sh a`;

function* run(context: CommandContext): Coroutine {
  const { shell } = context;
  const args = [...context.args];
  const on: ("errexit" | "nounset" | "xtrace")[] = [];
  let text: string | undefined;
  let check = false;
  let isText = false;
  while (/^-[a-z]+$/.test(args[0] ?? "")) {
    for (const letter of (args.shift() ?? "").slice(1)) {
      if (letter === "c") isText = true;
      else if (letter === "n") check = true;
      else if (letter === "e") on.push("errexit");
      else if (letter === "u") on.push("nounset");
      else if (letter === "x") on.push("xtrace");
      else return context.complain(`-${letter}: invalid option`, 2);
    }
  }
  let zero = context.name;
  if (isText) {
    text = args.shift();
    if (text === undefined) return context.complain("-c: option requires an argument", 2);
    zero = args.shift() ?? context.name;
  } else if (args.length === 0) text = yield* context.readInput();
  if (text === undefined) {
    const [file = "", ...rest] = args;
    const stat = shell.machine.vfs.stat(shell.resolve(file));
    if ("message" in stat) return context.complain(`${file}: ${stat.message}`, 127);
    return yield* runScriptFile(shell, file, rest, check);
  }
  return yield* runChild(shell, text, zero, args, check, (child) => {
    for (const option of on) child.options[option] = true;
  });
}

export const sh: Command = { name: "sh", kind: "filter", doc, run };
export const bash: Command = { name: "bash", kind: "filter", doc, run };
