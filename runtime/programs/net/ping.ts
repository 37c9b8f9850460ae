/**
 * ping (iputils): how long an ICMP echo takes to another computer and back.
 *
 * *Modelled*: `-c`, `-i`, `-q`, `-s`, `-D`.
 *
 * *Not modelled*: `-f`, `-I`, `-t`, `-W`, `-w`, `-4`, `-6` and the others; refused by name.
 *
 * @module
 */

import { young } from "../../../hw/sim/young.ts";
import type { Activity } from "../../../hw/sim/activity.ts";
import { addressText, type Echo } from "../../linux/net/packets.ts";
import { pingReply, pingSummary, type PingTimes } from "../../measure/ping_format.ts";
import { complain, getopt, type OptionTable } from "../getopt.ts";
import type { Program, ProgramProcess } from "../program.ts";
import { resolveHost } from "./resolve_host.ts";
import { SIGINT } from "../signals.ts";

/** How long it waits for the last reply, ns. */
const LINGER_NS = 10_000_000_000;
/** Payload, and what ICMP and IP put before it, bytes. */
const PAYLOAD = 56, ICMP_HEADER = 8, IP_HEADER = 20;
/** Most of the payload that a frame carries. */
const LONGEST = 1472;

const OPTIONS: OptionTable = {
  flags: "qD",
  values: "cis",
  notModelled: [..."fItWw46aAbBdLMnOprRSTUvV"],
};

/** What a command line asks for. */
interface Request {
  count: number;
  intervalNs: number;
  bytes: number;
  quiet: boolean;
  stamped: boolean;
  host: string;
}

/** Reads it; a text says what is wrong, as ping does. */
function parse(args: readonly string[]): Request | string {
  const parsed = getopt(args, OPTIONS);
  if (typeof parsed === "string") return parsed;
  const request: Request = {
    count: 0,
    intervalNs: 1e9,
    bytes: PAYLOAD,
    quiet: false,
    stamped: false,
    host: "",
  };
  for (const { letter, value } of parsed.options) {
    if (letter === "q") request.quiet = true;
    else if (letter === "D") request.stamped = true;
    else if (!/^\d+(\.\d+)?$/.test(value)) return `invalid argument: '${value}'`;
    else if (letter === "i") request.intervalNs = Math.round(Number(value) * 1e9);
    else {
      const [least, most] = letter === "c" ? [1, Number.MAX_SAFE_INTEGER] : [0, LONGEST];
      const number = Number(value);
      if (!Number.isInteger(number) || number < least || number > most) {
        const range = letter === "c" ? "1 <= value <= 9223372036854775807" : `${least} <= value <= ${most}`;
        return `invalid argument: '${value}': out of range: ${range}`;
      }
      if (letter === "c") request.count = number;
      else request.bytes = number;
    }
  }
  if (parsed.operands.length !== 1) return "usage error: Destination address required";
  request.host = parsed.operands[0]!;
  return request;
}

const doc = `ping - how long an ICMP echo takes there and back
Usage: ping [-c COUNT] [-i SECONDS] [-q] [-D] [-s BYTES] HOST
Effects: sends COUNT echo requests to HOST, without it until Ctrl-C, one each SECONDS (1), and prints how long each took
  there and back
Exit status: 0; 1 where no reply has come or on wrong use; 2 on an unknown host
Errors: HOST: Name or service not known; connect: Network is unreachable
Differs from the real one: no other options
Examples: ping -c 3 vm0`;

/** The program. */
export const ping: Program = {
  name: "ping",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, task, system: { net, bootTime } } = command;
    const request = parse(command.argv.slice(1));
    if (typeof request === "string") {
      if (!/^(invalid argument|usage error)/.test(request)) return complain(command, ping, request);
      command.stderr(`ping: ${request}\n`);
      return 1;
    }
    const { host, bytes, count, intervalNs, quiet, stamped } = request;
    const address = resolveHost(command, host);
    if (address === undefined) {
      command.stderr(`ping: ${host}: Name or service not known\n`);
      return 2;
    }
    const net0 = net.route(address);
    if (net0 === undefined) {
      command.stderr("ping: connect: Network is unreachable\n");
      return 2;
    }
    const to = addressText(address);
    command.stdout(
      `PING ${host} (${to}) ${bytes}(${bytes + ICMP_HEADER + IP_HEADER}) bytes of data.\n`,
    );
    let replied = -1; // the last sequence number that has come back
    let interrupted = false;
    task.onSignal = young((signal, from) => {
      if (signal !== SIGINT) return false;
      interrupted = true;
      kernel.wake(task, from);
      return true;
    });
    const echo: Omit<Echo, "sequence"> = {
      protocol: "icmp",
      from: net0.address,
      to: address,
      type: "request",
      identifier: command.pid,
      bytes,
    };
    net.onEcho(command.pid, ({ sequence }, cpu) => {
      replied = sequence;
      net.wake(task, cpu);
    });
    task.atEnd = young(() => net.offEcho(command.pid));
    const timer = kernel.sleepTimer(task);
    const times: PingTimes = { sent: 0, tripsNs: [], lengthNs: 0 };
    const startNs = kernel.nowNs;
    const measurement = command.measureTraffic();
    for (let sequence = 1; (sequence <= count || count === 0) && !interrupted; sequence++) {
      yield kernel.clocksource.read;
      const sentNs = kernel.nowNs;
      yield net.call;
      yield net.small;
      net.send({ ...echo, sequence }, 1);
      times.sent++;
      const isLast = sequence === count;
      const untilNs = sentNs + (isLast ? LINGER_NS : intervalNs);
      yield* kernel.sleepUntil(task, timer, untilNs, () => replied === sequence || interrupted);
      if (replied === sequence) {
        yield net.call;
        yield kernel.clocksource.read;
        const tripNs = kernel.nowNs - sentNs;
        times.tripsNs.push(tripNs);
        const stamp = stamped ? `[${(bootTime + kernel.nowNs / 1e9).toFixed(6)}] ` : "";
        if (!quiet) command.stdout(`${stamp}${pingReply(bytes + ICMP_HEADER, to, sequence, tripNs)}\n`);
        if (!isLast) yield* kernel.sleepUntil(task, timer, sentNs + intervalNs, () => interrupted);
      }
      if (count > 0) command.progress(sequence / count);
    }
    net.offEcho(command.pid);
    times.lengthNs = kernel.nowNs - startNs;
    command.stdout(`${pingSummary(host, times).join("\n")}\n`);
    const { tripsNs } = times;
    if (tripsNs.length === 0) return 1;
    const meanNs = Math.round(tripsNs.reduce((sum, ns) => sum + ns, 0) / tripsNs.length);
    measurement({
      program: "ping",
      lengthNs: times.lengthNs,
      roundTrip: { minNs: Math.min(...tripsNs), meanNs, maxNs: Math.max(...tripsNs), count: tripsNs.length },
    });
    return 0;
  },
};
