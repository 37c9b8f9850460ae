/** What a script may use up: each limit is an error of the script, with a text of its own (`dsl/syntax/limits.ts`). */
import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { parseScript } from "../dsl/syntax/parse.ts";
import { ShellSyntaxError } from "../dsl/syntax/syntax_error.ts";
import { MAX_COMMAND_DEPTH } from "../dsl/syntax/limits.ts";
import { OutOfSteps, ToyLab } from "./toy_machine.ts";
import { FuzzInputs } from "./fuzz_inputs.ts";
import { failureOf, shrinkInput } from "./fuzz.ts";

/** The first line of what a script says on standard error. */
function complaint(script: string): string {
  const lab = new ToyLab();
  lab.shell.cwd = "/tmp";
  return lab.run(script, 5000).stderr.split("\n")[0] ?? "";
}

const nested: readonly [name: string, make: (n: number) => string][] = [
  ["( )", (n) => "( ".repeat(n) + "a" + " )".repeat(n)],
  ["{ }", (n) => "{ ".repeat(n) + "a" + "; }".repeat(n)],
  ["$( )", (n) => "echo " + "$(echo ".repeat(n) + "a" + ")".repeat(n)],
  ["${ }", (n) => "echo " + "${x:-".repeat(n) + "a" + "}".repeat(n)],
  ["if", (n) => "if ".repeat(n) + "a" + "; then b; fi".repeat(n)],
  ["$((( )))", (n) => `echo $((${"(".repeat(n)}1${")".repeat(n)}))`],
  ["[[ ( ) ]]", (n) => `[[ ${"( ".repeat(n)}a${" )".repeat(n)} ]]`],
];

for (const [name, make] of nested) {
  Deno.test(`${name} nests 25 deep; 10,000 deep is a syntax error with its place`, () => {
    parseScript(make(25));
    const error = assertThrows(() => parseScript(make(10_000)), ShellSyntaxError);
    assertInstanceOf(error, ShellSyntaxError);
    assertEquals([error.problem, error.line], ["syntax error: nested too deeply", 1]);
  });
}

const level = `maximum command nesting level exceeded (${MAX_COMMAND_DEPTH})`;

/** Scripts that would take everything, and what they are told. */
const greedy: readonly [script: string, complaint: string][] = [
  ["f() { f; }; f", `script: line 1: ${level}`],
  ["f() { x=$(f); }; f", `script: line 1: ${level}`],
  ['x=\'eval "$x"\'; eval "$x"', `script: line 1: eval: ${level}`],
  ["echo '. ./b' > b; . ./b", `script: line 1: .: ${level}`],
  [
    "x=a; while :; do x=$x$x; done",
    "script: line 1: a text of 8388608 characters: at most 4194304 are taken",
  ],
  ["echo {1..1000000000}", "script: line 1: 1000000000 words: at most 100000 are taken"],
  [`echo ${"{a,b}".repeat(20)}`, "script: line 1: 131072 words: at most 100000 are taken"],
  ['set -- a; while :; do set -- "$@" "$@"; done', "script: line 1: 131074 words: at most 100000 are taken"],
  [
    "printf '%999999999d' 1",
    "script: line 1: printf: a text of 999999999 characters: at most 4194304 are taken",
  ],
  [
    "printf '%.*f' 999999999 1",
    "script: line 1: printf: a text of 999999999 characters: at most 4194304 are taken",
  ],
  [
    "x='x+1'; echo $((x))",
    'script: line 1: x+1: expression recursion level exceeded (error token is "x+1")',
  ],
  ["seq 99999999999", "seq: 99999999999 numbers: more than a million are not written"],
  ["awk 'BEGIN { while (1) x++ }'", "awk: its loops turn more than 1000000 times"],
];

for (const [script, wanted] of greedy) {
  Deno.test(`a limit: ${script.slice(0, 60)}`, () => assertEquals(complaint(script), wanted));
}

Deno.test("an expression has at most 500 operators beside each other", () => {
  parseScript(`echo $((1${"+1".repeat(500)}))`);
  const error = assertThrows(() => parseScript(`echo $((1${"+1".repeat(501)}))`), ShellSyntaxError);
  assertEquals(error.problem, "an expression of 501 operators: at most 500 are taken");
});

Deno.test("a fork that never ends is refused, and costs time", () => {
  const lab = new ToyLab();
  const { stderr, status } = lab.run("f() { f | f; }; f", 5000);
  assertEquals(status, 254);
  assertEquals(stderr.includes("script: line 1: fork: Resource temporarily unavailable\n"), true);
});

Deno.test("a loop that never ends goes on until it is ended", () => {
  for (
    const script of [
      "while :; do x=1; done",
      "for ((;;)); do :; done",
      "until ((1/0)); do ((1/0)); done",
      "until ! case a in esac; do for i in; do :; done; done",
      "while f() { x=1; }; do for i in; do :; done; done",
      "until { x=1; } < /nowhere; do case a in esac; done",
      "trap 'kill -INT $$' INT; kill -INT $$",
    ]
  ) {
    assertThrows(() => new ToyLab().run(script, 200), OutOfSteps);
  }
});

Deno.test("2,000 random inputs end in a result or in a diagnostic with its place", () => {
  const inputs = new FuzzInputs();
  const failures: string[] = [];
  for (let seed = 1_000_001; seed <= 1_002_000; seed++) {
    const text = inputs.input(seed);
    const failure = failureOf(text);
    if (failure !== undefined) {
      failures.push(`seed ${seed}: ${failure}: ${JSON.stringify(shrinkInput(text))}`);
    }
  }
  assertEquals(failures, []);
});
