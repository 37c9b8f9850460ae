/**
 * Basic and extended regular expressions of POSIX as sources of JavaScript's.
 *
 * *Document*: POSIX XBD 9. *Not taken*: back references, collating symbols; they are errors.
 *
 * @module
 */
import { bracket } from "./glob.ts";
import { ShellError } from "./state.ts";

/** A basic regular expression (`grep`, `sed`): `\( \) \{ \} \| \+ \?` are the operators. */
export function basicToRegExp(text: string): string {
  return translate(text, true);
}

/** An extended regular expression (`grep -E`, `sed -E`). */
export function extendedToRegExp(text: string): string {
  return translate(text, false);
}

function translate(text: string, basic: boolean): string {
  let source = "";
  let start = true; // where * and ^ mean themselves or an anchor
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? "";
    const wasStart: boolean = start;
    start = false;
    if (c === "[") {
      const end = bracketEnd(text, i);
      if (end === -1) throw new ShellError("Unmatched [, [^, [:, [., or [=", 2);
      // The shell's bracket expressions are the same but for ^, which both take, and for the backslash, which is a member.
      const set = bracket(text.slice(i, end + 1).replace(/\\/g, "\\\\"), 0)!;
      if (set.reversed) throw new ShellError("Invalid range end", 2);
      source += set.source;
      i = end;
    } else if (c === "\\") {
      const next = text[++i];
      if (next === undefined) throw new ShellError("Trailing backslash", 2);
      if (/[1-9]/.test(next)) throw new ShellError(`back reference \\${next} is not taken`, 2);
      if (basic && "(){}|+?".includes(next)) {
        source += next;
        start = next === "(" || next === "|";
      } else if ("wWsSbB".includes(next)) source += `\\${next}`;
      else if (next === "<" || next === ">") source += "\\b";
      else if (next === "n") source += "\\n";
      else source += next.replace(/[\\^$.*+?()[\]{}|/-]/, "\\$&");
    } else if (c === "*") source += wasStart && basic ? "\\*" : "*";
    else if (c === "^") {
      source += wasStart || !basic ? "^" : "\\^";
      start = wasStart || !basic;
    } else if (c === "$") {
      const last = i === text.length - 1 || text.startsWith("\\)", i + 1) || text.startsWith("\\|", i + 1);
      source += last || !basic ? "$" : "\\$";
    } else if (c === ".") source += ".";
    else if ("(){}|+?".includes(c)) {
      source += basic ? `\\${c}` : c;
      start = !basic && (c === "(" || c === "|");
    } else source += c.replace(/[\]/]/, "\\$&");
  }
  try {
    new RegExp(source);
  } catch {
    throw new ShellError(`Invalid regular expression: ${text}`, 2);
  }
  return source;
}

function bracketEnd(text: string, start: number): number {
  let i = start + 1;
  if (text[i] === "^") i++;
  if (text[i] === "]") i++;
  for (; i < text.length; i++) {
    if (text.startsWith("[:", i)) i = Math.max(i, text.indexOf(":]", i) + 1);
    else if (text[i] === "]") return i;
  }
  return -1;
}
