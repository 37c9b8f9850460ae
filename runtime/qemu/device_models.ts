/**
 * Device models of `-device` and of the monitor's `device_add`: which a release has, and the properties of those that
 * the model has.
 *
 * *Document*: `-device help` and `-device MODEL,help` of qemu-kvm 1.1 and QEMU 7.2.
 *
 * @module
 */

import type { QemuEra } from "./era.ts";

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ""));
}

const COMMON = "virtio-net-pci virtio-balloon-pci virtio-serial-pci virtio-9p-pci virtio-scsi-pci " +
  "virtserialport virtconsole e1000 rtl8139 ne2k_pci pcnet i82551 i82557b i82559er ide-hd ide-cd scsi-hd scsi-cd " +
  "lsi53c895a ich9-ahci piix3-usb-uhci piix4-usb-uhci usb-ehci nec-usb-xhci usb-tablet usb-mouse usb-kbd " +
  "usb-storage usb-hub usb-host isa-serial isa-parallel isa-debugcon isa-fdc i6300esb ib700 VGA cirrus-vga isa-vga " +
  "qxl qxl-vga intel-hda hda-duplex hda-output AC97 ES1370 sb16 pci-bridge ";

/** Models that QEMU would build and we cannot. */
export const UNMODELLED_DEVICES: Readonly<Record<QemuEra, ReadonlySet<string>>> = {
  "2012": words(COMMON + "ide-drive scsi-disk ahci ivshmem vmware-svga hpet"),
  today: words(
    COMMON +
      `e1000e e1000-82545em igb vmxnet3 virtio-vga virtio-gpu-pci virtio-rng-pci virtio-input-host-pci
      virtio-keyboard-pci virtio-mouse-pci virtio-tablet-pci virtio-iommu-pci virtio-mem-pci virtio-pmem-pci
      virtio-crypto-pci vhost-scsi-pci vhost-user-blk-pci vhost-user-fs-pci vhost-vsock-pci nvme nvme-ns megasas
      qemu-xhci pcie-root-port pcie-pci-bridge ioh3420 x3130-upstream xio3130-downstream pxb pxb-pcie i82801b11-bridge
      dmi-bridge bochs-display ramfb secondary-vga vmcoreinfo pvpanic pvpanic-pci ivshmem-plain ivshmem-doorbell
      intel-iommu amd-iommu pc-dimm nvdimm edu pci-testdev tpm-tis tpm-crb usb-net ich9-intel-hda hda-micro
      vfio-pci-igd-lpc-bridge kvaser_pci sdhci-pci am53c974 vmware-svga`,
  ),
};

/** Cards that can be the guest's network card, by which commands reach it. */
export const NETWORK_CARDS: ReadonlySet<string> = words("virtio-net-pci e1000 rtl8139");

/** The model by which a device of the host is assigned. */
export const ASSIGNMENT: Readonly<Record<QemuEra, string>> = { "2012": "pci-assign", today: "vfio-pci" };

/** The model of a disk that is modelled. */
export const DISK = "virtio-blk-pci";

/** Properties that every device on a PCI bus has. */
const PCI_PROPERTIES = "id bus addr multifunction romfile rombar bootindex ";

/** Properties of the models that the model has; those of vfio-pci that begin with `x-` are many and all taken. */
export const PROPERTIES: Readonly<Record<string, ReadonlySet<string>>> = {
  "pci-assign": words(PCI_PROPERTIES + "host prefer_msi share_intx configfd command_serr_enable"),
  "vfio-pci": words(
    PCI_PROPERTIES +
      "host sysfsdev display xres yres enable-migration ramfb failover_pair_id romsize acpi-index",
  ),
  "virtio-blk-pci": words(
    PCI_PROPERTIES +
      "drive ioeventfd event_idx indirect_desc scsi serial logical_block_size physical_block_size",
  ),
  "virtio-net-pci": words(
    PCI_PROPERTIES +
      `netdev mac vectors ioeventfd mq rx_queue_size tx_queue_size host_mtu packed iommu_platform ats page-per-vq
      disable-legacy disable-modern csum guest_csum gso mrg_rxbuf failover tx acpi-index`,
  ),
  e1000: words(PCI_PROPERTIES + "netdev mac acpi-index"),
  rtl8139: words(PCI_PROPERTIES + "netdev mac acpi-index"),
};

/** What a message calls the owner of a property that names another object: virtio devices hold it in a part of theirs. */
export function propertyOwner(model: string): string {
  return /^virtio-(net|blk)-pci$/.test(model) ? model.replace(/pci$/, "device") : model;
}
