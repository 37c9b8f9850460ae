/**
 * Tab: what may stand at the cursor, without a terminal.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { complete } from "../dsl/prompt/completion.ts";
import { EXAMPLES } from "../dsl/host/examples.ts";
import { Session } from "../dsl/session/session.ts";
import { laboratoryWords } from "../dsl/words/index.ts";

const session = new Session({
  io: { out() {}, err() {} },
  interactive: true,
  folder: EXAMPLES,
  words: laboratoryWords,
});
const type = (line: string) => session.runLine(line, () => {});
const offers = (text: string) => complete(text, session).candidates;

/** The text with the only candidate, or with all of them as a list. */
function completed(text: string): string | readonly string[] {
  const { word, candidates } = complete(text, session);
  assertEquals(text.slice(text.length - word.length), word);
  return candidates.length === 1 ? text.slice(0, text.length - word.length) + candidates[0] : candidates;
}

type("qemu-kvm.patched -m 1024 -enable-kvm -nographic -S");
type("where=/sys; cpu=3; greet() { echo hello; }");
type("bookmark before-all");

Deno.test("a command is one of the shell's, the laboratory's, the machine's or the user's own", () => {
  const cases: [text: string, becomes: string | readonly string[]][] = [
    ["cyclict", "cyclictest "],
    ["gree", "greet "],
    ["true && stop", "true && stop-at "],
    ["if tru", "if true "],
    ["for i in 1 2; do ech", "for i in 1 2; do echo "],
    ["x=1 mkd", "x=1 mkdir "],
    ["x=$(basen", "x=$(basename "],
    ["qemu-kvm.", "qemu-kvm.patched "],
    ["event", "eventfd("],
    ["# gree", "# greet "], // pasted with its prompt
    ["echo on # gree", []],
    ["nosuchcommand", []],
  ];
  for (const [text, becomes] of cases) {
    assertEquals(completed(text), becomes, text);
  }
  assertEquals(offers("st"), [...offers("st")].sort());
  assertEquals(offers("select").length, 0); // there only to be refused
});

Deno.test("set -o has its options, kill its signals, trap its conditions", () => {
  assertEquals(completed("set -o pip"), "set -o pipefail ");
  assertEquals(completed("set +eo noc"), "set +eo noclobber ");
  assertEquals(completed("set -o era="), ["era=2012", "era=today"]);
  assertEquals(offers("set pip"), []); // an argument
  assertEquals(completed("kill -KI"), "kill -KILL ");
  assertEquals(completed("kill -s STO"), "kill -s STOP ");
  assertEquals(completed("trap cleanup EX"), "trap cleanup EXIT ");
  assertEquals(completed("trap cleanup INT ER"), "trap cleanup INT ERR ");
  assertEquals(offers("trap "), []);
});

Deno.test("options are those that a command's manual lists, QEMU's those of its release", () => {
  assertEquals(completed("boot --ker"), "boot --kernel ");
  assertEquals(completed("boot --kernel linux-6"), "boot --kernel linux-6.18.0 ");
  assertEquals(completed("boot --kernel=linux-6"), "boot --kernel=linux-6.18.0 ");
  assertEquals(completed("boot --era t"), "boot --era today ");
  assertEquals(completed("boot bare"), "boot bare-metal ");
  assertEquals(offers("boot kvm rf"), []); // one system is enough
  assertEquals(completed("explain max --al"), "explain max --alone ");
  assertEquals(completed("qemu-kvm -enable"), "qemu-kvm -enable-kvm ");
  assertEquals(completed("qemu-kvm -m 1024 -no-kvm-pit-"), "qemu-kvm -m 1024 -no-kvm-pit-reinjection ");
  assertEquals(offers("seq -"), ["-f", "-s", "-w"]);
});

Deno.test("a path is one of the virtual tree, a folder ends with a slash, and other text keeps its form", () => {
  assertEquals(
    completed("echo 0 > /sys/devices/system/cpu/cpu3/onl"),
    "echo 0 > /sys/devices/system/cpu/cpu3/online ",
  );
  assertEquals(completed("cat </proc/interr"), "cat </proc/interrupts ");
  assertEquals(completed("ls /sys/devices/sys"), "ls /sys/devices/system/");
  assertEquals(completed("cd /pro"), "cd /proc/");
  assertEquals(offers("cd /proc/interr"), []); // no folder
  assertEquals(completed(". ./talk_s"), ". ./talk_setup.rtk ");
  assertEquals(completed("./talk_s"), "./talk_setup.rtk ");
  assertEquals(completed("f=/proc/interr"), "f=/proc/interrupts ");
  assertEquals(completed("dd if=/proc/interr"), "dd if=/proc/interrupts ");
  assertEquals(completed("cat '/proc/interr"), "cat '/proc/interrupts' ");
  assertEquals(completed(`open("/proc/interr`), `open("/proc/interrupts" `);
  assertEquals(offers("cat /nosuch/"), []);
});

