/**
 * The monitor's commands.
 *
 * *Document*: `hmp-commands.hx` and `hmp-commands-info.hx` of QEMU 1.1 and 7.2, for names, parameters and summaries.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Task } from "../kvm/user_space.ts";
import { isFault, readDevice } from "./device_options.ts";
import {
  infoCharacterDevices,
  infoCpus,
  infoInterrupts,
  infoNetwork,
  infoPci,
  infoRegisters,
  infoStatus,
} from "./info.ts";
import { addDevice, deleteDevice } from "./hotplug.ts";
import { lapicLines } from "./info_lapic.ts";
import { infoPic } from "./info_pic.ts";
import { RELEASES } from "./era.ts";
import type { QemuMachine } from "./machine.ts";
import type { Monitor } from "./monitor.ts";
import { injectNmis } from "./nmi.ts";

/** One run of a command. */
export interface MonitorContext {
  readonly monitor: Monitor;
  readonly machine: QemuMachine;
  readonly args: readonly string[];
  /** The thread that executes it. */
  readonly main: Task;
}

/** A command. */
export interface MonitorCommand {
  /** Its names, joined by `|`. */
  readonly names: string;
  /** As `help` shows them. */
  readonly parameters: string;
  readonly summary: string;
  /** How many words it takes at most, and at least; none where absent. */
  readonly takes?: readonly [most: number, least?: number];
  /** What is said where one is missing. */
  readonly expects?: string;
  run(context: MonitorContext): Activity<readonly string[]>;
}

/** What a command that changes something says where all is well: nothing. */
function silently(body: (context: MonitorContext) => Activity): MonitorCommand["run"] {
  return function* (context) {
    yield* body(context);
    return [];
  };
}

/** A view of the machine as it is, without a look into the vCPUs. */
function view(lines: (context: MonitorContext) => readonly string[]): MonitorCommand["run"] {
  // deno-lint-ignore require-yield
  return function* (context) {
    return lines(context);
  };
}

/** Brings the vCPUs out of KVM, so that their registers can be read. */
function* synchronize({ machine, main }: MonitorContext): Activity {
  for (const thread of machine.threads) yield* thread.synchronize(main);
}

/** The commands, in the order of their names. */
export const COMMANDS: readonly MonitorCommand[] = [
  {
    names: "cont|c",
    parameters: "",
    summary: "resume emulation",
    run: silently(({ machine, main }) => machine.cont(main)),
  },
  {
    names: "cpu",
    parameters: "index",
    summary: "set the default CPU",
    takes: [1, 1],
    expects: "integer expected",
    run: view(({ monitor, machine, args: [index = ""] }) => {
      if (!/^\d+$/.test(index)) return [`invalid char '${index[0]}' in expression`];
      if (Number(index) >= machine.threads.length) return ["invalid CPU index"];
      monitor.cpu = Number(index);
      return [];
    }),
  },
  {
    names: "device_add",
    parameters: "driver[,prop=value][,...]",
    summary: "add device, like -device on the command line",
    takes: [1, 1],
    *run({ machine, main, args: [argument = ""] }) {
      const { era, netdevs } = machine.options;
      const device = readDevice(argument, "", era, netdevs);
      if (isFault(device)) return [`Error: ${device.message}`, ...device.hints ?? []];
      return yield* addDevice(machine, device, main);
    },
  },
  {
    names: "device_del",
    parameters: "device",
    summary: "remove device",
    takes: [1, 1],
    *run({ machine, main, args: [id = ""] }) {
      const failed = yield* deleteDevice(machine, id, main);
      return failed === undefined ? [] : [`Error: ${failed}`];
    },
  },
  {
    names: "help|?",
    parameters: "[cmd]",
    summary: "show the help",
    takes: [2],
    run: view(({ args: [name, sub] }) => {
      if (name === undefined) return help([...COMMANDS, INFO]);
      if (name === "info") return sub === undefined ? help(INFOS, "info ") : help(named(INFOS, sub), "info ");
      return help(named(COMMANDS, name));
    }),
  },
  {
    names: "nmi",
    parameters: "",
    summary: "inject an NMI",
    run: silently(({ machine, main }) => injectNmis(machine, main)),
  },
  {
    names: "quit|q",
    parameters: "",
    summary: "quit the emulator",
    run: silently(({ machine, main }) => machine.quit(main)),
  },
  {
    names: "stop|s",
    parameters: "",
    summary: "stop emulation",
    run: silently(({ machine, main }) => machine.stop(main)),
  },
  {
    names: "system_powerdown",
    parameters: "",
    summary: "send system power down event",
    run: silently(({ machine, main }) => machine.powerDown(main)),
  },
  {
    names: "system_reset",
    parameters: "",
    summary: "reset the system",
    run: silently(({ machine, main }) => machine.reset(main)),
  },
];

