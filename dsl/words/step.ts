import type { TraceRecord, TraceSink } from "../../hw/sim/trace.ts";
import { advanceEvents } from "../advance.ts";
import type { Command } from "../commands/command.ts";
import type { Coroutine } from "../jobs.ts";
import type { Session } from "../session.ts";
import { timeText } from "../duration.ts";
import { layerName } from "../../runtime/lab/views/cpus.ts";

/** `step`. */
const doc = `step - lets events happen, one by one
Usage: step [N] [event]
Effects: lets the next N events happen, 1 if N is not given, and lists what happened in them: number, time, place, kind,
  name. An event is an alarm that fires or a step of a processor that ends
Exit status: 0; 1 if nothing is pending; 2 for a grain or number that is none
Not yet: the grains phase and interrupt, and stepping back
Examples: step
  step 20
  step 5 event`;

/** How many lines are shown; of more events only the last ones. */
const SHOWN = 40;

/** Keeps the last records. */
class LastRecords implements TraceSink {
  readonly records: TraceRecord[] = [];
  dropped = 0;

  record(record: TraceRecord): void {
    this.records.push(record);
    if (this.records.length > SHOWN) {
      this.records.shift();
      this.dropped++;
    }
  }
}

/** One record in a line. */
export function recordLine({ event, timeNs, where, kind, name, fields }: TraceRecord): string {
  const rest = Object.entries(fields).map(([key, value]) => {
    if (typeof value !== "number") return `${key}=${value}`;
    if (key === "layer") return `layer="${layerName(value)}"`;
    return `${key}=${/address|value|vector|info/.test(key) ? `0x${value.toString(16)}` : value}`;
  });
  const what = kind === "alarm" && name === where && where.startsWith("cpu")
    ? "step ends"
    : kind === name || name === where
    ? kind
    : `${kind} ${name}`;
  return `${String(event).padStart(8)}  ${timeText(timeNs)}  ${where.padEnd(6)} ${[what, ...rest].join(" ")}`
    .trimEnd();
}

/** The word of a session. */
export function step(session: Session): Command {
  return {
    name: "step",
    kind: "laboratory",
    doc,
    *run(context): Coroutine {
      const [first = "1", ...rest] = context.args;
      const [number, grain = "event", ...more] = /^\d/.test(first) ? [first, ...rest] : ["1", first, ...rest];
      if (grain === "phase" || grain === "interrupt") {
        return context.complain(`${grain}: not yet: only the grain event is modelled`, 2);
      }
      if (grain !== "event" || more.length > 0) {
        return context.complain(`"${[grain, ...more].join(" ")}": expected step [N] [event]`, 2);
      }
      const count = Number(number);
      if (!Number.isSafeInteger(count) || count < 1) {
        return context.complain(`"${number}": expected a number of events, 1 or more`, 2);
      }
      const { engine } = session.lab;
      const before = engine.event, watcher = engine.watcher;
      const log = new LastRecords();
      engine.trace = watcher === null ? log : {
        record(record) {
          watcher.record(record);
          log.record(record);
        },
      };
      try {
        yield* advanceEvents(session, count);
      } finally {
        engine.trace = watcher;
      }
      if (log.dropped > 0) context.out(`... ${log.dropped} earlier records not shown\n`);
      for (const record of log.records) context.out(`${recordLine(record)}\n`);
      if (engine.event === before) return context.complain("nothing is pending", 1);
      return 0;
    },
  };
}
