/**
 * The text that ping (iputils) prints.
 *
 * @module
 */

/** What a run has seen. */
export interface PingTimes {
  /** Requests sent. */
  sent: number;
  /** Round trips of the replies, ns. */
  readonly tripsNs: number[];
  /** From the first request to the end, ns. */
  lengthNs: number;
}

/** `64 bytes from 192.168.10.1: icmp_seq=1 ttl=64 time=0.121 ms`: three digits of a time below 100 ms. */
export function pingReply(bytes: number, from: string, sequence: number, tripNs: number): string {
  const us = Math.floor(tripNs / 1000);
  const digits = us < 1_000 ? 3 : us < 10_000 ? 2 : us < 100_000 ? 1 : 0;
  return `${bytes} bytes from ${from}: icmp_seq=${sequence} ttl=64 time=${(us / 1000).toFixed(digits)} ms`;
}

/** The statistics at the end: an empty line, a title, counts, and the times where there are any. */
export function pingSummary(host: string, { sent, tripsNs, lengthNs }: PingTimes): string[] {
  const received = tripsNs.length;
  const loss = Math.floor(((sent - received) * 100) / sent);
  const lines = [
    "",
    `--- ${host} ping statistics ---`,
    `${sent} packets transmitted, ${received} received, ${loss}% packet loss, time ${
      Math.floor(lengthNs / 1e6)
    }ms`,
  ];
  if (received === 0) return [...lines, ""];
  // As the real one: whole microseconds, mean and deviation cut.
  const us = tripsNs.map((ns) => Math.floor(ns / 1000));
  const sum = us.reduce((total, each) => total + each, 0);
  const squares = us.reduce((total, each) => total + each * each, 0);
  const mean = Math.floor(sum / received);
  const deviation = Math.floor(Math.sqrt(Math.max(0, Math.floor(squares / received) - mean * mean)));
  const text = [Math.min(...us), mean, Math.max(...us), deviation].map((each) => (each / 1000).toFixed(3));
  return [...lines, `rtt min/avg/max/mdev = ${text.join("/")} ms`];
}
