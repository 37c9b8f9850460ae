/**
 * What KVM hangs on eventfds: `KVM_IRQFD`, by which a write raises a line, and `KVM_IOEVENTFD`, by which a write of the
 * guest signals the eventfd instead of leaving KVM.
 *
 * *Document*: Linux 3.5 and 6.18 `virt/kvm/eventfd.c`.
 *
 * *Modelled*: both, with their collisions; an irqfd raises its line as a pulse, or, with a second eventfd
 * (KVM_IRQFD_FLAG_RESAMPLE, since 3.7), until the guest ends its interrupt, which that eventfd is told.
 *
 * @module
 */

import { EBADF, EBUSY, EEXIST, EINVAL, ENOENT, type Errno } from "../../linux/errno.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import type { Descriptors } from "./descriptors.ts";
import { EventFile } from "./eventfd.ts";
import type { AckNotifier } from "../irqchip/irq_routing.ts";
import type { View } from "../uapi/structure.ts";
import type { KvmVersion } from "../versions.ts";
import type { IoeventfdBus } from "../vm.ts";

/** Flags of `struct kvm_irqfd`. */
const Irqfd = Object.freeze({ Deassign: 1, Resample: 2 });
/** Flags of `struct kvm_ioeventfd`. */
const Io = Object.freeze({ DataMatch: 1, Pio: 2, Deassign: 4 });
const IO_FLAGS = Io.DataMatch | Io.Pio | Io.Deassign;
/** Lengths of an access, and 0 for any. */
const IO_LENGTHS = [0, 1, 2, 4, 8];

interface LineBinding {
  readonly file: EventFile;
  readonly gsi: number;
  readonly raise: (from: KernelCpu) => void;
  /** Told of the end of the line's interrupt; null: the line is raised as a pulse. */
  readonly resample: EventFile | null;
}

interface AccessBinding {
  readonly file: EventFile;
  readonly pio: boolean;
  readonly address: bigint;
  readonly length: number;
  /** The value that signals; `undefined`: any. */
  readonly value: bigint | undefined;
}

/** The eventfds of a machine. */
export class Eventfds implements IoeventfdBus {
  #lines: LineBinding[] = [];
  #accesses: AccessBinding[] = [];
  /** By line: lowers it at the end of its interrupt (`struct kvm_kernel_irqfd_resampler`). */
  readonly #resamplers = new Map<number, AckNotifier>();

  /** @param setLine sets the level of a line of the machine @param notifiers who is told of ends of interrupts */
  constructor(
    readonly version: KvmVersion,
    readonly setLine: (gsi: number, high: boolean, from: KernelCpu) => void,
    readonly notifiers: () => Set<AckNotifier> | undefined,
  ) {}

