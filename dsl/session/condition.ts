/**
 * Conditions: what `expect` asserts, `run until` waits for and `stop-at` stops at.
 *
 * Some are on what is, and can be asked at any instant; others on what happens at one, in `occurrences.ts`.
 *
 * A quantity that has no value yet is `n/a`, which is neither true nor false: waiting goes on, an assertion fails.
 *
 * @module
 */

import type { TraceRecord } from "../../hw/sim/trace.ts";
import { exitReasonNamed, exitReasonNames, totalExits } from "../../runtime/lab/views/exits.ts";
import { RegisterError, registerNamed } from "../../runtime/lab/views/registers.ts";
import { closest } from "../../runtime/lab/spelling.ts";
import { durationText, parseDuration, timeText } from "./duration.ts";
import { type Occurrence, OCCURRENCE_HELP, OCCURRENCES, parseOccurrence } from "./occurrences.ts";
import type { Session } from "./session.ts";
import { unknownName } from "../shell/unknown_name.ts";

/** Conditions on what is: how they are written, and what they mean. */
const STATE_HELP: readonly (readonly [usage: string, does: string])[] = [
  ["time >= 1s", "virtual time; the operators are == = != < <= > >="],
  ["event >= 5000", "events of the engine"],
  ["exits.total > 0", "VM exits of vm0; exits.hlt, exits.msr_write, ... by the names of kvm_stat"],
  ["cyclictest.max < 20us", "the last result: min, avg, max, mean; cyclictest.count is a number"],
  ["latency > 100us", "the sample of cyclictest taken last, while it runs"],
  ["cpu 3 offline", "online, offline or slave: a processor of the host"],
  ["guest vm0 up", "up or down: the kernel that ssh vm0 reaches"],
  ["msr-bitmap 0x80b = 0", "0: a guest's write of the register does not exit; 1: it does"],
  ["cpu3.lapic.isr = none", "a register, as changed takes it, = or != its value"],
];

/** The lines of help for all forms, or for those on what is; two columns. */
export function conditionHelp(which: "state" | "all" = "all"): string {
  return [...STATE_HELP, ...(which === "all" ? OCCURRENCE_HELP : [])].map(([usage, does]) =>
    `  ${usage.padEnd(34)} ${does}`
  ).join("\n");
}

/** A condition that makes no sense, with what was expected instead. */
export class ConditionError extends Error {
  override readonly name = "ConditionError";
}

/** A condition at one instant. */
export interface Verdict {
  /** Undefined: it has no value yet. */
  readonly holds: boolean | undefined;
  /** What stands on the left, as a text: `exits.total is 37`. */
  readonly left: string;
  /** What was wanted, as a text: `== 0`. */
  readonly right: string;
}

/** A condition that can be looked at again and again. */
export interface Condition {
  readonly text: string;
  /** Looks at the laboratory as it is now; changes nothing. */
  look(session: Session): Verdict;
  /** The first instant at which it can hold, ns, if time alone decides. */
  readonly fromNs?: number;
  /** It is on what happens, or changes: what sees it, from this instant on. Absent: it is on what is. */
  eye?(session: Session): Eye;
}

/** What sees something happen. */
export interface Eye {
  /** To be shown what is traced. */
  readonly sees?: (record: TraceRecord) => void;
  /** To be asked after each event: what has happened with it. */
  check(): string | undefined;
}

/** A number that a condition can compare. */
interface Quantity {
  readonly unit: "time" | "duration" | "number";
  value(session: Session): number | undefined;
}

const OPERATORS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "==": (a, b) => a === b,
  "=": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
};

/** Words that conditions begin with. */
export const KNOWN: readonly string[] = [
  ...["time", "event", "exits.total", "cyclictest.max", "latency", "cpu", "guest", "msr-bitmap"],
  ...OCCURRENCES,
];
/** What a processor of the host can be. */
export const CPU_STATES = ["online", "offline", "slave"];
/** What cyclictest has found. */
export const STATISTICS = ["min", "avg", "max", "mean", "count"];

/**
 * Reads a condition.
 *
 * @throws {ConditionError} if it is none, or asks for what is not observed
 */
