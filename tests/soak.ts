/**
 * Soak: interrupts of all kinds at random instants, with the invariants on.
 *
 * ```sh
 * deno task soak                               # 10 million interrupts on each system; hours
 * deno task soak --interrupts=100000 talk kvm  # fewer, on these
 * deno task soak --kernel=linux-2.6.32 rfc-v2  # a guest whose interrupts nest
 * deno task soak --line=shared talk kvm        # the assigned device is the card itself, and interrupts by its line
 * deno task soak --line=message talk kvm       # so it is for the guest, and the host gets messages
 * deno task soak --line=none talk kvm          # a device that has MSI and nothing else
 * deno task soak --append=kvm-intel.ept=0 kvm   # behind the host's command line: here every load of CR3 exits
 * deno task soak --mutants                     # each mutant, until it is caught
 * ```
 *
 * The guest computes, keeps writing an MSR that it may not write, reads its disk, prints on its display and its serial port,
 * and now and then sleeps. Meanwhile come the assigned device's interrupts, virtual ones, NMIs from the monitor, the host's
 * own device's; the host's interrupts and the assigned device's move from CPU to CPU, a CPU of the host goes and comes back,
 * the machine is stopped and goes on, the host shoots the TLBs of its address space down. All choices come from one random
 * stream, derived from the seed. (A mutant is spared what waits for the guest: where kicks are lost that would wait for
 * ever.)
 *
 * On `kvm` and `talk` nothing may be found. What the other systems show is in {@linkcode FINDINGS}. The status is 1 if a
 * run found something else, or did not find what a mutant has to show.
 */

import { mutantNamed, MUTANTS } from "../runtime/lab/mutants.ts";
import type { ParameterChange } from "../runtime/lab/profile.ts";
import { Invariants, type ViolationKind } from "../runtime/lab/invariants.ts";
import type { Lab } from "../runtime/lab/lab.ts";
import { DEDICATED_CPU, SYSTEMS } from "../runtime/lab/systems.ts";
import type { Task } from "../runtime/linux/sched/task.ts";
import { BELL, bell, ring } from "./msi_bell.ts";
import { SessionRig } from "./session_rig.ts";

/** What the assigned device's line may be. */
const LINES = ["own", "shared", "message", "none"] as const;

/** One run. */
export interface SoakRun {
  readonly system: string;
  /** Of vm0. */
  readonly kernel?: string;
  readonly mutant?: string;
  /** QEMU's `-cpu`. */
  readonly cpu?: string;
  /**
   * The assigned device is the card's physical function, by its line, which in the guest is its own or its network card's
   * too; the host may get messages for it. Or it is a device that has MSI alone. Where absent a virtual function, by MSI-X.
   */
  readonly line?: (typeof LINES)[number];
  /** The end of the host's kernel command line. */
  readonly append?: string;
  /** Parameters other than the default ones. */
  readonly changes?: Readonly<Record<string, ParameterChange>>;
  readonly seed: number;
  /** How many interrupts. */
  readonly interrupts: number;
  /** Ends with the first violation. */
  readonly untilViolation?: boolean;
  /** Ends after so many events. */
  readonly events?: number;
  readonly onProgress?: (interrupts: number) => void;
}

/** What a run has shown. */
export interface SoakResult {
  readonly interrupts: number;
  readonly events: number;
  readonly kinds: readonly ViolationKind[];
  readonly lines: readonly string[];
  readonly hash: string;
}

/** What is found on the patches as written, and why. With the guests of the talk nothing is. */
export const FINDINGS: Readonly<
  Record<string, { readonly kinds: readonly ViolationKind[]; readonly why: string }>
> = {
  "rfc-v2": {
    kinds: ["double EOI", "stuck ISR"],
    why:
      "patch 14: direct mode comes back with each emulated EOI; an outer virtual interrupt's then ends nothing virtual",
  },
};

