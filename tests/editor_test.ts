/**
 * The editor's grammar, `dsl/editor/`: what an editor takes the pieces of a script for.
 */
import { assert, assertEquals } from "@std/assert";
import { commands } from "../dsl/commands/index.ts";
import { refused } from "../dsl/commands/refused.ts";
import { bashScript } from "./bash_scripts.ts";
import { tokenize } from "./editor_tokens.ts";
import { grammarText, withFreshWords } from "./editor_words.ts";
import { EXAMPLES, SessionRig, SETUP_SCRIPTS } from "./session_rig.ts";

/**
 * What the pieces of a text are, as `text: scope`. Pieces that are nothing but punctuation or part of something larger
 * (`meta`) are left out.
 */
async function piecesOf(text: string, language?: string): Promise<string[]> {
  const { lines } = await tokenize(text, language);
  return lines.flat().flatMap(({ text, scopes }) => {
    const inner = scopes.filter((scope) => !/^(meta|punctuation|markup\.fenced_code)\./.test(scope)).at(-1);
    return inner === undefined || text.trim() === "" ? [] : [`${text.trim()}: ${inner}`];
  });
}

/** The same of the lines of a list, written by hand below each. */
function holds(name: string, list: string): void {
  Deno.test(name, async () => {
    for (const entry of list.trim().split(/\n(?=\S)/)) {
      const [script = "", ...rest] = entry.split("\n");
      const text = script.replaceAll("⏎", "\n");
      const expected = rest.flatMap((line) => line.trim().split(/ +\| +/));
      assertEquals(await piecesOf(text), expected, script);
      assertEquals((await tokenize(text)).open, [], script);
    }
  });
}

Deno.test("the lists of the editor's grammar are those of the program", () => {
  assertEquals(
    withFreshWords(grammarText()),
    grammarText(),
    "run tests/editor_words.ts",
  );
});

Deno.test("every command, word, program, call and constant is known to the editor by its kind", async () => {
  const rig = new SessionRig();
  const { session, lab } = rig;
  const unknown = new Set(refused.map(({ name }) => name));
  const lines: (readonly [line: string, name: string, scope: string])[] = [];
  for (const { name, kind } of commands.values()) {
    const scope = unknown.has(name)
      ? "invalid.illegal.refused"
      : `support.function.${kind === "filter" ? "filter" : "builtin"}`;
    lines.push([`${name} x`, name, scope]);
  }
  const words = [...session.shell.environment.words.keys()];
  lines.push(
    ...words.map((name) => [name, name, "support.function.laboratory"] as const),
  );
  const programs = [...lab.computer("host")!.programs.keys()];
  lines.push(
    ...programs.map((name) => [`x|${name};`, name, "support.function.program"] as const),
  );
  const calls = session.shell.machine.calls!.names;
  lines.push(
    ...calls.map((name) => [`${name}(x)`, name, "support.function.call"] as const),
  );
  lines.push(
    ...[...lab.constants.keys()].map((name) => [`f(${name})`, name, "support.constant"] as const),
  );
  for (const [line, name, scope] of lines) {
    const { lines: [tokens = []] } = await tokenize(line);
    const found = tokens.find(({ text }) => text === name)?.scopes.at(-1);
    assertEquals(`${name}: ${found}`, `${name}: ${scope}`);
  }
});

holds(
  "a comment begins with a word, and ends with its line",
  `
# a "b
  #: comment.line.number-sign | a "b: comment.line.number-sign
echo a#b;# c
  echo: support.function.builtin | #: comment.line.number-sign | c: comment.line.number-sign
echo $# \${#x}
  echo: support.function.builtin | $: variable.language.special | #: variable.language.special
  #: keyword.operator.expansion | x: variable.other
`,
);

holds(
  "a command is one where a command may stand, and nowhere else",
  `
dmesg | tail -n 1
  dmesg: support.function.program | tail: support.function.filter | -n: constant.other.option | 1: constant.numeric
echo dmesg if boot done
  echo: support.function.builtin
x=1 y+=2 boot kvm
  x: variable.other.assignment | =: keyword.operator.assignment | 1: constant.numeric
  y: variable.other.assignment | +=: keyword.operator.assignment | 2: constant.numeric | boot: support.function.laboratory
ssh vm0 'while :; do :; done' &
  ssh: support.function.filter | ': string.quoted.single | while :; do :; done: string.quoted.single
  ': string.quoted.single
./mine shift; shifted
  ./mine: entity.name.command | shifted: entity.name.command
jobs -l
  jobs: invalid.illegal.refused | -l: constant.other.option
qemu-kvm.patched -m 1024 \\\\⏎  -no-kvm-pit
  qemu-kvm.patched: support.function.program | -m: constant.other.option | 1024: constant.numeric
  \\\\: constant.character.escape.line-continuation | -no-kvm-pit: constant.other.option
`.replaceAll("\\\\", "\\"),
);

