/**
 * systemctl, service, chkconfig: the services of a computer.
 *
 * *Document*: systemctl(1), systemd.unit(5); messages are those of systemd 252, whichever the era.
 *
 * *Modelled*: the services that have a program here, irqbalance and, today, tuned; none runs unless it is started. What is enabled
 * or masked are links below `/etc/systemd/system`, as there. A service reads its environment from `/etc/sysconfig/NAME` and
 * `/etc/default/NAME`.
 *
 * *Not modelled*: other kinds of unit, dependencies, the journal, control groups.
 *
 * *Deviations*: a service runs if a process has its command line, whoever has started it; nothing is started at boot.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { Errno } from "../linux/errno.ts";
import type { Task } from "../linux/sched/task.ts";
import { calendarDate, twoDigits } from "../measure/calendar.ts";
import { startDaemon } from "./daemon.ts";
import { complain, getopt } from "./getopt.ts";
import { type Program, type ProgramProcess, readFile, type SystemPort } from "./program.ts";
import { sendSignal, SIGTERM } from "./signals.ts";

const doc = `systemctl - starts and stops services
Usage: systemctl [-q] [--now] [--no-pager] COMMAND [NAME[.service]]...
Effects: start, stop, restart, try-restart, status, is-active, is-enabled, enable, disable, mask, unmask of services, daemon-reload;
  --now with enable and disable starts or stops too. Services are irqbalance and, today, tuned; none runs unless it is started;
  /etc/sysconfig/irqbalance and /etc/default/irqbalance are its environment
Exit status: 0; 1 on a failure; 3 if a service asked about does not run; 4 if there is none such and status asks; 5 if one is to be
  started or stopped that there is not
Errors: Failed to stop NAME.service: Unit NAME.service not loaded.; Unit NAME.service could not be found.
Differs from the real one: no lists, targets and other units, no -H, --user, show, cat, edit; nothing is started at boot
Examples: systemctl stop irqbalance
  systemctl is-active irqbalance || systemctl start irqbalance; systemctl status irqbalance; systemctl stop irqbalance
  systemctl disable --now irqbalance.service`;

const serviceDoc = `service - starts and stops services
Usage: service NAME start|stop|restart|status
Effects: those of systemctl
Exit status: that of systemctl
Errors: those of systemctl
Differs from the real one: no scripts of /etc/init.d, no --status-all
Examples: service irqbalance stop`;

const chkconfigDoc = `chkconfig - whether services start at boot
Usage: chkconfig NAME on|off
Effects: those of systemctl enable and disable
Exit status: that of systemctl
Errors: those of systemctl
Differs from the real one: no lists and levels; nothing is started at boot
Examples: chkconfig irqbalance off`;

/** How often it looks whether a service that it stops has ended, ns: assumed. */
const POLL_NS = 1_000_000;

/** A service. */
interface Unit {
  readonly name: string;
  readonly description: string;
  /** What it runs: a program of the model, as a unit's ExecStart names it. */
  readonly command: readonly [path: string, ...args: string[]];
  /** Whether a computer has it, where not every one has. */
  isThere?(system: SystemPort): boolean;
}

const UNITS: readonly Unit[] = [
  { name: "irqbalance", description: "irqbalance daemon", command: ["/usr/sbin/irqbalance", "--foreground"] },
  {
    name: "tuned",
    description: "Dynamic System Tuning Daemon",
    command: ["/usr/sbin/tuned", "-l", "-P"],
    isThere: ({ tools }) => tools.tuned !== null,
  },
];

const FOLDER = "/etc/systemd/system";
const WANTS = `${FOLDER}/multi-user.target.wants`;

/** systemctl. */
export const systemctl: Program = {
  name: "systemctl",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      flags: "qlf",
      long: {
        "quiet": "q",
        "full": "l",
        "force": "f",
        "now": "n",
        "no-pager": "-",
        "no-block": "-",
        "system": "-",
      },
      notModelled: ["a", "all", "H", "host", "M", "machine", "n", "lines", "o", "output", "p", "property"],
    });
    if (typeof parsed === "string") return complain(command, systemctl, parsed);
    const has = (letter: string) => parsed.options.some((option) => option.letter === letter);
    const [verb, ...names] = parsed.operands;
    if (verb === undefined || /^(list-|show|cat|edit|get-|set-|isolate|reboot|poweroff)/.test(verb)) {
      command.stderr(`systemctl: ${verb ?? "list-units"} is not modelled: see help systemctl\n`);
      return 1;
    }
    if (verb === "daemon-reload") return 0;
    const act = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
    if (act === undefined) {
      command.stderr(`Unknown command verb ${verb}.\n`);
      return 1;
    }
    if (names.length === 0) {
      command.stderr("Too few arguments.\n");
      return 1;
    }
    let status = 0;
    for (const name of names) {
      const answer = act(command, name.replace(/\.service$/, ""), has("q"), has("n"));
      const now = typeof answer === "number" ? answer : yield* answer;
      if (now !== 0) status = now;
    }
    return status;
  },
};

