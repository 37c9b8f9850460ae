/**
 * Requests on a machine's interrupts: controllers, PIT, lines, routes, messages, eventfds.
 *
 * *Document*: Linux 3.5 and 6.18 `arch/x86/kvm/x86.c`: `kvm_arch_vm_ioctl()`; `virt/kvm/kvm_main.c`; `virt/kvm/irq_comm.c`,
 * later `virt/kvm/irqchip.c` and `arch/x86/kvm/irq.c`: `kvm_set_irq_routing()`, `kvm_set_routing_entry()`.
 *
 * @module
 */

import { EEXIST, EFAULT, EINVAL, ENOENT, ENXIO, EPERM } from "../../linux/errno.ts";
import type { Activity, Step } from "../../../hw/sim/activity.ts";
import type { Handlers, IoctlCall, Outcome } from "./ioctl_call.ts";
import { LineSource, type Route } from "../irqchip/irq_routing.ts";
import { readChip, writeChip } from "./irqchip_state.ts";
import { Pit } from "../irqchip/pit.ts";
import { readPit, writePit } from "./pit_state.ts";
import type { Structure, View } from "../uapi/structure.ts";
import {
  Ioeventfd,
  Irqchip,
  Irqfd,
  IrqLevel,
  Msi,
  PitConfig,
  PitState,
  PitState2,
  ReinjectControl,
  Routing,
  RoutingEntry,
  RoutingIrqchip,
  RoutingMsi,
  RoutingUnion,
} from "../uapi/structures.ts";
import type { VmFile } from "./vm_file.ts";

/** KVM_MSI_VALID_DEVID: not needed on x86, and allowed. */
const VALID_DEVID = 1;
/** Types of routes. */
const RouteType = Object.freeze({ Irqchip: 1, Msi: 2 });

