/**
 * The commands that study the model: what their options say. Most run a script more than once.
 *
 * @module
 */

import { type LabProfile, profileWith } from "../../runtime/lab/defaults.ts";
import { ProfileError, type ProfileText } from "../../runtime/lab/profile.ts";
import { PUBLISHED_SAMPLES } from "../../runtime/measure/published.ts";
import { integer, type Line, readProfiles, wrong } from "../run/command_line.ts";
import type { HostPort } from "../host/host_port.ts";
import { ProgressLine } from "../host/progress.ts";
import { RowRunError } from "./published_runs.ts";
import { RunPool } from "./run_pool.ts";
import { readScript } from "../run/run_scripts.ts";
import { merge, planSweep, sweep, type SweepPlan } from "./sweep.ts";
import { unknownName } from "../shell/unknown_name.ts";
import { parameterLines } from "../words/params.ts";

/** The commands that are read here. */
export type Study = "params" | "sweep" | "merge" | "compare" | "calibrate" | "residuals" | "sensitivity";

/** Runs one of them; answers the exit status. */
export async function study(line: Line, host: HostPort): Promise<number> {
  const profiles = readProfiles(line, host);
  if (profiles === undefined) return 1;
  try {
    profileWith(profiles);
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error;
    host.err(`${error.message}\n`);
    return 1;
  }
  switch (line.command as Study) {
    case "params":
      return params(line, profileWith(profiles), host);
    case "merge":
      if (line.words.length === 0) return wrong(host, "merge: expected files that sweep --json has written");
      return merge(line.words, profileWith(profiles), host);
    case "sweep":
    case "compare":
      return await scriptStudy(line, profiles, host);
    default:
      return await rowStudy(line, profiles, host);
  }
}

/** Prints parameters; answers the exit status. */
function params({ words: [path = "", ...more] }: Line, profile: LabProfile, host: HostPort): number {
  if (more.length > 0) return wrong(host, `params: unexpected word "${more[0]}"`);
  if (profile.list(path).length === 0) return wrong(host, `params: ${unknownParameter(profile, path)}`);
  host.out(`${parameterLines(profile, path).join("\n")}\n`);
  return 0;
}

function unknownParameter(profile: LabProfile, path: string): string {
  const known = profile.list().flatMap((each) => [each.path, each.path.replace(/\.[^.]*$/, "")]);
  return unknownName("parameter", path, [...new Set(known)]);
}

function plan({ command, values, set }: Line, host: HostPort, seeds?: string): SweepPlan | string {
  const [system, kernel, threads, rate] = ["system", "kernel", "threads", "rate"].map((name) =>
    values.get(name)
  );
  const given = {
    seeds: values.get("seeds") ?? seeds,
    system: values.get("on") ?? system,
    kernel,
    threads,
    rate,
    set,
  };
  const found = planSweep(given, host.processors ?? 1);
  return typeof found === "string" ? `${command}: ${found}` : found;
}

async function scriptStudy(line: Line, profiles: readonly ProfileText[], host: HostPort): Promise<number> {
  const { command, words: [path, ...more], values, flags, positional } = line;
  if (path === undefined || more.length > 0) {
    return wrong(
      host,
      `${command}: expected the file of one script, as in: ${command} examples/slide25_row.rtk`,
    );
  }
  const found = plan(line, host);
  if (typeof found === "string") return wrong(host, found);
  const options = { profiles, positional, strict: flags.has("strict"), json: flags.has("json") };
  if (command === "sweep") {
    const source = readScript(path, host);
    if (typeof source === "number") return source;
    const resume = values.get("resume")?.split(",") ?? [];
    return await sweep({ ...source, text: source.script.text }, found, { ...options, resume }, host);
  }
  if (!values.has("on") || found.systems.length < 2) {
    return wrong(host, "compare: --on: expected two systems or more, like --on kvm,rfc-v2");
  }
  const seed = integer(line, "seed", 1, 0);
  if (typeof seed === "string") return wrong(host, seed);
  const source = readScript(path, host);
  if (typeof source === "number") return source;
  const { compare } = await import("./compare.ts");
  const { systems, kernels } = found;
  return compare(source, { ...options, systems, kernels, seed }, host);
}

/** How the talk's rows are run where nothing else is said. */
const ROW_DEFAULTS: Readonly<Record<string, { readonly loops: number; readonly seeds: string }>> = {
  calibrate: { loops: PUBLISHED_SAMPLES, seeds: "1" }, // a minimum is that of so many samples
  residuals: { loops: PUBLISHED_SAMPLES, seeds: "1-3" },
  sensitivity: { loops: 5_000, seeds: "1-4" },
};

async function rowStudy(line: Line, profiles: readonly ProfileText[], host: HostPort): Promise<number> {
  const { command, words, values, flags } = line;
  const [stranger] = words.slice(command === "residuals" ? 0 : command === "sensitivity" ? 1 : words.length);
  if (stranger !== undefined) return wrong(host, `${command}: unexpected word "${stranger}"`);
  const defaults = ROW_DEFAULTS[command]!;
  const loops = integer(line, "loops", defaults.loops, 1);
  if (typeof loops === "string") return wrong(host, loops);
  const found = plan(line, host, defaults.seeds);
  if (typeof found === "string") return wrong(host, found);
  const { seeds, threads } = found;
  const pool = new RunPool(threads);
  const progress = new ProgressLine(host.errIsTerminal ? (part) => host.err(part) : undefined);
  const cleared = (write: (text: string) => void) => (text: string) => {
    progress.clear();
    write(text);
  };
  const port = { out: cleared((text) => host.out(text)), err: cleared((text) => host.err(text)) };
  const show = (ended: number, of: number) => progress.show(`${command}: ${ended} of ${of} runs`);
  try {
    switch (command) {
      case "calibrate": {
        const { calibrate, STAGES } = await import("./calibrate.ts");
        const stage = values.get("stage") ?? "idle";
        if (!STAGES.has(stage)) {
          return wrong(host, `calibrate: ${unknownName("stage", stage, [...STAGES.keys()])}`);
        }
        const rounds = integer(line, "rounds", 100, 1);
        if (typeof rounds === "string") return wrong(host, rounds);
        const options = { stage, loops, seeds, profiles, only: words, rounds, yaml: flags.has("yaml") };
        return await calibrate(options, pool, port);
      }
      case "residuals": {
        const { residuals } = await import("./residuals.ts");
        return await residuals({ loops, seeds, profiles }, pool, port, show);
      }
    }
    const [under = ""] = words;
    if (profileWith(profiles).list(under).length === 0) {
      return wrong(host, `sensitivity: ${unknownParameter(profileWith(profiles), under)}`);
    }
    const { sensitivity } = await import("./sensitivity.ts");
    return await sensitivity({ loops, seeds, profiles, under }, pool, port, show);
  } catch (error) {
    if (!(error instanceof RowRunError)) throw error;
    port.err(`rtkvm: ${command}: ${error.message}\n`);
    return 1;
  } finally {
    pool.close();
    progress.clear();
  }
}
