/**
 * Runs the tree of a script.
 *
 * The interpreter is a generator outside simulated time: it yields a {@linkcode Request} for everything that takes
 * time and is resumed when it is done. It never advances time.
 *
 * @module
 */
import { young } from "../../hw/sim/young.ts";
import type {
  AndOr,
  ArithmeticFor,
  ArithmeticText,
  Case,
  Command,
  For,
  FunctionDefinition,
  If,
  List,
  ListItem,
  Loop,
  Pipeline,
  Redirect,
  Script,
  Word,
} from "../syntax/ast.ts";
import { runCall } from "./c_calls.ts";
import { commands } from "../commands/index.ts";
import { NullDevice, Pipe } from "./descriptors.ts";
import { isEndless } from "./endless_loop.ts";
import { expandArithmetic, expandPattern, expandText, expandWords } from "./expand.ts";
import { matchGlob } from "./glob.ts";
import type { Coroutine, Job, Request } from "./jobs.ts";
import { MAX_COMMAND_DEPTH } from "../syntax/limits.ts";
import { originOf } from "../syntax/origin.ts";
import { parseScript } from "../syntax/parse.ts";
import { redirect } from "./redirect.ts";
import { signalName } from "./signals.ts";
import type { Interpreter } from "./interpreter.ts";
import { runCondition, runNamed, runSimple } from "./simple.ts";
import { EvaluationError, ShellError } from "../syntax/shell_error.ts";
import { LoopJump, ReturnJump, type Shell, ShellExit } from "./state.ts";
import { runSubshell, seeToInterrupt } from "./subshell.ts";
import { builtinTask, fork } from "./tasks.ts";
import { runTest } from "./test_expression.ts";
import { ShellSyntaxError } from "../syntax/syntax_error.ts";
import { runErrorTrap, runPendingTraps } from "./traps.ts";
import { trace } from "./xtrace.ts";

/**
 * Parses and runs text in the current shell: `eval`, a trap, a sourced file.
 *
 * @param firstLine the number of its first line, for messages and `$LINENO`
 */
export function* runText(shell: Shell, text: string, name: string, firstLine = 1): Coroutine {
  let script: Script;
  shell.syntaxFailed = false;
  try {
    script = parseScript(text, shell.interactive ? name : `${shell.zero}: ${name}`);
  } catch (error) {
    if (!(error instanceof ShellSyntaxError)) throw error;
    shell.err(error.message + "\n");
    shell.syntaxFailed = !error.isUnclosed;
    return 2;
  }
  const { line, linesBefore, listed } = shell;
  shell.linesBefore = firstLine - 1;
  shell.traceLevel++;
  try {
    return yield* runList(shell, script.body);
  } finally {
    shell.syntaxFailed = false; // of a text inside of this one
    shell.traceLevel--;
    shell.line = line;
    shell.linesBefore = linesBefore;
    shell.listed = listed;
  }
}

/** Runs commands one after the other; the status is the last one's, 0 if there is none. */
export function* runList(shell: Shell, list: List): Coroutine {
  let status = 0;
  for (const item of list.items) {
    const left = shell.entering?.(item);
    if (originOf(item) !== undefined) shell.listed = item; // not one that was made for a subshell
    status = item.background ? yield* runBackground(shell, item) : yield* runAndOr(shell, item.command);
    left?.();
    shell.status = status;
    if (shell.pendingTraps.length > 0 && !shell.runsTraps) yield* runPendingTraps(shell);
  }
  return status;
}

/** Lets the job that runs this shell take signals for which there is a trap. */
export function attach(shell: Shell, job: Job): void {
  shell.job = job;
  shell.interruptsSeen = job.interrupts;
  job.ignoresInterrupt = young(() => shell.traps.get("INT") === "");
  job.trap = young((signal) => {
    const action = shell.traps.get(signalName(signal));
    if (action === undefined) return false;
    if (action !== "") shell.pendingTraps.push(signalName(signal));
    return true;
  });
}

function* runBackground(shell: Shell, item: ListItem): Coroutine {
  const copy = shell.subshell();
  copy.descriptors.set(0, new NullDevice());
  const { first, rest } = item.command;
  const [command] = first.commands;
  const single = rest.length === 0 && first.commands.length === 1 && command?.kind === "simple";
  const body: List = { items: [{ ...item, background: false }] };
  const job = yield* fork(shell, {
    name: item.text,
    machine: shell.machine,
    background: true,
    single: single || (command?.kind === "loop" && isEndless(shell, command)),
    start: (job) => {
      attach(copy, job);
      return runSubshell(copy, body);
    },
  });
  shell.lastBackground = job;
  shell.children.push(job);
  if (shell.announcesJobs) shell.err(`[${job.id}] ${job.pid}\n`);
  return 0;
}

