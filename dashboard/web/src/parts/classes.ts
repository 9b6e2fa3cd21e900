// I/O threads against CPU threads: what each class held, waited and made others wait. A small table.

import { h } from "../dom";
import { count, duration, percent } from "../format";
import type { ThreadRow } from "../types";
import { bar, Table, type Column } from "./table";

interface ClassRow { name: string; what: string; threads: number; hold_ns: number; wait_ns: number; inflicted_ns: number; acquires: number; forced: number; releases: number }

const CLASSES: [ThreadRow["class"], string, string][] = [
  ["io", "I/O", "lets go of the GIL by itself, soon"],
  ["cpu", "CPU", "must be asked to let go, or computes without it"],
  ["idle", "idle", "hardly ran"],
];

export class Classes {
  readonly element = h("div");
  private readonly table: Table<ClassRow>;
  private most = { hold_ns: 1, wait_ns: 1, inflicted_ns: 1 };

  constructor() {
    this.table = new Table("classes", this.columns(), "-inflicted", "No thread used the GIL in this span.");
    this.element.append(this.table.element);
  }

  draw(threads: ThreadRow[]): void {
    const rows = CLASSES.map(([key, name, what]) => sum(threads.filter((row) => row.gil && row.class === key), name, what));
    const other = sum(threads.filter((row) => row.gil && row.class === null), "exited", "threads that are no longer kept one by one");
    const shown = [...rows, other].filter((row) => row.threads > 0);
    for (const key of ["hold_ns", "wait_ns", "inflicted_ns"] as const) this.most[key] = Math.max(1, ...shown.map((row) => row[key]));
    this.table.update(shown);
  }

  private columns(): Column<ClassRow>[] {
    const barred = (key: "hold_ns" | "wait_ns" | "inflicted_ns", name: string, label: string, title: string): Column<ClassRow> => ({
      key: name, label, title, numeric: true, text: (row) => duration(row[key]), sort: (row) => row[key],
      dress: (cell, row) => bar(cell, duration(row[key]), row[key] / this.most[key]),
    });
    return [
      { key: "class", label: "Class", title: "How threads behave", text: (row) => row.name, sort: (row) => row.name,
        dress: (cell, row) => { cell.textContent = row.name; cell.title = row.what; } },
      { key: "threads", label: "Threads", title: "Threads of this class that used the GIL", numeric: true, text: (row) => count(row.threads), sort: (row) => row.threads },
      barred("hold_ns", "held", "Held", "Time with the GIL"),
      barred("wait_ns", "waited", "Waited", "Time waiting for the GIL"),
      barred("inflicted_ns", "inflicted", "Inflicted", "Waiting of others while a thread of this class held the GIL"),
      { key: "mean", label: "Mean hold", title: "Held time per acquire", numeric: true,
        text: (row) => duration(row.acquires ? row.hold_ns / row.acquires : null), sort: (row) => (row.acquires ? row.hold_ns / row.acquires : null) },
      { key: "forced", label: "Forced", title: "Share of releases that had to be asked for", numeric: true,
        text: (row) => percent(row.releases ? row.forced / row.releases : null), sort: (row) => (row.releases ? row.forced / row.releases : null) },
    ];
  }
}

function sum(rows: ThreadRow[], name: string, what: string): ClassRow {
  const total = (of: (gil: NonNullable<ThreadRow["gil"]>) => number) => rows.reduce((all, row) => all + of(row.gil!), 0);
  return {
    name, what,
    threads: rows.filter((row) => row.gil!.acquires > 0).length,
    hold_ns: total((gil) => gil.hold_ns), wait_ns: total((gil) => gil.wait_ns), inflicted_ns: total((gil) => gil.wait_inflicted_ns),
    acquires: total((gil) => gil.acquires), forced: total((gil) => gil.releases_forced),
    releases: total((gil) => gil.releases_forced + gil.releases_voluntary),
  };
}
