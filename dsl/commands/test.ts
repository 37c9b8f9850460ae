import { isErrno } from "../shell/ports.ts";
import type { Shell } from "../shell/state.ts";
import type { Command, CommandContext } from "./command.ts";

/** `test` and `[`. */
const doc = `test, [ - whether a condition holds
Usage: test EXPRESSION, or [ EXPRESSION ]
  -a -e -f -d -h -L -s -r -w -x FILE, -t FD; -n -z TEXT; TEXT = == != < > TEXT; N -eq -ne -lt -le -gt -ge N; -v NAME
  ! EXPRESSION, EXPRESSION -a EXPRESSION, EXPRESSION -o EXPRESSION, ( EXPRESSION )
Effects: none
Exit status: 0 if the expression is true, 1 if it is false, 2 if it is none
Errors: TEXT: integer expression expected; missing \`]'; too many arguments
Differs from the real one: no -nt, -ot, -ef: files have no times
Examples: [ -d /sys/bus/pci ] && echo yes
  test 3 -gt 2`;

class TestError extends Error {}

function run(context: CommandContext): number {
  const args = [...context.args];
  const closing = context.name === "[" ? args.pop() : "]";
  if (closing !== "]") {
    context.complain("missing `]'");
    if (closing === "]]") context.note("]] ends [[, ] ends [");
    return 2;
  }
  try {
    return new TestParser(context.shell, args).parse() ? 0 : 1;
  } catch (error) {
    if (error instanceof TestError) return context.complain(error.message, 2);
    throw error;
  }
}

export const test: Command = { name: "test", kind: "builtin", doc, run };
export const bracket: Command = { name: "[", kind: "builtin", doc, run };

const binary = new Set(["=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"]);

/** The number of arguments decides (XCU test): so `[ "$x" = "!" ]` is what it looks like. */
class TestParser {
  #at = 0;

  constructor(readonly shell: Shell, readonly args: readonly string[]) {}

  parse(): boolean {
    const { args } = this;
    if (args.length === 0) return false;
    const [a = "", b = "", c = ""] = args;
    if (args.length === 1) return a !== "";
    if (args.length === 3 && binary.has(b)) return this.#compare(a, b, c);
    if (args.length === 2) return a === "!" ? b === "" : this.#unary(a, b);
    if (args.length === 4 && a === "!" && binary.has(c)) return !this.#compare(b, c, args[3] ?? "");
    const result = this.#or();
    if (this.#at < args.length) throw new TestError("too many arguments");
    return result;
  }

  #or(): boolean {
    let result = this.#and();
    while (this.args[this.#at] === "-o") {
      this.#at++;
      const right = this.#and();
      result ||= right;
    }
    return result;
  }

  #and(): boolean {
    let result = this.#term();
    while (this.args[this.#at] === "-a") {
      this.#at++;
      const right = this.#term();
      result &&= right;
    }
    return result;
  }

  #term(): boolean {
    const { args } = this;
    const [a, b, c] = args.slice(this.#at);
    if (a === undefined) throw new TestError("argument expected");
    if (b !== undefined && c !== undefined && binary.has(b)) {
      this.#at += 3;
      return this.#compare(a, b, c);
    }
    if (a === "!") {
      this.#at++;
      return !this.#term();
    }
    if (a === "(") {
      this.#at++;
      const result = this.#or();
      if (args[this.#at++] !== ")") throw new TestError("`)' expected");
      return result;
    }
    if (b !== undefined && /^-[a-zA-Z]$/.test(a) && b !== "-a" && b !== "-o") {
      this.#at += 2;
      return this.#unary(a, b);
    }
    this.#at++;
    return a !== "";
  }

  #unary(operator: string, operand: string): boolean {
    const answer = unaryTest(this.shell, operator, operand);
    if (answer === undefined) throw new TestError(`${operator}: unary operator expected`);
    return answer;
  }

  #compare(left: string, operator: string, right: string): boolean {
    switch (operator) {
      case "=":
      case "==":
        return left === right;
      case "!=":
        return left !== right;
      case "<":
        return left < right;
      case ">":
        return left > right;
    }
    return compareIntegers(this.#integer(left), operator, this.#integer(right));
  }

  #integer(text: string): bigint {
    const trimmed = text.trim();
    if (!/^[-+]?\d+$/.test(trimmed)) throw new TestError(`${text}: integer expression expected`);
    return BigInt(trimmed.replace(/^\+/, ""));
  }
}

/** `-eq` and its kin, for `test` and for `[[`. */
export function compareIntegers(left: bigint, operator: string, right: bigint): boolean {
  switch (operator) {
    case "-eq":
      return left === right;
    case "-ne":
      return left !== right;
    case "-lt":
      return left < right;
    case "-le":
      return left <= right;
    case "-gt":
      return left > right;
    default: // -ge
      return left >= right;
  }
}

/** `-v`: whether a variable, an element of an array or a positional parameter is set. */
function isSet(shell: Shell, operand: string): boolean {
  if (/^\d+$/.test(operand)) return Number(operand) <= shell.positional.length;
  const [, name = operand, key = "0"] = /^(\w+)\[([^]*)\]$/.exec(operand) ?? [];
  const variable = shell.variables.get(name);
  if (!(variable?.value instanceof Map)) return variable?.value !== undefined && /^[0@*]$/.test(key);
  const { value, associative } = variable;
  if (key === "@" || key === "*") return value.size > 0;
  if (associative) return value.has(key);
  const index = Number(/^-?\d+$/.test(key) ? key : shell.get(key) ?? 0);
  const end = [...value.keys()].reduce((most, each) => Math.max(most, Number(each) + 1), 0);
  return value.has(String(index < 0 ? end + index : index));
}

/** The tests with one operand; undefined if there is no such test. */
export function unaryTest(shell: Shell, operator: string, operand: string): boolean | undefined {
  const { vfs } = shell.machine;
  const path = shell.resolve(operand);
  switch (operator) {
    case "-n":
      return operand !== "";
    case "-z":
      return operand === "";
    case "-v":
      return isSet(shell, operand);
    case "-t":
      return shell.interactive && Number(operand) < 3;
    case "-h":
    case "-L":
      return operand !== "" && !isErrno(vfs.readlink(path));
  }
  if (!"aedfscbrwx".includes(operator.slice(1)) || operator.length !== 2) return undefined;
  const stat = operand === "" ? undefined : vfs.stat(path);
  if (stat === undefined || isErrno(stat)) return false;
  switch (operator) {
    case "-d":
      return stat.kind === "directory";
    case "-f":
      return stat.kind === "file";
    case "-c":
    case "-b":
      return stat.kind === "device" && (stat.block ?? false) === (operator === "-b");
    case "-s":
      return stat.size > 0;
    case "-x":
      return (stat.mode & 0o111) !== 0;
    default: // -e and -a; and root may read and write every file, whatever its mode
      return true;
  }
}
