/**
 * ftrace: what a script switches on is in `trace`, in the kernel's lines.
 *
 * Formats: `Documentation/trace/ftrace.txt` and `arch/x86/kvm/trace.h` of Linux 3.5, the same of 6.18.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

/** A host with a guest of stock KVM, in the directory of tracing. */
function host(era = "2012", system = "kvm"): SessionRig {
  const rig = new SessionRig({ system, strict: true });
  rig.ok(`set -o era=${era}`);
  const pit = era === "2012" ? "-no-kvm-pit" : ""; // gone since
  rig.ok(
    `qemu-kvm -m 1024 -cpu qemu64,+x2apic ${pit} -nographic; ssh vm0 true; cd /sys/kernel/debug/tracing`,
  );
  return rig;
}

/** Lines of `trace` without its head, from the task on. */
function traced(rig: SessionRig): string[] {
  return rig.ok("cat trace").split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

Deno.test("a period of a guest on stock KVM: the timer injected, its EOI, three timer writes, each behind its exit", () => {
  const rig = host();
  rig.ok("echo 0 > tracing_on; echo 'kvm:*' > set_event");
  rig.ok(
    "ssh vm0 cyclictest -n -q -l 20 & sleep 0.0055; echo 1 > tracing_on; sleep 0.001; echo 0 > tracing_on; wait",
  );
  const lines = traced(rig).map((line) => line.replace(/^ +qemu-kvm-\d+ +|^ +swapper\/3-0 +/, ""));
  const texts = lines.map((line) => line.replace(/^\[003\] \S{4} +\d+\.\d{6}: /, ""));
  const from = texts.findIndex((text) => text === "kvm_apic_accept_irq: apicid 0 vec 239 (Fixed|edge)");
  assertEquals(texts.slice(from, from + 15).map((text) => text.replace(/TMICT = 0x[0-9a-f]+/, "TMICT")), [
    "kvm_apic_accept_irq: apicid 0 vec 239 (Fixed|edge)",
    "kvm_inj_virq: irq 239",
    "kvm_entry: vcpu 0",
    "kvm_exit: reason MSR_WRITE rip 0x0 info 0 0",
    "kvm_apic: apic_write APIC_EOI = 0x0",
    "kvm_eoi: apicid 0 vector 239",
    "kvm_entry: vcpu 0",
    "kvm_exit: reason MSR_WRITE rip 0x0 info 0 0",
    "kvm_apic: apic_write APIC_TMICT",
    "kvm_entry: vcpu 0",
    "kvm_exit: reason MSR_WRITE rip 0x0 info 0 0",
    "kvm_apic: apic_write APIC_TMICT",
    "kvm_entry: vcpu 0",
    "kvm_exit: reason MSR_WRITE rip 0x0 info 0 0",
    "kvm_apic: apic_write APIC_TMICT",
  ]);
});

Deno.test("the lines of trace: head, task and pid, CPU, flags, time to the microsecond, by version", () => {
  for (
    const [era, line, columns] of [
      [
        "2012",
        /^ {8}qemu-kvm-\d+ {1,4}\[003\] d\.\.1 +\d+\.\d{6}: kvm_entry: vcpu 0$/,
        "TASK-PID   CPU#  ||||    TIMESTAMP  FUNCTION",
      ],
      [
        "today",
        /^ {8}qemu-kvm-\d+ {1,6}\[003\] d\.\.1\. +\d+\.\d{6}: kvm_entry: vcpu 0, rip 0x0 intr_info /,
        "TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION",
      ],
    ] as const
  ) {
    const rig = host(era);
    rig.ok("echo kvm_entry > set_event; ssh vm0 true; echo > set_event; echo 0 > tracing_on");
    const head = rig.ok("cat trace").split("\n");
    const entries = traced(rig);
    assertEquals(head.slice(0, 2), ["# tracer: nop", "#"]);
    assertEquals(head[2], `# entries-in-buffer/entries-written: ${entries.length}/${entries.length}   #P:4`);
    assert(head.some((each) => each.endsWith(columns)), era);
    assert(entries.length > 0);
    for (const entry of entries) assertMatch(entry, line);
  }
});

Deno.test("today: tracefs has a place of its own, and kvm_exit names the vCPU and 64-bit details", () => {
  const rig = host("today");
  rig.ok("cd /sys/kernel/tracing; echo 1 > events/kvm/kvm_exit/enable; ssh vm0 true; echo 0 > events/enable");
  assertMatch(
    traced(rig)[0]!,
    / kvm_exit: vcpu 0 reason [A-Z_]+ rip 0x0 info1 0x[0-9a-f]{16} info2 0x0{16} intr_info 0x[0-9a-f]{8} error_code 0x0{8}$/,
  );
  assertEquals(rig.ok("grep -c tracefs /proc/mounts"), "2\n");
  assertEquals(new SessionRig().run("ls /sys/kernel/tracing").status, 2); // not in 3.5
});

Deno.test("a direct interrupt is not in the trace: neither an interrupt of the host nor an exit", () => {
  const rig = new SessionRig();
  rig.ok(`echo 8086:10ed > /sys/bus/pci/drivers/pci-stub/new_id
    echo 0000:05:00.0 > /sys/bus/pci/drivers/ixgbevf/unbind; echo 0000:05:00.0 > /sys/bus/pci/drivers/pci-stub/bind
    echo 0 > /sys/devices/system/cpu/cpu3/online
    qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic -device pci-assign,host=05:00.0
    ssh vm0 true; cd /sys/kernel/debug/tracing; echo 'kvm:*' > set_event; echo 1 > events/irq/enable`);
  rig.ok("irq vf0; run 1ms; echo 0 > tracing_on");
  assertEquals(traced(rig).filter((line) => line.includes("[003]")), []);
  // The same of a device of the host's.
  rig.ok("echo 1 > tracing_on; irq pf0; run 1ms; echo 0 > tracing_on");
  assert(traced(rig).some((line) => /irq_handler_entry: irq=40 name=eth1-TxRx-0$/.test(line)));
});

Deno.test("set_event adds, takes away with !, and is emptied by >; enable shows X where events of a system differ", () => {
  const rig = host();
  rig.ok("echo kvm:kvm_exit > set_event; echo sched_switch >> set_event");
  assertEquals(rig.ok("cat set_event"), "sched:sched_switch\nkvm:kvm_exit\n");
  assertEquals(
    rig.ok("cat events/kvm/enable events/kvm/kvm_exit/enable events/irq/enable events/enable"),
    "X\n1\n0\nX\n",
  );
  rig.ok("echo '!kvm:kvm_exit' >> set_event");
  assertEquals(rig.ok("cat set_event"), "sched:sched_switch\n");
  rig.ok("echo 1 > events/sched/enable; : > set_event");
  assertEquals(rig.ok("cat set_event events/enable"), "0\n");
  const refused = "x.rtk: line 1: echo: write error: Invalid argument\n";
  assertEquals(rig.run("echo kvm:nosuch > set_event").err, refused);
  assertEquals(rig.run("echo function > current_tracer").err, refused);
  assertEquals(rig.run("echo 2 > events/enable").err, refused);
});

Deno.test("trace_marker writes into the buffer while tracing is on; > trace empties it", () => {
  const rig = host();
  rig.ok("echo begin > trace_marker; echo 0 > tracing_on; echo not here > trace_marker");
  assertEquals(traced(rig).map((line) => line.replace(/^.*\d: /, "")), ["tracing_mark_write: begin"]);
  rig.ok(": > trace");
  assertEquals(traced(rig), []);
});

Deno.test("a full buffer forgets the oldest: as many entries as 64 bytes go into its size, for each CPU", () => {
  const rig = host();
  rig.ok(
    "echo 1 > buffer_size_kb; echo 1 > events/kvm/enable; ssh vm0 cyclictest -n -q -l 50 > /dev/null; echo 0 > tracing_on",
  );
  const [, shown, written] = /entries-written: (\d+)\/(\d+)/.exec(rig.ok("cat trace"))!;
  assertEquals(Number(shown), 4 * 1024 / 64);
  assert(Number(written) > 500);
});

Deno.test("tracing changes nothing: the same run with and without it has the same state, and step and diagram see both", () => {
  const run = (events: string) => {
    const rig = host();
    rig.ok(`echo '${events}' > set_event`);
    rig.ok("ssh vm0 cyclictest -n -q -l 100 > /dev/null");
    return rig;
  };
  const traced = run("kvm:*"), plain = run("!kvm:*");
  assertEquals(traced.lab.engine.stateHash(), plain.lab.engine.stateHash());
  assertEquals(traced.lab.engine.event, plain.lab.engine.event);
  const before = traced.ok("grep -c . trace");
  traced.ok("ssh vm0 'while :; do :; done' &\nrun 20ms; diagram 2ms; step 5");
  assert(Number(traced.ok("grep -c . trace")) > Number(before));
});

Deno.test("kvm_pio has direction, port, size and count, as trace.h of 3.5 prints them", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`qemu-kvm -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic
ssh vm0 'echo first > /dev/ttyS0'; run 5ms
echo 1 > /sys/kernel/debug/tracing/events/kvm/kvm_pio/enable
ssh vm0 'echo A > /dev/ttyS0'; run 5ms`);
  const lines = rig.ok("grep kvm_pio: /sys/kernel/debug/tracing/trace").trimEnd().split("\n");
  assertEquals(lines.map((line) => line.replace(/^.*kvm_pio: /, "")).slice(0, 5), [
    "pio_write at 0x3f9 size 1 count 1", // IER: tell me when you are empty
    "pio_read at 0x3fa size 1 count 1",
    "pio_read at 0x3fd size 1 count 1",
    "pio_read at 0x3fe size 1 count 1",
    "pio_write at 0x3f8 size 1 count 1",
  ]);
});

