/**
 * QEMU's `key=value,key=value` lists, as after `-drive`, `-device`, `-smp` or `-name`.
 *
 * *Document*: `qemu-doc`, "Invocation".
 *
 * A comma ends a value; two commas stand for one. The first item may leave out its key if the option has an implied
 * one (`-device e1000` is `driver=e1000`). A later item without `=` is a switch: `foo` is `foo=on`, `nofoo` is
 * `foo=off`. If a key is given twice the last one counts.
 *
 * @module
 */

/** Reads a list into a map. `impliedKey` is the key of a first item that has none. */
export function parseKeyValues(text: string, impliedKey?: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  let at = 0;
  let first = true;
  while (at < text.length) {
    const equals = text.indexOf("=", at);
    const comma = text.indexOf(",", at);
    const hasKey = equals >= 0 && (comma < 0 || equals < comma);
    if (!hasKey && !(first && impliedKey !== undefined)) {
      const end = comma < 0 ? text.length : comma;
      const item = text.slice(at, end);
      if (item.startsWith("no")) values.set(item.slice(2), "off");
      else values.set(item, "on");
      at = end + 1;
    } else {
      const key = hasKey ? text.slice(at, equals) : impliedKey ?? "";
      if (hasKey) at = equals + 1;
      let value = "";
      for (; at < text.length; at++) {
        if (text[at] === ",") {
          if (text[at + 1] !== ",") break;
          at++;
        }
        value += text[at];
      }
      at++;
      values.set(key, value);
    }
    first = false;
  }
  return values;
}
