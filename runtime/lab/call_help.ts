/**
 * What `help` says of C calls, of KVM's requests and of their structures; the latter two out of the tables that the
 * calls themselves use.
 *
 * @module
 */

import { type Level, type Request, REQUESTS } from "../kvm/uapi/requests.ts";
import type { AnyStructure, Field } from "../kvm/uapi/structure.ts";
import { STRUCTURES } from "../kvm/uapi/structures.ts";
import { SystemFile } from "../kvm/ioctl/system_file.ts";
import { VcpuFile } from "../kvm/ioctl/vcpu_file.ts";
import { VmFile } from "../kvm/ioctl/vm_file.ts";

/** The manuals of the calls, in the form of every command's. */
export const CALL_MANUALS: readonly { readonly name: string; readonly doc: string }[] = [
  `open - opens /dev/kvm
Usage: FD = open("/dev/kvm", O_RDWR);
Effects: opens the module; its requests make machines, theirs make vCPUs
Exit status: 0, or 1 with errno set
Errors: ENOENT for any other file
Differs from the real one: no other file: the shell opens those
Examples: kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC); echo $kvm`,
  `close - gives a descriptor back
Usage: close(FD);
Effects: with the last descriptor of a machine and its vCPUs the machine is gone, and its slave CPUs are offline again
Exit status: 0, or 1 with errno set
Errors: EBADF
Differs from the real one: 0, 1 and 2 stay open
Examples: kvm = open("/dev/kvm", O_RDWR); close(kvm);`,
  `ioctl - makes a request of KVM
Usage: [RESULT =] ioctl(FD, REQUEST, ARGUMENT);
Effects: makes a request on a descriptor. help REQUEST says on which one, since which kernel, and with which structure;
  help kvm_regs shows a structure. A structure is written as in C, with or without its type, or by its numbers in their
  order. A variable stands for a structure by its address: &regs becomes an associative array of its fields,
  \${regs[rip]}, \${events[nmi.pending]}, \${msrs[entries.0.data]}; an indexed array holds the numbers in their order.
  NULL and (void *)ADDRESS are addresses as they are. A PCI device may be named by its place, "0000:05:00.0".
  KVM_RUN is a job: the shell says how it ended and does not wait
Exit status: 0, or 1: then errno holds the number, and RESULT is -1
Errors: EBADF: no such descriptor; ENOTTY: none of KVM's, or a request that no machine takes; EINVAL: the same of
  the module and of a vCPU; EFAULT: a bad address; the rest are the request's own
Differs from the real one: a request that is known and not modelled fails as on a kernel without it, with a note; the
  vCPUs of a QEMU can be used outside of its process
Examples: kvm = open("/dev/kvm", O_RDWR); ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP);
  kvm = open("/dev/kvm", O_RDWR); vm = ioctl(kvm, KVM_CREATE_VM, 0); ioctl(vm, KVM_CREATE_IRQCHIP, 1) || echo $errno
  help KVM_IRQ_LINE   # ioctl(vm, KVM_IRQ_LINE, &(struct kvm_irq_level){ .irq = 4, .level = 1 }); or {4, 1}; or 4, 1
  help kvm_regs       # ioctl(vcpu[0], KVM_GET_REGS, &regs); regs[rip]=0x1000; ioctl(vcpu[0], KVM_SET_REGS, &regs);`,
  `eventfd - makes a counter
Usage: FD = eventfd(COUNT, FLAGS);
Effects: a counter; KVM_IRQFD makes every write of it raise an interrupt line, KVM_IOEVENTFD an access of the guest write it
Exit status: 0, or 1 with errno set
Errors: EINVAL for flags beside EFD_SEMAPHORE, EFD_NONBLOCK, EFD_CLOEXEC
Differs from the real one: nothing waits
Examples: e = eventfd(3, 0); read(e, &count, 8); echo $count`,
  `read - takes what an eventfd holds
Usage: read(FD, &COUNT, 8);
Effects: COUNT is what the eventfd held, and it holds 0 now (one less with EFD_SEMAPHORE)
Exit status: 0, or 1 with errno set
Errors: EBADF; EINVAL: fewer than 8 bytes, or no eventfd; EAGAIN: it holds 0
Differs from the real one: does not wait. Without parentheses it is the shell's read, which help read shows
Examples: e = eventfd(3, EFD_SEMAPHORE); read(e, &count, 8); echo $count`,
  `write - adds to an eventfd
Usage: write(FD, COUNT, 8);
Effects: adds COUNT
Exit status: 0, or 1 with errno set
Errors: EBADF; EINVAL: fewer than 8 bytes, or no eventfd; EAGAIN: it would overflow
Differs from the real one: the number itself is taken, or &COUNT
Examples: e = eventfd(0, 0); write(e, 5, 8); read(e, &count, 8); echo $count`,
  `mmap - memory for a machine
Usage: ADDRESS = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
Effects: memory, for KVM_SET_USER_MEMORY_REGION. No guest lies in it: a vCPU with nothing else has no instruction
Exit status: 0, or 1 with errno set
Errors: EBADF, ENODEV for a descriptor; EINVAL, ENOMEM for a length
Differs from the real one: anonymous memory only; of a vCPU's shared area KVM_RUN's report shows the exit reason
Examples: ram = mmap(NULL, 0x200000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); echo $ram`,
  `munmap - gives memory back
Usage: munmap(ADDRESS, BYTES);
Effects: gives a whole mapping back
Exit status: 0
Errors: none
Differs from the real one: no part of a mapping
Examples: ram = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); munmap(ram, 4096);`,
].map((doc) => ({ name: doc.slice(0, doc.indexOf(" ")), doc }));
const MANUALS: ReadonlyMap<string, string> = new Map(CALL_MANUALS.map(({ name, doc }) => [name, doc]));

