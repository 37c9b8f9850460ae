/**
 * The commands by which a host is looked at and its tasks are placed: dmesg, lspci, lscpu, nproc, uname, taskset, chrt,
 * ps, uptime, free.
 *
 * Texts are those of the real tools, captured on Debian 12 (util-linux 2.38, procps 4.0, pciutils 3.9, coreutils 9.1);
 * where the tools of 2012 are known to have printed something else, those of util-linux 2.21 and pciutils 3.1.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SessionRig } from "./session_rig.ts";

const START = "qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic";

/** What a script writes to both streams, and its status. */
function said(script: string, rig = new SessionRig()): { status: number; text: string } {
  const { status, out, err } = rig.run(script);
  return { status, text: out + err };
}

Deno.test("dmesg prints the kernel's log, seconds in 5 columns and 6 decimals", () => {
  const rig = new SessionRig();
  const offline = "echo 0 > /sys/devices/system/cpu/cpu3/online; ";
  assertMatch(rig.ok(`${offline} dmesg | tail -n 1`), /^\[ {4}0\.\d{6}\] smpboot: CPU 3 is now offline\n$/);
  assertEquals(rig.ok("dmesg -t | tail -n 1"), "smpboot: CPU 3 is now offline\n");
  for (const line of rig.ok("dmesg").trimEnd().split("\n")) assertMatch(line, /^\[ *\d+\.\d{6}\] \S/);
  assertEquals(said("dmesg -c"), { status: 1, text: "dmesg: option -c is not modelled\n" });
});

Deno.test("lspci lists functions by name, by number and by both", () => {
  const rig = new SessionRig();
  const name = "Intel Corporation 82599 Ethernet Controller Virtual Function";
  const list = (options: string) => rig.ok(`lspci ${options}`);
  assertEquals(list("-s 05:00.0"), `05:00.0 Ethernet controller: ${name} (rev 01)\n`);
  assertEquals(list("-s 0000:05:00.0 -n"), "05:00.0 0200: 8086:10ed (rev 01)\n");
  assertEquals(
    list("-nn -d 8086:10ed"),
    `05:00.0 Ethernet controller [0200]: ${name} [8086:10ed] (rev 01)\n`,
  );
  assertEquals(list("-D -s .0 -d :10ed"), `0000:05:00.0 Ethernet controller: ${name} (rev 01)\n`);
  assertEquals(
    list("-mm -s 05:"),
    `05:00.0 "Ethernet controller" "Intel Corporation" "82599 Ethernet Controller Virtual Function" -r01 -p00 ` +
      `"Intel Corporation" "Device 0003"\n`,
  );
  assertEquals(list("").trimEnd().split("\n").length, 3);
  assertEquals(list("-s 07:00.0"), "");
});

Deno.test("lspci names the driver in use, and none of a device that is unbound", () => {
  const rig = new SessionRig();
  const before = rig.ok("lspci -k -s 05:00.0").split("\n");
  assertEquals(before.slice(1), [
    "\tSubsystem: Intel Corporation Device 0003",
    "\tKernel driver in use: ixgbevf",
    "",
  ]);
  rig.ok("echo 0000:05:00.0 > /sys/bus/pci/drivers/ixgbevf/unbind");
  assert(!rig.ok("lspci -k -s 05:00.0").includes("Kernel driver"));
  rig.ok("echo 8086 10ed > /sys/bus/pci/drivers/pci-stub/new_id");
  assertStringIncludes(rig.ok("lspci -k -s 05:00.0"), "\tKernel driver in use: pci-stub\n");
});

Deno.test("lspci -v shows flags, memory and capabilities, a blank line after each device", () => {
  const [bridge = "", nic = "", vf = ""] = new SessionRig().ok("lspci -v").split("\n\n");
  assertStringIncludes(bridge, "\n\tBus: primary=00, secondary=04, subordinate=05, sec-latency=0\n");
  assertStringIncludes(nic, "\n\tFlags: bus master, fast devsel, latency 0, IRQ 16\n");
  assertStringIncludes(nic, "\n\tMemory at f0000000 (64-bit, prefetchable) [size=512K]\n");
  assertStringIncludes(nic, "\n\tCapabilities: [70] MSI-X: Enable+ Count=64 Masked-\n");
  assertStringIncludes(nic, "\n\tCapabilities: [160] Single Root I/O Virtualization (SR-IOV)\n");
  assertMatch(vf, /\n\t\[virtual\] Memory at [0-9a-f]{8} \(64-bit, prefetchable\) \[size=16K\]\n/);
  assertStringIncludes(vf, "\n\tCapabilities: [70] MSI-X: Enable+ Count=3 Masked-\n");
});

