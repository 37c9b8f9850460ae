/**
 * Formats of `printf`: the shell's, and awk's.
 *
 * @module
 */
import { decodeEscapes, quoteForReading } from "../syntax/escapes.ts";
import { limitedLength } from "../syntax/limited.ts";
import { type Instant, strftime } from "./strftime.ts";

/** The times that `%(FORMAT)T` may mean. */
export interface FormatClock {
  now(): Instant;
  /** When the shell began, seconds of the epoch. */
  started(): number;
}

/** awk has no times in formats. */
const NO_CLOCK: FormatClock = { now: () => ({ seconds: 0, nanoseconds: 0 }), started: () => 0 };

/** A `'` groups digits as the locale does, which the C locale does not; lengths, as in %ld, say nothing here. */
const directive =
  /%(?:%|([-+ #0']*)(\*|\d+)?(?:\.(\*|\d*))?(?:(?:hh?|ll?|[jLqtz](?=[A-Za-z]))?([A-Za-z])|\(([^)]*)\)T))|\\(?:x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|[0-7]{1,3}|[\s\S])|[^%\\]+|[%\\]/g;

/** The text of a format with its arguments, each used once: awk's `printf`. */
export function formatText(format: string, args: readonly string[]): string {
  return formatOnce(format, [...args], () => {}).text;
}

/**
 * Uses the format once; takes arguments from the front of `args`. `stopped`: by `%b`'s `\\c` or a directive that there is
 * not, and nothing follows.
 */
export function formatOnce(
  format: string,
  args: string[],
  complain: (message: string) => void,
  clock: FormatClock = NO_CLOCK,
): { text: string; stopped: boolean } {
  let text = "";
  for (const match of format.matchAll(directive)) {
    const [whole, flags = "", widthText, precisionText, conversion, timeFormat] = match;
    if (whole === "%%") text += "%";
    else if (whole.startsWith("\\")) text += decodeEscapes(whole).text;
    else if (conversion === undefined && timeFormat === undefined) text += whole;
    else {
      const star = () => Number(args.shift() ?? 0);
      let width = widthText === "*" ? star() : Number(widthText ?? 0);
      const left = flags.includes("-") || width < 0;
      width = limitedLength(Math.abs(width));
      const precision = precisionText === undefined
        ? undefined
        : precisionText === "*"
        ? star()
        : Number(precisionText || 0);
      if (precision !== undefined) limitedLength(precision);
      if (conversion === "b") {
        const { text: decoded, stopped } = decodeEscapes(args.shift() ?? "", true);
        text += pad(decoded, width, left);
        if (stopped) return { text, stopped };
        continue;
      }
      if (conversion === undefined) {
        text += pad(time(timeFormat ?? "", args.shift(), clock, complain), width, left);
        continue;
      }
      const value = convert(conversion, args.shift(), flags, precision, complain);
      if (value === undefined) {
        complain(`\`${conversion}': invalid format character`);
        return { text, stopped: true };
      }
      const zero = flags.includes("0") && !left && /[dioxXufeEgG]/.test(conversion) &&
        (precision === undefined || /[feEgG]/.test(conversion));
      text += zero ? zeroPad(value, width) : pad(value, width, left);
    }
  }
  return { text, stopped: false };
}

const pad = (text: string, width: number, left: boolean) => left ? text.padEnd(width) : text.padStart(width);

function zeroPad(text: string, width: number): string {
  const [, sign = "", digits = ""] = /^([-+ ]?(?:0[xX])?)(.*)$/.exec(text) ?? [];
  return sign + digits.padStart(width - sign.length, "0");
}

function convert(
  conversion: string,
  argument: string | undefined,
  flags: string,
  precision: number | undefined,
  complain: (message: string) => void,
): string | undefined {
  const sign = (text: string) =>
    text.startsWith("-") ? text : flags.includes("+") ? "+" + text : flags.includes(" ") ? " " + text : text;
  switch (conversion) {
    case "s":
      return (argument ?? "").slice(0, precision);
    case "c":
      return (argument ?? "").slice(0, 1) || "\0";
    case "q":
      return quotedWord(argument ?? "");
    case "d":
    case "i":
      return sign(digits(integer(argument, complain), precision));
    case "u":
      return digits(BigInt.asUintN(64, integer(argument, complain)), precision);
    case "o":
    case "x":
    case "X": {
      const value = BigInt.asUintN(64, integer(argument, complain));
      const text = value.toString(conversion === "o" ? 8 : 16).padStart(precision ?? 1, "0");
      const prefix = flags.includes("#") && value !== 0n ? (conversion === "o" ? "0" : "0x") : "";
      return conversion === "X" ? (prefix + text).toUpperCase() : prefix + text;
    }
    case "f":
      return sign(fixed(real(argument, complain), Math.min(precision ?? 6, 100)));
    case "e":
    case "E": {
      const text = real(argument, complain).toExponential(Math.min(precision ?? 6, 100)).replace(
        /e([-+])(\d)$/,
        "e$10$2",
      );
      return sign(conversion === "E" ? text.toUpperCase() : text);
    }
    case "g":
    case "G": {
      const text = general(real(argument, complain), Math.min(precision ?? 6, 100) || 1, flags.includes("#"));
      return sign(conversion === "G" ? text.toUpperCase() : text);
    }
  }
  return undefined;
}

/** `%q`: a word that a shell reads as `text`. */
function quotedWord(text: string): string {
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f]/.test(text)) return quoteForReading(text);
  return text === "" ? "''" : text.replace(/[^\w@%+=:,./-]/g, "\\$&");
}

/** A number with so many decimals; one that lies between two is rounded to the even one, as printf(3) does. */
function fixed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  const exact = value.toFixed(100);
  const end = exact.length - 100 + decimals - (decimals === 0 ? 1 : 0);
  const cut = exact.slice(0, end);
  return /^\.?50*$/.test(exact.slice(end)) && /[02468]$/.test(cut) ? cut : text;
}