/** How a mutant is brought to show itself, and what it then shows. */
interface Exposure extends Pick<SoakRun, "system" | "kernel" | "cpu" | "changes" | "line"> {
  readonly kinds: readonly ViolationKind[];
}

/** An NMI takes 200 ns. It finds the gap before the entry only where that is longer: as when an SMI comes in between. */
const LONG_GAP = {
  "kvm.slave_entry": { value: 1000, unit: "ns", kind: "assumed", source: "an interruption by the firmware" },
} as const;

/** By mutant. All but M10 are mistakes of the system `talk`, where the guest takes the timer over from the host. */
export const EXPOSURES: Readonly<Record<string, Exposure>> = {
  M1: { system: "talk", kinds: ["wrong owner", "missed kick"] },
  M2: { system: "talk", kinds: ["double EOI", "stuck ISR"] },
  M3: { system: "talk", kernel: "linux-2.6.32", kinds: ["double EOI", "stuck ISR"] },
  M4: { system: "talk", kinds: ["lost interrupt"] },
  M5: { system: "talk", kinds: ["wrong owner", "lost interrupt"] },
  M6: { system: "talk", kinds: ["entry field overwritten"] },
  M7: { system: "talk", changes: LONG_GAP, kinds: ["missed kick"] },
  M8: { system: "talk", cpu: "qemu64", kinds: ["double EOI", "stuck ISR"] },
  M9: { system: "talk", kinds: ["wrong owner", "missed kick"] },
  M10: { system: "delivery+eoi", kinds: ["wrong owner"] },
  M11: { system: "talk", line: "own", kinds: ["stuck line"] },
  M12: {
    system: "talk",
    kernel: "linux-3.8.0",
    cpu: "qemu64,+x2apic,+tsc-deadline",
    kinds: ["wrong time"],
  },
  M13: { system: "talk", kinds: ["wrong owner", "lost interrupt"] },
  M14: { system: "talk", kinds: ["sum of layers"] },
};

/** Mean distance of two interrupts, ns: often enough that they meet each other's handlers. */
const MEAN_NS = 12_000;

const DISK = "-drive file=kvm/test.img,if=virtio";

/** What is assigned: its identifiers, place and driver. */
const FUNCTION = { ids: "8086 10ed", place: "0000:05:00.0", driver: "ixgbevf" };
const MSI_ALONE = { ids: "1234 0002", place: BELL, driver: "bell" };

const setUp = (cpu: string, disk: boolean, { ids, place, driver }: typeof FUNCTION) => `
echo ${ids} > /sys/bus/pci/drivers/pci-stub/new_id
echo ${place} > /sys/bus/pci/drivers/${driver}/unbind
irq=$(grep TxRx-0 /proc/interrupts | head -1 | cut -d: -f1)
echo 8 > /proc/irq/$((irq))/smp_affinity
echo 0 > /sys/devices/system/cpu/cpu3/online
qemu-kvm.patched -m 1024 -cpu ${cpu} -enable-kvm -no-kvm-pit -nographic -device pci-assign,host=${place} ${
  disk ? DISK : ""
}
`;

/** Behind a disk the card is in the next slot, whose line nobody else has. */
const setUpByLine = (cpu: string, line: SoakRun["line"]) => `
echo 8086 10fb > /sys/bus/pci/drivers/pci-stub/new_id
echo 0000:04:00.0 > /sys/bus/pci/drivers/ixgbe/unbind
echo 0000:04:00.0 > /sys/bus/pci/drivers/pci-stub/bind
echo 0 > /sys/devices/system/cpu/cpu3/online
qemu-kvm.patched -m 1024 -cpu ${cpu} -enable-kvm -no-kvm-pit -nographic -kernel kvm/bzImage \\
  -append "root=/dev/vda1 ro pci=nomsi" ${line === "shared" ? "" : DISK} \\
  -device pci-assign,host=04:00.0,prefer_msi=${line === "message" ? "on" : "off"}
ssh vm0 true
`;

