/**
 * Structures of KVM's interface on x86, with the kernel's names for structures and fields.
 *
 * *Document*: Linux 6.18 `include/uapi/linux/kvm.h`, `arch/x86/include/uapi/asm/kvm.h`; a field that an older kernel has
 * as padding is zero there.
 *
 * @module
 */

import { struct, type Structure, union } from "./structure.ts";

/** An interrupt line and its level; `KVM_IRQ_LINE_STATUS` puts its answer in the line's place. */
export const IrqLevel = struct("kvm_irq_level", {
  irq: "u32",
  status: { as: "s32", sameAs: "irq" },
  level: "u32",
});

/** An 8259. */
export const PicState = struct("kvm_pic_state", {
  last_irr: "u8",
  irr: "u8",
  imr: "u8",
  isr: "u8",
  priority_add: "u8",
  irq_base: "u8",
  read_reg_select: "u8",
  poll: "u8",
  special_mask: "u8",
  init_state: "u8",
  auto_eoi: "u8",
  rotate_on_auto_eoi: "u8",
  special_fully_nested_mode: "u8",
  init4: "u8",
  elcr: "u8",
  elcr_mask: "u8",
});
/** The I/O APIC. */
export const IoapicState = struct("kvm_ioapic_state", {
  base_address: "u64",
  ioregsel: "u32",
  id: "u32",
  irr: "u32",
  pad: "u32",
  redirtbl: ["u64", 24],
});
/** What an interrupt controller is made of. */
export const Chip = union("", { dummy: ["u8", 512], pic: PicState, ioapic: IoapicState });
/** An interrupt controller: 0 and 1 are the 8259s, 2 is the I/O APIC. */
export const Irqchip = struct("kvm_irqchip", { chip_id: "u32", pad: "u32", chip: Chip });

/** A channel of the PIT. */
export const PitChannelState = struct("kvm_pit_channel_state", {
  count: "u32",
  latched_count: "u16",
  count_latched: "u8",
  status_latched: "u8",
  status: "u8",
  read_state: "u8",
  write_state: "u8",
  write_latch: "u8",
  rw_mode: "u8",
  mode: "u8",
  bcd: "u8",
  gate: "u8",
  count_load_time: "u64",
});
/** The PIT. */
export const PitState = struct("kvm_pit_state", { channels: [PitChannelState, 3] });
/** The PIT, with the flags that `KVM_CREATE_PIT2` knows. */
export const PitState2 = struct("kvm_pit_state2", {
  channels: [PitChannelState, 3],
  flags: "u32",
  reserved: ["u32", 9],
});
/** How a PIT is made. */
export const PitConfig = struct("kvm_pit_config", { flags: "u32", pad: ["u32", 15] });
/** Whether ticks that the guest has missed are made up for. */
export const ReinjectControl = struct("kvm_reinject_control", { pit_reinject: "u8", reserved: ["u8", 31] });

/** General registers. */
export const Regs = struct("kvm_regs", {
  rax: "u64",
  rbx: "u64",
  rcx: "u64",
  rdx: "u64",
  rsi: "u64",
  rdi: "u64",
  rsp: "u64",
  rbp: "u64",
  r8: "u64",
  r9: "u64",
  r10: "u64",
  r11: "u64",
  r12: "u64",
  r13: "u64",
  r14: "u64",
  r15: "u64",
  rip: "u64",
  rflags: "u64",
});
/** A segment register. */
export const Segment = struct("kvm_segment", {
  base: "u64",
  limit: "u32",
  selector: "u16",
  type: "u8",
  present: "u8",
  dpl: "u8",
  db: "u8",
  s: "u8",
  l: "u8",
  g: "u8",
  avl: "u8",
  unusable: "u8",
  padding: "u8",
});
/** GDTR or IDTR. */
export const Dtable = struct("kvm_dtable", { base: "u64", limit: "u16", padding: ["u16", 3] });

const SYSTEM_REGISTERS = {
  cs: Segment,
  ds: Segment,
  es: Segment,
  fs: Segment,
  gs: Segment,
  ss: Segment,
  tr: Segment,
  ldt: Segment,
  gdt: Dtable,
  idt: Dtable,
  cr0: "u64",
  cr2: "u64",
  cr3: "u64",
  cr4: "u64",
  cr8: "u64",
  efer: "u64",
  apic_base: "u64",
} as const;
/** Segments, control registers, EFER and IA32_APIC_BASE. */
export const Sregs = struct("kvm_sregs", { ...SYSTEM_REGISTERS, interrupt_bitmap: ["u64", 4] });

