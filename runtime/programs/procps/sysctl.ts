/**
 * sysctl (procps 4.0): reads and sets what is under `/proc/sys`.
 *
 * *Modelled*: names with `.` or `/`, `NAME=VALUE`, `-w`, `-n`, `-N`, `-q`, `-e`, `-a`, `-p [FILE]…`.
 *
 * *Not modelled*: `-b`, `-r`, `--system`, refused by name.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { Errno } from "../../linux/errno.ts";
import { complain, getopt, type OptionTable } from "../getopt.ts";
import { pathOf, type Program, type ProgramProcess, readFile } from "../program.ts";

const doc = `sysctl - reads and sets parameters of the kernel
Usage: sysctl [-nNqe] NAME[=VALUE]... | -a | -p [FILE]...
Effects: prints NAME = VALUE for each, after setting it where a value is given; -n only values, -N only names, -q nothing of
  what is set, -e nothing about unknown names; -a prints all there are; -p sets what files say (/etc/sysctl.conf)
Exit status: 0; 1 if one is unknown or refused
Errors: cannot stat /proc/sys/PATH: No such file or directory; permission denied on key "NAME";
  setting key "NAME": STRERROR
Differs from the real one: no -b, -r, --system; only what the model has is under /proc/sys
Examples: sysctl kernel.osrelease
  sysctl -w vm.nr_hugepages=4
  sysctl -n kernel/sched_latency_ns`;

const OPTIONS: OptionTable = {
  flags: "nNqewapAX",
  long: { all: "a", values: "n", names: "N", quiet: "q", ignore: "e", write: "w", load: "p" },
  notModelled: ["b", "r", "binary", "pattern", "system"],
};

const ROOT = "/proc/sys";

/** The program. */
export const sysctl: Program = {
  name: "sysctl",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), OPTIONS);
    if (typeof parsed === "string") return complain(command, sysctl, parsed);
    const flags = new Set(parsed.options.map(({ letter }) => letter));
    const settings = new Settings(command, flags);
    if (flags.has("p")) return yield* load(settings, parsed.operands);
    if (["a", "A", "X"].some((letter) => flags.has(letter))) return yield* settings.list(ROOT);
    if (parsed.operands.length === 0) return complain(command, sysctl, "no variables specified");
    let status = 0;
    for (const operand of parsed.operands) {
      const at = operand.indexOf("=");
      if (at === -1 && flags.has("w")) {
        command.stderr(`sysctl: "${operand}" must be of the form name=value\n`);
        status = 1;
      } else status = (yield* settings.one(operand, at)) || status;
    }
    return status;
  },
};

/** `-p`: lines `name = value`; a comment begins with # or ;, and a line with - may fail. */
function* load(settings: Settings, files: readonly string[]): Activity<number> {
  const { command } = settings;
  let status = 0;
  for (const path of files.length > 0 ? files : ["/etc/sysctl.conf"]) {
    const text = yield* readFile(command.system, pathOf(command, path));
    if (text instanceof Errno) {
      command.stderr(`sysctl: cannot open "${path}": ${text.message}\n`);
      status = 1;
      continue;
    }
    for (const [i, line] of text.split("\n").entries()) {
      const setting = line.trim();
      if (setting === "" || /^[#;]/.test(setting)) continue;
      const [, mayFail, name, value] = /^(-?)\s*([^=\s]+)\s*=\s*(.*)$/.exec(setting) ?? [];
      if (name === undefined) command.stderr(`sysctl: ${path}(${i + 1}): invalid syntax, continuing...\n`);
      else {
        const failed = yield* settings.one(`${name}=${value}`, name.length);
        if (mayFail === "") status = failed || status;
      }
    }
  }
  return status;
}

/** Reads and writes single settings as the flags say. */
class Settings {
  constructor(readonly command: ProgramProcess, readonly flags: ReadonlySet<string>) {}

  /** One operand, whose `=` is at `at`. Answers a status. */
  *one(operand: string, at: number): Activity<number> {
    const { command, flags } = this;
    const given = (at === -1 ? operand : operand.slice(0, at)).trim();
    const isPath = /^[^./]*\//.test(given); // the first separator decides which one it is
    const path = `${ROOT}/${isPath ? given : given.replace(/[./]/g, (mark) => mark === "." ? "/" : ".")}`;
    const name = nameOf(path);
    const stat = command.system.vfs.stat(path);
    if (stat instanceof Errno) {
      if (flags.has("e")) return 0;
      command.stderr(`sysctl: cannot stat ${path}: ${stat.message}\n`);
      return 1;
    }
    if (at === -1) return stat.kind === "directory" ? yield* this.list(path) : yield* this.show(path);
    const value = operand.slice(at + 1).trim();
    const error = yield* write(command, path, value);
    if (error === undefined) {
      if (!flags.has("q")) this.print(name, value);
      return 0;
    }
    const denied = error.name === "EACCES" || error.name === "EPERM";
    command.stderr(
      denied
        ? `sysctl: permission denied on key "${name}"\n`
        : `sysctl: setting key "${name}": ${error.message}\n`,
    );
    return 1;
  }

  /** Everything at and below a directory. */
  *list(path: string): Activity<number> {
    const { vfs } = this.command.system;
    const names = vfs.list(path);
    if (names instanceof Errno) return 1;
    for (const name of names) {
      const inner = `${path}/${name}`, stat = vfs.stat(inner);
      if (stat instanceof Errno) continue;
      if (stat.kind === "directory") yield* this.list(inner);
      else if ((stat.mode & 0o444) !== 0) yield* this.show(inner);
    }
    return 0;
  }

  *show(path: string): Activity<number> {
    const text = yield* readFile(this.command.system, path);
    if (text instanceof Errno) {
      this.command.stderr(`sysctl: reading key "${nameOf(path)}": ${text.message}\n`);
      return 1;
    }
    for (const line of text.replace(/\n$/, "").split("\n")) this.print(nameOf(path), line);
    return 0;
  }

  print(name: string, value: string): void {
    const { flags } = this;
    this.command.stdout(`${flags.has("N") ? name : flags.has("n") ? value : `${name} = ${value}`}\n`);
  }
}

function nameOf(path: string): string {
  return path.slice(ROOT.length + 1).replace(/[./]/g, (mark) => mark === "/" ? "." : "/");
}

function* write({ system }: ProgramProcess, path: string, value: string): Activity<Errno | undefined> {
  const file = system.vfs.open(path, { write: true });
  if (file instanceof Errno) return file;
  const written = yield* file.write(`${value}\n`);
  file.close();
  return written instanceof Errno ? written : undefined;
}
