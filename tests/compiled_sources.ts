/** What the program has compiled, compiled anew from its sources: the grammar of the shell, the default profile. */
import { compileGrammar } from "../dsl/syntax/parse.ts";
import { labParameters, type LabProfile } from "../runtime/lab/defaults.ts";
import { loadProfile } from "../runtime/lab/profile.ts";
import { snapshotOf } from "../runtime/lab/profile_snapshot.ts";

const GRAMMAR = "dsl/syntax/shell.ohm";

/** Who gives which parameters by default: machine, kernels, hypervisor; and which of them were fitted to what. */
const PROFILES = [
  "hw/profiles/i7-3770.yaml",
  "runtime/profiles/linux-3.yaml",
  "runtime/profiles/kvm-3.5.yaml",
  "runtime/profiles/qemu-1.1.yaml",
  "runtime/profiles/calibration.yaml",
];

/** The files under the floors that only reach the program compiled. */
export const COMPILED_SOURCES: readonly string[] = [GRAMMAR, ...PROFILES];

function read(file: string): string {
  return Deno.readTextFileSync(new URL(`../${file}`, import.meta.url));
}

/** The recipe of the shell's grammar, as JSON. */
export function compileShellGrammar(): string {
  return compileGrammar(read(GRAMMAR));
}

/** Reads the default profile from the files in which it is written. */
export function readDefaultProfile(): LabProfile {
  return loadProfile(labParameters, PROFILES.map((file) => ({ file, text: read(file) })));
}

/** The snapshot of the default profile, as JSON. */
export function compileDefaultProfile(): string {
  return JSON.stringify(snapshotOf(readDefaultProfile()));
}
