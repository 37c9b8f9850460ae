/**
 * The calendar of a simulated clock: day and hour of a number of seconds, without a clock of the computer's.
 *
 * @module
 */

const DAYS = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // from the first of 1970 on
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** An instant as the proleptic Gregorian calendar has it, in UTC. */
export interface CalendarDate {
  readonly year: number;
  /** 1 … 12. */
  readonly month: number;
  /** `Sep`. */
  readonly monthName: string;
  /** 1 … 31. */
  readonly day: number;
  /** `Thu`. */
  readonly dayName: string;
  /** `23:59:59`. */
  readonly time: string;
}

/** The date of `seconds` since 1970. */
export function calendarDate(seconds: number): CalendarDate {
  const day = Math.floor(seconds / 86_400);
  let year = 1970, month = 0, left = day;
  const leap = () => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  for (; left >= (leap() ? 366 : 365); year++) left -= leap() ? 366 : 365;
  const length = () => month === 1 ? (leap() ? 29 : 28) : [3, 5, 8, 10].includes(month) ? 30 : 31;
  for (; left >= length(); month++) left -= length();
  const parts = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return {
    ...{ year, month: month + 1, monthName: MONTHS[month]!, day: left + 1, dayName: DAYS[day % 7]! },
    time: parts.map(twoDigits).join(":"),
  };
}

/** `07`. */
export function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
