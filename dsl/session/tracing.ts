/**
 * Prints the host's kernel events as they happen, in the lines of its ftrace; or writes them to a file of the computer.
 *
 * @module
 */

import type { Engine } from "../../hw/sim/engine.ts";
import type { TraceRecord, TraceSink } from "../../hw/sim/trace.ts";
import type { Session } from "./session.ts";

/** Which events are wanted: one by its name, and what its fields have to be. */
export interface TraceFilter {
  /** `kvm_exit`. */
  readonly event: string;
  /** Values by field; `cpu` is where it happens. */
  readonly fields: ReadonlyMap<string, string | number>;
}

/** A file that lines go to. */
interface TraceFile {
  readonly path: string;
  lines: { readonly event: number; readonly text: string }[];
  /** It holds all of them. */
  isWritten: boolean;
}

/** Tracing of one session; it follows the session to whatever laboratory that goes on with. */
export class Tracing implements TraceSink {
  /** Any of them; none: all events. `null`: it is off. */
  filters: readonly TraceFilter[] | null = null;
  #engine: Engine | undefined;
  #file: TraceFile | undefined;

  /** Of `session`. */
  constructor(readonly session: Session) {}

  /** Where the lines go; undefined: to the user. */
  get path(): string | undefined {
    return this.#file?.path;
  }

  /** Switches it on, or off: a file is complete then. Answers how many lines that has. */
  set(filters: readonly TraceFilter[] | null): number {
    this.filters = filters;
    const lines = this.#file?.lines.length ?? 0;
    if (filters === null) {
      this.flush();
      this.#file = undefined;
    }
    this.#listen();
    return lines;
  }

  /** From now on the lines go to a file, instead of what was there; switched on where it was off. Answers why they cannot. */
  writeTo(path: string): string | undefined {
    const { files } = this.session.options;
    if (files === undefined) return "no files of a computer are given here";
    const problem = files.write(path, this.session.lab.software.ftrace.file([]));
    if (problem !== undefined) return problem;
    this.flush();
    this.#file = { path, lines: [], isWritten: true };
    this.set(this.filters ?? []);
  }

  /** Has the file hold what has been traced up to now. */
  flush(): void {
    const file = this.#file;
    if (file === undefined || file.isWritten) return;
    const { options: { files }, lab, io } = this.session;
    const problem = files!.write(file.path, lab.software.ftrace.file(file.lines.map(({ text }) => text)));
    file.isWritten = true;
    if (problem === undefined) return;
    io.err(`trace: ${file.path}: ${problem}: off\n`);
    this.#file = undefined;
    this.set(null);
  }

  /** The session has another laboratory: a fresh one, or one at another instant, behind which nothing has happened yet. */
  follow(how: "boot" | "travel"): void {
    const file = this.#file, { event } = this.session.now;
    if (how === "travel" && file !== undefined) {
      file.lines = file.lines.filter((line) => line.event <= event);
      file.isWritten = false;
    }
    this.#listen();
  }

  #listen(): void {
    this.#engine?.recordTo(this, false);
    this.#engine = this.filters === null ? undefined : this.session.lab.engine;
    this.#engine?.recordTo(this, true);
  }

  /** @inheritdoc */
  record(record: TraceRecord): void {
    const { lab, io } = this.session;
    for (const line of lab.software.ftrace.lines(record, ({ name }, cpu) => this.#wants(name, cpu, record))) {
      if (this.#file === undefined) io.out(`${line}\n`);
      else {
        this.#file.lines.push({ event: record.event, text: line });
        this.#file.isWritten = false;
      }
    }
  }

  #wants(event: string, cpu: number, { fields }: TraceRecord): boolean {
    const { filters } = this;
    if (filters === null || filters.length === 0) return filters !== null;
    return filters.some((filter) =>
      filter.event === event && [...filter.fields].every(([key, value]) => {
        const found = key === "cpu" ? cpu : fields[key];
        if (found === undefined) this.#unknownField(event, key, Object.keys(fields));
        return found === value || String(found) === String(value);
      })
    );
  }

  /** Only an event that happens says what fields it has. */
  #unknownField(event: string, key: string, known: readonly string[]): void {
    this.session.io.err(`trace: ${event} has no field ${key}, but ${["cpu", ...known].join(", ")}: off\n`);
    this.set(null);
  }
}