export function parseCondition(source: string): Condition {
  const text = source.trim();
  const [word = ""] = text.split(/[\s=<>!.]/);
  const occurs = parseOccurrence(text);
  if (typeof occurs === "string") throw new ConditionError(occurs);
  if (occurs !== undefined) {
    const left = `${word} is what happens, not what is`;
    return {
      text,
      eye: (session) => tracedEye(occurs, session),
      look: () => ({ holds: undefined, left, right: "" }),
    };
  }
  const latency = /^latency\s*(==|!=|<=|>=|=|<|>)\s*(\S.*)$/.exec(text);
  if (latency !== null) return latencyCondition(text, OPERATORS[latency[1]!]!, latency[2]!);
  if (word === "cpu") return cpuCondition(text);
  if (word === "guest") return guestCondition(text);
  const register = registerCondition(text);
  if (register !== undefined) return register;
  const match = /^([\w.-]+)\s*(==|!=|<=|>=|=|<|>)\s*(\S.*)$/.exec(text);
  if (match === null) {
    const meant = closest(word, KNOWN);
    throw new ConditionError(
      `"${text}": expected QUANTITY OPERATOR VALUE, as in time >= 1s${
        meant === undefined || meant === word ? "" : `; did you mean ${meant}?`
      }`,
    );
  }
  const [, name = "", operator = "", wanted = ""] = match;
  const quantity = quantityNamed(name);
  const value = quantity.unit === "number" ? parseNumber(wanted) : parseDuration(wanted);
  if (value === undefined) {
    const kind = quantity.unit === "number" ? "a number" : "a duration with its unit, like 10us";
    throw new ConditionError(`${name} ${operator} ${wanted}: expected ${kind} on the right`);
  }
  const holds = OPERATORS[operator]!;
  const write = quantity.unit === "number" ? String : quantity.unit === "time" ? timeText : durationText;
  const condition: Condition = {
    text,
    look(session) {
      const is = quantity.value(session);
      return {
        holds: is === undefined ? undefined : holds(is, value),
        left: `${name} is ${is === undefined ? "n/a" : write(is)}`,
        right: `${operator} ${write(value)}`,
      };
    },
  };
  if (name !== "time" || operator[0] !== ">") return condition;
  return { ...condition, fromNs: operator === ">=" ? value : value + 1 };
}

/**
 * The condition, or what is wrong with it. `stop`: a quantity alone is one, whose change is meant; `watch`: nothing else is.
 */
export function parsedCondition(text: string, session: Session, as?: "stop" | "watch"): Condition | string {
  try {
    if (as !== undefined) {
      const value = changing(text.trim(), session);
      if (value !== undefined) return value;
      if (as === "watch") return `"${text}": expected a quantity or a register, as in watch exits.total`;
    }
    const condition = parseCondition(text);
    condition.look(session); // a register that there is not is found out here, not at the first event
    return condition;
  } catch (error) {
    if (error instanceof ConditionError || error instanceof RegisterError) return error.message;
    throw error;
  }
}

/** Sees what is traced. */
function tracedEye(occurs: Occurrence, session: Session): Eye {
  let seen: string | undefined;
  return {
    sees: (record) => seen ??= occurs(record, session),
    check() {
      const text = seen;
      seen = undefined;
      return text;
    },
  };
}

/** Sees every sample of the benchmarks that run. */
function latencyCondition(text: string, holds: (a: number, b: number) => boolean, wanted: string): Condition {
  const limitNs = parseDuration(wanted);
  if (limitNs === undefined) {
    throw new ConditionError(`${text}: expected a duration with its unit, like 10us, on the right`);
  }
  return {
    text,
    look: () => ({ holds: undefined, left: "latency is what a sample has, not what is", right: "" }),
    eye({ lab }) {
      const known = new Map(lab.histograms.map((each) => [each, { count: each.count, sumNs: each.sumNs }]));
      return {
        check() {
          let found: string | undefined;
          for (const histogram of lab.histograms) {
            const { count, sumNs } = histogram;
            const before = known.get(histogram) ?? { count: 0, sumNs: 0 };
            if (count === before.count) continue;
            known.set(histogram, { count, sumNs });
            const ns = sumNs - before.sumNs;
            if (holds(ns, limitNs)) found ??= `latency of sample ${count} is ${durationText(ns)}`;
          }
          return found;
        },
      };
    },
  };
}

