/**
 * MSI of an assigned device, end to end: a device that has no MSI-X, the host's message, the guest's own.
 *
 * Expected: Linux 3.5 `virt/kvm/assigned-dev.c` (names, errors, the thread's way), patches 13 and 18 (the guest's vector on all
 * slaves, as with MSI-X); qemu-kvm 1.1 `assigned_dev_update_msi()` and QEMU 7.2 `vfio_update_msi()` (what a guest sees, and when
 * a changed message goes elsewhere); `__write_msi_msg()` (Message Control is written before address and data).
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Vcpu } from "../runtime/kvm/vcpu.ts";
import { sum } from "../runtime/linux/fs/proc/proc_interrupts.ts";
import { BELL, bell, ring as ringOnce } from "./msi_bell.ts";
import { SessionRig } from "./session_rig.ts";

const FREE = `
echo 1234 0002 > /sys/bus/pci/drivers/pci-stub/new_id
echo ${BELL} > /sys/bus/pci/drivers/bell/unbind
echo ${BELL} > /sys/bus/pci/drivers/pci-stub/bind
echo 0 > /sys/devices/system/cpu/cpu3/online
`;
const QEMU = "qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic";

/** A guest that computes and has the device. */
function assigned(system: string, msi: "maskable" | "plain" = "maskable", options = "") {
  const rig = new SessionRig({ system, devices: [bell(msi)] });
  rig.ok(`${FREE} ${QEMU} ${options} -device pci-assign,host=00:1f.0; ssh vm0 true`);
  return running(rig);
}

function running(rig: SessionRig) {
  const { lab } = rig;
  const { machine, kernel, software } = lab.guests.get("vm0")!;
  const { vm } = machine.file;
  rig.start("ssh vm0 'while :; do :; done'");
  lab.engine.runUntil(lab.engine.nowNs + 20_000_000);
  const device = vm.assigned[0]!;
  const { fn } = device.device;
  const guestIrq = software.irqs.list().find(({ name }) => name === "bell")!;
  return {
    ...{ rig, lab, vm, device, fn, kernel, software, guestIrq },
    vcpu: vm.vcpus[0] as Vcpu,
    pass: (ns: number) => lab.engine.runUntil(lab.engine.nowNs + ns),
    ring() {
      ringOnce(lab);
      lab.engine.runUntil(lab.engine.nowNs + 500_000);
    },
    taken: () => sum(kernel.interruptCounts(guestIrq.irq)),
    exits: (reason: number) => (vm.vcpus[0] as Vcpu).exits[reason] ?? 0,
  };
}

Deno.test("the host's own driver takes MSI where there is no MSI-X: its IRQ is pdev->irq, msi_irqs says which kind", () => {
  const rig = new SessionRig({ system: "bare-metal", devices: [bell("maskable")] });
  const row = rig.ok("grep bell /proc/interrupts");
  assertMatch(row, /^ *\d+: .*IR-PCI-MSI-edge {6}bell\n$/);
  const irq = row.trim().split(":")[0]!;
  assertEquals(
    rig.ok(`cat /sys/bus/pci/devices/${BELL}/irq /sys/bus/pci/devices/${BELL}/msi_irqs/${irq}/mode`),
    `${irq}\nmsi\n`,
  );
  assertMatch(rig.ok("lspci -v -s 00:1f.0"), /\[50\] MSI: Enable\+ Count=1\/1 Maskable\+ 64bit\+/);
  rig.ok(`echo ${BELL} > /sys/bus/pci/drivers/bell/unbind`);
  assertMatch(rig.ok("lspci -v -s 00:1f.0"), /MSI: Enable-/);
  assertEquals(rig.ok(`cat /sys/bus/pci/devices/${BELL}/irq`), "0\n");
});

