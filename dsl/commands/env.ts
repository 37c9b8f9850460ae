import type { Coroutine } from "../shell/jobs.ts";
import { knownNames } from "../shell/known_names.ts";
import { runToExit } from "../shell/subshell.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `env`. */
const doc = `env - a command with other variables, or the variables
Usage: env [-i] [-u NAME]… [NAME=VALUE]… [COMMAND [ARGUMENT]…]
Effects: runs COMMAND with the variables given, with -i with no others, without those of -u; without COMMAND it writes them
Exit status: that of the command; 127 if there is none such; 125 on a wrong option
Errors: 'COMMAND': No such file or directory
Differs from the real one: COMMAND may be a built-in; no -C, -S, -0
Examples: env LANG=C uname -r`;

export const env: Command = {
  name: "env",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "iu:", "first", { "ignore-environment": "i", "unset": "u" });
    if (typeof options === "string") return context.misuse(options, 125);
    const { given, operands } = options;
    const copy = context.shell.subshell();
    const args = [...operands];
    const dash = args[0] === "-"; // as -i
    if (dash) args.shift();
    for (const [letter, name] of dash ? [...given, ["i", ""]] : given) {
      for (const [each, variable] of copy.variables) {
        if (variable.exported && (letter === "i" || each === name)) copy.variables.delete(each);
      }
    }
    while (/^[A-Za-z_]\w*=/.test(args[0] ?? "")) {
      const [, name = "", value = ""] = /^(\w+)=([^]*)$/.exec(args.shift()!)!;
      copy.set(name, value).exported = true;
    }
    if (args.length === 0) {
      for (const [name, value] of copy.launch([]).env) context.out(`${name}=${value}\n`);
      copy.descriptors.closeAll();
      return 0;
    }
    const [name = ""] = args;
    if (!name.includes("/") && !knownNames(copy).includes(name)) {
      copy.descriptors.closeAll();
      return context.complain(`'${name}': No such file or directory`, 127);
    }
    try {
      const { interpreter } = copy.environment;
      return yield* runToExit(copy, () => interpreter.runNamed(copy, args, { skipFunctions: true }));
    } finally {
      copy.descriptors.closeAll();
    }
  },
};
