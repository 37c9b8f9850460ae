import { OPEN_FILES } from "../shell/redirect.ts";
import type { Shell } from "../shell/state.ts";
import type { Command } from "./command.ts";

/** `ulimit`. */
const doc = `ulimit - limits of the shell and what it starts
Usage: ulimit [-HS] [-a | -cdefilmnpqrstuvx [LIMIT]]
Effects: writes a limit, of file size (-f) without a letter, all with -a, or sets it: a number or unlimited
Exit status: 0, or 1 if LIMIT is none
Errors: TEXT: invalid number; -X: invalid option
Differs from the real one: what is set is only written again, but for -n, which bounds the numbers of descriptors in
  redirections: everybody is root, whom most limits do not bind; hard and soft are one
Examples: ulimit -l unlimited; ulimit -l`;

/** Letter, name and unit of bash, and what a root login on Debian begins with. */
const LIMITS: readonly (readonly [letter: string, name: string, unit: string, value: string])[] = [
  ["c", "core file size", "blocks, -c", "0"],
  ["d", "data seg size", "kbytes, -d", "unlimited"],
  ["e", "scheduling priority", "-e", "0"],
  ["f", "file size", "blocks, -f", "unlimited"],
  ["i", "pending signals", "-i", "63531"],
  ["l", "max locked memory", "kbytes, -l", "64"],
  ["m", "max memory size", "kbytes, -m", "unlimited"],
  ["n", "open files", "-n", String(OPEN_FILES)],
  ["p", "pipe size", "512 bytes, -p", "8"],
  ["q", "POSIX message queues", "bytes, -q", "819200"],
  ["r", "real-time priority", "-r", "0"],
  ["s", "stack size", "kbytes, -s", "8192"],
  ["t", "cpu time", "seconds, -t", "unlimited"],
  ["u", "max user processes", "-u", "63531"],
  ["v", "virtual memory", "kbytes, -v", "unlimited"],
  ["x", "file locks", "-x", "unlimited"],
];

const valueOf = (shell: Shell, [letter, , , value]: typeof LIMITS[number]) =>
  shell.limits.get(letter) ?? value;

export const ulimit: Command = {
  name: "ulimit",
  kind: "builtin",
  doc,
  options: ["-a", ...LIMITS.map(([letter]) => `-${letter}`)],
  run(context) {
    const { shell } = context;
    let limit = LIMITS.find(([letter]) => letter === "f")!;
    const args = [...context.args];
    while (/^-./.test(args[0] ?? "")) {
      for (const letter of args.shift()!.slice(1)) {
        if (letter === "H" || letter === "S") continue;
        if (letter === "a") {
          for (const each of LIMITS) {
            context.out(`${each[1].padEnd(20)} ${`(${each[2]})`.padStart(19)} ${valueOf(shell, each)}\n`);
          }
          return 0;
        }
        const found = LIMITS.find(([each]) => each === letter);
        if (found === undefined) return context.complain(`-${letter}: invalid option`, 2);
        limit = found;
      }
    }
    const [value] = args;
    if (value === undefined) context.out(`${valueOf(shell, limit)}\n`);
    else if (!/^(\d+|unlimited|hard|soft)$/.test(value)) return context.complain(`${value}: invalid number`);
    else if (/^\d|^u/.test(value)) shell.limits.set(limit[0], value);
    return 0;
  },
};
