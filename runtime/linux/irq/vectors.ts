/**
 * Interrupt vectors of x86 Linux 3.x (`arch/x86/include/asm/irq_vectors.h`).
 *
 * @module
 */

/** System vectors, and where those of devices begin. */
export const Vector = Object.freeze({
  /** First vector handed to devices. */
  FirstExternal: 0x20,
  /** The 16 ISA interrupts, by their number. */
  Isa: 0x30,
  /** The local APIC timer. */
  LocalTimer: 0xef,
  /** smp_call_function_single(). */
  CallFunctionSingle: 0xfb,
  /** smp_call_function_many(). */
  CallFunction: 0xfc,
  /** The scheduler's interprocessor interrupt. */
  Reschedule: 0xfd,
  /** The local APIC's error vector. */
  Error: 0xfe,
  /** Spurious. */
  Spurious: 0xff,
});
