/**
 * Requests on a machine's interrupts: controllers, PIT, lines, routes, messages, eventfds.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/x86.c`: `kvm_arch_vm_ioctl()`; `virt/kvm/kvm_main.c`; `virt/kvm/irq_comm.c`,
 * later `virt/kvm/irqchip.c` and `arch/x86/kvm/irq.c`: `kvm_set_irq_routing()`, `kvm_set_routing_entry()`.
 *
 * @module
 */

import { EEXIST, EFAULT, EINVAL, ENOENT, ENXIO, EPERM, type Errno } from "../linux/errno.ts";
import type { Activity } from "../../hw/sim/activity.ts";
import type { Handlers, IoctlCall, Outcome } from "./ioctl_call.ts";
import { Pit } from "./pit.ts";
import type { Structure, View } from "./uapi/structure.ts";
import {
  Ioeventfd,
  Irqfd,
  IrqLevel,
  Msi,
  PitChannelState,
  PitConfig,
  PitState,
  PitState2,
  ReinjectControl,
  Routing,
  RoutingEntry,
  RoutingIrqchip,
  RoutingMsi,
  RoutingUnion,
} from "./uapi/structures.ts";
import type { VmFile } from "./vm_file.ts";

/** KVM_MSI_VALID_DEVID: not needed on x86, and allowed. */
const VALID_DEVID = 1;
/** Pins of the controllers. */
const PIC_PINS = 16, IOAPIC_PINS = 24;
/** Types of routes. */
export const RouteType = { Irqchip: 1, Msi: 2 } as const;
/** Numbers of controllers. */
const Chip = { PicMaster: 0, PicSlave: 1, Ioapic: 2 } as const;

/** The handlers. */
export const interruptHandlers: Handlers<VmFile> = {
  *KVM_CREATE_IRQCHIP(file): Activity<Outcome> {
    const { vm } = file;
    if (file.hasLapics) return EEXIST;
    if (vm.vcpus.length > 0) return EINVAL;
    yield vm.kvm.steps.createVm;
    vm.irqchip = true;
    return 0;
  },

  KVM_CREATE_PIT: createPit,

  KVM_CREATE_PIT2: (file, call) => call.copyIn(PitConfig) === null ? EFAULT : createPit(file, call),

  KVM_GET_PIT(file, call) {
    if (call.copyIn(PitState) === null) return EFAULT;
    const { pit } = file.vm;
    if (pit === null) return ENXIO;
    const state = PitState.make();
    pitChannel(pit, state.part("channels", PitChannelState));
    return call.copyOut(state);
  },

  KVM_SET_PIT(file, call) {
    const state = call.copyIn(PitState);
    if (state === null) return EFAULT;
    return setPit(file, state.part("channels", PitChannelState), call);
  },

  KVM_GET_PIT2(file, call) {
    const { pit } = file.vm;
    if (pit === null) return ENXIO;
    const state = PitState2.make();
    pitChannel(pit, state.part("channels", PitChannelState));
    return call.copyOut(state);
  },

  KVM_SET_PIT2(file, call) {
    const state = call.copyIn(PitState2);
    if (state === null) return EFAULT;
    return setPit(file, state.part("channels", PitChannelState), call);
  },

  KVM_REINJECT_CONTROL(file, call) {
    if (call.copyIn(ReinjectControl) === null) return EFAULT;
    return file.vm.pit === null ? ENXIO : 0; // ticks are never made up for, see pit.ts
  },

  *KVM_IRQ_LINE(file, call) {
    const line = call.copyIn(IrqLevel);
    if (line === null) return EFAULT;
    if (!file.vm.irqchip) return ENXIO;
    file.vm.setIrq(line.get("irq"), line.get("level") !== 0, call.cpu);
    yield* call.cpu.sendPendingIpis();
    return 0;
  },

  *KVM_IRQ_LINE_STATUS(file, call) {
    const line = call.copyIn(IrqLevel);
    if (line === null) return EFAULT;
    if (!file.vm.irqchip) return ENXIO;
    const status = file.vm.setIrq(line.get("irq"), line.get("level") !== 0, call.cpu);
    yield* call.cpu.sendPendingIpis();
    return call.copyOut(line.set("status", status));
  },

  *KVM_SIGNAL_MSI(file, call) {
    const message = call.copyIn(Msi);
    if (message === null) return EFAULT;
    const { strictRouting } = file.vm.kvm.version;
    if (!file.hasLapics || (message.get("flags") & ~(strictRouting ? VALID_DEVID : 0)) !== 0) return EINVAL;
    if (!validMessage(file, message.get("address_hi"))) return EINVAL;
    const delivered = file.vm.signalMessage(
      message.get("address_lo"),
      message.get("address_hi"),
      message.get("data"),
      call.cpu,
    );
    yield* call.cpu.sendPendingIpis();
    return delivered < 0 ? EPERM : delivered; // -1, which the C library takes for errno 1
  },

  KVM_SET_GSI_ROUTING(file, call) {
    const { vm } = file;
    const { irqRoutes, strictRouting } = vm.kvm.version;
    const header = call.copyIn(Routing);
    if (header === null) return EFAULT;
    if (strictRouting && !file.hasLapics) return EINVAL;
    const number = header.get("nr");
    if (strictRouting ? number > irqRoutes : number >= irqRoutes) return EINVAL;
    if (header.get("flags") !== 0) return EINVAL;
    const entries = call.copyInTail(Routing as Structure, RoutingEntry, number);
    if (entries === null) return EFAULT;
    const wrong = wrongRoutes(file, entries);
    if (wrong !== undefined) return wrong;
    file.routes = entries;
    return 0;
  },

  KVM_IRQFD(file, call) {
    const request = call.copyIn(Irqfd);
    if (request === null) return EFAULT;
    return file.eventfds.bindLine(request, call.process.descriptors, file.hasLapics);
  },

  KVM_IOEVENTFD(file, call) {
    const request = call.copyIn(Ioeventfd);
    return request === null ? EFAULT : file.eventfds.bindAccess(request, call.process.descriptors);
  },
};

