/**
 * A laboratory that nobody needs any more is gone with the next collection of young objects: nothing that it is made of is
 * kept where only a full collection looks (see `hw/sim/young.ts`).
 */
import { assertEquals } from "@std/assert";
import { filesUnder, root } from "./project_files.ts";

/** The modules below folders of the project, with their texts. */
function modules(...folders: string[]): [path: string, text: string][] {
  return folders.flatMap((folder) => [...filesUnder(folder)]).filter((path) => path.endsWith(".ts"))
    .map((path) => [path, Deno.readTextFileSync(new URL(path, root))]);
}

/** `PATH:LINE` of each place that `pattern` finds. */
function places(of: [path: string, text: string][], pattern: RegExp): string[] {
  return of.flatMap(([path, text]) =>
    text.split("\n").flatMap((line, i) => pattern.test(line) ? [`${path}:${i + 1} ${line.trim()}`] : [])
  );
}

const parts = modules("hw/", "runtime/");

Deno.test("a function that is kept in a property of another object is young", () => {
  const found = places(
    parts,
    /[\w\])!]\.#?\w+ (\?\?|\|\|)?= *(async )?(\([^=]*\)(: [^=]+)?|\w+) *=>|[\w\])!]\.#?\w+ = function/,
  );
  assertEquals(found.filter((place) => !place.includes("young(")), []);
});

Deno.test("a getter belongs to a class, not to an object that is made for each laboratory", () => {
  // The profile is made once; a device of a script's own is its script's.
  const found = places(parts, /^ {4,}(get|set) \w+\(/);
  assertEquals(found.map((place) => place.split(":")[0]), ["hw/custom_device.ts", "runtime/lab/profile.ts"]);
});

Deno.test("what every laboratory has many of is no literal: files are made by a class, register tables once", () => {
  const literals = places(parts, /^(?! \*).*kind: "attribute",/);
  assertEquals(literals, []);
  const tables = places(modules("hw/"), /^ (?!\*).*(?<![.\w])register\(["`]/);
  // Those whose width, place or reset value the function says.
  assertEquals(
    new Set(tables.map((place) => place.split(":")[0])),
    new Set(["hw/msi_capability.ts", "hw/pci.ts"]),
  );
});

Deno.test("a generator is a method or a function of its module: none is written inside a function", () => {
  const found = places(modules("hw/", "runtime/linux/", "runtime/lab/", "runtime/guest/"), /\bfunction ?\*/)
    .filter((place) => !/:\d+ (export )?function\* \w/.test(place));
  assertEquals(found.map((place) => place.split(":")[0]), ["hw/register_file.ts"]); // once, for its prototype
});
