import type { Command } from "../commands/command.ts";
import { type Condition, ConditionError, parseCondition } from "../condition.ts";
import type { Session } from "../session.ts";

/** `expect`. */
const doc = `expect - an assertion
Usage: expect CONDITION
Effects: an assertion: nothing where CONDITION holds now, else a message with both sides. The conditions are those of
  run until
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
    run(context) {
      let condition: Condition;
      try {
        condition = parseCondition(context.args.join(" "));
      } catch (error) {
        if (error instanceof ConditionError) return context.complain(error.message, 2);
        throw error;
      }
      const { holds, left, right } = condition.look(session);
      if (holds === true) return 0;
      const reason = holds === undefined ? " (nothing to compare yet)" : "";
      return context.complain(`${condition.text}: ${left}, expected ${right}${reason}`);
    },
  };
}
