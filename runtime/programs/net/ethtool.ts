/**
 * ethtool: what drives a network interface, and how it is set.
 *
 * *Document*: ethtool(8). Texts are those of ethtool 6.1, captured on Debian 12, which asks by netlink; of 2012 those of 3.4,
 * which asked by ioctl() (`ethtool.c`, `do_gcoalesce`, `do_scoalesce`, `do_gchannels`, `do_gdrv`).
 *
 * *Modelled*: `DEV`, `-i`, `-c`, `-C`, `-l`, `-S`. `-C DEV rx-usecs N` has the driver write EITR of every queue's vector, so
 * that messages are N us apart at least, in the register's units of 2.048 us; `rx-usecs 1` leaves it to the traffic again,
 * `rx-usecs 0` has every frame told of.
 *
 * *Not modelled*: ring sizes, offloads, flow control, cables, tests, EEPROM.
 *
 * *Deviations*: of `DEV` speed, duplex and link alone; of `-S` counters that the model has. Firmware is not told.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { ENODEV, EOPNOTSUPP, Errno } from "../../linux/errno.ts";
import type { EthtoolOps } from "../../linux/net/ethtool_ops.ts";
import { coalesceText, PARAMETERS, type SetParameter, setParameters, today } from "./ethtool_coalesce.ts";
import { complain } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `ethtool - shows and sets how a network interface is driven
Usage: ethtool DEV
  ethtool -i|-c|-l|-S DEV
  ethtool -C DEV rx-usecs N
Effects: shows speed and link; -i (--driver) the driver, -c (--show-coalesce) interrupt moderation, -l (--show-channels) queues,
  -S (--statistics) counters. -C (--coalesce) rx-usecs N has the card leave N us between two interrupts of a queue, 0 none;
  1 leaves it to the driver, by the traffic, as after boot
Exit status: 0; 1, 71, 75, 76, 80, 81, 82 or 96 if it cannot, as the real one
Errors: Cannot get driver information: No such device
  Cannot set device coalesce parameters: Invalid argument (an interval that the register cannot hold, tx-usecs)
  Operation not supported: the driver cannot do that; in 2012 no moderation of virtual functions and no channels
Differs from the real one: of DEV speed, duplex and link, of -S frames received and missed; no other options. Firmware is not told
Examples: ethtool -i eth1
  ethtool -C eth1 rx-usecs 100; ethtool -c eth1 | grep rx-usecs:`;

/** Options, by letter and by long name. */
const MODES: Readonly<Record<string, string>> = {
  "-i": "i",
  "--driver": "i",
  "-c": "c",
  "--show-coalesce": "c",
  "-C": "C",
  "--coalesce": "C",
  "-l": "l",
  "--show-channels": "l",
  "-S": "S",
  "--statistics": "S",
};

/** Those of the real one that are refused by name. */
const REFUSED: ReadonlySet<string> = new Set(
  ("-s --change -a --show-pause -A --pause -g --show-ring -G --set-ring -k --show-features --show-offload -K --features " +
    "--offload -d --register-dump -e --eeprom-dump -E --change-eeprom -r --negotiate -p --identify -t --test " +
    "--phy-statistics -n -u --show-nfc --show-ntuple -N -U --config-nfc --config-ntuple -T --show-time-stamping -x " +
    "--show-rxfh-indir --show-rxfh -X --set-rxfh-indir --rxfh -f --flash -P --show-permaddr -w --get-dump -W --set-dump " +
    "-L --set-channels --show-priv-flags --set-priv-flags -m --dump-module-eeprom --module-info --show-eee --set-eee " +
    "--show-fec --set-fec -Q --per-queue --reset --monitor --version --debug --json")
    .split(" "),
);

/** Exit status where the interface is not there, or has no such thing, of each way to ask by ioctl(). */
const IOCTL_FAILURES: Readonly<Record<string, readonly [text: string, status: number]>> = {
  i: ["Cannot get driver information", 71],
  c: ["Cannot get device coalesce settings", 82],
  C: ["Cannot get device coalesce settings", 76],
  // perror() with a newline in its text, as it stood there for years.
  l: ["Cannot get device channel parameters\n", 1],
  S: ["Cannot get stats strings information", 96],
};

/** The program. */
export const ethtool: Program = {
  name: "ethtool",
  doc,
  options: [...Object.keys(MODES), ...PARAMETERS.keys()],
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const [first, ...rest] = command.argv.slice(1);
    if (first === "-h" || first === "--help") return complain(command, ethtool, "--help");
    if (first !== undefined && REFUSED.has(first)) {
      return complain(command, ethtool, `option ${first} is not modelled`);
    }
    const mode = first?.startsWith("-") ? MODES[first] : "";
    const [device, ...words] = mode === "" ? command.argv.slice(1) : rest;
    if (mode === undefined || device === undefined) return badArguments(command);
    if (mode !== "C" && words.length > 0) {
      if (!today(command) || mode === "" || mode === "i" || mode === "S") return badArguments(command);
      command.stderr(`ethtool: unexpected parameter '${words[0]}'\n`);
      return 1;
    }
    return act(command, mode, device, words);
  },
};

function badArguments(command: ProgramProcess): number {
  command.stderr("ethtool: bad command line argument(s)\nFor more information run ethtool -h\n");
  return 1;
}

