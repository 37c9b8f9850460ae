/**
 * A long script is read piece by piece (`parse.ts`). Nothing of that can be seen: the tree, the places in it and the
 * errors are those of one parse of the whole text.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { parseScript } from "../dsl/syntax/parse.ts";
import { ShellSyntaxError } from "../dsl/syntax/syntax_error.ts";

/** Commands that each end somewhere else than their first line does, and that a cut could fall into. */
const blocks = [
  "echo 'a\nb' \"c\n$(echo d\necho e)\" f\n",
  "if a; then\n  b\nelif c\nthen d\nfi\n",
  "cat <<A <<'B'\n$x `y` fi\nA\n'\nB\n",
  "f()\n{\n  echo 'f' # it's\n}\nfunction g\n{ :; }\n",
  "case x in\n  a) b;;\n  (c)\n    d\nesac\n",
  "a && \\\n  b |\n  c ||\n  d\n",
  "x=(1\n  2 # two\n)\n",
  "ioctl(vcpu[0],\n  KVM_RUN,\n  0);\n",
  "echo $((1 +\n  2)) ${x:-a\nb} `echo\necho`\n",
  "while :; do break; done; sleep 1 & for i in 1 2\ndo echo $i\ndone\n",
  "[[ a == b &&\n  c == d ]]\n((x +=\n  1))\n",
  "# a comment with an ' and a \" and a $(\n\n\n",
];

/** The tree with every place moved by `chars` and `lines`. */
function moved(tree: unknown, chars: number, lines: number): unknown {
  if (Array.isArray(tree)) return tree.map((child) => moved(child, chars, lines));
  if (typeof tree !== "object" || tree === null) return tree;
  return Object.fromEntries(
    Object.entries(tree).map(([key, child]) => {
      if (key !== "span") return [key, moved(child, chars, lines)];
      return [key, { start: child.start + chars, end: child.end + chars, line: child.line + lines }];
    }),
  );
}

Deno.test("a long script gives the trees of its commands, each in its place", () => {
  // Every block comes to lie across a border of pieces, and one is longer than a piece.
  const all = Array.from({ length: 9 }, (_, round) => {
    return blocks.map((
      block,
      i,
    ) => (round === 4 && i === 1 ? block.replace("  b\n", "  b\n".repeat(600)) : block));
  }).flat();
  let text = "", lines = 0;
  const expected: unknown[] = [];
  for (const block of all) {
    expected.push(...parseScript(block).body.items.map((item) => moved(item, text.length, lines)));
    text += block;
    lines += block.split("\n").length - 1;
  }
  assertEquals(moved(parseScript(text).body.items, 0, 0), expected);
});

Deno.test("an error in a long script is the error of the command that it stands in", () => {
  const wrong = [
    "fi\n",
    "if a; then b; done\n",
    "echo 'a\n",
    "ioctl(vcpu[i, KVM_RUN, 0);\n",
    "{ a; } b\n",
    "a && || b\n",
  ]
    .concat([
      "for i in 1 2; do\n  echo\n",
      "cat <<A\nb\n",
      "echo $((1+))\n",
      "${a b}\n",
      "echo `fi`\n",
      "echo )\n",
    ]);
  const before = blocks.join("").repeat(4);
  const lines = before.split("\n").length - 1;
  for (const after of ["", blocks.join("").repeat(4)]) {
    for (const mistake of wrong) {
      // An open quote or here-document finds another end in what follows.
      if (after !== "" && /'|<</.test(mistake)) continue;
      const alone = assertThrows(() => parseScript(mistake + after, "x"), ShellSyntaxError);
      const within = assertThrows(() => parseScript(before + mistake + after, "x"), ShellSyntaxError);
      const { line, column, offset, expected, incomplete } = within;
      assertEquals(
        { line, column, offset, expected, incomplete },
        {
          line: alone.line + lines,
          column: alone.column,
          offset: alone.offset + before.length,
          expected: alone.expected,
          incomplete: alone.incomplete,
        },
        mistake,
      );
    }
  }
});
