import { TraceLog, type TraceRecord } from "../../hw/sim/trace.ts";
import { RegisterError, registerNamed } from "../../runtime/lab/views/registers.ts";
import type { Command } from "../commands/command.ts";
import { conditionWords } from "../session/condition_words.ts";
import { timeText } from "../session/duration.ts";
import type { Answer } from "../session/journal.ts";
import { RepetitionError } from "../session/repeat.ts";
import type { Session } from "../session/session.ts";
import { recordLine } from "./step.ts";

/** `why`. */
const whyDoc = `why - the chain of causes of the last event
Usage: why
Effects: what happened in the last event, then what had caused it, and so on back: requests, interrupts, exits, entries,
  injections, tracepoints. Steps of work in between are left out. The past is run again for it; nothing changes
Exit status: 0; 1 if the run cannot be repeated
Examples: run 1ms; why
  run until vector 0xef; why`;

/** `changed`. */
const changedDoc = `changed - the last event that changed a value
Usage: changed REGISTER
Effects: runs the past again and prints the last event with which the value became what it is, and what happened in it
  cpu3.state, cpu3.mode, cpu3.if, cpu3.exits   a processor
  cpu3.lapic.isr, vm0.lapic.irr                a local APIC, of a processor or a virtual CPU: isr, irr, tmr, tpr, ppr, svr,
                                               lvtt, tmict, tdcr
  vm0.vmcs.primary                             a control structure: pin-based, primary, entry-info, exit-reason
  msr-bitmap 0x80b                             whether a guest's write of the register exits
Exit status: 0; 1 if it has not changed since the boot, or the run cannot be repeated; 2 if there is no such register
Examples: run 5ms; changed cpu0.lapic.isr
  changed cpu3.state || true`;

/** How many causes are shown. */
const SHOWN = 12;
/** Records that say nothing but that work goes on. */
const WORK = new Set(["alarm", "work", "transition", "instruction", "iret"]);

/** The words of a session. */
export function whyWords(session: Session): Command[] {
  const word = (
    name: string,
    doc: string,
    ask: (args: readonly string[]) => readonly string[] | string,
  ): Command => ({
    name,
    kind: "laboratory",
    doc,
    complete: (before, begun) => name === "changed" ? conditionWords(session, "value", before, begun) : [],
    run(context) {
      const prefix = `${context.shell.prefix()}${name}: `;
      const { out, err, status } = session.answer(
        context.shell,
        () => answered(prefix, () => ask(context.args)),
      );
      context.out(out);
      context.err(err);
      return status;
    },
  });
  return [
    word("why", whyDoc, () => causes(session)),
    word("changed", changedDoc, (args) => lastChange(session, args.join(" "))),
  ];
}

function answered(prefix: string, ask: () => readonly string[] | string): Answer {
  const refused = (message: string, status: number) => ({ out: "", err: `${prefix}${message}\n`, status });
  try {
    const lines = ask();
    return typeof lines === "string"
      ? refused(lines, 1)
      : { out: lines.map((line) => `${line}\n`).join(""), err: "", status: 0 };
  } catch (error) {
    if (error instanceof RepetitionError) return refused(`the run cannot be repeated: ${error.message}`, 1);
    if (error instanceof RegisterError) return refused(error.message, 2);
    throw error;
  }
}

/** A session that has run up to `from`, whose next events up to the present one `look` is called after. */
function again(session: Session, from: number, look: (other: Session) => void): TraceRecord[] {
  const other = session.timeline.replay(session.timeline.positionOf(from));
  const log = new TraceLog();
  other.clock.watch(log);
  other.clock.guard(() => {
    look(other);
    return false;
  });
  other.again!.runTo(session.now.event);
  return log.records.filter(({ event }) => event > from && event <= session.now.event);
}

function causes(session: Session): string[] {
  const { firstEvent, now } = session;
  for (let window = 4096;; window *= 16) {
    const from = Math.max(firstEvent, now.event - window);
    const lines: string[] = [];
    const records = again(session, from, () => {});
    const byEvent = Map.groupBy(records, ({ event }) => event);
    let event: number | undefined = now.event;
    while (event !== undefined && event > from && lines.length < SHOWN) {
      const here: TraceRecord[] = byEvent.get(event) ?? [];
      const told = here.filter(({ kind }) => !WORK.has(kind));
      const shown = lines.length === 0 && told.length === 0 ? here.slice(-1) : told;
      shown.forEach((record, i) =>
        lines.push(`${lines.length === 0 || i > 0 ? "   " : "<- "}${recordLine(record)}`)
      );
      event = requestOf(told, records) ?? here.find(({ kind }) => kind === "alarm")?.cause;
    }
    if (lines.length >= SHOWN || from === firstEvent || (event ?? 0) <= firstEvent) return lines;
  }
}

/** The event in which that was requested which these records take: it may have waited for its processor. */
function requestOf(told: readonly TraceRecord[], records: readonly TraceRecord[]): number | undefined {
  const taken = told.find(({ kind, fields }) =>
    kind === "interrupt" || (kind === "exit" && Number(fields.reason) < 2)
  );
  if (taken === undefined || told.some(({ kind }) => kind === "request")) return undefined;
  const { where, event, kind, fields } = taken;
  return records.findLast((record) =>
    record.event < event && record.kind === "request" && record.where === where.replace("cpu", "lapic") &&
    (kind === "exit" || record.fields.vector === fields.vector)
  )?.event;
}

function lastChange(session: Session, text: string): string[] | string {
  const { firstEvent, lab, now } = session;
  const read = registerNamed(text, lab);
  if (read === undefined) {
    throw new RegisterError(`"${text}": expected a register, as in changed cpu3.lapic.isr`);
  }
  for (let window = 4096;; window *= 16) {
    const from = Math.max(firstEvent, now.event - window);
    let last: string | number | undefined | null = null, at = -1, timeNs = 0, change = "";
    const records = again(session, from, (other) => {
      const value = read(other.lab), { event } = other.now;
      if (event <= from || event > now.event) return void (last = value);
      if (last !== null && value !== last) {
        [at, timeNs] = [event, other.now.timeNs];
        change = `${last ?? "n/a"} -> ${value ?? "n/a"}`;
      }
      last = value;
    });
    if (at >= 0) {
      const told = records.filter(({ event, kind }) => event === at && !WORK.has(kind));
      const shown = told.length > 0 ? told : records.filter(({ event }) => event === at).slice(-1);
      return [
        `${text}: ${change} at event ${at}, ${timeText(timeNs)}`,
        ...shown.map((record) => recordLine(record)),
      ];
    }
    if (from === firstEvent) {
      return `${text}: it is ${read(lab) ?? "n/a"}, and has been since the machine's boot`;
    }
  }
}
