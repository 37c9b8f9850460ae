/**
 * What the frames between two kernels carry.
 *
 * @module
 */

import type { StateHash } from "../../../hw/sim/state_hash.ts";
import type { TcpConnection } from "./tcp.ts";

/** An IPv4 address, 32 bits. */
export type Address = number;

/** ICMP echo. */
export interface Echo {
  readonly protocol: "icmp";
  readonly from: Address;
  readonly to: Address;
  readonly type: "request" | "reply";
  readonly identifier: number;
  readonly sequence: number;
  /** Length of the payload. */
  readonly bytes: number;
}

/** A TCP segment; one with data stands for a whole train of them. An ACK tells the window's right edge, in frames. */
export interface Segment {
  readonly protocol: "tcp";
  readonly from: Address;
  readonly to: Address;
  readonly kind: "SYN" | "SYN-ACK" | "RST" | "data" | "ACK" | "FIN";
  readonly edge?: number;
  readonly connection: TcpConnection;
}

/** A packet. */
export type Packet = Echo | Segment;

/** Adds what `packet` carries to `hash`. */
export function hashPacket(packet: Packet, hash: StateHash): void {
  hash.text(packet.protocol).word(packet.from).word(packet.to);
  if (packet.protocol === "icmp") {
    hash.text(packet.type).word(packet.identifier).word(packet.sequence).word(packet.bytes);
  } else {
    hash.text(packet.kind).number(packet.edge ?? -1);
    packet.connection.hashInto(hash);
  }
}

/** MSS with timestamps on an MTU of 1500, bytes. */
export const SEGMENT_BYTES = 1448;

/** `192.168.10.1`, or `undefined` where it is none. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const parts = match.slice(1).map(Number);
  return parts.every((part) => part <= 255) ? parts.reduce((sum, part) => sum * 256 + part, 0) : undefined;
}

/** The dotted form. */
export function addressText(address: Address): string {
  return [24, 16, 8, 0].map((shift) => address >>> shift & 255).join(".");
}
