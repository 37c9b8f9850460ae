import { functionText } from "../syntax/function_text.ts";
import { fillArray } from "../shell/array_literal.ts";
import type { Coroutine, Request } from "../shell/jobs.ts";
import { type Shell, ShellExit, type Variable } from "../shell/state.ts";
import { EvaluationError, ShellError } from "../syntax/shell_error.ts";
import type { ArrayArgument, Command, CommandContext } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `declare` and `typeset`. */
const doc = `declare, typeset - sets variables and their kind
Usage: declare [-aAirxp] [NAME[=VALUE]]…, declare -f|-F [NAME]…
Effects: sets variables and their kind: -a array, -A associative array, -r read-only, -x exported; -p lists. In a
  function they are local. -f prints functions, -F their names
Exit status: 0, or 1 if a name is none
Errors: \`NAME': not a valid identifier; NAME: readonly variable
Differs from the real one: -i takes only a number as VALUE, later assignments evaluate; no -n, -g, -l, -u
Examples: declare -a cpus=(2 3); echo \${cpus[1]}
  declare -A irq=([eth0]=41); echo \${irq[eth0]}`;

const run = (context: CommandContext) =>
  declareCommand(context, "aAirxpfF", { local: context.shell.functionDepth > 0 });

export const declare: Command = { name: "declare", kind: "builtin", doc, run };
export const typeset: Command = { name: "typeset", kind: "builtin", doc, run };

/** What a declaring command does to each name. */
interface Effect {
  readonly exported?: boolean;
  readonly readonly?: boolean;
  readonly local?: boolean;
}

/** The common body of `declare`, `export`, `local` and `readonly`. */
export function* declareCommand(context: CommandContext, letters: string, effect: Effect): Coroutine {
  const { shell } = context;
  if (!effect.exported && !effect.readonly && context.args.some((arg) => /^-[a-zA-Z]*n/.test(arg))) {
    return context.complain("-n: not in this language: give the name to eval", 2);
  }
  const options = parseOptions(context.args, letters);
  if (typeof options === "string") throw new ShellError(options, 2);
  const { flags, operands } = options;
  const offset = context.args.length - operands.length;
  if (flags.has("f") || flags.has("F")) return listFunctions(context, operands, flags.has("F"));
  if (operands.length === 0 || flags.has("p")) return list(context, effect, operands);
  let status = 0;
  for (const [i, operand] of operands.entries()) {
    const [, name = "", append, value] = /^([^=+]*)(?:(\+)?=([\s\S]*))?$/.exec(operand) ?? [];
    if (!/^[A-Za-z_]\w*$/.test(name)) {
      status = context.complain(`\`${operand}': not a valid identifier`);
      continue;
    }
    if (effect.local && isReadonlyOfAll(shell, name)) {
      status = context.complain(`${name}: readonly variable`);
      continue;
    }
    if (effect.local) hide(shell, name);
    const variable = shell.variables.get(name)?.readonly && value === undefined
      ? shell.variables.get(name) as Variable
      : shell.writable(name);
    if (flags.has("A")) variable.associative = true;
    if (flags.has("i")) variable.integer = true;
    const array = context.arrays.get(offset + i);
    if (array !== undefined) yield* filled(shell, array);
    else if (value !== undefined) {
      if (flags.has("i") && !/^-?\d+$/.test(value)) {
        return context.complain(`-i: ${value}: only a number is taken`);
      }
      shell.set(name, append ? (shell.get(name) ?? "") + value : value);
    } else if ((flags.has("a") || flags.has("A")) && variable.value === undefined) variable.value = new Map();
    if (effect.exported || flags.has("x")) variable.exported = true;
    if (effect.readonly || flags.has("r")) variable.readonly = true;
  }
  return status;
}

/** Sets an array. A subscript that cannot be evaluated ends the shell, as it does in an assignment. */
function* filled(shell: Shell, array: ArrayArgument): Generator<Request, void, unknown> {
  try {
    yield* fillArray(shell, array);
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    throw new ShellExit(shell.complain(error.message));
  }
}

/** Whether a variable of no function is read-only: none of its name can be local. */
function isReadonlyOfAll(shell: Shell, name: string): boolean {
  return shell.variables.get(name)?.readonly === true && !shell.locals.some((hidden) => hidden.has(name));
}

/** Remembers what a local variable hides, once for each function call. */
function hide(shell: Shell, name: string): void {
  const scope = shell.locals[shell.locals.length - 1];
  if (scope === undefined || scope.has(name)) return;
  scope.set(name, shell.variables.get(name));
  shell.variables.delete(name);
}

function list(context: CommandContext, effect: Effect, names: readonly string[]): number {
  let status = 0;
  const word = effect.exported ? "export" : effect.readonly ? "readonly" : "declare";
  const { variables } = context.shell;
  const sorted = names.length > 0 ? names : [...variables.keys()].sort();
  for (const name of sorted) {
    const variable = variables.get(name);
    if (variable === undefined) {
      status = context.complain(`${name}: not found`);
      continue;
    }
    if ((effect.exported && !variable.exported) || (effect.readonly && !variable.readonly)) continue;
    const { value } = variable;
    const flags = (value instanceof Map ? (variable.associative ? "A" : "a") : "") +
      (variable.integer ? "i" : "") +
      (variable.readonly ? "r" : "") + (variable.exported ? "x" : "");
    const prefix = word === "declare" ? `declare -${flags || "-"}` : word;
    const quote = (text: string) => `"${text.replace(/[\\"$`]/g, "\\$&")}"`;
    if (value === undefined) context.out(`${prefix} ${name}\n`);
    else if (typeof value === "string") context.out(`${prefix} ${name}=${quote(value)}\n`);
    else {
      const elements = [...value].map(([key, element]) => `[${key}]=${quote(element)}`);
      context.out(`${prefix} ${name}=(${elements.join(" ")}${variable.associative ? " " : ""})\n`);
    }
  }
  return status;
}

/** `declare -f`: functions as text, all or those named; with `-F` their names alone. */
function listFunctions(context: CommandContext, names: readonly string[], onlyNames: boolean): number {
  const { functions } = context.shell;
  let status = 0;
  for (const name of names.length > 0 ? names : [...functions.keys()].sort()) {
    const body = functions.get(name);
    if (body === undefined) status = 1;
    else if (!onlyNames) context.out(functionText(name, body));
    else context.out(`${names.length > 0 ? "" : "declare -f "}${name}\n`);
  }
  return status;
}
