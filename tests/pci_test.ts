import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { parseBdf, type PciBus, type PciEffect } from "../hw/pci.ts";
import type { Nic82599 } from "../hw/nic_82599.ts";
import { buildPciBus } from "../hw/machine_pci.ts";
import { TALK_TOPOLOGY } from "../hw/machine_topology.ts";
import type { Activity } from "../hw/sim/activity.ts";
import { StateHash } from "../hw/sim/state_hash.ts";
import { Ixgbe, IXGBE_VFS_MAX } from "../runtime/linux/drivers/ixgbe.ts";
import { Ixgbevf } from "../runtime/linux/drivers/ixgbevf.ts";
import { NetDeviceNames } from "../runtime/linux/drivers/net_device_names.ts";
import { addStubIds, PciStub } from "../runtime/linux/drivers/pci_stub.ts";
import {
  EACCES,
  EBUSY,
  EEXIST,
  EINVAL,
  EIO,
  EISDIR,
  ENODEV,
  ENOENT,
  ENOMEM,
  ENOSPC,
  EPERM,
  Errno,
} from "../runtime/linux/errno.ts";
import { PCI_QUIRKS, PciCore, settle } from "../runtime/linux/pci/pci_bus.ts";
import { type PciCosts, pciSteps } from "../runtime/linux/pci/pci_costs.ts";
import type { PciDevice, PciPorts } from "../runtime/linux/pci/pci_device.ts";
import { scanHex } from "../runtime/linux/pci/pci_ids.ts";
import { pciSysfs } from "../runtime/linux/fs/sysfs/sysfs_pci.ts";
import { SYSFS, Vfs } from "../runtime/linux/fs/vfs.ts";

const COSTS: PciCosts = {
  sysfsStore: 2_000,
  matchDevice: 100,
  deviceLockWait: 10_000,
  msixVector: 3_000,
  enableSriov: 100_000_000,
  disableSriov: 1_000_000_000,
  pciStubProbe: 200_000,
  pciStubRemove: 50_000,
  ixgbeProbe: 300_000_000,
  ixgbeRemove: 60_000_000,
  ixgbevfProbe: 30_000_000,
  ixgbevfRemove: 20_000_000,
};

const VF = "0000:05:00.0";
const PF = "0000:04:00.0";
const DRIVERS = "/sys/bus/pci/drivers";
const DEVICES = "/sys/bus/pci/devices";

interface Host {
  readonly bus: PciBus;
  readonly nic: Nic82599;
  readonly core: PciCore;
  readonly vfs: Vfs;
  readonly log: string[];
  readonly effects: PciEffect[];
  /** IRQ number -> name, as `/proc/interrupts` would list them. */
  readonly irqs: Map<number, string>;
  vectorsLeft: number;
}

/** A booted host with PF and VFs bound, as the talk's was before slide 30. */
function boot(
  version: "3.5" | "6.18" = "3.5",
  { maxVfs = 1, topology = TALK_TOPOLOGY }: { maxVfs?: number; topology?: typeof TALK_TOPOLOGY } = {},
): Host {
  const { bus, nics } = buildPciBus(topology);
  const log: string[] = [];
  const effects: PciEffect[] = [];
  const irqs = new Map<number, string>();
  const names = new NetDeviceNames(["eth0"]);
  const ports: PciPorts = {
    log: (text) => log.push(text),
    apply: (news) => effects.push(...news),
    nowNs: () => 0,
    onlineCpuCount: () => 4,
    localCpuList: () => "0-3",
    localCpuMask: () => "f",
    interrupts: {
      allocate(device, name, entry) {
        if (host.vectorsLeft-- <= 0) return ENOSPC;
        const irq = Math.max(39, ...irqs.keys()) + 1;
        irqs.set(irq, name);
        device.writeMessage(entry, { address: 0xfee0_0000, data: 0x60 + irq - 40 });
        return irq;
      },
      handle: () => {},
      free: (irq) => void irqs.delete(irq),
      requestLine: () => EBUSY,
      freeLine: () => {},
    },
  };
  const core = new PciCore(bus, ports, pciSteps(COSTS, 1), PCI_QUIRKS[version]);
  const vfs = new Vfs();
  const host: Host = { bus, nic: nics[0]!, core, vfs, log, effects, irqs, vectorsLeft: 100 };
  const sysfs = pciSysfs(core);
  vfs.mount("/sys/bus/pci", sysfs.bus, SYSFS);
  vfs.mount("/sys/devices/pci0000:00", sysfs.devices, SYSFS);
  // pci-stub is built in and registers first; the network drivers are modules.
  settle(core.scan());
  settle(core.registerDriver(new PciStub(core.steps)));
  settle(core.registerDriver(new Ixgbe(core, names, maxVfs)));
  settle(core.registerDriver(new Ixgbevf(core.steps, names)));
  return host;
}

