/**
 * Activities: software that takes time, written as generators.
 *
 * Every `yield` is one {@linkcode Step}: either *work*, which an interrupt may suspend in the middle, or one
 * *atomic instruction*, at whose end interrupts are recognised. Everything between two yields happens at one
 * instant. The processor (`hw/cpu.ts`) is what runs activities; this file only says what they are made of.
 *
 * @module
 */

/**
 * What a step asks of the processor that runs it. Numbers, so that the processor can switch on them; frozen, as all such tables
 * are: V8 then writes the number into the code, and does not ask for it first what has become of the table.
 */
export const Op = Object.freeze({
  /** Interruptible code with a cost. */
  Work: 0,
  /** Call another activity on the same stack. */
  Call: 1,
  /** Continue with another stack of activities (a context switch), when the step's own cost has passed. */
  Switch: 2,
  /** WRMSR: write `operands.value` to model-specific register `operands.address`. */
  Wrmsr: 3,
  /** RDMSR: read model-specific register `operands.address`; the value is the step's result. */
  Rdmsr: 4,
  /** HLT: wait for an interrupt. */
  Hlt: 5,
  /** OUT: write `operands.value` to I/O port `operands.address`. */
  Out: 6,
  /** IN: read I/O port `operands.address`; the value is the step's result. */
  In: 7,
  /** VMLAUNCH/VMRESUME: enter guest mode; the step's result is the basic exit reason. */
  VmEntry: 8,
  /** A store to memory-mapped registers: `operands.value` to physical address `operands.address`. */
  Store: 9,
  /** A load from memory-mapped registers at `operands.address`; the value is the step's result. */
  Load: 10,
  /** CPUID. */
  Cpuid: 11,
  /** A transition of the hardware's own (interrupt delivery, VM exit): no interrupt comes in between. */
  Transition: 12,
  /** RDTSC: the time-stamp counter is the step's result. */
  Rdtsc: 13,
  /** MOV to a control register: `operands.value` to the register of number `operands.address`. */
  MovToCr: 14,
  /** PAUSE: a turn of a loop that waits. */
  Pause: 15,
  /** MOV from a control register: the register of number `operands.address` is the step's result. */
  MovFromCr: 16,
  /** CLTS: clears CR0.TS. */
  Clts: 17,
  /** LMSW: bits 3:0 of `operands.value` to CR0; PE is never cleared. */
  Lmsw: 18,
  /** INVLPG: what the TLB holds of linear address `operands.address` is gone. */
  Invlpg: 19,
});

/** One of the values of {@linkcode Op}. */
export type OpCode = typeof Op[keyof typeof Op];

/** Whose time a step takes. 0 is the hardware's own; the software above numbers its own layers. */
export type Layer = number;

/** The layer of work done by the hardware itself: VM entries and exits, wake-ups from C1, bus writes. */
export const HARDWARE: Layer = 0;

/**
 * One step of an activity. Steps are made once, when the software is built, and yielded many times: yielding
 * allocates nothing.
 */
export class Step {
  /** What the processor shall do. */
  declare readonly op: OpCode;
  /** The step's name in traces and in the state hash. */
  declare readonly name: string;
  /** Whose time it takes. */
  declare readonly layer: Layer;
  /** Cost, integer nanoseconds, in its typical execution. Changed only by the step's owner, between two yields. */
  declare ns: number;
  /** Whether the random factor of the path (cache state) scales the cost. Hardware transitions do not scale. */
  declare readonly scales: boolean;
  constructor(op: OpCode, name: string, layer: Layer, ns: number, scales: boolean) {
    this.op = op;
    this.name = name;
    this.layer = layer;
    this.ns = ns;
    this.scales = scales;
  }
}

/** An activity: yields steps, receives each step's result (0 for work), returns a `T`. */
export type Activity<T = void> = Generator<Step, T, number>;

/**
 * An activity in another form: a state machine, for code that runs millions of times. What a generator keeps on its
 * stack is in fields, so that it takes a fraction of a generator's time and memory.
 */
export abstract class Routine {
  /** Of an interrupt handler that begins with work and the EOI behind it: that work; null: it begins in another way. */
  entry: Step | null = null;

  /** Of such a handler the work behind the EOI, where it is the same at any time; null: it is not known yet. */
  top: Step | null = null;

  /** The handler has been passed up to the end of `entry`. */
  skipEntry(): void {}

  /** The handler has been passed up to the end of `entry`, EOI and `top`. */
  skipHead(): void {}

