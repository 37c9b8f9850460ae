/**
 * lscpu: what the processors are.
 *
 * The layout and the fields are those of util-linux 2.21 (2012), as reports of that time print it: values in column 24,
 * no flags, no address sizes.
 *
 * *Modelled*: it asks CPUID for a hypervisor, leaf 40000000H, which exits in a guest.
 *
 * *Not modelled*: `-e`, `-p`; caches and NUMA nodes, which sysfs does not have here: as with the real tool, what is not
 * there is not printed.
 *
 * @module
 */

import { type Activity, CPUID } from "../../hw/sim/activity.ts";
import { placeOf } from "../linux/cpu_identity.ts";
import { cpuList } from "../linux/cpu_mask.ts";
import { complain, getopt } from "./getopt.ts";
import { processorMask, type Program, type ProgramProcess } from "./program.ts";

const doc = `lscpu - prints what the processors are
Usage: lscpu
Effects: prints what the processors are and which of them are online
Exit status: 0; 1 on a wrong argument
Errors: invalid option -- 'X'
Differs from the real one: no -e, -p, -x; no caches and no NUMA nodes, which the model does not have
Examples: lscpu | grep line`;

/** The leaf in which a hypervisor names itself. */
const HYPERVISOR_LEAF = 0x4000_0000;

/** The program. */
export const lscpu: Program = {
  name: "lscpu",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      notModelled: [
        "a",
        "all",
        "b",
        "online",
        "c",
        "offline",
        "e",
        "extended",
        "p",
        "parse",
        "s",
        "sysroot",
        "x",
        "hex",
      ],
    });
    if (typeof parsed === "string") return complain(command, lscpu, parsed);
    if (parsed.operands.length > 0) return complain(command, lscpu, "bad usage");
    const { registers } = command.kernel.cpus[command.task.cpu]!;
    registers.address = HYPERVISOR_LEAF;
    yield CPUID;
    for (const [key, value] of fields(command)) command.stdout(`${`${key}:`.padEnd(23)}${value}\n`);
    return 0;
  },
};

function fields({ kernel, processors, system }: ProgramProcess): [key: string, value: string | number][] {
  const { identity, hypervisor } = system;
  const online = kernel.onlineMask;
  const offline = kernel.possibleMask & ~online;
  // Topology is known of the processors online: by their places, as core_siblings and thread_siblings tell them.
  const packages = new Set<number>(), cores = new Set<string>();
  let threads = 0;
  for (const { id, state } of kernel.cpus) {
    if (state !== "online") continue;
    const place = placeOf(identity, id, kernel.cpus.length);
    packages.add(place.package);
    cores.add(`${place.package} ${place.core}`);
    threads++;
  }
  const rows: [string, string | number][] = [
    ["Architecture", "x86_64"],
    ["CPU op-mode(s)", "32-bit, 64-bit"],
    ["Byte Order", "Little Endian"],
    ["CPU(s)", kernel.cpus.length],
    ["On-line CPU(s) list", cpuList(processorMask(online, processors))],
  ];
  if (offline !== 0) rows.push(["Off-line CPU(s) list", cpuList(processorMask(offline, processors))]);
  rows.push(
    ["Thread(s) per core", Math.ceil(threads / cores.size)],
    ["Core(s) per socket", Math.ceil(cores.size / packages.size)],
    ["Socket(s)", packages.size],
    ["Vendor ID", identity.vendor],
    ["CPU family", identity.family],
    ["Model", identity.model],
    ["Stepping", identity.stepping],
    ["CPU MHz", (identity.khz / 1000).toFixed(3)],
    ["BogoMIPS", ((2 * identity.khz) / 1000).toFixed(2)],
  );
  if (identity.flags.split(" ").includes("vmx")) rows.push(["Virtualization", "VT-x"]);
  if (hypervisor !== null) rows.push(["Hypervisor vendor", hypervisor], ["Virtualization type", "full"]);
  return rows;
}