function* createPit(file: VmFile, call: IoctlCall): Activity<Outcome> {
  const { vm } = file;
  if (vm.pit !== null) return EEXIST;
  if (vm.kvm.version.pitNeedsIrqchip && !vm.irqchip) return ENOENT;
  vm.pit = new Pit(vm, call.cpu);
  const program = vm.irqchip ? vm.pit.start() : null; // without the chip there is no line to raise
  if (program !== null) yield program;
  return 0;
}

function pitChannel(pit: Pit, channel: View<"count" | "mode" | "gate">): void {
  channel.set("count", pit.count).set("mode", pit.mode).set("gate", 1);
}

function* setPit({ vm }: VmFile, channel: View<"count" | "mode">, _call: IoctlCall): Activity<Outcome> {
  if (vm.pit === null) return ENXIO;
  const program = vm.pit.load(channel.get("count"), channel.get("mode"));
  if (program !== null) yield program;
  return 0;
}

/** With 32-bit ids bits 63:40 of a message's address are more of the destination, and 39:32 nothing. */
function validMessage({ x2apicApi }: VmFile, high: number): boolean {
  return (x2apicApi & 1n) === 0n || (high & 0xff) === 0;
}

/** What is wrong with a routing table; `undefined`: nothing. */
function wrongRoutes(file: VmFile, entries: readonly View<RouteField>[]): Errno | undefined {
  const { irqRoutes, strictRouting } = file.vm.kvm.version;
  const used = new Map<number, number[]>();
  for (const entry of entries) {
    const gsi = entry.get("gsi");
    const type = entry.get("type");
    if (gsi >= irqRoutes) return EINVAL;
    const flags = entry.get("flags");
    if ((flags & ~(strictRouting && type === RouteType.Msi ? VALID_DEVID : 0)) !== 0) return EINVAL;
    // A line leads to each controller once at most, or to one message.
    const target = type === RouteType.Msi
      ? -1
      : entry.part("u", RoutingUnion).part("irqchip", RoutingIrqchip).get("irqchip");
    const others = used.get(gsi) ?? [];
    if (others.length > 0 && (target < 0 || others.includes(-1) || others.includes(target))) return EINVAL;
    used.set(gsi, [...others, target]);
    if (type === RouteType.Msi) {
      const high = entry.part("u", RoutingUnion).part("msi", RoutingMsi).get("address_hi");
      if (!validMessage(file, high)) return EINVAL;
    } else if (type !== RouteType.Irqchip || !validPin(file, entry)) return EINVAL;
  }
}

/** Fields of a route. */
export type RouteField = "gsi" | "type" | "flags" | "pad" | "u";

function validPin(file: VmFile, entry: View<RouteField>): boolean {
  const { strictRouting } = file.vm.kvm.version;
  const route = entry.part("u", RoutingUnion).part("irqchip", RoutingIrqchip);
  const pin = route.get("pin");
  if (file.splitIrqchip) return false;
  switch (route.get("irqchip")) {
    case Chip.PicMaster: // 3.5 compares with the pins of both
      return pin < (strictRouting ? PIC_PINS / 2 : PIC_PINS);
    case Chip.PicSlave:
      return pin < PIC_PINS / 2;
    case Chip.Ioapic:
      return pin < IOAPIC_PINS;
    default:
      return false;
  }
}
