/**
 * Finds the bodies of here-documents before the grammar sees the text.
 *
 * A body ends at a delimiter that the script chooses, which a context-free grammar cannot express. This scanner
 * replaces each body, its closing delimiter included, by as many filler characters (U+E000) and keeps the bodies in
 * a table keyed by the offset of their `<<`. Offsets, lines and columns stay those of the original text.
 *
 * It has to know where `<<` is no here-document: in quotes, comments, `<<<`, arithmetic, C calls and conditions.
 *
 * @module
 */

/** The character that stands for a removed one. */
export const FILLER = "\uE000";

/** One body. */
export interface HereDocument {
  /** The body's text; with `<<-` leading tabs are gone. */
  readonly body: string;
  /** Where the body starts in the original text. */
  readonly start: number;
  /** The delimiter was quoted: nothing in the body is expanded. */
  readonly quoted: boolean;
}

/** What {@linkcode maskHereDocuments} answers. */
export interface MaskedText {
  /** The text for the grammar, of the same length. */
  readonly text: string;
  /** The bodies by the offset of their `<<`. */
  readonly bodies: ReadonlyMap<number, HereDocument>;
  /** The offset of a `<<` whose delimiter never came, if there is one. */
  readonly unterminated: { readonly offset: number; readonly delimiter: string } | undefined;
}

interface Pending {
  readonly offset: number;
  readonly delimiter: string;
  readonly quoted: boolean;
  readonly stripTabs: boolean;
}

/** What encloses the scanner's place; `closing` ends it, `depth` counts open parentheses. */
interface Frame {
  readonly kind: "command" | "double" | "brace" | "arithmetic" | "call" | "backquote" | "single";
  /** Where it was opened. */
  readonly offset: number;
  depth: number;
}

const closings: Readonly<Record<Frame["kind"], string>> = {
  command: ")",
  double: '"',
  brace: "}",
  arithmetic: ")",
  call: ")",
  backquote: "`",
  single: "'",
};

const conditionWords = /(?:expect|stop-at|watch|run[ \t]+until)(?=[ \t])/y;
const delimiterWord = /(?:'[^'\n]*'|"(?:\\.|[^"\\\n])*"|\\.|[^\s|&;<>()'"\\])+/y;

/** Replaces the bodies of `text`'s here-documents. */
export function maskHereDocuments(text: string): MaskedText {
  const bodies = new Map<number, HereDocument>();
  if (!text.includes("<<")) return { text, bodies, unterminated: undefined };
  const scanner = new Scanner(text, bodies);
  scanner.scan();
  return { text: scanner.masked(), bodies, unterminated: scanner.unterminated };
}

/** A quote, an expansion or a call that is open at the end of a text. */
export interface OpenQuote {
  /** `call`: the arguments of a C call; `command`: `$( )`. */
  readonly kind: Frame["kind"];
  /** Where it was opened. */
  readonly offset: number;
  /** What would close it. */
  readonly closing: string;
}

/** The innermost quote, expansion or call that is open at the end of a masked text. */
export function openAtEnd(text: string, listener?: WordListener): OpenQuote | undefined {
  const scanner = new Scanner(text, undefined, listener);
  scanner.scan();
  const { innermost } = scanner;
  if (innermost === undefined) return undefined;
  const { kind, offset } = innermost;
  return { kind, offset, closing: closings[kind] };
}

/** Told about the words of commands that are not quoted, as the scanner comes to them. */
export interface WordListener {
  /** A word; `starts` if a command may begin with it. */
  word(text: string, offset: number, starts: boolean): void;
  /** A parenthesis that opens a subshell, a function's head or a pattern. */
  opened(offset: number, starts: boolean): void;
  /** What closes it, or ends a pattern of `case`. */
  closed(offset: number): void;
}

class Scanner {
  unterminated: MaskedText["unterminated"];
  #at = 0;
  #copied = 0;
  #output = "";
  #pending: Pending[] = [];
  readonly #frames: Frame[] = [{ kind: "command", offset: 0, depth: 0 }];

