/**
 * QEMU 7.2's command line: the whole option table of the reference page, with its messages word for word. They were
 * captured from QEMU 7.2.22 of Debian 12.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { parseOptions, QemuEnds, type QemuHost, type QemuOptions } from "../runtime/qemu/options.ts";

const NAME = "qemu-system-x86_64";
const ENOENT = "No such file or directory";
/** `nosuch…` files are not there, all others are. */
const FILES: QemuHost = { openImage: (file) => file.startsWith("nosuch") ? ENOENT : undefined };

function parse(line: string, host: QemuHost = FILES, program = NAME): QemuOptions | QemuEnds {
  return parseOptions([program, ...line.split(/\s+/).filter((word) => word !== "")], host, "today");
}

/** What a line that is right describes. */
function accepted(line: string, host?: QemuHost): QemuOptions {
  const result = parse(`-accel kvm ${line}`, host);
  if (result instanceof QemuEnds) throw new Error(`${line}: ${result.stderr.join("\n")}`);
  return result;
}

/** Standard error of a line that QEMU refuses, without the program's name where a line begins with it. */
function refused(line: string, host?: QemuHost, program = NAME): string[] {
  const result = parse(line, host, program);
  if (!(result instanceof QemuEnds)) throw new Error(`${line} was accepted`);
  assertEquals([result.status, result.stdout], [1, []], line);
  return result.stderr.map((text) => text.replace(`${program}: `, "| "));
}

const SIZE = [
  "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-",
  "and exabytes, respectively.",
];
const TOPOLOGY = "Invalid CPU topology: product of the hierarchy must match maxcpus: ";
const RAW = [
  "WARNING: Image format was not specified for 'a.img' and probing guessed raw.",
  "         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be restricted.",
  "         Specify the 'raw' format explicitly to remove the restrictions.",
];

/** A line, and what 7.2 says about it; `| ` stands for the program's name. */
const TABLE: readonly (readonly [line: string, ...stderr: string[]])[] = [
  ["-no-kvm-pit", "| -no-kvm-pit: invalid option"],
  ["-no-kvm-irqchip", "| -no-kvm-irqchip: invalid option"],
  ["-no-kvm-pit-reinjection", "| -no-kvm-pit-reinjection: invalid option"],
  ["-tdf", "| -tdf: invalid option"],
  ["-rtc-td-hack", "| -rtc-td-hack: invalid option"],
  ["-no-kvm", "| -no-kvm: invalid option"],
  ["-pcidevice host=05:00.0", "| -pcidevice: invalid option"],
  [
    "-accel kvm -device pci-assign,host=05:00.0",
    "| -device pci-assign,host=05:00.0: 'pci-assign' is not a valid device model name",
  ],
  ["-device nosuch", "| -device nosuch: 'nosuch' is not a valid device model name"],
  [
    "-accel kvm -device vfio-pci,host=zz",
    "| -device vfio-pci,host=zz: Property 'vfio-pci.host' doesn't take value 'zz'",
  ],
  [
    "-accel kvm -device vfio-pci",
    "| -device vfio-pci: No provided host device",
    "Use -device vfio-pci,host=DDDD:BB:DD.F or -device vfio-pci,sysfsdev=PATH_TO_DEVICE",
  ],
  ["-accel nosuch", "| -accel nosuch: invalid accelerator nosuch"],
  [
    "-accel kvm,kernel-irqchip=bogus",
    "| -accel kvm,kernel-irqchip=bogus: Parameter 'kernel-irqchip' does not accept value 'bogus'",
  ],
  ["-M nosuch", "| unsupported machine type", "Use -machine help to list supported machines"],
  ["-cpu nosuch", "| unable to find CPU model 'nosuch'"],
  ["-cpu qemu64,+nosuch", "| Property 'qemu64-x86_64-cpu.nosuch' not found"],
  ["-cpu host", "| CPU model 'host' requires KVM or HVF"],
  [
    "-cpu qemu64,+x2apic",
    "| warning: TCG doesn't support requested feature: CPUID.01H:ECX.x2apic [bit 21]",
    "| emulation without KVM is not modelled: -accel kvm, or -enable-kvm",
  ],
  ["-m 1x", "| -m 1x: Parameter 'size' expects a non-negative number below 2^64", ...SIZE],
  ["-m", "| -m: requires an argument"],
  ["-smp 300", "| Invalid SMP CPUs 300. The max CPUs supported by machine 'pc-i440fx-7.2' is 255"],
  [
    "-smp 2,sockets=3,cores=1,threads=1",
    `| ${TOPOLOGY}sockets (3) * dies (1) * cores (1) * threads (1) != maxcpus (2)`,
  ],
  [
    "-drive file=nosuch.img,if=virtio",
    "| -drive file=nosuch.img,if=virtio: Could not open 'nosuch.img': No such file or directory",
  ],
  ["-drive file=a.img,if=nosuch", "| -drive file=a.img,if=nosuch: unsupported bus type 'nosuch'"],
  [
    "-drive file=a.img,if=virtio -device nosuch",
    ...RAW,
    "| -device nosuch: 'nosuch' is not a valid device model name",
  ],
  ["-nographic -monitor stdio", "| cannot use stdio by multiple character devices"],
  ["-realtime mlock=on", "| -realtime: invalid option"],
  [
    "-overcommit mem-lock=perhaps",
    "| -overcommit mem-lock=perhaps: Parameter 'mem-lock' expects 'on' or 'off'",
  ],
  [
    "-device virtio-net-pci,netdev=n0",
    "| -device virtio-net-pci,netdev=n0: Property 'virtio-net-device.netdev' can't find value 'n0'",
  ],
  [
    "-netdev user,id=n0",
    "| warning: netdev n0 has no peer",
    "| emulation without KVM is not modelled: -accel kvm, or -enable-kvm",
  ],
  ["-net nic,vlan=0", "| -net nic,vlan=0: Invalid parameter 'vlan'"],
  ["-kernel nosuch", "qemu: could not open kernel file 'nosuch': No such file or directory"],
  ["-append quiet", "| -append only allowed with -kernel option"],
  ["-initrd a.img", "| -initrd only allowed with -kernel option"],
  [
    "-global nosuch.x=1",
    "| warning: global nosuch.x has invalid class name",
    "| emulation without KVM is not modelled: -accel kvm, or -enable-kvm",
  ],
  ["-nosuchoption", "| -nosuchoption: invalid option"],
  ["nosuchimage", "| nosuchimage: Could not open 'nosuchimage': No such file or directory"],
  [
    "-qmp unix:S,server=on",
    "| info: QEMU waiting for connection on: disconnected:unix:S,server=on",
    "note: nobody can connect to it in this laboratory, and QEMU would wait for ever: wait=off (2012: nowait)",
  ],
];

