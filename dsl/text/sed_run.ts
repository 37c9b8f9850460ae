/**
 * What a script of `sed` does to lines.
 *
 * @module
 */
import { limitedLength } from "../syntax/limited.ts";
import { MAX_SED_STEPS } from "../syntax/limits.ts";
import { type Matcher, replaceSpans } from "./patterns/matcher.ts";
import type { SedAddress, SedCommand, SedPiece } from "./sed_program.ts";
import { ShellError } from "../syntax/shell_error.ts";

/** A line of the input. */
export interface SedLine {
  readonly text: string;
  /** A newline ends it. */
  readonly ended: boolean;
}

/** What a run has come to. */
export interface SedResult {
  readonly text: string;
  /** A `q` or `Q` has ended it, with this status. */
  readonly quit: number | undefined;
}

/** One run over lines: its spaces, its place, its output. */
export class SedRun {
  #pattern = "";
  #hold = "";
  #lines: readonly SedLine[] = [];
  /** How many lines have been read. */
  #read = 0;
  #output = "";
  /** The last thing written has no newline at its end yet. */
  #open = false;
  /** What is written when the line is done with. */
  #queue: string[] = [];
  /** Until which line each range reaches: a number, or until its second address matches. */
  readonly #ranges = new Map<SedCommand, number | "open">();
  #lastMatcher: Matcher | undefined;
  #replaced = false;
  #steps = 0;

  /**
   * @param quiet `-n`
   * @param files what `r` reads, by path
   */
  constructor(
    readonly commands: readonly SedCommand[],
    readonly quiet: boolean,
    readonly files: ReadonlyMap<string, string>,
  ) {}

  /** Goes over lines; the hold space stays from the lines before. */
  over(lines: readonly SedLine[]): SedResult {
    this.#lines = lines;
    this.#read = 0;
    this.#output = "";
    this.#open = false;
    this.#ranges.clear();
    let quit: number | undefined;
    let again = false;
    while (quit === undefined && (again || this.#read < lines.length)) {
      if (!again) this.#pattern = this.#next();
      const end = this.#cycle();
      if (end.print && !this.quiet) this.#write(this.#pattern, this.#ended);
      this.#flush();
      again = end.again ?? false;
      quit = end.status;
    }
    return { text: this.#output, quit };
  }

  #next(): string {
    this.#replaced = false;
    return this.#lines[this.#read++]!.text;
  }

  get #isLast(): boolean {
    return this.#read >= this.#lines.length;
  }

