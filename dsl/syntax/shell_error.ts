/** The error of an expansion, an assignment or a tool's own language: what a command says before it fails. */

/** An expansion or assignment failed; the command is not run. A shell that is not interactive ends. */
export class ShellError extends Error {
  /** The name that a stack trace prints. */
  override readonly name = "ShellError";

  /** `message` is bash's, without the prefix. */
  constructor(message: string, readonly status = 1) {
    super(message);
  }
}

/** An expression failed as it was evaluated: `$(( ))` ends the shell, `((`, `for ((` and `[[` answer with status 1. */
export class EvaluationError extends ShellError {
  /** The message of such a command; bash does not name it where a variable cannot be assigned to. */
  saidBy(command: string): string {
    return /: readonly variable$/.test(this.message) ? this.message : `${command}: ${this.message}`;
  }
}