  /** `bodies` takes the here-documents; without it the text is masked already. */
  constructor(
    readonly text: string,
    readonly bodies: Map<number, HereDocument> | undefined,
    readonly listener?: WordListener,
  ) {}

  masked(): string {
    return this.#output + this.text.slice(this.#copied);
  }

  /** What is open, beside the text as a whole. */
  get innermost(): Frame | undefined {
    return this.#frames.length > 1 ? this.#frames[this.#frames.length - 1] : undefined;
  }

  scan(): void {
    let commandStart = true;
    while (this.#at < this.text.length) {
      const frame = this.#frames[this.#frames.length - 1] ??
        { kind: "command" as const, offset: 0, depth: 0 };
      if (frame.kind === "command" || frame.kind === "backquote") {
        commandStart = this.#command(frame, commandStart);
      } else this.#quoted(frame);
    }
    const open = this.#pending[0];
    if (open !== undefined) this.unterminated = { offset: open.offset, delimiter: open.delimiter };
  }

  /** One token where commands stand; answers whether a command may start after it. */
  #command(frame: Frame, commandStart: boolean): boolean {
    const { text } = this;
    const c = text[this.#at] ?? "";
    const wordStart = this.#at === 0 || /[\s;&|()]/.test(text[this.#at - 1] ?? "");
    switch (c) {
      case "\n":
        this.#at++;
        this.#takeBodies();
        return true;
      case "\\":
        this.#at += 2;
        return false;
      case "'":
        this.#singleQuoted();
        return false;
      case '"':
        this.#push("double", 1);
        return false;
      case "`":
        if (frame.kind === "backquote") this.#pop(1);
        else this.#push("backquote", 1);
        return true;
      case "#":
        if (wordStart) {
          const end = text.indexOf("\n", this.#at);
          this.#at = end === -1 ? text.length : end;
        } else this.#at++;
        return commandStart;
      case "$":
        return this.#dollar();
      case "(":
        if (text[this.#at + 1] === "(" && commandStart) this.#push("arithmetic", 2);
        else if (/\w/.test(text[this.#at - 1] ?? "") && text[this.#at + 1] !== ")") {
          this.#push("call", 1);
        } else {
          this.listener?.opened(this.#at, commandStart);
          frame.depth++;
          this.#at++;
        }
        return true;
      case ")": {
        this.listener?.closed(this.#at);
        // After a pattern of `case` and after the head of a function a command begins.
        const begins = text[this.#at - 1] === "(" || (frame.depth === 0 && this.#frames.length === 1);
        if (frame.depth > 0) {
          frame.depth--;
          this.#at++;
        } else this.#pop(1);
        return begins;
      }
      case "<":
        if (text.startsWith("<<<", this.#at)) this.#at += 3;
        else if (text.startsWith("<<", this.#at)) this.#operator();
        else this.#at++;
        return false;
      case ";":
      case "&":
      case "|":
        this.#at++;
        return true;
      case " ":
      case "\t":
        this.#at++;
        return commandStart;
    }
    if (commandStart) {
      conditionWords.lastIndex = this.#at;
      if (conditionWords.test(text)) {
        const end = text.slice(this.#at).search(/[;\n]/);
        this.#at = end === -1 ? text.length : this.#at + end;
        return false;
      }
    }
    const word = /[^\s;&|()<>$`'"\\#]+/y;
    word.lastIndex = this.#at;
    const found = word.exec(text)?.[0] ?? c;
    this.listener?.word(found, this.#at, commandStart);
    this.#at += found.length;
    return /^(?:if|then|else|elif|do|while|until|for|!|\{)$/.test(found);
  }

  /** One token inside double quotes, `${…}` or an arithmetic expression. */
  #quoted(frame: Frame): void {
    const c = this.text[this.#at] ?? "";
    const isCounted = frame.kind === "arithmetic" || frame.kind === "call";
    if (c === "\\") this.#at += 2;
    else if (c === "\n") {
      this.#at++;
      if (frame.kind !== "double") this.#takeBodies();
    } else if (c === "$") this.#dollar();
    else if (c === "`") this.#push("backquote", 1);
    else if (c === '"') {
      if (frame.kind === "double") this.#pop(1);
      else this.#push("double", 1);
    } else if (frame.kind === "brace" && c === "}") this.#pop(1);
    else if (isCounted && c === "(") {
      frame.depth++;
      this.#at++;
    } else if (isCounted && c === ")") {
      this.#at++;
      if (--frame.depth === 0) this.#frames.pop();
    } else if (
      frame.kind === "brace" && c === "'" && this.#frames[this.#frames.length - 2]?.kind !== "double"
    ) {
      this.#singleQuoted();
    } else this.#at++;
  }

  #singleQuoted(): void {
    const end = this.text.indexOf("'", this.#at + 1);
    if (end === -1) this.#frames.push({ kind: "single", offset: this.#at, depth: 0 });
    this.#at = end === -1 ? this.text.length : end + 1;
  }

  /** `$'…'`, in which `\'` is no end. */
  #ansiQuoted(): void {
    const whole = /\$'(?:\\[^]|[^'\\])*'/y;
    whole.lastIndex = this.#at;
    if (whole.test(this.text)) this.#at = whole.lastIndex;
    else {
      this.#frames.push({ kind: "single", offset: this.#at + 1, depth: 0 });
      this.#at = this.text.length;
    }
  }

  #dollar(): boolean {
    const { text } = this;
    if (text.startsWith("$((", this.#at)) this.#push("arithmetic", 3);
    else if (text.startsWith("$(", this.#at)) {
      this.listener?.opened(this.#at, false);
      this.#push("command", 2);
      return true;
    } else if (text.startsWith("${", this.#at)) this.#push("brace", 2);
    else if (text.startsWith("$'", this.#at) && this.#frames[this.#frames.length - 1]?.kind !== "double") {
      this.#ansiQuoted();
    } else this.#at += text[this.#at + 1] === "#" ? 2 : 1;
    return false;
  }

  #push(kind: Frame["kind"], length: number): void {
    const depth = kind === "call" ? 1 : kind === "arithmetic" ? 2 : 0;
    this.#frames.push({ kind, offset: this.#at, depth });
    this.#at += length;
  }

  #pop(length: number): void {
    if (this.#frames.length > 1) this.#frames.pop();
    this.#at += length;
  }

  /** `<<` or `<<-` and its delimiter. */
  #operator(): void {
    const offset = this.#at;
    this.#at += 2;
    const stripTabs = this.text[this.#at] === "-";
    if (stripTabs) this.#at++;
    while (/[ \t]/.test(this.text[this.#at] ?? "")) this.#at++;
    delimiterWord.lastIndex = this.#at;
    const word = delimiterWord.exec(this.text)?.[0];
    if (word === undefined) return; // the grammar says what is missing
    this.#at += word.length;
    const delimiter = word.replace(/'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g, (_, a, b, c) => a ?? b ?? c);
    this.#pending.push({ offset, delimiter, quoted: /['"\\]/.test(word), stripTabs });
  }

  /** At the start of a line: takes the bodies of all here-documents that the line before has opened. */
  #takeBodies(): void {
    const { bodies } = this;
    if (bodies === undefined) return;
    for (let pending = this.#pending[0]; pending !== undefined; pending = this.#pending[0]) {
      const start = this.#at;
      const lines: string[] = [];
      for (;;) {
        if (this.#at >= this.text.length) {
          this.unterminated = { offset: pending.offset, delimiter: pending.delimiter };
          this.#pending = [];
          return;
        }
        const newline = this.text.indexOf("\n", this.#at);
        const end = newline === -1 ? this.text.length : newline;
        const raw = this.text.slice(this.#at, end);
        const line = pending.stripTabs ? raw.replace(/^\t+/, "") : raw;
        this.#at = Math.min(end + 1, this.text.length);
        if (line === pending.delimiter) break;
        lines.push(line + "\n");
      }
      this.#output += this.text.slice(this.#copied, start) + FILLER.repeat(this.#at - start);
      this.#copied = this.#at;
      bodies.set(pending.offset, { body: lines.join(""), start, quoted: pending.quoted });
      this.#pending.shift();
    }
  }
}
