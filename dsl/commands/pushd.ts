import { enter } from "./cd.ts";
import type { Command } from "./command.ts";
import { placeOf, stackOf, writeStack } from "./dirs.ts";

/** `pushd`. */
const doc = `pushd - changes the current directory and keeps where it was
Usage: pushd [-n] [DIRECTORY | +N | -N]
Effects: puts the current directory away and goes to DIRECTORY; without one changes places with the first of those put away;
  +N, -N: turns them so that the Nth, from the end with -, comes first; -n changes the list alone. Writes it as dirs does
Exit status: 0, or 1 if the directory cannot be entered, or there is no other
Errors: PATH: No such file or directory; no other directory; N: directory stack index out of range
Differs from the real one: nothing that is known
Examples: pushd /sys/bus/pci > /dev/null; ls devices; popd > /dev/null`;

export const pushd: Command = {
  name: "pushd",
  kind: "builtin",
  doc,
  run(context) {
    const { shell } = context;
    const stays = context.args[0] === "-n";
    const [given, ...more] = (stays ? context.args.slice(1) : context.args).filter((word) => word !== "--");
    if (more.length > 0) return context.complain("too many arguments");
    const stack = stackOf(shell);
    const isPlace = given !== undefined && /^[-+]\d+$/.test(given);
    if (given !== undefined && !isPlace) {
      if (/^-./.test(given)) return context.complain(`${given}: invalid option`, 2);
      if (stays) shell.directoryStack = [given, ...shell.directoryStack];
      else {
        const status = enter(context, given);
        if (status !== 0) return status;
        shell.directoryStack = stack;
      }
    } else {
      if (stack.length < 2) return context.complain("no other directory");
      const place = given === undefined ? 1 : placeOf(given, stack.length);
      if (place === undefined) return context.complain(`${given}: directory stack index out of range`);
      const turned = given === undefined
        ? [stack[1]!, stack[0]!, ...stack.slice(2)]
        : [...stack.slice(place), ...stack.slice(0, place)];
      const status = stays ? 0 : enter(context, turned[0]!);
      if (status !== 0) return status;
      shell.directoryStack = turned.slice(1);
    }
    writeStack(context, new Set());
    return 0;
  },
};
