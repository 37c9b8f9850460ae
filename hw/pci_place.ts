/**
 * Where a PCI function is, and how that is written: `0000:05:00.0`, or a routing identifier of 16 bits.
 *
 * @module
 */

/** Where a function is: domain, bus, device, function. */
export interface Bdf {
  /** Segment group, 0 on a machine with one host bridge. */
  readonly domain: number;
  /** 0 to 255. */
  readonly bus: number;
  /** 0 to 31. */
  readonly device: number;
  /** 0 to 7. */
  readonly function: number;
}

const BDF = /^(?:([0-9a-f]{4}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/i;

/** Parses `0000:05:00.0`, or the short form `05:00.0` of domain 0; `undefined` if it is neither. */
export function parseBdf(text: string): Bdf | undefined {
  const match = BDF.exec(text);
  if (match === null) return undefined;
  const [, domain = "0", bus = "", device = "", fn = ""] = match;
  const number = parseInt(device, 16);
  if (number > 31) return undefined;
  return { domain: parseInt(domain, 16), bus: parseInt(bus, 16), device: number, function: Number(fn) };
}

/**
 * As {@linkcode parseBdf}, for places that the model itself names.
 *
 * @throws {RangeError} if it is no BDF
 */
export function placeOf(text: string): Bdf {
  const bdf = parseBdf(text);
  if (bdf === undefined) throw new RangeError(`No PCI address: "${text}"`);
  return bdf;
}

/** The full form, `0000:05:00.0`. */
export function formatBdf({ domain, bus, device, function: fn }: Bdf): string {
  const hex = (number: number, digits: number) => number.toString(16).padStart(digits, "0");
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.${fn}`;
}

/** The 16-bit routing identifier that a function's requests carry: bus in 15:8, device in 7:3, function in 2:0. */
export function routingId({ bus, device, function: fn }: Bdf): number {
  return bus << 8 | device << 3 | fn;
}

/** The place with this routing identifier in `domain`. */
export function bdfOf(id: number, domain = 0): Bdf {
  return { domain, bus: id >>> 8 & 0xff, device: id >>> 3 & 31, function: id & 7 };
}
