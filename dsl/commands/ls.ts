import { type FileStat, isErrno } from "../shell/ports.ts";
import { strftime } from "../text/strftime.ts";
import type { Command, CommandContext } from "./command.ts";
import { parseOptions } from "./options.ts";
import { modeText } from "./stat.ts";

/** `ls`. */
const doc = `ls - names in directories
Usage: ls [-1aAdFhlnrStU] [PATH]…
Effects: lists directories, one name a line; -a with hidden ones, -A without . and .. of them; -d the directory itself; -l with
  mode, links, owner, size, time and the target of links, -n with the owner's number, -h sizes with K, M, G; -F with a mark for
  the kind; by name, by time (-t), by size (-S), unsorted (-U), -r reversed
Exit status: 0, or 2 if a path cannot be listed
Errors: cannot access 'PATH': No such file or directory
Differs from the real one: always one name a line; times are the model's: what the kernel computes has that of the boot, in
  /proc that of the look; everything is root's; no -R, -i, -s, --color=always
Examples: ls /sys/bus/pci/drivers
  ls -l /sys/devices/system/cpu/online
  ls -l /sys/bus/pci/devices/0000:05:00.0/driver`;

/** A name that is listed. */
interface Entry {
  readonly name: string;
  readonly stat: FileStat;
  readonly target: string | undefined;
  readonly links: number;
  readonly changedNs: number;
  readonly kib: number;
}

/** Half of a mean Gregorian year, seconds: what is older, or yet to come, is shown with its year (GNU ls). */
const RECENT_SECONDS = 31_556_952 / 2;

export const ls: Command = {
  name: "ls",
  kind: "filter",
  doc,
  run(context) {
    const options = parseOptions(context.args, "1aAdFhlnrStU", "anywhere", {
      "all": "a",
      "almost-all": "A",
      "directory": "d",
      "classify": "F",
      "human-readable": "h",
      "numeric-uid-gid": "n",
      "reverse": "r",
      "color": "",
    });
    if (typeof options === "string") return context.misuse(options, 2);
    const { flags, operands } = options;
    const { shell } = context, { vfs } = shell.machine;
    const isLong = flags.has("l") || flags.has("n");
    // A link that is named is followed where neither the line nor the mark would tell that it is one.
    const follows = !isLong && !flags.has("d") && !flags.has("F");
    const files: Entry[] = [];
    const folders: Entry[] = [];
    let status = 0;
    for (const path of operands.length > 0 ? operands : ["."]) {
      const entry = entryOf(context, path, path);
      if (typeof entry === "string") {
        status = context.complain(`cannot access '${path}': ${entry}`, 2);
        continue;
      }
      const followed = follows ? vfs.stat(shell.resolve(path)) : entry.stat;
      const { kind } = isErrno(followed) ? entry.stat : followed;
      (kind === "directory" && !flags.has("d") ? folders : files).push(entry);
    }
    show(context, sorted(files, flags), flags);
    for (const [i, { name: folder }] of sorted(folders, flags).entries()) {
      if (i > 0 || files.length > 0) context.out("\n");
      if (operands.length > 1) context.out(`${folder}:\n`);
      const names = vfs.list(shell.resolve(folder));
      if (isErrno(names)) {
        status = context.complain(`cannot open directory '${folder}': ${names.message}`, 2);
        continue;
      }
      const listed = [...flags.has("a") ? [".", ".."] : [], ...names].filter((name) =>
        !name.startsWith(".") || flags.has("a") || flags.has("A")
      );
      const entries = listed.map((name) => entryOf(context, name, `${folder}/${name}`))
        .filter((entry) => typeof entry !== "string");
      if (isLong) context.out(`total ${entries.reduce((sum, { kib }) => sum + kib, 0)}\n`);
      show(context, sorted(entries, flags), flags);
    }
    return status;
  },
};

