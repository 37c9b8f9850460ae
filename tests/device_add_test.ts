/**
 * device_add and device_del: a device of the host's comes to a guest that runs, and goes.
 *
 * Expected: QEMU `hw/acpi/piix4.c`, `docs/specs/acpi_pci_hotplug.rst` (general-purpose event 1; slots at 0xae00, which a read
 * clears; those that are to go at 0xae04; ejecting at 0xae08), `qdev-monitor.c` for the messages; slides 18 and 20 for the
 * exits of the device's interrupt afterwards.
 */
import { assertEquals } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const STUB = `echo 8086 10ed > /sys/bus/pci/drivers/pci-stub/new_id
echo 0000:05:00.0 > /sys/bus/pci/drivers/ixgbevf/unbind
echo 0000:05:00.0 > /sys/bus/pci/drivers/pci-stub/bind
`;
const ADD = "monitor vm0 device_add pci-assign,host=05:00.0,id=vf";

/** A guest on `system` that has booted without a device. */
function started(system: string): SessionRig {
  const rig = new SessionRig({ system });
  rig.ok(STUB);
  if (system === "rfc-v2") rig.ok("echo 0 > /sys/devices/system/cpu/cpu3/online");
  const program = system === "rfc-v2" ? "qemu-kvm.patched" : "qemu-kvm";
  rig.ok(`${program} -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic; ssh vm0 true`);
  return rig;
}

Deno.test("device_add: the guest learns of it by ACPI, finds the function and loads its driver", () => {
  const rig = started("kvm");
  assertEquals(rig.ok("ssh vm0 ls /sys/bus/pci/devices"), "");
  assertEquals(rig.ok(ADD), "");
  rig.ok("sleep 0.5");
  assertEquals(rig.ok("ssh vm0 ls /sys/bus/pci/devices"), "0000:00:04.0\n");
  assertEquals(rig.ok("ssh vm0 lspci -k | grep driver").trim(), "Kernel driver in use: ixgbevf");
  const { machine } = rig.lab.guests.get("vm0")!;
  const { chips } = machine.file.vm;
  assertEquals([chips!.routing.raised.get(9), chips!.ioapic.core.lines & (1 << 9)], [1, 0]);
  assertEquals([machine.acpi!.read(0xafe0), machine.acpi!.read(0xae00)], [0, 0]);
  assertEquals(rig.ok("monitor vm0 info pci | tail -1").trim(), 'id "vf"');
});

Deno.test("device_add under rfc-v2: the interrupts go straight to the slave CPU, without an exit", () => {
  const rig = started("rfc-v2");
  rig.ok(`${ADD}; sleep 0.5`);
  const { machine } = rig.lab.guests.get("vm0")!;
  const { vcpus: [vcpu], assigned: [device] } = machine.file.vm;
  assertEquals(device!.interrupts().map(({ cpu }) => cpu), [3, 3]);
  rig.ok("ssh vm0 'while :; do :; done' & sleep 0.05");
  const before = vcpu!.totalExits;
  rig.ok("irq vf0; run 1ms");
  assertEquals([vcpu!.totalExits - before, device!.forwarded], [0, 0]);
});

Deno.test("device_add refuses as QEMU does", () => {
  const rig = started("kvm");
  rig.ok(`${ADD}; sleep 0.5`);
  assertEquals(rig.ok(ADD), "Duplicate ID 'vf' for device\n");
  assertEquals(
    rig.ok("monitor vm0 device_add pci-assign,host=05:00.0,id=other").split("\n")[0],
    'Failed to assign device "other" : File exists',
  );
  const absent = rig.ok("monitor vm0 device_add pci-assign,host=06:00.0").split("\n");
  assertEquals(
    absent[0],
    "get_real_device: /sys/bus/pci/devices/0000:06:00.0/config: No such file or directory",
  );
  assertEquals(
    rig.ok("monitor vm0 device_add e1000"),
    "Error: device model 'e1000' is not modelled\n",
  );
});

Deno.test("the root bus of q35 takes no device while the machine runs", () => {
  const rig = new SessionRig();
  rig.run("set -o era=today");
  rig.ok("qemu-system-x86_64 -accel kvm -machine q35 -m 1024 -cpu host -nographic; ssh vm0 true");
  assertEquals(
    rig.ok("monitor vm0 device_add vfio-pci,host=05:00.0"),
    "Error: Bus 'pcie.0' does not support hotplugging\n",
  );
});

/** What the host has of an assigned device: its interrupts, their threads, its domain, its vectors on the slave CPU. */
function leftOf({ lab }: SessionRig, place: number) {
  return {
    irqs: lab.software.irqs.list().filter(({ name }) => /kvm|vfio/.test(name)).map(({ name }) => name),
    threads: [...lab.host.tasks.values()].filter(({ name }) => /^irq\/\d+-kvm/.test(name)).map(({ name }) =>
      name
    ),
    domain: lab.machine.remapping.domainOf(place),
    assigned: lab.kvm.vms.flatMap(({ assigned }) => assigned.map(({ device }) => device.name)),
    guests: [...lab.guests.values()].map(({ machine }) => machine.assigned.length),
  };
}
const NOTHING = { irqs: [], threads: [], domain: undefined, assigned: [], guests: [0] };

