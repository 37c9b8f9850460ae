/**
 * The two QEMUs of the laboratory: the fork qemu-kvm 1.1, as the talk used it, and QEMU 7.2.
 *
 * *Document*: `vl.c`, `hw/i386/pc_piix.c`, `hw/i386/pc_q35.c` and `qemu-doc` of both.
 *
 * @module
 */

/** Whose years' QEMU: `set -o era=`. */
export type QemuEra = "2012" | "today";

/** What sets one release apart, beside its options, CPU models and device models. */
export interface QemuRelease {
  /** As `info version` prints it. */
  readonly version: string;
  /** As the monitor's greeting has it. */
  readonly shortVersion: string;
  /** As `-version` prints it. */
  readonly banner: readonly string[];
  /** Machine types, by name or alias, and the name that each stands for. */
  readonly machines: ReadonlyMap<string, string>;
  /** The one without `-M`. */
  readonly defaultMachine: string;
  /** The most CPUs that a machine can have. */
  maxCpus(machine: string): number;
  /** Display adapters that `-vga` takes, the default one first. */
  readonly vgas: readonly string[];
  /** The network card without `-net`, `-netdev` or `-nic`. */
  readonly defaultNic: string;
}

function named(names: readonly string[], aliases: Readonly<Record<string, string>>): Map<string, string> {
  return new Map([...names.map((name): [string, string] => [name, name]), ...Object.entries(aliases)]);
}

/** `prefix` with each version from `first` to `last`, newest first. */
function versions(prefix: string, list: string): string[] {
  return list.split(" ").map((version) => `${prefix}${version}`);
}

const UPSTREAM =
  "7.2 7.1 7.0 6.2 6.1 6.0 5.2 5.1 5.0 4.2 4.1 4.0 3.1 3.0 2.12 2.11 2.10 2.9 2.8 2.7 2.6 2.5 2.4";

/** The releases. */
export const RELEASES: Readonly<Record<QemuEra, QemuRelease>> = {
  "2012": {
    version: "1.1.0 (qemu-kvm-1.1.0)",
    shortVersion: "1.1.0",
    banner: ["QEMU emulator version 1.1.0 (qemu-kvm-1.1.0), Copyright (c) 2003-2008 Fabrice Bellard"],
    machines: named(
      [...versions("pc-", "1.1 1.0 0.15 0.14 0.13 0.12 0.11 0.10"), "isapc"],
      { pc: "pc-1.1" },
    ),
    defaultMachine: "pc-1.1",
    maxCpus: () => 255,
    vgas: ["cirrus", "std", "vmware", "xenfb", "qxl", "none"],
    defaultNic: "e1000",
  },
  today: {
    version: "7.2.22Debian 1:7.2+dfsg-7+deb12u18+b3",
    shortVersion: "7.2.22",
    banner: [
      "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)",
      "Copyright (c) 2003-2022 Fabrice Bellard and the QEMU Project developers",
    ],
    machines: named(
      [
        ...versions("pc-i440fx-", `${UPSTREAM} 2.3 2.2 2.1 2.0 1.7 1.6 1.5 1.4`),
        ...versions("pc-q35-", UPSTREAM),
        "isapc",
        "microvm",
        "none",
      ],
      { pc: "pc-i440fx-7.2", q35: "pc-q35-7.2" },
    ),
    defaultMachine: "pc-i440fx-7.2",
    maxCpus: (machine) => machine.startsWith("pc-q35") ? 288 : machine === "isapc" ? 1 : 255,
    vgas: ["std", "cirrus", "vmware", "qxl", "virtio", "xenfb", "tcx", "cg3", "none"],
    defaultNic: "e1000",
  },
};
