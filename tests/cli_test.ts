/**
 * The command line, in process: a fake host port stands for the computer.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { main, VERSION } from "../dsl/cli.ts";
import type { HostPort } from "../dsl/host/host_port.ts";
import { COMMANDS } from "../dsl/cli_help.ts";
import { PUBLISHED_LATENCIES } from "../runtime/measure/published.ts";
import { EXAMPLES } from "./session_rig.ts";

/** A computer with some files, whose output is kept. */
class FakeHost implements HostPort {
  stdout = "";
  stderr = "";
  errIsTerminal = false;
  readonly written = new Map<string, string>();
  /** What stands in the way of writing. */
  problem: string | undefined;
  readonly replOptions: unknown[] = [];
  /** What is on standard input. */
  input = "";

  constructor(readonly files: Readonly<Record<string, string>> = {}) {}

  read(path: string) {
    const text = this.files[path];
    return text === undefined ? { problem: "No such file or directory" } : { text };
  }

  readInput() {
    return { text: this.input };
  }

  write(path: string, text: string): string | undefined {
    if (this.problem === undefined) this.written.set(path, text);
    return this.problem;
  }

  list(path: string): string[] {
    return Object.keys(this.files)
      .filter((file) => file.startsWith(path === "." ? "" : `${path}/`))
      .map((file) => path === "." ? file : file.slice(path.length + 1))
      .filter((file) => !file.includes("/"));
  }

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
  }

  repl(options: unknown): Promise<number> {
    this.replOptions.push(options);
    return Promise.resolve(0);
  }
}

async function run(args: string, files?: Record<string, string>) {
  const host = new FakeHost(files);
  const status = await main(args.split(" ").filter((arg) => arg !== ""), host);
  return { host, status, stdout: host.stdout, stderr: host.stderr };
}

Deno.test("the version is that of deno.json", async () => {
  const config = JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url)));
  assertEquals(VERSION, config.version);
  assertEquals((await run("version")).stdout, `rtkvm ${VERSION}\n`);
  assertEquals((await run("--version")).stdout, `rtkvm ${VERSION}\n`);
});

Deno.test("without arguments it is the prompt", async () => {
  const { host, status } = await run("");
  assertEquals([status, host.replOptions.length], [0, 1]);
});

Deno.test("help lists every command, and tells about each with an example", async () => {
  const all = (await run("help")).stdout;
  for (const name of COMMANDS.keys()) {
    assertMatch(all, new RegExp(`^ {2}${name} `, "m"));
    const { stdout, status } = await run(`help ${name}`);
    assertEquals(status, 0);
    assertMatch(stdout, /^Usage: rtkvm /);
    assertMatch(stdout, /deno run /);
    assertEquals((await run(`${name} --help`)).status, 0);
  }
});

Deno.test("wrong use has status 2 and says what was meant", async () => {
  const cases: [args: string, says: string][] = [
    ["rn x.rtk", "did you mean run?"],
    ["x.rtk", "to run a script: run x.rtk"],
    ["run", "expected the file of a script"],
    ["run x.rtk --sytem kvm", "did you mean --system?"],
    ["run x.rtk --system kvn", "did you mean kvm?"],
    ["run x.rtk --kernel linux-3.4.4", "did you mean"],
    ["run x.rtk --seed 1.5", "expected an integer"],
    ["run x.rtk --seed", "expected a value"],
    ["run x.rtk y.rtk --trace t.txt", "expected one script"],
    ["run x.rtk --loops 3", "takes no --loops"],
    ["demo --loops 0", "1 or more"],
    ["demo --strict", "takes no --strict"],
    ["help rnu", "did you mean run?"],
    ["repl x.rtk", "to run a script"],
  ];
  for (const [args, says] of cases) {
    const { status, stderr, stdout } = await run(args, { "x.rtk": "echo ran\n" });
    assertEquals([args, status, stdout], [args, 2, ""]);
    assertStringIncludes(stderr, says);
    assertMatch(stderr, /^rtkvm: /);
  }
});

Deno.test("the exit status is the script's", async () => {
  assertEquals((await run("run x.rtk", { "x.rtk": "echo a; exit 7\n" })).status, 7);
  assertEquals((await run("run x.rtk", { "x.rtk": "false\n" })).status, 1);
  assertEquals((await run("run x.rtk", { "x.rtk": "nosuch\n" })).status, 127);
  assertEquals((await run("run x.rtk y.rtk", { "x.rtk": "exit 3\n", "y.rtk": "echo y\n" })).stdout, "y\n");
  assertEquals((await run("run x.rtk y.rtk", { "x.rtk": "exit 3\n", "y.rtk": "exit 4\n" })).status, 3);
});

