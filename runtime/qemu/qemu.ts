/**
 * The program `qemu-kvm` (and `qemu-kvm.patched`, which knows slave CPUs), and QEMU of today.
 *
 * *Document*: qemu-kvm 1.1, `vl.c`, `qemu-char.c`; QEMU 7.2, `softmmu/vl.c`, `chardev/char.c`.
 *
 * The command returns when the machine has been started, with status 0, as if it had been given `-daemonize`: the
 * machine goes on as a process of its own, with a first thread and a thread for each vCPU, all named as the program. A
 * fatal signal to any of them ends the process, and with it everything that it had: devices go back to the host, slave
 * CPUs back to offline.
 *
 * *Modelled*: see `options.ts` for the command line; vCPU threads, assigned devices, virtio disks, a VGA in text modes, a serial
 * port, the in-kernel interrupt controllers and PIT, `-S`. The patched QEMU gives its vCPUs the CPUs that are offline, highest first, before they run.
 *
 * A monitor on standard input and output (`-monitor stdio`, or `-nographic` with the serial port elsewhere) is served
 * there where standard input is a pipe, a file or a here-document: then the command stays until that ends, and the
 * machine goes on, or until the machine does. At a terminal the prompt stays the shell's; `monitor VM` reaches the
 * monitor from there.
 *
 * *Not modelled*: a monitor that shares the terminal with a serial port; other device models (an access to their
 * registers is served and answered with all ones); interrupt controllers in user space; devices that go while the guest runs.
 *
 * *Deviations*: with `kernel-irqchip=split` the kernel has the I/O APIC all the same, and only the PIT is not there: what
 * QEMU's I/O APIC would send as a message arrives by its line. Standard error of a machine that goes on is the terminal's;
 * where it was led to a file, nothing more is written there.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import type { Activity } from "../../hw/sim/activity.ts";
import type { Kvm } from "../kvm/kvm.ts";
import { KvmProcess, type Task } from "../kvm/user_space.ts";
import { type QemuCosts, type QemuSteps, qemuSteps } from "./costs.ts";
import { characterDevices } from "./info.ts";
import { type MachineContext, QemuMachine } from "./machine.ts";
import { type Monitor, PROMPT } from "./monitor.ts";
import { QmpSession } from "./qmp.ts";
import type { QemuEra } from "./era.ts";
import { OPTIONS } from "./option_table.ts";
import { parseOptions, QemuEnds, type QemuHost } from "./options.ts";

/** What QEMU runs in. */
export interface QemuContext extends MachineContext, QemuHost {
  /** Whose years' QEMU it is. */
  readonly era: QemuEra;
  /** What the program is called by. */
  readonly name: string;
  /** Whether it knows `KVM_SET_SLAVE_CPU`. */
  readonly patched: boolean;
  /** What its own code costs. */
  readonly costs: QemuCosts;
  /** What is behind `/dev/kvm`. */
  readonly kvm: Kvm;
  /** ns since 1970. */
  timeOfDayNs(): number;
  /**
   * The name of a machine that is about to be made: `name`, or `vm0`, `vm1`, …; undefined: another machine has it. Nobody else
   * gets it until it is released, or the machine has ended.
   */
  claimName(name: string | undefined): string | undefined;
  /** No machine of that name has come of it. */
  releaseName(name: string): void;
  /** Writes a file; undefined, or strerror of the error. */
  writeFile(path: string, text: string): Activity<string | undefined>;
  /** Removes a file, if it is there. */
  removeFile(path: string): void;
  /** The next pseudo-terminal: `/dev/pts/0`. */
  openPty(): string;
}

/** Lines that come in. */
export interface QemuInput {
  /** The next one, waited for; undefined after the end, or as soon as `stop` says so. */
  readLine(stop?: () => boolean): Activity<string | undefined>;
}

/** A process, as this program sees it. */
export interface QemuProcess {
  /** Its name and arguments. */
  readonly argv: readonly string[];
  /** Its first thread. */
  readonly task: Task;
  /** Standard input, where it is no terminal. */
  readonly input: QemuInput | undefined;
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
  /** Every option of the release that the model does not refuse. */
  readonly options: readonly string[];
  /** Its life; returns the exit status. */
  main(process: QemuProcess): Activity<number>;
}

