/**
 * Parameter profiles: every number of the model with its unit, kind of provenance and source, as YAML text.
 *
 * ```yaml
 * profile: i7-3770
 * hw:
 *   vm_exit:  { value: 100, unit: ns, kind: literature, source: "Agesen et al., ATC 2012" }
 *   tsc:      { value: 3.4, unit: GHz, kind: published, source: "slide 24" }
 * ```
 *
 * A profile is checked against schemas declared beside their users (`hw/parameters.ts`). The defaults together give
 * every parameter once; overlays, a user's files, replace any subset of them. Nothing here reads a file: texts go in,
 * values come out.
 *
 * A profile that does not fit is a {@linkcode ProfileError}, which lists everything that is wrong with it, each with
 * file, line, column and key path.
 *
 * @module
 */
import { parse, YamlSyntaxError } from "@std/yaml";
import {
  leaves,
  Parameter,
  parameterAt,
  type ParameterTree,
  profileKey,
  type Provenance,
  PROVENANCES,
  type Values,
} from "../../hw/parameters.ts";
import { type Fit, isMapping, readFits, withoutParameters } from "./calibration.ts";
import { LazyPositions, type Position, type Positions } from "./profile_positions.ts";
import { closest } from "./spelling.ts";

/** The text of one profile and the name by which errors call it. */
export interface ProfileText {
  readonly file: string;
  readonly text: string;
}

/** One thing that is wrong with a profile. */
export interface ProfileProblem {
  readonly file: string;
  /** Counted from 1; 0 if a program set the value. */
  readonly line: number;
  /** Counted from 1; 0 if a program set the value. */
  readonly column: number;
  /** `hw.vm_exit.unit`; empty for the document as a whole. */
  readonly keyPath: string;
  /** What is wrong and what was expected. */
  readonly message: string;
}

/** A profile does not fit the schema, or is no YAML. The message has one line for each problem. */
export class ProfileError extends RangeError {
  override readonly name = "ProfileError";
  constructor(readonly problems: readonly ProfileProblem[]) {
    super(
      problems.map(({ file, line, column, keyPath, message }) => {
        const place = line === 0 ? file : `${file}:${line}:${column}`;
        return `${place}: ${keyPath === "" ? "" : `${keyPath}: `}${message}`;
      }).join("\n"),
    );
  }
}

/** A parameter with its value and where that comes from. */
export interface ParameterRecord {
  /** The key path as written in a profile: `hw.vm_exit`. */
  readonly path: string;
  /** What it means. */
  readonly description: string;
  /** In the canonical unit, and the largest value that it can have. */
  readonly value: number;
  readonly max: number;
  /** The canonical unit: `ns`, `Hz`, `count`, `ratio`, `ppm`. */
  readonly unit: string;
  /** Value and unit as the profile writes them: `0.13 us`. */
  readonly written: string;
  readonly kind: Provenance;
  readonly source: string;
  /** Which text gave it. */
  readonly file: string;
  /** Counted from 1; 0 if it was set by the program. */
  readonly line: number;
}

/** A value as a program sets it, with its provenance. */
export interface ParameterChange {
  readonly value: number;
  readonly unit: string;
  readonly kind?: Provenance;
  readonly source?: string;
}

/** A profile that fits its schema. Immutable: overriding gives another one. */
export class Profile<S extends ParameterTree> {
  readonly #schema: S;
  readonly #records: ReadonlyMap<string, ParameterRecord>;
  #hash: string | undefined;

  /** Made by {@linkcode loadProfile}, `restoreProfile`, {@linkcode Profile.merge} and {@linkcode Profile.with} only. */
  constructor(
    schema: S,
    records: ReadonlyMap<string, ParameterRecord>,
    /** The `profile:` lines of the texts, joined by ` + `. */
    readonly name: string,
    /** Which parameters were fitted to which rows. */
    readonly fits: readonly Fit[],
  ) {
    this.#schema = schema;
    this.#records = records;
    this.values = valuesOf(schema, records, "") as Values<S>;
  }

  /** The number of every parameter, in its canonical unit, by the keys of the schema. */
  readonly values: Values<S>;

  /** FNV-1a 64 over all key paths, values and units: 16 hex digits. Provenance and file names do not change it. */
  get hash(): string {
    return this.#hash ??= hashText(canonicalText(this.#records.values()));
  }

