/**
 * tuned-adm: settings for a purpose, by the name of a profile.
 *
 * *Document*: tuned-adm(8), tuned-profiles-nfv-host(7); texts and statuses are those of TuneD 2.20, from its `admin.py`.
 *
 * *Modelled*: the profiles of `tuned_profiles.ts`: sysctls, governor, transparent huge pages, tasks and interrupts that leave
 * the isolated cores, priorities of ksoftirqd, all by the files and calls that an engineer would use; `off` undoes them. Words
 * for the kernel's command line are written to `/etc/tuned/bootcmdline`, and `verify` asks /proc/cmdline for them.
 *
 * *Not modelled*: whatever the kernel here has no file for; it is named, and left out. Profiles of one's own, several at once.
 *
 * *Deviations*: the daemon need not run: tuned-adm does what it would. What is started later is not looked at; it inherits. A boot
 * makes a fresh machine, on which no profile is active.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { Errno } from "../../linux/errno.ts";
import { complain, getopt } from "../getopt.ts";
import { type Program, type ProgramProcess, readFile, writeFile } from "../program.ts";
import { TUNED_PROFILES, tunedProfile, type WholeProfile } from "./tuned_profiles.ts";
import {
  applyProfile,
  bootWords,
  isApplied,
  isolatedCores,
  rollBack,
  verifyProfile,
} from "./tuned_settings.ts";

const doc = `tuned-adm - settings for a purpose, by the name of a profile
Usage: tuned-adm active|list|off|verify|profile_mode
  tuned-adm profile [NAME]
Effects: profile NAME undoes the profile before it and sets what NAME says: latency-performance, network-latency, realtime,
  realtime-virtual-host, realtime-virtual-guest, throughput-performance. Those of realtime lead tasks, interrupts and what shells
  start away from isolated_cores in /etc/tuned/NAME-variables.conf (as shipped: all but the first), and write to
  /etc/tuned/bootcmdline what is for the next boot. off undoes it; verify looks whether all of it holds, and says in
  /var/log/tuned/tuned.log what does not
Exit status: 0; 1 if it cannot, if verify finds a difference, or if no profile is active; 2 on a wrong argument
Errors: Requested profile 'NAME' doesn't exist.
  Assertion 'isolated_cores contains online CPU(s)' failed.
Differs from the real one: today only. tuned need not run. What the model has no file for is left out, with a
  note. A boot makes a fresh machine: boot --append with what the note says, then the profile again. No profile_info, recommend
Examples: set -o era=today; tuned-adm profile latency-performance; tuned-adm verify
  set -o era=today; echo isolated_cores=2-3 > /etc/tuned/realtime-virtual-host-variables.conf
  set -o era=today; tuned-adm active || tuned-adm list`;

const ACTIVE = "/etc/tuned/active_profile";
const LOG = "/var/log/tuned/tuned.log";

/** The program. */
export const tunedAdm: Program = {
  name: "tuned-adm",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const parsed = getopt(command.argv.slice(1), {
      flags: "i",
      long: { "ignore-missing": "i" },
      notModelled: ["d", "debug", "a", "async", "t", "timeout", "l", "loglevel", "v", "version"],
    });
    if (typeof parsed === "string") {
      complain(command, tunedAdm, parsed);
      return parsed === "--help" ? 0 : 2;
    }
    const [verb, ...names] = parsed.operands;
    if (command.system.tools.tuned === null) {
      command.stderr(
        "tuned-adm: profiles of 2012 are not modelled: see examples/setup/realtime_host.rtk, or set -o era=today\n",
      );
      return 1;
    }
    switch (verb) {
      case "active":
        return yield* showActive(command);
      case "list":
        return yield* list(command);
      case "profile":
        return names.length === 0 ? yield* list(command) : yield* switchProfile(command, names);
      case "off":
        yield* rollBack(command);
        yield* writeFile(command.system.vfs, ACTIVE, "", true);
        return 0;
      case "verify":
        return yield* verify(command);
      case "profile_mode":
        command.stdout(
          `Profile selection mode: ${(yield* activeProfile(command)) === undefined ? "auto" : "manual"}\n`,
        );
        return 0;
      case "profile_info":
      case "recommend":
      case "auto_profile":
        command.stderr(`tuned-adm: ${verb} is not modelled\n`);
        return 1;
      default:
        command.stderr("usage: tuned-adm {list,active,off,profile,verify,profile_mode} ...\n");
        return verb === undefined ? 1 : 2;
    }
  },
};

