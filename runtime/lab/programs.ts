/**
 * Which programs are installed on every computer.
 *
 * @module
 */

import { settle } from "../linux/pci/pci_bus.ts";
import type { Era } from "./eras.ts";
import type { Vfs } from "../linux/fs/vfs.ts";
import { chrt } from "../programs/util_linux/chrt.ts";
import { cpupower } from "../programs/cpupower.ts";
import { cset } from "../programs/cset/cset.ts";
import { cyclictest } from "../programs/rt_tests/cyclictest.ts";
import { dd } from "../programs/coreutils/dd.ts";
import { dmesg } from "../programs/util_linux/dmesg.ts";
import { ethtool } from "../programs/net/ethtool.ts";
import { free } from "../programs/procps/free.ts";
import { iperf } from "../programs/net/iperf.ts";
import { irqbalance } from "../programs/irqbalance.ts";
import { lscpu } from "../programs/util_linux/lscpu.ts";
import { lsmod } from "../programs/kmod/lsmod.ts";
import { lspci } from "../programs/pciutils/lspci.ts";
import { modprobe } from "../programs/kmod/modprobe.ts";
import { mount } from "../programs/util_linux/mount.ts";
import { ioports } from "../programs/ioport.ts";
import { mpstat } from "../programs/mpstat.ts";
import { rdmsr, wrmsr } from "../programs/msr.ts";
import { nproc } from "../programs/coreutils/nproc.ts";
import { numactl } from "../programs/numactl.ts";
import { perf } from "../programs/tracing/perf.ts";
import { killall, pgrep, pidof, pkill } from "../programs/procps/pgrep.ts";
import { ping } from "../programs/net/ping.ts";
import { type Program, writeFile } from "../programs/program.ts";
import { ps } from "../programs/procps/ps.ts";
import { rmmod } from "../programs/kmod/rmmod.ts";
import { setpci } from "../programs/pciutils/setpci.ts";
import { stress } from "../programs/stress.ts";
import { sysbench } from "../programs/sysbench.ts";
import { sysctl } from "../programs/procps/sysctl.ts";
import { chkconfig, service, systemctl } from "../programs/systemctl.ts";
import { sudo } from "../programs/sudo.ts";
import { taskset } from "../programs/util_linux/taskset.ts";
import { nohup, timeout } from "../programs/coreutils/timeout.ts";
import { traceCmd } from "../programs/tracing/trace_cmd.ts";
import { tuna } from "../programs/tuna/tuna.ts";
import { tuned } from "../programs/tuned/tuned.ts";
import { tunedAdm } from "../programs/tuned/tuned_adm.ts";
import { TUNED_FILES } from "../programs/tuned/tuned_profiles.ts";
import { uname } from "../programs/coreutils/uname.ts";
import { uptime } from "../programs/procps/uptime.ts";
import { vmstat } from "../programs/procps/vmstat.ts";

/** Puts the files that installed programs have brought into a computer that is being built. */
export function installFiles(vfs: Vfs, { tools }: Era): void {
  const files = tools.tuned === null ? {} : TUNED_FILES;
  for (const [path, text] of Object.entries(files)) settle(writeFile(vfs, path, text, true));
}

/** Programs of every computer. */
export function userPrograms(): Program[] {
  return [
    cyclictest,
    iperf,
    ping,
    stress,
    chrt,
    cset,
    dd,
    dmesg,
    ethtool,
    free,
    irqbalance,
    lscpu,
    lsmod,
    lspci,
    modprobe,
    mount,
    mpstat,
    nproc,
    perf,
    cpupower,
    nohup,
    numactl,
    timeout,
    killall,
    pgrep,
    pidof,
    pkill,
    chkconfig,
    ps,
    rdmsr,
    rmmod,
    setpci,
    sysbench,
    sysctl,
    systemctl,
    service,
    sudo,
    taskset,
    traceCmd,
    tuna,
    tuned,
    tunedAdm,
    uname,
    uptime,
    vmstat,
    wrmsr,
    ...ioports,
  ];
}
