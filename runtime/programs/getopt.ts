/**
 * Command lines as getopt_long() reads them, and the complaints of the GNU tools about them (texts of Debian 12).
 *
 * @module
 */

import type { Program, ProgramProcess } from "./program.ts";

/** The options of a program. */
export interface OptionTable {
  /** Letters of options without a value. */
  readonly flags?: string;
  /** Letters of options with a value. */
  readonly values?: string;
  /** Letters of options whose value may be left out, and is part of the word otherwise: `-eX`, `--extended=X`. */
  readonly optional?: string;
  /** Long names, and the letters that they stand for. */
  readonly long?: Readonly<Record<string, string>>;
  /** Letters and long names of the real tool that are known and refused. */
  readonly notModelled?: readonly string[];
  /** The first word that is no option ends them: what follows belongs to another command. */
  readonly commandFollows?: boolean;
  /** Takes no other words: the first is complained about. */
  readonly noOperands?: boolean;
}

/** An option that was given. */
export interface ParsedOption {
  /** Its letter, of a long one too. */
  readonly letter: string;
  /** Its value; empty where there is none. */
  readonly value: string;
  /** Its value has been left out, of one that may do without. */
  readonly bare?: boolean;
}

/** A command line that was understood. */
export interface ParsedOptions {
  /** Options in the order given, by their letters. */
  readonly options: readonly ParsedOption[];
  /** The other words. */
  readonly operands: readonly string[];
}

/** Asks for options by their letters: whether they were given, and their last value. */
export function given({ options }: ParsedOptions): {
  has(letter: string): boolean;
  value(letter: string): string | undefined;
} {
  return {
    has: (letter) => options.some((option) => option.letter === letter),
    value: (letter) => options.findLast((option) => option.letter === letter)?.value,
  };
}

/** Reads the words after the name. Returns a complaint, without the name, where it cannot. */
export function getopt(args: readonly string[], table: OptionTable): ParsedOptions | string {
  const { flags = "", values = "", optional = "", long = {}, notModelled = [] } = table;
  const { commandFollows = false, noOperands = false } = table;
  const options: ParsedOption[] = [];
  const operands: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === "--") {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (word.startsWith("--")) {
      const [name = "", given] = word.slice(2).split("=", 2);
      if (name === "help") return "--help";
      if (notModelled.includes(name)) return `option --${name} is not modelled`;
      const letter = long[name];
      if (letter === undefined) return `unrecognized option '--${name}'`;
      if (optional.includes(letter)) {
        options.push({ letter, value: given ?? "", bare: given === undefined });
        continue;
      }
      if (!values.includes(letter)) {
        if (given !== undefined) return `option '--${name}' doesn't allow an argument`;
        options.push({ letter, value: "" });
        continue;
      }
      const value = given ?? args[++i];
      if (value === undefined) return `option '--${name}' requires an argument`;
      options.push({ letter, value });
      continue;
    }
    if (!word.startsWith("-") || word === "-") {
      if (commandFollows) {
        operands.push(...args.slice(i));
        break;
      }
      operands.push(word);
      continue;
    }
    for (let k = 1; k < word.length; k++) {
      const letter = word[k]!;
      if (notModelled.includes(letter)) return `option -${letter} is not modelled`;
      if (flags.includes(letter)) {
        options.push({ letter, value: "" });
        continue;
      }
      if (optional.includes(letter)) {
        options.push({ letter, value: word.slice(k + 1), bare: k + 1 === word.length });
        break;
      }
      if (!values.includes(letter)) return `invalid option -- '${letter}'`;
      const value = word.slice(k + 1) || args[++i];
      if (value === undefined) return `option requires an argument -- '${letter}'`;
      options.push({ letter, value });
      break;
    }
  }
  if (noOperands && operands.length > 0) return `extra operand ‘${operands[0]}’`;
  return { options, operands };
}

/** Prints a complaint as the GNU tools do, or the help that was asked for. Returns the exit status. */
export function complain(command: ProgramProcess, program: Program, complaint: string): number {
  if (complaint === "--help") {
    command.stdout(`${program.doc}\n`);
    return 0;
  }
  command.stderr(`${program.name}: ${complaint}\n`);
  if (!complaint.endsWith("is not modelled")) {
    command.stderr(`Try '${program.name} --help' for more information.\n`);
  }
  return 1;
}
