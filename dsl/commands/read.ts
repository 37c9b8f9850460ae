import { Deadline, type Description, type Reader, timedOut } from "../shell/descriptors.ts";
import { evaluateText } from "../shell/expand.ts";
import type { Coroutine, Request } from "../shell/jobs.ts";
import { type Errno, isErrno } from "../shell/ports.ts";
import type { Shell } from "../shell/state.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `read`. */
const doc = `read - a line of standard input, split over variables
Usage: read [-r] [-a ARRAY] [-d DELIMITER] [-n COUNT | -N COUNT] [-p PROMPT] [-t SECONDS] [-u FD] [NAME]…
Effects: reads one line and splits it by IFS over the names, the rest to the last (REPLY without names); -r leaves
  backslashes alone, -n ends after so many characters, -N reads just so many and splits nothing, -t waits so long (0:
  only asks whether there is something)
Exit status: 0, or 1 at the end of the input, 142 if the time has passed
Errors: N: invalid file descriptor; \`NAME': not a valid identifier; N: invalid number; N: invalid timeout specification
Differs from the real one: no -s, -e, -i
Examples: read cpu rest < /proc/stat; echo $cpu`;

export const read: Command = {
  name: "read",
  kind: "builtin",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "ra:d:n:N:p:t:u:");
    if (typeof options === "string") return context.complain(options, 2);
    const { shell, name } = context;
    const { flags, values, operands } = options;
    for (const letter of ["n", "N"]) {
      const count = values.get(letter);
      if (count !== undefined && !/^\d+$/.test(count)) return context.complain(`${count}: invalid number`);
    }
    const timeout = values.get("t");
    if (timeout !== undefined && !/^(\d+\.?\d*|\.\d+)$/.test(timeout)) {
      return context.complain(`${timeout}: invalid timeout specification`);
    }
    const array = values.get("a");
    const first = array ?? operands[0] ?? "REPLY";
    if (!isName(first)) return context.complain(`\`${first}': not a valid identifier`);
    const fd = Number(values.get("u") ?? 0);
    const description = shell.descriptors.get(fd);
    if (description === undefined) {
      return context.complain(`${values.get("u") ?? "0"}: invalid file descriptor`);
    }
    if (timeout !== undefined && Number(timeout) === 0) return description.isReady ? 0 : 1;
    if (shell.interactive) shell.err(values.get("p") ?? "");
    const { machine } = shell;
    const launch = shell.launch([name]);
    const deadline = timeout === undefined
      ? undefined
      : new Deadline(machine, "bash", launch, Math.round(Number(timeout) * 1e9));
    const line = yield* readText(description, { machine, name, launch, deadline }, {
      raw: flags.has("r"),
      delimiter: values.has("N") ? undefined : values.has("d") ? values.get("d")![0] ?? "\0" : "\n",
      most: Number(values.get("N") ?? values.get("n") ?? Infinity),
    });
    deadline?.cancel();
    if (isErrno(line)) return context.complain(`read error: ${fd}: ${line.message}`);
    const { text, status } = line;
    const whole = flags.has("r") ? text : text.replace(/\\([\s\S])/g, "$1");
    const split = (count: number) => {
      if (values.has("N")) return [whole];
      return splitLine(text, shell.ifs, count, flags.has("r"));
    };
    if (array !== undefined) {
      const elements = shell.array(array);
      elements.clear();
      split(Infinity).forEach((field, i) => elements.set(String(i), field));
    } else if (operands.length === 0) shell.set("REPLY", whole);
    else {
      const fields = split(operands.length);
      for (const [i, operand] of operands.entries()) {
        if (!isName(operand)) return context.complain(`\`${operand}': not a valid identifier`);
        yield* setNamed(shell, operand, fields[i] ?? "");
      }
    }
    return status;
  },
};

/** The status of a read that did not get enough in its time: 128 + SIGALRM. */
const TIMED_OUT = 142;

function isName(text: string): boolean {
  return /^[A-Za-z_]\w*(\[.+\])?$/s.test(text);
}

