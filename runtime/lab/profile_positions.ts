/**
 * Where the keys of a YAML profile stand. The YAML parser reports a position only for what it cannot parse; a wrong
 * key or unit is valid YAML, and its error has to name a line all the same.
 *
 * *Read*: block and flow mappings, plain and quoted keys, comments, multi-line quoted, literal and folded scalars:
 * all that a profile consists of.
 * *Not read*: sequences, anchors, aliases, merge keys, explicit `?` keys, several documents. A profile has none of
 * them; a key inside one is simply not found, and the caller falls back to the nearest key around it.
 *
 * @module
 */

/** A place in a text; both numbers count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where a key and its value begin. */
export interface KeyPosition {
  readonly key: Position;
  readonly value: Position;
}

/** A reader of one document. */
class Reader {
  readonly found = new Map<string, KeyPosition>();
  readonly #lineStarts: number[] = [0];
  #at = 0;

  constructor(readonly text: string) {
    for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) this.#lineStarts.push(i + 1);
  }

  #position(offset: number): Position {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.#lineStarts[low] ?? 0) + 1 };
  }

  #record(path: string, keyAt: number): void {
    if (this.found.has(path)) return; // a duplicate is the YAML parser's error
    this.found.set(path, { key: this.#position(keyAt), value: this.#position(this.#at) });
  }

  #skipBlanks(): void {
    while (this.text[this.#at] === " " || this.text[this.#at] === "\t") this.#at++;
  }

  #skipLine(): void {
    const end = this.text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.text.length : end + 1;
  }

  /** Skips a quoted scalar, which may span lines; returns its contents. */
  #quoted(): string {
    const quote = this.text[this.#at];
    const start = ++this.#at;
    while (this.#at < this.text.length && this.text[this.#at] !== quote) {
      if (quote === '"' && this.text[this.#at] === "\\") this.#at++;
      this.#at++;
    }
    return this.text.slice(start, this.#at++);
  }

  #atQuote(): boolean {
    return this.text[this.#at] === '"' || this.text[this.#at] === "'";
  }

  /**
   * A key and its colon at the current place, or undefined if a plain scalar goes on here; then nothing is read.
   * `ends` are the characters that end a plain key before a colon is found.
   */
  #key(ends: string): string | undefined {
    const start = this.#at;
    let key: string;
    if (this.#atQuote()) {
      key = this.#quoted();
    } else {
      while (this.#at < this.text.length && !ends.includes(this.text[this.#at] ?? "")) {
        if (this.text[this.#at] === ":" && /[\s,}\]]|^$/.test(this.text[this.#at + 1] ?? "")) break;
        this.#at++;
      }
      key = this.text.slice(start, this.#at).trim();
    }
    this.#skipBlanks();
    if (this.text[this.#at] !== ":") {
      this.#at = start;
      return undefined;
    }
    this.#at++;
    this.#skipBlanks();
    return key;
  }

  /** Blanks, line ends and comments between the parts of a flow collection. */
  #skipFlowSpace(): void {
    for (;;) {
      while (/\s/.test(this.text[this.#at] ?? "")) this.#at++;
      if (this.text[this.#at] !== "#") return;
      this.#skipLine();
    }
  }

  /** A flow collection from its opening bracket to behind its closing one. */
  #flow(path: string | undefined): void {
    const mapping = this.text[this.#at] === "{";
    this.#at++;
    for (;;) {
      this.#skipFlowSpace();
      const char = this.text[this.#at];
      if (char === undefined) return;
      if (char === "}" || char === "]") {
        this.#at++;
        return;
      }
      if (char === ",") {
        this.#at++;
        continue;
      }
      const keyAt = this.#at;
      const key = mapping && path !== undefined ? this.#key(",{}[]\n") : undefined;
      const child = key === undefined ? undefined : join(path ?? "", key);
      if (child !== undefined) this.#record(child, keyAt);
      this.#skipFlowSpace();
      if (this.text[this.#at] === "{" || this.text[this.#at] === "[") {
        this.#flow(child);
      } else if (this.#atQuote()) {
        this.#quoted();
      } else {
        // A `#` inside a word is no comment.
        while (!/^$|[,}\]\n]/.test(this.text[this.#at] ?? "")) {
          if (this.text[this.#at] === "#" && /\s/.test(this.text[this.#at - 1] ?? "")) break;
          this.#at++;
        }
      }
    }
  }

  /** Skips the lines of a literal or folded scalar: everything indented deeper than its key. */
  #blockScalar(indent: number): void {
    this.#skipLine();
    while (this.#at < this.text.length) {
      const line = this.text.slice(this.#at).match(/^( *)([^\n]?)/);
      if (line?.[2] !== "" && (line?.[1]?.length ?? 0) <= indent) return;
      this.#skipLine();
    }
  }

  read(): ReadonlyMap<string, KeyPosition> {
    const open: { indent: number; path: string }[] = [];
    while (this.#at < this.text.length) {
      const lineStart = this.#at;
      while (this.text[this.#at] === " ") this.#at++;
      const indent = this.#at - lineStart;
      const rest = this.text.slice(this.#at, this.#at + 3);
      if (/^(\s|#|$)/.test(rest) || (indent === 0 && /^(---|\.\.\.|%)/.test(rest))) {
        this.#skipLine();
        continue;
      }
      while ((open.at(-1)?.indent ?? -1) >= indent) open.pop();
      const keyAt = this.#at;
      const key = this.#key("\n");
      if (key === undefined) {
        if (rest.startsWith("{") || rest.startsWith("[")) this.#flow(open.at(-1)?.path ?? "");
        this.#skipLine();
        continue;
      }
      const path = join(open.at(-1)?.path ?? "", key);
      this.#record(path, keyAt);
      open.push({ indent, path });
      const next = this.text[this.#at];
      if (next === "|" || next === ">") {
        this.#blockScalar(indent);
        continue;
      }
      if (next === "{" || next === "[") this.#flow(path);
      else if (this.#atQuote()) this.#quoted();
      this.#skipLine();
    }
    return this.found;
  }
}

/** `a.b` from `a` and `b`. */
function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

/** The positions of all keys of a YAML document, by path: `hw.vm_exit.unit`. */
export function keyPositions(text: string): ReadonlyMap<string, KeyPosition> {
  return new Reader(text).read();
}

/** Where the keys of a text stand. */
export interface Positions {
  /** The place of the key at `path`, if the text has it. */
  get(path: string): KeyPosition | undefined;
}

/** Looks for the keys when somebody first asks: only errors and displays do. */
export class LazyPositions implements Positions {
  #positions: ReadonlyMap<string, KeyPosition> | undefined;

  /** @param text of the profile */
  constructor(readonly text: string) {}

  /** @inheritdoc */
  get(path: string): KeyPosition | undefined {
    this.#positions ??= keyPositions(this.text);
    return this.#positions.get(path);
  }
}
