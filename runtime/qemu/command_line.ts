/**
 * A command line of QEMU: its words as options with arguments, and how QEMU complains about one.
 *
 * *Document*: `qemu-doc`, "Invocation"; `vl.c`, the loop over `argv`.
 *
 * @module
 */

import { type QemuEra, RELEASES } from "./era.ts";
import { parseKeyValues } from "./key_values.ts";
import { OPTIONS } from "./option_table.ts";

/** QEMU ends before it makes a machine: an error, `-help` or `-version`. */
export class QemuEnds {
  constructor(
    /** 1 for an error, 0 for information that was asked for. */
    readonly status: 0 | 1,
    readonly stdout: readonly string[],
    readonly stderr: readonly string[],
  ) {}
}

/** Internal control flow only: {@linkcode endsOf} turns it into a result. */
class Stop extends Error {
  constructor(readonly ends: QemuEnds) {
    super("QEMU ends");
  }
}

/** What `work` answers, or how QEMU ended in the middle of it. */
export function endsOf<T>(work: () => T): T | QemuEnds {
  try {
    return work();
  } catch (stop) {
    if (stop instanceof Stop) return stop.ends;
    throw stop;
  }
}

/** One option as typed. */
export interface Given {
  /** Without its dashes; empty for a bare word, which is a disk image. */
  readonly option: string;
  readonly argument: string;
  /** Its words, as messages show them: `-m 1x`. */
  readonly words: string;
}

/** The words of one command. */
export class CommandLine {
  /** By which name QEMU calls itself: the last part of the path. */
  readonly program: string;
  /** The options, in the order in which they were typed. */
  readonly given: Given[] = [];
  /** Lines for standard error that stop nothing. */
  readonly warnings: string[] = [];

  /**
   * Reads the words, left to right, and stops at the first that is wrong in itself.
   *
   * @param check what QEMU finds wrong with an argument as soon as it reads it
   */
  constructor(
    argv: readonly string[],
    readonly era: QemuEra,
    check: (line: CommandLine, given: Given) => void,
  ) {
    this.program = (argv[0] ?? "qemu-kvm").replace(/^.*\//, "");
    for (let i = 1; i < argv.length; i++) {
      const word = argv[i]!;
      if (!word.startsWith("-")) {
        this.given.push({ option: "", argument: word, words: word });
        continue;
      }
      const option = word.replace(/^--?/, "");
      const row = OPTIONS[era].get(option);
      const bare = { option, argument: "", words: word };
      if (row === undefined) this.fail("invalid option", bare);
      if (row.hasArgument && i + 1 >= argv.length) this.fail("requires an argument", bare);
      const argument = row.hasArgument ? argv[++i]! : "";
      const given = { option, argument, words: row.hasArgument ? `${word} ${argument}` : word };
      if (row.treatment === "unmodelled") this.fail("this option is not modelled", given);
      check(this, given);
      this.given.push(given);
    }
  }

  /** QEMU prints a message and exits. `at` is the option that the message is about. */
  fail(message: string, at?: Given, ...hints: readonly string[]): never {
    throw new Stop(new QemuEnds(1, [], [...this.warnings, this.#message(message, at), ...hints]));
  }

  /** QEMU exits with lines that are not in the usual form. */
  failWith(...lines: readonly string[]): never {
    throw new Stop(new QemuEnds(1, [], [...this.warnings, ...lines]));
  }

  /** QEMU answers what it was asked for, and ends. */
  answer(...lines: readonly string[]): never {
    throw new Stop(new QemuEnds(0, lines, []));
  }

  /** QEMU prints a warning, and goes on. */
  warn(message: string, at?: Given): void {
    this.warnings.push(this.#message(`warning: ${message}`, at));
  }

  #message(message: string, at?: Given): string {
    return `${this.program}: ${at === undefined ? "" : `${at.words}: `}${message}`;
  }

  /** The last one of these options. */
  last(...options: string[]): Given | undefined {
    return this.given.findLast(({ option }) => options.includes(option));
  }

  /** All of these options, in order. */
  all(...options: string[]): Given[] {
    return this.given.filter(({ option }) => options.includes(option));
  }

  /** Whether the option was given. */
  has(option: string): boolean {
    return this.last(option) !== undefined;
  }

  /** Refuses a key that a list of this option does not have. */
  checkKey(key: string, known: Iterable<string>, given: Given): void {
    if (![...known].includes(key)) this.fail(`Invalid parameter '${key}'`, given);
  }

  /** Refuses a value that is no switch. */
  checkSwitch(key: string, value: string, given?: Given): void {
    if (!/^(on|off)$/.test(value)) this.fail(`Parameter '${key}' expects 'on' or 'off'`, given);
  }

  /** Refuses an `id=` that is no identifier, or that an option of the same kind has already. */
  checkId(id: string, kind: string, given: Given): void {
    if (!/^[A-Za-z][A-Za-z0-9._-]*$/.test(id)) {
      this.fail(
        "Parameter 'id' expects an identifier",
        given,
        "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.",
      );
    }
    const others = this.all(given.option);
    if (others.some(({ argument }) => parseKeyValues(argument, "").get("id") === id)) {
      this.fail(`Duplicate ID '${id}' for ${kind}`, given);
    }
  }

  /** `-help`. */
  help(): never {
    this.answer(...RELEASES[this.era].banner, `usage: ${this.program} [options] [disk_image]`);
  }
}
