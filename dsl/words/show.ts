import { computeLines } from "../../runtime/lab/views/compute.ts";
import { resultLines } from "../../runtime/lab/views/results.ts";
import { LabViews, type View } from "../../runtime/lab/views/lab_views.ts";
import { markedLines } from "../session/changed_words.ts";
import type { Command } from "../commands/command.ts";
import { Terminal } from "../shell/descriptors.ts";
import { timeText } from "../session/duration.ts";
import type { Instant } from "../session/journal.ts";
import type { Session } from "../session/session.ts";
import { unknownName } from "../shell/unknown_name.ts";

/** `show`. */
const doc = `show - state as it is now
Usage: show cpu [N] | lapic [N|VM[.VCPU]] | vmcs [VM[.VCPU]] | ioapic [VM] | msi [DEVICE] | vectors [N|MACHINE] |
  idt [MACHINE] | irqs [MACHINE] | events | tasks [MACHINE] | stats [VM] | results | time
Effects: prints state as it is at this instant; changes nothing, costs no time. Where the same has been shown before, lines and
  words that are not as they were where time stood still last have a * before them, unless another command or a file takes
  them
  cpu     the host's processors: hotplug state, guest or root mode, what is in flight, time by layer
  lapic   local APICs, of processors or of virtual CPUs, in the layout of QEMU's info lapic
  vmcs    the control structures of virtual CPUs, bit by bit, and the MSRs that are open
  ioapic  the redirection table of the computer's I/O APIC, or of a guest's, in the layout of QEMU's info pic
  msi     MSI-X tables of devices: address, data, mask and pending bit of each entry, and where its message leads
  vectors which vector leads to which interrupt on each CPU: the kernel's vector_irq, and the vectors of the system
  idt     the gates of a kernel's interrupt descriptor table, and the interrupts behind those of devices
  irqs    /proc/interrupts of a machine
  events  what is pending in the engine, next first
  tasks   the tasks of a machine: host, vm0
  stats   VM exits by reason as kvm_stat lists them, since the guest's start and for each period of the last benchmark
  results what cyclictest has measured in this session, on all systems booted
  time    how long sysbench's computing took on them, against bare metal, and the time in guest mode
Exit status: 0; 1 if there is no such thing now; 2 for a word that is none
Examples: show cpu
  show lapic 3
  show msi 05:00.0
  show vmcs vm0
  show stats`;

/** What `show` can show, by its word: of what is named, or of all. */
const VIEWS: Readonly<Record<string, (session: Session, which?: string) => View>> = {
  cpu: ({ lab }, which) => new LabViews(lab).cpus(which),
  lapic: ({ lab }, which) => new LabViews(lab).lapics(which),
  vmcs: ({ lab }, which) => new LabViews(lab).controlStructures(which),
  ioapic: ({ lab }, which) => new LabViews(lab).ioApic(which),
  msi: ({ lab }, which) => new LabViews(lab).messages(which),
  vectors: ({ lab }, which) => new LabViews(lab).vectors(which),
  idt: ({ lab }, which) => new LabViews(lab).descriptors(which),
  irqs: ({ lab }, which) => new LabViews(lab).interrupts(which),
  events: ({ lab }) => lab.engine.pending().map(({ name, timeNs }) => `${timeText(timeNs)}  ${name}`),
  tasks: ({ lab }, which) => new LabViews(lab).tasks(which),
  stats: ({ lab }, which) => new LabViews(lab).exits(which),
  results: ({ results }) => results.length === 0 ? "nothing has been measured" : resultLines(results),
  time: ({ computed }) =>
    computed.length === 0 ? "nothing has been computed: sysbench --test=cpu run" : computeLines(computed),
};
/** Those that are one whole. */
const WHOLE = ["events", "results", "time"];

type Lines = readonly string[];

/** Words behind which a guest may be named. */
const PARTED: readonly string[] = ["lapic", "vmcs", "stats"];

/** The word of a session. */
export function show(session: Session): Command {
  const shown = new Shown(session);
  return {
    name: "show",
    kind: "laboratory",
    doc,
    complete(before) {
      const [what] = before;
      if (what === undefined) return Object.keys(VIEWS);
      if (before.length > 1) return [];
      if (["tasks", "vectors", "idt", "irqs"].includes(what)) return session.lab.computers();
      return PARTED.includes(what) ? [...session.lab.guests.keys()] : [];
    },
    run(context) {
      const [what, which, ...more] = context.args;
      const known = Object.keys(VIEWS);
      if (what === undefined) return context.complain(`expected one of ${known.join(", ")}`, 2);
      if (more.length > 0) return context.complain(`"${more.join(" ")}": expected no more words`, 2);
      if (!Object.hasOwn(VIEWS, what)) return context.complain(unknownName("word", what, known), 2);
      if (WHOLE.includes(what) && which !== undefined) {
        return context.complain(`${what} has no parts: "${which}"`);
      }
      const read = () => VIEWS[what]!(session, which);
      const lines = read();
      if (typeof lines === "string") return context.complain(lines);
      const before = shown.lines(`${session.lab.options.system.name} ${what} ${which}`, read, lines);
      // What another command reads has no marks.
      const isSeen = before !== undefined && context.shell.descriptors.get(1) instanceof Terminal;
      for (const line of isSeen ? markedLines(lines, before) : lines) context.out(`${line}\n`);
      return 0;
    },
  };
}

/** What has been shown of one session, and how it was where time went on last. */
class Shown {
  readonly #views = new Map<
    string,
    { read: () => View; at: Instant; lines: Lines; before: Lines | undefined }
  >();

  constructor(readonly session: Session) {
    session.timeline.onLeave(() => {
      for (const [key, { read }] of this.#views) {
        const lines = read();
        if (typeof lines === "string") this.#views.delete(key);
        else this.lines(key, read, lines);
      }
    });
  }

  /** The lines of a view as they are now, and as they were where time stood still before; undefined: nobody has seen it. */
  lines(key: string, read: () => View, lines: Lines): Lines | undefined {
    const at = this.session.now;
    const last = this.#views.get(key);
    const isHere = last !== undefined && last.at.event === at.event && last.at.timeNs === at.timeNs;
    const before = isHere ? last.before : last?.lines;
    this.#views.set(key, { read, at, lines, before });
    return before;
  }
}