Deno.test("lspci -vv shows the registers, in pciutils' layout", () => {
  const [bridge = "", nic = "", vf = ""] = new SessionRig().ok("lspci -vv").split("\n\n");
  const status =
    "\tStatus: Cap+ 66MHz- UDF- FastB2B- ParErr- DEVSEL=fast >TAbort- <TAbort- <MAbort- >SERR- <PERR- INTx-\n";
  assertStringIncludes(bridge, status);
  // Linux sets Interrupt Disable where MSI-X is on; a virtual function has neither that bit nor Memory Space Enable.
  const control = (more: string) =>
    `\tControl: I/O- Mem${
      more[0]
    } BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr- Stepping- SERR- FastB2B- DisINTx${
      more[1]
    }\n${status}\tLatency: 0\n`;
  assertStringIncludes(
    nic,
    `${control("++")}\tInterrupt: pin A routed to IRQ 16\n\tRegion 0: Memory at f0000000`,
  );
  assertStringIncludes(vf, `${control("--")}\tRegion 0: [virtual] Memory at `);
  assertStringIncludes(
    nic,
    "\tCapabilities: [70] MSI-X: Enable+ Count=64 Masked-\n" +
      "\t\tVector table: BAR=4 offset=00000000\n\t\tPBA: BAR=4 offset=00002000\n",
  );
  assertStringIncludes(
    nic,
    "\tCapabilities: [50] MSI: Enable- Count=1/1 Maskable+ 64bit+\n" +
      "\t\tAddress: 0000000000000000  Data: 0000\n\t\tMasking: 00000000  Pending: 00000000\n",
  );
  assertStringIncludes(
    nic,
    "\tCapabilities: [160 v1] Single Root I/O Virtualization (SR-IOV)\n" +
      "\t\tIOVCap:\tMigration-, Interrupt Message Number: 000\n" +
      "\t\tIOVCtl:\tEnable+ Migration- Interrupt- MSE+ ARIHierarchy-\n\t\tIOVSta:\tMigration-\n" +
      "\t\tInitial VFs: 64, Total VFs: 64, Number of VFs: 1, Function Dependency Link: 00\n",
  );
});

Deno.test("lspci says what a place or a kind may not be", () => {
  for (
    const [options, text] of [
      ["-s 05:zz.0", "lspci: -s: Invalid slot number\n"],
      ["-s zz:00.0", "lspci: -s: Invalid bus number\n"],
      ["-d 8086", "lspci: -d: ':' expected\n"],
      ["-t", "lspci: option -t is not modelled\n"],
    ]
  ) assertEquals(said(`lspci ${options}`), { status: 1, text }, options);
  assertMatch(said("lspci -Y").text, /^lspci: invalid option -- 'Y'\nUsage: lspci \[<switches>\]\n/);
});

Deno.test("lscpu has the fields of 2012 in its columns, and the CPUs that are offline", () => {
  const rig = new SessionRig();
  assertStringIncludes(
    rig.ok("lscpu"),
    "CPU(s):                4\nOn-line CPU(s) list:   0-3\nThread(s) per core:    1\nCore(s) per socket:    4\n",
  );
  rig.ok("echo 0 > /sys/devices/system/cpu/cpu3/online");
  const text = rig.ok("lscpu");
  assertStringIncludes(
    text,
    "CPU(s):                4\nOn-line CPU(s) list:   0-2\nOff-line CPU(s) list:  3\n",
  );
  assertStringIncludes(
    text,
    "Vendor ID:             GenuineIntel\nCPU family:            6\nModel:                 58\n",
  );
  for (const line of text.trimEnd().split("\n")) assertMatch(line, /^(?=.{23}\S)[^:]+: +\S/);
});

