// The table of those who call for thread states: how often, what it costs, and what to do about it.

import { h, setText } from "../dom";
import { count, duration, percent, UNKNOWN } from "../format";
import type { CallerRow, StateCounters, StateTotals } from "../types";
import { bar, Table, type Column } from "./table";

/** Kept cycles of a caller that have to be timed before its own are the measure, as in the report. */
const OWN_KEPT_CYCLES = 16;
/** Fresh states a thread from which on it pays to keep the state. */
const OFTEN = 3;

export function callsOf(row: StateCounters): number {
  return row.fresh + row.kept + row.nested + row.unseen_fresh + row.unseen_other;
}

export function freshOf(row: StateCounters): number {
  return row.fresh + row.unseen_fresh;
}

/** Making and deleting, chunks included; ns. */
export function costOf(row: StateCounters): number {
  return row.create_ns + row.chunk_ns + row.delete_ns;
}

/** One kept cycle without waiting and running, ns; null before one was timed. */
export function keptOf(row: StateCounters): number | null {
  return row.kept_cycles ? (row.kept_create_ns + row.kept_delete_ns) / row.kept_cycles : null;
}

/** What keeping the states would have saved, ns; null while nothing is known of kept ones. */
export function savedOf(row: StateCounters, kept_ns: number | null): number | null {
  return kept_ns === null ? null : Math.max(0, costOf(row) - kept_ns * row.cycles);
}

/** "polars.abi3.so" without the ABI tag and the ending: "polars". */
export function moduleOf(row: CallerRow): string {
  return row.module.split(".")[0];
}

export class Callers {
  readonly element = h("div");
  private readonly table: Table<CallerRow>;
  private all_ns = 0;
  private kept_ns: number | null = null;
  private window_ns = 0;

  constructor() {
    this.table = new Table("callers", this.columns(), "-cost",
      "No thread came into Python by PyGILState_Ensure in this span. Extensions whose own threads call back into Python do so.");
    this.element.append(this.table.element);
  }

  update(states: StateTotals): void {
    this.all_ns = costOf(states.all);
    this.kept_ns = keptOf(states.all) ?? states.calibrated_kept_ns;
    this.window_ns = states.range.end_ns - states.range.start_ns;
    this.table.update(states.callers);
  }

  private saved(row: CallerRow): number | null {
    return savedOf(row, row.kept_cycles >= OWN_KEPT_CYCLES ? keptOf(row) : this.kept_ns);
  }

  private columns(): Column<CallerRow>[] {
    const number = (key: string, label: string, title: string, of: (row: CallerRow) => number | null,
      text: (value: number | null) => string): Column<CallerRow> =>
      ({ key, label, title, numeric: true, text: (row) => text(of(row)), sort: of });
    const each = (row: CallerRow) => (row.cycles ? costOf(row) / row.cycles : null);
    return [
      { key: "module", label: "Module", title: "The object whose code calls", text: moduleOf, sort: (row) => row.module,
        dress: (cell, row) => {
          setText(cell, moduleOf(row));
          cell.title = row.function ? `${row.function} in ${row.module}` : row.module;
        } },
      { key: "cost", label: "Cost", title: "Making and deleting thread states, chunks included", numeric: true,
        text: (row) => duration(costOf(row)), sort: costOf,
        dress: (cell, row) => bar(cell, duration(costOf(row)), this.all_ns ? costOf(row) / this.all_ns : 0) },
      number("each", "A cycle", "Cost of one way through a temporary state", each, duration),
      number("calls", "Calls", "Of PyGILState_Ensure", callsOf, count),
      number("fresh", "Fresh", "Calls that had to make a state", freshOf, count),
      number("kept", "Kept", "Calls that found a state and took the GIL", (row) => row.kept, count),
      number("nested", "Nested", "Calls of threads that held the GIL already", (row) => row.nested, count),
      number("made", "By hand", "States made by PyThreadState_New", (row) => row.made, count),
      number("threads", "Threads", "Threads that came from there", (row) => row.threads, count),
      number("wait", "GIL wait", "Waiting for the GIL in cycles of temporary states", (row) => row.gil_wait_ns, duration),
      number("saved", "To save", "Keeping the states would have saved so much of a core", (row) => this.saved(row),
        (saved) => (saved === null || !this.window_ns ? UNKNOWN : percent(saved / this.window_ns))),
      { key: "advice", label: "What to do", title: "Advice", text: (row) => this.advice(row), sort: (row) => this.advice(row) },
    ];
  }

  private advice(row: CallerRow): string {
    const fresh = freshOf(row) + row.made;
    if (fresh === 0) return "Nothing: its threads keep their states.";
    if (fresh < OFTEN * Math.max(1, row.threads)) return "Its threads call once or twice: call from fewer threads that live longer.";
    const saved = this.saved(row);
    const by = saved === null ? "" : `, ${duration(saved / Math.max(1, row.cycles))} a call`;
    return `Keep the state: one Ensure for the thread's life${by}.`;
  }
}