/** An interrupt for a machine whose controllers are in user space. */
export const Interrupt = struct("kvm_interrupt", { irq: "u32" });
/** An MSR and its value. */
export const MsrEntry = struct("kvm_msr_entry", { index: "u32", reserved: "u32", data: "u64" });
/** MSRs to be read or written. */
export const Msrs = struct("kvm_msrs", { nmsrs: "u32", pad: "u32", entries: [MsrEntry] });
/** Numbers of MSRs. */
export const MsrList = struct("kvm_msr_list", { nmsrs: "u32", indices: ["u32"] });
/** What CPUID shows, in the first form. */
export const CpuidEntry = struct("kvm_cpuid_entry", {
  function: "u32",
  eax: "u32",
  ebx: "u32",
  ecx: "u32",
  edx: "u32",
  padding: "u32",
});
/** See {@linkcode CpuidEntry}. */
export const Cpuid = struct("kvm_cpuid", { nent: "u32", padding: "u32", entries: [CpuidEntry] });
/** What CPUID shows for a function and an index. */
export const CpuidEntry2 = struct("kvm_cpuid_entry2", {
  function: "u32",
  index: "u32",
  flags: "u32",
  eax: "u32",
  ebx: "u32",
  ecx: "u32",
  edx: "u32",
  padding: ["u32", 3],
});
/** All that CPUID shows. */
export const Cpuid2 = struct("kvm_cpuid2", { nent: "u32", padding: "u32", entries: [CpuidEntry2] });

/** Signals that are blocked while the vCPU runs. */
export const SignalMask = struct("kvm_signal_mask", { len: "u32", sigset: ["u8"] });
/** x87 and SSE. */
export const Fpu = struct("kvm_fpu", {
  fpr: ["u8", 128],
  fcw: "u16",
  fsw: "u16",
  ftwx: "u8",
  pad1: "u8",
  last_opcode: "u16",
  last_ip: "u64",
  last_dp: "u64",
  xmm: ["u8", 256],
  mxcsr: "u32",
  pad2: "u32",
});
/** The page of the local APIC. */
export const LapicState = struct("kvm_lapic_state", { regs: ["u8", 1024] });
/** See `KVM_TPR_ACCESS_REPORTING`. */
export const TprAccessCtl = struct("kvm_tpr_access_ctl", {
  enabled: "u32",
  flags: "u32",
  reserved: ["u32", 8],
});
/** See `KVM_SET_VAPIC_ADDR`. */
export const VapicAddr = struct("kvm_vapic_addr", { vapic_addr: "u64" });
/** What a vCPU waits for. */
export const MpState = struct("kvm_mp_state", { mp_state: "u32" });
/** A machine check. */
export const X86Mce = struct("kvm_x86_mce", {
  status: "u64",
  addr: "u64",
  misc: "u64",
  mcg_status: "u64",
  bank: "u8",
  pad1: ["u8", 7],
  pad2: ["u64", 3],
});
/** IA32_MCG_CAP. */
export const MceCapabilities = struct("__u64", { value: "u64" });

/** Of {@linkcode VcpuEvents}. */
export const ExceptionEvent = struct("", {
  injected: "u8",
  nr: "u8",
  has_error_code: "u8",
  pending: "u8",
  error_code: "u32",
});
/** Of {@linkcode VcpuEvents}. */
export const InterruptEvent = struct("", { injected: "u8", nr: "u8", soft: "u8", shadow: "u8" });
/** Of {@linkcode VcpuEvents}. */
export const NmiEvent = struct("", { injected: "u8", pending: "u8", masked: "u8", pad: "u8" });
/** Of {@linkcode VcpuEvents}. */
export const SmiEvent = struct("", { smm: "u8", pending: "u8", smm_inside_nmi: "u8", latched_init: "u8" });
/** What is about to reach a vCPU. */
export const VcpuEvents = struct("kvm_vcpu_events", {
  exception: ExceptionEvent,
  interrupt: InterruptEvent,
  nmi: NmiEvent,
  sipi_vector: "u32",
  flags: "u32",
  smi: SmiEvent,
  triple_fault: struct("", { pending: "u8" }),
  reserved: ["u8", 26],
  exception_has_payload: "u8",
  exception_payload: "u64",
});
/** Debug registers. */
export const Debugregs = struct("kvm_debugregs", {
  db: ["u64", 4],
  dr6: "u64",
  dr7: "u64",
  flags: "u64",
  reserved: ["u64", 9],
});
/** A capability to be switched on. */
export const EnableCap = struct("kvm_enable_cap", {
  cap: "u32",
  flags: "u32",
  args: ["u64", 4],
  pad: ["u8", 64],
});
/** The XSAVE area. */
export const Xsave = struct("kvm_xsave", { region: ["u32", 1024] });
/** An extended control register. */
export const Xcr = struct("kvm_xcr", { xcr: "u32", reserved: "u32", value: "u64" });
/** Extended control registers. */
export const Xcrs = struct("kvm_xcrs", {
  nr_xcrs: "u32",
  flags: "u32",
  xcrs: [Xcr, 16],
  padding: ["u64", 16],
});

