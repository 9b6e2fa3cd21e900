// Blame summed by function, by line, and as a tree: nothing lost and nothing counted twice.
import { expect, test } from "vitest";
import { byFunction, byLine, threadsLabel } from "../../../dashboard/web/src/parts/byfunction";
import { blameTree } from "../../../dashboard/web/src/parts/flametree";
import type { BlameRow } from "../../../dashboard/web/src/types";

const row = (change: Partial<BlameRow>): BlameRow => ({
  thread: 1, thread_id: 11, thread_name: "worker-1", function: "score", file: "/srv/app/demo.py", line: 27,
  waits: 1, samples: 1, wait_inflicted_ns: 10, native_module: null, ...change,
});

test("lines and threads of a function are one row, the costliest first", () => {
  const rows = [row({}), row({ line: 26, wait_inflicted_ns: 5 }), row({ thread_name: "worker-2", wait_inflicted_ns: 15 }),
    row({ function: "parse", wait_inflicted_ns: 70, waits: 4 })];
  const [parse, score] = byFunction(rows);
  expect([parse.name, parse.wait_ns, parse.waits, parse.share]).toEqual(["parse", 70, 4, 0.7]);
  expect([score.name, score.where, score.wait_ns, score.waits, score.share]).toEqual(["score", "demo.py", 30, 3, 0.3]);
  expect(score.threads).toEqual(["worker-1", "worker-2"]);
});

test("functions of one name in two files, or in C code, are not mixed up", () => {
  const rows = [row({}), row({ file: "/srv/other/demo.py" }), row({ native_module: "_json.cpython-312.so" })];
  expect(byFunction(rows).map(({ where }) => where).sort()).toEqual(["demo.py", "demo.py", "demo.py · C code of _json"]);
});

test("waits without a look are a row of their own, and rows that inflicted nothing are none", () => {
  const rows = [row({ function: null, file: null, line: null }), row({ wait_inflicted_ns: 0 })];
  expect(byFunction(rows).map(({ name, where, share }) => [name, where, share])).toEqual([["not looked at", "", 1]]);
});

test("a line that many threads ran is one row, named by the costliest of them", () => {
  const rows = [row({}), row({ thread_name: "worker-2", wait_inflicted_ns: 15, samples: 2 }), row({ thread_name: "worker-3", wait_inflicted_ns: 1 }), row({ line: 26 })];
  const [line, other] = byLine(rows);
  expect([line.line, line.wait_inflicted_ns, line.waits, line.samples]).toEqual([27, 26, 3, 4]);
  expect(threadsLabel(line.threads)).toBe("worker-2 and 2 more");
  expect([other.line, threadsLabel(other.threads)]).toEqual([26, "worker-1"]);
});

test("in the tree very many threads with names alike are one box, few are not", () => {
  const requests = Array.from({ length: 40 }, (_, n) => row({ thread_name: `Thread-${n}` }));
  const tree = blameTree([...requests, row({ thread_name: "main-1" })]);
  expect(tree.children.map(({ name, weight }) => [name, weight])).toEqual([["Thread-N", 400], ["main-1", 10]]);
  expect(tree.weight).toBe(410);
  expect(blameTree(requests.slice(0, 3)).children.map(({ name }) => name)).toEqual(["Thread-0", "Thread-1", "Thread-2"]);
});
