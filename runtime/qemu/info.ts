/**
 * What the monitor's `info` commands print of a machine.
 *
 * *Document*: `hmp.c` / `monitor/hmp-cmds.c`, `net.c`, `hw/pci.c`, `target-i386/helper.c` / `target/i386/cpu-dump.c`.
 *
 * *Not modelled*: what an instruction would need: addresses, general registers, segments and descriptor tables. They are
 * shown as `n/a`, because a number would be made up. The guest's PCI bus has its virtio disks and the devices that are
 * assigned to it, and not those of the board.
 *
 * @module
 */

import type { PciFunction } from "../kvm/user_space.ts";
import type { QemuEra } from "./era.ts";
import type { QemuMachine } from "./machine.ts";
import type { QemuOptions } from "./options.ts";
import type { VcpuThread } from "./vcpu_thread.ts";

/** `info status`. */
export function infoStatus({ runState }: QemuMachine): string[] {
  if (runState === "running" || runState === "paused") return [`VM status: ${runState}`];
  return [`VM status: paused (${runState})`];
}

/** `info cpus`: in 2012 with what each CPU does, which it has to be asked for. */
export function infoCpus({ threads, options }: QemuMachine, current: number): string[] {
  return threads.map((thread) => {
    const halted = isHalted(thread) ? " (halted)" : "";
    const state = options.era === "2012" ? ` pc=n/a${halted}` : "";
    return `${thread.index === current ? "*" : " "} CPU #${thread.index}:${state} thread_id=${
      thread.task?.pid ?? 0
    }`;
  });
}

/** Whether the guest has executed HLT, in guest mode or out of it. */
function isHalted({ file: { vcpu } }: VcpuThread): boolean {
  return vcpu.halted || vcpu.registers.halted || vcpu.events.state !== "runnable"; // waiting for a start-up message
}

/** `info irq`: interrupt lines that QEMU's devices have raised, those of the kernel's PIT apart. */
export function infoInterrupts({ file: { vm }, options }: QemuMachine): string[] {
  const lines = [...vm.chips?.routing.raised ?? []].sort(([a], [b]) => a - b).map(([line, count]) => ({
    line,
    count: count - (line === 0 ? vm.pit?.ticks ?? 0 : 0),
  }));
  return [
    options.era === "2012" ? "IRQ statistics:" : "IRQ statistics for ioapic:",
    ...lines.filter(({ count }) => count > 0).map(({ line, count }) =>
      `${String(line).padStart(2)}: ${count}`
    ),
  ];
}

/** `info chardev`. */
export function infoCharacterDevices({ options, terminals }: QemuMachine): string[] {
  return characterDevices(options).map(({ label, backend }) => {
    const place = terminals.get(label);
    return `${label}: filename=${place === undefined ? backend : `pty:${place}`}`;
  });
}

/** Character devices by the labels that QEMU gives them. */
export function characterDevices({ serial, monitor }: QemuOptions): { label: string; backend: string }[] {
  return [
    ...monitor.map((backend, i) => ({ label: `compat_monitor${i}`, backend })),
    ...serial.map((backend, i) => ({ label: `serial${i}`, backend: backend.replace(/^mon:/, "") })),
  ];
}

/** `info network`. */
export function infoNetwork({ nic, netdevType, era }: QemuOptions): string[] {
  if (nic === undefined) return era === "2012" ? ["Devices not on any VLAN:"] : [];
  const card = `type=nic,model=${nic.model},macaddr=${nic.mac}`;
  const user = "net=10.0.2.0,restrict=off";
  const backend = `type=${netdevType}${netdevType === "user" ? `,${user}` : ""}`;
  if (era === "2012") {
    return ["VLAN 0 devices:", `  user.0: ${backend}`, `  ${nic.name}: ${card}`, "Devices not on any VLAN:"];
  }
  if (nic.netdev === undefined) {
    // Without -netdev the card and the old -net user meet in a hub.
    return [
      "hub 0",
      ` \\ hub0port1: user.0: index=0,${backend}`,
      ` \\ hub0port0: ${nic.name}: index=0,${card}`,
    ];
  }
  return [`${nic.name}: index=0,${card}`, ` \\ ${nic.netdev}: index=0,${backend}`];
}

/** Classes of devices, by base class and subclass, as `info pci` calls them. */
const CLASSES: ReadonlyMap<number, string> = new Map([
  [0x0100, "SCSI controller"],
  [0x0101, "IDE controller"],
  [0x0108, "NVMe controller"],
  [0x0200, "Ethernet controller"],
  [0x0300, "VGA controller"],
  [0x0403, "Audio controller"],
  [0x0600, "Host bridge"],
  [0x0601, "ISA bridge"],
  [0x0604, "PCI bridge"],
  [0x0c03, "USB controller"],
]);

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** `info pci`. */
export function infoPci({ assigned, disks, options: { era } }: QemuMachine): string[] {
  return [
    ...disks.functions.flatMap((each) => functionLines(each, "", era)),
    ...assigned.flatMap((device) => functionLines(device.function!, device.id ?? "", era)),
  ];
}

function functionLines({ spec, interruptLine }: PciFunction, id: string, era: QemuEra): string[] {
  const { bdf, classCode, vendorId, deviceId, subsystemVendorId, subsystemId, bars } = spec;
  const pin = era === "2012" ? "." : ", pin A";
  const name = CLASSES.get(classCode >>> 8) ?? `Class ${hex(classCode >>> 8, 4)}`;
  return [
    `  Bus ${String(bdf.bus).padStart(2)}, device ${
      String(bdf.device).padStart(3)
    }, function ${bdf.function}:`,
    `    ${name}: PCI device ${hex(vendorId, 4)}:${hex(deviceId, 4)}`,
    `      PCI subsystem ${hex(subsystemVendorId, 4)}:${hex(subsystemId, 4)}`,
    ...(spec.interruptPin ? [`      IRQ ${interruptLine}${pin}`] : []),
    ...bars.map(({ index, space, size, base, bits, prefetchable }) =>
      space === "io"
        ? `      BAR${index}: I/O at 0x${hex(base, 4)} [0x${hex(base + size - 1, 4)}].`
        : `      BAR${index}: ${bits} bit${prefetchable ? " prefetchable" : ""} memory at 0x${hex(base, 8)}` +
          ` [0x${hex(base + size - 1, 8)}].`
    ),
    `      id "${id}"`,
  ];
}

/** Registers of the long-mode dump that the model does not have. */
const GENERAL = ["RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP"];

/** `info registers`: IF and HLT are the model's; what needs instructions is not there. */
export function infoRegisters(thread: VcpuThread, era: QemuEra): string[] {
  const { registers } = thread.file.vcpu;
  const flags = 0x2 | (registers.interruptFlag ? 0x200 : 0);
  const row = (names: readonly string[]) => names.map((name) => `${name.padEnd(3)}=n/a`).join(" ");
  return [
    ...era === "today" ? [`CPU#${thread.index}`] : [],
    row(GENERAL.slice(0, 4)),
    row(GENERAL.slice(4)),
    row(["R8", "R9", "R10", "R11"]),
    row(["R12", "R13", "R14", "R15"]),
    `RIP=n/a RFL=${hex(flags, 8)} [-------] CPL=n/a II=0 A20=1 SMM=0 HLT=${isHalted(thread) ? 1 : 0}`,
  ];
}
