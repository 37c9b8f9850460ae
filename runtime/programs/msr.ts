/**
 * rdmsr and wrmsr (msr-tools 1.3): model-specific registers of one processor, by hand.
 *
 * *Modelled*: the registers that the processor's model has; in a guest, whatever the MSR bitmap and KVM make of the access.
 *
 * *Not modelled*: `-a`, `-f`; several values for several processors.
 *
 * *Deviations*: values above 2^53 cannot be written. The tool's process goes to the processor itself, where the driver
 * sends a function there.
 *
 * @module
 */

import type { Activity, Step } from "../../hw/sim/activity.ts";
import { Errno } from "../linux/errno.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { setAffinity } from "../linux/sched/scheduler_calls.ts";
import { complain, getopt } from "./getopt.ts";
import type { Program, ProgramProcess } from "./program.ts";

/** Statuses of both tools: no such processor; the access faulted. */
const NO_CPU = 2, FAULTED = 4;

const rdmsrDoc = `rdmsr - reads a model-specific register
Usage: rdmsr [-p PROCESSOR] [-xXduc0] REGISTER
Effects: reads a model-specific register, REGISTER in hexadecimal with 0x, in octal with 0, or in decimal; prints it in
  hexadecimal; -X: in capitals, -d, -u: in decimal, -c: with 0x, -0: 16 digits
Exit status: 0; 2 where there is no such processor, 4 where the access faults, 1 or 127 on wrong use
Errors: rdmsr: CPU N cannot read MSR 0xREGISTER; rdmsr: No CPU N
Differs from the real one: no -a, -f
Examples: rdmsr -p 0 0x1b
  rdmsr -c 0x80d`;

const wrmsrDoc = `wrmsr - writes a model-specific register
Usage: wrmsr [-p PROCESSOR] REGISTER VALUE
Effects: writes a model-specific register
Exit status: 0; 2 where there is no such processor, 4 where the access faults, 1 or 127 on wrong use
Errors: wrmsr: CPU N cannot set MSR 0xREGISTER to 0xVALUE; wrmsr: No CPU N
Differs from the real one: no -a; values up to 2^53
Examples: wrmsr -p 0 0x808 0x10`;

/** The reading tool. */
export const rdmsr: Program = {
  name: "rdmsr",
  doc: rdmsrDoc,
  *main(command: ProgramProcess): Activity<number> {
    const access = parse(command, rdmsr, "xXduc0", 1);
    if (typeof access === "number") return access;
    const { numbers: [register], cpu, letters } = access;
    const value = yield* perform(command, cpu, (on) => on.registers.rdmsr(register!));
    if (value === undefined) {
      command.stderr(`rdmsr: CPU ${access.processor} cannot read MSR ${hex(register!, 8)}\n`);
      return FAULTED;
    }
    const decimal = letters.includes("d") || letters.includes("u");
    const digits = value.toString(decimal ? 10 : 16).padStart(letters.includes("0") ? 16 : 1, "0");
    const text = letters.includes("X") ? digits.toUpperCase() : digits;
    command.stdout(`${letters.includes("c") && !decimal ? "0x" : ""}${text}\n`);
    return 0;
  },
};

/** The writing tool. */
export const wrmsr: Program = {
  name: "wrmsr",
  doc: wrmsrDoc,
  *main(command: ProgramProcess): Activity<number> {
    const access = parse(command, wrmsr, "", 2);
    if (typeof access === "number") return access;
    const { numbers: [register, value], cpu } = access;
    const done = yield* perform(command, cpu, (on) => on.registers.wrmsr(register!, value!));
    if (done !== undefined) return 0;
    command.stderr(
      `wrmsr: CPU ${access.processor} cannot set MSR ${hex(register!, 8)} to ${hex(value!, 16)}\n`,
    );
    return FAULTED;
  },
};

/** What is to be accessed. */
interface Access {
  /** The processor as the process numbers it. */
  readonly processor: number;
  readonly cpu: KernelCpu;
  readonly letters: readonly string[];
  readonly numbers: readonly number[];
}

/** Reads the command line; a number is an exit status. */
function parse(command: ProgramProcess, program: Program, flags: string, count: number): Access | number {
  const parsed = getopt(command.argv.slice(1), { flags, values: "p", notModelled: ["a", "f"] });
  if (typeof parsed === "string") return complain(command, program, parsed);
  if (parsed.operands.length !== count) return complain(command, program, "bad usage");
  const numbers = parsed.operands.map(number);
  const wrong = parsed.operands[numbers.findIndex((value) => Number.isNaN(value))];
  if (wrong !== undefined) {
    return complain(command, program, `"${wrong}": expected a number up to 2^53, as in 0x80b`);
  }
  const processor = Number(parsed.options.findLast(({ letter }) => letter === "p")?.value ?? 0);
  const cpu = command.kernel.cpus[command.processors[processor] ?? -1];
  if (cpu === undefined || cpu.state !== "online") {
    command.stderr(`${program.name}: No CPU ${processor}\n`);
    return NO_CPU;
  }
  return { processor, cpu, letters: parsed.options.map(({ letter }) => letter), numbers };
}

/** strtoull() with base 0; NaN where it is no number, or one that the model cannot hold. */
function number(text: string): number {
  const value = /^0[0-7]+$/.test(text)
    ? parseInt(text, 8)
    : /^(0x[0-9a-f]+|\d+)$/i.test(text)
    ? Number(text)
    : NaN;
  return Number.isSafeInteger(value) ? value : NaN;
}

/** Executes an access on `cpu`. Returns its result; undefined where it faults. */
function* perform(
  { kernel, system, task }: ProgramProcess,
  cpu: KernelCpu,
  access: (cpu: KernelCpu) => Step,
): Activity<number | undefined> {
  yield kernel.steps.shellBuiltin;
  const refused = yield* setAffinity(kernel, system.threads, task, 1 << cpu.id, task);
  if (refused instanceof Errno) return undefined;
  const before = cpu.faults;
  const value = yield access(cpu);
  return cpu.faults === before ? value : undefined; // the fix-up table has noted it
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}
