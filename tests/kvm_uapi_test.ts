/**
 * KVM's binary interface: where fields lie, what a request's number says, how arguments become bytes, and what a bad
 * address does.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ArgumentError, bufferOf, type CallValue } from "../runtime/kvm/ioctl/marshal.ts";
import { SystemFile } from "../runtime/kvm/ioctl/system_file.ts";
import {
  known,
  type Request,
  type RequestName,
  requestNamed,
  REQUESTS,
} from "../runtime/kvm/uapi/requests.ts";
import { struct, type Structure, View } from "../runtime/kvm/uapi/structure.ts";
import {
  IrqLevel,
  Msrs,
  Regs,
  RoutingEntry,
  Sregs,
  UserspaceMemoryRegion,
  VcpuEvents,
  Xcrs,
} from "../runtime/kvm/uapi/structures.ts";
import { accessOk, UserMemory } from "../runtime/kvm/uapi/user_memory.ts";
import { VcpuFile } from "../runtime/kvm/ioctl/vcpu_file.ts";
import { KVM_VERSIONS } from "../runtime/kvm/versions.ts";
import { VmFile } from "../runtime/kvm/ioctl/vm_file.ts";

Deno.test("a request's number holds the size of its structure, and the type 0xAE", () => {
  for (const [name, { number, structure }] of Object.entries<Request>(REQUESTS)) {
    assertEquals((number >>> 8) & 0xff, 0xae, name);
    if (structure === undefined || name === "KVM_REINJECT_CONTROL") continue; // _IO, although it takes a structure
    assertEquals((number >>> 16) & 0x3fff, structure.size, name);
  }
});

Deno.test("a request is known by all 32 bits of its number", () => {
  assertEquals(requestNamed(0x4008_ae61), "KVM_IRQ_LINE");
  assertEquals(requestNamed(0xc008_ae67), "KVM_IRQ_LINE_STATUS");
  assertEquals(requestNamed(0x4010_ae67), "KVM_REGISTER_COALESCED_MMIO");
  assertEquals(requestNamed(0x400c_ae61), undefined, "another size");
  assertEquals(requestNamed(0x1_4008_ae61), "KVM_IRQ_LINE", "an unsigned int");
});

Deno.test("fields lie where the kernel's header puts them", () => {
  const at = (structure: { fields: ReadonlyMap<string, { offset: number }> }, name: string) =>
    structure.fields.get(name)!.offset;
  assertEquals([at(Sregs, "cr0"), at(Sregs, "efer"), at(Sregs, "apic_base")], [224, 264, 272]);
  assertEquals([at(VcpuEvents, "sipi_vector"), at(VcpuEvents, "flags")], [16, 20]);
  assertEquals([at(VcpuEvents, "exception_has_payload"), at(VcpuEvents, "exception_payload")], [55, 56]);
  assertEquals([at(Xcrs, "xcrs"), at(Msrs, "entries"), Msrs.size, RoutingEntry.size], [8, 8, 8, 48]);
  const padded = struct("padded", { byte: "u8", word: "u64", short: "u16" });
  assertEquals([at(padded, "word"), at(padded, "short"), padded.size], [8, 16, 24]);
});

Deno.test("what does not fit into a field is cut off, and 64 bits are kept whole", () => {
  const regs = Regs.make().set("rip", 0xffff_8000_0000_1234n).set("rax", -1);
  assertEquals([regs.big("rip"), regs.big("rax")], [0xffff_8000_0000_1234n, 0xffff_ffff_ffff_ffffn]);
  assertEquals(IrqLevel.make().set("status", -1).get("status"), -1);
  assertEquals(IrqLevel.make().set("status", -1).get("irq"), 0xffff_ffff, "a union");
});

Deno.test("memory is there as far as it is mapped: zeros at first, in whole pages", () => {
  const memory = new UserMemory();
  const start = memory.map(5000);
  assertEquals(memory.read(start + 8190, 2), new Uint8Array(2));
  assertEquals(memory.read(start + 8190, 3), null);
  assertEquals(memory.read(0, 1), null, "NULL");
  assert(memory.write(start + 4094, Uint8Array.of(1, 2, 3, 4)), "across a page");
  assertEquals(memory.read(start + 4095, 2), Uint8Array.of(2, 3));
  assert(!memory.write(start + 8190, Uint8Array.of(1, 2, 3)));
  memory.unmap(start);
  assertEquals(memory.read(start, 1), null);
  assertEquals(memory.read(memory.map(4096), 4), new Uint8Array(4), "nothing of what was there before");
});

Deno.test("the kernel's addresses are no user's, mapped or not", () => {
  assert(accessOk(0n, 4096n));
  assert(accessOk(2n ** 47n - 8192n, 4096n));
  assert(!accessOk(2n ** 47n - 4096n, 4096n));
  assert(!accessOk(0xffff_8000_0000_0000n, 4096n));
});

/** The bytes of one argument, seen as a structure. */
function written<Name extends string>(structure: Structure<Name>, ...args: CallValue[]): View<Name> {
  return new View(structure, bufferOf(structure as unknown as Structure, args).bytes);
}

