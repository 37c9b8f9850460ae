import { closest } from "../../runtime/lab/spelling.ts";
import type { Options } from "../shell/state.ts";
import { ShellError } from "../syntax/shell_error.ts";
import type { Command, CommandContext } from "./command.ts";

/** `set`. */
const doc = `set - options of the shell, and its positional parameters
Usage: set [-aeEfnuxC] [+aeEfnuxC] [-o OPTION] [+o OPTION] [--] [ARGUMENT]…
Effects: turns options on (-) or off (+) and replaces the positional parameters; without arguments lists variables.
  OPTION: allexport errexit errtrace noglob noexec nounset xtrace noclobber pipefail, and of the laboratory strict
  (errno-exact; without it the shell takes what the slides print), era=2012 or era=today, which boots a machine of that time, and
  check (the invariants of interrupt delivery are watched, violations reported on standard error)
Exit status: 0, or 2 for an option that is not taken, which ends a script unless it is looked at: set … || …
Errors: -X: invalid option; NAME: invalid option name
Differs from the real one: no other options
Examples: set -eu; set -- a b; echo $2`;

const letters: Readonly<Record<string, keyof Options>> = {
  a: "allexport",
  e: "errexit",
  E: "errtrace",
  f: "noglob",
  n: "noexec",
  u: "nounset",
  x: "xtrace",
  C: "noclobber",
};

/** What `-o` takes. */
const names = [...Object.values(letters), "pipefail", "strict", "check", "era=2012", "era=today"];

export const set: Command = {
  name: "set",
  kind: "special",
  doc,
  complete: ([...before]) => /^[-+][a-zA-Z]*o$/.test(before.pop() ?? "") ? names : [],
  run(context) {
    const { shell, args } = context;
    if (args.length === 0) return list(context);
    let i = 0;
    for (; i < args.length; i++) {
      const argument = args[i] ?? "";
      if (argument === "--" || argument === "-") {
        i++;
        shell.positional = args.slice(i);
        return 0;
      }
      if (!/^[-+]./.test(argument)) break;
      const on = argument.startsWith("-");
      for (const letter of argument.slice(1)) {
        if (letter === "o") {
          const name = args[++i];
          if (name === undefined) return listOptions(context);
          const status = setNamed(context, name, on);
          if (status !== 0) return status;
          continue;
        }
        const option = letters[letter];
        if (option === undefined) throw new ShellError(`${argument[0]}${letter}: invalid option`, 2);
        shell.options[option] = on;
      }
    }
    if (i < args.length) shell.positional = args.slice(i);
    return 0;
  },
};

function setNamed(context: CommandContext, name: string, on: boolean): number {
  const { shell } = context;
  const { options, environment } = shell;
  if (name in options && name !== "nullglob") { // that one is shopt's
    options[name as keyof Options] = on;
    return 0;
  }
  const [key = "", value] = name.split("=", 2);
  const answer = environment.setOption?.(key, value ?? on, shell) ??
    (environment.setOption === undefined ? false : undefined);
  if (answer === undefined) return 0;
  if (answer !== false) return context.complain(`${name}: ${answer}`, 2);
  const meant = closest(name, Object.keys(options));
  const note = name === "nullglob"
    ? "\nnote: shopt -s nullglob sets it"
    : meant === undefined
    ? ""
    : `\nnote: did you mean ${meant}?`;
  throw new ShellError(`${name}: invalid option name${note}`, 2);
}

function listOptions(context: CommandContext): number {
  for (const [name, on] of Object.entries(context.shell.options)) {
    if (name === "nullglob") continue;
    context.out(`${name.padEnd(16)}${on ? "on" : "off"}\n`);
  }
  return 0;
}

function list(context: CommandContext): number {
  for (const [name, { value }] of [...context.shell.variables].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (typeof value !== "string") continue;
    context.out(
      `${name}=${/^[\w@%+=:,./-]*$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`}\n`,
    );
  }
  return 0;
}
