import { runList } from "../interpret.ts";
import type { Coroutine } from "../jobs.ts";
import { parseScript } from "../parse.ts";
import { runToExit } from "../subshell.ts";
import type { Command } from "./command.ts";

/** `ssh`. */
const doc = `ssh - runs a command on another machine
Usage: ssh [-n] MACHINE COMMAND…
Effects: joins the words by blanks, as the real one does, and runs them in a new shell on MACHINE: a guest by its
  -name (vm0), peer, or host. On bare-metal vm0 is the host itself
Exit status: the command's; 255 if there is no such machine
Errors: Could not resolve hostname NAME: Name or service not known
Differs from the real one: no login, no cost of encryption; a command is needed, since there is no terminal to log in on
Examples: ssh vm0 uname -r
  ssh vm0 'cyclictest -n -q -l 10; echo $?'`;

export const ssh: Command = {
  name: "ssh",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const args = [...context.args];
    if (args[0] === "-n") args.shift();
    const [host, ...words] = args;
    if (host === undefined || host.startsWith("-")) {
      context.err(`usage: ssh MACHINE COMMAND…\n`);
      return 255;
    }
    const { shell } = context;
    const name = host.replace(/^[^@]*@/, "");
    const machine = shell.environment.machines(name);
    if (machine === undefined) {
      return context.complain(`Could not resolve hostname ${name}: Name or service not known`, 255);
    }
    if (words.length === 0) {
      return context.complain("a command is needed: there is no terminal to log in on", 255);
    }
    const script = parseScript(words.join(" "), "bash");
    const child = shell.child(machine, "bash", false);
    child.interactive = true; // a remote shell prints no line numbers
    try {
      return yield* runToExit(child, () => runList(child, script.body));
    } finally {
      child.descriptors.closeAll();
    }
  },
};
