/**
 * numactl: where a command runs, and which memory it takes, on a machine of one node.
 *
 * *Modelled*: `--hardware`, `--show`, `--physcpubind`, `--cpunodebind`, `--membind`, `--localalloc`, `--interleave`, `--preferred`
 * of node 0. *Not modelled*: distances of several nodes; there is one.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { parseCpuList } from "../linux/cpu_mask.ts";
import { Errno } from "../linux/errno.ts";
import { affinity, setAffinity } from "../linux/sched/scheduler_calls.ts";
import { execute } from "./execute.ts";
import { complain, getopt } from "./getopt.ts";
import { readMeminfo } from "./proc_meminfo.ts";
import { maskOf, processorMask, type Program, type ProgramProcess } from "./program.ts";

const doc = `numactl - runs a command on CPUs and memory of NUMA nodes
Usage: numactl [-C CPUS] [-N NODES] [-m NODES] [-l] COMMAND [ARG]...
  numactl --hardware | --show
Effects: runs COMMAND on the CPUs of -C (--physcpubind) or -N (--cpunodebind), with memory of node 0; --hardware lists the node,
  --show where the caller may run
Exit status: that of COMMAND; 1 on a wrong argument
Errors: libnuma: Warning: cpu argument N is out of range; <N> is invalid
Differs from the real one: there is one node, 0; numbers of CPUs as in taskset -c
Examples: numactl --hardware
  numactl --physcpubind=2 --membind=0 nproc`;

/** The program. */
export const numactl: Program = {
  name: "numactl",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, processors, system, task } = command;
    yield kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      flags: "Hsl",
      values: "CNmip",
      long: {
        hardware: "H",
        show: "s",
        localalloc: "l",
        physcpubind: "C",
        cpunodebind: "N",
        membind: "m",
        interleave: "i",
        preferred: "p",
      },
      notModelled: [..."abDtVLhor", "all", "balancing"],
      commandFollows: true,
    });
    if (typeof parsed === "string") return complain(command, numactl, parsed);
    const numbers = (mask: number) =>
      processors.map((_, i) => i).filter((i) => (mask & (1 << i)) !== 0).join(" ");
    for (const { letter, value } of parsed.options) {
      if (letter === "H") {
        return yield* hardware(command, numbers(processorMask(kernel.onlineMask, processors)));
      }
      if (letter === "s") {
        const cpus = numbers(processorMask(affinity(kernel, task), processors));
        command.stdout(
          `policy: default\npreferred node: current\nphyscpubind: ${cpus} \ncpubind: 0 \nnodebind: 0 \nmembind: 0 \n`,
        );
        return 0;
      }
      if ("Nmip".includes(letter) && !["0", "all"].includes(value)) {
        command.stderr(`libnuma: Warning: node argument ${value} is out of range\n\n<${value}> is invalid\n`);
        return 1;
      }
      if (letter !== "C") continue;
      const wanted = value === "all"
        ? maskOf(processors.map((_, i) => i))
        : parseCpuList(value, processors.length);
      const cpus = wanted instanceof Errno
        ? 0
        : maskOf(processors.filter((_, i) => (wanted & (1 << i)) !== 0));
      if (cpus === 0) {
        command.stderr(`libnuma: Warning: cpu argument ${value} is out of range\n\n<${value}> is invalid\n`);
        return 1;
      }
      const refused = yield* setAffinity(kernel, system.threads, task, cpus, task);
      if (refused instanceof Errno) {
        command.stderr(`sched_setaffinity: ${refused.message}\n`);
        return 1;
      }
    }
    if (parsed.operands.length === 0) return complain(command, numactl, "no command given");
    return yield* execute(command, parsed.operands);
  },
};

function* hardware(command: ProgramProcess, cpus: string): Activity<number> {
  const kib = yield* readMeminfo(command.system);
  const mb = (name: string) => Math.floor((kib instanceof Errno ? 0 : kib.get(name) ?? 0) / 1024);
  command.stdout(
    `available: 1 nodes (0)\nnode 0 cpus: ${cpus}\nnode 0 size: ${mb("MemTotal")} MB\n` +
      `node 0 free: ${mb("MemFree")} MB\nnode distances:\nnode   0 \n  0:  10 \n`,
  );
  return 0;
}
