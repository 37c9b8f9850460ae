/**
 * The prompt, without a terminal: what it does with lines.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eraRefusal, ERAS } from "../runtime/lab/eras.ts";
import { SYSTEMS } from "../runtime/lab/systems.ts";
import { HistorySearch } from "../dsl/prompt/history_search.ts";
import { type FirstPrompt, firstPrompt } from "../dsl/prompt/prompt_text.ts";
import { openPrompt, type Prompt, PromptLines } from "../dsl/prompt/prompt.ts";
import { Session } from "../dsl/session/session.ts";
import { laboratoryWords } from "../dsl/words/index.ts";

/** A prompt whose output is kept. */
function prompt(options: FirstPrompt = {}): { lines: PromptLines; said: () => string } {
  let text = "";
  const session = new Session({
    ...options,
    io: { out: (part) => void (text += part), err: (part) => void (text += part) },
    interactive: true,
    words: laboratoryWords,
  });
  return {
    lines: new PromptLines(session),
    said() {
      const all = text;
      text = "";
      return all;
    },
  };
}

Deno.test("the prompt names the system and the virtual time", () => {
  const { lines } = prompt();
  assertEquals(lines.prompt, "rfc-v2 0.100s # ");
  lines.line("boot bare-metal");
  assertEquals(lines.prompt, "bare-metal 0.100s # ");
  lines.line("run 2s");
  assertEquals(lines.prompt, "bare-metal 2.100s # ");
});

Deno.test("the first prompt, which is shown before there is a laboratory, is the one that it has booted to", () => {
  const booted = ERAS.flatMap((era) =>
    SYSTEMS.filter((system) => eraRefusal(era, system, era.kernel) === undefined).map((system) => ({
      era,
      system,
    }))
  );
  for (const options of [{}, ...ERAS.map((era) => ({ era })), ...booted]) {
    const { lines } = prompt(options);
    assertEquals(firstPrompt(options), lines.prompt);
  }
});

/** Opens the prompt of `repl` with a profile, on a computer that answers what is written to it. */
function opened(profile: string): { prompt: Prompt | number; written: () => string } {
  let written = "";
  const write = (text: string) => void (written += text);
  const prompt = openPrompt({
    ...{ seed: 1, strict: false, json: false, verbose: false, positional: [] },
    profiles: [{ file: "own.yaml", text: profile }],
  }, {
    ...{ out: write, err: write, errIsTerminal: false },
    read: () => ({ problem: "No such file or directory" }),
    write: () => "Permission denied",
  });
  return { prompt, written: () => written };
}

Deno.test("a profile that does not fit is said, with its place, instead of a prompt", () => {
  const { prompt, written } = opened("hw:\n  tcs: 1\n");
  assertEquals(prompt, 1);
  assertMatch(written(), /^own\.yaml:2:3: hw\.tcs: unknown key.*\n$/);
});

Deno.test("a line that is run at the opened prompt writes to the computer's descriptors", async () => {
  const { prompt, written } = opened("{}");
  if (typeof prompt === "number") throw new Error(written());
  await prompt.run("echo hi; nothing_of_this_name");
  assertEquals([written(), prompt.lines.status], [
    "hi\nrtkvm: nothing_of_this_name: command not found\n",
    127,
  ]);
});

Deno.test("the parser decides whether more lines are wanted", () => {
  const { lines, said } = prompt();
  for (const line of ["for i in 1 2", "do", "echo $i"]) {
    lines.line(line);
    assertEquals([lines.prompt, said()], ["> ", ""], line);
  }
  lines.line("done");
  assertEquals([lines.isContinued, said()], [false, "1\n2\n"]);
  lines.line("cat <<END");
  lines.line("text");
  assertEquals(lines.prompt, "> ");
  lines.line("END");
  assertEquals(said(), "text\n");
  lines.line("echo a \\");
  assertEquals(lines.prompt, "> ");
  lines.line("  b");
  assertEquals(said(), "a b\n");
});

Deno.test("a pasted prompt is not part of the command", () => {
  const { lines, said } = prompt();
  for (const line of ["# echo hi", "$ echo hi", "  # echo hi"]) {
    lines.line(line);
    assertEquals(said(), "hi\n", line);
  }
  lines.line("# echo a \\");
  lines.line("> b");
  assertEquals(said(), "a b\n");
  lines.line("echo a # echo b");
  assertEquals(said(), "a\n");
});

