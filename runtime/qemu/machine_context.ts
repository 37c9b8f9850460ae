/**
 * What a machine needs from outside: a kernel for its guest, a terminal, and who is told of what becomes of it.
 *
 * @module
 */

import type { Board, CpuMask, GuestCpu, PciFunction, Ram, Task } from "../kvm/user_space.ts";
import type { AcpiPorts } from "./acpi.ts";
import type { QemuMachine } from "./machine.ts";

/** What a guest kernel is made for. */
export interface GuestRequest {
  /** As `ssh` takes it. */
  readonly name: string;
  /** Virtual CPUs. */
  readonly cpus: number;
  /** The processors show x2APIC: the kernel uses its registers as MSRs, not as memory. */
  readonly x2apic: boolean;
  /** The processors' model, as `-cpu` names it. */
  readonly cpuModel: string;
  /** CPUID features that it has beside those of the model. */
  readonly features: ReadonlySet<string>;
  /** Whether CPUID shows KVM's clock. */
  readonly kvmClock: boolean;
  /** It is the same on all vCPUs, so that a vDSO may read it. */
  readonly kvmClockStable: boolean;
  /** RAM, MiB. */
  readonly memoryMiB: number;
  /** Its command line; undefined: that of its disk. */
  readonly commandLine: string | undefined;
  /** Functions on its PCI bus 0, beside those of the board. */
  readonly functions: () => readonly PciFunction[];
  /** Its memory, as far as devices reach it. */
  readonly ram: Ram;
  /** Its interrupt controllers. */
  readonly board: Board;
  /** Its emulated network card: the driver reads the cause register, and the card's line falls. */
  readonly readNetworkCause: () => void;
  /** Ports of ACPI's registers, as the firmware's tables tell them; undefined: no ACPI. */
  readonly acpi: AcpiPorts | undefined;
  /** It has a VGA. */
  readonly vga: boolean;
  /** Its serial port; undefined: it has none. */
  readonly serial: { readonly port: number; readonly irq: number } | undefined;
}

/** A kernel as far as QEMU knows it: code that its CPUs execute from their reset on. */
export interface GuestKernel {
  /** Its CPUs, by number. */
  readonly cpus: readonly GuestCpu[];
}

/** What the machine needs from outside. */
export interface MachineContext {
  /** Makes the guest's kernel, not yet booted. */
  createGuest(request: GuestRequest): GuestKernel;
  /** Where the thread of vCPU `index` may run; `undefined`: where its process may. */
  vcpuAffinity(index: number): CpuMask | undefined;
  /** Whether the guest's memory is locked although the command line does not say so. */
  readonly memoryLocked?: boolean;
  /** The thread of a vCPU has begun. */
  vcpuStarted?(thread: Task): void;
  /** The machine is made, and runs unless it is stopped. */
  started(machine: QemuMachine): void;
  /** The machine has been reset: the kernel made last begins, and that before it is gone. */
  restarted?(machine: QemuMachine): void;
  /** `KVM_SET_CLOCK`: the guest's clock goes on where it stood `ns` ago. */
  clockHeld?(machine: QemuMachine, ns: number): void;
  /** The size of a disk image, bytes. */
  imageBytes?(file: string): number;
  /** A character device has written `text` to the pseudo-terminal `place`. */
  ptyOutput?(place: string, text: string): void;
  /** The guest is no more: its vCPUs' threads have ended, and what the process had is being given back. */
  ended(machine: QemuMachine): void;
}

/** What a machine does when its vCPUs do not run, as `info status` says it. */
export type RunState = "running" | "paused" | "prelaunch" | "internal-error" | "shutdown";

/** Where the process writes after its command has returned. */
export interface Terminal {
  /** Writes to descriptor 1. */
  stdout(text: string): void;
  /** Writes to descriptor 2. */
  stderr(text: string): void;
}
