/**
 * The display adapter of a machine: a VGA, with the window of its memory and its ports.
 *
 * *Document*: qemu-kvm 1.1 `hw/vga.c` (`vga_init()`, `vga_ioport_write()`), `hw/cirrus_vga.c`; `kvm-all.c`
 * (`kvm_flush_coalesced_mmio_buffer()`); `-vga` in qemu(1).
 *
 * *Modelled*: `-vga std` and `cirrus`, which are the same in text modes: each access to a port is an exit to the vCPU's
 * thread; writes to the window wait in KVM's ring until that thread comes out for another reason, or the ring is full;
 * a read of the window is an exit of its own. `-vga none`: there is none.
 *
 * *Not modelled*: its function on the PCI bus, linear frame buffers, blitters; other adapters (`qxl`, `vmware`, …) have no
 * registers here: an access reads all ones. A window on the host that shows the screen, with the timer that keeps it fresh.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import { type Task, Vga, VGA_WINDOW } from "../kvm/user_space.ts";
import { Ioctl } from "../kvm/ioctl/ioctls.ts";
import { CoalescedMmioZone } from "../kvm/uapi/structures.ts";
import type { QemuMachine } from "./machine.ts";

const ADAPTERS = ["std", "cirrus"];

/** The adapter of a machine, as its command line says; null: none that is modelled. */
export function displayOf(machine: QemuMachine): Display | null {
  return ADAPTERS.includes(machine.options.vga) ? new Display(machine) : null;
}

/** The adapter. */
export class Display {
  /** The chip. */
  readonly vga = new Vga();

  /** Of a machine. */
  constructor(readonly machine: QemuMachine) {}

  /** Tells KVM which writes may wait. The time is within that of machineInit. */
  coalesce(by: Task): void {
    const zone = CoalescedMmioZone.make().set("addr", VGA_WINDOW.address).set("size", VGA_WINDOW.bytes);
    const { process, vm } = this.machine;
    process.calls.callAtOnce("ioctl", [vm, Ioctl.KVM_REGISTER_COALESCED_MMIO, zone], by);
  }

  /** The guest writes to an address without memory. @returns whether it is in the window */
  write(address: number, bytes: number, value: number): boolean {
    if (!inWindow(address)) return false;
    this.vga.writeMemory(address, bytes, value);
    return true;
  }

  /** The guest reads there; undefined: it is not in the window. */
  read(address: number, bytes: number): number | undefined {
    return inWindow(address) ? this.vga.readMemory(address, bytes) : undefined;
  }

  /** `kvm_flush_coalesced_mmio_buffer()`: what has waited is done. Executed by a vCPU's thread that has come out of KVM. */
  *flush(): Activity {
    const { machine: { file: { vm: { coalesced } }, steps } } = this;
    while (coalesced.length > 0) {
      yield steps.vgaWrite;
      const write = coalesced.shift();
      if (write !== undefined) this.write(write.address, write.bytes, write.value);
    }
  }

  /** The machine is reset. */
  reset(): void {
    this.vga.reset();
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    this.vga.hashInto(hash);
  }
}

function inWindow(address: number): boolean {
  return address >= VGA_WINDOW.address && address < VGA_WINDOW.address + VGA_WINDOW.bytes;
}
