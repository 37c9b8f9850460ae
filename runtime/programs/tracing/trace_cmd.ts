/**
 * trace-cmd: ftrace by commands.
 *
 * *Document*: trace-cmd 2.x, `trace-cmd-record(1)`, `trace-cmd-report(1)`; `trace-record.c` (messages).
 *
 * *Modelled*: `record`, `report`, `start`, `stop`, `show`, `clear`, `reset`, `list`; events.
 *
 * *Not modelled*: tracers and their options, filters, instances, `extract`, `stream`, `profile`.
 *
 * *Deviations*: recording takes no time and loses nothing. `trace.dat` holds lines of text, and the sizes of its parts are
 * not told.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import type { TraceRecord, TraceSink } from "../../../hw/sim/trace.ts";
import { ENOENT, Errno } from "../../linux/errno.ts";
import type { Ftrace, TraceEvent } from "../../linux/trace/ftrace.ts";
import { getopt } from "../getopt.ts";
import { pathOf, type Program, type ProgramProcess, readFile } from "../program.ts";
import { eventPattern, listen } from "./tracing.ts";

const doc = `trace-cmd - records what the kernel traces
Usage: trace-cmd record [-e EVENT]... [-o FILE] [COMMAND [ARG]...]
  trace-cmd report [-i FILE] [--cpu CPUS] [-F EVENT]
  trace-cmd start [-e EVENT]...
  trace-cmd stop | show | clear | reset | list [-e]
Effects: record: writes events (kvm, kvm:kvm_exit, kvm_exit, all) to trace.dat while COMMAND runs, or until Ctrl-C; report
  prints such a file; start and stop switch tracing of the kernel's own buffer on and off, show prints it, clear empties it,
  reset switches everything off; list names the events that there are
Exit status: that of COMMAND; 1 on an error
Errors: No events enabled with EVENT; opening 'trace.dat'
Differs from the real one: no tracers (-p function), no filters (-f), no extract, stream, profile; trace.dat is text
Examples: cd /tmp; trace-cmd record -e sched sleep 0.1; trace-cmd report | tail -n 2
  cd /tmp; qemu-kvm -m 512 -nographic; trace-cmd record -e kvm:kvm_exit sleep 0.1; trace-cmd report | wc -l`;

const FILE = "trace.dat";
const MAGIC = "rtkvm trace-cmd 1";
/** How long a recording may become, characters. */
const LONGEST = 64 << 20;

const COMMON = {
  notModelled: [..."pfTlbksrdmNtPcFqBRM", "filter", "profile", "date", "proc-map"],
  commandFollows: true,
};

/** The program. */
export const traceCmd: Program = {
  name: "trace-cmd",
  doc,
  options: ["-e", "-o", "-i", "--cpu", "-F"],
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const [name, ...args] = command.argv.slice(1);
    switch (name) {
      case "record":
        return yield* record(command, args);
      case "report":
        return yield* report(command, args);
      case "start":
        return yield* start(command, args);
      case "stop":
        return yield* write(command, "tracing_on", "0\n");
      case "clear":
        return yield* write(command, "trace", "");
      case "reset":
        for (
          const [file, text] of [["tracing_on", "0\n"], ["set_event", "\n"], ["trace", ""], [
            "tracing_on",
            "1\n",
          ]]
        ) {
          yield* write(command, file!, text!);
        }
        return 0;
      case "show": {
        const text = yield* readFile(command.system, `${tracing(command)}/trace`);
        if (!(text instanceof Errno)) command.stdout(text);
        return 0;
      }
      case "list":
        for (const event of command.system.trace.options.events) {
          command.stdout(`${event.system}:${event.name}\n`);
        }
        return 0;
      case undefined:
      case "--help":
      case "-h":
        command.stdout(`${doc}\n`);
        return name === undefined ? 1 : 0;
      default:
        command.stderr(`trace-cmd: ${name}: not modelled; see trace-cmd --help\n`);
        return 1;
    }
  },
};

/** Prints a complaint as trace-cmd's die() does. */
function die(command: ProgramProcess, message: string, error: Errno = ENOENT): number {
  command.stderr(`trace-cmd: ${error.message}\n  ${message}\n`);
  return 1;
}

/** Where tracefs is. */
function tracing({ system }: ProgramProcess): string {
  const own = "/sys/kernel/tracing";
  return system.vfs.stat(`${own}/trace`) instanceof Errno ? "/sys/kernel/debug/tracing" : own;
}

function* write(command: ProgramProcess, name: string, text: string): Activity<number> {
  const path = `${tracing(command)}/${name}`;
  const file = command.system.vfs.open(path, { write: true, truncate: true });
  const written = file instanceof Errno ? file : yield* file.write(text);
  return written instanceof Errno ? die(command, `opening '${path}'`, written) : 0;
}

