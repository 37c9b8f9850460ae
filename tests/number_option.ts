/** `--NAME=N` of a task's command line. @throws RangeError if N is not a whole number from 0 */
export function numberOption(name: string, otherwise: number): number {
  const text = Deno.args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`--${name}: expected a number, not ${text}`);
  }
  return value;
}
