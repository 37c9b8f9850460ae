/**
 * `/dev/kvm` and its descriptors: results and errors of the ioctls.
 *
 * Errors are those that a real kernel gave (`vectors/kvm-ioctl-errno.json` of the shared recordings) and, for slave
 * CPUs, those that follow from patch 08 of the series and `native_cpu_up()`, `native_cpu_die()` of Linux 3.6.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Activity, work } from "../hw/sim/activity.ts";
import { Pin, Primary } from "../hw/vmx.ts";
import type { DirectCapabilities } from "../runtime/kvm/direct.ts";
import { KvmCalls } from "../runtime/kvm/ioctl/calls.ts";
import { KVM_CONSTANTS } from "../runtime/kvm/ioctl/ioctls.ts";
import type { CallValue } from "../runtime/kvm/ioctl/marshal.ts";
import type { Vcpu } from "../runtime/kvm/vcpu.ts";
import type { VcpuFile } from "../runtime/kvm/ioctl/vcpu_file.ts";
import { PIT_HZ } from "../runtime/kvm/irqchip/pit.ts";
import { Layers } from "../runtime/linux/layers.ts";
import type { Task } from "../runtime/linux/sched/task.ts";
import { Vector } from "../runtime/linux/irq/vectors.ts";
import { RFC_V2, Rig, STOCK } from "./kvm_rig.ts";

/** Numbers of `errno.h`. */
const EPERM = 1,
  ENOENT = 2,
  EBADF = 9,
  EBUSY = 16,
  EEXIST = 17,
  EINVAL = 22,
  ENOTTY = 25,
  ENOSYS = 38,
  ENXIO = 6;

/** Registers of the x2APIC that the vCPU's bitmap opens. */
function openOfApic({ vmcs }: Vcpu): number[] {
  return vmcs.msrBitmap.opened().map(({ msr }) => msr).filter((msr) => msr >= 0x800 && msr < 0x900);
}

/** A process on CPU 0 that makes calls, one after the other. */
class Caller {
  readonly rig: Rig;
  readonly calls: KvmCalls;

  constructor(capabilities: DirectCapabilities, offline: number[] = [3]) {
    this.rig = new Rig(capabilities, { offline });
    this.calls = new KvmCalls(this.rig.kvm);
  }

  /** `name(args…)`; names of constants stand for their numbers. */
  call(name: string, ...args: CallValue[]): number {
    return this.rig.finish((task) => this.make(task, name, ...args));
  }

  make(task: Task, name: string, ...args: CallValue[]): Activity<number> {
    const values = args.map((argument) =>
      typeof argument === "string" ? KVM_CONSTANTS.get(argument) ?? argument : argument
    );
    return this.calls.call(name, values, task, this.rig.host.cpus[task.cpu]!);
  }

  /** `ioctl(fd, …)`. */
  ioctl(fd: number, ...args: CallValue[]): number {
    return this.call("ioctl", fd, ...args);
  }

  /** A machine with `cpus` vCPUs; the descriptors, the machine's first. */
  machine(cpus = 1): number[] {
    const kvm = this.call("open", "/dev/kvm", "O_RDWR");
    const vm = this.ioctl(kvm, "KVM_CREATE_VM", 0);
    return [vm, ...Array.from({ length: cpus }, (_, id) => this.ioctl(vm, "KVM_CREATE_VCPU", id))];
  }
}

Deno.test("the slide's three descriptors come in order, and 81 is a capability of the patched kernel only", () => {
  for (const [capabilities, answer] of [[STOCK, 0], [RFC_V2, 1]] as const) {
    const caller = new Caller(capabilities);
    const kvm = caller.call("open", "/dev/kvm", "O_RDWR");
    assertEquals(caller.ioctl(kvm, "KVM_GET_API_VERSION", 0), 12);
    assertEquals(caller.ioctl(kvm, "KVM_CHECK_EXTENSION", 81), answer);
    assertEquals(caller.ioctl(kvm, "KVM_CHECK_EXTENSION", "KVM_CAP_IRQCHIP"), 1);
    assertEquals(caller.ioctl(kvm, "KVM_CHECK_EXTENSION", 999), 0);
    const vm = caller.ioctl(kvm, "KVM_CREATE_VM", 0);
    assertEquals([kvm, vm, caller.ioctl(vm, "KVM_CREATE_VCPU", 0)], [3, 4, 5]);
  }
});

