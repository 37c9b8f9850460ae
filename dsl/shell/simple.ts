/**
 * Simple commands: expansion, redirection, assignments, and the search for what the name means.
 *
 * Each becomes one simulated task: a built-in's costs about a microsecond and delivers its output, so an `echo` to a
 * sysfs attribute takes what the kernel takes; a program's runs the program.
 *
 * @module
 */
import type {
  ArrayAssignment,
  Assignment,
  ConditionStatement,
  SimpleCommand,
  Word,
  WordPart,
} from "../syntax/ast.ts";
import { type ArrayArgument, type Command, CommandContext } from "../commands/command.ts";
import { expandElements, fillArray } from "./array_literal.ts";
import { expandBraces } from "./braces.ts";
import { elementKey, evaluateText, expandText, expandWords } from "./expand.ts";
import { hintOnName, hintOnPath } from "./hints.ts";
import type { Search } from "./interpreter.ts";
import { knownNames } from "./known_names.ts";
import { type Coroutine, Interrupted, type Request } from "./jobs.ts";
import { INTERRUPTED } from "./signals.ts";
import { isErrno } from "./ports.ts";
import { engineLimit, limitedLength, limitedWords } from "../syntax/limited.ts";
import { redirect } from "./redirect.ts";
import { runScriptFile } from "./script_file.ts";
import { ShellError } from "../syntax/shell_error.ts";
import { type Shell, ShellExit, type Variable } from "./state.ts";
import { runProgram } from "./run_program.ts";
import { builtinTask } from "./tasks.ts";
import { trace, traceFields, traceQuote } from "./xtrace.ts";

/** Commands whose arguments `NAME=VALUE` are assignments: not split, no globs. */
const declarations = new Set(["declare", "export", "local", "readonly", "typeset"]);

/** Runs a simple command. */
export function* runSimple(shell: Shell, command: SimpleCommand): Coroutine {
  shell.substitutionStatus = undefined;
  const open = shell.processSubstitutions.length;
  const { fields, arrays } = yield* expandCommand(shell, command.words);
  if (command.assignments.length === 0) yield* traceFields(shell, fields);
  // As in bash: what no command follows is assigned before a file is opened, and whether one can be or not.
  const isAlone = fields.length === 0 && shell.passes !== command;
  if (isAlone) { for (const assignment of command.assignments) yield* assign(shell, assignment); }
  const saved = yield* redirect(shell, command.redirects);
  try {
    if (saved === undefined) {
      noteUnknown(shell, fields);
      yield* builtinTask(shell, fields[0] ?? "bash");
      const special = shell.environment.interpreter.commands.get(fields[0] ?? "")?.kind === "special";
      if (special && !shell.interactive) throw new ShellExit(1);
      return 1;
    }
    const [name] = fields;
    if (name === undefined) {
      if (!isAlone) return yield* passOn(shell);
      yield* builtinTask(shell, "bash");
      return shell.substitutionStatus ?? 0;
    }
    if (name === "exec" && !shell.functions.has("exec")) {
      for (const assignment of command.assignments) yield* assign(shell, assignment);
      saved.keep();
      if (fields.length === 1) return 0;
      const [, program = ""] = fields;
      if (!program.includes("/") && !knownNames(shell).includes(program)) {
        shell.complain(`exec: ${program}: not found`);
        yield* builtinTask(shell, "bash");
        throw new ShellExit(127, true);
      }
      const status = yield* runNamed(shell, fields.slice(1), { skipFunctions: true });
      if (status !== 126 && status !== 127) shell.traps.delete("EXIT"); // the shell is no more
      throw new ShellExit(status, true);
    }
    return yield* runWithAssignments(shell, fields, arrays, command.assignments);
  } finally {
    saved?.restore();
    shell.closeSubstitutions(open);
  }
}

/** Copies standard input to standard output: what `$(<FILE)` stands for. */
function* passOn(shell: Shell): Coroutine {
  const [input, output] = [shell.descriptors.get(0), shell.descriptors.get(1)];
  if (input === undefined || output === undefined) return 1;
  const text = yield* input.readAll({
    machine: shell.machine,
    name: "bash",
    launch: shell.launch(["bash"]),
  });
  if (isErrno(text)) return shell.complain(`read error: ${text.message}`);
  return yield* builtinTask(shell, "bash", [{ description: output, text }]);
}

/** A redirection failed, perhaps because a misspelt `expect` took `>` for a comparison. */
function noteUnknown(shell: Shell, [name = ""]: readonly string[]): void {
  const known = knownNames(shell);
  if (name === "" || name.includes("/") || known.includes(name)) return;
  const meant = hintOnName([name], known);
  if (meant !== undefined) shell.note(`${name}: ${meant}`);
}

