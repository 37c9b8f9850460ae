/**
 * C calls: `ioctl(vcpu[0], KVM_SET_SLAVE_CPU, slave_cpu_id[0]);`, `vm = ioctl(kvm, KVM_CREATE_VM, 0);`.
 *
 * A name in an argument is a known constant or a variable of the shell. Unlike `$(( ))`, an unset name is an error:
 * a mistyped constant must not become 0. A structure is an initialiser in braces, or a variable by its address; see
 * `help ioctl`.
 *
 * @module
 */
import type { Activity } from "../../hw/sim/activity.ts";
import { closest } from "../../runtime/lab/spelling.ts";
import { ArithmeticError, evaluate, type Scope } from "../syntax/arithmetic.ts";
import type { CallArgument, CallInitializer, CallStatement, Expression, Lvalue } from "../syntax/ast.ts";
import { evaluateExpression, expandQuoted } from "./expand.ts";
import type { Coroutine, Job, Request } from "./jobs.ts";
import { parseExpression } from "../syntax/parse.ts";
import type { CallHandler, CallValue, Initializer, Integer, Process, VariableArgument } from "./ports.ts";
import { knownNames } from "./known_names.ts";
import { builtinTask } from "./tasks.ts";
import { ShellError } from "../syntax/shell_error.ts";
import type { Shell } from "./state.ts";
import { trace } from "./xtrace.ts";

/** Runs a call; the status is 0, or 1 if it fails. `errno` holds the number of the last error. */
export function* runCall(shell: Shell, command: CallStatement): Coroutine {
  const { machine } = shell;
  const { name } = command;
  const handler = machine.calls;
  if (handler === undefined || !handler.names.includes(name)) {
    shell.complain(`${name}: no such system call on ${machine.name}`);
    const meant = closest(name, handler?.names ?? []);
    if (meant !== undefined) shell.note(`did you mean ${meant}(…)?`);
    else if (knownNames(shell).includes(name)) {
      shell.note(`${name} is a command: its arguments stand behind a blank`);
    }
    yield* builtinTask(shell, name);
    return 127;
  }
  const args: CallValue[] = [];
  yield* trace(shell, `${name}(${command.arguments.map(({ text }) => text).join(", ")})`);
  try {
    for (const argument of command.arguments) {
      args.push(yield* argumentValue(shell, argument, takesMemory(name, args)));
    }
    const complaint = handler.complaint?.(name, args);
    if (complaint !== undefined) throw new ShellError(complaint);
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    shell.complain(`${name}: ${error.message}`);
    yield* builtinTask(shell, name);
    return 1;
  }
  const call = new Call(shell, handler, command, args);
  if (handler.detached?.(name, args)) return yield* call.detach();
  return yield* call.run();
}

/** One call with its values. */
class Call {
  constructor(
    readonly shell: Shell,
    readonly handler: CallHandler,
    readonly command: CallStatement,
    readonly args: readonly CallValue[],
  ) {}

  /** Makes the call and waits for it. */
  *run(): Coroutine {
    const result = yield* this.#make();
    if (this.command.target !== undefined) yield* this.#store(this.command.target, result < 0 ? -1 : result);
    return result < 0 ? this.#fail(-result) : 0;
  }

  /** Makes the call as a job; its end is reported. */
  *detach(): Coroutine {
    const { shell, command } = this;
    const source = `${command.name}(${command.arguments.map((argument) => argument.text).join(", ")})`;
    const job = yield {
      kind: "fork",
      options: {
        name: source,
        machine: shell.machine,
        background: true,
        start: () => this.#makeAndReport(),
      },
    } as Request;
    shell.lastBackground = job as Job;
    shell.children.push(job as Job);
    return 0;
  }

  *#makeAndReport(): Coroutine {
    const { shell, command, handler, args } = this;
    const result = yield* this.#make();
    if (result < 0) return this.#fail(-result);
    const report = handler.report?.(command.name, args, result);
    if (report !== undefined) shell.err(report + "\n");
    return 0;
  }

  *#make(): Coroutine {
    const { shell, command } = this;
    const { machine } = shell;
    let result = 0;
    const killed = (yield {
      kind: "task",
      machine,
      name: command.name,
      launch: shell.launch([command.name]),
      body: (process) => this.#life(process, (answer) => result = answer),
    }) as number;
    return killed > 128 ? -4 : result; // EINTR
  }

  *#life(process: Process, end: (result: number) => void): Activity<number> {
    const { shell, handler, command, args } = this;
    yield shell.machine.builtinCost;
    end(yield* handler.call(command.name, args, process));
    return 0;
  }

  *#store(target: Lvalue, value: number): Generator<Request, void, unknown> {
    const { shell } = this;
    if (target.index === undefined) shell.set(target.name, String(value));
    else shell.array(target.name).set(String(yield* evaluateExpression(shell, target.index)), String(value));
  }

  #fail(errno: number): number {
    const { shell, handler, command } = this;
    shell.set("errno", String(errno));
    const error = handler.errno(errno);
    const subject = command.arguments[command.name === "ioctl" ? 1 : 0]?.text.replace(/^"|"$/g, "") ?? "";
    const what = error === undefined ? `error ${errno}` : `${error.message} (${error.name})`;
    return shell.complain(`${command.name}: ${subject}: ${what}`);
  }
}

