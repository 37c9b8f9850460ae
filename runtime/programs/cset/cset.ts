/**
 * cset: groups of CPUs, and which tasks may use them.
 *
 * *Document*: cset(1), cset-set(1), cset-proc(1), cset-shield(1) of cpuset 1.6, its tutorial, its source for texts and statuses.
 *
 * *Modelled*: `shield`, `set`, `proc`, by the files of the cpuset file system, which is mounted on /cpusets where it is not
 * mounted yet.
 *
 * *Not modelled*: `-m`, `-l FILE`, renaming, users and groups of what is executed.
 *
 * *Deviations*: shells are no tasks: `shield` leads what they start with the other programs, and so does the pid of one. The bar
 * is not drawn step by step. Parents are not modelled: a dash.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { proc } from "./cset_proc.ts";
import { checkCpus, CsetError, type NamedSet, ROOT, Sets } from "./cset_sets.ts";
import { shield } from "./cset_shield.ts";
import { complain, getopt, given, type OptionTable, type ParsedOptions } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `cset - groups of CPUs, and which tasks may use them
Usage: cset shield [-c CPUS [-k on|off]] [-k on|off] [-r] [-s|-u [-p PIDS]] [-e -- PROGRAM [ARG]...] [-v]
  cset set [-l] [-r] [SET]
  cset set -c CPUS [--cpu_exclusive] SET
  cset set -d SET...
  cset proc -l SET | -m PIDS SET | -m -f SET -t SET | -k -f SET -t SET | -e SET -- PROGRAM [ARG]...
Effects: shield -c (--cpu) makes the cpusets user, of those CPUs, and system, of the others, both exclusive, and moves every
  program to system; -k (--kthread) on kernel threads that may run anywhere too; -s (--shield) puts tasks behind it, -u
  (--unshield) takes them out, -e (--exec) runs a program there, -r (--reset) takes it away; alone it tells. set makes, changes,
  lists (-r with all below) and destroys (-d) cpusets, proc lists, moves and starts tasks
Exit status: 0; 1 without a command; 2 if it cannot
Errors: cset: **> shielding not active on system
  cset: **> CPUSPEC "4" specifies higher max(4) than available(3)
  cset: **> cpuset "NAME" not found in cpusets
Differs from the real one: no -m, -l FILE, -x, set -n, --user, --group; shells are no tasks, what they start is led; parents are not
  modelled; -e runs programs, not what the shell does itself
Examples: cset shield --cpu=3; cset shield; cset shield -e -- cyclictest -n -q -l 10; cset shield --reset
  cset set -c 2-3 rt; sleep 9 & cset proc -m $! rt; cset set -l; cset proc -l rt; cset set -d rt`;

const SHIELD: OptionTable = {
  flags: "resufvT",
  values: "cpkUY",
  long: {
    cpu: "c",
    reset: "r",
    exec: "e",
    shield: "s",
    unshield: "u",
    pid: "p",
    threads: "T",
    kthread: "k",
    force: "f",
    verbose: "v",
    userset: "U",
    sysset: "Y",
  },
  notModelled: ["user", "group"],
};

const SET: OptionTable = {
  flags: "lrdvF",
  values: "csm",
  long: {
    list: "l",
    cpu: "c",
    mem: "m",
    destroy: "d",
    set: "s",
    recurse: "r",
    verbose: "v",
    force: "F",
    cpu_exclusive: "x",
  },
  notModelled: ["n", "newname", "x", "usehex", "mem_exclusive"],
};

const PROC: OptionTable = {
  flags: "lemkvTF",
  values: "pstf",
  long: {
    list: "l",
    exec: "e",
    move: "m",
    pid: "p",
    threads: "T",
    set: "s",
    toset: "t",
    fromset: "f",
    kthread: "k",
    force: "F",
    verbose: "v",
  },
  notModelled: ["u", "user", "g", "group"],
};

/** A command: its options, what it does. */
interface Command {
  readonly table: OptionTable;
  act(command: ProgramProcess, sets: Sets, parsed: ParsedOptions): Activity<number | CsetError>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  shield: { table: SHIELD, act: shield },
  set: { table: SET, act: setCommand },
  proc: { table: PROC, act: proc },
};

