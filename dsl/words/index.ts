/**
 * The laboratory's words.
 *
 * @module
 */

import type { Command } from "../commands/command.ts";
import type { Session } from "../session/session.ts";
import { back } from "./back.ts";
import { bookmark } from "./bookmark.ts";
import { boot } from "./boot.ts";
import { diagram } from "./diagram.ts";
import { expect } from "./expect.ts";
import { explain } from "./explain.ts";
import { goto } from "./goto.ts";
import { help } from "./help.ts";
import { irq } from "./irq.ts";
import { load } from "./load.ts";
import { params } from "./params.ts";
import { run } from "./run.ts";
import { save } from "./save.ts";
import { show } from "./show.ts";
import { slide } from "./slide.ts";
import { step } from "./step.ts";
import { stopWords } from "./stop.ts";
import { trace } from "./trace.ts";
import { whyWords } from "./why.ts";

/** Every word, bound to a session; `own` are those of a program that has made it. */
export function laboratoryWords(session: Session, own: readonly Command[] = []): readonly Command[] {
  const single = [
    boot,
    step,
    back,
    run,
    goto,
    bookmark,
    save,
    load,
    trace,
    show,
    diagram,
    expect,
    explain,
    slide,
    params,
    irq,
  ];
  const words: Command[] = [
    ...single.map((word) => word(session)),
    ...stopWords(session),
    ...whyWords(session),
    ...own,
  ];
  words.push(help(session, () => words));
  return words;
}
