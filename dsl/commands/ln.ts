import { isErrno } from "../shell/ports.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `ln`. */
const doc = `ln - a second name of a file, or a link to it
Usage: ln [-sfn] TARGET NAME
Effects: makes NAME a second name of TARGET, with -s a symbolic link to it; -f replaces NAME; NAME may be a directory,
  then the link is made in it
Exit status: 0, or 1 if it could not be made
Errors: failed to create symbolic link 'NAME': File exists; failed to create hard link …; failed to access …
Differs from the real one: two operands only; no -r, -t, -v
Examples: ln -s /sys/bus/pci /tmp/pci; ls /tmp/pci`;

export const ln: Command = {
  name: "ln",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "sfn", "anywhere");
    if (typeof options === "string") return context.complain(options);
    const { flags, operands } = options;
    const [target, given, extra] = operands;
    if (target === undefined) return context.complain("missing file operand");
    if (extra !== undefined) return context.complain("more than two operands are not taken");
    const { vfs } = context.shell.machine;
    const base = target.replace(/\/+$/, "").replace(/^.*\//, "");
    const name = given ?? base;
    let path = context.shell.resolve(name);
    const stat = flags.has("n") ? vfs.lstat(path) : vfs.stat(path);
    const inside = !isErrno(stat) && stat.kind === "directory";
    if (inside) path += `/${base}`;
    const shown = inside ? `${name.replace(/\/+$/, "")}/${base}` : name;
    if (flags.has("f") && !isErrno(vfs.lstat(path))) vfs.remove(path);
    if (flags.has("s")) {
      const error = vfs.symlink(target, path);
      return isErrno(error)
        ? context.complain(`failed to create symbolic link '${shown}': ${error.message}`)
        : 0;
    }
    const existing = context.shell.resolve(target);
    const source = vfs.stat(existing);
    if (isErrno(source)) return context.complain(`failed to access '${target}': ${source.message}`);
    const error = vfs.link(existing, path);
    if (!isErrno(error)) return 0;
    return context.complain(`failed to create hard link '${shown}' => '${target}': ${error.message}`);
  },
};
