import { isErrno } from "../shell/ports.ts";
import type { Command, CommandContext } from "./command.ts";

/** `cd`. */
const doc = `cd - changes the current directory
Usage: cd [-L] [DIRECTORY | -]
Effects: changes the current directory to DIRECTORY, to $HOME without one, to $OLDPWD for -; sets PWD and OLDPWD
Exit status: 0, or 1 if the directory cannot be entered
Errors: PATH: No such file or directory; PATH: Not a directory; HOME not set; OLDPWD not set
Differs from the real one: no -P, no CDPATH
Examples: cd /sys/devices/system/cpu; pwd`;

export const cd: Command = {
  name: "cd",
  kind: "builtin",
  doc,
  run(context) {
    const { shell } = context;
    const args = context.args.filter((argument) => argument !== "-L" && argument !== "--");
    if (args.length > 1) return context.complain("too many arguments");
    const [given] = args;
    if (given !== undefined && /^-./.test(given)) {
      return context.complain(`${given.slice(0, 2)}: invalid option`, 2);
    }
    const variable = given === undefined ? "HOME" : given === "-" ? "OLDPWD" : undefined;
    const target = variable === undefined ? given ?? "" : shell.get(variable);
    if (target === undefined) return context.complain(`${variable} not set`);
    if (target === "") return 0;
    const status = enter(context, target);
    if (status === 0 && given === "-") context.out(shell.cwd + "\n");
    return status;
  },
};

/** Makes a directory the current one, or says why not; answers the exit status. */
export function enter(context: CommandContext, target: string): number {
  const { shell } = context;
  const path = shell.resolve(target);
  const stat = shell.machine.vfs.stat(path);
  if (isErrno(stat)) return context.complainOf(target, stat);
  if (stat.kind !== "directory") return context.complain(`${target}: Not a directory`);
  shell.set("OLDPWD", shell.cwd);
  shell.cwd = path;
  shell.set("PWD", path);
  return 0;
}
