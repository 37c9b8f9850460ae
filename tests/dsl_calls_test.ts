/** C calls in scripts: values, results, errors. */
import { assertEquals } from "@std/assert";
import { EBADF, EBUSY, EINVAL } from "../runtime/linux/errno.ts";
import type { CallValue } from "../dsl/shell/ports.ts";
import { work } from "../hw/sim/activity.ts";
import { ToyLab } from "./toy_machine.ts";

/** A kernel that writes down calls; a slave CPU above 3 is busy. */
function labWithCalls(): { lab: ToyLab; calls: (readonly [string, ...CallValue[]])[] } {
  const lab = new ToyLab({ name: "setup.rtk" });
  const calls: (readonly [string, ...CallValue[]])[] = [];
  const constants = {
    KVM_CREATE_VM: 0xae01,
    KVM_SET_SLAVE_CPU: 0xaea5,
    KVM_RUN: 0xae80,
    O_RDWR: 2,
    O_CLOEXEC: 0o2000000,
  };
  for (const [name, value] of Object.entries(constants)) lab.constants.set(name, value);
  let next = 3;
  lab.host.calls = {
    names: ["open", "close", "ioctl"],
    *call(name, args) {
      yield work(name, 1, 500);
      calls.push([name, ...args]);
      if (name === "open") return next++;
      if (args[1] === constants.KVM_SET_SLAVE_CPU) return Number(args[2]) > 3 ? -EBUSY.number : 0;
      if (args[1] === constants.KVM_RUN) {
        yield work("run", 1, 1_000_000);
        return 0;
      }
      return args[1] === constants.KVM_CREATE_VM ? next++ : -EBADF.number;
    },
    errno: (number) => [EBUSY, EBADF, EINVAL].find((error) => error.number === number),
    detached: (_name, args) => args[1] === constants.KVM_RUN,
    report: () => "KVM_RUN: KVM_EXIT_SHUTDOWN",
  };
  return { lab, calls };
}

Deno.test("arguments are integers, strings, constants, variables and elements of arrays", () => {
  const { lab, calls } = labWithCalls();
  const { stderr, status } = lab.run(`
    slave_cpu_id=(2 3)
    path=/dev/kvm
    i=1
    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    open(path, 0x10 + 010);
    vcpu[i] = ioctl(kvm, KVM_CREATE_VM, 0);
    ioctl(vcpu[i], KVM_SET_SLAVE_CPU, slave_cpu_id[i]);
    ioctl(vcpu[$i], KVM_SET_SLAVE_CPU, \${slave_cpu_id[0]});
  `);
  assertEquals([stderr, status], ["", 0]);
  assertEquals(calls, [
    ["open", "/dev/kvm", 0o2000002],
    ["open", "/dev/kvm", 24],
    ["ioctl", 3, 0xae01, 0],
    ["ioctl", 5, 0xaea5, 3],
    ["ioctl", 5, 0xaea5, 2],
  ]);
});

Deno.test("a failed call prints the request and the error, and sets errno and the status", () => {
  const { lab } = labWithCalls();
  const { stdout, stderr } = lab.run(
    'ioctl(3, KVM_SET_SLAVE_CPU, 7); echo $? $errno\nx = ioctl(1, 2, 3) || echo failed $x; open("/dev/kvm", 0)',
  );
  assertEquals(stdout, "1 16\nfailed -1\n");
  assertEquals(
    stderr,
    "setup.rtk: line 1: ioctl: KVM_SET_SLAVE_CPU: Device or resource busy (EBUSY)\n" +
      "setup.rtk: line 2: ioctl: 2: Bad file descriptor (EBADF)\n",
  );
});

Deno.test("an unset name is an error, never 0", () => {
  const { lab, calls } = labWithCalls();
  const { stderr, status } = lab.run(
    "slave_cpu_id=(3)\nioctl(3, KVM_SET_SLAVE_CPUS, 0);\nioctl(3, KVM_RUN, slave_cpu_id[1]);",
  );
  assertEquals(calls, []);
  assertEquals(status, 1);
  assertEquals(
    stderr,
    "setup.rtk: line 2: ioctl: KVM_SET_SLAVE_CPUS is neither a known constant nor a variable (did you mean KVM_SET_SLAVE_CPU?)\n" +
      "setup.rtk: line 3: ioctl: slave_cpu_id[1] is not set\n",
  );
});

Deno.test("an unknown call is refused by name", () => {
  const { lab } = labWithCalls();
  const { stderr, status } = lab.run("iocl(3, KVM_RUN, 0);");
  assertEquals(
    stderr,
    "setup.rtk: line 1: iocl: no such system call on host\nnote: did you mean ioctl(…)?\n",
  );
  assertEquals(status, 127);
});

Deno.test("a detached call is a job that reports its end", () => {
  const { lab } = labWithCalls();
  const { stdout, stderr } = lab.run("ioctl(5, KVM_RUN, 0); echo goes on; wait; echo over");
  assertEquals(stdout, "goes on\nover\n");
  assertEquals(stderr, "KVM_RUN: KVM_EXIT_SHUTDOWN\n");
});
