/**
 * The engine: integer-nanosecond time and a queue of alarms ordered by (time, priority, sequence).
 *
 * A device creates an {@linkcode Alarm} once and re-arms or cancels it as often as it likes; that allocates
 * nothing. The queue is one sorted window in typed arrays, the next alarm last: some ten alarms are pending in a
 * run, and most new ones land within a few places of the front, so an insertion moves a handful of numbers and
 * taking the next alarm moves none. New alarms go behind pending ones of equal time and priority: first armed,
 * first fired.
 *
 * @module
 */

import { Randomness } from "./random.ts";
import { type Hashed, StateHash } from "./state_hash.ts";
import type { TraceSink } from "./trace.ts";

/** The time of an alarm that is not armed. */
export const NEVER = Infinity;

/** Fires `handler` at a point in time. Made by {@linkcode Engine.alarm}. */
export class Alarm {
  // Declared fields, not parameter properties: with those TypeScript emits every field of the class as `undefined` first, and
  // V8 then keeps its numbers as tagged values, each time above 2^31 in a box of its own. So it is in all classes that an
  // interrupt passes through.
  declare readonly engine: Engine;
  declare readonly id: number;
  declare readonly name: string;
  declare readonly priority: number;
  declare readonly handler: () => void;
  declare readonly payload: Hashed | null;
  /** When it fires, ns of absolute time; {@linkcode NEVER} while it is not armed. */
  timeNs: number = NEVER;
  /** The event that armed it. */
  cause = 0;

  /** Not for direct use: {@linkcode Engine.alarm} hands out the identity. */
  constructor(
    engine: Engine,
    id: number,
    name: string,
    priority: number,
    handler: () => void,
    payload: Hashed | null,
  ) {
    this.engine = engine;
    this.id = id;
    this.name = name;
    this.priority = priority;
    this.handler = handler;
    this.payload = payload;
  }

  /** Arms it for `timeNs` (an integer, not in the past); a pending alarm moves there. */
  at(timeNs: number): void {
    const { engine } = this;
    if (!(timeNs >= engine.nowNs)) throw this.#isPast(timeNs);
    if (this.timeNs !== NEVER) engine.remove(this);
    this.timeNs = timeNs; // here, and not handed on: a time costs a call a box
    engine.insert(this);
  }

  #isPast(timeNs: number): RangeError {
    return new RangeError(
      `Cannot arm alarm "${this.name}" for ${timeNs} ns: it is ${this.engine.nowNs} ns already`,
    );
  }

  /** Cancels it; nothing happens where it is not armed. */
  cancel(): void {
    if (this.timeNs !== NEVER) this.engine.remove(this);
  }

  /** Whether it is armed. */
  get armed(): boolean {
    return this.timeNs !== NEVER;
  }
}

/** Picks one of `count` free choices (0 … count - 1). `label` says what is being chosen. */
export type Chooser = (count: number, label: string) => number;

/** Time, alarms, causes, random streams and free choices of one run. */
export class Engine {
  /** Absolute time, integer ns. */
  nowNs = NaN; // see the constructor
  /** Number of the event that is happening; counts every alarm, and every step of every activity. */
  event = 0;
  /** The event that caused the one that is happening; kept while a run is traced or stepped. */
  cause = 0;
  #trace: TraceSink | null = null;
  /** Who watches from outside the model, and who within it records. */
  #watcher: TraceSink | null = null;
  readonly #recorders = new Set<TraceSink>();
  /** Makes every choice that is not data. A normal run takes the first. */
  chooser: Chooser = () => 0;
  /** The run's random streams. */
  readonly random: Randomness;

  readonly #alarms: Alarm[] = [];
  /** Numbers of alarms that have been released. */
  readonly #freeIds: number[] = [];
  /** Parts of the state hash, with their names. */
  readonly #parts = new Map<Hashed, string>();
  // The pending alarms, latest first, the next to fire at #pending - 1.
  #times = new Float64Array(64);
  #priorities = new Int32Array(64);
  #ids = new Int32Array(64);
  #pending = 0;
  // Where activities may not pass without the queue: the end of the run (0: none is under way), and the next alarm.
  #limitNs = NaN;
  #dueNs = NaN;
  /** The last event of the run that is under way. */
  #lastEvent = Infinity;
  #stopped = false;

  /** @param seed what all random streams are derived from */
  constructor(seed: number) {
    this.random = new Randomness(seed);
    // V8 keeps a field that begins with an integer as a small one. The first time beyond 2^31 ns would change the kind of
    // these fields, and throw all code away that has been compiled for the engine: so they begin with a fraction.
    this.nowNs = this.#limitNs = this.#dueNs = 0;
  }

