/**
 * A device of the host that a machine has, in whichever way it is taken from the host.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { FunctionOwner } from "../kvm/assigned_function.ts";
import type { AssignedFunction, KvmProcess, Task } from "../kvm/user_space.ts";
import type { IrqRoutes } from "./irq_routes.ts";

/** Where a device is in the guest. */
export interface GuestPlace {
  /** Device number on bus 0. */
  readonly slot: number;
  /** Guest-physical address of its memory. */
  readonly memoryBase: number;
}

/** Where the guest wants the interrupt of an MSI-X entry. */
export interface GuestRoute {
  readonly entry: number;
  /** APIC id of the vCPU. */
  readonly destination: number;
  readonly vector: number;
}

/** One assigned device. */
export abstract class HostDevice implements FunctionOwner {
  /** What the guest sees; `undefined` until {@linkcode realize} has succeeded. */
  function: AssignedFunction | undefined;
  /** Lines for the terminal that came up later. */
  readonly messages: string[] = [];
  /** The routes that are in force, as text; empty: none. */
  #routed = "";

  /**
   * @param vm the machine's descriptor @param host the device's full name, `0000:05:00.0`
   * @param id the `id=` of the option, if any @param routes where the machine's lines lead
   * @param thread the task in whose name the guest's accesses are served
   */
  constructor(
    readonly process: KvmProcess,
    readonly vm: number,
    readonly host: string,
    readonly id: string | undefined,
    readonly routes: IrqRoutes,
    readonly thread: () => Task,
  ) {}

  /**
   * Takes the device from the host.
   *
   * @param option the option as typed, for messages: `qemu-kvm: -device pci-assign,host=05:00.0`
   * @returns the lines that QEMU prints where it fails; none: done
   */
  abstract realize(task: Task, option: string, place: GuestPlace): Activity<string[]>;

  /** Gives the guest's routes a way. @returns whether they have one */
  protected abstract connect(routes: readonly GuestRoute[]): boolean;

  /** Takes it away again. */
  protected abstract disconnect(): void;

  /** The guest has written MSI-X Message Control. */
  msiXChanged(routes: readonly GuestRoute[]): void {
    const wanted = routes.length === 0 ? "" : JSON.stringify(routes);
    if (wanted === this.#routed) return;
    if (this.#routed !== "") this.disconnect();
    this.#routed = wanted !== "" && this.connect(routes) ? wanted : "";
  }

  /** The machine is reset, and the device with it. */
  reset(): void {
    this.function?.resetWithMachine();
  }
}
