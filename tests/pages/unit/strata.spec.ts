// The stack as pixels: whole ones are a layer's own, those on a border are mixed, none is missed.
import { expect, test } from "vitest";
import { paintStrata, type Stratum, type Tile } from "../../../dashboard/web/src/charts/strata";

const RED = 0xff0000ff;
const BLUE = 0xffff0000;
const plain = (word: number): Tile => ({ size: 1, words: Int32Array.of(word) });
const frame = { width: 1, height: 4, top: 4, from: 0, step: 1 };

function column(strata: Stratum[], change = {}): number[] {
  const words = new Int32Array(4);
  paintStrata(words, { ...frame, ...change }, strata);
  return [...words].map((word) => word >>> 0);
}

test("layers stand on each other, from the bottom up", () => {
  const layers = [{ values: [1], tile: plain(RED) }, { values: [2], tile: plain(BLUE) }];
  expect(column(layers)).toEqual([0, BLUE, BLUE, RED]);
});

test("a pixel on a border is mixed, and at the top as opaque as it is covered", () => {
  const [free, mixed, ...whole] = column([{ values: [1.5], tile: plain(RED) }, { values: [1], tile: plain(BLUE) }]).reverse().slice(0, 4);
  expect([free, mixed]).toEqual([RED, 0xff800080]);
  expect(whole).toEqual([0x80ff0000, 0]);
});

test("layers thinner than a pixel are all in it", () => {
  const thin = (word: number) => ({ values: [0.25], tile: plain(word) });
  expect(column([thin(RED), thin(BLUE), thin(RED), thin(BLUE)])).toEqual([0, 0, 0, 0xff800080]);
});

test("what is not a number adds nothing, and what is too high ends at the edge", () => {
  expect(column([{ values: [NaN], tile: plain(RED) }, { values: [9], tile: plain(BLUE) }])).toEqual([BLUE, BLUE, BLUE, BLUE]);
});

test("between two values it is a line, and beyond half a step of the ends there is nothing", () => {
  const values = [0, 4];
  const words = new Int32Array(6 * 4);
  paintStrata(words, { ...frame, width: 6, from: -1, step: 0.5 }, [{ values, tile: plain(RED) }]);
  const heights = Array.from({ length: 6 }, (_, x) => [0, 1, 2, 3].filter((y) => words[y * 6 + x]).length);
  expect(heights).toEqual([0, 0, 0, 2, 4, 4]);
});

test("a tile is repeated from the upper left corner", () => {
  const tile = { size: 2, words: Int32Array.of(1, 2, 3, 4) };
  const words = new Int32Array(3 * 4);
  paintStrata(words, { ...frame, width: 3, step: 0 }, [{ values: [4], tile }]);
  expect([...words].map((word) => word & 255)).toEqual([1, 2, 1, 3, 4, 3, 1, 2, 1, 3, 4, 3]);
});
