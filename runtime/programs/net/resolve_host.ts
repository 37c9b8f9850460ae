/**
 * Names of computers.
 *
 * @module
 */

import { type Address, parseAddress } from "../../linux/net/packets.ts";
import type { ProgramProcess } from "../program.ts";

/** The address that `host` names or is; `undefined`: nobody knows it. */
export function resolveHost({ system: { net } }: ProgramProcess, host: string): Address | undefined {
  return parseAddress(host) ?? net.subnet.hosts.get(host);
}