  /** Receives what happens; `null`: nobody wants to know. Setting it changes the {@linkcode watcher} only. */
  get trace(): TraceSink | null {
    return this.#trace;
  }

  set trace(sink: TraceSink | null) {
    this.#watcher = sink;
    this.#joinSinks();
  }

  /** Who watches from outside the model. */
  get watcher(): TraceSink | null {
    return this.#watcher;
  }

  /** Software of the model that records what happens, beside whoever watches; `on`: whether it does. */
  recordTo(recorder: TraceSink, on: boolean): void {
    if (on === this.#recorders.has(recorder)) return;
    if (on) this.#recorders.add(recorder);
    else this.#recorders.delete(recorder);
    this.#joinSinks();
  }

  #joinSinks(): void {
    const sinks = [...this.#recorders, ...(this.#watcher === null ? [] : [this.#watcher])];
    this.#trace = sinks.length === 0 ? null : sinks.length === 1 ? sinks[0]! : {
      record(record) {
        for (const sink of sinks) sink.record(record);
      },
    };
    this.#limitTo(0); // from now on every event goes through the queue
  }

  /**
   * Makes an alarm. Of alarms due at one time, those of lower `priority` fire first, then those armed first.
   *
   * @param payload what the handler will act on, part of the state for as long as the alarm is armed
   */
  alarm(name: string, handler: () => void, priority = 0, payload: Hashed | null = null): Alarm {
    const id = this.#freeIds.pop() ?? this.#alarms.length;
    return this.#alarms[id] = new Alarm(this, id, name, priority, handler, payload);
  }

  /** Takes back an alarm that nobody will arm any more: its place is the next one's. */
  release(alarm: Alarm): void {
    alarm.cancel();
    this.#freeIds.push(alarm.id);
  }

  /** How many alarms there are, armed or not. */
  get alarms(): number {
    return this.#alarms.length - this.#freeIds.length;
  }

