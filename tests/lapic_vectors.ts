/**
 * Runs the recordings of a real KVM's local APIC and I/O APIC (`kvm-lapic/1`).
 *
 * The machine is KVM's own: a host with the row of Linux 6.18, one fresh virtual machine for each sequence, and the calls
 * that ioctls and exits make. A thread of the host makes them, so that the timers of the vCPUs are the host's. What a
 * guest does in an operation `g_…` is one access through the emulation that its exit leads to, after what KVM serves at
 * an entry; an interrupt that it takes is ended at once, as in the recordings.
 */
import type { Activity, Step } from "../hw/sim/activity.ts";
import { Engine } from "../hw/sim/engine.ts";
import { Apic } from "../hw/lapic.ts";
import { Machine } from "../hw/machine.ts";
import { Context, RegisterFile } from "../hw/register_file.ts";
import { kvmCosts } from "../runtime/kvm/costs.ts";
import { readMemory, writeMemory } from "../runtime/kvm/device_memory.ts";
import { LineSource, type Route } from "../runtime/kvm/irqchip/irq_routing.ts";
import { Kvm } from "../runtime/kvm/kvm.ts";
import { readMsr, writeMsr } from "../runtime/kvm/msrs.ts";
import type { Vcpu } from "../runtime/kvm/vcpu.ts";
import { KVM_VERSIONS } from "../runtime/kvm/versions.ts";
import type { Vm } from "../runtime/kvm/vm.ts";
import { Errno } from "../runtime/linux/errno.ts";
import { Kernel } from "../runtime/linux/kernel.ts";
import type { KernelCpu } from "../runtime/linux/kernel_cpu.ts";
import { Layers } from "../runtime/linux/layers.ts";
import { kernelCosts } from "../runtime/linux/release.ts";
import type { Task } from "../runtime/linux/sched/task.ts";
import { Vector } from "../runtime/linux/irq/vectors.ts";
import { flat, FLAT_MACHINE } from "./flat_costs.ts";
import { saysFormat, type VectorFormat, vectorResult } from "./vector_format.ts";

type Fields = Record<string, unknown>;
/** State by CPU index, and of the I/O APIC under `io`. */
type State = Record<string, Fields>;

interface Operation {
  readonly op: string;
  readonly r: unknown;
  readonly s?: State;
  readonly [operand: string]: unknown;
}

interface Sequence {
  readonly id: string;
  readonly n: number;
  readonly cfg: {
    readonly ids?: readonly number[];
    readonly x2apic_api?: number;
    readonly cpuid_x2apic?: false;
    readonly cpuid_tscdl?: false;
    readonly ioapic?: 1;
    readonly guest?: 1;
  };
  readonly setup?: unknown;
  readonly s0?: State;
  readonly ops: readonly Operation[];
}

interface Recording {
  readonly format: string;
  readonly sequences: readonly Sequence[];
}

/** Offsets of the registers that a state has by name. */
const REGISTERS: Readonly<Record<string, number>> = {
  id: 0x20,
  ver: 0x30,
  tpr: 0x80,
  apr: 0x90,
  ppr: 0xa0,
  ldr: 0xd0,
  dfr: 0xe0,
  svr: 0xf0,
  esr: 0x280,
  lvtcmci: 0x2f0,
  icr: 0x300,
  icr2: 0x310,
  lvtt: 0x320,
  lvtthmr: 0x330,
  lvtpc: 0x340,
  lint0: 0x350,
  lint1: 0x360,
  lvterr: 0x370,
  tmict: 0x380,
  tdcr: 0x3e0,
};
/** Sets of vectors: eight registers each. */
const VECTORS: Readonly<Record<string, number>> = { isr: 0x100, tmr: 0x180, irr: 0x200 };
/** Below it the recordings do not say whether the timer runs. */
const SHORT_COUNT = 0x1000_0000;
/** Physical address bits of the recorded guests: bit 40 of APIC_BASE is taken, bit 48 refused. */
const ADDRESS_BITS = 46;
const PINS = 24;

const hex = (value: number | bigint): string => `0x${BigInt(value).toString(16)}`;
const number = (value: unknown): number => Number(value as string | number);

/** A 64-bit operand in two halves. */
function halves(value: unknown): { low: number; high: number } {
  const bits = BigInt(value as string);
  return { low: Number(bits & 0xffff_ffffn), high: Number(bits >> 32n) };
}

function whole({ low, high }: { low: number; high: number }): string {
  return hex((BigInt(high) << 32n) | BigInt(low >>> 0));
}

/** One virtual machine on a host that does nothing else. */
class Rig {
  readonly engine = new Engine(1);
  readonly vm: Vm;
  readonly vcpus: Vcpu[] = [];
  readonly #host: Kernel;
  #cpu!: KernelCpu;

