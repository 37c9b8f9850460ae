/**
 * What a fixed amount of computing took on each system: against bare metal, and where the time went.
 *
 * @module
 */

import { Layers } from "../../linux/layers.ts";
import { tableLines } from "../../measure/table.ts";
import type { ComputeResult } from "../lab.ts";

/**
 * A table of results, oldest first. `slowdown` is the time over that of the first run on bare metal without load and with
 * as much to do; `in guest` and `program` are shares of the dedicated CPU's time. What was not measured is n/a.
 */
export function computeLines(results: readonly ComputeResult[]): string[] {
  const reference = ({ sysbench }: ComputeResult) =>
    results.find((other) =>
      other.system === "bare-metal" && other.hostLoad === 0 &&
      other.sysbench.maxPrime === sysbench.maxPrime &&
      other.sysbench.requests === sysbench.requests
    )?.sysbench.totalNs;
  return tableLines(
    [
      { title: "system", align: "left" },
      { title: "kernel", align: "left" },
      { title: "host load" },
      { title: "requests" },
      { title: "total s" },
      { title: "slowdown" },
      { title: "in guest %" },
      { title: "program %" },
      { title: "exits/s" },
      { title: "seed" },
    ],
    results.map((result) => {
      const { system, kernel, hostLoad, sysbench, layerNs, exits, seed } = result;
      const { totalNs, requests } = sysbench, bare = reference(result);
      const layer = (number: number) => layerNs[number] ?? 0;
      const percent = (ns: number) => ((100 * ns) / totalNs).toFixed(2);
      const isGuest = sysbench.layer === Layers.GuestTask;
      return [
        system,
        kernel,
        hostLoad,
        requests,
        (totalNs / 1e9).toFixed(4),
        bare === undefined ? undefined : (totalNs / bare).toFixed(4),
        isGuest ? percent(layer(Layers.GuestKernel) + layer(Layers.GuestTask)) : undefined,
        percent(layer(sysbench.layer)),
        isGuest ? ((exits * 1e9) / totalNs).toFixed(0) : undefined,
        seed,
      ];
    }),
  );
}
