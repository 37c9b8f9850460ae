/**
 * lscpu: what the processors are.
 *
 * The summary's layout and fields are those of util-linux 2.21 (2012), as reports of that time print it: values in column 24,
 * no flags, no address sizes. Tables are those of the era's util-linux, see `lscpu_table.ts`.
 *
 * *Modelled*: for the summary it asks CPUID for a hypervisor, leaf 40000000H, which exits in a guest; `-e`, `-p`, and which
 * processors they show.
 *
 * *Not modelled*: caches and NUMA nodes, which sysfs does not have here: as with the real tool, what is not there is not
 * printed.
 *
 * *Deviations*: today's summary is that of 2.21 too.
 *
 * @module
 */

import { type Activity, CPUID } from "../../../hw/sim/activity.ts";
import { placeOf } from "../../linux/cpu_identity.ts";
import { cpuList } from "../../linux/cpu_mask.ts";
import { complain, getopt, type ParsedOption, type ParsedOptions } from "../getopt.ts";
import { cpuTable, namedColumns, type Shown } from "./lscpu_table.ts";
import { processorMask, type Program, type ProgramProcess } from "../program.ts";

const doc = `lscpu - prints what the processors are
Usage: lscpu [-e[=COLUMN,...] | -p[=COLUMN,...]] [-a|-b|-c]
Effects: prints what the processors are and which of them are online; -e (--extended) a line for each, with a dash for what is
  not known, -p (--parse) the same for programs, parted by commas. -a (--all) all of them, which -e does unasked, -b (--online)
  those that are online, which -p does unasked, -c (--offline) the others. Columns: CPU CORE SOCKET NODE BOOK CACHE POLARIZATION
  ADDRESS CONFIGURED ONLINE; today also BOGOMIPS CLUSTER DRAWER MHZ SCALMHZ% MAXMHZ MINMHZ
Exit status: 0; 1 on a wrong argument
Errors: invalid option -- 'X'
  unknown column: X
  mutually exclusive arguments: --all --online --offline
Differs from the real one: no -x, -J, -y, -C, -s, --output-all; no caches and no NUMA nodes, which the model does not have
Examples: lscpu | grep line
  lscpu -e; lscpu -p=CPU,CORE | grep -v '^#'
  echo 0 > /sys/devices/system/cpu/cpu3/online; lscpu --extended=cpu,online --offline`;

/** The leaf in which a hypervisor names itself. */
const HYPERVISOR_LEAF = 0x4000_0000;

/** The program. */
export const lscpu: Program = {
  name: "lscpu",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      flags: "abc",
      optional: "ep",
      long: { all: "a", online: "b", offline: "c", extended: "e", parse: "p" },
      notModelled: [
        ...["s", "sysroot", "x", "hex", "V", "version"],
        ...["J", "json", "y", "physical", "C", "caches", "B", "bytes", "output-all"],
      ],
    });
    if (typeof parsed === "string") return complain(command, lscpu, parsed);
    if (parsed.operands.length > 0) return complain(command, lscpu, "bad usage");
    const table = parsed.options.findLast(({ letter }) => "ep".includes(letter));
    const contradiction = contradictionIn(command, parsed);
    if (contradiction !== undefined) return fail(command, contradiction);
    if (table !== undefined) return yield* printTable(command, parsed, table);
    const { registers } = command.kernel.cpus[command.task.cpu]!;
    registers.address = HYPERVISOR_LEAF;
    yield CPUID;
    for (const [key, value] of fields(command)) command.stdout(`${`${key}:`.padEnd(23)}${value}\n`);
    return 0;
  },
};

/** Which processors a choice among them leaves. */
const CHOICES: Readonly<Record<string, Shown>> = {
  a: { online: true, offline: true },
  b: { online: true, offline: false },
  c: { online: false, offline: true },
};

/** What is wrong with the options together. A letter that is given twice contradicts nothing; in 2.21 it did. */
function contradictionIn({ system }: ProgramProcess, { options }: ParsedOptions): string | undefined {
  const isOld = system.tools.utilLinux === "2.21";
  const given = (letters: string) => {
    const found = options.filter(({ letter }) => letters.includes(letter)).map(({ letter }) => letter);
    return isOld ? found : [...new Set(found)];
  };
  if (given("ep").length > 1) {
    return isOld
      ? "extended and parsable formats are mutually exclusive"
      : "mutually exclusive arguments: --caches --extended --parse";
  }
  if (given("abc").length > 1) {
    return isOld
      ? "--all, --online and --offline options are mutually exclusive"
      : "mutually exclusive arguments: --all --online --offline";
  }
  if (!isOld && given("abc").length > 0 && given("ep").length === 0) {
    return "options --all, --online and --offline may only be used with options --extended or --parse.";
  }
}

function fail(command: ProgramProcess, text: string): number {
  command.stderr(`lscpu: ${text}\n`);
  return 1;
}

function* printTable(
  command: ProgramProcess,
  { options }: ParsedOptions,
  table: ParsedOption,
): Activity<number> {
  const form = table.letter === "e" ? "extended" : "parse";
  const list = table.value.replace(/^=/, "");
  if (!table.bare && list === "") return 1; // as the real one: without a word
  const names = table.bare ? null : namedColumns(command, list);
  if (names !== null && "unknown" in names) return fail(command, `unknown column: ${names.unknown}`);
  const choice = options.find(({ letter }) => letter in CHOICES)?.letter ?? (form === "extended" ? "a" : "b");
  command.stdout(yield* cpuTable(command, form, names, CHOICES[choice]!));
  return 0;
}

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