function echo({ vfs }: Host, text: string, path: string): Errno | number {
  const file = vfs.open(path, { write: true, create: true, truncate: true });
  return file instanceof Errno ? file : settle(file.write(`${text}\n`));
}

function cat({ vfs }: Host, path: string): string | Errno {
  const file = vfs.open(path, { read: true });
  return file instanceof Errno ? file : settle(file.read());
}

function elapsedNs<T>(activity: Activity<T>): number {
  let total = 0;
  for (let step = activity.next(0); !step.done; step = activity.next(0)) total += step.value.ns;
  return total;
}

function device(host: Host, name: string): PciDevice {
  const found = host.core.device(name);
  assert(found, name);
  return found;
}

Deno.test("a virtual function's own identifiers read all ones", () => {
  const { bus } = boot();
  assertEquals(bus.read(parseBdf(VF)!, 0x00, 4), 0xffff_ffff);
});

Deno.test("after boot PF and VF are bound, each with its MSI-X vectors", () => {
  const host = boot();
  assertEquals(host.core.driverOf("05:00.0"), "ixgbevf");
  assertEquals(host.core.driverOf(PF), "ixgbe");
  assertEquals(host.core.driverOf("0000:00:01.0"), undefined);
  assertEquals([...host.irqs.values()], ["eth1-TxRx-0", "eth1", "eth2-TxRx-0", "eth2:mbx"]);
  assertEquals(device(host, VF).enabledMsiXEntries(), [0, 1]);
  assertEquals(device(host, PF).enabledMsiXEntries(), [0, 1]);
});

Deno.test("without virtual functions the physical one has a vector per CPU", () => {
  const host = boot("3.5", { maxVfs: 0 });
  assertEquals([...host.irqs.values()], [0, 1, 2, 3].map((q) => `eth1-TxRx-${q}`).concat("eth1"));
  assertEquals(host.vfs.stat(`${DEVICES}/${VF}`), ENOENT);
});

Deno.test("a queue interrupt of a bound VF is the message that the kernel wrote", () => {
  const host = boot();
  const effects = host.nic.vf(0).raiseQueue(0, "rx", 0);
  assertEquals(effects.map((effect) => effect.kind === "msi" && effect.data), [0x62]);
});

Deno.test("the slide's order works with full names and blanks: new_id, unbind, bind", () => {
  const host = boot();
  assertEquals(echo(host, "8086 10ed", `${DRIVERS}/pci-stub/new_id`), 10);
  assertEquals(host.core.driverOf(VF), "ixgbevf");
  assertEquals(echo(host, VF, `${DRIVERS}/ixgbevf/unbind`), 13);
  assertEquals(host.core.driverOf(VF), undefined);
  assertEquals(echo(host, VF, `${DRIVERS}/pci-stub/bind`), 13);
  assertEquals(host.core.driverOf(VF), "pci-stub");
  assertEquals(host.log.at(-1), `pci-stub ${VF}: claimed by stub`);
  assertEquals([...host.irqs.values()], ["eth1-TxRx-0", "eth1"]);
  assertEquals(device(host, VF).enabledMsiXEntries(), []);
});

Deno.test("in the order unbind, new_id, bind the new_id claims the device and bind fails", () => {
  const host = boot();
  echo(host, VF, `${DRIVERS}/ixgbevf/unbind`);
  echo(host, "8086 10ed", `${DRIVERS}/pci-stub/new_id`);
  assertEquals(host.core.driverOf(VF), "pci-stub");
  assertStrictEquals(echo(host, VF, `${DRIVERS}/pci-stub/bind`), ENODEV);
});