/** The handlers. */
export const interruptHandlers: Handlers<VmFile> = {
  *KVM_CREATE_IRQCHIP(file): Activity<Outcome> {
    const { vm } = file;
    if (file.hasLapics) return EEXIST;
    if (vm.vcpus.length > 0) return EINVAL;
    yield vm.kvm.steps.createVm;
    vm.createIrqchip();
    return 0;
  },

  KVM_CREATE_PIT: createPit,

  KVM_CREATE_PIT2: (file, call) => call.copyIn(PitConfig) === null ? EFAULT : createPit(file, call),

  KVM_GET_PIT(file, call) {
    if (call.copyIn(PitState) === null) return EFAULT;
    const { pit } = file.vm;
    if (pit === null) return ENXIO;
    const state = PitState.make();
    readPit(pit, state);
    return call.copyOut(state);
  },

  KVM_SET_PIT(file, call) {
    const state = call.copyIn(PitState);
    return state === null ? EFAULT : setPit(file, (pit) => writePit(pit, state, call.cpu));
  },

  KVM_GET_PIT2(file, call) {
    const { pit } = file.vm;
    if (pit === null) return ENXIO;
    const state = PitState2.make();
    readPit(pit, state);
    return call.copyOut(state);
  },

  KVM_SET_PIT2(file, call) {
    const state = call.copyIn(PitState2);
    return state === null ? EFAULT : setPit(file, (pit) => writePit(pit, state, call.cpu));
  },

  KVM_REINJECT_CONTROL(file, call) {
    if (call.copyIn(ReinjectControl) === null) return EFAULT;
    return file.vm.pit === null ? ENXIO : 0; // ticks are never made up for, see pit.ts
  },

  *KVM_IRQ_LINE(file, call) {
    const line = call.copyIn(IrqLevel);
    if (line === null) return EFAULT;
    if (!file.vm.irqchip) return ENXIO;
    file.setLine(line.get("irq"), line.get("level") !== 0, LineSource.UserSpace, call.cpu);
    yield* call.cpu.sendPendingIpis();
    return 0;
  },

  *KVM_IRQ_LINE_STATUS(file, call) {
    const line = call.copyIn(IrqLevel);
    if (line === null) return EFAULT;
    if (!file.vm.irqchip) return ENXIO;
    const status = file.setLine(line.get("irq"), line.get("level") !== 0, LineSource.UserSpace, call.cpu);
    yield* call.cpu.sendPendingIpis();
    return call.copyOut(line.set("status", status));
  },

  KVM_GET_IRQCHIP({ vm }, call) {
    const chip = call.copyIn(Irqchip);
    if (chip === null) return EFAULT;
    if (vm.chips === null) return ENXIO;
    return readChip(vm.chips, chip) ? call.copyOut(chip) : EINVAL;
  },

  *KVM_SET_IRQCHIP({ vm }, call) {
    const chip = call.copyIn(Irqchip);
    if (chip === null) return EFAULT;
    if (vm.chips === null) return ENXIO;
    if (!writeChip(vm.chips, chip, call.cpu)) return EINVAL;
    yield* call.cpu.sendPendingIpis();
    return 0;
  },

  *KVM_SIGNAL_MSI(file, call) {
    const message = call.copyIn(Msi);
    if (message === null) return EFAULT;
    const { strictRouting } = file.vm.kvm.version;
    if (file.routing === null || (message.get("flags") & ~(strictRouting ? VALID_DEVID : 0)) !== 0) {
      return EINVAL;
    }
    const delivered = file.routing.signalMsi(
      message.get("address_lo"),
      message.get("address_hi"),
      message.get("data"),
      call.cpu,
    );
    yield* call.cpu.sendPendingIpis();
    return delivered === -1 ? EPERM : delivered; // -1, which the C library takes for errno 1
  },

  KVM_SET_GSI_ROUTING(file, call) {
    const { irqRoutes, strictRouting } = file.vm.kvm.version;
    const header = call.copyIn(Routing);
    if (header === null) return EFAULT;
    if (strictRouting && !file.hasLapics) return EINVAL;
    const number = header.get("nr");
    if (strictRouting ? number > irqRoutes : number >= irqRoutes) return EINVAL;
    if (header.get("flags") !== 0) return EINVAL;
    const entries = call.copyInTail(Routing as Structure, RoutingEntry, number);
    if (entries === null) return EFAULT;
    const routes: Route[] = [];
    for (const entry of entries) {
      const route = routeOf(entry, strictRouting);
      if (route === undefined || (file.splitIrqchip && route.type === "irqchip")) return EINVAL;
      routes.push(route);
    }
    // Without controllers there is no line yet, and KVM_CREATE_IRQCHIP makes a table of its own.
    return file.routing?.replace(routes) ?? 0;
  },

  KVM_IRQFD(file, call) {
    const request = call.copyIn(Irqfd);
    if (request === null) return EFAULT;
    return file.eventfds.bindLine(request, call.process.descriptors, file.hasLapics, call.cpu);
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
  const program = vm.pit.start();
  if (program !== null) yield program;
  return 0;
}

function* setPit({ vm }: VmFile, write: (pit: Pit) => Step | null): Activity<Outcome> {
  if (vm.pit === null) return ENXIO;
  const program = write(vm.pit);
  if (program !== null) yield program;
  return 0;
}

/** A route as the table holds it; `undefined`: of no known type, or with unknown flags. */
function routeOf(entry: View<RouteField>, strict: boolean): Route | undefined {
  const gsi = entry.get("gsi");
  const type = entry.get("type");
  if ((entry.get("flags") & ~(strict && type === RouteType.Msi ? VALID_DEVID : 0)) !== 0) return undefined;
  const target = entry.part("u", RoutingUnion);
  if (type === RouteType.Irqchip) {
    const pin = target.part("irqchip", RoutingIrqchip);
    return { gsi, type: "irqchip", chip: pin.get("irqchip"), pin: pin.get("pin") };
  }
  if (type !== RouteType.Msi) return undefined;
  const message = target.part("msi", RoutingMsi);
  return {
    gsi,
    type: "msi",
    addressLow: message.get("address_lo"),
    addressHigh: message.get("address_hi"),
    data: message.get("data"),
  };
}

type RouteField = "gsi" | "type" | "flags" | "pad" | "u";
