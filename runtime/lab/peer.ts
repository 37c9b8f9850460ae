/**
 * The other computer on the subnet, where traffic to the measured one comes from.
 *
 * Where there is a guest it is the host, whose physical function meets the guest's virtual one in the card's own switch
 * (slide 27). On bare metal it is a second computer at the other end of the cable. Of that one nothing is measured: its
 * kernel is simulated, its network adapter is not; packets come in as they leave the cable.
 *
 * @module
 */

import { young } from "../../hw/sim/young.ts";
import { type EthernetPort, type FrameTrain, ReceiveRing } from "../../hw/ethernet.ts";
import { Machine } from "../../hw/machine.ts";
import type { Nic82599 } from "../../hw/nic_82599.ts";
import type { PciEffect } from "../../hw/pci_configuration.ts";
import { PciBus } from "../../hw/pci.ts";
import { KERNELS } from "../guest/kernels.ts";
import { INTERFACES } from "../linux/interfaces.ts";
import { Kernel } from "../linux/kernel.ts";
import { Layers } from "../linux/layers.ts";
import { hashPacket, type Packet, parseAddress } from "../linux/net/packets.ts";
import { Subnet } from "../linux/net/stack.ts";
import type { Lab } from "./lab.ts";
import { Software } from "./software.ts";

/** Physical function, first virtual function, and the computer at the other end of the cable. */
const ADDRESSES = { pf: "192.168.10.1", vf: "192.168.10.2", peer: "192.168.10.3" };
/** MAC address of the computer at the other end of the cable. */
const PEER_MAC = 0x90e2_ba00_1000;
/** The other computer's keyboard, by which its commands come. */
const KEYBOARD = { irq: 1, name: "i8042" };

/** The subnet of a laboratory; `outside`: its peer is a computer of its own. */
export function labSubnet(nic: Nic82599, outside: boolean): Subnet {
  const subnet = new Subnet();
  const [pf, vf, peer] = [ADDRESSES.pf, ADDRESSES.vf, ADDRESSES.peer].map((text) => parseAddress(text)!);
  subnet.leases.set(nic.mac, pf!).set(nic.vf(0).mac, vf!);
  subnet.hosts.set("host", pf!).set("vm0", outside ? pf! : vf!).set("peer", outside ? peer! : pf!);
  return subnet;
}

/** Builds the computer at the other end of the cable, plugs it in and boots it. */
export function outsidePeer(lab: Lab): Software {
  const { engine, nic, subnet, options: { era, profile: { values } } } = lab;
  const machine = new Machine(engine, { ...values.hw, cpus: 1 }, "peer ");
  const { interfaces, ...release } = KERNELS[era.hostKernel]!;
  const kernel = new Kernel(engine, {
    name: "peer",
    release: { ...release, clocksource: "tsc" },
    costs: values.linux,
    cpus: 1,
    kernelLayer: Layers.HostKernel,
    taskLayer: Layers.HostTask,
    consoleIrq: KEYBOARD,
    booksSteadyCpus: true,
  });
  const software = new Software(kernel, machine, new PciBus(), {
    slaveAffinity: false,
    pci: values.pci,
    net: values.net,
    subnet,
    commandLine: `BOOT_IMAGE=/vmlinuz-${release.release} root=/dev/sda1 ro`,
    interfaces: INTERFACES[interfaces],
    identity: era.identity,
  }, false);
  const port: EthernetPort = {
    mac: PEER_MAC,
    ring: new ReceiveRing(1),
    transmit: (train: FrameTrain, nowNs: number, delayNs = 0): readonly PciEffect[] =>
      nic.switch.arrive(train, nowNs, delayNs),
  };
  // What is on the cable, the first to arrive first: a cable keeps the order.
  const onCable: { readonly packet: Packet; readonly ns: number }[] = [];
  const arrival = engine.alarm(
    "cable",
    () => {
      const { packet } = onCable.shift()!;
      if (onCable.length > 0) arrival.at(onCable[0]!.ns);
      lab.type(kernel, (cpu) => software.net.receiveAtOnce(packet, cpu));
    },
    0,
    {
      hashInto(hash) {
        for (const { packet, ns } of onCable) hashPacket(packet, hash.number(ns));
      },
    },
  );
  nic.switch.cable = young(({ payload }, firstNs) => {
    onCable.push({ packet: payload as Packet, ns: firstNs });
    if (onCable.length === 1) arrival.at(firstNs);
  });
  software.net.up({
    name: "eth0",
    address: parseAddress(ADDRESSES.peer)!,
    port,
    hasRing: false,
    apply: (effects) => lab.software.effects.apply(effects),
  });
  for (const cpu of kernel.cpus) machine.cpus[cpu.id]!.start(cpu.prepareStart());
  return software;
}
