import type { Coroutine, Request } from "../shell/jobs.ts";
import { isErrno } from "../shell/ports.ts";
import { parseSed, type SedCommand } from "../text/sed_program.ts";
import { type SedLine, SedRun } from "../text/sed_run.ts";
import { ShellError } from "../syntax/shell_error.ts";
import type { Command, CommandContext } from "./command.ts";
import { linesOfOption, parseOptions } from "./options.ts";

/** `sed`. */
const doc = `sed - edits lines
Usage: sed [-nErs] [-i[SUFFIX]] [-e SCRIPT] [-f FILE] SCRIPT [FILE]…
Effects: edits each line: s/PATTERN/TEXT/[gpIN], d D, p P, a i c TEXT, n N, g G h H x, y/SET/SET/, =, q Q, r FILE, z, { },
  labels with : b t T; addresses N, $, /PATTERN/I, N~STEP, two with a comma (also +N, ~N), and !; -i writes each file
  back, with SUFFIX a copy of it stays; -s takes files one by one
Exit status: 0, that of q or Q; 1 for a script that is not taken, 2 if a file cannot be read, 4 if one cannot be written
Errors: -e expression #1, char N: unknown command; can't read PATH: No such file or directory; couldn't open temporary
  file PATH: Permission denied, as in sysfs
Differs from the real one: no commands e, F, l, R, v, w, W; no options m, e, w of s; no -z, -l
Examples: sed -n 1,3p /proc/cpuinfo
  echo 05:00.0 | sed 's/^/0000:/'
  echo 'GRUB="quiet"' > /tmp/grub; sed -i 's/quiet/quiet isolcpus=3/' /tmp/grub; cat /tmp/grub`;

const LONG = {
  "quiet": "n",
  "silent": "n",
  "regexp-extended": "E",
  "expression": "e",
  "file": "f",
  "separate": "s",
};

export const sed: Command = {
  name: "sed",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    let suffix: string | undefined; // -i takes its value only from the same word
    const args = context.args.filter((argument) => {
      const value = /^(?:-i|--in-place=?)([^]*)$/.exec(argument)?.[1];
      suffix = value ?? suffix;
      return value === undefined;
    }).map((argument) => argument.replace(/^-([nErs]+)i$/, (_, letters) => (suffix ??= "", `-${letters}`)));
    const options = parseOptions(args, "nErse:f:", "anywhere", LONG);
    if (typeof options === "string") return context.complain(`${options}\n${USAGE}`);
    const { flags, values } = options;
    const operands = [...options.operands];
    let script = linesOfOption(options, "e");
    const path = values.get("f");
    if (path !== undefined) {
      const text = yield* context.readFile(path);
      if (isErrno(text)) return context.complain(`couldn't open file ${path}: ${text.message}`);
      script = (script === undefined ? "" : `${script}\n`) + text.replace(/\n$/, "");
    }
    script ??= operands.shift();
    if (script === undefined) {
      context.err(`${USAGE}\n`);
      return 1;
    }
    let commands: SedCommand[];
    try {
      commands = parseSed(script, flags.has("E") || flags.has("r"));
    } catch (error) {
      if (!(error instanceof ShellError)) throw error;
      return context.complain(error.message);
    }
    const run = new SedRun(commands, flags.has("n"), yield* filesOf(context, commands));
    if (suffix === undefined && !flags.has("s")) {
      const { texts, failed } = yield* readAll(context, operands);
      const { text, quit } = run.over(linesOf(texts));
      context.out(text);
      return quit ?? (failed ? 2 : 0);
    }
    let status = 0;
    for (const each of operands) {
      if (suffix !== undefined) {
        const refused = temporary(context, each);
        if (refused !== undefined) return context.complain(refused, 4);
      }
      const { texts: [one], failed } = yield* readAll(context, [each]);
      if (failed) status = 2;
      if (one === undefined) continue;
      const { text, quit } = run.over(linesOf([one]));
      if (suffix === undefined) context.out(text);
      else yield* writeBack(context, each, one, text, suffix);
      if (quit !== undefined) return quit;
    }
    return status;
  },
};

const USAGE = "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...";

/** What stands in the files that `r` names; one that is not there is empty. */
function* filesOf(
  context: CommandContext,
  commands: readonly SedCommand[],
): Generator<Request, Map<string, string>, unknown> {
  const files = new Map<string, string>();
  for (const { name, text } of commands) {
    if (name !== "r" || text === undefined || files.has(text)) continue;
    const read = yield* context.readFile(text);
    files.set(text, isErrno(read) ? "" : read);
  }
  return files;
}

/** The texts of files, with the complaints of sed. */
function* readAll(
  context: CommandContext,
  paths: readonly string[],
): Generator<Request, { texts: string[]; failed: boolean }, unknown> {
  const texts: string[] = [];
  let failed = false;
  for (const path of paths.length > 0 ? paths : ["-"]) {
    const text = yield* context.readFile(path);
    if (!isErrno(text)) texts.push(text);
    else {
      failed = true;
      if (text.name === "EISDIR") context.complain(`couldn't edit ${path}: not a regular file`);
      else context.complain(`can't read ${path}: ${text.message}`);
    }
  }
  return { texts, failed };
}

/** Only the last line of all may have no newline: where a file ends without one, the next begins a new line. */
function linesOf(texts: readonly string[]): SedLine[] {
  const lines: SedLine[] = [];
  const last = texts.findLastIndex((text) => text !== "");
  for (const [i, text] of texts.entries()) {
    if (text === "") continue;
    const parts = text.split("\n");
    const ended = parts[parts.length - 1] === "";
    if (ended) parts.pop();
    for (const [at, part] of parts.entries()) {
      lines.push({ text: part, ended: ended || i < last || at < parts.length - 1 });
    }
  }
  return lines;
}

/** sed -i makes a file beside the one that it edits: what sysfs and procfs say to that. */
function temporary(context: CommandContext, path: string): string | undefined {
  const { shell } = context;
  const { vfs } = shell.machine;
  const stat = vfs.stat(shell.resolve(path));
  if (isErrno(stat) || stat.kind !== "file") return undefined; // reading it says so
  const folder = path.includes("/") ? path.replace(/\/[^/]*$/, "") || "/" : ".";
  const name = `${folder === "/" ? "" : folder}/sedXXXXXX`;
  const made = vfs.open(shell.resolve(name), { write: true, create: true });
  if (isErrno(made)) return `couldn't open temporary file ${name}: ${made.message}`;
  made.close();
  vfs.remove(shell.resolve(name));
  return undefined;
}

function* writeBack(
  context: CommandContext,
  path: string,
  before: string,
  after: string,
  suffix: string,
): Generator<Request, void, unknown> {
  const copy = suffix.includes("*") ? suffix.replaceAll("*", path.replace(/^.*\//, "")) : `${path}${suffix}`;
  if (suffix !== "") yield* written(context, copy, before);
  yield* written(context, path, after);
}

function* written(context: CommandContext, path: string, text: string): Generator<Request, void, unknown> {
  const error = yield* context.writeFile(path, text);
  if (error !== undefined) throw new ShellError(`cannot rename ${path}: ${error.message}`, 4);
}
