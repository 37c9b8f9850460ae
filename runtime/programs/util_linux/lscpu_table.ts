/**
 * lscpu's tables: a line for each processor, for people (`-e`) and for programs (`-p`).
 *
 * *Document*: util-linux 2.21 (2012) and 2.38 `sys-utils/lscpu.c`; what 2.38 prints for a tree of sysfs like the model's,
 * given by `--sysroot`.
 *
 * *Modelled*: everything is read from sysfs and /proc/cpuinfo, so a processor that is offline has neither place nor frequency.
 * Numbers of cores and sockets are those in which they are met, not those of the hardware. 2.21 knows no frequencies, and its
 * columns begin at the left.
 *
 * *Not modelled*: what sysfs does not have here, caches, NUMA nodes, books, drawers: these columns are empty, a dash in `-e`.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { Errno } from "../../linux/errno.ts";
import { type ProgramProcess, readFile } from "../program.ts";

/** `-e` and `-p`. */
export type TableForm = "extended" | "parse";

/** Which processors have a line. */
export interface Shown {
  readonly online: boolean;
  readonly offline: boolean;
}

/** What is known of a processor, as text; a name that is absent is not known. */
type Row = Readonly<Record<string, string | undefined>>;

/** A column's heading, and whether 2.38 puts its cells at the right. */
type Column = readonly [name: string, right: boolean];

/** Those of 2.21, by which 2.38's begin. */
const OLD_COLUMNS: readonly Column[] = [
  ["CPU", true],
  ["CORE", true],
  ["SOCKET", true],
  ["NODE", true],
  ["BOOK", true],
  ["CACHE", false],
  ["POLARIZATION", false],
  ["ADDRESS", false],
  ["CONFIGURED", false],
  ["ONLINE", true],
];

const NEW_COLUMNS: readonly Column[] = [
  ...OLD_COLUMNS,
  ["BOGOMIPS", true],
  ["CLUSTER", true],
  ["DRAWER", true],
  ["MHZ", true],
  ["SCALMHZ%", true],
  ["MAXMHZ", true],
  ["MINMHZ", true],
];

/** Headings that `-p` leaves in capitals. */
const ABBREVIATIONS: ReadonlySet<string> = new Set(["CPU", "SCALMHZ%", "CACHE"]);

function columnsOf({ system }: ProgramProcess): readonly Column[] {
  return system.tools.utilLinux === "2.21" ? OLD_COLUMNS : NEW_COLUMNS;
}

/** The columns that a list names; a text: the one that there is not. 2.38 shows the rest of the list with it. */
export function namedColumns(command: ProgramProcess, list: string): string[] | { unknown: string } {
  const known = columnsOf(command);
  const names = list.split(",");
  for (const [i, name] of names.entries()) {
    if (!known.some(([each]) => each === name.toUpperCase())) return { unknown: names.slice(i).join(",") };
  }
  return names.map((name) => name.toUpperCase());
}

/** The table. `names`: of the columns, null where nobody has said. */
export function* cpuTable(
  command: ProgramProcess,
  form: TableForm,
  names: readonly string[] | null,
  shown: Shown,
): Activity<string> {
  const all = yield* rowsOf(command);
  const rows = all.filter(({ ONLINE }) => ONLINE === "yes" ? shown.online : shown.offline);
  if (form === "extended") return extended(command, names ?? usualColumns(command, all), rows);
  // There are no caches: 2.38 leaves their column out, 2.21 only where nobody has asked for it.
  const isNew = command.system.tools.utilLinux !== "2.21";
  const columns = (names ?? ["CPU", "CORE", "SOCKET", "NODE"]).filter((name) => !isNew || name !== "CACHE");
  return parsable(columns, rows, isNew);
}

/** Of the columns for people those that something is known for. */
function usualColumns(command: ProgramProcess, rows: readonly Row[]): string[] {
  const names = ["CPU", "SOCKET", "CORE", "ONLINE"];
  const hasFrequency = rows.some(({ MAXMHZ }) => MAXMHZ !== undefined);
  if (command.system.tools.utilLinux !== "2.21" && hasFrequency) names.push("MAXMHZ", "MINMHZ", "MHZ");
  return names;
}

