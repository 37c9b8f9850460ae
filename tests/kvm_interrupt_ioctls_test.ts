/**
 * Requests on a machine's interrupts, through structures in the caller's memory: controllers, local APICs, messages,
 * routes, eventfds, and the events of a vCPU. Values are those of the kernel's headers, of the data sheets and of
 * `vectors/kvm-lapic`.
 */

import { assert, assertEquals } from "@std/assert";
import type { Activity } from "../hw/sim/activity.ts";
import { KvmCalls } from "../runtime/kvm/ioctl/calls.ts";
import { kvmDebugfs } from "../runtime/kvm/debugfs.ts";
import { KVM_CONSTANTS } from "../runtime/kvm/ioctl/ioctls.ts";
import type { CallValue } from "../runtime/kvm/ioctl/marshal.ts";
import type { View } from "../runtime/kvm/uapi/structure.ts";
import {
  Chip,
  ClockData,
  IoapicState,
  Ioeventfd,
  Irqchip,
  Irqfd,
  IrqLevel,
  LapicState,
  MpState,
  Msi,
  NmiEvent,
  PicState,
  PitChannelState,
  PitState2,
  Routing,
  RoutingEntry,
  RoutingMsi,
  RoutingUnion,
  VcpuEvents,
} from "../runtime/kvm/uapi/structures.ts";
import type { EventFile } from "../runtime/kvm/ioctl/eventfd.ts";
import { KVM_VERSIONS } from "../runtime/kvm/versions.ts";
import { Rig, SERIAL_WRITE, startQemu, STOCK } from "./kvm_rig.ts";

const [EPERM, EINVAL] = [1, 22];
/** Offsets in the local APIC's page. */
const [ID, SVR, IRR] = [0x20, 0xf0, 0x200];

/** A machine with controllers and vCPUs on the row of Linux 6.18. */
class Machine {
  readonly rig = new Rig(STOCK, { offline: [], version: KVM_VERSIONS["6.18"] });
  readonly calls = new KvmCalls(this.rig.kvm);
  readonly vm: number;
  readonly vcpus: number[];

  constructor(cpus = 1) {
    const kvm = this.call("open", "/dev/kvm", 2);
    this.vm = this.ioctl(kvm, "KVM_CREATE_VM", 0);
    this.ioctl(this.vm, "KVM_CREATE_IRQCHIP", 0);
    this.vcpus = Array.from({ length: cpus }, (_, id) => this.ioctl(this.vm, "KVM_CREATE_VCPU", id));
  }

  call(name: string, ...args: CallValue[]): number {
    const { rig, calls } = this;
    return rig.finish((task): Activity<number> => calls.call(name, args, task, rig.host.cpus[task.cpu]!));
  }

  ioctl(fd: number, request: string, argument: CallValue | { readonly bytes: Uint8Array }): number {
    return this.call("ioctl", fd, KVM_CONSTANTS.get(request)!, argument as CallValue);
  }

  /** The local APIC's page, with registers changed. */
  lapic(cpu: number, changes: Readonly<Record<number, number>> = {}): DataView {
    const page = LapicState.make();
    assertEquals(this.ioctl(this.vcpus[cpu]!, "KVM_GET_LAPIC", page), 0);
    const data = new DataView(page.bytes.buffer);
    for (const [offset, value] of Object.entries(changes)) data.setUint32(Number(offset), value, true);
    if (Object.keys(changes).length > 0) assertEquals(this.ioctl(this.vcpus[cpu]!, "KVM_SET_LAPIC", page), 0);
    return data;
  }

  message(low: number, data: number): View<"address_lo" | "data"> {
    return Msi.make().set("address_lo", low).set("data", data);
  }
}

Deno.test("a local APIC is saved and restored as a page; its id is in bits 31:24", () => {
  const machine = new Machine(2);
  const page = machine.lapic(1, { [SVR]: 0x1ff, [IRR + 0x10]: 1 << 8 });
  assertEquals(page.getUint32(ID, true), 1 << 24);
  const again = machine.lapic(1);
  assertEquals([again.getUint32(SVR, true), again.getUint32(IRR + 0x10, true)], [0x1ff, 1 << 8]);
  assertEquals(machine.lapic(0).getUint32(SVR, true), 0xff, "the other one is as after reset");
});

Deno.test("KVM_SIGNAL_MSI says how many took the message: an APIC takes none before software has enabled it", () => {
  const machine = new Machine();
  const message = machine.message(0xfee0_0000, 0x41);
  assertEquals(machine.ioctl(machine.vm, "KVM_SIGNAL_MSI", message), 0);
  machine.lapic(0, { [SVR]: 0x1ff });
  assertEquals(machine.ioctl(machine.vm, "KVM_SIGNAL_MSI", message), 1);
  assertEquals(machine.lapic(0).getUint32(IRR + 0x20, true), 1 << 1, "vector 0x41");
  assertEquals(new Machine(0).ioctl(4, "KVM_SIGNAL_MSI", message), -EPERM, "without a vCPU nobody is meant");
});

