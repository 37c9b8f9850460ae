/**
 * irqbalance: moves interrupts between processors, every ten seconds.
 *
 * *Document*: irqbalance(1); what its releases 1.0.3 (2012) and 1.9.2 do, in their `placement.c`, `irqlist.c`,
 * `procinterrupts.c`, `classify.c`, `cputree.c`.
 *
 * *Modelled*: all that it knows it reads from files: interrupts from /proc/interrupts, devices from /sys/bus/pci/devices,
 * processors from /sys/devices/system/cpu. What an interrupt belongs to says how far it is led: one of the network or of storage to
 * one processor and its cache, others to the package; each goes where there are fewest. Every cycle looks for new ones, and when
 * processors come or go everything is placed anew. Banned processors get nothing: `IRQBALANCE_BANNED_CPUS`, and since 1.0.9
 * those that the kernel isolates, if nobody says otherwise.
 *
 * *Not modelled*: that interrupts leave an overloaded place. It weighs them by the time in interrupts and softirqs in
 * /proc/stat, and that is none here, as of a kernel without IRQ_TIME_ACCOUNTING whose tick never meets them: all weigh the same.
 * Hints (no driver here gives one), power saving, policy scripts, more than one package; the second level of cache is each
 * processor's own.
 *
 * *Deviations*: of two interrupts of one class the lower number is placed first; there it is the address in memory.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { cpuMask, parseCpuList, parseCpuMask } from "../linux/cpu_mask.ts";
import { Errno } from "../linux/errno.ts";
import type { CpuMask } from "../linux/sched/task.ts";
import { startDaemon } from "./daemon.ts";
import { complain, getopt } from "./getopt.ts";
import { type Program, type ProgramProcess, readFile, type SystemPort } from "./program.ts";

const doc = `irqbalance - moves interrupts between processors
Usage: irqbalance [-o] [-f] [-i IRQ]... [-t SECONDS]
Effects: goes into the background; every 10 seconds (-t, since 1.9) leads interrupts to where there is least to do with them:
  those of network cards to one processor each, others to all that are not banned. -o only once, -f in the foreground, -i leaves
  IRQ where it is. The environment's IRQBALANCE_BANNED_CPUS (hex), today also IRQBALANCE_BANNED_CPULIST, says which processors
  get none; today those that isolcpus or nohz_full names get none either, in 2012 they do
Exit status: 0; 1 on a wrong argument
Errors: invalid option -- 'X'
Differs from the real one: no -d, -j, --hintpolicy, --powerthresh, --policyscript, --banscript, --banmod
Examples: irqbalance --oneshot; sleep 11; cat /proc/irq/4*/smp_affinity
  IRQBALANCE_BANNED_CPUS=8 irqbalance -o; sleep 11; cat /proc/irq/1/smp_affinity; service irqbalance stop`;

const INTERVAL_SECONDS = 10;

/** By the upper byte of a device's PCI class, which interrupts are placed first: those of the larger number. */
const RANKS: ReadonlyMap<number, number> = new Map([
  [0x01, 2], // storage
  [0x02, 4], // network
  [0x0c, 1], // serial buses
]);

/** A place that interrupts are led to: the package, or a processor with its cache. */
interface Place {
  readonly mask: CpuMask;
  /** How many have been led there, or to what is in it. */
  load: number;
}

interface Interrupt {
  readonly number: number;
  readonly rank: number;
  /** It may go to all processors: it belongs to nothing that one of them serves better. */
  readonly isSpread: boolean;
  place: Place | undefined;
}

/** The program. */
export const irqbalance: Program = {
  name: "irqbalance",
  doc,
  *main(command: ProgramProcess): Activity<number> {
    yield command.kernel.steps.shellBuiltin;
    const isNew = command.system.tools.irqbalance === "1.9.2";
    const parsed = getopt(command.argv.slice(1), {
      flags: "of",
      values: isNew ? "it" : "i",
      long: { oneshot: "o", foreground: "f", banirq: "i", ...(isNew ? { interval: "t" } : {}) },
      notModelled: [
        ...["d", "debug", "j", "journal", "hintpolicy", "p", "powerthresh", "policyscript", "l"],
        ...["banscript", "banmod", "m", "deepestcache", "c", "pid", "s", "migrateval", "e"],
      ],
      noOperands: true,
    });
    if (typeof parsed === "string") return complain(command, irqbalance, parsed);
    const has = (letter: string) => parsed.options.some((option) => option.letter === letter);
    const seconds = Number(
      parsed.options.findLast(({ letter }) => letter === "t")?.value ?? INTERVAL_SECONDS,
    );
    if (!Number.isInteger(seconds) || seconds < 1) {
      return complain(command, irqbalance, `invalid interval '${seconds}'`);
    }
    const balancer = new Balancer(
      command.system,
      command.env,
      command.kernel.cpus.length,
      new Set(parsed.options.filter(({ letter }) => letter === "i").map(({ value }) => Number(value))),
    );
    const life = (process: ProgramProcess) => balance(process, balancer, seconds, has("o"));
    if (has("f")) return yield* life(command);
    yield* startDaemon(command, command.argv, life);
    return 0;
  },
};

function* balance(
  { kernel, task }: ProgramProcess,
  balancer: Balancer,
  seconds: number,
  isOnce: boolean,
): Activity<number> {
  const timer = kernel.sleepTimer(task);
  yield* balancer.look();
  do {
    yield* kernel.sleepUntil(task, timer, kernel.nowNs + seconds * 1e9);
    yield* balancer.cycle();
  } while (!isOnce);
  return 0;
}

/** What it knows from one cycle to the next. */
class Balancer {
  #interrupts = new Map<number, Interrupt>();
  #package: Place = { mask: 0, load: 0 };
  #cores: Place[] = [];
  #online = "";

  constructor(
    readonly system: SystemPort,
    readonly env: ReadonlyMap<string, string>,
    readonly width: number,
    readonly bannedIrqs: ReadonlySet<number>,
  ) {}

  /** Begins anew: which processors there are; no interrupt is anywhere. */
  *look(): Activity<void> {
    this.#online = yield* this.#read("/sys/devices/system/cpu/online");
    const online = maskIn(parseCpuList(this.#online, this.width)) & ~(yield* this.#banned());
    const cpus = [...Array(this.width).keys()].filter((cpu) => (online & (1 << cpu)) !== 0);
    this.#package = { mask: online, load: 0 };
    this.#cores = cpus.map((cpu) => ({ mask: 1 << cpu, load: 0 }));
    this.#interrupts = new Map();
  }

  /** One cycle: which interrupts there are, and where those go that are nowhere. */
  *cycle(): Activity<void> {
    const online = yield* this.#read("/sys/devices/system/cpu/online");
    if (online !== this.#online) yield* this.look();
    yield* this.#count();
    for (const { number, place } of this.#place()) yield* this.#lead(number, place!.mask);
  }

  *#read(path: string): Activity<string> {
    const text = yield* readFile(this.system, path);
    return text instanceof Errno ? "" : text;
  }

  *#banned(): Activity<CpuMask> {
    const isNew = this.system.tools.irqbalance === "1.9.2";
    const list = isNew ? this.env.get("IRQBALANCE_BANNED_CPULIST") : undefined;
    if (list !== undefined) return maskIn(parseCpuList(list, this.width));
    const mask = this.env.get("IRQBALANCE_BANNED_CPUS");
    if (mask !== undefined) return parseInt(mask.replaceAll(",", "").slice(-8), 16) | 0;
    if (!isNew) return 0;
    const isolated = yield* this.#read("/sys/devices/system/cpu/isolated");
    const tickless = yield* this.#read("/sys/devices/system/cpu/nohz_full");
    return maskIn(parseCpuList(isolated, this.width)) | maskIn(parseCpuList(tickless, this.width));
  }

  /** parse_proc_interrupts(): the lines that begin with a number. New interrupts are to be placed, gone ones forgotten. */
  *#count(): Activity<void> {
    const there = new Map<number, Interrupt>();
    let ranks: Map<number, number> | undefined;
    for (const line of (yield* this.#read("/proc/interrupts")).split("\n")) {
      const number = Number(/^\s*(\d+):/.exec(line)?.[1]);
      if (Number.isNaN(number) || this.bannedIrqs.has(number)) continue;
      let known = this.#interrupts.get(number);
      if (known === undefined) {
        ranks ??= yield* this.#ranks();
        const rank = ranks.get(number) ?? 0;
        known = { number, rank, isSpread: rank === 0, place: undefined };
      }
      there.set(number, known);
    }
    for (const [number, { place }] of this.#interrupts) {
      if (place !== undefined && !there.has(number)) place.load--;
    }
    this.#interrupts = there;
  }

  /** The ranks of the interrupts of PCI devices. */
  *#ranks(): Activity<Map<number, number>> {
    const { vfs } = this.system;
    const found = new Map<number, number>();
    const devices = vfs.list("/sys/bus/pci/devices");
    for (const device of devices instanceof Errno ? [] : devices) {
      const folder = `/sys/bus/pci/devices/${device}`;
      const rank = RANKS.get(Number(yield* this.#read(`${folder}/class`)) >>> 16);
      if (rank === undefined) continue;
      const messages = vfs.list(`${folder}/msi_irqs`);
      const numbers = messages instanceof Errno ? [yield* this.#read(`${folder}/irq`)] : messages;
      for (const number of numbers) found.set(Number(number), rank);
    }
    return found;
  }

  /** calculate_placement(): what is nowhere goes where there is least. Answers what has been placed. */
  #place(): readonly Interrupt[] {
    if (this.#cores.length === 0) return [];
    const homeless = [...this.#interrupts.values()].filter(({ place }) => place === undefined)
      .sort((a, b) => b.rank - a.rank || a.number - b.number);
    for (const interrupt of homeless) {
      const least = this.#cores.reduce((best, core) => core.load < best.load ? core : best);
      interrupt.place = interrupt.isSpread ? this.#package : least;
      interrupt.place.load++;
    }
    return homeless;
  }

  /** activate_mapping(): writes the affinity where it is another. What somebody else writes later stays. */
  *#lead(number: number, mask: CpuMask): Activity<void> {
    const path = `/proc/irq/${number}/smp_affinity`;
    if (maskIn(parseCpuMask(yield* this.#read(path), this.width)) === mask) return;
    const file = this.system.vfs.open(path, { write: true });
    if (file instanceof Errno) return;
    yield* file.write(`${cpuMask(mask, this.width)}\n`);
    file.close();
  }
}

function maskIn(parsed: CpuMask | Errno): CpuMask {
  return parsed instanceof Errno ? 0 : parsed;
}