const item = (designators: (string | number)[], value: CallValue) =>
  ({ designators, value }) as { designators: (string | number)[]; value: number };
const braces = (...items: { designators: (string | number)[]; value: number }[]) =>
  ({ kind: "initializer", items }) as const;

Deno.test("an initialiser fills fields in order; a designator says where it goes on", () => {
  const region = written(
    UserspaceMemoryRegion,
    braces(item([], 1), item(["memory_size"], 4096), item([], 0x7f00_0000_0000)),
  );
  assertEquals(
    (["slot", "flags", "guest_phys_addr", "memory_size", "userspace_addr"] as const).map((name) =>
      region.get(name)
    ),
    [1, 0, 0, 4096, 0x7f00_0000_0000],
  );
  assertEquals(written(IrqLevel, 4, 1).get("level"), 1, "without braces");
});

Deno.test("an initialiser gives the array at a structure's end as many elements as it names", () => {
  const entries = braces(item([], braces(item(["index"], 0x10))), item([2, "data"], 7));
  const { bytes } = bufferOf(
    Msrs as unknown as Structure,
    [braces(item(["nmsrs"], 3), item(["entries"], entries as unknown as number))],
  );
  assertEquals(bytes.length, 8 + 3 * 16);
  assertEquals([bytes[0], bytes[8], bytes[8 + 2 * 16 + 8]], [3, 0x10, 7]);
});

for (
  const [title, value, message] of [
    ["an unknown member", braces(item(["levl"], 1)), "'struct kvm_irq_level' has no member named 'levl'"],
    ["too much", braces(item([], 1), item([], 2), item([], 3)), "excess elements in struct initializer"],
    ["an unknown tag", { ...braces(), tag: "kvm_reggs" }, "invalid use of undefined type 'struct kvm_reggs'"],
    ["a string", "x", "the fields of struct kvm_irq_level are numbers"],
    [
      "a structure for a number",
      braces(item(["irq"], braces() as unknown as number)),
      "'irq' is a number, not a structure",
    ],
  ] as const
) {
  Deno.test(`an initialiser is refused as gcc refuses it: ${title}`, () => {
    assertThrows(() => written(IrqLevel, value), ArgumentError, message);
  });
}

Deno.test("requests come and go with versions, and two of them with the patches", () => {
  const { "3.5": old, "6.18": today } = KVM_VERSIONS;
  for (
    const [name, level, version, patched, expected] of [
      ["KVM_CHECK_EXTENSION", "system", old, false, true],
      ["KVM_CHECK_EXTENSION", "vm", old, false, false],
      ["KVM_CHECK_EXTENSION", "vm", today, false, true],
      ["KVM_ASSIGN_PCI_DEVICE", "vm", old, false, true],
      ["KVM_ASSIGN_PCI_DEVICE", "vm", today, false, false],
      ["KVM_SIGNAL_MSI", "vm", old, false, true],
      ["KVM_ENABLE_CAP", "vm", old, false, false],
      ["KVM_SET_SLAVE_CPU", "vcpu", old, false, false],
      ["KVM_SET_SLAVE_CPU", "vcpu", old, true, true],
      ["KVM_RUN", "vm", old, true, false],
    ] as const
  ) assertEquals(known(name, level, version, patched), expected, `${name} of ${level}, ${version.kernel}`);
});

Deno.test("what Linux 3.5 takes and the model does not is this, and no more", () => {
  const files = { system: SystemFile, vm: VmFile, vcpu: VcpuFile };
  const missing = (Object.keys(REQUESTS) as RequestName[]).filter((name) =>
    (["system", "vm", "vcpu"] as const).some((level) =>
      known(name, level, KVM_VERSIONS["3.5"], true) && files[level].handlers[name] === undefined
    )
  );
  assertEquals(missing, [
    "KVM_GET_DIRTY_LOG",
    "KVM_SET_MEMORY_REGION",
    "KVM_TRANSLATE",
    "KVM_SET_GUEST_DEBUG",
  ]);
});
