/**
 * The examples, as the virtual tree shows them: part of the program, so that no permission is needed to run them.
 *
 * @module
 */

import busyGuest from "../../examples/busy_guest.rtk" with { type: "text" };
import devices from "../../examples/devices.rtk" with { type: "text" };
import issue1 from "../../examples/issue1.rtk" with { type: "text" };
import issue2 from "../../examples/issue2.rtk" with { type: "text" };
import issue3 from "../../examples/issue3.rtk" with { type: "text" };
import slide11 from "../../examples/slide11.rtk" with { type: "text" };
import slide25 from "../../examples/slide25.rtk" with { type: "text" };
import row from "../../examples/slide25_row.rtk" with { type: "text" };
import row26 from "../../examples/slide26_row.rtk" with { type: "text" };
import row27 from "../../examples/slide27_row.rtk" with { type: "text" };
import smpGuest from "../../examples/smp_guest.rtk" with { type: "text" };
import setup from "../../examples/talk_setup.rtk" with { type: "text" };
import twoGuests from "../../examples/two_guests.rtk" with { type: "text" };
import driverOverride from "../../examples/setup/driver_override.rtk" with { type: "text" };
import iommuGroup from "../../examples/setup/iommu_group.rtk" with { type: "text" };
import irqAffinity from "../../examples/setup/irq_affinity.rtk" with { type: "text" };
import isolcpus from "../../examples/setup/isolcpus.rtk" with { type: "text" };
import memoryAndClock from "../../examples/setup/memory_and_clock.rtk" with { type: "text" };
import pinGuest from "../../examples/setup/pin_guest.rtk" with { type: "text" };
import profileHost from "../../examples/setup/profile_host.rtk" with { type: "text" };
import realtimeHost from "../../examples/setup/realtime_host.rtk" with { type: "text" };
import shield from "../../examples/setup/shield.rtk" with { type: "text" };
import sriov from "../../examples/setup/sriov.rtk" with { type: "text" };
import vfioBind from "../../examples/setup/vfio_bind.rtk" with { type: "text" };
import type { ScriptFolder } from "../../runtime/lab/script_folder.ts";

/** `/root/examples`. */
export const EXAMPLES: ScriptFolder = {
  path: "/root/examples",
  files: new Map([
    ["busy_guest.rtk", busyGuest],
    ["devices.rtk", devices],
    ["issue1.rtk", issue1],
    ["issue2.rtk", issue2],
    ["issue3.rtk", issue3],
    ["slide11.rtk", slide11],
    ["slide25.rtk", slide25],
    ["slide25_row.rtk", row],
    ["slide26_row.rtk", row26],
    ["slide27_row.rtk", row27],
    ["smp_guest.rtk", smpGuest],
    ["talk_setup.rtk", setup],
    ["two_guests.rtk", twoGuests],
    ["setup/driver_override.rtk", driverOverride],
    ["setup/iommu_group.rtk", iommuGroup],
    ["setup/irq_affinity.rtk", irqAffinity],
    ["setup/isolcpus.rtk", isolcpus],
    ["setup/memory_and_clock.rtk", memoryAndClock],
    ["setup/pin_guest.rtk", pinGuest],
    ["setup/profile_host.rtk", profileHost],
    ["setup/realtime_host.rtk", realtimeHost],
    ["setup/shield.rtk", shield],
    ["setup/sriov.rtk", sriov],
    ["setup/vfio_bind.rtk", vfioBind],
  ]),
};

/** The text of an example. */
export function example(name: string): string {
  const text = EXAMPLES.files.get(name);
  if (text === undefined) throw new RangeError(`There is no example "${name}"`);
  return text;
}