Deno.test("KVM_IRQ_LINE_STATUS answers in the line's place", () => {
  const machine = new Machine();
  const raise = (irq: number, level: number) => {
    const line = IrqLevel.make().set("irq", irq).set("level", level);
    assertEquals(machine.ioctl(machine.vm, "KVM_IRQ_LINE_STATUS", line), 0);
    return line.get("status");
  };
  assertEquals(raise(4, 1), 1, "the 8259 takes it, the I/O APIC's pin is masked");
  assertEquals(raise(20, 1), -1, "a pin of the I/O APIC alone");
  assertEquals(raise(100, 1), -1, "no such line");
});

Deno.test("the controllers are read and written by number, and there are three", () => {
  const machine = new Machine();
  const line = IrqLevel.make().set("irq", 9).set("level", 1);
  machine.ioctl(machine.vm, "KVM_IRQ_LINE", line);
  const read = (number: number) => {
    const chip = Irqchip.make().set("chip_id", number);
    return { result: machine.ioctl(machine.vm, "KVM_GET_IRQCHIP", chip), chip };
  };
  assertEquals(
    read(1).chip.part("chip", Chip).part("pic", PicState).get("irr"),
    1 << 1,
    "line 9 is the second's 1",
  );
  assertEquals(read(0).chip.part("chip", Chip).part("pic", PicState).get("irr"), 1 << 2, "behind line 2");
  assertEquals(read(0).chip.part("chip", Chip).part("pic", PicState).get("elcr_mask"), 0xf8);
  const { chip } = read(2);
  const ioapic = chip.part("chip", Chip).part("ioapic", IoapicState);
  assertEquals([ioapic.get("base_address"), ioapic.get("redirtbl", 4)], [0xfec0_0000, 0x1_0000]);
  ioapic.set("redirtbl", (1n << 56n) | 0x34n, 4);
  assertEquals(machine.ioctl(machine.vm, "KVM_SET_IRQCHIP", chip), 0);
  assertEquals(
    read(2).chip.part("chip", Chip).part("ioapic", IoapicState).big("redirtbl", 4),
    (1n << 56n) | 0x34n,
  );
  assertEquals(read(3).result, -EINVAL);
});

Deno.test("an unmasked pin of the I/O APIC brings its vector to the local APIC", () => {
  const machine = new Machine();
  machine.lapic(0, { [SVR]: 0x1ff });
  const chip = Irqchip.make().set("chip_id", 2);
  machine.ioctl(machine.vm, "KVM_GET_IRQCHIP", chip);
  chip.part("chip", Chip).part("ioapic", IoapicState).set("redirtbl", 0x61, 10);
  machine.ioctl(machine.vm, "KVM_SET_IRQCHIP", chip);
  machine.ioctl(machine.vm, "KVM_IRQ_LINE", IrqLevel.make().set("irq", 10).set("level", 1));
  assertEquals(machine.lapic(0).getUint32(IRR + 0x30, true), 1 << 1, "vector 0x61");
});

Deno.test("a route leads a line to a message, and an eventfd raises the line", () => {
  const machine = new Machine();
  machine.lapic(0, { [SVR]: 0x1ff });
  const routing = Routing.make(1).set("nr", 1);
  const entry = routing.part("entries", RoutingEntry).set("gsi", 30).set("type", 2);
  entry.part("u", RoutingUnion).part("msi", RoutingMsi).set("address_lo", 0xfee0_0000).set("data", 0x55);
  assertEquals(machine.ioctl(machine.vm, "KVM_SET_GSI_ROUTING", routing), 0);
  const fd = machine.call("eventfd", 0, 0);
  assertEquals(machine.ioctl(machine.vm, "KVM_IRQFD", Irqfd.make().set("fd", fd).set("gsi", 30)), 0);
  assertEquals(machine.lapic(0).getUint32(IRR + 0x20, true), 0);
  assertEquals(machine.call("write", fd, 1, 8), 8);
  assertEquals(machine.lapic(0).getUint32(IRR + 0x20, true), 1 << (0x55 & 31));
});

