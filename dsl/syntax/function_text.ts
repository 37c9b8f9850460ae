/**
 * Functions and commands as text, laid out as bash lays it out for `type`, `declare -f` and BASH_COMMAND. Words stand as they were written.
 *
 * *Differs from bash*: what stands between `[[` and `]]` and in `$( )` keeps its own blanks.
 *
 * @module
 */
import type * as ast from "./ast.ts";
import { originOf } from "./origin.ts";

/** `NAME () { … }`; the body must have come from a text. */
export function functionText(name: string, body: ast.Command): string {
  const source = originOf(body)?.source.text;
  if (source === undefined) throw new Error(`the function ${name} comes from no text`);
  return new FunctionPrinter(source).print(name, body) + "\n";
}

/** A command as BASH_COMMAND has it. @param listed the command of a list that it is, or is part of */
export function commandText(command: ast.Command, listed: ast.ListItem): string {
  const source = originOf(listed)?.source.text;
  return source === undefined ? "" : new FunctionPrinter(source).command(command);
}

const STEP = 4;

class FunctionPrinter {
  #indent = 0;
  /** Here-documents whose operator has been printed: they follow the line. */
  #pending: string[] = [];
  /** A here-document was the last thing: the line has ended, and no `;` may follow. */
  #afterDocument = false;

  constructor(readonly source: string) {}

  print(name: string, body: ast.Command): string {
    // A body that is no group gets one, which has its redirections.
    const isGroup = body.kind === "group" && !body.subshell;
    this.#indent += STEP;
    const inner = isGroup ? this.#list(body.body) : this.#command(body);
    const documents = this.#documents("");
    this.#indent -= STEP;
    const redirects = isGroup ? this.#redirects(body) : "";
    this.#afterDocument = false;
    return `${name} () \n${this.#margin}{ \n${this.#margin}${" ".repeat(STEP)}${inner}${documents}\n` +
      `${this.#margin}}${redirects}`;
  }

  /** One command, and the here-documents of it. */
  command(command: ast.Command): string {
    return this.#command(command) + this.#documents("");
  }

  get #margin(): string {
    return " ".repeat(this.#indent);
  }

