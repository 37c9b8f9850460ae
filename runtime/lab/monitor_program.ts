/**
 * `monitor`: QEMU's monitor from another prompt, as a terminal on its pseudo-terminal or socket would reach it.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Program, ProgramProcess } from "../programs/program.ts";
import { session } from "../qemu/qemu.ts";
import type { Lab } from "./lab.ts";

const doc = `monitor - types into the monitor of a guest's QEMU
Usage: monitor VM [COMMAND [ARGUMENT]...]
Effects: types COMMAND into the monitor of the guest VM (vm0, vm1, ...) and prints what QEMU answers; without COMMAND the
  lines of standard input, with the monitor's greeting and prompt. monitor VM help lists the commands: info cpus, info
  lapic, info registers, info pci, info status, stop, cont, system_reset, system_powerdown, quit, ...
Exit status: 0, whatever QEMU answers; 1 if there is no such guest, or no input
Errors: no guest 'VM': none runs; a command is needed, or lines on standard input
Differs from the real one: it is the laboratory's own; on a real host it is a terminal on the pseudo-terminal of
  -monitor pty, socat on the socket of -monitor unix:, or virsh qemu-monitor-command
Examples: qemu-kvm -enable-kvm -nographic -serial pty; monitor vm0 info cpus`;

/** The program, on the host of `lab`. */
export function monitorProgram(lab: Lab): Program {
  return {
    name: "monitor",
    doc,
    *main(command: ProgramProcess): Activity<number> {
      const [, name, ...words] = command.argv;
      if (name === undefined) {
        command.stderr("monitor: expected monitor VM [COMMAND [ARGUMENT]...]\n");
        return 1;
      }
      const { system } = lab.options;
      if (system.vm0 === "host") { // so that one script serves every system
        command.stderr(`note: system ${system.name} has no guest: vm0 is this machine itself\n`);
        return 0;
      }
      const guest = lab.guests.get(name);
      if (guest === undefined) {
        const names = [...lab.guests.keys()].join(", ");
        command.stderr(
          `monitor: no guest '${name}'${names === "" ? ": none runs" : `: there is ${names}`}\n`,
        );
        return 1;
      }
      const { monitor } = guest.machine;
      if (words.length > 0) {
        for (const line of yield* monitor.serve(words.join(" "), command.task)) command.stdout(`${line}\n`);
        return 0;
      }
      if (command.input === undefined) {
        command.stderr("monitor: a command is needed, or lines on standard input: monitor vm0 info status\n");
        return 1;
      }
      yield* session(monitor, command, command.input);
      return 0;
    },
  };
}
