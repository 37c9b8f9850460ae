import { exitReasonNamed, exitReasonNames } from "../../runtime/lab/views/exits.ts";
import type { Command } from "../commands/command.ts";
import type { Session } from "../session/session.ts";
import type { TraceFilter } from "../session/tracing.ts";
import { unknownName } from "../shell/unknown_name.ts";

/** `trace`. */
const doc = `trace - prints kernel events while time goes on
Usage: trace [on | off | FILE | EVENT [FIELD=VALUE]...]
Effects: from now on every event of the host's kernel and its KVM is printed as it happens, in the lines of ftrace; off ends
  it. With EVENT only that one, by its name with or without kvm_, where its fields have those values; cpu=N is the
  processor. Several such words in a row are taken together. With FILE they go there, up to off, as ftrace's own text: a
  name with .txt, .trace or .ftrace at its end, of the computer that rtkvm runs on, which needs its permission. Without an operand, which events there are. The buffer in
  /sys/kernel/debug/tracing stays as it is
Exit status: 0; 1 if the file cannot be written; 2 for an event, exit reason or form of a file that is none
Examples: trace exit reason=1
  trace exit reason=EXTERNAL_INTERRUPT cpu=3
  trace sched_switch; run 2ms; trace off
  trace exit; trace exits.txt; run 10ms; trace off`;

/** Names of files that are ftrace's text. */
const TEXT = /\.(txt|trace|ftrace)$/;
/** Why a trace cannot go to a file of that name; undefined: it can. */
export function traceNameProblem(path: string): string | undefined {
  return TEXT.test(path)
    ? undefined
    : "only ftrace's text is written, to a name with .txt, .trace or .ftrace at its end";
}

/** The word of a session. */
export function trace(session: Session): Command {
  return {
    name: "trace",
    kind: "laboratory",
    doc,
    run(context) {
      const [first, ...more] = context.args;
      const { tracing, lab } = session;
      const events = lab.software.ftrace.options.events.map(({ name }) => name);
      if (first === undefined) {
        const on = tracing.filters?.map(filterText);
        const where = tracing.path === undefined ? "" : `, to ${tracing.path}`;
        context.out(
          `trace is ${on === undefined ? "off" : on.length === 0 ? "on" : `on: ${on.join("; ")}`}${where}\n`,
        );
        context.out(`events: ${events.join(" ")}\n`);
        return 0;
      }
      if (first === "on" || first === "off") {
        if (more.length > 0) return context.complain(`"${more.join(" ")}": expected no more words`, 2);
        const { path } = tracing;
        const lines = tracing.set(first === "on" ? [] : null);
        if (path !== undefined && first === "off") {
          context.out(`${path}: ${lines} ${lines === 1 ? "event" : "events"}\n`);
        }
        return 0;
      }
      if (/[./]/.test(first)) {
        if (more.length > 0) return context.complain(`"${more.join(" ")}": expected no more words`, 2);
        const refused = traceNameProblem(first);
        if (refused !== undefined) return context.complain(`${first}: ${refused}`, 2);
        const problem = tracing.writeTo(first);
        return problem === undefined ? 0 : context.complain(`${first}: ${problem}`);
      }
      const filter = parseFilter(first, more, events);
      if (typeof filter === "string") return context.complain(filter, 2);
      tracing.set([...tracing.filters ?? [], filter]);
      return 0;
    },
  };
}

function filterText({ event, fields }: TraceFilter): string {
  return [event, ...[...fields].map(([key, value]) => `${key}=${value}`)].join(" ");
}

/** Reads `EVENT FIELD=VALUE…`; a text says what is wrong. */
function parseFilter(word: string, more: readonly string[], events: readonly string[]): TraceFilter | string {
  const event = events.find((name) => name === word || name === `kvm_${word}`);
  if (event === undefined) {
    return unknownName("event", word, [
      "on",
      "off",
      ...events.map((name) => name.replace("kvm_", "")),
    ]);
  }
  const fields = new Map<string, string | number>();
  for (const each of more) {
    const [, key, value] = /^(\w+)=(.+)$/.exec(each) ?? [];
    if (key === undefined || value === undefined) return `"${each}": expected FIELD=VALUE, as in reason=1`;
    const number = /^(0x[\da-f]+|\d+)$/i.test(value) ? Number(value) : undefined;
    const named = event === "kvm_exit" && key === "reason"
      ? number ?? exitReasonNamed(value)
      : number ?? value;
    if (named === undefined) return unknownName("exit reason", value, exitReasonNames());
    fields.set(key, named);
  }
  return { event, fields };
}
