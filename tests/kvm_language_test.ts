/**
 * KVM's calls as scripts write them: what is written, what comes back, and what is said where it is wrong.
 */

import { assertEquals } from "@std/assert";
import { manualOf } from "../dsl/shell/manual.ts";
import { CALL_MANUALS } from "../runtime/lab/call_help.ts";
import { SessionRig } from "./session_rig.ts";

/** What every script below begins with. */
const SET_UP = `kvm = open("/dev/kvm", O_RDWR);
vm = ioctl(kvm, KVM_CREATE_VM, 0);
ioctl(vm, KVM_CREATE_IRQCHIP, 0);
vcpu[0] = ioctl(vm, KVM_CREATE_VCPU, 0);
`;

function run(script: string): { out: string; err: string[]; status: number } {
  const { out, err, status } = new SessionRig().run(SET_UP + script);
  const lines = err.split("\n").filter((line) => line !== "");
  return { out, err: lines.map((line) => line.replace(/^x\.rtk: line \d+: /, "")), status };
}

/** [what, script, what it says] */
const MISTAKES: readonly (readonly [title: string, script: string, ...said: string[]])[] = [
  ["no such descriptor", "ioctl(99, KVM_RUN, 0);", "ioctl: KVM_RUN: Bad file descriptor (EBADF)"],
  [
    "a closed descriptor",
    "close(vm); ioctl(vm, KVM_IRQ_LINE, 4, 1);",
    "ioctl: KVM_IRQ_LINE: Bad file descriptor (EBADF)",
  ],
  [
    "a terminal",
    "ioctl(1, KVM_GET_REGS, &r);",
    "ioctl: KVM_GET_REGS: Inappropriate ioctl for device (ENOTTY)",
  ],
  [
    "an eventfd",
    "e = eventfd(0, 0); ioctl(e, KVM_RUN, 0);",
    "ioctl: KVM_RUN: Inappropriate ioctl for device (ENOTTY)",
  ],
  [
    "a vCPU's request on the module",
    "ioctl(kvm, KVM_GET_REGS, &r);",
    "ioctl: KVM_GET_REGS: Invalid argument (EINVAL)",
  ],
  [
    "a vCPU's request on a machine",
    "ioctl(vm, KVM_GET_REGS, &r);",
    "ioctl: KVM_GET_REGS: Inappropriate ioctl for device (ENOTTY)",
  ],
  ["no request at all", "ioctl(vm, 0x4201, 0);", "ioctl: 0x4201: Inappropriate ioctl for device (ENOTTY)"],
  [
    "a misspelt request",
    "ioctl(vm, KVM_IRQ_LINES, 4, 1);",
    "ioctl: KVM_IRQ_LINES is neither a known constant nor a variable (did you mean KVM_IRQ_LINE?)",
  ],
  [
    "a misspelt call",
    "eventdf(0, 0);",
    "eventdf: no such system call on host",
    "note: did you mean eventfd(…)?",
  ],
  ["too few arguments", "ioctl(vm);", "ioctl: too few arguments to function 'ioctl'"],
  ["too many arguments", "close(vm, 1);", "close: too many arguments to function 'close'"],
  [
    "two numbers for one",
    "ioctl(vm, KVM_CREATE_VCPU, 1, 2);",
    "ioctl: too many arguments to function 'ioctl'",
  ],
  [
    "more numbers than fields",
    "ioctl(vm, KVM_IRQ_LINE, 4, 1, 0);",
    "ioctl: excess elements in struct initializer",
  ],
  [
    "an unknown field",
    "ioctl(vm, KVM_IRQ_LINE, { .irk = 4 });",
    "ioctl: 'struct kvm_irq_level' has no member named 'irk'",
  ],
  [
    "an unknown element",
    "declare -A l; l[irk]=4; ioctl(vm, KVM_IRQ_LINE, &l);",
    "ioctl: l: 'struct kvm_irq_level' has no member named 'irk'",
  ],
  [
    "an unknown structure",
    "ioctl(vm, KVM_IRQ_LINE, &(struct kvm_irk){ 4, 1 });",
    "ioctl: invalid use of undefined type 'struct kvm_irk'",
  ],
  ["a string for a number", 'ioctl("vm", KVM_RUN, 0);', "ioctl: argument 1 of 'ioctl' is a number"],
  [
    "a file that is no device",
    'open("/dev/kmv", O_RDWR);',
    "open: /dev/kmv: No such file or directory (ENOENT)",
  ],
  ["NULL", "ioctl(vm, KVM_IRQ_LINE, NULL);", "ioctl: KVM_IRQ_LINE: Bad address (EFAULT)"],
  [
    "an address of nothing",
    "ioctl(vm, KVM_IRQ_LINE, (void *)0xdead0000);",
    "ioctl: KVM_IRQ_LINE: Bad address (EFAULT)",
  ],
  [
    "a request that the model has not",
    "ioctl(vcpu[0], KVM_TRANSLATE, NULL);",
    "note: KVM_TRANSLATE is not modelled: the answer is that of a kernel without it",
    "ioctl: KVM_TRANSLATE: Invalid argument (EINVAL)",
  ],
  [
    "a request of another time",
    "ioctl(vm, KVM_ENABLE_CAP, {121});",
    "ioctl: KVM_ENABLE_CAP: Inappropriate ioctl for device (ENOTTY)",
  ],
  [
    "an empty eventfd",
    "e = eventfd(0, 0); read(e, &n, 8);",
    "read: e: Resource temporarily unavailable (EAGAIN)",
  ],
];

