/**
 * timeout and nohup (GNU coreutils): a command with a time limit, and one that outlives the terminal.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { execute } from "../execute.ts";
import { complain, getopt } from "../getopt.ts";
import { Placement, type Program, type ProgramProcess } from "../program.ts";
import { signalOf, SIGTERM } from "../signals.ts";

const timeoutDoc = `timeout - a command with a time limit
Usage: timeout [-s SIGNAL] [-k DURATION] DURATION COMMAND [ARG]...
Effects: runs COMMAND, and sends it a signal (TERM) when DURATION (seconds, or with s m h d) has passed; -k sends KILL so much later
Exit status: 124 if the time has passed, 125 on a wrong argument, 127 if there is no such command, else that of COMMAND
Errors: invalid time interval 'TEXT'; failed to run command 'NAME': No such file or directory
Differs from the real one: COMMAND may be a built-in; no --foreground, --preserve-status
Examples: timeout 0.5 sleep 9 || echo $?`;

const nohupDoc = `nohup - a command that outlives the terminal
Usage: nohup COMMAND [ARG]...
Effects: runs COMMAND; nothing of the model hangs up, so that is all
Exit status: that of COMMAND; 127 if there is none such; 125 without one
Errors: missing operand
Differs from the real one: the output stays where it is, and is not led to nohup.out
Examples: nohup sleep 1 &`;

const UNITS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** `1.5m` in ns; undefined: it is none. */
function duration(text: string): number | undefined {
  const form = /^(\d+\.?\d*|\.\d+)([smhd]?)$/.exec(text);
  return form === null ? undefined : Math.round(Number(form[1]) * UNITS[form[2]!]! * 1e9);
}

/** timeout. */
export const timeout: Program = {
  name: "timeout",
  doc: timeoutDoc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      values: "sk",
      long: { signal: "s", "kill-after": "k" },
      notModelled: ["foreground", "preserve-status", "v", "verbose"],
      commandFollows: true,
    });
    if (typeof parsed === "string") {
      complain(command, timeout, parsed);
      return 125;
    }
    const value = (wanted: string) => parsed.options.findLast(({ letter }) => letter === wanted)?.value;
    const [limit = "", ...argv] = parsed.operands;
    const signal = signalOf(value("s") ?? String(SIGTERM));
    for (const text of [limit, ...(value("k") === undefined ? [] : [value("k")!])]) {
      if (duration(text) === undefined && parsed.operands.length > 0) {
        complain(command, timeout, `invalid time interval '${text}'`);
        return 125;
      }
    }
    if (signal === undefined || argv.length === 0) {
      complain(
        command,
        timeout,
        signal === undefined ? `'${value("s")}': invalid signal` : "missing operand",
      );
      return 125;
    }
    let passed = false;
    const after = duration(limit)!, killAfter = value("k");
    const limits = after === 0 ? [] : [
      { ns: after, signal, passed: () => passed = true },
      ...(killAfter === undefined ? [] : [{ ns: after + duration(killAfter)!, signal: 9, passed() {} }]),
    ];
    const status = yield* command.run(argv, Placement.of(command.task), limits);
    if (status === undefined) {
      command.stderr(`timeout: failed to run command '${argv[0]}': No such file or directory\n`);
      return 127;
    }
    return passed ? (status === 137 ? status : 124) : status;
  },
};

/** nohup. */
export const nohup: Program = {
  name: "nohup",
  doc: nohupDoc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const argv = command.argv.slice(1);
    if (argv.length === 0) {
      complain(command, nohup, "missing operand");
      return 125;
    }
    return yield* execute(command, argv);
  },
};
