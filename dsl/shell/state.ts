/**
 * The state of one shell: variables, functions, options, descriptors, traps. A subshell is a copy.
 *
 * @module
 */
import { ShellError } from "../syntax/shell_error.ts";
import type { Command, ListItem, SimpleCommand } from "../syntax/ast.ts";
import { type Description, DescriptorTable, Terminal } from "./descriptors.ts";
import type { Job, JobScheduler } from "./jobs.ts";
import type { Environment, Launch, Machine } from "./ports.ts";
import { MAX_TEXT, MAX_VARIABLES, noMemory } from "../syntax/limits.ts";
import { resolvePath } from "./paths.ts";
import { assignComputed, computedText } from "./special_variables.ts";

/** A variable: a text, or an array by index or by key. */
export interface Variable {
  /** The text or the elements; undefined if it is only declared. */
  value: string | Map<string, string> | undefined;
  /** Keys are texts, not numbers. */
  associative: boolean;
  /** `declare -i`: an assignment evaluates its value. */
  integer?: boolean;
  /** Given to the commands that are started. */
  exported: boolean;
  /** It cannot be changed. */
  readonly: boolean;
}

/** Options of `set`. */
export interface Options {
  /** `-e`. */
  errexit: boolean;
  /** `-E`: functions and subshells have the ERR trap too. */
  errtrace: boolean;
  /** `-u`. */
  nounset: boolean;
  /** `-f`. */
  noglob: boolean;
  /** `-n`. */
  noexec: boolean;
  /** `-x`. */
  xtrace: boolean;
  /** `-C`. */
  noclobber: boolean;
  /** `-a`. */
  allexport: boolean;
  /** `shopt -s nullglob`: a pattern that matches nothing is no word. */
  nullglob: boolean;
  /** `-o pipefail`. */
  pipefail: boolean;
  /** Errno-exact; off is slide mode. */
  strict: boolean;
}

/** A command failed in a way that ends the shell (or, at a prompt, the line). The message has been printed. */
export class ShellExit {
  /** Thrown, not an error: it has no stack. */
  constructor(
    readonly status: number,
    /** `exit` was typed; otherwise an error ended it. */
    readonly asked = false,
  ) {}
}

/** `break` and `continue` on their way to the loop. */
export class LoopJump {
  /** `count` loops are still to be left. */
  constructor(readonly kind: "break" | "continue", public count: number, readonly status = 0) {}
}

/** `return` on its way to the function or sourced script. */
export class ReturnJump {
  /** The status that the function gets. */
  constructor(readonly status: number) {}
}

