/**
 * device_add: a device of the host's comes to a guest that runs.
 *
 * Expected: QEMU `hw/acpi/piix4.c`, `docs/specs/acpi_pci_hotplug.rst` (general-purpose event 1, slots at 0xae00, which a read
 * clears); `qdev-monitor.c` for the messages; slide 18 and 20 for the exits of the device's interrupt afterwards.
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
