/**
 * A TCP connection that carries bulk data one way.
 *
 * *Document*: RFC 793; Linux 3.4 `net/ipv4/tcp_input.c`, `tcp.c` (`tcp_recvmsg`, `tcp_cleanup_rbuf`).
 *
 * *Modelled*: the handshake's packets, the receive window (right edge = read + window, told by the ACKs of arriving data
 * and by window updates), end of data.
 *
 * *Not modelled*: loss, congestion window (it has grown beyond the receive window), Nagle, small writes.
 *
 * *Deviations*: the receiver is simulated interrupt by interrupt. So is a sender in a guest. A sender on processors that
 * nobody looks at is a fluid: it answers an ACK after `turnaround` with as many frames as the window allows, no interrupt
 * is simulated for that, and its CPU time is booked.
 *
 * @module
 */

import type { StateHash } from "../../../hw/sim/state_hash.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { Task } from "../sched/task.ts";
import { type Address, type Segment, SEGMENT_BYTES } from "./packets.ts";
import type { NetStack } from "./stack.ts";

/** Where a connection stands, as the client sees it. */
export type ConnectionState = "SYN_SENT" | "ESTABLISHED" | "REFUSED" | "CLOSED";

/** One connection: its sender and its receiver. */
export class TcpConnection {
  declare readonly sender: NetStack;
  /** Whether the sender is a fluid: its processors are not looked at. */
  declare readonly fluid: boolean;
  declare readonly local: { readonly address: Address; readonly port: number };
  declare readonly remote: { readonly address: Address; readonly port: number };
  /** See {@linkcode ConnectionState}. */
  state: ConnectionState = "SYN_SENT";
  /** Frames sent. */
  sent = 0;
  /** Frames that have come in. */
  arrived = 0;
  /** Frames that the reader has read. */
  read = 0;
  /** The sender's FIN has arrived. */
  finished = false;
  /** The client's task, while it waits for an answer. */
  connecting: Task | null = null;
  /** The writer of a simulated sender, while it waits for room in the window. */
  writing: Task | null = null;
  /** The reader, while it waits for data. */
  reading: Task | null = null;
  /** The receiver's stack, once it has accepted. */
  receiver: NetStack | null = null;
  /** The right edge of the window, in frames, as the receiver has told it last. */
  #edge = 0;
  /** The same as a simulated sender knows it. */
  #room = 0;
  #stopped = false;
  readonly #data: Segment;

  /** A connection from `local` to `remote`, opened by the kernel of `sender`. */
  constructor(
    sender: NetStack,
    local: { readonly address: Address; readonly port: number },
    remote: { readonly address: Address; readonly port: number },
  ) {
    this.sender = sender;
    this.fluid = sender.kernel.booksSteadyCpus;
    this.local = local;
    this.remote = remote;
    this.#data = this.segment("data");
  }

  /** Bytes that have been read. */
  get bytesRead(): number {
    return this.read * SEGMENT_BYTES;
  }

  /** A segment from the sender; from the receiver, where it answers. */
  segment(kind: Segment["kind"], answer = false): Segment {
    const [from, to] = answer ? [this.remote, this.local] : [this.local, this.remote];
    return { protocol: "tcp", from: from.address, to: to.address, kind, connection: this };
  }

  /** Frames that wait to be read. */
  get readable(): number {
    return this.arrived - this.read;
  }

  /** Adds its state and counters to `hash`. */
  hashInto(hash: StateHash): void {
    hash.text(this.state).number(this.sent).number(this.arrived).number(this.read).number(this.#edge);
    hash.number(this.#room).flag(this.finished).flag(this.#stopped);
  }

  // ---- the receiver ----

  /** Data has come in, in the softirq: an ACK says so, and how far the window reaches. */
  receive(frames: number, cpu: KernelCpu): void {
    this.arrived += frames;
    if (this.reading !== null) this.#wakeReader(cpu);
    const { receiver } = this;
    if (receiver!.unacknowledged !== null && receiver!.unacknowledged !== this) receiver!.acknowledge();
    receiver!.unacknowledged = this;
  }

  /** The sender has no more. */
  finish(cpu: KernelCpu): void {
    this.finished = true;
    this.#wakeReader(cpu);
  }

  /** The reader has read: tells the sender where the window has at least doubled by that (`tcp_cleanup_rbuf`). */
  consume(frames: number): void {
    const { window } = this.receiver!.costs;
    this.read += frames;
    const known = this.#edge - this.arrived;
    if (2 * known <= window && window - this.readable >= 2 * known) this.acknowledge();
  }

  #wakeReader(cpu: KernelCpu): void {
    const task = this.reading;
    if (task === null) return;
    this.reading = null;
    this.receiver!.wake(task, cpu);
  }

  /** Tells the sender what has arrived, and the window's right edge. */
  acknowledge(): void {
    this.#edge = this.read + this.receiver!.costs.window;
    if (this.fluid) this.#send();
    else this.receiver!.send({ ...this.segment("ACK", true), edge: this.#edge }, 1);
  }

  // ---- the sender ----

  /** The receiver has accepted. */
  established(): void {
    this.state = "ESTABLISHED";
    this.#edge = this.#room = this.receiver!.costs.window;
    if (this.fluid) this.#send();
  }

  /** Frames that a simulated sender may send now. */
  get writable(): number {
    return this.#room - this.sent;
  }

  /** A simulated sender's write() has copied so many frames: they leave. */
  write(frames: number): void {
    this.sent += frames;
    this.sender.send(this.#data, frames);
  }

  /** An ACK has come in, in the sender's softirq. */
  acknowledged(edge: number, cpu: KernelCpu): void {
    if (edge > this.#room) this.#room = edge;
    const task = this.writing;
    if (task === null) return;
    this.writing = null;
    this.sender.wake(task, cpu);
  }

  /** No more data: a FIN follows what has been sent. */
  stop(): void {
    this.#stopped = true;
    this.sender.send(this.segment("FIN"), 1, this.fluid ? this.sender.costs.turnaround : 0);
  }

  #send(): void {
    const frames = this.#edge - this.sent;
    if (frames <= 0 || this.#stopped || this.state !== "ESTABLISHED") return;
    this.sent += frames;
    this.sender.send(this.#data, frames, this.sender.costs.turnaround);
  }
}