Deno.test("a script named - is read from standard input, and has the current folder's scripts beside it", async () => {
  const fed = async (input: string, args: readonly string[], files: Record<string, string> = {}) => {
    const host = new FakeHost(files);
    host.input = input;
    return { status: await main(args, host), stdout: host.stdout, stderr: host.stderr };
  };
  assertEquals(
    await fed(". ./lib.rtk\necho $0 $1 $who; exit 3\n", ["run", "-", "--", "a"], { "lib.rtk": "who=you\n" }),
    { status: 3, stdout: "<stdin> a you\n", stderr: "" },
  );
  const unknown = await fed("nosuch -x\n", ["run", "-"]);
  assertEquals(unknown, { status: 127, stdout: "", stderr: "<stdin>: line 1: nosuch: command not found\n" });
  const wrong = await fed("true\nfi\n", ["run", "-"]);
  assertEquals([wrong.status, wrong.stderr.split("\n")[0]], [
    2,
    "<stdin>:2:1: syntax error near unexpected token \`fi'",
  ]);
  const explained = await fed("cyclictest -n -q -l 100\n", ["explain", "max", "-", "--system", "bare-metal"]);
  assertEquals([explained.status, explained.stderr], [0, ""]);
});

Deno.test("a script that is not there has status 127, as a shell says", async () => {
  const { status, stderr } = await run("run nope.rtk");
  assertEquals([status, stderr], [127, "rtkvm: nope.rtk: No such file or directory\n"]);
});

