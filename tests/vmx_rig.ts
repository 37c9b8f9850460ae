/**
 * A host that enters a guest, out of the processor alone: both programs are the test's own.
 *
 * @module
 */

import { type Activity, endless, VM_ENTRY, work } from "../hw/sim/activity.ts";
import { Context, RegisterFile } from "../hw/register_file.ts";
import { MsrBitmap, Vmcs } from "../hw/vmx.ts";
import { CpuRig, Handlers, msr } from "./cpu_rig.ts";

/** Pin-based controls: bit 0 external-interrupt exiting, bit 3 NMI exiting, bit 5 virtual NMIs, bit 6 preemption timer. */
export const EXTERNAL = 1 << 0, NMI = 1 << 3, VIRTUAL_NMIS = 1 << 5, PREEMPTION_TIMER = 1 << 6;
/** Primary processor-based controls: bit 2 interrupt-window exiting, bit 7 HLT, bit 22 NMI window, bit 28 MSR bitmaps. */
export const WINDOW = 1 << 2, HLT_EXITING = 1 << 7, NMI_WINDOW = 1 << 22, BITMAPS = 1 << 28;
/** Interruption-information field: bit 31 valid, bits 10:8 type (0 external, 2 NMI, 3 exception), bits 7:0 vector. */
export const information = (type: number, vector: number) => 2 ** 31 + (type << 8) + vector;

/** The layer of the guest's program. */
export const GUEST = 5;
export const thousand = work("guest works", GUEST, 1000);
const hostWork = work("host handles", 1, 10);

/** How a {@linkcode Vm} is set up. */
export interface Settings {
  readonly pin?: number;
  readonly primary?: number;
  readonly bitmap?: MsrBitmap;
  /** Called before the first entry. */
  readonly before?: (vm: Vm) => void;
  /** Called at each exit, with IF clear; false: no further entry. */
  readonly atExit?: (vm: Vm, reason: number) => boolean;
}

/** A host that enters a guest again and again, and notes with which reason it comes back. */
export class Vm extends CpuRig {
  readonly guestHandlers = new Handlers();
  readonly guest: RegisterFile;
  readonly vmcs: Vmcs;

  constructor(program: (vm: Vm) => Activity, settings: Settings = {}) {
    super();
    this.guest = new RegisterFile(this.guestHandlers, new Context("guest", program(this)));
    this.vmcs = new Vmcs(this.guest, settings.bitmap ?? new MsrBitmap("closed"));
    this.vmcs.pinBased = settings.pin ?? EXTERNAL | NMI;
    this.vmcs.primary = settings.primary ?? HLT_EXITING | BITMAPS;
    settings.before?.(this);
    this.start((registers) => this.#host(registers, settings.atExit ?? (() => true)));
  }

  *#host(registers: RegisterFile, atExit: (vm: Vm, reason: number) => boolean): Activity {
    for (let again = true; again;) {
      registers.interruptFlag = false;
      this.cpu.currentVmcs = this.vmcs;
      const reason = yield VM_ENTRY;
      this.note(`exit ${reason}`);
      if (reason === 0) this.cpu.nmiBlocked = false; // as the IRET of its handler would
      again = atExit(this, reason);
      registers.interruptFlag = true;
      yield hostWork;
    }
    this.note("host goes on");
    yield endless("host", 1);
  }

  /** The guest's handler of `vector`: a microsecond, then its EOI. */
  guestHandles(vector: number): void {
    this.guestHandlers.interrupts.set(vector, () => this.#guestHandler(`guest 0x${vector.toString(16)}`));
  }

  *#guestHandler(name: string): Activity {
    this.note(`${name} begins`);
    yield thousand;
    yield this.guest.wrmsr(msr(0x0b0), 0);
    this.note(`${name} ends`);
  }

  /** What happened, without the times. */
  get events(): string[] {
    return this.log.map((line) => line.replace(/^\d+ /, ""));
  }
}

/** A guest that works a microsecond, then loops. */
export function* works(vm: Vm): Activity {
  yield thousand;
  vm.note("guest done");
  yield endless("guest", GUEST);
}

/** An MSR bitmap with the EOI register open for writing. */
export const eoiOpen = () => new MsrBitmap("EOI open").open(0x80b, "w");
