import { matchGlob } from "../shell/glob.ts";
import type { Coroutine, Request } from "../shell/jobs.ts";
import { type FileStat, isErrno } from "../shell/ports.ts";
import { builtinTask } from "../shell/tasks.ts";
import { FindError, type FindExpression, parseFind } from "../text/find_expression.ts";
import type { Command, CommandContext } from "./command.ts";
import { modeText } from "./stat.ts";

/** `find`. */
const doc = `find - files of the virtual tree by name and kind
Usage: find [PATH]… [EXPRESSION]
  tests: -name -iname -path -ipath PATTERN, -type f|d|l|b|c,…, -empty, -maxdepth N, -mindepth N, -true, -false
  actions: -print, -print0, -printf FORMAT, -exec COMMAND… ; (or {} +), -delete, -prune, -quit
  joined by -a (or nothing), -o, !, ( )
Effects: looks at each PATH (the current directory without one) and what is below it, and does what EXPRESSION says: writes the
  path where that has no action; links are not followed. In FORMAT %p path, %f its last part, %h what is before it, %P without
  PATH, %d depth, %s size, %m mode, %M mode in letters, %y kind, %l target of a link
Exit status: 0, or 1 if a path is not there, or a command of -exec {} + failed
Errors: ‘PATH’: No such file or directory; unknown predicate \`-X'; missing argument to \`-X'
Differs from the real one: no tests of owner, time and size, no -L, -regex, -execdir, -ok
Examples: find /sys/devices/system/cpu -maxdepth 1 -name 'cpu[0-9]'
  find /proc/irq -name smp_affinity -print0 | xargs -0 cat
  find /sys/devices/system/cpu -name online -o -name offline`;

export const find: Command = {
  name: "find",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const args = [...context.args];
    const paths: string[] = [];
    while (args[0] !== undefined && !/^(-.|!$|\($|\)$)/.test(args[0])) paths.push(args.shift()!);
    try {
      const search = new Search(context, parseFind(args));
      return yield* search.run(paths.length > 0 ? paths : ["."]);
    } catch (error) {
      if (error instanceof FindError) return context.complain(error.message);
      throw error;
    }
  },
};

/** A file that has been come to. */
interface Found {
  readonly path: string;
  /** The PATH that it was reached from. */
  readonly start: string;
  readonly depth: number;
  readonly stat: FileStat;
}

/** `-quit` ends everything. */
class Quit extends Error {}

class Search {
  #status = 0;
  /** `-prune` was come to: what is below the file is not looked at. */
  #pruned = false;
  /** Paths that wait for each `-exec … +`. */
  readonly #waiting = new Map<FindExpression, string[]>();

  constructor(
    readonly context: CommandContext,
    readonly request: ReturnType<typeof parseFind>,
  ) {}

  *run(starts: readonly string[]): Coroutine {
    const { context } = this;
    try {
      for (const start of starts) {
        const stat = context.shell.machine.vfs.lstat(context.shell.resolve(start));
        if (isErrno(stat)) this.#status = context.complain(`‘${start}’: ${stat.message}`);
        else yield* this.#visit({ path: start, start, depth: 0, stat });
      }
    } catch (error) {
      if (!(error instanceof Quit)) throw error;
    }
    for (const [{ command = [] }, paths] of this.#waiting) {
      const status = yield* this.#start([...command.slice(0, -1), ...paths]);
      if (status !== 0) this.#status = 1;
    }
    return this.#status;
  }

