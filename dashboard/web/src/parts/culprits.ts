// Who makes others wait, on the overview: one row a function, whatever thread or line it ran in.

import { h, setText } from "../dom";
import { baseName, count, duration, percent } from "../format";
import { setView } from "../state";
import type { BlameRow, Rows } from "../types";
import { reveal } from "./reveal";
import { bar, Table, type Column } from "./table";

const ROWS_MAX = 6;

export interface Culprit { name: string; where: string; path: string; threads: string[]; wait_ns: number; waits: number; share: number }

export class Culprits {
  readonly element = h("div");
  private readonly table = new Table<Culprit>("culprits", columns(), "-wait", "Nobody waited for the GIL in this span.");
  private readonly note = h("p", { class: "hint" });

  constructor() {
    this.element.append(this.table.element, this.note);
  }

  draw({ rows, n_rows }: Rows<BlameRow>): void {
    const all = byFunction(rows);
    this.table.update(all.slice(0, ROWS_MAX));
    const more = all.length > ROWS_MAX || n_rows > rows.length ? " Lines, and all others, are on the GIL page." : "";
    setText(this.note, all.length ? `What a thread ran with the GIL in hand while others waited for it.${more}` : "");
  }
}

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

function namesOf(row: BlameRow): { name: string; where: string; path: string } {
  if (row.function === null) return { name: "not looked at", where: "", path: "" };
  const native = row.native_module === null ? "" : ` · C code of ${baseName(row.native_module).split(".")[0]}`;
  return { name: row.function, where: `${baseName(row.file ?? "")}${native}`, path: row.file ?? "" };
}

function columns(): Column<Culprit>[] {
  const threads = ({ threads }: Culprit) => (threads.length > 2 ? `${threads[0]} and ${threads.length - 1} more` : threads.join(", "));
  return [
    { key: "function", label: "Function", title: "What was run with the GIL in hand", text: (row) => row.name, sort: (row) => row.name,
      dress: (cell, row) => {
        if (cell.dataset.of === row.name) return;
        cell.dataset.of = row.name;
        cell.classList.toggle("dim", !row.where);
        cell.replaceChildren(row.where ? h("button", { type: "button", class: "link", title: "See its lines on the GIL page", click: () => show(row) }, row.name) : row.name);
      } },
    { key: "where", label: "In", title: "File, and the C module if looks found one", text: (row) => row.where, sort: (row) => row.where,
      dress: (cell, row) => {
        setText(cell, row.where);
        cell.title = row.path;
      } },
    { key: "thread", label: "Threads", title: "That ran it", text: threads, sort: threads,
      dress: (cell, row) => {
        setText(cell, threads(row));
        cell.title = row.threads.join(", ");
      } },
    { key: "wait", label: "Others waited", title: "All waiting while a thread ran this, summed over those who waited", numeric: true,
      text: (row) => duration(row.wait_ns), sort: (row) => row.wait_ns, dress: (cell, row) => bar(cell, duration(row.wait_ns), row.share) },
    { key: "share", label: "Share", title: "Of all waiting in the span", numeric: true, text: (row) => percent(row.share), sort: (row) => row.share },
    { key: "waits", label: "Waits", title: "How many", numeric: true, text: (row) => count(row.waits), sort: (row) => row.waits },
  ];
}

function show(row: Culprit): void {
  setView({ page: "gil", filters: { function: row.name } });
  reveal("blame");
}
