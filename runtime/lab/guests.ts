/**
 * QEMU in the laboratory: what the program finds around it, and the guests that it starts.
 *
 * @module
 */

import {
  type Activity,
  IN,
  IN_DWORD,
  IN_WORD,
  OUT,
  OUT_DWORD,
  OUT_WORD,
  type Step,
  work,
} from "../../hw/sim/activity.ts";
import { PciBus } from "../../hw/pci.ts";
import { KERNELS } from "../guest/kernels.ts";
import type { CpuIdentity } from "../linux/cpu_identity.ts";
import { EINTR, ENOENT, ENOMEM, Errno, errnoOf } from "../linux/errno.ts";
import { parseCommandLine } from "../linux/command_line.ts";
import { INTERFACES } from "../linux/interfaces.ts";
import { IO_APIC_EDGE, IO_APIC_FASTEOI } from "../linux/irq/irq.ts";
import { Kernel } from "../linux/kernel.ts";
import type { KernelCpu } from "../linux/kernel_cpu.ts";
import { Layers } from "../linux/layers.ts";
import { VgaConsole } from "../linux/drivers/vgacon.ts";
import { Serial8250 } from "../linux/drivers/serial_8250.ts";
import type { CpuTimes } from "../linux/fs/proc/procfs.ts";
import type { Task } from "../linux/sched/task.ts";
import { thisCpu } from "../linux/this_cpu.ts";
import { KvmCalls } from "../kvm/ioctl/calls.ts";
import type { CallValue } from "../kvm/ioctl/marshal.ts";
import type { Program, ProgramProcess } from "../programs/program.ts";
import type { GuestRequest, QemuMachine } from "../qemu/machine.ts";
import { Qemu } from "../qemu/qemu.ts";
import { CALL_MANUALS, CALL_WORDS, callHelp } from "./call_help.ts";
import { loadDeviceDrivers } from "./devices.ts";
import { driveDisks } from "./guest_disks.ts";
import { installFiles } from "./programs.ts";
import type { Lab } from "./lab.ts";
import { GUEST_IDENTITY, Software } from "./software.ts";
import { DEDICATED_CPU, type SystemRow } from "./systems.ts";
import { tuneVcpu } from "./tuning.ts";

/** The line of the emulated network card by which commands reach a guest. */
const GUEST_NETWORK = { irq: 11, name: "eth0" };
/** Status of what SIGTERM has ended. */
const SIGTERM_STATUS = 128 + 15;
/** SLP_EN in ACPI's PM1a control register, with the type of S5 as QEMU's tables give it. */
const SLEEP_ENABLE = 0x2000;
/** PWRBTN_STS in the event register. */
const BUTTON_STATUS = 0x100;
/** Of the general-purpose events that of PCI. */
const PCI_STATUS = 1 << 1;
/** Disk images that exist, and their sizes, bytes. */
const IMAGES: ReadonlyMap<string, number> = new Map(
  ["kvm/test.img", "test.img"].map((name) => [name, 64 * 2 ** 20]),
);
/** The guest's kernel beside them, for `-kernel`. */
const KERNELS_OF_GUESTS: ReadonlySet<string> = new Set(["kvm/bzImage", "bzImage"]);

/** What QEMU is called by: the fork and the patched one are gone today, and RHEL has kept the fork's name. */
const PROGRAMS = {
  "2012": ["qemu-kvm", "qemu-kvm.patched", "qemu-system-x86_64"],
  today: ["qemu-system-x86_64", "qemu-kvm"],
} as const;

/** Makes the programs by which QEMU is called on the host of `lab`. */
export function qemuPrograms(lab: Lab): Program[] {
  return PROGRAMS[lab.options.era.name].map((name) => qemuProgram(lab, name));
}

