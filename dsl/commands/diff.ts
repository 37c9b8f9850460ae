import type { Coroutine } from "../shell/jobs.ts";
import { isErrno } from "../shell/ports.ts";
import { type Command, type CommandContext, linesOf } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `diff`. */
const doc = `diff - what is different between two files
Usage: diff [-qsbw] [-u | -U N] FILE FILE
Effects: writes the lines to delete from the first file and to add to it to get the second; -u with three lines around them,
  -U with N; -q only whether they differ, -s also says that they do not; -b and -w look past blanks
Exit status: 0 if they are the same, 1 if not, 2 on an error
Errors: PATH: STRERROR; missing operand after 'TEXT'
Differs from the real one: the heads of -u have no times, since files have none; no -r, -N, -i, -B, -c, -y
Examples: diff /proc/cmdline /proc/cmdline
  cat /proc/interrupts > /tmp/before; run 10ms; diff /tmp/before /proc/interrupts || true`;

/** Lines `a` … of the one file stand for lines `b` … of the other. */
interface Change {
  readonly a: number;
  readonly aCount: number;
  readonly b: number;
  readonly bCount: number;
}

export const diff: Command = {
  name: "diff",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "qsbwuU:", "anywhere", {
      "brief": "q",
      "report-identical-files": "s",
      "ignore-space-change": "b",
      "ignore-all-space": "w",
      "unified": "u",
      "color": "",
    });
    if (typeof options === "string") return context.misuse(options, 2);
    const { flags, values, operands } = options;
    if (operands.length < 2) return context.misuse(`missing operand after '${operands[0] ?? "diff"}'`, 2);
    if (operands.length > 2) return context.misuse(`extra operand '${operands[2]}'`, 2);
    const around = values.get("U") ?? (flags.has("u") ? "3" : undefined);
    if (around !== undefined && !/^\d+$/.test(around)) {
      return context.misuse(`invalid context length '${around}'`, 2);
    }
    const texts: string[] = [];
    for (const path of operands) {
      const text = yield* context.readFile(path);
      if (!isErrno(text)) texts.push(text);
      else context.complainOf(path, text);
    }
    const [one, other] = texts;
    if (one === undefined || other === undefined) return 2;
    const [a, b] = [linesOf(one), linesOf(other)];
    const key = (line: string) => {
      if (flags.has("w")) return line.replace(/\s+/g, "");
      return flags.has("b") ? line.replace(/\s+/g, " ").trimEnd() : line;
    };
    const changes = changesBetween(a.map(key), b.map(key));
    const blanks = flags.has("w") || flags.has("b");
    if (changes.length === 0 && (blanks || one === other)) {
      if (flags.has("s")) context.out(`Files ${operands.join(" and ")} are identical\n`);
      return 0;
    }
    if (flags.has("q")) context.out(`Files ${operands.join(" and ")} differ\n`);
    else {
      const sides: Sides = { a: new Side(a, one), b: new Side(b, other) };
      if (changes.length === 0) changes.push(lastLines(a, b)); // only the last newline is missing from one
      if (around === undefined) normal(context, sides, changes);
      else unified(context, sides, changes, Number(around), operands);
    }
    return 1;
  },
};

/** The lines of a file, and what is said behind the last one if no newline ends it. */
class Side {
  readonly #ends: boolean;

  constructor(readonly lines: readonly string[], text: string) {
    this.#ends = text === "" || text.endsWith("\n");
  }

  text(at: number, mark: string): string {
    const note = at === this.lines.length - 1 && !this.#ends ? "\\ No newline at end of file\n" : "";
    return `${mark}${this.lines[at]}\n${note}`;
  }
}

interface Sides {
  readonly a: Side;
  readonly b: Side;
}

function lastLines(a: readonly string[], b: readonly string[]): Change {
  return { a: a.length - 1, aCount: 1, b: b.length - 1, bCount: 1 };
}

/**
 * A shortest edit script (Myers, 1986), the paths of each number of edits kept to be followed back. Of equally short ones
 * it deletes before it adds.
 */
