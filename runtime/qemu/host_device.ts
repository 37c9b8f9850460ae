/**
 * A device of the host that a machine has, in whichever way it is taken from the host.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { FunctionOwner, GuestMessage } from "../kvm/assignment/assigned_function.ts";
import type { AssignedFunction, KvmProcess, MessageKind, MsiLayout, Task } from "../kvm/user_space.ts";
import { Ioctl } from "../kvm/ioctl/ioctls.ts";
import type { CallValue } from "../kvm/ioctl/marshal.ts";
import type { RequestName } from "../kvm/uapi/requests.ts";
import type { IrqRoutes } from "./irq_routes.ts";

/** Where a device is in the guest. */
export interface GuestPlace {
  /** Device number on bus 0. */
  readonly slot: number;
  /** Guest-physical address of its memory. */
  readonly memoryBase: number;
  /** The machine's line that INTA# of this slot leads to. */
  readonly line: number;
}

/** The line of INTA# by slot: SeaBIOS leads the four PIRQs of a PIIX to these; those of a q35 come to pins of their own. */
export function slotLine(slot: number, q35: boolean): number {
  return q35 ? 20 + (slot & 3) : PIIX_LINES[(slot - 1) & 3]!;
}

const PIIX_LINES = [10, 10, 11, 11] as const;

/** One assigned device. */
export abstract class HostDevice implements FunctionOwner {
  /** What the guest sees; `undefined` until {@linkcode realize} has succeeded. */
  function: AssignedFunction | undefined;
  /** Lines for the terminal that came up later. */
  readonly messages: string[] = [];
  /** The machine's lines of the guest's messages in force, in their order. */
  protected lines: number[] = [];
  /** Which messages are in force, and they as text; empty: none. */
  #kind: MessageKind = "MSI-X";
  #routed = "";

  /**
   * @param vm the machine's descriptor @param host the device's full name, `0000:05:00.0`
   * @param properties those of the option @param routes where the machine's lines lead
   * @param thread the task in whose name the guest's accesses are served
   */
  constructor(
    readonly process: KvmProcess,
    readonly vm: number,
    readonly host: string,
    readonly properties: ReadonlyMap<string, string>,
    readonly routes: IrqRoutes,
    readonly thread: () => Task,
  ) {}

  /** The `id=` of the option, if any. */
  get id(): string | undefined {
    return this.properties.get("id");
  }

  /**
   * Takes the device from the host.
   *
   * @param option the option as typed, for messages: `qemu-kvm: -device pci-assign,host=05:00.0`
   * @returns the lines that QEMU prints where it fails; none: done
   */
  abstract realize(task: Task, option: string, place: GuestPlace): Activity<string[]>;

  /** Gives it back: the guest has let it go. */
  abstract unrealize(task: Task): Activity;

  /** Gives the guest's messages lines. @returns whether they have some */
  protected abstract connect(kind: MessageKind, messages: readonly GuestMessage[]): boolean;

  /** Takes it away again. */
  protected abstract disconnect(kind: MessageKind): void;

  /** INTx raises the machine's line from now on. */
  protected abstract connectLine(): void;

  /** Not any more. */
  protected abstract disconnectLine(): void;

  /** @inheritdoc */
  abstract lineMasked(masked: boolean): void;

  /** @inheritdoc */
  abstract msiLayout(device: MsiLayout): MsiLayout;

  /** @inheritdoc */
  abstract readonly followsMsi: boolean;

  /** The guest has written a Message Control, maybe to switch off what it does not use. */
  messagesChanged(kind: MessageKind, messages: readonly GuestMessage[]): void {
    const wanted = messages.length === 0 ? "" : JSON.stringify(messages);
    if (kind === this.#kind ? wanted === this.#routed : wanted === "") return;
    if (this.#routed !== "") this.disconnect(this.#kind);
    else if (wanted !== "") this.disconnectLine();
    this.#kind = kind;
    this.#routed = wanted !== "" && this.connect(kind, messages) ? wanted : "";
    if (wanted === "") this.connectLine();
  }

  /** The lines of those that were in use lead elsewhere; what was not in use has none yet. */
  messagesMoved(kind: MessageKind, messages: readonly GuestMessage[]): void {
    const wanted = JSON.stringify(messages);
    if (kind !== this.#kind || this.lines.length !== messages.length) {
      return this.messagesChanged(kind, messages);
    }
    if (wanted === this.#routed) return;
    this.#routed = wanted;
    for (const [index, { address, data }] of messages.entries()) {
      this.routes.changeMessage(this.lines[index]!, address, data);
    }
    this.ioctl("KVM_SET_GSI_ROUTING", this.routes.table());
  }

  /** `ioctl` on the machine, at the instant of the guest's access; a failure is kept as a message. */
  protected ioctl(request: RequestName, ...args: CallValue[]): number {
    const { process } = this;
    const result = process.calls.callAtOnce("ioctl", [this.vm, Ioctl[request], ...args], this.thread());
    if (result < 0) this.messages.push(`${request}: ${process.strerror(-result)}`);
    return result;
  }

  /** The machine is reset, and the device with it. */
  reset(): void {
    this.function?.resetWithMachine();
  }
}
