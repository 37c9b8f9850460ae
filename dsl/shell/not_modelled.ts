/**
 * Tools of a real host that are not modelled, and what does here what they are used for.
 *
 * @module
 */

const looks = "cat shows a file whole";
const edits = "write a file with cat <<EOF or sed -i";
const kernelLine = "boot --append says what the kernel is started with";
const network = "the network is set up; see ping, iperf, ethtool, lspci -k, /proc/interrupts";
const loads = "see stress -c N, or while :; do :; done &";
const services = "see systemctl and irqbalance";
const counters = "see mpstat, vmstat, perf stat, ps -eo psr,pcpu,comm, /proc/stat, /proc/interrupts";

/** By name: what to do instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  "apt-get": "help lists the programs that there are",
  bpftrace: "see trace-cmd, perf stat, and the word trace",
  chmod: "everybody is root",
  chown: "everybody is root",
  "cpufreq-set": "the clock does not change; see cpupower",
  curl: "there is no world behind the laboratory",
  depmod: "modules are there; see modprobe, lsmod",
  dmidecode: "there is no firmware table; see lscpu",
  dnf: "help lists the programs that there are",
  docker: "see qemu-kvm",
  dracut: kernelLine,
  driverctl: "write the driver to driver_override: see examples/setup",
  gdb: "see step, back, why, show",
  "grub2-mkconfig": kernelLine,
  grubby: kernelLine,
  hackbench: loads,
  hostnamectl: "see hostname, uname",
  htop: counters,
  hwlatdetect: "there are no SMIs; cyclictest measures, and explain max says what a sample is made of",
  ifconfig: network,
  initctl: services,
  insmod: "modules are there; see modprobe, lsmod",
  ip: network,
  jitterdebugger: "see cyclictest",
  journalctl: "see dmesg",
  kvm_stat: "see perf kvm stat, show stats, /sys/kernel/debug/kvm",
  less: looks,
  lsblk: "see /proc/partitions",
  lsirq: counters,
  lstopo: "see lscpu, numactl --hardware",
  lsusb: "there is no USB; see lspci",
  make: "there is no compiler",
  more: looks,
  nano: edits,
  nice: "niceness is not modelled; see chrt",
  numastat: "there is one node; see free",
  oslat: "see cyclictest",
  perl: "see awk, sed",
  pidstat: counters,
  python: "see awk, sed",
  python3: "see awk, sed",
  reboot: "boot begins anew",
  renice: "niceness is not modelled; see chrt",
  rteval: "see cyclictest, stress",
  rtla: "see cyclictest, explain max, trace-cmd",
  sar: counters,
  shutdown: "boot begins anew",
  stalld: services,
  strace: "see trace-cmd, and the word trace",
  "stress-ng": loads,
  swapoff: "there is no swap space; see free",
  swapon: "there is no swap space; see free",
  tcpdump: "a packet is never an event; see iperf, ping",
  top: counters,
  turbostat: "the clock does not change, and idle CPUs are in C1; see rdmsr, /proc/stat",
  umount: "what is mounted stays",
  "update-grub": kernelLine,
  "update-initramfs": kernelLine,
  vi: edits,
  vim: edits,
  virsh: "see qemu-kvm and its monitor: -monitor stdio",
  "virt-host-validate": "see examples/setup: the host checked before a measurement",
  wget: "there is no world behind the laboratory",
  x86_energy_perf_policy: "the clock does not change; see cpupower",
  yum: "help lists the programs that there are",
  zcat: "there is no /proc/config.gz; uname -v says whether it is a PREEMPT RT kernel",
  zgrep: "there is no /proc/config.gz; uname -v says whether it is a PREEMPT RT kernel",
};

/** `tuna is not modelled: see taskset …`; undefined: it is no such tool. */
export function notModelled(name: string): string | undefined {
  return Object.hasOwn(INSTEAD, name) ? `${name} is not modelled: ${INSTEAD[name]}` : undefined;
}