/** Texts of one event of `trace`, in order. */
function texts(rig: SessionRig, event: string): string[] {
  return rig.ok("cat /sys/kernel/debug/tracing/trace").split("\n").filter((line) =>
    line.includes(` ${event}: `)
  )
    .map((line) => line.replace(/^.*\d: /, ""));
}

Deno.test("kvm_apic_accept_irq is of whoever sends the interrupt: of the device's thread, on its CPU, as kvm_set_irq is", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(". ./talk_setup.rtk; ssh vm0 'while :; do :; done' & run 20ms; cd /sys/kernel/debug/tracing");
  rig.ok("echo kvm_set_irq kvm_apic_accept_irq | tr ' ' '\\n' > set_event; irq vf0; run 100us");
  const [set, accept] = traced(rig);
  assertMatch(set!, /^ *irq\/42-kvm:0000-\d+ +\[000\] .*: kvm_set_irq: gsi 24 level 1/);
  assertMatch(accept!, /^ *irq\/42-kvm:0000-\d+ +\[000\] .*: kvm_apic_accept_irq: apicid 0/);
});

Deno.test("an IPI between a guest's processors: kvm_apic_ipi has what is in the ICR, kvm_apic_accept_irq the delivery mode", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`qemu-kvm -m 1024 -smp 2 -cpu qemu64,+x2apic -no-kvm-pit -nographic; ssh vm0 true
    echo kvm_apic_ipi kvm_apic_accept_irq | tr ' ' '\\n' | while read event; do echo $event >> /sys/kernel/debug/tracing/set_event; done
    ssh vm0 taskset -c 1 true`);
  // A guest without interrupt remapping has x2APIC in physical mode; vectors of Linux: RESCHEDULE, CALL_FUNCTION_SINGLE.
  const sent = texts(rig, "kvm_apic_ipi").filter((text) => text.includes("dst 1 "));
  assert(sent.length > 0);
  for (const text of sent) {
    assertMatch(text, /^kvm_apic_ipi: dst 1 vec 25[13] \(Fixed\|physical\|assert\|edge\|dst\)$/);
  }
  assert(
    texts(rig, "kvm_apic_accept_irq").some((text) => / apicid 1 vec 25[13] \(Fixed\|edge\)$/.test(text)),
  );
});

