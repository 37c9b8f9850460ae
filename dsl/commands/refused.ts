import type { Command } from "./command.ts";

/** Names that a shell has and this language does not: refused by name. */
const docOf = (name: string, reason: string) =>
  `${name} - not in this language: ${reason}
Usage: ${name} [ARGUMENT]…
Effects: none
Exit status: 2
Errors: not in this language: ${reason}
Differs from the real one: job control, aliases, history and coprocesses are left out on purpose
Examples: ${name} || echo $?`;

const reasons: Readonly<Record<string, string>> = {
  alias: "use a function",
  bg: "jobs are started with & and ended with kill",
  coproc: "use a pipeline or <( )",
  disown: "jobs are started with & and ended with kill",
  fc: "there is no history in the language",
  fg: "wait for a job with wait",
  history: "there is no history in the language",
  jobs: "job control is left out",
  select: "use case",
  time: "durations are those of the simulation: see help show",
  suspend: "job control is left out",
  unalias: "use a function",
};

export const refused: readonly Command[] = Object.entries(reasons).map(([name, reason]): Command => ({
  name,
  kind: "builtin",
  doc: docOf(name, reason),
  run: (context) => context.complain(`not in this language: ${reason}`, 2),
}));
