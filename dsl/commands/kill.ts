import { isDeadly, signalName, signalNames, signalNumber } from "../shell/signals.ts";
import { ShellExit } from "../shell/state.ts";
import type { Command, CommandContext } from "./command.ts";

/** `kill`. */
const doc = `kill - sends a signal to a process or job
Usage: kill [-s SIGNAL | -SIGNAL] PID | %JOB …, kill -l [STATUS]
Effects: sends a signal, TERM without one, to a process of this machine or to a job; -l lists the signals
Exit status: 0 if every one was sent
Errors: (PID) - No such process; %N: no such job; NAME: invalid signal specification
Differs from the real one: a job of several commands ends at once, without the shell's own handling; no process groups
Examples: sleep 100 & kill $!; wait $! || echo $?
  kill -l 15`;

export const kill: Command = {
  name: "kill",
  kind: "builtin",
  doc,
  options: signalNames.map((name) => `-${name}`),
  complete: ([...before]) => /^-[slL]$/.test(before.pop() ?? "") ? signalNames : [],
  run(context) {
    const args = [...context.args];
    let signal = 15;
    const [first = ""] = args;
    if (first === "-l" || first === "-L") return list(context, args[1]);
    if (/^-./.test(first) && first !== "--") {
      args.shift();
      const name = first === "-s" || first === "-n" ? args.shift() ?? "" : first.slice(1);
      const number = signalNumber(name);
      if (number === undefined) return context.complain(`${name}: invalid signal specification`);
      signal = number;
    }
    if (args[0] === "--") args.shift();
    if (args.length === 0) {
      context.err(
        "kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]\n",
      );
      return 2;
    }
    let status = 0;
    for (const target of args) status = send(context, target, signal) || status;
    return status;
  },
};

function send(context: CommandContext, target: string, signal: number): number {
  const { shell } = context;
  const { scheduler } = shell;
  const sender = { pid: shell.pid, name: "bash" };
  if (target.startsWith("%")) {
    const job = scheduler.background.get(Number(target.slice(1)));
    if (job === undefined || job.status !== undefined) return context.complain(`${target}: no such job`);
    scheduler.later(() => job.signal(signal, sender));
    return 0;
  }
  if (!/^\d+$/.test(target)) return context.complain(`${target}: arguments must be process or job IDs`);
  const pid = Number(target);
  if (pid === shell.pid && !shell.isSubshell) return sendSelf(context, signal);
  const job = scheduler.byPid(pid);
  if (job !== undefined) {
    scheduler.later(() => job.signal(signal, sender));
    return 0;
  }
  return shell.machine.kill(pid, signal, sender) ? 0 : context.complain(`(${target}) - No such process`);
}

function sendSelf(context: CommandContext, signal: number): number {
  const { shell } = context;
  const action = shell.traps.get(signalName(signal));
  if (action !== undefined) {
    if (action !== "") shell.pendingTraps.push(signalName(signal));
    return 0;
  }
  if (isDeadly(signal)) throw new ShellExit(128 + signal, true);
  return 0;
}

function list(context: CommandContext, status: string | undefined): number {
  if (status === undefined) {
    context.out(signalNames.join(" ") + "\n");
    return 0;
  }
  const number = signalNumber(/^\d+$/.test(status) ? String(Number(status) & 127) : status);
  if (number === undefined) return context.complain(`${status}: invalid signal specification`);
  context.out((/^\d+$/.test(status) ? signalName(number) : String(number)) + "\n");
  return 0;
}
