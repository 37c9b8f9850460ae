/**
 * Tells a script as it runs: each command behind a root prompt, and below it what it has changed.
 *
 * @module
 */

import { LabSnapshot } from "../../runtime/lab/views/changes.ts";
import type { ListItem, Script } from "../syntax/ast.ts";
import type { ScriptWatcher } from "./foreground.ts";
import type { Session } from "./session.ts";

/** A watcher that writes to `out`. */
export function narrator(session: Session, out: (text: string) => void): ScriptWatcher {
  let before = new LabSnapshot(session.lab);
  return {
    before(item, script) {
      out(promptLines(sourceOf(item, script)));
      before = new LabSnapshot(session.lab);
    },
    after(_item, status) {
      if (before.lab === session.lab) {
        for (const line of before.changes()) out(`    ${line}\n`);
        for (const line of before.log()) out(`    ${line}\n`);
      }
      if (status !== 0) out(`    status ${status}\n`);
    },
  };
}

/** The text of a command as the script has it, line breaks included. */
export function sourceOf({ command, background, text }: ListItem, script: Script): string {
  const pipelines = [command.first, ...command.rest.map(({ pipeline }) => pipeline)];
  const spans = pipelines.flatMap(({ commands }) => commands.map(({ span }) => span));
  const [first] = spans, last = spans.at(-1);
  if (first === undefined || last === undefined || command.first.negated) return text;
  return script.text.slice(first.start, last.end).trimEnd() + (background ? " &" : "");
}

/** A command as a prompt shows it: `# ` before its first line, `> ` before the others. */
export function promptLines(source: string): string {
  return source.split("\n").map((line, i) => `${i === 0 ? "#" : ">"} ${line}\n`).join("");
}
