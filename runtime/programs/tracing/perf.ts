/**
 * perf: what happens in the kernel, counted. `perf stat` counts tracepoints, `perf kvm stat` what VM exits cost.
 *
 * Shapes are those of perf 6.1, captured on Debian 12, and of the lists' mails about `perf kvm stat`. That came with
 * Linux 3.7, at the end of 2012; it asks a kernel for nothing but two tracepoints that 3.5 has.
 *
 * *Modelled*: `stat`, `kvm stat record`, `kvm stat report`, `list`.
 *
 * *Not modelled*: the other commands: they sample by a counter of the processor, and the processors have none.
 *
 * *Deviations*: counting takes no time. What `kvm stat record` writes are its sums, not the events.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { kvmStatRecord, kvmStatReport } from "./perf_kvm_stat.ts";
import { perfStat } from "./perf_stat.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `perf - counts what happens in the kernel
Usage: perf stat [-e EVENT,...] [-a] [-C CPUS] [-p PID] [-x SEPARATOR] [COMMAND [ARG]...]
  perf kvm stat record [-p PID] [-o FILE] [COMMAND [ARG]...]
  perf kvm stat report [--vcpu N] [-k sample|time] [-i FILE]
  perf list
Effects: counts events while COMMAND runs, or until Ctrl-C: tracepoints (kvm:kvm_exit, kvm:*), context-switches (cs); of the
  tasks of COMMAND, of process PID, of the CPUs, or with -a of all; kvm stat: how often each VM exit came, and how long it
  took until the next entry, from a file that record has written
Exit status: that of COMMAND; 129 on a wrong argument; 255 if a file is missing
Errors: event syntax error: 'EVENT'; failed to open perf.data.guest: No such file or directory
Differs from the real one: no record, report, top, trace, live; counters of the processor are <not supported>; the file holds
  sums, not events
Examples: perf stat -a -e 'sched:*' sleep 1
  cd /tmp; qemu-kvm -m 512 -nographic; perf kvm stat record sleep 0.1; perf kvm stat report`;

const NOT_MODELLED = new Set(
  ("annotate archive bench buildid-cache buildid-list c2c config data diff evlist ftrace inject kmem kwork lock mem " +
    "probe record report sched script test timechart top trace version").split(" "),
);

/** The program. */
export const perf: Program = {
  name: "perf",
  doc,
  options: ["-e", "-a", "-C", "-p", "-x", "-o", "-i", "-k", "--vcpu"],
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const [name, ...args] = command.argv.slice(1);
    if (name === undefined || name === "--help" || name === "-h") {
      command.stdout(`${doc}\n`);
      return name === undefined ? 1 : 0;
    }
    if (name === "stat") return yield* perfStat(command, args);
    if (name === "list") {
      for (const { system, name } of command.system.trace.options.events) {
        command.stdout(`  ${`${system}:${name}`.padEnd(50)} [Tracepoint event]\n`);
      }
      return 0;
    }
    if (name === "kvm") {
      // --host and --guest say whose symbols are wanted; there are none
      const [what, which, ...rest] = args.filter((word) => !/^--(host|guest)$/.test(word));
      if (what === "stat" && which === "record") return yield* kvmStatRecord(command, rest);
      if (what === "stat" && which === "report") return yield* kvmStatReport(command, rest);
      command.stderr(
        `perf kvm ${[what, which].filter(Boolean).join(" ")}: not modelled: perf kvm stat record, report\n`,
      );
      return 129;
    }
    command.stderr(
      NOT_MODELLED.has(name)
        ? `perf ${name}: not modelled: the processors have no counters to sample by; see perf stat, trace-cmd\n`
        : `perf: '${name}' is not a perf-command. See 'perf --help'.\n`,
    );
    return NOT_MODELLED.has(name) ? 129 : 1;
  },
};
