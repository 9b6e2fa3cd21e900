// The blame table: a function and line that threads ran with the GIL in hand, and the waiting that it inflicted on others.

import { h, setText } from "../dom";
import { baseName, count, duration, percent, UNKNOWN } from "../format";
import type { BlameRow, Rows } from "../types";
import { byLine, threadsLabel, type BlameLine } from "./byfunction";
import { bar, Table, type Column } from "./table";

export class Blame {
  readonly element = h("div");
  private readonly table: Table<BlameLine>;
  private readonly note = h("p", { class: "hint" });
  private total_ns = 0;

  constructor() {
    this.table = new Table("blame", this.columns(), "-wait", "Nobody waited for the GIL in this span.");
    this.element.append(this.table.element, this.note);
  }

  update(blame: Rows<BlameRow>, waited_ns: number | null): void {
    this.total_ns = blame.rows.reduce((sum, row) => sum + row.wait_inflicted_ns, 0);
    const lines = byLine(blame.rows);
    this.table.update(lines, lines.length + blame.n_rows - blame.rows.length);
    const seen = blame.rows.filter((row) => row.function !== null).reduce((sum, row) => sum + row.wait_inflicted_ns, 0);
    const share = percent(this.total_ns ? seen / this.total_ns : null);
    const of = waited_ns === null ? "" : ` of ${duration(waited_ns)} waited`;
    setText(this.note, blame.rows.length
      ? `Waiters look at what the holder runs: once a millisecond at most, and whenever a whole switch interval went by unseen. ${share} of the ${duration(this.total_ns)} inflicted${of} rest on such a look.`
      : "");
  }

  private columns(): Column<BlameLine>[] {
    const share = (row: BlameLine) => (this.total_ns ? row.wait_inflicted_ns / this.total_ns : 0);
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
      { key: "thread", label: "Holder", title: "The thread that held the GIL, the costliest first", text: threads, sort: threads,
        dress: (cell, row) => {
          setText(cell, threads(row));
          cell.title = row.threads.join(", ");
        } },
      { key: "wait", label: "Inflicted", title: "Waiting of others while the holder was here", numeric: true,
        text: (row) => duration(row.wait_inflicted_ns), sort: (row) => row.wait_inflicted_ns,
        dress: (cell, row) => bar(cell, duration(row.wait_inflicted_ns), share(row)) },
      { key: "share", label: "Share", title: "Of all waiting inflicted in the span", numeric: true,
        text: (row) => percent(share(row)), sort: (row) => row.wait_inflicted_ns },
      { key: "waits", label: "Waits", title: "How many waits", numeric: true, text: (row) => count(row.waits), sort: (row) => row.waits },
      { key: "mean", label: "Mean", title: "Waiting inflicted here by number of waits that ended here", numeric: true,
        text: (row) => (row.waits ? duration(row.wait_inflicted_ns / row.waits) : UNKNOWN),
        sort: (row) => (row.waits ? row.wait_inflicted_ns / row.waits : null) },
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

function threads(row: BlameLine): string {
  return threadsLabel(row.threads);
}

function functionName(row: BlameLine): string {
  return row.function ?? "not looked at";
}

/** Without the ABI tag and the ending: "_hashlib". */
function moduleName(row: BlameLine): string {
  return row.native_module === null ? UNKNOWN : baseName(row.native_module).split(".")[0];
}

function place(row: BlameLine): string {
  if (row.file === null) return UNKNOWN;
  return row.line === null ? baseName(row.file) : `${baseName(row.file)}:${row.line}`;
}
