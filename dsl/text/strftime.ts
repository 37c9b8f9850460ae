/**
 * Times as text, by formats of `strftime` in the C locale and the zone UTC.
 *
 * *Document*: `strftime(3)`, `date(1)`.
 *
 * @module
 */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  ...["January", "February", "March", "April", "May", "June"],
  ...["July", "August", "September", "October", "November", "December"],
];

/** An instant: seconds since 1970, and nanoseconds beyond them. */
export interface Instant {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** The text of a format; a directive that is not taken is the answer alone: `%Ez`. */
export function strftime(format: string, instant: Instant): { text: string } | { refused: string } {
  let refused: string | undefined;
  const text = format.replace(/%([-_0^]?)(\d*)(:{0,2})([a-zA-Z%+])/g, (all, flag, width, colons, letter) => {
    const value = valueOf(letter, colons, instant, (inner) => {
      const answer = strftime(inner, instant);
      return "text" in answer ? answer.text : "";
    });
    if (value === undefined) {
      refused ??= all;
      return "";
    }
    return padded(value, letter, flag, width);
  });
  return refused === undefined ? { text } : { refused };
}

/** Directives of numbers, and how wide they are. */
const WIDTHS: Readonly<Record<string, number>> = {
  ...{ C: 2, d: 2, H: 2, I: 2, j: 3, m: 2, M: 2, S: 2, U: 2, V: 2, W: 2, y: 2, g: 2, N: 9 },
};

/** Directives of numbers with blanks before them. */
const BLANKS = "ekl";

function padded(value: string, letter: string, flag: string, width: string): string {
  if (flag === "^") return value.toUpperCase();
  if (letter === "N" && width !== "") return value.padStart(9, "0").slice(0, Number(width));
  const own = BLANKS.includes(letter) ? 2 : WIDTHS[letter] ?? 0;
  if (flag === "-") return value;
  const isNumber = own > 0;
  const fill = flag === "_" ? " " : flag === "0" || (isNumber && !BLANKS.includes(letter)) ? "0" : " ";
  return value.padStart(width === "" ? own : Number(width), fill);
}

function valueOf(
  letter: string,
  colons: string,
  { seconds, nanoseconds }: Instant,
  nested: (format: string) => string,
): string | undefined {
  const date = new Date(seconds * 1000);
  const [year, month, day, weekday] = [
    date.getUTCFullYear(),
    date.getUTCMonth(),
    date.getUTCDate(),
    date.getUTCDay(),
  ];
  const hour = date.getUTCHours();
  const dayOfYear = Math.floor((Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000);
  const iso = isoWeek(year, dayOfYear, weekday);
  const twelve = hour % 12 === 0 ? 12 : hour % 12;
  if (colons !== "" && letter !== "z") return undefined;
  switch (letter) {
    case "%":
      return "%";
    case "n":
      return "\n";
    case "t":
      return "\t";
    case "a":
      return DAYS[weekday]!.slice(0, 3);
    case "A":
      return DAYS[weekday];
    case "b":
    case "h":
      return MONTHS[month]!.slice(0, 3);
    case "B":
      return MONTHS[month];
    case "c":
      return nested("%a %b %e %H:%M:%S %Y");
    case "C":
      return String(Math.floor(year / 100));
    case "d":
    case "e":
      return String(day);
    case "D":
    case "x":
      return nested("%m/%d/%y");
    case "F":
      return nested("%Y-%m-%d");
    case "g":
      return String(iso.year % 100);
    case "G":
      return String(iso.year);
    case "H":
    case "k":
      return String(hour);
    case "I":
    case "l":
      return String(twelve);
    case "j":
      return String(dayOfYear + 1);
    case "m":
      return String(month + 1);
    case "M":
      return String(date.getUTCMinutes());
    case "N":
      return String(nanoseconds).padStart(9, "0");
    case "p":
      return hour < 12 ? "AM" : "PM";
    case "P":
      return hour < 12 ? "am" : "pm";
    case "r":
      return nested("%I:%M:%S %p");
    case "R":
      return nested("%H:%M");
    case "s":
      return String(seconds);
    case "S":
      return String(date.getUTCSeconds());
    case "T":
    case "X":
      return nested("%H:%M:%S");
    case "u":
      return String(weekday === 0 ? 7 : weekday);
    case "U":
      return String(Math.floor((dayOfYear + 7 - weekday) / 7));
    case "V":
      return String(iso.week);
    case "w":
      return String(weekday);
    case "W":
      return String(Math.floor((dayOfYear + 7 - (weekday + 6) % 7) / 7));
    case "y":
      return String(year % 100);
    case "Y":
      return String(year);
    case "z":
      return ["+0000", "+00:00", "+00:00:00"][colons.length];
    case "Z":
      return "UTC";
    default:
      return undefined;
  }
}

/** The week of ISO 8601, the first of a year being the one with its first Thursday. */
function isoWeek(year: number, dayOfYear: number, weekday: number): { year: number; week: number } {
  const fromMonday = (weekday + 6) % 7;
  const week = Math.floor((dayOfYear - fromMonday + 10) / 7);
  const weeksIn = (one: number) => {
    const first = new Date(Date.UTC(one, 0, 1)).getUTCDay();
    const isLeap = new Date(Date.UTC(one, 1, 29)).getUTCMonth() === 1;
    return first === 4 || (isLeap && first === 3) ? 53 : 52;
  };
  if (week < 1) return { year: year - 1, week: weeksIn(year - 1) };
  return week > weeksIn(year) ? { year: year + 1, week: 1 } : { year, week };
}
