import { matchGlob } from "../shell/glob.ts";
import { isErrno } from "../shell/ports.ts";
import type { Command, CommandContext } from "./command.ts";

/** `find`. */
const doc = `find - files of the virtual tree by name and kind
Usage: find [PATH]… [-maxdepth N] [-mindepth N] [-name PATTERN] [-path PATTERN] [-type f|d|l] [!] [-print]
Effects: writes the paths below each PATH (the current directory without one) that fit all tests; links are not followed
Exit status: 0, or 1 if a path is not there
Errors: ‘PATH’: No such file or directory; unknown predicate \`-X'
Differs from the real one: no -o, no parentheses, no -exec, no other tests
Examples: find /sys/devices/system/cpu -maxdepth 1 -name 'cpu[0-9]'`;

interface Test {
  readonly negated: boolean;
  readonly holds: (path: string, kind: string) => boolean;
}

export const find: Command = {
  name: "find",
  kind: "filter",
  doc,
  run(context) {
    const args = [...context.args];
    const paths: string[] = [];
    while (args[0] !== undefined && !/^[-!(]/.test(args[0])) paths.push(args.shift() ?? "");
    const tests: Test[] = [];
    const depth = { min: 0, max: Infinity };
    let negated = false;
    for (let word = args.shift(); word !== undefined; word = args.shift()) {
      if (word === "!" || word === "-not") {
        negated = !negated;
        continue;
      }
      if (word === "-print") continue;
      const value = args.shift();
      if (value === undefined && /^-(maxdepth|mindepth|name|path|type)$/.test(word)) {
        return context.complain(`missing argument to \`${word}'`);
      }
      const operand = value ?? "";
      if (word === "-maxdepth") depth.max = Number(operand);
      else if (word === "-mindepth") depth.min = Number(operand);
      else if (word === "-name") {
        tests.push({ negated, holds: (path) => matchGlob(operand, path.replace(/^.*\/(?=.)/, "")) });
      } else if (word === "-path") tests.push({ negated, holds: (path) => matchGlob(operand, path) });
      else if (word === "-type" && /^[fdl]$/.test(operand)) {
        const wanted = { f: "file", d: "directory", l: "link" }[operand];
        tests.push({ negated, holds: (_path, kind) => kind === wanted });
      } else return context.complain(`unknown predicate \`${word}'`);
      negated = false;
    }
    let status = 0;
    for (const path of paths.length > 0 ? paths : ["."]) {
      const stat = context.shell.machine.vfs.lstat(context.shell.resolve(path));
      if (isErrno(stat)) status = context.complain(`‘${path}’: ${stat.message}`);
      else walk(context, path, stat.kind, 0, depth, tests);
    }
    return status;
  },
};

function walk(
  context: CommandContext,
  path: string,
  kind: string,
  level: number,
  depth: { readonly min: number; readonly max: number },
  tests: readonly Test[],
): void {
  if (level >= depth.min && tests.every(({ negated, holds }) => holds(path, kind) !== negated)) {
    context.out(path + "\n");
  }
  if (kind !== "directory" || level >= depth.max) return;
  const { vfs } = context.shell.machine;
  const names = vfs.list(context.shell.resolve(path));
  if (isErrno(names)) return;
  for (const name of names) {
    const child = path.endsWith("/") ? path + name : `${path}/${name}`;
    const stat = vfs.lstat(context.shell.resolve(child));
    if (!isErrno(stat)) walk(context, child, stat.kind, level + 1, depth, tests);
  }
}
