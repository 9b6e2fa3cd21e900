// Who makes others wait, on the overview: one row a function, whatever thread or line it ran in.

import { h, setText } from "../dom";
import { count, duration, percent } from "../format";
import { setView } from "../state";
import type { BlameRow, Rows } from "../types";
import { byFunction, threadsLabel, type Culprit } from "./byfunction";
import { reveal } from "./reveal";
import { bar, Table, type Column } from "./table";

const ROWS_MAX = 6;
const NOBODY = "Nobody waited for the GIL in this span.";

export class Culprits {
  readonly element = h("div");
  private readonly table = new Table<Culprit>("culprits", columns(), "-wait", NOBODY);
  private readonly note = h("p", { class: "hint" });

  constructor() {
    this.element.append(this.table.element, this.note);
  }

  /** `watched` is false where there are no figures of a GIL at all. */
  draw({ rows, n_rows }: Rows<BlameRow>, watched: boolean): void {
    this.table.emptyText = watched ? NOBODY : "The GIL was not watched: the GIL page says why.";
    const all = byFunction(rows);
    this.table.update(all.slice(0, ROWS_MAX));
    const more = all.length > ROWS_MAX || n_rows > rows.length ? " Lines, and all others, are on the GIL page." : "";
    setText(this.note, all.length ? `What a thread ran with the GIL in hand while others waited for it.${more}` : "");
  }
}

function columns(): Column<Culprit>[] {
  const threads = (row: Culprit) => threadsLabel(row.threads);
  return [
    { key: "function", label: "Function", title: "What was run with the GIL in hand", text: (row) => row.name, sort: (row) => row.name,
      dress: (cell, row) => {
        if (cell.dataset.of === row.name) return;
        cell.dataset.of = row.name;
        cell.title = row.name;
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
