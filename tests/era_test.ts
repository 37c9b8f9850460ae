/**
 * Eras: the talk's host and today's, as scripts find them; the kernel command line; IOMMU groups and vfio-pci.
 *
 * Expected values: `Documentation/admin-guide/kernel-parameters.txt`, `Documentation/driver-api/vfio.rst`,
 * `Documentation/ABI/testing/sysfs-bus-pci`, and sessions on Linux 6.18.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { main } from "../dsl/cli.ts";
import { eraNamed } from "../runtime/lab/eras.ts";
import { parseCommandLine } from "../runtime/linux/command_line.ts";
import { FakeHost, SessionRig } from "./session_rig.ts";

const TODAY = "set -o era=today\n";
const VF = "0000:05:00.0";
const VF_DEVICE = `/sys/bus/pci/devices/${VF}`;

/** A host of today, with stock KVM. */
function today(): SessionRig {
  const rig = new SessionRig({ system: "kvm", strict: true });
  rig.ok(TODAY);
  return rig;
}

Deno.test("an era is a host kernel with what it shows: attributes come and go with it", () => {
  const rig = new SessionRig({ strict: true });
  const there = (path: string) => rig.run(`[ -e ${path} ]`).status === 0;
  const paths = [
    `${VF_DEVICE}/driver_override`,
    `${VF_DEVICE}/iommu_group`,
    "/sys/bus/pci/devices/0000:04:00.0/sriov_numvfs",
    "/sys/bus/pci/drivers/vfio-pci",
    "/sys/kernel/iommu_groups",
    "/dev/vfio/vfio",
    "/sys/devices/system/cpu/cpu0/topology/package_cpus",
  ];
  assertEquals(rig.ok("uname -r"), "3.5.0-rc6\n");
  assertEquals(paths.map(there), paths.map(() => false));
  assertEquals(rig.run(TODAY).err, "note: era today: there is no system rfc-v2; booted kvm\n");
  assertEquals(rig.ok("uname -r"), "6.18.0\n");
  assertEquals(paths.map(there), paths.map(() => true));
  assertEquals(rig.run("set -o era=2012; uname -r"), { status: 0, out: "3.5.0-rc6\n", err: "" });
});

Deno.test("set -o era: what it is already changes nothing; a misspelt one is refused; only the session's own shell", () => {
  const rig = new SessionRig();
  const { lab } = rig;
  rig.ok("set -o era=2012");
  assertEquals(rig.lab === lab, true);
  assertEquals(rig.run("set -o era=2013"), {
    status: 2,
    out: "",
    err: "x.rtk: line 1: set: era=2013: expected era=2012 or era=today\n",
  });
  assertEquals(
    rig.run("(set -o era=today)").err,
    "x.rtk: line 1: set: era=today: only in the session's own shell: it boots a fresh machine\n",
  );
});

Deno.test("today nobody has the patches: no such system can be booted, and KVM_SET_SLAVE_CPU is EINVAL", () => {
  const rig = today();
  const refused = rig.run("boot rfc-v2");
  assertEquals(refused.status, 2);
  assertStringIncludes(refused.err, "boot: system rfc-v2 in era today: the patches were made for Linux 3.5");
  assertEquals(rig.lab.options.system.name, "kvm");
  const script = `kvm = open("/dev/kvm", O_RDWR);
vm = ioctl(kvm, KVM_CREATE_VM, 0);
vcpu[0] = ioctl(vm, KVM_CREATE_VCPU, 0);
echo 0 > /sys/devices/system/cpu/cpu3/online
ioctl(vcpu[0], KVM_SET_SLAVE_CPU, 3);
echo $errno`;
  assertEquals(rig.run(script).out, "22\n");
});

Deno.test("run --era today: the script's machine is of that time; a system that it has not is wrong use", async () => {
  const host = new FakeHost({ "x.rtk": "uname -r\n" });
  assertEquals(await main(["run", "--era", "today", "x.rtk"], host), 0);
  assertEquals(host.stdout, "6.18.0\n");
  assertEquals(await main(["run", "--era", "today", "--system", "rfc-v2", "x.rtk"], host), 2);
  assertEquals(await main(["run", "--era", "tomorrow", "x.rtk"], host), 2);
  assertStringIncludes(host.stderr, 'run: unknown era "tomorrow": expected one of 2012, today');
});

