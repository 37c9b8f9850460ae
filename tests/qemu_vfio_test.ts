/**
 * QEMU 7.2's vfio-pci: what stands in its way, word for word, and what it does where nothing does.
 *
 * Expected messages were captured from QEMU 7.2 or are those of its `hw/vfio`; the interrupts' way is that of Linux's
 * `vfio_pci_intrs.c` and `virt/kvm/eventfd.c`.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const QEMU = "qemu-system-x86_64 -accel kvm,kernel-irqchip=split -cpu host -name guest=vm0 " +
  "-drive file=kvm/test.img,if=virtio,format=raw";
const DEVICE = "0000:05:00.0";
/** Takes the virtual function from its driver and gives it to vfio-pci. */
const BIND = `echo vfio-pci > /sys/bus/pci/devices/${DEVICE}/driver_override
echo ${DEVICE} > /sys/bus/pci/devices/${DEVICE}/driver/unbind
echo ${DEVICE} > /sys/bus/pci/drivers_probe`;

function today(append = ""): SessionRig {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`boot kvm --era today ${append}`);
  return rig;
}

/** Standard error of a QEMU that does not start. */
function refused(rig: SessionRig, host = "05:00.0"): string[] {
  const { status, err } = rig.run(`${QEMU} -device vfio-pci,host=${host}`);
  assertEquals([status, rig.lab.guests.size, rig.lab.kvm.vms.length], [1, 0, 0]);
  return err.trimEnd().split("\n");
}

const at = (host = "05:00.0") => `qemu-system-x86_64: -device vfio-pci,host=${host}: vfio`;

function device({ lab }: SessionRig) {
  return lab.software.pci.find(DEVICE)!;
}

/** The group of the device, as sysfs numbers it. */
function group({ lab }: SessionRig): number {
  return lab.software.pci.iommu!.of(lab.software.pci.find(DEVICE)!)!.number;
}

Deno.test("a device that is not there", () => {
  assertEquals(refused(today(), "07:00.0"), [
    `${at("07:00.0")} /sys/bus/pci/devices/0000:07:00.0: no such host device: No such file or directory`,
  ]);
});

Deno.test("a host without IOMMU has no groups", () => {
  assertEquals(refused(today("--append intel_iommu=off")), [
    `${at()} ${DEVICE}: no iommu_group found: No such file or directory`,
  ]);
});

Deno.test("a device that vfio-pci does not have: its group has no file", () => {
  const rig = today();
  assertEquals(refused(rig), [
    `${at()} ${DEVICE}: failed to open /dev/vfio/${group(rig)}: No such file or directory`,
  ]);
});

Deno.test("a group that a driver of the host shares is not viable, and is closed again", () => {
  const rig = today();
  rig.ok(BIND);
  const { pci, vfio } = rig.lab.software;
  pci.iommu!.of(device(rig))!.devices.add(pci.find("0000:04:00.0")!); // as behind a port without ACS
  const number = group(rig);
  assertEquals(refused(rig), [
    `${at()} ${DEVICE}: group ${number} is not viable`,
    "Please ensure all devices within the iommu_group are bound to their vfio bus driver.",
  ]);
  assertEquals(vfio!.isOpen(pci.iommu!.get(number)!), false);
});

Deno.test("a device of the group that is pci-stub's is viable beside others, but cannot be had", () => {
  const rig = today();
  const { pci } = rig.lab.software;
  rig.ok(`echo ${DEVICE} > /sys/bus/pci/drivers/ixgbevf/unbind
echo pci-stub > /sys/bus/pci/devices/${DEVICE}/driver_override
echo ${DEVICE} > /sys/bus/pci/drivers_probe
echo 0000:04:00.0 > /sys/bus/pci/drivers/ixgbe/unbind
echo vfio-pci > /sys/bus/pci/devices/0000:04:00.0/driver_override
echo 0000:04:00.0 > /sys/bus/pci/drivers_probe`);
  if (pci.find(DEVICE) === undefined) return; // without its physical function there is no virtual one
  pci.iommu!.of(device(rig))!.devices.add(pci.find("0000:04:00.0")!);
  const number = group(rig);
  assertEquals(refused(rig), [
    `${at()} ${DEVICE}: error getting device from group ${number}: No such device`,
    `Verify all devices in group ${number} are bound to vfio-<bus> or pci-stub and not already in use`,
  ]);
});

