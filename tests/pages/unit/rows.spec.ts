// The table behind a chart: how values are put together.
import { expect, test } from "vitest";
import { tableRows } from "../../../dashboard/web/src/charts/rows";

const text = (value: number | null) => String(value);

test("few values are rows of their own, newest first", () => {
  const rows = tableRows([1, 2, 3], [{ name: "a", values: [4, NaN, 6], text }]);
  expect(rows).toEqual([{ at_s: 3, values: [6] }, { at_s: 2, values: [null] }, { at_s: 1, values: [4] }]);
});

test("many are put together: means over what is known, and the highest of maxima", () => {
  const columns = [
    { name: "mean", values: [1, 3, NaN, 5, NaN], text },
    { name: "most", values: [1, 3, 2, 5, NaN], text, most: true },
  ];
  expect(tableRows([10, 20, 30, 40, 50], columns, 3)).toEqual([
    { at_s: 50, values: [null, null] }, { at_s: 30, values: [5, 5] }, { at_s: 10, values: [2, 3] },
  ]);
});

test("nothing gives no rows", () => {
  expect(tableRows([], [{ name: "a", values: [], text }])).toEqual([]);
});