Deno.test("today: /proc/interrupts names the device and the entry of a message-signalled interrupt", () => {
  const rows = today().ok("cat /proc/interrupts").split("\n");
  const row = (irq: string) => rows.find((line) => line.startsWith(irq))!.slice(4).replace(/^( +\d+){4}/, "");
  assertEquals(row("  1:"), " IR-IO-APIC   1-edge      i8042");
  assertEquals(row(" 42:"), " IR-PCI-MSIX-0000:05:00.0   0-edge      eth2-TxRx-0");
  assertEquals(
    rows.slice(rows.findIndex((line) => line.startsWith("NMI"))).map((line) => line.slice(0, 3)).join(" ")
      .trim(),
    "NMI LOC SPU PMI IWI RTR RES CAL TLB TRM THR DFR MCE MCP HYP ERR MIS PIN NPI PIW",
  );
});

// ---- IOMMU groups, vfio-pci ----

Deno.test("behind a port without ACS all functions are one group; today's port has it, and each is one of its own", () => {
  const rig = today();
  const members = "cd /sys/kernel/iommu_groups; for n in *; do echo $n $(ls $n/devices); done";
  assertEquals(rig.ok(members), "0 0000:00:01.0\n1 0000:04:00.0\n2 0000:05:00.0\n");
  assertEquals(rig.ok(`readlink ${VF_DEVICE}/iommu_group`), "../../../../kernel/iommu_groups/2\n");
  // The talk's desktop port, under a kernel of today.
  const { topology } = eraNamed("2012")!;
  rig.session.boot({ era: { ...eraNamed("today")!, topology } });
  assertEquals(rig.ok(members), "0 0000:00:01.0 0000:04:00.0 0000:05:00.0\n");
});

Deno.test("driver_override and drivers_probe give the device to vfio-pci; its group has a file while it is bound", () => {
  const rig = today();
  assertEquals(rig.ok("ls /dev/vfio"), "vfio\n");
  assertEquals(rig.ok(`cat ${VF_DEVICE}/driver_override`), "(null)\n");
  rig.ok(`echo vfio-pci > ${VF_DEVICE}/driver_override`);
  assertEquals(rig.ok(`basename $(readlink ${VF_DEVICE}/driver)`), "ixgbevf\n"); // it neither binds nor unbinds
  rig.ok(`echo ${VF} > ${VF_DEVICE}/driver/unbind; echo ${VF} > /sys/bus/pci/drivers_probe`);
  assertEquals(rig.ok(`basename $(readlink ${VF_DEVICE}/driver); ls /dev/vfio`), "vfio-pci\n2\nvfio\n");
  rig.ok(`echo > ${VF_DEVICE}/driver_override; echo ${VF} > ${VF_DEVICE}/driver/unbind`);
  assertEquals(rig.ok("ls /dev/vfio"), "vfio\n");
  rig.ok(`echo ${VF} > /sys/bus/pci/drivers_probe`);
  assertEquals(rig.ok(`basename $(readlink ${VF_DEVICE}/driver)`), "ixgbevf\n");
});

Deno.test("new_id has vfio-pci claim the device once nobody drives it; the same numbers again: File exists", () => {
  const rig = today();
  rig.ok(`echo ${VF} > ${VF_DEVICE}/driver/unbind; echo 8086 10ed > /sys/bus/pci/drivers/vfio-pci/new_id`);
  assertEquals(rig.ok(`basename $(readlink ${VF_DEVICE}/driver)`), "vfio-pci\n");
  assertEquals(
    rig.run("echo 8086 10ed > /sys/bus/pci/drivers/vfio-pci/new_id").err,
    "x.rtk: line 1: echo: write error: File exists\n",
  );
});

Deno.test("without an IOMMU there are no groups, and vfio-pci refuses: Invalid argument, and a line in the log", () => {
  const rig = today();
  rig.ok("boot --append intel_iommu=off");
  assertEquals(rig.run("ls /sys/kernel/iommu_groups").status, 2);
  rig.ok(`echo vfio-pci > ${VF_DEVICE}/driver_override; echo ${VF} > ${VF_DEVICE}/driver/unbind`);
  assertEquals(
    rig.run(`echo ${VF} > /sys/bus/pci/drivers/vfio-pci/bind`).err,
    "x.rtk: line 1: echo: write error: Invalid argument\n",
  );
  assertStringIncludes(
    rig.ok("dmesg | tail -n 1"),
    "vfio-pci 0000:05:00.0: probe with driver vfio-pci failed with error -22",
  );
});

