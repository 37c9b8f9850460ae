/**
 * Patterns of the shell: `*`, `?`, `[…]`. In a pattern's text a backslash makes the next character ordinary.
 *
 * *Document*: POSIX XCU 2.13.
 *
 * @module
 */
import { Matcher } from "../text/patterns/matcher.ts";
import { anyCharacter, bracket, character, type Pattern } from "../text/patterns/syntax.ts";
import { resolvePath } from "./paths.ts";
import { type FileSystem, isErrno } from "./ports.ts";

const cache = new Map<string, Matcher>();

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
  return globMatcher(pattern).testWhole(text);
}

/** The pattern, ready to be asked; `*` and `?` match every character, `/` included. */
export function globMatcher(pattern: string): Matcher {
  let matcher = cache.get(pattern);
  if (matcher === undefined) {
    matcher = new Matcher(parseGlob(pattern));
    if (cache.size >= 128) cache.clear();
    cache.set(pattern, matcher);
  }
  return matcher;
}

const style = { glob: true, escape: (next: string) => next };

function parseGlob(pattern: string): Pattern {
  const parts: Pattern[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const any: Pattern = { kind: "set", members: anyCharacter };
    const c = pattern[i]!;
    if (c === "*") {
      if (parts[parts.length - 1]?.kind !== "repeat") {
        parts.push({ kind: "repeat", body: any, least: 0, most: Infinity });
      }
    } else if (c === "?") parts.push(any);
    else {
      const set = c === "[" ? bracket(pattern, i, style) : undefined;
      if (set !== undefined) {
        parts.push({ kind: "set", members: set.members });
        i = set.end;
        continue;
      }
      if (c === "\\" && i + 1 < pattern.length) i++;
      const one = String.fromCodePoint(pattern.codePointAt(i)!);
      parts.push(character(one));
      i += one.length - 1;
    }
  }
  return { kind: "sequence", parts };
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
      const matcher = globMatcher(segment);
      for (const name of names) {
        if (name.startsWith(".") && !segment.startsWith(".")) continue;
        if (matcher.testWhole(name)) next.push(prefix + name);
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
