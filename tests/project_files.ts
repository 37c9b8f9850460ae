/**
 * The files of the project, for tests of the tree itself.
 *
 * @module
 */

/** Where the project lies. */
export const root = new URL("../", import.meta.url);

/** Paths of the files below `folder`, `hw/`, relative to the root, by name; none where it is not there. */
export function* filesUnder(folder: string): Generator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(new URL(folder, root))];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory) yield* filesUnder(`${folder}${entry.name}/`);
    else yield folder + entry.name;
  }
}