  /** Every parameter in the order of the schema, or only those whose path is `under` or lies below it. */
  list(under = ""): ParameterRecord[] {
    const all = [...this.#records.values()];
    return under === "" ? all : all.filter(({ path }) => path === under || path.startsWith(`${under}.`));
  }

  /** How many parameters of each kind a result rests on that uses those at or below the paths `under`. */
  provenance(under: readonly string[] = [""]): Record<Provenance, number> {
    const counts: Record<Provenance, number> = { published: 0, literature: 0, calibrated: 0, assumed: 0 };
    const used = new Set(under.flatMap((path) => this.list(path)));
    for (const { kind } of used) counts[kind]++;
    return counts;
  }

  /**
   * This profile with some of its parameters replaced by those in `overlays`; of two overlays the later one wins.
   *
   * @throws ProfileError if an overlay does not fit the schema.
   */
  merge(...overlays: readonly ProfileText[]): Profile<S> {
    const records = new Map(this.#records);
    const names = [this.name];
    let fits = this.fits;
    const problems: ProfileProblem[] = [];
    for (const overlay of overlays) {
      const read = readText(this.#schema, overlay);
      problems.push(...read.problems);
      for (const record of read.records) records.set(record.path, record);
      fits = [...withoutParameters(fits, new Set(read.records.map(({ path }) => path))), ...read.fits];
      if (read.name !== undefined) names.push(read.name);
    }
    if (problems.length > 0) throw new ProfileError(problems);
    return new Profile(this.#schema, records, names.join(" + "), fits);
  }

  /**
   * This profile with single values set by a program, by key path: `{ "hw.vm_exit": { value: 200, unit: "ns" } }`.
   * What is not said about the provenance is `assumed`, "set by the program".
   *
   * @throws ProfileError if a path is unknown or a value does not fit.
   */
  with(changes: Readonly<Record<string, ParameterChange>>): Profile<S> {
    const records = new Map(this.#records);
    const problems: ProfileProblem[] = [];
    for (const [path, change] of Object.entries(changes)) {
      const place = { file: "(program)", line: 0, column: 0, keyPath: path };
      const parameter = parameterAt(this.#schema, path);
      if (parameter === undefined) {
        problems.push({ ...place, message: unknownKey(path, this.#records.keys()) });
        continue;
      }
      try {
        records.set(path, {
          path,
          description: parameter.description,
          value: parameter.convert(change.value, change.unit),
          max: parameter.max,
          unit: parameter.unit,
          written: `${change.value} ${change.unit}`,
          kind: change.kind ?? "assumed",
          source: change.source ?? "set by the program",
          file: place.file,
          line: 0,
        });
      } catch (error) {
        problems.push({ ...place, message: messageOf(error) });
      }
    }
    if (problems.length > 0) throw new ProfileError(problems);
    const fits = withoutParameters(this.fits, new Set(Object.keys(changes)));
    return new Profile(this.#schema, records, this.name, fits);
  }
}

/**
 * The profile that `defaults` give together, with `overlays` on top. Each parameter of the schema stands in exactly
 * one of the defaults.
 *
 * @throws ProfileError if a text is no YAML, has an unknown key, a wrong unit or kind or a value that is no number in
 * range, if a parameter is missing, or if two defaults give the same one.
 */
export function loadProfile<S extends ParameterTree>(
  schema: S,
  defaults: readonly ProfileText[],
  overlays: readonly ProfileText[] = [],
): Profile<S> {
  const texts = defaults.map((text) => readText(schema, text));
  const problems = texts.flatMap((text) => text.problems);
  const given = new Map<string, ParameterRecord>();
  for (const record of texts.flatMap((text) => text.records)) {
    const other = given.get(record.path);
    if (other === undefined) given.set(record.path, record);
    else {
      const message = `given twice: also in ${other.file}:${other.line}`;
      problems.push({ file: record.file, line: record.line, column: 1, keyPath: record.path, message });
    }
  }
  const records = new Map<string, ParameterRecord>();
  const attempted = new Set(texts.flatMap((text) => [...text.attempted]));
  const unparsed = texts.some((text) => !text.parsed);
  for (const [path, parameter] of leaves(schema)) {
    const record = given.get(path);
    if (record !== undefined) records.set(path, record);
    else if (!attempted.has(path) && !unparsed) problems.push(missing(path, parameter, texts));
  }
  if (problems.length > 0) throw new ProfileError(problems);
  const name = texts.flatMap((text) => text.name ?? []).join(" + ");
  const profile = new Profile(schema, records, name, texts.flatMap(({ fits }) => fits));
  return overlays.length === 0 ? profile : profile.merge(...overlays);
}

// --- Reading one text --------------------------------------------------------------------------------------------

/** What one text says, as far as it fits the schema. */
interface ReadText {
  readonly file: string;
  readonly name: string | undefined;
  readonly fits: readonly Fit[];
  readonly records: ParameterRecord[];
  readonly problems: ProfileProblem[];
  readonly positions: Positions;
  /** Paths that the text gives, well or badly: not missing. */
  readonly attempted: Set<string>;
  readonly parsed: boolean;
}

function readText(schema: ParameterTree, { file, text }: ProfileText): ReadText {
  const problems: ProfileProblem[] = [];
  let document: unknown;
  try {
    document = parse(text, { schema: "core" });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const { line, column } = error instanceof YamlSyntaxError ? error : {};
    const message = `no YAML: ${error.message.split(/ at line \d|\n/)[0]}`;
    problems.push({ file, line: line ?? 1, column: column ?? 1, keyPath: "", message });
    return {
      file,
      name: undefined,
      fits: [],
      records: [],
      problems,
      positions: new Map<string, never>(),
      attempted: new Set(),
      parsed: false,
    };
  }
  const reader = new DocumentReader(file, new LazyPositions(text));
  let name: string | undefined;
  let fits: Fit[] = [];
  if (document === null || document === undefined) document = {};
  if (!isMapping(document)) {
    reader.problem("", "key", `expected keys and values, found ${found(document)}`);
  } else {
    const { profile, calibration, ...groups } = document;
    if (typeof profile === "string") name = profile;
    else if (profile !== undefined) {
      reader.problem("profile", "value", `expected the profile's name, found ${found(profile)}`);
    }
    reader.group(schema, groups, "");
    fits = readFits(calibration, {
      problem: (...problem) => reader.problem(...problem),
      parameterAt: (path) => parameterAt(schema, path),
    });
  }
  return {
    file,
    name,
    fits,
    records: reader.records,
    problems: reader.problems,
    positions: reader.positions,
    attempted: reader.attempted,
    parsed: true,
  };
}

/** Fields of a parameter. */
const FIELDS = ["value", "unit", "kind", "source"];

/** Walks a parsed document beside its schema and collects values and problems. */
class DocumentReader {
  readonly records: ParameterRecord[] = [];
  readonly problems: ProfileProblem[] = [];
  readonly attempted = new Set<string>();

  constructor(readonly file: string, readonly positions: Positions) {}

  /** Reports what is wrong with the key or the value at `keyPath`. */
  problem(keyPath: string, what: "key" | "value", message: string): void {
    this.problems.push({ file: this.file, ...placeOf(this.positions, keyPath, what), keyPath, message });
  }

  /** Reads a mapping that is a group of the schema. */
  group(schema: ParameterTree, mapping: Readonly<Record<string, unknown>>, path: string): void {
    const keys = new Map(Object.keys(schema).map((key) => [profileKey(key), key]));
    for (const [key, value] of Object.entries(mapping)) {
      const keyPath = path === "" ? key : `${path}.${key}`;
      const known = keys.get(key);
      const entry = known === undefined ? undefined : schema[known];
      if (entry === undefined) {
        this.problem(keyPath, "key", unknownKey(key, keys.keys()));
        const meant = closest(key, keys.keys());
        if (meant !== undefined) this.attempted.add(path === "" ? meant : `${path}.${meant}`);
      } else if (entry instanceof Parameter) {
        this.attempted.add(keyPath);
        this.#parameter(entry, value, keyPath);
      } else if (isMapping(value)) {
        this.group(entry, value, keyPath);
      } else if (value !== null) {
        this.problem(keyPath, "value", `expected a group of parameters, found ${found(value)}`);
      }
    }
  }

  #parameter(parameter: Parameter, leaf: unknown, path: string): void {
    const before = this.problems.length;
    if (!isMapping(leaf)) {
      const form = `{ value: …, unit: ${parameter.unit}, kind: …, source: … }`;
      return this.problem(path, "value", `expected ${form}, found ${found(leaf)}`);
    }
    for (const field of Object.keys(leaf)) {
      if (!FIELDS.includes(field)) this.problem(`${path}.${field}`, "key", unknownKey(field, FIELDS));
    }
    const misspelt = Object.keys(leaf).map((field) => closest(field, FIELDS));
    for (const field of FIELDS) {
      if (!Object.hasOwn(leaf, field) && !misspelt.includes(field)) {
        this.problem(
          path,
          "value",
          `has no ${field}${field === "unit" ? `, expected ${units(parameter)}` : ""}`,
        );
      }
    }
    const { value, unit, kind, source } = leaf;
    if (value !== undefined && typeof value !== "number") {
      this.problem(
        `${path}.value`,
        "value",
        `expected a number of ${units(parameter)}, found ${found(value)}`,
      );
    }
    if (unit !== undefined && typeof unit !== "string") {
      this.problem(`${path}.unit`, "value", `expected ${units(parameter)}, found ${found(unit)}`);
    }
    if (kind !== undefined && !isProvenance(kind)) {
      const meant = typeof kind === "string" ? closest(kind, PROVENANCES) : undefined;
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      this.problem(
        `${path}.kind`,
        "value",
        `expected one of ${PROVENANCES.join(", ")}, found ${found(kind)}${hint}`,
      );
    }
    if (source !== undefined && (typeof source !== "string" || source.trim() === "")) {
      this.problem(`${path}.source`, "value", `expected where the number comes from, found ${found(source)}`);
    }
    if (this.problems.length > before) return;
    const { positions } = this;
    try {
      this.records.push({
        path,
        description: parameter.description,
        value: parameter.convert(value as number, unit as string),
        max: parameter.max,
        unit: parameter.unit,
        written: `${value} ${unit}`,
        kind: kind as Provenance,
        source: source as string,
        file: this.file,
        get line() {
          return placeOf(positions, path, "key").line;
        },
      });
    } catch (error) {
      const field = parameter.units.includes(unit as string) ? "value" : "unit";
      this.problem(`${path}.${field}`, "value", messageOf(error));
    }
  }
}

/** The place of the key or value at `path`, or of the nearest key around it. */
function placeOf(
  positions: Positions,
  path: string,
  what: "key" | "value",
): Position {
  for (let at = path; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const place = positions.get(at);
    if (place !== undefined) return at === path ? place[what] : place.key;
  }
  return { line: 1, column: 1 };
}

/** A parameter that no text gives, reported where its group stands. */
function missing(path: string, parameter: Parameter, texts: readonly ReadText[]): ProfileProblem {
  const message = `missing: ${parameter.description}, in ${units(parameter)}`;
  let group = path;
  while (group.includes(".")) {
    group = group.slice(0, group.lastIndexOf("."));
    for (const { file, positions } of texts) {
      const place = positions.get(group);
      if (place !== undefined) return { file, ...place.key, keyPath: path, message };
    }
  }
  return { file: texts[0]?.file ?? "(no profile)", line: 1, column: 1, keyPath: path, message };
}

function unknownKey(key: string, known: Iterable<string>): string {
  const meant = closest(key, known);
  return meant === undefined ? "unknown key" : `unknown key, did you mean ${meant}?`;
}

function units(parameter: Parameter): string {
  return parameter.units.join(" | ");
}

function isProvenance(value: unknown): value is Provenance {
  return PROVENANCES.some((kind) => kind === value);
}

/** A YAML value as an error calls it. */
function found(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  return isMapping(value) ? "a group of keys" : JSON.stringify(value) ?? String(value);
}

/** The message of the RangeError by which a parameter refuses a value; anything else is our own bug. */
function messageOf(error: unknown): string {
  if (error instanceof RangeError) return error.message;
  throw error;
}

// --- Schema and hash ---------------------------------------------------------------------------------------------

function valuesOf(
  schema: ParameterTree,
  records: ReadonlyMap<string, ParameterRecord>,
  path: string,
): unknown {
  return Object.freeze(Object.fromEntries(
    Object.entries(schema).map(([key, entry]) => {
      const child = path === "" ? profileKey(key) : `${path}.${profileKey(key)}`;
      return [key, entry instanceof Parameter ? records.get(child)?.value : valuesOf(entry, records, child)];
    }),
  ));
}

/** One line for each parameter, sorted by path: what the hash is taken over. */
function canonicalText(records: Iterable<ParameterRecord>): string {
  return [...records].map(({ path, value, unit }) => `${path}=${value} ${unit}\n`).sort().join("");
}

/** FNV-1a, 64 bits, of a text's UTF-8, as 16 hex digits. */
export function hashText(text: string): string {
  // Offset basis 0xcbf29ce484222325, prime 2^40 + 0x1b3, in two halves of 32 bits.
  let high = 0xcbf2_9ce4;
  let low = 0x8422_2325;
  for (const byte of new TextEncoder().encode(text)) {
    low = (low ^ byte) >>> 0;
    const product = low * 0x1b3;
    high = (high * 0x1b3 + Math.floor(product / 0x1_0000_0000) + ((low << 8) >>> 0)) % 0x1_0000_0000;
    low = product % 0x1_0000_0000;
  }
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}
