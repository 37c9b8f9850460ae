/**
 * Arguments of a typed call as bytes: what a C compiler does with an initialiser, and what a debugger does with memory.
 *
 * The kernel takes addresses; a script writes values. Between them stand these forms of an argument:
 *
 * - a number, or a string (a path; the place of a PCI device);
 * - `{ 4, 1 }` and `&(struct kvm_irq_level){ .irq = 4, .level = 1 }`, C's initialisers;
 * - the structure's numbers in their order, without braces: `ioctl(vm, KVM_IRQ_LINE, 4, 1)`;
 * - a variable, whose elements are the structure's fields; what the kernel writes is in it afterwards.
 *
 * *Document*: ISO C 6.7.9 "Initialization"; messages as gcc words them.
 *
 * @module
 */

import {
  type AnyStructure,
  type Field,
  type Scalar,
  sizeOf,
  struct,
  type Structure,
  View,
} from "../uapi/structure.ts";
import { STRUCTURES } from "../uapi/structures.ts";

/** An integer of C. */
export type Integer = number | bigint;

/** An initialiser in braces. */
export interface Initializer {
  readonly kind: "initializer";
  /** The tag of a compound literal: `kvm_irq_level`. Absent: the structure that the request takes. */
  readonly tag?: string;
  readonly items: readonly InitializerItem[];
}

/** One item of an initialiser, with its designators if it has any: `.entries[0].index = 0x10`. */
export interface InitializerItem {
  readonly designators: readonly (string | number)[];
  readonly value: Integer | Initializer;
}

/** A variable that stands for a structure: `&regs`. */
export interface VariableArgument {
  readonly kind: "variable";
  readonly name: string;
  /** Element 0, where a number is wanted; `undefined`: it has none. */
  readonly number: Integer | undefined;
  /** Its elements are numbered, not named. */
  readonly numbered: boolean;
  /** Its elements, by name or number; a path into a structure is written `exception.nr`, `entries.0.data`. */
  readonly elements: ReadonlyMap<string, bigint>;
  /** Takes what the kernel has written. */
  store(elements: ReadonlyMap<string, bigint>): void;
}

/** An address that is passed as it is: `NULL`, `(void *)0xdead0000`. */
export interface AddressArgument {
  readonly kind: "address";
  readonly address: number;
}

/** An argument of a call. */
export type CallValue = Integer | string | Initializer | VariableArgument | AddressArgument | View;

/** An argument that no compiler would take; the message is the script's. */
export class ArgumentError extends Error {
  override readonly name = "ArgumentError";
}

/** The bytes of a structure, and what is done with them after the call. */
export interface Buffer {
  readonly bytes: Uint8Array;
  /** Shows what the kernel has written. */
  copyBack?(bytes: Uint8Array): void;
}

/** The bytes that `args` stand for, where the request takes a `structure`. */
export function bufferOf(structure: Structure, args: readonly CallValue[]): Buffer {
  const [only] = args;
  if (only instanceof View) {
    return { bytes: only.bytes, copyBack: (bytes) => only.bytes.set(bytes.subarray(0, only.bytes.length)) };
  }
  if (typeof only === "object" && only.kind === "initializer") {
    const { tag } = only;
    const named = tag === undefined ? structure : STRUCTURES.get(tag);
    if (named === undefined) throw new ArgumentError(`invalid use of undefined type 'struct ${tag}'`);
    return { bytes: initialized(named, only).bytes };
  }
  if (typeof only === "object" && only.kind === "variable") return variableBuffer(structure, only);
  const numbers = args.map((value) => {
    if (typeof value === "object" || typeof value === "string") {
      throw new ArgumentError(`the fields of struct ${structure.name} are numbers`);
    }
    return value;
  });
  const leaves = leavesOf(structure);
  if (numbers.length > leaves.length) throw new ArgumentError("excess elements in struct initializer");
  const view = structure.make();
  numbers.forEach((value, i) => setLeaf(view, leaves[i]!, BigInt(value)));
  return { bytes: view.bytes };
}

/** `{ … }`. */
function initialized(structure: Structure, initializer: Initializer): View {
  const tailLength = structure.tail === undefined ? 0 : itemsOfTail(structure, initializer);
  if (tailLength > MOST_ELEMENTS) {
    throw new ArgumentError(`size of array '${structure.tail!.name}' is too large`);
  }
  const view = structure.make(tailLength);
  fill(view, initializer);
  return view;
}

/** How many elements an initialiser gives to the array at the structure's end. */
function itemsOfTail(structure: Structure, { items }: Initializer): number {
  const tail = structure.tail!;
  const names = named(structure);
  let length = 0;
  let position = 0;
  for (const { designators: [name, index], value } of items) {
    const field = name === undefined ? names[position] : structure.fields.get(String(name));
    position = field === undefined ? position : names.indexOf(field) + 1;
    if (field !== tail) continue;
    const given = typeof index === "number"
      ? index + 1
      : typeof value === "object"
      ? value.items.reduce((sum, item, i) => Math.max(sum, (indexOf(item) ?? i) + 1), 0)
      : 1;
    length = Math.max(length, given);
  }
  return length;
}

function indexOf({ designators: [first] }: InitializerItem): number | undefined {
  return typeof first === "number" ? first : undefined;
}

/** Fields in the order in which an initialiser without designators fills them. */
function named(structure: AnyStructure): Field[] {
  return [...structure.fields.values()].filter(({ alias }) => !alias);
}