for (const [title, script, ...said] of MISTAKES) {
  Deno.test(`a wrong call says what is wrong: ${title}`, () => {
    const { err, status } = run(script);
    assertEquals(err, said);
    assertEquals(status, title === "a misspelt call" ? 127 : 1);
  });
}

Deno.test("errno can be read after a call that failed, and its result is -1", () => {
  const { out } = run(
    "x = ioctl(vm, KVM_CREATE_IRQCHIP, 0); echo $? $x $errno; ioctl(99, KVM_RUN, 0); echo $errno; true; echo $errno",
  );
  assertEquals(out, "1 -1 17\n9\n9\n");
});

Deno.test("three ways to write a structure mean the same line", () => {
  for (
    const written of [
      "4, 1",
      "{4, 1}",
      "{ .level = 1, .irq = 4 }",
      "&(struct kvm_irq_level){ .irq = 2 + 2, .level = !0, }",
      "&line",
    ]
  ) {
    const { out, err } = run(
      `declare -A line; line[irq]=4; line[level]=1
       before = ioctl(vm, KVM_IRQ_LINE, 4, 0)
       ioctl(vm, KVM_IRQ_LINE, ${written}); echo $?`,
    );
    assertEquals([out, err], ["0\n", []], written);
  }
});

Deno.test("what KVM writes comes back in a variable, by name or by number, and goes there again", () => {
  const { out, err } = run(`ioctl(vcpu[0], KVM_GET_SREGS, &sregs);
    printf '%x %x %x\\n' \${sregs[cs.base]} \${sregs[cs.selector]} \${sregs[cr0]}
    ioctl(vcpu[0], KVM_GET_REGS, &regs);
    regs[rip]=0x1000; regs[rax]=0xffffffff80000000
    ioctl(vcpu[0], KVM_SET_REGS, &regs);
    ioctl(vcpu[0], KVM_GET_REGS, &again);
    echo \${again[rip]} \${again[rax]}
    state=(9)
    ioctl(vcpu[0], KVM_GET_MP_STATE, state); echo \${state[0]}`);
  // CS and CR0 after reset: Intel SDM vol. 3A, table "Processor States Following Power-up".
  assertEquals([out, err], ["ffff0000 f000 60000010\n4096 0xffffffff80000000\n0\n", []]);
});

