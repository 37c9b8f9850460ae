/**
 * The set-up scripts of `examples/setup/`, each in the manner of scripts that hosts are prepared with: it runs to its end,
 * leaves the state that it promises, can be run again where such scripts can, and says what is wrong.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { EXAMPLES as AT_PROMPT } from "../dsl/host/examples.ts";
import { SessionRig, SETUP_SCRIPTS } from "./session_rig.ts";

const VF = "0000:05:00.0", PF = "0000:04:00.0";
const tested = new Set<string>();

/** A host, stock KVM, errno-exact; `setup` runs a script of the folder in a shell of its own. */
function host(era: "2012" | "today") {
  const rig = new SessionRig({ system: "kvm", strict: true });
  rig.ok(`set -o era=${era}`);
  const setup = (name: string, args = "", more = "") => {
    tested.add(name);
    return rig.run(`sh /root/examples/setup/${name}.rtk ${args}${more}`);
  };
  const ok = (name: string, args = "") => {
    const { status, out, err } = setup(name, args);
    assertEquals([status, err], [0, ""], `${name} ${args}`);
    return out;
  };
  const driver = (address: string) => rig.lab.software.pci.driverOf(address);
  return { rig, setup, ok, driver };
}

Deno.test("vfio_bind: a device, by address or by its numbers, is vfio-pci's; again, it stays so", () => {
  const { rig, ok, driver } = host("today");
  const says = `${VF}: vfio-pci, /dev/vfio/2\n`;
  assertEquals(ok("vfio_bind", VF), says);
  assertEquals([driver(VF), driver(PF)], ["vfio-pci", "ixgbe"]);
  const { event } = rig.lab.engine;
  assertEquals([ok("vfio_bind", "05:00.0"), ok("vfio_bind", "8086:10ED")], [says, says]);
  assert(rig.lab.engine.event > event);
  assertEquals([driver(VF), rig.ok("ls /dev/vfio")], ["vfio-pci", "2\nvfio\n"]);
});

Deno.test("vfio_bind: no such device, no argument, no IOMMU: it says so and changes nothing", () => {
  const { rig, setup, driver } = host("today");
  assertEquals(setup("vfio_bind", "0000:09:00.0").err, "vfio_bind: 0000:09:00.0: no such device\n");
  assertEquals(setup("vfio_bind", "8086:ffff").err, "vfio_bind: 8086:ffff: no such device\n");
  assertEquals(setup("vfio_bind", "eth1").err, "vfio_bind: eth1: neither an address nor VENDOR:DEVICE\n");
  assertEquals(setup("vfio_bind").status, 1);
  rig.ok("boot --append intel_iommu=off");
  const { status, err } = setup("vfio_bind", VF);
  assertEquals([status, driver(VF)], [1, "ixgbevf"]);
  assertStringIncludes(err, "no IOMMU group: intel_iommu=on is missing");
});

Deno.test("iommu_group: all endpoints of a group go to vfio-pci together, bridges stay", () => {
  const { ok, driver, setup, rig } = host("today");
  assertMatch(
    ok("iommu_group", "--list"),
    /^group 2 +05:00\.0 Ethernet controller \[0200\]: .* driver ixgbevf$/m,
  );
  assertEquals(ok("iommu_group", VF), `group 2: 1 for -device vfio-pci,host=${VF}, in /dev/vfio/2\n`);
  ok("iommu_group", VF);
  assertEquals([driver(VF), driver(PF)], ["vfio-pci", "ixgbe"]);
  // Under the talk's port both functions are in one group, and the physical one is the host's own interface.
  const { era } = rig.lab.options;
  rig.session.boot({ era: { ...era, topology: host("2012").rig.lab.options.era.topology } });
  assertEquals(setup("iommu_group", VF).err, `iommu_group: group 0: ${PF} is eth1, which is up\n`);
  assertEquals(driver(VF), "ixgbevf");
});

