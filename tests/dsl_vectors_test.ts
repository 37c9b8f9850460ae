/** Scripts recorded from bash --posix and dash (`vectors/shell/*.json`) give what was recorded. */
import { assertEquals } from "@std/assert";
import { runVectorFile } from "./vectors.ts";

const folder = new URL("./vectors/shell/", import.meta.url);
const files = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();

for (const file of files) {
  Deno.test(`shell vectors: ${file.replace(".json", "")}`, () => {
    const report = runVectorFile(new URL(file, folder).pathname);
    assertEquals(report?.failures, []);
  });
}
