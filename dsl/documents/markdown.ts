/**
 * Fenced blocks of Markdown, as far as documents that are tests need them.
 *
 * *Document*: CommonMark 0.31, "Fenced code blocks".
 *
 * @module
 */

/** A fenced block. */
export interface Block {
  /** The first word behind its fence: `console`. */
  readonly language: string;
  /** Its lines, without the fence's indentation and without carriage returns. */
  readonly lines: readonly string[];
  /** The number of its first line, from 1. */
  readonly line: number;
  /** What stands before its fence. */
  readonly indentation: string;
  /** The fence itself. */
  readonly fence: string;
}

/** The lines of a document; a carriage return belongs to the end of its line. */
export function linesOfDocument(text: string): string[] {
  return text.split("\n");
}

/** The fenced blocks of a document. One that is not closed reaches to the end. */
export function blocksOf(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const opening = /^(\s*)(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/.exec(lines[i]!);
    if (opening === null) continue;
    const [, indentation = "", fence = "", language = ""] = opening;
    const closing = new RegExp(`^\\s*${fence[0]}{${fence.length},}\\s*$`);
    const end = lines.findIndex((line, at) => at > i && closing.test(line));
    const last = end === -1 ? lines.length : end;
    blocks.push({
      language,
      lines: lines.slice(i + 1, last).map((line) =>
        (line.startsWith(indentation) ? line.slice(indentation.length) : line.trimStart()).replace(/\r$/, "")
      ),
      line: i + 2,
      indentation,
      fence,
    });
    i = last;
  }
  return blocks;
}

/** The name of the file that a block is: its first line is a comment that begins with it, `# first.rtk: a guest …`. */
export function fileNameOf({ language, lines }: Block): string | undefined {
  return language === "console" ? undefined : /^# ([\w./-]+\.\w+)(?=[\s:]|$)/.exec(lines[0] ?? "")?.[1];
}

/**
 * A document with other lines in some of its blocks. A fence grows where the new lines would close it; the ends of lines
 * are those of the document.
 */
export function withBlocks(lines: readonly string[], changed: ReadonlyMap<Block, readonly string[]>): string {
  const result: string[] = [];
  let next = 0;
  for (const [block, body] of changed) {
    const { line, indentation, fence, lines: before } = block;
    const opening = lines[line - 2]!, ending = opening.endsWith("\r") ? "\r" : "";
    const runs = body.flatMap((each) =>
      new RegExp(`^\\s*(${fence[0]}{3,})\\s*$`).exec(each)?.[1]?.length ?? []
    );
    const longer = fence[0]!.repeat(Math.max(fence.length, ...runs.map((run) => run + 1)));
    result.push(...lines.slice(next, line - 2), opening.replace(fence, longer));
    result.push(...body.map((each) => `${each === "" ? "" : indentation}${each}${ending}`));
    next = line - 1 + before.length;
    const closing = lines[next];
    if (closing !== undefined) result.push(closing.replace(fence, longer));
    next++;
  }
  return [...result, ...lines.slice(next)].join("\n");
}