Deno.test("bind of a device that has a driver: ENODEV in 3.5, EBUSY in 6.18", () => {
  for (const [version, errno] of [["3.5", ENODEV], ["6.18", EBUSY]] as const) {
    const host = boot(version);
    assertStrictEquals(echo(host, VF, `${DRIVERS}/ixgbevf/bind`), errno);
  }
});

Deno.test("bind and unbind want the full name, and the right driver", () => {
  const host = boot();
  for (const name of ["05:00.0", "0000:05:00.1", "", "0000:05:00.0 "]) {
    assertStrictEquals(echo(host, name, `${DRIVERS}/ixgbevf/unbind`), ENODEV, name);
    assertStrictEquals(echo(host, name, `${DRIVERS}/ixgbevf/bind`), ENODEV, name);
  }
  assertStrictEquals(echo(host, VF, `${DRIVERS}/ixgbe/unbind`), ENODEV);
  echo(host, VF, `${DRIVERS}/ixgbevf/unbind`);
  assertStrictEquals(echo(host, VF, `${DRIVERS}/ixgbevf/unbind`), ENODEV);
  // pci-stub has no identifiers of its own.
  assertStrictEquals(echo(host, VF, `${DRIVERS}/pci-stub/bind`), ENODEV);
});

Deno.test("new_id wants two hexadecimal fields", () => {
  const host = boot();
  for (const text of ["8086:10ed", "xyz", "dead", "", "8086,10ed"]) {
    assertStrictEquals(echo(host, text, `${DRIVERS}/pci-stub/new_id`), EINVAL, text);
  }
  assertEquals(echo(host, "0x8086   0x10ED", `${DRIVERS}/pci-stub/new_id`), 16);
});

Deno.test("sscanf's %x skips blanks, takes 0x, and stops at what is no digit", () => {
  assertEquals(scanHex(" 8086\t10ed", " ", 7), [0x8086, 0x10ed]);
  assertEquals(scanHex("808610ed", " ", 7), [0x808610ed]);
  assertEquals(scanHex("8086:10ed", " ", 7), [0x8086]);
  assertEquals(scanHex("8086:10ed", ":", 6), [0x8086, 0x10ed]);
  assertEquals(scanHex("1ffffffff", " ", 7), [0xffffffff]);
  assertEquals(scanHex("1 2 3", " ", 2), [1, 2]);
});

Deno.test("new_id of an identifier that the driver has: accepted in 3.5, EEXIST in 6.18", () => {
  for (const path of [`${DRIVERS}/ixgbevf/new_id`, `${DRIVERS}/pci-stub/new_id`]) {
    const old = boot("3.5");
    const now = boot("6.18");
    echo(old, "8086 10ed", path);
    assertEquals(echo(old, "8086 10ed", path), 10);
    echo(now, "8086 10ed", path);
    assertStrictEquals(echo(now, "8086 10ed", path), EEXIST);
  }
});

Deno.test("new_id probes every unbound device that matches", () => {
  const host = boot("3.5", { maxVfs: 3 });
  const vfs = [VF, "0000:05:00.2", "0000:05:00.4"];
  for (const vf of [VF, "0000:05:00.4"]) echo(host, vf, `${DRIVERS}/ixgbevf/unbind`);
  echo(host, "8086 10ed", `${DRIVERS}/pci-stub/new_id`);
  assertEquals(vfs.map((vf) => host.core.driverOf(vf)), ["pci-stub", "ixgbevf", "pci-stub"]);
});

Deno.test("remove_id: EINVAL, ENODEV, or the identifier is gone and bound devices stay", () => {
  const host = boot();
  const path = `${DRIVERS}/pci-stub/remove_id`;
  assertStrictEquals(echo(host, "8086", path), EINVAL);
  assertStrictEquals(echo(host, "8086 10ed", path), ENODEV);
  echo(host, "8086 10ed", `${DRIVERS}/pci-stub/new_id`);
  echo(host, VF, `${DRIVERS}/ixgbevf/unbind`);
  echo(host, VF, `${DRIVERS}/pci-stub/bind`);
  assertEquals(echo(host, "8086 10ed", path), 10);
  assertEquals(host.core.driverOf(VF), "pci-stub");
  assertStrictEquals(echo(host, "8086 10ed", path), ENODEV);
});

