/**
 * A value of a JSON text, read with the place where it stands, so that a wrong one can be named.
 *
 * @module
 */

/** A text is not what it should be. The message begins with the place: `line 3, column 7: `, or a path of keys. */
export class JsonError extends Error {
  /** The name that a stack trace prints. */
  override readonly name = "JsonError";
}

/** A value and its path, as `journal[3].event`; the whole text has the empty one. */
export class JsonPart {
  private constructor(readonly value: unknown, readonly path: string) {}

  /** The whole of a text. @throws JsonError where it is no JSON */
  static of(text: string): JsonPart {
    try {
      return new JsonPart(JSON.parse(text), "");
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const at = Number(/position (\d+)/.exec(error.message)?.[1] ?? text.length);
      const lines = text.slice(0, at).split("\n");
      const rest = text.slice(at).trim() === "" ? "unexpected end of the file" : "not JSON from here on";
      throw new JsonError(`line ${lines.length}, column ${lines.at(-1)!.length + 1}: ${rest}`);
    }
  }

  /** @throws JsonError that says what was expected here */
  fail(expected: string): never {
    throw new JsonError(`${this.path || "the file"}: expected ${expected}`);
  }

  /** What an object has under a key; `undefined` inside where it has none. */
  get(key: string): JsonPart {
    const { value } = this.keys();
    const path = this.path === "" ? key : `${this.path}.${key}`;
    return new JsonPart(Object.hasOwn(value, key) ? value[key] : undefined, path);
  }

  /** What an object has, by key. */
  entries(): [key: string, part: JsonPart][] {
    return Object.keys(this.keys().value).map((key) => [key, this.get(key)]);
  }

  /** The elements of a list. */
  list(): JsonPart[] {
    const { value } = this;
    if (!Array.isArray(value)) this.fail("a list");
    return value.map((element: unknown, i) => new JsonPart(element, `${this.path}[${i}]`));
  }

  /** A text. */
  text(): string {
    return typeof this.value === "string" ? this.value : this.fail("a text");
  }

  /** A whole number from `least` on. */
  whole(least = 0): number {
    const { value } = this;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
    return this.fail(`a whole number, ${least} or more`);
  }

  /** True or false. */
  flag(): boolean {
    return typeof this.value === "boolean" ? this.value : this.fail("true or false");
  }

  /** One of some texts. */
  oneOf<T extends string>(known: readonly T[]): T {
    const found = known.find((each) => each === this.value);
    return found ?? this.fail(`one of ${known.join(", ")}`);
  }

  /** What `read` makes of it, unless it is null. */
  orNull<T>(read: (part: JsonPart) => T): T | null {
    return this.value === null ? null : read(this);
  }

  private keys(): { readonly value: Record<string, unknown> } {
    const { value } = this;
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.fail("an object");
    return { value: value as Record<string, unknown> };
  }
}

/** Longest value that stands in one line. */
const LINE = 110;

/** A value as JSON in lines that can be read: what is short stands in one. */
export function jsonText(value: unknown, indent = ""): string {
  const short = JSON.stringify(value);
  if (typeof value !== "object" || value === null || short.length + indent.length <= LINE) return short;
  const deeper = `${indent}  `;
  const [open, close, parts] = Array.isArray(value)
    ? ["[", "]", value.map((element) => jsonText(element, deeper))]
    : [
      "{",
      "}",
      Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${jsonText(each, deeper)}`),
    ];
  return `${open}\n${parts.map((part) => deeper + part).join(",\n")}\n${indent}${close}`;
}