Deno.test("driver_override: the choice holds now and is kept for the next start; unset gives the device back", () => {
  const { rig, ok, setup, driver } = host("today");
  ok("driver_override", `set ${VF} vfio-pci`);
  assertEquals([driver(VF), rig.ok(`cat /etc/driver-overrides/${VF}`)], ["vfio-pci", "vfio-pci\n"]);
  assertEquals(ok("driver_override", "list"), `0000:00:01.0 none\n${PF} ixgbe\n${VF} vfio-pci [*]\n`);
  rig.ok(
    `echo > /sys/bus/pci/devices/${VF}/driver_override; echo ${VF} > /sys/bus/pci/drivers/vfio-pci/unbind`,
  );
  ok("driver_override", "load");
  assertEquals(driver(VF), "vfio-pci");
  ok("driver_override", `unset ${VF}`);
  assertEquals([driver(VF), rig.ok("ls /etc/driver-overrides")], ["ixgbevf", ""]);
  assertEquals(setup("driver_override", `set ${VF} vfio`).err, "driver_override: vfio: no such driver\n");
  assertEquals(
    setup("driver_override", "frob").err,
    "driver_override: frob: expected set, unset, load or list\n",
  );
});

Deno.test("sriov: as many virtual functions as asked for, with or without the host's driver; again, none goes", () => {
  const { rig, ok, setup } = host("today");
  const made = "virtfn0  0000:05:00.0  none\nvirtfn1  0000:05:00.2  none\nvirtfn2  0000:05:00.4  none\n";
  assertEquals(ok("sriov", "-d eth1 3"), made);
  const device = rig.lab.software.pci.device("0000:05:00.2");
  assertEquals(ok("sriov", "-d eth1 3"), made);
  assert(rig.lab.software.pci.device("0000:05:00.2") === device);
  assertEquals(ok("sriov", "eth1 1"), "virtfn0  0000:05:00.0  ixgbevf\n");
  assertEquals(ok("sriov", "eth1 0"), "");
  assertEquals(rig.ok(`cat /sys/bus/pci/devices/${PF}/sriov_numvfs`), "0\n");
  assertEquals(setup("sriov", "eth1 64").err, "sriov: eth1: 64 functions asked for, it has 63\n");
  assertEquals(setup("sriov", "eth9 1").err, "sriov: eth9: no such interface, or a card without SR-IOV\n");
  assertEquals(setup("sriov", "eth1 many").status, 2);
});

Deno.test("irq_affinity: the vector of a queue goes where it is sent, and its interrupts with it", () => {
  for (const era of ["2012", "today"] as const) {
    const { rig, ok, setup } = host(era);
    rig.ok("systemctl start irqbalance; sleep 11");
    assertEquals(ok("irq_affinity", "eth2 1-2"), "eth2: irq 42 to cpu1, mask 2\n");
    assertEquals(rig.ok("pidof irqbalance || echo gone"), "gone\n"); // it would have led them elsewhere
    rig.ok("irq vf0; run 1ms");
    assertEquals([...Array.from(rig.lab.host.interruptCounts(42))], [0, 1, 0, 0]);
    assertEquals(ok("irq_affinity", "eth2 local"), "eth2: irq 42 to cpu0, mask 1\n");
    assertEquals(ok("irq_affinity", "eth1 all"), "eth1: irq 40 to cpu0, mask 1\n");
    assertEquals(
      setup("irq_affinity", "eth7 1").err,
      "irq_affinity: eth7 has no queues in /proc/interrupts\n",
    );
  }
});

Deno.test("irq_affinity: four queues on two CPUs take turns", () => {
  const { rig, ok } = host("2012");
  rig.ok("boot --append ixgbe.max_vfs=0"); // with SR-IOV the physical function has one queue only
  assertEquals(
    ok("irq_affinity", "eth1 1,3").replace(/^eth1: irq \d+ to /gm, ""),
    "cpu1, mask 2\ncpu3, mask 8\ncpu1, mask 2\ncpu3, mask 8\n",
  );
});