Deno.test("an irqfd with a resampler holds its line high until the guest's EOI, which its second eventfd is told", () => {
  const machine = new Machine();
  const [vm] = machine.rig.kvm.vms;
  const { ioapic } = vm!.chips!;
  const [cpu] = machine.rig.host.cpus;
  const [fd, told, other] = [0, 0, 0].map(() => machine.call("eventfd", 0, 0)) as [number, number, number];
  const irqfd = (resamplefd: number, flags = 2) => {
    const request = Irqfd.make().set("fd", fd).set("gsi", 20).set("flags", flags).set(
      "resamplefd",
      resamplefd,
    );
    return machine.ioctl(machine.vm, "KVM_IRQFD", request);
  };
  const high = () => (ioapic.core.lines & (1 << 20)) !== 0;
  const count = (which: number) => Number((machine.calls.descriptors.get(which) as EventFile).count);
  assertEquals(irqfd(-1), -9, "EBADF");
  assertEquals(irqfd(machine.vm), -22, "no eventfd");
  assertEquals(irqfd(told), 0);
  assertEquals(irqfd(other), -16, "EBUSY: the eventfd has a line");
  for (const value of [0x10 + 2 * 20, 0x8000 | 0x61]) {
    ioapic.write(value > 0x100 ? 0x10 : 0, value, cpu!);
  }
  machine.call("write", fd, 1, 8);
  assertEquals([high(), count(told)], [true, 0]);
  ioapic.core.accepted(20);
  vm!.vcpus[0]!.lapic.handledVectors.add(0x61);
  ioapic.endOfInterrupt(vm!.vcpus[0]!, 0x61, true, cpu!);
  assertEquals([high(), count(told), count(other)], [false, 1, 0]);
  machine.call("write", fd, 1, 8);
  assertEquals(irqfd(0, 1), 0);
  assertEquals(high(), false, "the line falls with its resampler");
  assertEquals(vm!.chips!.routing.ackNotifiers.size, 0);
});

Deno.test("two NMIs wait at most, and user space sees them", () => {
  const machine = new Machine();
  const [vcpu] = machine.vcpus as [number];
  for (let i = 0; i < 3; i++) assertEquals(machine.ioctl(vcpu, "KVM_NMI", 0), 0);
  const events = VcpuEvents.make();
  assertEquals(machine.ioctl(vcpu, "KVM_GET_VCPU_EVENTS", events), 0);
  assertEquals(events.part("nmi", NmiEvent).get("pending"), 2);
});

Deno.test("processors other than the one that boots wait for INIT, and KVM_SET_BOOT_CPU_ID says which one boots", () => {
  const stateOf = (machine: Machine, cpu: number) => {
    const state = MpState.make();
    assertEquals(machine.ioctl(machine.vcpus[cpu]!, "KVM_GET_MP_STATE", state), 0);
    return state.get("mp_state");
  };
  const machine = new Machine(2);
  assertEquals([stateOf(machine, 0), stateOf(machine, 1)], [0, 1]);
  const other = new Machine(0);
  assertEquals(other.ioctl(other.vm, "KVM_SET_BOOT_CPU_ID", 1), 0);
  for (const id of [0, 1]) other.vcpus.push(other.ioctl(other.vm, "KVM_CREATE_VCPU", id));
  assertEquals([stateOf(other, 0), stateOf(other, 1)], [1, 0]);
});

Deno.test("the PIT's counter is read and written: half the counts, twice the ticks", () => {
  const machine = new Machine();
  assertEquals(machine.ioctl(machine.vm, "KVM_CREATE_PIT2", 0), 0);
  const state = PitState2.make();
  assertEquals(machine.ioctl(machine.vm, "KVM_GET_PIT2", state), 0);
  const channel = state.part("channels", PitChannelState);
  assertEquals(channel.get("count"), 0x1_0000);
  const { pit } = machine.rig.kvm.vms[0]!;
  const [before] = [pit!.ticks, machine.rig.pass(1_000_000_000)];
  const full = pit!.ticks - before;
  channel.set("count", 0x8000);
  assertEquals(machine.ioctl(machine.vm, "KVM_SET_PIT2", state), 0);
  const [middle] = [pit!.ticks, machine.rig.pass(1_000_000_000)];
  assertEquals([full, pit!.ticks - middle], [18, 36]);
});

Deno.test("the state of the PIT's counters is read as it was set, but for the time of the load", () => {
  const machine = new Machine();
  assertEquals(machine.ioctl(machine.vm, "KVM_CREATE_PIT2", 0), 0);
  const given = {
    count: 0x1234,
    latched_count: 0x4321,
    count_latched: 4, // the low byte of the latched count has been read
    status_latched: 1,
    status: 0xb4,
    read_state: 4,
    write_state: 4, // the low byte of a new count has been written
    write_latch: 0x55,
    rw_mode: 3,
    mode: 2,
    bcd: 0,
    gate: 1,
  };
  const fields = Object.entries(given) as [keyof typeof given, number][];
  const state = PitState2.make();
  for (const number of [0, 1, 2]) {
    const channel = state.part("channels", PitChannelState, number);
    for (const [field, value] of fields) channel.set(field, value);
  }
  assertEquals(machine.ioctl(machine.vm, "KVM_SET_PIT2", state), 0);
  const read = PitState2.make();
  assertEquals(machine.ioctl(machine.vm, "KVM_GET_PIT2", read), 0);
  for (const number of [0, 1, 2]) {
    const channel = read.part("channels", PitChannelState, number);
    assertEquals(Object.fromEntries(fields.map(([field]) => [field, channel.get(field)])), given);
  }
});

