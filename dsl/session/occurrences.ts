/**
 * Conditions on what happens at an instant: an exit, an access to a register, an interrupt. They are read from the trace.
 *
 * @module
 */

import type { TraceRecord } from "../../hw/sim/trace.ts";
import { exitReasonName, exitReasonNamed, exitReasonNames } from "../../runtime/lab/views/exits.ts";
import { msrNumber, msrText, RegisterError } from "../../runtime/lab/views/registers.ts";
import type { Session } from "./session.ts";
import { unknownName } from "../shell/unknown_name.ts";

/** What happened, as a text, if the record is one of it. */
export type Occurrence = (record: TraceRecord, session: Session) => string | undefined;

/** One form: how it is written, what it means, and how it is read. */
interface Form {
  readonly usage: string;
  readonly does: string;
  /** Answers what is wrong as a text. */
  parse(words: readonly string[], cpu: (record: TraceRecord) => boolean): Occurrence | string;
}

const EOI = 0x80b;
const EOI_OFFSET = 0xb0;
const hex = (value: unknown): string => `0x${(Number(value) >>> 0).toString(16)}`;
const mode = ({ fields }: TraceRecord): string => fields.mode === "guest" ? "the guest" : "the host";

/** By their first word. */
const FORMS: Readonly<Record<string, Form>> = {
  exit: {
    usage: "exit [reason=N|NAME] [cpu N]",
    does: "a VM exit",
    parse(words, isHere) {
      const [word, ...more] = words;
      if (more.length > 0) return `"${more.join(" ")}": expected exit [reason=N|NAME]`;
      let reason: number | undefined;
      if (word !== undefined) {
        const [key, value = ""] = word.split("=", 2);
        if (key !== "reason") return unknownName("word", key!, ["reason"]);
        reason = /^\d+$/.test(value) ? Number(value) : exitReasonNamed(value);
        if (reason === undefined) return unknownName("exit reason", value, exitReasonNames());
      }
      return (record) => {
        const { kind, where, fields } = record;
        if (kind !== "exit" || !isHere(record) || (reason !== undefined && fields.reason !== reason)) {
          return undefined;
        }
        const of = Number(fields.reason);
        return `exit ${exitReasonName(of)}${
          of === 31 || of === 32 ? ` of ${msrText(Number(fields.operand))}` : ""
        } on ${where}`;
      };
    },
  },
  entry: {
    usage: "entry [cpu N]",
    does: "a VM entry",
    parse: (words, isHere) =>
      words.length > 0
        ? `"${words.join(" ")}": expected entry`
        : (record) => record.kind === "entry" && isHere(record) ? `entry on ${record.where}` : undefined,
  },
  inject: {
    usage: "inject [VECTOR] [cpu N]",
    does: "an event that an entry injects into a guest",
    parse: (words, isHere) =>
      withVector(
        words,
        (vector) => (record) =>
          record.kind === "injection" && isHere(record) &&
            (vector === undefined || record.fields.vector === vector)
            ? `vector ${hex(record.fields.vector)} injected on ${record.where}`
            : undefined,
      ),
  },
  vector: {
    usage: "vector V [cpu N]",
    does: "an interrupt at vector V is taken, by the host or a guest, or injected",
    parse: (words, isHere) =>
      words.length === 0
        ? "expected a vector, as in vector 0x41"
        : withVector(words, (vector) => (record) => {
          const { kind, where, fields } = record;
          if (
            (kind !== "interrupt" && kind !== "injection") || fields.vector !== vector || !isHere(record)
          ) return undefined;
          return `vector ${hex(vector)} ${
            kind === "injection" ? "injected" : `taken by ${mode(record)}`
          } on ${where}`;
        }),
  },
  msr: {
    usage: "msr REGISTER [read|write] [cpu N]",
    does: "RDMSR or WRMSR of a register, 0x80b or EOI, whether it exits or not",
    parse([register, access, ...more], isHere) {
      if (register === undefined) return "expected a register, as in msr 0x80b";
      if (more.length > 0 || (access !== undefined && access !== "read" && access !== "write")) {
        return `"${[access, ...more].join(" ")}": expected read or write`;
      }
      const msr = msrNumber(register);
      return (record) => {
        const { kind, name, where, fields } = record;
        if (!isHere(record)) return undefined;
        const exits = kind === "exit" && (fields.reason === 31 || fields.reason === 32) &&
          fields.operand === msr;
        const native = kind === "instruction" && (name === "wrmsr" || name === "rdmsr") &&
          fields.address === msr;
        if (!exits && !native) return undefined;
        const writes = exits ? fields.reason === 32 : name === "wrmsr";
        if (access !== undefined && writes !== (access === "write")) return undefined;
        const by = exits
          ? "the guest, which exits"
          : `${mode(record)}${fields.mode === "guest" ? ", without an exit" : ""}`;
        return `msr ${msrText(msr)} ${writes ? "written" : "read"} by ${by} on ${where}`;
      };
    },
  },
  eoi: {
    usage: "eoi [cpu N]",
    does: "an interrupt is acknowledged: a write of the EOI register, whether it exits or not",
    parse: (words, isHere) =>
      words.length > 0 ? `"${words.join(" ")}": expected eoi` : (record) => {
        const { kind, name, where, fields } = record;
        if (!isHere(record)) return undefined;
        const address = Number(kind === "exit" ? fields.operand : fields.address);
        const exits = kind === "exit" &&
          ((fields.reason === 32 && address === EOI) ||
            (fields.reason === 44 && (address & 0xfff) === EOI_OFFSET));
        const native = kind === "instruction" &&
          ((name === "wrmsr" && address === EOI) ||
            (name === "store" && address === 0xfee0_0000 + EOI_OFFSET));
        if (!exits && !native) return undefined;
        return `EOI by ${exits ? "the guest, which exits" : mode(record)} on ${where}`;
      },
  },
};

/** Their first words. */
export const OCCURRENCES: readonly string[] = Object.keys(FORMS);

/** A line of help for each. */
export const OCCURRENCE_HELP: readonly (readonly [usage: string, does: string])[] = Object.values(FORMS).map((
  { usage, does },
) => [usage, does]);

/** Reads a condition that begins with one of these words; undefined: it begins with another; a text: what is wrong. */
export function parseOccurrence(text: string): Occurrence | string | undefined {
  const [first = "", ...rest] = text.split(/\s+/);
  const form = Object.hasOwn(FORMS, first) ? FORMS[first] : undefined;
  if (form === undefined) return undefined;
  const at = rest.indexOf("cpu");
  const place = at < 0 ? undefined : rest.splice(at, 2)[1];
  if (at >= 0 && !/^\d+$/.test(place ?? "")) return `cpu ${place ?? ""}: expected the number of a processor`;
  try {
    return form.parse(rest, ({ where }) => place === undefined || where === `cpu${Number(place)}`);
  } catch (error) {
    if (error instanceof RegisterError) return error.message;
    throw error;
  }
}

function withVector(
  words: readonly string[],
  make: (vector: number | undefined) => Occurrence,
): Occurrence | string {
  const [word, ...more] = words;
  if (word === undefined) return make(undefined);
  const vector = /^(0x[\da-f]+|\d+)$/i.test(word) ? Number(word) : NaN;
  return more.length > 0 || !(vector < 256)
    ? `"${words.join(" ")}": expected a vector, 0 to 0xff`
    : make(vector);
}
