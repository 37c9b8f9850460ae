import { signalName, signalNames, signalNumber } from "../signals.ts";
import type { Command } from "./command.ts";

/** `trap`. */
const doc = `trap - what the shell does about signals and at its end
Usage: trap [-lp] [ACTION SIGNAL… | - SIGNAL… | SIGNAL]
Effects: runs ACTION when the shell gets a signal, or for EXIT (0) when it ends; - restores the default, an empty
  action ignores the signal; without arguments lists the actions
Exit status: 0, or 1 for a signal that there is not
Errors: NAME: invalid signal specification
Differs from the real one: no DEBUG, ERR, RETURN
Examples: (trap 'echo bye' EXIT; echo hi)`;

export const trap: Command = {
  name: "trap",
  kind: "special",
  doc,
  run(context) {
    const { traps } = context.shell;
    const args = context.args[0] === "--" ? context.args.slice(1) : [...context.args];
    if (args[0] === "-l") {
      context.out(signalNames.map((name, i) => `${i + 1}) SIG${name}`).join("\n") + "\n");
      return 0;
    }
    if (args.length === 0 || args[0] === "-p") {
      for (const [name, action] of traps) {
        const label = name === "EXIT" ? name : `SIG${name}`;
        context.out(`trap -- '${action.replaceAll("'", "'\\''")}' ${label}\n`);
      }
      return 0;
    }
    const [first = "", ...rest] = args;
    const reset = first === "-" || (rest.length === 0) || /^\d+$/.test(first);
    const names = reset && first !== "-" ? args : rest;
    let status = 0;
    for (const name of names) {
      const number = signalNumber(name);
      if (number === undefined) status = context.complain(`${name}: invalid signal specification`);
      else if (reset) traps.delete(signalName(number));
      else traps.set(signalName(number), first);
    }
    return status;
  },
};
