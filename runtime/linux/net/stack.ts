/**
 * The network of one kernel: its interfaces, who listens, who waits for an answer.
 *
 * *Modelled*: IPv4 addresses on one subnet, ICMP echo, TCP connections with bulk data.
 *
 * *Not modelled*: ARP (neighbours are known), routing, fragmentation, UDP, IPv6, loopback.
 *
 * @module
 */

import { type EthernetPort, type FrameTrain, FULL_FRAME_BYTES } from "../../../hw/ethernet.ts";
import type { PciEffect } from "../../../hw/pci.ts";
import { type Step, work } from "../../../hw/sim/activity.ts";
import type { Engine } from "../../../hw/sim/engine.ts";
import type { Hashed, StateHash } from "../../../hw/sim/state_hash.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { Softirq } from "../irq/softirqs.ts";
import type { Task } from "../sched/task.ts";
import type { NetCosts } from "./costs.ts";
import type { Address, Echo, Packet, Segment } from "./packets.ts";
import { TcpConnection } from "./tcp.ts";

/** An interface with its address. */
export interface NetInterface {
  /** `eth1`. */
  readonly name: string;
  readonly address: Address;
  readonly port: EthernetPort;
  /** Whether frames come in by a ring, with interrupts; otherwise only single packets are taken. */
  readonly hasRing: boolean;
  /** Carries out what a transmission leads to. */
  readonly apply: (effects: readonly PciEffect[]) => void;
}

/** What one kernel has to know of the others on its subnet: whose address is whose. */
export class Subnet {
  /** Address → MAC. */
  readonly neighbours = new Map<Address, number>();
  /** How often interfaces have come up or gone down. */
  changes = 0;
  /** MAC → the address that the interface gets. */
  readonly leases = new Map<number, Address>();
  /** Name → address, as `/etc/hosts` has them on every computer. */
  readonly hosts = new Map<string, Address>();
}

/** The way to an address, as long as no interface has come up or gone down since. */
interface Path {
  readonly to: Address;
  readonly changes: number;
  readonly net: NetInterface;
  /** What goes there: written anew for each transmission. */
  readonly train: FrameTrain;
}

/** A server's socket. */
export interface Listener {
  /** Connections that nobody has accepted yet. */
  readonly accepted: TcpConnection[];
  /** The server, while it waits. */
  waiting: Task | null;
}

/** Least length of a frame on the wire, with preamble and gap. */
const SMALLEST_FRAME = 84;
/** Ethernet, IP and ICMP headers, check sequence, preamble and gap. */
const ECHO_OVERHEAD = 66;
/** The first port that clients get. */
const FIRST_LOCAL_PORT = 47_700;

/** The stack. */
export class NetStack implements Hashed {
  declare readonly kernel: Kernel;
  /** Its adapters' time; the kernel's own may have stood still. */
  declare readonly engine: Engine;
  declare readonly costs: NetCosts;
  declare readonly subnet: Subnet;
  declare readonly ksoftirqd: (cpu: KernelCpu, poll: Softirq) => void;
  /** Interfaces that are up. */
  readonly interfaces: NetInterface[] = [];
  /** Listening sockets by port. */
  readonly listeners = new Map<number, Listener>();
  /** Connections that have data to come, for whoever asks what goes on. */
  readonly receiving = new Set<TcpConnection>();
  /** What a poll has brought that is no bulk data: done one by one behind it. */
  readonly backlog: ((cpu: KernelCpu) => void)[] = [];
  /** A connection whose data the run of the poll has brought: its ACK goes out at the end of that (GRO). */
  unacknowledged: TcpConnection | null = null;
  /** A packet has woken somebody: that is paid when the poll is over. */
  woken = false;
  /** A small packet through the stack. */
  readonly small: Step;
  /** A system call on a socket. */
  readonly call: Step;
  readonly #echoes = new Map<number, (echo: Echo, cpu: KernelCpu) => void>();
  #nextPort = FIRST_LOCAL_PORT;
  /** Most packets go where the last one went. */
  #lastPath: Path | undefined;

  /** @param ksoftirqd has a CPU's ksoftirqd go on with a poll */
  constructor(
    kernel: Kernel,
    costs: NetCosts,
    subnet: Subnet,
    ksoftirqd: (cpu: KernelCpu, poll: Softirq) => void,
  ) {
    this.kernel = kernel;
    this.engine = kernel.engine;
    this.costs = costs;
    this.subnet = subnet;
    this.ksoftirqd = ksoftirqd;
    this.small = work("small packet", kernel.kernelLayer, costs.small);
    this.call = work("socket call", kernel.kernelLayer, costs.call);
    kernel.engine.register(`net ${kernel.name}`, this);
  }

