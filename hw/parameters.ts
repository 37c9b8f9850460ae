/**
 * Schemas of model parameters: which numbers a module takes from a profile, in which unit, and what they mean.
 *
 * A schema stands beside its user and is typed by its keys. The values come from a profile, where every number
 * carries its unit, its kind of provenance and its source; loading and validating one is the laboratory's task.
 *
 * ```ts
 * import { count, ns, parameters, type Values } from "./parameters.ts";
 *
 * const busCosts = parameters({
 *   postedWrite: ns("A posted write reaches the device"),
 *   retries: count("Attempts before the bus gives up", { min: 1 }),
 * });
 * type BusCosts = Values<typeof busCosts>; // { readonly postedWrite: number; readonly retries: number }
 * ```
 *
 * A key is `postedWrite` in code and `posted_write` in a profile.
 *
 * @module
 */

/**
 * Where a number comes from, best first: `published` by the work that is being reproduced, taken from other
 * `literature` (or source code), `calibrated` so that a published result comes out, or `assumed`: nobody checked it.
 */
export type Provenance = "published" | "literature" | "calibrated" | "assumed";

/** Every {@linkcode Provenance}, best first. */
export const PROVENANCES: readonly Provenance[] = ["published", "literature", "calibrated", "assumed"];

/** What a parameter measures, and with that its units and the type of its number. */
export type Dimension = "duration" | "clock" | "rate" | "count" | "ratio" | "ppm";

/** Units of a dimension, each with its factor to the canonical one, which is first and has factor 1. */
const units: Readonly<Record<Dimension, Readonly<Record<string, number>>>> = {
  duration: { ns: 1, us: 1e3, ms: 1e6, s: 1e9 },
  clock: { Hz: 1, kHz: 1e3, MHz: 1e6, GHz: 1e9 },
  rate: { Hz: 1, kHz: 1e3, MHz: 1e6, GHz: 1e9 },
  count: { count: 1 },
  ratio: { ratio: 1 },
  ppm: { ppm: 1 },
};

/** Dimensions whose canonical values are whole numbers: simulated time and clock domains are exact. */
const whole: ReadonlySet<Dimension> = new Set(["duration", "clock", "count"]);

/** The smallest and largest value that a parameter may have, in its canonical unit. */
export interface Limits {
  readonly min?: number;
  readonly max?: number;
}

/** One number that a profile has to give. Made by {@linkcode ns}, {@linkcode hz} and their kin. */
export class Parameter {
  /** @throws TypeError if no value can be within the limits: a mistake in the schema. */
  constructor(
    /** What it measures. */
    readonly dimension: Dimension,
    /** What it means, in one line. */
    readonly description: string,
    /** Smallest value allowed, in the canonical unit. */
    readonly min: number,
    /** Largest value allowed, in the canonical unit. */
    readonly max: number,
  ) {
    if (!(min <= max)) throw new TypeError(`No value fits "${description}": min ${min}, max ${max}`);
  }

  /** The unit of the loaded value: `ns` for durations, `Hz` for clocks and rates, `count`, `ratio`, `ppm`. */
  get unit(): string {
    return this.units[0] ?? "";
  }

  /** The units in which a profile may give it, the canonical one first. */
  get units(): readonly string[] {
    return Object.keys(units[this.dimension]);
  }

  /**
   * `value` in `unit`, converted to the canonical unit.
   *
   * @throws RangeError if the unit measures something else, or the result is out of limits or, for durations, clocks
   * and counts, not a whole number: 0.1234 us is no number of nanoseconds.
   */
  convert(value: number, unit: string): number {
    const factor = Object.hasOwn(units[this.dimension], unit) ? units[this.dimension][unit] : undefined;
    if (factor === undefined) {
      throw new RangeError(
        `unit "${unit}" does not measure a ${this.dimension}, expected ${oneOf(this.units)}`,
      );
    }
    if (!Number.isFinite(value)) throw new RangeError(`${value} is not a finite number`);
    let converted = value * factor;
    if (whole.has(this.dimension)) {
      // A decimal fraction such as 0.29 us is not exact in binary: what is meant is the nearest integer.
      const rounded = Math.round(converted);
      if (Math.abs(converted - rounded) > 1e-9 * Math.max(1, Math.abs(rounded))) {
        throw new RangeError(`${value} ${unit} is not a whole number of ${this.unit}`);
      }
      if (!Number.isSafeInteger(rounded)) {
        throw new RangeError(`${value} ${unit} is too large to be exact in ${this.unit}`);
      }
      converted = rounded;
    }
    if (converted < this.min || converted > this.max) {
      const range = this.max === Infinity
        ? `at least ${this.min}`
        : this.min === -Infinity
        ? `at most ${this.max}`
        : `from ${this.min} to ${this.max}`;
      throw new RangeError(`${value} ${unit} is out of range, expected ${range} ${this.unit}`);
    }
    return converted === 0 ? 0 : converted; // -0 hashes and prints unlike 0
  }
}