Deno.test("a line that does not parse is an error of that line only", () => {
  const { lines, said } = prompt();
  lines.line("fi");
  assertStringIncludes(said(), "syntax error near unexpected token `fi'");
  assertEquals([lines.status, lines.exitStatus], [2, undefined]);
  lines.line("echo $?; echo on");
  assertStringIncludes(said(), "on\n");
});

Deno.test("clearing forgets a half-typed input", () => {
  const { lines, said } = prompt();
  lines.line("if true");
  lines.clear();
  assertEquals(lines.isContinued, false);
  lines.line("echo on");
  assertEquals(said(), "on\n");
});

Deno.test("exit leaves with its status, the end with that of the last input", () => {
  const left = prompt().lines;
  left.line("exit 5");
  assertEquals(left.end(), 5);
  const ended = prompt().lines;
  ended.line("false");
  assertEquals([ended.exitStatus, ended.end()], [undefined, 1]);
});

Deno.test("an input that is not finished at the end is an error", () => {
  const { lines, said } = prompt();
  lines.line("if true");
  assertEquals(lines.end(), 2);
  assertStringIncludes(said(), "unexpected end of file");
});

Deno.test("an error that ends a script does not end the prompt", () => {
  const { lines, said } = prompt();
  lines.line("set -u; echo $nosuch");
  lines.line(": ${nosuch?gone}");
  said();
  assertEquals(lines.exitStatus, undefined);
  lines.line("echo on");
  assertEquals(said(), "on\n");
});

Deno.test("where time stands still at a stop, the prompt says which, until time goes on", () => {
  const { lines, said } = prompt();
  lines.line("stop-at cpu 3 offline");
  lines.line("echo 0 > /sys/devices/system/cpu/cpu3/online & run 1s");
  assertStringIncludes(said(), "stopped at event");
  assertMatch(lines.prompt, /^rfc-v2 \d+\.\d{3}s \[cpu 3 offline\] # $/);
  lines.line("run 1ms");
  assertMatch(lines.prompt, /^rfc-v2 \d+\.\d{3}s # $/);
});

Deno.test("indented options that follow a command are its own, where a paste brings them along", () => {
  const { lines, said } = prompt();
  const paste = (...typed: string[]) => {
    for (let text = lines.next(typed); text !== undefined; text = lines.next(typed)) lines.line(text);
    return said();
  };
  assertEquals(paste("# echo a", "      -b", "      -c", "# echo d"), "a -b -c\nd\n");
  assertEquals(paste("echo a", "   -b", "   -c"), "a -b -c\n");
  assertEquals(paste("# echo a \\", "      -b \\", "      -c"), "a -b -c\n");
  assertEquals(paste("echo a \\", "   -b"), "a -b\n");
  assertEquals(paste("cat <<END", "  - b", "  -c", "END"), "  - b\n  -c\n");
  assertEquals(paste("for i in 1; do", "  echo -b", "done"), "-b\n");
});

Deno.test("completion goes on with an input that has begun", () => {
  const { lines } = prompt();
  lines.line("ls \\");
  assertEquals(lines.completions("/pro"), [["proc/"], "pro"]);
  lines.clear();
  lines.line("# echo 1 \\");
  assertEquals(lines.completions("> /pro"), [["proc/"], "pro"]);
});

Deno.test("the search goes back through the lines that hold what is typed", () => {
  const history = ["run 2ms", "echo a", "run 1ms", "boot kvm"]; // newest first
  const search = new HistorySearch(history, "half");
  assertEquals([search.found, search.prompt], ["half", "(reverse-i-search)`': "]);
  assertEquals([search.key("r", { name: "r" }), search.key("u", { name: "u" }), search.found], [
    "on",
    "on",
    "run 2ms",
  ]);
  assertEquals([search.key("\x12", { name: "r", ctrl: true }), search.found], ["on", "run 1ms"]);
  assertEquals([search.key("\x12", { name: "r", ctrl: true }), search.found], ["on", "run 1ms"]);
  assertEquals(search.prompt, "(failed reverse-i-search)`ru': ");
  assertEquals([search.key(undefined, { name: "backspace" }), search.found], ["on", "run 2ms"]);
  assertEquals(search.key("\r", { name: "return" }), "take");
  assertEquals(search.key("\x03", { name: "c", ctrl: true }), "leave");
});