/** service. */
export const service: Program = {
  name: "service",
  doc: serviceDoc,
  *main(command: ProgramProcess): Activity<number> {
    const [name, verb, ...more] = command.argv.slice(1);
    if (name === undefined || verb === undefined || more.length > 0 || name.startsWith("-")) {
      command.stderr(
        "Usage: service < option > | --status-all | [ service_name [ command | --full-restart ] ]\n",
      );
      return 1;
    }
    command.stderr(`Redirecting to /bin/systemctl ${verb} ${name}.service\n`);
    return yield* systemctl.main({ ...command, argv: ["systemctl", verb, name] });
  },
};

/** chkconfig. */
export const chkconfig: Program = {
  name: "chkconfig",
  doc: chkconfigDoc,
  *main(command: ProgramProcess): Activity<number> {
    const [name, state, ...more] = command.argv.slice(1);
    if (name === undefined || (state !== "on" && state !== "off") || more.length > 0) {
      command.stderr("chkconfig: only NAME on and NAME off are modelled\n");
      return 1;
    }
    const verb = state === "on" ? "enable" : "disable";
    command.stderr(`Note: Forwarding request to 'systemctl ${verb} ${name}.service'.\n`);
    return yield* systemctl.main({ ...command, argv: ["systemctl", verb, name] });
  },
};

type Verb = (
  command: ProgramProcess,
  name: string,
  quiet: boolean,
  now: boolean,
) => Activity<number> | number;

const VERBS: Readonly<Record<string, Verb>> = {
  start,
  stop,
  *restart(command, name) {
    if (unitOf(command, name) !== undefined) yield* stop(command, name);
    return yield* start(command, name);
  },
  *"try-restart"(command, name) {
    if (processOf(command, name) === undefined) {
      return unitOf(command, name) === undefined ? yield* stop(command, name) : 0;
    }
    yield* stop(command, name);
    return yield* start(command, name);
  },
  status,
  "is-active"(command, name, quiet) {
    const runs = processOf(command, name) !== undefined;
    if (!quiet) command.stdout(runs ? "active\n" : "inactive\n");
    return runs ? 0 : 3;
  },
  "is-enabled"(command, name, quiet) {
    if (unitOf(command, name) === undefined) {
      command.stderr(`Failed to get unit file state for ${name}.service: No such file or directory\n`);
      return 1;
    }
    const state = stateOf(command, name);
    if (!quiet) command.stdout(`${state}\n`);
    return state === "enabled" ? 0 : 1;
  },
  *enable(command, name, quiet, now) {
    if (!isThere(command, name, "enable")) return 1;
    if (stateOf(command, name) === "masked") return isMasked(command, name, "enable");
    link(command, `${WANTS}/${name}.service`, `/usr/lib/systemd/system/${name}.service`, quiet);
    return now ? yield* start(command, name) : 0;
  },
  *disable(command, name, quiet, now) {
    if (!isThere(command, name, "disable")) return 1;
    unlink(command, `${WANTS}/${name}.service`, quiet);
    return now ? yield* stop(command, name) : 0;
  },
  *mask(command, name, quiet, now) {
    if (!isThere(command, name, "mask")) return 1;
    link(command, `${FOLDER}/${name}.service`, "/dev/null", quiet);
    return now ? yield* stop(command, name) : 0;
  },
  unmask(command, name, quiet) {
    if (!isThere(command, name, "unmask")) return 1;
    unlink(command, `${FOLDER}/${name}.service`, quiet);
    return 0;
  },
};

function unitOf({ system }: ProgramProcess, name: string): Unit | undefined {
  return UNITS.find((unit) => unit.name === name && unit.isThere?.(system) !== false);
}

/** The process that a service is: the one with its command line. */
function processOf(command: ProgramProcess, name: string): Task | undefined {
  const { kernel } = command;
  const line = unitOf(command, name)?.command.join(" ");
  return [...kernel.tasks.values()].find((task) => !task.dead && task.argv.join(" ") === line);
}