  #written({ start, end }: ast.Span): string {
    const text = this.source.slice(start, end);
    return text.includes("'") ? text : text.replaceAll("\\\n", "");
  }

  /** The commands of a list, each on a line of its own, but behind `&`. */
  #list({ items }: ast.List): string {
    let text = "";
    for (const [i, { command, background }] of items.entries()) {
      text += this.#andOr(command);
      if (i > 0) text += this.#documents("");
      const isLast = i === items.length - 1;
      if (background) text += this.#documents(" &") + (isLast ? "" : " ");
      else if (!isLast) text += `${this.#separator()}\n${this.#margin}`;
    }
    return text;
  }

  /** `;`, or what stands instead of it where a here-document ends the line. */
  #separator(): string {
    if (this.#pending.length > 0) return this.#documents("");
    const mark = this.#afterDocument ? "" : ";";
    this.#afterDocument = false;
    return mark;
  }

  #andOr({ first, rest }: ast.AndOr): string {
    let text = this.#pipeline(first);
    for (const { operator, pipeline } of rest) {
      text += this.#documents(` ${operator} `) + this.#pipeline(pipeline) + this.#documents("");
    }
    return text;
  }

  #pipeline({ negated, commands, merged }: ast.Pipeline): string {
    let text = negated ? "! " : "";
    for (const [i, command] of commands.entries()) {
      const messages = merged[i - 1] === true ? " 2>&1" : "";
      text += (i === 0 ? "" : this.#documents(`${messages} |`) + " ") + this.#command(command);
    }
    return commands.length === 1 ? text : text + this.#documents("");
  }

  /** What joins two commands, and the here-documents that wait for it. */
  #documents(joint: string): string {
    if (this.#pending.length === 0) return joint;
    const text = `${joint}\n${this.#pending.join("")}`;
    this.#pending = [];
    this.#afterDocument = true;
    return joint === "" ? text : text + " ";
  }

  /** A list inside a command, and what ends it. */
  #body(list: ast.List): string {
    this.#indent += STEP;
    const text = `${this.#margin}${this.#list(list)}${this.#documents("")}`;
    this.#indent -= STEP;
    return text + this.#semicolon(text);
  }

  #semicolon(text: string): string {
    return /[&\n]$/.test(text) ? "" : ";";
  }

  #condition(list: ast.List): string {
    const text = this.#list(list);
    return text + this.#semicolon(text);
  }

  #command(command: ast.Command): string {
    if (command.kind === "function") return this.print(command.name, command.body);
    const text = command.kind === "simple" ? this.#simple(command) : this.#compound(command);
    return text + this.#redirects(command, text === "" ? "" : " ");
  }

  #simple({ assignments, words }: ast.SimpleCommand): string {
    return [...assignments, ...words].map((one) => this.#part(one)).join(" ");
  }

  #part(part: ast.Assignment | ast.Word): string {
    if (part.kind === "word") return this.#written(part.span);
    const operator = part.append ? "+=" : "=";
    if (part.kind === "array") {
      const elements = part.elements.map(({ key, value }) => {
        return (key === undefined ? "" : `[${this.#written(key.span)}]=`) + this.#word(value);
      });
      return `${part.name}${operator}(${elements.join(" ")})`;
    }
    const subscript = part.subscript === undefined ? "" : `[${this.#written(part.subscript.span)}]`;
    return `${part.name}${subscript}${operator}${this.#word(part.value)}`;
  }

  /** A value; an empty one has the place of its assignment. */
  #word({ parts, span }: ast.Word): string {
    return parts.length === 0 ? "" : this.#written(span);
  }

  #compound(command: Exclude<ast.Command, ast.SimpleCommand | ast.FunctionDefinition>): string {
    const margin = this.#margin;
    switch (command.kind) {
      case "group":
        if (command.subshell) return `( ${this.#list(command.body)}${this.#documents("")} )`;
        return `{ \n${this.#body(command.body).replace(/;$/, "")}\n${margin}}`;
      case "if":
        return this.#if(command.arms, command.otherwise);
      case "for": {
        const words = command.words?.map(({ span }) => this.#written(span)).join(" ") ?? '"$@"';
        return `for ${command.name} in ${words};\n${margin}do\n${this.#body(command.body)}\n${margin}done`;
      }
      case "arithmetic-for": {
        const parts = [command.start, command.condition, command.step].map((one) => one?.text.trim() ?? "1");
        return `for ((${parts.join("; ")}))\n${margin}do\n${this.#body(command.body)}\n${margin}done`;
      }
      case "loop": {
        const word = command.until ? "until" : "while";
        return `${word} ${this.#condition(command.condition)} do\n${this.#body(command.body)}\n${margin}done`;
      }
      case "case":
        return this.#case(command);
      default: // [[ ]], (( )), and what bash does not know
        return this.#written(command.span).replace(/\s*\n\s*/g, " ");
    }
  }

  #if([arm, ...others]: ast.If["arms"], otherwise: ast.List | undefined): string {
    const margin = this.#margin;
    let text = `if ${this.#condition(arm!.condition)} then\n${this.#body(arm!.body)}\n${margin}`;
    if (others.length > 0) {
      this.#indent += STEP;
      text += `else\n${this.#margin}${this.#if(others, otherwise)};\n${margin}`;
      this.#indent -= STEP;
    } else if (otherwise !== undefined) text += `else\n${this.#body(otherwise)}\n${margin}`;
    return text + "fi";
  }

  #case({ subject, items }: ast.Case): string {
    const margin = this.#margin;
    this.#indent += STEP;
    let text = `case ${this.#written(subject.span)} in `;
    for (const { patterns, body, end } of items) {
      text += `\n${this.#margin}${patterns.map(({ span }) => this.#written(span)).join(" | ")})\n`;
      text += `${body.items.length === 0 ? "" : this.#body(body).replace(/;$/, "")}\n${this.#margin}${end}`;
    }
    this.#indent -= STEP;
    return `${text}\n${margin}esac`;
  }

  /** Redirections in their order, with a blank before each. */
  #redirects({ redirects }: ast.Command, blank = " "): string {
    if (redirects.length > 0) this.#afterDocument = false;
    return redirects.map((redirect, i) => (i === 0 ? blank : " ") + this.#redirect(redirect)).join("");
  }

  #redirect(redirect: ast.Redirect): string {
    const isInput = redirect.kind === "text" || redirect.operator.startsWith("<");
    // bash writes the number that an operator has by itself before these, and before no others.
    const isNumbered = redirect.kind === "duplicate" ||
      (redirect.kind === "file" && redirect.operator === "<>");
    const own = isInput ? 0 : 1;
    const fd = isNumbered ? redirect.fd ?? own : redirect.fd === own ? "" : redirect.fd ?? "";
    switch (redirect.kind) {
      case "duplicate": {
        const target = this.#written(redirect.target.span);
        return `${fd}${target === "-" ? ">&" : redirect.operator}${target}`;
      }
      case "file":
        return `${fd}${redirect.operator} ${this.#written(redirect.target.span)}`;
      case "text": {
        if (redirect.document === undefined) return `${fd}<<< ${this.#written(redirect.body.span)}`;
        const [, dash, word = ""] = /<<(-?)[ \t]*([^]*)$/.exec(this.#written(redirect.body.span)) ?? [];
        this.#pending.push(`${redirect.document}${word.replace(/['"\\]/g, "")}\n`);
        return `${fd}<<${dash}${word}`;
      }
    }
  }
}