Deno.test("a request that is there already: 3.5 says that it is coalesced, 6.18 does not look", () => {
  for (const [era, answers, suffix] of [["2012", [1, 0], " (coalesced)"], ["today", [1, 1], ""]] as const) {
    const rig = host(era);
    rig.ok("echo kvm_apic_accept_irq > set_event");
    const { vm } = rig.lab.guests.get("vm0")!.machine.file;
    const lowestPriority = 0x141;
    const answered = [0, 1].map(() =>
      vm.chips!.routing.signalMsi(0xfee0_0000, 0, lowestPriority, rig.lab.host.cpus[0]!)
    );
    assertEquals(answered, [...answers], era);
    const event = "kvm_apic_accept_irq: apicid 0 vec 65 (LowPrio|edge)";
    assertEquals(texts(rig, "kvm_apic_accept_irq"), [event, event + suffix], era);
  }
});

Deno.test("KVM_RUN returns: kvm_userspace_exit has the reason and its number, and says of a signal that it restarts", () => {
  const rig = host();
  rig.ok("echo kvm_userspace_exit > set_event; ssh vm0 'echo A > /dev/ttyS0'; run 5ms");
  assertEquals(texts(rig, "kvm_userspace_exit")[0], "kvm_userspace_exit: reason KVM_EXIT_IO (2)");
  rig.ok(": > trace; monitor vm0 stop; run 5ms");
  assertEquals(texts(rig, "kvm_userspace_exit").at(-1), "kvm_userspace_exit: reason restart (4)");
});

