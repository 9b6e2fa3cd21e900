// A table that sorts by its headings and is brought up to date in place, cell by cell: the first rows at
// once, the others when there is time.

import { h, setText, whenIdle } from "../dom";
import { Seen } from "../seen";
import { getView, setView } from "../state";

export interface Column<T> {
  key: string;
  label: string;
  /** What the figure means, for a tooltip. */
  title: string;
  text: (row: T) => string;
  /** What to sort by; unknown values go last either way. */
  sort: (row: T) => number | string | null;
  /** Numbers stand at the right. */
  numeric?: boolean;
  /** Whatever else the cell should show; called on each update. */
  dress?: (cell: HTMLTableCellElement, row: T) => void;
}

/** Rows that are filled at once: more than are in sight. */
const ROWS_AT_ONCE = 40;
/** Rows that are filled without a look at the clock. */
const ROWS_A_STEP = 10;

export class Table<T> {
  readonly element: HTMLElement;
  private readonly body = h("tbody");
  private readonly heads: HTMLTableCellElement[];
  private readonly empty: HTMLElement;
  private readonly more = h("p", { class: "hint" });
  private rows: T[] = [];
  /** What the table was filled for last. */
  private readonly filledFor = new Seen();
  private waits: (() => void) | null = null;

  constructor(
    private readonly name: string,
    private readonly columns: Column<T>[],
    private readonly initial: string,
    /** What stands where there is no row. */
    public emptyText: string,
  ) {
    this.heads = columns.map((column) =>
      h("th", { scope: "col", title: column.title, class: column.numeric ? "number" : "" },
        column.label
          ? h("button", { type: "button", click: () => this.sortBy(column) }, column.label)
          : h("span", { class: "for-screen-readers" }, column.title)));
    this.empty = h("p", { class: "empty-line" }, "Loading …");
    this.element = h("div", { class: "table", tabindex: 0, role: "region", "aria-label": `${name} table` },
      h("table", {}, h("thead", {}, h("tr", {}, ...this.heads)), this.body), this.empty, this.more);
  }

  /** Shows these rows; `n_rows` is how many there are if not all were sent. `look` is whatever else decides
   *  how they are dressed. */
  update(rows: T[], n_rows = rows.length, look = ""): void {
    if (!this.filledFor.isNew([rows, n_rows, look, this.sortedBy()])) return;
    this.rows = rows;
    const sorted = this.sorted();
    while (this.body.rows.length > sorted.length) this.body.deleteRow(-1);
    this.fillFrom(sorted, 0, ROWS_AT_ONCE, () => false);
    this.empty.hidden = rows.length > 0;
    setText(this.empty, this.emptyText);
    this.more.hidden = n_rows <= rows.length;
    setText(this.more, `${n_rows - rows.length} more are not shown; all are in the report.`);
  }

  /** Fills rows from `first` on, so many at a time while there is time; the others later. */
  private fillFrom(sorted: T[], first: number, step: number, hasTime: () => boolean): void {
    this.waits?.();
    this.waits = null;
    let at = first;
    do {
      const end = Math.min(sorted.length, at + step);
      for (; at < end; at += 1) this.fill(this.body.rows[at] ?? this.addRow(), sorted[at]);
    } while (at < sorted.length && hasTime());
    if (at < sorted.length) this.waits = whenIdle((more) => this.fillFrom(sorted, at, ROWS_A_STEP, more));
  }

  private addRow(): HTMLTableRowElement {
    const row = this.body.insertRow();
    for (const column of this.columns) row.insertCell().className = column.numeric ? "number" : "";
    return row;
  }

  private fill(element: HTMLTableRowElement, row: T): void {
    this.columns.forEach((column, index) => {
      const cell = element.cells[index];
      if (column.dress) column.dress(cell, row);
      else setText(cell, column.text(row));
    });
  }

  private sorted(): T[] {
    const sort = this.sortedBy();
    const falling = sort.startsWith("-");
    const column = this.columns.find((column) => column.key === sort.replace("-", "")) ?? this.columns[0];
    this.heads.forEach((head, index) => {
      const order = this.columns[index] !== column ? null : falling ? "descending" : "ascending";
      if (order) head.setAttribute("aria-sort", order);
      else head.removeAttribute("aria-sort");
    });
    return [...this.rows].sort((a, b) => compare(column.sort(a), column.sort(b), falling));
  }

  private sortedBy(): string {
    return getView().sorts[this.name] ?? this.initial;
  }

  private sortBy(column: Column<T>): void {
    const now = this.sortedBy();
    const falling = now === `-${column.key}` ? false : now === column.key ? true : Boolean(column.numeric);
    setView({ sorts: { ...getView().sorts, [this.name]: `${falling ? "-" : ""}${column.key}` } });
    this.update(this.rows);
  }
}

function compare(a: number | string | null, b: number | string | null, falling: boolean): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const order = typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b)) : a - b;
  return falling ? -order : order;
}

/** A cell with a bar behind its figure, `share` of the cell's width. */
export function bar(cell: HTMLTableCellElement, text: string, share: number): void {
  let fill = cell.querySelector<HTMLElement>(".bar");
  if (!fill) {
    fill = h("span", { class: "bar" });
    cell.classList.add("has-bar");
    cell.replaceChildren(fill, h("span", { class: "bar-text" }));
  }
  fill.style.width = `${Math.min(100, Math.max(0, share * 100)).toFixed(1)}%`;
  setText(cell.lastElementChild!, text);
}
