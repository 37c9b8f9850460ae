import { enter } from "./cd.ts";
import type { Command } from "./command.ts";
import { placeOf, stackOf, writeStack } from "./dirs.ts";

/** `popd`. */
const doc = `popd - goes back to where pushd came from
Usage: popd [-n] [+N | -N]
Effects: goes to the directory that was put away last and takes it from the list; +N, -N: takes away the Nth, from the end
  with -; -n changes the list alone. Writes it as dirs does
Exit status: 0, or 1 if there is none, or it cannot be entered
Errors: directory stack empty; N: directory stack index out of range
Differs from the real one: nothing that is known
Examples: pushd /sys/bus/pci > /dev/null; popd`;

export const popd: Command = {
  name: "popd",
  kind: "builtin",
  doc,
  run(context) {
    const { shell } = context;
    const stays = context.args[0] === "-n";
    const [given, ...more] = stays ? context.args.slice(1) : context.args;
    if (given !== undefined && (!/^[-+]\d+$/.test(given) || more.length > 0)) {
      return context.complain(`${given}: invalid argument`, 2);
    }
    const stack = stackOf(shell);
    if (stack.length < 2) return context.complain("directory stack empty");
    const place = given === undefined ? 0 : placeOf(given, stack.length);
    if (place === undefined) return context.complain(`${given}: directory stack index out of range`);
    if (place === 0 && !stays) {
      const status = enter(context, stack[1]!);
      if (status !== 0) return status;
    }
    const gone = Math.max(place, 1) - 1;
    shell.directoryStack = shell.directoryStack.filter((_, i) => i !== gone);
    writeStack(context, new Set());
    return 0;
  },
};
