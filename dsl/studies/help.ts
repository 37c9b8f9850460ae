/**
 * What the command line says about the commands of `commands.ts`.
 *
 * @module
 */

import { KERNEL_NAMES } from "../../runtime/lab/kernels.ts";
import { SYSTEMS } from "../../runtime/lab/systems.ts";

/** How a command is used, what it does in a line, and the rest with examples that run. */
export interface CommandHelp {
  readonly usage: string;
  readonly does: string;
  readonly text: string;
}

const RUN = "deno run --allow-read=. mod.ts";

/** The commands that study the model. */
export const STUDY_HELP: readonly (readonly [name: string, help: CommandHelp])[] = [
  ["params", {
    usage: "params [PATH] [--profile FILE]",
    does: "every parameter with value, kind and source, and what was fitted to what",
    text: `All of them, or those at and below PATH. * marks the one that stands for its fit.

  ${RUN} params hw.path
  ${RUN} params --profile idle-fit`,
  }],
  ["sweep", {
    usage: "sweep SCRIPT [OPTIONS] [-- ARGUMENT…]",
    does: "a script under many seeds, systems and parameter values, and what they say together",
    text:
      `Prints, for each system, kernel and setting: least minimum, average, mean with its 95 % interval over the seeds, the
distribution of the runs' maxima with the talk's maximum in it, percentiles of all samples, and which rate of misses the
length of the runs bounds.

  --seeds LIST    1-50 or 1,5,10-20; 1-10 if not given
  --system LIST   ${SYSTEMS.map(({ name }) => name).join(", ")}; rfc-v2 if not given
  --kernel LIST   ${KERNEL_NAMES.join(", ")}; ${KERNEL_NAMES[1]} if not given
  --set P=LIST    values of parameter P with their units; may be given more than once, for every combination
  --rate LIST     rates of misses whose run length is told, like 1/hour,1/day
  --threads N     runs at a time; the computer's processors if not given. The output is the same for any N
  --json          instead of tables one line for each result, which merge reads
  --resume FILES  records that --json has written: these runs are not repeated, and --json prints only the others
  --strict, --profile FILE: as with run

Exit status: 0, or that of the first run that has failed.

  ${RUN} sweep examples/slide25_row.rtk --seeds 1-20 --system kvm,rfc-v2 -- 20000
  ${RUN} sweep examples/slide25_row.rtk --set hw.processor.vm_exit=115ns,200ns --system kvm -- 5000`,
  }],
  ["merge", {
    usage: "merge FILE…",
    does: "the tables of several sweeps as of one",
    text: `FILE has lines that sweep --json has written. A run that is there twice counts once.

  ${RUN} sweep examples/slide25_row.rtk --seeds 1-5 --json -- 5000 > a.jsonl
  ${RUN} merge a.jsonl`,
  }],
  ["compare", {
    usage: "compare SCRIPT --on S1,S2,… [OPTIONS] [-- ARGUMENT…]",
    does: "a script on several systems under one seed, and where they first part",
    text:
      `Prints latencies, exits per loop and the host's CPU time of each system beside what the talk prints; where it
prints nothing, the row is a prediction. Then the first record of the trace in which a system differs from the first one.

  --on LIST       two or more of ${SYSTEMS.map(({ name }) => name).join(", ")}
  --kernel LIST   ${KERNEL_NAMES.join(", ")}; ${KERNEL_NAMES[1]} if not given
  --seed N, --strict, --profile FILE: as with run
  --json          instead of tables one line for each result, which merge reads

  ${RUN} compare examples/slide25_row.rtk --on kvm,rfc-v1,rfc-v2 -- 5000`,
  }],
  ["calibrate", {
    usage:
      "calibrate [FIT…] [--stage idle|refit] [--rounds N] [--loops N] [--seeds LIST] [--threads N] [--yaml] [--profile FILE]",
    does: "fits the free parameters to the talk's rows, and says which of them the rows determine",
    text:
      `Stage idle begins with profile idle-fit and looks at slide 25 only, stage refit begins with the default profile and
looks at slides 25 to 27. What is free, within which bounds, and what identifies it stands in
runtime/profiles/calibration.yaml; with FITs of it only those are free. Takes minutes.

  --rounds N      ends after so many rounds of the search, if not before
  --loops N       of cyclictest in each row; 300000 as in the talk if not given; with fewer the minima are left out
  --seeds LIST    as with sweep; 1 if not given
  --yaml          the fitted profile on standard output, all else on standard error

  deno task calibrate --stage idle
  deno run --allow-read=. mod.ts calibrate timer_write --loops 3000`,
  }],
  ["residuals", {
    usage: "residuals [--loops N] [--seeds LIST] [--threads N] [--profile FILE]",
    does: "the talk's numbers beside the model's, under the default profile and under idle-fit",
    text: `Says of each row whether a profile was calibrated on it or predicts it.

  --loops N       of cyclictest in each row; 300000 if not given
  --seeds LIST    as with sweep; 1-3 if not given

  ${RUN} residuals --loops 5000 --seeds 1`,
  }],
  ["sensitivity", {
    usage: "sensitivity [PATH] [--loops N] [--seeds LIST] [--threads N] [--profile FILE]",
    does: "which parameters move which of the talk's rows",
    text:
      `Raises each calibrated or assumed parameter, or those at and below PATH, by 20 % and prints how the rows' means move,
where that is beyond the noise.

  --loops N       of cyclictest in each row; 5000 if not given
  --seeds LIST    as with sweep; 1-4 if not given

  ${RUN} sensitivity hw.processor --loops 1000 --seeds 1-2`,
  }],
];
