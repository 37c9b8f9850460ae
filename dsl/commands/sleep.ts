import type { Activity } from "../../hw/sim/activity.ts";
import type { Coroutine } from "../shell/jobs.ts";
import type { Machine, Process } from "../shell/ports.ts";
import type { Command } from "./command.ts";

/** `sleep`. */
const doc = `sleep - lets time pass
Usage: sleep NUMBER[smhd]…
Effects: a task sleeps for the sum of the times; simulated time goes on
Exit status: 0, or 1 if a time is none
Errors: invalid time interval 'TEXT'; missing operand
Differs from the real one: NUMBER is rounded to nanoseconds; the units us, ms and ns are taken as well
Examples: sleep 0.5; uptime`;

const unitNs: Readonly<Record<string, number>> = {
  "": 1e9,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86_400e9,
  ms: 1e6,
  us: 1e3,
  ns: 1,
};

export const sleep: Command = {
  name: "sleep",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    if (context.args.length === 0) return context.complain("missing operand");
    let totalNs = 0;
    for (const argument of context.args) {
      const match = /^(\d+\.?\d*|\.\d+)(s|m|h|d|ms|us|ns)?$/.exec(argument);
      if (match === null) return context.complain(`invalid time interval '${argument}'`);
      totalNs += Math.round(Number(match[1]) * (unitNs[match[2] ?? ""] ?? 0));
    }
    const { shell } = context;
    const { machine } = shell;
    context.spent = true;
    return (yield {
      kind: "task",
      machine,
      name: "sleep",
      main: true,
      launch: shell.launch(["sleep", ...context.args], context.env),
      body: (process) => sleepLife(machine, process, totalNs),
    }) as number;
  },
};

function* sleepLife(machine: Machine, process: Process, ns: number): Activity<number> {
  yield* machine.sleep(process, ns);
  return 0;
}