/**
 * What the guest does. Where kicks are lost it may not hear of it, so nobody waits.
 *
 * @param devices it reads its disk and prints on its display, which QEMU emulates @param vector a device's that is triggered by edges: stock KVM takes it, and the timer interrupts by it then
 */
const guestWork = (guest: boolean, devices: boolean, vector: string): string[] => [
  ...(guest ? [`while :; do wrmsr 0x832 ${vector}; done 2> /dev/null`] : []), // no bare metal would refuse
  ...(devices
    ? [
      `chrt -f -p 10 $$ > /dev/null; while :; do ${READ}; echo soak > /dev/tty0; ${READ}; echo soak > /dev/ttyS0; done > /dev/null`,
    ]
    : []),
  "while :; do sleep 0.0001; done",
  "while :; do :; done",
];
const READ = "dd if=/dev/vda of=/dev/null bs=4k count=20 iflag=direct status=none";
/** So long the guest has to boot, and to begin with its work, ns. */
const BOOT_NS = 100_000_000;

const STOP_AND_GO = "monitor vm0 stop; monitor vm0 cont";
const HOTPLUG = "echo 0 > /sys/devices/system/cpu/cpu1/online; echo 1 > /sys/devices/system/cpu/cpu1/online";

/** A task of the host that shoots the address space of `process` down each time it is woken. */
function shootingTask({ host }: Lab, process: number): Task {
  return host.createTask("shoot-down", 1, function* (task) {
    for (;;) {
      yield* host.tlb.flush(task, process);
      yield* host.cpus[task.cpu]!.sleep();
    }
  });
}

/** Runs one. */
export function soak(run: SoakRun): SoakResult {
  const { system, kernel = "linux-3.4.0", seed, cpu = "qemu64,+x2apic", line } = run;
  const msiAlone = line === "none";
  const rig = new SessionRig({
    ...{ system, kernel, seed, ...(run.changes && { changes: run.changes }) },
    devices: msiAlone ? [bell("maskable")] : [],
  });
  const { session } = rig;
  const { mutant, append } = run;
  if (mutant !== undefined || append !== undefined) {
    session.boot({ mutant: mutant === undefined ? null : mutantNamed(mutant)!, ...(append && { append }) });
  }
  const { lab } = rig;
  const { engine } = lab;
  const watch = new Invariants(lab);
  engine.trace = watch;
  // A mutant is exposed by what it was exposed by before there were such devices.
  const devices = run.mutant === undefined && (line === undefined || msiAlone);
  rig.ok(
    line === undefined || msiAlone
      ? setUp(cpu, devices, msiAlone ? MSI_ALONE : FUNCTION)
      : setUpByLine(cpu, line),
  );
  engine.runUntil(engine.nowNs + BOOT_NS);
  for (
    const work of guestWork(
      lab.guests.size > 0,
      devices && lab.guests.size > 0,
      line === undefined || msiAlone ? "0x41" : "0x30",
    )
  ) {
    rig.start(`ssh vm0 '${work}'`);
    engine.runUntil(engine.nowNs + 1_000_000);
  }
  const random = engine.random.stream("soak");
  const guest = lab.guests.get("vm0");
  const vm = guest?.machine.file.vm;
  const patient = run.mutant === undefined && guest !== undefined;
  // What moves between the host's CPUs: its own device's interrupts, and a line that it forwards.
  const moving = patient ? /^eth\d|^kvm:0000:04/ : /^eth\d/;
  const hostIrqs = lab.software.irqs.list().filter(({ name }) => moving.test(name)).map(({ irq }) => irq);
  const online = lab.host.cpus.filter(({ state }) => state === "online").length;
  const assignedIrqs = vm?.assigned.flatMap((device) => device.interrupts().map(({ irq }) => irq)) ?? [];
  const homes = [...Array(online).keys(), DEDICATED_CPU];
  const any = <T>(list: readonly T[]): T => list[Math.floor(random.uniform() * list.length)]!;
  const shooter = shootingTask(lab, guest?.machine.pid ?? 0);
  let interrupts = 0;
  while (interrupts < run.interrupts && (run.events === undefined || engine.event < run.events)) {
    engine.runUntil(engine.nowNs + 1 + Math.floor(random.exponential() * MEAN_NS));
    const u = random.uniform();
    interrupts++;
    if (u < 0.35 && msiAlone) ring(lab);
    else if (u < 0.35) lab.interruptSources().get("vf0")?.(0);
    else if (u < 0.75) lab.type(lab.host, (here) => guest?.machine.networkLine.raise(here));
    else if (u < 0.97) lab.interruptSources().get("pf0")?.(0);
    else if (u < 0.985 && hostIrqs.length > 0) {
      lab.software.irqs.setAffinity(any(hostIrqs), 1 << Math.floor(random.uniform() * online));
    } else if (u < 0.99 && patient && assignedIrqs.length > 0) {
      lab.software.irqs.setAffinity(any(assignedIrqs), 1 << any(homes));
    } else if (u < 0.999 && patient) lab.type(lab.host, (here) => lab.host.wake(shooter, here));
    else if (u < 0.9995 && patient) rig.run(random.uniform() < 0.5 ? STOP_AND_GO : "monitor vm0 nmi 0");
    else if (u >= 0.999) rig.run(HOTPLUG);
    if (interrupts % 10_000 === 0) run.onProgress?.(interrupts);
    if (run.untilViolation && watch.violations.length > 0) break;
  }
  engine.runUntil(engine.nowNs + 1_000_000); // what is on its way arrives
  watch.checkTimes();
  return {
    interrupts,
    events: engine.event,
    kinds: [...new Set(watch.violations.map(({ kind }) => kind))],
    lines: watch.violations.map(({ kind, where, text, event, count }) =>
      `${kind} at ${where}: ${text} (event ${event}, ${count} times)`
    ),
    hash: engine.stateHash(),
  };
}

