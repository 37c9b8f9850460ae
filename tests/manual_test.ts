/**
 * The manual of every command: built-ins, filters, programs, words of the laboratory.
 */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { Command } from "../dsl/commands/command.ts";
import { commands } from "../dsl/commands/index.ts";
import { manualOf } from "../dsl/shell/manual.ts";
import { SessionRig } from "./session_rig.ts";

const REAL = ["Usage", "Effects", "Exit status", "Errors", "Differs from the real one", "Examples"];
const OWN = ["Usage", "Effects", "Exit status", "Examples"];

const rig = new SessionRig();
const words: readonly Command[] = [...rig.session.shell.environment.words.values()];
const programs = [...rig.lab.computer("host")!.programs.values()];
const real = [...commands.values(), ...programs];

Deno.test("a manual has a head and sections, and nothing else", () => {
  const { names, summary, sections, examples } = manualOf(
    "a, b - does it\nUsage: a X\n  or b\nEffects: none\nExamples: a 1\n  b 2",
  );
  assertEquals([names, summary, examples], [["a", "b"], "does it", ["a 1", "b 2"]]);
  assertEquals(sections.get("Usage"), "a X\nor b");
  assertThrows(() => manualOf("Usage: a"), RangeError, "begins with");
  assertThrows(() => manualOf("a - b\nUsage: a\nmore"), RangeError, "neither a section");
});

Deno.test("every built-in, filter and program has every section, in order, and a usage that begins with its name", () => {
  for (const { name, doc } of real) {
    const { names, sections } = manualOf(doc);
    assert(names.includes(name), name);
    assertEquals([...sections.keys()], REAL, name);
    const usage = sections.get("Usage")!;
    assert(names.some((each) => usage === each || usage.startsWith(`${each} `)), `${name}: ${usage}`);
    for (const [title, text] of sections) assertMatch(text, /\S/, `${name}: ${title}`);
    for (const line of doc.split("\n")) assert(line.length <= 140, `${name}: ${line}`);
  }
});

Deno.test("so has every word of the laboratory, which has no real one to differ from", () => {
  for (const { name, doc } of words) {
    const { names, sections } = manualOf(doc);
    assertEquals(names, [name]);
    assertEquals([...sections.keys()].filter((title) => OWN.includes(title)), OWN, name);
    assert(sections.get("Usage")!.startsWith(name), name);
  }
});

Deno.test("help NAME prints it, and help lists every command with its summary", () => {
  const all = rig.ok("help");
  for (const { name, doc } of [...real, ...words]) {
    assertEquals(rig.ok(`help '${name}'`), `${doc}\n`);
    const { summary } = manualOf(doc);
    if (summary.startsWith("not in this language")) assert(!all.includes(`  ${name} `), name);
    else assert(all.includes(`\n  ${name.padEnd(18)} ${summary}\n`), name);
  }
});

for (const part of [0, 1, 2, 3]) {
  Deno.test(`every example of a built-in, filter or program runs, part ${part + 1} of 4`, () => {
    for (const [i, { doc, name }] of real.entries()) {
      if (i % 4 !== part) continue;
      for (const example of manualOf(doc).examples) {
        const { status, err } = new SessionRig({ system: "bare-metal" }).run(example);
        assertEquals(status, 0, `${name}: ${example}\n${err}`);
        assert(
          !/command not found|invalid option|syntax error|No such file/.test(err),
          `${name}: ${example}\n${err}`,
        );
      }
    }
  });
}
