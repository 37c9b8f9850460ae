/**
 * modprobe (module-init-tools 3.16 on the kernels of 2012, kmod 30 on today's): adds a module to the kernel.
 *
 * Every module that the model has is built in, so there is nothing to add; what it has not is not found.
 *
 * *Modelled*: `-a`, `-n`, `-q`, `-r`, `-v`, `--first-time`.
 *
 * *Not modelled*: parameters of modules, and the other options; refused by name.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { MODELLED_PARAMETERS } from "../../linux/command_line.ts";
import { complain, getopt, type OptionTable } from "../getopt.ts";
import { builtIn, isKmod, moduleName } from "./modules.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `modprobe - adds a module to the kernel, or removes one
Usage: modprobe [-nqv] [--first-time] MODULE | -a MODULE... | -r MODULE...
Effects: none where MODULE is there: every module of the model is built in. -a: several; -r: removes; -n: only looks;
  -q: says nothing about modules that there are not; --first-time: what is there already is an error
Exit status: 0; 1 if there is no such module, or it cannot be removed
Errors: FATAL: Module NAME not found.; FATAL: Module NAME is builtin.
Differs from the real one: no parameters, no configuration files, no dependencies
Examples: modprobe kvm-intel
  modprobe -a kvm pci-stub
  modprobe -q nosuch || echo none`;

const OPTIONS: OptionTable = {
  flags: "anqrv\x01",
  long: { all: "a", "dry-run": "n", show: "n", quiet: "q", remove: "r", verbose: "v", "first-time": "\x01" },
  notModelled: [
    "b",
    "C",
    "c",
    "D",
    "d",
    "f",
    "i",
    "l",
    "R",
    "s",
    "S",
    "t",
    "force",
    "show-depends",
    "config",
  ],
};

/** The program. */
export const modprobe: Program = {
  name: "modprobe",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel } = command;
    yield kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), OPTIONS);
    if (typeof parsed === "string") return complain(command, modprobe, parsed);
    const flags = new Set(parsed.options.map(({ letter }) => letter));
    const [first, ...more] = parsed.operands;
    const prefix = isKmod(command) ? "modprobe: " : "";
    if (first === undefined) {
      command.stderr(
        `${prefix}${prefix === "" ? "Usage: modprobe MODULE" : "ERROR: missing parameters. See -h."}\n`,
      );
      return 1;
    }
    if (!flags.has("a") && !flags.has("r") && more.length > 0) {
      command.stderr(
        `modprobe: parameters of a module are not modelled: ${more.join(" ")}${atBoot(first, more)}\n`,
      );
      return 1;
    }
    const known = builtIn(command);
    let status = 0;
    for (const name of parsed.operands) {
      const problem = known.has(moduleName(name)) ? ofBuiltIn(name, flags) : notFound(name, command, flags);
      if (problem === undefined) continue;
      if (problem !== "") command.stderr(`${prefix}${problem}\n`);
      status = 1;
    }
    return status;
  },
};

/** Where a module is built in, its parameters are the kernel's command line's. */
function atBoot(module: string, parameters: readonly string[]): string {
  const words = parameters.map((parameter) => `${module.replaceAll("_", "-")}.${parameter}`);
  const known = words.every((word) => MODELLED_PARAMETERS.includes(word.split("=")[0]!));
  return known ? `; it is built in: boot --append "${words.join(" ")}"` : "";
}

/** What stands in the way with a module that is built in. */
function ofBuiltIn(name: string, flags: ReadonlySet<string>): string | undefined {
  if (flags.has("r")) return `FATAL: Module ${moduleName(name)} is builtin.`;
  return flags.has("\x01")
    ? `ERROR: could not insert '${moduleName(name)}': Module already in kernel`
    : undefined;
}

function notFound(name: string, command: ProgramProcess, flags: ReadonlySet<string>): string {
  if (flags.has("q")) return "";
  const folder = ` in directory /lib/modules/${command.kernel.release.release}`;
  return `FATAL: Module ${name} not found${isKmod(command) ? folder : "."}`;
}
