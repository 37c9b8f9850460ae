/**
 * What the command line says about itself.
 *
 * @module
 */

import { ERAS } from "../runtime/lab/eras.ts";
import { KERNEL_NAMES } from "../runtime/lab/kernels.ts";
import { SYSTEMS } from "../runtime/lab/systems.ts";
import { type CommandHelp, STUDY_HELP } from "./studies/help.ts";

const RUN = "deno run --allow-read=. mod.ts";

/** The commands: usage, what they do, examples that run. */
export const COMMANDS: ReadonlyMap<string, CommandHelp> = new Map([
  ["run", {
    usage: "run SCRIPT… [OPTIONS] [-- ARGUMENT…]",
    does: "runs scripts; the exit status is the script's",
    text:
      `Each script has a machine of its own. The other *.rtk files of its folder lie beside it in the virtual tree,
under /root/FOLDER, so ". ./other.rtk" finds them. Nothing runs if one of the scripts does not parse. A script named - is
read from standard input, to its end; that alone needs no permission.

  --era E         ${ERAS.map(({ name }) => name).join(", ")}; ${ERAS[0]!.name} if not given
  --system S      ${SYSTEMS.map(({ name }) => name).join(", ")}; rfc-v2 if not given, kvm today
  --kernel K      what vm0 runs: ${KERNEL_NAMES.join(", ")}
  --seed N        what all randomness is derived from; 1 if not given
  --strict        takes only what a real kernel takes, not what slides print
  --verbose       each command, and what it has changed
  --json          one line of JSON, with a version, for each result of cyclictest, then of iperf and ping, then of sysbench,
                  on standard output; the script's output goes to standard error. A script or profile that is wrong, and a
                  script that stands still, is a line {"version":1,"error":{…}} there, and a message on standard error
  --profile FILE  parameters on top of the default ones, or idle-fit; may be given more than once
  --trace FILE    the host's kernel events as ftrace's text, to a name with .txt, .trace or .ftrace at its end; needs
                  permission to write it

Ctrl-C ends the command that runs, as in a shell: a trap for INT runs, and the script goes on where the command has
taken the signal and ended by itself, as cyclictest and ping do.

Exit status: the script's; the first that is not 0, of several. 2: wrong use or a syntax error. 1: a bad profile, or a
script that waits for what will never happen. 127: there is no such script. 130: Ctrl-C has ended it.

  ${RUN} run examples/talk_setup.rtk --verbose
  ${RUN} run examples/slide25_row.rtk --system kvm --json -- 1000
  echo 'cyclictest -n -q -l 1000' | deno run mod.ts run - --system bare-metal`,
  }],
  ["explain", {
    usage: "explain max|min|N [thread T] SCRIPT [OPTIONS] [-- ARGUMENT…]",
    does: "runs a script, then says what a sample of its last measurement is made of",
    text:
      `The largest, the smallest, or sample N of cyclictest, as an exact sum over the layers, its parts in order of time, and
the sample of the same number on other systems. help explain at the prompt says more.

  --with S,…      these systems; bare-metal, kvm, rfc-v1 and rfc-v2 if not given
  --alone         no other system
  --json          one line of JSON on standard output; the script's output goes to standard error
  --era, --system, --kernel, --seed, --strict, --profile: as of run

Exit status: 0; the script's if that is not 0. 2: wrong use or a syntax error. 1: there is no such sample.

  ${RUN} explain max examples/slide25_row.rtk --system kvm -- 1000
  ${RUN} explain 42 examples/slide25_row.rtk --with rfc-v2 --json -- 1000`,
  }],
  ["verify", {
    usage: "verify FILE.md… [--update] [--json]",
    does: "runs the console blocks of Markdown files and compares, or rewrites them",
    text:
      `In a block of the language console the first line's prompt, "# " or "$ ", begins each command; what follows is its
output, and a line ... stands for any lines, or none. "# " is the prompt of a fresh machine, and a command that is not
finished goes on in lines with "> ". "$ " is a shell of your computer: rtkvm …, deno run … mod.ts …, deno task NAME, where
that is such a command, and echo $?, for the last status. Blocks of another language that begin with "# NAME" are files,
from there on; what commands write to files stays in memory. Nothing else is run.

  --update        writes what is printed now into the file; ... stays where the lines beside it are found again
  --json          one line of JSON, with a version, for each file

Exit status: 0; 1 if a block differs or cannot be run, or a file cannot be read or written; 2: wrong use.

  ${RUN} verify README.md
  deno run --allow-read=. --allow-write=README.md mod.ts verify --update README.md`,
  }],
  ["repl", {
    usage: "repl [--era E] [--system S] [--kernel K] [--seed N] [--strict] [--profile FILE]",
    does: "the prompt; also without any word",
    text: `The options are those of run. help lists the words, exit or Ctrl-D leaves.

  deno run mod.ts
  echo 'cyclictest -n -q -l 1000' | deno run mod.ts repl --system bare-metal`,
  }],
  ...STUDY_HELP,
  ["demo", {
    usage: "demo [--loops N] [--seed N]",
    does: "the talk's set-up, then slide 25's five rows",
    text: `--loops: of cyclictest in each row; 300000 as on the slide if not given.

  ${RUN} demo
  ${RUN} demo --loops 10000`,
  }],
  ["slides", {
    usage: "slides list | coverage | N | all [OPTIONS]",
    does: "brings the talk's slides back, by runs: commands, flows, tables, charts",
    text:
      `list: every slide, its kind and title. coverage: what executes or derives each. N: one slide, 1 to 34.
all: every slide. Rows of cyclictest run once, however many slides show them.

  --out DIR       writes DIR/index.html, a page without scripts, and each figure as DIR/NAME.svg
  --json          one line of JSON, with a version, and the runs that each slide rests on
  --seed N        what all randomness is derived from; 1 if not given
  --loops N       of cyclictest in each row; 300000 as on the slides if not given
  --profile FILE  parameters on top of the default ones; may be given more than once

Exit status: 0; 1 if a run fails or a file cannot be written; 2: wrong use.

  ${RUN} slides coverage
  ${RUN} slides 25 --loops 10000
  deno run --allow-read=. --allow-write=slides mod.ts slides all --out slides`,
  }],
  ["help", {
    usage: "help [COMMAND]",
    does: "this, or more about a command",
    text: `  ${RUN} help run`,
  }],
  ["version", { usage: "version", does: "prints the version", text: `  ${RUN} version` }],
]);

/** All commands, a line each. */
export function overview(): string {
  return [
    "rtkvm rehearses real-time KVM in a shell, on a deterministic model.",
    "",
    ...[...COMMANDS.values()].map(({ usage, does }) => `  ${usage.split(" ")[0]!.padEnd(11)} ${does}`),
    "",
    "help COMMAND says more; help at the prompt lists the words of the language.",
    "",
    `  ${RUN} run examples/talk_setup.rtk --verbose`,
    "  deno run mod.ts",
  ].join("\n");
}

/** How to use one command. */
export function commandHelp(name: string): string {
  const command = COMMANDS.get(name);
  return command === undefined
    ? overview()
    : `Usage: rtkvm ${command.usage}\n${command.does}\n\n${command.text}`;
}