const LEVELS: Readonly<Record<Level, string>> = {
  system: "/dev/kvm",
  vm: "a machine",
  vcpu: "a vCPU",
};
const HANDLERS = { system: SystemFile.handlers, vm: VmFile.handlers, vcpu: VcpuFile.handlers };

/** Calls, requests and structures that {@linkcode callHelp} knows. */
export const CALL_WORDS: readonly string[] = [
  ...MANUALS.keys(),
  ...Object.keys(REQUESTS),
  ...STRUCTURES.keys(),
];

/** What is to be said of a call, a request or a structure; `undefined`: it is none. */
export function callHelp(word: string): string | undefined {
  const manual = MANUALS.get(word);
  if (manual !== undefined) return manual;
  const structure = STRUCTURES.get(word);
  if (structure !== undefined) return structureText(structure);
  if (Object.hasOwn(REQUESTS, word)) return requestText(word as keyof typeof REQUESTS);
}

function requestText(name: keyof typeof REQUESTS): string {
  const { number, levels, structure, until, opaque, patched }: Request = REQUESTS[name];
  const argument = structure !== undefined
    ? `&(${structureName(structure)}){…}`
    : opaque === true
    ? "…"
    : "NUMBER";
  const places = (Object.entries(levels) as [Level, string][]).map(([level, since]) => {
    const modelled = HANDLERS[level][name] === undefined ? ", not modelled" : "";
    return `  on ${LEVELS[level]}, since Linux ${since}${
      until === undefined ? "" : `, until ${until}`
    }${modelled}`;
  });
  return [
    `Usage: ioctl(FD, ${name}, ${argument});`,
    `Request 0x${number.toString(16)}${patched === true ? ", of a kernel with the slave-CPU patches" : ""}`,
    ...places,
    ...(structure === undefined ? [] : [structureText(structure)]),
  ].join("\n");
}

function structureName({ name }: AnyStructure): string {
  return name.startsWith("__") ? name : `struct ${name}`;
}

function structureText(structure: AnyStructure): string {
  return [`${structureName(structure)} {`, ...fieldLines(structure, "  "), `}; ${structure.size} bytes`].join(
    "\n",
  );
}

function fieldLines(structure: AnyStructure, indent: string): string[] {
  const fields = [...structure.fields.values()] as Field[];
  return fields.filter(({ alias }) => !alias).flatMap(({ name, type, count }) => {
    const array = count === undefined ? "" : `[${count === 0 ? "" : count}]`;
    if (typeof type === "string") return [`${indent}__${type} ${name}${array};`];
    if (type.name !== "") return [`${indent}struct ${type.name} ${name}${array};`];
    return [`${indent}{`, ...fieldLines(type, `${indent}  `), `${indent}} ${name}${array};`];
  });
}