  constructor(readonly sequence: Sequence, version: keyof typeof KVM_VERSIONS) {
    const machine = new Machine(this.engine, { ...FLAT_MACHINE, cpus: 1 });
    this.#host = new Kernel(this.engine, {
      name: "host",
      release: { release: "6.18.44", hz: 100, noHz: true, realTime: false, clocksource: "tsc" },
      costs: flat(kernelCosts, 200),
      cpus: 1,
      kernelLayer: Layers.HostKernel,
      taskLayer: Layers.HostTask,
      consoleIrq: { irq: 1, name: "i8042" },
    });
    const stock = {
      slaveCpu: false,
      delivery: false,
      eoi: false,
      timer: false,
      divideConfiguration: false,
      enableAt: "each",
      disableAt: "any",
      leadsTo: "any",
      smp: true,
    } as const;
    const kvm = new Kvm(this.#host, machine, flat(kvmCosts, 300), stock, KVM_VERSIONS[version]);
    machine.cpus[0]!.start(this.#host.cpus[0]!.prepareStart());
    this.engine.runUntil(50_000_000);
    this.#cpu = this.#host.cpus[0]!;
    this.vm = kvm.createVm("vm");
    this.vm.createIrqchip();
    const { cfg, n } = sequence;
    const flags = cfg.x2apic_api ?? 0;
    this.vm.x2apicFormat = (flags & 1) !== 0;
    this.vm.broadcastQuirkDisabled = (flags & 2) !== 0;
    for (let index = 0; index < n; index++) {
      const vcpu = this.vm.createVcpu(nothing(), cfg.ids?.[index] ?? index);
      vcpu.lapic.features = {
        x2apic: cfg.cpuid_x2apic !== false,
        tscDeadline: cfg.cpuid_tscdl !== false,
        physicalAddressBits: ADDRESS_BITS,
      };
      this.vcpus.push(vcpu);
    }
  }

  /** Performs the whole sequence. @returns where it first differs from the recording */
  run(): string | undefined {
    const { sequence } = this;
    const expected = initialState(sequence);
    merge(expected, sequence.s0);
    let difference = differenceOf(expected, this.#observe(), "at first");
    this.#performAll((operation, result, index) => {
      merge(expected, operation.s);
      const where = `op ${index} (${JSON.stringify({ ...operation, s: undefined })})`;
      difference ??= compare(operation.r, result, where) ?? differenceOf(expected, this.#observe(), where);
      return difference === undefined;
    });
    return difference;
  }

  /** Performs the whole sequence. @returns the result of each operation, and the state after the last one */
  outcome(): { results: unknown[]; state: State } {
    const results: unknown[] = [];
    let state = this.#observe();
    this.#performAll((_operation, result) => {
      results.push(result);
      state = this.#observe();
      return true;
    });
    return { results, state };
  }

  /** A thread of the host performs one operation after the other, as long as `observe` wants to go on. */
  #performAll(observe: (operation: Operation, result: unknown, index: number) => boolean): void {
    let done = false;
    const perform = (operation: Operation, task: Task) => this.#perform(operation, task);
    const { ops } = this.sequence;
    const task = this.#host.createTask("vmm", 1, function* (self) {
      for (const [index, operation] of ops.entries()) {
        const result = yield* perform(operation, self);
        if (!observe(operation, result, index)) break;
      }
      done = true;
      return 0;
    });
    this.#host.wake(task, this.#cpu);
    this.vm.kvm.machine.messageSignalled(0, Vector.Reschedule);
    const limitNs = this.engine.nowNs + 600_000_000_000;
    while (!done && this.engine.nextNs <= limitNs) this.engine.step();
    if (!done) throw new Error("the sequence did not end");
  }

  *#perform(operation: Operation, task: Task): Activity<unknown> {
    const { op } = operation;
    const vcpu = this.vcpus[number(operation.cpu ?? 0)]!;
    const { chips } = this.vm;
    const { routing, ioapic } = chips!;
    switch (op) {
      case "msi": {
        const { lo, hi, data } = operation;
        const result = routing.signalMsi(number(lo), number(hi), number(data), this.#cpu);
        return result instanceof Errno ? result.name : result < 0 ? "EPERM" : result;
      }
      case "nmi":
        vcpu.events.queueNmi();
        return "ok";
      case "wrmsr": {
        const rest = writeMsr(vcpu, number(operation.msr), halves(operation.val), true, this.#cpu);
        if (rest) yield rest;
        return rest === undefined ? "GP" : "ok";
      }
      case "rdmsr": {
        const value = readMsr(vcpu, number(operation.msr));
        return value === undefined ? "GP" : { val: whole(value) };
      }
      case "set_lapic": {
        let result: Errno | Step | null = null;
        for (let time = 0; time < 2; time++) {
          const registers = vcpu.lapic.state();
          setRegisters(registers, operation.regs as Fields);
          result = vcpu.lapic.setState(registers, this.#cpu);
          if (result instanceof Errno) return result.name;
          if (result !== null) yield result;
        }
        return "ok";
      }
      case "set_cr8":
        if (number(operation.val) <= 15) vcpu.lapic.cr8 = number(operation.val);
        return "ok";
      case "set_mp": {
        const failed = vcpu.events.setMpState(number(operation.mp));
        return failed ? failed.name : "ok";
      }
      case "irq_line": {
        const high = number(operation.level) !== 0;
        return routing.setLine(number(operation.gsi), high, LineSource.UserSpace, true, this.#cpu);
      }
      case "set_ioapic": {
        const state = ioapic.state();
        const entries = [...state.entries];
        for (const [pin, value] of Object.entries(operation.rt as Fields)) entries[+pin] = halves(value);
        ioapic.setState({ ...state, entries, irr: number(operation.irr ?? state.irr) }, this.#cpu);
        return "ok";
      }
      case "routing": {
        const failed = routing.replace((operation.routes as Fields[]).map(routeOf));
        return failed ? failed.name : "ok";
      }
      case "sleep": {
        const until = this.#host.nowNs + number(operation.ms) * 1_000_000;
        const timer = this.#host.sleepTimer(task);
        while (this.#host.nowNs < until) yield* this.#host.sleepUntil(task, timer, until);
        return "ok";
      }
      default:
        return yield* this.#guest(vcpu, operation);
    }
  }

  /** A guest runs until it has done one thing. */
  *#guest(vcpu: Vcpu, operation: Operation): Activity<unknown> {
    const cpu = this.#cpu;
    if (!vcpu.serveRequests(cpu)) return { x: "not-runnable" };
    const vectors: number[] = [];
    for (; vcpu.events.nmiPending > 0; vcpu.events.nmiPending--) vectors.push(2);
    const result: Fields = {};
    const size = number(operation.size ?? 4);
    switch (operation.op) {
      case "g_wrmsr": {
        const rest = writeMsr(vcpu, number(operation.msr), halves(operation.val), false, cpu);
        if (rest === undefined) result.x = "GP";
        else if (rest !== null) yield rest;
        break;
      }
      case "g_rdmsr": {
        const value = readMsr(vcpu, number(operation.msr));
        if (value === undefined) result.x = "GP";
        else result.val = whole(value);
        break;
      }
      case "g_wr": {
        const { low } = halves(operation.val);
        const rest = writeMemory(vcpu, number(operation.addr), size, low, cpu);
        if (rest === undefined) result.mmio = true;
        else if (rest !== null) yield rest;
        break;
      }
      case "g_rd": {
        const value = readMemory(vcpu, number(operation.addr), size);
        if (value === undefined) result.mmio = true;
        result.val = hex(value ?? 0xffff_ffff);
        break;
      }
      case "g_irq": {
        const vector = vcpu.acknowledgeInterrupt();
        if (vector >= 0) {
          vectors.push(vector);
          vcpu.lapic.write(Apic.EOI, 0, cpu);
        }
        break;
      }
      case "g_nop":
        break;
      default:
        throw new Error(`operation ${operation.op} is not known`);
    }
    if (vectors.length > 0) result.vec = vectors;
    return result;
  }

  /** What the recorder reads after each operation, vCPU by vCPU. */
  #observe(): State {
    const state: State = {};
    for (const [index, vcpu] of this.vcpus.entries()) {
      const { events, lapic } = vcpu;
      const mp = events.mpState; // takes up INIT and start-up messages
      events.collectNmis();
      const registers = lapic.state();
      const fields: Fields = {};
      for (const [name, offset] of Object.entries(REGISTERS)) fields[name] = hex(registers[offset >>> 4]!);
      for (const [name, offset] of Object.entries(VECTORS)) fields[name] = members(registers, offset);
      const count = registers[Apic.TMICT >>> 4]!;
      fields.timer_running = count > 0 && count < SHORT_COUNT ? "n/a" : registers[Apic.TMCCT >>> 4] !== 0;
      fields.apic_base = hex(lapic.base);
      fields.tscdl = whole(readMsr(vcpu, 0x6e0)!);
      fields.cr8 = lapic.cr8;
      fields.nmi = [Number(events.nmiInjected), events.nmiPending, Number(events.nmiMasked)];
      fields.mp = mp;
      if (this.sequence.cfg.guest !== 1) fields.cs = hex(events.codeSegment);
      state[index] = fields;
    }
    if (this.sequence.cfg.ioapic === 1) {
      const { base, select, id, irr, entries } = this.vm.chips!.ioapic.state();
      const io: Fields = { base: hex(base), sel: hex(select), id: hex(id), irr: hex(irr) };
      entries.forEach((entry, pin) => io[`rt${pin}`] = whole(entry));
      state.io = io;
    }
    return state;
  }
}

/** Registers of a vCPU that executes nothing by itself. */
function nothing(): RegisterFile {
  const never = function* (): Activity {};
  return new RegisterFile({ interrupt: never, nmi: never, exception: never }, new Context("stub", never()));
}

function routeOf(route: Fields): Route {
  const gsi = number(route.gsi);
  if (route.type === "msi") {
    const { lo, hi, data } = route;
    return { gsi, type: "msi", addressLow: number(lo), addressHigh: number(hi), data: number(data) };
  }
  // A type that KVM does not know is refused as a chip that it does not know.
  return { gsi, type: "irqchip", chip: number(route.chip ?? -1), pin: number(route.pin ?? 0) };
}

function setRegisters(registers: Uint32Array, fields: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    const offset = VECTORS[name];
    if (offset === undefined) {
      registers[REGISTERS[name]! >>> 4] = number(value);
      continue;
    }
    registers.fill(0, offset >>> 4, (offset >>> 4) + 8);
    for (const vector of value as number[]) {
      registers[(offset >>> 4) + (vector >>> 5)]! |= 1 << (vector & 31);
    }
  }
}

function members(registers: Uint32Array, offset: number): number[] {
  const list: number[] = [];
  for (let vector = 0; vector < 256; vector++) {
    if ((registers[(offset >>> 4) + (vector >>> 5)]! & (1 << (vector & 31))) !== 0) list.push(vector);
  }
  return list;
}

/** The state after reset, as the format's description gives it. */
function initialState({ n, cfg }: Sequence): State {
  const state: State = {};
  for (let index = 0; index < n; index++) {
    const id = cfg.ids?.[index] ?? index;
    const zero = ["tpr", "apr", "ppr", "ldr", "esr", "icr", "icr2", "lvtcmci", "tmict", "tdcr"];
    const masked = ["lvtt", "lvtthmr", "lvtpc", "lint1", "lvterr"];
    state[index] = {
      ...Object.fromEntries(zero.map((name) => [name, "0x0"])),
      ...Object.fromEntries(masked.map((name) => [name, "0x10000"])),
      id: hex((id << 24) >>> 0),
      ver: "0x50014",
      dfr: "0xffffffff",
      svr: "0xff",
      lint0: index === 0 ? "0x700" : "0x10000",
      isr: [],
      tmr: [],
      irr: [],
      timer_running: false,
      apic_base: index === 0 ? "0xfee00900" : "0xfee00800",
      tscdl: "0x0",
      cr8: 0,
      nmi: [0, 0, 0],
      mp: index === 0 ? 0 : 1,
      ...(cfg.guest === 1 ? {} : { cs: "0xf000" }),
    };
  }
  if (cfg.ioapic === 1) {
    const io: Fields = { base: "0xfec00000", sel: "0x0", id: "0x0", irr: "0x0" };
    for (let pin = 0; pin < PINS; pin++) io[`rt${pin}`] = "0x10000";
    state.io = io;
  }
  return state;
}

function merge(state: State, delta: State | undefined): void {
  for (const [part, fields] of Object.entries(delta ?? {})) Object.assign(state[part] ??= {}, fields);
}

function compare(expected: unknown, actual: unknown, where: string): string | undefined {
  const [wanted, got] = [expected, actual].map((value) => JSON.stringify(value));
  return wanted === got ? undefined : `${where}: ${got}, wanted ${wanted}`;
}

function differenceOf(expected: State, actual: State, where: string): string | undefined {
  for (const [part, fields] of Object.entries(expected)) {
    for (const [field, value] of Object.entries(fields)) {
      const difference = compare(value, actual[part]?.[field], `${where}: ${part}.${field}`);
      if (difference !== undefined) return difference;
    }
  }
  return undefined;
}

/** What operations on a machine of `n` vCPUs come to with the row of a kernel version. */
export function lapicOutcome(
  version: keyof typeof KVM_VERSIONS,
  n: number,
  ops: readonly Omit<Operation, "r">[],
): { results: unknown[]; state: State } {
  const operations = ops.map((operation) => ({ ...operation, r: undefined }) as Operation);
  return new Rig({ id: "", n, cfg: { ioapic: 1 }, ops: operations }, version).outcome();
}

/** Sequences of ioctls and guest accesses with the state after each. */
export const lapicVectors: VectorFormat = {
  name: "kvm-lapic/1",

  recognises: (content) => saysFormat(content, "kvm-lapic/1"),

  *run(content) {
    for (const sequence of (content as Recording).sequences) {
      yield vectorResult(sequence.id, () => new Rig(sequence, "6.18").run());
    }
  },
};
