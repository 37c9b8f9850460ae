/**
 * The laboratory's words.
 *
 * @module
 */

import type { Command } from "../commands/command.ts";
import type { Session } from "../session.ts";
import { boot } from "./boot.ts";
import { diagram } from "./diagram.ts";
import { expect } from "./expect.ts";
import { explain } from "./explain.ts";
import { help } from "./help.ts";
import { irq } from "./irq.ts";
import { params } from "./params.ts";
import { run } from "./run.ts";
import { show } from "./show.ts";
import { slide } from "./slide.ts";
import { step } from "./step.ts";

/** Every word, bound to a session. */
export function laboratoryWords(session: Session): readonly Command[] {
  const words: Command[] = [boot, step, run, show, diagram, expect, explain, slide, params, irq].map((word) =>
    word(session)
  );
  words.push(help(session, () => words));
  return words;
}
