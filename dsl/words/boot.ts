import { eraNamed, eraRefusal, ERAS } from "../../runtime/lab/eras.ts";
import { KERNEL_NAMES } from "../../runtime/lab/kernels.ts";
import { appendProblem, MODELLED_PARAMETERS } from "../../runtime/lab/boot_parameters.ts";
import { mutantNamed, MUTANTS } from "../../runtime/lab/mutants.ts";
import { systemNamed, SYSTEMS } from "../../runtime/lab/systems.ts";
import type { Command } from "../commands/command.ts";
import type { BootRequest } from "../session/boot_request.ts";
import type { Session } from "../session/session.ts";
import { unknownName } from "../shell/unknown_name.ts";

/** `boot`. */
const doc = `boot - a fresh machine
Usage: boot [SYSTEM] [--era ERA] [--kernel KERNEL] [--append PARAMETERS] [--seed N] [--mutant MUTANT]
Effects: a fresh machine; what is not said stays as it was, but for the mutant. Background jobs end; variables, functions
  and the results of earlier machines stay. Without boot the first command finds a machine as the command line said
  SYSTEM: ${SYSTEMS.map(({ name }) => name).join(", ")}
  KERNEL: what vm0 runs: ${KERNEL_NAMES.join(", ")}
  ERA: ${ERAS.map(({ name, title }) => `${name}: ${title}`).join("\n       ")}
  PARAMETERS: the end of the host's kernel command line; modelled: ${MODELLED_PARAMETERS.join(", ")}
  MUTANT: a mistake that the patched KVM is to make:
${MUTANTS.map(({ id, title }) => `    ${id.padEnd(3)}  ${title}`).join("\n")}
Exit status: 0; 2 for an unknown name or a number that is none
Examples: boot kvm
  boot rfc-v2 --kernel linux-3.4.4-rt14 --seed 7
  boot talk --mutant M4
  boot kvm --era today --append "isolcpus=2,3 irqaffinity=0-1"`;

/** Options that the language has and the laboratory does not yet take. */
const NOT_YET = ["--machine", "--profile"];
const OPTIONS = ["--kernel", "--seed", "--era", "--append", "--mutant", ...NOT_YET];

/** What may stand behind an option, where that can be listed. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  "--kernel": KERNEL_NAMES,
  "--era": ERAS.map(({ name }) => name),
  "--append": MODELLED_PARAMETERS,
  "--mutant": MUTANTS.map(({ id }) => id),
  "--seed": [],
};

/** Reads the arguments: what to boot, or what is wrong with them. */
export function parseBoot(args: readonly string[]): BootRequest | string {
  let request: BootRequest = {};
  for (let i = 0; i < args.length; i++) {
    const word = args[i] ?? "";
    const [option = ""] = word.split("=", 1);
    const attached = word.startsWith("-") && option !== word ? word.slice(option.length + 1) : undefined;
    if (!option.startsWith("-")) {
      if (request.system !== undefined) {
        return `"${option}": a system is named already: ${request.system.name}`;
      }
      const system = systemNamed(option);
      if (system === undefined) return unknownName("system", option, SYSTEMS.map(({ name }) => name));
      request = { ...request, system };
      continue;
    }
    if (NOT_YET.includes(option)) {
      return `${option}: not yet: there is one machine, and its profile is the command line's`;
    }
    if (!OPTIONS.includes(option)) return unknownName("option", option, OPTIONS);
    const value = attached ?? args[++i];
    if (value === undefined) return `${option}: expected a value`;
    if (option === "--era") {
      const era = eraNamed(value);
      if (era === undefined) return unknownName("era", value, ERAS.map(({ name }) => name));
      request = { ...request, era };
    } else if (option === "--append") {
      request = { ...request, append: value };
    } else if (option === "--kernel") {
      if (!KERNEL_NAMES.includes(value)) return unknownName("kernel", value, KERNEL_NAMES);
      request = { ...request, kernel: value };
    } else if (option === "--mutant") {
      const mutant = mutantNamed(value);
      if (mutant === undefined) return unknownName("mutant", value, MUTANTS.map(({ id }) => id));
      request = { ...request, mutant };
    } else {
      const seed = Number(value);
      if (!/^\d+$/.test(value) || !Number.isSafeInteger(seed)) {
        return `--seed ${value}: expected an integer from 0`;
      }
      request = { ...request, seed };
    }
  }
  return request;
}

/** The word of a session. */
export function boot(session: Session): Command {
  return {
    name: "boot",
    kind: "laboratory",
    doc,
    complete(before) {
      const values = VALUES[before.at(-1) ?? ""];
      if (values !== undefined) return values;
      return before.some((word) => systemNamed(word) !== undefined) ? [] : SYSTEMS.map(({ name }) => name);
    },
    run(context) {
      const request = parseBoot(context.args);
      if (typeof request === "string") return context.complain(request, 2);
      if (context.shell !== session.shell) {
        return context.complain(
          "only in the session's own shell: not in a subshell, a pipe, a job or by ssh",
          2,
        );
      }
      const { era, system, kernel, seed, append, profile, mutant } = session.bootOptions(request);
      const refused = eraRefusal(era, system, kernel) ?? appendProblem(append, profile);
      if (refused !== undefined) return context.complain(refused, 2);
      session.boot(request);
      const more = [
        ...(era === ERAS[0] ? [] : [`era ${era.name}`]),
        ...(append === "" ? [] : [`append "${append}"`]),
      ];
      context.out(`${[`system ${system.name}`, `kernel ${kernel}`, `seed ${seed}`, ...more].join(", ")}\n`);
      if (mutant !== null) context.out(`mutant ${mutant.id}: ${mutant.title}\n`);
      return 0;
    },
  };
}
