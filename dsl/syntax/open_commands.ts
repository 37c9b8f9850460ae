/**
 * Which compound commands are open at a place of a text that does not parse, and which of their words stand where they
 * are arguments: what a person has to be told about a missing `done` or `then`.
 *
 * @module
 */
import type { WordListener } from "./heredoc.ts";
import { type StrangeCharacter, strangeCharacter } from "./strange_characters.ts";

/** What closes each compound command. */
const CLOSERS: Readonly<Record<string, string>> = {
  if: "fi",
  for: "done",
  while: "done",
  until: "done",
  case: "esac",
  "{": "}",
  "(": ")",
  "[[": "]]",
};

/** What must come before the body. */
const MIDDLES: Readonly<Record<string, string>> = {
  if: "then",
  elif: "then",
  for: "do",
  while: "do",
  until: "do",
};

/** Words that mean something only where a command may begin. */
const CLOSING_WORDS: ReadonlySet<string> = new Set(["then", "do", "done", "elif", "else", "fi", "esac", "}"]);

/** Which command each closing word belongs to, as a sentence names it. */
export const OWNERS: ReadonlyMap<string, string> = new Map([
  ...["then", "elif", "else", "fi"].map((word) => [word, '"if"'] as const),
  ...["do", "done"].map((word) => [word, '"for", "while" or "until"'] as const),
  ["esac", '"case"'],
  [";;", '"case"'],
  ["}", '"{"'],
  [")", '"("'],
]);

/** A compound command that has begun. */
export interface OpenCommand {
  /** `if`, `for`, `while`, `until`, `case`, `{`, `(` or `[[`. */
  readonly word: string;
  readonly offset: number;
  /** It follows an `else`. */
  readonly afterElse: boolean;
  /** The last of its words that was come to: itself, `then`, `elif`, `else` or `do`. */
  last: string;
}

/** A word that would close something if it did not stand among the arguments of a command. */
export interface StrayWord {
  readonly word: string;
  readonly offset: number;
  /** The name of that command. */
  readonly command: string;
}

/** Keeps the compound commands that are open. */
export class OpenCommands implements WordListener {
  readonly stack: OpenCommand[] = [];
  readonly strays: StrayWord[] = [];
  /** Words that commands began with, the last one last. */
  readonly starts: { readonly word: string; readonly offset: number }[] = [];
  /** The first character that is not what it looks like. */
  strange: StrangeCharacter | undefined;
  #previous = "";

  /** The innermost. */
  get innermost(): OpenCommand | undefined {
    return this.stack[this.stack.length - 1];
  }

  /** What the innermost waits for: the word before its body, or the one that ends it. */
  get wanted(): string | undefined {
    const { innermost } = this;
    return innermost && (MIDDLES[innermost.last] ?? CLOSERS[innermost.word]);
  }

  word(word: string, offset: number, starts: boolean): void {
    if (this.strange === undefined) {
      const found = strangeCharacter(word);
      if (found !== undefined) this.strange = { ...found, offset: offset + found.offset };
    }
    const { innermost } = this;
    if (word === "]]" && innermost?.word === "[[") this.stack.pop();
    else if (!starts) {
      const command = this.starts[this.starts.length - 1]?.word;
      if (CLOSING_WORDS.has(word) && command !== undefined) this.strays.push({ word, offset, command });
    } else {
      this.starts.push({ word, offset });
      if (Object.hasOwn(CLOSERS, word)) this.#open(word, offset);
      else if (innermost === undefined) return;
      else if (word === CLOSERS[innermost.word]) this.stack.pop();
      else if (["then", "elif", "else", "do"].includes(word)) innermost.last = word;
    }
    this.#previous = word;
  }

  opened(offset: number, _starts: boolean): void {
    this.#open("(", offset);
  }

  closed(_offset: number): void {
    if (this.innermost?.word === "(") this.stack.pop();
  }

  #open(word: string, offset: number): void {
    this.stack.push({ word, offset, afterElse: word === "if" && this.#previous === "else", last: word });
  }
}