Deno.test("lscpu -e and -p print what util-linux 2.38 prints for the same sysfs, a CPU offline", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.run("set -o era=today");
  rig.ok("echo 0 > /sys/devices/system/cpu/cpu2/online");
  const head = "# The following is the parsable format, which can be fed to other\n" +
    "# programs. Each different item in every column has an unique ID\n# starting usually from zero.\n";
  for (
    const [options, text] of [
      [
        "-e",
        "CPU SOCKET CORE ONLINE    MAXMHZ    MINMHZ       MHZ\n" +
        "  0      0    0    yes 3400.0000 3400.0000 3400.0000\n" +
        "  1      0    1    yes 3400.0000 3400.0000 3400.0000\n" +
        "  2      -    -     no         -         -         -\n" +
        "  3      0    2    yes 3400.0000 3400.0000 3400.0000\n",
      ],
      ["-p", `${head}# CPU,Core,Socket,Node\n0,0,0,\n1,1,0,\n3,2,0,\n`],
      ["--parse --offline", `${head}# CPU,Core,Socket,Node\n2,,,\n`],
      [
        "-e=CPU,CACHE,NODE,ONLINE,bogomips,SCALMHZ%,POLARIZATION,ADDRESS,CLUSTER -c",
        "CPU CACHE NODE ONLINE BOGOMIPS SCALMHZ% POLARIZATION ADDRESS CLUSTER\n" +
        "  2 -        -     no  6800.00        - -            -             -\n",
      ],
      [
        "-a -p=CPU,CACHE,NODE,ONLINE,mhz,SCALMHZ%,MAXMHZ",
        `${head}# CPU,Node,Online,Mhz,SCALMHZ%,Maxmhz\n0,,Y,3400.0000,100%,3400.0000\n` +
        "1,,Y,3400.0000,100%,3400.0000\n2,,N,,,\n3,,Y,3400.0000,100%,3400.0000\n",
      ],
      ["-ecpu,core -b", "CPU CORE\n  0    0\n  1    1\n  3    2\n"],
    ] as const
  ) assertEquals(rig.ok(`lscpu ${options}`), text, options);
  const usage = "Try 'lscpu --help' for more information.\n";
  for (
    const [options, text] of [
      ["-e=cpu,foo,core", "lscpu: unknown column: foo,core\n"],
      ["-p=", ""],
      ["-e cpu", `lscpu: bad usage\n${usage}`],
      ["-e -p", "lscpu: mutually exclusive arguments: --caches --extended --parse\n"],
      ["-e -b -c", "lscpu: mutually exclusive arguments: --all --online --offline\n"],
      [
        "-c",
        "lscpu: options --all, --online and --offline may only be used with options --extended or --parse.\n",
      ],
      ["-e -J", "lscpu: option -J is not modelled\n"],
    ] as const
  ) assertEquals(said(`lscpu ${options}`, rig), { status: 1, text }, options);
});

Deno.test("lscpu -e of 2012 knows no frequencies and begins its columns at the left; a guest's has no more than it sees", () => {
  const rig = new SessionRig();
  rig.ok("echo 0 > /sys/devices/system/cpu/cpu3/online");
  assertEquals(
    rig.ok("lscpu -e"),
    "CPU SOCKET CORE ONLINE\n0   0      0    yes\n1   0      1    yes\n2   0      2    yes\n3   -      -    no\n",
  );
  assertStringIncludes(
    rig.ok("lscpu -p"),
    "# starting from zero.\n# CPU,Core,Socket,Node\n0,0,0,\n1,1,0,\n2,2,0,\n",
  );
  assertEquals(said("lscpu -e=maxmhz", rig).text, "lscpu: unknown column: maxmhz\n");
  assertEquals(
    said("lscpu -e -p", rig).text,
    "lscpu: extended and parsable formats are mutually exclusive\n",
  );
  rig.ok(START);
  assertEquals(rig.ok("ssh vm0 lscpu -e"), "CPU SOCKET CORE ONLINE\n0   0      0    yes\n");
});

Deno.test("a guest knows its hypervisor, its one processor, its kernel and its devices", () => {
  const rig = new SessionRig();
  rig.ok(START);
  assertStringIncludes(rig.ok("ssh vm0 lscpu"), "Hypervisor vendor:     KVM\nVirtualization type:   full\n");
  assertEquals(rig.ok("ssh vm0 nproc"), "1\n");
  assertEquals(rig.ok("ssh vm0 uname -snr"), "Linux vm0 3.4.0\n");
  assertEquals(rig.ok("ssh vm0 lspci"), "");
});

Deno.test("nproc counts the processors that the process may use", () => {
  const rig = new SessionRig();
  assertEquals(rig.ok("nproc; nproc --ignore=3; nproc --ignore 9; taskset -c 1-2 nproc"), "4\n1\n1\n2\n");
  assertEquals(rig.ok("echo 0 > /sys/devices/system/cpu/cpu3/online; nproc; nproc --all"), "3\n4\n");
  assertEquals(said("nproc --ignore=x"), { status: 1, text: "nproc: invalid number: ‘x’\n" });
  assertEquals(said("nproc x"), {
    status: 1,
    text: "nproc: extra operand ‘x’\nTry 'nproc --help' for more information.\n",
  });
});

