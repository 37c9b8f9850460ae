import type { Shell } from "../shell/state.ts";
import { functionText } from "../syntax/function_text.ts";
import { parseOptions } from "./options.ts";
import type { Command, CommandContext } from "./command.ts";

/** `type`. */
const doc = `type - what a name is as a command
Usage: type [-tpP] NAME…
Effects: says what each name is as a command, and prints a function; -t in one word: keyword, function, builtin, file;
  -p the path of a program, -P also where a function or built-in hides it
Exit status: 0, or 1 if one is nothing
Errors: NAME: not found
Differs from the real one: no -a, -f; a word of the laboratory is named as such; what stands in $( ) and [[ ]] of a
  function keeps its own blanks
Examples: type echo taskset step`;

/** What kind of command a name is, and the path where it would be if it is a program. */
export function classify(
  shell: Shell,
  name: string,
): { kind: "keyword" | "function" | "builtin" | "laboratory" | "file"; path: string } | undefined {
  const keywords = "if then else elif fi do done case esac while until for in function { } ! [[ ]]".split(
    " ",
  );
  if (keywords.includes(name)) return { kind: "keyword", path: name };
  const command = shell.environment.interpreter.commands.get(name);
  if (command?.kind === "special") return { kind: "builtin", path: name };
  if (shell.functions.has(name)) return { kind: "function", path: name };
  if (command?.kind === "builtin") return { kind: "builtin", path: name };
  if (command !== undefined) return { kind: "file", path: `/usr/bin/${name}` };
  if (shell.environment.words.has(name)) return { kind: "laboratory", path: name };
  return shell.machine.programs.has(name) ? { kind: "file", path: `/usr/bin/${name}` } : undefined;
}

export const type: Command = {
  name: "type",
  kind: "builtin",
  doc,
  run(context) {
    const options = parseOptions(context.args, "tpP");
    if (typeof options !== "string" && (options.flags.has("p") || options.flags.has("P"))) {
      let status = 0;
      for (const name of options.operands) {
        const found = classify(context.shell, name);
        const isHidden = options.flags.has("P") && context.shell.machine.programs.has(name);
        if (found?.kind === "file") context.out(`${found.path}\n`);
        else if (isHidden) context.out(`/usr/bin/${name}\n`);
        else if (found === undefined || options.flags.has("P")) status = 1;
      }
      return status;
    }
    if (typeof options !== "string" && options.flags.has("t")) {
      const kinds = options.operands.map((name) => classify(context.shell, name)?.kind);
      for (const kind of kinds) if (kind !== undefined) context.out(`${kind}\n`);
      return kinds.includes(undefined) ? 1 : 0;
    }
    return typeof options === "string" ? context.complain(options, 2) : describe(context, options.operands);
  },
};

/** Prints what each name is; the status is 1 if one is nothing. */
export function describe(context: CommandContext, names: readonly string[]): number {
  let status = 0;
  for (const name of names) {
    const found = classify(context.shell, name);
    if (found === undefined) status = context.complain(`${name}: not found`);
    else {
      const what = {
        keyword: "a shell keyword",
        function: "a function",
        builtin: "a shell builtin",
        laboratory: "a word of the laboratory",
        file: found.path,
      }[found.kind];
      context.out(`${name} is ${what}\n`);
      const body = found.kind === "function" ? context.shell.functions.get(name) : undefined;
      if (body !== undefined) context.out(functionText(name, body));
    }
  }
  return status;
}