/** Sets `NAME` or `NAME[SUBSCRIPT]`. */
function* setNamed(shell: Shell, name: string, value: string): Generator<Request, void, unknown> {
  const [, array = "", subscript] = /^(\w+)\[(.+)\]$/s.exec(name) ?? [];
  if (subscript === undefined) shell.set(name, value);
  else {
    const isAssociative = shell.variables.get(array)?.associative === true;
    const key = isAssociative ? subscript : String(yield* evaluateText(shell, subscript));
    shell.array(array).set(key, value);
  }
}

/** How much {@linkcode readText} reads. */
interface Amount {
  /** A backslash is a character like others; otherwise it stays, before the one whose meaning it takes. */
  readonly raw: boolean;
  /** Where it ends; undefined: only after as many characters as are wanted. */
  readonly delimiter: string | undefined;
  /** How many characters at most. */
  readonly most: number;
}

/** What there is up to the delimiter, and the status of having read it. */
function* readText(
  description: Description,
  reader: Reader,
  { raw, delimiter, most }: Amount,
): Generator<Request, { text: string; status: number } | Errno, unknown> {
  let text = "";
  const answer = (end: Errno | undefined) =>
    end === timedOut ? { text, status: TIMED_OUT } : end ?? { text, status: 1 };
  for (let count = 0; count < most; count++) {
    if (delimiter !== undefined && most === Infinity && reader.deadline === undefined) {
      const line = yield* description.readLine(reader, delimiter);
      if (line === undefined || isErrno(line)) return answer(line);
      const hasEnded = !line.endsWith(delimiter);
      text += hasEnded ? line : line.slice(0, -1);
      if (hasEnded) return answer(undefined);
      // Without -r a backslash at the end of a line joins it with the next.
      if (raw || !/(^|[^\\])(\\\\)*\\$/.test(text)) break;
      text = text.slice(0, -1);
      continue;
    }
    const c = yield* description.readCharacter(reader);
    if (c === undefined || isErrno(c)) return answer(c);
    if (c === delimiter) break;
    if (raw || c !== "\\") {
      text += c;
      continue;
    }
    const next = yield* description.readCharacter(reader);
    if (next === undefined || isErrno(next)) return answer(next);
    if (next !== "\n") text += c + next;
    else count--;
  }
  return { text, status: 0 };
}

/** Splits a line into at most `count` fields; the last gets the rest, with its delimiters. */
function splitLine(line: string, ifs: string, count: number, raw: boolean): string[] {
  const characters: { c: string; literal: boolean }[] = [];
  for (let i = 0; i < line.length; i++) {
    if (!raw && line[i] === "\\" && i + 1 < line.length) {
      characters.push({ c: line[++i] ?? "", literal: true });
    } else characters.push({ c: line[i] ?? "", literal: false });
  }
  const isBlank = (i: number) => {
    const at = characters[i];
    return at !== undefined && !at.literal && ifs.includes(at.c) && " \t\n".includes(at.c);
  };
  const isMark = (i: number) => {
    const at = characters[i];
    return at !== undefined && !at.literal && ifs.includes(at.c) && !" \t\n".includes(at.c);
  };
  const fields: string[] = [];
  let at = 0;
  while (isBlank(at)) at++;
  while (at < characters.length && fields.length < count) {
    const start = at;
    if (fields.length === count - 1) {
      let end = characters.length;
      while (end > start && isBlank(end - 1)) end--;
      // One delimiter that only ends the last field is dropped.
      const marks = characters.slice(start, end).filter((_, i) => isMark(start + i)).length;
      if (marks === 1 && isMark(end - 1)) end--;
      fields.push(characters.slice(start, end).map(({ c }) => c).join(""));
      break;
    }
    while (at < characters.length && !isBlank(at) && !isMark(at)) at++;
    fields.push(characters.slice(start, at).map(({ c }) => c).join(""));
    while (isBlank(at)) at++;
    if (isMark(at)) {
      at++;
      while (isBlank(at)) at++;
    }
  }
  return fields;
}
