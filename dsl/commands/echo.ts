import { decodeEscapes } from "../syntax/escapes.ts";
import type { Command } from "./command.ts";

/** `echo`. */
const doc = `echo - writes its arguments
Usage: echo [-neE] [TEXT]…
Effects: writes the texts, joined by blanks, and a newline; -n without the newline, -e with backslash escapes
Exit status: 0, or 1 if the write failed
Errors: write error: STRERROR, when the kernel refuses what is written to an attribute
Differs from the real one: in nothing
Examples: echo 0 > /sys/devices/system/cpu/cpu3/online
  echo -e 'a\\tb'`;

export const echo: Command = {
  name: "echo",
  kind: "builtin",
  doc,
  run(context) {
    let newline = true;
    let escapes = false;
    let first = 0;
    for (; /^-[neE]+$/.test(context.args[first] ?? ""); first++) {
      for (const letter of (context.args[first] ?? "").slice(1)) {
        if (letter === "n") newline = false;
        else escapes = letter === "e";
      }
    }
    const text = context.args.slice(first).join(" ");
    const { text: decoded, stopped } = escapes ? decodeEscapes(text, true) : { text, stopped: false };
    context.out(decoded + (newline && !stopped ? "\n" : ""));
    return 0;
  },
};
