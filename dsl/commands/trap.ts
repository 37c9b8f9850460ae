import { signalName, signalNames, signalNumber } from "../shell/signals.ts";
import { ShellError } from "../syntax/shell_error.ts";
import type { Command } from "./command.ts";

/** `trap`. */
const doc = `trap - what the shell does about signals and at its end
Usage: trap [-lp] [ACTION SIGNAL… | - SIGNAL… | NUMBER SIGNAL…]
Effects: runs ACTION when the shell gets a signal, for EXIT (0) when it ends, for ERR when a command fails that would
  end it under set -e; - or a signal's NUMBER restores the default, an empty action ignores the signal; without arguments
  lists the actions
Exit status: 0, or 1 for a signal that there is not
Errors: NAME: invalid signal specification; -X: invalid option
Differs from the real one: no DEBUG, RETURN
Examples: (trap 'echo bye' EXIT; echo hi)`;

export const trap: Command = {
  name: "trap",
  kind: "special",
  doc,
  complete: (before) => before.length === 0 ? [] : ["EXIT", "ERR", ...signalNames],
  run(context) {
    const { shell } = context;
    const { traps } = shell;
    const args = context.args[0] === "--" ? context.args.slice(1) : [...context.args];
    if (args[0] === "-l") {
      context.out(signalNames.map((name, i) => `${i + 1}) SIG${name}`).join("\n") + "\n");
      return 0;
    }
    if (/^-[^lp]/.test(args[0] ?? "") && args.length === context.args.length) {
      throw new ShellError(`${args[0]!.slice(0, 2)}: invalid option`, 2);
    }
    if (args.length === 0 || args[0] === "-p") {
      const wanted = args.slice(1).map((name) =>
        name === "0" ? "EXIT" : name.toUpperCase().replace(/^SIG/, "")
      );
      for (const [name, action] of sorted(shell.listedTraps ?? traps)) {
        if (wanted.length > 0 && !wanted.includes(name)) continue;
        context.out(`trap -- '${action.replaceAll("'", "'\\''")}' ${name}\n`);
      }
      return 0;
    }
    shell.listedTraps = undefined;
    const [first = "", ...rest] = args;
    const reset = first === "-" || (/^\d+$/.test(first) && signalNumber(first) !== undefined);
    if (rest.length === 0 && (!reset || first === "-")) {
      throw new ShellError("usage: trap [-lp] [[ACTION] SIGNAL ...]", 2);
    }
    const names = reset && first !== "-" ? args : rest;
    let status = 0;
    for (const name of names) {
      if (/^(DEBUG|RETURN)$/i.test(name)) return context.complain(`${name}: not in this language`, 2);
      const number = signalNumber(name);
      const key = /^ERR$/i.test(name) ? "ERR" : number === undefined ? undefined : signalName(number);
      if (key === undefined) status = context.complain(`${name}: invalid signal specification`);
      else if (reset) traps.delete(key);
      else traps.set(key, first);
    }
    return status;
  },
};

/** In the order of the signals' numbers, ERR last. */
function sorted(traps: ReadonlyMap<string, string>): [string, string][] {
  const rank = (name: string) => name === "ERR" ? Infinity : signalNumber(name) ?? 0;
  return [...traps].sort(([a], [b]) => rank(a) - rank(b));
}