function digits(value: bigint, precision: number | undefined): string {
  const text = (value < 0n ? -value : value).toString().padStart(precision ?? 1, "0");
  return value < 0n ? "-" + text : text;
}

function integer(argument: string | undefined, complain: (message: string) => void): bigint {
  const text = (argument ?? "").trim();
  if ((argument ?? "") === "") return 0n;
  if (/^["']/.test(text)) return BigInt(text.codePointAt(1) ?? 0);
  const match = /^([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/.exec(text);
  if (match === null || match[0].length < text.length) complain(`${argument}: invalid number`);
  if (match === null) return 0n;
  const [, sign, number = "0"] = match;
  const value = BigInt(/^0\d/.test(number) ? "0o" + number.slice(1) : number);
  return sign === "-" ? -value : value;
}

function real(argument: string | undefined, complain: (message: string) => void): number {
  const text = (argument ?? "").trim();
  if (text === "") return 0;
  if (/^["']/.test(text)) return text.codePointAt(1) ?? 0;
  const value = Number(text);
  if (Number.isNaN(value)) complain(`${text}: invalid number`);
  return Number.isNaN(value) ? 0 : value;
}

/** `%g`: with an exponent below -4 and from the precision on; zeros at the end are left out unless `keeps` them. */
export function general(value: number, precision: number, keeps = false): string {
  if (value === 0) return keeps ? (0).toFixed(precision - 1) : "0";
  const [mantissa = "", exponentText = "0"] = value.toExponential(precision - 1).split("e");
  const exponent = Number(exponentText);
  const trimmed = (text: string) => keeps || !text.includes(".") ? text : text.replace(/\.?0+$/, "");
  if (exponent >= -4 && exponent < precision) return trimmed(value.toFixed(precision - 1 - exponent));
  const digits = String(Math.abs(exponent)).padStart(2, "0");
  return `${trimmed(mantissa)}e${exponent < 0 ? "-" : "+"}${digits}`;
}

/** `%(FORMAT)T`: -1 or nothing is now, -2 when the shell began. */
function time(
  format: string,
  argument: string | undefined,
  clock: FormatClock,
  complain: (message: string) => void,
): string {
  const seconds = Number(integer(argument ?? "-1", complain));
  const instant = seconds === -1
    ? clock.now()
    : { seconds: seconds === -2 ? clock.started() : seconds, nanoseconds: 0 };
  const answer = strftime(format === "" ? "%H:%M:%S" : format, instant);
  if ("text" in answer) return answer.text;
  complain(`${answer.refused}: not taken`);
  return "";
}
