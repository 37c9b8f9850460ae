import { exitReasonNamed, exitReasonNames } from "../../runtime/lab/views/exits.ts";
import type { Command } from "../commands/command.ts";
import type { Session } from "../session.ts";
import type { TraceFilter } from "../tracing.ts";
import { unknownName } from "../unknown_name.ts";

/** `trace`. */
const doc = `trace - prints kernel events while time goes on
Usage: trace [on | off | EVENT [FIELD=VALUE]...]
Effects: from now on every event of the host's kernel and its KVM is printed as it happens, in the lines of ftrace; off ends
  it. With EVENT only that one, by its name with or without kvm_, where its fields have those values; cpu=N is the
  processor. Several such words in a row are taken together. Without an operand, which events there are. The buffer in
  /sys/kernel/debug/tracing stays as it is
Exit status: 0; 2 for an event or exit reason that is none
Examples: trace exit reason=1
  trace exit reason=EXTERNAL_INTERRUPT cpu=3
  trace sched_switch; run 2ms; trace off`;

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
        context.out(
          `trace is ${on === undefined ? "off" : on.length === 0 ? "on" : `on: ${on.join("; ")}`}\n`,
        );
        context.out(`events: ${events.join(" ")}\n`);
        return 0;
      }
      if (first === "on" || first === "off") {
        if (more.length > 0) return context.complain(`"${more.join(" ")}": expected no more words`, 2);
        tracing.set(first === "on" ? [] : null);
        return 0;
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
