/**
 * Signals by name and number, as on Linux for x86.
 *
 * *Document*: signal(7).
 *
 * @module
 */

const names =
  ("EXIT HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP " +
    "TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS").split(" ");

/** Signals whose default is to be ignored or to stop and go on, which has no meaning without a terminal. */
const harmless = new Set(["CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "WINCH"]);

/** Ctrl-C. */
export const SIGINT = 2;

/** The status of what Ctrl-C has ended. */
export const INTERRUPTED = 128 + SIGINT;

/** The number of `TERM`, `SIGTERM`, `15`; undefined if there is no such signal. `EXIT` is 0. */
export function signalNumber(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) < names.length ? Number(text) : undefined;
  const at = names.indexOf(text.toUpperCase().replace(/^SIG/, ""));
  return at === -1 ? undefined : at;
}

/** `TERM` for 15. */
export function signalName(number: number): string {
  return names[number] ?? String(number);
}

/** Whether the signal ends a process that does not handle it. */
export function isDeadly(number: number): boolean {
  return number !== 0 && !harmless.has(signalName(number));
}

/** All names in the order of their numbers, without `EXIT`. */
export const signalNames: readonly string[] = names.slice(1);