/** As `help` shows it. */
const INFO: MonitorCommand = {
  names: "info",
  parameters: "[subcommand]",
  summary: "show various information about the system state",
  run: view(() => []),
};

/** Lines of `help`: every command with its parameters. */
export function help(commands: readonly MonitorCommand[], prefix = ""): string[] {
  return commands.map(({ names, parameters, summary }) => `${prefix}${names} ${parameters} -- ${summary}`);
}

function named(commands: readonly MonitorCommand[], name: string): MonitorCommand[] {
  return commands.filter(({ names }) => names.split("|").includes(name));
}

/** The commands behind `info`. */
export const INFOS: readonly MonitorCommand[] = [
  {
    names: "chardev",
    parameters: "",
    summary: "show the character devices",
    run: view(({ machine }) => infoCharacterDevices(machine)),
  },
  {
    names: "cpus",
    parameters: "",
    summary: "show infos for each CPU",
    *run(context) {
      const { machine, monitor } = context;
      // 7.2 tells nothing for which it would have to ask the vCPUs (query-cpus-fast).
      if (machine.options.era === "2012") yield* synchronize(context);
      return infoCpus(machine, monitor.cpu);
    },
  },
  {
    names: "irq",
    parameters: "",
    summary: "show the interrupts statistics (if available)",
    run: view(({ machine }) => infoInterrupts(machine)),
  },
  {
    names: "kvm",
    parameters: "",
    summary: "show KVM information",
    run: view(({ machine }) => [`kvm support: ${machine.options.kvm ? "enabled" : "disabled"}`]),
  },
  {
    names: "lapic",
    parameters: "[apic-id]",
    summary: "show local apic state (apic-id: local apic to read, default is which of current CPU)",
    takes: [1],
    *run(context) {
      const { machine, monitor, args: [id = String(monitor.cpu)] } = context;
      const thread = /^\d+$/.test(id) ? machine.threads[Number(id)] : undefined;
      if (thread === undefined) return ["No local APIC"];
      yield* thread.synchronize(context.main);
      return lapicLines(thread.file.vcpu.apic, thread.index, machine.process.kvm.host.nowNs);
    },
  },
  {
    names: "network",
    parameters: "",
    summary: "show the network state",
    run: view(({ machine }) => infoNetwork(machine.options)),
  },
  {
    names: "pci",
    parameters: "",
    summary: "show PCI info",
    run: view(({ machine }) => infoPci(machine)),
  },
  {
    names: "pic",
    parameters: "",
    summary: "show PIC state",
    run: view(({ machine: { file, options } }) => infoPic(file, options.era)),
  },
  {
    names: "registers",
    parameters: "",
    summary: "show the cpu registers",
    *run(context) {
      const { machine, monitor } = context;
      const thread = machine.threads[monitor.cpu]!;
      yield* thread.synchronize(context.main);
      return infoRegisters(thread, machine.options.era);
    },
  },
  {
    names: "status",
    parameters: "",
    summary: "show the current VM status (running|paused)",
    run: view(({ machine }) => infoStatus(machine)),
  },
  {
    names: "version",
    parameters: "",
    summary: "show the version of QEMU",
    run: view(({ machine }) => [RELEASES[machine.options.era].version]),
  },
];

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

/** Commands that QEMU has and the model does not. */
export const UNMODELLED_COMMANDS = words(`
  announce_self balloon block_job_cancel block_resize block_set_io_throttle block_stream boot_set change chardev-add
  chardev-remove client_migrate_info closefd commit delvm drive_add drive_backup drive_del drive_mirror
  dump-guest-memory eject expire_password getfd gdbserver gpa2hva gva2gpa hostfwd_add hostfwd_remove i loadvm log logfile
  mce memsave migrate migrate_cancel migrate_set_capability migrate_set_parameter mouse_button mouse_move mouse_set
  netdev_add netdev_del o object_add object_del pmemsave print p qemu-io qom-get qom-list qom-set ringbuf_read
  ringbuf_write savevm screendump sendkey set_link set_password singlestep snapshot_blkdev stopcapture sum
  system_wakeup trace-event usb_add usb_del watchdog_action wavcapture x xp
`);

/** The same behind `info`. */
export const UNMODELLED_INFOS = words(`
  accel balloon block block-jobs blockstats capture dump hotpluggable-cpus history iothreads jit mem memdev
  memory-devices memory_size_summary mice migrate migrate_capabilities migrate_parameters mtree name numa opcount
  profile qdm qom-tree qtree ramblock rdma replay rocker roms sev sgx snapshots spice stats sync-profile tlb tpm
  trace-events usb usbhost usernet uuid vcpu_dirty_limit virtio vm-generation-id vnc
`);
