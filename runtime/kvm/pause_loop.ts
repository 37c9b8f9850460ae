/**
 * Guests that spin: exits from loops of PAUSE.
 *
 * *Document*: Linux 3.5 `arch/x86/kvm/vmx.c` (`KVM_VMX_DEFAULT_PLE_GAP`, `KVM_VMX_DEFAULT_PLE_WINDOW`).
 *
 * @module
 */

/** Module parameters ple_gap and ple_window, ticks. */
export const PLE = { gap: 128, window: 4096 } as const;
