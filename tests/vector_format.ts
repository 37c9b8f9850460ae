/**
 * What a format of recorded vectors is to the runner, `vectors.ts`.
 *
 * A format is known by a file's content, so a file may lie anywhere. One more format is one module that exports a
 * {@linkcode VectorFormat}, and one line in the list of `vectors.ts`.
 */

/** What became of one vector: nothing more than its name says that it passed. */
export interface VectorResult {
  readonly name: string;
  /** How it differs from what was recorded. */
  readonly difference?: string | undefined;
  /** Why it is meant to differ, and does so just as it is meant to: counted apart, never as passed. */
  readonly expected?: string | undefined;
}

/** A kind of file that holds vectors. */
export interface VectorFormat {
  /** What the format is called: `kvm-lapic/1`. */
  readonly name: string;
  /** Whether a file with this content, parsed from JSON, is of this format. */
  recognises(content: unknown): boolean;
  /** Runs every vector of a file, in its order. */
  run(content: unknown): Iterable<VectorResult>;
}

/** Whether a file says of itself that it is of a format: `{"format": "kvm-lapic/1", …}`. */
export function saysFormat(content: unknown, name: string): boolean {
  return typeof content === "object" && content !== null && (content as { format?: unknown }).format === name;
}

/** The result of a vector whose check says how it differs, or throws. */
export function vectorResult(name: string, check: () => string | undefined): VectorResult {
  try {
    return { name, difference: check() };
  } catch (error) {
    return { name, difference: `threw ${error instanceof Error ? error.stack : error}` };
  }
}
