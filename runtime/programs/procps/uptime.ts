/**
 * uptime (procps 3.3): for how long the kernel runs, and its load averages.
 *
 * *Not modelled*: `-p`, `-s`. *Deviations*: nobody is logged in: there is no utmp.
 *
 * @module
 */

import type { Activity } from "../../../hw/sim/activity.ts";
import { calendarDate, twoDigits } from "../../measure/calendar.ts";
import type { Program, ProgramProcess } from "../program.ts";

const doc = `uptime - prints for how long the kernel runs, and its load
Usage: uptime
Effects: prints the time of day, for how long the kernel runs, and the load averages of 1, 5 and 15 minutes
Exit status: 0; 1 on a wrong argument
Errors: invalid option -- 'X'
Differs from the real one: no -p, -s; there are no logins, so always 0 users; the model boots on 6 September 2012, 00:00
Examples: uptime`;

const USAGE = `
Usage:
 uptime [options]

For more details see uptime(1).
`;

/** The program. */
export const uptime: Program = {
  name: "uptime",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    const { kernel, system } = command;
    yield kernel.steps.shellBuiltin;
    const [, option] = command.argv;
    if (option === "--help") command.stdout(`${doc}\n`);
    else if (option !== undefined) {
      const known = /^-[ps]$|^--(pretty|since)$/.test(option);
      command.stderr(
        known
          ? `uptime: option ${option} is not modelled\n`
          : `uptime: invalid option -- '${option}'\n${USAGE}`,
      );
      return 1;
    } else {command.stdout(
        `${line(Math.floor(kernel.nowNs / 1e9), system.bootTime, kernel.loadAverage.toString())}\n`,
      );}
    return 0;
  },
};

/** sprint_uptime(). */
function line(seconds: number, bootTime: number, load: string): string {
  const clock = calendarDate(bootTime + seconds).time;
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3600) % 24, minutes = Math.floor(seconds / 60) % 60;
  const inDays = days === 0 ? "" : `${days} day${days === 1 ? "" : "s"}, `;
  const rest = hours === 0 ? `${minutes} min` : `${String(hours).padStart(2)}:${twoDigits(minutes)}`;
  return ` ${clock} up ${inDays}${rest},  0 users,  load average: ${load.replaceAll(" ", ", ")}`;
}