Deno.test("a guest that loads counter 0 of the in-kernel PIT changes its ticks, and does not leave KVM", () => {
  const rig = new Rig(STOCK, { offline: [] });
  const { machine } = startQemu(rig, "qemu-kvm -enable-kvm -nographic");
  const { pit } = rig.kvm.vms[0]!;
  const ticksOfASecond = () => {
    const before = pit!.ticks;
    rig.pass(1_000_000_000);
    return pit!.ticks - before;
  };
  assertEquals(ticksOfASecond(), 18, "as the BIOS leaves it: 1,193,182 / 65,536");
  rig.portWrites.push([0x43, 0x34], [0x40, 0x9c], [0x40, 0x2e]); // mode 2, 11,932 clocks: 100 Hz
  rig.pass(100_000_000);
  assert(Math.abs(ticksOfASecond() - 100) <= 1);
  rig.portWrites.push([0x43, 0x30], [0x40, 0x9c], [0x40, 0x2e]); // mode 0: one tick
  rig.pass(100_000_000);
  assertEquals([ticksOfASecond(), pit!.running], [0, false]);
  assertEquals([rig.portWrites.length, machine!.threads[0]!.file.lastExit], [0, "KVM_EXIT_UNKNOWN"]);
});

Deno.test("the guest's clock goes on from where it was set", () => {
  const machine = new Machine();
  assertEquals(machine.ioctl(machine.vm, "KVM_SET_CLOCK", ClockData.make().set("clock", 5_000_000_000)), 0);
  machine.rig.pass(1_000_000_000);
  const clock = ClockData.make();
  assertEquals(machine.ioctl(machine.vm, "KVM_GET_CLOCK", clock), 0);
  assert(clock.get("clock") >= 6_000_000_000 && clock.get("clock") < 6_001_000_000);
});

Deno.test("a guest's write to a port that is an ioeventfd signals it, and does not leave KVM", () => {
  const rig = new Rig(STOCK, { offline: [] });
  const { machine } = startQemu(rig, "qemu-kvm -enable-kvm -nographic");
  const { process } = machine!;
  const ioctl = (request: Parameters<typeof process.ioctl>[2], argument: CallValue) =>
    rig.finish((task) => process.ioctl(task, machine!.vm, request, argument));
  const call = (name: string, ...args: CallValue[]) =>
    rig.finish((task) => process.calls.call(name, args, task, rig.host.cpus[task.cpu]!));
  const fd = call("eventfd", 0, 0);
  const port = Ioeventfd.make().set("addr", 0x3f8).set("len", 1).set("fd", fd).set("flags", 2);
  assertEquals(ioctl("KVM_IOEVENTFD", port as unknown as CallValue), 0);
  const { file } = machine!.threads[0]!;
  rig.portWrites.push(SERIAL_WRITE);
  rig.pass(100_000_000);
  assertEquals([rig.portWrites.length, file.lastExit], [0, "KVM_EXIT_UNKNOWN"], "the port was written");
  let count: bigint | undefined;
  const variable: CallValue = {
    kind: "variable",
    name: "count",
    number: undefined,
    numbered: true,
    elements: new Map(),
    store: (elements) => count = elements.get("0"),
  };
  assertEquals([call("read", fd, variable, 8), count], [8, 1n]);
});

Deno.test("a queued NMI makes the guest leave, and reaches it with the next entry", () => {
  const rig = new Rig(STOCK, { offline: [] });
  const { machine, guest } = startQemu(rig, "qemu-kvm -enable-kvm -nographic");
  rig.pass(100_000_000);
  let taken = 0;
  guest!.nmiHandlers.push(() => {
    taken++;
    return true;
  });
  const vcpu = rig.kvm.vms[0]!.vcpus[0]!;
  rig.type((cpu) => {
    vcpu.events.queueNmi();
    vcpu.kick(cpu);
  });
  rig.pass(1_000_000);
  assertEquals([taken, vcpu.events.nmiPending], [1, 0]);
  const counter = kvmDebugfs(rig.kvm).lookup("nmi_injections");
  assert(counter?.kind === "attribute");
  assertEquals(counter.show?.(), "1\n");
  assertEquals(machine!.running, true, "and the guest goes on");
});
