/**
 * Everything recorded from real machines and shells passes, and the runner of `deno task vectors` says so honestly:
 * formats are known by content, what is not run is named, and what differs on purpose is counted apart.
 */
import { assert, assertEquals } from "@std/assert";
import { runPaths, runVectorFile, runVectors } from "./vectors.ts";

const folder = new URL("./vectors/", import.meta.url).pathname;

function* recordings(path: string): Generator<string> {
  for (const entry of [...Deno.readDirSync(path)].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory) yield* recordings(`${path}${entry.name}/`);
    else if (entry.name.endsWith(".json")) yield path + entry.name;
  }
}

for (const file of recordings(folder)) {
  Deno.test(`vectors: ${file.slice(folder.length).replace(".json", "")}`, () => {
    const report = runVectorFile(file);
    assert(report !== undefined, "a file of no known format");
    assertEquals(report.failures, []);
  });
}

function run(...paths: string[]): { status: number; lines: string[] } {
  const lines: string[] = [];
  const status = runPaths(paths, (line) => lines.push(line));
  return { status, lines };
}

Deno.test("a file's format is known by its content, wherever it lies", () => {
  const vector = { name: "a", script: "echo 1", stdout: "1\n", status: 0 };
  assertEquals(runVectors([vector])?.passed, 1);
  assertEquals(runVectors([{ ...vector, stdout: 1 }]), undefined);
  assertEquals(runVectors({ format: "no-such-format/1", cases: [] }), undefined);
  assertEquals(runVectors([]), undefined);
  assertEquals(runVectors(null), undefined);
});

Deno.test("a vector that differs is a failure that says how", () => {
  const vector = { name: "a", script: "echo 1; exit 3", stdout: "2\n", status: 3 };
  assertEquals(runVectors([vector])?.failures, [
    { name: "a", difference: 'stdout "1\\n", wanted "2\\n"; stderr ' },
  ]);
  assertEquals(runVectors([{ ...vector, stdout: "1\n", status: 0 }])?.failures, [
    { name: "a", difference: "status 3, wanted 0; stderr " },
  ]);
});

Deno.test("what differs on purpose is counted apart, and differing otherwise is a failure", () => {
  const vector = { name: "syn/earlier-lines-run", script: "echo 1\nfi\n", stdout: "1\n", status: 2 };
  const report = runVectors([vector]);
  assertEquals([report?.passed, report?.failures.length, report?.expected.length], [0, 0, 1]);
  const agreeing = runVectors([{ ...vector, script: "echo 1\nexit 2\n" }]);
  assertEquals([agreeing?.passed, agreeing?.failures.length, agreeing?.expected.length], [0, 1, 0]);
});

Deno.test("only two vectors differ on purpose, both by what runs before a syntax error", () => {
  const { status, lines } = run(`${folder}shell`);
  const reason = "the whole script is parsed before anything runs, so lines before a syntax error do not run";
  assertEquals(lines.filter((line) => line.includes("differs as expected")), [
    `syn/unexpected-done: differs as expected: ${reason}`,
    `syn/earlier-lines-run: differs as expected: ${reason}`,
  ]);
  assert(/^total: \d+ passed, 0 failed, 2 expected differences$/.test(lines.at(-1) ?? ""), lines.at(-1));
  assertEquals(status, 0);
});

Deno.test("a file that was named and holds no vectors is an error, and so is a folder without any", () => {
  const config = new URL("../deno.json", import.meta.url).pathname;
  assertEquals(run(config), {
    status: 2,
    lines: [`${config}: no vectors of a known format`, "total: 0 passed, 0 failed"],
  });
  const types = new URL("../types", import.meta.url).pathname;
  assertEquals(run(types), {
    status: 2,
    lines: [`${types}: no vectors below this folder`, "total: 0 passed, 0 failed"],
  });
  const missing = `${folder}nowhere`;
  assertEquals(run(missing), {
    status: 2,
    lines: [`${missing}: no such file or directory`, "total: 0 passed, 0 failed"],
  });
  const text = new URL("./vectors_test.ts", import.meta.url).pathname;
  assertEquals(run(text).lines[0]?.startsWith(`${text}: not JSON: `), true);
});
