/**
 * What `lspci -v` and `-vv` read of a function's configuration space: its registers, addresses and capabilities.
 *
 * *Document*: PCI Local Bus 3.0, section 6 (header, MSI, MSI-X); SR-IOV 1.1, section 3.3. The texts of pciutils 3.9 and 3.1, as
 * captures show them.
 *
 * *Not modelled*: with `-vv` the registers of PCI Express and of error reporting, which the model's functions do not have.
 *
 * @module
 */

import { type PciDevice, sriovOffset } from "../../linux/pci/pci_device.ts";

const BUS_MASTER = 1 << 2, MEMORY_SPACE = 1 << 1, IO_SPACE = 1 << 0;

/** Bits of the command register, and of the status register from its bit 4 on. */
const COMMAND_BITS = "I/O Mem BusMaster SpecCycle MemWINV VGASnoop ParErr Stepping SERR FastB2B DisINTx"
  .split(" ");
const STATUS_BITS: readonly (readonly [name: string, bit: number])[] = [
  ["Cap", 4],
  ["66MHz", 5],
  ["UDF", 6],
  ["FastB2B", 7],
  ["ParErr", 8],
];
const STATUS_ERRORS: readonly (readonly [name: string, bit: number])[] = [
  [">TAbort", 11],
  ["<TAbort", 12],
  ["<MAbort", 13],
  [">SERR", 14],
  ["<PERR", 15],
  ["INTx", 3],
];

/** Reads a function's configuration space. */
type Read = (offset: number, size: 1 | 2 | 4) => number;

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
const sign = (value: number, bit: number) => (value & (1 << bit)) === 0 ? "-" : "+";
const flags = (value: number, names: readonly (readonly [name: string, bit: number])[]) =>
  names.map(([name, bit]) => name + sign(value, bit)).join(" ");

/** The lines between a function's subsystem and its driver. @param full with the registers: `-vv` */
export function details(device: PciDevice, full: boolean): string[] {
  const { configuration } = device.fn;
  const read: Read = (offset, size) => configuration.read(offset, size);
  return [
    ...full ? registers(device, read) : [flagsLine(device, read)],
    ...addresses(device, read, full),
    ...capabilities(device, read, full),
  ];
}

/** `-v`: what most want to know, in one line. */
function flagsLine({ irq }: PciDevice, read: Read): string {
  const master = (read(0x04, 2) & BUS_MASTER) !== 0;
  return `\tFlags: ${master ? "bus master, " : ""}fast devsel${master ? `, latency ${read(0x0d, 1)}` : ""}` +
    (irq === 0 ? "" : `, IRQ ${irq}`);
}

/** `-vv`: the command and status registers, bit by bit, and the interrupt line. */
function registers({ irq }: PciDevice, read: Read): string[] {
  const command = read(0x04, 2), status = read(0x06, 2);
  const speed = ["fast", "medium", "slow", "??"][(status >> 9) & 3];
  const pin = read(0x3d, 1), cacheLine = read(0x0c, 1);
  const shown = [
    `\tControl: ${flags(command, COMMAND_BITS.map((name, bit) => [name, bit]))}`,
    `\tStatus: ${flags(status, STATUS_BITS)} DEVSEL=${speed} ${flags(status, STATUS_ERRORS)}`,
  ];
  if ((command & BUS_MASTER) !== 0) {
    const cache = cacheLine === 0 ? "" : `, Cache Line Size: ${4 * cacheLine} bytes`;
    shown.push(`\tLatency: ${read(0x0d, 1)}${cache}`);
  }
  if (pin !== 0 || irq !== 0) {
    const name = pin === 0 ? "?" : String.fromCharCode("A".charCodeAt(0) + pin - 1);
    shown.push(`\tInterrupt: pin ${name} routed to IRQ ${irq}`);
  }
  return shown;
}

/** The base addresses, and the buses of a bridge. */
function addresses({ fn: { spec } }: PciDevice, read: Read, full: boolean): string[] {
  const command = read(0x04, 2);
  const shown: string[] = [];
  for (const { index, space, base, size, bits, prefetchable } of spec.bars) {
    // The register of a virtual function reads 0: the address is known from the kernel only.
    const virtual = read(0x10 + 4 * index, 4) === 0;
    const enabled = (command & (space === "io" ? IO_SPACE : MEMORY_SPACE)) !== 0;
    const kind = space === "io"
      ? `I/O ports at ${hex(base, 4)}`
      : `Memory at ${hex(base, 8)} (${bits}-bit, ${prefetchable ? "" : "non-"}prefetchable)`;
    const state = enabled || virtual ? "" : " [disabled]";
    const region = full ? `Region ${index}: ` : "";
    shown.push(`\t${region}${virtual ? "[virtual] " : ""}${kind}${state} [size=${sizeOf(size)}]`);
  }
  if (spec.headerType === 1) {
    const [primary, secondary, subordinate] = [0x18, 0x19, 0x1a].map((at) => hex(read(at, 1), 2));
    shown.push(
      `\tBus: primary=${primary}, secondary=${secondary}, subordinate=${subordinate}, sec-latency=${
        read(0x1b, 1)
      }`,
    );
  }
  return shown;
}