Deno.test("ixgbe refuses a virtual function, and bind says so by version", () => {
  for (const [version, errno] of [["3.5", ENODEV], ["6.18", EINVAL]] as const) {
    const host = boot(version);
    echo(host, VF, `${DRIVERS}/ixgbevf/unbind`);
    echo(host, "8086 10ed", `${DRIVERS}/ixgbe/new_id`);
    assertEquals(host.core.driverOf(VF), undefined);
    const says = version === "3.5"
      ? `ixgbe: probe of ${VF} failed with error -22`
      : `ixgbe ${VF}: probe with driver ixgbe failed with error -22`;
    assertEquals(host.log.at(-1), says);
    assertStrictEquals(echo(host, VF, `${DRIVERS}/ixgbe/bind`), errno);
  }
});

Deno.test("a probe that gets no vectors leaves the device as it was", () => {
  const host = boot();
  echo(host, VF, `${DRIVERS}/ixgbevf/unbind`);
  host.vectorsLeft = 1;
  assertStrictEquals(echo(host, VF, `${DRIVERS}/ixgbevf/bind`), ENODEV);
  const vf = device(host, VF);
  assertEquals([vf.driver, vf.enableCount, vf.messageIrqs.size], [undefined, 0, 0]);
  assertEquals(vf.fn.msiX!.table.enabled, false);
  host.vectorsLeft = 10;
  assertEquals(echo(host, VF, `${DRIVERS}/ixgbevf/bind`), 13);
  assertEquals([...host.irqs.values()].slice(2), ["eth2-TxRx-0", "eth2:mbx"]);
});

Deno.test("unbinding ixgbe takes the virtual functions away, unless one is assigned", () => {
  const host = boot();
  echo(host, PF, `${DRIVERS}/ixgbe/unbind`);
  assertEquals(host.core.device(VF), undefined);
  assertEquals(host.irqs.size, 0);
  assertEquals(host.log.at(-1), `ixgbe ${PF}: complete`);
  echo(host, PF, `${DRIVERS}/ixgbe/bind`);
  assertEquals(host.core.driverOf(VF), "ixgbevf");

  device(host, VF).assigned = true;
  echo(host, PF, `${DRIVERS}/ixgbe/unbind`);
  assertEquals(host.core.driverOf(VF), "ixgbevf");
  assertMatch(host.log.at(-2)!, /Unloading driver while VFs are assigned/);
});

Deno.test("virtual functions beyond the buses of the root port cannot be enabled", () => {
  const topology = {
    ...TALK_TOPOLOGY,
    rootPorts: [{ ...TALK_TOPOLOGY.rootPorts[0]!, subordinateBus: 4 }],
  };
  const host = boot("3.5", { topology });
  assertEquals(host.core.device(VF), undefined);
  assert(host.log.includes(`ixgbe ${PF}: SR-IOV: bus number out of range`));
  assertStrictEquals(settle(host.core.enableSriov(device(host, PF), 1)), ENOMEM);
});

Deno.test("max_vfs is cut to 63", () => {
  const host = boot("3.5", { maxVfs: 100 });
  assertEquals(host.core.virtualFunctions(device(host, PF)).length, IXGBE_VFS_MAX);
  assertEquals(IXGBE_VFS_MAX, 63);
});

Deno.test("stores take the time of their work", () => {
  const { core } = boot();
  assertEquals(elapsedNs(core.unbind("ixgbevf", VF)), COSTS.sysfsStore + COSTS.ixgbevfRemove);
  // Port, PF and VF are held against the driver; the VF matches.
  assertEquals(
    elapsedNs(core.newId("pci-stub", "8086 10ed")),
    COSTS.sysfsStore + 3 * COSTS.matchDevice + COSTS.pciStubProbe,
  );
});

Deno.test("a bind that meets a probe under way waits for it", () => {
  const { core } = boot();
  settle(core.unbind("ixgbevf", VF));
  settle(core.newId("pci-stub", "8086 1111"));
  const first = core.bind("ixgbevf", VF);
  first.next(0); // the store
  first.next(0); // the match
  first.next(0); // the probe
  const second = core.unbind("ixgbevf", VF);
  second.next(0);
  assertEquals(second.next(0).value, core.steps.deviceLockWait);
  assertEquals(settle(first), undefined);
  assertEquals(core.driverOf(VF), "ixgbevf");
  assertEquals(settle(second), undefined);
  assertEquals(core.driverOf(VF), undefined);
});

