/** Runs the recorded shell vectors on a toy machine (`vectors/shell/*.json`). */
import { ToyLab } from "./toy_machine.ts";

/** One recorded script. */
export interface ShellVector {
  readonly name: string;
  readonly script: string;
  readonly stdout: string;
  readonly status: number | "nonzero";
  /** Where present: something is on stderr, and it contains this. */
  readonly stderr_has?: string;
}

/**
 * Vectors that differ on purpose: the whole script is parsed before anything runs, so lines before a syntax error do
 * not run. What is checked of them is everything but the output of those lines.
 */
export const parsedFirst: ReadonlySet<string> = new Set(["syn/unexpected-done", "syn/earlier-lines-run"]);

/** Runs a vector; the answer says how it differs, or is undefined. */
export function runShellVector(vector: ShellVector): string | undefined {
  const lab = new ToyLab();
  lab.host.vfs.mkdir("/tmp/v");
  lab.shell.cwd = "/tmp/v";
  lab.shell.set("PATH", "/usr/bin:/bin");
  const { stdout, stderr, status } = lab.run(vector.script);
  const wanted = parsedFirst.has(vector.name) ? "" : vector.stdout;
  if (stdout !== wanted) {
    return `stdout ${JSON.stringify(stdout)}, wanted ${JSON.stringify(wanted)}; stderr ${stderr}`;
  }
  if (vector.status === "nonzero" ? status === 0 : status !== vector.status) {
    return `status ${status}, wanted ${vector.status}; stderr ${stderr}`;
  }
  if (vector.stderr_has !== undefined && (stderr === "" || !stderr.includes(vector.stderr_has))) {
    return `stderr ${JSON.stringify(stderr)}, wanted something with ${JSON.stringify(vector.stderr_has)}`;
  }
  return undefined;
}