function* runAndOr(shell: Shell, andOr: AndOr): Coroutine {
  let status = yield* runPipeline(shell, andOr.first, andOr.rest.length > 0);
  for (const [i, { operator, pipeline }] of andOr.rest.entries()) {
    if ((status === 0) !== (operator === "&&")) continue;
    shell.status = status;
    const left = shell.entering?.({
      command: { first: pipeline, rest: [] },
      background: false,
      text: operator,
    });
    status = yield* runPipeline(shell, pipeline, i < andOr.rest.length - 1);
    left?.();
  }
  return status;
}

/** Runs a pipeline; `guarded` if `&&` or `||` follows, so that `set -e` does not look at its status. */
function* runPipeline(shell: Shell, pipeline: Pipeline, guarded: boolean): Coroutine {
  const lenient = guarded || pipeline.negated;
  if (lenient) shell.errexitIgnored++;
  let status: number;
  const [first] = pipeline.commands;
  const negates = pipeline.negated && !guarded && (pipeline.commands.length > 1 || first?.kind !== "simple");
  if (negates) shell.negations++;
  try {
    if (pipeline.commands.length === 1 && first !== undefined) status = yield* runCommand(shell, first);
    else status = yield* runPiped(shell, pipeline);
  } finally {
    if (lenient) shell.errexitIgnored--;
    if (negates) shell.negations--;
  }
  if (pipeline.commands.length === 1) shell.pipeStatus = [status];
  seeToInterrupt(shell, status);
  if (pipeline.negated) return status === 0 ? 1 : 0;
  if (status !== 0 && !guarded && shell.errexitIgnored === 0) {
    if (pipeline.commands.length > 1 || (first !== undefined && endsOnError(first))) {
      yield* runErrorTrap(shell, status);
      if (shell.options.errexit) throw new ShellExit(status);
    }
  }
  return status;
}

/** `set -e` and the ERR trap look at these; other commands have looked at their parts already. */
function endsOnError(command: Command): boolean {
  if (command.kind === "group") return command.subshell;
  return ["simple", "test", "arithmetic", "call", "condition"].includes(command.kind);
}

function* runPiped(shell: Shell, { commands, merged }: Pipeline): Coroutine {
  const jobs: Job[] = [];
  let previous: Pipe | undefined;
  for (const [i, command] of commands.entries()) {
    const copy = shell.subshell();
    if (previous !== undefined) copy.descriptors.set(0, previous.output);
    const next = i < commands.length - 1 ? new Pipe() : undefined;
    if (next !== undefined) copy.descriptors.set(1, next.input);
    const body = listOf(merged[i] ? { ...command, redirects: [...command.redirects, messagesToo] } : command);
    jobs.push(
      yield* fork(shell, {
        name: command.kind,
        machine: shell.machine,
        background: false,
        start: (job) => {
          attach(copy, job);
          return runSubshell(copy, body);
        },
      }),
    );
    previous = next;
  }
  let status = 0;
  let failed = 0;
  const statuses: number[] = [];
  for (const job of jobs) {
    status = (yield { kind: "wait", job }) as number;
    statuses.push(status);
    if (status !== 0) failed = status;
  }
  shell.pipeStatus = statuses;
  return shell.options.pipefail ? failed : status;
}

/** What `|&` adds to the command before it: `2>&1`. */
const messagesToo: Redirect = {
  kind: "duplicate",
  operator: ">&",
  fd: 2,
  target: { kind: "word", span: { start: 0, end: 0, line: 0 }, parts: [{ kind: "literal", text: "1" }] },
};

function listOf(command: Command): List {
  const pipeline: Pipeline = { negated: false, commands: [command], merged: [] };
  return { items: [{ command: { first: pipeline, rest: [] }, background: false, text: command.kind }] };
}

