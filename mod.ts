/**
 * rtkvm rehearses real-time KVM in a shell, on a deterministic model of machine, kernels and hypervisor.
 *
 * As a program: `deno run mod.ts` is the prompt, `deno run --allow-read=. mod.ts help` lists the commands. As a
 * library:
 *
 * ```ts
 * import { Lab } from "@rtkvm/rtkvm";
 *
 * await using lab = await Lab.boot({ system: "bare-metal", seed: 1 });
 * await lab.sh`cyclictest -a 0 -m -q -p 99 -n -l 1000`;
 * console.log(lab.results[0]?.avgUs);
 * ```
 *
 * @module
 */

export { KERNELS, Lab, type LabOptions, type SystemInfo, SYSTEMS } from "./dsl/library.ts";
export { ShellFailure, type ShellResult, ShellRun } from "./dsl/embedding/shell_run.ts";
export { type ExitCounts, LabView, type Measurement, type VirtualCpu } from "./dsl/embedding/view.ts";
export type {
  EventBase,
  EventFields,
  EventFilter,
  EventKind,
  LabEvent,
  StepFields,
} from "./dsl/embedding/events.ts";
export type { CpuState, LapicState, VcpuState, VmcsState } from "./runtime/lab/views/state.ts";
export type { LabCommand, LabCommandContext } from "./dsl/embedding/commands.ts";
export type { DeviceModel, DevicePort, DeviceRegisters } from "./runtime/lab/devices.ts";
export type { FilePort, HostFile } from "./dsl/host/host_port.ts";
export {
  assertTranscript,
  ExpectationFailure,
  expectLatency,
  expectNoExit,
  type LatencyBounds,
} from "./dsl/expectations.ts";

if (import.meta.main) {
  const { start } = await import("./dsl/cli.ts");
  Deno.exitCode = await start(Deno.args);
}
