/**
 * Prints the host's kernel events as they happen, in the lines of its ftrace.
 *
 * @module
 */

import type { Engine } from "../hw/sim/engine.ts";
import type { TraceRecord, TraceSink } from "../hw/sim/trace.ts";
import type { Session } from "./session.ts";

/** Which events are wanted: one by its name, and what its fields have to be. */
export interface TraceFilter {
  /** `kvm_exit`. */
  readonly event: string;
  /** Values by field; `cpu` is where it happens. */
  readonly fields: ReadonlyMap<string, string | number>;
}

/** Tracing of one session; it follows the session to whatever laboratory that goes on with. */
export class Tracing implements TraceSink {
  /** Any of them; none: all events. `null`: it is off. */
  filters: readonly TraceFilter[] | null = null;
  #engine: Engine | undefined;

  /** Of `session`. */
  constructor(readonly session: Session) {}

  /** Switches it on, or off. */
  set(filters: readonly TraceFilter[] | null): void {
    this.filters = filters;
    this.follow();
  }

  /** The session has another laboratory. */
  follow(): void {
    this.#engine?.recordTo(this, false);
    this.#engine = this.filters === null ? undefined : this.session.lab.engine;
    this.#engine?.recordTo(this, true);
  }

  /** @inheritdoc */
  record(record: TraceRecord): void {
    const { lab, io } = this.session;
    for (const line of lab.software.ftrace.lines(record, ({ name }, cpu) => this.#wants(name, cpu, record))) {
      io.out(`${line}\n`);
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