holds(
  "keywords are keywords where a command may stand",
  `
if a; then b; else c; fi
  if: keyword.control | a: entity.name.command | then: keyword.control | b: entity.name.command
  else: keyword.control | c: entity.name.command | fi: keyword.control
for i in 1 do; do :; done
  for: keyword.control | i: variable.other.assignment | in: keyword.control | 1: constant.numeric
  do: keyword.control | :: support.function.builtin | done: keyword.control
f() { return 1; }
  f: entity.name.function | {: keyword.control | return: support.function.builtin | 1: constant.numeric | }: keyword.control
case $x in (a|b*) wc;; "c)") echo esac;; esac; wc
  case: keyword.control | $: variable.other | x: variable.other | in: keyword.control
  *: keyword.operator.glob | wc: support.function.filter
  ": string.quoted.double | c): string.quoted.double | ": string.quoted.double
  echo: support.function.builtin | esac: keyword.control | wc: support.function.filter
[[ -n $x && $y =~ ^a+$ ]]
  [[: keyword.control.test.begin | -n: keyword.operator.test | $: variable.other | x: variable.other
  &&: keyword.operator.test | $: variable.other | y: variable.other | =~: keyword.operator.test
  ]]: keyword.control.test.end
`,
);

holds(
  "quotes end where the shell ends them",
  `
echo 'a $x \\' b
  echo: support.function.builtin | ': string.quoted.single | a $x \\: string.quoted.single | ': string.quoted.single
echo "\\" $x $(cat "y")" z
  echo: support.function.builtin | ": string.quoted.double | \\": constant.character.escape
  $: variable.other | x: variable.other | $(: string.quoted.double | cat: support.function.filter
  ": string.quoted.double | y: string.quoted.double | ": string.quoted.double | ): string.quoted.double
  ": string.quoted.double
echo "\${x:-it's}" \${x#'}'}
  echo: support.function.builtin | ": string.quoted.double | \${: string.quoted.double | x: variable.other
  :-: keyword.operator.expansion | it's: string.quoted.double | }: string.quoted.double | ": string.quoted.double
  x: variable.other | #: keyword.operator.expansion | ': string.quoted.single | }: string.quoted.single
  ': string.quoted.single
x=$(case a in a) echo b;; esac)
  x: variable.other.assignment | =: keyword.operator.assignment | case: keyword.control | in: keyword.control
  echo: support.function.builtin | esac: keyword.control
echo $((1 << n + 0x1F)) \\' $'\\''
  echo: support.function.builtin | 1: constant.numeric | <<: keyword.operator.arithmetic | n: variable.other
  +: keyword.operator.arithmetic | 0x1F: constant.numeric | \\': constant.character.escape
  $': string.quoted.single.ansi | \\': constant.character.escape | ': string.quoted.single.ansi
`,
);

holds(
  "a here-document reaches to its delimiter, and the rest of its line is script",
  `
cat <<E > f⏎a "$x⏎ E⏎E⏎wc
  cat: support.function.filter | <<: keyword.operator.heredoc | E: entity.name.heredoc
  >: keyword.operator.redirection | a ": string.unquoted.heredoc | $: variable.other | x: variable.other
  E: string.unquoted.heredoc | E: entity.name.heredoc | wc: support.function.filter
cat <<-'E' | wc -l⏎$x⏎\tE⏎wc
  cat: support.function.filter | <<-: keyword.operator.heredoc | E: entity.name.heredoc
  wc: support.function.filter | -l: constant.other.option | $x: string.unquoted.heredoc
  E: entity.name.heredoc | wc: support.function.filter
cat <<E⏎\tE⏎E
  cat: support.function.filter | <<: keyword.operator.heredoc | E: entity.name.heredoc
  E: string.unquoted.heredoc | E: entity.name.heredoc
read x <<< "a" 2>&1
  read: support.function.builtin | <<<: keyword.operator.redirection | ": string.quoted.double
  a: string.quoted.double | ": string.quoted.double | 2: constant.numeric.descriptor
  >&: keyword.operator.redirection | 1: constant.numeric.descriptor
`,
);