/** What is at a path, a link itself; a text says why not. */
function entryOf({ shell }: CommandContext, name: string, path: string): Entry | string {
  const { vfs } = shell.machine;
  const absolute = shell.resolve(path);
  const stat = vfs.lstat(absolute);
  if (isErrno(stat)) return stat.message;
  const details = vfs.details(absolute);
  if (isErrno(details)) return details.message;
  if (path.endsWith("/") && stat.kind === "link") { // what it leads to, which has to be a directory
    const behind = vfs.stat(absolute);
    if (isErrno(behind)) return behind.message;
    if (behind.kind !== "directory") return "Not a directory";
    return { name, stat: behind, target: undefined, ...details };
  }
  const target = vfs.readlink(absolute);
  return { name, stat, target: isErrno(target) ? undefined : target, ...details };
}

function sorted(entries: readonly Entry[], flags: ReadonlySet<string>): readonly Entry[] {
  if (flags.has("U")) return entries;
  const byName = (a: Entry, b: Entry) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
  const order = flags.has("t")
    ? (a: Entry, b: Entry) => b.changedNs - a.changedNs || byName(a, b)
    : flags.has("S")
    ? (a: Entry, b: Entry) => b.stat.size - a.stat.size || byName(a, b)
    : byName;
  const list = [...entries].sort(order);
  return flags.has("r") ? list.reverse() : list;
}

/** Writes entries, a line each; the columns of -l are as wide as the widest in them. */
function show(context: CommandContext, entries: readonly Entry[], flags: ReadonlySet<string>): void {
  const mark = ({ stat: { kind, mode } }: Entry) =>
    !flags.has("F")
      ? ""
      : kind === "file" && (mode & 0o111) !== 0
      ? "*"
      : { directory: "/", link: "@", file: "", device: "" }[kind];
  if (!flags.has("l") && !flags.has("n")) {
    for (const entry of entries) context.out(`${entry.name}${mark(entry)}\n`);
    return;
  }
  const widest = (text: (entry: Entry) => string) => Math.max(0, ...entries.map((each) => text(each).length));
  const links = ({ links }: Entry) => String(links);
  const major = ({ stat: { number } }: Entry) => number === undefined ? "" : String(number[0]);
  const minor = ({ stat: { number } }: Entry) => number === undefined ? "" : String(number[1]);
  const bytes = ({ stat }: Entry) =>
    stat.number !== undefined ? "" : flags.has("h") ? human(stat.size) : String(stat.size);
  const [linksWidth, majorWidth, minorWidth] = [widest(links), widest(major), widest(minor)];
  const sizeWidth = Math.max(widest(bytes), majorWidth === 0 ? 0 : majorWidth + 2 + minorWidth);
  const owner = flags.has("n") ? "0 0" : "root root";
  for (const entry of entries) {
    const { stat, name, target } = entry;
    const size = stat.number === undefined
      ? bytes(entry).padStart(sizeWidth)
      : `${major(entry).padStart(sizeWidth - 2 - minorWidth)}, ${minor(entry).padStart(minorWidth)}`;
    const where = target === undefined ? mark(entry) : ` -> ${target}`;
    context.out(
      `${modeText(stat)} ${links(entry).padStart(linksWidth)} ${owner} ${size} ${
        time(context, entry)
      } ${name}${where}\n`,
    );
  }
}

/** `Sep  6 12:00`; without the hour and with the year for what is not of the last half year. */
function time({ shell }: CommandContext, { changedNs }: Entry): string {
  const { bootTime, uptimeNs } = shell.machine.clock();
  const age = (uptimeNs - changedNs) / 1e9;
  const format = age >= 0 && age < RECENT_SECONDS ? "%b %e %H:%M" : "%b %e  %Y";
  const instant = { seconds: bootTime + Math.floor(changedNs / 1e9), nanoseconds: changedNs % 1e9 };
  const answer = strftime(format, instant);
  if ("refused" in answer) throw new Error(`${format} is a format that strftime has`);
  return answer.text;
}

/** A size with a letter, rounded up; one digit behind the point where it is below ten. */
function human(bytes: number): string {
  let [value, power] = [bytes, 0];
  while (value >= 1024) [value, power] = [value / 1024, power + 1];
  if (power === 0) return String(bytes);
  const tenths = Math.ceil(value * 10) / 10;
  return (tenths < 10 ? tenths.toFixed(1) : String(Math.ceil(value))) + "KMGTP"[power - 1];
}
