/**
 * What a kernel does on a CPU beside the work at hand: sections with interrupts off, softirqs, now and then something
 * heavy. The arrivals are random, with a stream for each kernel, CPU and kind: systems compared under one seed see
 * them at the same times.
 *
 * They are timers of the CPU, as the kernel's own are: each comes as an interrupt, so it exits where interrupts exit,
 * delays what its masks delay, and is gone from a CPU that is taken from the kernel. What is thread work is done by the
 * CPU's kworker, which the scheduler places among other tasks.
 *
 * @module
 */

import { Op, Step } from "../../hw/sim/activity.ts";
import { ns, parameters, perSecond, ratio, type Values } from "../../hw/parameters.ts";
import type { RandomStream } from "../../hw/sim/random.ts";
import { HrTimer } from "./hrtimer.ts";
import type { KernelCpu } from "./kernel_cpu.ts";

/** How often and how long, for each CPU. */
export const backgroundParameters = parameters({
  irqOff: {
    rate: perSecond("Sections with interrupts off"),
    mean: ns("Their mean length; exponential"),
  },
  preemptOff: {
    rate: perSecond("Softirq sections: interrupts on, no preemption"),
    mean: ns("Their mean length; exponential"),
  },
  heavy: {
    rate: perSecond("Heavy softirq sections"),
    scale: ns("Scale of their length; generalised Pareto"),
    shape: ratio("Shape of their length", { min: 0.01, max: 0.95 }),
    cap: ns("Longest possible"),
  },
  kworker: {
    rate: perSecond("Work items that a kworker thread does"),
    mean: ns("Their mean length; exponential"),
  },
  slowHandler: {
    share: ratio("Share of timer interrupts whose handler finds more to do"),
    mean: ns("Mean length of that; exponential"),
  },
});

/** Values of {@linkcode backgroundParameters}. */
export type BackgroundParameters = Values<typeof backgroundParameters>;

/** One kind of arrival on one CPU. */
class Source {
  /** @param length draws the length of a section, ns */
  constructor(
    readonly timer: HrTimer,
    readonly rate: number,
    readonly arrivals: RandomStream,
    readonly section: Step,
    readonly length: () => number,
  ) {}
}

/** The background of one CPU; made with its kernel, started whenever the CPU comes online. */
export class Background {
  readonly #sources: Source[] = [];
  readonly #slowShare: number;
  readonly #slowMeanNs: number;
  readonly #slowDraws: RandomStream;
  readonly #slowSection: Step;

  /** For `cpu`. */
  constructor(readonly cpu: KernelCpu, parameters: BackgroundParameters) {
    const { irqOff, preemptOff, heavy, kworker, slowHandler } = parameters;
    const { engine, name, kernelLayer } = cpu.kernel;
    this.#slowShare = slowHandler.share;
    this.#slowMeanNs = slowHandler.mean;
    this.#slowDraws = engine.random.stream(`${name}.cpu${cpu.id}.slow handler`);
    this.#slowSection = new Step(Op.Work, "slow handler", kernelLayer, 0, false);
    this.#source("irqoff", irqOff.rate, "handler", (stream) => irqOff.mean * stream.exponential());
    this.#source(
      "preemptoff",
      preemptOff.rate,
      "softirq",
      (stream) => preemptOff.mean * stream.exponential(),
    );
    this.#source(
      "heavy",
      heavy.rate,
      "softirq",
      (stream) => Math.min(heavy.cap, stream.pareto(heavy.scale, heavy.shape)),
    );
    this.#source("kworker", kworker.rate, "thread", (stream) => kworker.mean * stream.exponential());
  }

  /** Queues the first arrival of every kind. */
  start(): void {
    const { nowNs } = this.cpu.kernel;
    for (const source of this.#sources) this.#queue(source, nowNs);
  }

  /** At each timer interrupt: what its handler finds to do beside its timers; usually nothing. */
  extraWork(): Step | null {
    if (this.#slowShare === 0 || this.#slowDraws.uniform() >= this.#slowShare) return null;
    this.#slowSection.ns = 1 + Math.floor(this.#slowMeanNs * this.#slowDraws.exponential());
    return this.#slowSection;
  }

  /** Lets all arrivals up to `nowNs` pass, unseen; returns how many there were, and how much time their sections took. */
  pass(nowNs: number): { count: number; ns: number } {
    const passed = { count: 0, ns: 0 };
    for (const source of this.#sources) {
      while (source.timer.expiresNs <= nowNs) {
        passed.count++;
        passed.ns += source.section.ns;
        source.section.ns = source.length();
        this.#queue(source, source.timer.expiresNs);
      }
    }
    return passed;
  }

  /**
   * @param by who does the section: the interrupt's handler itself, a softirq that it raises, a thread that it wakes
   * @param draw its length, ns
   */
  #source(
    name: string,
    rate: number,
    by: "handler" | "softirq" | "thread",
    draw: (stream: RandomStream) => number,
  ): void {
    if (rate === 0) return;
    const { cpu } = this;
    const { engine, kernelLayer, steps } = cpu.kernel;
    const prefix = `${cpu.kernel.name}.cpu${cpu.id}.${name}`;
    const lengths = engine.random.stream(`${prefix}.lengths`);
    const section = new Step(Op.Work, `${name} section`, kernelLayer, 0, false);
    const length = () => 1 + Math.floor(draw(lengths));
    section.ns = length();
    const cost = by === "handler" ? section : by === "softirq" ? steps.raiseSoftirq : steps.wakeUp;
    const timer = new HrTimer(prefix, cost, () => {
      // Either raises the softirq now, or has just been paid as the handler: then this is the next one's length.
      section.ns = length();
      if (by === "softirq") cpu.softirqs.raiseSection(section);
      else if (by === "thread") cpu.kernel.queueWork?.(cpu, section.ns);
      this.#queue(source, timer.expiresNs);
    }, true);
    const source = new Source(timer, rate, engine.random.stream(`${prefix}.arrivals`), section, length);
    this.#sources.push(source);
  }

  /** Arrivals follow each other by exponential gaps, whatever the handling of one has cost. */
  #queue(source: Source, afterNs: number): void {
    const gap = Math.ceil((source.arrivals.exponential() * 1e9) / source.rate);
    this.cpu.hrtimers.start(source.timer, afterNs + gap);
  }
}