Deno.test("request numbers are the kernel's", () => {
  for (
    const [name, number] of [
      ["KVM_GET_API_VERSION", 0xae00],
      ["KVM_CREATE_VM", 0xae01],
      ["KVM_CREATE_VCPU", 0xae41],
      ["KVM_CREATE_IRQCHIP", 0xae60],
      ["KVM_IRQ_LINE", 0x4008ae61],
      ["KVM_CREATE_PIT2", 0x4040ae77],
      ["KVM_RUN", 0xae80],
      ["KVM_GET_SLAVE_CPU", 0xaeae],
      ["KVM_SET_SLAVE_CPU", 0xaeaf],
      ["O_RDWR", 2],
    ] as const
  ) assertEquals(KVM_CONSTANTS.get(name), number, name);
});

Deno.test("wrong descriptors and requests give what a real kernel gives", () => {
  const caller = new Caller(STOCK);
  assertEquals(caller.call("open", "/dev/nothing", "O_RDWR"), -ENOENT);
  assertEquals(caller.ioctl(7, "KVM_RUN", 0), -EBADF);
  assertEquals(caller.call("close", 7), -EBADF);
  const kvm = caller.call("open", "/dev/kvm", "O_RDWR");
  const vm = caller.ioctl(kvm, "KVM_CREATE_VM", 0);
  const vcpu = caller.ioctl(vm, "KVM_CREATE_VCPU", 0);
  for (const request of [0xaeff, 0xae7f, "KVM_CREATE_VCPU", "KVM_RUN", "KVM_CREATE_PIT2"]) {
    assertEquals(caller.ioctl(kvm, request, 0), -EINVAL, `/dev/kvm: ${request}`);
  }
  for (const request of [0xaeff, 0xae7f, "KVM_GET_API_VERSION", "KVM_CREATE_VM"]) {
    assertEquals(caller.ioctl(vm, request, 0), -ENOTTY, `machine: ${request}`);
  }
  for (const request of [0xaeff, 0xae7f, "KVM_SET_SLAVE_CPU", "KVM_GET_SLAVE_CPU", "KVM_CREATE_VM"]) {
    assertEquals(caller.ioctl(vcpu, request, 0), -EINVAL, `vCPU: ${request}`);
  }
  const event = caller.call("eventfd", 0, 0);
  assertEquals(caller.ioctl(event, "KVM_RUN", 0), -ENOTTY);
  assertEquals([caller.call("close", event), caller.ioctl(event, "KVM_RUN", 0)], [0, -EBADF]);
});

Deno.test("what a machine can have once, or in one order, is refused the second time", () => {
  const caller = new Caller(STOCK);
  const kvm = caller.call("open", "/dev/kvm", "O_RDWR");
  assertEquals(caller.ioctl(kvm, "KVM_CREATE_VM", 2), -EINVAL);
  const vm = caller.ioctl(kvm, "KVM_CREATE_VM", 0);
  assertEquals(caller.ioctl(vm, "KVM_IRQ_LINE", 0, 1), -ENXIO);
  assertEquals(caller.ioctl(vm, "KVM_CREATE_IRQCHIP", 0), 0);
  assertEquals(caller.ioctl(vm, "KVM_CREATE_IRQCHIP", 0), -EEXIST);
  assertEquals(caller.ioctl(vm, "KVM_CREATE_PIT2", 0), 0);
  assertEquals(caller.ioctl(vm, "KVM_CREATE_PIT2", 0), -EEXIST);
  assert(caller.ioctl(vm, "KVM_CREATE_VCPU", 1) > 0);
  assertEquals(caller.ioctl(vm, "KVM_CREATE_VCPU", 1), -EEXIST);
  assertEquals(caller.ioctl(vm, "KVM_SET_TSS_ADDR", 0xffff_e000), -EINVAL);
  assertEquals(caller.ioctl(vm, "KVM_SET_TSS_ADDR", 0xfffb_d000), 0);
  const other = caller.ioctl(kvm, "KVM_CREATE_VM", 0);
  caller.ioctl(other, "KVM_CREATE_VCPU", 0);
  assertEquals(caller.ioctl(other, "KVM_CREATE_IRQCHIP", 0), -EINVAL, "after a vCPU");
});