Deno.test("an entry's vector can be rewritten and the rest of its message stays", () => {
  const host = boot();
  const vf = device(host, VF);
  vf.rewriteVector(0, 0x2a);
  const message = vf.fn.msiX!.table.message(0);
  assertEquals([message.address, message.data], [0xfee0_0000, 0x2a]);
  assertThrows(() => vf.rewriteVector(3, 0x2a), RangeError);
  vf.setMask(1, true);
  assertEquals(vf.enabledMsiXEntries(), [0]);
  assertThrows(() => device(host, "0000:00:01.0").rewriteVector(0, 1), RangeError, "no MSI-X");
});

Deno.test("a reset switches MSI-X off and keeps the Command register", () => {
  const vf = device(boot(), VF);
  vf.reset();
  assertEquals(vf.fn.msiX!.table.enabled, false);
  assertEquals(vf.fn.busMaster, true);
});

Deno.test("pci-stub.ids= takes colons and logs each identifier", () => {
  const { core, log } = boot();
  settle(addStubIds(core, "8086:10ed,8086,8086:10fb:1:2"));
  assertEquals(log.slice(-3), [
    "pci-stub: add 8086:10ED sub=FFFFFFFF:FFFFFFFF cls=00000000/00000000",
    'pci-stub: invalid id string "8086"',
    "pci-stub: add 8086:10FB sub=0001:0002 cls=00000000/00000000",
  ]);
});

Deno.test("a device's directory shows its numbers", () => {
  const host = boot();
  const show = (name: string) => cat(host, `${DEVICES}/${VF}/${name}`);
  assertEquals(show("vendor"), "0x8086\n");
  assertEquals(show("device"), "0x10ed\n");
  assertEquals(show("class"), "0x020000\n");
  assertEquals(show("subsystem_device"), "0x0003\n");
  assertEquals(show("irq"), "0\n");
  assertEquals(show("numa_node"), "-1\n");
  assertEquals(show("local_cpulist"), "0-3\n");
  assertEquals(show("modalias"), "pci:v00008086d000010EDsv00008086sd00000003bc02sc00i00\n");
  assertEquals(
    show("uevent"),
    "DRIVER=ixgbevf\nPCI_CLASS=20000\nPCI_ID=8086:10ED\nPCI_SUBSYS_ID=8086:0003\n" +
      `PCI_SLOT_NAME=${VF}\nMODALIAS=pci:v00008086d000010EDsv00008086sd00000003bc02sc00i00\n`,
  );
  assertEquals(cat(host, `${DEVICES}/${PF}/irq`), "16\n");
  const resources = (cat(host, `${DEVICES}/${PF}/resource`) as string).split("\n");
  assertEquals(resources.length, 14);
  assertEquals(resources[0], "0x00000000f0000000 0x00000000f007ffff 0x000000000014220c");
  assertEquals(resources[2], "0x000000000000e000 0x000000000000e01f 0x0000000000040101");
  assertEquals(resources[7], "0x00000000f0084000 0x00000000f0183fff 0x000000000014220c");
});

Deno.test("links lead from bus to devices, drivers and physical function", () => {
  const host = boot();
  const { vfs } = host;
  const real = `/sys/devices/pci0000:00/0000:00:01.0/${VF}`;
  assertEquals(vfs.realpath(`${DEVICES}/${VF}`), real);
  assertEquals(vfs.readlink(`${DEVICES}/${VF}/driver`), "../../../../bus/pci/drivers/ixgbevf");
  assertEquals(vfs.readlink("/sys/bus/pci/devices/0000:00:01.0/subsystem"), "../../../bus/pci");
  assertEquals(vfs.realpath(`${DRIVERS}/ixgbevf/${VF}`), real);
  assertEquals(vfs.realpath(`${DEVICES}/${VF}/physfn`), `/sys/devices/pci0000:00/0000:00:01.0/${PF}`);
  assertEquals(vfs.realpath(`${DEVICES}/${PF}/virtfn0`), real);
  assertEquals(vfs.list(DEVICES), ["0000:00:01.0", PF, VF]);
  assertEquals(vfs.list(DRIVERS), ["ixgbe", "ixgbevf", "pci-stub"]);
  assertEquals(vfs.list(`${DRIVERS}/ixgbevf`), [VF, "bind", "new_id", "remove_id", "uevent", "unbind"]);
  assertEquals(vfs.list(`${DEVICES}/${VF}/msi_irqs`), ["42", "43"]);
  assertEquals(vfs.list(`${DEVICES}/${VF}/msi_irqs/42`), ["mode"]);
  echo(host, VF, `${DRIVERS}/ixgbevf/unbind`);
  assertStrictEquals(vfs.readlink(`${DEVICES}/${VF}/driver`), ENOENT);
});

