import type { TraceRecord, TraceSink } from "../../hw/sim/trace.ts";
import { hasInterrupt } from "../../runtime/lab/views/cpus.ts";
import { DEDICATED_CPU } from "../../runtime/lab/systems.ts";
import { type FlowItem, FlowReader } from "../../runtime/measure/flow.ts";
import { InterruptWay } from "../../runtime/measure/interrupt_way.ts";
import { advanceTime } from "../session/advance.ts";
import type { Command, CommandContext } from "../commands/command.ts";
import { durationText, parseDuration } from "../session/duration.ts";
import type { Coroutine, Request } from "../shell/jobs.ts";
import { RepetitionError } from "../session/repeat.ts";
import type { Session } from "../session/session.ts";
import { flowFigure } from "../talk/flow_figure.ts";
import { flowMermaid } from "../talk/flow_mermaid.ts";
import { flowText } from "../talk/flow_text.ts";
import { svgFile } from "../talk/svg.ts";
import { unknownName } from "../shell/unknown_name.ts";
import { parseCpu } from "./step.ts";

/** `diagram`. */
const doc = `diagram - what a processor did, drawn as the talk draws it
Usage: diagram [DURATION | last] [cpu N] [--text | --mermaid | --svg]
Effects: time goes on for DURATION, 1ms if it is not given; then what processor N did (cpu 3 if it is not given) is drawn
  as the talk draws it: a lane for the guest, one for the host, VM exits and entries between them, times in us from
  the beginning
  last       draws the last interrupt of that processor instead, from its request, as far as it has come: the past is run
             again for it, and nothing changes
  --mermaid  a sequence diagram in Mermaid's text, to be put into a document
  --svg      a drawing, the text of a file
Exit status: 0; 1 if there has been no interrupt since the boot, or the run cannot be repeated; 2 if there is no such
  duration, processor or form
Differs from the talk: Linux acknowledges a timer interrupt before it runs its timers, so EOI stands where the handler
  begins
Examples: diagram
  diagram 2ms
  diagram 500us cpu 0
  run 10ms; diagram last cpu 0 --mermaid
  diagram 3ms --svg > /tmp/period.svg`;

/** What is drawn. */
interface Flow {
  readonly items: readonly FlowItem[];
  readonly startNs: number;
}

/** How it is written, by the option that asks for it. */
const FORMS: Readonly<Record<string, (flow: Flow, title: string) => string>> = {
  "--text": ({ items, startNs }) => flowText(items, startNs).map((line) => `${line}\n`).join(""),
  "--mermaid": ({ items, startNs }) => `${flowMermaid(items, startNs).join("\n")}\n`,
  "--svg": ({ items }, title) => svgFile(flowFigure("diagram", title, items)),
};

/** What the word is told. */
interface Wanted {
  readonly what: "last" | number;
  readonly cpu: number;
  readonly form: string;
}

/** The word of a session. */
export function diagram(session: Session): Command {
  return {
    name: "diagram",
    kind: "laboratory",
    doc,
    complete: (before) => before.at(-1) === "cpu" ? [] : ["last", "cpu", ...Object.keys(FORMS)],
    run: (context) => drawing(session, context),
  };
}

function* drawing(session: Session, context: CommandContext): Coroutine {
  const wanted = parse(context.args, session);
  if (typeof wanted === "string") return context.complain(wanted, 2);
  const { what, cpu, form } = wanted;
  const { system } = session.lab.options;
  const draw = (flow: Flow, title: string) => FORMS[form]!(flow, `${system.name}, cpu${cpu}: ${title}`);
  if (what === "last") return drawLast(session, context, cpu, draw);
  const flow = yield* watch(session, cpu, what);
  if (flow.items.length > 0) context.out(draw(flow, durationText(what)));
  else if (form === "--text") context.out(`cpu${cpu} did nothing within ${durationText(what)}\n`);
  else return context.complain(`cpu${cpu} did nothing within ${durationText(what)}`);
  return 0;
}

