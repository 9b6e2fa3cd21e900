// Imports as a tree, weighted by memory or time, and what they add up to over time. Pure functions of rows.

import type { ImportRow } from "../types";
import { sort, type Node } from "./flametree";

export type Weight = "bytes" | "time";

/** Deeper imports count for the one above them: names come from the target, and nobody looks further down. */
const DEEPEST = 60;

/** What an import itself weighs; one that freed more than it kept weighs nothing. */
function own(row: ImportRow, weight: Weight): number {
  return Math.max(0, (weight === "bytes" ? row.bytes_self : row.time_self_ns) ?? 0);
}

/** Who imports it, as far as that is known. */
export function importerOf(row: ImportRow): string | null {
  const who = row.importer ?? row.importer_file;
  return who && row.importer_line ? `${who}:${row.importer_line}` : who;
}

/** The tree of imports; whoever imports stands before what it imports. A box is as wide as the imports in it and its own part: parts below zero are left out. */
export function importTree(rows: ImportRow[], weight: Weight): Node {
  const root: Node = { name: "all", full: "all imports", path: [], weight: 0, count: 0, children: [] };
  const nodes: Node[] = [];
  rows.forEach((row, at) => {
    const above = row.parent === null ? root : nodes[row.parent];
    if (row.depth > DEEPEST) {
      nodes.push(above);
      above.weight += own(row, weight);
      above.count += 1;
      return;
    }
    const by = importerOf(row);
    nodes.push({ name: row.name, full: `${row.name}${by ? `, imported by ${by}` : ""}${row.failed ? " (failed)" : ""}`, path: [...above.path, `${at} ${row.name}`], weight: own(row, weight), count: 1, children: [] });
    above.children.push(nodes[at]);
  });
  for (let at = rows.length - 1; at >= 0; at -= 1) {
    const { parent, depth } = rows[at];
    if (depth > DEEPEST) continue;
    const above = parent === null ? root : nodes[parent];
    above.weight += nodes[at].weight;
    above.count += nodes[at].count;
  }
  sort(root);
  return root;
}

/** Ends of imports in the order of time, and what all that had ended by then keep. */
export function keptOverTime(rows: ImportRow[]): { at_ns: number; bytes: number }[] {
  const ended = rows.filter((row) => row.time_ns !== null && row.bytes_self !== null)
    .map((row) => ({ at_ns: row.at_ns + row.time_ns!, bytes: row.bytes_self! }))
    .sort((a, b) => a.at_ns - b.at_ns);
  let bytes = 0;
  return ended.map((each) => ({ at_ns: each.at_ns, bytes: (bytes += each.bytes) }));
}

/** A row passes if what is searched for is in its name, or in who imports it. */
export function importPasses(row: ImportRow, wanted: string): boolean {
  const text = wanted.toLowerCase();
  return [row.name, row.importer, row.importer_function, row.importer_file].some((each) => each?.toLowerCase().includes(text));
}