/** Parameters by key, in groups as deep as wanted. */
export interface ParameterTree {
  readonly [key: string]: Parameter | ParameterTree;
}

/** The loaded values of a schema: a number for every parameter, in its canonical unit. */
export type Values<T extends ParameterTree> = {
  readonly [K in keyof T]: T[K] extends Parameter ? number
    : T[K] extends ParameterTree ? Values<T[K]>
    : never;
};

/** A duration; an integer number of nanoseconds, not negative unless `limits` say so. */
export function ns(description: string, limits: Limits = {}): Parameter {
  return new Parameter("duration", description, limits.min ?? 0, limits.max ?? Infinity);
}

/** The frequency of a clock; an exact integer number of hertz, at least 1. */
export function hz(description: string, limits: Limits = {}): Parameter {
  return new Parameter("clock", description, limits.min ?? 1, limits.max ?? Infinity);
}

/** How often something happens in a second of simulated time; any number that is not negative. */
export function perSecond(description: string, limits: Limits = {}): Parameter {
  return new Parameter("rate", description, limits.min ?? 0, limits.max ?? Infinity);
}

/** A number of things; an integer, not negative unless `limits` say so. */
export function count(description: string, limits: Limits = {}): Parameter {
  return new Parameter("count", description, limits.min ?? 0, limits.max ?? Infinity);
}

/** A factor, a share or the shape of a distribution; any number within `limits`. */
export function ratio(description: string, limits: Limits = {}): Parameter {
  return new Parameter("ratio", description, limits.min ?? -Infinity, limits.max ?? Infinity);
}

/** A deviation in parts per million; any number within `limits`. */
export function ppm(description: string, limits: Limits = {}): Parameter {
  return new Parameter("ppm", description, limits.min ?? -Infinity, limits.max ?? Infinity);
}

/**
 * Declares a schema. Returns its argument with its exact type.
 *
 * @throws TypeError if a key is not written like `vmExit`, or two keys are the same in a profile.
 */
export function parameters<const T extends ParameterTree>(tree: T): T {
  const seen = new Map<string, string>();
  for (const [key, entry] of Object.entries(tree)) {
    if (!/^[a-z][A-Za-z0-9]*$/.test(key)) {
      throw new TypeError(`Parameter key "${key}" is not written like "vmExit"`);
    }
    const other = seen.get(profileKey(key));
    if (other !== undefined) {
      throw new TypeError(`Parameters "${other}" and "${key}" are both "${profileKey(key)}" in a profile`);
    }
    seen.set(profileKey(key), key);
    if (!(entry instanceof Parameter)) parameters(entry);
  }
  return tree;
}

/** How a key of a schema is written in a profile: `vmExit` is `vm_exit`. */
export function profileKey(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Every parameter of a schema with its path in a profile, in the order of the schema. */
export function* leaves(schema: ParameterTree, path = ""): Generator<[path: string, parameter: Parameter]> {
  for (const [key, entry] of Object.entries(schema)) {
    const child = path === "" ? profileKey(key) : `${path}.${profileKey(key)}`;
    if (entry instanceof Parameter) yield [child, entry];
    else yield* leaves(entry, child);
  }
}

/** The parameter that a profile gives at `path`, if there is one. */
export function parameterAt(schema: ParameterTree, path: string): Parameter | undefined {
  for (const [at, parameter] of leaves(schema)) if (at === path) return parameter;
  return undefined;
}

/** `a`, `a or b`, `a, b or c`. */
function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
