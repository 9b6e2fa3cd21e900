// The handoff matrix: how often the GIL went from one thread (row) to another (column).

import { h } from "../dom";
import { count, duration, percent } from "../format";
import type { HandoffRow } from "../types";

/** Threads with a row of their own; a larger matrix tells nothing. */
const THREADS_MAX = 14;
/** Steps of shading; see the style sheet. */
const SHADES = 8;

export class Matrix {
  readonly element = h("div", { class: "matrix", tabindex: 0, role: "region", "aria-label": "Handoff matrix" });
  private shown = "";

  draw(rows: HandoffRow[], names: Map<number, string>): void {
    const state = JSON.stringify([rows, [...names]]);
    if (state === this.shown) return;
    this.shown = state;
    if (rows.length === 0) {
      this.element.replaceChildren(h("p", { class: "empty-line" }, "The GIL went to no other thread in this span."));
      return;
    }
    const keys = busiest(rows);
    const cells = new Map(rows.map((row) => [`${row.from} ${row.to}`, row]));
    const all = rows.reduce((sum, row) => sum + row.count, 0);
    const most = Math.max(...rows.map((row) => row.count));
    const name = (key: number) => names.get(key) ?? "unknown";
    const head = h("tr", {}, h("td"), ...keys.map((key) => h("th", { scope: "col", title: name(key) }, h("span", {}, name(key)))));
    const body = keys.map((from) => h("tr", {}, h("th", { scope: "row", title: name(from) }, name(from)),
      ...keys.map((to) => cell(cells.get(`${from} ${to}`), most, all, `${name(from)} → ${name(to)}`))));
    const shown = keys.flatMap((from) => keys.map((to) => cells.get(`${from} ${to}`)?.count ?? 0)).reduce((a, b) => a + b, 0);
    const rest = shown < all ? `${count(all - shown)} of them among threads not shown.` : "";
    this.element.replaceChildren(h("table", {}, h("thead", {}, head), h("tbody", {}, ...body)),
      h("p", { class: "hint" }, `${count(all)} handoffs. ${rest}`));
  }
}

/** Keys of the threads with most handoffs, in the order of first sight. */
function busiest(rows: HandoffRow[]): number[] {
  const sums = new Map<number, number>();
  for (const row of rows) {
    for (const key of [row.from, row.to]) sums.set(key, (sums.get(key) ?? 0) + row.count);
  }
  return [...sums].sort((a, b) => b[1] - a[1]).slice(0, THREADS_MAX).map(([key]) => key).sort((a, b) => a - b);
}

function cell(row: HandoffRow | undefined, most: number, all: number, what: string): HTMLElement {
  if (!row) return h("td", {});
  const shade = Math.max(1, Math.ceil((row.count / most) * SHADES));
  const title = `${what}: ${count(row.count)} handoffs (${percent(row.count / all)}), ${duration(row.wait_ns)} waited`;
  return h("td", { class: `shade-${shade}`, title }, short(row.count));
}

function short(value: number): string {
  if (value < 10_000) return count(value);
  return value < 1e6 ? `${Math.round(value / 1e3)}k` : `${(value / 1e6).toFixed(1)}M`;
}