/** The name of the active profile. */
export function* activeProfile({ system }: ProgramProcess): Activity<string | undefined> {
  const text = yield* readFile(system, ACTIVE);
  const name = text instanceof Errno ? "" : text.trim();
  return name === "" ? undefined : name;
}

function* showActive(command: ProgramProcess): Activity<number> {
  const name = yield* activeProfile(command);
  if (name !== undefined && !isApplied(command)) {
    command.stdout(
      `It seems that tuned daemon is not running, preset profile is not activated.\nPreset profile: ${name}\n`,
    );
    return 0;
  }
  command.stdout(name === undefined ? "No current active profile.\n" : `Current active profile: ${name}\n`);
  return name === undefined ? 1 : 0;
}

function* list(command: ProgramProcess): Activity<number> {
  command.stdout("Available profiles:\n");
  for (const { name, summary } of TUNED_PROFILES) {
    command.stdout(`${`- ${name}`.padEnd(30)}- ${summary}\n`);
  }
  yield* showActive(command);
  return 0;
}

/** Undoes the profile before, and sets one. @returns the exit status */
export function* switchProfile(command: ProgramProcess, names: readonly string[]): Activity<number> {
  const profile = names.length === 1 ? tunedProfile(names[0]!) : undefined;
  if (profile === undefined) {
    command.stderr(`Requested profile '${names.join(" ")}' doesn't exist.\n`);
    return 1;
  }
  const isolated = yield* isolatedCores(command, profile);
  if (typeof isolated === "string") {
    command.stderr(`Unable to switch profile: ${isolated}\n`);
    return 1;
  }
  const { system } = command;
  yield* rollBack(command);
  const missing = yield* applyProfile(command, profile, isolated);
  yield* writeFile(system.vfs, ACTIVE, `${profile.name}\n`, true);
  yield* writeFile(system.vfs, "/etc/tuned/profile_mode", "manual\n", true);
  const { all, taken, others } = bootWords(command, profile, isolated);
  yield* writeFile(system.vfs, "/etc/tuned/bootcmdline", `TUNED_BOOT_CMDLINE="${all.join(" ")}"\n`, true);
  const note = (what: string, words: readonly string[], between: string) => {
    if (words.length > 0) command.stderr(`note: ${what}: ${words.join(between)}\n`);
  };
  note("not modelled, and left out", [...missing, ...profile.others], ", ");
  note("not modelled, of what is for the next boot", others, " ");
  const line = yield* readFile(system, "/proc/cmdline");
  const there = line instanceof Errno ? [] : line.trim().split(" ");
  if (taken.some((word) => !there.includes(word))) {
    note("takes effect at the next boot", [`boot --append "${taken.join(" ")}"`], " ");
  }
  return 0;
}

function* verify(command: ProgramProcess): Activity<number> {
  const failures = yield* failuresOf(command);
  command.stdout(
    failures.length === 0
      ? "Verfication succeeded, current system settings match the preset profile.\n" // as it is spelt there
      : "Verification failed, current system settings differ from the preset profile.\n" +
        "You can mostly fix this by restarting the TuneD daemon, e.g.:\n  systemctl restart tuned\nor\n" +
        "  service tuned restart\nSometimes (if some plugins like bootloader are used) a reboot may be required.\n",
  );
  command.stdout(`See TuneD log file ('${LOG}') for details.\n`);
  return failures.length === 0 ? 0 : 1;
}

/** What does not hold of the active profile; it is in the log then. */
function* failuresOf(command: ProgramProcess): Activity<readonly string[]> {
  const { system } = command;
  const name = yield* activeProfile(command);
  const profile: WholeProfile | undefined = name === undefined ? undefined : tunedProfile(name);
  if (profile === undefined) return ["no profile is active"];
  const isolated = yield* isolatedCores(command, profile);
  const failures = typeof isolated === "string"
    ? [isolated]
    : yield* verifyProfile(command, profile, isolated);
  const log = yield* readFile(system, LOG);
  const lines = failures.map((failure) => `ERROR    tuned: ${failure}\n`).join("");
  yield* writeFile(system.vfs, LOG, `${log instanceof Errno ? "" : log}${lines}`, true);
  return failures;
}
