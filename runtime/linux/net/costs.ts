/**
 * What networking costs a kernel, as parameters.
 *
 * @module
 */

import { count, ns, parameters, ratio, type Values } from "../../../hw/parameters.ts";

/** Costs, integer ns in their typical execution, and the sizes that flow control depends on. */
export const netCosts = parameters({
  frame: ns("Receive work of a full-size frame in the poll: driver, GRO, IP, TCP, its share of the ACK"),
  frameJitter: ratio("By how much that varies from one run of the poll to the next", { max: 1 }),
  copy: ns("recv(): copying a full-size frame's payload to user space"),
  write: ns("send(): copying a full-size frame's payload from user space, and its part of a large segment"),
  call: ns("A system call on a socket, without copying"),
  preemptionPoint: ns("How long recv() copies before it looks whether it has to yield", { min: 1 }),
  window: count("TCP's receive window after auto-tuning, full-size frames", { min: 2, max: 512 }),
  small: ns("A small packet through the stack, either way: ICMP echo, SYN, FIN"),
  turnaround: ns("From an ACK to the next frames of a sender that is not simulated"),
  senderFrame: ns("What a full-size frame costs such a sender"),
});

/** Values of {@linkcode netCosts}. */
export type NetCosts = Values<typeof netCosts>;
