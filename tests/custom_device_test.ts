/**
 * Devices in TypeScript: reached by what a host's own tools do, seen in what a host shows, part of the state.
 *
 * Expected: PCI Local Bus Specification 3.0 (Memory Space Enable, BARs), PCI Express (MSI-X), SDM vol. 3 (I/O APIC's
 * messages), the texts of pciutils and BusyBox.
 */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { type DeviceModel, ExpectationFailure, expectNoExit, type FilePort, Lab } from "../mod.ts";
import { SessionRig } from "./session_rig.ts";

/** A period in us at 0, a count at 4, a pulse of the line 100 us after a write at 8; a port that holds a byte; a vendor register. */
function ticker(more: Partial<DeviceModel> = {}): DeviceModel {
  return {
    ...{ name: "ticker", address: "00:1f.0", vendorId: 0x1234, deviceId: 0x0001 },
    ...{ messages: 2, line: 20, ports: { first: 0x300, count: 2 } },
    create(port) {
      let periodNs = 0, count = 0, byte = 0, vendor = 7;
      return {
        read: (offset) => offset === 0 ? periodNs / 1000 : offset === 4 ? count : 0,
        write(offset, value) {
          if (offset === 8) return port.wakeAt(port.nowNs + 100_000, 1);
          if (offset !== 0) return;
          periodNs = value * 1000;
          port.wakeAt(port.nowNs + periodNs);
        },
        readPort: (number) => number === 0 ? byte : 0x55,
        writePort: (_, value) => byte = value,
        readConfiguration: (offset) => offset === 0xc4 ? vendor : 0,
        writeConfiguration: (_, value) => void (vendor = value),
        woken(number) {
          if (number === 1) {
            port.line(true);
            return port.line(false);
          }
          count++;
          port.message(0);
          if (count < 5) port.wakeAt(port.nowNs + periodNs);
        },
        state: () => [periodNs, count, byte, vendor],
      };
    },
    ...more,
  };
}

const boot = (device: DeviceModel) => Lab.boot({ system: "bare-metal", devices: [device] });
const interrupts = (text: string) =>
  [...text.split(" ticker-0")[0]!.split("\n").at(-1)!.matchAll(/ (\d+)(?= )/g)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );

Deno.test("a program without a driver reaches a device: its memory answers once Memory Space is enabled", async () => {
  await using lab = await boot(ticker());
  assertMatch(await lab.sh`lspci -nn -s 00:1f.0`.text(), /^00:1f\.0 .*\[ff00\]: .*\[1234:0001\]/);
  assertEquals(await lab.sh`devmem 0xe0000004`.text(), "0xFFFFFFFF\n", "nobody claims the address");
  await lab.sh`setpci -s 00:1f.0 COMMAND=2:2; devmem 0xe0000000 32 100`;
  assertEquals(await lab.sh`devmem 0xe0000000`.text(), "0x00000064\n");
  await lab.sh`run 250us`;
  assertEquals(await lab.sh`devmem 0xe0000004`.text(), "0x00000002\n", "two periods of virtual time");
  assertEquals(await lab.sh`setpci -s 00:1f.0 c4.l=9 c4.l VENDOR_ID`.text(), "00000009\n1234\n");
  await lab.sh`setpci -s 00:1f.0 BASE_ADDRESS_0=e8000000`;
  assertEquals(
    await lab.sh`devmem 0xe8000000; devmem 0xe0000000`.text(),
    "0x00000064\n0xFFFFFFFF\n",
    "its BAR moves it",
  );
});

Deno.test("its messages are interrupts of the driver that takes them, by MSI-X, at their virtual times", async () => {
  await using lab = await boot(ticker({ driver: true }));
  assertMatch(await lab.sh`lspci -k -s 00:1f.0`.text(), /Kernel driver in use: ticker/);
  await lab.sh`devmem 0xe0000000 32 100; run 1ms`;
  const text = await lab.sh`cat /proc/interrupts`.text();
  assertEquals(interrupts(text), 5);
  assertStringIncludes(text, "ticker-1");
  await lab.sh`echo 0000:00:1f.0 > /sys/bus/pci/drivers/ticker/unbind`;
  assert(!(await lab.sh`cat /proc/interrupts`.text()).includes("ticker"));
});

Deno.test("its line goes where software has led the input of the I/O APIC, through the remapping unit", async () => {
  await using lab = await Lab.boot({ system: "bare-metal", devices: [ticker()] });
  const keyboard = async () => {
    const line = await lab.sh`grep i8042 /proc/interrupts`.text();
    return [...line.matchAll(/ (\d+)(?= )/g)].reduce((sum, [, n]) => sum + Number(n), 0);
  };
  /** Keyboard interrupts while the line pulses: each command that is typed has its own, and those do not differ. */
  const pulse = async () => {
    const before = await keyboard();
    await lab.sh`devmem 0xe0000008 32 1; run 1ms`;
    return await keyboard() - before;
  };
  await lab.sh`setpci -s 00:1f.0 COMMAND=2:2`;
  const typed = await pulse();
  await lab.sh`
    devmem 0xfec00000 32 0x39; devmem 0xfec00010 32 0x02000000   # entry 20: to APIC 2
    devmem 0xfec00000 32 0x38; devmem 0xfec00010 32 0x77         # edge, vector 0x77
  `;
  assertEquals(await pulse(), typed, "in compatibility format nothing passes");
  await lab.sh`
    devmem 0xfec00000 32 0x13; high=$(devmem 0xfec00010)         # entry 1, which the kernel has made
    devmem 0xfec00000 32 0x12; low=$(devmem 0xfec00010)
    devmem 0xfec00000 32 0x39; devmem 0xfec00010 32 $high
    devmem 0xfec00000 32 0x38; devmem 0xfec00010 32 $low
  `;
  assertEquals(await pulse(), typed + 1);
});

