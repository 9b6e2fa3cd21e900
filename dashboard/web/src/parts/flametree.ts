// A tree of weights, and where its boxes stand; and blame as one: thread, then file or C module, then
// function, then line, weighted by the waiting that it inflicted. Pure functions of rows.

import { baseName } from "../format";
import type { BlameRow } from "../types";

export interface Node {
  name: string;
  /** What a tooltip says beyond the name. */
  full: string;
  /** Names from the root down, to find the node again in newer data. */
  path: string[];
  /** What its width stands for. */
  weight: number;
  /** How many things it sums up. */
  count: number;
  children: Node[];
}

/** The node's place: left and width as shares of the whole. */
export interface Box { node: Node; depth: number; left: number; width: number }

/** Threads from which on those with names alike are one box: a thread for each request would be as many slivers. */
const THREADS_MAX = 24;

/** What a thread's box is called: its name, or with very many threads the name without its numbers. */
function threadBoxes(rows: BlameRow[]): (name: string) => string {
  const names = new Set(rows.map((row) => row.thread_name));
  if (names.size <= THREADS_MAX) return (name) => name;
  const alike = (name: string) => name.replace(/\d+/g, "N");
  const sizes = new Map<string, number>();
  for (const name of names) sizes.set(alike(name), (sizes.get(alike(name)) ?? 0) + 1);
  return (name) => (sizes.get(alike(name))! > 1 ? alike(name) : name);
}

export function blameTree(rows: BlameRow[]): Node {
  const boxOf = threadBoxes(rows);
  const root: Node = { name: "all", full: "all waiting inflicted", path: [], weight: 0, count: 0, children: [] };
  for (const row of rows) {
    if (row.wait_inflicted_ns <= 0) continue;
    let node = root;
    add(node, row);
    for (const [name, full] of levels(row, boxOf(row.thread_name))) {
      let child = node.children.find((each) => each.name === name && each.full === full);
      if (!child) node.children.push((child = { name, full, path: [...node.path, `${name}\n${full}`], weight: 0, count: 0, children: [] }));
      add(child, row);
      node = child;
    }
  }
  sort(root);
  return root;
}

function levels(row: BlameRow, box: string): [string, string][] {
  const thread: [string, string] = [box, box === row.thread_name ? `thread ${box}` : `all threads named as ${box}`];
  if (row.function === null) return [thread, ["not looked at", "no waiter looked at the holder in these waits"]];
  const file = row.file ?? "unknown file";
  const native = row.native_module === null ? "" : ` · ${baseName(row.native_module).split(".")[0]}`;
  return [thread, [`${baseName(file)}${native}`, `${file}${native}`], [row.function, `${row.function} in ${file}`],
    [row.line === null ? "line unknown" : `line ${row.line}`, `${file}:${row.line ?? "?"}`]];
}

function add(node: Node, row: BlameRow): void {
  node.weight += row.wait_inflicted_ns;
  node.count += row.waits;
}

/** Widest first, all the way down. */
export function sort(node: Node): void {
  node.children.sort((a, b) => b.weight - a.weight);
  node.children.forEach(sort);
}

/** The node at a path, or the deepest one on the way to it. */
export function find(root: Node, path: string[]): Node {
  let node = root;
  for (const name of path) {
    const child = node.children.find((each) => each.path[each.path.length - 1] === name);
    if (!child) return node;
    node = child;
  }
  return node;
}

/** Boxes of a node and all below it, at least `narrowest` of the whole wide, row by row. */
export function boxes(node: Node, narrowest: number): Box[] {
  const all: Box[] = [];
  const place = (each: Node, depth: number, left: number, width: number) => {
    all.push({ node: each, depth, left, width });
    let at = left;
    for (const child of each.children) {
      const size = (child.weight / Math.max(1, each.weight)) * width;
      if (size >= narrowest) place(child, depth + 1, at, size);
      at += size;
    }
  };
  place(node, 0, 0, 1);
  return all;
}
