/** Runs the recorded shell vectors on a toy machine (`vectors/shell/*.json`). */
import { ToyLab } from "./toy_machine.ts";
import { type VectorFormat, vectorResult } from "./vector_format.ts";

/** One recorded script. */
export interface ShellVector {
  readonly name: string;
  readonly script: string;
  readonly stdout: string;
  readonly status: number | "nonzero";
  /** Where present: something is on stderr, and it contains this. */
  readonly stderr_has?: string;
}

const parsedFirst =
  "the whole script is parsed before anything runs, so lines before a syntax error do not run";

/**
 * Vectors that differ on purpose: what they print here instead, and why. Status and errors are those recorded.
 */
const differences: Readonly<Record<string, { readonly stdout: string; readonly reason: string }>> = {
  "syn/unexpected-done": { stdout: "", reason: parsedFirst },
  "syn/earlier-lines-run": { stdout: "", reason: parsedFirst },
};

/** Runs a vector; the answer says how it differs, or is undefined. */
function differenceOf(vector: ShellVector): string | undefined {
  const lab = new ToyLab();
  lab.host.vfs.mkdir("/tmp/v");
  lab.shell.cwd = "/tmp/v";
  lab.shell.set("PATH", "/usr/bin:/bin");
  const { stdout, stderr, status } = lab.run(vector.script);
  if (stdout !== vector.stdout) {
    return `stdout ${JSON.stringify(stdout)}, wanted ${JSON.stringify(vector.stdout)}; stderr ${stderr}`;
  }
  if (vector.status === "nonzero" ? status === 0 : status !== vector.status) {
    return `status ${status}, wanted ${vector.status}; stderr ${stderr}`;
  }
  if (vector.stderr_has !== undefined && (stderr === "" || !stderr.includes(vector.stderr_has))) {
    return `stderr ${JSON.stringify(stderr)}, wanted something with ${JSON.stringify(vector.stderr_has)}`;
  }
  return undefined;
}

/** Arrays of scripts with what they print and how they end. */
export const shellVectors: VectorFormat = {
  name: "shell scripts",

  recognises(content: unknown): boolean {
    return Array.isArray(content) && content.length > 0 &&
      content.every((vector) =>
        typeof vector?.name === "string" && typeof vector.script === "string" &&
        typeof vector.stdout === "string" &&
        (typeof vector.status === "number" || vector.status === "nonzero")
      );
  },

  *run(content: unknown) {
    for (const vector of content as readonly ShellVector[]) {
      const meant = differences[vector.name];
      if (meant === undefined) {
        yield vectorResult(vector.name, () => differenceOf(vector));
        continue;
      }
      const result = vectorResult(vector.name, () => differenceOf({ ...vector, stdout: meant.stdout }));
      yield { ...result, expected: meant.reason };
    }
  },
};