Deno.test("after a syntax error nothing has run, of no script; the place and what was expected are named", async () => {
  const files = { "good.rtk": "echo ran\n", "bad.rtk": "echo ran\nif true; then\nfi\n" };
  const { status, stdout, stderr } = await run("run good.rtk bad.rtk", files);
  assertEquals([status, stdout], [2, ""]);
  assertMatch(
    stderr,
    /^bad\.rtk:3:1: syntax error near unexpected token `fi'\n {2}3 \| fi\n {4}\| \^ .*expected/,
  );
});

Deno.test("a bad profile has status 1, and all its problems are listed with key path and line", async () => {
  const profile = `profile: mine
hw:
  processor:
    vm_exitt: { value: 1, unit: ns, kind: assumed, source: test }
    vm_entry: { value: 1, unit: parsec, kind: assumed, source: test }
`;
  const { status, stdout, stderr } = await run("run x.rtk --profile p.yaml", {
    "x.rtk": "echo ran\n",
    "p.yaml": profile,
  });
  assertEquals([status, stdout], [1, ""]);
  assertMatch(stderr, /p\.yaml:4:\d+: hw\.processor\.vm_exitt: .*did you mean vm_exit\?/);
  assertMatch(stderr, /p\.yaml:5:\d+: hw\.processor\.vm_entry\.unit: /);
  assertEquals((await run("run x.rtk --profile q.yaml", { "x.rtk": "echo ran\n" })).status, 1);
});

Deno.test("--system, --kernel and --seed say what is booted first", async () => {
  const { stdout } = await run("run x.rtk --system kvm --kernel linux-3.4.4-rt14 --seed 9", {
    "x.rtk": "boot\n",
  });
  assertEquals(stdout, "system kvm, kernel linux-3.4.4-rt14, seed 9\n");
});

Deno.test("what follows -- are the script's parameters", async () => {
  assertEquals(
    (await run("run x.rtk -- 12 --seed", { "x.rtk": 'echo "$#: $1 $2"\n' })).stdout,
    "2: 12 --seed\n",
  );
});

Deno.test("scripts beside the script lie beside it in the virtual tree, a copy that can be written to", async () => {
  const files = {
    "some/set/a.rtk": ". ./b.rtk; pwd; ls; echo echo changed > b.rtk; . ./b.rtk; uname > out.txt; ls\n",
    "some/set/b.rtk": "echo from b\n",
    "some/set/notes.txt": "no script\n",
    "some/c.rtk": "echo not beside it\n",
  };
  const { stdout, stderr } = await run("run some/set/a.rtk", files);
  assertEquals(stdout, "from b\n/root/set\na.rtk\nb.rtk\nchanged\na.rtk\nb.rtk\nout.txt\n");
  assertEquals(stderr, "");
});

Deno.test("$0 and BASH_SOURCE of a script in a folder lead to it in the virtual tree; messages name its file", async () => {
  const files = {
    "some/set/a.rtk": [
      'cd /tmp; here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"; echo "$here $(dirname "$0")"',
      '. "$here/b.rtk"; nosuch\n',
    ].join("\n"),
    "some/set/b.rtk": 'echo "${BASH_SOURCE[0]}"\n',
  };
  const { stdout, stderr } = await run("run some/set/a.rtk", files);
  assertEquals(stdout, "/root/set /root/set\n/root/set/b.rtk\n");
  assertEquals(stderr, "some/set/a.rtk: line 2: nosuch: command not found\n");
});

Deno.test("a machine that boot makes has the scripts too", async () => {
  const files = { "a.rtk": "boot bare-metal\n. ./b.rtk\n", "b.rtk": "echo from b\n" };
  assertStringIncludes((await run("run a.rtk", files)).stdout, "from b\n");
});

Deno.test("--strict takes only what Linux takes", async () => {
  const files = { "x.rtk": "set -e\necho 8086:10ed > /sys/bus/pci/drivers/pci-stub/new_id\necho on\n" };
  const lenient = await run("run x.rtk", files);
  assertEquals([lenient.status, lenient.stdout], [0, "on\n"]);
  assertStringIncludes(lenient.stderr, "D1: Linux wants a blank");
  const strict = await run("run x.rtk --strict", files);
  assertEquals(strict.status, 1);
  assertStringIncludes(strict.stderr, "x.rtk: line 2: echo: write error: Invalid argument");
});

const bench = { "x.rtk": "echo said\nssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 50 -h 100\n" };

Deno.test("--json: standard output has one line for each result, and nothing else", async () => {
  const { stdout, stderr } = await run("run x.rtk --json --system bare-metal", bench);
  const lines = stdout.trimEnd().split("\n");
  assertEquals(lines.length, 1);
  const result = JSON.parse(lines[0]!);
  const fields = "version slide system kernel n seed min_us avg_us max_us events exits hash".split(" ");
  for (const field of fields) assert(field in result, field);
  assertEquals([result.system, result.kernel, result.n, result.seed], ["bare-metal", "linux-3.4.0", 50, 1]);
  assertEquals(result.slide, null); // the slide's row has load on the host
  assertEquals(result.exits, { total: 0 });
  assertMatch(result.hash, /^[0-9a-f]{16}$/);
  assertStringIncludes(stderr, "said\n# /dev/cpu_dma_latency set to 0us\n");
});

Deno.test("--json: iperf, ping and sysbench have a line each, too", async () => {
  const files = {
    "x.rtk": "iperf -s > /dev/null & sleep 0.1; iperf -c host -t 1; ping -c 2 host\n" +
      "sysbench --test=cpu --max-requests=10 run\ncyclictest -n -q -l 10\n",
  };
  const { stdout, status } = await run("run x.rtk --json --system bare-metal", files);
  const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(status, 0);
  assertEquals(lines.map(({ program }) => program), ["cyclictest", "iperf", "ping", "sysbench"]);
  for (const { version, system, seed } of lines) assertEquals([version, system, seed], [1, "bare-metal", 1]);
  const [, iperf, ping, sysbench] = lines;
  assert(iperf.bits_per_second > 0 && iperf.length_ns >= 1e9);
  assert(ping.round_trip_ns.min > 0);
  assertEquals([sysbench.requests, sysbench.max_prime], [10, 10_000]);
});

Deno.test("--json: an error is a line of JSON, and a message for people", async () => {
  const syntax = await run("run x.rtk --json", { "x.rtk": "true\nfor i in 1\necho\n" });
  const { version, error } = JSON.parse(syntax.stdout);
  assertEquals([syntax.status, version, error.kind, error.file, error.line, error.column, error.status], [
    2,
    1,
    "syntax",
    "x.rtk",
    3,
    1,
    2,
  ]);
  assertEquals(`${error.message}\n`, syntax.stderr);
  for (
    const [args, files, expected] of [
      ["run nosuch.rtk --json", {}, ["file", "nosuch.rtk", 127]],
      ["run x.rtk --json --profile nosuch", bench, ["file", "nosuch", 1]],
      ["run x.rtk --json --profile p.yaml", { ...bench, "p.yaml": "profile: p\nhw: 1\n" }, [
        "profile",
        "p.yaml",
        1,
      ]],
    ] as const
  ) {
    const { stdout, stderr, status } = await run(args, files);
    const [line, ...more] = stdout.trimEnd().split("\n");
    const { error } = JSON.parse(line!);
    assertEquals([more, error.kind, error.file, error.status], [[], ...expected], args);
    assertEquals(status, error.status);
    assertEquals(stderr, `${error.message}\n`);
  }
});

Deno.test("the same seed twice gives the same bytes, another seed does not", async () => {
  const [one, again, other] = await Promise.all(
    [5, 5, 6].map(async (seed) =>
      (await run(`run x.rtk --json --system bare-metal --seed ${seed}`, bench)).stdout
    ),
  );
  assertEquals(one, again);
  assert(one !== other);
});

Deno.test("progress is shown on a terminal only, on standard error, and is gone at the end", async () => {
  const silent = await run("run x.rtk --system bare-metal", bench);
  assertEquals(silent.stderr, "");
  const host = new FakeHost(bench);
  host.errIsTerminal = true;
  await main(["run", "x.rtk", "--system", "bare-metal"], host);
  assertStringIncludes(host.stderr, "\rcyclictest  50 %  bare-metal, linux-3.4.0");
  assertMatch(host.stderr, /\r +\r$/);
  assert(!host.stderr.includes("\x1b"));
  assertEquals(host.stdout, silent.stdout);
});

Deno.test("--verbose tells each command and what it has changed, and changes nothing itself", async () => {
  const plain = await run("run examples/talk_setup.rtk", EXAMPLES);
  const told = await run("run examples/talk_setup.rtk --verbose", EXAMPLES);
  assertEquals([plain.status, told.status], [0, 0]);
  assertEquals(plain.stdout, "");
  const lines = told.stdout.split("\n").map((line) => line.trim());
  for (
    const line of [
      "# echo 8086:10ed > /sys/bus/pci/drivers/pci-stub/new_id",
      "pci-stub: new id 8086:10ed",
      "0000:05:00.0 unbound from ixgbevf",
      "0000:05:00.0 bound to pci-stub",
      "# echo 0 > /sys/devices/system/cpu/cpu3/online",
      "cpu3 offline",
      "# qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic \\",
      ">   -device pci-assign,host=05:00.0",
      "vcpu[0]: slave cpu3",
      "direct interrupts on",
      "direct EOI on",
      "direct timer on",
    ]
  ) assert(lines.includes(line), `${line}\nin\n${told.stdout}`);
  assertMatch(told.stdout, /\d+ kernel threads \(.*migration\/3.*\) left cpu3/);
});

Deno.test("slide 30's script leads to the same state as its lines written as Linux wants them", async () => {
  const setup = EXAMPLES["examples/talk_setup.rtk"]!;
  const exact = setup.replace("8086:10ed", "'8086 10ed'").replaceAll(/echo 05:00\.0/g, "echo 0000:05:00.0");
  const tail = "cyclictest -n -q -l 10\n";
  const files = { "slide.rtk": setup + tail, "exact.rtk": exact + tail };
  const [slide, strict] = await Promise.all([
    run("run slide.rtk --json", files),
    run("run exact.rtk --json --strict", files),
  ]);
  assertEquals([slide.status, strict.status], [0, 0]);
  assertEquals(JSON.parse(slide.stdout).hash, JSON.parse(strict.stdout).hash);
});

Deno.test("slide 11's three lines run as printed", async () => {
  const { status, stderr } = await run("run examples/slide11.rtk", EXAMPLES);
  assertEquals([status, stderr.includes("ioctl")], [0, false]);
});

Deno.test("a direct interrupt of the assigned device causes no exit, a forwarded one does", async () => {
  const files = {
    ...EXAMPLES,
    "examples/x.rtk":
      ". ./talk_setup.rtk\nshow stats | grep '^kvm_exit '\nirq vf0\nrun 1ms\nshow stats | grep '^kvm_exit '\n",
  };
  const counts = async (system: string) => {
    const { stdout } = await run(`run examples/x.rtk --system ${system}`, files);
    return [...stdout.matchAll(/^kvm_exit +(\d+)/gm)].map((match) => Number(match[1]));
  };
  const direct = await counts("rfc-v2");
  assertEquals(direct.length, 2);
  assertEquals(direct[1], direct[0]);
  const forwarded = await counts("kvm");
  assert(forwarded[1]! > forwarded[0]!);
});

Deno.test("the demo tells the set-up, measures the five rows of slide 25 and prints its table", async () => {
  const { status, stdout, stderr } = await run("demo --loops 200");
  assertEquals(status, 0, stderr);
  assertStringIncludes(stdout, "# echo 05:00.0 > /sys/bus/pci/drivers/ixgbevf/unbind");
  assertStringIncludes(stdout, "    0000:05:00.0 unbound from ixgbevf");
  assertStringIncludes(stdout, "# /dev/cpu_dma_latency set to 0us\n# Histogram\n000000 ");
  assertMatch(stdout, /^# \.\.\. \d+ rows left out here \(000024 to 029996\)/m);
  assertMatch(stdout, /^kvm_exit\(MSR_WRITE\) +\d+ +\d+\.\d\d$/m);
  const table = stdout.slice(stdout.indexOf("Slide 25: cyclictest -a"));
  for (const { system, kernel } of PUBLISHED_LATENCIES.filter(({ slide }) => slide === 25)) {
    assertMatch(table, new RegExp(`^${system} +${kernel} .* 200 +1  `, "m"));
  }
  assert(!table.includes("n/a"));
  assertMatch(table, /rests on \d+ parameters: \d+ published, /);
});