/** The program in its surroundings. */
export class Qemu implements QemuProgram {
  declare readonly name: string;
  readonly #context: QemuContext;
  readonly #steps: QemuSteps;

  constructor(context: QemuContext) {
    this.name = context.name;
    this.#context = context;
    this.#steps = qemuSteps(context.costs);
  }

  // Made when asked for, by help alone: a laboratory boots without.
  get doc(): string {
    return docOf(this.#context);
  }

  get options(): string[] {
    return [...OPTIONS[this.#context.era]].filter(([, { treatment }]) => treatment !== "unmodelled")
      .map(([option]) => `-${option}`);
  }

  *main(command: QemuProcess): Activity<number> {
    const context = this.#context, steps = this.#steps;
    const { argv, task } = command;
    yield steps.startUp;
    const options = parseOptions(argv, context, context.era);
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
    const name = context.claimName(options.name);
    if (name === undefined) {
      command.stderr(
        `note: a guest called ${options.name} runs: ssh could not tell them apart; give this one another -name\n`,
      );
      return 1;
    }
    let made = false;
    task.atEnd = young(() => made || context.releaseName(name));
    const machine = new QemuMachine(
      name,
      options,
      context.patched,
      new KvmProcess(context.kvm),
      steps,
      context,
      command,
    );
    openTerminals(machine, context, command);
    machine.process.adopt(task); // who is killed is the process
    const failed = yield* machine.make(task);
    for (const line of failed) command.stderr(`${line}\n`);
    if (failed.length > 0) return 1;
    made = machine.loop.task !== null;
    if (machine.loop.task !== null) machine.loop.task.argv = argv;
    if (machine.killed) return machine.exitStatus;
    const { pidFile } = options;
    if (pidFile !== undefined) yield* writePidFile(pidFile, machine, context, command);
    if (machine.killed) return 1;
    if (options.memoryLocked && options.era === "2012") {
      command.stderr("note: -realtime came with QEMU 1.5; it stands here for the mlock(2) of slide 7\n");
    }
    for (const line of machine.cautions()) command.stderr(`note: ${line}\n`); // the laboratory's, not QEMU's
    if (!options.stopped) yield* machine.cont(task);
    const { input } = command;
    const inFront = options.machineProtocolOnStdio || options.monitor.includes("stdio");
    if (input === undefined || !inFront) return 0;
    if (options.machineProtocolOnStdio) {
      return yield* converse(new QmpSession(machine, () => context.timeOfDayNs()), command, input);
    }
    return yield* session(machine.monitor, command, input);
  }
}

function docOf({ name, patched, era }: QemuContext): string {
  const effects = patched
    ? "starts a guest; its vCPUs get the CPUs that are offline, highest first"
    : "starts a guest";
  const [release, usage, example] = era === "2012"
    ? [
      "qemu-kvm 1.1",
      `${name} [-enable-kvm] [-m MIB] [-smp N] [-cpu MODEL[,+FEATURE]...] [-name NAME] [-S] [-no-kvm-pit] [-realtime mlock=on]
  [-nographic] [-serial BACKEND] [-monitor BACKEND] [-drive KEY=VALUE,...] [-device pci-assign,host=BUS:DEVICE.FUNCTION]
  [-kernel kvm/bzImage [-append PARAMETERS]]`,
      `${name} -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic`,
    ]
    : [
      "QEMU 7.2",
      `${name} -accel kvm[,kernel-irqchip=split] [-machine q35|pc] [-m MIB] [-smp N] [-cpu MODEL[,+FEATURE]...] [-S]
  [-name guest=NAME,debug-threads=on] [-overcommit mem-lock=on] [-object memory-backend-file,...] [-drive KEY=VALUE,...]
  [-nographic] [-serial BACKEND] [-monitor BACKEND] [-netdev user,id=ID] [-device MODEL,KEY=VALUE,...]
  [-kernel kvm/bzImage [-append PARAMETERS]]`,
      `${name} -accel kvm -m 1024 -cpu host -nographic`,
    ];
  return `${name} - runs a guest by KVM${patched ? "; its vCPUs get the offline CPUs for themselves" : ""}
Usage: ${usage}
Effects: ${effects}; ssh NAME COMMAND (vm0, vm1, ...) then runs there.
  -S: the vCPUs wait, and vcpu[i] can be given to ioctl. -monitor stdio with a pipe, a file or a here-document for standard
  input: the monitor, in the foreground. Other options of ${release} are taken without effect, or refused
Exit status: 0 once the guest is started, and in the foreground when it has ended; 1 if it cannot be
Errors: option table and messages are those of the release, as: Could not open 'FILE': No such file or directory
Differs from the real one: without input for its monitor the command returns, as with -daemonize: monitor NAME COMMAND
  reaches the monitor; beside assigned devices there are virtio disks (kvm/test.img, test.img), the text modes of a VGA and
  a serial port. kvm/bzImage is the kernel of the disks: with -kernel and -append its command line can be chosen, as
  "root=/dev/vda1 ro pci=nomsi" for a guest whose devices have no messages
Examples: ${example}`;
}

/** `-pidfile`: since 1.3 the file goes with the process. */
function* writePidFile(
  path: string,
  machine: QemuMachine,
  context: QemuContext,
  { task, stderr }: QemuProcess,
): Activity {
  const error = yield* context.writeFile(path, `${machine.pid}\n`);
  if (error === undefined) {
    if (machine.options.era === "today") machine.atEnd = young(() => context.removeFile(path));
    return;
  }
  const { era, program } = machine.options;
  const message = era === "2012"
    ? "Could not acquire pid file"
    : "cannot create PID file: Cannot open pid file";
  stderr(`${program}: ${message}: ${error}\n`);
  yield* machine.quit(task);
}

/** Opens the pseudo-terminals, and says which they are: since 1.6 on standard output and with a name. */
function openTerminals(
  { options, terminals }: QemuMachine,
  context: QemuContext,
  command: QemuProcess,
): void {
  for (const { label, backend } of characterDevices(options).reverse()) {
    if (backend !== "pty") continue;
    const place = context.openPty();
    terminals.set(label, place);
    const text = `char device redirected to ${place}`;
    if (options.era === "2012") command.stderr(`${text}\n`);
    else command.stdout(`${text} (label ${label})\n`);
  }
}

/**
 * A session of the monitor: `input` is typed, `command` shows it. It ends with the input, and then the machine goes on,
 * or with the machine.
 *
 * @returns the status of the process that shows it
 */
export function* session(monitor: Monitor, command: QemuProcess, input: QemuInput): Activity<number> {
  command.stdout(`${monitor.greeting}\n${PROMPT}`);
  return yield* talk(monitor.machine, command, input, function* (line) {
    command.stdout(`${line ?? ""}\n`);
    if (line === undefined) return;
    for (const text of yield* monitor.serve(line, command.task)) command.stdout(`${text}\n`);
    if (!monitor.machine.killed) command.stdout(PROMPT);
  });
}

/** The same with QMP: nothing is echoed, and there is no prompt. */
function* converse(client: QmpSession, command: QemuProcess, input: QemuInput): Activity<number> {
  command.stdout(`${client.greeting}\n`);
  return yield* talk(client.machine, command, input, function* (line) {
    if (line === undefined) return;
    for (const text of yield* client.serve(line, command.task)) command.stdout(`${text}\n`);
  });
}

/** Hands line after line to `say`, undefined at the end of the input, for as long as the machine lives. */
function* talk(
  machine: QemuMachine,
  { task }: QemuProcess,
  input: QemuInput,
  say: (line: string | undefined) => Activity,
): Activity<number> {
  machine.loop.watchEnd(task);
  while (!machine.killed) {
    const line = yield* input.readLine(() => machine.ended);
    yield* say(line);
    if (line === undefined) break;
  }
  if (machine.killed) yield* machine.process.waitUntil(task, () => machine.ended);
  return machine.exitStatus;
}
