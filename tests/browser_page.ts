/**
 * What the page of `browser.ts` runs: the library part alone, bundled for a browser.
 *
 * @module
 */

import { Lab } from "../dsl/library.ts";

const SCRIPT = `
echo 0 > /sys/devices/system/cpu/cpu3/online
qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic
ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 1000
irq vf0; step interrupt; back interrupt
show stats; diagram last
`;

/** What the script prints, and the state that it leads to: the same wherever it runs. */
export async function played(): Promise<string> {
  await using lab = await Lab.boot({ system: "rfc-v2", seed: 1 });
  const { status, stdout, stderr } = await lab.run(SCRIPT).nothrow();
  return `${stdout}${stderr}status ${status}\nevent ${lab.event}, state ${lab.stateHash}\n`;
}
