/**
 * iperf 2.0.5 and 2.1.8: how much TCP carries from one computer to another.
 *
 * *Modelled*: `-s`, `-c HOST`, `-p`, `-t`, `-i`, `-y C`, long options likewise. Data flows from client to server.
 *
 * *Not modelled*: `-u`, `-P` above 1, `-d`, `-r`, `-n`, `-w`, `-M`, `-F` and the others; refused by name.
 *
 * @module
 */

import { young } from "../../../hw/sim/young.ts";
import type { Activity } from "../../../hw/sim/activity.ts";
import { addressText, SEGMENT_BYTES } from "../../linux/net/packets.ts";
import { socketReader, socketWriter } from "../../linux/net/socket_loop.ts";
import type { TcpConnection } from "../../linux/net/tcp.ts";
import type { Task } from "../../linux/sched/task.ts";
import {
  IPERF_HEAD,
  IPERF_RULE,
  iperfCsv,
  type IperfInterval,
  iperfLine,
  iperfTime,
} from "../../measure/iperf_format.ts";
import { complain, getopt, type OptionTable } from "../getopt.ts";
import type { Program, ProgramProcess, ToolVersions } from "../program.ts";
import { resolveHost } from "./resolve_host.ts";
import { killThreads, SIGINT, SIGTERM } from "../signals.ts";

/** iperf's port. */
const PORT = 5001;
/** Frames whose payload fits its buffer of 128 KiB. */
const FRAMES = Math.floor(128 * 1024 / SEGMENT_BYTES);
/** What differs between the releases in what they print. */
interface IperfRow {
  /** Identifier of the first connection of a client, and of a server. Those of 2.0 are descriptors: the first that is free. */
  readonly clientId: number;
  readonly serverId: number;
  /** The client's window, as `getsockopt` tells it. */
  readonly window: string;
  /** The client tells the initial congestion window, the segment size and the handshake's round trip. */
  readonly tellsHandshake: boolean;
}

const RELEASES: Readonly<Record<ToolVersions["iperf"], IperfRow>> = {
  "2.0.5": { clientId: 3, serverId: 4, window: "23.5", tellsHandshake: false },
  "2.1.8": { clientId: 1, serverId: 1, window: "16.0", tellsHandshake: true },
};

/** Segments that may be on their way at first (RFC 6928). */
const INITIAL_WINDOW = 10;

const OPTIONS: OptionTable = {
  flags: "s",
  values: "cptiy",
  long: { server: "s", client: "c", port: "p", time: "t", interval: "i", reportstyle: "y" },
  notModelled: [
    ..."udrnPwMNFILTVZlBCDbfmoxSU",
    "udp",
    "parallel",
    "window",
    "num",
    "dualtest",
    "tradeoff",
    "format",
  ],
  noOperands: true,
};

/** What a command line asks for. */
interface Request {
  server: boolean;
  host: string | undefined;
  port: number;
  seconds: number;
  interval: number;
  csv: boolean;
}

/** Reads it; a text says what is wrong. */
function parse(args: readonly string[]): Request | string {
  const parsed = getopt(args, OPTIONS);
  if (typeof parsed === "string") return parsed;
  const request: Request = {
    server: false,
    host: undefined,
    port: PORT,
    seconds: 10,
    interval: 0,
    csv: false,
  };
  for (const { letter, value } of parsed.options) {
    if (letter === "s") request.server = true;
    else if (letter === "c") request.host = value;
    else if (letter === "y") {
      if (value.toUpperCase() !== "C") return `option -y: report style '${value}' is not modelled`;
      request.csv = true;
    } else {
      const number = Number(value);
      if (!/^\d+(\.\d+)?$/.test(value) || number <= 0) {
        return `option -${letter}: '${value}' is no positive number`;
      }
      if (letter === "p") {
        if (!Number.isInteger(number) || number > 65_535) return `option -p: '${value}' is no port`;
        request.port = number;
      } else if (letter === "t") request.seconds = number;
      else request.interval = number;
    }
  }
  if (request.server === (request.host !== undefined)) return "either -s or -c HOST is needed";
  return request;
}

/** The report of one end of a connection. */
class Report {
  #headed = false;

  constructor(
    readonly command: ProgramProcess,
    readonly request: Request,
    readonly id: number,
    readonly connection: TcpConnection,
    handshake = "",
  ) {
    if (request.csv) return;
    const [from, to] = this.#ends();
    command.stdout(
      `[${String(id).padStart(3)}] local ${addressText(from.address)} port ${from.port} connected with ` +
        `${addressText(to.address)} port ${to.port}${handshake}\n`,
    );
  }

