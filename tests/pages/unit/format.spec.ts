// Figures for people: unknown is never a zero, and digits carry meaning.
import { expect, test } from "vitest";
import { bytes, count, cpu, duration, percent, rate, tick, UNKNOWN } from "../../../dashboard/web/src/format";

test("unknown is a dash", () => {
  for (const unknown of [null, undefined, NaN]) {
    expect([duration(unknown), percent(unknown), rate(unknown), bytes(unknown), cpu(unknown, "cores"), cpu(unknown, "percent")])
      .toEqual(Array(6).fill(UNKNOWN));
  }
  expect(count(null)).toBe(UNKNOWN);
  expect(count(0)).toBe("0");
});

test("three digits and a unit", () => {
  expect([0, 812, 999.6, 4_200, 999_600, 4.2e6, 999_600_000, 1.5e9, 72e9, 3_700e9].map(duration)).toEqual(
    ["0 ns", "812 ns", "1.00 µs", "4.20 µs", "1.00 ms", "4.20 ms", "1.00 s", "1.50 s", "1 min 12 s", "1 h 1 min"]);
  expect([1, 1e3, 2e6, 5e9].map(tick)).toEqual(["1 ns", "1 µs", "2 ms", "5 s"]);
  expect(count(1234567)).toBe("1 234 567");
  expect([0, 0.5, 1].map(percent)).toEqual(["0 %", "50.0 %", "100 %"]);
  expect([cpu(0.974, "cores"), cpu(0.974, "percent")]).toEqual(["0.97", "97.4 %"]);
  expect(bytes(1536)).toBe("1.50 KiB");
});