Deno.test("KVM_SET_SLAVE_CPU boots an offline CPU and sets HLT exiting, bit 0 and the bitmap", () => {
  const caller = new Caller(RFC_V2);
  const [vm, fd] = caller.machine() as [number, number];
  const { vcpu } = caller.calls.descriptors.get(fd) as VcpuFile;
  assertEquals(
    caller.ioctl(fd, "KVM_GET_SLAVE_CPU", 0),
    -EPERM,
    "unset is -1, which the C library takes for EPERM",
  );
  assertEquals(caller.ioctl(fd, "KVM_SET_SLAVE_CPU", 3), 0);
  assertEquals(caller.ioctl(fd, "KVM_GET_SLAVE_CPU", 0), 3);
  assertEquals(caller.rig.host.cpus[3]!.state, "slave");
  assertEquals(vcpu.vmcs.pinBased & Pin.ExternalInterruptExiting, 0);
  assertEquals(vcpu.vmcs.primary & Primary.HltExiting, 0);
  assertEquals(openOfApic(vcpu), [0x80b, 0x838, 0x839]);
  assertEquals(caller.rig.host.dmesg.at(-1)!.text, "Slave CPU 3 is up");
  assert(vm > 0);
});

Deno.test("KVM_SET_SLAVE_CPU refuses CPUs that it cannot have", () => {
  const caller = new Caller(RFC_V2, [2, 3]);
  const [, first, second] = caller.machine(2) as [number, number, number];
  const set = (fd: number, cpu: number) => caller.ioctl(fd, "KVM_SET_SLAVE_CPU", cpu);
  assertEquals(set(first, 1), -EINVAL, "online");
  assertEquals(set(first, 4), -EINVAL, "no such CPU");
  assertEquals(set(first, -1), -EINVAL, "detach of nothing");
  assertEquals(set(first, 3), 0);
  assertEquals(set(first, 3), -ENOSYS, "the same one twice");
  assertEquals(set(second, 3), -EINVAL, "somebody else's");
  assertEquals(caller.ioctl(first, "KVM_GET_SLAVE_CPU", 0), 3, "nothing of that has changed anything");
});

Deno.test("a slave is given up by a negative number, and for another one", () => {
  const caller = new Caller(RFC_V2, [2, 3]);
  const [, fd] = caller.machine() as [number, number];
  const { vcpu } = caller.calls.descriptors.get(fd) as VcpuFile;
  const states = () => caller.rig.host.cpus.map(({ state }) => state).slice(2);
  assertEquals(caller.ioctl(fd, "KVM_SET_SLAVE_CPU", 3), 0);
  assertEquals(caller.ioctl(fd, "KVM_SET_SLAVE_CPU", 2), 0);
  assertEquals(states(), ["slave", "offline"]);
  assertEquals(caller.ioctl(fd, "KVM_SET_SLAVE_CPU", -1), 0);
  assertEquals(states(), ["offline", "offline"]);
  assertEquals(caller.ioctl(fd, "KVM_GET_SLAVE_CPU", 0), -EPERM);
  assert(vcpu.vmcs.externalInterruptExiting && (vcpu.vmcs.primary & Primary.HltExiting) !== 0);
  assertEquals(openOfApic(vcpu), []);
  assertEquals(caller.ioctl(fd, "KVM_SET_SLAVE_CPU", 3), 0, "and it can be had again");
});

Deno.test("a slave that does not stop within a second is busy, and stays the vCPU's", () => {
  const caller = new Caller(RFC_V2);
  const { host, machine } = caller.rig;
  const [, fd] = caller.machine() as [number, number];
  caller.ioctl(fd, "KVM_SET_SLAVE_CPU", 3);
  const stuck = work("a function that does not end", Layers.Kvm, 3_000_000_000, false);
  host.cpus[3]!.callFunctions.push((function* () {
    yield stuck;
  })());
  machine.messageSignalled(3, Vector.CallFunctionSingle);
  const startNs = caller.rig.engine.nowNs;
  assertEquals(caller.ioctl(fd, "KVM_SET_SLAVE_CPU", -1), -EBUSY);
  assert(caller.rig.engine.nowNs - startNs >= 1_000_000_000, "ten times 100 ms");
  assertEquals(caller.ioctl(fd, "KVM_GET_SLAVE_CPU", 0), 3);
  assertEquals(host.dmesg.at(-1)!.text, "failed to stop slave cpu 3");
});