Deno.test("uname prints what is asked for, in its own order", () => {
  const rig = new SessionRig();
  assertEquals(rig.ok("uname; uname -r; uname -mn"), "Linux\n3.5.0-rc6\nhost x86_64\n");
  assertEquals(rig.ok("uname -a"), "Linux host 3.5.0-rc6 #1 SMP x86_64 GNU/Linux\n");
  assertEquals(
    said("uname -Z").text,
    "uname: invalid option -- 'Z'\nTry 'uname --help' for more information.\n",
  );
});

Deno.test("uptime counts simulated time", () => {
  const rig = new SessionRig();
  assertEquals(
    rig.ok("uptime; sleep 125; uptime"),
    " 00:00:00 up 0 min,  0 users,  load average: 0.00, 0.00, 0.00\n" +
      " 00:02:05 up 2 min,  0 users,  load average: 0.00, 0.00, 0.00\n",
  );
});

Deno.test("free has the columns of its time, and what guests and stress take is used", () => {
  const rig = new SessionRig();
  assertEquals(
    rig.ok("free -m"),
    "             total       used       free     shared    buffers     cached\n" +
      "Mem:         16384          0      16384          0          0          0\n" +
      "-/+ buffers/cache:          0      16384\n" +
      "Swap:            0          0          0\n",
  );
  rig.run("stress -q -m 1 --vm-bytes 1G & sleep 0.1");
  assertMatch(rig.ok("free -g"), /^Mem: {12}16 {10}1 {9}15 /m);
  rig.run("boot kvm --era today");
  assertMatch(
    rig.ok("free"),
    /^ {15}total {8}used {8}free {6}shared {2}buff\/cache {3}available\nMem: {8}16777216 {11}0 /,
  );
  assertEquals(said("free -h").text, "free: option -h is not modelled\n");
});

Deno.test("sysctl reads and sets what is under /proc/sys", () => {
  const rig = new SessionRig();
  assertEquals(
    rig.ok("sysctl kernel.osrelease kernel/ostype; sysctl -n vm.swappiness; sysctl -N vm.swappiness"),
    "kernel.osrelease = 3.5.0-rc6\nkernel.ostype = Linux\n60\nvm.swappiness\n",
  );
  assertEquals(rig.ok("sysctl -w vm.swappiness=10; cat /proc/sys/vm/swappiness"), "vm.swappiness = 10\n10\n");
  assertEquals(rig.ok("sysctl -q vm/swappiness=20; cat /proc/sys/vm/swappiness"), "20\n");
  const all = rig.ok("sysctl -a");
  assertStringIncludes(all, "kernel.sched_latency_ns = ");
  assertEquals(
    rig.ok("sysctl vm"),
    all.split("\n").filter((line) => line.startsWith("vm.")).join("\n") + "\n",
  );
  assertEquals(
    rig.ok("printf '# a\nvm.swappiness = 5\n-kernel.nosuch = 1\n' > /tmp/c; sysctl -p /tmp/c 2> /dev/null"),
    "vm.swappiness = 5\n",
  );
});

Deno.test("sysctl fails as the real one does", () => {
  for (
    const [args, text] of [
      ["kernel.nosuch", "sysctl: cannot stat /proc/sys/kernel/nosuch: No such file or directory\n"],
      ["-w kernel.ostype=x", 'sysctl: permission denied on key "kernel.ostype"\n'],
      ["vm.swappiness=101", 'sysctl: setting key "vm.swappiness": Invalid argument\n'],
      ["-w vm.swappiness", 'sysctl: "vm.swappiness" must be of the form name=value\n'],
      ["-p /nosuch", 'sysctl: cannot open "/nosuch": No such file or directory\n'],
      ["--system", "sysctl: option --system is not modelled\n"],
    ] as const
  ) assertEquals(said(`sysctl ${args}`), { status: 1, text }, args);
  assertEquals(said("sysctl -e kernel.nosuch"), { status: 0, text: "" });
});

