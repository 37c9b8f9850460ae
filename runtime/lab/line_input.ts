/**
 * Standard input of a program that reads lines as they come: the monitor of QEMU.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { Task } from "../linux/sched/task.ts";
import type { LineInput } from "../programs/program.ts";

/** Text that comes in, as the shell that started the program hands it over. */
export interface TextInput {
  /** What is there now: empty where nothing has come yet, undefined after the end. */
  read(): Activity<string | undefined>;
  /** Calls once as soon as there may be more. */
  whenMore(wake: () => void): void;
}

/** Reads `text` in the task of a program on `kernel`; `wake` makes the task go on after a wait. */
export function lineInput(text: TextInput, kernel: Kernel, task: Task, wake: () => void): LineInput {
  let buffer = "";
  let ended = false;
  return {
    *readLine(stop = () => false): Activity<string | undefined> {
      for (;;) {
        const newline = buffer.indexOf("\n");
        if (newline >= 0 || (ended && buffer !== "")) {
          const line = newline >= 0 ? buffer.slice(0, newline) : buffer;
          buffer = newline >= 0 ? buffer.slice(newline + 1) : "";
          return line;
        }
        if (ended || stop()) return undefined;
        const more = yield* text.read();
        if (more === undefined) ended = true;
        else buffer += more;
        if (more !== "") continue;
        text.whenMore(wake);
        yield* kernel.cpus[task.cpu]!.sleep();
      }
    },
  };
}