  /** `kvm_irqfd()`. @param hasChips there are interrupt controllers in the kernel */
  bindLine(
    request: View<"fd" | "gsi" | "flags" | "resamplefd">,
    descriptors: Descriptors,
    hasChips: boolean,
    from: KernelCpu,
  ): 0 | Errno {
    const flags = request.get("flags");
    const gsi = request.get("gsi");
    const { checksIrqfdFlags } = this.version;
    if (checksIrqfdFlags && (flags & ~(Irqfd.Deassign | Irqfd.Resample)) !== 0) return EINVAL;
    if ((flags & Irqfd.Deassign) !== 0) {
      const file = eventFile(descriptors, request.get("fd"));
      if (!(file instanceof EventFile)) return file;
      for (const line of this.#lines) if (line.file === file && line.gsi === gsi) file.unwatch(line.raise);
      this.#lines = this.#lines.filter((line) => line.file !== file || line.gsi !== gsi);
      this.#dropResampler(gsi, from);
      return 0;
    }
    if (checksIrqfdFlags && !hasChips) return EINVAL;
    const resamples = (flags & Irqfd.Resample) !== 0 && checksIrqfdFlags;
    if (resamples && !this.version.irqfdResamples) return EINVAL;
    const file = eventFile(descriptors, request.get("fd"));
    if (!(file instanceof EventFile)) return file;
    const resample = resamples ? eventFile(descriptors, request.get("resamplefd")) : null;
    if (resample !== null && !(resample instanceof EventFile)) return resample;
    if (this.#lines.some((line) => line.file === file)) return EBUSY;
    const raise = (by: KernelCpu) => {
      this.setLine(gsi, true, by);
      if (resample === null) this.setLine(gsi, false, by);
    };
    this.#lines.push({ file, gsi, raise, resample });
    if (resample !== null) this.#addResampler(gsi);
    file.watch(raise);
    return 0;
  }

  /** One for each line, whoever raises it. */
  #addResampler(gsi: number): void {
    if (this.#resamplers.has(gsi)) return;
    const notifier: AckNotifier = {
      gsi,
      acked: (from) => { // irqfd_resampler_ack()
        this.setLine(gsi, false, from);
        for (const line of this.#lines) if (line.gsi === gsi) line.resample?.signal(from);
      },
    };
    this.#resamplers.set(gsi, notifier);
    this.notifiers()?.add(notifier);
  }

  /** irqfd_resampler_shutdown(): goes with the last one, and the line falls. */
  #dropResampler(gsi: number, from: KernelCpu): void {
    const notifier = this.#resamplers.get(gsi);
    if (notifier === undefined) return;
    if (this.#lines.some((line) => line.gsi === gsi && line.resample !== null)) return;
    this.#resamplers.delete(gsi);
    this.notifiers()?.delete(notifier);
    this.setLine(gsi, false, from);
  }

  /** `kvm_ioeventfd()`. */
  bindAccess(
    request: View<"datamatch" | "addr" | "len" | "fd" | "flags">,
    descriptors: Descriptors,
  ): 0 | Errno {
    const flags = request.get("flags");
    const length = request.get("len");
    const address = request.big("addr");
    const wanted = (flags & Io.DataMatch) !== 0;
    const access = {
      pio: (flags & Io.Pio) !== 0,
      address,
      length,
      value: wanted ? request.big("datamatch") : undefined,
    };
    if ((flags & Io.Deassign) !== 0) {
      const file = eventFile(descriptors, request.get("fd"));
      if (!(file instanceof EventFile)) return file;
      const index = this.#accesses.findIndex((each) => each.file === file && same(each, access));
      if (index < 0) return ENOENT;
      this.#accesses.splice(index, 1);
      return 0;
    }
    if (!IO_LENGTHS.includes(length) || address + BigInt(length) >= 2n ** 64n) return EINVAL;
    if ((flags & ~IO_FLAGS) !== 0 || (length === 0 && wanted)) return EINVAL;
    const file = eventFile(descriptors, request.get("fd"));
    if (!(file instanceof EventFile)) return file;
    if (this.#accesses.some((each) => collides(each, access))) return EEXIST;
    this.#accesses.push({ ...access, file });
    return 0;
  }

  /** @inheritdoc */
  written(pio: boolean, address: number, bytes: number, value: number, from: KernelCpu): boolean {
    const found = this.#accesses.find((each) =>
      each.pio === pio && each.address === BigInt(address) && (each.length === 0 || each.length === bytes) &&
      (each.value ?? BigInt(value)) === BigInt(value)
    );
    found?.file.signal(from);
    return found !== undefined;
  }

  /** The machine is gone. */
  release(): void {
    for (const { file, raise } of this.#lines) file.unwatch(raise);
    this.#lines = [];
    this.#accesses = [];
  }
}

type Access = Omit<AccessBinding, "file">;

function same(a: Access, b: Access): boolean {
  return a.pio === b.pio && a.address === b.address && a.length === b.length && a.value === b.value;
}

/** `ioeventfd_check_collision()`: an access could signal both. */
function collides(a: Access, b: Access): boolean {
  if (a.pio !== b.pio || a.address !== b.address) return false;
  if (a.length === 0 || b.length === 0) return true;
  return a.length === b.length && (a.value === undefined || b.value === undefined || a.value === b.value);
}

/** `eventfd_ctx_fdget()`. */
function eventFile(descriptors: Descriptors, fd: number): EventFile | Errno {
  const file = descriptors.get(fd);
  if (file === undefined) return EBADF;
  return file instanceof EventFile ? file : EINVAL;
}
