/**
 * Ctrl-R: the search in the history, key by key.
 *
 * Typed letters are looked for, Ctrl-R goes on to older lines, Enter runs what has been found, Ctrl-C and Ctrl-G leave the
 * line as it was before; any other key takes what has been found and then does what it does.
 *
 * @module
 */

/** A key, as `node:readline` names it. */
export interface Key {
  readonly name?: string | undefined;
  readonly ctrl?: boolean | undefined;
  readonly meta?: boolean | undefined;
}

/** A search that goes on. */
export class HistorySearch {
  /** What is looked for. */
  query = "";
  /** Where in the history the search stands. */
  #at = 0;
  #failed = false;

  /** `history`: newest first. `before`: what stood in the line. */
  constructor(readonly history: readonly string[], readonly before: string) {}

  /** The line that has been found; what stood there before, where nothing has. */
  get found(): string {
    return this.query === "" ? this.before : this.history[this.#at] ?? this.before;
  }

  /** What stands before the line meanwhile. */
  get prompt(): string {
    return `(${this.#failed ? "failed " : ""}reverse-i-search)\`${this.query}': `;
  }

  /** Takes a key. `take`: the search is over, and the key still has to do what it does; `leave`: it is over. */
  key(text: string | undefined, { name, ctrl, meta }: Key): "on" | "take" | "leave" {
    if (ctrl && name === "r") this.#look(this.query === "" ? this.#at : this.#at + 1);
    else if (ctrl && (name === "c" || name === "g")) return "leave";
    else if (name === "backspace") {
      this.query = this.query.slice(0, -1);
      this.#look(0);
    } else if (!ctrl && !meta && text !== undefined && /^\P{Cc}+$/u.test(text)) {
      this.query += text;
      this.#look(this.#at);
    } else return "take";
    return "on";
  }

  #look(from: number): void {
    const at = this.history.findIndex((line, i) => i >= from && line.includes(this.query));
    this.#failed = at < 0;
    if (at >= 0) this.#at = at;
  }
}
