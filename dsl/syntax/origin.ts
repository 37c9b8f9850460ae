/**
 * Where commands come from: a text, and the place in it. The same text, parsed again, has the same commands.
 *
 * @module
 */

/** A text that was parsed, with the name that messages call it. */
export interface OriginText {
  readonly name: string;
  readonly text: string;
}

/** A place in a text. */
export interface Origin {
  readonly source: OriginText;
  /** Offset of its first character. */
  readonly start: number;
}

const origins = new WeakMap<object, Origin>();

/** A command of a list, or the body of a function, begins at `start` of a source. */
export function rememberOrigin(node: object, source: OriginText, start: number): void {
  origins.set(node, { source, start });
}

/** Where it comes from; undefined for what is neither. */
export function originOf(node: object): Origin | undefined {
  return origins.get(node);
}

/** The commands of lists and the bodies of functions in a tree, however deep, by where they begin. */
export function nodesByStart(tree: object): Map<number, object[]> {
  const found = new Map<number, object[]>();
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    const origin = origins.get(node);
    if (origin !== undefined) found.set(origin.start, [...found.get(origin.start) ?? [], node]);
    for (const child of Object.values(node)) visit(child);
  };
  visit(tree);
  return found;
}
