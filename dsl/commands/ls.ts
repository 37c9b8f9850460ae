import { isErrno } from "../shell/ports.ts";
import type { Command, CommandContext } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `ls`. */
const doc = `ls - names in directories
Usage: ls [-1adlF] [PATH]…
Effects: lists directories, one name a line; -a with hidden ones, -d the directory itself, -l with mode, size and the
  target of links
Exit status: 0, or 2 if a path cannot be listed
Errors: cannot access 'PATH': No such file or directory
Differs from the real one: always one name a line; -l has no links, owner and time, since the tree has none
Examples: ls /sys/bus/pci/drivers
  ls -l /sys/devices/system/cpu/online`;

export const ls: Command = {
  name: "ls",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "1adlF", "anywhere");
    if (typeof options === "string") return context.complain(options, 2);
    const { flags, operands } = options;
    const { vfs } = context.shell.machine;
    const paths = operands.length > 0 ? operands : ["."];
    const files: string[] = [];
    const folders: string[] = [];
    let status = 0;
    for (const path of paths) {
      const stat = vfs.stat(context.shell.resolve(path));
      if (isErrno(stat)) status = context.complain(`cannot access '${path}': ${stat.message}`, 2);
      else if (stat.kind === "directory" && !flags.has("d")) folders.push(path);
      else files.push(path);
    }
    for (const file of files) show(context, file, file, flags);
    for (const [i, folder] of folders.entries()) {
      if (i > 0 || files.length > 0) context.out("\n");
      if (paths.length > 1) context.out(`${folder}:\n`);
      const names = vfs.list(context.shell.resolve(folder));
      if (isErrno(names)) {
        status = context.complain(`cannot open directory '${folder}': ${names.message}`, 2);
        continue;
      }
      for (const name of names) {
        if (!name.startsWith(".") || flags.has("a")) show(context, `${folder}/${name}`, name, flags);
      }
    }
    return status;
  },
};

function show(context: CommandContext, path: string, name: string, flags: ReadonlySet<string>): void {
  const { vfs } = context.shell.machine;
  const absolute = context.shell.resolve(path);
  const stat = vfs.stat(absolute);
  const link = vfs.readlink(absolute);
  const kind = isErrno(link) ? (isErrno(stat) ? "file" : stat.kind) : "link";
  const mark = flags.has("F") ? { directory: "/", link: "@", file: "", device: "" }[kind] : "";
  if (!flags.has("l")) {
    context.out(`${name}${mark}\n`);
    return;
  }
  const mode = kind === "link" ? 0o777 : isErrno(stat) ? 0 : stat.mode;
  const bits = [..."rwxrwxrwx"].map((letter, i) => (mode & (1 << (8 - i))) !== 0 ? letter : "-").join("");
  const bytes = kind === "link" && !isErrno(link) ? link.length : isErrno(stat) ? 0 : stat.size;
  const size = kind === "device" && !isErrno(stat) ? stat.number?.join(", ") ?? "" : String(bytes);
  const letter =
    { directory: "d", link: "l", file: "-", device: !isErrno(stat) && stat.block ? "b" : "c" }[kind];
  const target = isErrno(link) ? "" : ` -> ${link}`;
  context.out(`${letter}${bits} ${size.padStart(8)} ${name}${target}\n`);
}
