/**
 * Messages to a running guest: from an assigned device, an eventfd or user space, all by the machine's routes.
 *
 * Expected: Intel SDM vol. 3A, "Message Address Register Format" and "Message Data Register Format"; Linux 3.5
 * `virt/kvm/irq_comm.c` (`kvm_irq_delivery_to_apic()`: lowest priority goes to who has had the fewest); Linux 6.18
 * `arch/x86/kvm/lapic.c` (vector hashing).
 */
import { assertEquals } from "@std/assert";
import { KVM_CONSTANTS } from "../runtime/kvm/ioctl/ioctls.ts";
import type { View } from "../runtime/kvm/uapi/structure.ts";
import { Routing, RoutingEntry, RoutingMsi, RoutingUnion } from "../runtime/kvm/uapi/structures.ts";
import { KVM_VERSIONS, type KvmVersion } from "../runtime/kvm/versions.ts";
import { Rig, startQemu, STOCK } from "./kvm_rig.ts";

const VECTOR = 0x61;
const LOWEST_PRIORITY = 1 << 8, NMI = 4 << 8;

/** A guest with three vCPUs that run, whose first assigned entry is line 24. */
function started(version: KvmVersion = KVM_VERSIONS["3.5"], device = "-device pci-assign,host=05:00.0") {
  const rig = new Rig(STOCK, { offline: [], version });
  const { machine, guest } = startQemu(
    rig,
    `qemu-kvm -smp 3 -cpu qemu64,+x2apic -no-kvm-pit ${device}`,
  );
  const vm = rig.kvm.vms[0]!;
  rig.until(() => vm.assigned.every(({ irqsAssigned }) => irqsAssigned));
  rig.pass(200_000_000);
  const taken = [0, 0, 0];
  for (const cpu of guest!.cpus) {
    cpu.vectorIrq.set(VECTOR, {
      irq: 50,
      name: "message",
      topHalf: { act: () => void taken[cpu.id]!++ },
      handler: function* () {},
    });
  }
  return { rig, machine: machine!, guest: guest!, vm, taken, device: vm.assigned[0]! };
}

const address = (destination: number, logical = false) =>
  0xfee0_0000 | (destination << 12) | (logical ? 4 : 0);

Deno.test("KVM_SIGNAL_MSI on a running guest: the vCPU that the address names takes the vector", () => {
  const { rig, vm, taken } = started();
  for (const destination of [1, 2, 2, 7]) {
    rig.type((cpu) => void vm.chips!.routing.signalMsi(address(destination), 0, VECTOR, cpu));
    rig.pass(20_000_000);
  }
  assertEquals(taken, [0, 1, 2], "nobody has id 7");
});

Deno.test("lowest priority, 3.5: each message goes to the vCPU that has had the fewest", () => {
  const { rig, vm, taken } = started();
  for (let i = 0; i < 6; i++) {
    rig.type((cpu) =>
      void vm.chips!.routing.signalMsi(address(0b110, true), 0, LOWEST_PRIORITY | VECTOR, cpu)
    );
    rig.pass(20_000_000);
  }
  assertEquals(taken, [0, 3, 3]);
});

Deno.test("lowest priority, 6.18: the vector decides which one, by its remainder", () => {
  const { rig, vm, taken } = started(KVM_VERSIONS["6.18"], "");
  for (let i = 0; i < 4; i++) {
    rig.type((cpu) =>
      void vm.chips!.routing.signalMsi(address(0b110, true), 0, LOWEST_PRIORITY | VECTOR, cpu)
    );
    rig.pass(20_000_000);
  }
  assertEquals(taken, [0, 0, 4], "0x61 mod 2 is 1: the second of the two");
});

Deno.test("a message with delivery mode NMI is an NMI of the vCPU that it names", () => {
  const { rig, vm, guest, taken } = started();
  const nmis: number[] = [];
  guest.nmiHandlers.push((cpu) => nmis.push(cpu.id) > 0);
  rig.type((cpu) => void vm.chips!.routing.signalMsi(address(0), 0, NMI, cpu));
  rig.pass(20_000_000);
  assertEquals([nmis, taken], [[0], [0, 0, 0]]);
});

Deno.test("an assigned device's interrupt goes where the route of its line leads now", () => {
  const { rig, machine, device, taken } = started();
  const routing = Routing.make(1).set("nr", 1);
  const entry = routing.part("entries", RoutingEntry).set("gsi", 24).set("type", 2);
  entry.part("u", RoutingUnion).part("msi", RoutingMsi).set("address_lo", address(2)).set("data", VECTOR);
  const result = rig.finish((task) =>
    machine.process.calls.call(
      "ioctl",
      [machine.vm, KVM_CONSTANTS.get("KVM_SET_GSI_ROUTING")!, routing as unknown as View],
      task,
      rig.host.cpus[task.cpu]!,
    )
  );
  assertEquals([result, device.interrupts()[0]!.guestVector], [0, VECTOR]);
  device.raise(0);
  rig.pass(20_000_000);
  assertEquals([taken, device.forwarded], [[0, 0, 1], 1]);
});