function extended(command: ProgramProcess, names: readonly string[], rows: readonly Row[]): string {
  const isOld = command.system.tools.utilLinux === "2.21";
  const right = new Map(columnsOf(command));
  const lines = [names, ...rows.map((row) => names.map((name) => row[name] ?? "-"))];
  const widths = names.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines.map((line) => {
    const cells = line.map((cell, i) =>
      !isOld && right.get(names[i]!) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)
    );
    return `${cells.join(" ").trimEnd()}\n`;
  }).join("");
}

function parsable(names: readonly string[], rows: readonly Row[], isNew: boolean): string {
  const heading = (name: string) =>
    ABBREVIATIONS.has(name) ? name : `${name[0]}${name.slice(1).toLowerCase()}`;
  const cell = (row: Row, name: string) =>
    name === "ONLINE" ? row.ONLINE === "yes" ? "Y" : "N" : row[name] ?? "";
  return "# The following is the parsable format, which can be fed to other\n" +
    "# programs. Each different item in every column has an unique ID\n" +
    `# starting ${isNew ? "usually " : ""}from zero.\n` +
    [
      `# ${names.map(heading).join(",")}`,
      ...rows.map((row) => names.map((name) => cell(row, name)).join(",")),
    ]
      .map((line) => `${line}\n`).join("");
}

function* rowsOf(command: ProgramProcess): Activity<Row[]> {
  const { processors } = command;
  /** Masks of the cores and sockets met so far: their places here are their numbers. */
  const cores: string[] = [], sockets: string[] = [];
  const numberIn = (met: string[], mask: string | undefined): string | undefined => {
    if (mask === undefined) return undefined;
    if (!met.includes(mask)) met.push(mask);
    return `${met.indexOf(mask)}`;
  };
  const blocks = cpuinfoBlocks((yield* textOf(command, "/proc/cpuinfo")) ?? "");
  const [first] = blocks.values();
  const rows: Row[] = [];
  for (const [number, cpu] of processors.entries()) {
    const folder = `/sys/devices/system/cpu/cpu${cpu}`;
    const frequency = (khz: string | undefined) =>
      khz === undefined ? undefined : (Number(khz) / 1000).toFixed(4);
    const core = yield* textOf(command, `${folder}/topology/thread_siblings`);
    const socket = yield* textOf(command, `${folder}/topology/core_siblings`);
    const max = frequency(yield* textOf(command, `${folder}/cpufreq/cpuinfo_max_freq`));
    const min = frequency(yield* textOf(command, `${folder}/cpufreq/cpuinfo_min_freq`));
    const now = blocks.get(cpu)?.get("cpu MHz");
    rows.push({
      CPU: `${number}`,
      CORE: numberIn(cores, core),
      SOCKET: numberIn(sockets, socket),
      ONLINE: core === undefined ? "no" : "yes",
      BOGOMIPS: (blocks.get(cpu) ?? first)?.get("bogomips"), // those of one model are taken to be as fast
      MHZ: now === undefined ? undefined : Number(now).toFixed(4),
      "SCALMHZ%": now === undefined || max === undefined
        ? undefined
        : `${(100 * Number(now) / Number(max)).toFixed(0)}%`,
      MAXMHZ: max,
      MINMHZ: min,
    });
  }
  return rows;
}

/** /proc/cpuinfo's values by processor and key. */
function cpuinfoBlocks(text: string): Map<number, Map<string, string>> {
  const blocks = new Map<number, Map<string, string>>();
  for (const block of text.split("\n\n")) {
    const values = new Map(
      block.split("\n").map((line) => {
        const [key = "", value = ""] = line.split(/\s*: ?/);
        return [key, value] as const;
      }),
    );
    const number = values.get("processor");
    if (number !== undefined) blocks.set(Number(number), values);
  }
  return blocks;
}

/** A file's first line; undefined: it is not there. */
function* textOf({ system }: ProgramProcess, path: string): Activity<string | undefined> {
  const text = yield* readFile(system, path);
  return text instanceof Errno ? undefined : text.trimEnd();
}
