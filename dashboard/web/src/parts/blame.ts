// The blame table: a holder's function and line, and the waiting that it inflicted on others.

import { h, setText } from "../dom";
import { baseName, count, duration, percent, UNKNOWN } from "../format";
import type { BlameRow, Rows } from "../types";
import { bar, Table, type Column } from "./table";

export class Blame {
  readonly element = h("div");
  private readonly table: Table<BlameRow>;
  private readonly note = h("p", { class: "hint" });
  private total_ns = 0;

  constructor() {
    this.table = new Table("blame", this.columns(), "-wait", "Nobody waited for the GIL in this span.");
    this.element.append(this.table.element, this.note);
  }

  update(blame: Rows<BlameRow>, waited_ns: number | null): void {
    this.total_ns = blame.rows.reduce((sum, row) => sum + row.wait_inflicted_ns, 0);
    this.table.update(blame.rows, blame.n_rows);
    const seen = blame.rows.filter((row) => row.function !== null).reduce((sum, row) => sum + row.wait_inflicted_ns, 0);
    const share = percent(this.total_ns ? seen / this.total_ns : null);
    const of = waited_ns === null ? "" : ` of ${duration(waited_ns)} waited`;
    setText(this.note, blame.rows.length
      ? `A waiter looks at what the holder runs as its wait begins (at most every 200 µs) and every 5 ms. ${share} of the ${duration(this.total_ns)} inflicted${of} rest on such a look.`
      : "");
  }

  private columns(): Column<BlameRow>[] {
    const share = (row: BlameRow) => (this.total_ns ? row.wait_inflicted_ns / this.total_ns : 0);
    return [
      { key: "function", label: "Function", title: "What the holder ran", text: functionName, sort: functionName,
        dress: (cell, row) => {
          setText(cell, functionName(row));
          cell.classList.toggle("dim", row.function === null);
        } },
      { key: "where", label: "Line", title: "File and line", text: place, sort: place,
        dress: (cell, row) => {
          setText(cell, place(row));
          cell.title = row.file ?? "";
        } },
      { key: "thread", label: "Holder", title: "The thread that held the GIL", text: (row) => row.thread_name, sort: (row) => row.thread_name },
      { key: "wait", label: "Inflicted", title: "Waiting of others while the holder was here", numeric: true,
        text: (row) => duration(row.wait_inflicted_ns), sort: (row) => row.wait_inflicted_ns,
        dress: (cell, row) => bar(cell, duration(row.wait_inflicted_ns), share(row)) },
      { key: "share", label: "Share", title: "Of all waiting inflicted in the span", numeric: true,
        text: (row) => percent(share(row)), sort: (row) => row.wait_inflicted_ns },
      { key: "waits", label: "Waits", title: "How many waits", numeric: true, text: (row) => count(row.waits), sort: (row) => row.waits },
      { key: "native", label: "Native module", title: "The shared object whose C code kept the GIL, if looks found one",
        text: moduleName, sort: (row) => row.native_module,
        dress: (cell, row) => {
          setText(cell, moduleName(row));
          cell.title = row.native_module ?? "";
        } },
      { key: "samples", label: "Looks", title: "How many looks this rests on", numeric: true, text: (row) => count(row.samples), sort: (row) => row.samples },
    ];
  }
}

function functionName(row: BlameRow): string {
  return row.function ?? "not looked at";
}

/** Without the ABI tag and the ending: "_hashlib". */
function moduleName(row: BlameRow): string {
  return row.native_module === null ? UNKNOWN : baseName(row.native_module).split(".")[0];
}

function place(row: BlameRow): string {
  if (row.file === null) return UNKNOWN;
  return row.line === null ? baseName(row.file) : `${baseName(row.file)}:${row.line}`;
}
