/**
 * `deno task fuzz [--seed=N] [--count=N]`: random inputs end in a result, or in a diagnostic with its position: no
 * exception of ours, no hang, no memory without end.
 *
 * Each input has a seed of its own: one that fails is printed as small as it goes, and replays with its seed and
 * `--count=1`. It runs on a machine without hardware and is given so many steps of it; running out of them is a
 * result, and so is waiting for something that never comes.
 */
import { parseScript } from "../dsl/syntax/parse.ts";
import { DeadlockError } from "../dsl/shell/jobs.ts";
import { ShellSyntaxError } from "../dsl/syntax/syntax_error.ts";
import { FuzzInputs } from "./fuzz_inputs.ts";
import { numberOption } from "./number_option.ts";
import { OutOfSteps, ToyLab } from "./toy_machine.ts";

/** Steps that an input is given. */
const STEPS = 200;

/** Longest that an input may take, in ms of this computer: far beyond what any takes, so that a hang is seen. */
const SLOWEST_MS = 60_000;

/** What became of an input. */
export type Ending = "result" | "diagnostic" | "out of steps" | "deadlock";

/** Runs an input. @throws what it should not */
export function runInput(text: string): Ending {
  try {
    parseScript(text, "input");
  } catch (error) {
    if (!(error instanceof ShellSyntaxError)) throw error;
    if (error.line < 1 || error.column < 1 || error.offset > text.length || error.problem === "") {
      throw new Error(`a diagnostic without its place: ${error.message}`);
    }
    return "diagnostic";
  }
  const lab = new ToyLab();
  lab.host.vfs.mkdir("/tmp/v");
  lab.shell.cwd = "/tmp/v";
  try {
    lab.run(text, STEPS);
    return "result";
  } catch (error) {
    if (error instanceof OutOfSteps) return "out of steps";
    if (error instanceof DeadlockError) return "deadlock";
    throw error;
  }
}

/** What is wrong with an input; undefined if nothing is. */
export function failureOf(text: string): string | undefined {
  try {
    runInput(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

/** The smallest input that fails in the same way. */
export function shrinkInput(text: string): string {
  const kind = (failure: string | undefined) => failure?.replace(/\d+/g, "N").slice(0, 60);
  const wanted = kind(failureOf(text));
  let parts = Array.from(text);
  for (let size = parts.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < parts.length;) {
      const fewer = parts.toSpliced(at, size);
      if (kind(failureOf(fewer.join(""))) === wanted) parts = fewer;
      else at += size;
    }
  }
  return parts.join("");
}

if (import.meta.main) {
  const [seed, count] = [numberOption("seed", 1), numberOption("count", 200_000)];
  const inputs = new FuzzInputs();
  const endings = new Map<string, number>();
  let failed = 0;
  let slowest = { seed, ms: 0 };
  console.log(`seeds ${seed} to ${seed + count - 1}`);
  for (let at = seed; at < seed + count; at++) {
    const text = inputs.input(at);
    const start = performance.now();
    let ending: string;
    try {
      ending = runInput(text);
    } catch (error) {
      ending = "failed";
      failed++;
      const small = shrinkInput(text);
      console.log(
        `--- seed ${at}: ${JSON.stringify(small)}\n${error instanceof Error ? error.stack : error}`,
      );
    }
    const ms = performance.now() - start;
    if (ms > slowest.ms) slowest = { seed: at, ms };
    if (ms > SLOWEST_MS) {
      failed++;
      console.log(`--- seed ${at}: took ${ms.toFixed(0)} ms: ${JSON.stringify(text)}`);
    }
    endings.set(ending, (endings.get(ending) ?? 0) + 1);
  }
  for (const [ending, times] of endings) console.log(`${ending}: ${times}`);
  const heap = (Deno.memoryUsage().heapTotal / 2 ** 20).toFixed(0);
  console.log(`slowest: seed ${slowest.seed}, ${slowest.ms.toFixed(0)} ms; heap at the end: ${heap} MiB`);
  console.log(`${count - failed} passed, ${failed} failed`);
  Deno.exitCode = failed > 0 ? 1 : 0;
}