Deno.test("modprobe finds what is built in, and nothing else", () => {
  const rig = new SessionRig();
  assertEquals(
    rig.ok("modprobe kvm-intel; modprobe -a pci-stub ixgbe kvm; lsmod"),
    "Module                  Size  Used by\n",
  );
  assertEquals(said("modprobe vfio-pci"), { status: 1, text: "FATAL: Module vfio-pci not found.\n" });
  assertEquals(said("modprobe -q vfio-pci"), { status: 1, text: "" });
  assertEquals(said("modprobe -r kvm"), { status: 1, text: "FATAL: Module kvm is builtin.\n" });
  assertEquals(
    said("modprobe kvm-intel nested=1").text,
    "modprobe: parameters of a module are not modelled: nested=1\n",
  );
  assertEquals(
    said("modprobe kvm_intel ept=0").text,
    'modprobe: parameters of a module are not modelled: ept=0; it is built in: boot --append "kvm-intel.ept=0"\n',
  );
  rig.run("boot kvm --era today");
  assertEquals(rig.ok("modprobe vfio-pci"), "");
  assertEquals(
    rig.run("modprobe nosuch").err,
    "modprobe: FATAL: Module nosuch not found in directory /lib/modules/6.18.0\n",
  );
  assertEquals(rig.run("rmmod kvm").err, "rmmod: ERROR: Module kvm is builtin.\n");
  assertEquals(rig.run("rmmod nosuch").err, "rmmod: ERROR: Module nosuch is not currently loaded\n");
});

Deno.test("touch, cp and mv make, copy and rename files", () => {
  const rig = new SessionRig();
  assertEquals(rig.ok("cd /tmp; touch a; echo x > a; touch a; cp a b; mv b c; cat a c; ls"), "x\nx\na\nc\n");
  assertEquals(rig.ok("mkdir d; cp a c d; mv d e; cp -r e f; cat f/a f/c; rm -r e f; ls"), "x\nx\na\nc\n");
  assertEquals(rig.ok("cp /sys/devices/system/cpu/online o; cat o"), "0-3\n");
  assertEquals(
    rig.ok("echo 0 > z; cp z /sys/devices/system/cpu/cpu3/online; cat /sys/devices/system/cpu/online"),
    "0-2\n",
  );
  for (
    const [command, err] of [
      ["cp nosuch a", "cp: cannot stat 'nosuch': No such file or directory"],
      ["cp a", "cp: missing destination file operand after 'a'"],
      ["mkdir d; cp d a", "cp: -r not specified; omitting directory 'd'"],
      ["cp -r d d/x", "cp: cannot copy a directory, 'd', into itself, 'd/x'"],
      ["cp a c nosuch", "cp: target 'nosuch' is not a directory"],
      ["mv nosuch a", "mv: cannot stat 'nosuch': No such file or directory"],
      [
        "mv /sys/devices/system/cpu/online a",
        "mv: cannot move '/sys/devices/system/cpu/online' to 'a': Operation not permitted",
      ],
      ["touch /sys/devices/x", "touch: cannot touch '/sys/devices/x': Permission denied"],
    ] as const
  ) assertEquals(rig.run(command), { status: 1, out: "", err: `${err}\n` }, command);
});

Deno.test("taskset shows an affinity as mask and as list, two neighbours not as a range", () => {
  const rig = new SessionRig();
  assertEquals(rig.ok("taskset -p 2"), "pid 2's current affinity mask: f\n");
  assertEquals(
    rig.ok("taskset -pc 0,1 2; taskset -p 0x1 2; taskset -cp 0,2-3 2"),
    "pid 2's current affinity list: 0-3\npid 2's new affinity list: 0,1\n" +
      "pid 2's current affinity mask: 3\npid 2's new affinity mask: 1\n" +
      "pid 2's current affinity list: 0\npid 2's new affinity list: 0,2,3\n",
  );
});

Deno.test("taskset fails as the real one does", () => {
  for (
    const [line, text] of [
      ["taskset -p 999999", "taskset: failed to get pid 999999's affinity: No such process\n"],
      ["taskset -p zz 2", "taskset: failed to parse CPU mask: zz\n"],
      ["taskset -pc zz 2", "taskset: failed to parse CPU list: zz\n"],
      ["taskset -p x", "taskset: invalid PID argument: 'x'\n"],
      ["taskset 1", "taskset: bad usage\nTry 'taskset --help' for more information.\n"],
      ["taskset -Z", "taskset: invalid option -- 'Z'\nTry 'taskset --help' for more information.\n"],
    ] as const
  ) assertEquals(said(line), { status: 1, text }, line);
  const { err, status } = new SessionRig().run("taskset -pc 99 2");
  assertEquals({ err, status }, {
    err: "taskset: failed to set pid 2's affinity: Invalid argument\n",
    status: 1,
  });
  const { text, status: missing } = said("taskset 1 nosuch");
  assertEquals([text.split("\n")[0], missing], [
    "taskset: failed to execute nosuch: No such file or directory",
    127,
  ]);
});