Deno.test("an array in a structure is written and read element by element", () => {
  const { out, err } = run(`declare -A msrs
    msrs[nmsrs]=2; msrs[entries.0.index]=0x277; msrs[entries.1.index]=0xdeadbeef
    n = ioctl(vcpu[0], KVM_GET_MSRS, &msrs); printf '%d %x\\n' $n \${msrs[entries.0.data]}
    n = ioctl(vcpu[0], KVM_SET_MSRS, { .nmsrs = 1, .entries = {{ .index = 0x174, .data = 0x10 }} }); echo $n
    n = ioctl(vcpu[0], KVM_GET_MSRS, { 1, 0, {{ 0x174 }} }); echo $n`);
  // IA32_PAT after reset, Intel SDM vol. 3A "Page Attribute Table"; an MSR that is not there ends the list.
  assertEquals([out, err], ["1 7040600070406\n1\n1\n", []]);
});

Deno.test("a write of an eventfd raises the line that KVM_IRQFD has hung on it", () => {
  const { out, err } = run(`e = eventfd(0, 0);
    ioctl(vm, KVM_IRQFD, { .fd = e, .gsi = 5 }); echo $?
    ioctl(vm, KVM_IRQFD, { .fd = e, .gsi = 6 }) || echo twice $errno
    write(e, 3, 8); write(e, 4, 8);
    read(e, &count, 8); echo $count
    ioctl(vm, KVM_IRQFD, { .fd = e, .gsi = 5, .flags = KVM_IRQFD_FLAG_DEASSIGN }); echo $?`);
  assertEquals(out, "0\ntwice 16\n7\n0\n");
  assertEquals(err, ["ioctl: KVM_IRQFD: Device or resource busy (EBUSY)"]);
});

Deno.test("memory for a machine is mapped first; slots may not overlap", () => {
  const { out, err } = run(
    `ram = mmap(NULL, 0x200000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ioctl(vm, KVM_SET_USER_MEMORY_REGION, { .slot = 0, .memory_size = 0x200000, .userspace_addr = ram }); echo $?
    ioctl(vm, KVM_SET_USER_MEMORY_REGION, { 1, 0, 0x1ff000, 0x1000, ram }) || echo $errno
    ioctl(vm, KVM_SET_USER_MEMORY_REGION, { 1, 0, 0x200001, 0x1000, ram }) || echo $errno`,
  );
  assertEquals(out, "0\n17\n22\n");
  assertEquals(err, [
    "ioctl: KVM_SET_USER_MEMORY_REGION: File exists (EEXIST)",
    "ioctl: KVM_SET_USER_MEMORY_REGION: Invalid argument (EINVAL)",
  ]);
});

for (const { name, doc } of CALL_MANUALS) {
  Deno.test(`the manual of ${name}() has every section, and its examples run`, () => {
    const { names, sections, examples } = manualOf(doc);
    assertEquals(names, [name]);
    assertEquals([...sections.keys()], [
      "Usage",
      "Effects",
      "Exit status",
      "Errors",
      "Differs from the real one",
      "Examples",
    ]);
    for (const example of examples) {
      const { status, err } = new SessionRig({ system: "bare-metal" }).run(example);
      assertEquals(
        [status, err.includes("EBADF") === example.includes("ioctl(3,")],
        [0, true],
        example + err,
      );
    }
  });
}

Deno.test("help shows calls, requests with their structures, and structures", () => {
  const { out } = run("help KVM_IRQ_LINE; help kvm_mp_state; help KVM_SET_SLAVE_CPU");
  assertEquals(
    out,
    `Usage: ioctl(FD, KVM_IRQ_LINE, &(struct kvm_irq_level){…});
Request 0x4008ae61
  on a machine, since Linux 2.6.24
struct kvm_irq_level {
  __u32 irq;
  __u32 level;
}; 8 bytes
struct kvm_mp_state {
  __u32 mp_state;
}; 4 bytes
Usage: ioctl(FD, KVM_SET_SLAVE_CPU, NUMBER);
Request 0xaeaf, of a kernel with the slave-CPU patches
  on a vCPU, since Linux 3.5
`,
  );
});
