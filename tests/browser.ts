/**
 * `deno task browser`: the library, bundled for a browser, runs a script in Chromium, and what comes out is what comes out
 * here. Where there is no Chromium the test is skipped, and a line says so.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { played } from "./browser_page.ts";

const PAGE = `<!DOCTYPE html><meta charset="utf-8"><title>rtkvm</title><pre id="out"></pre>
<script type="module">
  import { played } from "./page.js";
  const out = document.getElementById("out");
  try { out.textContent = await played(); } catch (error) { out.textContent = "failed: " + error.stack; }
</script>`;

/** What a program writes; undefined: there is no such program. @throws Error if it fails */
async function outputOf(program: string, args: readonly string[]): Promise<string | undefined> {
  const cwd = new URL("..", import.meta.url);
  const command = new Deno.Command(program, { args: [...args], cwd, stdin: "null", stderr: "piped" });
  try {
    const { success, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    if (!success) throw new Error(`${program} ${args.join(" ")}: ${decoder.decode(stderr)}`);
    return decoder.decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

let chromium: string | undefined;
for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
  if (chromium === undefined && await outputOf(name, ["--version"]) !== undefined) chromium = name;
}
if (chromium === undefined) {
  console.log("There is no Chromium here: what a browser makes of it is not tested.");
}

Deno.test({
  name: "the library runs in a browser, and leads to the same output and the same state",
  ignore: chromium === undefined,
  async fn() {
    const bundle = await outputOf(Deno.execPath(), [
      ...["bundle", "--quiet", "--platform", "browser", "tests/browser_page.ts"],
    ]);
    const types: Readonly<Record<string, string>> = { "/": "text/html", "/page.js": "text/javascript" };
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
      const { pathname } = new URL(url);
      const type = types[pathname];
      if (type === undefined) return new Response("", { status: 404 });
      return new Response(pathname === "/" ? PAGE : bundle, { headers: { "content-type": type } });
    });
    try {
      const dom = await outputOf(chromium!, [
        ...["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000", "--dump-dom"],
        `http://127.0.0.1:${server.addr.port}/`,
      ]);
      const [, shown = ""] = /<pre id="out">([^]*?)<\/pre>/.exec(dom!) ?? [];
      const text = shown.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
      assertEquals(text, await played());
      assertStringIncludes(text, "\nstatus 0\n");
    } finally {
      await server.shutdown();
    }
  },
});
