/**
 * The options of qemu-kvm 1.1 (the fork of 2012): which take an argument, and what we do with each.
 *
 * *Document*: `qemu-options.hx` and the manual page of qemu-kvm 1.1.
 *
 * Options of other years (`-accel`, `-realtime`, `-overcommit`, `-object`, …) are not in the table: they are invalid
 * here, as they were.
 *
 * @module
 */

/**
 * What an option comes to: `used` by the model; `cosmetic`: accepted, and nothing that is modelled depends on it;
 * `unmodelled`: QEMU would do something that the model cannot, so it is refused.
 */
export type Treatment = "used" | "cosmetic" | "unmodelled";

/** A row of the table. */
export interface OptionRow {
  readonly hasArgument: boolean;
  readonly treatment: Treatment;
}

function rows(treatment: Treatment, hasArgument: boolean, names: string): [string, OptionRow][] {
  return names.split(/\s+/).map((name) => [name, { treatment, hasArgument }]);
}

/** Every option by its name without dashes. */
export const OPTIONS: ReadonlyMap<string, OptionRow> = new Map([
  ...rows("used", true, "m smp cpu M machine drive hda hdb hdc hdd cdrom device serial monitor vga name"),
  ...rows(
    "used",
    false,
    "enable-kvm no-kvm no-kvm-pit no-kvm-irqchip no-kvm-pit-reinjection nographic nodefaults S h help version",
  ),
  ...rows("cosmetic", true, "k uuid boot rtc pidfile D echr watchdog-action mem-path display"),
  ...rows(
    "cosmetic",
    false,
    "no-reboot no-shutdown no-acpi no-hpet nodefconfig no-quit tdf rtc-td-hack localtime win2k-hack no-fd-bootchk " +
      "mem-prealloc",
  ),
  ...rows(
    "unmodelled",
    true,
    "fda fdb mtdblock sd pflash set global numa soundhw usbdevice fsdev virtfs vnc spice g smbios net netdev chardev " +
      "bt qmp mon debugcon parallel gdb d hdachs bios loadvm option-rom clock startdate icount watchdog tb-size " +
      "incoming chroot runas prom-env trace kernel append initrd dtb pcidevice kvm-shadow-memory " +
      "readconfig writeconfig qtest qtest-log acpitable balloon",
  ),
  ...rows(
    "unmodelled",
    false,
    "snapshot usb sdl curses portrait alt-grab ctrl-grab no-frame full-screen singlestep s no-kvm-device-assignment " +
      "daemonize xen-attach enable-nesting",
  ),
]);
