import { closest } from "../../runtime/lab/spelling.ts";
import type { Command } from "../commands/command.ts";
import { commands } from "../commands/index.ts";
import { isRefused, manualOf } from "../shell/manual.ts";
import { notModelled } from "../shell/not_modelled.ts";
import type { Program } from "../shell/ports.ts";
import type { Session } from "../session/session.ts";

/** `help`. */
const doc = `help - the manual of every command
Usage: help [NAME]
Effects: lists every command there is, a line each, or prints the manual of one: a word of the laboratory, a built-in, a
  filter, a program, a C call; or what a request of KVM or a structure of its interface is
Exit status: 0; 1 if there is no such command
Examples: help
  help show
  help cyclictest`;

/** The word of a session; `words` are all of its words. */
export function help(session: Session, words: () => readonly Command[]): Command {
  return {
    name: "help",
    kind: "laboratory",
    doc,
    complete: (before) => before.length === 0 ? helpTopics(session, words()) : [],
    run(context) {
      const [name, ...more] = context.args;
      if (more.length > 0) return context.complain("expected help [NAME]", 2);
      const { programs, calls } = context.shell.machine;
      if (name === undefined) {
        context.out(overview(words(), [...programs.values()], calls?.manuals ?? []));
        return 0;
      }
      const found = words().find((word) => word.name === name) ?? commands.get(name) ?? programs.get(name) ??
        session.lab.computer("vm0")?.programs.get(name);
      const doc = found?.doc ?? calls?.help?.(name);
      if (doc === undefined) {
        const instead = notModelled(name);
        if (instead !== undefined) return context.complain(instead);
        const meant = closest(name, helpTopics(session, words()));
        return context.complain(
          `no word "${name}"${meant === undefined ? "; help lists all" : `: did you mean ${meant}?`}`,
        );
      }
      context.out(`${doc}\n`);
      return 0;
    },
  };
}

/** Whatever has a manual. */
function helpTopics({ shell: { machine } }: Session, words: readonly Command[]): string[] {
  return [
    ...words.map((word) => word.name),
    ...commands.keys(),
    ...machine.programs.keys(),
    ...machine.calls?.helpWords ?? [],
  ];
}

/** Every command in a line, by what it belongs to. */
function overview(
  words: readonly Command[],
  programs: readonly Program[],
  calls: readonly { readonly name: string; readonly doc: string }[],
): string {
  const byName = (a: { readonly name: string }, b: { readonly name: string }) => a.name < b.name ? -1 : 1;
  const of = (...kinds: Command["kind"][]) =>
    [...commands.values()].filter(({ kind, doc }) => kinds.includes(kind) && !isRefused(doc)).sort(byName);
  return [
    ...part("The laboratory's words", words),
    ...part("Programs", [...programs].sort(byName)),
    ...part("The shell's built-ins", of("special", "builtin")),
    ...part("Filters", of("filter")),
    ...part("C calls", calls),
    "help NAME says more. For example: help boot; help show",
    "",
  ].join("\n");
}

function part(title: string, commands: readonly { readonly name: string; readonly doc: string }[]): string[] {
  return [`${title}:`, ...commands.map(({ name, doc }) => `  ${name.padEnd(18)} ${manualOf(doc).summary}`)];
}
