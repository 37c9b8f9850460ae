/**
 * Register tables: fields packed in order from bit 0, whose widths must total the register's.
 *
 * A table that does not add up throws when its module is loaded, so a wrong offset cannot survive the first test.
 * Values stay plain unsigned numbers; the table says which bits a write may change.
 *
 * ```ts
 * import { field, register, reserved } from "./registers.ts";
 *
 * const CONTROL = register("Message Control", 0x02, 0x0002, 16, [
 *   field("tableSize", 11, "ro"),
 *   reserved(3),
 *   field("functionMask", 1),
 *   field("enable", 1),
 * ]);
 * const value = CONTROL.write(CONTROL.reset, 0xffff); // 0xc002: reserved and read-only bits keep their value
 * CONTROL.get(value, "enable"); // 1
 * ```
 *
 * A register of 64 bits is two tables, low and high half.
 *
 * @module
 */

/**
 * What a write does to a field: `rw` takes the value, `ro` keeps it, `rw1c` clears the bits written as 1,
 * `unmodelled` takes the value like `rw` although nothing follows from it (see {@linkcode Register.unmodelled}).
 */
export type Access = "rw" | "ro" | "rw1c" | "unmodelled";

/** One run of bits of a register, before it has its place. `Name` is `never` for reserved bits. */
export interface FieldSpec<Name extends string> {
  /** `undefined` for reserved bits. */
  readonly name: Name | undefined;
  /** Bits. */
  readonly width: number;
  /** What a write does to it. */
  readonly access: Access;
  /** Names of values, where the manual names them. */
  readonly values: Readonly<Record<number, string>> | undefined;
}

/** A named field of `width` bits above those already listed. */
export function field<Name extends string>(
  name: Name,
  width: number,
  access: Access = "rw",
  values?: Readonly<Record<number, string>>,
): FieldSpec<Name> {
  return { name, width, access, values };
}

/** Bits that keep their reset value. */
export function reserved(width: number): FieldSpec<never> {
  return { name: undefined, width, access: "ro", values: undefined };
}

/** The unsigned 32-bit number of the same bits: JavaScript's own bit operators answer signed ones. */
export function u32(value: number): number {
  return value >>> 0;
}

/** The mask of the lowest `width` bits, 0 to 32. */
export function lowBits(width: number): number {
  return width >= 32 ? 0xffff_ffff : u32((1 << width) - 1);
}

/** A field in its place. */
export interface Field<Name extends string> extends FieldSpec<Name> {
  /** Lowest bit. */
  readonly shift: number;
  /** The field's bits in place. */
  readonly mask: number;
}

/** One row of a device's register table. Made by {@linkcode register}. */
export class Register<Name extends string> {
  /** The named fields, lowest bit first. */
  readonly fields: readonly Field<Name>[];
  /** Bits that a write replaces. */
  readonly writableMask: number;
  /** Bits that a write of 1 clears. */
  readonly clearableMask: number;
  readonly #byName = new Map<string, Field<Name>>();

  /** Use {@linkcode register}. */
  constructor(
    /** The manual's name. */
    readonly name: string,
    /** Bytes from the start of its space. */
    readonly offset: number,
    /** The value after reset. */
    readonly reset: number,
    /** Bits: 8, 16 or 32. */
    readonly width: number,
    specs: readonly FieldSpec<Name>[],
  ) {
    const fields: Field<Name>[] = [];
    let shift = 0;
    let writable = 0;
    let clearable = 0;
    for (const spec of specs) {
      const mask = shift + spec.width > 32 ? 0 : u32(lowBits(spec.width) << shift);
      if (spec.name !== undefined) {
        if (this.#byName.has(spec.name)) throw new RangeError(`Register ${name}: two fields "${spec.name}"`);
        const placed: Field<Name> = { ...spec, shift, mask };
        fields.push(placed);
        this.#byName.set(spec.name, placed);
      }
      if (spec.access === "rw" || spec.access === "unmodelled") writable |= mask;
      if (spec.access === "rw1c") clearable |= mask;
      shift += spec.width;
    }
    if (shift !== width) {
      throw new RangeError(`Register ${name}: its fields have ${shift} bits, it has ${width}`);
    }
    if (u32(reset & lowBits(width)) !== reset) {
      throw new RangeError(`Register ${name}: reset value does not fit in ${width} bits`);
    }
    this.fields = fields;
    this.writableMask = u32(writable);
    this.clearableMask = u32(clearable);
  }

  /** The field called `name`: for hot paths, which keep its `shift` and `mask`. */
  field(name: Name): Field<Name> {
    return this.#byName.get(name) as Field<Name>;
  }

  /** The number in field `name` of `value`. */
  get(value: number, name: Name): number {
    const { mask, shift } = this.field(name);
    return u32(value & mask) >>> shift;
  }

  /** The name that the manual gives to the number in field `name`, or `undefined` if it gives none. */
  valueName(value: number, name: Name): string | undefined {
    return this.field(name).values?.[this.get(value, name)];
  }

  /**
   * `value` with `number` in field `name`, whatever the field's access: what the device itself does.
   *
   * @throws {RangeError} if the number does not fit
   */
  with(value: number, name: Name, number: number): number {
    const { mask, shift, width } = this.field(name);
    if (number < 0 || number > lowBits(width)) {
      throw new RangeError(
        `Register ${this.name}: ${number} does not fit in field "${name}" (${width} bits)`,
      );
    }
    return u32((value & ~mask) | (number << shift));
  }

  /** What a write of `written` by software makes of `value`. */
  write(value: number, written: number): number {
    const replaced = (value & ~this.writableMask) | (written & this.writableMask);
    return u32(replaced & ~(written & this.clearableMask));
  }

  /** Names of the unmodelled fields that differ between two values, for the report that nothing follows from them. */
  unmodelled(before: number, after: number): Name[] {
    const changed = before ^ after;
    return this.fields
      .filter((placed) => placed.access === "unmodelled" && (changed & placed.mask) !== 0)
      .map((placed) => placed.name as Name);
  }
}

/**
 * Makes a register of `width` bits.
 *
 * @throws {RangeError} if the widths of the fields do not total `width`, a name occurs twice, or the reset value does
 * not fit
 */
export function register<Name extends string>(
  name: string,
  offset: number,
  reset: number,
  width: 8 | 16 | 32,
  fields: readonly FieldSpec<Name>[],
): Register<Name> {
  return new Register(name, offset, reset, width, fields);
}
