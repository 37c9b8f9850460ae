/**
 * Parameters of interrupt moderation, as ethtool prints and takes them.
 *
 * *Document*: ethtool 3.4 `ethtool.c` (`dump_coalesce`, `parse_generic_cmdline`), what 6.1 prints.
 *
 * @module
 */

import type { ProgramProcess } from "../program.ts";

/** A parameter that was typed. */
export interface SetParameter {
  readonly name: string;
  readonly value: number;
}

/** By name, whether they are on or off; numbers else. */
export const PARAMETERS: ReadonlyMap<string, boolean> = new Map([
  ["adaptive-rx", true],
  ["adaptive-tx", true],
  ["sample-interval", false],
  ["stats-block-usecs", false],
  ["pkt-rate-low", false],
  ["pkt-rate-high", false],
  ...["", "-irq", "-low", "-high"].flatMap((when) =>
    ["rx-usecs", "rx-frames", "tx-usecs", "tx-frames"].map((name) => [`${name}${when}`, false] as const)
  ),
]);

/** Whether it is the one that asks by netlink. */
export function today({ system }: ProgramProcess): boolean {
  return system.tools.ethtool === "6.1";
}

/** `-c`. What the driver does not tell is 0 by ioctl() and n/a by netlink. */
export function coalesceText(command: ProgramProcess, device: string, usecs: number): string {
  const isNew = today(command);
  const none = isNew ? "n/a" : "0", off = isNew ? "n/a" : "off";
  const block = (direction: string) =>
    `${direction}-usecs: ${direction === "rx" ? usecs : 0}\n${direction}-frames: ${none}\n` +
    `${direction}-usecs-irq: ${none}\n${direction}-frames-irq: ${none}\n\n`;
  const atRate = (rate: string) =>
    ["rx", "tx"].map((each) => `${each}-usecs-${rate}: ${none}\n${each}-frame-${rate}: ${none}\n`).join("") +
    "\n";
  return `Coalesce parameters for ${device}:\nAdaptive RX: ${off}  TX: ${off}\n` +
    ["stats-block-usecs", "sample-interval", "pkt-rate-low", "pkt-rate-high"]
      .map((name) => `${name}: ${none}\n`).join("") +
    `\n${block("rx")}${block("tx")}${atRate("low")}${atRate("high")}` +
    (isNew ? "CQE mode RX: n/a  TX: n/a\n\n" : "");
}

/** The parameters of `-C`; a number: it has complained, and that is the status; undefined: bad arguments. */
export function setParameters(
  command: ProgramProcess,
  words: readonly string[],
): SetParameter[] | number | undefined {
  const complain = (text: string) => {
    if (!today(command)) return undefined;
    command.stderr(`ethtool (-C): ${text}\n`);
    return 1;
  };
  const set: SetParameter[] = [];
  for (let i = 0; i < words.length; i += 2) {
    const name = words[i]!, word = words[i + 1];
    const isSwitch = PARAMETERS.get(name);
    if (isSwitch === undefined) return complain(`unknown parameter '${name}'`);
    if (word === undefined) return complain(`no value for parameter '${name}'`);
    const value = isSwitch ? ["off", "on"].indexOf(word) : /^-?\d+$/.test(word) ? Number(word) : NaN;
    if (Number.isNaN(value) || (value < 0 && (isSwitch || today(command)))) {
      return complain(`invalid value '${word}' for parameter '${name}'`);
    }
    set.push({ name, value });
  }
  return set;
}
