/** `compare`: one script on several systems; few loops. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { main } from "../dsl/cli.ts";
import { EXAMPLES } from "./session_rig.ts";

const examples = new Map(Object.entries(EXAMPLES));
examples.set("silent.rtk", "true\n");
examples.set("failing.rtk", "exit 4\n");

async function run(args: string): Promise<{ status: number; out: string; err: string }> {
  let out = "", err = "";
  const host = {
    read: (path: string) => {
      const text = examples.get(path);
      return text === undefined ? { problem: "No such file or directory" } : { text };
    },
    list: (folder: string) =>
      [...examples.keys()].flatMap((path) =>
        path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : []
      ),
    write: () => "nothing is written here",
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    errIsTerminal: false,
    repl: () => Promise.resolve(0),
  };
  const status = await main(args.split(" "), host);
  return { status, out, err };
}

Deno.test("systems stand side by side: what the talk prints, and what is a prediction", async () => {
  const { status, out, err } = await run("compare examples/slide25_row.rtk --on kvm,rfc-v1,rfc-v2 -- 200");
  assertEquals([status, err], [0, ""]);
  assertMatch(out, /^kvm +linux-3\.4\.0 .* 5\.\d\d +\d+\.\d +200 +slide 25: 7\/13\/558$/m);
  assertMatch(out, /^rfc-v1 +linux-3\.4\.0 .* \d+\.\d +200 +prediction: the talk prints nothing$/m);
  assertMatch(out, /^rfc-v2 +linux-3\.4\.0 .* 0\.00 +\d+\.\d +200 +slide 25: 2\/2\/15$/m);
  assertStringIncludes(out, "* maxima are not ranked: ");
  assertStringIncludes(out, "slide 25: 2 rows calibrated on\nrests on ");
});

Deno.test("the first thing done differently is shown from both sides, at one time", async () => {
  const { out } = await run("compare examples/slide25_row.rtk --on kvm,rfc-v2 -- 20");
  const [, time] = out.match(/^rfc-v2 first differs from kvm at (\d+\.\d{9} s):$/m)!;
  const [stock, direct] = ["kvm", "rfc-v2"].map((system) =>
    out.match(new RegExp(`^ {2}${system} +\\d+ .*$`, "m"))![0]
  );
  assertStringIncludes(direct!, time!);
  assert(stock!.replace(/^ +\S+ +/, "") !== direct!.replace(/^ +\S+ +/, ""));
});

Deno.test("several kernels are compared in one table", async () => {
  const { out } = await run(
    "compare examples/slide25_row.rtk --on kvm,rfc-v2 --kernel linux-3.4.0,linux-3.4.4-rt14 -- 20",
  );
  for (const system of ["kvm", "rfc-v2"]) {
    for (const kernel of ["linux-3.4.0", "linux-3.4.4-rt14"]) {
      assertMatch(out, new RegExp(`^${system} +${kernel.replaceAll(".", "\\.")} +\\d`, "m"));
    }
  }
  assertMatch(out, /^rfc-v2 linux-3\.4\.4-rt14 first differs from kvm linux-3\.4\.0 at /m);
});

Deno.test("watching a run for its first difference changes no result", async () => {
  const { out } = await run("compare examples/slide25_row.rtk --on rfc-v2,talk --json -- 50");
  const [direct, talk] = out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals([direct.system, talk.system, direct.n], ["rfc-v2", "talk", 50]);
  const alone = await run("run examples/slide25_row.rtk --system rfc-v2 --json -- 50");
  assertEquals(JSON.parse(alone.out).hash, direct.hash);
});

Deno.test("wrong use says what would be right; a failing script gives its status", async () => {
  const cases: [args: string, status: number, says: string][] = [
    ["compare", 2, "expected the file of one script"],
    ["compare silent.rtk", 2, "--on: expected two systems or more"],
    ["compare silent.rtk --on kvm", 2, "--on: expected two systems or more"],
    ["compare silent.rtk --on kvm,rfcv2", 2, "did you mean rfc-v2?"],
    ["compare silent.rtk --on kvm,talk --kernel 3.4", 2, "unknown kernel"],
    ["compare silent.rtk --on kvm,talk --seed x", 2, "expected an integer"],
    ["compare silent.rtk --on kvm,talk", 1, "nothing was measured"],
    ["compare failing.rtk --on kvm,talk", 4, "kvm: status 4"],
    ["compare nope.rtk --on kvm,talk", 127, "No such file"],
  ];
  for (const [args, status, says] of cases) {
    const ran = await run(args);
    assertEquals([args, ran.status, ran.out], [args, status, ""]);
    assertStringIncludes(ran.err, says);
  }
});