function sizeOf(bytes: number): string {
  const units = ["", "K", "M", "G"];
  let size = bytes, unit = 0;
  while (size >= 1024 && size % 1024 === 0 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size}${units[unit]}`;
}

/** Both lists of capabilities, as the function's own pointers lead through them. */
function capabilities(device: PciDevice, read: Read, full: boolean): string[] {
  const shown: string[] = [];
  for (let at = read(0x34, 1); at !== 0; at = read(at + 1, 1)) {
    const [head, ...more] = capability(at, read);
    shown.push(`\tCapabilities: [${hex(at, 2)}] ${head}`, ...full ? more.map((line) => `\t\t${line}`) : []);
  }
  for (let at = 0x100; at !== 0;) {
    const header = read(at, 4);
    if (header === 0) break;
    const id = header & 0xffff;
    const version = full ? ` v${(header >>> 16) & 0xf}` : "";
    const isSriov = at === sriovOffset(device);
    const name = isSriov
      ? "Single Root I/O Virtualization (SR-IOV)"
      : id === 0x0001
      ? "Advanced Error Reporting"
      : `Extended Capability ID ${hex(id, 2)}`;
    shown.push(`\tCapabilities: [${hex(at, 2)}${version}] ${name}`);
    if (isSriov && full) shown.push(...sriov(at, read).map((line) => `\t\t${line}`));
    at = header >>> 20;
  }
  return shown;
}

/** A capability of the first list: its line, and what `-vv` has below it. */
function capability(at: number, read: Read): string[] {
  const id = read(at, 1), control = read(at + 2, 2);
  switch (id) {
    case 0x05: {
      const wide = (control & (1 << 7)) !== 0, maskable = (control & (1 << 8)) !== 0;
      const address = (wide ? hex(read(at + 8, 4), 8) : "") + hex(read(at + 4, 4), 8);
      const data = hex(read(at + (wide ? 12 : 8), 2), 4);
      const masks = at + (wide ? 16 : 12);
      return [
        `MSI: Enable${sign(control, 0)} Count=${1 << ((control >> 4) & 7)}/${1 << ((control >> 1) & 7)} ` +
        `Maskable${sign(control, 8)} 64bit${sign(control, 7)}`,
        `Address: ${address}  Data: ${data}`,
        ...maskable ? [`Masking: ${hex(read(masks, 4), 8)}  Pending: ${hex(read(masks + 4, 4), 8)}`] : [],
      ];
    }
    case 0x10: {
      const type = (control >> 4) & 0xf;
      const name = type === 4
        ? `Root Port (Slot${sign(control, 8)})`
        : type === 0
        ? "Endpoint"
        : `Unknown type ${type}`;
      return [`Express ${name}, MSI ${hex((control >> 9) & 0x1f, 2)}`];
    }
    case 0x11:
      return [
        `MSI-X: Enable${sign(control, 15)} Count=${(control & 0x7ff) + 1} Masked${sign(control, 14)}`,
        `Vector table: ${place(read(at + 4, 4))}`,
        `PBA: ${place(read(at + 8, 4))}`,
      ];
    default:
      return [`#${hex(id, 2)}`];
  }
}

/** A structure in a function's memory, as MSI-X points at it. */
function place(register: number): string {
  return `BAR=${register & 7} offset=${hex((register & ~7) >>> 0, 8)}`;
}

/** SR-IOV's registers. */
function sriov(at: number, read: Read): string[] {
  const can = read(at + 0x04, 4), control = read(at + 0x08, 2), status = read(at + 0x0a, 2);
  const regions = [0, 1, 2, 3, 4, 5].flatMap((index) => {
    const low = read(at + 0x24 + 4 * index, 4);
    const wide = (low & 6) === 4;
    if (low === 0 || index > 0 && (read(at + 0x20 + 4 * index, 4) & 7) === 4) return [];
    const base = (wide ? hex(read(at + 0x28 + 4 * index, 4), 8) : "") + hex((low & ~0xf) >>> 0, 8);
    const kind = `${wide ? 64 : 32}-bit, ${(low & 8) === 0 ? "non-" : ""}prefetchable`;
    return [`Region ${index}: Memory at ${base} (${kind})`];
  });
  return [
    `IOVCap:\tMigration${sign(can, 0)}, Interrupt Message Number: ${hex(can >>> 21, 3)}`,
    `IOVCtl:\tEnable${sign(control, 0)} Migration${sign(control, 1)} Interrupt${sign(control, 2)} ` +
    `MSE${sign(control, 3)} ARIHierarchy${sign(control, 4)}`,
    `IOVSta:\tMigration${sign(status, 0)}`,
    `Initial VFs: ${read(at + 0x0c, 2)}, Total VFs: ${read(at + 0x0e, 2)}, Number of VFs: ${
      read(at + 0x10, 2)
    }, ` +
    `Function Dependency Link: ${hex(read(at + 0x12, 1), 2)}`,
    `VF offset: ${read(at + 0x14, 2)}, stride: ${read(at + 0x16, 2)}, Device ID: ${
      hex(read(at + 0x1a, 2), 4)
    }`,
    `Supported Page Size: ${hex(read(at + 0x1c, 4), 8)}, System Page Size: ${hex(read(at + 0x20, 4), 8)}`,
    ...regions,
    `VF Migration: offset: ${hex((read(at + 0x3c, 4) & ~7) >>> 0, 8)}, BIR: ${read(at + 0x3c, 4) & 7}`,
  ];
}