Deno.test("a bound device is the guest's: its vectors are irqfds, injected in the host's handler without a thread", () => {
  const rig = today();
  rig.ok(`${BIND}\n${QEMU} -device vfio-pci,host=05:00.0,id=vf\nssh vm0 true`);
  const { lab } = rig;
  assertStringIncludes(rig.ok("ssh vm0 lspci -k"), "Kernel driver in use: ixgbevf");
  assertEquals(rig.ok("monitor vm0 info pci").trimEnd().split("\n").at(-1), '      id "vf"');
  assertEquals([device(rig).assigned, lab.software.vfio!.isOpen(lab.software.pci.iommu!.get(group(rig))!)], [
    true,
    true,
  ]);
  const names = lab.software.irqs.list().map(({ name }) => name).filter((name) => name.startsWith("vfio"));
  assertEquals(names, [`vfio-msix[0](${DEVICE})`, `vfio-msix[1](${DEVICE})`]);
  assertEquals([...lab.host.tasks.values()].filter(({ name }) => /^irq\/.*(kvm|vfio)/.test(name)), []);
  const [assigned] = lab.guests.get("vm0")!.machine.file.vm.assigned;
  const before = assigned!.forwarded;
  const taken = () => lab.guests.get("vm0")!.kernel.interruptCounts(42)[0]!;
  const counted = taken();
  rig.ok("irq vf0; run 1ms");
  assertEquals([assigned!.forwarded - before, taken() - counted], [1, 1]);
});

Deno.test("a group that a machine has is busy for another, and free when its QEMU has gone", () => {
  const rig = today();
  rig.ok(`${BIND}\n${QEMU} -device vfio-pci,host=05:00.0\nssh vm0 true`);
  const { err } = rig.run(`${QEMU.replace("vm0", "vm1")} -device vfio-pci,host=05:00.0`);
  assertEquals(err, `${at()} ${DEVICE}: failed to open /dev/vfio/${group(rig)}: Device or resource busy\n`);
  rig.ok("monitor vm0 quit; sleep 1");
  assertEquals([device(rig).assigned, device(rig).driver], [false, "vfio-pci"]);
  assertEquals(rig.lab.software.irqs.list().filter(({ name }) => name.startsWith("vfio")), []);
  rig.ok(`${QEMU} -device vfio-pci,host=05:00.0\nssh vm0 true`);
});

Deno.test("system_reset takes the irqfds away, and the new kernel's driver sets them up again", () => {
  const rig = today();
  rig.ok(`${BIND}\n${QEMU} -device vfio-pci,host=05:00.0\nssh vm0 true`);
  const [assigned] = rig.lab.guests.get("vm0")!.machine.file.vm.assigned;
  rig.ok("monitor vm0 stop; monitor vm0 system_reset");
  assertEquals(assigned!.interrupts(), []);
  rig.ok("monitor vm0 cont; ssh vm0 true");
  assertEquals(assigned!.interrupts().length, 2);
});

Deno.test("sysfsdev= names the same device; pci-assign and the patched QEMU are of 2012", () => {
  const rig = today();
  rig.ok(`${BIND}\n${QEMU} -device vfio-pci,sysfsdev=/sys/bus/pci/devices/${DEVICE}\nssh vm0 true`);
  assertEquals(device(rig).assigned, true);
  assertStringIncludes(
    rig.run(`${QEMU} -device pci-assign,host=05:00.0`).err,
    "'pci-assign' is not a valid device model name",
  );
  assertStringIncludes(rig.run("qemu-kvm.patched").err, "qemu-kvm.patched: command not found");
});
