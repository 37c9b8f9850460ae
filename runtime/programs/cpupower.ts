/**
 * cpupower: frequencies and idle states of the CPUs, from the files of sysfs.
 *
 * *Document*: Linux 3.5 `tools/power/cpupower`.
 *
 * *Modelled*: `frequency-info`, `frequency-set -g -d -u`, `idle-info`, `-c LIST`. *Not modelled*: the other commands.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { parseCpuList } from "../linux/cpu_mask.ts";
import { Errno } from "../linux/errno.ts";
import { getopt } from "./getopt.ts";
import { maskOf, type Program, type ProgramProcess, readFile } from "./program.ts";

const doc = `cpupower - frequencies and idle states of CPUs
Usage: cpupower [-c LIST] frequency-info
  cpupower [-c LIST] frequency-set [-g GOVERNOR] [-d MIN] [-u MAX]
  cpupower idle-info
Effects: prints or writes what is below /sys/devices/system/cpu/cpuN/cpufreq, of CPU 0 or those of LIST; frequency-set does it on
  all CPUs without a LIST
Exit status: 0; 1 on a wrong argument, or where the kernel refuses
Errors: Error setting new values. Common errors: ...
Differs from the real one: no idle-set, monitor, set, info; frequencies are in kHz, MHz or GHz, whole units
Examples: cpupower frequency-set -g performance
  cpupower frequency-info`;

const REFUSED = `Error setting new values. Common errors:
- Do you have proper administration rights? (super-user?)
- Is the governor you requested available and modprobed?
- Trying to set an invalid policy?
- Trying to set a specific frequency, but userspace governor is not available,
   for example because of hardware which cannot be set to a specific frequency
   or because the userspace governor isn't loaded?
`;

function* read(command: ProgramProcess, path: string): Activity<string | undefined> {
  const text = yield* readFile(command.system, path);
  return text instanceof Errno ? undefined : text.trim();
}

function* write(command: ProgramProcess, path: string, text: string): Activity<boolean> {
  const file = command.system.vfs.open(path, { write: true });
  return !(file instanceof Errno) && !((yield* file.write(`${text}\n`)) instanceof Errno);
}

/** `3400000` kHz as `3.40 GHz`. */
function frequency(khz: string | undefined): string {
  return khz === undefined ? "<unknown>" : `${(Number(khz) / 1e6).toFixed(2)} GHz`;
}

/** `3.4GHz`, `3400MHz`, `3400000`; undefined: it is none. */
function kilohertz(text: string): string | undefined {
  const form = /^(\d+(?:\.\d+)?)\s*(k|M|G)?(?:Hz)?$/i.exec(text);
  if (form === null) return undefined;
  return String(
    Math.round(Number(form[1]) * { k: 1, m: 1e3, g: 1e6 }[(form[2] ?? "k").toLowerCase() as "k"]),
  );
}

/** The program. */
export const cpupower: Program = {
  name: "cpupower",
  doc,
  options: ["-c", "-g", "-d", "-u"],
  *main(command: ProgramProcess): Activity<number> {
    const { kernel } = command;
    yield kernel.steps.shellBuiltin;
    const args = command.argv.slice(1);
    let cpus: number | undefined;
    if (args[0] === "-c" || args[0] === "--cpu") {
      const mask = args[1] === "all"
        ? maskOf(command.processors)
        : parseCpuList(args[1] ?? "", kernel.cpus.length);
      if (mask instanceof Errno) {
        command.stderr("parsing cpu list failed\n");
        return 1;
      }
      cpus = mask;
      args.splice(0, 2);
    }
    const [what, ...rest] = args;
    switch (what) {
      case "frequency-info":
        return yield* frequencyInfo(command, cpus ?? 1);
      case "frequency-set":
        return yield* frequencySet(command, cpus ?? kernel.onlineMask, rest);
      case "idle-info":
        return yield* idleInfo(command);
      case undefined:
      case "--help":
        command.stdout(`${doc}\n`);
        return what === undefined ? 1 : 0;
      default:
        command.stderr(`cpupower: ${what}: not modelled: frequency-info, frequency-set and idle-info are\n`);
        return 1;
    }
  },
};

function* frequencyInfo(command: ProgramProcess, cpus: number): Activity<number> {
  for (const { id } of command.kernel.cpus) {
    if ((cpus & (1 << id)) === 0) continue;
    const folder = `/sys/devices/system/cpu/cpu${id}/cpufreq`;
    const driver = yield* read(command, `${folder}/scaling_driver`);
    command.stdout(`analyzing CPU ${id}:\n`);
    if (driver === undefined) {
      command.stdout("  no or unknown cpufreq driver is active on this CPU\n");
      continue;
    }
    const of = (name: string) => read(command, `${folder}/${name}`);
    const [low, high] = [yield* of("cpuinfo_min_freq"), yield* of("cpuinfo_max_freq")];
    const [from, to] = [yield* of("scaling_min_freq"), yield* of("scaling_max_freq")];
    command.stdout(`  driver: ${driver}\n`);
    command.stdout(
      `  CPUs which need to have their frequency coordinated by software: ${yield* of("affected_cpus")}\n`,
    );
    command.stdout(`  hardware limits: ${frequency(low)} - ${frequency(high)}\n`);
    const governors = (yield* of("scaling_available_governors"))?.split(" ").join(", ");
    command.stdout(`  available cpufreq governors: ${governors}\n`);
    command.stdout(`  current policy: frequency should be within ${frequency(from)} and ${frequency(to)}.\n`);
    const governor = yield* of("scaling_governor");
    command.stdout(`                  The governor "${governor}" may decide which speed to use\n`);
    command.stdout("                  within this range.\n");
    command.stdout(
      `  current CPU frequency is ${
        frequency(yield* of("cpuinfo_cur_freq"))
      } (asserted by call to hardware).\n`,
    );
  }
  return 0;
}

function* frequencySet(command: ProgramProcess, cpus: number, args: readonly string[]): Activity<number> {
  const parsed = getopt(args, {
    values: "gdu",
    long: { governor: "g", min: "d", max: "u" },
    notModelled: ["f", "freq", "r", "related"],
    noOperands: true,
  });
  if (typeof parsed === "string" || parsed.options.length === 0) {
    command.stderr(
      `cpupower frequency-set: ${typeof parsed === "string" ? parsed : "at least one parameter is needed"}\n`,
    );
    return 1;
  }
  const files = { g: "scaling_governor", d: "scaling_min_freq", u: "scaling_max_freq" };
  for (const { id, state } of command.kernel.cpus) {
    if ((cpus & (1 << id)) === 0 || state !== "online") continue;
    command.stdout(`Setting cpu: ${id}\n`);
    for (const { letter, value } of parsed.options) {
      const text = letter === "g" ? value : kilohertz(value);
      const path = `/sys/devices/system/cpu/cpu${id}/cpufreq/${files[letter as "g"]}`;
      if (text !== undefined && (yield* write(command, path, text))) continue;
      command.stderr(REFUSED);
      return 1;
    }
  }
  return 0;
}

function* idleInfo(command: ProgramProcess): Activity<number> {
  const folder = "/sys/devices/system/cpu/cpuidle";
  const driver = yield* read(command, `${folder}/current_driver`);
  const governor = yield* read(command, `${folder}/current_governor_ro`);
  command.stdout(`CPUidle driver: ${driver}\nCPUidle governor: ${governor}\n`);
  command.stdout(`\nAnalyzing CPU 0:\n\nCPU 0: No idle states\n\n`);
  return 0;
}