  /** Adds what it receives, and who waits, to `hash`. */
  hashInto(hash: StateHash): void {
    hash.word(this.#nextPort).word(this.listeners.size).word(this.backlog.length);
    for (const connection of this.receiving) connection.hashInto(hash);
  }

  /** Brings an interface up. */
  up(net: NetInterface): void {
    this.subnet.changes++;
    this.interfaces.push(net);
    this.subnet.neighbours.set(net.address, net.port.mac);
  }

  /** Takes an interface down. */
  down(name: string): void {
    const at = this.interfaces.findIndex((net) => net.name === name);
    if (at < 0) return;
    this.subnet.changes++;
    const [net] = this.interfaces.splice(at, 1);
    if (this.subnet.neighbours.get(net!.address) === net!.port.mac) {
      this.subnet.neighbours.delete(net!.address);
    }
  }

  /** The interface that leads to `address`; `undefined`: the network is unreachable. */
  route(address: Address): NetInterface | undefined {
    return this.interfaces.find((net) => net.address >>> 8 === address >>> 8 && net.address !== address);
  }

  /** Where a packet goes now; undefined: nobody answers for that address. */
  #path({ to }: Packet): Path | undefined {
    const last = this.#lastPath;
    if (last !== undefined && last.to === to && last.changes === this.subnet.changes) return last;
    const net = this.route(to);
    const destination = this.subnet.neighbours.get(to);
    if (net === undefined || destination === undefined) return undefined;
    const train = { destination, source: net.port.mac, frames: 0, bytes: 0, payload: null };
    return this.#lastPath = { to, changes: this.subnet.changes, net, train };
  }

  /** Sends `frames` of `packet`, not before `delayNs` from now. Nobody answers for an address that is not there. */
  send(packet: Packet, frames: number, delayNs = 0): void {
    const path = this.#path(packet);
    if (path === undefined) return;
    const { net, train } = path;
    train.frames = frames;
    train.payload = packet;
    train.bytes = packet.protocol === "icmp"
      ? Math.max(SMALLEST_FRAME, packet.bytes + ECHO_OVERHEAD)
      : packet.kind === "data"
      ? FULL_FRAME_BYTES
      : SMALLEST_FRAME;
    const effects = net.port.transmit(train, this.engine.nowNs, delayNs);
    if (effects.length > 0) net.apply(effects);
  }

  /** Frames have been taken from a ring, in the softirq. */
  receive(payload: unknown, frames: number, cpu: KernelCpu): void {
    const packet = payload as Packet;
    if (packet.protocol === "icmp") this.#queue(packet);
    else if (packet.kind === "data") packet.connection.receive(frames, cpu);
    else if (packet.kind === "ACK") packet.connection.acknowledged(packet.edge!, cpu);
    else this.#queue(packet);
  }

  #queue(packet: Packet): void {
    this.backlog.push((cpu) => {
      if (packet.protocol === "icmp") this.#echo(packet, cpu);
      else this.#segment(packet, cpu);
    });
  }

  /** Sends the ACK of what the run has brought. */
  acknowledge(): void {
    const connection = this.unacknowledged;
    this.unacknowledged = null;
    connection?.acknowledge();
  }

  /** Packets that no ring has taken, on a computer whose adapter is not simulated. */
  receiveAtOnce(packet: Packet, cpu: KernelCpu): void {
    if (packet.protocol === "icmp") this.#echo(packet, cpu);
    else this.#segment(packet, cpu);
    this.woken = false;
  }

  /** Wakes `task`; the caller pays. */
  wake(task: Task, cpu: KernelCpu): void {
    this.kernel.wake(task, cpu);
    this.woken = true;
  }

  // ---- ICMP ----

  /** Hands replies to the echo requests of `identifier` to `reply`. */
  onEcho(identifier: number, reply: (echo: Echo, cpu: KernelCpu) => void): void {
    this.#echoes.set(identifier, reply);
  }

  /** Nobody waits for these any more. */
  offEcho(identifier: number): void {
    this.#echoes.delete(identifier);
  }

  #echo(echo: Echo, cpu: KernelCpu): void {
    const { from, to, type, identifier } = echo;
    if (type === "reply") this.#echoes.get(identifier)?.(echo, cpu);
    else this.send({ ...echo, from: to, to: from, type: "reply" }, 1);
  }

  // ---- TCP ----

  /** Opens a connection: its SYN is on the way. `undefined`: the network is unreachable. */
  connect(address: Address, port: number, task: Task): TcpConnection | undefined {
    const net = this.route(address);
    if (net === undefined) return undefined;
    const local = { address: net.address, port: this.#nextPort++ };
    const connection = new TcpConnection(this, local, { address, port });
    connection.connecting = task;
    this.send(connection.segment("SYN"), 1);
    return connection;
  }

  #segment({ kind, connection }: Segment, cpu: KernelCpu): void {
    switch (kind) {
      case "SYN":
        return this.#accept(connection, cpu);
      case "FIN":
        connection.finish(cpu);
        return;
      case "RST":
        connection.state = "REFUSED";
        break;
      case "SYN-ACK":
        connection.established();
        break;
      case "data":
      case "ACK":
        return;
    }
    const task = connection.connecting;
    connection.connecting = null;
    if (task !== null) this.wake(task, cpu);
  }

  #accept(connection: TcpConnection, cpu: KernelCpu): void {
    const listener = this.listeners.get(connection.remote.port);
    if (listener === undefined) return this.send(connection.segment("RST", true), 1);
    connection.receiver = this;
    this.receiving.add(connection);
    listener.accepted.push(connection);
    this.send(connection.segment("SYN-ACK", true), 1);
    const task = listener.waiting;
    listener.waiting = null;
    if (task !== null) this.wake(task, cpu);
  }
}