function qemuProgram(lab: Lab, name: string): Program {
  const { options } = lab;
  const pending = new Map<string, Software>();
  const enter = (machine: QemuMachine) => {
    const software = pending.get(machine.name)!;
    pending.delete(machine.name);
    lab.addGuest({ name: machine.name, kernel: software.kernel, software, machine });
  };
  const program = new Qemu({
    name,
    patched: name === "qemu-kvm.patched",
    costs: options.profile.values.qemu,
    kvm: lab.kvm,
    era: options.era.name,
    openImage: (file) => IMAGES.has(file) || KERNELS_OF_GUESTS.has(file) ? undefined : ENOENT.message,
    kernelProblem(file, append, cpus) {
      if (!KERNELS_OF_GUESTS.has(file)) return "a guest with a kernel image of its own is not modelled";
      const parsed = parseCommandLine(append, cpus);
      return typeof parsed === "string" ? parsed : undefined;
    },
    imageBytes: (file) => IMAGES.get(file) ?? 0,
    openMemory: (path) => openMemory(lab, path),
    reserve: (mib) => mib > lab.host.memory.mib ? ENOMEM.message : undefined,
    timeOfDayNs: () => lab.software.bootTime * 1e9 + lab.host.nowNs,
    claimName: (wanted) => lab.claimGuestName(wanted),
    releaseName: (claimed) => lab.removeGuest(claimed),
    writeFile: (path, text) => writeFile(lab, path, text),
    removeFile: (path) => void lab.software.vfs.remove(path),
    openPty: () => lab.terminals.open(),
    ptyOutput: (place, text) => lab.terminals.output(place, text),
    createGuest: (request) => {
      const software = makeGuest(lab, request);
      pending.set(request.name, software);
      return software.kernel;
    },
    memoryLocked: options.system.tuned ?? false,
    vcpuStarted: (thread) => options.system.tuned && tuneVcpu(lab.software, thread),
    vcpuAffinity: () => options.system.dedicated === "pinned" ? 1 << DEDICATED_CPU : undefined,
    clockHeld: (machine, ns) => lab.guests.get(machine.name)!.kernel.clockHeldNs += ns,
    started: enter,
    restarted: enter,
    ended: (machine: QemuMachine) => lab.removeGuest(machine.name),
  });
  return new HostQemu(program, options.system);
}

/** QEMU as a program of the host. */
class HostQemu implements Program {
  declare readonly name: string;
  readonly #program: Qemu;
  readonly #system: SystemRow;

  constructor(program: Qemu, system: SystemRow) {
    this.name = program.name;
    this.#program = program;
    this.#system = system;
  }

  get doc(): string {
    return this.#program.doc;
  }

  get options(): string[] {
    return this.#program.options;
  }

  *main(command: ProgramProcess): Activity<number> {
    const { name, vm0 } = this.#system;
    if (vm0 === "host") {
      command.stderr(`note: system ${name} has no guest: vm0 is this machine itself\n`);
      return 0;
    }
    return yield* this.#program.main(command);
  }
}

function* writeFile({ software: { vfs } }: Lab, path: string, text: string): Activity<string | undefined> {
  const file = vfs.open(path, { write: true, create: true, truncate: true });
  if (file instanceof Errno) return file.message;
  const written = yield* file.write(text);
  file.close();
  return written instanceof Errno ? written.message : undefined;
}

/** What `-mem-path` names: a directory in which QEMU makes a file of its own, or a file, made where there is none. */
function openMemory(lab: Lab, path: string): string | undefined {
  const { vfs } = lab.software;
  const stat = vfs.stat(path);
  if (!(stat instanceof Errno) && stat.kind === "directory") return undefined;
  const file = vfs.open(path, { read: true, write: true, create: true });
  if (file instanceof Errno) return file.message;
  file.close();
}

