import type { Command } from "../commands/command.ts";
import type { Session } from "../session/session.ts";
import { unknownName } from "../shell/unknown_name.ts";

/** `irq`. */
const doc = `irq - makes a device raise an interrupt
Usage: irq DEVICE [QUEUE]
Effects: makes a device raise one interrupt now, of queue QUEUE, 0 if it is not given. The message leaves the device at
  this instant; what follows happens as time goes on: step, run
Exit status: 0; 1 if there is no such device, or it cannot raise now; 2 for a queue that is no number
Examples: irq vf0
  irq pf0 1`;

/** The word of a session. */
export function irq(session: Session): Command {
  return {
    name: "irq",
    kind: "laboratory",
    doc,
    complete: (before) => before.length === 0 ? [...session.lab.interruptSources().keys()] : [],
    run(context) {
      const [device, queue = "0", ...more] = context.args;
      if (device === undefined || more.length > 0) return context.complain("expected irq DEVICE [QUEUE]", 2);
      if (!/^\d+$/.test(queue)) return context.complain(`"${queue}": expected the number of a queue`, 2);
      const interruptSources = session.lab.interruptSources();
      const source = interruptSources.get(device);
      if (source === undefined) {
        if (interruptSources.size === 0) {
          return context.complain(`"${device}": this machine has no device to ask`);
        }
        return context.complain(unknownName("device", device, [...interruptSources.keys()]));
      }
      const complaint = source(Number(queue));
      return complaint === undefined ? 0 : context.complain(`${device}: ${complaint}`);
    },
  };
}
