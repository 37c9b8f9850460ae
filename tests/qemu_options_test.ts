/** QEMU's command line: what it describes, and what QEMU says about a wrong one. */
import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { parseKeyValues } from "../runtime/qemu/key_values.ts";
import { parseOptions, QemuEnds, type QemuHost, type QemuOptions } from "../runtime/qemu/options.ts";
import { defaultKvmFeatures } from "../runtime/qemu/cpu_models.ts";

/** Splits at blanks: none of these lines quotes anything. */
function words(line: string): string[] {
  return line.split(/\s+/).filter((word) => word !== "");
}

function accepted(line: string, host?: QemuHost): QemuOptions {
  const result = parseOptions(words(`qemu-kvm.patched ${line}`), host);
  assert(!(result instanceof QemuEnds), result instanceof QemuEnds ? result.stderr.join("\n") : "");
  return result;
}

/** The lines on standard error of a command line that QEMU refuses with status 1. */
function refused(line: string, host?: QemuHost, program = "qemu-kvm.patched"): readonly string[] {
  const result = parseOptions(words(`${program} ${line}`), host);
  assertInstanceOf(result, QemuEnds, `${line} was accepted`);
  assertEquals([result.status, result.stdout], [1, []]);
  return result.stderr;
}

const slide30 = `-m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -serial pty -nographic
  -drive file=kvm/test.img,if=virtio -device pci-assign,host=05:00.0`;

Deno.test("slide 30's command line describes the talk's guest", () => {
  const options = accepted(slide30);
  assertEquals(options, {
    era: "2012",
    program: "qemu-kvm.patched",
    machine: "pc-1.1",
    memoryMiB: 1024,
    cpus: 1,
    cpuModel: "qemu64",
    cpuFeatures: { on: new Set(["x2apic"]), off: new Set<string>() },
    tscKhz: undefined,
    kvmFeatures: new Set(defaultKvmFeatures("qemu64", "2012")),
    kvm: true,
    irqchip: "on",
    kvmPit: false,
    kvmPitReinjection: true,
    serial: ["pty"],
    monitor: ["stdio"],
    machineProtocolOnStdio: false,
    nographic: true,
    vga: "cirrus",
    drives: [{ file: "kvm/test.img", bus: "virtio", media: "disk", readOnly: false }],
    disks: [{
      file: "kvm/test.img",
      readOnly: false,
      direct: false,
      ioeventfd: true,
      eventIndex: true,
      indirect: true,
    }],
    nic: { name: "e1000.0", model: "e1000", mac: "52:54:00:12:34:56", netdev: undefined },
    netdevType: "user",
    netdevs: new Set<string>(),
    devices: [{
      model: "pci-assign",
      properties: new Map([["host", "0000:05:00.0"]]),
      words: "-device pci-assign,host=05:00.0",
    }],
    append: undefined,
    stopped: false,
    acpi: true,
    noReboot: false,
    noShutdown: false,
    memoryLocked: false,
    guestHalts: false,
    name: undefined,
    namedThreads: false,
    pidFile: undefined,
    withoutEffect: [],
    warnings: [],
  });
});

Deno.test("without options it is one vCPU of 128 MiB with everything in the kernel", () => {
  const { memoryMiB, cpus, cpuModel, irqchip, kvmPit, drives, devices, stopped } = accepted("");
  assertEquals([memoryMiB, cpus, cpuModel], [128, 1, "qemu64"]);
  assertEquals([irqchip, kvmPit, drives, devices, stopped], ["on", true, [], [], false]);
});

Deno.test("every modelled option reaches its field", () => {
  const options = accepted(
    "-S -name vm0 -smp 2 -no-kvm-irqchip -no-kvm-pit-reinjection -vga none -monitor pty -m 2G -M pc test.img",
  );
  assertEquals([options.stopped, options.name, options.cpus, options.memoryMiB], [true, "vm0", 2, 2048]);
  assertEquals([options.irqchip, options.kvmPit, options.kvmPitReinjection], ["off", false, false]);
  assertEquals([options.vga, options.monitor, options.machine], ["none", ["pty"], "pc-1.1"]);
  assertEquals(options.drives, [{ file: "test.img", bus: "ide", media: "disk", readOnly: false }]);
  assertEquals(accepted("-name guest=rt,debug-threads=on").name, "rt");
  assertEquals(accepted("--name two-dashes").name, "two-dashes");
  assertEquals(accepted("-M pc,kernel_irqchip=off,accel=kvm").irqchip, "off");
});

Deno.test("what nothing in the model depends on is accepted and listed as without effect", () => {
  assertEquals(accepted("-boot c -m 1G -no-hpet").withoutEffect, ["-boot c", "-no-hpet"]);
});

