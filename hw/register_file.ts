/**
 * What a logical processor swaps when software changes: register files and stacks of activities.
 *
 * A {@linkcode Context} is a stack of activities, as a task's stack is a stack of calls with the handlers that
 * interrupted it on top. A {@linkcode RegisterFile} is the architectural state that decides what runs: the
 * current context, RFLAGS.IF, the operands of the instruction being executed, the IDT. A processor has one of its
 * own, and every virtual-machine control structure holds another as its guest-state area.
 *
 * @module
 */

import type { Activity, Step } from "./sim/activity.ts";
import {
  CALL,
  LOAD,
  MOV_FROM_CR,
  MOV_TO_CR,
  Op as Ops,
  RDMSR,
  Routine,
  STORE,
  WRMSR,
} from "./sim/activity.ts";
import type { StateHash } from "./sim/state_hash.ts";

const Op = Ops; // see `cpu.ts`

/** What made a frame: a plain call, an external interrupt, an NMI, an exception. */
export const FrameKind = Object.freeze({ Call: 0, Interrupt: 1, Nmi: 2, Exception: 3 });

/** The `next` of all activities, taken once: every generator function has a prototype of its own to look it up in. */
const resume: Activity<unknown>["next"] = Object.getPrototypeOf(function* () {}.prototype).next;

/** One activity on a stack, and where it stands while it does not run. */
export class Frame {
  /** The activity, where it is a generator. */
  activity: Activity<unknown> | null = null;
  /** The activity, where it is a state machine. */
  routine: Routine | null = null;
  /**
   * The `next` of a state machine that has been called. Of up to four classes V8 knows at a place what to call, and there are
   * more: so it is looked up once for each call, not at each step. Handlers are one class; null there.
   */
  #proceed: Routine["next"] | null = null;
  /** One of {@linkcode FrameKind}. */
  kind: number = FrameKind.Call;
  /** The step it is in: suspended work, or an instruction to be executed (again). `null`: between two steps. */
  step: Step | null = null;
  /** What is left of suspended work, ns. */
  remainingNs = NaN;
  /**
   * The result with which it goes on after a step. Nearly all are small integers, and `next` is given them: as it begins as
   * no number, V8 keeps it as the value that it passes on, in place of a fraction to be converted each time.
   */
  result: number = undefined!;
  /** Operands of an instruction to be executed again. */
  address = 0;
  /** See `address`. */
  value = 0;
  /** RFLAGS.IF before an interrupt, restored by IRET. */
  savedInterruptFlag = false;
  /** The path's random factor before an interrupt. */
  savedFactor = NaN;

  constructor() {
    // They will hold fractions and large numbers: V8 shall make room for these from the start (see `Engine`).
    this.remainingNs = 0;
    this.savedFactor = 1;
    this.result = 0;
  }

  /** `activity` begins, in a frame of that kind. Most often it is the routine that began here before. */
  begin(activity: Activity<unknown> | Routine, kind: number): void {
    if (activity !== this.routine) this.#take(activity, kind);
    this.kind = kind;
    this.step = null;
    this.result = 0;
  }

  /** It is between two steps, and goes on with that `result` of the last one. */
  goOnWith(result: number): void {
    this.step = null;
    this.result = result;
  }

  #take(activity: Activity<unknown> | Routine, kind: number): void {
    if (activity instanceof Routine) {
      this.routine = activity;
      this.#proceed = kind === FrameKind.Call ? activity.next : null;
    } else {
      this.routine = null;
      this.activity = activity;
    }
  }

  /** The activity goes on after a step with that `result`: its next step, or null at its end; `result` is its own then. */
  next(result: number): Step | null {
    const { routine } = this;
    if (routine !== null) {
      const step = this.#proceed === null ? routine.next(result) : this.#proceed.call(routine, result);
      if (step === null) this.result = 0;
      return step;
    }
    const next = resume.call(this.activity!, result);
    if (next.done !== true) return next.value;
    this.result = typeof next.value === "number" ? next.value : 0;
    return null;
  }
}

/** A stack of activities. Frames are reused: pushing allocates nothing once the stack has been that deep. */
export class Context {
  declare readonly name: string;
  /** The frames; those above `depth` are free. */
  readonly frames: Frame[] = [];
  /** Index of the top frame; -1: empty. */
  depth = -1;
  /** RFLAGS.IF while another context runs. */
  interruptFlag = true;

  /** @param name as the state hash knows it @param activity what it runs first */
  constructor(name: string, activity: Activity<unknown> | Routine) {
    this.name = name;
    this.push(activity, FrameKind.Call);
  }

