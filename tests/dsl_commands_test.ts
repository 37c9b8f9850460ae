/** The registry of commands and their documentation. */
import { assert, assertEquals } from "@std/assert";
import { commands } from "../dsl/commands/index.ts";
import { ToyLab } from "./toy_machine.ts";

Deno.test("every built-in and filter that the language names is there", () => {
  const wanted =
    (": . [ test break cd command continue echo eval exec exit export false getopts kill local printf pwd " +
      "read readonly return set shift sleep trap true type umask unset wait let source declare cat grep sed cut tr head tail wc " +
      "sort uniq ls ln seq expr basename dirname readlink find tee mkdir rm xargs sh awk").split(" ");
  assertEquals(wanted.filter((name) => !commands.has(name)), []);
});

Deno.test("an option that is not taken is an error, never ignored", () => {
  const scripts = [
    "cat -Z",
    "cd -P /",
    "cut -Z",
    "declare -n a",
    "export -n a",
    "find . -newer x",
    "getopts",
    "grep -P a",
    "head -z",
    "kill -NOSUCH 1",
    "ln -r a b",
    "local -n a",
    "ls -R",
    "mkdir -v a",
    "pwd -P",
    "read -s",
    "readlink -z a",
    "rm -i a",
    "sed -z a",
    "sed 'e x'",
    "stat -c %i /tmp",
    "mapfile -C f a",
    "date -s now",
    "diff -r a b",
    "seq -f %s 1",
    "set -o nosuch",
    "set -Z",
    "sort -R",
    "tail -f",
    "tee -p",
    "tr -t a b",
    "trap x NOSUCH",
    "umask -x",
    "uniq -z",
    "unset -n a",
    "wc --files0-from=a",
    "xargs -P 2",
    "alias a=b",
    "fg",
    "bg",
    "jobs",
    "history",
  ];
  for (const script of scripts) {
    const { status, stderr } = new ToyLab().run(script);
    assert(status !== 0 && stderr !== "", `${script}: status ${status}, ${JSON.stringify(stderr)}`);
  }
});

Deno.test("GNU's filters take options behind operands too, up to --; built-ins do not", () => {
  const script = `printf '%s\\n' b a -c > /tmp/f
grep a /tmp/f -n
sort /tmp/f -r
wc /tmp/f -l
cat -- /tmp/f | grep -- -c
printf '%s\\n' x -n
set -- -a; echo $1 -n`;
  const { stdout, stderr } = new ToyLab().run(script);
  assertEquals([stdout, stderr], ["2:a\nb\na\n-c\n3 /tmp/f\n-c\nx\n-n\n-a -n\n", ""]);
});

Deno.test("an option that may be given several times has all its values", () => {
  const { stdout } = new ToyLab().run(
    "seq 4 | grep -e 1 -e 3; echo ab | sed -e s/a/x/ -e s/b/y/; seq -w -s, -2 2",
  );
  assertEquals(stdout, "1\n3\nxy\n-2,-1,00,01,02\n");
});
