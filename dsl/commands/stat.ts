import { type FileStat, isErrno } from "../shell/ports.ts";
import type { Command, CommandContext } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `stat`. */
const doc = `stat - what a file is
Usage: stat [-L] [-c FORMAT | --printf=FORMAT] PATH…
Effects: writes kind, size and mode; FORMAT may have %n name, %N quoted with the target of a link, %F kind, %s size, %a and %A
  mode, %f mode in hex, %h links, %u %g %U %G owner, %t %T numbers of a device in hex, %Y when it was last written, in seconds
  since 1970; -L follows a link
Exit status: 0, or 1 if a path is not there
Errors: cannot statx 'PATH': No such file or directory; %X: not modelled
Differs from the real one: the tree has no inodes, blocks and other times: lines and directives of those are left out or
  refused; everything is root's
Examples: stat -c '%a %n' /sys/devices/system/cpu/online
  stat /dev/null`;

const KINDS: Readonly<Record<FileStat["kind"], string>> = {
  file: "regular file",
  directory: "directory",
  link: "symbolic link",
  device: "character special file",
};

/** Bits of the kind in a mode (stat.h). */
const TYPE_BITS = { file: 0o100000, directory: 0o040000, link: 0o120000, device: 0o020000 };

export const stat: Command = {
  name: "stat",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "Lc:p:", "anywhere", {
      "dereference": "L",
      "format": "c",
      "printf": "p",
    });
    if (typeof options === "string") return context.misuse(options);
    const { flags, values, operands } = options;
    if (operands.length === 0) return context.misuse("missing operand");
    const { vfs } = context.shell.machine;
    let status = 0;
    for (const path of operands) {
      const absolute = context.shell.resolve(path);
      const found = flags.has("L") ? vfs.stat(absolute) : vfs.lstat(absolute);
      if (isErrno(found)) {
        status = context.complain(`cannot statx '${path}': ${found.message}`);
        continue;
      }
      const target = vfs.readlink(absolute);
      const file: File = {
        path,
        stat: found,
        target: flags.has("L") || isErrno(target) ? undefined : target,
      };
      const format = values.get("c") ?? values.get("p");
      if (format === undefined) context.out(plain(file));
      else {
        const text = formatted(
          context,
          file,
          values.has("c") ? `${format}\n` : format.replaceAll("\\n", "\n"),
        );
        if (text === undefined) return 1;
        context.out(text);
      }
    }
    return status;
  },
};

interface File {
  readonly path: string;
  readonly stat: FileStat;
  readonly target: string | undefined;
}

/** `drwxr-xr-x`. */
export function modeText({ kind, mode, block }: FileStat): string {
  const bits = [..."rwxrwxrwx"].map((letter, i) => (mode & (1 << (8 - i))) !== 0 ? letter : "-");
  if ((mode & 0o1000) !== 0) bits[8] = bits[8] === "x" ? "t" : "T";
  return { directory: "d", link: "l", file: "-", device: block ? "b" : "c" }[kind] + bits.join("");
}

function octal(mode: number): string {
  return mode.toString(8);
}

function sizeOf({ stat, target }: File): number {
  return target?.length ?? stat.size;
}

function plain(file: File): string {
  const { stat, target, path } = file;
  const { kind, mode } = stat;
  const name = target === undefined ? path : `${path} -> ${target}`;
  const what = kind === "file" && sizeOf(file) === 0 ? "regular empty file" : KINDS[kind];
  const device = stat.number === undefined ? "" : `Device type: ${stat.number.join(",")}\n`;
  return `  File: ${name}\n  Size: ${String(sizeOf(file)).padEnd(10)}\t${what}\n${device}` +
    `Access: (${octal(mode).padStart(4, "0")}/${
      modeText(stat)
    })  Uid: (    0/    root)   Gid: (    0/    root)\n`;
}

/** Undefined: a directive is not taken, and that has been said. */
function formatted(context: CommandContext, file: File, format: string): string | undefined {
  const { stat, path, target } = file;
  const { kind, mode, number } = stat;
  const { shell } = context;
  const detailed = () => {
    const details = shell.machine.vfs.details(shell.resolve(path));
    return isErrno(details) ? undefined : details;
  };
  let refused: string | undefined;
  const text = format.replace(/%(-?\d*)(.)/g, (all, width: string, letter: string) => {
    const value = {
      n: path,
      N: `'${path}'${target === undefined ? "" : ` -> '${target}'`}`,
      F: kind === "file" && sizeOf(file) === 0 ? "regular empty file" : KINDS[kind],
      s: String(sizeOf(file)),
      a: octal(mode),
      A: modeText(stat),
      f: (TYPE_BITS[kind] | mode).toString(16),
      h: () => String(detailed()?.links ?? 1),
      Y: () => String(Math.floor(shell.machine.clock().bootTime + (detailed()?.changedNs ?? 0) / 1e9)),
      u: "0",
      g: "0",
      U: "root",
      G: "root",
      t: (number?.[0] ?? 0).toString(16),
      T: (number?.[1] ?? 0).toString(16),
      "%": "%",
    }[letter];
    if (value === undefined) refused ??= all;
    const text = typeof value === "function" ? value() : value ?? "";
    const size = Number(width);
    return size < 0 ? text.padEnd(-size) : text.padStart(size);
  });
  if (refused === undefined) return text;
  context.complain(`${refused}: not modelled`);
  return undefined;
}
