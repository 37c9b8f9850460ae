/**
 * Documents that are tests: what `rtkvm verify` reads in them, and what `--update` writes.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { main } from "../dsl/cli.ts";
import { agrees, refreshed } from "../dsl/documents/agreement.ts";
import { blocksOf, fileNameOf, linesOfDocument } from "../dsl/documents/markdown.ts";
import { RandomStream } from "../hw/sim/random.ts";
import { FakeHost } from "./session_rig.ts";

/** Verifies one document; `text` is what it is afterwards. */
async function verify(text: string, ...options: string[]) {
  const host = new FakeHost({ "a.md": text });
  const status = await main(["verify", "a.md", ...options], host);
  return { status, out: host.stdout, err: host.stderr, text: host.written.get("a.md") ?? text, host };
}

const consoleBlock = (...lines: string[]) => ["```console", ...lines, "```", ""].join("\n");

Deno.test("... stands for any lines, or none, wherever it is", () => {
  const lines = (text: string) => text.split(" ").filter((line) => line !== "");
  for (
    const [actual, printed, expected] of [
      ["a b c", "a b c", true],
      ["a b c", "a c", false],
      ["a b c", "...", true],
      ["", "...", true],
      ["", "", true],
      ["a", "", false],
      ["a b c", "a ...", true],
      ["a b c", "... c", true],
      ["a b c", "a ... b c", true],
      ["a b a b", "a b ... a b", true],
      ["a b", "a b ... a b", false],
      ["a x b x c", "a ... x ... c", true],
      ["a b c d", "... b ... c ...", true],
      ["a b c d", "... c ... b ...", false],
      ["a a b", "... a b", true],
      ["x a", "a ...", false],
    ] as const
  ) assertEquals(agrees(lines(actual), lines(printed)), expected, `${actual} / ${printed}`);
});

Deno.test("new output keeps ... where the lines beside it are found again, with other numbers too", () => {
  const printed = ["head", "...", "row 1 min 5", "row 2 min 6", "...", "sum 11"];
  const actual = ["head", "x", "y", "row 1 min 7", "row 2 min 8", "z", "sum 15"];
  assertEquals(refreshed(actual, printed), ["head", "...", "row 1 min 7", "row 2 min 8", "...", "sum 15"]);
  assertEquals(refreshed(["head", "x", "sum 1"], ["head", "...", "sum 2"]), ["head", "...", "sum 1"]);
  assertEquals(refreshed(["other"], ["head", "...", "tail"]), ["other"]);
  assertEquals(refreshed(["a", "b"], ["a", "c"]), ["a", "b"]);
  assertEquals(refreshed(["a", "b"], ["..."]), ["..."]);
});

Deno.test("fences as CommonMark has them: longer ones, tildes, in lists, without an end", () => {
  const text =
    "````text\n```console\n# no\n```\n````\n- a\n\n  ~~~console title\n  # echo a\n  a\n  ~~~\n\n```yaml\n# x.yaml: y";
  const blocks = blocksOf(linesOfDocument(text));
  assertEquals(blocks.map(({ language, line }) => [language, line]), [["text", 2], ["console", 9], [
    "yaml",
    14,
  ]]);
  assertEquals(blocks[1]!.lines, ["# echo a", "a"]);
  assertEquals(fileNameOf(blocks[2]!), "x.yaml");
});

Deno.test("a document that says what is printed is right: status 0", async () => {
  const text = consoleBlock(
    "# echo a",
    "a",
    "# for i in 1 2",
    "> do echo $i",
    "> done",
    "1",
    "2",
    "# true",
    "# false",
  );
  const { status, out } = await verify(text);
  assertEquals([status, out], [0, "a.md: 1 block, 1 ok\n"]);
});

Deno.test("what differs is shown with file and line: status 1", async () => {
  const { status, out } = await verify(
    `Text.\n\n${consoleBlock("# seq 9", ..."123456780", "# echo a", "a")}`,
  );
  assertEquals(status, 1);
  assertEquals(
    out,
    "a.md:4: # seq 9\n      :\n  11   7\n  12   8\n  13 - 0\n     + 9\na.md: 1 block, 0 ok, 1 wrong\n",
  );
});

Deno.test("each block of # has a fresh machine; $ runs the program, with the files above it", async () => {
  const files = "```sh\n# one.rtk: a script\necho one $1; exit 3\n```\n";
  const { status, out } = await verify(
    files + consoleBlock("# x=1; boot kvm", "system kvm, kernel linux-3.4.0, seed 1") +
      consoleBlock("# echo x$x", "x") +
      consoleBlock(
        "$ rtkvm run one.rtk -- 'a b'",
        "one a",
        "$ deno run --allow-read=. mod.ts run one.rtk; echo $?",
        "one",
        "3",
        "$ echo $?",
        "3",
      ).replace("one a", "one a b"),
  );
  assertEquals(out, "a.md: 3 blocks, 3 ok\n");
  assertEquals(status, 0);
});

