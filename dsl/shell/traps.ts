/**
 * The actions of `trap`, run when their time has come.
 *
 * @module
 */
import type { Request } from "./jobs.ts";
import type { Shell } from "./state.ts";

/** Runs the actions of the signals that came. Those that come meanwhile follow them, and do not interrupt them. */
export function* runPendingTraps(shell: Shell): Generator<Request, void, unknown> {
  shell.runsTraps = true;
  try {
    for (let name = shell.pendingTraps.shift(); name !== undefined; name = shell.pendingTraps.shift()) {
      yield* runTrap(shell, shell.traps.get(name) ?? "");
    }
  } finally {
    shell.runsTraps = false;
  }
}

/** Runs the action of a trap. `$?` is afterwards what it was, which an `exit` in the action takes as well. */
export function* runTrap(
  shell: Shell,
  action: string,
  firstLine?: number,
): Generator<Request, void, unknown> {
  const { status, trapStatus } = shell;
  shell.trapStatus = status;
  try {
    yield* shell.environment.interpreter.runText(shell, action, "trap", firstLine);
  } finally {
    shell.trapStatus = trapStatus;
  }
  shell.status = status;
}

/** The ERR trap: where `set -e` would end the shell, set or not. What fails in it does not run it again. */
export function* runErrorTrap(shell: Shell, status: number): Generator<Request, void, unknown> {
  const action = shell.traps.get("ERR");
  if (action === undefined || action === "" || shell.inErrorTrap) return;
  shell.status = status;
  shell.inErrorTrap = true;
  try {
    yield* runTrap(shell, action, shell.line); // its lines count from that of the command that failed
  } finally {
    shell.inErrorTrap = false;
  }
}
