/**
 * `deno task confirm [--seed=N] [--count=N]`: random scripts of the grammar's own productions behave here as they do in
 * `bash --posix`: the same standard output, the same status.
 *
 * Optional: where there is no bash, or no user without rights to run it as, it says so and has compared nothing. bash
 * never runs as root; it runs with built-ins only (there is nothing on its PATH), in a temporary folder, empty but for the
 * script, that is removed, within limits of time, memory, files and processes, and the scripts have no absolute path in them.
 *
 * A script whose behaviour bash itself has not determined (it differs between two runs) is counted apart, and so is one
 * that ends in neither shell. One that differs is made as small as it goes and printed; it replays with its seed and
 * `--count=1`. What differs on purpose is in the table of `bash_scripts.ts`, rule by rule, and is not made.
 */
import { bashScript } from "./bash_scripts.ts";
import { parseScript } from "../dsl/syntax/parse.ts";
import { numberOption } from "./number_option.ts";
import { OutOfSteps, ToyLab } from "./toy_machine.ts";

/** What a script did: undefined if it did not end. */
type Behaviour = { readonly stdout: string; readonly status: number } | undefined;

/** Steps of simulated tasks that a script is given. */
const STEPS = 20_000;

/** Runs a script in this project's shell. */
export function runHere(script: string): Behaviour {
  const lab = new ToyLab();
  lab.host.vfs.mkdir("/tmp/v");
  lab.shell.cwd = "/tmp/v";
  lab.shell.set("text", script);
  lab.run('printf %s "$text" > script; unset text'); // bash has it there
  for (const [name, value] of [["PWD", "/tmp/v"], ["HOME", "/tmp/v"], ["PATH", "/nowhere"]] as const) {
    lab.shell.set(name, value);
  }
  try {
    const { stdout, status } = lab.run(script, STEPS);
    return { stdout, status };
  } catch (error) {
    if (error instanceof OutOfSteps) return undefined;
    throw error;
  }
}

/** What runs in `sh`: limits, an empty folder, and `$1`, which is bash, under `$2`, timeout(1), with the script `$3`. */
const HARNESS = `
dir=$(mktemp -d) && cd "$dir" && printf '%s' "$3" > script || exit 125
ulimit -t 5 && ulimit -v 500000 && ulimit -f 2000 && ulimit -c 0 && ulimit -n 1024 || exit 125
env -i PATH=/nowhere HOME="$dir" LC_ALL=C.UTF-8 "$2" -k 1 5 "$1" --posix script </dev/null 2>/dev/null
status=$?
cd / && rm -rf "$dir"
exit $status
`;

/** bash's own status for a script that \`timeout\` has ended. */
const TIMED_OUT = [124, 137];

/** How bash is started without rights; undefined if it cannot be. */
async function unprivileged(): Promise<readonly string[] | string> {
  const found = await output("sh", ["-c", "id -u; command -v bash; command -v timeout; command -v setpriv"]);
  const [user, bash, timeout, setpriv] = found.stdout.split("\n");
  if (!bash?.startsWith("/")) return "there is no bash here";
  if (!timeout?.startsWith("/")) return "there is no timeout(1) here to end what does not end";
  const run = (harness: string) => ["sh", "-c", harness, "sh", bash, timeout];
  if (user !== "0") return run(HARNESS);
  if (!setpriv?.startsWith("/")) return "this is root, and there is no setpriv(1) here to become nobody";
  const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--inh-caps=-all"];
  const probe = await output(setpriv, [...nobody, "--", ...run("id -u")]);
  return probe.stdout === "65534\n"
    ? [setpriv, ...nobody, "--", ...run(HARNESS)]
    : "this is root, and cannot become nobody";
}

async function output(command: string, args: readonly string[]): Promise<{ stdout: string; code: number }> {
  try {
    const { stdout, code } = await new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      env: { TMPDIR: "/tmp" },
    }).output();
    return { stdout: new TextDecoder().decode(stdout), code };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { stdout: "", code: 127 };
    throw error;
  }
}

/** Two shells to compare. */
class Comparison {
  constructor(readonly prefix: readonly string[]) {}

  async bash(script: string): Promise<Behaviour> {
    const [command = "sh", ...args] = this.prefix;
    const { stdout, code } = await output(command, [...args, script]);
    if (code === 125) throw new Error("the harness could not set its limits");
    return TIMED_OUT.includes(code) ? undefined : { stdout, status: code };
  }

  /** Whether the shells differ; `undetermined` if bash differs from itself, `endless` if neither ends. */
  async differ(script: string): Promise<"same" | "different" | "undetermined" | "endless"> {
    const theirs = await this.bash(script);
    const ours = runHere(script);
    if (theirs === undefined && ours === undefined) return "endless";
    if (same(theirs, ours)) return "same";
    for (let i = 0; i < 3; i++) if (!same(theirs, await this.bash(script))) return "undetermined";
    return "different";
  }

  /**
   * A smaller script that still differs: words and lines are left out as long as that helps, and as long as both
   * shells take it, since a script that is cut in the wrong place differs by its syntax error.
   */
  async shrink(script: string): Promise<string> {
    const isDifferent = async (text: string) => {
      try {
        parseScript(text);
        return !same(await this.bash(text), runHere(text)) &&
          (await this.bash(`set -n\n${text}`))?.status === 0;
      } catch {
        return false;
      }
    };
    let parts: readonly string[] = script.match(/\n|[^\S\n]+|\S+/g) ?? [];
    for (let size = parts.length >> 1; size >= 1; size >>= 1) {
      for (let at = 0; at < parts.length;) {
        const fewer = parts.toSpliced(at, size);
        if (await isDifferent(fewer.join(""))) parts = fewer;
        else at += size;
      }
    }
    return parts.join("");
  }
}

function same(a: Behaviour, b: Behaviour): boolean {
  return a?.stdout === b?.stdout && a?.status === b?.status;
}

if (import.meta.main) {
  const seed = numberOption("seed", 1);
  const count = numberOption("count", 500);
  const prefix = await unprivileged();
  if (typeof prefix === "string") {
    console.log(`${prefix}: nothing was compared\n0 passed, 0 failed, ${count} skipped`);
  } else {
    const comparison = new Comparison(prefix);
    const counts = { same: 0, different: 0, undetermined: 0, endless: 0 };
    console.log(`seeds ${seed} to ${seed + count - 1}`);
    for (let at = seed; at < seed + count; at++) {
      const script = bashScript(at);
      let verdict: keyof typeof counts;
      try {
        verdict = await comparison.differ(script);
      } catch (error) {
        console.log(`--- seed ${at}: ${error instanceof Error ? error.stack : error}\n${script}`);
        counts.different++;
        continue;
      }
      counts[verdict]++;
      if (verdict !== "different") continue;
      const small = await comparison.shrink(script);
      const [theirs, ours] = [await comparison.bash(small), runHere(small)];
      console.log(
        `--- seed ${at}:\n${small}\nbash: ${JSON.stringify(theirs)}\nhere: ${JSON.stringify(ours)}`,
      );
    }
    const { undetermined, endless } = counts;
    console.log(
      `${counts.same} passed, ${counts.different} failed, ${undetermined + endless} skipped ` +
        `(${undetermined} undetermined in bash, ${endless} end in neither shell)`,
    );
    Deno.exitCode = counts.different > 0 ? 1 : 0;
  }
}