/** Pages of the process that the machine has as its memory. */
export const UserspaceMemoryRegion = struct("kvm_userspace_memory_region", {
  slot: "u32",
  flags: "u32",
  guest_phys_addr: "u64",
  memory_size: "u64",
  userspace_addr: "u64",
});
/** Where the identity-mapped page table lies. */
export const IdentityMapAddr = struct("__u64", { addr: "u64" });

/** A pin of an interrupt controller. */
export const RoutingIrqchip = struct("kvm_irq_routing_irqchip", { irqchip: "u32", pin: "u32" });
/** A message. */
export const RoutingMsi = struct("kvm_irq_routing_msi", {
  address_lo: "u32",
  address_hi: "u32",
  data: "u32",
  devid: "u32",
});
/** Where an interrupt line leads. */
export const RoutingEntry = struct("kvm_irq_routing_entry", {
  gsi: "u32",
  type: "u32",
  flags: "u32",
  pad: "u32",
  u: union("", { irqchip: RoutingIrqchip, msi: RoutingMsi, pad: ["u32", 8] }),
});
/** The union in {@linkcode RoutingEntry}. */
export const RoutingUnion = union("", { irqchip: RoutingIrqchip, msi: RoutingMsi, pad: ["u32", 8] });
/** All interrupt lines. */
export const Routing = struct("kvm_irq_routing", { nr: "u32", flags: "u32", entries: [RoutingEntry] });
/** A message-signalled interrupt. */
export const Msi = struct("kvm_msi", {
  address_lo: "u32",
  address_hi: "u32",
  data: "u32",
  flags: "u32",
  devid: "u32",
  pad: ["u8", 12],
});
/** An eventfd that raises a line. */
export const Irqfd = struct("kvm_irqfd", {
  fd: "u32",
  gsi: "u32",
  flags: "u32",
  resamplefd: "u32",
  pad: ["u8", 16],
});
/** An eventfd that is signalled by an access of the guest. */
export const Ioeventfd = struct("kvm_ioeventfd", {
  datamatch: "u64",
  addr: "u64",
  len: "u32",
  fd: "s32",
  flags: "u32",
  pad: ["u8", 36],
});
/** Memory to which writes may wait for user space. */
export const CoalescedMmioZone = struct("kvm_coalesced_mmio_zone", { addr: "u64", size: "u32", pio: "u32" });
/** The guest's clock, ns. */
export const ClockData = struct("kvm_clock_data", {
  clock: "u64",
  flags: "u32",
  pad0: "u32",
  realtime: "u64",
  host_tsc: "u64",
  pad: ["u32", 4],
});

/** A device of the host for a machine. */
export const AssignedPciDev = struct("kvm_assigned_pci_dev", {
  assigned_dev_id: "u32",
  busnr: "u32",
  devfn: "u32",
  flags: "u32",
  segnr: "u32",
  reserved: ["u32", 11],
});
/** Its interrupts. */
export const AssignedIrq = struct("kvm_assigned_irq", {
  assigned_dev_id: "u32",
  host_irq: "u32",
  guest_irq: "u32",
  flags: "u32",
  reserved: ["u32", 12],
});
/** How many MSI-X entries it uses. */
export const AssignedMsixNr = struct("kvm_assigned_msix_nr", {
  assigned_dev_id: "u32",
  entry_nr: "u16",
  padding: "u16",
});
/** The line of one of them. */
export const AssignedMsixEntry = struct("kvm_assigned_msix_entry", {
  assigned_dev_id: "u32",
  gsi: "u32",
  entry: "u16",
  padding: ["u16", 3],
});

/** All that can be named by their tags: `struct kvm_regs`. */
export const STRUCTURES: ReadonlyMap<string, Structure> = new Map(
  [
    IrqLevel,
    Irqchip,
    PicState,
    IoapicState,
    PitState,
    PitState2,
    PitConfig,
    ReinjectControl,
    Regs,
    Segment,
    Dtable,
    Sregs,
    Interrupt,
    MsrEntry,
    Msrs,
    MsrList,
    CpuidEntry,
    Cpuid,
    CpuidEntry2,
    Cpuid2,
    SignalMask,
    Fpu,
    LapicState,
    TprAccessCtl,
    VapicAddr,
    MpState,
    X86Mce,
    VcpuEvents,
    Debugregs,
    EnableCap,
    Xsave,
    Xcr,
    Xcrs,
    UserspaceMemoryRegion,
    RoutingIrqchip,
    RoutingMsi,
    RoutingEntry,
    Routing,
    Msi,
    Irqfd,
    Ioeventfd,
    CoalescedMmioZone,
    ClockData,
    AssignedPciDev,
    AssignedIrq,
    AssignedMsixNr,
    AssignedMsixEntry,
  ].map((structure) => [structure.name, structure as unknown as Structure]),
);