Deno.test("taskset and chrt run what the shell does itself where they are told, and a signal reaches it", () => {
  const rig = new SessionRig();
  const loop = "taskset -c 2 sh -c 'while :; do :; done' & sleep 0.1; ";
  assertEquals(rig.ok(`${loop} ps -C bash -o psr=`), "  2\n");
  assertEquals(rig.ok("kill $!; wait $! || echo $?; ps -C bash -o psr= || echo none"), "143\nnone\n");
  assertEquals(rig.ok("chrt -f 50 sh -c 'ps -C ps -o cls=,rtprio='"), " FF     50\n");
  assertEquals(rig.ok("echo a b | taskset 4 tr a x"), "x b\n");
  assertEquals(rig.ok("sh -c 'taskset -c 1 sh -c \"exit 7\"' || echo $?"), "7\n");
});

Deno.test("taskset -p and chrt -p take the pid of a shell: what it starts from then on inherits it", () => {
  const rig = new SessionRig();
  const started = "ps -C ps -o psr=,cls=,rtprio=";
  assertEquals(
    rig.ok(`taskset -pc 1 $$; chrt -r -p 20 $$; ${started}; sh -c '${started}'; chrt -p $$`).replaceAll(
      /pid \d+/g,
      "pid N",
    ),
    "pid N's current affinity list: 0-3\npid N's new affinity list: 1\n  1  RR     20\n  1  RR     20\n" +
      "pid N's current scheduling policy: SCHED_RR\npid N's current scheduling priority: 20\n",
  );
  assertMatch(said("taskset -pc 9 $$").text, /failed to set pid \d+'s affinity: Invalid argument\n$/);
});

Deno.test("only offline CPUs, and bound kernel threads, are refused with EINVAL", () => {
  const rig = new SessionRig();
  rig.ok("echo 0 > /sys/devices/system/cpu/cpu3/online");
  for (const line of ["taskset -pc 3 2", "taskset -pc 1 $(ps -C ksoftirqd/0 -o pid=)"]) {
    const { status, err } = rig.run(line);
    assertEquals(status, 1);
    assertMatch(err, /^taskset: failed to set pid \d+'s affinity: Invalid argument\n$/);
  }
  assertEquals(rig.ok("taskset -p 2"), "pid 2's current affinity mask: 7\n");
});

Deno.test("a task that runs leaves a CPU that is no longer allowed, a sleeping one wakes elsewhere", () => {
  const rig = new SessionRig();
  rig.ok("while :; do :; done & sleep 0.1");
  for (const cpu of [2, 1, 0, 3]) {
    assertMatch(rig.ok(`taskset -pc ${cpu} $!`), new RegExp(`new affinity list: ${cpu}\n$`));
    assertEquals(rig.ok("ps -p $! -o psr=,stat="), `  ${cpu} R\n`);
  }
  // It goes on there: the CPU is busy.
  const before = rig.lab.host.cpus[3]!.runQueue.busyNs;
  rig.ok("sleep 0.5");
  rig.lab.host.settle();
  assert(rig.lab.host.cpus[3]!.runQueue.busyNs - before > 0.49e9);
  rig.ok("kill $!; sleep 0.1 & taskset -pc 1 $!; wait");
});

Deno.test("a program started by taskset or chrt, and what it starts, has its CPUs and its policy", () => {
  const rig = new SessionRig();
  rig.ok("taskset -c 2 stress -c 2 & sleep 0.1");
  assertEquals(
    rig.ok("ps -C stress -o psr=,cls=,stat=,comm="),
    "  2  TS S    stress\n  2  TS R    stress\n  2  TS R    stress\n",
  );
  rig.ok("chrt -r 5 stress -c 1 & sleep 0.1");
  assertEquals(
    rig.ok("ps -p $! -o cls,rtprio,pri,ni,comm"),
    "CLS RTPRIO PRI  NI COMMAND\n RR      5  45   - stress\n",
  );
  assertEquals(rig.ok("ps -C stress -o cls= | grep -c RR"), "2\n");
});

Deno.test("vCPU threads can be moved: the guest goes on", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(`chrt -f 30 ${START.replace(".patched", "")}; ssh vm0 true`);
  assertEquals(rig.ok("ps -L -C qemu-kvm -o cls,rtprio | sort -u"), " FF     30\nCLS RTPRIO\n");
  rig.ok("for pid in $(ps -L -C qemu-kvm -o tid=); do taskset -pc 1 $pid; done");
  rig.ok("ssh vm0 cyclictest -n -q -l 100");
  assertEquals(rig.ok("ps -L -C qemu-kvm -o psr="), "  1\n  1\n");
  assertEquals(rig.result.cyclictest.threads[0]!.histogram.count, 100);
});

Deno.test("chrt shows and sets policy and priority; a stopper is left alone", () => {
  const rig = new SessionRig();
  assertEquals(
    rig.ok(
      "chrt -p 2; chrt -f -p 50 2; chrt -p 2; chrt -p 7 2; chrt -p 2; chrt -o -p 0 2; chrt -p 2 | tail -n 1",
    ),
    "pid 2's current scheduling policy: SCHED_OTHER\npid 2's current scheduling priority: 0\n" +
      "pid 2's current scheduling policy: SCHED_FIFO\npid 2's current scheduling priority: 50\n" +
      "pid 2's current scheduling policy: SCHED_RR\npid 2's current scheduling priority: 7\n" +
      "pid 2's current scheduling priority: 0\n",
  );
  assertStringIncludes(rig.ok("chrt -m"), "SCHED_FIFO min/max priority\t: 1/99\n");
  const stopper = rig.ok("ps -C migration/0 -o pid=").trim();
  assertEquals(
    rig.ok(`chrt -p ${stopper}`),
    `pid ${stopper}'s current scheduling policy: SCHED_FIFO\npid ${stopper}'s current scheduling priority: 99\n`,
  );
  assertEquals(
    said(`chrt -f -p 1 ${stopper}`).text,
    `chrt: failed to set pid ${stopper}'s policy: Invalid argument\n`,
  );
});

Deno.test("chrt fails as the real one does", () => {
  const range = (priority: number) =>
    `chrt: unsupported priority value for the policy: ${priority}: see --max for valid range\n`;
  for (
    const [line, text] of [
      ["chrt -f -p 100 2", range(100)],
      ["chrt -o -p 5 2", range(5)],
      ["chrt -f 0 nproc", range(0)],
      ["chrt -p 999999", "chrt: failed to get pid 999999's policy: No such process\n"],
      ["chrt -f -p 5 999999", "chrt: failed to set pid 999999's policy: No such process\n"],
      ["chrt -f -p x 2", "chrt: invalid priority argument: 'x'\n"],
      ["chrt -f 10", "chrt: bad usage\nTry 'chrt --help' for more information.\n"],
      ["chrt -b -p 0 2", "chrt: option -b is not modelled\n"],
    ] as const
  ) assertEquals(said(line), { status: 1, text }, line);
});

Deno.test("a real-time task keeps others off its CPU; as SCHED_OTHER it shares it again", () => {
  const rig = new SessionRig();
  rig.ok("taskset -c 2 stress -c 2 & sleep 0.2");
  const [, first, second] = rig.ok("ps -C stress -o pid=").trim().split(/\s+/).map(Number);
  const { tasks } = rig.lab.host;
  const share = (script: string) => {
    const before = tasks.get(second!)!.cpuTimeNs;
    rig.ok(script);
    rig.lab.host.settle();
    return (tasks.get(second!)!.cpuTimeNs - before) / 1e9;
  };
  assertEquals(share(`chrt -f -p 10 ${first}; sleep 1`) < 0.02, true, "FIFO starves it");
  assertEquals(share(`chrt -f -p 20 ${second}; sleep 1`) > 0.98, true, "a higher one preempts");
  const fair = share(`chrt -o -p 0 ${first}; chrt -o -p 0 ${second}; sleep 1`);
  assert(fair > 0.4 && fair < 0.6, `${fair}`);
});

Deno.test("ps has the real columns", () => {
  const rig = new SessionRig();
  const [head, first] = rig.ok("ps -eLo pid,tid,psr,cls,rtprio,pri,ni,stat,comm").split("\n");
  assertEquals(head, "  PID   TID PSR CLS RTPRIO PRI  NI STAT COMMAND");
  assertEquals(first, "    2     2   0  TS      -  19   0 S    kthreadd");
  assertEquals(
    rig.ok("ps -C migration/3 -o psr,cls,rtprio,pri,ni,stat,comm").split("\n")[1],
    "  3  FF     99 139   - S    migration/3",
  );
  assertMatch(rig.ok("ps"), /^ {2}PID TTY {10}TIME CMD\n +\d+ \? {8}00:00:00 ps\n$/);
  assertMatch(rig.ok("ps -eL"), /^ {2}PID {3}LWP TTY {10}TIME CMD\n/);
  assertEquals(rig.ok("ps -p 2 -o pid=,comm="), "    2 kthreadd\n");
  rig.ok(`${START}; ssh vm0 true`);
  assertStringIncludes(rig.ok("ps"), " qemu-kvm.patche\n"); // 15 characters
});

Deno.test("ps aux, -ef and -T have procps's columns, a dash in those of which the model knows nothing", () => {
  const rig = new SessionRig({ system: "kvm" });
  rig.ok(START);
  const command = `qemu-kvm.patched -m 1024 -cpu qemu64,\\+x2apic -enable-kvm -no-kvm-pit -nographic`;
  const head = (options: string) => rig.ok(`ps ${options} | head -n 1`);
  assertEquals(head("aux"), "USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n");
  assertEquals(head("-ef"), "UID        PID  PPID  C STIME TTY          TIME CMD\n");
  assertEquals(head("ax"), "  PID TTY      STAT   TIME COMMAND\n");
  assertMatch(
    rig.ok("ps aux | grep '[q]emu'"),
    new RegExp(`^root +\\d+ +\\d+\\.\\d +- +- +- \\? +[RS] +00:00 +0:00 ${command}\n$`),
  );
  assertMatch(
    rig.ok("ps -ef | grep '[q]emu'"),
    new RegExp(`^root +\\d+ +- +\\d+ 00:00 \\? +00:00:00 ${command}\n$`),
  );
  assertMatch(
    rig.ok("ps -T -p $(pidof qemu-kvm.patched)"),
    /^ {2}PID {2}SPID TTY {10}TIME CMD\n( +\d+ +\d+ \? .*\n){2,}$/,
  );
  assertEquals(
    rig.ok("ps -C qemu-kvm.patched --no-headers -o user,args").replace(/^root +/, "").trimEnd().replaceAll(
      "+",
      "\\+",
    ),
    command,
  );
});

Deno.test("pgrep, pidof, pkill and killall find tasks by name and by command line", () => {
  const rig = new SessionRig();
  const pid = rig.ok("sleep 100 & echo $!").trim();
  assertEquals(
    rig.ok("pgrep sleep; pgrep -a sle; pgrep -f 'sleep 1'; pidof sleep; pgrep -c '^ksoftirqd'"),
    `${pid}\n${pid} sleep 100\n${pid}\n${pid}\n4\n`,
  );
  assertEquals(rig.ok("pkill -9 sleep; wait $! || echo $?; pgrep sleep || echo $?"), "137\n1\n");
  assertEquals(rig.ok("sleep 100 & killall sleep; wait $! || echo $?"), "143\n");
  assertEquals(said("killall nosuch"), { status: 1, text: "nosuch: no process found\n" });
  assertEquals(rig.ok("sleep 9 & tr '\\0' ' ' < /proc/$!/cmdline"), "sleep 9 ");
});

Deno.test("ps lists nothing with status 1, and says what it does not take", () => {
  assertEquals(said("ps -p 999999"), { status: 1, text: "  PID TTY          TIME CMD\n" });
  for (
    const [line, text] of [
      ["ps -K", "error: unsupported SysV option"],
      ["ps -o nosuch", 'error: unknown user-defined format specifier "nosuch"'],
      ["ps -e -o", "error: format specification must follow -o"],
      ["ps -p x", "error: process ID list syntax error"],
      ["ps -F", "error: option -F is not modelled"],
      ["ps -o wchan", "error: column wchan is not modelled"],
      ["ps tux", "error: BSD option tux is not modelled: a, x, u, w and o are"],
    ] as const
  ) {
    const { status, text: all } = said(line);
    assertEquals([status, all.split("\n")[0]], [1, text], line);
  }
});

Deno.test("every one of them takes simulated time", () => {
  const rig = new SessionRig();
  for (const line of "chrt -m;dmesg;free;lscpu;lspci;nproc;ps;taskset -p 2;uname;uptime".split(";")) {
    const before = rig.lab.engine.nowNs;
    rig.run(line);
    assert(rig.lab.engine.nowNs > before, line);
  }
});

Deno.test("help shows the usage of every program", () => {
  const rig = new SessionRig();
  for (const { name, doc } of rig.lab.computer("host")!.programs.values()) {
    const text = rig.ok(`help ${name}`);
    assertEquals(text, `${doc}\n`, name);
    for (const heading of ["Effects", "Exit status", "Differs from the real one"]) {
      assertStringIncludes(text, `\n${heading}: `, name);
    }
  }
});