function act(command: ProgramProcess, mode: string, device: string, words: readonly string[]): number {
  const parameters = mode === "C" ? setParameters(command, words) : [];
  if (parameters === undefined) return badArguments(command);
  if (typeof parameters === "number") return parameters;
  const ops = command.system.netDevices.ethtoolOps(device);
  if (ops === undefined) {
    return mode === "" ? noSettings(command, device) : failed(command, mode, device, ENODEV);
  }
  switch (mode) {
    case "i":
      command.stdout(driverText(command, device, ops));
      return 0;
    case "c":
      if (ops.moderation === undefined) break;
      command.stdout(coalesceText(command, device, ops.moderation.usecs));
      return 0;
    case "C":
      if (ops.moderation === undefined) break;
      return set(command, device, ops, parameters);
    case "l":
      if (ops.channels === undefined) break;
      command.stdout(channelText(command, device, ops));
      return 0;
    case "S":
      command.stdout(
        "NIC statistics:\n" + ops.statistics().map(([name, count]) => `     ${name}: ${count}\n`).join(""),
      );
      return 0;
    default:
      command.stdout(
        `Settings for ${device}:\n\tSpeed: ${ops.speed}Mb/s\n\tDuplex: Full\n\tLink detected: yes\n`,
      );
      return 0;
  }
  return failed(command, mode, device, EOPNOTSUPP);
}

/** What it says where it cannot ask. `-i` and `-S` go by ioctl() today too. */
function failed(command: ProgramProcess, mode: string, device: string, error: Errno): number {
  const [text, status] = IOCTL_FAILURES[mode]!;
  if (today(command) && mode !== "i" && mode !== "S") return netlinkFailed(command, error);
  if (mode === "c") command.stdout(`Coalesce parameters for ${device}:\n`);
  if (mode === "l") command.stdout(`Channel parameters for ${device}:\n`);
  command.stderr(`${text}: ${error.message}\n`);
  return status;
}

function netlinkFailed(command: ProgramProcess, error: Errno): number {
  if (error === ENODEV) command.stderr("netlink error: no device matches name (offset 24)\n");
  command.stderr(`netlink error: ${error.message}\n`);
  return 1;
}

function noSettings(command: ProgramProcess, device: string): number {
  if (today(command)) {
    for (let request = 0; request < 5; request++) netlinkFailed(command, ENODEV);
  } else {
    command.stdout(`Settings for ${device}:\n`);
    for (const what of ["device settings", "wake-on-lan settings", "message level", "link status"]) {
      command.stderr(`Cannot get ${what}: ${ENODEV.message}\n`);
    }
  }
  command.stdout("No data available\n");
  return 75;
}

function driverText({ system, kernel }: ProgramProcess, device: string, ops: EthtoolOps): string {
  const bus = system.netDevices.device(device)!.name;
  const lines = [
    `driver: ${ops.driver}`,
    `version: ${ops.version ?? kernel.release.release}`,
    `firmware-version: ${ops.firmware}`,
    ...(system.tools.ethtool === "3.4" ? [] : ["expansion-rom-version: "]),
    `bus-info: ${bus}`,
    "supports-statistics: yes",
    ...["test", "eeprom-access", "register-dump", "priv-flags"].map((what) => `supports-${what}: no`),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function channelText(command: ProgramProcess, device: string, { channels }: EthtoolOps): string {
  const { maxCombined, combined, other } = channels!;
  const none = today(command) ? "n/a" : "0";
  const rows = (pairs: number) => `RX:\t\t${none}\nTX:\t\t${none}\nOther:\t\t${other}\nCombined:\t${pairs}\n`;
  return `Channel parameters for ${device}:\nPre-set maximums:\n${rows(maxCombined)}` +
    `Current hardware settings:\n${rows(combined)}`;
}

function set(
  command: ProgramProcess,
  device: string,
  { moderation }: EthtoolOps,
  parameters: readonly SetParameter[],
): number {
  const now = (name: string) => name === "rx-usecs" ? moderation!.usecs : 0;
  let wanted = parameters;
  if (today(command)) {
    const unsupported = parameters.findIndex(({ name }) => name !== "rx-usecs" && name !== "tx-usecs");
    if (unsupported >= 0) {
      // Headers and the name of the interface stand before the attributes, of eight bytes each.
      const offset = 28 + 4 * Math.ceil((device.length + 1) / 4) + 8 * unsupported;
      command.stderr(`netlink error: cannot modify an unsupported parameter (offset ${offset})\n`);
      command.stderr("netlink error: Invalid argument\n");
      return 1;
    }
    if (parameters.length === 0) return 0;
  } else {
    for (const { name, value } of parameters) {
      if (value === now(name)) command.stderr(`${name} unmodified, ignoring\n`);
    }
    wanted = parameters.filter(({ name, value }) => value >= 0 && value !== now(name));
    if (wanted.length === 0) {
      command.stderr("no coalesce parameters changed, aborting\n");
      return 80;
    }
  }
  const valueOf = (name: string) => wanted.findLast((each) => each.name === name)?.value ?? now(name);
  const refused = moderation!.set(valueOf("rx-usecs"), valueOf("tx-usecs"));
  if (!(refused instanceof Errno)) return 0;
  if (today(command)) return netlinkFailed(command, refused);
  command.stderr(`Cannot set device coalesce parameters: ${refused.message}\n`);
  return 81;
}