Deno.test("shield: the CPUs are for chosen tasks alone, whatever the load; reset gives them back", () => {
  const { rig, ok, setup } = host("2012");
  rig.ok("stress -q -c 8 &\nsleep 1");
  const where = () => new Set([...rig.lab.host.spinning].map(({ cpu }) => cpu));
  assertEquals(where().size, 4);
  assertMatch(ok("shield", "2-3"), /^shield: cpus 2-3 for 0 tasks, the others on 0-1\n$/);
  rig.ok("sleep 1");
  assertEquals([...where()].sort(), [0, 1]);
  const [chosen] = [...rig.lab.host.spinning];
  assertStringIncludes(ok("shield", `2-3 enter ${chosen!.pid}`), "for 1 tasks");
  rig.ok("sleep 1");
  assertEquals(where().size, 3);
  ok("shield", "reset");
  rig.ok("sleep 1");
  assertEquals([where().size, rig.ok("ls -d /dev/cpuset/*/ 2> /dev/null; true")], [4, ""]);
  assertEquals(ok("shield", "reset"), "");
  assertEquals(setup("shield").status, 2);
});

Deno.test("pin_guest: the vCPU's thread alone on its CPU as a real-time task, no interrupt there", () => {
  const { rig, ok, setup } = host("2012");
  rig.ok("qemu-kvm -m 1024 -cpu qemu64,+x2apic -no-kvm-pit -nographic; ssh vm0 true");
  const [thread] = rig.lab.guests.get("vm0")!.machine.threads;
  const says = `thread ${thread!.task!.pid}: cpu2, SCHED_FIFO 5\n`;
  assertStringIncludes(ok("pin_guest", "-p 5 -k 0-1 qemu-kvm 2"), says);
  assertStringIncludes(ok("pin_guest", "-p 5 -k 0-1 qemu-kvm 2"), says);
  assertEquals([thread!.task!.policy, thread!.task!.rtPriority, thread!.task!.allowed], ["SCHED_FIFO", 5, 4]);
  for (const { irq, affinity } of rig.lab.software.irqs.list()) {
    assertEquals([irq, affinity & 0b1100], [irq, 0]);
  }
  rig.ok("ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 200");
  assertEquals(thread!.task!.cpu, 2);
  assertEquals(setup("pin_guest", "qemu-kvm 1 2").err, "pin_guest: qemu-kvm has fewer than 2 vCPUs\n");
  assertEquals(setup("pin_guest", "qemu-system 1").err, "pin_guest: qemu-system does not run\n");
});

Deno.test("profile_host: the profile holds whole after a start with the words that it asks for", () => {
  const { rig, setup } = host("today");
  const first = setup("profile_host", "2-3 100");
  assertEquals(
    [first.status, first.out],
    [
      0,
      "Current active profile: realtime-virtual-host\neth1 (ixgbe): rx-usecs: 100\neth2 (ixgbevf): rx-usecs: 100\n" +
      "not yet, until the kernel is started so:\n  irqaffinity=0,1\n  isolcpus=managed_irq,domain,2-3\n",
    ],
  );
  for (const { irq, affinity } of rig.lab.software.irqs.list()) assertEquals([irq, affinity & ~3], [irq, 0]);
  assertEquals(rig.lab.nic.interrupts.intervalNs(0), 50 * 2048);
  rig.ok('boot --append "isolcpus=managed_irq,domain,2-3 irqaffinity=0,1"');
  const second = setup("profile_host", "2-3");
  assertEquals(
    [second.status, second.out],
    [0, "Current active profile: realtime-virtual-host\nall of realtime-virtual-host holds\n"],
  );
  assertStringIncludes(second.err, "not modelled, and left out: vm.dirty_ratio, ");
  assertEquals(setup("profile_host", "0-3").err, "profile_host: no CPU is left for the host\n");
  assertEquals(setup("profile_host", "3-5").err, "profile_host: CPU 4 is not online\n");
  assertEquals(setup("profile_host").status, 1); // ${1:?} of a parameter that is not there
});

