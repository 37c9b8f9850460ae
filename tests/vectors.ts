/**
 * `deno task vectors [FILE | FOLDER]…`: runs recorded vectors and prints per file and in total what passed.
 *
 * A file's format is known by its folder: `shell/` holds scripts with their output.
 */
import { runShellVector, type ShellVector } from "./shell_vectors.ts";

/** How the vectors of a folder are run: the answer says what differs. */
type Runner = (vector: never) => string | undefined;

const runners: Readonly<Record<string, Runner>> = {
  shell: runShellVector as Runner,
};

/** What a file of vectors gave. */
export interface VectorReport {
  readonly file: string;
  readonly passed: number;
  readonly failures: readonly { readonly name: string; readonly difference: string }[];
}

function* filesUnder(path: string): Generator<string> {
  if (!Deno.statSync(path).isDirectory) {
    yield path;
    return;
  }
  const names = [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
  for (const name of names) yield* filesUnder(`${path}/${name}`);
}

/** Runs one file; undefined if its format is not known. */
export function runVectorFile(path: string): VectorReport | undefined {
  const folder = path.split("/").at(-2) ?? "";
  const runner = runners[folder];
  if (runner === undefined || !path.endsWith(".json")) return undefined;
  const vectors: (ShellVector & { name: string })[] = JSON.parse(Deno.readTextFileSync(path));
  const failures: { name: string; difference: string }[] = [];
  for (const vector of vectors) {
    let difference: string | undefined;
    try {
      difference = runner(vector as never);
    } catch (error) {
      difference = `threw ${error instanceof Error ? error.stack : error}`;
    }
    if (difference !== undefined) failures.push({ name: vector.name, difference });
  }
  return { file: path, passed: vectors.length - failures.length, failures };
}

if (import.meta.main) {
  const paths = Deno.args.length > 0 ? Deno.args : [new URL("./vectors", import.meta.url).pathname];
  let passed = 0;
  let failed = 0;
  for (const file of paths.flatMap((path) => [...filesUnder(path)])) {
    const report = runVectorFile(file);
    if (report === undefined) continue;
    for (const { name, difference } of report.failures) console.log(`${name}: ${difference}`);
    console.log(`${file}: ${report.passed} passed, ${report.failures.length} failed`);
    passed += report.passed;
    failed += report.failures.length;
  }
  console.log(`total: ${passed} passed, ${failed} failed`);
  Deno.exitCode = failed > 0 ? 1 : 0;
}
