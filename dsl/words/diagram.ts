import { TraceLog } from "../../hw/sim/trace.ts";
import { flowOf } from "../../runtime/measure/flow.ts";
import { DEDICATED_CPU } from "../../runtime/lab/systems.ts";
import { advanceTime } from "../advance.ts";
import type { Command } from "../commands/command.ts";
import { durationText, parseDuration } from "../duration.ts";
import type { Coroutine } from "../jobs.ts";
import type { Session } from "../session.ts";
import { flowText } from "../slides/flow_text.ts";

/** `diagram`. */
const doc = `diagram - what a processor did, drawn as the talk draws it
Usage: diagram [DURATION] [cpu N]
Effects: time goes on for DURATION, 1ms if it is not given; then what processor N did (cpu 3 if it is not given) is drawn
  as the talk draws it: a lane for the guest, one for the host, VM exits and entries between them, times in us from
  the beginning
Exit status: 0; 2 if there is no such duration or processor
Differs from the talk: Linux acknowledges a timer interrupt before it runs its timers, so EOI stands where the handler
  begins
Examples: diagram
  diagram 2ms
  diagram 500us cpu 0`;

/** The word of a session. */
export function diagram(session: Session): Command {
  return {
    name: "diagram",
    kind: "laboratory",
    doc,
    complete: () => ["cpu"],
    *run(context): Coroutine {
      const text = context.args.join(" ");
      const match = /^(.*?)\s*(?:cpu (\d+))?$/.exec(text)!;
      const cpu = Number(match[2] ?? DEDICATED_CPU);
      const ns = match[1] === "" ? 1_000_000 : parseDuration(match[1]!);
      const { engine, machine } = session.lab;
      if (ns === undefined) {
        return context.complain(`"${match[1]}": expected a duration with its unit, like 1ms`, 2);
      }
      if (cpu >= machine.cpus.length) {
        return context.complain(`cpu ${cpu}: this machine has processors 0 to ${machine.cpus.length - 1}`, 2);
      }
      const log = new TraceLog();
      const before = engine.watcher;
      const startNs = engine.nowNs;
      engine.trace = log;
      yield* advanceTime(session, startNs + ns);
      engine.trace = before;
      const items = flowOf(log.records, `cpu${cpu}`);
      if (items.length === 0) context.out(`cpu${cpu} did nothing within ${durationText(ns)}\n`);
      for (const line of flowText(items, startNs)) context.out(`${line}\n`);
      return 0;
    },
  };
}