Deno.test("an unknown option stops the parse, with the program's name as typed", () => {
  assertEquals(refused("-foo"), ["qemu-kvm.patched: -foo: invalid option"]);
  assertEquals(refused("--foo"), ["qemu-kvm.patched: --foo: invalid option"]);
  assertEquals(refused("-foo", {}, "./bin/qemu-kvm"), ["qemu-kvm: -foo: invalid option"]);
  assertEquals(refused("-m 1x -foo")[0]?.includes("-m 1x"), true);
  assertEquals(refused("-foo -m 1x"), ["qemu-kvm.patched: -foo: invalid option"]);
});

Deno.test("options of later years are invalid in 2012", () => {
  for (const option of ["-accel", "-overcommit", "-object", "-blockdev"]) {
    assertEquals(refused(`${option} x`), [`qemu-kvm.patched: ${option}: invalid option`]);
  }
});

Deno.test("an option that needs an argument says so", () => {
  for (const option of ["-m", "-cpu", "-drive", "-device", "-serial", "-smp", "-name", "-vga"]) {
    assertEquals(refused(`-S ${option}`), [`qemu-kvm.patched: ${option}: requires an argument`]);
  }
});

Deno.test("a memory size is a number with an optional suffix, in MiB without one", () => {
  for (
    const [text, memoryMiB] of [["64", 64], ["1024M", 1024], ["1.5G", 1536], ["524288k", 512], [
      "0",
      128,
    ]] as const
  ) {
    assertEquals(accepted(`-m ${text}`).memoryMiB, memoryMiB);
  }
  assertEquals(refused("-m 1x"), [
    "qemu-kvm.patched: -m 1x: Parameter 'size' expects a non-negative number below 2^64",
    "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-",
    "and exabytes, respectively.",
  ]);
  assertStringIncludes(refused("-m 99999999E")[0] ?? "", "below 2^64");
  assertStringIncludes(refused("-m -1")[0] ?? "", "-m -1: Parameter 'size'");
});

Deno.test("CPU models and features are known ones", () => {
  const { cpuModel, cpuFeatures } = accepted("-cpu SandyBridge,+x2apic,-tsc-deadline,pni=on,check,level=7");
  assertEquals([cpuModel, [...cpuFeatures.on], [...cpuFeatures.off]], [
    "SandyBridge",
    ["x2apic", "sse3"],
    ["tsc-deadline"],
  ]);
  assertEquals(accepted("-cpu qemu64,-x2apic,+x2apic").cpuFeatures.on, new Set<string>());
  assertEquals(refused("-cpu nosuch"), ["qemu-kvm.patched: unable to find CPU model 'nosuch'"]);
  assertEquals(refused("-cpu qemu64,+nosuch"), [
    "qemu-kvm.patched: Property 'qemu64-x86_64-cpu.nosuch' not found",
  ]);
  assertEquals(refused("-cpu qemu64,-foo"), ["qemu-kvm.patched: Property 'qemu64-x86_64-cpu.foo' not found"]);
});

Deno.test("vCPU counts fit the machine and their topology", () => {
  assertEquals(accepted("-smp 4 -smp 2").cpus, 2);
  assertEquals(accepted("-smp 2,sockets=1,cores=2,threads=1").cpus, 2);
  assertEquals(refused("-smp 300"), [
    "qemu-kvm.patched: Invalid SMP CPUs 300. The max CPUs supported by machine 'pc-1.1' is 255",
  ]);
  assertEquals(refused("-smp 2,sockets=3"), [
    "qemu-kvm.patched: Invalid CPU topology: product of the hierarchy must match maxcpus: " +
    "sockets (3) * dies (1) * cores (1) * threads (1) != maxcpus (2)",
  ]);
  assertEquals(refused("-smp two"), ["qemu-kvm.patched: -smp two: Parameter 'cpus' expects a number"]);
});

Deno.test("a drive has known keys, a known bus and an image that opens", () => {
  const host = {
    openImage: (file: string) => file === "nosuch.img" ? "No such file or directory" : undefined,
  };
  assertEquals(accepted("-drive file=a,,b.img,if=virtio,readonly -cdrom x.iso", host).drives, [
    { file: "a,b.img", bus: "virtio", media: "disk", readOnly: true },
    { file: "x.iso", bus: "ide", media: "cdrom", readOnly: true },
  ]);
  assertEquals(refused("-drive file=nosuch.img,if=virtio", host), [
    "qemu-kvm.patched: -drive file=nosuch.img,if=virtio: Could not open 'nosuch.img': No such file or directory",
  ]);
  assertEquals(refused("nosuch.img", host), [
    "qemu-kvm.patched: nosuch.img: Could not open 'nosuch.img': No such file or directory",
  ]);
  assertEquals(refused("-drive file=x,if=nosuch"), [
    "qemu-kvm.patched: -drive file=x,if=nosuch: unsupported bus type 'nosuch'",
  ]);
  assertEquals(refused("-drive file=x,foo=1"), [
    "qemu-kvm.patched: -drive file=x,foo=1: Invalid parameter 'foo'",
  ]);
});

