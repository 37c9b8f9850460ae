import { closest } from "../../runtime/lab/spelling.ts";
import type { Command } from "../commands/command.ts";
import { commands } from "../commands/index.ts";
import type { Session } from "../session.ts";

/** `help`. */
export const doc = `Usage: help [WORD]
Effects: lists every word there is, or says how to use one: a word of the laboratory, a built-in, a filter or a program
Exit status: 0; 1 if there is no such word
Examples: help
  help show
  help cyclictest`;

/** The word of a session; \`words\` are all of its words. */
export function help(session: Session, words: () => readonly Command[]): Command {
  return {
    name: "help",
    kind: "laboratory",
    doc,
    run(context) {
      const [name, ...more] = context.args;
      if (more.length > 0) return context.complain("expected help [WORD]", 2);
      const { programs } = context.shell.machine;
      if (name === undefined) {
        context.out(overview(words(), [...programs.values()]));
        return 0;
      }
      const command = words().find((word) => word.name === name) ?? commands.get(name);
      const program = programs.get(name) ?? session.lab.computer("vm0")?.programs.get(name);
      if (command !== undefined) context.out(`${command.doc}\n`);
      else if (program !== undefined) {
        context.out(
          `${program.name}: ${program.summary}\n${program.doc === undefined ? "" : `${program.doc}\n`}`,
        );
      } else {
        const known = [...words().map((word) => word.name), ...commands.keys(), ...programs.keys()];
        const meant = closest(name, known);
        return context.complain(
          `no word "${name}"${meant === undefined ? "; help lists all" : `: did you mean ${meant}?`}`,
        );
      }
      return 0;
    },
  };
}

function overview(
  words: readonly Command[],
  programs: readonly { readonly name: string; readonly summary: string }[],
): string {
  const builtins = [...commands.values()].filter(({ doc: text }) => text !== "");
  const names = (kinds: readonly Command["kind"][]) =>
    wrap(builtins.filter(({ kind }) => kinds.includes(kind)).map((command) => command.name).sort());
  return [
    "The laboratory's words:",
    ...words.map((word) => `  ${(/^Usage: ([^\n]*)/.exec(word.doc)?.[1] ?? word.name)}`),
    "Programs:",
    ...programs.map((program) => `  ${program.name.padEnd(18)} ${program.summary}`),
    "The shell's built-ins:",
    ...names(["special", "builtin"]),
    "Filters:",
    ...names(["filter"]),
    "help WORD says more. For example: help boot; help show",
    "",
  ].join("\n");
}

/** Names in lines of at most 100 characters. */
function wrap(names: readonly string[]): string[] {
  const lines: string[] = [];
  let line = " ";
  for (const name of names) {
    if (line.length + name.length > 99) {
      lines.push(line);
      line = " ";
    }
    line += ` ${name}`;
  }
  return [...lines, line];
}