Deno.test("its state is part of the machine's: going back, checkpoints and equal runs", async () => {
  const files = new Map<string, string>();
  const port: FilePort = {
    read: (path) => files.has(path) ? { text: files.get(path)! } : { problem: "No such file or directory" },
    write: (path, text) => void files.set(path, text),
  };
  const run = async () => {
    const lab = await Lab.boot({ system: "bare-metal", devices: [ticker({ driver: true })], files: port });
    await lab.sh`devmem 0xe0000000 32 100; run 150us`;
    return lab;
  };
  await using lab = await run();
  await using other = await run();
  const hash = lab.stateHash;
  assertEquals(other.stateHash, hash);
  await lab.sh`save here.json; run 200us`;
  const later = lab.stateHash;
  assert(later !== hash);
  await lab.sh`load here.json`;
  assertEquals(lab.stateHash, hash);
  await lab.sh`run 200us; step 3; back 3`;
  assertEquals(lab.stateHash, later);
  await lab.sh`boot bare-metal`;
  assertEquals(await lab.sh`devmem 0xe0000004`.text(), "0x00000000\n", "a fresh machine has a fresh device");
  await using bare = await Lab.boot({ system: "bare-metal" });
  await using with_ = await boot(ticker());
  assert(bare.stateHash !== with_.stateHash);
});

Deno.test("a device that cannot be is refused, and one that acts while it is read is an error of the program", async () => {
  const refused: [Partial<DeviceModel>, string][] = [
    [{ address: "05:00.0" }, "expected a place on bus 0"],
    [{ address: "00:01.0" }, "0000:00:01.0 is taken"],
    [{ name: "Big" }, "expected a name of lower-case letters"],
    [{ memoryBytes: 100 }, "expected a power of two"],
    [{ line: 24 }, "expected an input of the I/O APIC, 0 to 23"],
    [{ vendorId: 0x10000 }, "expected identifiers of 16 bits"],
    [{ ports: { first: 0xffff, count: 2 } }, "expected ports from 0 to 0xffff"],
  ];
  for (const [more, message] of refused) await assertRejects(() => boot(ticker(more)), RangeError, message);
  const eager = ticker({
    driver: true,
    create: (port) => ({
      read: () => (port.message(0), 0),
      write() {},
      state: () => [],
    }),
  });
  await using lab = await boot(eager);
  await assertRejects(() => lab.sh`devmem 0xe0000000`.text(), Error, "Device ticker acts while it is read");
});

Deno.test("a failure on a machine with devices of the program's own says that no document brings it back", async () => {
  await using lab = await Lab.boot({ system: "kvm", devices: [ticker()] });
  await lab.sh`qemu-kvm -m 1024 -enable-kvm -nographic`;
  const error = await assertRejects(() => expectNoExit(lab, () => lab.sh`ssh vm0 true`), ExpectationFailure);
  assertStringIncludes(error.message, "devices of the program's own were used");
});

Deno.test("devmem takes 32 bits of devices, and RAM is refused as CONFIG_STRICT_DEVMEM does", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  assertEquals(rig.run("devmem 0x1000").err, "devmem: mmap: Operation not permitted\n");
  assertMatch(rig.run("devmem 0xf0000000 8").err, /WIDTH 8 is not modelled/);
  assertMatch(rig.run("devmem").err, /usage: devmem ADDRESS/);
  assertMatch(rig.ok("devmem 0xf0000008"), /^0x[0-9A-F]{8}\n$/); // the card's STATUS
});

Deno.test("setpci reads and writes by name and number, under a mask", () => {
  const rig = new SessionRig({ system: "bare-metal" });
  assertEquals(rig.ok("setpci -s 04:00.0 VENDOR_ID DEVICE_ID 2.w"), "8086\n10fb\n10fb\n");
  rig.ok("setpci -s 04:00.0 INTERRUPT_LINE=0f:05");
  assertEquals(rig.ok("setpci -s 0000:04:00.0 INTERRUPT_LINE"), "15\n"); // 0x10 before
  assertMatch(rig.run("setpci -s 09:00.0 COMMAND").err, /-s: No such device/);
  assertMatch(rig.run("setpci -s 04:00.0 COMAND").err, /Unknown register "COMAND"/);
  assertMatch(rig.run("setpci -s 04:00.0 4").err, /Missing width/);
  assertMatch(rig.run("setpci -s 04:00.0 5.w").err, /Unaligned access/);
  assertMatch(rig.run("setpci COMMAND").err, /expected -s/);
});
