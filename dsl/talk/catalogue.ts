/**
 * The talk's 34 slides: what each is about, and what brings it back.
 *
 * *Document*: Tomoki Sekiyama, "Improvement of Real-time Performance of KVM", LinuxCon/CloudOpen North America 2012.
 *
 * *Deviations*: titles say what a slide is about; the talk's own headings are often only "Issue #1".
 *
 * @module
 */

/**
 * How a slide comes back: `executed`, by runs; `derived`, from rules and data of the program; `text`, where there is
 * nothing to run.
 */
export type SlideKind = "executed" | "derived" | "text";

/** A slide of the talk. */
export interface SlideEntry {
  /** 1 to 34. */
  readonly number: number;
  readonly title: string;
  readonly kind: SlideKind;
  /** What executes or derives it, or what kind of text it is. */
  readonly by: string;
  /** Example scripts without which it cannot be executed. */
  readonly scripts?: readonly string[];
}

const SETUP = "talk_setup.rtk";

/** Every slide, in order. */
export const SLIDES: readonly SlideEntry[] = [
  text(1, "Improvement of Real-time Performance of KVM", "title"),
  text(2, "Agenda: overview of real-time virtualization", "agenda"),
  text(3, "Uses: factory automation and control, appliances", "motivation"),
  text(4, "Uses: enterprise systems such as trading, high-performance computing", "motivation"),
  executed(5, "Requirements: low latency, bare-metal speed, real-time quality, unmodified guests", {
    by: "the rows of slide 25: mean latency and VM exits a period",
    scripts: ["slide25_row.rtk"],
  }),
  executed(6, "Why KVM: among others, it shares and overcommits cores", {
    by: "cyclictest in a busy guest, alone and beside another one on its core",
  }),
  executed(7, "A timer interrupt on stock KVM: three exits a period", {
    by: "the trace of a busy guest's tick on kvm",
  }),
  text(8, "Agenda: improvement of KVM's real-time performance", "agenda"),
  executed(9, "CPU isolation and direct interrupt delivery: the exits that each removes", {
    by: "traces on systems with more and more of the capabilities, their exits counted",
  }),
  executed(10, "CPU isolation: a dedicated CPU is offline for Linux", {
    by: "echo 0 > cpu3/online, and the kernel threads that leave",
    scripts: [SETUP],
  }),
  executed(11, "How to dedicate a CPU: three lines", {
    by: "examples/slide11.rtk: the three lines as printed",
    scripts: ["slide11.rtk"],
  }),
  executed(12, "Direct interrupt delivery: pin-based controls of the VMCS", {
    by: "show vmcs on kvm and on rfc-v2",
  }),
  executed(13, "Issue 1: the CPU cannot tell the host's interrupts from the guest's", {
    by: "irq pf0 with the host's device led to the dedicated CPU",
  }),
  executed(14, "Issue 1, solution: isolation and IRQ affinity", {
    by: "irq pf0 with the host's device led to a CPU of the host",
  }),
  executed(15, "Issue 2: IPIs of the host reach the guest; solution: NMI", {
    by: "a message with the host's vector, and a kick, both while the guest runs",
  }),
  executed(16, "Issue 3: host and guest use different vectors for one device", {
    by: "vectors of the assigned device on kvm and on rfc-v2",
  }),
  executed(17, "Issue 3, solution: the guest's vector is registered with the host too", {
    by: "irq vf0 while the vCPU is out of guest mode, with the registration and without",
  }),
  executed(18, "An assigned device's interrupt: normal delivery, direct delivery", {
    by: "traces of irq vf0 on kvm and on rfc-v1",
  }),
  executed(19, "Direct EOI by x2APIC and the MSR bitmap; not for virtual interrupts", {
    by: "show vmcs, and the bitmap's switches in the trace of a virtual interrupt",
  }),
  executed(20, "Direct delivery with direct EOI; a virtual interrupt under direct mode", {
    by: "traces of irq vf0 and of a command that the host's console types, on rfc-v2",
  }),
  executed(21, "Direct access to the local APIC timer, register by register", {
    by: "the MSR bitmap of a running guest, of rfc-v2 and of talk",
  }),
  executed(22, "The virtual local APIC timer, and the direct one", {
    by: "traces of a busy guest's tick on kvm and on rfc-v2",
  }),
  text(23, "Agenda: performance evaluation", "agenda"),
  executed(24, "Experimental set-up", {
    by: "lscpu, uname and lspci on host and guest, and cyclictest's command line",
    scripts: [SETUP],
  }),
  executed(25, "cyclictest, guest idle, host under CPU load", {
    by: "five rows of examples/slide25_row.rtk",
    scripts: ["slide25_row.rtk"],
  }),
  executed(26, "cyclictest, guest under network I/O", {
    by: "three rows of examples/slide26_row.rtk",
    scripts: ["slide26_row.rtk"],
  }),
  executed(27, "Throughput, round trip and host CPU use between PF and VF", {
    by: "examples/slide27_row.rtk on kvm and on rfc-v2",
    scripts: ["slide27_row.rtk"],
  }),
  text(28, "Agenda: current status of development", "agenda"),
  derived(29, "Patch submission status: RFC v1 and RFC v2", "the capabilities of the systems' rows"),
  executed(30, "How to test", {
    by: "examples/talk_setup.rtk: the commands as printed",
    scripts: [SETUP],
  }),
  text(31, "Future plan: fewer restrictions, direct interrupts for virtio", "plans"),
  text(32, "Thank you, questions", "end matter"),
  text(33, "Hitachi: Inspire the Next", "end matter"),
  text(34, "Trademarks", "end matter"),
];

function executed(
  number: number,
  title: string,
  how: { readonly by: string; readonly scripts?: readonly string[] },
): SlideEntry {
  return { number, title, kind: "executed", ...how };
}

function derived(number: number, title: string, by: string): SlideEntry {
  return { number, title, kind: "derived", by };
}

function text(number: number, title: string, by: string): SlideEntry {
  return { number, title, kind: "text", by };
}

/** The slide of that number. */
export function slideNumbered(number: number): SlideEntry | undefined {
  return SLIDES[number - 1];
}