/** One shell. */
export class Shell {
  /** Changes of variables until {@linkcode Shell.writable} counts again what they hold. */
  private untilCount = 256;
  /** Variables by name. */
  readonly variables = new Map<string, Variable>();
  /** Functions by name. */
  readonly functions = new Map<string, Command>();
  /** Options of `set`. */
  readonly options: Options = {
    errexit: false,
    errtrace: false,
    nounset: false,
    noglob: false,
    noexec: false,
    xtrace: false,
    noclobber: false,
    allexport: false,
    pipefail: false,
    nullglob: false,
    strict: false,
  };
  /** Actions by signal, EXIT and ERR; an empty one ignores it. */
  readonly traps = new Map<string, string>();
  /** Those of the shell that this is a copy of: `trap` lists them until it changes one. */
  listedTraps: ReadonlyMap<string, string> | undefined;
  /** `$?` before the trap that runs: what `exit` takes. */
  trapStatus: number | undefined;
  /** Substitutions, `eval` and sourced files around the running command: how often `set -x` repeats its sign. */
  traceLevel = 0;
  /** The ERR trap runs. */
  inErrorTrap = false;
  /** Open descriptors. */
  descriptors = new DescriptorTable();
  /** `$1` and so on. */
  positional: string[] = [];
  /** What messages begin with, and `$0` where there is no {@linkcode scriptPath}. */
  zero: string;
  /** Where a script of the computer lies in the virtual tree: `$0` then, so that `cd "$(dirname "$0")"` finds it. */
  scriptPath: string | undefined;
  /** The current directory. */
  cwd = "/";
  /** The mask of `umask`. */
  umask = 0o022;
  /** What `ulimit` has set, by its letters. */
  readonly limits: Map<string, string> = new Map();
  /** Where its commands run, and how, as a program that has started it was told. */
  placement: object | undefined;
  /** `$?`. */
  status = 0;
  /** `$$`. */
  pid: number;
  /** `$!` is its pid. */
  lastBackground: Pick<Job, "pid"> | undefined;
  /** Background jobs that this shell started. */
  children: Job[] = [];
  /** The job that runs this shell. */
  job: Job | undefined;
  /** A prompt: messages have no line number, errors do not end it. */
  interactive: boolean;
  /** Prints `[1] 4242` when a job starts: the shell at the prompt does, those that it runs do not. */
  announcesJobs: boolean;
  /** Subshells do not run the parent's EXIT trap. */
  isSubshell = false;
  /** The last text given to `eval`, `.` or a trap has bad syntax, which ends a script. */
  syntaxFailed = false;
  /** Commands that run inside each other, those of the shells around this one among them. */
  commandDepth = 0;
  /** Loops around the running command. */
  loopDepth = 0;
  /** Functions that run. */
  functionDepth = 0;
  /** Their names. */
  functionNames: readonly string[] = [];
  /** The file of each of them and of each sourced file that runs, the innermost last. */
  sources: readonly string[] = [];
  /** The file that each function was defined in. */
  functionSources: Map<string, string> = new Map();
  /** What `pushd` has put away, the next one first. */
  directoryStack: readonly string[] = [];
  /** Its one command is a redirection whose text it passes on: `$(<FILE)`. */
  passes: SimpleCommand | undefined;
  /** Statuses of the commands of the last pipeline. */
  pipeStatus: readonly number[] = [0];
  /** What SECONDS counts from, on the clock of the machine. */
  secondsFromNs = 0;
  /** Sourced files that run. */
  sourceDepth = 0;
  /** Above 0 while a failing command does not end the shell under `set -e`. */
  errexitIgnored = 0;
  /** How many of these are a `!` before more than a simple command: bash then looks at no failure inside. */
  negations = 0;
  /** What `local` has hidden, one map for each running function. */
  readonly locals: Map<string, Variable | undefined>[] = [];
  /** The line that runs, for messages. */
  line = 1;
  /** The command of a list that runs: of the innermost list. */
  listed: ListItem | undefined;
  /** The command that runs, or has run last, and what it stands in, for BASH_COMMAND; a trap's action leaves it as it is. */
  executing: { readonly command: Command; readonly listed: ListItem | undefined } | undefined;
  /** Lines before the text that runs, where that is part of a longer one: `eval`, the ERR trap. */
  linesBefore = 0;
  /** Signals that came and have a trap, to be run after the current command. */
  readonly pendingTraps: string[] = [];
  /** Their actions run: those that come meanwhile follow them, and do not interrupt them. */
  runsTraps = false;
  /** How many Ctrl-C of its job the shell has seen to. */
  interruptsSeen = 0;
  /** Status of the last command substitution of the current command. */
  substitutionStatus: number | undefined;
  /** Descriptors of `<( )` that the running commands hold. */
  readonly processSubstitutions: number[] = [];
  /** Place inside a cluster of `getopts`. */
  getoptsOffset = 1;
  /** Told of each command of a list that the shell comes to, however deep; answers what is told when it has ended. */
  entering: ((item: ListItem) => () => void) | undefined;

  /** A shell on a machine, with the terminal for its descriptors. */
  constructor(
    readonly environment: Environment,
    readonly scheduler: JobScheduler,
    public machine: Machine,
    options: {
      readonly zero?: string;
      readonly interactive?: boolean;
      readonly strict?: boolean;
      /** It is older than the machine, and keeps its pid. */
      readonly pid?: number;
    } = {},
  ) {
    this.zero = options.zero ?? "rtkvm";
    this.interactive = this.announcesJobs = options.interactive ?? false;
    this.options.strict = options.strict ?? false;
    this.pid = options.pid ?? machine.newPid();
    const { io } = environment;
    this.descriptors.set(0, new Terminal(io, "in"));
    this.descriptors.set(1, new Terminal(io, "out"));
    this.descriptors.set(2, new Terminal(io, "err"));
    this.setDefaults();
  }

  /** Sets what every new shell has. */
  private setDefaults(): void {
    const exported = {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/root",
      USER: "root",
    };
    for (const [name, value] of Object.entries(exported)) this.set(name, value).exported = true;
    this.set("IFS", " \t\n");
    this.set("PS4", "+ ");
    this.set("OPTIND", "1");
    this.set("HOSTNAME", this.machine.hostname);
    this.set("PWD", this.cwd).exported = true;
  }