/** Reads what the word is told; a text says what is wrong. */
function parse(args: readonly string[], { lab }: Session): Wanted | string {
  const words = args.filter((arg) => !arg.startsWith("-"));
  const forms = args.filter((arg) => arg.startsWith("-"));
  const unknown = forms.find((form) => !Object.hasOwn(FORMS, form));
  if (unknown !== undefined) return unknownName("option", unknown, Object.keys(FORMS));
  if (forms.length > 1) return `${forms.join(" ")}: expected one form`;
  const at = words.indexOf("cpu");
  const [number = "", ...more] = at < 0 ? [] : words.splice(at).slice(1);
  if (more.length > 0) return `"${more.join(" ")}": expected diagram [DURATION | last] [cpu N]`;
  const cpu = at < 0 ? DEDICATED_CPU : parseCpu(number, lab);
  if (typeof cpu === "string") return cpu;
  const text = words.join(" ");
  const what = text === "last" ? text : text === "" ? 1_000_000 : parseDuration(text);
  if (what === undefined) return `"${text}": expected a duration with its unit, like 1ms, or last`;
  return { what, cpu, form: forms[0] ?? "--text" };
}

/** Lets time go on, and answers what a processor did meanwhile. */
function* watch(session: Session, cpu: number, ns: number): Generator<Request, Flow, unknown> {
  const { engine } = session.lab;
  const startNs = engine.nowNs;
  const flow = new FlowReader(`cpu${cpu}`);
  const { clock } = session;
  const sink: TraceSink = { record: (record) => flow.read(record) };
  clock.watch(sink);
  try {
    yield* advanceTime(session, startNs + ns);
  } finally {
    clock.unwatch(sink);
  }
  return { items: flow.items, startNs };
}

function drawLast(
  session: Session,
  context: CommandContext,
  cpu: number,
  draw: (flow: Flow, title: string) => string,
): number {
  const said = session.answer(context.shell, () => {
    const refused = (message: string) => ({
      out: "",
      err: `${context.shell.prefix()}diagram: ${message}\n`,
      status: 1,
    });
    try {
      const flow = lastInterrupt(session, cpu);
      return flow === undefined
        ? refused(`cpu${cpu} has had no interrupt since the machine's boot`)
        : { out: draw(flow, "the last interrupt"), err: "", status: 0 };
    } catch (error) {
      if (error instanceof RepetitionError) return refused(`the run cannot be repeated: ${error.message}`);
      throw error;
    }
  });
  context.out(said.out);
  context.err(said.err);
  return said.status;
}

/**
 * The way of the last interrupt of a processor that has begun, as far as it has come. Found by replays of the past, the
 * near past first.
 */
function lastInterrupt(session: Session, cpu: number): Flow | undefined {
  const { timeline, firstEvent, now } = session;
  for (let window = 4096;; window *= 16) {
    const from = Math.max(firstEvent, now.event - window);
    const other = timeline.replay(timeline.positionOf(from));
    const last = new LastInterrupt(cpu, hasInterrupt(other.lab, cpu), () => other.lab.guests.size > 0);
    other.clock.watch(last);
    other.again!.runTo(now.event);
    if (last.flow !== undefined || from === firstEvent) return last.flow;
  }
}

/** Reads the last interrupt that has begun. */
class LastInterrupt implements TraceSink {
  flow: Flow | undefined;
  readonly #way: InterruptWay;
  #reader: FlowReader | undefined;

  constructor(readonly cpu: number, isUnderWay: boolean, hasGuests: () => boolean) {
    this.#way = new InterruptWay(cpu, isUnderWay, hasGuests);
  }

  record(record: TraceRecord): void {
    const way = this.#way, wasUnderWay = way.isUnderWay;
    const isOver = way.read(record);
    if (!wasUnderWay && way.isUnderWay) {
      this.#reader = new FlowReader(`cpu${this.cpu}`);
      this.flow = { items: this.#reader.items, startNs: record.timeNs };
    }
    this.#reader?.read(record);
    if (isOver) this.#reader = undefined;
  }
}
