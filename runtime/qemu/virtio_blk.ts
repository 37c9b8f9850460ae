/**
 * The device `virtio-blk-pci`: a disk of a guest, its image a file of the host.
 *
 * *Document*: qemu-kvm 1.1 and QEMU 7.2 `hw/virtio-blk.c` (`virtio_blk_handle_output()`, `virtio_blk_rw_complete()`),
 * `hw/virtio-pci.c` (`virtio_pci_start_ioeventfd()`, `virtio_pci_notify()`), `hw/msix.c`, `kvm-all.c`
 * (`kvm_irqchip_send_msi()`).
 *
 * *Modelled*: the guest's notification, by default an eventfd that KVM signals (`ioeventfd=on`) and the main loop waits
 * for, else an exit to the vCPU's thread; requests of one queue, carried out by worker threads; the interrupt, a message
 * that goes to KVM by `KVM_SIGNAL_MSI`, or its line. `cache=none` and `directsync` go to the host's disk, the others to its page cache.
 *
 * *Not modelled*: image formats other than raw; the form of virtio 1.0 that QEMU 7.2 has beside the legacy one; SCSI commands.
 *
 * *Deviations*: the image is in the page cache from the start. That QEMU's threads exclude each other (the global mutex)
 * costs nothing: an access of the guest's is served while the main loop is busy.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import {
  BLOCK_ID_BYTES,
  blockDevice,
  BlockRequest,
  BlockStatus,
  type DeviceQueue,
  type KernelCpu,
  type MsiEffect,
  type QueueBuffer,
  type QueueChain,
  Ram,
  RingFeature,
  SECTOR_BYTES,
  type Task,
  Virtio,
  VirtioFunction,
  type VirtioPlace,
} from "../kvm/user_space.ts";
import type { EventFile } from "../kvm/ioctl/eventfd.ts";
import { Ioctl } from "../kvm/ioctl/ioctls.ts";
import { Ioeventfd, Msi } from "../kvm/uapi/structures.ts";
import { DeviceLine } from "./device_line.ts";
import type { Disks } from "./disks.ts";
import type { QemuMachine } from "./machine.ts";
import type { QemuDisk } from "./options.ts";

/** Flags of `struct kvm_ioeventfd`: the value has to match, the address is a port; taken away. */
const DATAMATCH = 1, PIO = 2, DEASSIGN = 4;
const PAGE = 4096;

/** One disk. */
export class VirtioBlk {
  /** What the guest sees. */
  readonly function: VirtioFunction;
  /** What the raw image holds; what nobody has written reads 0, and nothing of it goes back to the host's file. */
  readonly #image: Ram;
  readonly #line: DeviceLine;
  #eventfd = -1;
  /** Requests that the host's disk has not answered. */
  #inFlight = 0;
  #notified = false;

  /** @param disk as the command line describes it @param ram the guest's, in which its queue lies */
  constructor(
    readonly machine: QemuMachine,
    readonly disks: Disks,
    readonly disk: QemuDisk,
    bytes: number,
    place: VirtioPlace,
    readonly ram: Ram,
  ) {
    this.#image = new Ram(bytes);
    this.#line = new DeviceLine(() => machine.file, place.line, machine.pciLines);
    const { NotifyOnEmpty, IndirectDescriptors, EventIndex } = RingFeature;
    const spec = blockDevice(Math.floor(bytes / SECTOR_BYTES), disk.readOnly, [
      NotifyOnEmpty,
      ...(disk.indirect ? [IndirectDescriptors] : []),
      ...(disk.eventIndex ? [EventIndex] : []),
    ]);
    this.function = new VirtioFunction(spec, place, ram, (effect) => {
      if (effect.kind === "notify") this.#notified = true;
      else this.#listen(effect.kind === "ready");
    });
  }

