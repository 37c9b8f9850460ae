/**
 * The state of the PIT, as `KVM_GET_PIT`, `KVM_SET_PIT` and their successors carry it.
 *
 * *Document*: `arch/x86/include/uapi/asm/kvm.h`: `struct kvm_pit_channel_state`; Linux 6.18 `arch/x86/kvm/i8254.h`:
 * `RW_STATE_…`; `x86.c`: `kvm_vm_ioctl_set_pit()`.
 *
 * *Deviations*: all three counters start anew when they are set, as since Linux 4.4; before, it was the first one alone.
 *
 * @module
 */

import type { Step } from "../../../hw/sim/activity.ts";
import { COUNTERS, type CounterState } from "../../../hw/i8254.ts";
import type { KernelCpu } from "../../linux/kernel_cpu.ts";
import type { Pit } from "../irqchip/pit.ts";
import { PitChannelState, type PitState, type PitState2 } from "../uapi/structures.ts";

type PitView = ReturnType<typeof PitState.make> | ReturnType<typeof PitState2.make>;

/** `RW_STATE_WORD0` and `RW_STATE_WORD1`: the low byte of two is next, the high one; a single byte's is its access. */
const WORD_LOW = 3, WORD_HIGH = 4;
/** The mode of a counter that nobody has programmed. */
const NO_MODE = 0xff;

/** Writes the counters of `pit` into `view`. */
export function readPit(pit: Pit, view: PitView): void {
  for (let number = 0; number < COUNTERS; number++) {
    const state = pit.core.state(number);
    const { access, latched, status } = state;
    const next = (high: boolean) => access === WORD_LOW && high ? WORD_HIGH : access;
    view.part("channels", PitChannelState, number)
      .set("count", state.count).set("gate", Number(state.gate)).set("bcd", Number(state.bcd))
      .set("mode", state.mode < 0 ? NO_MODE : state.mode).set("rw_mode", access)
      .set("latched_count", Math.max(latched, 0)).set("count_latched", latched < 0 ? 0 : next(state.readHigh))
      .set("status", Math.max(status, 0)).set("status_latched", status < 0 ? 0 : 1)
      .set("read_state", next(state.readHigh)).set("write_state", next(state.low >= 0))
      .set("write_latch", Math.max(state.low, 0)).set("count_load_time", BigInt(state.loadNs));
  }
}

/** Gives `pit` the counters in `view`, by software on `cpu`. @returns the register write that remains to be done there, if any */
export function writePit(pit: Pit, view: PitView, cpu: KernelCpu): Step | null {
  const counters: CounterState[] = [];
  for (let number = 0; number < COUNTERS; number++) {
    const channel = view.part("channels", PitChannelState, number);
    const mode = channel.get("mode");
    const countLatched = channel.get("count_latched");
    counters.push({
      mode: mode === NO_MODE ? -1 : mode,
      access: channel.get("rw_mode") & WORD_LOW,
      bcd: channel.get("bcd") !== 0,
      count: channel.get("count") & 0xffff,
      loadNs: 0,
      gate: channel.get("gate") !== 0,
      low: channel.get("write_state") === WORD_HIGH ? channel.get("write_latch") : -1,
      readHigh: (countLatched === 0 ? channel.get("read_state") : countLatched) === WORD_HIGH,
      latched: countLatched === 0 ? -1 : channel.get("latched_count"),
      status: channel.get("status_latched") === 0 ? -1 : channel.get("status"),
    });
  }
  return pit.setState(counters, cpu);
}
