/**
 * The program `qemu-kvm` (and `qemu-kvm.patched`, which knows slave CPUs).
 *
 * *Document*: qemu-kvm 1.1, `vl.c`, `qemu-char.c`.
 *
 * The command returns when the machine has been started, with status 0, as if it had been given `-daemonize`: the
 * machine goes on as a process of its own, with a first thread and a thread for each vCPU, all named as the program. A
 * fatal signal to any of them ends the process, and with it everything that it had: devices go back to the host, slave
 * CPUs back to offline.
 *
 * *Modelled*: see `options.ts` for the command line; vCPU threads, assigned devices, the in-kernel interrupt controllers
 * and PIT, `-S`. The patched QEMU gives its vCPUs the CPUs that are offline, highest first, before they run.
 *
 * *Not modelled*: the monitor; device models with registers (an access to one is served and answered with all ones);
 * interrupt controllers in user space.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Kvm } from "../kvm/kvm.ts";
import { KvmProcess, type Task } from "../kvm/user_space.ts";
import { type QemuCosts, qemuSteps } from "./costs.ts";
import { type MachineContext, QemuMachine } from "./machine.ts";
import type { QemuEra } from "./era.ts";
import { parseOptions, QemuEnds, type QemuHost, type QemuOptions } from "./options.ts";

/** What QEMU runs in. */
export interface QemuContext extends MachineContext, QemuHost {
  /** Whose years' QEMU it is. */
  era(): QemuEra;
  /** What the program is called by. */
  readonly name: string;
  /** Whether it knows `KVM_SET_SLAVE_CPU`. */
  readonly patched: boolean;
  /** What its own code costs. */
  readonly costs: QemuCosts;
  /** What is behind `/dev/kvm`. */
  readonly kvm: Kvm;
  /** The name of a machine without `-name`: `vm0`, `vm1`, … */
  defaultName(): string;
  /** The next pseudo-terminal: `/dev/pts/0`. */
  openPty(): string;
}

/** A process, as this program sees it. */
export interface QemuProcess {
  /** Its name and arguments. */
  readonly argv: readonly string[];
  /** Its first thread. */
  readonly task: Task;
  /** Writes to descriptor 1. */
  stdout(text: string): void;
  /** Writes to descriptor 2. */
  stderr(text: string): void;
}

/** A program, as the lists of installed programs hold it. */
export interface QemuProgram {
  /** What it is called by. */
  readonly name: string;
  /** Its manual: `NAME - summary`, then Usage, Effects, Exit status, Errors, Differs from the real one, Examples. */
  readonly doc: string;
  /** Its life; returns the exit status. */
  main(process: QemuProcess): Activity<number>;
}

/** The program in its surroundings. */
export function qemu(context: QemuContext): QemuProgram {
  const steps = qemuSteps(context.costs);
  return {
    name: context.name,
    doc: docOf(context),
    *main(command: QemuProcess): Activity<number> {
      const { argv, task } = command;
      yield steps.startUp;
      const options = parseOptions(argv, context, context.era());
      if (options instanceof QemuEnds) {
        for (const line of options.stdout) command.stdout(`${line}\n`);
        for (const line of options.stderr) command.stderr(`${line}\n`);
        return options.status;
      }
      for (const line of options.warnings) command.stderr(`${line}\n`);
      if (options.irqchip === "off") {
        command.stderr(`${options.program}: interrupt controllers in user space are not modelled\n`);
        return 1;
      }
      openTerminals(options, context, command);
      const name = options.name ?? context.defaultName();
      const machine = new QemuMachine(
        name,
        options,
        context.patched,
        new KvmProcess(context.kvm),
        steps,
        context,
      );
      const failed = yield* machine.make(task);
      for (const line of failed) command.stderr(`${line}\n`);
      if (failed.length > 0) return 1;
      if (options.memoryLocked && options.era === "2012") {
        command.stderr("note: -realtime came with QEMU 1.5; it stands here for the mlock(2) of slide 7\n");
      }
      for (const line of machine.cautions()) command.stderr(`note: ${line}\n`); // the laboratory's, not QEMU's
      if (!options.stopped) yield* machine.cont(task);
      return 0;
    },
  };
}

function docOf({ name, patched }: QemuContext): string {
  const effects = patched
    ? "starts a guest; its vCPUs get the CPUs that are offline, highest first"
    : "starts a guest";
  return `${name} - runs a guest by KVM${patched ? "; its vCPUs get the offline CPUs for themselves" : ""}
Usage: ${name} [-enable-kvm] [-m MIB] [-smp N] [-cpu MODEL[,+FEATURE]...] [-name NAME] [-S] [-no-kvm-pit] [-realtime mlock=on]
  [-nographic] [-serial BACKEND] [-monitor BACKEND] [-drive KEY=VALUE,...] [-device pci-assign,host=BUS:DEVICE.FUNCTION]
Effects: ${effects}; ssh NAME COMMAND (vm0, vm1, ...) then runs there.
  -S: the vCPUs wait, and vcpu[i] can be given to ioctl. Other options of qemu-kvm 1.1 are taken without effect, or refused
Exit status: 0 once the guest is started; 1 if it cannot be
Errors: option table and messages are those of the release, as: Could not open 'FILE': No such file or directory
Differs from the real one: the command returns, as with -daemonize; no monitor, no device models beside assigned devices
Examples: ${name} -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic`;
}

/** Opens the pseudo-terminals, and says which they are: since 1.6 on standard output and with a name. */
function openTerminals(
  { era, serial, monitor }: QemuOptions,
  context: QemuContext,
  command: QemuProcess,
): void {
  const places = [
    ...serial.map((backend, i) => ({ backend, label: `serial${i}` })),
    ...monitor.map((backend, i) => ({ backend, label: `compat_monitor${i}` })),
  ];
  for (const { backend, label } of places) {
    if (backend.replace(/^mon:/, "") !== "pty") continue;
    const text = `char device redirected to ${context.openPty()}`;
    if (era === "2012") command.stderr(`${text}\n`);
    else command.stdout(`${text} (label ${label})\n`);
  }
}