  /** A copy whose changes stay in it. Its descriptors must be closed by {@linkcode DescriptorTable.closeAll}. */
  subshell(): Shell {
    const copy: Shell = Object.create(Shell.prototype);
    Object.assign(copy, this, {
      variables: new Map([...this.variables].map(([name, v]) => [name, copyVariable(v)])),
      functions: new Map(this.functions),
      functionSources: new Map(this.functionSources),
      passes: undefined,
      limits: new Map(this.limits),
      options: { ...this.options },
      traps: new Map(
        [...this.traps].filter(([name, action]) =>
          action === "" || (name === "ERR" && this.options.errtrace)
        ),
      ),
      listedTraps: this.listedTraps ?? new Map(this.traps),
      trapStatus: undefined,
      descriptors: this.descriptors.clone(),
      positional: [...this.positional],
      children: [],
      isSubshell: true,
      entering: undefined,
      interactive: false,
      loopDepth: 0,
      locals: this.locals.map((scope) => new Map(scope)),
      pendingTraps: [],
      processSubstitutions: [],
      unwritten: [],
    });
    return copy;
  }

  /** A new shell on a machine, with this one's descriptors: `sh`, `ssh`. */
  child(machine: Machine, zero: string, keepEnvironment: boolean): Shell {
    const copy = this.subshell();
    for (const [name, variable] of copy.variables) {
      if (!keepEnvironment || !variable.exported) copy.variables.delete(name);
    }
    copy.machine = machine;
    Object.assign(copy, {
      functions: new Map(),
      functionSources: new Map(),
      sources: [],
      directoryStack: [],
      options: {
        ...copy.options,
        nullglob: false,
        errexit: false,
        errtrace: false,
        nounset: false,
        noglob: false,
        xtrace: false,
        pipefail: false,
      },
      traps: new Map(),
      listedTraps: undefined,
      zero,
      scriptPath: undefined,
      positional: [],
      status: 0,
      pid: machine.newPid(keepEnvironment ? this.pid : undefined),
      placement: keepEnvironment ? this.placement : undefined,
      functionDepth: 0,
      functionNames: [],
      secondsFromNs: machine.clock().uptimeNs,
      sourceDepth: 0,
      errexitIgnored: 0,
      negations: 0,
      locals: [],
      lastBackground: undefined,
      isSubshell: false,
      cwd: keepEnvironment ? this.cwd : "/root",
    });
    const inherited = new Map(copy.variables);
    copy.setDefaults();
    for (const name of keepEnvironment ? ["HOME", "USER"] : []) copy.variables.delete(name); // a login sets them
    if (keepEnvironment) { for (const [name, variable] of inherited) copy.variables.set(name, variable); }
    copy.set("PWD", copy.cwd);
    return copy;
  }

  /**
   * Becomes what `other` is, another shell of the same kind: variables, functions, options, traps, and where it stands.
   * Descriptors, jobs and machine stay its own.
   */
  become(other: Shell): void {
    this.variables.clear();
    for (const [name, variable] of other.variables) this.variables.set(name, copyVariable(variable));
    this.functions.clear();
    for (const [name, body] of other.functions) this.functions.set(name, body);
    this.traps.clear();
    for (const [name, action] of other.traps) this.traps.set(name, action);
    Object.assign(this.options, other.options);
    this.functionSources = new Map(other.functionSources);
    this.directoryStack = other.directoryStack;
    const { zero, scriptPath, cwd, umask, status, pid, lastBackground, getoptsOffset } = other;
    const { pipeStatus, secondsFromNs } = other;
    Object.assign(this, { zero, scriptPath, cwd, umask, status, pid, lastBackground, getoptsOffset });
    Object.assign(this, { pipeStatus, secondsFromNs });
    this.positional = [...other.positional];
  }

  /**
   * A shell that takes this one's place while a command still runs in it: it is what `state` is, and stands at the
   * terminal. It has no process of its own, so that nothing of the machine changes.
   */
  successor(state: Shell): Shell {
    const next = this.subshell();
    next.become(state);
    next.descriptors.closeAll();
    next.descriptors = new DescriptorTable();
    const { io } = this.environment;
    next.descriptors.set(0, new Terminal(io, "in"));
    next.descriptors.set(1, new Terminal(io, "out"));
    next.descriptors.set(2, new Terminal(io, "err"));
    const { interactive, announcesJobs, children, job } = this;
    Object.assign(next, { interactive, announcesJobs, children: [...children], job, isSubshell: false });
    Object.assign(next, { functionDepth: 0, functionNames: [], sources: [], sourceDepth: 0 });
    Object.assign(next, { errexitIgnored: 0, negations: 0, locals: [] });
    return next;
  }

  /** The text of a variable; element 0 of an array; undefined if unset. */
  get(name: string): string | undefined {
    const variable = this.variables.get(name);
    if (variable === undefined) return computedText(this, name);
    const { value } = variable;
    return value instanceof Map ? value.get("0") : value;
  }

