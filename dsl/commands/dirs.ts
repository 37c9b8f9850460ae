import type { Shell } from "../shell/state.ts";
import type { Command, CommandContext } from "./command.ts";

/** `dirs`. */
const doc = `dirs - the directories that pushd has put away
Usage: dirs [-clpv] [+N | -N]
Effects: writes the current directory and those behind it, with ~ for $HOME; -l without ~, -p one a line, -v with numbers;
  +N the Nth, -N the Nth from the end; -c forgets them. DIRSTACK is the same as an array
Exit status: 0, or 1 if there is no Nth
Errors: N: directory stack index out of range
Differs from the real one: nothing that is known
Examples: cd /sys; pushd /proc; dirs -v; popd`;

export const dirs: Command = {
  name: "dirs",
  kind: "builtin",
  doc,
  run(context) {
    const { shell, args } = context;
    const flags = new Set<string>();
    let chosen: number | undefined;
    for (const word of args) {
      if (/^[-+]\d+$/.test(word)) {
        chosen = placeOf(word, stackOf(shell).length);
        if (chosen === undefined) {
          return context.complain(`${word.slice(1)}: directory stack index out of range`);
        }
      } else if (/^-[clpv]+$/.test(word)) { for (const letter of word.slice(1)) flags.add(letter); }
      else return context.complain(`${word}: invalid option`, 2);
    }
    if (flags.has("c")) shell.directoryStack = [];
    else writeStack(context, flags, chosen);
    return 0;
  },
};

/** The current directory and those behind it. */
export function stackOf(shell: Shell): readonly string[] {
  return [shell.cwd, ...shell.directoryStack];
}

/** Which place `+N` or `-N` means in a stack of `length`; undefined: there is none. */
export function placeOf(word: string, length: number): number | undefined {
  const number = Number(word.slice(1));
  if (number >= length) return undefined;
  return word.startsWith("+") ? number : length - 1 - number;
}

/** Writes the stack as `dirs` does, or the one place of it. */
export function writeStack(context: CommandContext, flags: ReadonlySet<string>, chosen?: number): void {
  const { shell } = context;
  const home = shell.get("HOME") ?? "";
  const short = (path: string) =>
    !flags.has("l") && home.length > 1 && (path === home || path.startsWith(home + "/"))
      ? "~" + path.slice(home.length)
      : path;
  const lines = stackOf(shell).map((path, i) =>
    flags.has("v") ? `${String(i).padStart(2)}  ${short(path)}` : short(path)
  );
  const shown = chosen === undefined ? lines : lines.slice(chosen, chosen + 1);
  context.out(shown.join(flags.has("v") || flags.has("p") ? "\n" : " ") + "\n");
}
