/**
 * One line on a terminal that says how far a long run has come, and is gone when something else is written.
 *
 * @module
 */

/** A line that overwrites itself. Where there is no terminal it writes nothing. */
export class ProgressLine {
  #shown = "";

  /** @param write to the terminal; undefined where there is none */
  constructor(readonly write: ((text: string) => void) | undefined) {}

  /** Shows `text` in place of what was there. */
  show(text: string): void {
    if (this.write === undefined || text === this.#shown) return;
    this.write(`\r${text.padEnd(this.#shown.length)}`); // blanks, no escapes: they are right on any terminal
    this.#shown = text;
  }

  /** Takes the line away, before other text. */
  clear(): void {
    if (this.write === undefined || this.#shown === "") return;
    this.write(`\r${" ".repeat(this.#shown.length)}\r`);
    this.#shown = "";
  }
}

/** `cyclictest  42 %  rfc-v2, linux-3.4.0`. */
export function progressText(name: string, fraction: number, where: string): string {
  return `${name} ${String(Math.floor(fraction * 100)).padStart(3)} %  ${where}`;
}