/** Runs any command with its redirections. */
export function* runCommand(shell: Shell, command: Command): Coroutine {
  shell.line = command.span.line + shell.linesBefore;
  if (shell.options.noexec && !shell.interactive) return 0;
  if (shell.commandDepth >= MAX_COMMAND_DEPTH) {
    yield* builtinTask(shell, "bash"); // it takes time to fail: a tree of such calls stands not still
    throw new ShellError(`maximum command nesting level exceeded (${MAX_COMMAND_DEPTH})`);
  }
  if (shell.trapStatus === undefined && isTold(command)) {
    shell.executing = { command, listed: shell.listed };
  }
  shell.commandDepth++;
  try {
    if (command.kind === "simple") return yield* runSimple(shell, command);
    if (command.redirects.length === 0) return yield* runCompound(shell, command);
    return yield* runRedirected(shell, command);
  } finally {
    shell.commandDepth--;
  }
}

/** Whether BASH_COMMAND tells of it. */
function isTold(command: Command): boolean {
  switch (command.kind) {
    case "simple":
    case "test":
    case "arithmetic":
      return true;
    case "group":
      return command.subshell;
    default:
      return false;
  }
}

function* runRedirected(shell: Shell, command: Exclude<Command, { kind: "simple" }>): Coroutine {
  const open = shell.processSubstitutions.length;
  const saved = yield* redirect(shell, command.redirects);
  if (saved === undefined) return 1;
  try {
    return yield* runCompound(shell, command);
  } finally {
    saved.restore();
    shell.closeSubstitutions(open);
  }
}

function* runCompound(shell: Shell, command: Exclude<Command, { kind: "simple" }>): Coroutine {
  switch (command.kind) {
    case "group":
      return command.subshell
        ? yield* runSubshell(shell.subshell(), command.body)
        : yield* runList(shell, command.body);
    case "if":
      return yield* runIf(shell, command);
    case "for":
      return yield* runFor(shell, command);
    case "arithmetic-for":
      return yield* runArithmeticFor(shell, command);
    case "loop":
      return yield* runLoop(shell, command);
    case "case":
      return yield* runCase(shell, command);
    case "function":
      return define(shell, command);
    case "test": {
      const status = yield* runTest(shell, command.condition);
      yield* builtinTask(shell, "[[");
      return status;
    }
    case "arithmetic": {
      const value = yield* valueOf(shell, command.expression);
      yield* builtinTask(shell, "((");
      return value === 0n || value === undefined ? 1 : 0;
    }
    case "call":
      return yield* runCall(shell, command);
    case "condition":
      return yield* runCondition(shell, command);
    default:
      return unreachable(command);
  }
}

/** An expression that `set -x` writes; undefined if it fails, which has been said. */
function* valueOf(shell: Shell, expression: ArithmeticText): Generator<Request, bigint | undefined, unknown> {
  try {
    return yield* expandArithmetic(shell, expression, (text) => trace(shell, `(( ${text.trim()} ))`));
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    shell.complain(error.saidBy("(("));
    return undefined;
  }
}

function unreachable(value: never): never {
  throw new Error(`Unknown command ${JSON.stringify(value)}`);
}

function define(shell: Shell, command: FunctionDefinition): number {
  shell.functions.set(command.name, command.body);
  shell.functionSources.set(command.name, shell.sources.at(-1) ?? shell.scriptPath ?? shell.zero);
  return 0;
}

/** Runs a list whose failure does not end the shell. */
function* runGuarded(shell: Shell, list: List): Coroutine {
  shell.errexitIgnored++;
  try {
    return yield* runList(shell, list);
  } finally {
    shell.errexitIgnored--;
  }
}

function* runIf(shell: Shell, command: If): Coroutine {
  for (const { condition, body } of command.arms) {
    if ((yield* runGuarded(shell, condition)) === 0) return yield* runList(shell, body);
  }
  return command.otherwise === undefined ? 0 : yield* runList(shell, command.otherwise);
}

/** What a pass through a loop's body says: its status, and whether the loop is over. */
interface Pass {
  readonly status: number;
  readonly over: boolean;
}

function* runBody(shell: Shell, body: List): Generator<Request, Pass, unknown> {
  shell.loopDepth++;
  try {
    return { status: yield* runList(shell, body), over: false };
  } catch (jump) {
    if (!(jump instanceof LoopJump)) throw jump;
    if (--jump.count > 0) throw jump;
    return { status: jump.status, over: jump.kind === "break" };
  } finally {
    shell.loopDepth--;
  }
}

function* runFor(shell: Shell, command: For): Coroutine {
  const words = command.words === undefined
    ? [...shell.positional]
    : yield* expandWords(shell, command.words);
  let status = 0;
  for (const word of words) {
    yield* trace(shell, command.head);
    shell.set(command.name, word);
    const pass = yield* runBody(shell, command.body);
    status = pass.status;
    if (pass.over) break;
  }
  return status;
}

