/**
 * Subshells: `( … )`, `$( … )`, `<( … )`, and the end of any shell with its EXIT trap.
 *
 * @module
 */
import type { List, SimpleCommand } from "../syntax/ast.ts";
import { Capture, Pipe } from "./descriptors.ts";
import { engineLimit } from "../syntax/limited.ts";
import { type Coroutine, Interrupted, MachineEnded, type Request } from "./jobs.ts";
import { INTERRUPTED } from "./signals.ts";
import { ShellError } from "../syntax/shell_error.ts";
import { LoopJump, ReturnJump, type Shell, ShellExit } from "./state.ts";
import { ShellSyntaxError } from "../syntax/syntax_error.ts";
import { fork } from "./tasks.ts";
import { runTrap } from "./traps.ts";

/** The status of a shell whose machine has been switched off; ssh, which sees the connection end, has its own. */
const MACHINE_ENDED = 137;

/** Runs a shell to its end: `exit`, errors that end it, and the EXIT trap. Answers its exit status. */
export function* runToExit(shell: Shell, run: () => Coroutine): Coroutine {
  shell.status = yield* catchExit(shell, run);
  const action = shell.traps.get("EXIT");
  if (action !== undefined && action !== "") {
    shell.traps.delete("EXIT");
    shell.status = yield* catchExit(shell, () => runExitTrap(shell, action));
  }
  return shell.status & 255;
}

function* runExitTrap(shell: Shell, action: string): Coroutine {
  yield* runTrap(shell, action);
  return shell.status; // only an `exit N` in the trap changes the status
}

/**
 * What a shell does about a Ctrl-C when the command that ran has ended: its trap, or it ends. As bash it goes on where a
 * program took the signal and has ended in its own way, as ping does.
 */
export function seeToInterrupt(shell: Shell, status: number): void {
  const { job } = shell;
  if (job === undefined || job.interrupts === shell.interruptsSeen) return;
  shell.interruptsSeen = job.interrupts;
  if (shell.traps.has("INT")) shell.pendingTraps.push("INT");
  else if (!job.programInterrupted || status === INTERRUPTED) throw new ShellExit(INTERRUPTED);
}

/** Runs something and turns what ends a shell into a status. */
export function* catchExit(shell: Shell, run: () => Coroutine): Coroutine {
  try {
    return yield* run();
  } catch (thrown) {
    const reason = engineLimit(thrown) ?? thrown;
    if (reason instanceof ShellExit) return reason.status;
    if (reason instanceof ShellError) return shell.complain(reason.message, reason.status);
    if (reason instanceof ReturnJump) return reason.status;
    if (reason instanceof LoopJump) return 0;
    if (reason instanceof Interrupted) return INTERRUPTED;
    if (reason instanceof MachineEnded) return MACHINE_ENDED;
    if (reason instanceof ShellSyntaxError) {
      shell.err(reason.message + "\n");
      return 2;
    }
    throw reason;
  }
}

/** Runs a list in a copy of the shell; the copy's descriptors are closed at the end. */
export function* runSubshell(copy: Shell, body: List): Coroutine {
  try {
    return yield* runToExit(copy, () => copy.environment.interpreter.runList(copy, body));
  } finally {
    copy.descriptors.closeAll();
  }
}

/** `$( … )`: the output without its last newlines. */
export function* commandSubstitution(shell: Shell, body: List): Generator<Request, string, unknown> {
  const copy = shell.subshell();
  const capture = new Capture();
  copy.traceLevel++;
  copy.descriptors.set(1, capture);
  copy.passes = onlyInput(body);
  // What $? says further on in the word.
  shell.status = shell.substitutionStatus = yield* runSubshell(copy, body);
  seeToInterrupt(shell, shell.status);
  return capture.text.replace(/\n+$/, "");
}

/** The command of `$(<FILE)`: one redirection of input, and nothing else. */
function onlyInput({ items }: List): SimpleCommand | undefined {
  const [item, ...others] = items;
  if (item === undefined || others.length > 0 || item.background || item.command.rest.length > 0) {
    return undefined;
  }
  const { negated, commands: [command, ...behind] } = item.command.first;
  if (negated || behind.length > 0 || command?.kind !== "simple") return undefined;
  const { words, assignments, redirects: [redirect, ...more] } = command;
  if (words.length > 0 || assignments.length > 0 || redirect?.kind !== "file" || more.length > 0) {
    return undefined;
  }
  return redirect.operator === "<" && (redirect.fd ?? 0) === 0 ? command : undefined;
}

/** `<( … )`: a path that leads to the output of a list that runs beside the command. */
export function* processSubstitution(shell: Shell, body: List): Generator<Request, string, unknown> {
  const pipe = new Pipe();
  const copy = shell.subshell();
  copy.descriptors.set(1, pipe.input);
  const fd = shell.descriptors.highestFree();
  shell.descriptors.set(fd, pipe.output);
  shell.processSubstitutions.push(fd);
  yield* fork(shell, {
    name: "<( )",
    machine: shell.machine,
    background: false,
    start: (job) => {
      copy.job = job;
      return runSubshell(copy, body);
    },
  });
  return `/dev/fd/${fd}`;
}
