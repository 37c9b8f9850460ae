/** Writes to attributes: error texts of bash 5.2 on a real sysfs (open errors first, then write errors), slide mode. */
import { assertEquals } from "@std/assert";
import { EINVAL } from "../runtime/linux/errno.ts";
import { type Node, SYSFS } from "../runtime/linux/fs/vfs.ts";
import { work } from "../hw/sim/activity.ts";
import { ToyLab } from "./toy_machine.ts";

function labWithSysfs(
  options: ConstructorParameters<typeof ToyLab>[0] = { name: "s.rtk" },
): { lab: ToyLab; stores: string[] } {
  const lab = new ToyLab(options);
  const stores: string[] = [];
  const nodes: Record<string, Node> = {
    online: {
      kind: "attribute",
      mode: 0o644,
      show: () => "1\n",
      *store(text) {
        yield work("cpu_down", 1, 5_000_000);
        stores.push(text);
        return text === "x\n" ? EINVAL : undefined;
      },
    },
    possible: { kind: "attribute", mode: 0o444, show: () => "0-3\n" },
    bind: { kind: "attribute", mode: 0o200, store: () => {} },
  };
  lab.host.vfs.mount("/sys", {
    kind: "directory",
    list: () => Object.keys(nodes),
    lookup: (name) => nodes[name],
  }, SYSFS);
  return { lab, stores };
}

Deno.test("echo to an attribute is one store, and takes what the kernel takes", () => {
  const { lab, stores } = labWithSysfs();
  const { status } = lab.run("echo 0 > /sys/online");
  assertEquals([stores, status, lab.world.nowNs], [["0\n"], 0, 5_001_000]);
});

const messages: readonly [script: string, stderr: string, status: number][] = [
  ["echo x > /sys/online", "s.rtk: line 1: echo: write error: Invalid argument\n", 1],
  ["printf x\\\\n > /sys/online", "s.rtk: line 1: printf: write error: Invalid argument\n", 1],
  ["echo 0 > /sys/possible", "s.rtk: line 1: /sys/possible: Permission denied\n", 1],
  ["echo 0 > /sys/nosuch", "s.rtk: line 1: /sys/nosuch: Permission denied\n", 1],
  ["echo 0 > /sys/no/such", "s.rtk: line 1: /sys/no/such: No such file or directory\n", 1],
  ["echo 0 > /sys", "s.rtk: line 1: /sys: Is a directory\n", 1],
  ["cat < /sys/nosuch", "s.rtk: line 1: /sys/nosuch: No such file or directory\n", 1],
  ["cat /sys/nosuch", "cat: /sys/nosuch: No such file or directory\n", 1],
  ["cat /sys", "cat: /sys: Is a directory\n", 1],
  ["cat /sys/bind", "cat: /sys/bind: Permission denied\n", 1],
  ["echo x | tee /sys/online > /dev/null", "tee: /sys/online: Invalid argument\n", 1],
  ["ls /sys/nosuch", "ls: cannot access '/sys/nosuch': No such file or directory\n", 2],
  ["mkdir /sys/foo", "mkdir: cannot create directory ‘/sys/foo’: Operation not permitted\n", 1],
  ["rm /sys/online", "rm: cannot remove '/sys/online': Operation not permitted\n", 1],
  ["cd /sys/nosuch", "s.rtk: line 1: cd: /sys/nosuch: No such file or directory\n", 1],
  ["/sys", "s.rtk: line 1: /sys: Is a directory\n", 126],
  ["/sys/online", "s.rtk: line 1: /sys/online: Permission denied\n", 126],
  ["/sys/nosuch", "s.rtk: line 1: /sys/nosuch: No such file or directory\n", 127],
  ["X", "s.rtk: line 1: X: command not found\n", 127],
];

for (const [script, wanted, wantedStatus] of messages) {
  Deno.test(`error text: ${script}`, () => {
    const { lab } = labWithSysfs();
    const { stderr, status } = lab.run(script);
    assertEquals([stderr, status], [wanted, wantedStatus]);
  });
}

Deno.test("at a prompt messages have no line number", () => {
  const { lab } = labWithSysfs({ name: "bash", interactive: true });
  assertEquals(lab.run("echo x > /sys/online").stderr, "bash: echo: write error: Invalid argument\n");
});

Deno.test("the message of a failed write goes where descriptor 2 leads", () => {
  const { lab } = labWithSysfs();
  assertEquals(
    lab.run("echo x > /sys/online 2> /tmp/e; cat /tmp/e").stdout,
    "s.rtk: line 1: echo: write error: Invalid argument\n",
  );
});

Deno.test("slide mode may rewrite what is written and say so; strict mode writes it as it is", () => {
  const slide = {
    write: (_machine: unknown, path: string, text: string) => ({
      text: text.replace(":", " "),
      notes: path === "/sys/online" ? ["note: a blank, not a colon"] : [],
    }),
  };
  const { lab, stores } = labWithSysfs({ slide });
  assertEquals(lab.run("echo 8086:10ed > /sys/online").stderr, "note: a blank, not a colon\n");
  lab.run("set -o strict; echo 8086:10ed > /sys/online");
  assertEquals(stores, ["8086 10ed\n", "8086:10ed\n"]);
});

Deno.test("under set -e a refused write ends the script", () => {
  const { lab } = labWithSysfs();
  const { stdout, status } = lab.run("set -e\necho x > /sys/online\necho not reached");
  assertEquals([stdout, status], ["", 1]);
});