  /** Puts an alarm into the queue, at the time that it says. Use {@linkcode Alarm.at}. */
  insert(alarm: Alarm): void {
    const { timeNs, priority } = alarm;
    const n = this.#pending;
    if (n === this.#times.length) this.#grow();
    const times = this.#times, priorities = this.#priorities, ids = this.#ids;
    let i = n;
    while (i > 0) {
      const t = times[i - 1]!;
      if (t > timeNs || (t === timeNs && priorities[i - 1]! > priority)) break;
      times[i] = t;
      priorities[i] = priorities[i - 1]!;
      ids[i] = ids[i - 1]!;
      i--;
    }
    times[i] = timeNs;
    priorities[i] = priority;
    ids[i] = alarm.id;
    this.#pending = n + 1;
    if (timeNs < this.#dueNs) this.#dueNs = timeNs;
    alarm.cause = this.event;
  }

  /** Takes a pending alarm out of the queue. Use {@linkcode Alarm.cancel}. */
  remove(alarm: Alarm): void {
    const ids = this.#ids, times = this.#times, priorities = this.#priorities;
    const last = --this.#pending;
    let i = last;
    while (ids[i] !== alarm.id) i--;
    const first = i === last;
    for (; i < last; i++) {
      ids[i] = ids[i + 1]!;
      times[i] = times[i + 1]!;
      priorities[i] = priorities[i + 1]!;
    }
    if (first) this.#dueNs = last === 0 ? this.#limitNs : Math.min(this.#limitNs, times[last - 1]!);
    alarm.timeNs = NEVER;
  }

  /** When the next alarm fires; {@linkcode NEVER} where none is pending. */
  get nextNs(): number {
    return this.#pending === 0 ? NEVER : this.#times[this.#pending - 1]!;
  }

  /**
   * Lets the next alarm fire: one event. Everything that advances the model, from `step` to a whole run, is made
   * of this call.
   *
   * @returns false where nothing is pending: the model would stand still for ever
   */
  step(): boolean {
    const n = this.#pending - 1;
    if (n < 0) return false;
    this.#pending = n;
    if (this.#limitNs !== 0) {
      this.#dueNs = n === 0 ? this.#limitNs : Math.min(this.#limitNs, this.#times[n - 1]!);
    }
    const alarm = this.#alarms[this.#ids[n]!]!;
    this.nowNs = alarm.timeNs;
    alarm.timeNs = NEVER;
    this.event++;
    this.cause = alarm.cause;
    if (this.trace !== null) {
      this.trace.record({
        event: this.event,
        cause: alarm.cause,
        timeNs: this.nowNs,
        where: alarm.name,
        kind: "alarm",
        name: alarm.name,
        fields: {},
      });
    }
    alarm.handler();
    return true;
  }

  /**
   * Passes `ns` without the queue, as one event or as some: the way of an activity whose step ends before anything else is
   * due. Only inside {@linkcode run}; a single {@linkcode step} and a traced run go through the queue, and come to the
   * same state. (It takes a duration: for a time V8 would make a box where the call stays one.)
   *
   * @returns false where something is due before or at the end of it, or the run ends before it
   */
  pass(ns: number, events = 1): boolean {
    const event = this.event + events, timeNs = this.nowNs + ns;
    if (timeNs >= this.#dueNs || event > this.#lastEvent) return false;
    this.nowNs = timeNs;
    this.event = event;
    return true;
  }

  /**
   * Steps while an alarm is due at or before `untilNs`, the event is not `lastEvent`, and nobody has called
   * {@linkcode stop}. The time stays at the last event. Without an end (`Infinity`) it runs until it is stopped or nothing
   * is pending.
   *
   * @returns whether it was stopped
   */
  run(untilNs: number, lastEvent = Infinity): boolean {
    this.#stopped = false;
    this.#lastEvent = lastEvent;
    const horizonNs = Math.min(untilNs, Number.MAX_SAFE_INTEGER); // an endless loop has no end to pass to
    while (!this.#stopped && this.event < lastEvent && this.#isDue(horizonNs)) {
      if (this.#limitNs === 0 && this.trace === null) this.#limitTo(horizonNs + 1);
      this.step();
    }
    this.#limitTo(0);
    this.#lastEvent = Infinity;
    return this.#stopped;
  }

  /** Whether {@linkcode nextNs} is not later; it is compared where it lies, as V8 would box it for an answer. */
  #isDue(byNs: number): boolean {
    const next = this.#pending - 1;
    return next >= 0 && this.#times[next]! <= byNs;
  }

  /** Ends {@linkcode run} with the event that is happening. */
  stop(): void {
    this.#stopped = true;
    this.#limitTo(0);
  }

  /** Runs everything that is due up to and including `timeNs`, then sets the time to it. */
  runUntil(timeNs: number): void {
    if (!this.run(timeNs) && timeNs > this.nowNs) this.nowNs = timeNs;
  }

  /** One of `count` free choices: the only place where something that is not data is decided. */
  choose(count: number, label: string): number {
    return count <= 1 ? 0 : this.chooser(count, label);
  }

  /** The names and times of the pending alarms, next first. */
  pending(): { name: string; timeNs: number }[] {
    const list = [];
    for (let i = this.#pending - 1; i >= 0; i--) {
      list.push({ name: this.#alarms[this.#ids[i]!]!.name, timeNs: this.#times[i]! });
    }
    return list;
  }

  /** Makes `part` part of the state hash, under `name`. */
  register(name: string, part: Hashed): void {
    this.#parts.set(part, name);
  }

  /** What these parts were is gone, and part of the state hash no more. */
  unregister(...gone: readonly Hashed[]): void {
    for (const part of gone) this.#parts.delete(part);
  }

  /** The hash of everything: time, pending alarms, random streams, registered parts. 16 hex digits. */
  stateHash(): string {
    const hash = new StateHash();
    hash.number(this.nowNs).number(this.event);
    for (let i = this.#pending - 1; i >= 0; i--) {
      const { name, timeNs, payload } = this.#alarms[this.#ids[i]!]!;
      hash.text(name).number(timeNs);
      payload?.hashInto(hash);
    }
    for (const [part, name] of this.#parts) {
      hash.text(name);
      part.hashInto(hash);
    }
    // After the parts: one of them may have to catch up with the time, and draw, before its state can be told.
    for (const stream of this.random.streams()) hash.text(stream.name).words(stream.position());
    return hash.hex();
  }

  /** The hash of each registered part by itself: where two runs differ. */
  partHashes(): Map<string, string> {
    const hashes = new Map<string, string>();
    for (const [part, name] of this.#parts) {
      const hash = new StateHash();
      part.hashInto(hash);
      hashes.set(name, hash.hex());
    }
    return hashes;
  }

  #limitTo(limitNs: number): void {
    this.#limitNs = limitNs;
    this.#dueNs = Math.min(limitNs, this.nextNs);
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2);
    times.set(this.#times);
    this.#times = times;
    const priorities = new Int32Array(times.length);
    priorities.set(this.#priorities);
    this.#priorities = priorities;
    const ids = new Int32Array(times.length);
    ids.set(this.#ids);
    this.#ids = ids;
  }
}