/** Builds a guest's kernel and what is around it; its first task loads the drivers of what it finds. */
function makeGuest(lab: Lab, request: GuestRequest): Software {
  const { values } = lab.options.profile;
  const { interfaces, ...release } = KERNELS[lab.options.kernel]!;
  const kernel = new Kernel(lab.engine, {
    name: request.name,
    // Without kvm-clock Linux takes ACPI's timer where it does not trust the TSC; the model's guest trusts it.
    release: {
      ...release,
      clocksource: request.kvmClock ? "kvm-clock" : "tsc",
      kvmClockInVdso: release.kvmClockInVdso === true && request.kvmClockStable,
    },
    costs: values.linux,
    cpus: request.cpus,
    kernelLayer: Layers.GuestKernel,
    taskLayer: Layers.GuestTask,
    consoleIrq: { ...GUEST_NETWORK, acknowledge: request.readNetworkCause },
    background: values.guestBackground,
    startsProcessors: true,
    memory: { mib: request.memoryMiB },
  });
  const identity = guestIdentity(lab, request);
  const deadline = release.tscDeadline === true &&
    DEADLINE_FLAGS.some((flag) => identity.flags.includes(flag));
  for (const cpu of kernel.cpus) {
    cpu.x2apic = request.x2apic;
    if (release.pvEoi) cpu.eoiWord = { address: EOI_WORDS + cpu.id * 64, set: false };
    if (release.ignoresSteal !== true) cpu.steal = { address: STEAL_RECORDS + cpu.id * 64, stealNs: 0 };
    cpu.deadlineClock = deadline ? lab.kvm.tscRatio : null; // its rate is told by kvm-clock
  }
  const bus = new PciBus();
  bus.plug({ functions: request.functions });
  const software = new Software(kernel, lab.machine, bus, {
    slaveAffinity: false,
    board: request.board,
    pci: values.pci,
    net: values.net,
    subnet: lab.subnet,
    cpuTimes: (cpu) => guestCpuTimes(lab, cpu),
    effects: lab.software.effects, // behind an assigned function are the host's devices
    commandLine: request.commandLine ?? "root=/dev/vda1 ro console=ttyS0",
    interfaces: INTERFACES[interfaces],
    identity,
  }, true);
  installFiles(software.vfs, lab.options.era);
  driveDisks(software, request.ram, values.block, INTERFACES[interfaces]);
  const acknowledge = work("timer_interrupt", Layers.GuestKernel, values.linux.deviceHandler);
  // The PIT's line: a kernel whose timer is the local APIC's has nothing to do there.
  software.irqs.request({ irq: 0, name: "timer", chip: IO_APIC_EDGE, handler: () => once(acknowledge) });
  const { acpi } = request;
  if (acpi !== undefined) {
    const handler = () => acpiInterrupt(software, acpi);
    software.irqs.request({ irq: 9, name: "acpi", chip: IO_APIC_FASTEOI, handler });
  }
  if (request.vga) {
    const console = new VgaConsole(() => thisCpu(kernel, lab.machine), kernel.steps.consoleCharacter);
    for (const minor of [0, 1] as const) software.devices.set(`tty${minor}`, console.device(minor));
    software.devices.set("vcs", console.screenDevice());
  }
  if (request.serial !== undefined) {
    const { port, irq } = request.serial;
    const serial = new Serial8250(software.irqs, () => thisCpu(kernel, lab.machine), port, irq);
    software.devices.set("ttyS0", serial.device());
  }
  kernel.startUp.atBoot(kernel.createTask("init", 1, (task) => init(lab, software, task)));
  return software;
}

function* init(lab: Lab, software: Software, task: Task): Activity<number> {
  const { kernel } = software;
  yield* software.loadDrivers();
  yield* loadDeviceDrivers(lab.devices, software);
  kernel.startUp.taskDone();
  yield* kernel.cpus[task.cpu]!.sendPendingIpis();
  return 0;
}

/** What a guest's kernel counts for its CPU: the time in which it was away for an exit it has spent in itself. */
function guestCpuTimes({ kvm }: Lab, { registers }: KernelCpu): CpuTimes {
  const times = kvm.timesOf(registers);
  if (times === undefined) return { userNs: 0, systemNs: 0, guestNs: 0 };
  return { userNs: times.userNs, systemNs: times.kernelNs + times.otherNs, guestNs: 0 };
}