  /**
   * Does what its last step was for; answers the next one, or null at its end.
   *
   * @param result of the last step
   */
  abstract next(result: number): Step | null;
}

/** Makes a step of interruptible work. */
export function work(name: string, layer: Layer, ns: number, scales = true): Step {
  return new Step(Op.Work, name, layer, ns, scales);
}

/** Makes a context switch that takes `ns`; no interrupt comes in between. Its operand is `registers.next`. */
export function contextSwitch(name: string, layer: Layer, ns: number): Step {
  return new Step(Op.Switch, name, layer, ns, true);
}

/** Makes the step of every cost, once: a model yields them over and over. Names and order are those of `costs`. */
export function stepsOf<Name extends string>(
  costs: Readonly<Record<Name, number>>,
  make: (name: Name, ns: number) => Step,
): { readonly [Key in Name]: Step } {
  const steps = {} as Record<Name, Step>;
  for (const name of Object.keys(costs) as Name[]) steps[name] = make(name, costs[name]);
  return steps;
}

/** Call another activity: `yield call(registers, activity)`; its step's result is what the activity returns. */
export const CALL = new Step(Op.Call, "call", HARDWARE, 0, false);
/** WRMSR. */
export const WRMSR = new Step(Op.Wrmsr, "wrmsr", HARDWARE, 0, false);
/** RDMSR. */
export const RDMSR = new Step(Op.Rdmsr, "rdmsr", HARDWARE, 0, false);
/** HLT. */
export const HLT = new Step(Op.Hlt, "hlt", HARDWARE, 0, false);
/** OUT of a byte. */
export const OUT = new Step(Op.Out, "out", HARDWARE, 0, false);
/** OUT of 16 bits. */
export const OUT_WORD = new Step(Op.Out, "outw", HARDWARE, 0, false);
/** OUT of 32 bits. */
export const OUT_DWORD = new Step(Op.Out, "outl", HARDWARE, 0, false);
/** IN of a byte. */
export const IN = new Step(Op.In, "in", HARDWARE, 0, false);
/** IN of 16 bits. */
export const IN_WORD = new Step(Op.In, "inw", HARDWARE, 0, false);
/** IN of 32 bits. */
export const IN_DWORD = new Step(Op.In, "inl", HARDWARE, 0, false);
/** VMLAUNCH or VMRESUME. */
export const VM_ENTRY = new Step(Op.VmEntry, "vmentry", HARDWARE, 0, false);
/** A store of 32 bits to memory-mapped registers. */
export const STORE = new Step(Op.Store, "store", HARDWARE, 0, false);
/** A store of 16 bits to memory-mapped registers. */
export const STORE_WORD = new Step(Op.Store, "storew", HARDWARE, 0, false);
/** A load of 32 bits from memory-mapped registers. */
export const LOAD = new Step(Op.Load, "load", HARDWARE, 0, false);
/** A load of 16 bits from memory-mapped registers. */
export const LOAD_WORD = new Step(Op.Load, "loadw", HARDWARE, 0, false);
/** How many bytes an access to a port, or to memory-mapped registers, has. */
export function accessBytes(step: Step): 1 | 2 | 4 {
  switch (step) {
    case OUT:
    case IN:
      return 1;
    case OUT_WORD:
    case IN_WORD:
    case STORE_WORD:
    case LOAD_WORD:
      return 2;
    default:
      return 4;
  }
}

/** CPUID of leaf `operands.address`. */
export const CPUID = new Step(Op.Cpuid, "cpuid", HARDWARE, 0, false);
/** MOV to CRn. */
export const MOV_TO_CR = new Step(Op.MovToCr, "mov to cr", HARDWARE, 0, false);
/** MOV from CRn. */
export const MOV_FROM_CR = new Step(Op.MovFromCr, "mov from cr", HARDWARE, 0, false);
/** CLTS. */
export const CLTS = new Step(Op.Clts, "clts", HARDWARE, 0, false);
/** LMSW. */
export const LMSW = new Step(Op.Lmsw, "lmsw", HARDWARE, 0, false);
/** INVLPG. */
export const INVLPG = new Step(Op.Invlpg, "invlpg", HARDWARE, 0, false);
/** PAUSE. */
export const PAUSE = new Step(Op.Pause, "pause", HARDWARE, 0, false);
/** RDTSC. */
export const RDTSC = new Step(Op.Rdtsc, "rdtsc", HARDWARE, 0, false);
/** Work that never ends: an endless loop. Interrupts suspend it as they do any work. */
export function endless(name: string, layer: Layer): Step {
  return new Step(Op.Work, name, layer, Infinity, false);
}
