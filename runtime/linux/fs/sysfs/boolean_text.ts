/**
 * Yes and no, as later kernels read them.
 *
 * *Document*: Linux 6.18 `lib/kstrtox.c` (`kstrtobool`).
 *
 * @module
 */

/** `1`, `y`, `t`, `on` and `0`, `n`, `f`, `off`, by their first letters, in any case; undefined: neither. */
export function parseBoolean(text: string): boolean | undefined {
  if (/^([1yt]|on)/i.test(text)) return true;
  if (/^([0nf]|of)/i.test(text)) return false;
}
