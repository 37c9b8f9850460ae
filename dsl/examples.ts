/**
 * The examples, as the virtual tree shows them: part of the program, so that no permission is needed to run them.
 *
 * @module
 */

import slide11 from "../examples/slide11.rtk" with { type: "text" };
import slide25 from "../examples/slide25.rtk" with { type: "text" };
import row from "../examples/slide25_row.rtk" with { type: "text" };
import row26 from "../examples/slide26_row.rtk" with { type: "text" };
import row27 from "../examples/slide27_row.rtk" with { type: "text" };
import setup from "../examples/talk_setup.rtk" with { type: "text" };
import type { ScriptFolder } from "../runtime/lab/script_folder.ts";

/** `/root/examples`. */
export const EXAMPLES: ScriptFolder = {
  path: "/root/examples",
  files: new Map([
    ["slide11.rtk", slide11],
    ["slide25.rtk", slide25],
    ["slide25_row.rtk", row],
    ["slide26_row.rtk", row26],
    ["slide27_row.rtk", row27],
    ["talk_setup.rtk", setup],
  ]),
};

/** The text of an example. */
export function example(name: string): string {
  const text = EXAMPLES.files.get(name);
  if (text === undefined) throw new RangeError(`There is no example "${name}"`);
  return text;
}
