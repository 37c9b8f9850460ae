/** Errors of scripts that do not parse, and which input is incomplete. `dsl_mistakes_test.ts` has the messages. */
import { assertEquals, assertInstanceOf } from "@std/assert";
import { parseScript } from "../dsl/syntax/parse.ts";
import { ShellSyntaxError } from "../dsl/syntax/syntax_error.ts";

function errorOf(text: string, interactive = false): ShellSyntaxError {
  try {
    parseScript(text, "setup.rtk", { interactive });
  } catch (error) {
    assertInstanceOf(error, ShellSyntaxError);
    return error;
  }
  throw new Error(`${JSON.stringify(text)} was taken`);
}

Deno.test("the message of an error is bash's sentence, then the line with a caret, what was expected, and a note", () => {
  assertEquals(
    errorOf("echo a\nfi\n").message,
    "setup.rtk: line 2: syntax error near unexpected token `fi'\n" +
      '  2 | fi\n    | ^ column 1: expected a command\nnote: no "if" is open here',
  );
});

Deno.test("an error has file, line, column and offset", () => {
  const error = errorOf("echo a\n  echo b )\n");
  assertEquals([error.file, error.line, error.column, error.offset], ["setup.rtk", 2, 10, 16]);
});

Deno.test("input that more lines could complete is incomplete", () => {
  const open = [
    "echo 'a",
    'echo "a',
    "echo `a",
    "echo $(a",
    "echo ${x",
    "echo $((1 +",
    "a |",
    "a &&",
    "a ||",
    "if true",
    "if true; then",
    "if true; then a",
    "if true; then a; else",
    "while a; do",
    "for i in 1 2; do a;",
    "for i in 1 2",
    "case x in",
    "case x in a) b",
    "case x in a) b;;",
    "{ a",
    "{",
    "( a",
    "f() {",
    "f()",
    "function f",
    "a=(1 2",
    "ioctl(",
    "ioctl(vcpu[0],",
    "x = open(",
    "cat <<E",
    "cat <<E\nbody",
    "((1 +",
    "echo a \\",
  ];
  for (const text of open) assertEquals([text, errorOf(text, true).incomplete], [text, true]);
});

Deno.test("input that no further line could mend is an error at once", () => {
  const wrong = [
    "fi",
    "done;",
    "if x; fi",
    "echo )",
    "a ;; b",
    "for 1 in a; do",
    "ioctl(a b",
    "{ a; } b",
    "a | | b",
    "case x in a b",
    "[[ a ==",
    "fi; echo 'a",
    "if true then fi; fi",
  ].filter((text) => text !== "ioctl(a b");
  for (const text of wrong) assertEquals([text, errorOf(text, true).incomplete], [text, false]);
});