  /** Writes one line. */
  line(fromNs: number, toNs: number, bytes: number): void {
    const { command, request: { csv } } = this;
    const interval: IperfInterval = { id: this.id, fromNs, toNs, bytes };
    if (!csv) {
      if (!this.#headed) command.stdout(`${IPERF_HEAD}\n`);
      this.#headed = true;
      command.stdout(`${iperfLine(interval, command.system.tools.iperf)}\n`);
      return;
    }
    const [from, to] = this.#ends();
    const at = iperfTime(command.system.bootTime + Math.floor(command.kernel.nowNs / 1e9));
    command.stdout(
      `${iperfCsv(interval, at, [addressText(from.address), from.port, addressText(to.address), to.port])}\n`,
    );
  }

  #ends() {
    const { local, remote } = this.connection;
    return this.request.server ? [remote, local] as const : [local, remote] as const;
  }
}

function head(command: ProgramProcess, { csv }: Request, lines: readonly string[]): void {
  if (!csv) command.stdout([IPERF_RULE, ...lines, IPERF_RULE, ""].join("\n"));
}

/** `iperf -s`: one thread accepts, one reads from each connection. */
function* serve(command: ProgramProcess, request: Request): Activity<number> {
  const { kernel, task, system: { net } } = command;
  if (net.interfaces.length > 0 && !net.interfaces.some(({ hasRing }) => hasRing)) {
    command.stderr(
      "iperf: this computer's adapter is not simulated: receiving is not modelled, iperf -c is\n",
    );
    return 1;
  }
  if (net.listeners.has(request.port)) {
    command.stderr("bind failed: Address already in use\n");
    return 1;
  }
  const listener = { accepted: [] as TcpConnection[], waiting: null as Task | null };
  net.listeners.set(request.port, listener);
  const readers = new Set<Task>();
  let interrupts = 0;
  task.atEnd = young(() => {
    net.listeners.delete(request.port);
    killThreads(task, kernel, [...readers]);
  });
  task.onSignal = handler(command, () => {
    if (++interrupts > 1 || readers.size === 0) return;
    command.stderr("Waiting for server threads to complete. Interrupt again to force quit.\n");
  });
  head(command, request, [
    `Server listening on TCP port ${request.port}`,
    "TCP window size: 85.3 KByte (default)",
  ]);
  let id = RELEASES[command.system.tools.iperf].serverId;
  for (;;) {
    if (interrupts > 1 || (interrupts > 0 && readers.size === 0)) return 0;
    const connection = listener.accepted.shift();
    if (connection === undefined) {
      listener.waiting = task;
      yield* kernel.cpus[task.cpu]!.sleep();
      continue;
    }
    yield net.call;
    const report = new Report(command, request, id++, connection);
    const body = (thread: Task) => read(thread, connection, report);
    const thread: Task = kernel.createTask("iperf", task.allowed, body, () => {
      readers.delete(thread);
      if (interrupts > 0) kernel.wake(task, kernel.cpus[thread.cpu]!);
    }, task);
    thread.tgid = task.pid;
    readers.add(thread);
    kernel.wake(thread, kernel.cpus[task.cpu]!);
    yield* kernel.cpus[task.cpu]!.sendPendingIpis();
  }
}

/** Sig_Interupt(): both signals are taken, and the first thread is woken to see to them. */
function handler({ kernel, task }: ProgramProcess, interrupted: () => void): NonNullable<Task["onSignal"]> {
  return (signal, from) => {
    if (signal !== SIGINT && signal !== SIGTERM) return false;
    interrupted();
    kernel.wake(task, from);
    return true;
  };
}

/** The reader of one connection. */
function* read(task: Task, connection: TcpConnection, report: Report): Activity<number> {
  const { kernel, receiving } = connection.receiver!;
  const startNs = kernel.nowNs;
  yield kernel.cpus[task.cpu]!.registers.call(socketReader(task, connection, FRAMES));
  receiving.delete(connection);
  report.line(0, kernel.nowNs - startNs, connection.bytesRead);
  return 0;
}

/** The writer of a simulated sender, until `untilNs`. */
function* write(task: Task, connection: TcpConnection, untilNs: number): Activity<number> {
  const { kernel } = connection.sender;
  yield kernel.cpus[task.cpu]!.registers.call(socketWriter(task, connection, FRAMES, untilNs));
  return 0;
}