Deno.test("show msi has its one message in the words of a table's entries, and where it leads", () => {
  const rig = new SessionRig({ system: "bare-metal", devices: [bell("maskable")] });
  const { irq, remapIndex, vector, cpu } = rig.lab.software.irqs.list().find(({ name }) => name === "bell")!;
  const address = (0xfee0_0018 + (remapIndex << 5)).toString(16);
  assertEquals(rig.ok("show msi 00:1f.0").trimEnd().split("\n"), [
    `${BELL} MSI: Enable+ Count=1/1 Maskable+ 64bit+`,
    "entry  address           data      mask  pending  leads to",
    `    0  00000000${address}  00000000  no    no       remapping entry ${remapIndex}: ` +
    `vector 0x${vector.toString(16)} of cpu${cpu}, IRQ ${irq}`,
  ]);
  rig.ok(`setpci -s 00:1f.0 60.l=1; devmem 0xe0000000 32 1`);
  assertMatch(rig.ok("show msi 00:1f.0"), /00000000 \*yes {2}\*yes /, "masked, the message waits");
  const count = () => sum(rig.lab.host.interruptCounts(irq));
  const before = count();
  rig.ok("setpci -s 00:1f.0 60.l=0; run 1ms");
  assertEquals(count() - before, 1);
});

for (const [system, exits] of [["kvm", [1, 1]], ["rfc-v1", [0, 1]], ["delivery+eoi", [0, 0]]] as const) {
  Deno.test(`${system}: an interrupt by MSI has slide 18's and 20's exits, as one by MSI-X`, () => {
    const { ring, taken, exits: count, device } = assigned(system);
    ring();
    const before = { taken: taken(), external: count(1), eoi: count(32), forwarded: device.forwarded };
    ring();
    const direct = system !== "kvm";
    assertEquals(
      [taken() - before.taken, device.forwarded - before.forwarded],
      [1, direct ? 0 : 1],
    );
    assertEquals([count(1) - before.external, count(32) - before.eoi], [...exits]);
  });
}

Deno.test("stock: kvm:, its thread, and a host interrupt of the remapping unit whose entry carries the vector", () => {
  const { lab, device, fn } = assigned("kvm");
  const [{ irq, hostVector, cpu, kind, entry }] = device.interrupts() as [
    ReturnType<typeof device.interrupts>[0],
  ];
  assertEquals([kind, entry], ["MSI", 0]);
  const { name, remapIndex } = lab.software.irqs.get(irq)!;
  assertEquals(name, `kvm:${BELL}`);
  assert([...lab.host.tasks.values()].some(({ name }) => name === `irq/${irq}-kvm:0000`));
  assertEquals(
    fn.msi!.message.address,
    0xfee0_0018 + (remapIndex << 5),
    "remappable, with a valid subhandle",
  );
  assertStringIncludes(
    lab.guests.get("vm0")!.machine.describe().join("\n"),
    `MSI: irq ${irq}, vector ${hostVector} on cpu${cpu}`,
  );
});

Deno.test("patch 18: the device's message gets the guest's vector on the slave, and the kernel's log says so", () => {
  const { rig, lab, vm, device, guestIrq } = assigned("rfc-v2");
  const [{ guestVector, hostVector, cpu, irq }] = device.interrupts() as [
    ReturnType<typeof device.interrupts>[0],
  ];
  assertEquals([hostVector, cpu], [guestIrq.vector, 3]);
  assertEquals(guestVector, guestIrq.vector);
  assert(lab.host.cpus[3]!.vectorIrq.has(guestVector), "patch 13: registered on the slave");
  const [gsi] = [...Array(64).keys()].filter((each) => vm.chips!.routing.routesOf(each)[0]?.type === "msi");
  assertEquals(
    rig.ok("dmesg | tail -2 | cut -c16-"),
    `\
assigned_device slave msi: irq:${gsi} host:${irq} vec:${guestVector} mask:00000008
slave vector remap: irq: ${irq} => vector: ${guestVector}
`,
  );
  lab.software.irqs.setAffinity(irq, 1);
  const [moved] = device.interrupts();
  assert(
    moved!.hostVector !== guestVector && moved!.cpu === 0,
    "on an online CPU it has a vector of the host's",
  );
});