/** The events that names of `-e` stand for; a name that is none is the answer alone. */
function eventsOf(names: readonly string[], events: readonly TraceEvent[]): Set<TraceEvent> | string {
  const found = new Set<TraceEvent>();
  for (const name of names) {
    const [system = "", event = ""] = name.includes(":") ? name.split(":") : [name, name];
    const pattern = eventPattern(event || "*");
    const meant = events.filter((each) =>
      name === "all" ||
      (name.includes(":")
        ? each.system === system && pattern.test(each.name)
        : each.system === name || pattern.test(each.name))
    );
    if (meant.length === 0) return name;
    for (const each of meant) found.add(each);
  }
  return found;
}

/** Keeps lines while it listens. */
class Recorder implements TraceSink {
  readonly lines: string[] = [];
  missed = 0;
  #length = 0;

  constructor(readonly trace: Ftrace, readonly wanted: ReadonlySet<TraceEvent>) {}

  record(record: TraceRecord): void {
    for (const line of this.trace.lines(record, (event) => this.wanted.has(event))) {
      this.#length += line.length + 1;
      if (this.#length > LONGEST) this.missed++;
      else this.lines.push(line);
    }
  }
}

function* record(command: ProgramProcess, args: readonly string[]): Activity<number> {
  const { kernel, system: { trace, vfs } } = command;
  const parsed = getopt(args, { values: "eo", flags: "a", ...COMMON });
  if (typeof parsed === "string") return die(command, `record: ${parsed}`);
  const names = parsed.options.filter(({ letter }) => letter === "e").map(({ value }) => value);
  if (names.length === 0) {
    command.stderr("trace-cmd: no event was specified... what are you tracing?\n");
    return 1;
  }
  const events = eventsOf(names, trace.options.events);
  if (typeof events === "string") return die(command, `No events enabled with ${events}`);
  const path = parsed.options.findLast(({ letter }) => letter === "o")?.value ?? FILE;
  const file = vfs.open(pathOf(command, path), { write: true, create: true, truncate: true });
  if (file instanceof Errno) return die(command, `opening '${path}'`, file);
  if (parsed.operands.length === 0) command.stdout("Hit Ctrl^C to stop recording\n");
  const recorder = new Recorder(trace, events);
  const status = yield* listen(command, recorder, parsed.operands);
  const text = [MAGIC, String(kernel.cpus.length), ...recorder.lines, ""].join("\n");
  const written = yield* file.write(text);
  if (written instanceof Errno) return die(command, `writing '${path}'`, written);
  if (recorder.missed > 0) {
    command.stderr(`trace-cmd: ${recorder.missed} events left out: ${path} would be larger than 64 MiB\n`);
  }
  return status ?? 127;
}

function* report(command: ProgramProcess, args: readonly string[]): Activity<number> {
  const parsed = getopt(args, { values: "iCF", long: { cpu: "C" } });
  if (typeof parsed === "string") return die(command, `report: ${parsed}`);
  const value = (wanted: string) => parsed.options.findLast(({ letter }) => letter === wanted)?.value;
  const path = value("i") ?? parsed.operands[0] ?? FILE;
  const text = yield* readFile(command.system, pathOf(command, path));
  if (text instanceof Errno) return die(command, `opening '${path}'`, text);
  const [magic, cpus, ...lines] = text.split("\n");
  if (magic !== MAGIC) return die(command, `not a trace.dat file: ${path}`);
  const only = value("C")?.split(",").map(Number);
  const events = value("F")?.split(",");
  command.stdout(`cpus=${cpus}\n`);
  for (const line of lines) {
    const parts = /^(.{16})-(\d+)\s+\[(\d+)\] \S+ ( *\d+\.\d+): (\S+): (.*)$/.exec(line);
    if (parts === null) continue;
    const [, comm = "", pid = "", cpu = "", time = "", event = "", fields = ""] = parts;
    if (only !== undefined && !only.includes(Number(cpu))) continue;
    if (events !== undefined && !events.some((each) => each === event || each.endsWith(`:${event}`))) {
      continue;
    }
    command.stdout(`${comm}-${pid.padEnd(5)} [${cpu}] ${time}: ${`${event}:`.padEnd(21)} ${fields}\n`);
  }
  return 0;
}

function* start(command: ProgramProcess, args: readonly string[]): Activity<number> {
  const { system: { trace } } = command;
  const parsed = getopt(args, { values: "e", ...COMMON });
  if (typeof parsed === "string") return die(command, `start: ${parsed}`);
  const names = parsed.options.map(({ value }) => value);
  if (names.length === 0) {
    command.stderr("trace-cmd: no event was specified... what are you tracing?\n");
    return 1;
  }
  const events = eventsOf(names, trace.options.events);
  if (typeof events === "string") return die(command, `No events enabled with ${events}`);
  const ids = [...events].map((event) => `${event.system}:${event.name}`).join(" ");
  yield* write(command, "set_event", `${ids}\n`);
  return yield* write(command, "tracing_on", "1\n");
}