Deno.test("device_del: the guest's driver lets go, the slot is ejected, and the host has all of it back", () => {
  for (const system of ["kvm", "rfc-v2"]) {
    const rig = started(system);
    rig.ok(`${ADD}; sleep 0.5`);
    assertEquals(leftOf(rig, 0x0500).irqs.length, 2);
    const slave = rig.lab.host.cpus[3]!;
    const vectors = [...slave.vectorIrq].length;
    assertEquals(
      rig.ok("monitor vm0 device_del vf; sleep 0.5; ssh vm0 ls /sys/bus/pci/devices; monitor vm0 info pci"),
      "",
    );
    assertEquals(leftOf(rig, 0x0500), NOTHING);
    if (system === "rfc-v2") {
      assertEquals(vectors - [...slave.vectorIrq].length, 2, "the guest's vectors on the slave CPU");
    }
    const { acpi, routes } = rig.lab.guests.get("vm0")!.machine;
    assertEquals([acpi!.read(0xae04), acpi!.read(0xafe0)], [0, 0]);
    assertEquals(routes.addMessage(0, 0), 24, "its lines are free");
    assertEquals(rig.ok("monitor vm0 device_del vf"), "Error: Device 'vf' not found\n");
    rig.ok(`
      echo 0000:05:00.0 > /sys/bus/pci/drivers/pci-stub/unbind
      echo 0000:05:00.0 > /sys/bus/pci/drivers/ixgbevf/bind
      irq vf0; run 1ms
    `);
  }
});

Deno.test("a device that has gone may come again, into the same slot", () => {
  const rig = started("rfc-v2");
  rig.ok(`${ADD}; sleep 0.5; monitor vm0 device_del vf; sleep 0.5; ${ADD}; sleep 0.5`);
  assertEquals(rig.ok("ssh vm0 lspci -n").slice(0, 7), "00:04.0");
  const [device] = rig.lab.guests.get("vm0")!.machine.file.vm.assigned;
  assertEquals(device!.interrupts().map(({ cpu }) => cpu), [3, 3]);
  rig.ok("irq vf0; run 1ms");
  assertEquals(device!.forwarded, 0);
});

Deno.test("device_del of a device that interrupts by its line, in the middle of an interrupt", () => {
  const rig = new SessionRig({ system: "rfc-v2" });
  rig.ok(`
    echo 8086 10fb > /sys/bus/pci/drivers/pci-stub/new_id
    echo 0000:04:00.0 > /sys/bus/pci/drivers/ixgbe/unbind
    echo 0000:04:00.0 > /sys/bus/pci/drivers/pci-stub/bind
    echo 0 > /sys/devices/system/cpu/cpu3/online
    qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic -kernel kvm/bzImage \
      -append "pci=nomsi" -device pci-assign,host=04:00.0,id=card
    ssh vm0 true
    ssh vm0 'while :; do :; done' & sleep 0.01
    monitor vm0 device_del card; irq pf0; sleep 0.5
  `);
  assertEquals(leftOf(rig, 0x0400), NOTHING);
  const { chip } = rig.lab.machine.ioApic;
  assertEquals([chip.entry(16).low, chip.asserted(16)], [0x1_0000, false]);
  assertEquals(rig.ok("ssh vm0 grep -c eth1 /proc/interrupts || true"), "0\n");
});

Deno.test("VFIO: device_del closes the group, and a guest that does not answer keeps the device", () => {
  const rig = new SessionRig();
  rig.ok(`
    boot kvm --era today
    echo vfio-pci > /sys/bus/pci/devices/0000:05:00.0/driver_override
    echo 0000:05:00.0 > /sys/bus/pci/drivers/ixgbevf/unbind
    echo 0000:05:00.0 > /sys/bus/pci/drivers_probe
    qemu-system-x86_64 -m 1024 -cpu host -accel kvm -nographic -device vfio-pci,host=05:00.0,id=vf
    ssh vm0 true
    monitor vm0 stop
    monitor vm0 device_del vf
    sleep 0.1
  `);
  assertEquals(rig.ok("monitor vm0 device_del vf"), "Error: Device vf is already in the process of unplug\n");
  assertEquals(leftOf(rig, 0x0500).irqs.length, 2);
  rig.ok("monitor vm0 cont; sleep 0.5");
  assertEquals(leftOf(rig, 0x0500), NOTHING);
  rig.ok("echo 0000:05:00.0 > /sys/bus/pci/drivers/vfio-pci/unbind"); // EBUSY while a program has the group
});
