/**
 * Structures of C: where their fields lie, and bytes seen through them.
 *
 * *Document*: System V ABI, AMD64 supplement, 3.1.2 "Data Representation": a field is aligned to its size, a structure
 * to its most aligned field.
 *
 * @module
 */

/** Integers of `<linux/types.h>`. */
export type Scalar = "u8" | "u16" | "u32" | "u64" | "s32";

const SIZES: Readonly<Record<Scalar, number>> = { u8: 1, u16: 2, u32: 4, u64: 8, s32: 4 };

/**
 * A field as it is declared: a type, or an array of it; an array without a length ends its structure. `sameAs`: another
 * name for the place of an earlier field, as a union without a name gives it.
 */
export type Declaration =
  | Scalar
  | AnyStructure
  | readonly [type: Scalar | AnyStructure, count?: number]
  | { readonly as: Scalar; readonly sameAs: string };

/** A field and its place. */
export interface Field {
  readonly name: string;
  readonly type: Scalar | AnyStructure;
  /** Bytes from the beginning of its structure. */
  readonly offset: number;
  /** Elements of an array; 0: as many as the caller's buffer has; `undefined`: no array. */
  readonly count: number | undefined;
  /** It is another name for the place of a field before it. */
  readonly alias: boolean;
}

/** A structure of any fields. */
// deno-lint-ignore no-explicit-any -- a structure's names are in its type: a set of any names accepts all of them
export type AnyStructure = Structure<any>;

/** A structure: names its fields in the order of their declaration. */
export class Structure<Name extends string = string> {
  /** Its fields. */
  readonly fields: ReadonlyMap<string, Field>;
  /** Bytes, without an array at its end that has no length. */
  readonly size: number;
  /** What its address is a multiple of. */
  readonly alignment: number;

  /** @param name its tag in C @param overlaid its fields share their place: a union */
  constructor(readonly name: string, declarations: Readonly<Record<Name, Declaration>>, overlaid = false) {
    const fields = new Map<string, Field>();
    let [end, alignment, size] = [0, 1, 0];
    for (const [field, declaration] of Object.entries<Declaration>(declarations)) {
      if (typeof declaration === "object" && "sameAs" in declaration) {
        const { offset } = fields.get(declaration.sameAs)!;
        fields.set(field, { name: field, type: declaration.as, offset, count: undefined, alias: true });
        continue;
      }
      const [type, count] = isArray(declaration)
        ? [declaration[0], declaration[1] ?? 0]
        : [declaration, undefined];
      const aligned = typeof type === "string" ? SIZES[type] : type.alignment;
      const offset = overlaid ? 0 : Math.ceil(end / aligned) * aligned;
      end = offset + sizeOf(type) * (count ?? 1);
      size = Math.max(size, end);
      alignment = Math.max(alignment, aligned);
      fields.set(field, { name: field, type, offset, count, alias: false });
    }
    this.fields = fields;
    this.alignment = alignment;
    this.size = Math.ceil(size / alignment) * alignment;
  }

  /** The array without a length at its end, if it has one. */
  get tail(): Field | undefined {
    const last = [...this.fields.values()].at(-1);
    return last?.count === 0 ? last : undefined;
  }

  /** All zeros, with `elements` in the array at its end. */
  make(elements = 0): View<Name> {
    const { tail } = this;
    return new View(
      this,
      new Uint8Array(this.size + (tail === undefined ? 0 : elements * sizeOf(tail.type))),
    );
  }
}

/** Makes a structure. */
export function struct<Name extends string>(
  name: string,
  declarations: Readonly<Record<Name, Declaration>>,
): Structure<Name> {
  return new Structure(name, declarations);
}

/** Makes a union. */
export function union<Name extends string>(
  name: string,
  declarations: Readonly<Record<Name, Declaration>>,
): Structure<Name> {
  return new Structure(name, declarations, true);
}

/** Bytes of a type. */
export function sizeOf(type: Scalar | AnyStructure): number {
  return typeof type === "string" ? SIZES[type] : type.size;
}

function isArray(
  declaration: Declaration,
): declaration is readonly [type: Scalar | AnyStructure, count?: number] {
  return Array.isArray(declaration);
}

/** Bytes, seen as a structure. Little-endian, as x86 is. */
export class View<Name extends string = string> {
  readonly #data: DataView;

  /** @param bytes at least as many as the structure has @param start where it begins in them */
  constructor(readonly structure: Structure<Name>, readonly bytes: Uint8Array, readonly start = 0) {
    this.#data = new DataView(bytes.buffer, bytes.byteOffset + start);
  }

  /** A field of at most 32 bits, or one of 64 bits that holds no more than 2^53. @param index of an array */
  get(name: Name, index = 0): number {
    return Number(this.big(name, index));
  }

  /** Any integer field. */
  big(name: Name, index = 0): bigint {
    const { type, offset } = this.#place(name, index);
    return this.#read(type as Scalar, offset);
  }

  /** Sets an integer field; what does not fit is cut off, as in C. */
  set(name: Name, value: number | bigint, index = 0): this {
    const { type, offset } = this.#place(name, index);
    this.#write(type as Scalar, offset, BigInt(value));
    return this;
  }

  /** A field that is a structure. @param fields the structure's type, as declared */
  part<Inner extends string>(name: Name, fields: Structure<Inner>, index = 0): View<Inner> {
    const { type, offset } = this.#place(name, index);
    // Of a union of structures declared elsewhere, any may be asked for: they share their place.
    if (typeof type === "string") throw new TypeError(`${this.structure.name}.${name} is no structure`);
    return new View(fields, this.bytes, this.start + offset);
  }

  #place(name: Name, index: number): { type: Scalar | AnyStructure; offset: number } {
    const { type, offset } = this.structure.fields.get(name)!;
    return { type, offset: offset + index * sizeOf(type) };
  }

  #read(type: Scalar, offset: number): bigint {
    const data = this.#data;
    switch (type) {
      case "u8":
        return BigInt(data.getUint8(offset));
      case "u16":
        return BigInt(data.getUint16(offset, true));
      case "u32":
        return BigInt(data.getUint32(offset, true));
      case "s32":
        return BigInt(data.getInt32(offset, true));
      case "u64":
        return data.getBigUint64(offset, true);
    }
  }

  #write(type: Scalar, offset: number, value: bigint): void {
    const data = this.#data;
    switch (type) {
      case "u8":
        return data.setUint8(offset, Number(BigInt.asUintN(8, value)));
      case "u16":
        return data.setUint16(offset, Number(BigInt.asUintN(16, value)), true);
      case "u32":
      case "s32":
        return data.setUint32(offset, Number(BigInt.asUintN(32, value)), true);
      case "u64":
        return data.setBigUint64(offset, BigInt.asUintN(64, value), true);
    }
  }
}
