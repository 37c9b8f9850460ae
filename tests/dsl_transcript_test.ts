/** Slides and console blocks: prompts, output and lost backslashes. */
import { assertEquals } from "@std/assert";
import { parseScript } from "../dsl/syntax/parse.ts";
import { isTranscript, scriptOfTranscript } from "../dsl/prompt/transcript.ts";

const slide30 = `# echo XXXX:XXXX > /sys/bus/pci/drivers/pci-stub/new_id
# echo 0 > /sys/devices/system/cpu/cpu3/online
# qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic
                   -enable-kvm
                   -no-kvm-pit
                   -device pci-assign,host=05:00.0
`;

Deno.test("a root prompt is a prompt in a transcript and a comment in a script", () => {
  assertEquals(isTranscript(slide30), true);
  assertEquals(isTranscript("#!/bin/sh\necho a\n"), false);
  assertEquals(isTranscript("echo a # b\n"), false);
  assertEquals(parseScript(slide30).body.items.map((item) => item.text)[0], "-enable-kvm");
  assertEquals(parseScript(scriptOfTranscript(slide30)).body.items.length, 3);
});

Deno.test("indented options continue the command before them", () => {
  const [, , qemu] = parseScript(scriptOfTranscript(slide30)).body.items;
  assertEquals(
    qemu?.text,
    "qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -device pci-assign,host=05:00.0",
  );
});

Deno.test("backslashes continue a line as in a script", () => {
  const text = "$ qemu-kvm.patched -m 1024 \\\n    -serial pty \\\n    test.img\noutput -x\n";
  const [only, ...rest] = parseScript(scriptOfTranscript(text)).body.items;
  assertEquals(only?.command.first.commands[0]?.kind, "simple");
  assertEquals(rest, []);
});

Deno.test("output is blank, and offsets stay", () => {
  const text = "$ echo a\na\n$ for i in 1 2; do\n> echo $i\n> done\n1\n2\n";
  const script = scriptOfTranscript(text);
  assertEquals(script.length, text.length);
  assertEquals(script.split("\n").map((line) => line.trim()), [
    "echo a",
    "",
    "for i in 1 2; do",
    "echo $i",
    "done",
    "",
    "",
    "",
  ]);
});
