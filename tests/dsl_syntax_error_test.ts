/** Messages of scripts that do not parse, word for word. The first line is bash's sentence. */
import { assertEquals, assertInstanceOf } from "@std/assert";
import { parseScript } from "../dsl/parse.ts";
import { ShellSyntaxError } from "../dsl/syntax_error.ts";

function errorOf(text: string, interactive = false): ShellSyntaxError {
  try {
    parseScript(text, "setup.rtk", { interactive });
  } catch (error) {
    assertInstanceOf(error, ShellSyntaxError);
    return error;
  }
  throw new Error(`${JSON.stringify(text)} was taken`);
}

const mistakes: readonly { readonly text: string; readonly message: string }[] = [
  {
    text: "echo a\nfi\n",
    message:
      "setup.rtk: line 2: syntax error near unexpected token `fi'\n  2 | fi\n    | ^ column 1: expected a command",
  },
  {
    text: "if true; fi",
    message: "setup.rtk: line 1: syntax error near unexpected token `fi'\n" +
      '  1 | if true; fi\n    |          ^ column 10: expected a command or "then"',
  },
  {
    text: "for c in 2 3; do done",
    message: "setup.rtk: line 1: syntax error near unexpected token `done'\n" +
      "  1 | for c in 2 3; do done\n    |                  ^ column 18: expected a command",
  },
  {
    text: "for c in 2 3; do echo $c\n",
    message: "setup.rtk: line 2: syntax error: unexpected end of file\n" +
      '  1 | for c in 2 3; do echo $c\n    |                         ^ column 25: expected a command or "done"',
  },
  {
    text: "ioctl(vcpu[i, KVM_RUN, 0);",
    message: "setup.rtk: line 1: syntax error near unexpected token `,'\n" +
      '  1 | ioctl(vcpu[i, KVM_RUN, 0);\n    |             ^ column 13: expected "]"',
  },
  {
    text: "ioctl(vcpu[0], , 0);",
    message: "setup.rtk: line 1: syntax error near unexpected token `,'\n" +
      "  1 | ioctl(vcpu[0], , 0);\n    |                ^ column 16: expected an expression",
  },
  {
    text: "echo 0 >\n",
    message: "setup.rtk: line 1: syntax error near unexpected token `newline'\n" +
      "  1 | echo 0 >\n    |         ^ column 9: expected a word",
  },
  {
    text: "echo 'abc\ndef\n",
    message: "setup.rtk: line 1: unexpected EOF while looking for matching `''\n" +
      "  1 | echo 'abc\n    |      ^ column 6: expected a closing '",
  },
  {
    text: "echo $((1+))",
    message: "setup.rtk: line 1: syntax error near unexpected token `)'\n" +
      "  1 | echo $((1+))\n    |           ^ column 11: expected an expression",
  },
  {
    text: "echo ${a b}",
    message: "setup.rtk: line 1: ${a b}: bad substitution\n" +
      "  1 | echo ${a b}\n    |      ^ column 6: expected a parameter and an operator",
  },
  {
    text: "echo a ;; echo b",
    message:
      "setup.rtk: line 1: syntax error near unexpected token `;;'\n  1 | echo a ;; echo b\n    |        ^ column 8",
  },
  {
    text: "a && || b",
    message: "setup.rtk: line 1: syntax error near unexpected token `||'\n" +
      "  1 | a && || b\n    |      ^ column 6: expected a command",
  },
  {
    text: "cat <<EOF\nbody\n",
    message: "setup.rtk: line 1: syntax error: unexpected end of file\n" +
      "  1 | cat <<EOF\n    |     ^ column 5: expected a line EOF that ends the here-document",
  },
  {
    text: "case x in a) echo;;\n",
    message: "setup.rtk: line 2: syntax error: unexpected end of file\n" +
      '  1 | case x in a) echo;;\n    |                    ^ column 20: expected "esac"',
  },
  {
    text: "select x in a b; do echo; done",
    message: "setup.rtk: line 1: select: not in this language\n" +
      "  1 | select x in a b; do echo; done\n    |                  ^ column 18: expected a command",
  },
  {
    text: "echo $((08))",
    message: 'setup.rtk: line 1: 08: value too great for base (error token is "08")\n' +
      "  1 | echo $((08))\n    |         ^ column 9",
  },
];

for (const { text, message } of mistakes) {
  Deno.test(`syntax error: ${JSON.stringify(text)}`, () => assertEquals(errorOf(text).message, message));
}

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
