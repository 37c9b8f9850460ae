import { closest } from "../../runtime/lab/spelling.ts";
import type { Shell } from "../shell/state.ts";
import type { Command } from "./command.ts";

/** `shopt`. */
const doc = `shopt - options of bash
Usage: shopt [-s | -u] [-pq] [NAME]…
Effects: turns options on (-s) or off (-u), or writes what they are; -p so that a shell can read it, -q only as the status.
  nullglob can be turned on and off: with it a pattern that matches nothing is no word. The others are as they are in
  bash --posix
Exit status: 0; 1 if a NAME is no option, or is off where it is asked for; 2 if it cannot be changed
Errors: NAME: invalid shell option name; NAME: not in this language
Differs from the real one: all but nullglob stay as they are; no -o: see set
Examples: shopt -s nullglob; for d in /sys/bus/pci/devices/0000:07:*; do echo $d; done`;

/** What is on in bash 5.2 under --posix. */
const ON = [
  "checkwinsize",
  "cmdhist",
  "complete_fullquote",
  "expand_aliases",
  "extquote",
  "force_fignore",
  "globasciiranges",
  "globskipdots",
  "hostcomplete",
  "inherit_errexit",
  "interactive_comments",
  "patsub_replacement",
  "progcomp",
  "promptvars",
  "shift_verbose",
  "sourcepath",
];

/** What is off, and can be turned on in bash. */
const OFF = [
  "autocd",
  "assoc_expand_once",
  "cdable_vars",
  "cdspell",
  "checkhash",
  "checkjobs",
  "direxpand",
  "dirspell",
  "dotglob",
  "execfail",
  "extdebug",
  "extglob",
  "failglob",
  "globstar",
  "gnu_errfmt",
  "histappend",
  "histreedit",
  "histverify",
  "huponexit",
  "lastpipe",
  "lithist",
  "localvar_inherit",
  "localvar_unset",
  "login_shell",
  "mailwarn",
  "no_empty_cmd_completion",
  "nocaseglob",
  "nocasematch",
  "noexpand_translation",
  "progcomp_alias",
  "restricted_shell",
  "varredir_close",
  "xpg_echo",
];

const NAMES = [...ON, ...OFF, "nullglob"].sort();

function isOn(shell: Shell, name: string): boolean {
  return name === "nullglob" ? shell.options.nullglob : ON.includes(name);
}

export const shopt: Command = {
  name: "shopt",
  kind: "builtin",
  doc,
  complete: () => NAMES,
  run(context) {
    const { shell } = context;
    const flags = new Set<string>();
    const args = [...context.args];
    while (args[0]?.startsWith("-")) {
      const word = args.shift()!;
      if (word === "--") break;
      const wrong = [...word.slice(1)].find((letter) => !"supq".includes(letter));
      if (wrong === "o") return context.complain("-o: not modelled: see set -o", 2);
      if (wrong !== undefined) return context.complain(`-${wrong}: invalid option`, 2);
      for (const letter of word.slice(1)) flags.add(letter);
    }
    const sets = flags.has("s"), unsets = flags.has("u");
    if (sets && unsets) return context.complain("cannot set and unset shell options simultaneously");
    let status = 0;
    const names = args.length > 0
      ? args
      : NAMES.filter((name) => (!sets && !unsets) || isOn(shell, name) === sets);
    for (const name of names) {
      if (!NAMES.includes(name)) {
        status = context.complain(`${name}: invalid shell option name`);
        const meant = closest(name, NAMES);
        if (meant !== undefined) context.note(`did you mean ${meant}?`);
      } else if (args.length > 0 && (sets || unsets)) {
        if (name === "nullglob") shell.options.nullglob = sets;
        else if (isOn(shell, name) !== sets) status = context.complain(`${name}: not in this language`, 2);
      } else {
        const on = isOn(shell, name);
        if (args.length > 0 && !on) status = 1;
        if (flags.has("q")) continue;
        if (flags.has("p")) context.out(`shopt -${on ? "s" : "u"} ${name}\n`);
        else context.out(`${name.padEnd(15)}\t${on ? "on" : "off"}\n`);
      }
    }
    return status;
  },
};
