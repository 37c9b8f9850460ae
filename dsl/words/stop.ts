import type { Command } from "../commands/command.ts";
import { conditionHelp, parsedCondition } from "../session/condition.ts";
import { conditionWords } from "../session/condition_words.ts";
import type { Session } from "../session/session.ts";

/** `stop-at`. */
const stopAtDoc = `stop-at - a condition at which time stands still
Usage: stop-at [CONDITION]
Effects: time stands still with the first event after which CONDITION becomes true or has happened: run and step end there
  and say why. A command typed at the prompt is left there, too, and goes on as time does. In a script a command of the
  foreground passes a stop: give it with &, then run. Without CONDITION lists all stops
Conditions: on what is, and on what happens at an instant
${conditionHelp()}
Exit status: 0; 2 if there is no such condition
Examples: stop-at exit reason=HLT; run 1ms
  stop-at msr-bitmap 0x80b
  stop-at vector 0xef
  stop-at`;

/** `watch`. */
const watchDoc = `watch - a value at whose change time stands still
Usage: watch EXPR
Effects: time stands still with the first event after which EXPR has another value: a quantity of stop-at's conditions, or a
  register as changed takes it
Exit status: 0; 2 if there is no such quantity or register
Examples: watch exits.total; run 1ms
  watch cpu3.lapic.isr`;

/** `delete`. */
const deleteDoc = `delete - takes a stop away
Usage: delete N | all
Effects: takes a stop away: its number is that which stop-at and watch have printed
Exit status: 0; 1 if there is no such stop
Examples: stop-at exit; delete all`;

/** The words of a session. */
export function stopWords(session: Session): Command[] {
  const { stops } = session;
  const setting = (name: string, doc: string, isWatch: boolean): Command => ({
    name,
    kind: "laboratory",
    doc,
    complete: (before, word) => conditionWords(session, isWatch ? "value" : "all", before, word),
    run(context) {
      const text = context.args.join(" ");
      if (text === "" && !isWatch) {
        for (const { number, condition } of stops.list) context.out(`${number}: ${condition.text}\n`);
        return 0;
      }
      const condition = parsedCondition(text, session, isWatch ? "watch" : "stop");
      if (typeof condition === "string") return context.complain(condition, 2);
      context.out(`stop ${stops.add(condition)}: ${condition.text}\n`);
      return 0;
    },
  });
  return [
    setting("stop-at", stopAtDoc, false),
    setting("watch", watchDoc, true),
    {
      name: "delete",
      kind: "laboratory",
      doc: deleteDoc,
      complete: (before) =>
        before.length > 0 ? [] : [...stops.list.map(({ number }) => String(number)), "all"],
      run(context) {
        const [number = "", ...more] = context.args;
        if (more.length > 0 || !/^(\d+|all)$/.test(number)) {
          return context.complain("expected delete N | all", 2);
        }
        if (number === "all") { for (const each of stops.list) stops.delete(each.number); }
        else if (!stops.delete(Number(number))) return context.complain(`${number}: no such stop`);
        return 0;
      },
    },
  ];
}