Deno.test("a device has a known model, known properties and a PCI address", () => {
  const at = "qemu-kvm.patched: -device";
  assertEquals(refused("-device nosuch"), [`${at} nosuch: 'nosuch' is not a valid device model name`]);
  assertEquals(refused("-device vfio-pci,host=05:00.0"), [
    `${at} vfio-pci,host=05:00.0: 'vfio-pci' is not a valid device model name`,
  ]);
  assertEquals(refused("-device host=05:00.0"), [`${at} host=05:00.0: Parameter 'driver' is missing`]);
  assertEquals(refused("-device pci-assign,foo=1"), [
    `${at} pci-assign,foo=1: Property 'pci-assign.foo' not found`,
  ]);
  assertEquals(refused("-device pci-assign,host=zz"), [
    `${at} pci-assign,host=zz: Property 'pci-assign.host' doesn't take value 'zz'`,
  ]);
  assertEquals(refused("-device pci-assign"), [`${at} pci-assign: No host device specified`]);
  assertEquals(refused("-device e1000"), [`${at} e1000: device model 'e1000' is not modelled`]);
  assertEquals(refused("-device pci-assign,host=5:0.0,id=a -device pci-assign,host=6:0.0,id=a"), [
    `${at} pci-assign,host=6:0.0,id=a: Duplicate ID 'a' for device`,
  ]);
  assertEquals(
    accepted("-device pci-assign,host=0001:05:1f.7").devices[0]?.properties.get("host"),
    "0001:05:1f.7",
  );
});

Deno.test("serial ports and monitors share the terminal at most once", () => {
  const placed = (line: string) => {
    const { serial, monitor } = accepted(line);
    return { serial, monitor };
  };
  assertEquals(placed("-nographic"), { serial: ["mon:stdio"], monitor: [] });
  assertEquals(placed("-nographic -serial pty"), { serial: ["pty"], monitor: ["stdio"] });
  assertEquals(placed("-serial pty -monitor none"), { serial: ["pty"], monitor: [] });
  assertEquals(placed(""), { serial: ["vc"], monitor: ["vc"] });
  assertEquals(placed("-nodefaults"), { serial: [], monitor: [] });
  assertEquals(refused("-nographic -monitor stdio"), [
    "qemu-kvm.patched: cannot use stdio by multiple character devices",
  ]);
  assertEquals(refused("-serial nosuch"), [
    "qemu-kvm.patched: -serial nosuch: could not connect serial device to character backend 'nosuch'",
  ]);
});

Deno.test("the first bad thing in QEMU's order is the one reported, not the first on the line", () => {
  const faults: [option: string, text: string][] = [
    ["-nosuch", "invalid option"],
    ["-M nosuch", "unsupported machine type"],
    ["-cpu nosuch", "unable to find CPU model"],
    ["-drive file=x,if=nosuch", "unsupported bus type"],
    ["-serial nosuch", "could not connect serial device"],
    ["-device nosuch", "not a valid device model name"],
  ];
  for (let first = 0; first < faults.length; first++) {
    const line = faults.slice(first).map(([option]) => option).reverse().join(" ");
    assertStringIncludes(refused(line)[0] ?? "", faults[first]?.[1] ?? "");
  }
});

Deno.test("what QEMU knows and the model does not is refused by name", () => {
  assertEquals(refused("-usb"), ["qemu-kvm.patched: -usb: this option is not modelled"]);
  assertEquals(refused("-net user"), ["qemu-kvm.patched: -net user: this option is not modelled"]);
  assertEquals(refused("-no-kvm"), ["qemu-kvm.patched: -no-kvm: emulation without KVM is not modelled"]);
});

Deno.test("KVM that does not open ends QEMU after the machine's checks and before the CPU's", () => {
  const host = { openKvm: () => "No such file or directory" };
  assertEquals(refused("-enable-kvm -cpu nosuch", host), [
    "Could not access KVM kernel module: No such file or directory",
    "failed to initialize KVM: No such file or directory",
    "No accelerator found!",
  ]);
  assertStringIncludes(refused("-enable-kvm -M nosuch", host)[0] ?? "", "unsupported machine type");
});

Deno.test("help and version end QEMU with status 0", () => {
  const version = parseOptions(["qemu-kvm", "-version"]);
  assertInstanceOf(version, QemuEnds);
  assertEquals([version.status, version.stderr], [0, []]);
  assertStringIncludes(version.stdout[0] ?? "", "QEMU emulator version 1.1");
});

Deno.test("in a key=value list two commas are one, a bare word is a switch and the last value counts", () => {
  const list = (text: string, implied?: string) => [...parseKeyValues(text, implied)];
  assertEquals(list("a=1,,2,b=x=y"), [["a", "1,2"], ["b", "x=y"]]);
  assertEquals(list("e1000,id=n", "driver"), [["driver", "e1000"], ["id", "n"]]);
  assertEquals(list("server,nowait"), [["server", "on"], ["wait", "off"]]);
  assertEquals(list("a=1,a=2"), [["a", "2"]]);
  assertEquals(list("a=,b=1"), [["a", ""], ["b", "1"]]);
  assertEquals(list("a,,b,c=1", "driver"), [["driver", "a,b"], ["c", "1"]]);
});
