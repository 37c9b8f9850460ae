/**
 * Profiles of tuned, as data: what each of them sets.
 *
 * *Document*: `tuned.conf` of the profiles of TuneD 2.20, what they include taken in.
 *
 * @module
 */

/** A profile. */
export interface TunedProfile {
  readonly name: string;
  /** As `tuned-adm list` shows it. */
  readonly summary: string;
  /** The profile that it builds on. */
  readonly include?: string;
  /** Values below `/proc/sys`, by their names with dots. */
  readonly sysctl?: Readonly<Record<string, string>>;
  /** Values of other files. */
  readonly files?: Readonly<Record<string, string>>;
  /** Governor of the CPUs that have one. */
  readonly governor?: string;
  /** Where it takes `isolated_cores` from, and leads tasks and interrupts away from those. */
  readonly variables?: string;
  /** Words of the kernel's command line; `@` stands for the isolated cores, `!` for the others. */
  readonly bootLine?: string;
  /** Priority of kernel threads under SCHED_FIFO, by the beginning of their names. */
  readonly threads?: Readonly<Record<string, number>>;
  /** Beginnings of names of tasks that stay where they are, beside those of `threads`. */
  readonly staying?: readonly string[];
  /** What it sets that no file of the kernel is. */
  readonly others?: readonly string[];
}

/** Kernel threads that timers and RCU of isolated CPUs wait for. */
const THREADS = { ksoftirqd: 2, ktimers: 2, rcuc: 4, rcub: 4, ktimersoftd: 3 };
const VIRTUAL_LINE = "nohz=on nohz_full=@ rcu_nocbs=@ irqaffinity=!";
const VARIABLES = "-variables.conf";

/** Those that are known here, in the order of their names. */
export const TUNED_PROFILES: readonly TunedProfile[] = [
  {
    name: "latency-performance",
    summary: "Optimize for deterministic performance at the cost of increased power consumption",
    governor: "performance",
    sysctl: { "vm.dirty_ratio": "10", "vm.dirty_background_ratio": "3", "vm.swappiness": "10" },
    others: ["force_latency=cstate.id_no_zero:1|3", "energy_perf_bias=performance", "min_perf_pct=100"],
  },
  {
    name: "network-latency",
    summary:
      "Optimize for deterministic performance at the cost of increased power consumption, focused on " +
      "low latency network performance",
    include: "latency-performance",
    files: { "/sys/kernel/mm/transparent_hugepage/enabled": "never" },
    sysctl: {
      "net.core.busy_read": "50",
      "net.core.busy_poll": "50",
      "net.ipv4.tcp_fastopen": "3",
      "kernel.numa_balancing": "0",
    },
    bootLine: "skew_tick=1",
  },
  {
    name: "realtime",
    summary: "Optimize for realtime workloads",
    include: "network-latency",
    variables: `realtime${VARIABLES}`,
    sysctl: {
      "kernel.hung_task_timeout_secs": "600",
      "kernel.nmi_watchdog": "0",
      "kernel.sched_rt_runtime_us": "-1",
      "vm.stat_interval": "10",
      "kernel.timer_migration": "0",
    },
    bootLine: "isolcpus=managed_irq,domain,@ intel_pstate=disable nosoftlockup tsc=reliable",
    others: ["cpumask of workqueues", "ignore_ce of machine checks"],
  },
  {
    name: "realtime-virtual-guest",
    summary: "Optimize for realtime workloads running within a KVM guest",
    include: "realtime",
    variables: `realtime-virtual-guest${VARIABLES}`,
    bootLine: VIRTUAL_LINE,
    threads: THREADS,
  },
  {
    name: "realtime-virtual-host",
    summary: "Optimize for KVM guests running realtime workloads",
    include: "realtime",
    variables: `realtime-virtual-host${VARIABLES}`,
    files: { "/sys/kernel/mm/ksm/run": "2" },
    bootLine: VIRTUAL_LINE,
    threads: THREADS,
    staying: ["qemu-kvm"],
    others: ["kvmclock_periodic_sync=0 and nx_huge_pages=0 of kvm, ple_gap=0 of kvm_intel"],
  },
  {
    name: "throughput-performance",
    summary: "Broadly applicable tuning that provides excellent performance across a variety of common " +
      "server workloads",
    governor: "performance",
    sysctl: {
      "vm.dirty_ratio": "40",
      "vm.dirty_background_ratio": "10",
      "vm.swappiness": "10",
      "net.core.somaxconn": "2048",
    },
    others: ["energy_perf_bias=performance", "min_perf_pct=100", "readahead of disks"],
  },
];

const SHIPPED = `# CPUs for real-time tasks; the host keeps one of each socket
isolated_cores=\${f:calc_isolated_cores:1}
isolate_managed_irq=Y
`;

/** The files that are installed with the profiles. */
export const TUNED_FILES: Readonly<Record<string, string>> = Object.fromEntries(
  TUNED_PROFILES.flatMap(({ variables }) =>
    variables === undefined ? [] : [[`/etc/tuned/${variables}`, SHIPPED]]
  ),
);

/** A profile with all that it includes: what it says itself counts. */
export interface WholeProfile {
  readonly name: string;
  readonly sysctl: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
  readonly governor: string | undefined;
  readonly variables: string | undefined;
  readonly bootLine: string;
  readonly threads: Readonly<Record<string, number>>;
  readonly staying: readonly string[];
  readonly others: readonly string[];
}

/** The profile of that name; undefined: there is none here. */
export function tunedProfile(name: string): WholeProfile | undefined {
  const profile = TUNED_PROFILES.find((each) => each.name === name);
  if (profile === undefined) return undefined;
  const base = profile.include === undefined ? undefined : tunedProfile(profile.include);
  return {
    name,
    sysctl: { ...base?.sysctl, ...profile.sysctl },
    files: { ...base?.files, ...profile.files },
    governor: profile.governor ?? base?.governor,
    variables: profile.variables ?? base?.variables,
    bootLine: [base?.bootLine ?? "", profile.bootLine ?? ""].join(" ").trim(),
    threads: { ...base?.threads, ...profile.threads },
    staying: [...base?.staying ?? [], ...profile.staying ?? []],
    others: [...base?.others ?? [], ...profile.others ?? []],
  };
}
