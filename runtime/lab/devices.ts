/**
 * Devices that a program has made, in the machine of a laboratory.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import { CustomFunction, type DeviceModel } from "../../hw/custom_device.ts";
import type { Machine } from "../../hw/machine.ts";
import { formatBdf, parseBdf, type PciBus } from "../../hw/pci.ts";
import { IOAPIC_PINS } from "../../hw/ioapic.ts";
import { CustomDeviceDriver } from "../linux/drivers/custom_device.ts";
import type { Software } from "./software.ts";

export type { DeviceModel, DevicePort, DeviceRegisters } from "../../hw/custom_device.ts";

/** Where firmware puts the memory of such devices: each in 16 MiB of its own. */
const MEMORY_BASE = 0xe000_0000;
const SPACING = 0x100_0000;

/** Plugs the devices in. @throws RangeError where one is none, or has no room */
export function plugDevices(
  devices: readonly DeviceModel[],
  machine: Machine,
  bus: PciBus,
  apply: (...args: Parameters<Software["effects"]["apply"]>) => void,
): void {
  for (const [i, device] of devices.entries()) {
    const problem = deviceProblem(device, bus) ?? portProblem(device, machine);
    if (problem !== undefined) throw new RangeError(`Cannot plug in device ${device.name}: ${problem}`);
    const { engine } = machine;
    const plugged = new CustomFunction(device, MEMORY_BASE + i * SPACING, {
      nowNs: () => engine.nowNs,
      ports: machine.ports,
      apply: (effects) => apply(effects),
    });
    bus.plug(plugged);
    engine.register(`device ${device.name}`, plugged);
  }
}

/** Loads their drivers: at the host's boot, which takes no time, or into a guest that may be given one of them. */
export function* loadDeviceDrivers(devices: readonly DeviceModel[], { pci }: Software): Activity<void> {
  for (const { name, vendorId, deviceId, driver = false } of devices) {
    if (driver) yield* pci.registerDriver(new CustomDeviceDriver(name, vendorId, deviceId, pci.steps));
  }
}

const isIn = (value: number, low: number, high: number) =>
  Number.isSafeInteger(value) && value >= low && value <= high;

/** What is wrong with a device on `bus`; undefined: nothing. */
function deviceProblem(device: DeviceModel, bus: PciBus): string | undefined {
  const { name, address, vendorId, deviceId, classCode = 0, memoryBytes = 4096, messages = 0, line = 0 } =
    device;
  if (!/^[a-z][a-z0-9_]*$/.test(name)) return "expected a name of lower-case letters, digits and _";
  const place = parseBdf(address);
  if (place === undefined || place.domain !== 0 || place.bus !== 0) {
    return `address "${address}": expected a place on bus 0, like 00:1f.0`;
  }
  if (bus.find(place) !== undefined) return `${formatBdf(place)} is taken`;
  if (!isIn(vendorId, 0, 0xfffe) || !isIn(deviceId, 0, 0xfffe)) {
    return "expected identifiers of 16 bits, not 0xffff";
  }
  if (!isIn(classCode, 0, 0xff_ffff)) return "expected a class code of 24 bits";
  if (!isIn(memoryBytes, 16, SPACING / 4) || !Number.isInteger(Math.log2(memoryBytes))) {
    return `memoryBytes ${memoryBytes}: expected a power of two, 16 to ${SPACING / 4}`;
  }
  if (!isIn(messages, 0, 2048)) return `messages ${messages}: expected 0 to 2048`;
  if (!isIn(line, 0, IOAPIC_PINS - 1)) {
    return `line ${line}: expected an input of the I/O APIC, 0 to ${IOAPIC_PINS - 1}`;
  }
}

function portProblem({ ports }: DeviceModel, machine: Machine): string | undefined {
  if (ports === undefined) return undefined;
  const { first, count } = ports;
  if (!isIn(first, 0, 0xffff) || !isIn(count, 1, 0x1_0000 - first)) return "expected ports from 0 to 0xffff";
  const taken = Array.from({ length: count }, (_, i) => first + i).find((port) => machine.ports.has(port));
  return taken === undefined ? undefined : `port 0x${taken.toString(16)} is taken`;
}
