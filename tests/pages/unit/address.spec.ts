// An address says all of a view, and nothing in an address can break a page.
import { expect, test } from "vitest";
import { parse, write, type View } from "../../../dashboard/web/src/address";

const FULL: View = {
  page: "cpu", session: 3, last_s: 600, range: { start_ns: 5, end_ns: 4_000_000_000 },
  select: { start_ns: 7, end_ns: 9 }, pin: { session: 2, start_ns: 1, end_ns: 8 }, unit: "percent", split: true,
  tables: ["cpu", "gil-held"], sorts: { threads_cpu: "-cpu_ns" }, filters: { thread: "a&b=c #?%20é" },
};

test("a view comes back from its address", () => {
  expect(parse(write(FULL))).toEqual(FULL);
  const plain = parse("");
  expect(write(plain)).toBe("#/overview");
  expect(parse(write(plain))).toEqual(plain);
});

test("what makes no sense is passed over", () => {
  const plain = parse("#/cpu");
  for (const query of [
    "s=-1", "s=1e3", "s=99999999999999999999", "from=5&to=5", "from=9&to=3", "from=1", "sel=5", "sel=9-3", "sel=a-b",
    "pin=1-2", "pin=1-9-3", "pin=x-1-2", "last=1e9", "last=-3", "unit=miles", "split=yes", "tables=a%20b,<x>",
    "sort.x=<script>", "%E0%A4%A", "?", "===&&&",
  ]) expect(parse(`#/cpu?${query}`), query).toEqual(plain);
  expect(parse("#/no/such").page).toBe("overview");
});