  /** Sets a variable, or element 0 of an array. @throws {ShellError} if it is read-only */
  set(name: string, value: string): Variable {
    const variable = this.writable(name, value);
    if (value.length > MAX_TEXT) throw new ShellError(`${name}: ${noMemory.message}`);
    if (variable.value instanceof Map) variable.value.set("0", value);
    else variable.value = value;
    if (name === "OPTIND") this.getoptsOffset = 1;
    return variable;
  }

  /** The variable, made if there is none. @throws {ShellError} if it is read-only */
  writable(name: string, value = ""): Variable {
    if (--this.untilCount < 0) this.countHeld(name);
    let variable = this.variables.get(name);
    if (variable === undefined) {
      const done = assignComputed(this, name, value);
      if (typeof done === "string") throw new ShellError(done);
      if (done) return { value, associative: false, exported: false, readonly: false }; // kept nowhere
    }
    if (variable === undefined) {
      variable = { value: undefined, associative: false, exported: this.options.allexport, readonly: false };
      this.variables.set(name, variable);
    } else if (variable.readonly) throw new ShellError(`${name}: readonly variable`);
    return variable;
  }

  /** Counts what the variables hold, now and then: after so many changes as there are variables to count. */
  private countHeld(name: string): void {
    let [held, values] = [0, 0];
    for (const { value } of this.variables.values()) {
      for (const text of value instanceof Map ? value.values() : [value ?? ""]) {
        held += text.length;
        values++;
      }
    }
    this.untilCount = Math.max(256, values >> 2);
    if (held > MAX_VARIABLES) throw new ShellError(`${name}: ${noMemory.message}`);
  }

  /** The variable as an array; a text becomes element 0. */
  array(name: string): Map<string, string> {
    const variable = this.writable(name);
    if (!(variable.value instanceof Map)) {
      variable.value = new Map(variable.value === undefined ? [] : [["0", variable.value]]);
    }
    return variable.value;
  }

  /** Closes the descriptors of `<( )` that were made since there were `count`. */
  closeSubstitutions(count: number): void {
    for (const fd of this.processSubstitutions.splice(count)) this.descriptors.close(fd);
  }

  /** Absolute path of what the shell was given. */
  resolve(path: string): string {
    return resolvePath(this.cwd, path);
  }

  /** The start of a message: bash's `SCRIPT: line N: `, or `rtkvm: ` at a prompt. */
  prefix(): string {
    return this.interactive ? `${this.zero}: ` : `${this.zero}: line ${this.line}: `;
  }

  /** Writes to descriptor 2, at once if it leads to no file. */
  err(text: string): void {
    const description = this.descriptors.get(2);
    if (description === undefined) return;
    if (description.immediate) description.writeNow(text);
    else this.unwritten.push({ description: description.retain(), text });
  }

  /** Messages for a file, written by the next task of this shell; the descriptions are retained. */
  readonly unwritten: { readonly description: Description; readonly text: string }[] = [];

  /** Prints a message with the prefix; answers the status. */
  complain(message: string, status = 1): number {
    this.err(this.prefix() + message + "\n");
    return status;
  }

  /** Prints a note below a message, if there is one. */
  note(text: string | undefined): void {
    if (text !== undefined) this.err(`note: ${text}\n`);
  }

  /** What a task of this shell is started with. */
  launch(argv: readonly string[], extra?: ReadonlyMap<string, string>): Launch {
    const env = new Map<string, string>();
    for (const [name, { exported, value }] of this.variables) {
      if (exported && typeof value === "string") env.set(name, value);
    }
    for (const [name, value] of extra ?? []) env.set(name, value);
    const { descriptors } = this;
    return {
      argv,
      env,
      cwd: this.cwd,
      stdout: (text) => void descriptors.get(1)?.writeNow(text),
      stderr: (text) => void descriptors.get(2)?.writeNow(text),
      stdin: descriptors.get(0)?.input(),
      shellPid: this.pid,
      placement: this.placement,
    };
  }

  /** `$IFS`, with its default. */
  get ifs(): string {
    return this.variables.has("IFS") ? this.get("IFS") ?? "" : " \t\n";
  }
}

/** A shell that nothing happens to any more. */
export function copyOf(shell: Shell): Shell {
  const copy = shell.subshell();
  for (const [name, action] of shell.traps) copy.traps.set(name, action); // a subshell would not have them
  copy.descriptors.closeAll(); // what was kept open would never be closed
  return copy;
}

function copyVariable(variable: Variable): Variable {
  const { value } = variable;
  return { ...variable, value: value instanceof Map ? new Map(value) : value };
}
