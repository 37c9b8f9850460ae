/**
 * `deno task vectors [FILE | FOLDER]…`: runs recorded vectors and prints per file and in total what passed; without
 * arguments those of `tests/vectors`.
 *
 * ```console
 * $ deno task vectors tests/vectors/shell
 * tests/vectors/shell/arithmetic.json: 13 passed, 0 failed
 * …
 * total: 531 passed, 0 failed, 2 expected differences
 * ```
 *
 * The status is 1 if a vector failed, and 2 if there is nothing to run: no such file, or one without vectors. Inside
 * a folder a JSON file of no known format is named as skipped, and other files are documents.
 */
import { kvmIoctlVectors } from "./kvm_ioctl_vectors.ts";
import { lapicVectors } from "./lapic_vectors.ts";
import { shellVectors } from "./shell_vectors.ts";
import type { VectorFormat, VectorResult } from "./vector_format.ts";

/** Every known format. */
const formats: readonly VectorFormat[] = [
  lapicVectors,
  shellVectors,
  kvmIoctlVectors,
];

/** What a file of vectors gave. */
export interface VectorReport {
  readonly format: string;
  readonly passed: number;
  readonly failures: readonly { readonly name: string; readonly difference: string }[];
  /** Vectors that differ as they are meant to, and why they are. */
  readonly expected: readonly { readonly name: string; readonly reason: string }[];
}

/** Runs the vectors of a file, given as its content; undefined if it is of no known format. */
export function runVectors(content: unknown): VectorReport | undefined {
  const format = formats.find((candidate) => candidate.recognises(content));
  if (format === undefined) return undefined;
  let passed = 0;
  const failures: { name: string; difference: string }[] = [];
  const expected: { name: string; reason: string }[] = [];
  const results: Iterable<VectorResult> = format.run(content);
  for (const { name, difference, expected: reason } of results) {
    if (difference !== undefined) failures.push({ name, difference });
    else if (reason !== undefined) expected.push({ name, reason });
    else passed++;
  }
  return { format: format.name, passed, failures, expected };
}

/** Runs one file; undefined if it is of no known format. @throws SyntaxError if it is no JSON */
export function runVectorFile(path: string): VectorReport | undefined {
  return runVectors(JSON.parse(Deno.readTextFileSync(path)));
}

function* filesUnder(path: string): Generator<string> {
  for (const entry of [...Deno.readDirSync(path)].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const inside = `${path.replace(/\/$/, "")}/${entry.name}`;
    if (Deno.statSync(inside).isDirectory) yield* filesUnder(inside);
    else if (inside.endsWith(".json")) yield inside;
  }
}

/** `3 passed, 0 failed`, and what differs on purpose where there is any. */
function counts(passed: number, failed: number, expected: number): string {
  const apart = expected === 0 ? "" : `, ${expected} expected difference${expected === 1 ? "" : "s"}`;
  return `${passed} passed, ${failed} failed${apart}`;
}

/** Runs everything below the paths and prints what came of it; returns the exit status. */
export function runPaths(paths: readonly string[], print: (line: string) => void): number {
  let wrong = false;
  let [files, passed, failed, expected] = [0, 0, 0, 0];
  const runFile = (file: string, named: boolean) => {
    let report: VectorReport | undefined;
    try {
      report = runVectorFile(file);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      print(`${file}: not JSON: ${error.message}`);
      wrong = true;
      return;
    }
    if (report === undefined) {
      print(named ? `${file}: no vectors of a known format` : `${file}: skipped, no known format`);
      wrong ||= named;
      return;
    }
    for (const { name, difference } of report.failures) print(`${name}: ${difference}`);
    for (const { name, reason } of report.expected) print(`${name}: differs as expected: ${reason}`);
    print(`${file}: ${counts(report.passed, report.failures.length, report.expected.length)}`);
    files++;
    passed += report.passed;
    failed += report.failures.length;
    expected += report.expected.length;
  };
  for (const path of paths) {
    const before = files;
    try {
      if (!Deno.statSync(path).isDirectory) {
        runFile(path, true);
        continue;
      }
      for (const file of filesUnder(path)) runFile(file, false);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      print(`${path}: no such file or directory`);
      wrong = true;
      continue;
    }
    if (files > before) continue;
    print(`${path}: no vectors below this folder`);
    wrong = true;
  }
  print(`total: ${counts(passed, failed, expected)}`);
  if (failed > 0) return 1;
  return wrong ? 2 : 0;
}

if (import.meta.main) {
  // A task runs in the project's folder; relative names are those of the folder that it was called from.
  const from = Deno.env.get("INIT_CWD") ?? Deno.cwd();
  const paths = Deno.args.map((path) =>
    path.startsWith("/") || from === Deno.cwd() ? path : `${from}/${path}`
  );
  Deno.exitCode = runPaths(paths.length > 0 ? paths : ["tests/vectors"], (line) => console.log(line));
}