  get #ended(): boolean {
    return this.#lines[this.#read - 1]?.ended ?? true;
  }

  #write(text: string, ended = true): void {
    this.#output += (this.#open ? "\n" : "") + text + (ended ? "\n" : "");
    this.#open = !ended;
    limitedLength(this.#output.length);
  }

  #flush(): void {
    for (const text of this.#queue.splice(0)) {
      this.#output += (this.#open ? "\n" : "") + text;
      this.#open = text !== "" && !text.endsWith("\n");
    }
  }

  /** Runs the commands on the pattern space. */
  #cycle(): { print: boolean; again?: boolean; status?: number } {
    const { commands } = this;
    for (let at = 0; at < commands.length; at++) {
      if (++this.#steps > MAX_SED_STEPS) {
        throw new ShellError(`its commands run more than ${MAX_SED_STEPS} times`, 4);
      }
      const command = commands[at]!;
      if (this.#applies(command) === command.negated) {
        if (command.name === "{") at = command.end!;
        continue;
      }
      const { name, text = "" } = command;
      switch (name) {
        case "=":
          this.#write(String(this.#read));
          break;
        case "a":
          this.#queue.push(`${text}\n`);
          break;
        case "b":
          at = this.#jump(text);
          break;
        case "c":
          if (command.to === undefined || command.negated || !this.#ranges.has(command)) this.#write(text);
          return { print: false };
        case "d":
          return { print: false };
        case "D": {
          const newline = this.#pattern.indexOf("\n");
          if (newline === -1) return { print: false };
          this.#pattern = this.#pattern.slice(newline + 1);
          return { print: false, again: true };
        }
        case "g":
          this.#pattern = this.#hold;
          break;
        case "G":
          this.#pattern = this.#join(this.#pattern, this.#hold);
          break;
        case "h":
          this.#hold = this.#pattern;
          break;
        case "H":
          this.#hold = this.#join(this.#hold, this.#pattern);
          break;
        case "i":
          this.#write(text);
          break;
        case "n":
          if (this.#isLast) return { print: true }; // GNU's way: the rest is not run
          if (!this.quiet) this.#write(this.#pattern, this.#ended);
          this.#flush();
          this.#pattern = this.#next();
          break;
        case "N":
          if (this.#isLast) return { print: true }; // GNU's way: the rest is not run
          this.#flush();
          this.#pattern = this.#join(this.#pattern, this.#lines[this.#read++]!.text);
          break;
        case "p":
          this.#write(this.#pattern, this.#ended);
          break;
        case "P":
          this.#write(this.#pattern.split("\n", 1)[0] ?? "");
          break;
        case "q":
          return { print: true, status: command.status! };
        case "Q":
          return { print: false, status: command.status! };
        case "r":
          this.#queue.push(this.files.get(text) ?? "");
          break;
        case "s":
          this.#substitute(command);
          break;
        case "t":
        case "T":
          if (this.#replaced === (name === "t")) at = this.#jump(text);
          this.#replaced = false;
          break;
        case "x":
          [this.#pattern, this.#hold] = [this.#hold, this.#pattern];
          break;
        case "y": {
          const [from, to] = command.sets!;
          this.#pattern = Array.from(this.#pattern, (c) => to[from.indexOf(c)] ?? c).join("");
          break;
        }
        case "z":
          this.#pattern = "";
      }
    }
    return { print: true };
  }

  #join(a: string, b: string): string {
    const text = `${a}\n${b}`;
    limitedLength(text.length);
    return text;
  }

  #jump(label: string): number {
    if (label === "") return this.commands.length;
    return this.commands.findIndex((each) => each.name === ":" && each.text === label);
  }

  #matcher(pattern: Matcher | undefined): Matcher {
    const matcher = pattern ?? this.#lastMatcher;
    if (matcher === undefined) throw new ShellError("no previous regular expression", 1);
    return this.#lastMatcher = matcher;
  }

  #matches(address: SedAddress): boolean {
    switch (address.kind) {
      case "line":
        return address.line === this.#read;
      case "last":
        return this.#isLast;
      case "pattern":
        return this.#matcher(address.pattern).test(this.#pattern);
      case "step":
        return address.step === 0
          ? this.#read === address.first
          : this.#read >= address.first && (this.#read - address.first) % address.step === 0;
      default:
        return false; // only as the second
    }
  }

  #applies(command: SedCommand): boolean {
    const { from, to } = command;
    if (from === undefined) return true;
    if (to === undefined) return this.#matches(from);
    const until = this.#ranges.get(command);
    const fromStart = from.kind === "line" && from.line === 0 && this.#read === 1 && until === undefined;
    if (until === undefined && !fromStart) {
      if (!this.#matches(from)) return false;
      const last = this.#lastLineOf(to);
      if (last === "open" || last > this.#read) this.#ranges.set(command, last);
      return true;
    }
    if (
      to.kind === "pattern"
        ? this.#matches(to)
        : to.kind === "last"
        ? this.#isLast
        : this.#read >= Number(until)
    ) {
      this.#ranges.delete(command);
      if (to.kind === "line" && this.#read > to.line) return false;
    } else if (fromStart) this.#ranges.set(command, "open");
    return true;
  }

  #lastLineOf(to: SedAddress): number | "open" {
    switch (to.kind) {
      case "line":
        return to.line;
      case "more":
        return this.#read + to.count;
      case "multiple":
        return to.of === 0 ? this.#read : Math.ceil(this.#read / to.of) * to.of;
      case "last":
        return this.#isLast ? this.#read : "open";
      default:
        return "open";
    }
  }

  #substitute({ pattern, replacement = [], nth = 1, all, print }: SedCommand): void {
    const matcher = this.#matcher(pattern);
    const text = this.#pattern;
    const found = matcher.all(text, all ? Infinity : nth).slice(nth - 1);
    if (found.length === 0) return;
    const hasGroups = replacement.some((piece) => piece.kind === "group" && piece.group > 0);
    this.#pattern = replaceSpans(text, found, (matched, span) => {
      const groups = hasGroups ? matcher.groups(text, span) : [matched];
      return written(replacement, (group) => group === 0 ? matched : groups[group] ?? "");
    });
    limitedLength(this.#pattern.length);
    this.#replaced = true;
    if (print) this.#write(this.#pattern, this.#ended);
  }
}

/** The text that pieces make, in the case that they ask for. */
function written(pieces: readonly SedPiece[], groupText: (group: number) => string): string {
  let text = "", lasting = "E", once = "";
  for (const piece of pieces) {
    if (piece.kind === "case") {
      if (/[ul]/.test(piece.letter)) once = piece.letter;
      else [lasting, once] = [piece.letter, ""];
      continue;
    }
    let part = piece.kind === "text" ? piece.text : groupText(piece.group);
    if (part === "") continue;
    if (lasting === "U") part = part.toUpperCase();
    else if (lasting === "L") part = part.toLowerCase();
    if (once !== "") {
      const [first = "", ...rest] = part;
      part = (once === "u" ? first.toUpperCase() : first.toLowerCase()) + rest.join("");
      once = "";
    }
    text += part;
  }
  return text;
}
