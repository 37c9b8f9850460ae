import { isErrno } from "../ports.ts";
import type { Coroutine } from "../jobs.ts";
import type { Command } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `read`. */
const doc = `read - a line of standard input, split over variables
Usage: read [-r] [-a ARRAY] [-d DELIMITER] [-p PROMPT] [-u FD] [NAME]…
Effects: reads one line and splits it by IFS over the names, the rest to the last (REPLY without names); -r leaves
  backslashes alone
Exit status: 0, or 1 at the end of the input
Errors: N: invalid file descriptor
Differs from the real one: no -t, -n, -N, -s, -e, -i
Examples: read cpu rest < /proc/stat; echo $cpu`;

export const read: Command = {
  name: "read",
  kind: "builtin",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "ra:d:p:u:");
    if (typeof options === "string") return context.complain(options, 2);
    const { shell, name } = context;
    const { flags, values, operands } = options;
    const fd = Number(values.get("u") ?? 0);
    const description = shell.descriptors.get(fd);
    if (description === undefined) {
      return context.complain(`${values.get("u") ?? "0"}: invalid file descriptor`);
    }
    if (shell.interactive) shell.err(values.get("p") ?? "");
    const reader = { machine: shell.machine, name, launch: shell.launch([name]) };
    const delimiter = values.has("d") ? (values.get("d") ?? "")[0] ?? "\0" : "\n";
    let text = "";
    let ended = false;
    for (;;) {
      const line = yield* description.readLine(reader, delimiter);
      if (isErrno(line)) return context.complain(`read error: ${fd}: ${line.message}`);
      ended = line === undefined || !line.endsWith(delimiter);
      text += line === undefined ? "" : ended ? line : line.slice(0, -1);
      // Without -r a backslash at the end of a line joins it with the next.
      if (flags.has("r") || ended || !/(^|[^\\])(\\\\)*\\$/.test(text)) break;
      text = text.slice(0, -1);
    }
    const array = values.get("a");
    if (array !== undefined) {
      const elements = shell.array(array);
      elements.clear();
      splitLine(text, shell.ifs, Infinity, flags.has("r")).forEach((field, i) =>
        elements.set(String(i), field)
      );
    } else if (operands.length === 0) {
      shell.set("REPLY", flags.has("r") ? text : text.replace(/\\([\s\S])/g, "$1"));
    } else {
      const fields = splitLine(text, shell.ifs, operands.length, flags.has("r"));
      operands.forEach((operand, i) => shell.set(operand, fields[i] ?? ""));
    }
    return ended ? 1 : 0;
  },
};

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
