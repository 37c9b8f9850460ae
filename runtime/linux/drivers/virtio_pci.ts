/**
 * virtio-pci: puts virtio devices on PCI before the drivers of their kinds.
 *
 * *Document*: Linux 3.5 `drivers/virtio/virtio_pci.c`, `drivers/virtio/virtio.c`; Virtio PCI Card Specification 0.9.5,
 * 2.2.1 "Device Initialization Sequence".
 *
 * *Modelled*: devices of the legacy form; MSI-X with a vector for the configuration and one for each queue, or the line.
 *
 * *Not modelled*: the configuration's interrupt does nothing, because no configuration changes.
 *
 * *Deviations*: it is built into the kernel, as where the root file system is on such a device: devices that are there at
 * boot are set up before anything of the model runs.
 *
 * @module
 */

import { type Activity, IN, type Step } from "../../../hw/sim/activity.ts";
import { Virtio, VIRTIO_CONFIG, VIRTIO_VENDOR, VirtioDevice, VirtioStatus } from "../../../hw/virtio.ts";
import { RingFeature } from "../../../hw/virtio_queue.ts";
import type { DmaMemory } from "../dma_memory.ts";
import { ENODEV, Errno } from "../errno.ts";
import type { LineAction } from "../irq/irq_lines.ts";
import type { KernelCpu } from "../kernel_cpu.ts";
import type { PciDriver } from "../pci/pci_bus.ts";
import type { PciDevice } from "../pci/pci_device.ts";
import { pciId } from "../pci/pci_ids.ts";
import { VirtioRing } from "./virtio_ring.ts";

/** Features of the ring that this kernel knows. */
const RING_FEATURES = (1 << RingFeature.IndirectDescriptors) | (1 << RingFeature.EventIndex);

/** A device, as the driver of its kind sees it. */
export class VirtioBusDevice {
  #line: LineAction | null = null;

  /** @param name as on the virtio bus: `virtio0` @param features that the device offers */
  constructor(readonly name: string, readonly pci: PciDevice, readonly features: number) {}

  /** Whether the device offers feature `bit`. */
  offers(bit: number): boolean {
    return (this.features & (1 << bit)) !== 0;
  }

  /** Reads `bytes` bytes of the device's own configuration, while MSI-X is off. */
  config(offset: number, bytes: 1 | 2 | 4): number {
    return this.pci.readPort(VIRTIO_CONFIG.plain + offset, bytes);
  }

  /** Acknowledges features of the device's kind, and those of the ring. */
  accept(bits: readonly number[]): void {
    const mask = bits.reduce((sum, bit) => sum | (1 << bit), RING_FEATURES);
    this.pci.writePort(Virtio.DriverFeatures, 4, (this.features & mask) >>> 0);
  }

  /**
   * `vp_find_vqs()`: queue 0 in `memory`, with an interrupt called `name` behind the device's own name, or where there are
   * no messages with the device's line.
   *
   * @param step the work of the interrupt's handler
   */
  *findQueue(memory: DmaMemory, name: string, step: Step): Activity<VirtioRing | Errno> {
    const { pci } = this;
    const noMessages = yield* pci.enableMsiX([`${this.name}-config`, `${this.name}-${name}`]);
    if (!noMessages) pci.writePort(Virtio.ConfigVector, 2, 0);
    pci.writePort(Virtio.QueueSelect, 2, 0);
    const size = pci.readPort(Virtio.QueueSize, 2);
    const ring = new VirtioRing(
      memory,
      pci.firstPort!,
      0,
      size,
      this.offers(RingFeature.EventIndex),
      this.offers(RingFeature.IndirectDescriptors),
    );
    pci.writePort(Virtio.QueueAddress, 4, ring.address / 4096);
    if (!noMessages) {
      pci.writePort(Virtio.QueueVector, 2, 1);
      pci.ports.interrupts.handle(pci.messageIrqs.get(1)!, { step, act: (cpu) => ring.collect(cpu) });
      return ring;
    }
    this.#line = { name: this.name, shared: true, run: (cpu) => this.#interrupt(cpu, ring, step) };
    const requested = pci.ports.interrupts.requestLine(pci.irq, this.#line);
    return requested instanceof Errno ? requested : ring;
  }

  /** `vp_interrupt()`: the read of ISR says whether it was the device, and lets its line fall. */
  *#interrupt(cpu: KernelCpu, ring: VirtioRing, step: Step): Activity {
    cpu.registers.address = this.pci.firstPort! + Virtio.Isr;
    if (((yield IN) & 1) === 0) return;
    yield step;
    ring.collect(cpu);
  }

  /** Gives the interrupt back. */
  release(): void {
    if (this.#line !== null) this.pci.ports.interrupts.freeLine(this.pci.irq, this.#line);
    else this.pci.disableMsiX();
  }
}

/** The driver of one kind of virtio devices. */
export interface VirtioDriver {
  /** Subsystem identifier of its devices. */
  readonly kind: number;
  /** Takes a device over, or says why not. */
  probe(device: VirtioBusDevice): Activity<Errno | void>;
  /** Lets it go. */
  remove(device: VirtioBusDevice): void;
}

/** The driver on the PCI bus. */
export class VirtioPci implements PciDriver {
  /** As in sysfs. */
  readonly name = "virtio-pci";
  readonly ids = Object.values(VirtioDevice).map((device) => pciId(VIRTIO_VENDOR, device));
  #count = 0;

  /** @param drivers by the kinds of devices */
  constructor(readonly drivers: readonly VirtioDriver[]) {}

  *probe(device: PciDevice): Activity<Errno | void> {
    const driver = this.drivers.find(({ kind }) => kind === device.subsystemDevice);
    if (driver === undefined) return ENODEV;
    device.enable(true);
    device.setMaster(true);
    const status = (bits: number) => device.writePort(Virtio.Status, 1, bits);
    status(0);
    const { Acknowledge, Driver, DriverOk, Failed } = VirtioStatus;
    status(Acknowledge | Driver);
    const features = device.readPort(Virtio.DeviceFeatures, 4);
    const virtio = new VirtioBusDevice(`virtio${this.#count}`, device, features);
    const failed = yield* driver.probe(virtio);
    if (failed) {
      status(Acknowledge | Driver | Failed);
      device.disable();
      return failed;
    }
    this.#count++;
    device.driverData = virtio;
    status(Acknowledge | Driver | DriverOk);
  }

  // deno-lint-ignore require-yield -- a driver's remove is an activity
  *remove(device: PciDevice): Activity<void> {
    const virtio = device.driverData as VirtioBusDevice;
    this.drivers.find(({ kind }) => kind === device.subsystemDevice)!.remove(virtio);
    device.writePort(Virtio.Status, 1, 0);
    virtio.release();
    device.disable();
  }
}