Deno.test("realtime_host: nothing that can move is left on the CPUs for guests, in either era", () => {
  for (const era of ["2012", "today"] as const) {
    const { rig, ok, setup } = host(era);
    rig.ok("stress -q -c 8 &\nsleep 1");
    const first = ok("realtime_host", "2-3");
    assertEquals(ok("realtime_host", "2-3"), first);
    rig.ok("sleep 1");
    const { host: kernel, software } = rig.lab;
    assertEquals([...new Set([...kernel.spinning].map(({ cpu }) => cpu))].sort(), [0, 1]);
    for (const { irq, affinity } of software.irqs.list()) assertEquals([irq, affinity], [irq, 3]);
    const there = [...kernel.tasks.values()].filter(({ cpu, bound }) => cpu > 1 && !bound);
    assertEquals(there.map(({ name }) => name), []);
    const softirqs = [...kernel.tasks.values()].filter(({ name }) => name.startsWith("ksoftirqd"));
    assertEquals(softirqs.map(({ rtPriority }) => rtPriority), [0, 0, 2, 2]);
    assertEquals(kernel.tunables.migrationCostNs, 5_000_000);
    assertEquals(setup("realtime_host", "0-3").err, "realtime_host: no CPU is left for the host\n");
    assertEquals(setup("realtime_host").status, 1); // ${1:?} of a parameter that is not there
  }
});

Deno.test("memory_and_clock: pool, transparent pages and governor as asked for; what cannot be had is said", () => {
  const { rig, ok, setup } = host("2012");
  const says = ok("memory_and_clock", "-m 2048 -t never -g performance");
  assertEquals(says.split("\n").slice(0, 3), [
    "huge pages: 1024 of 2048 kB",
    "transparent huge pages: never",
    "cpu0: performance, 3400 MHz",
  ]);
  assertEquals(ok("memory_and_clock", "-m 2048 -t never -g performance"), says);
  assertEquals(rig.lab.host.memory.usedMib, 2048);
  const { status, err } = setup("memory_and_clock", "-m 99999 -t no -g powersave");
  assertEquals(status, 1);
  assertStringIncludes(err, "memory_and_clock: 8192 of 50000 huge pages: not enough free memory\n");
  assertStringIncludes(err, "memory_and_clock: no: expected one of always madvise never\n");
  assertStringIncludes(err, "memory_and_clock: cpu3: powersave: it has performance \n");
  assertEquals([setup("memory_and_clock").status, setup("memory_and_clock", "-x").status], [2, 2]);
});

Deno.test("isolcpus: the loader's parameters and a start later the CPU has nothing but the kernel's own threads", () => {
  tested.add("isolcpus");
  for (
    const [era, threads] of [
      ["2012", "migration kworker ksoftirqd watchdog"],
      ["today", "cpuhp migration ksoftirqd kworker"],
    ] as const
  ) {
    const rig = new SessionRig({ system: "kvm", strict: true });
    rig.ok(`set -o era=${era}`);
    const first = rig.ok(". /root/examples/setup/isolcpus.rtk 3");
    assertStringIncludes(first, 'append "isolcpus=3 irqaffinity=0,1,2"\nisolated: 3\n');
    const there = first.split("\n").filter((line) => line.startsWith("cpu3: "));
    assertEquals(there.map((line) => line.slice(6).replace(/\/.*/, "")).join(" "), threads);
    // A second run finds the CPU isolated and does not start the machine again.
    const { lab } = rig;
    assertStringIncludes(rig.ok(". /root/examples/setup/isolcpus.rtk 3"), "isolated: 3\ncpu3: ");
    assert(rig.lab === lab);
    assertEquals(rig.lab.software.irqs.list().map(({ cpu }) => cpu === 3), [
      false,
      false,
      false,
      false,
      false,
    ]);
    assertEquals(rig.run(". /root/examples/setup/isolcpus.rtk").status, 1);
  }
});

Deno.test("every script of examples/setup is tested here, and lies beside the prompt's examples", () => {
  const names = Object.keys(SETUP_SCRIPTS).map((path) => path.slice("examples/".length));
  assertEquals(names.length, 11);
  assertEquals([...tested].map((name) => `setup/${name}.rtk`).sort(), [...names].sort());
  for (const name of names) assertEquals(AT_PROMPT.files.get(name), SETUP_SCRIPTS[`examples/${name}`]);
});