  *#visit(found: Found): Generator<Request, void, unknown> {
    const { minDepth, maxDepth, deepFirst } = this.request;
    this.#pruned = false;
    const isAsked = found.depth >= minDepth;
    if (isAsked && !deepFirst) yield* this.#holds(this.request.expression, found);
    if (found.stat.kind === "directory" && found.depth < maxDepth && !this.#pruned) {
      const { shell } = this.context;
      const names = shell.machine.vfs.list(shell.resolve(found.path));
      for (const name of isErrno(names) ? [] : [...names]) {
        const path = found.path.endsWith("/") ? found.path + name : `${found.path}/${name}`;
        const stat = shell.machine.vfs.lstat(shell.resolve(path));
        if (!isErrno(stat)) yield* this.#visit({ ...found, path, depth: found.depth + 1, stat });
      }
    }
    if (isAsked && deepFirst) yield* this.#holds(this.request.expression, found);
  }

  *#holds(test: FindExpression, found: Found): Generator<Request, boolean, unknown> {
    const { context } = this;
    const { path, stat } = found;
    switch (test.kind) {
      case "or":
        return (yield* this.#holds(test.left!, found)) || (yield* this.#holds(test.right!, found));
      case "and":
        return (yield* this.#holds(test.left!, found)) && (yield* this.#holds(test.right!, found));
      case "not":
        return !(yield* this.#holds(test.left!, found));
      case "true":
        return true;
      case "name":
      case "iname":
        return matches(test, lastPart(path));
      case "path":
      case "ipath":
        return matches(test, path);
      case "type":
        return test.text!.split(",").includes(letterOf(stat));
      case "empty": {
        if (stat.kind === "file") return stat.size === 0;
        const names = context.shell.machine.vfs.list(context.shell.resolve(path));
        return stat.kind === "directory" && !isErrno(names) && names.length === 0;
      }
      case "print":
        context.out(path + "\n");
        return true;
      case "print0":
        context.out(path + "\0");
        return true;
      case "printf":
        context.out(this.#formatted(test.text!, found));
        return true;
      case "delete": {
        const gone = context.shell.machine.vfs.remove(context.shell.resolve(path));
        if (!isErrno(gone)) return true;
        this.#status = context.complain(`cannot delete ‘${path}’: ${gone.message}`);
        return false;
      }
      case "prune":
        this.#pruned = true;
        return true;
      case "quit":
        throw new Quit();
      case "exec":
        return (yield* this.#start(test.command!.map((word) => word.replaceAll("{}", path)))) === 0;
      case "exec+": {
        const waiting = this.#waiting.get(test);
        if (waiting === undefined) this.#waiting.set(test, [path]);
        else waiting.push(path);
        return true;
      }
    }
  }

  /** Runs a command; what has been written before comes before what it writes. */
  *#start(command: readonly string[]): Coroutine {
    const { context } = this;
    yield* builtinTask(context.shell, context.name, context.output.splice(0), 0, context);
    return yield* context.shell.environment.interpreter.runNamed(context.shell, command, {
      skipFunctions: true,
    });
  }

  #formatted(format: string, { path, start, depth, stat }: Found): string {
    const { shell } = this.context;
    const target = shell.machine.vfs.readlink(shell.resolve(path));
    const values: Readonly<Record<string, string>> = {
      p: path,
      f: lastPart(path),
      h: path.includes("/") ? path.replace(/\/[^/]*$/, "") : ".",
      P: path.slice(start.length).replace(/^\//, ""),
      d: String(depth),
      s: String(isErrno(target) ? stat.size : target.length),
      m: stat.mode.toString(8),
      M: modeText(stat),
      y: letterOf(stat),
      l: isErrno(target) ? "" : target,
      "%": "%",
    };
    return format.replace(/%(-?\d*)([a-zA-Z%])/g, (_all, width: string, letter: string) => {
      const value = values[letter] ?? "";
      return Number(width) < 0 ? value.padEnd(-Number(width)) : value.padStart(Number(width));
    });
  }
}

function lastPart(path: string): string {
  return path.replace(/^.*\/(?=.)/, "");
}

/** Whether a pattern fits; `-iname` and `-ipath` take letters of either case. */
function matches({ kind, text = "" }: FindExpression, path: string): boolean {
  return kind.startsWith("i") ? matchGlob(text.toLowerCase(), path.toLowerCase()) : matchGlob(text, path);
}

/** What `-type` and `%y` call a kind. */
function letterOf({ kind, block }: FileStat): string {
  return { file: "f", directory: "d", link: "l", device: block ? "b" : "c" }[kind];
}
