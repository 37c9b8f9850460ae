/**
 * What a run can be watched by. The engine and the devices call the hook only where one is set: a run without
 * a trace pays one comparison with `null` an event.
 *
 * @module
 */

/** One thing that happened. */
export interface TraceRecord {
  /** Number of the event, counted from the start of the run. */
  readonly event: number;
  /** Number of the event that caused it; 0 where it is a root cause. */
  readonly cause: number;
  /** When, in ns of absolute time. */
  readonly timeNs: number;
  /** Where: `cpu3`, `lapic3`, `nic0`. */
  readonly where: string;
  /** What kind of thing: `alarm`, `work`, `request`, `interrupt`, `exit`, `entry`, `tracepoint`. */
  readonly kind: string;
  /** Its name: of the step, of the exit reason, of the vector. */
  readonly name: string;
  /** Further fields, in print order. */
  readonly fields: Readonly<Record<string, number | string | boolean>>;
}

/** Receives records as they happen. */
export interface TraceSink {
  /** Called at the instant of the record; must not touch the model. */
  record(record: TraceRecord): void;
}

/** A sink that keeps everything, for tests and diagrams of short runs. */
export class TraceLog implements TraceSink {
  /** The records, oldest first. */
  readonly records: TraceRecord[] = [];

  /** @inheritdoc */
  record(record: TraceRecord): void {
    this.records.push(record);
  }
}
