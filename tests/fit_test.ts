/** The search of a calibration, on functions whose least point is known. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { directions, type FreeParameter, patternSearch } from "../runtime/measure/fit.ts";

const free = (name: string, from: number, to: number, whole = false): FreeParameter => ({
  name,
  from,
  to,
  whole,
});

/** A toy: two paths, of which only two sums and a ratio are seen, as a table shows sums of steps. */
function residuals([wake = 0, entry = 0, floor = 0]: readonly number[]): number[] {
  const hidden = { wake: 820, entry: 250, floor: 0.56 };
  const typical = wake + entry, least = floor * typical;
  const truth = hidden.wake + hidden.entry;
  return [(typical - truth) / 50, (least - hidden.floor * truth) / 50];
}

const squares = (point: readonly number[]) => residuals(point).reduce((sum, each) => sum + each * each, 0);

Deno.test("hidden parameters are found again where the data determines them", async () => {
  const parameters = [
    free("wake", 100, 3000, true),
    free("entry", 250, 250.5, true),
    free("floor", 0.2, 0.95),
  ];
  const rounds: number[] = [];
  const { point, value, evaluations } = await patternSearch(
    parameters,
    [1500, 250, 0.8],
    (points) => Promise.resolve(points.map(squares)),
    { lastStep: 1 / 1024, onRound: (_, value) => rounds.push(value) },
  );
  assertAlmostEquals(point[0]!, 820, 2);
  assertAlmostEquals(point[2]!, 0.56, 0.002);
  assert(value < 0.01 && evaluations < 500, `${value} after ${evaluations}`);
  assertEquals(rounds, [...rounds].sort((a, b) => b - a)); // it never goes back up
  assert(point.every((x, i) => x >= parameters[i]!.from && x <= parameters[i]!.to));
});

Deno.test("the search is deterministic, and asks no point twice", async () => {
  const parameters = [free("x", -10, 10), free("y", -10, 10)];
  const search = async () => {
    const asked: string[] = [];
    const result = await patternSearch(parameters, [9, -9], (points) => {
      asked.push(...points.map((point) => point.join()));
      return Promise.resolve(points.map(([x, y]) => (x! - 1) ** 2 + 10 * (y! - x!) ** 2));
    }, { lastStep: 1 / 256 });
    assertEquals(new Set(asked).size, asked.length);
    return { ...result, asked };
  };
  const [one, again] = [await search(), await search()];
  assertEquals(one, again);
  assertAlmostEquals(one.point[0]!, 1, 0.05);
  assertAlmostEquals(one.point[1]!, 1, 0.05);
});

Deno.test("a least point outside the bounds is met at the bound", async () => {
  const { point } = await patternSearch(
    [free("x", 2, 8)],
    [5],
    (points) => Promise.resolve(points.map(([x]) => x! * x!)),
  );
  assertEquals(point, [2]);
});

Deno.test("the split of a sum is a direction that the data does not determine", () => {
  // Residual 1 sees the sum of both, residual 2 twice the sum: along (1, -1) nothing changes.
  const [stiff, flat] = directions([[10, 10], [20, 20]]);
  assertAlmostEquals(stiff!.reach, 1 / Math.sqrt(1000), 1e-9);
  assertAlmostEquals(Math.abs(stiff!.components[0]!), Math.SQRT1_2, 1e-9);
  assertAlmostEquals(stiff!.components[0]!, stiff!.components[1]!, 1e-9);
  assertEquals(flat!.reach, Infinity);
  assertAlmostEquals(flat!.components[0]!, -flat!.components[1]!, 1e-9);
});

Deno.test("directions of a matrix whose eigenvalues are known", () => {
  // JᵀJ = [[2, -1, 0], [-1, 2, -1], [0, -1, 2]] has eigenvalues 2 and 2 ± sqrt 2.
  const slopes = [[1, 0, 0], [-1, 1, 0], [0, -1, 1], [0, 0, -1]];
  const expected = [2 + Math.SQRT2, 2, 2 - Math.SQRT2].map((value) => 1 / Math.sqrt(value));
  const found = directions(slopes);
  found.forEach(({ reach, components }, i) => {
    assertAlmostEquals(reach, expected[i]!, 1e-9);
    assertAlmostEquals(components.reduce((sum, x) => sum + x * x, 0), 1, 1e-9);
  });
});