for (const [line, ...stderr] of TABLE) {
  Deno.test(`7.2: ${line}`, () => assertEquals(refused(line), stderr));
}

Deno.test("7.2: the slides' line stops at -no-kvm-pit, and without it at pci-assign", () => {
  const slide = "-m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -serial pty -nographic " +
    "-drive file=kvm/test.img,if=virtio,format=raw -device pci-assign,host=05:00.0";
  assertEquals(refused(slide), ["| -no-kvm-pit: invalid option"]);
  assertEquals(refused(slide.replace("-no-kvm-pit", "")), [
    "| -device pci-assign,host=05:00.0: 'pci-assign' is not a valid device model name",
  ]);
});

Deno.test("7.2: KVM that cannot be opened ends QEMU where KVM was asked for", () => {
  const denied: QemuHost = { ...FILES, openKvm: () => "Permission denied" };
  const lines = ["Could not access KVM kernel module: Permission denied"];
  assertEquals(refused("-enable-kvm", denied), [
    ...lines,
    "| failed to initialize kvm: Permission denied",
  ]);
  assertEquals(refused("-accel kvm", denied), [
    ...lines,
    "| -accel kvm: failed to initialize kvm: Permission denied",
  ]);
  const gone: QemuHost = { openKvm: () => ENOENT };
  assertEquals(refused("-enable-kvm", gone)[0], `Could not access KVM kernel module: ${ENOENT}`);
});

Deno.test("7.2: memory that the host cannot give ends QEMU before its devices", () => {
  const small: QemuHost = { reserve: (mib) => mib > 16_384 ? "Cannot allocate memory" : undefined };
  assertEquals(refused("-accel kvm -m 1T -device nosuch", small), [
    "| cannot set up guest memory 'pc.ram': Cannot allocate memory",
  ]);
  assertEquals(accepted("-m 16G", small).memoryMiB, 16_384);
});