Deno.test("the guest sees 32 bits of address and no mask under pci-assign, whatever the device has", () => {
  const { rig } = assigned("kvm", "maskable");
  assertMatch(rig.ok("ssh vm0 lspci -v"), /MSI: Enable\+ Count=1\/1 Maskable- 64bit-/);
});

Deno.test("qemu-kvm 1.1: a changed message goes elsewhere at the next write of Message Control, so one change late", () => {
  const { rig, vm, software, guestIrq, ring } = assigned("kvm", "plain", "-smp 2");
  const route = () => {
    const [gsi] = [...Array(64).keys()].filter((line) => vm.chips!.routing.routesOf(line)[0]?.type === "msi");
    const found = vm.chips!.routing.routesOf(gsi!)[0]!;
    return found.type === "msi" ? found.addressLow >>> 12 & 0xff : -1;
  };
  const move = (mask: string) => {
    rig.ok(`ssh vm0 'echo ${mask} > /proc/irq/${guestIrq.irq}/smp_affinity'`);
    ring(); // CONFIG_GENERIC_PENDING_IRQ: it moves when it comes
  };
  assertEquals(route(), 0);
  move("2");
  assertEquals([software.irqs.get(guestIrq.irq)!.cpu, route()], [1, 0], "late");
  move("1");
  assertEquals([software.irqs.get(guestIrq.irq)!.cpu, route()], [0, 1], "what was asked for before");
});

/** A guest of two vCPUs with the virtual function, whose queue's interrupt goes to the second one. */
function movedInGuest(system: string, setUp: string, guestIrq: number) {
  const rig = new SessionRig({ system });
  rig.ok(setUp);
  const { lab } = rig;
  const { machine: { file: { vm } }, kernel, software } = lab.guests.get("vm0")!;
  const [device] = vm.assigned;
  const hardware = () => device!.interrupts()[0]!;
  const before = hardware();
  rig.ok("irq vf0; run 1ms");
  rig.ok(`ssh vm0 'echo 2 > /proc/irq/${guestIrq}/smp_affinity'`);
  rig.ok("irq vf0; run 1ms");
  const taken = () => [...Array(2).keys()].map((cpu) => kernel.interruptCounts(guestIrq)[cpu]!);
  const counted = taken();
  rig.ok("irq vf0; run 1ms");
  const after = taken();
  return {
    counts: after.map((count, cpu) => count - counted[cpu]!),
    before,
    after: hardware(),
    guest: software.irqs.get(guestIrq)!,
  };
}

const BY_ASSIGN = `
echo 8086 10ed > /sys/bus/pci/drivers/pci-stub/new_id
echo 0000:05:00.0 > /sys/bus/pci/drivers/ixgbevf/unbind
echo 0 > /sys/devices/system/cpu/cpu3/online
${QEMU} -smp 2 -device pci-assign,host=05:00.0
ssh vm0 true`;
const BY_VFIO = `boot kvm --era today
echo vfio-pci > /sys/bus/pci/devices/0000:05:00.0/driver_override
echo 0000:05:00.0 > /sys/bus/pci/devices/0000:05:00.0/driver/unbind
echo 0000:05:00.0 > /sys/bus/pci/drivers_probe
qemu-system-x86_64 -accel kvm -cpu host -smp 2 -name guest=vm0 -device vfio-pci,host=05:00.0
ssh vm0 true`;

Deno.test("MSI-X: an entry that the guest's kernel changes goes elsewhere when its mask opens", () => {
  for (const [setUp, irq] of [[BY_ASSIGN, 40], [BY_VFIO, 40]] as const) {
    const { counts, guest, after } = movedInGuest("kvm", setUp, irq);
    assertEquals([guest.cpu, counts], [1, [0, 1]], "its second vCPU takes it");
    assertEquals(after.guestVector, guest.vector);
  }
});

