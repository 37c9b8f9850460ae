/**
 * Scripts that are files of the virtual tree: `./setup`, `sh setup`, `. setup`.
 *
 * @module
 */
import type { Script } from "../syntax/ast.ts";
import type { Coroutine, Request } from "./jobs.ts";
import { parseScript } from "../syntax/parse.ts";
import { keepRead } from "./descriptors.ts";
import { type Errno, isErrno } from "./ports.ts";
import type { Shell } from "./state.ts";
import { runToExit } from "./subshell.ts";
import { ShellSyntaxError } from "../syntax/syntax_error.ts";

/** Reads a whole file in a task of its own. */
export function* readText(shell: Shell, path: string): Generator<Request, string | Errno, unknown> {
  if (shell.resolve(path) === "/dev/null") return "";
  const file = shell.machine.vfs.open(shell.resolve(path), { read: true });
  if (isErrno(file)) return file;
  let answer: string | Errno = "";
  yield {
    kind: "task",
    machine: shell.machine,
    name: "bash",
    launch: shell.launch(["bash", path]),
    body: () => keepRead(file, undefined, (read) => answer = read),
  };
  file.close();
  return answer;
}

/** Runs a file as a script in a shell of its own. */
export function* runScriptFile(
  shell: Shell,
  path: string,
  args: readonly string[],
  check = false,
): Coroutine {
  const text = yield* readText(shell, path);
  if (isErrno(text)) return shell.complain(`${path}: ${text.message}`, 126);
  return yield* runChild(shell, text, path, args, check);
}

/** Runs a text in a new shell on the same machine; `check` only parses it (`sh -n`). */
export function* runChild(
  shell: Shell,
  text: string,
  zero: string,
  args: readonly string[],
  check = false,
  prepare: (child: Shell) => void = () => {},
): Coroutine {
  let script: Script;
  try {
    script = parseScript(text, zero);
  } catch (error) {
    if (!(error instanceof ShellSyntaxError)) throw error;
    shell.err(error.message + "\n");
    return 2;
  }
  if (check) return 0;
  const child = shell.child(shell.machine, zero, true);
  child.positional = [...args];
  child.interactive = false;
  prepare(child);
  try {
    return yield* runToExit(child, () => child.environment.interpreter.runList(child, script.body));
  } finally {
    child.descriptors.closeAll();
  }
}
