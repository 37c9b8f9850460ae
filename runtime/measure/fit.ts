/**
 * Fitting a few parameters without derivatives, and asking afterwards which of them the data determines.
 *
 * *Document*: the pattern search of Hooke and Jeeves, "'Direct Search' Solution of Numerical and Statistical Problems",
 * JACM 8 (1961). Deterministic: the same function gives the same steps.
 *
 * @module
 */

/** A parameter that may move. */
export interface FreeParameter {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Whether only whole numbers are values. */
  readonly whole: boolean;
}

/** What a search has found. */
export interface SearchResult {
  readonly point: readonly number[];
  readonly value: number;
  /** How often the function was asked. */
  readonly evaluations: number;
}

/** How a search goes. */
export interface SearchOptions {
  /** First step as a share of a parameter's value (of a hundredth of its range, if that is more). */
  readonly firstStep?: number;
  /** The search ends when the steps are smaller than this share of the first ones. */
  readonly lastStep?: number;
  /** The search ends after so many rounds, if not before. */
  readonly rounds?: number;
  /** Told of every round. */
  readonly onRound?: (round: number, value: number, point: readonly number[]) => void;
}

/**
 * Looks for the point within the bounds where a function is least, beginning at `start`. The neighbours of a point
 * along one coordinate are asked for at once, so that they may be computed side by side.
 */
export async function patternSearch(
  parameters: readonly FreeParameter[],
  start: readonly number[],
  evaluate: (points: readonly (readonly number[])[]) => Promise<readonly number[]>,
  { firstStep = 0.1, lastStep = 1 / 16, rounds = Infinity, onRound = () => {} }: SearchOptions = {},
): Promise<SearchResult> {
  const known = new Map<string, number>();
  const ask = async (points: readonly (readonly number[])[]): Promise<number[]> => {
    const fresh = [...new Map(points.map((point) => [point.join(), point])).values()]
      .filter((point) => !known.has(point.join()));
    const values = await evaluate(fresh);
    fresh.forEach((point, i) => known.set(point.join(), values[i]!));
    return points.map((point) => known.get(point.join())!);
  };
  const steps = parameters.map(({ from, to }, i) =>
    Math.max(firstStep * Math.abs(start[i]!), 0.01 * (to - from))
  );
  let point = parameters.map((parameter, i) => fitting(parameter, start[i]!));
  let [value] = await ask([point]) as [number];
  let last = point;
  for (let round = 1, share = 1; share >= lastStep && round <= rounds; round++) {
    const before = value;
    // At first also far away: what is flat near by may fall off there.
    const strides = share === 1 ? [1, -1, 2, -2, 4, -4] : [1, -1];
    for (const [i, parameter] of parameters.entries()) {
      const around = strides.map((stride) =>
        point.map((x, at) => at === i ? fitting(parameter, x + stride * share * steps[i]!) : x)
      );
      const values = await ask(around);
      const least = Math.min(...values);
      if (least < value) [point, value] = [around[values.indexOf(least)]!, least];
    }
    if (value < before) { // what has helped may help again
      const onward = point.map((x, i) => fitting(parameters[i]!, 2 * x - last[i]!));
      last = point;
      const [further] = await ask([onward]) as [number];
      if (further < value) [point, value] = [onward, further];
    } else share /= 2;
    onRound(round, value, point);
  }
  return { point, value, evaluations: known.size };
}

/** `x` as a value of the parameter: within its bounds, whole where it has to be. */
function fitting({ from, to, whole }: FreeParameter, x: number): number {
  const inside = Math.min(to, Math.max(from, x));
  return whole ? Math.round(inside) : Number(inside.toPrecision(6));
}

/** A direction in the space of parameters, and how well the data determines the way along it. */
export interface Direction {
  /** Components for each parameter, of length 1, in shares of the parameters' values. */
  readonly components: readonly number[];
  /** How far one may go, as a share of the values, until the residuals have changed by 1 in all. `Infinity`: for ever. */
  readonly reach: number;
}

/**
 * The directions that data determines, the best determined first.
 *
 * @param slopes of each residual: its change for each parameter's change by its own value
 */
export function directions(slopes: readonly (readonly number[])[]): Direction[] {
  const n = slopes[0]?.length ?? 0;
  const matrix = Array.from(
    { length: n },
    (_, i) => Array.from({ length: n }, (_, j) => slopes.reduce((sum, row) => sum + row[i]! * row[j]!, 0)),
  );
  return eigenvectors(matrix)
    .map(({ value, vector }) => ({
      components: vector,
      reach: value <= 1e-12 ? Infinity : 1 / Math.sqrt(value),
    }))
    .sort((a, b) => a.reach - b.reach);
}

/** Eigenvalues and -vectors of a symmetric matrix, by Jacobi's rotations. */
function eigenvectors(matrix: readonly (readonly number[])[]): { value: number; vector: number[] }[] {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const v = a.map((_, i) => a.map((_, j) => i === j ? 1 : 0));
  const rotate = (
    m: number[][],
    cosine: number,
    sine: number,
    at: (k: number) => [[number, number], [number, number]],
  ) => {
    for (let k = 0; k < n; k++) {
      const [[i, j], [p, q]] = at(k);
      const x = m[i]![j]!, y = m[p]![q]!;
      m[i]![j] = cosine * x - sine * y;
      m[p]![q] = sine * x + cosine * y;
    }
  };
  for (let sweep = 0; sweep < 60; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p]![q] === 0) continue;
        const angle = Math.atan2(2 * a[p]![q]!, a[q]![q]! - a[p]![p]!) / 2;
        const cosine = Math.cos(angle), sine = Math.sin(angle);
        rotate(a, cosine, sine, (k) => [[k, p], [k, q]]);
        rotate(a, cosine, sine, (k) => [[p, k], [q, k]]);
        rotate(v, cosine, sine, (k) => [[k, p], [k, q]]);
      }
    }
  }
  return a.map((row, i) => ({ value: row[i]!, vector: v.map((line) => line[i]!) }));
}
