/**
 * The options of both releases: which take an argument, and what we do with each.
 *
 * *Document*: `qemu-options.hx` and the manual page of qemu-kvm 1.1 and of QEMU 7.2.
 *
 * An option that is not in a release's table is invalid there, as it was. One is all the same: `-realtime mlock=on` of
 * QEMU 1.5 among those of 2012, because slide 7 has mlock(2); the program says so.
 *
 * @module
 */

import type { QemuEra } from "./era.ts";

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
export const OPTIONS: Readonly<Record<QemuEra, ReadonlyMap<string, OptionRow>>> = {
  "2012": new Map([
    ...rows(
      "used",
      true,
      "m smp cpu M machine drive hda hdb hdc hdd cdrom device serial monitor vga name realtime kernel append initrd " +
        "qmp pidfile",
    ),
    ...rows(
      "used",
      false,
      "enable-kvm no-kvm no-kvm-pit no-kvm-irqchip no-kvm-pit-reinjection nographic nodefaults daemonize S h help " +
        "version no-acpi no-reboot no-shutdown",
    ),
    ...rows("cosmetic", true, "k uuid boot rtc D echr watchdog-action mem-path display"),
    ...rows(
      "cosmetic",
      false,
      "no-hpet nodefconfig no-quit tdf rtc-td-hack localtime win2k-hack no-fd-bootchk " +
        "mem-prealloc",
    ),
    ...rows(
      "unmodelled",
      true,
      "fda fdb mtdblock sd pflash set global numa soundhw usbdevice fsdev virtfs vnc spice g smbios net netdev chardev " +
        "bt mon debugcon parallel gdb d hdachs bios loadvm option-rom clock startdate icount watchdog tb-size " +
        "incoming chroot runas prom-env trace dtb pcidevice kvm-shadow-memory " +
        "readconfig writeconfig qtest qtest-log acpitable balloon",
    ),
    ...rows(
      "unmodelled",
      false,
      "snapshot usb sdl curses portrait alt-grab ctrl-grab no-frame full-screen singlestep s " +
        "no-kvm-device-assignment xen-attach enable-nesting",
    ),
  ]),
  today: new Map([
    ...rows(
      "used",
      true,
      "m smp cpu M machine accel drive hda hdb hdc hdd cdrom device serial monitor vga name overcommit object netdev net " +
        "global rtc kernel append initrd qmp mem-path pidfile",
    ),
    ...rows(
      "used",
      false,
      "enable-kvm nographic nodefaults daemonize S h help version no-acpi no-reboot no-shutdown",
    ),
    ...rows("cosmetic", true, "k uuid boot D echr display sandbox msg action compat watchdog-action"),
    ...rows(
      "cosmetic",
      false,
      "no-hpet no-user-config win2k-hack no-fd-bootchk mem-prealloc only-migratable",
    ),
    ...rows(
      "unmodelled",
      true,
      "fda fdb mtdblock sd pflash set numa audio audiodev usbdevice fsdev virtfs vnc spice g smbios nic chardev " +
        "mon qmp-pretty debugcon parallel gdb d dfilter seed bios loadvm icount watchdog incoming chroot runas " +
        "prom-env trace dtb fw_cfg readconfig qtest qtest-log acpitable blockdev tpmdev plugin add-fd option-rom " +
        "semihosting-config dump-vmstate run-with tb-size xen-domid iscsi L",
    ),
    ...rows(
      "unmodelled",
      false,
      "snapshot usb sdl curses full-screen singlestep s xen-attach xen-domid-restrict preconfig semihosting " +
        "enable-fips async-teardown",
    ),
  ]),
};
