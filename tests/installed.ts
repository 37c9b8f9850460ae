/**
 * `deno task installed`: the command that `deno task install` makes is the program that stands here: what it writes, to
 * which descriptor, and its status are the same, byte for byte, for every way in.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { bundle, install } from "./install.ts";

/** How a program was called. */
interface Call {
  readonly args: readonly string[];
  /** What a pipe brings. */
  readonly typed?: string;
}

const CALLS: readonly Call[] = [
  { args: ["version"] },
  { args: ["help"] },
  { args: ["help", "sweep"] },
  { args: ["runn"] },
  { args: ["run", "tests/one_line.rtk"] },
  { args: ["run", "examples/talk_setup.rtk", "--verbose"] },
  { args: ["run", "examples/slide25_row.rtk", "--json", "--system", "kvm", "--", "1000"] },
  { args: ["run", "examples/slide25_row.rtk", "--profile", "idle-fit", "--", "1000"] },
  { args: ["run", "no_such.rtk"] },
  { args: [] },
  { args: ["repl", "--profile", "no_such.yaml"] },
  { args: [], typed: "help ssh\nls\n. ./talk_setup.rtk\nstep interrupt\nback\nwhy\nexit 3\necho not this\n" },
  { args: ["repl", "--era", "today"], typed: "for i in 1 2\ndo echo $i\ndone\necho 'open" },
  { args: ["slides", "coverage"] },
  { args: ["slides", "11"] },
  { args: ["explain", "max", "examples/slide26_row.rtk", "--", "500"] },
  { args: ["verify", "examples/lessons/3_direct_eoi.md"] },
  { args: ["params"] },
  { args: ["sweep", "examples/slide25_row.rtk", "--seeds", "1-3", "--threads", "2", "--", "200"] },
];

const project = new URL("..", import.meta.url);

/** The installed command calls `deno`: where the one that runs this test may not be found by itself. */
const PATH = `${Deno.execPath().replace(/\/[^/]*$/, "")}:${Deno.env.get("PATH")}`;

/** What a program writes to its two descriptors, and its status. */
async function outcome(program: string, args: readonly string[], typed: string | undefined) {
  const command = new Deno.Command(program, {
    args: [...args],
    cwd: project,
    env: { NO_COLOR: "1", PATH },
    stdin: typed === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  if (typed !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(typed));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("the installed command writes what the program writes, and ends as it does", async (test) => {
  const root = await Deno.makeTempDir();
  try {
    await bundle(`${root}/bundle`);
    await install(`${root}/bundle`, root);
    const rtkvm = `${root}/bin/rtkvm`;
    for (const { args, typed } of CALLS) {
      await test.step(`rtkvm ${args.join(" ")}`, async () => {
        const source = ["run", "--allow-read=.", "mod.ts", ...args];
        assertEquals(await outcome(rtkvm, args, typed), await outcome(Deno.execPath(), source, typed));
      });
    }
    await test.step("it writes below the folder that it is started in, and nowhere else", async () => {
      const trace = ["run", "tests/one_line.rtk", "--trace", `${root}/trace.txt`];
      const { code, stderr } = await outcome(rtkvm, trace, undefined);
      assertEquals(code, 1);
      assertMatch(stderr, /no permission to write: rtkvm writes below the folder that it is started in\n$/);
    });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