function* partOf(shell: Shell, expression: ArithmeticText | undefined) {
  return expression === undefined ? 1n : yield* valueOf(shell, expression);
}

function* runArithmeticFor(shell: Shell, command: ArithmeticFor): Coroutine {
  let status = 0;
  if ((yield* partOf(shell, command.start)) === undefined) return 1;
  for (;;) {
    // The condition costs time, so that a loop with an empty body does not stand still.
    yield* builtinTask(shell, "((");
    const isTrue = yield* partOf(shell, command.condition);
    if (isTrue === undefined) return 1;
    if (isTrue === 0n) return status;
    const pass = yield* runBody(shell, command.body);
    status = pass.status;
    if (pass.over) return status;
    if ((yield* partOf(shell, command.step)) === undefined) return 1;
  }
}

function* runLoop(shell: Shell, command: Loop): Coroutine {
  if (isEndless(shell, command)) {
    const { machine } = shell;
    return (yield {
      kind: "task",
      machine,
      name: "bash",
      launch: shell.launch(["bash"]),
      main: true,
      body: (process) => machine.hog(process),
    }) as number;
  }
  const uptimeNs = () => shell.machine.clock().uptimeNs;
  let status = 0;
  for (;;) {
    const beganNs = uptimeNs();
    const condition = yield* runConditionOfLoop(shell, command.condition);
    if (condition.over) return condition.status;
    if ((condition.status === 0) === command.until) return status;
    const pass = yield* runBody(shell, command.body);
    status = pass.status;
    if (pass.over) return status;
    // Nothing in it costs time, a function's definition for one: the loop does, so that it does not stand still.
    if (uptimeNs() === beganNs) yield* builtinTask(shell, "bash");
  }
}

/** A loop's condition may itself say `break` or `continue`. */
function* runConditionOfLoop(shell: Shell, condition: List): Generator<Request, Pass, unknown> {
  shell.errexitIgnored++;
  try {
    return yield* runBody(shell, condition);
  } finally {
    shell.errexitIgnored--;
  }
}

function* runCase(shell: Shell, command: Case): Coroutine {
  const subject = yield* expandText(shell, command.subject);
  yield* trace(shell, command.head);
  let status = 0, goesOn = false;
  for (const { patterns, body, end } of command.items) {
    if (!goesOn && !(yield* matchesAny(shell, patterns, subject))) continue;
    status = yield* runList(shell, body);
    if (end === ";;") return status;
    goesOn = end === ";&";
  }
  return status;
}

function* matchesAny(
  shell: Shell,
  patterns: readonly Word[],
  subject: string,
): Generator<Request, boolean, unknown> {
  for (const pattern of patterns) {
    if (matchGlob(yield* expandPattern(shell, pattern.parts), subject)) return true;
  }
  return false;
}

/** Calls a function with its own positional parameters and locals. */
export function* callFunction(shell: Shell, name: string, body: Command, args: readonly string[]): Coroutine {
  const { positional, loopDepth, linesBefore, listed, functionNames, sources } = shell;
  const hidden = new Map();
  const onError = shell.options.errtrace ? undefined : shell.traps.get("ERR");
  if (onError !== undefined) shell.traps.delete("ERR");
  shell.positional = [...args];
  shell.loopDepth = 0;
  shell.linesBefore = 0; // its lines are those of the text that it stands in
  shell.functionDepth++;
  shell.functionNames = [...functionNames, name];
  shell.sources = [...sources, shell.functionSources.get(name) ?? shell.scriptPath ?? shell.zero];
  shell.locals.push(hidden);
  try {
    return yield* runCommand(shell, body);
  } catch (jump) {
    if (!(jump instanceof ReturnJump)) throw jump;
    return jump.status;
  } finally {
    shell.positional = positional;
    shell.loopDepth = loopDepth;
    shell.linesBefore = linesBefore;
    shell.listed = listed;
    shell.functionDepth--;
    shell.functionNames = functionNames;
    shell.sources = sources;
    shell.locals.pop();
    // One that the function has set stays.
    if (onError !== undefined && !shell.traps.has("ERR")) shell.traps.set("ERR", onError);
    for (const [name, variable] of hidden) {
      if (variable === undefined) shell.variables.delete(name);
      else shell.variables.set(name, variable);
    }
  }
}

/** This interpreter, for the environment of a shell. */
export const interpreter: Interpreter = { commands, runList, runText, runNamed, callFunction };
