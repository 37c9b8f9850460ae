import type { Command } from "./command.ts";

/** `getopts`. */
const doc = `getopts - the options of a script, one by one
Usage: getopts OPTIONS NAME [ARGUMENT]…
Effects: puts the next option of the positional parameters into NAME, its value into OPTARG, and counts in OPTIND
Exit status: 0, or 1 when there is no further option
Errors: illegal option -- X; option requires an argument -- X; silent if OPTIONS starts with a colon
Differs from the real one: in nothing
Examples: set -- -a -n 3; while getopts an: o; do echo $o $OPTARG; done`;

export const getopts: Command = {
  name: "getopts",
  kind: "builtin",
  doc,
  run(context) {
    const [specification, name, ...given] = context.args;
    if (specification === undefined || name === undefined) {
      context.err("getopts: usage: getopts optstring name [arg ...]\n");
      return 2;
    }
    const { shell } = context;
    const args = given.length > 0 ? given : shell.positional;
    const silent = specification.startsWith(":");
    let index = Number(shell.get("OPTIND") ?? 1);
    let offset = shell.getoptsOffset;
    const finish = (option: string, argument: string | undefined, status: number) => {
      shell.set("OPTIND", String(index));
      shell.getoptsOffset = offset;
      shell.set(name, option);
      if (argument === undefined) shell.variables.delete("OPTARG");
      else shell.set("OPTARG", argument);
      return status;
    };
    const argument = args[index - 1];
    if (argument === undefined || argument === "-" || !argument.startsWith("-")) {
      return finish("?", undefined, 1);
    }
    if (argument === "--") {
      index++;
      return finish("?", undefined, 1);
    }
    const letter = argument[offset] ?? "";
    const last = offset + 1 >= argument.length;
    const at = letter === ":" ? -1 : specification.indexOf(letter);
    const next = () => {
      index++;
      offset = 1;
    };
    if (last) next();
    else offset++;
    if (at === -1) {
      if (silent) return finish("?", letter, 0);
      context.err(`${shell.zero}: illegal option -- ${letter}\n`);
      return finish("?", undefined, 0);
    }
    if (specification[at + 1] !== ":") return finish(letter, undefined, 0);
    if (!last) {
      const value = argument.slice(offset);
      next();
      return finish(letter, value, 0);
    }
    const value = args[index - 1];
    if (value !== undefined) {
      next();
      return finish(letter, value, 0);
    }
    if (silent) return finish(":", letter, 0);
    context.err(`${shell.zero}: option requires an argument -- ${letter}\n`);
    return finish("?", undefined, 0);
  },
};