/** A quantity or register without a comparison. */
function changing(text: string, { lab }: Session): Condition | undefined {
  if (/[<>=]/.test(text)) return undefined;
  const read = registerNamed(text, lab);
  const isQuantity = read === undefined && /^[a-z]+\.\w+$/.test(text);
  if (read === undefined && !isQuantity) return undefined;
  const quantity = isQuantity ? quantityNamed(text) : undefined;
  const value = (session: Session) => read === undefined ? quantity!.value(session) : read(session.lab);
  const left = (session: Session) => `${text} is ${value(session) ?? "n/a"}`;
  return {
    text,
    look: (session) => ({ holds: undefined, left: left(session), right: "another value" }),
    eye(session) {
      let last = value(session);
      return {
        check() {
          const now = value(session), before = last;
          last = now;
          return now === before ? undefined : `${text}: ${before ?? "n/a"} -> ${now ?? "n/a"}`;
        },
      };
    },
  };
}

/** `msr-bitmap 0x80b = 0`, `cpu3.lapic.isr = none`; undefined: it is another condition. */
function registerCondition(text: string): Condition | undefined {
  const match = /^((?:msr-bitmap\s.*?)|(?:\w+\.(?:\d+\.)?[\w.-]+))\s*(==|!=|=)\s*(\S.*)$/.exec(text);
  const [, name = "", operator, wanted] = match ?? [];
  if (match === null || /^(exits|cyclictest)\./.test(name)) return undefined;
  return {
    text,
    look({ lab }) {
      const value = registerNamed(name, lab)?.(lab);
      const is = value === undefined ? undefined : String(value) === wanted;
      return {
        holds: is === undefined ? undefined : is === (operator !== "!="),
        left: `${name} is ${value ?? "n/a"}`,
        right: `${operator} ${wanted}`,
      };
    },
  };
}

function parseNumber(text: string): number | undefined {
  return /^-?(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : undefined;
}

function quantityNamed(name: string): Quantity {
  if (name === "time") return { unit: "time", value: ({ lab }) => lab.engine.nowNs };
  if (name === "event") return { unit: "number", value: ({ lab }) => lab.engine.event };
  const [group, field = ""] = name.split(".", 2);
  if (group === "exits") {
    if (field === "total") return { unit: "number", value: ({ lab }) => totalExits(lab.exits()) };
    const reason = exitReasonNamed(field);
    if (reason === undefined) {
      throw new ConditionError(unknownName("exit reason", field, ["total", ...exitReasonNames()]));
    }
    return { unit: "number", value: ({ lab }) => lab.exits()[reason] ?? 0 };
  }
  if (group === "cyclictest") {
    if (!STATISTICS.includes(field)) throw new ConditionError(unknownName("statistic", field, STATISTICS));
    return {
      unit: field === "count" ? "number" : "duration",
      value: (session) => statistic(session, field),
    };
  }
  throw new ConditionError(unknownName("quantity", name, KNOWN));
}

/** Of the last result: a statistic of its first thread. */
function statistic(session: Session, field: string): number | undefined {
  const histogram = session.results.at(-1)?.cyclictest.threads[0]?.histogram;
  if (histogram === undefined || histogram.count === 0) return undefined;
  switch (field) {
    case "count":
      return histogram.count;
    case "min":
      return histogram.minNs;
    case "max":
      return histogram.maxNs;
    case "mean":
      return Math.round(histogram.sumNs / histogram.count);
    default:
      return (histogram.avgUs ?? 0) * 1000; // cyclictest's own average: cut to whole µs
  }
}

function cpuCondition(text: string): Condition {
  const match = /^cpu\s*(\d+)\s+(?:is\s+)?(\w+)$/.exec(text);
  if (match === null) throw new ConditionError(`"${text}": expected cpu N STATE, as in cpu 3 offline`);
  const number = Number(match[1]), state = match[2] ?? "";
  if (!CPU_STATES.includes(state)) throw new ConditionError(unknownName("state", state, CPU_STATES));
  return {
    text,
    look({ lab }) {
      const is = lab.host.cpus[number]?.state;
      return {
        holds: is === undefined ? undefined : is === state,
        left: `cpu ${number} is ${is ?? "n/a"}`,
        right: state,
      };
    },
  };
}

function guestCondition(text: string): Condition {
  const match = /^guest\s+(\S+)\s+(up|down)$/.exec(text);
  if (match === null) throw new ConditionError(`"${text}": expected guest NAME up, or down`);
  const [, name = "", wanted = ""] = match;
  return {
    text,
    look({ lab }) {
      const is = lab.computer(name)?.kernel.startUp.isUp === true ? "up" : "down";
      return { holds: is === wanted, left: `guest ${name} is ${is}`, right: wanted };
    },
  };
}
