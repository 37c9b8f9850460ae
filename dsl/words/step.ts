import type { TraceRecord, TraceSink } from "../../hw/sim/trace.ts";
import { DEDICATED_CPU } from "../../runtime/lab/systems.ts";
import { layerName } from "../../runtime/lab/views/cpus.ts";
import { exitsOf } from "../../runtime/measure/flow.ts";
import { advanceEvents } from "../session/advance.ts";
import type { Command, CommandContext } from "../commands/command.ts";
import { durationText, timeText } from "../session/duration.ts";
import { type CpuStep, GRAINS, GrainWatch, type Step } from "../session/grains.ts";
import type { Coroutine } from "../shell/jobs.ts";
import type { Session } from "../session/session.ts";
import { flowText } from "../talk/flow_text.ts";
import { unknownName } from "../shell/unknown_name.ts";
import { PATIENCE_NS, whereText } from "./run.ts";

/** `step`. */
const doc = `step - lets events happen, one by one
Usage: step [N] [event | phase | interrupt] [cpu N]
Effects: lets time go on by N steps, 1 if N is not given; back goes the same way back
  event      an alarm that fires, or a step of a processor that ends. Lists what happened: number, time, place, kind, name
  phase      a piece of work of processor N, cpu 3 if it is not given: the dedicated one; up to the next box or crossing of the talk's figures: VM
             exit, handler, injection, VM entry, EOI. Draws what happened
  interrupt  an interrupt of that processor, the next one or the one under way, from its request to the EOI of its last handler; where
             that exits, to the VM entry behind it. One of the host itself ends with the VM entry. Draws it
Exit status: 0; 1 if nothing is pending or comes within 100 s, or a stop came first; 2 for a grain, number or processor
  that is none
Examples: step
  step 20
  step phase
  step 2 interrupt
  step interrupt cpu 0`;

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

/** What `step` and `back` are told. */
interface Steps {
  readonly count: number;
  readonly step: Step;
}

/** Reads `[N] [GRAIN] [cpu N]`; a text says what is wrong. */
export function parseSteps(word: string, args: readonly string[], { lab }: Session): Steps | string {
  const at = args.indexOf("cpu");
  const [first = "1", ...rest] = at < 0 ? args : args.slice(0, at);
  const [, id, ...tooMany] = at < 0 ? [] : args.slice(at);
  const [number, grain = "event", ...more] = /^[-+]?[\d.]/.test(first)
    ? [first, ...rest]
    : ["1", first, ...rest];
  const known = GRAINS.find((each) => each === grain);
  if (known === undefined) return unknownName("grain", grain, GRAINS);
  more.push(...tooMany);
  if (more.length > 0) {
    return `"${more.join(" ")}": expected ${word} [N] [event | phase | interrupt] [cpu N]`;
  }
  const count = Number(number);
  if (!/^\d+$/.test(number!) || !Number.isSafeInteger(count) || count < 1) {
    return `"${number}": expected a number of steps, 1 or more`;
  }
  if (known === "event") {
    return at < 0 ? { count, step: { grain: known } } : "an event has no processor: phase and interrupt have";
  }
  const cpu = at < 0 ? DEDICATED_CPU : parseCpu(id ?? "", lab);
  return typeof cpu === "string" ? cpu : { count, step: { grain: known, cpu } };
}

/** Reads the number of a processor behind `cpu`; a text says what is wrong. */
export function parseCpu(number: string, { machine: { cpus } }: Session["lab"]): number | string {
  const isOne = /^\d+$/.test(number) && Number(number) < cpus.length;
  if (isOne) return Number(number);
  return `${`cpu ${number}`.trimEnd()}: this machine has processors 0 to ${cpus.length - 1}`;
}

/** What may follow `before` among the words of `step` and `back`. */
export function completeSteps(before: readonly string[]): readonly string[] {
  if (before.includes("cpu")) return [];
  return before.some((word) => GRAINS.some((grain) => grain === word)) ? ["cpu"] : GRAINS;
}

/** The word of a session. */
export function step(session: Session): Command {
  return {
    name: "step",
    kind: "laboratory",
    doc,
    complete: completeSteps,
    run: (context) => stepBy(session, context),
  };
}

function* stepBy(session: Session, context: CommandContext): Coroutine {
  const steps = parseSteps("step", context.args, session);
  if (typeof steps === "string") return context.complain(steps, 2);
  const { count, step } = steps;
  return step.grain === "event"
    ? yield* stepEvents(session, context, count)
    : yield* stepWatched(session, context, count, step);
}

function* stepEvents(session: Session, context: CommandContext, count: number): Coroutine {
  const { clock, timeline } = session;
  const from = session.position;
  const log = new LastRecords();
  clock.watch(log);
  let stop: string | undefined;
  try {
    stop = yield* advanceEvents(session, count);
  } finally {
    clock.unwatch(log);
  }
  if (log.dropped > 0) context.out(`... ${log.dropped} earlier records not shown\n`);
  for (const record of log.records) context.out(`${recordLine(record)}\n`);
  const made = session.now.event - from.event;
  if (made > 0) timeline.stepped({ grain: "event" }, from);
  if (stop !== undefined) context.out(`${stop}\n`);
  else if (made < count) {
    return context.complain(made === 0 ? "nothing is pending" : "nothing more is pending");
  }
  return stop === undefined || made === count ? 0 : 1;
}

function* stepWatched(
  session: Session,
  context: CommandContext,
  count: number,
  step: CpuStep,
): Coroutine {
  const { clock, timeline } = session;
  const lastNs = session.now.timeNs + PATIENCE_NS;
  const watch = new GrainWatch(session, step);
  const startNs = session.now.timeNs;
  let stop: string | undefined;
  clock.watch(watch);
  try {
    for (let i = 1; i <= count; i++) {
      const from = session.position;
      stop = yield* advanceEvents(session, Infinity, () => watch.ended >= i || session.now.timeNs > lastNs);
      if (watch.ended < i) break;
      timeline.stepped(step, from);
    }
  } finally {
    clock.unwatch(watch);
  }
  for (const line of flowText(watch.items, startNs)) context.out(`${line}\n`);
  const exits = exitsOf(watch.items);
  context.out(`${whereText(session)}: ${exits} VM ${exits === 1 ? "exit" : "exits"}\n`);
  if (stop !== undefined) context.out(`${stop}\n`);
  if (watch.ended >= count) return 0;
  return stop === undefined
    ? context.complain(`${step.grain}: none on cpu${step.cpu} within ${durationText(PATIENCE_NS)}`)
    : 1;
}