/** Whether the argument after `before` is memory, so that a variable there stands for all of its elements. */
function takesMemory(name: string, before: readonly CallValue[]): boolean {
  return (name === "ioctl" && before.length === 2) || (name === "read" && before.length === 1);
}

function* argumentValue(
  shell: Shell,
  argument: CallArgument,
  memory: boolean,
): Generator<Request, CallValue, unknown> {
  const { value } = argument;
  if (typeof value === "string") return value;
  switch (value.kind) {
    case "initializer":
      return yield* initializer(shell, value);
    case "address of":
      return yield* variableArgument(shell, value.name);
    case "pointer":
      return { kind: "address", address: Number(BigInt.asUintN(64, yield* integer(shell, value.address))) };
    case "variable": {
      const { name, index } = value;
      if (index !== undefined || shell.environment.constants.has(name)) break;
      if (name === "NULL") return { kind: "address", address: 0 };
      if (memory && shell.variables.get(name)?.value instanceof Map) {
        return yield* variableArgument(shell, name);
      }
      const text = shell.get(name);
      if (text !== undefined && !/^\s*[-+]?\w+\s*$/.test(text)) return text; // a path, not a number
    }
  }
  return small(yield* integer(shell, value));
}

/** A number where it is exact, as most are. */
function small(value: bigint): Integer {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function* initializer(
  shell: Shell,
  { tag, items }: CallInitializer,
): Generator<Request, Initializer, unknown> {
  const values: Mutable<Initializer["items"]> = [];
  for (const item of items) {
    const designators: (string | number)[] = [];
    for (const designator of item.designators) {
      designators.push(
        typeof designator === "string" ? designator : Number(yield* integer(shell, designator)),
      );
    }
    const value = item.value.kind === "initializer"
      ? yield* initializer(shell, item.value)
      : small(yield* integer(shell, item.value));
    values.push({ designators, value });
  }
  return { kind: "initializer", ...(tag === undefined ? {} : { tag }), items: values };
}

type Mutable<List> = List extends readonly (infer Item)[] ? Item[] : never;

/** A variable by its address: an array by name or by number, a plain number, or nothing yet. */
function* variableArgument(shell: Shell, name: string): Generator<Request, VariableArgument, unknown> {
  const variable = shell.variables.get(name);
  const held = variable?.value;
  const texts = held instanceof Map ? [...held] : held === undefined ? [] : [["0", held] as const];
  const elements = new Map<string, bigint>();
  for (const [key, text] of texts) {
    elements.set(key, yield* integer(shell, parseExpression(text.trim() || "0")));
  }
  const first = elements.get("0");
  return {
    kind: "variable",
    name,
    number: first === undefined ? undefined : small(first),
    numbered: variable !== undefined && !variable.associative,
    elements,
    store(written) {
      const target = shell.writable(name);
      if (written.size === 1 && written.has("0") && !(target.value instanceof Map)) {
        target.value = numberText(written.get("0")!);
        return;
      }
      if (!(target.value instanceof Map)) {
        target.associative = !written.has("0");
        target.value = new Map();
      }
      target.value.clear();
      for (const [key, value] of written) target.value.set(key, numberText(value));
    },
  };
}

/** A number as the shell computes with it: what 63 bits do not hold is written in hexadecimal. */
function numberText(value: bigint): string {
  return value < 2n ** 63n ? String(value) : `0x${value.toString(16)}`;
}

/** The value of an expression of C. @throws {ShellError} */
function* integer(shell: Shell, expression: Expression): Generator<Request, bigint, unknown> {
  const { constants } = shell.environment;
  const scope: Scope = {
    depth: 0,
    get(name, index) {
      if (index === undefined && constants.has(name)) return String(constants.get(name));
      const held = shell.variables.get(name)?.value;
      const found = index === undefined
        ? shell.get(name)
        : held instanceof Map
        ? held.get(String(index))
        : undefined;
      if (found !== undefined) return found;
      if (index !== undefined) {
        const hint = name === "vcpu" ? " (a QEMU that has started sets vcpu[])" : "";
        throw new ShellError(`${name}[${index}] is not set${hint}`);
      }
      const meant = closest(name, [...constants.keys(), ...shell.variables.keys()]);
      const hint = meant === undefined ? "" : ` (did you mean ${meant}?)`;
      throw new ShellError(`${name} is neither a known constant nor a variable${hint}`);
    },
    set(name, index, text) {
      if (index === undefined) shell.set(name, text);
      else shell.array(name).set(String(index), text);
    },
    parse: parseExpression,
  };
  try {
    return yield* evaluate<Request>(expression, scope, (part) => expandQuoted(shell, [part]));
  } catch (error) {
    if (error instanceof ArithmeticError) throw new ShellError(error.message);
    throw error;
  }
}