  /** Puts an activity on top. */
  push(activity: Activity<unknown> | Routine, kind: number): Frame {
    const depth = ++this.depth;
    let frame = this.frames[depth];
    if (frame === undefined) this.frames.push(frame = new Frame());
    frame.begin(activity, kind);
    return frame;
  }

  /**
   * Forgets what is on the stack: `activity` runs instead. `running`: the top frame is a handler that executes now; it
   * stays, and returns to `activity`.
   */
  abandon(activity: Activity<unknown>, running: boolean): void {
    const top = this.top;
    this.depth = -1;
    this.interruptFlag = true;
    this.push(activity, FrameKind.Call);
    if (!running) return;
    this.frames.splice(1, 0, top);
    this.depth = 1;
    top.savedInterruptFlag = true;
  }

  /** The topmost suspended work takes `ns` longer. */
  delayWork(ns: number): void {
    for (let i = this.depth; i >= 0; i--) {
      const frame = this.frames[i]!;
      if (frame.step?.op !== Op.Work) continue;
      frame.remainingNs += ns;
      return;
    }
  }

  /** The frame that runs. */
  get top(): Frame {
    return this.frames[this.depth]!;
  }

  /** Adds name and depth, and of every frame what it goes on with: work, an instruction's operands, or a result. */
  hashInto(hash: StateHash): void {
    hash.text(this.name).word(this.depth).flag(this.interruptFlag);
    for (let i = 0; i <= this.depth; i++) {
      const { kind, step, remainingNs, address, value, result, savedInterruptFlag, savedFactor } = this
        .frames[i]!;
      hash.word(kind).text(step?.name ?? "");
      if (step === null) hash.number(result);
      else if (step.op === Op.Work) hash.number(remainingNs);
      else hash.number(address).number(value);
      if (kind !== FrameKind.Call) hash.flag(savedInterruptFlag).number(savedFactor);
    }
  }
}

/** Where interrupts go: the software's interrupt descriptor table. */
export interface InterruptTable {
  /** The handler of an external interrupt. */
  interrupt(vector: number): Activity<unknown> | Routine;
  /** The handler of vector 2. */
  nmi(): Activity<unknown>;
  /** The handler of an exception, by its vector. */
  exception(vector: number): Activity<unknown>;
}

/** The architectural state that software sees as its processor. */
export class RegisterFile {
  declare readonly idt: InterruptTable;
  /** The stack that runs. */
  context: Context;
  /** RFLAGS.IF. */
  interruptFlag = true;
  /** Activity state HLT. */
  halted = false;
  /** CR0, as a processor has it after a reset: CD, NW, ET. */
  cr0 = 0x6000_0010;
  /** CR3. */
  cr3 = 0;
  /** CR4. */
  cr4 = 0;
  /** See `base_msrs.ts`; those that have been written. */
  readonly bases = new Map<number, bigint>();
  /** Address operand of the instruction being yielded: ECX, port, physical address. */
  address = 0;
  /** Value operand of the instruction being yielded. */
  value = 0;
  /** Operand of `CALL`. */
  callee: Activity<unknown> | Routine | null = null;
  /** Operand of a context switch. */
  next: Context | null = null;

  /** @param idt where interrupts go @param context what runs first */
  constructor(idt: InterruptTable, context: Context) {
    this.idt = idt;
    this.context = context;
  }

  /** A context switch: the stack that runs is left between two steps, and `next` goes on where it stands. */
  switchContext(): void {
    const { context } = this;
    context.top.goOnWith(0);
    context.interruptFlag = this.interruptFlag;
    this.context = this.next!;
    this.interruptFlag = this.context.interruptFlag;
  }

  /** `yield registers.wrmsr(msr, value)`. */
  wrmsr(msr: number, value: number): Step {
    this.address = msr;
    this.value = value;
    return WRMSR;
  }

  /** `const value = yield registers.rdmsr(msr)`. */
  rdmsr(msr: number): Step {
    this.address = msr;
    return RDMSR;
  }

  /** `yield registers.movToCr(number, value)`. */
  movToCr(number: number, value: number): Step {
    this.address = number;
    this.value = value;
    return MOV_TO_CR;
  }

  /** `const value = yield registers.movFromCr(number)`. */
  movFromCr(number: number): Step {
    this.address = number;
    return MOV_FROM_CR;
  }

  /** `yield registers.store(address, value)`: 32 bits of memory that is no RAM. */
  store(address: number, value: number): Step {
    this.address = address;
    this.value = value;
    return STORE;
  }

  /** `const value = yield registers.load(address)`. */
  load(address: number): Step {
    this.address = address;
    return LOAD;
  }

  /** `const result = yield registers.call(activity)`: runs it on this stack. */
  call(activity: Activity<unknown> | Routine): Step {
    this.callee = activity;
    return CALL;
  }
}