Deno.test("the last descriptor takes the machine with it, and the slave back to offline", () => {
  const caller = new Caller(RFC_V2);
  const [vm, fd] = caller.machine() as [number, number];
  caller.ioctl(fd, "KVM_SET_SLAVE_CPU", 3);
  assertEquals(caller.call("close", vm), 0);
  assertEquals([caller.rig.kvm.vms.length, caller.rig.host.cpus[3]!.state], [1, "slave"]);
  assertEquals(caller.call("close", fd), 0);
  assertEquals([caller.rig.kvm.vms.length, caller.rig.host.cpus[3]!.state], [0, "offline"]);
});

Deno.test("KVM_RUN of a vCPU without memory ends with an internal error, and wants 0 as its argument", () => {
  const caller = new Caller(STOCK);
  const [, fd] = caller.machine() as [number, number];
  assertEquals(caller.ioctl(fd, "KVM_RUN", 1), -EINVAL);
  assertEquals(caller.ioctl(fd, "KVM_RUN", 0), 0);
  assertEquals((caller.calls.descriptors.get(fd) as VcpuFile).exitReason, "KVM_EXIT_INTERNAL_ERROR");
});

Deno.test("the in-kernel PIT ticks 18 times a second and raises line 0, until its machine is gone", () => {
  const caller = new Caller(STOCK);
  const kvm = caller.call("open", "/dev/kvm", "O_RDWR");
  const vm = caller.ioctl(kvm, "KVM_CREATE_VM", 0);
  caller.ioctl(vm, "KVM_CREATE_IRQCHIP", 0);
  caller.ioctl(vm, "KVM_CREATE_PIT2", 0);
  const { pit } = caller.rig.kvm.vms[0]!;
  assertEquals(pit!.periodNs, Math.floor(65536e9 / PIT_HZ));
  caller.rig.pass(1_000_000_000);
  assertEquals([pit!.ticks, caller.rig.kvm.vms[0]!.chips!.routing.raised.get(0)], [18, 18]);
  caller.call("close", vm);
  caller.rig.pass(1_000_000_000);
  assertEquals([pit!.ticks, pit!.running], [18, false]);
});

Deno.test("a line that is high already raises nothing: neither for a guest of the model nor at the controllers", () => {
  const caller = new Caller(STOCK);
  const kvm = caller.call("open", "/dev/kvm", "O_RDWR");
  const vm = caller.ioctl(kvm, "KVM_CREATE_VM", 0);
  caller.ioctl(vm, "KVM_CREATE_IRQCHIP", 0);
  const bytes = 2 ** 20;
  const ram = caller.calls.map(bytes, { start: () => assertUnreachable() });
  assertEquals(caller.ioctl(vm, "KVM_SET_USER_MEMORY_REGION", 0, 0, 0, bytes, ram), 0);
  for (const level of [1, 1, 0, 1]) assertEquals(caller.ioctl(vm, "KVM_IRQ_LINE", 4, level), 0);
  assertEquals(caller.rig.kvm.vms[0]!.chips!.routing.raised.get(4), 2);
  // The I/O APIC's pin is masked, the 8259's line is not: the first edge is taken, and stays requested.
  const { pic } = caller.rig.kvm.vms[0]!.chips!;
  assertEquals(pic.core.state(0).irr, 1 << 4);
});

function assertUnreachable(): never {
  throw new Error("no vCPU starts");
}

Deno.test("a vCPU serves one caller at a time", () => {
  const caller = new Caller(RFC_V2);
  const [, fd] = caller.machine() as [number, number];
  const order: string[] = [];
  const { rig } = caller;
  for (const [name, cpu] of [["first", 0], ["second", 1]] as const) {
    rig.run(name, cpu, function* (task) {
      const result = yield* caller.make(task, "ioctl", fd, "KVM_SET_SLAVE_CPU", 3);
      order.push(`${name} ${result}`);
      return 0;
    });
  }
  rig.pass(1_000_000_000);
  assertEquals(order, ["first 0", `second -${ENOSYS}`], "the second waits until the first one's slave is up");
});
