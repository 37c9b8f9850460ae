/**
 * Which programs are installed on every computer.
 *
 * @module
 */

import { settle } from "../linux/pci/pci_bus.ts";
import type { Era } from "./eras.ts";
import type { Vfs } from "../linux/fs/vfs.ts";
import { chrt } from "../programs/chrt.ts";
import { cpupower } from "../programs/cpupower.ts";
import { cset } from "../programs/cset.ts";
import { cyclictest } from "../programs/cyclictest.ts";
import { dd } from "../programs/dd.ts";
import { dmesg } from "../programs/dmesg.ts";
import { ethtool } from "../programs/ethtool.ts";
import { free } from "../programs/free.ts";
import { iperf } from "../programs/iperf.ts";
import { irqbalance } from "../programs/irqbalance.ts";
import { lscpu } from "../programs/lscpu.ts";
import { lsmod } from "../programs/lsmod.ts";
import { lspci } from "../programs/lspci.ts";
import { modprobe } from "../programs/modprobe.ts";
import { mount } from "../programs/mount.ts";
import { ioports } from "../programs/ioport.ts";
import { mpstat } from "../programs/mpstat.ts";
import { rdmsr, wrmsr } from "../programs/msr.ts";
import { nproc } from "../programs/nproc.ts";
import { numactl } from "../programs/numactl.ts";
import { perf } from "../programs/perf.ts";
import { killall, pgrep, pidof, pkill } from "../programs/pgrep.ts";
import { ping } from "../programs/ping.ts";
import { type Program, writeFile } from "../programs/program.ts";
import { ps } from "../programs/ps.ts";
import { rmmod } from "../programs/rmmod.ts";
import { setpci } from "../programs/setpci.ts";
import { stress } from "../programs/stress.ts";
import { sysbench } from "../programs/sysbench.ts";
import { sysctl } from "../programs/sysctl.ts";
import { chkconfig, service, systemctl } from "../programs/systemctl.ts";
import { sudo } from "../programs/sudo.ts";
import { taskset } from "../programs/taskset.ts";
import { nohup, timeout } from "../programs/timeout.ts";
import { traceCmd } from "../programs/trace_cmd.ts";
import { tuna } from "../programs/tuna.ts";
import { tuned } from "../programs/tuned.ts";
import { tunedAdm } from "../programs/tuned_adm.ts";
import { uname } from "../programs/uname.ts";
import { uptime } from "../programs/uptime.ts";
import { vmstat } from "../programs/vmstat.ts";

/** Puts the files that installed programs have brought into a computer that is being built. */
export function installFiles(vfs: Vfs, { files }: Era): void {
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