  /** The guest writes a port of its. Executed by the vCPU's thread. */
  *portWritten(port: number, bytes: 1 | 2 | 4, value: number, thread: Task): Activity {
    this.function.writePort(port - this.function.place.port, bytes, value);
    if (!this.#notified) return;
    this.#notified = false;
    yield* this.#handleOutput(thread);
  }

  /** The guest reads one. @param from the CPU whose software serves it */
  portRead(port: number, bytes: 1 | 2 | 4, from: KernelCpu): number {
    const { place, registers } = this.function;
    const before = registers.line;
    const value = this.function.readPort(port - place.port, bytes);
    if (before && !registers.line) this.#line.lower(from);
    return value;
  }

  /** Where the guest's notifications come: an eventfd from the moment on at which its driver is ready. */
  #listen(ready: boolean): void {
    if (!this.disk.ioeventfd || ready === (this.#eventfd >= 0)) return;
    const { process, vm } = this.machine;
    const { calls } = process;
    const by = this.disks.servant();
    if (ready) this.#eventfd = calls.callAtOnce("eventfd", [0, 0], by);
    const request = Ioeventfd.make().set("addr", this.function.place.port + Virtio.QueueNotify).set("len", 2);
    request.set("fd", this.#eventfd).set("flags", DATAMATCH | PIO | (ready ? 0 : DEASSIGN));
    calls.callAtOnce("ioctl", [vm, Ioctl.KVM_IOEVENTFD, request], by);
    const file = calls.descriptors.get(this.#eventfd) as EventFile;
    if (ready) return file.watch((from) => this.#kicked(from));
    calls.callAtOnce("close", [this.#eventfd], by);
    this.#eventfd = -1;
  }

  /** The eventfd has been signalled: the main loop finds it readable, however often that was. */
  #kicked(from: KernelCpu): void {
    if (this.#notified) return;
    this.#notified = true;
    this.machine.loop.postFrom((main) => {
      this.#notified = false;
      (this.machine.process.calls.descriptors.get(this.#eventfd) as EventFile | undefined)?.read(8);
      return this.#handleOutput(main);
    }, from);
  }

  /** `virtio_blk_handle_output()`. */
  *#handleOutput(by: Task): Activity {
    const { disks: { workers }, machine: { steps } } = this;
    for (;;) {
      const queue = this.function.registers.queue(0);
      const chain = queue?.pop();
      if (queue === null || chain === undefined) return;
      this.#inFlight++;
      yield steps.virtioRequest;
      yield* workers.submit(by, (own) => this.#carryOut(queue, chain, own));
    }
  }

  /** A worker's part: the system call on the image. */
  *#carryOut(queue: DeviceQueue, chain: QueueChain, own: Task): Activity {
    const { steps, loop } = this.machine;
    const { bytes } = requestOf(chain, this.ram);
    yield this.disk.direct ? steps.imageDirect : steps.imageAccess;
    for (let done = PAGE; done < bytes; done += PAGE) yield steps.imagePage;
    const written = this.#transfer(chain);
    yield* loop.post((main) => this.#complete(queue, chain.head, written, main), own);
  }

  /** Moves the data. @returns how many bytes of the guest's memory have been written, with the status */
  #transfer(chain: QueueChain): number {
    const { ram } = this;
    const { type, sector, data, status } = requestOf(chain, ram);
    let result: number = BlockStatus.Ok, written = 0;
    let offset = sector * SECTOR_BYTES;
    const image = this.#image;
    for (const { address, length } of data) {
      const within = offset + length <= image.bytes;
      if (type === BlockRequest.In) {
        if (within) ram.copyIn(address, image.copyOut(offset, length));
        else result = BlockStatus.IoError;
        written += length;
      } else if (type === BlockRequest.Out) {
        if (within && !this.disk.readOnly) image.copyIn(offset, ram.copyOut(address, length));
        else result = BlockStatus.IoError;
      } else if (type === BlockRequest.GetId) {
        const id = new Uint8Array(Math.min(BLOCK_ID_BYTES, length)); // no serial= in the drive's options: empty
        ram.copyIn(address, id);
        written += id.length;
      }
      offset += length;
    }
    const { In, Out, Flush, GetId } = BlockRequest;
    if (!([In, Out, Flush, GetId] as number[]).includes(type)) result = BlockStatus.Unsupported;
    ram.write(status.address, 1, result);
    return written + 1;
  }

  /** `virtio_blk_rw_complete()`: the request goes back, and the guest hears of it if it wants to. */
  *#complete(queue: DeviceQueue, head: number, written: number, main: Task): Activity {
    this.#inFlight--;
    if (this.function.registers.queue(0) !== queue) return; // the guest has let the device go meanwhile
    yield this.machine.steps.virtioComplete;
    queue.push(head, written);
    if (!queue.wantsInterrupt()) return;
    const message = this.function.signal(0);
    if (message !== undefined) yield* this.#send(message, main);
    if (this.function.msiX!.table.enabled) return;
    const here = this.machine.process.cpuOf(main);
    this.#line.raise(here);
    yield* here.sendPendingIpis();
  }

  *#send({ address, addressHigh, data }: MsiEffect, main: Task): Activity {
    const { process, vm } = this.machine;
    const message = Msi.make().set("address_lo", address).set("address_hi", addressHigh).set("data", data);
    yield* process.ioctl(main, vm, "KVM_SIGNAL_MSI", message);
  }

  /** The machine is reset: nothing is on its way any more, and the guest begins with a device as after power-up. */
  reset(from: KernelCpu): void {
    this.#listen(false);
    this.function.reset();
    this.#line.lower(from);
    this.#notified = false;
  }

  /** Adds the state to `hash`; the queue is in memory. */
  hashInto(hash: StateHash): void {
    this.function.hashInto(hash);
    hash.word(this.#inFlight).flag(this.#notified);
  }
}

/** Parts of a request. */
interface Parts {
  readonly type: number;
  readonly sector: number;
  /** Buffers between header and status. */
  readonly data: readonly QueueBuffer[];
  readonly status: QueueBuffer;
  /** Of data, all in all. */
  readonly bytes: number;
}

function requestOf({ buffers }: QueueChain, ram: Ram): Parts {
  const [header, ...rest] = buffers;
  const status = rest.pop()!;
  return {
    type: ram.read(header!.address, 4),
    sector: ram.read(header!.address + 8, 8),
    data: rest,
    status,
    bytes: rest.reduce((sum, { length }) => sum + length, 0),
  };
}
