/**
 * Patterns of the shell: `*`, `?`, `[…]`. In a pattern's text a backslash makes the next character ordinary.
 *
 * *Document*: POSIX XCU 2.13.
 *
 * @module
 */
import { type FileSystem, isErrno } from "./ports.ts";

const cache = new Map<string, RegExp>();

const classes: Readonly<Record<string, string>> = {
  alnum: "A-Za-z0-9",
  alpha: "A-Za-z",
  blank: " \\t",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "\\x21-\\x7e",
  lower: "a-z",
  print: "\\x20-\\x7e",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\s",
  upper: "A-Z",
  xdigit: "0-9A-Fa-f",
};

/** Whether a pattern has an unescaped special character. */
export function hasGlob(pattern: string): boolean {
  return /(^|[^\\])(\\\\)*[*?[]/.test(pattern);
}

/** Makes every character of a text ordinary. */
export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}

/** Removes the backslashes of a pattern: the text that it is if nothing matches. */
export function unescapeGlob(pattern: string): string {
  return pattern.replace(/\\([\s\S])/g, "$1");
}

/** Whether the whole of `text` matches. */
export function matchGlob(pattern: string, text: string): boolean {
  return globRegExp(pattern).test(text);
}

/** The pattern as an anchored regular expression; `*` and `?` match every character, `/` included. */
export function globRegExp(pattern: string): RegExp {
  let compiled = cache.get(pattern);
  if (compiled === undefined) {
    compiled = new RegExp(`^(?:${globSource(pattern)})$`, "s");
    if (cache.size > 1024) cache.clear();
    cache.set(pattern, compiled);
  }
  return compiled;
}

/** The pattern as the source of a regular expression without anchors. */
export function globSource(pattern: string): string {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i] ?? "";
    if (c === "\\") source += literal(pattern[++i] ?? "\\");
    else if (c === "*") source += ".*";
    else if (c === "?") source += ".";
    else if (c === "[") {
      const set = bracket(pattern, i);
      if (set === undefined) source += "\\[";
      else {
        source += set.source;
        i = set.end;
      }
    } else source += literal(c);
  }
  return source;
}

function literal(c: string): string {
  return c.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

/** A bracket expression. */
export interface Bracket {
  /** Of a regular expression that matches the same. */
  readonly source: string;
  /** Where it ends: its last character. */
  readonly end: number;
  /** It has a range whose ends are in the wrong order: such a range has no member. */
  readonly reversed: boolean;
}

/** A bracket expression that starts at `start`; undefined if it is not closed. */
export function bracket(pattern: string, start: number): Bracket | undefined {
  let reversed = false;
  let i = start + 1;
  const negated = pattern[i] === "!" || pattern[i] === "^";
  if (negated) i++;
  let body = "";
  for (let first = true;; first = false) {
    const c = pattern[i];
    if (c === undefined) return undefined;
    if (c === "]" && !first) break;
    const named = c === "[" ? /^\[:(\w+):\]/.exec(pattern.slice(i)) : null;
    const members = named === null ? undefined : classes[named[1] ?? ""];
    if (named !== null && members !== undefined) {
      body += members;
      i += named[0].length;
      continue;
    }
    const from = member(pattern, i);
    i = from.end;
    if (pattern[i] !== "-" || pattern[i + 1] === "]" || pattern[i + 1] === undefined) {
      body += literal(from.character);
      continue;
    }
    const to = member(pattern, i + 1);
    i = to.end;
    if (from.character > to.character) reversed = true;
    else body += `${literal(from.character)}-${literal(to.character)}`;
  }
  const source = body === "" ? (negated ? "." : "(?!)") : `[${negated ? "^" : ""}${body}]`;
  return { source, end: i, reversed };
}

/** A character of a bracket expression at `i`, and where it ends: a backslash takes its meaning from the next one. */
function member(pattern: string, i: number): { character: string; end: number } {
  return pattern[i] === "\\"
    ? { character: pattern[i + 1] ?? "\\", end: i + 2 }
    : { character: pattern[i] ?? "", end: i + 1 };
}

/** Joins a path to a directory and removes `.`, `..` and double slashes. */
export function resolvePath(cwd: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${cwd}/${path}`).split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return "/" + parts.join("/");
}

/** Paths that match, sorted by code unit; a leading dot is matched only by a dot. */
export function expandGlob(pattern: string, cwd: string, files: FileSystem): string[] {
  const absolute = pattern.startsWith("/");
  const segments = pattern.split("/");
  let found: string[] = [absolute ? "/" : ""];
  for (const [i, segment] of segments.entries()) {
    const last = i === segments.length - 1;
    if (segment === "") {
      // A trailing slash asks for directories; a leading or double one adds nothing.
      if (last && i > 0) {
        found = found.filter((path) => isDirectory(files, resolvePath(cwd, path))).map((path) => path + "/");
      }
      continue;
    }
    const next: string[] = [];
    for (const base of found) {
      const prefix = base === "" || base.endsWith("/") ? base : base + "/";
      if (!hasGlob(segment)) {
        const path = prefix + unescapeGlob(segment);
        if (!isErrno(files.stat(resolvePath(cwd, path)))) next.push(path);
        continue;
      }
      const names = files.list(resolvePath(cwd, base === "" ? "." : base));
      if (isErrno(names)) continue;
      const expression = globRegExp(segment);
      for (const name of names) {
        if (name.startsWith(".") && !segment.startsWith(".")) continue;
        if (expression.test(name)) next.push(prefix + name);
      }
    }
    found = next;
  }
  return found.sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
}

function isDirectory(files: FileSystem, path: string): boolean {
  const stat = files.stat(path);
  return !isErrno(stat) && stat.kind === "directory";
}
