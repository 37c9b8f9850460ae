/**
 * The virtio disks of a machine, and the threads that wait for the host's disk in their place.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import type { Activity } from "../../hw/sim/activity.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import { type KernelCpu, type PciFunction, placeOnBus0, type Task } from "../kvm/user_space.ts";
import { slotLine } from "./host_device.ts";
import type { QemuMachine } from "./machine.ts";
import { VirtioBlk } from "./virtio_blk.ts";
import { WorkerThreads } from "./worker_threads.ts";

/** The first of them: device number on bus 0, ports, memory of the MSI-X table, as firmware places them. */
const FIRST = { port: 0xc000, ports: 0x40, memory: 0xfebf_0000, page: 0x1000 };

/** The disks. */
export class Disks {
  /** In whose name an access is served at the instant at which the guest makes it. */
  servant: () => Task = young(() => this.machine.loop.task!);
  /** Who waits for the host's disk. */
  readonly workers: WorkerThreads;
  readonly #disks: readonly VirtioBlk[];

  /** As the machine's command line describes them. */
  constructor(readonly machine: QemuMachine) {
    const { options, process, loop, ram, context } = machine;
    const worker = options.namedThreads ? "worker" : options.program;
    this.workers = new WorkerThreads(process, loop, worker);
    const slot = firstDiskSlot(options.vga);
    this.#disks = options.disks.map((disk, i) => {
      const place = {
        bdf: placeOnBus0(slot + i),
        port: FIRST.port + i * FIRST.ports,
        memory: FIRST.memory + i * FIRST.page,
        line: slotLine(slot + i, options.machine.startsWith("pc-q35")),
      };
      return new VirtioBlk(machine, this, disk, context.imageBytes?.(disk.file) ?? 0, place, ram);
    });
  }

  /** What the guest sees of them. */
  get functions(): PciFunction[] {
    return this.#disks.map((disk) => disk.function);
  }

  /** The disk whose port that is. */
  at(port: number): VirtioBlk | undefined {
    return this.#disks.find((disk) => disk.function.hasPort(port));
  }

  /** The machine is reset. @param from the CPU whose software does it */
  reset(from: KernelCpu): void {
    for (const disk of this.#disks) disk.reset(from);
  }

  /** The process ends. @param main its first thread */
  *end(main: Task): Activity {
    yield* this.workers.end(main);
  }

  /** Adds the devices, and the memory that they share with the guest, to `hash`. */
  hashInto(hash: StateHash): void {
    if (this.#disks.length === 0) return;
    for (const disk of this.#disks) disk.hashInto(hash);
    this.machine.ram.hashInto(hash);
  }
}

/** The device number of the first disk: behind host bridge and south bridge come the display and the network card. */
export function firstDiskSlot(vga: string): number {
  return 2 + (vga === "none" ? 0 : 1) + 1;
}
