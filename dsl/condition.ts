/**
 * Conditions: what `expect` asserts and `run until` waits for.
 *
 * ```text
 * time >= 1s            virtual time of the laboratory
 * event >= 5000         events of the engine
 * exits.total == 0      VM exits of vm0; exits.hlt, exits.msr_write, … by the names of kvm_stat
 * cyclictest.max < 20us the session's last result: min, avg, max, mean; cyclictest.count is a number
 * cpu 3 offline         online, offline or slave: the host's processors
 * guest vm0 up          the kernel that `ssh vm0` reaches has booted
 * ```
 *
 * A quantity that has no value yet is `n/a`, which is neither true nor false: waiting goes on, an assertion fails.
 * What the language knows but the laboratory cannot observe is refused by name.
 *
 * @module
 */

import { exitReasonNamed, exitReasonNames, totalExits } from "../runtime/lab/views/exits.ts";
import { durationText, parseDuration, timeText } from "./duration.ts";
import type { Session } from "./session.ts";
import { unknownName } from "./unknown_name.ts";

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

/** What the language knows and the laboratory cannot yet observe between two events. */
const NOT_YET: Readonly<Record<string, string>> = {
  latency: "single samples are not observed yet; cyclictest.max is, at the end of a run",
  exit: "stops at a single exit come later; exits.NAME counts them",
  eoi: "stops at register accesses come later",
  msr: "stops at register accesses come later",
  vector: "stops at interrupts come later",
  irq: "stops at interrupts come later",
};

const CPU_STATES = ["online", "offline", "slave"];
const STATISTICS = ["min", "avg", "max", "mean", "count"];

/**
 * Reads a condition.
 *
 * @throws {ConditionError} if it is none, or asks for what is not observed
 */
export function parseCondition(source: string): Condition {
  const text = source.trim();
  const [word = ""] = text.split(/[\s=<>!.]/);
  const reason = Object.hasOwn(NOT_YET, word) ? NOT_YET[word] : undefined;
  if (reason !== undefined) throw new ConditionError(`${word}: not modelled: ${reason}`);
  if (word === "cpu") return cpuCondition(text);
  if (word === "guest") return guestCondition(text);
  const match = /^([\w.-]+)\s*(==|!=|<=|>=|=|<|>)\s*(\S.*)$/.exec(text);
  if (match === null) {
    throw new ConditionError(`"${text}": expected QUANTITY OPERATOR VALUE, as in time >= 1s`);
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
  const known = ["time", "event", "exits.total", "cyclictest.max", "cpu", "guest"];
  throw new ConditionError(unknownName("quantity", name, known));
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
      const is = lab.computer(name)?.kernel.isUp === true ? "up" : "down";
      return { holds: is === wanted, left: `guest ${name} is ${is}`, right: wanted };
    },
  };
}
