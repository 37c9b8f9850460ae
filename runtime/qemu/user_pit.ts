/**
 * The 8254 that QEMU emulates where the kernel does not (`-no-kvm-pit`), and the speaker's port beside it.
 *
 * *Document*: QEMU `hw/timer/i8254.c`, formerly `hw/i8254.c` (`pit_irq_timer_update()`, `pit_get_next_transition_time()`),
 * `hw/audio/pcspk.c`; Linux 3.4 `drivers/clocksource/i8253.c` (`init_pit_timer()`: shutdown).
 *
 * *Modelled*: every access is a user exit. The output of counter 0 is interrupt line 0: at each of its changes a timer of the
 * host wakes QEMU's first thread, which sets the line by `KVM_IRQ_LINE`. So each period of a guest that uses it costs two wake-ups
 * of that thread, where the kernel's PIT costs an hrtimer.
 *
 * *Deviations*: where a guest begins, its kernel has shut counter 0 down, in mode 0 with a count of 0: what that led to, a last
 * edge 55 ms later, is part of a boot that takes no time.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { StateHash } from "../../hw/sim/state_hash.ts";
import type { VmFile } from "../kvm/ioctl/vm_file.ts";
import type { ProcessTimer } from "../kvm/process_timer.ts";
import { type KernelCpu, type KvmProcess, Pit8254, PIT_PORTS, pitNs, type Task } from "../kvm/user_space.ts";
import { DeviceLine } from "./device_line.ts";
import type { MainLoop } from "./main_loop.ts";
import type { QemuMachine } from "./machine.ts";

/** The speaker's port: bit 0 gates counter 2, bit 1 lets it sound, bit 4 is another at each read, bit 5 is the output. */
const SPEAKER_PORT = 0x61;
/** The line that counter 0 drives, and the counter of the speaker. */
const LINE = 0, SPEAKER = 2;
/** Counter 0, both bytes, mode 0. */
const SHUT_DOWN = 0x30;
/** A count of 0. */
const FULL_COUNT = 0x1_0000;

/** The PIT of a machine, as its command line places it; null: the kernel's. */
export function userPitOf(machine: QemuMachine): UserPit | null {
  return machine.options.kvmPit ? null : new UserPit(() => machine.file, machine.process, machine.loop);
}

/** The chip and what is behind it. */
export class UserPit {
  readonly #chip = new Pit8254();
  readonly #line: DeviceLine;
  readonly #timer: ProcessTimer;
  #high = false;
  /** When the output changes next: for what the timer stands. */
  #changeNs = Infinity;
  #speakerOn = false;
  #refresh = false;

  constructor(machine: () => VmFile, readonly process: KvmProcess, loop: MainLoop) {
    this.#line = new DeviceLine(machine, LINE);
    this.#timer = process.timer("PIT", (cpu) => loop.postFrom((main) => this.#changed(main), cpu));
    this.#shutDown(process.kvm.host.nowNs);
  }

  /** What the guest's kernel does while it boots, long ago. */
  #shutDown(nowNs: number): void {
    const longAgo = nowNs - pitNs(FULL_COUNT + 1);
    this.#chip.setGate(SPEAKER, false, longAgo);
    this.#chip.write(PIT_PORTS.control, SHUT_DOWN, longAgo);
    for (const port of [0, 0]) this.#chip.write(port, 0, longAgo);
    this.#speakerOn = this.#refresh = false;
    this.#high = true; // the edge has been
  }

  /** The machine is reset. */
  reset(from: KernelCpu): void {
    this.stop();
    if (this.#high) this.#line.lower(from);
    this.#shutDown(this.process.kvm.host.nowNs);
  }

  /** Nobody waits for a change any more. */
  stop(): void {
    this.#timer.cancel();
    this.#changeNs = Infinity;
  }

  /** Whether a port is the chip's, or the speaker's. */
  hasPort(port: number): boolean {
    return port === SPEAKER_PORT || (port >= PIT_PORTS.base && port < PIT_PORTS.base + PIT_PORTS.count);
  }

  /** The guest writes to a port. @param thread the vCPU's */
  *write(port: number, value: number, thread: Task): Activity {
    const { nowNs } = this.process.kvm.host;
    if (port === SPEAKER_PORT) {
      this.#speakerOn = (value & 2) !== 0;
      this.#chip.setGate(SPEAKER, (value & 1) !== 0, nowNs);
    } else if (this.#chip.write(port - PIT_PORTS.base, value, nowNs) === 0) {
      yield* this.#update(nowNs, thread);
    }
  }

  /** The guest reads a port. */
  read(port: number): number {
    const { nowNs } = this.process.kvm.host;
    if (port !== SPEAKER_PORT) return this.#chip.read(port - PIT_PORTS.base, nowNs);
    this.#refresh = !this.#refresh;
    return Number(this.#chip.gate(SPEAKER)) | (this.#speakerOn ? 2 : 0) | (this.#refresh ? 0x10 : 0) |
      (this.#chip.output(SPEAKER, nowNs) ? 0x20 : 0);
  }

  /** `pit_irq_timer()`: the change that was waited for, at its own time however late this is. */
  *#changed(main: Task): Activity {
    if (this.#changeNs <= this.process.kvm.host.nowNs) yield* this.#update(this.#changeNs, main);
  }

  /** `pit_irq_timer_update()`: the line is what the output is at `atNs`, and the timer stands for the next change. */
  *#update(atNs: number, task: Task): Activity {
    const here = this.process.cpuOf(task);
    const high = this.#chip.output(0, atNs);
    if (high !== this.#high) {
      this.#high = high;
      if (high) this.#line.raise(here);
      else this.#line.lower(here);
      yield* here.sendPendingIpis();
    }
    this.stop();
    this.#changeNs = this.#chip.nextChangeNs(0, atNs);
    if (this.#changeNs !== Infinity) yield* this.#timer.start(this.#changeNs, task);
  }

  /** Adds the state to `hash`. */
  hashInto(hash: StateHash): void {
    this.#chip.hashInto(hash);
    hash.flag(this.#high).number(this.#changeNs).flag(this.#speakerOn).flag(this.#refresh);
  }
}