/** `iperf -c`: connects, lets data flow, reports. */
function* send(command: ProgramProcess, request: Request): Activity<number> {
  const { kernel, task, system: { net, tools } } = command;
  const { clientId, window, tellsHandshake } = RELEASES[tools.iperf];
  const address = resolveHost(command, request.host!);
  if (address === undefined) {
    command.stderr(`iperf: ${request.host}: Name or service not known\n`);
    return 1;
  }
  head(command, request, [
    `Client connecting to ${addressText(address)}, TCP port ${request.port}`,
    `TCP window size: ${window} KByte (default)`,
  ]);
  yield net.call;
  const askedNs = kernel.nowNs;
  const connection = net.connect(address, request.port, task);
  if (connection === undefined) {
    command.stderr("tcp connect failed: Network is unreachable\n");
    return 0; // as the real one ends
  }
  const timer = kernel.sleepTimer(task);
  yield* kernel.sleepUntil(
    task,
    timer,
    kernel.nowNs + CONNECT_TIMEOUT_NS,
    () => connection.state !== "SYN_SENT",
  );
  if (connection.state !== "ESTABLISHED") {
    const refused = connection.state === "REFUSED";
    command.stderr(`tcp connect failed: ${refused ? "Connection refused" : "Connection timed out"}\n`);
    return 0;
  }
  const kib = Math.floor(INITIAL_WINDOW * SEGMENT_BYTES / 1024),
    us = Math.round((kernel.nowNs - askedNs) / 1000);
  const handshake = tellsHandshake ? ` (icwnd/mss/irtt=${kib}/${SEGMENT_BYTES}/${us})` : "";
  const report = new Report(command, request, clientId, connection, handshake);
  const startNs = kernel.nowNs, before = connection.arrived;
  const lengthNs = Math.round(request.seconds * 1e9);
  const measurement = command.measureTraffic();
  const every = request.interval === 0 ? lengthNs : Math.round(request.interval * 1e9);
  const body = (writer: Task) => write(writer, connection, startNs + lengthNs);
  const writer = connection.fluid ? null : kernel.createTask("iperf", task.allowed, body, undefined, task);
  let interrupted = false;
  task.onSignal = handler(command, () => interrupted = true);
  if (writer !== null) {
    task.atEnd = young(() => killThreads(task, kernel, [writer]));
    kernel.wake(writer, kernel.cpus[task.cpu]!);
    yield* kernel.cpus[task.cpu]!.sendPendingIpis();
  }
  let arrived = before;
  for (let fromNs = 0; fromNs < lengthNs;) {
    const toNs = Math.min(lengthNs, fromNs + every);
    yield* kernel.sleepUntil(task, timer, startNs + toNs, () => interrupted);
    if (interrupted) break;
    if (request.interval !== 0) report.line(fromNs, toNs, (connection.arrived - arrived) * SEGMENT_BYTES);
    arrived = connection.arrived;
    fromNs = toNs;
    command.progress(fromNs / lengthNs);
  }
  const bytes = (connection.arrived - before) * SEGMENT_BYTES;
  const tookNs = kernel.nowNs - startNs;
  if (!interrupted) task.atEnd = null; // the writer ends by itself
  if (writer !== null) kernel.wake(writer, kernel.cpus[task.cpu]!); // where it waits for room, it has waited enough
  else task.cpuTimeNs += connection.sent * net.costs.senderFrame;
  connection.stop();
  report.line(0, interrupted ? tookNs : lengthNs, bytes);
  measurement({ program: "iperf", lengthNs: tookNs, bitsPerSecond: Math.round((bytes * 8e9) / tookNs) });
  return 0;
}

/** How long a client tries (tcp_syn_retries 5). */
const CONNECT_TIMEOUT_NS = 63_000_000_000;

const doc = `iperf - how much TCP carries from one computer to another
Usage: iperf -s [-p PORT] [-y C] | iperf -c HOST [-p PORT] [-t SECONDS] [-i SECONDS] [-y C]
Effects: -s: takes what clients send, until it is killed; -c: sends to HOST for SECONDS (10) and prints how much arrived;
  -i: a line for each interval; -y C: lines of comma-separated values
Exit status: 0, as the real one after a refused connection too; 1 on wrong use or an unknown host
Errors: tcp connect failed: Connection refused | Network is unreachable
Differs from the real one: TCP only, one connection, from client to server
Examples: ssh vm0 iperf -s & sleep 0.1; iperf -c vm0 -t 1`;

/** The program. */
export const iperf: Program = {
  name: "iperf",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const request = parse(command.argv.slice(1));
    if (typeof request === "string") return complain(command, iperf, request);
    return yield* request.server ? serve(command, request) : send(command, request);
  },
};
