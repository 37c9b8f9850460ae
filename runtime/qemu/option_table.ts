/**
 * The options of qemu-kvm 1.1 (the fork of 2012): which take an argument, and what we do with each.
 *
 * *Document*: `qemu-options.hx` and the manual page of qemu-kvm 1.1.
 *
 * Options of other years (`-accel`, `-overcommit`, `-object`, …) are not in the table: they are invalid here, as they
 * were. One is: `-realtime mlock=on` of QEMU 1.5, because slide 7 has mlock(2); the program says so.
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
  ...rows(
    "used",
    true,
    "m smp cpu M machine drive hda hdb hdc hdd cdrom device serial monitor vga name realtime",
  ),
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

/** Device models of 1.1 that QEMU would build and we cannot. */
export const UNMODELLED_DEVICES = new Set(
  ("virtio-blk-pci virtio-net-pci virtio-balloon-pci virtio-serial-pci virtio-9p-pci virtio-scsi-pci virtserialport " +
    "virtconsole e1000 rtl8139 ne2k_pci pcnet i82551 i82557b i82559er ide-drive ide-hd ide-cd scsi-disk scsi-hd " +
    "scsi-cd lsi53c895a ahci ich9-ahci piix3-usb-uhci piix4-usb-uhci usb-ehci nec-usb-xhci usb-tablet usb-mouse " +
    "usb-kbd usb-storage usb-hub usb-host isa-serial isa-parallel isa-debugcon isa-fdc ivshmem i6300esb ib700 VGA " +
    "cirrus-vga isa-vga qxl qxl-vga vmware-svga intel-hda hda-duplex hda-output AC97 ES1370 sb16 hpet pci-bridge")
    .split(" "),
);