Deno.test("a group is open once, and can be given away while no driver of the host has a device of it", () => {
  const rig = today();
  const { vfio, pci } = rig.lab.software;
  const device = pci.device(VF)!, group = pci.iommu!.of(device)!;
  assertEquals(vfio!.isViable(group), false); // ixgbevf
  rig.ok(`echo ${VF} > ${VF_DEVICE}/driver/unbind; echo 8086 10ed > /sys/bus/pci/drivers/vfio-pci/new_id`);
  assertEquals(vfio!.isViable(group), true);
  assertEquals(
    rig.run("exec 5<> /dev/vfio/2; exec 6<> /dev/vfio/2").err,
    "x.rtk: line 1: /dev/vfio/2: Device or resource busy\n",
  );
});

Deno.test("a device that is removed is gone, with its virtual functions; rescan finds it and its driver makes them again", () => {
  const rig = today();
  rig.ok("echo 1 > /sys/bus/pci/devices/0000:04:00.0/remove");
  assertEquals(rig.ok("ls /sys/bus/pci/devices"), "0000:00:01.0\n");
  rig.ok("echo 1 > /sys/bus/pci/rescan");
  assertEquals(rig.ok("ls /sys/bus/pci/devices"), "0000:00:01.0\n0000:04:00.0\n0000:05:00.0\n");
});

Deno.test("with sriov_drivers_autoprobe off virtual functions come without a driver", () => {
  const rig = today();
  rig.ok(`cd /sys/bus/pci/devices/0000:04:00.0
    echo 0 > sriov_numvfs; echo 0 > sriov_drivers_autoprobe; echo 2 > sriov_numvfs`);
  assertEquals(
    rig.ok("ls -d /sys/bus/pci/devices/0000:05:*/driver 2> /dev/null; ls /sys/bus/pci/devices | tail -n 2"),
    "0000:05:00.0\n0000:05:00.2\n",
  );
});

Deno.test("a device that a guest has is not let go: unbind is busy, and the card keeps its virtual functions", () => {
  const rig = today();
  rig.ok(`echo ${VF} > ${VF_DEVICE}/driver/unbind; echo 8086 10ed > /sys/bus/pci/drivers/vfio-pci/new_id
    qemu-kvm -m 1024 -nographic -device vfio-pci,host=05:00.0; ssh vm0 true`);
  const { status, err } = rig.run(`echo ${VF} > /sys/bus/pci/drivers/vfio-pci/unbind`);
  assertEquals([status, err], [1, "x.rtk: line 1: echo: write error: Device or resource busy\n"]);
  assertEquals(
    rig.run("echo 0 > /sys/bus/pci/devices/0000:04:00.0/sriov_numvfs").err,
    "x.rtk: line 1: echo: write error: Operation not permitted\n",
  );
  rig.ok("kill $(ps -eo pid,comm | awk '/qemu/ { print $1 }'); sleep 1");
  rig.ok(
    `echo ${VF} > /sys/bus/pci/drivers/vfio-pci/unbind; echo 0 > /sys/bus/pci/devices/0000:04:00.0/sriov_numvfs`,
  );
});

// ---- the kernel command line ----

Deno.test("isolcpus: the scheduler leaves the CPUs alone, whatever the load, unless a task asks for one", () => {
  for (const era of ["2012", "today"]) {
    const rig = new SessionRig({ system: "kvm" });
    rig.ok(`boot --era ${era} --append "isolcpus=2,3"`);
    assertEquals(rig.ok("cat /sys/devices/system/cpu/isolated"), "2-3\n");
    rig.ok("stress -q -c 8 &\nsleep 1");
    const hogs = () => [...rig.lab.host.spinning].map(({ cpu }) => cpu);
    assertEquals(hogs().filter((cpu) => cpu > 1), []);
    rig.ok("taskset -c 2,3 stress -q -c 2 &\nsleep 1");
    assertEquals(hogs().filter((cpu) => cpu > 1), [2, 2]); // nobody balances: the first of the two, for both
    assertEquals(rig.lab.options.append, "isolcpus=2,3");
  }
});