/** Where in a guest's memory its kernel's per-CPU records of steal time are. */
const STEAL_RECORDS = 0x0100_0000;
/** Where their words of PV EOI are. */
const EOI_WORDS = 0x0101_0000;
/** The TSC deadline among a processor's features: Linux's name, and QEMU's. */
const DEADLINE_FLAGS = ["tsc_deadline_timer", "tsc-deadline"];

/** What the processors of the host have and KVM does not hand on (`kvm_dev_ioctl_get_supported_cpuid()`). */
const KEPT_BACK: ReadonlySet<string> = new Set(
  ("dts acpi tm pbe arch_perfmon pebs bts constant_tsc xtopology nonstop_tsc aperfmperf dtes64 monitor ds_cpl vmx smx " +
    "est tm2 xtpr pdcm pcid ida arat epb pln pts dtherm tpr_shadow vnmi flexpriority ept vpid").split(" "),
);

/** What the guest's processors say of themselves: of no particular make, or the host's own with `-cpu host`. */
function guestIdentity(lab: Lab, { cpuModel, features, cpus }: GuestRequest): CpuIdentity {
  const { identity, name } = lab.options.era;
  const base = cpuModel !== "host"
    ? name === "2012" ? GUEST_IDENTITY : { ...GUEST_IDENTITY, modelName: "QEMU Virtual CPU version 2.5+" }
    : {
      ...identity,
      cores: cpus,
      flags: [...identity.flags.split(" ").filter((flag) => !KEPT_BACK.has(flag)), "hypervisor"].join(" "),
    };
  return { ...base, flags: [...new Set([...base.flags.split(" "), ...features])].join(" ") };
}

/** The handler of ACPI's interrupt (`acpi_ev_sci_xrupt_handler()`): what the status registers say, cleared. */
function* acpiInterrupt(software: Software, ports: NonNullable<GuestRequest["acpi"]>): Activity {
  const { kernel } = software;
  const cpu = kernel.cpus[0]!;
  yield kernel.steps.deviceHandler;
  cpu.registers.address = ports.event;
  const fixed = yield IN_WORD;
  if ((fixed & BUTTON_STATUS) !== 0) {
    yield* clear(cpu, ports.event, BUTTON_STATUS, OUT_WORD);
    shutDown(kernel, ports.control, cpu);
  }
  cpu.registers.address = ports.general;
  const general = yield IN;
  if ((general & PCI_STATUS) === 0) return;
  yield* clear(cpu, ports.general, PCI_STATUS, OUT);
  // acpiphp: the event's method is work of kacpi_hotplug.
  const task = kernel.createTask("kacpi_hotplug", 1, (self) => slotsChanged(software, ports, self));
  kernel.wake(task, cpu);
}

/** acpi_clear_event(): the line falls with the last bit. */
function* clear({ registers }: KernelCpu, port: number, bits: number, write: Step): Activity {
  registers.address = port;
  registers.value = bits;
  yield write;
}

/** Asks which slots have been filled, looks at the bus, and lets drivers have what is new there; has drivers let go what is to leave. */
function* slotsChanged(
  software: Software,
  ports: NonNullable<GuestRequest["acpi"]>,
  task: Task,
): Activity<number> {
  const { kernel, pci } = software;
  const here = () => kernel.cpus[task.cpu]!.registers;
  here().address = ports.filled;
  const filled = yield IN_DWORD;
  if (filled !== 0) {
    yield* pci.scan();
    yield* software.loadByAlias();
  }
  here().address = ports.leaving;
  const leaving = yield IN_DWORD;
  for (let slot = 0; slot < 32; slot++) {
    if ((leaving & (1 << slot)) === 0) continue;
    const device = [...pci.devices].find(({ bdf }) => bdf.bus === 0 && bdf.device === slot);
    if (device === undefined) continue;
    yield* pci.remove(device); // acpiphp_disable_slot(), and then _EJ0
    here().address = ports.eject;
    here().value = (1 << slot) >>> 0;
    yield OUT_DWORD;
  }
  return 0;
}

