/**
 * What a machine is and does, and what stands in the way of direct delivery, in words.
 *
 * @module
 */

import type { QemuMachine } from "./machine.ts";
import { featureText } from "./status.ts";

/** What takes the PIT out of the kernel. */
const PIT_OFF = { "2012": "-no-kvm-pit", today: "-M kernel-irqchip=split" } as const;

/** What the machine is and does, a line each; warnings last. */
export function describeMachine(machine: QemuMachine): string[] {
  const { vm } = machine.file;
  const lines = [
    `${machine.name}: ${machine.options.program}, pid ${machine.pid}, ${
      machine.running ? "running" : "stopped"
    }`,
  ];
  for (const { index, slaveCpu, directInterrupts, directEoi, directTimer } of machine.status()) {
    lines.push(
      `vcpu[${index}]: ${slaveCpu === null ? "no slave CPU" : `slave cpu${slaveCpu}`}`,
      `  direct interrupts ${featureText(directInterrupts)}`,
      `  direct EOI ${featureText(directEoi)}`,
      `  direct timer ${featureText(directTimer)}`,
    );
  }
  for (const device of vm.assigned) {
    const interrupts = device.interrupts();
    const { line } = device;
    lines.push(
      `${device.device.name}: ${
        interrupts.length === 0 && line === null ? "assigned, its interrupts are not in use" : "assigned"
      }`,
    );
    if (line !== null) {
      const way = line.directVector < 0
        ? "through the host"
        : `vector ${line.directVector}, straight to the guest`;
      const host = line.to.host === "MSI" ? ", the host's MSI" : "";
      lines.push(`  INTx: irq ${line.irq}${host} on cpu${line.cpu}, guest's line ${line.to.gsi}, ${way}`);
    }
    for (const { kind, entry, irq, guestVector, cpu, hostVector } of interrupts) {
      const direct = hostVector === guestVector && vm.slaves().includes(cpu);
      lines.push(
        `  ${kind}${
          kind === "MSI" ? "" : ` ${entry}`
        }: irq ${irq}, vector ${hostVector} on cpu${cpu}, guest's vector ${guestVector}` +
          (direct ? ", straight to the guest" : ", through the host"),
      );
    }
  }
  return [...lines, ...machineWarnings(machine)];
}

/** What stands in the way of direct delivery. */
export function machineWarnings(machine: QemuMachine): string[] {
  const { vm } = machine.file;
  const warnings = [...machine.messages, ...machine.assigned.flatMap(({ messages }) => messages)];
  if (vm.slaves().length === 0) return warnings;
  const switches = vm.vcpus.reduce((sum, vcpu) => sum + vcpu.directSwitches, 0);
  return [...warnings, ...obstacles(machine, `, ${vm.pit?.ticks} so far,`, ` (${switches} switches so far)`)];
}

/**
 * What the command line puts in the way of direct delivery.
 *
 * @param ticks, switches counts for the sentence on the PIT
 */
export function obstacles(machine: QemuMachine, ticks = "", switches = ""): string[] {
  const found: string[] = [];
  if (machine.file.vm.pit !== null) {
    found.push(
      `the PIT is in the kernel (no ${
        PIT_OFF[machine.options.era]
      }): its ticks${ticks} arrive as virtual interrupts ` +
        `and turn direct mode off each time${switches}`,
    );
  }
  const { vcpus, kvm } = machine.file.vm;
  if (vcpus.length > 1 && !kvm.capabilities.smp) {
    found.push("these patches have no SMP guests: only vcpu[0] gets a slave CPU, the others stay with Linux");
  }
  if (!machine.options.cpuFeatures.on.has("x2apic")) {
    found.push("no +x2apic in -cpu: EOI and timer are trapped");
  }
  return found;
}
