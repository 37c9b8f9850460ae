import type { Command } from "../commands/command.ts";
import { conditionHelp, parsedCondition } from "../session/condition.ts";
import { conditionWords } from "../session/condition_words.ts";
import type { Session } from "../session/session.ts";

/** `expect`. */
const doc = `expect - an assertion
Usage: expect CONDITION
Effects: an assertion: nothing where CONDITION holds now, else a message with both sides. CONDITION is one on what is:
${conditionHelp("state")}
Exit status: 0 if it holds; 1 if it does not, or has no value yet; 2 if there is no such condition
Examples: expect exits.total == 0
  expect cyclictest.max < 20us
  expect cpu 3 offline`;

/** The word of a session. */
export function expect(session: Session): Command {
  return {
    name: "expect",
    kind: "laboratory",
    doc,
    complete: (before, word) => conditionWords(session, "state", before, word),
    run(context) {
      const condition = parsedCondition(context.args.join(" "), session);
      if (typeof condition === "string") return context.complain(condition, 2);
      if (condition.eye !== undefined) {
        return context.complain(
          `${condition.text}: happens at an instant: stop-at and run until wait for it`,
          2,
        );
      }
      const { holds, left, right } = condition.look(session);
      if (holds === true) return 0;
      const reason = holds === undefined ? " (nothing to compare yet)" : "";
      return context.complain(`${condition.text}: ${left}, expected ${right}${reason}`);
    },
  };
}