Deno.test("what a word of the laboratory takes, it says itself", () => {
  assertEquals(offers("irq "), [...session.lab.interruptSources().keys()].sort());
  assertEquals(offers("irq vf0 "), []);
  assertEquals(completed("show vm"), "show vmcs ");
  assertEquals(completed("show vmcs "), "show vmcs vm0 ");
  assertEquals(completed("step 2 int"), "step 2 interrupt ");
  assertEquals(completed("goto b"), "goto before-all ");
  assertEquals(completed("help cyclict"), "help cyclictest ");
  assertEquals(offers("slide "), ["25", "26", "27"]);
  assertEquals(completed("params hw.pr"), "params hw.processor.");
  assertEquals(completed("ssh vm"), "ssh vm0 ");
  assertEquals(completed("ssh vm0 cyclict"), "ssh vm0 cyclictest ");
  assertEquals(completed("ssh vm0 'cat /proc/interr"), "ssh vm0 'cat /proc/interrupts ");
});

Deno.test("a condition goes on as one can, behind expect, stop-at, run until and watch", () => {
  const cases: [text: string, becomes: string | readonly string[]][] = [
    ["stop-at exi", ["exit", "exits."]],
    ["stop-at exit rea", "stop-at exit reason="],
    ["stop-at exit reason=HL", "stop-at exit reason=HLT "],
    ["stop-at exit reason=HLT c", "stop-at exit reason=HLT cpu "],
    ["stop-at cpu 3 off", "stop-at cpu 3 offline "],
    ["stop-at msr 0x80b w", "stop-at msr 0x80b write "],
    ["run until gu", "run until guest "],
    ["run until guest vm0 ", ["down", "up"]],
    ["run unt", "run until "],
    ["expect exits.hl", "expect exits.hlt "],
    ["expect eo", []], // happens, and cannot be asserted
    ["expect cyclictest.ma", "expect cyclictest.max "],
    ["watch cpu3.la", "watch cpu3.lapic."],
    ["watch cpu3.lapic.is", "watch cpu3.lapic.isr "],
    ["changed vm0.vmcs.pin", "changed vm0.vmcs.pin-based "],
    ["changed msr-bitmap 0x80b", "changed msr-bitmap 0x80b "],
  ];
  for (const [text, becomes] of cases) assertEquals(completed(text), becomes, text);
});

Deno.test("inside a C call there are constants and variables, behind $ variables", () => {
  assertEquals(offers("ioctl(vcpu[0], KVM_SET_SLAVE_C"), ["KVM_SET_SLAVE_CPU"]);
  assertEquals(offers("vm = ioctl(kvm, KVM_CREATE_V"), ["KVM_CREATE_VCPU", "KVM_CREATE_VM"]);
  assertEquals(offers("ioctl(vc"), ["vcpu[0]"]);
  assertEquals(offers("ioctl(vcpu[0], KVM_SET_SLAVE_CPU, cp"), ["cpu"]);
  assertEquals(completed('open("/dev/kvm", O_RDW'), 'open("/dev/kvm", O_RDWR');
  assertEquals(completed("echo $whe"), "echo $where");
  assertEquals(completed('echo "${whe'), 'echo "${where}');
  assertEquals(completed("echo $vcp"), "echo ${vcpu[0]}");
  assertEquals(offers("echo '$whe"), []);
});

Deno.test("completing changes nothing", () => {
  const before = [session.now, session.lab.engine.stateHash()];
  for (
    const text of ["", "ir", "irq ", "stop-at ", "cat /sys/", "ioctl(", "$", "ssh vm0 ", "boot ", "help "]
  ) {
    complete(text, session);
  }
  assertEquals([session.now, session.lab.engine.stateHash()], before);
  assertStringIncludes(String(offers("")), "cyclictest");
});