function* expandCommand(
  shell: Shell,
  words: readonly (Word | ArrayAssignment)[],
): Generator<Request, { fields: string[]; arrays: Map<number, ArrayArgument> }, unknown> {
  const fields: string[] = [];
  const arrays = new Map<number, ArrayArgument>();
  for (const word of words) {
    const declares = declarations.has(fields[0] ?? "");
    if (word.kind === "array") {
      const isAssociative = fields.some((field) => /^-[a-z]*A/.test(field));
      if (!declares) throw new ShellError("syntax error near unexpected token `('", 2);
      arrays.set(fields.length - 1, {
        name: word.name,
        append: word.append,
        elements: yield* expandElements(shell, word, isAssociative),
      });
      fields.push(word.name);
      continue;
    }
    const [first] = word.parts;
    if (declares && first?.kind === "literal" && /^[A-Za-z_]\w*\+?=/.test(first.text)) {
      for (const { parts, span } of expandBraces(word)) {
        const { text } = parts[0] as WordPart & { kind: "literal" };
        const begins = text.indexOf("=") + 1;
        const value = [{ kind: "literal", text: text.slice(begins) } as const, ...parts.slice(1)];
        fields.push(
          text.slice(0, begins) + (yield* expandText(shell, { kind: "word", span, parts: value }, true)),
        );
      }
    } else for (const field of yield* expandWords(shell, [word])) fields.push(field);
    limitedWords(fields.length);
    limitedLength(fields.reduce((length, field) => length + field.length, 0));
  }
  return { fields, arrays };
}

/** Carries out one assignment in the shell. */
export function* assign(shell: Shell, assignment: Assignment): Generator<Request, Variable, unknown> {
  const { name } = assignment;
  if (assignment.kind === "array") {
    const isAssociative = shell.variables.get(name)?.associative ?? false;
    const elements = yield* expandElements(shell, assignment, isAssociative);
    yield* trace(shell, assignment.text);
    return yield* fillArray(shell, { name, append: assignment.append, elements });
  }
  const value = yield* expandText(shell, assignment.value, true);
  if (shell.variables.get(name)?.integer) {
    const sum = assignment.append ? `${shell.get(name) || 0} + (${value})` : value;
    return shell.set(name, String(yield* evaluateText(shell, sum)));
  }
  if (shell.options.xtrace) {
    const key = assignment.subscript && `[${yield* expandText(shell, assignment.subscript)}]`;
    const written = value === "" ? "" : traceQuote(value);
    yield* trace(shell, `${name}${key ?? ""}${assignment.append ? "+=" : "="}${written}`);
  }
  if (assignment.subscript === undefined) {
    return shell.set(name, assignment.append ? (shell.get(name) ?? "") + value : value);
  }
  const array = shell.array(name); // a text is element 0 by now: x=1; x[-1]=2
  const key = yield* elementKey(shell, name, assignment.subscript);
  if (key === "") throw new ShellError(`${name}[]: bad array subscript`);
  array.set(key, assignment.append ? (array.get(key) ?? "") + value : value);
  return shell.writable(name);
}

/** Runs a command with the assignments before it: for its time, or for good before a special built-in. */
function* runWithAssignments(
  shell: Shell,
  fields: readonly string[],
  arrays: ReadonlyMap<number, ArrayArgument>,
  assignments: readonly Assignment[],
): Coroutine {
  if (assignments.length === 0) return yield* runNamed(shell, fields, { arrays });
  const special = shell.environment.interpreter.commands.get(fields[0] ?? "")?.kind === "special";
  for (const assignment of assignments) {
    if (assignment.kind !== "scalar" || assignment.subscript === undefined) continue;
    const subscript = yield* expandText(shell, assignment.subscript);
    const status = shell.complain(`\`${assignment.name}[${subscript}]': not a valid identifier`);
    yield* builtinTask(shell, "bash");
    if (special && !shell.interactive) throw new ShellExit(status);
    return status;
  }
  const before = new Map<string, Variable | undefined>();
  for (const assignment of assignments) {
    const { name } = assignment;
    if (!special && !before.has(name)) {
      const variable = shell.variables.get(name);
      before.set(name, variable);
      if (variable !== undefined) shell.variables.set(name, { ...variable });
    }
    const variable = yield* assign(shell, assignment);
    if (!special) variable.exported = true;
  }
  yield* traceFields(shell, fields);
  try {
    return yield* runNamed(shell, fields, { arrays, assignments });
  } finally {
    for (const [name, variable] of before) {
      if (variable === undefined) shell.variables.delete(name);
      else shell.variables.set(name, variable);
    }
  }
}

