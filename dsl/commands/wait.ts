import type { Coroutine, Job } from "../shell/jobs.ts";
import type { Shell } from "../shell/state.ts";
import type { Command } from "./command.ts";

/** `wait`. */
const doc = `wait - waits for background jobs
Usage: wait [PID | %JOB]…
Effects: waits for background jobs of this shell, all of them without an operand; simulated time goes on
Exit status: that of the last job named, 127 if there is none such, 0 without an operand
Errors: pid N is not a child of this shell
Differs from the real one: no -n, -f, -p; of the signals with a trap only INT, by Ctrl-C, interrupts it
Examples: sleep 1 & sleep 2 & wait`;

export const wait: Command = {
  name: "wait",
  kind: "builtin",
  doc,
  *run(context): Coroutine {
    const { shell } = context;
    if (context.args.length === 0) {
      for (const job of shell.children) yield* finish(shell, job);
      shell.children = [];
      return 0;
    }
    let status = 0;
    for (const operand of context.args) {
      const wanted = Number(operand.replace(/^%/, ""));
      const job = shell.children.find((child) =>
        operand.startsWith("%") ? child.id === wanted : child.pid === wanted
      );
      if (job !== undefined) status = yield* finish(shell, job);
      else if (operand.startsWith("%")) status = context.complain(`${operand}: no such job`, 127);
      else if (!/^\d+$/.test(operand)) {
        status = context.complain(`\`${operand}': not a pid or valid job spec`);
      } else status = context.complain(`pid ${operand} is not a child of this shell`, 127);
    }
    return status;
  },
};

function* finish(shell: Shell, job: Job): Coroutine {
  const status = (yield { kind: "wait", job, interruptible: true }) as number;
  shell.scheduler.background.delete(job.id);
  return status;
}
