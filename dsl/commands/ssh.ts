import { Terminal } from "../shell/descriptors.ts";
import type { Coroutine } from "../shell/jobs.ts";
import { parseScript } from "../syntax/parse.ts";
import type { Machine } from "../shell/ports.ts";
import { runToExit } from "../shell/subshell.ts";
import { ShellSyntaxError } from "../syntax/syntax_error.ts";
import type { Command, CommandContext } from "./command.ts";
import { parseOptions } from "./options.ts";

/** `ssh`. */
const doc = `ssh - runs a command on another machine
Usage: ssh [-nqTtv] [-l USER] [-o OPTION=VALUE] [-p PORT] [USER@]MACHINE [COMMAND…]
Effects: joins the words by blanks, as the real one does, and runs them in a new shell on MACHINE: a guest by its
  -name (vm0), peer, or host; without words, what standard input says. On bare-metal vm0 is the host itself. -n: the command's
  input is empty. The other options concern the login, and there is none: they are taken without effect
Exit status: the command's; 2 if it does not parse; 255 if there is no such machine or port, or the machine ends meanwhile
Errors: Could not resolve hostname NAME: Name or service not known; connect to host NAME port N: Connection refused;
  Connection to NAME closed by remote host.
Differs from the real one: no login, no cost of encryption; Ctrl-C reaches the command, as with -t; without a command there
  has to be input, since there is no terminal to log in on
Examples: ssh vm0 uname -r
  ssh vm0 'cyclictest -n -q -l 10; echo $?'
  echo nproc | ssh -T root@vm0`;

/** The status of an error of ssh itself. */
const FAILED = 255;
/** sshd's port. */
const PORT = "22";

export const ssh: Command = {
  name: "ssh",
  kind: "filter",
  doc,
  *run(context): Coroutine {
    const options = parseOptions(context.args, "nqTtv46ACxXl:o:p:i:F:");
    const usage = "usage: ssh [-nqTtv] [-l USER] [-o OPTION=VALUE] [-p PORT] [USER@]MACHINE [COMMAND…]\n";
    if (typeof options === "string") {
      context.err(`${options.replace(/^invalid option -- '(.)'$/, "unknown option -- $1")}\n${usage}`);
      return FAILED;
    }
    const { flags, values, operands: [host, ...words] } = options;
    if (host === undefined) {
      context.err(usage);
      return FAILED;
    }
    const { shell } = context, { environment } = shell;
    const name = host.replace(/^[^@]*@/, "");
    const machine = environment.machines(name);
    if (machine === undefined) {
      return context.complain(`Could not resolve hostname ${name}: Name or service not known`, FAILED);
    }
    const port = values.get("p") ?? PORT;
    if (port !== PORT) {
      return context.complain(`connect to host ${name} port ${port}: Connection refused`, FAILED);
    }
    if (words.length > 0) return yield* runThere(context, machine, words.join(" "), "bash: -c");
    if (shell.descriptors.get(0) instanceof Terminal || flags.has("n")) {
      return context.complain("a command is needed: there is no terminal to log in on", FAILED);
    }
    if (!flags.has("T")) {
      context.err("Pseudo-terminal will not be allocated because stdin is not a terminal.\n");
    }
    return yield* runThere(context, machine, yield* context.readInput(), "bash");
  },
};

/** Runs `text` in a new shell of `machine`. */
function* runThere(context: CommandContext, machine: Machine, text: string, name: string): Coroutine {
  const child = context.shell.child(machine, "bash", false);
  child.interactive = true; // a remote shell prints no line numbers
  try {
    const { body } = parseScript(text, name);
    const status = yield* runToExit(child, () => child.environment.interpreter.runList(child, body));
    if (!machine.ended) return status;
    context.err(`Connection to ${machine.name} closed by remote host.\n`);
    return FAILED;
  } catch (error) {
    if (!(error instanceof ShellSyntaxError)) throw error;
    child.err(`${error.message}\n`);
    return 2;
  } finally {
    child.descriptors.closeAll();
  }
}