/** Finds what the first field names and runs it. */
export function* runNamed(shell: Shell, fields: readonly string[], search: Search = {}): Coroutine {
  const [name = "", ...args] = fields;
  if (name.startsWith("%")) return yield* runNamed(shell, ["fg", ...fields], search); // a job: bash brings it to the front
  const { interpreter } = shell.environment;
  const command = interpreter.commands.get(name) ?? shell.environment.words.get(name);
  if (command?.kind === "special") return yield* runCommandObject(shell, command, name, args, search);
  const body = search.skipFunctions ? undefined : shell.functions.get(name);
  if (body !== undefined) return yield* interpreter.callFunction(shell, name, body, args);
  if (command !== undefined) return yield* runCommandObject(shell, command, name, args, search);
  if (name.includes("/")) return yield* runPath(shell, fields);
  const program = shell.machine.programs.get(name);
  if (program !== undefined) return yield* runProgram(shell, program, fields);
  shell.complain(`${name}: command not found`, 127);
  shell.note(hintOnName(fields, knownNames(shell), search.assignments));
  yield* builtinTask(shell, "bash");
  return 127;
}

const programFolders = /^\/(?:usr\/local\/|usr\/)?s?bin\/([^/]+)$/;

/** A command given by its path: a program in a system folder, or a script. */
function* runPath(shell: Shell, fields: readonly string[]): Coroutine {
  const [path = "", ...args] = fields;
  const absolute = shell.resolve(path);
  const base = programFolders.exec(absolute)?.[1];
  if (base !== undefined) {
    const program = shell.machine.programs.get(base);
    if (program !== undefined) return yield* runProgram(shell, program, fields);
    const filter = shell.environment.interpreter.commands.get(base);
    if (filter !== undefined) return yield* runCommandObject(shell, filter, base, args, {});
  }
  const stat = shell.machine.vfs.stat(absolute);
  yield* builtinTask(shell, "bash");
  if (isErrno(stat)) {
    shell.complain(`${path}: ${stat.message}`);
    shell.note(hintOnPath(shell, path));
    return 127;
  }
  if (stat.kind === "directory") return shell.complain(`${path}: Is a directory`, 126);
  if ((stat.mode & 0o111) === 0) return shell.complain(`${path}: Permission denied`, 126);
  return yield* runScriptFile(shell, path, args);
}

/** `expect CONDITION` and its like: the word gets the condition as one argument. */
export function* runCondition(shell: Shell, command: ConditionStatement): Coroutine {
  const condition = yield* expandText(shell, command.condition);
  const [name = "", ...before] = command.word.split(" ");
  yield* trace(shell, `${command.word} ${condition}`);
  return yield* runNamed(shell, [name, ...before, condition]);
}

/** Runs a built-in, a filter or a word of the laboratory, and delivers what it wrote. */
export function* runCommandObject(
  shell: Shell,
  command: Command,
  name: string,
  args: readonly string[],
  search: Search,
): Coroutine {
  const endsScript = command.kind === "special" && !search.skipFunctions && !shell.interactive;
  const arrays = search.arrays ?? new Map();
  const context = new CommandContext(shell, command, name, args, arrays, shell.launch([]).env, endsScript);
  let status: number;
  try {
    const result = command.run(context);
    status = typeof result === "number" ? result : yield* result;
  } catch (thrown) {
    const reason = engineLimit(thrown) ?? thrown;
    // What it wrote comes before what its jump leads to; and the jump costs what any built-in costs.
    if (reason instanceof ShellError) {
      status = context.complain(reason.message, reason.status);
      // A wrong use of it is looked at by && and if, as bash has it; other failures end a script in any case.
      const isGuarded = reason.status === 2 && shell.errexitIgnored > shell.negations;
      if (endsScript && !isGuarded) {
        yield* deliver(context, status);
        throw new ShellExit(status);
      }
    } else if (reason instanceof Interrupted) status = INTERRUPTED;
    else {
      yield* deliver(context, 0);
      throw reason;
    }
  }
  return yield* deliver(context, status);
}

function* deliver(context: CommandContext, status: number): Coroutine {
  const { shell, command, name, output } = context;
  if (context.spent && output.length === 0 && shell.unwritten.length === 0) return status;
  if (command.kind === "laboratory" && output.every(({ description }) => description.immediate)) {
    for (const { description, text } of output) description.writeNow(text);
    return status;
  }
  return yield* builtinTask(shell, name, output, status, context);
}