Deno.test("a finding about patch 18: the device keeps vector and slaves of the time when its messages were switched on", () => {
  const { before, after, guest, counts } = movedInGuest("rfc-v2", BY_ASSIGN, 40);
  assertEquals([after.hostVector, after.cpu], [before.hostVector, before.cpu]);
  assert(
    after.guestVector !== after.hostVector && after.guestVector === guest.vector,
    "the guest's is another by now",
  );
  assertEquals(counts, [1, 0], "the first vCPU, which has its slave, takes what is the second one's");
});

/** What a script with a machine and the device at `devfn` prints, `errno` or 0 for each call. */
function calls(devfn: number, ...flags: string[]): string {
  const rig = new SessionRig({ system: "kvm", devices: [bell("plain")] });
  rig.ok(FREE);
  return rig.ok(`
kvm = open("/dev/kvm", O_RDWR);
vm = ioctl(kvm, KVM_CREATE_VM, 0);
ioctl(vm, KVM_CREATE_IRQCHIP, 0);
ioctl(vm, KVM_ASSIGN_PCI_DEVICE, { .assigned_dev_id = 1, .devfn = ${devfn}, .flags = 1 });
for flags in ${flags.join(" ")}; do
  errno=0
  ioctl(vm, KVM_ASSIGN_DEV_IRQ, { .assigned_dev_id = 1, .guest_irq = 24, .flags = flags }); printf '%d ' $errno
done
for i in 1 2; do
  errno=0
  ioctl(vm, KVM_DEASSIGN_DEV_IRQ, { .assigned_dev_id = 1, .flags = 0x202 }); printf '%d ' $errno
done`);
}

const EINVAL = 22, EEXIST = 17, ENXIO = 6;

Deno.test("KVM_ASSIGN_DEV_IRQ takes MSI on both sides, once; what is assigned goes by KVM_DEASSIGN_DEV_IRQ, once", () => {
  assertEquals(
    calls(0xf8, "0x202", "0x202", "0x404", "0x606"),
    `0 ${EEXIST} ${EEXIST} ${EINVAL} 0 ${ENXIO} `,
  );
  assertEquals(calls(0xf8, "0x404"), `${EINVAL} ${ENXIO} ${ENXIO} `, "without MSI-X entries");
});

// ---- VFIO ----

Deno.test("VFIO: vfio-msi, without a thread; the guest sees the device's layout, and a changed message goes there at once", () => {
  const rig = new SessionRig({ system: "kvm", devices: [bell("maskable")] });
  rig.ok(`boot kvm --era today
echo ${BELL} > /sys/bus/pci/drivers/bell/unbind
echo vfio-pci > /sys/bus/pci/devices/${BELL}/driver_override
echo ${BELL} > /sys/bus/pci/drivers_probe
qemu-system-x86_64 -accel kvm -cpu host -smp 2 -name guest=vm0 -drive file=kvm/test.img,if=virtio,format=raw -device vfio-pci,host=00:1f.0
ssh vm0 true`);
  assertMatch(
    rig.ok("grep vfio /proc/interrupts"),
    /IR-PCI-MSI-0000:00:1f\.0 +0-edge +vfio-msi\[0\]\(0000:00:1f\.0\)/,
  );
  assertMatch(rig.ok("ssh vm0 lspci -v"), /MSI: Enable\+ Count=1\/1 Maskable\+ 64bit\+/);
  const { device, ring, taken, vm, guestIrq } = running(rig);
  const before = [device.forwarded, taken()] as const;
  ring();
  assertEquals([device.forwarded - before[0], taken() - before[1]], [1, 1]);
  rig.ok(`ssh vm0 'echo 2 > /proc/irq/${guestIrq.irq}/smp_affinity'`);
  ring();
  const routes = [...Array(64).keys()].flatMap((gsi) => vm.chips!.routing.routesOf(gsi));
  assert(
    routes.some((route) =>
      route.type === "msi" && (route.addressLow >>> 12 & 0xff) === 1 &&
      (route.data & 0xff) === guestIrq.vector
    ),
  );
});