function fill(view: View, { items }: Initializer): void {
  const { structure } = view;
  const order = named(structure);
  let position = 0;
  for (const { designators: [name, ...rest], value } of items) {
    if (typeof name === "number") throw new ArgumentError("array index in non-array initializer");
    const field = name === undefined ? order[position] : structure.fields.get(name);
    if (field === undefined) {
      throw new ArgumentError(
        name === undefined
          ? "excess elements in struct initializer"
          : `'${structureWords(structure)}' has no member named '${name}'`,
      );
    }
    position = order.indexOf(field) + 1;
    if (field.count === undefined) assign(view, field, 0, rest, value);
    else if (typeof rest[0] === "number") assign(view, field, rest[0], rest.slice(1), value);
    else if (typeof value === "object") {
      value.items.forEach((item, i) => {
        const index = indexOf(item) ?? i;
        assign(view, field, index, item.designators.slice(indexOf(item) === undefined ? 0 : 1), item.value);
      });
    } else throw new ArgumentError(`missing braces around initializer of '${field.name}'`);
  }
}

function assign(
  view: View,
  field: Field,
  index: number,
  designators: readonly (string | number)[],
  value: Integer | Initializer,
): void {
  const { type, name } = field;
  const room = (field.count ?? 1) || Math.floor((view.bytes.length - view.structure.size) / sizeOf(type));
  if (index < 0 || index >= room) {
    throw new ArgumentError(`array index in initializer exceeds bounds of '${name}'`);
  }
  if (typeof type === "string") {
    if (designators.length > 0) throw new ArgumentError(`'${name}' is no structure`);
    if (typeof value === "object") throw new ArgumentError(`'${name}' is a number, not a structure`);
    view.set(name, value, index);
    return;
  }
  const part = new View(type as Structure, view.bytes, view.start + field.offset + index * type.size);
  if (designators.length > 0) fill(part, { kind: "initializer", items: [{ designators, value }] });
  else if (typeof value === "object") fill(part, value);
  else throw new ArgumentError(`missing braces around initializer of '${name}'`);
}

function structureWords({ name }: AnyStructure): string {
  return name === "" ? "union" : `struct ${name}`;
}

/** A number in a structure: its path, and where it is. */
interface Leaf {
  readonly path: string;
  readonly type: Scalar;
  readonly offset: number;
}

/** Every number of a structure in its order, those of `elements` elements of the array at its end included. */
function leavesOf(structure: AnyStructure, elements = 0, prefix = "", start = 0): Leaf[] {
  return [...structure.fields.values()].flatMap(({ name, type, offset, count, alias }: Field): Leaf[] => {
    if (alias) return [];
    const length = count === 0 ? elements : count ?? 1;
    return Array.from({ length }, (_, i) => {
      const path = `${prefix}${name}${count === undefined ? "" : `.${i}`}`;
      const at = start + offset + i * sizeOf(type);
      return typeof type === "string" ? [{ path, type, offset: at }] : leavesOf(type, 0, `${path}.`, at);
    }).flat();
  });
}

function setLeaf(view: View, { type, offset }: Leaf, value: bigint): void {
  new View(SCALARS[type], view.bytes, offset).set("value", value);
}

/** Each type as a structure of one field. */
const SCALARS: Readonly<Record<Scalar, Structure<"value">>> = {
  u8: struct("u8", { value: "u8" }),
  u16: struct("u16", { value: "u16" }),
  u32: struct("u32", { value: "u32" }),
  u64: struct("u64", { value: "u64" }),
  s32: struct("s32", { value: "s32" }),
};

/** Elements of a variable as a structure, and back. */
function variableBuffer(structure: Structure, variable: VariableArgument): Buffer {
  const count = structure.tail === undefined ? undefined : named(structure)[0]!.name;
  const given = [...variable.elements.keys()].map((key) => Number(/\.(\d+)(\.|$)/.exec(key)?.[1] ?? -1) + 1);
  const wanted = count === undefined
    ? 0
    : Number(variable.elements.get(variable.numbered ? "0" : count) ?? 0n);
  const elements = Math.max(
    0,
    ...given.filter((length) => length <= MOST_ELEMENTS),
    Math.min(wanted, MOST_ELEMENTS),
  );
  const view = structure.make(elements);
  const leaves = leavesOf(structure, elements);
  const byKey = new Map(leaves.map((leaf, i) => [variable.numbered ? String(i) : leaf.path, leaf]));
  for (const [key, value] of variable.elements) {
    const leaf = byKey.get(key);
    if (leaf === undefined) {
      throw new ArgumentError(
        variable.numbered
          ? `${variable.name}: more elements than struct ${structure.name} has numbers`
          : `${variable.name}: 'struct ${structure.name}' has no member named '${key}'`,
      );
    }
    setLeaf(view, leaf, value);
  }
  return {
    bytes: view.bytes,
    copyBack(bytes) {
      const filled = count === undefined
        ? 0
        : Math.min(elements, new View(structure, bytes).get(named(structure)[0]!.name));
      const shown = leavesOf(structure, filled).filter(({ path }) =>
        variable.numbered || !PADDING.test(path)
      );
      variable.store(
        new Map(
          shown.map(({ path, type, offset }, i) => [
            variable.numbered ? String(i) : path,
            new View(SCALARS[type], bytes, offset).big("value"),
          ]),
        ),
      );
    },
  };
}

/** Fields that mean nothing. */
const PADDING = /(^|\.)(reserved|pad\d*|padding)(\.\d+)?$/;
/** More elements than any request returns. */
const MOST_ELEMENTS = 4096;