Deno.test("a line that looks like a prompt is output where the command has written it", async () => {
  const text = consoleBlock(
    "# cyclictest -n -q -l 5 | head -n 1",
    "# /dev/cpu_dma_latency set to 0us",
    "# echo a",
    "a",
  );
  assertEquals((await verify(text)).out, "a.md: 1 block, 1 ok\n");
});

Deno.test("what cannot be run is said, never passed over: status 1, also with --update", async () => {
  for (
    const [line, message] of [
      [
        "$ git status",
        "only rtkvm, deno run … mod.ts and tasks that are such commands can be run here, not: git status",
      ],
      ["$ rtkvm version | cat", "only rtkvm"],
      ["$ rtkvm verify a.md", "a document that is verified verifies no other one"],
      ["$ rtkvm", "a transcript of rtkvm's own prompt has the prompt #"],
      ["# for i in 1 2", "the command is not finished: for i in 1 2"],
      ["output", "a console block begins with a prompt, # or $"],
    ] as const
  ) {
    for (const option of ["--json", "--update"]) {
      const { status, out, host } = await verify(consoleBlock(line), option);
      assertEquals(status, 1, line);
      assertStringIncludes(out, message);
      assertEquals(host.written.size, 0);
    }
  }
  const { status, err } = await verify("").then(() => run("verify", "nosuch.md"));
  assertEquals([status, err], [1, "rtkvm: nosuch.md: No such file or directory\n"]);
  assertEquals((await run("verify")).status, 2);
});

async function run(...args: string[]) {
  const host = new FakeHost({});
  const status = await main(args, host);
  return { status, err: host.stderr };
}

Deno.test("--json is a line for each document", async () => {
  const { out, status } = await verify(consoleBlock("# echo a", "b"), "--json");
  assertEquals(status, 1);
  assertEquals(JSON.parse(out), {
    version: 1,
    file: "a.md",
    blocks: 1,
    ok: 0,
    updated: 0,
    differences: [{ line: 2, command: "# echo a", printed: ["b"], written: ["a"] }],
  });
});

Deno.test("--update rewrites output alone, makes a fence longer where it has to, and keeps the ends of lines", async () => {
  const { text, status, out } = await verify(
    "a\r\n```console\r\n# echo '```'\r\nx\r\n```\r\nb\r\n",
    "--update",
  );
  assertEquals([status, out], [0, "a.md: 1 block, 0 ok, 1 updated\n"]);
  assertEquals(text, "a\r\n````console\r\n# echo '```'\r\n```\r\n````\r\nb\r\n");
  assertEquals((await verify(text)).status, 0);
});

Deno.test("a document that is right is not written", async () => {
  const { host } = await verify(consoleBlock("# echo a", "..."), "--update");
  assertEquals(host.written.size, 0);
});

Deno.test("an updated document verifies, and another update changes nothing: 30 generated documents", async () => {
  const random = new RandomStream(4, "documents");
  const pick = <T>(list: readonly T[]) => list[random.uint32() % list.length]!;
  const lines = [
    "a",
    "b 1",
    "b 2",
    "c",
    "...",
    "# echo a",
    "$ echo b",
    "> d",
    "```",
    "  e",
    "",
    "n=12 us",
    "n=13 us",
  ];
  const some = (most: number) => Array.from({ length: random.uint32() % (most + 1) }, () => pick(lines));
  const quoted = (line: string) => `'${line}'`;
  let updated = 0;
  for (let i = 0; i < 30; i++) {
    let text = "";
    for (let block = 0; block < 2; block++) {
      text += pick(["", "- ", "text\n\n"]).replace("- ", "");
      const indentation = pick(["", "  "]), fence = pick(["```", "~~~", "````"]);
      const body: string[] = [];
      for (let exchange = 0; exchange < 3; exchange++) {
        const output = some(5);
        body.push(output.length === 0 ? "# true" : `# printf '%s\\n' ${output.map(quoted).join(" ")}`);
        const stale = pick([output, output.filter(() => random.uniform() < 0.6), some(3), ["..."]]);
        body.push(
          ...stale.map((line) => random.uniform() < 0.2 ? "..." : line).filter((line) =>
            !line.startsWith("# ")
          ),
        );
      }
      text += [`${fence}console`, ...body, fence, ""].map((line) => line === "" ? "" : indentation + line)
        .join("\n");
    }
    const once = await verify(text, "--update");
    assert(once.err === "", once.err);
    if (once.status !== 0) continue; // a stray fence in the stale output has cut a command
    if (once.text !== text) updated++;
    const again = await verify(once.text);
    assertEquals(again.status, 0, `${text}\n---\n${once.text}\n---\n${again.out}`);
    const twice = await verify(once.text, "--update");
    assertEquals(twice.text, once.text);
  }
  assert(updated > 15, `${updated} of 30`);
});
