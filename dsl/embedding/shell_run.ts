/**
 * A script that a program has given to a laboratory, and what came of it.
 *
 * @module
 */

/** What a script has written, and how it ended. */
export interface ShellResult {
  /** The exit status. */
  readonly status: number;
  /** What it wrote to descriptor 1. */
  readonly stdout: string;
  /** What it wrote to descriptor 2. */
  readonly stderr: string;
}

/** A script ended with a status other than 0. The message has the status and what was written to descriptor 2. */
export class ShellFailure extends Error implements ShellResult {
  /** `ShellFailure`. */
  override readonly name = "ShellFailure";
  /** The exit status. */
  readonly status: number;
  /** What it wrote to descriptor 1. */
  readonly stdout: string;
  /** What it wrote to descriptor 2; messages say in which line. */
  readonly stderr: string;

  /** Of a script that has ended. */
  constructor({ status, stdout, stderr }: ShellResult) {
    super(`The script ended with status ${status}${stderr === "" ? "" : `:\n${stderr.trimEnd()}`}`);
    this.status = status;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/** A script that is being run: `await` it; it throws {@linkcode ShellFailure} where its status is not 0. */
export class ShellRun implements PromiseLike<ShellResult> {
  readonly #result: Promise<ShellResult>;

  /** Of a script whose result is `result`. */
  constructor(result: Promise<ShellResult>) {
    this.#result = result;
  }

  /** The result whatever its status is. A script that does not parse throws all the same. */
  nothrow(): Promise<ShellResult> {
    return this.#result;
  }

  /** What it wrote to descriptor 1. @throws ShellFailure where its status is not 0 */
  async text(): Promise<string> {
    return (await this).stdout;
  }

  /** The same line by line, without their ends; a last line without one counts. @throws ShellFailure */
  async lines(): Promise<string[]> {
    const lines = (await this.text()).split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines;
  }

  /** The same as JSON. @throws ShellFailure; SyntaxError where it is none */
  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  /** What `await` calls. */
  then<A = ShellResult, B = never>(
    fulfilled?: ((result: ShellResult) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then((result) => {
      if (result.status !== 0) throw new ShellFailure(result);
      return result;
    }).then(fulfilled, rejected);
  }
}

/** `word` as one word of a script, whatever is in it. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
