/**
 * Slides 10, 11, 24 and 30: the talk's commands, typed as printed.
 *
 * @module
 */

import { example } from "../host/examples.ts";
import { consoleText, type Part } from "../talk/part.ts";
import type { Runs } from "./runs.ts";

/** Slide 10. */
export function slide10(runs: Runs): Part[] {
  const bench = runs.bench("rfc-v2");
  return [
    consoleText(
      "CPU isolation",
      bench.tell("show cpu\necho 0 > /sys/devices/system/cpu/cpu3/online\nshow cpu", "offline"),
    ),
    consoleText(
      "The dedicated CPU then runs a vCPU and nothing else",
      runs.bench("rfc-v2").tell(". ./talk_setup.rtk\nshow cpu 3", "dedicated"),
    ),
  ];
}

/** Slide 11. */
export function slide11(runs: Runs): Part[] {
  const bench = runs.bench("rfc-v2");
  return [consoleText("examples/slide11.rtk on rfc-v2", bench.tell(example("slide11.rtk"), "slide11.rtk"))];
}

/** Slide 24. */
export function slide24(runs: Runs): Part[] {
  const kernels = ["linux-3.4.0", "linux-3.4.4-rt14"];
  const [bench, rt] = kernels.map((kernel) => {
    const made = runs.bench("rfc-v2", kernel);
    made.run(example("talk_setup.rtk"), "talk_setup.rtk");
    return made;
  });
  const machine =
    "grep -m 1 'model name' /proc/cpuinfo\nlscpu | grep -E '^CPU|Thread'\nlspci | grep Ethernet";
  const kernel = "uname -r\nssh vm0 uname -r\nssh vm0 nproc";
  return [
    consoleText("The machine", bench!.tell(machine, "machine")),
    consoleText(`Host and guest, ${kernels[0]}`, bench!.tell(kernel, "kernels")),
    consoleText(`Host and guest, ${kernels[1]}`, rt!.tell(kernel, "kernels")),
    consoleText(
      "cyclictest, here with 1000 loops",
      bench!.tell("ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l 1000", "cyclictest"),
    ),
  ];
}

/** Slide 30. */
export function slide30(runs: Runs): Part[] {
  const bench = runs.bench("rfc-v2");
  return [
    consoleText("examples/talk_setup.rtk on rfc-v2", bench.tell(example("talk_setup.rtk"), "talk_setup.rtk")),
  ];
}