if (import.meta.main) {
  const options = Deno.args.filter((argument) => argument.startsWith("--"));
  const names = Deno.args.filter((argument) => !argument.startsWith("--"));
  const option = (name: string) => {
    const start = `--${name}=`;
    return options.find((given) => given.startsWith(start))?.slice(start.length);
  };
  const number = (name: string, otherwise: number) => Number(option(name) ?? otherwise);
  const kernel = option("kernel") ?? "linux-3.4.0";
  const seed = number("seed", 1);
  let failed = false;
  const report = (title: string, result: SoakResult, right: boolean) => {
    console.log(
      `${right ? "ok  " : "FAIL"}  ${title}: ${result.interrupts} interrupts, ${result.events} events`,
    );
    for (const line of result.lines) console.log(`        ${line}`);
    failed ||= !right;
  };
  if (options.includes("--mutants")) {
    for (const { id } of MUTANTS) {
      const { kinds, ...where } = EXPOSURES[id]!;
      const result = soak({
        ...where,
        mutant: id,
        seed,
        interrupts: 1e6,
        untilViolation: true,
        events: 100_000,
      });
      report(id, result, result.kinds.some((kind) => kinds.includes(kind)));
    }
  } else {
    const systems = names.length > 0 ? names : SYSTEMS.map(({ name }) => name);
    for (const system of systems) {
      const onProgress = (done: number) => {
        if (Deno.stderr.isTerminal()) {
          Deno.stderr.writeSync(new TextEncoder().encode(`\r${system}: ${done} `));
        }
      };
      const line = LINES.find((each) => each === option("line"));
      const interrupts = number("interrupts", 1e7);
      const append = option("append");
      const result = soak({
        system,
        kernel,
        seed,
        interrupts,
        ...(line && { line }),
        ...(append && { append }),
        onProgress,
      });
      const allowed = FINDINGS[system]?.kinds ?? [];
      report(system, result, result.kinds.every((kind) => allowed.includes(kind)));
    }
  }
  Deno.exitCode = failed ? 1 : 0;
}
