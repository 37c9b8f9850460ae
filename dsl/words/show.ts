import { computeLines } from "../../runtime/lab/views/compute.ts";
import { resultLines } from "../../runtime/lab/views/results.ts";
import { LabViews } from "../../runtime/lab/views/lab_views.ts";
import type { Command } from "../commands/command.ts";
import { timeText } from "../duration.ts";
import type { Session } from "../session.ts";
import { unknownName } from "../unknown_name.ts";

/** `show`. */
const doc = `show - state as it is now
Usage: show cpu [N] | lapic [N|VM[.VCPU]] | vmcs [VM[.VCPU]] | events | tasks [MACHINE] | stats [VM] | results | time
Effects: prints state as it is at this instant; changes nothing, costs no time
  cpu     the host's processors: hotplug state, guest or root mode, what is in flight, time by layer
  lapic   local APICs, of processors or of virtual CPUs, in the layout of QEMU's info lapic
  vmcs    the control structures of virtual CPUs, bit by bit, and the MSRs that are open
  events  what is pending in the engine, next first
  tasks   the tasks of a machine: host, vm0
  stats   VM exits by reason as kvm_stat lists them, since the guest's start and for each period of the last benchmark
  results what cyclictest has measured in this session, on all systems booted
  time    how long sysbench's computing took on them, against bare metal, and the time in guest mode
Exit status: 0; 1 if there is no such thing now; 2 for a word that is none
Not yet: ioapic, msi, idt, vectors, irqs
Examples: show cpu
  show lapic 3
  show vmcs vm0
  show stats`;

/** What the language has and the laboratory cannot yet show. */
const NOT_YET = ["ioapic", "msi", "idt", "vectors", "irqs"];
const WHAT = ["cpu", "lapic", "vmcs", "events", "tasks", "stats", "results", "time"];

/** Words behind which a guest may be named. */
const PARTED: readonly string[] = ["lapic", "vmcs", "stats"];

/** The word of a session. */
export function show(session: Session): Command {
  return {
    name: "show",
    kind: "laboratory",
    doc,
    complete(before) {
      const [what] = before;
      if (what === undefined) return WHAT;
      if (before.length > 1) return [];
      if (what === "tasks") return session.lab.computers();
      return PARTED.includes(what) ? [...session.lab.guests.keys()] : [];
    },
    run(context) {
      const [what, which, ...more] = context.args;
      if (what === undefined) return context.complain(`expected one of ${WHAT.join(", ")}`, 2);
      if (NOT_YET.includes(what)) {
        return context.complain(`${what}: not yet; there are ${WHAT.join(", ")}`, 2);
      }
      if (more.length > 0) return context.complain(`"${more.join(" ")}": expected no more words`, 2);
      const views = new LabViews(session.lab);
      let lines: readonly string[] | string;
      switch (what) {
        case "cpu":
          lines = views.cpus(which);
          break;
        case "lapic":
          lines = views.lapics(which);
          break;
        case "vmcs":
          lines = views.controlStructures(which);
          break;
        case "events":
          lines = which === undefined
            ? session.lab.engine.pending().map(({ name, timeNs }) => `${timeText(timeNs)}  ${name}`)
            : `events has no parts: "${which}"`;
          break;
        case "tasks":
          lines = views.tasks(which);
          break;
        case "stats":
          lines = views.exits(which);
          break;
        case "results":
          lines = which !== undefined
            ? `results has no parts: "${which}"`
            : session.results.length === 0
            ? "nothing has been measured"
            : resultLines(session.results);
          break;
        case "time":
          lines = which !== undefined
            ? `time has no parts: "${which}"`
            : session.computed.length === 0
            ? "nothing has been computed: sysbench --test=cpu run"
            : computeLines(session.computed);
          break;
        default:
          return context.complain(unknownName("word", what, [...WHAT, ...NOT_YET]), 2);
      }
      if (typeof lines === "string") return context.complain(lines);
      context.out(lines.map((line) => `${line}\n`).join(""));
      return 0;
    },
  };
}