Deno.test("modes bind root, and nothing can be made", () => {
  const host = boot();
  assertStrictEquals(cat(host, `${DRIVERS}/pci-stub/bind`), EACCES);
  assertStrictEquals(echo(host, "1", `${DEVICES}/${VF}/vendor`), EACCES);
  assertStrictEquals(echo(host, "1", `${DEVICES}/${VF}/foo`), EACCES);
  assertStrictEquals(echo(host, "1", `${DRIVERS}/nosuch/bind`), ENOENT);
  assertStrictEquals(echo(host, "1", `${DRIVERS}/pci-stub`), EISDIR);
  assertStrictEquals(host.vfs.mkdir(`${DRIVERS}/foo`), EPERM);
  assertEquals(host.vfs.stat(`${DRIVERS}/pci-stub/new_id`), { kind: "file", mode: 0o200, size: 4096 });
});

Deno.test("enable counts, and a device that is off cannot be switched off", () => {
  const host = boot();
  const path = `${DEVICES}/${VF}/enable`;
  assertEquals(cat(host, path), "1\n");
  echo(host, VF, `${DRIVERS}/ixgbevf/unbind`);
  assertEquals(cat(host, path), "0\n");
  assertStrictEquals(echo(host, "0", path), EIO);
  assertStrictEquals(echo(host, "x", path), EINVAL);
  assertEquals(echo(host, "1", path), 2);
  assertEquals(cat(host, path), "1\n");
});

Deno.test("3.5 has neither driver_override nor sriov_numvfs", () => {
  const host = boot("3.5");
  assertStrictEquals(host.vfs.stat(`${DEVICES}/${VF}/driver_override`), ENOENT);
  assertStrictEquals(host.vfs.stat(`${DEVICES}/${PF}/sriov_numvfs`), ENOENT);
});

Deno.test("driver_override names the only driver that may bind, and clears with an empty line", () => {
  const host = boot("6.18");
  const path = `${DEVICES}/${VF}/driver_override`;
  assertEquals(cat(host, path), "(null)\n");
  echo(host, "pci-stub", path);
  assertEquals(cat(host, path), "pci-stub\n");
  assertEquals(host.core.driverOf(VF), "ixgbevf");
  echo(host, VF, `${DRIVERS}/ixgbevf/unbind`);
  assertStrictEquals(echo(host, VF, `${DRIVERS}/ixgbevf/bind`), ENODEV);
  assertEquals(echo(host, VF, `${DRIVERS}/pci-stub/bind`), 13);
  echo(host, "", path);
  assertEquals(cat(host, path), "(null)\n");
});

Deno.test("sriov_numvfs changes the number by way of 0", () => {
  const host = boot("6.18", { maxVfs: 0 });
  const path = `${DEVICES}/${PF}/sriov_numvfs`;
  assertEquals(cat(host, `${DEVICES}/${PF}/sriov_totalvfs`), "63\n");
  assertEquals(echo(host, "2", path), 2);
  assertEquals(cat(host, path), "2\n");
  assertEquals(host.core.driverOf("05:00.2"), "ixgbevf");
  assertStrictEquals(echo(host, "3", path), EBUSY);
  assertEquals(echo(host, "0", path), 2);
  assertEquals(host.core.device(VF), undefined);
});

Deno.test("the state hash of the core tells who drives what", () => {
  const hash = ({ core, bus }: Host) => {
    const state = new StateHash();
    core.hashInto(state);
    bus.hashInto(state);
    return state.hex();
  };
  const host = boot();
  const before = hash(host);
  assertEquals(before, hash(boot()));
  echo(host, VF, `${DRIVERS}/ixgbevf/unbind`);
  assert(hash(host) !== before);
});
