// Blame by what was run: one row a function, or one a line, whatever threads it ran in. Pure functions of rows.

import { baseName } from "../format";
import type { BlameRow } from "../types";

export interface Culprit { name: string; where: string; path: string; threads: string[]; wait_ns: number; waits: number; share: number }

/** Rows of blame by what was run, the costliest first; `share` is of all waiting in the rows. Waits in
 *  which nobody looked are a row of their own. */
export function byFunction(rows: BlameRow[]): Culprit[] {
  const all = new Map<string, Culprit>();
  const total_ns = rows.reduce((sum, row) => sum + row.wait_inflicted_ns, 0);
  for (const row of rows) {
    if (row.wait_inflicted_ns <= 0) continue;
    const key = `${row.function}\n${row.file}\n${row.native_module}`;
    const found = all.get(key) ?? { ...namesOf(row), threads: [], wait_ns: 0, waits: 0, share: 0 };
    found.wait_ns += row.wait_inflicted_ns;
    found.waits += row.waits;
    found.share = found.wait_ns / total_ns;
    if (!found.threads.includes(row.thread_name)) found.threads.push(row.thread_name);
    all.set(key, found);
  }
  return [...all.values()].sort((a, b) => b.wait_ns - a.wait_ns);
}

/** A line that made others wait, with the names of the threads that ran it, the costliest first. */
export interface BlameLine extends Omit<BlameRow, "thread" | "thread_id" | "thread_name"> { threads: string[] }

/** Rows of blame by line: in a server with a thread for each request one line is not as many rows. */
export function byLine(rows: BlameRow[]): BlameLine[] {
  const all = new Map<string, BlameLine>();
  for (const row of [...rows].sort((a, b) => b.wait_inflicted_ns - a.wait_inflicted_ns)) {
    const { function: name, file, line, native_module } = row;
    const key = JSON.stringify([name, file, line, native_module]);
    const found = all.get(key) ?? { function: name, file, line, native_module, waits: 0, samples: 0, wait_inflicted_ns: 0, threads: [] };
    found.waits += row.waits;
    found.samples += row.samples;
    found.wait_inflicted_ns += row.wait_inflicted_ns;
    if (!found.threads.includes(row.thread_name)) found.threads.push(row.thread_name);
    all.set(key, found);
  }
  return [...all.values()];
}

/** "worker-1", "worker-1, worker-2", "worker-1 and 40 more". */
export function threadsLabel(threads: string[]): string {
  return threads.length > 2 ? `${threads[0]} and ${threads.length - 1} more` : threads.join(", ");
}

function namesOf(row: BlameRow): { name: string; where: string; path: string } {
  if (row.function === null) return { name: "not looked at", where: "", path: "" };
  const native = row.native_module === null ? "" : ` · C code of ${baseName(row.native_module).split(".")[0]}`;
  return { name: row.function, where: `${baseName(row.file ?? "")}${native}`, path: row.file ?? "" };
}