Deno.test("kvm_page_fault: with EPT the qualification, without it the error code of a device's page", () => {
  const rig = host();
  rig.ok(
    "echo kvm_page_fault > set_event; stress -q --vm 2 --vm-bytes 9G -t 2 & ssh vm0 cyclictest -q -n -l 1500 > /dev/null; wait",
  );
  // SDM, "Exit Qualification for EPT Violations": a read or a fetch, of a linear address that is valid, not by the walk.
  const read = "kvm_page_fault: address 0 error_code 181", fetch = "kvm_page_fault: address 0 error_code 184";
  const seen = texts(rig, "kvm_page_fault");
  assert(seen.length > 0 && seen.every((text) => text === read || text === fetch), seen.join());
  const shadowed = new SessionRig({ system: "kvm" });
  shadowed.ok(
    `boot kvm --append "kvm-intel.ept=0"; qemu-kvm -m 1024 -nographic -vga cirrus -no-kvm-pit; ssh vm0 true
    echo kvm_page_fault > /sys/kernel/debug/tracing/set_event; ssh vm0 'echo A > /dev/tty0'`,
  );
  assert(texts(shadowed, "kvm_page_fault").includes("kvm_page_fault: address b8000 error_code b"));
});

Deno.test("lscpu asks CPUID for a hypervisor: in a guest an exit, whose answer is KVM's signature", () => {
  for (
    const [era, text] of [
      ["2012", "kvm_cpuid: func 40000000 rax 40000001 rbx 4b4d564b rcx 564b4d56 rdx 4d"],
      [
        "today",
        "kvm_cpuid: func 40000000 idx 0 rax 40000001 rbx 4b4d564b rcx 564b4d56 rdx 4d, cpuid entry found",
      ],
    ] as const
  ) {
    const rig = host(era);
    rig.ok("echo kvm_cpuid > set_event; echo kvm_exit >> set_event; ssh vm0 lscpu; lscpu");
    assertEquals(texts(rig, "kvm_cpuid"), [text], "the host's own does not exit");
    assertEquals(texts(rig, "kvm_exit").filter((line) => line.includes("reason CPUID ")).length, 1);
  }
});