/** The power button: init ends what runs, and switches the machine off. */
function shutDown(kernel: Kernel, control: number, cpu: KernelCpu): void {
  kernel.wake(kernel.createTask("shutdown", 1, (self) => switchOff(kernel, control, self)), cpu);
}

function* switchOff(kernel: Kernel, control: number, self: Task): Activity<number> {
  for (const task of kernel.tasks.values()) {
    if (task !== self && !task.kernelThread) kernel.kill(task, SIGTERM_STATUS, kernel.cpus[self.cpu]!);
  }
  const here = kernel.cpus[self.cpu]!;
  yield* here.sendPendingIpis();
  here.registers.address = control;
  here.registers.value = SLEEP_ENABLE;
  yield OUT_WORD;
  return 0;
}

function* once(step: Step): Activity {
  yield step;
}

/** C calls of a shell: one process's descriptors, and the vCPUs that QEMU has published there. */
export class ShellCalls {
  readonly #calls: KvmCalls;
  /** The calls that it takes. */
  readonly names: readonly string[] = KvmCalls.names;

  /** For a shell on the host of `lab`. */
  constructor(readonly lab: Lab) {
    this.#calls = new KvmCalls(lab.kvm);
  }

  /** What `help` says of a call, a request or a structure. */
  help(word: string): string | undefined {
    return callHelp(word);
  }

  /** The manuals of the calls. */
  readonly manuals = CALL_MANUALS;

  /** Words that {@linkcode help} knows. */
  readonly helpWords: readonly string[] = CALL_WORDS;

  /** What a C compiler would say of a call. */
  complaint(name: string, args: readonly CallValue[]): string | undefined {
    return this.#calls.complaint(name, args);
  }

  /** Makes a call in the task of `process`; negative: an errno. */
  *call(name: string, args: readonly CallValue[], command: ProgramProcess): Activity<number> {
    const calls = this.#calls;
    if (name === "ioctl" && !this.detached(name, args) && calls.descriptors.get(Number(args[0]))?.busy) {
      // vcpu_load() lets the caller wait, as a rule for as long as the guest runs, and the shell with it.
      command.stderr(
        "note: QEMU's thread is in an ioctl on this vCPU, as a rule KVM_RUN: the call would wait until that returns\n",
      );
      return -EINTR.number;
    }
    const result = yield* calls.call(name, args, command.task, this.lab.host.cpus[command.task.cpu]!);
    if (name !== "ioctl") return result;
    const file = calls.descriptors.get(Number(args[0])), request = Number(args[1]);
    const unknown = result < 0 ? file?.unmodelled(request) : undefined;
    const caution = result < 0 ? undefined : file?.caution(request);
    if (caution !== undefined) command.stderr(`note: ${caution}\n`);
    if (unknown !== undefined) {
      command.stderr(`note: ${unknown} is not modelled: the answer is that of a kernel without it\n`);
    }
    return result;
  }

  /** The errno of that number. */
  errno(number: number): { name: string; number: number; message: string } | undefined {
    return errnoOf(number);
  }

  /** A typed `KVM_RUN` is made by the vCPU's own thread, and may never end: the shell does not wait for it. */
  detached(name: string, args: readonly CallValue[]): boolean {
    return name === "ioctl" && args[1] === KvmCalls.constants.get("KVM_RUN") &&
      this.#calls.descriptors.get(Number(args[0]))?.lastExit !== undefined; // a vCPU's
  }

  /** What is printed when such a call ends. */
  report(_name: string, args: readonly CallValue[]): string {
    return `KVM_RUN returned: ${
      this.#calls.descriptors.get(Number(args[0]))?.lastExit ?? "its machine is gone"
    }`;
  }

  /** Enters the vCPUs of a started machine as descriptors of the shell; returns their numbers. */
  publish(machine: QemuMachine): number[] {
    return machine.publish().map((file) => this.#calls.descriptors.install(file));
  }
}
