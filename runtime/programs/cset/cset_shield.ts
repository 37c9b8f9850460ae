/**
 * `cset shield`: CPUs for chosen tasks alone, by two cpusets, `user` behind the shield and `system` for all others.
 *
 * *Document*: cpuset 1.6, `commands/shield.py`; its tutorial.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { executeIn, listTasks, within, withThreads } from "./cset_proc.ts";
import {
  checkCpus,
  CsetError,
  inverse,
  isUnbound,
  isUserTask,
  type NamedSet,
  pidsOf,
  ROOT,
  type Sets,
} from "./cset_sets.ts";
import { given, type ParsedOptions } from "../getopt.ts";
import type { ProgramProcess } from "../program.ts";

/** The two sets. */
interface Shield {
  readonly user: NamedSet;
  readonly system: NamedSet;
}

/** cset shield. */
export function* shield(
  command: ProgramProcess,
  sets: Sets,
  parsed: ParsedOptions,
): Activity<number | CsetError> {
  const { operands } = parsed, { has, value } = given(parsed);
  const names = { user: value("U") ?? "/user", system: value("Y") ?? "/system" };
  const verbose = parsed.options.filter(({ letter }) => letter === "v").length;
  const there = (): Shield | CsetError => {
    const user = sets.one(names.user), system = sets.one(names.system);
    return user instanceof CsetError || system instanceof CsetError
      ? new CsetError("shielding not active on system")
      : { user, system };
  };
  const kthread = value("k");
  if (kthread !== undefined && kthread !== "on" && kthread !== "off") {
    return new CsetError(`option -k: invalid choice: '${kthread}' (choose from 'on', 'off')`);
  }
  if (has("r")) {
    sets.say("--> deactivating/reseting shielding");
    const active = there();
    return active instanceof CsetError ? active : yield* reset(sets, active);
  }
  const cpus = value("c");
  if (cpus !== undefined) return yield* make(command, sets, names, there(), cpus, kthread === "on", verbose);
  const active = there();
  if (active instanceof CsetError) return active;
  if (kthread !== undefined) return yield* threads(command, sets, active, kthread === "on");
  const spec = value("p") ?? operands[0];
  const isSpec = spec !== undefined && pidsOf(command, spec) !== undefined;
  if (has("e") || (operands.length > 0 && !isSpec)) {
    return yield* executeIn(command, sets, active.user, operands);
  }
  if (!has("s") && !has("u") && !isSpec) {
    sets.say("--> shielding system active with");
    yield* print(command, sets, active.system, verbose);
    yield* print(command, sets, active.user, verbose);
    return 0;
  }
  const enters = !has("u");
  const [to, from] = enters ? [active.user, active.system] : [active.system, active.user];
  if (!isSpec) yield* print(command, sets, to, verbose);
  else {
    const all = has("T");
    sets.say(
      `--> ${enters ? "shielding" : "unshielding"} following pidspec: ${spec} ${all ? "(with threads)" : ""}`,
    );
    const listed = pidsOf(command, spec)!;
    const wanted = all ? withThreads(command, listed) : listed;
    const pids = has("f") ? wanted : yield* within(command, sets, wanted, from);
    if (pids.length === 0) {
      sets.say("--> hint: perhaps use --force if sure of command");
      return new CsetError("tasks do not match all criteria, none moved");
    }
    const refused = yield* sets.move(pids, to);
    if (refused instanceof CsetError) return refused;
  }
  sets.say("done");
  return 0;
}

function* print(command: ProgramProcess, sets: Sets, set: NamedSet, verbose: number): Activity<void> {
  if (verbose > 0) yield* listTasks(command, sets, set, "   ", verbose === 1 ? 76 : 0);
  else sets.say(yield* sets.summary(set));
}

function* make(
  command: ProgramProcess,
  sets: Sets,
  names: { readonly user: string; readonly system: string },
  there: Shield | CsetError,
  cpus: string,
  kernelThreads: boolean,
  verbose: number,
): Activity<number | CsetError> {
  const bad = checkCpus(command, cpus);
  if (bad instanceof CsetError) return bad;
  const others = inverse(command, cpus);
  if (there instanceof CsetError) {
    for (const [name, list] of [[names.user, cpus], [names.system, others]] as const) {
      const made = yield* sets.create(name, { cpus: list, mems: "0", exclusive: true });
      if (!(made instanceof CsetError)) continue;
      for (const each of [names.user, names.system]) {
        const set = sets.one(each);
        if (!(set instanceof CsetError)) sets.destroy(set);
      }
      sets.say("--> failed to create shield, hint: do other cpusets exist?");
      return made;
    }
    sets.say("--> activating shielding:");
  } else {
    // Exclusive sets could not overlap on the way.
    for (const set of [there.user, there.system]) yield* sets.write(set, "cpu_exclusive", "0");
    for (const [set, list] of [[there.user, cpus], [there.system, others]] as const) {
      const refused = yield* sets.write(set, "cpus", list);
      if (refused instanceof CsetError) return refused;
    }
    for (const set of [there.user, there.system]) yield* sets.write(set, "cpu_exclusive", "1");
    sets.say("--> shielding modified with:");
  }
  const user = sets.one(names.user), system = sets.one(names.system);
  if (user instanceof CsetError || system instanceof CsetError) {
    return new CsetError("shielding not active on system");
  }
  const { tasks } = command.kernel;
  const programs = (yield* sets.tasks(ROOT)).filter((pid) => isUserTask(tasks.get(pid)));
  if (programs.length > 0) sets.say(`moving ${programs.length} tasks from root into system cpuset...`);
  yield* sets.move(programs, system);
  yield* sets.leadShells(system);
  if (kernelThreads) yield* moveUnbound(command, sets, system);
  yield* print(command, sets, system, verbose);
  yield* print(command, sets, user, verbose);
  return 0;
}

function* moveUnbound(command: ProgramProcess, sets: Sets, system: NamedSet): Activity<void> {
  const { tasks } = command.kernel;
  const unbound = (yield* sets.tasks(ROOT)).filter((pid) => isUnbound(command, tasks.get(pid)));
  if (unbound.length === 0) return;
  sets.say(`kthread shield activated, moving ${unbound.length} tasks into system cpuset...`);
  yield* sets.move(unbound, system);
}

function* threads(
  command: ProgramProcess,
  sets: Sets,
  { system }: Shield,
  on: boolean,
): Activity<number> {
  if (on) {
    sets.say("--> activating kthread shielding");
    yield* moveUnbound(command, sets, system);
  } else {
    sets.say("--> deactivating kthread shielding");
    const { tasks } = command.kernel;
    const kernel = (yield* sets.tasks(system)).filter((pid) => tasks.get(pid)?.kernelThread === true);
    if (kernel.length > 0) sets.say(`moving ${kernel.length} tasks into root cpuset...`);
    yield* sets.move(kernel, ROOT);
  }
  sets.say("done");
  return 0;
}

function* reset(sets: Sets, { user, system }: Shield): Activity<number | CsetError> {
  yield* sets.leadShells(ROOT);
  for (const [set, what] of [[user, "user"], [system, "system"]] as const) {
    const tasks = yield* sets.tasks(set);
    sets.say(`moving ${tasks.length} tasks from "${set.path}" ${what} set to root set...`);
    yield* sets.move(tasks, ROOT);
  }
  sets.say(`deleting "${user.path}" and "${system.path}" sets`);
  for (const set of [user, system]) {
    const refused = sets.destroy(set);
    if (refused instanceof CsetError) return refused;
  }
  sets.say("done");
  return 0;
}