function changesBetween(a: readonly string[], b: readonly string[]): Change[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let [aEnd, bEnd] = [a.length, b.length];
  while (aEnd > start && bEnd > start && a[aEnd - 1] === b[bEnd - 1]) {
    aEnd--;
    bEnd--;
  }
  const [n, m] = [aEnd - start, bEnd - start];
  const paths: Map<number, number>[] = [];
  let furthest = new Map([[1, 0]]);
  search: for (let edits = 0; edits <= n + m; edits++) {
    paths.push(new Map(furthest));
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && furthest.get(k - 1)! < furthest.get(k + 1)!);
      let x = down ? furthest.get(k + 1)! : furthest.get(k - 1)! + 1;
      let y = x - k;
      while (x < n && y < m && a[start + x] === b[start + y]) {
        x++;
        y++;
      }
      furthest.set(k, x);
      if (x >= n && y >= m) break search;
    }
    furthest = new Map(furthest);
  }
  const changes: Change[] = [];
  const note = (x: number, y: number, aCount: number, bCount: number) => {
    const [next] = changes;
    const [at, to] = [start + x, start + y];
    if (next !== undefined && at + aCount === next.a && to + bCount === next.b) {
      changes[0] = { a: at, aCount: aCount + next.aCount, b: to, bCount: bCount + next.bCount };
    } else changes.unshift({ a: at, aCount, b: to, bCount });
  };
  let [x, y] = [n, m];
  for (let edits = paths.length - 1; edits > 0; edits--) {
    const before = paths[edits]!;
    const k = x - y;
    const down = k === -edits || (k !== edits && before.get(k - 1)! < before.get(k + 1)!);
    const previous = down ? k + 1 : k - 1;
    const fromX = before.get(previous)!, fromY = fromX - previous;
    if (down) note(fromX, fromY, 0, 1);
    else note(fromX, fromY, 1, 0);
    [x, y] = [fromX, fromY];
  }
  return changes;
}

function normal(context: CommandContext, { a, b }: Sides, changes: readonly Change[]): void {
  for (const change of changes) {
    const letter = change.aCount === 0 ? "a" : change.bCount === 0 ? "d" : "c";
    context.out(`${span(change.a, change.aCount)}${letter}${span(change.b, change.bCount)}\n`);
    for (let i = 0; i < change.aCount; i++) context.out(a.text(change.a + i, "< "));
    if (letter === "c") context.out("---\n");
    for (let i = 0; i < change.bCount; i++) context.out(b.text(change.b + i, "> "));
  }
}

/** `3,5`, or the line before where there is none. */
function span(first: number, count: number): string {
  return count === 0 ? `${first}` : count === 1 ? `${first + 1}` : `${first + 1},${first + count}`;
}

function unified(
  context: CommandContext,
  { a, b }: Sides,
  changes: readonly Change[],
  around: number,
  names: readonly string[],
): void {
  context.out(`--- ${names[0]}\n+++ ${names[1]}\n`);
  const hunks: Change[][] = [];
  for (const change of changes) {
    const hunk = hunks[hunks.length - 1], last = hunk?.[hunk.length - 1];
    if (last !== undefined && change.a - (last.a + last.aCount) <= 2 * around) hunk!.push(change);
    else hunks.push([change]);
  }
  for (const hunk of hunks) {
    const [first] = hunk, last = hunk[hunk.length - 1]!;
    const before = Math.min(around, first!.a, first!.b);
    const after = Math.min(
      around,
      a.lines.length - last.a - last.aCount,
      b.lines.length - last.b - last.bCount,
    );
    const [aFrom, bFrom] = [first!.a - before, first!.b - before];
    const aCount = last.a + last.aCount + after - aFrom, bCount = last.b + last.bCount + after - bFrom;
    context.out(`@@ -${place(aFrom, aCount)} +${place(bFrom, bCount)} @@\n`);
    let at = aFrom;
    for (const change of hunk) {
      while (at < change.a) context.out(a.text(at++, " "));
      for (let i = 0; i < change.aCount; i++) context.out(a.text(at++, "-"));
      for (let i = 0; i < change.bCount; i++) context.out(b.text(change.b + i, "+"));
    }
    for (let i = 0; i < after; i++) context.out(a.text(at++, " "));
  }
}

function place(first: number, count: number): string {
  return count === 1 ? `${first + 1}` : `${count === 0 ? first : first + 1},${count}`;
}
