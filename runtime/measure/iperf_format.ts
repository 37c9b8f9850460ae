/**
 * The text that iperf 2.0.5 and 2.1.8 print.
 *
 * *Document*: output of iperf 2; transfers count in powers of 1024, bandwidths in powers of 1000, three digits each.
 *
 * @module
 */

/** What one line of a report tells. */
export interface IperfInterval {
  /** Identifier of the connection; the first is 3. */
  readonly id: number;
  readonly fromNs: number;
  readonly toNs: number;
  readonly bytes: number;
}

/** Between head and body. */
export const IPERF_RULE: string = "-".repeat(60);
/** The line over the intervals. */
export const IPERF_HEAD = "[ ID] Interval       Transfer     Bandwidth";

/** Releases whose reports look different. */
export type IperfRelease = "2.0.5" | "2.1.8";

/** `[  3]  0.0-10.0 sec  13.3 GBytes  11.4 Gbits/sec`; 2.1.8 prints four decimals, `0.0000-10.0000 sec`. */
export function iperfLine(
  { id, fromNs, toNs, bytes }: IperfInterval,
  release: IperfRelease = "2.0.5",
): string {
  const [decimals, width] = release === "2.0.5" ? [1, 4] : [4, 6];
  const seconds = (ns: number) => (ns / 1e9).toFixed(decimals).padStart(width);
  const interval = `${seconds(fromNs)}-${seconds(toNs)} sec`;
  const bits = bitsPerSecond({ bytes, fromNs, toNs });
  return `[${String(id).padStart(3)}] ${interval}  ${scaled(bytes, 1024)}Bytes  ${
    scaled(bits, 1000)
  }bits/sec`;
}

/** Bits per second of an interval. */
export function bitsPerSecond({ bytes, fromNs, toNs }: Omit<IperfInterval, "id">): number {
  return toNs === fromNs ? 0 : Math.round((bytes * 8e9) / (toNs - fromNs));
}

/** A line of `-y C`: time, local and remote address and port, identifier, interval, bytes, bits per second. */
export function iperfCsv(
  interval: IperfInterval,
  at: string,
  ends: readonly [address: string, port: number, address: string, port: number],
): string {
  const { id, fromNs, toNs, bytes } = interval;
  const span = `${(fromNs / 1e9).toFixed(1)}-${(toNs / 1e9).toFixed(1)}`;
  return [at, ...ends, id, span, bytes, bitsPerSecond(interval)].join(",");
}

/** `YYYYMMDDHHMMSS` of a time in seconds since 1970, UTC (proleptic Gregorian calendar, years that begin in March). */
export function iperfTime(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const sinceMarch0 = days + 719_468; // 1 March of year 0
  const era = Math.floor(sinceMarch0 / 146_097); // 400 years
  const dayOfEra = sinceMarch0 - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const two = (number: number) => String(number).padStart(2, "0");
  const time = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  return `${year}${[month, day, ...time].map(two).join("")}`;
}

/** Three digits and a prefix: `13.3 G`, ` 976 M`. */
function scaled(value: number, base: number): string {
  const prefixes = ["", "K", "M", "G"];
  let at = 0;
  while (value >= base && at < prefixes.length - 1) {
    value /= base;
    at++;
  }
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits).padStart(4)} ${prefixes[at]}`;
}
