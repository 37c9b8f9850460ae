/**
 * Redirections: opening what they name, and putting descriptors back afterwards.
 *
 * *Document*: POSIX XCU 2.7. The shell opens the target first; if that fails the command does not run.
 *
 * @module
 */
import type { Redirect } from "../syntax/ast.ts";
import { type Description, FileDescription, NullDevice, TextSource } from "./descriptors.ts";
import { expandText } from "./expand.ts";
import { hintOnPath } from "./hints.ts";
import type { Request } from "./jobs.ts";
import { isErrno } from "./ports.ts";
import type { Shell } from "./state.ts";

/** How many descriptors a shell may have, as `ulimit -n` says on a fresh system. */
export const OPEN_FILES = 1024;

/** Descriptors as they were, to be put back. */
export class SavedDescriptors {
  readonly #saved: { readonly fd: number; readonly description: Description | undefined }[] = [];

  constructor(readonly shell: Shell) {}

  /** Remembers one descriptor before it changes. */
  save(fd: number): void {
    this.#saved.push({ fd, description: this.shell.descriptors.get(fd)?.retain() });
  }

  /** Puts everything back. */
  restore(): void {
    for (const { fd, description } of this.#saved.reverse()) {
      if (description === undefined) this.shell.descriptors.close(fd);
      else {
        this.shell.descriptors.set(fd, description);
        description.release();
      }
    }
    this.#saved.length = 0;
  }

  /** Keeps the changes: `exec > file`. */
  keep(): void {
    for (const { description } of this.#saved) description?.release();
    this.#saved.length = 0;
  }
}

/**
 * Carries out redirections in order. On an error the message has been printed, what was done is undone, and the
 * answer is undefined.
 */
export function* redirect(
  shell: Shell,
  redirects: readonly Redirect[],
): Generator<Request, SavedDescriptors | undefined, unknown> {
  const saved = new SavedDescriptors(shell);
  for (const one of redirects) {
    const complaint = yield* apply(shell, one, saved);
    if (complaint !== undefined) {
      saved.restore();
      shell.complain(complaint);
      const path = /^(.+): (No such file or directory|Permission denied)$/.exec(complaint)?.[1];
      if (path !== undefined) shell.note(hintOnPath(shell, path));
      return undefined;
    }
  }
  return saved;
}

/** Carries out one redirection; answers what went wrong. */
function* apply(
  shell: Shell,
  redirect: Redirect,
  saved: SavedDescriptors,
): Generator<Request, string | undefined, unknown> {
  const { descriptors } = shell;
  if (redirect.fd !== undefined && redirect.fd >= Number(shell.limits.get("n") ?? OPEN_FILES)) {
    return `${redirect.fd}: Bad file descriptor`;
  }
  if (redirect.kind === "text") {
    const fd = redirect.fd ?? 0;
    const text = yield* expandText(shell, redirect.body);
    saved.save(fd);
    descriptors.set(fd, new TextSource(redirect.document === undefined ? text + "\n" : text));
    return undefined;
  }
  const target = yield* expandText(shell, redirect.target);
  if (redirect.kind === "duplicate") {
    const fd = redirect.fd ?? (redirect.operator === ">&" ? 1 : 0);
    if (target === "-") {
      saved.save(fd);
      descriptors.close(fd);
      return undefined;
    }
    if (/^\d+$/.test(target)) {
      const source = descriptors.get(Number(target));
      if (source === undefined) return `${target}: Bad file descriptor`;
      saved.save(fd);
      descriptors.set(fd, source);
      return undefined;
    }
    if (redirect.operator === "<&" || redirect.fd !== undefined) return `${target}: ambiguous redirect`;
  }
  const both = redirect.operator === "&>" || redirect.operator === "&>>" || redirect.operator === ">&";
  const operator = redirect.operator === ">&" || redirect.operator === "&>"
    ? ">"
    : redirect.operator === "&>>"
    ? ">>"
    : redirect.operator;
  const opened = openTarget(shell, target, operator);
  if (typeof opened === "string") return opened;
  for (const fd of both ? [1, 2] : [redirect.fd ?? (operator[0] === "<" ? 0 : 1)]) {
    saved.save(fd);
    descriptors.set(fd, opened);
  }
  return undefined;
}

/** Opens a path for an operator; a text is what went wrong. */
export function openTarget(shell: Shell, target: string, operator: string): Description | string {
  const path = shell.resolve(target);
  if (path === "/dev/null") return new NullDevice();
  const own = /^\/dev\/(?:fd\/(\d+)|(stdin|stdout|stderr))$/.exec(path);
  if (own) {
    const fd = own[1] === undefined ? ["stdin", "stdout", "stderr"].indexOf(own[2] ?? "") : Number(own[1]);
    return shell.descriptors.get(fd) ?? `${target}: No such file or directory`;
  }
  if (target === "") return ": No such file or directory";
  const { vfs } = shell.machine;
  const writes = operator !== "<";
  if (operator === ">" && shell.options.noclobber) {
    const stat = vfs.stat(path);
    if (!isErrno(stat) && stat.kind === "file") return `${target}: cannot overwrite existing file`;
  }
  const file = vfs.open(path, {
    read: operator === "<" || operator === "<>",
    write: writes,
    create: writes,
    append: operator === ">>",
    truncate: operator === ">" || operator === ">|",
  });
  if (isErrno(file)) return `${target}: ${file.message}`;
  const hook = shell.options.strict ? undefined : shell.environment.slide;
  const note = (text: string) => shell.err(text);
  return new FileDescription(shell.machine, path, file, hook && writes ? { hook, note } : undefined);
}