Deno.test("without isolcpus isolated is an empty set: a bare newline", () => {
  assertEquals(new SessionRig().ok("cat /sys/devices/system/cpu/isolated"), "\n");
});

Deno.test("irqaffinity: interrupts go there by default", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok('boot --append "irqaffinity=1"');
  assertEquals(rig.ok("cat /proc/irq/default_smp_affinity /proc/irq/42/smp_affinity"), "2\n2\n");
});

Deno.test("pci-stub.ids claims what is there before the drivers come, as the log says", () => {
  const rig = new SessionRig();
  rig.ok("boot --append pci-stub.ids=8086:10ed");
  assertEquals(rig.ok(`basename $(readlink ${VF_DEVICE}/driver)`), "pci-stub\n");
  const log = rig.ok("dmesg");
  assertStringIncludes(log, "pci-stub: add 8086:10ED sub=FFFFFFFF:FFFFFFFF cls=00000000/00000000");
  assertStringIncludes(log, `pci-stub ${VF}: claimed by stub`);
});

Deno.test("a parameter that is not modelled is refused by name, before anything is booted", () => {
  const rig = new SessionRig();
  const { lab } = rig;
  for (
    const [append, says] of [
      ["nohz_full=3", "nohz_full=3: not modelled: the tick of a busy CPU goes on here"],
      ["rcu_nocbs=3", "rcu_nocbs=3: not modelled: RCU callbacks are part of the background here, CPU by CPU"],
      ["isolcpus=4", "isolcpus=4: expected a list of CPUs from 0 to 3, such as 1,3 or 2-3"],
      ["isolcpus=0-3", "isolcpus=0-3: no CPU is left for everybody else"],
      ["isolcpus=nohz,3", "isolcpus=nohz,3: nohz is not modelled: the tick of a busy CPU goes on here"],
      ["intel_iommu=yes", "intel_iommu=yes: expected on or off"],
      ["frobnicate", "frobnicate: the model does not know this parameter"],
    ]
  ) {
    assertEquals(rig.run(`boot --append "${append}"`), {
      status: 2,
      out: "",
      err: `x.rtk: line 1: boot: ${says}\n`,
    });
  }
  assert(rig.lab === lab);
});

Deno.test("of a parameter that stands there twice the last counts; isolcpus takes its flags", () => {
  const parsed = parseCommandLine(
    "ro intel_iommu=on isolcpus=1 isolcpus=domain,managed_irq,2-3 intel_iommu=off",
    4,
  );
  assert(typeof parsed !== "string");
  assertEquals([parsed.isolated, parsed.iommu, parsed.irqAffinity, parsed.maxVfs], [
    0b1100,
    false,
    0,
    undefined,
  ]);
});

Deno.test("a kernel is not built with a command line that is refused", () => {
  const rig = new SessionRig();
  assertThrows(() => rig.session.boot({ append: "nohz_full=3" }), RangeError, "nohz_full=3: not modelled");
});

// ---- tools ----

Deno.test("today: iperf 2.1.8 counts connections from 1, prints four decimals and tells the handshake", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  rig.ok(TODAY);
  const lines = rig.ok("iperf -s > /dev/null &\nssh peer iperf -c vm0 -t 0.02 -i 0.01").split("\n");
  assertEquals(lines[2], "TCP window size: 16.0 KByte (default)");
  assertMatch(
    lines[4]!,
    /^\[ {2}1\] local 192\.168\.10\.3 port 47700 connected with 192\.168\.10\.1 port 5001 \(icwnd\/mss\/irtt=14\/1448\/\d+\)$/,
  );
  assertEquals(lines[5], "[ ID] Interval       Transfer     Bandwidth");
  assertMatch(lines[6]!, /^\[ {2}1\] 0\.0000-0\.0100 sec {2}\d\S+ MBytes {2}\d\S* [MG]bits\/sec$/);
  const old = new SessionRig({ system: "bare-metal" });
  assertMatch(
    old.ok("iperf -s > /dev/null &\nssh peer iperf -c vm0 -t 0.02"),
    /\n\[ {2}3\] {2}0\.0- 0\.0 sec /,
  );
});