/** The program. */
export const cset: Program = {
  name: "cset",
  doc,
  options: Object.values(COMMANDS).flatMap(({ table: { long = {} } }) =>
    Object.keys(long).map((name) => `--${name}`)
  ),
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const [name = "", ...words] = command.argv.slice(1);
    if (name === "-h" || name === "--help" || name === "help") return complain(command, cset, "--help");
    if (name === "") {
      command.stderr('usage: cset <command>\n  Try "cset --help" for a list of supported commands\n');
      return 1;
    }
    if (["-m", "--machine", "-l", "--log", "-x", "--tohex"].includes(name)) {
      return complain(command, cset, `option ${name} is not modelled`);
    }
    const candidates = Object.entries(COMMANDS).filter(([each]) => each.startsWith(name));
    const [chosen, another] = candidates;
    if (chosen === undefined || another !== undefined) {
      command.stdout(
        chosen === undefined
          ? `cset: Unknown command: ${name}\ncset: Try "cset help" for a list of supported commands\n`
          : `cset: Ambiguous command: ${name}\ncset: Candidates are: ${
            candidates.map(([each]) => each).join(", ")
          }\n`,
      );
      return 1;
    }
    const [, { table, act }] = chosen;
    const parsed = getopt(words, table);
    if (typeof parsed === "string") return complain(command, cset, parsed) === 0 ? 0 : 2;
    const sets = Sets.mounted(command);
    const answer = sets instanceof CsetError ? sets : yield* act(command, sets, parsed);
    if (!(answer instanceof CsetError)) return answer;
    command.stdout(`cset: **> ${answer.text}\n`);
    return 2;
  },
};

/** cset set. */
function* setCommand(
  command: ProgramProcess,
  sets: Sets,
  parsed: ParsedOptions,
): Activity<number | CsetError> {
  const { operands } = parsed, { has, value } = given(parsed);
  const names = value("s") === undefined ? operands : [value("s")!];
  if (has("d") && !has("l")) return yield* destroy(sets, names, has("r"), has("F"));
  const cpus = value("c"), mems = value("m");
  if (has("l") || (cpus === undefined && mems === undefined)) {
    return yield* list(sets, names.length === 0 ? ["root"] : names, has("r"));
  }
  const [name] = names;
  if (name === undefined) return new CsetError("cpuset not specified");
  const bad = cpus === undefined ? undefined : checkCpus(command, cpus);
  if (bad instanceof CsetError) return bad;
  const made = yield* sets.create(name, {
    ...(cpus === undefined ? {} : { cpus }),
    ...(mems === undefined ? {} : { mems }),
    ...(has("x") ? { exclusive: true } : {}),
  });
  if (made instanceof CsetError) return made;
  sets.say(`--> ${made ? "created" : "modified"} cpuset "${name}"`);
  return 0;
}

function* destroy(
  sets: Sets,
  names: readonly string[],
  recurse: boolean,
  force: boolean,
): Activity<number | CsetError> {
  const doomed: NamedSet[] = [];
  for (const name of names) {
    const set = sets.one(name);
    if (set instanceof CsetError) return set;
    if (sets.below(set).length > 0) {
      if (!recurse) {
        return new CsetError(`cpuset "${set.path}" has subsets, delete them first, or use --recurse`);
      }
      if (!force) return new CsetError(`cpuset "${set.path}" has subsets, use --force to destroy`);
    }
    doomed.push(...sets.all(set).reverse());
  }
  for (const set of doomed) {
    if (set.path === "/") continue;
    const parent = set.path.replace(/\/[^/]*$/, "") || "/";
    const above = sets.one(parent);
    if (above instanceof CsetError) return above;
    const tasks = yield* sets.tasks(set);
    sets.say(`--> processing cpuset "${set.name}", moving ${tasks.length} tasks to parent "${parent}"...`);
    yield* sets.move(tasks, above);
    sets.say(`--> deleting cpuset "${set.path}"`);
    const refused = sets.destroy(set);
    if (refused instanceof CsetError) return refused;
  }
  sets.say("done");
  return 0;
}

function* list(sets: Sets, names: readonly string[], recurse: boolean): Activity<number | CsetError> {
  const shown: NamedSet[] = [];
  for (const name of names) {
    const found = name === "root" ? [ROOT] : sets.named(name);
    if (found instanceof CsetError) return found;
    for (const set of found) shown.push(...(recurse ? sets.all(set) : [set, ...sets.below(set)]));
  }
  const lines = [
    "",
    "         Name       CPUs-X    MEMs-X Tasks Subs Path",
    " ------------ ---------- - ------- - ----- ---- ----------",
  ];
  for (const set of shown) {
    const text = function* (file: string): Activity<string> {
      return (yield* sets.read(set, file)) || "*****";
    };
    const flag = function* (file: string): Activity<string> {
      return (yield* sets.read(set, file)) === "1" ? "y" : "n";
    };
    lines.push(
      ` ${
        [
          set.name.padStart(12),
          (yield* text("cpus")).padStart(10),
          yield* flag("cpu_exclusive"),
          (yield* text("mems")).padStart(7),
          yield* flag("mem_exclusive"),
          String((yield* sets.tasks(set)).length).padStart(5),
          String(sets.below(set).length).padStart(4),
          set.path,
        ].join(" ")
      }`,
    );
  }
  sets.say(lines.join("\n"));
  return 0;
}