holds(
  "a condition is read as one",
  `
expect exits.total == 0 # none
  expect: support.function.laboratory | exits.total: variable.language.quantity
  ==: keyword.operator.comparison | 0: constant.numeric | #: comment.line.number-sign | none: comment.line.number-sign
run until cyclictest.max > 30us; run 1ms
  run: support.function.laboratory | until: keyword.control | cyclictest.max: variable.language.quantity
  >: keyword.operator.comparison | 30: constant.numeric | us: keyword.other.unit
  run: support.function.laboratory | 1: constant.numeric | ms: keyword.other.unit
expect cpu 3 offline
  expect: support.function.laboratory | cpu: variable.language.quantity | 3: constant.numeric
  offline: constant.language.state
`,
);

holds(
  "C calls have constants, members and elements",
  `
vm = ioctl(kvm, KVM_CREATE_VM, 0);
  vm: variable.other.assignment | =: keyword.operator.assignment | ioctl: support.function.call
  kvm: variable.other | KVM_CREATE_VM: support.constant | 0: constant.numeric
kvm = open("/dev/kvm", O_RDWR | O_MISTAKEN)
  kvm: variable.other.assignment | =: keyword.operator.assignment | open: support.function.call
  ": string.quoted.double | /dev/kvm: constant.other.path | ": string.quoted.double | O_RDWR: support.constant
  |: keyword.operator.arithmetic | O_MISTAKEN: variable.other
ioctl(vcpu[0], KVM_SET_REGS, &(struct kvm_regs){ .rip = 0x10 })
  ioctl: support.function.call | vcpu: variable.other | 0: constant.numeric | KVM_SET_REGS: support.constant
  &: keyword.operator.arithmetic | struct: storage.type.struct | kvm_regs: variable.other
  rip: variable.other.member | =: keyword.operator.arithmetic | 0x10: constant.numeric
`,
);

holds(
  "numbers have units, devices addresses, and files of the kernel paths",
  `
echo 0 > /sys/devices/system/cpu/cpu$i/online
  echo: support.function.builtin | 0: constant.numeric | >: keyword.operator.redirection
  /sys/devices/system/cpu/cpu: constant.other.path | $: variable.other | i: variable.other
  /online: constant.other.path
cat /proc/irq/*/smp_affinity 0-2 5x 05:00.0 0000:05:00.0 0xff
  cat: support.function.filter | /proc/irq/: constant.other.path | *: keyword.operator.glob
  /smp_affinity: constant.other.path | 0-2: constant.numeric | 05:00.0: constant.other.address.pci
  0000:05:00.0: constant.other.address.pci | 0xff: constant.numeric.hex
iperf -b 10Gb/s x=1.5ms 2G /process
  iperf: support.function.program | -b: constant.other.option | 10: constant.numeric | Gb/s: keyword.other.unit
  x: variable.parameter.assignment | 1.5: constant.numeric | ms: keyword.other.unit | 2: constant.numeric
  G: keyword.other.unit
`,
);

Deno.test("a transcript in Markdown has prompts, commands and output; nothing open goes on behind its fence", async () => {
  const text = [
    "# echo",
    "```console",
    "# wc a \\",
    "     -l # c",
    "3: output of 'it",
    "$ while x; do",
    "> wc 'a",
    "$ echo 'a",
    "```",
    "# echo",
  ].join("\n");
  assertEquals(await piecesOf(text, "text.html.markdown"), [
    "console: fenced_code.block.language.markdown",
    "wc: support.function.filter",
    "\\: constant.character.escape.line-continuation",
    "-l: constant.other.option",
    "#: comment.line.number-sign",
    "c: comment.line.number-sign",
    "3: output of 'it: markup.raw.output",
    "while: keyword.control",
    "x: entity.name.command",
    "do: keyword.control",
    "wc: support.function.filter",
    "': string.quoted.single",
    "a: string.quoted.single",
    "echo: support.function.builtin",
    "': string.quoted.single",
    "a: string.quoted.single",
  ]);
});

Deno.test("every script of examples/ is read to its end, with nothing left open", async () => {
  for (
    const [path, text] of Object.entries({ ...EXAMPLES, ...SETUP_SCRIPTS })
  ) {
    const language = path.endsWith(".md") ? "text.html.markdown" : "source.rtk";
    assertEquals((await tokenize(text, language)).open, [], path);
  }
});

/** What `dsl/editor/README.md` says is not told apart and can leave something open. */
const NOT_TOLD_APART = /<<[^\n]*(?:\)|esac|<<)|\$\(\([^\n]*\) *;/;

Deno.test("so is a random script", async () => {
  const scripts = Array.from({ length: 80 }, (_, i) => bashScript(i + 1))
    .filter((text) => !NOT_TOLD_APART.test(text));
  assert(scripts.length > 40, `only ${scripts.length}`);
  for (const text of scripts) {
    assertEquals((await tokenize(text)).open, [], text);
  }
});
