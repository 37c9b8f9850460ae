/**
 * Backslash escapes of `printf`, `echo -e`, `$'…'` and C strings.
 *
 * @module
 */

const simple: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  e: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "?": "?",
};

/**
 * Replaces escapes: the letters of C, `\NNN` octal, `\xHH`, `\uHHHH`, `\UHHHHHHHH`. What is no escape stays as it is. With `zeroOctal`
 * (`echo -e`, `%b`) octal is `\0NNN`, and `\c` ends the output.
 */
export function decodeEscapes(text: string, zeroOctal = false): { text: string; stopped: boolean } {
  if (!text.includes("\\")) return { text, stopped: false };
  let stopped = false;
  let result = "";
  const token =
    /\\(?:(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8}))|0([0-7]{1,3})|([0-7]{1,3})|([\s\S]))|([^\\]+|\\$)/g;
  for (const match of text.matchAll(token)) {
    const [whole, hex, short, long, zero, octal, letter, plain] = match;
    const point = short ?? long;
    if (plain !== undefined) result += plain;
    else if (hex !== undefined) result += String.fromCharCode(parseInt(hex, 16));
    else if (point !== undefined) {
      result += Number(`0x${point}`) > 0x10ffff ? whole : String.fromCodePoint(Number(`0x${point}`));
    } else if (zero !== undefined) result += String.fromCharCode(parseInt(zero, 8) & 255);
    else if (octal !== undefined) {
      result += zeroOctal && octal !== "0" ? whole : String.fromCharCode(parseInt(octal, 8) & 255);
    } else if (letter === "c" && zeroOctal) {
      stopped = true;
      break;
    } else result += simple[letter ?? ""] ?? whole;
  }
  return { text: result, stopped };
}

/**
 * A word that a shell reads as `text`: in single quotes, or in `$'…'` where it has characters that do not print.
 * As `${x@Q}` of bash writes it.
 */
export function quoteForReading(text: string): string {
  // deno-lint-ignore no-control-regex
  if (!/[\x00-\x1f\x7f]/.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  // deno-lint-ignore no-control-regex
  const written = text.replace(/[\x00-\x1f\x7f'\\]/g, (character) => {
    const [letter] = Object.entries(simple).find(([, meant]) => meant === character) ?? [];
    const code = character.charCodeAt(0).toString(8).padStart(3, "0");
    return `\\${letter === undefined ? code : letter === "e" ? "E" : letter}`;
  });
  return `$'${written}'`;
}