function stateOf({ system: { vfs } }: ProgramProcess, name: string): "masked" | "enabled" | "disabled" {
  if (!(vfs.readlink(`${FOLDER}/${name}.service`) instanceof Errno)) return "masked";
  return vfs.readlink(`${WANTS}/${name}.service`) instanceof Errno ? "disabled" : "enabled";
}

function isThere(command: ProgramProcess, name: string, verb: string): boolean {
  if (unitOf(command, name) !== undefined) return true;
  command.stderr(`Failed to ${verb} unit: Unit file ${name}.service does not exist.\n`);
  return false;
}

function isMasked(command: ProgramProcess, name: string, verb: string): number {
  const what = verb === "enable" ? "enable unit: Unit file" : `${verb} ${name}.service: Unit`;
  command.stderr(`Failed to ${what} ${name}.service is masked.\n`);
  return 1;
}

function link(
  { system: { vfs }, stderr }: ProgramProcess,
  path: string,
  target: string,
  quiet: boolean,
): void {
  for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) vfs.mkdir(path.slice(0, at));
  const refused = vfs.symlink(target, path);
  if (!(refused instanceof Errno) && !quiet) stderr(`Created symlink ${path} → ${target}.\n`);
}

function unlink({ system: { vfs }, stderr }: ProgramProcess, path: string, quiet: boolean): void {
  if (!(vfs.remove(path) instanceof Errno) && !quiet) stderr(`Removed "${path}".\n`);
}

function* start(command: ProgramProcess, name: string): Activity<number> {
  const unit = unitOf(command, name);
  if (unit === undefined) {
    command.stderr(`Failed to start ${name}.service: Unit ${name}.service not found.\n`);
    return 5;
  }
  if (stateOf(command, name) === "masked") return isMasked(command, name, "start");
  if (processOf(command, name) !== undefined) return 0;
  const env = new Map([["PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"]]);
  for (const folder of ["/etc/sysconfig", "/etc/default"]) {
    const text = yield* readFile(command.system, `${folder}/${name}`);
    if (text instanceof Errno) continue;
    for (const line of text.split("\n")) {
      const [, key, value = ""] = /^\s*([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
      if (key !== undefined) env.set(key, value.trim().replace(/^(["'])(.*)\1$/, "$2"));
    }
  }
  const program = command.system.programs.get(name)!;
  yield* startDaemon({ ...command, env }, unit.command, (process) => program.main(process));
  return 0;
}

function* stop(command: ProgramProcess, name: string): Activity<number> {
  if (unitOf(command, name) === undefined) {
    command.stderr(`Failed to stop ${name}.service: Unit ${name}.service not loaded.\n`);
    return 5;
  }
  const task = processOf(command, name);
  if (task === undefined) return 0;
  sendSignal(command, task, SIGTERM);
  const { kernel } = command, timer = kernel.sleepTimer(command.task);
  while (!task.dead) yield* kernel.sleepUntil(command.task, timer, kernel.nowNs + POLL_NS);
  return 0;
}

function status(command: ProgramProcess, name: string): number {
  const unit = unitOf(command, name);
  if (unit === undefined) {
    command.stderr(`Unit ${name}.service could not be found.\n`);
    return 4;
  }
  const task = processOf(command, name);
  const state = stateOf(command, name);
  const file = state === "masked"
    ? `masked (Reason: Unit ${name}.service is masked.)`
    : `loaded (/usr/lib/systemd/system/${name}.service; ${state}; preset: disabled)`;
  command.stdout(
    `${task === undefined ? "○" : "●"} ${name}.service - ${unit.description}\n     Loaded: ${file}\n`,
  );
  if (task === undefined) {
    command.stdout("     Active: inactive (dead)\n");
    return 3;
  }
  const since = calendarDate(command.system.bootTime + Math.floor(task.startNs / 1e9));
  const date = `${since.dayName} ${since.year}-${twoDigits(since.month)}-${
    twoDigits(since.day)
  } ${since.time} UTC`;
  const ago = Math.floor((command.kernel.nowNs - task.startNs) / 1e9);
  command.stdout(
    `     Active: active (running) since ${date}; ${
      span(ago)
    } ago\n   Main PID: ${task.pid} (${task.name})\n`,
  );
  return 0;
}

/** `1h 2min`, `2min 5s`, `5s`. */
function span(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}min ${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h ${Math.floor(seconds % 3600 / 60)}min`;
}