Deno.test("7.2: KVM is used where it is asked for, or by the name of RHEL's program", () => {
  assertEquals(accepted("").kvm, true);
  assertEquals((parse("-enable-kvm") as QemuOptions).kvm, true);
  assertEquals((parse("-machine accel=kvm") as QemuOptions).kvm, true);
  assertEquals((parse("", FILES, "qemu-kvm") as QemuOptions).kvm, true);
  assertEquals(refused(""), ["| emulation without KVM is not modelled: -accel kvm, or -enable-kvm"]);
});

Deno.test("7.2: the interrupt controllers are where kernel-irqchip says, and the PIT with the PIC", () => {
  const places = (line: string) => {
    const { irqchip, kvmPit, machine } = accepted(line);
    return [machine, irqchip, kvmPit];
  };
  assertEquals(places(""), ["pc-i440fx-7.2", "on", true]);
  assertEquals(places("-machine q35,kernel-irqchip=split,hpet=off,acpi=off"), ["pc-q35-7.2", "split", false]);
  assertEquals(places("-M kernel_irqchip=off -M pc"), ["pc-i440fx-7.2", "off", false]);
  assertEquals((parse("-accel kvm,kernel-irqchip=split") as QemuOptions).kvmPit, false);
});

Deno.test("7.2: locked memory, named threads, back-ends and the old switches are taken", () => {
  const options = accepted(
    "-overcommit mem-lock=on -name guest=vm0,debug-threads=on -rtc base=utc,driftfix=slew -no-hpet -no-acpi " +
      "-global kvm-pit.lost_tick_policy=discard -qmp unix:/tmp/q,server=on,wait=off -m 1G -mem-prealloc " +
      "-object memory-backend-file,id=m0,size=1G,mem-path=/dev/hugepages,share=on -M q35,memory-backend=m0 " +
      "-netdev user,id=n0 -device virtio-net-pci,netdev=n0,id=nic0 -device vfio-pci,host=05:00.0,id=vf",
  );
  const { name, namedThreads, memoryLocked, memoryMiB, kvmPitReinjection, warnings } = options;
  assertEquals([name, namedThreads, memoryLocked, memoryMiB, kvmPitReinjection, warnings], [
    "vm0",
    true,
    true,
    1024,
    false,
    [],
  ]);
  assertEquals(options.nic, {
    name: "nic0",
    model: "virtio-net-pci",
    mac: "52:54:00:12:34:56",
    netdev: "n0",
  });
  assertEquals(options.devices.map(({ model, properties }) => [model, properties.get("host")]), [
    ["vfio-pci", "0000:05:00.0"],
  ]);
});

Deno.test("7.2: a file for the guest's memory is opened or made, and its directory has to be there", () => {
  const made: string[] = [];
  const host: QemuHost = {
    openMemory: (path) => path.startsWith("/nosuch/") ? ENOENT : void made.push(path),
  };
  accepted("-mem-path /tmp/ram", host);
  assertEquals(made, ["/tmp/ram"]);
  assertEquals(refused("-accel kvm -mem-path /nosuch/ram", host), [
    `| can't open backing store /nosuch/ram for guest RAM: ${ENOENT}`,
  ]);
});

Deno.test("7.2: CPUs that a topology leaves out are cores, since 6.2", () => {
  assertEquals(accepted("-smp 8 -smp 4").cpus, 4);
  assertEquals(accepted("-smp cpus=4,sockets=1,cores=2,threads=2").cpus, 4);
  assertEquals(accepted("-smp 2,maxcpus=4").cpus, 2);
  assertEquals(refused("-smp 2,sockets=3"), [
    `| ${TOPOLOGY}sockets (3) * dies (1) * cores (0) * threads (1) != maxcpus (2)`,
  ]);
});

Deno.test("7.2: the first bad thing in QEMU's order is reported: options, machine, CPU, drives, chardevs, devices", () => {
  const faults: readonly [option: string, text: string][] = [
    ["-nosuch", "invalid option"],
    ["-M nosuch", "unsupported machine type"],
    ["-cpu nosuch", "unable to find CPU model"],
    ["-drive file=x,if=nosuch,format=raw", "unsupported bus type"],
    ["-serial nosuch", "could not connect serial device"],
    ["-device nosuch", "not a valid device model name"],
  ];
  for (let first = 0; first < faults.length; first++) {
    const line = faults.slice(first).map(([option]) => option).reverse().join(" ");
    assertEquals(refused(line)[0]!.includes(faults[first]![1]), true, line);
  }
});
