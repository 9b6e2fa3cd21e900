// A chart as a table: time down, one column a series.

import { h, setText } from "../dom";
import { clock, duration } from "../format";
import type { Spec } from "./chart";
import { tableRows } from "./rows";

/** A table that changes ten times a second cannot be read. */
const EVERY_MS = 1000;

export class ChartTable {
  readonly element: HTMLElement;
  private readonly caption = h("caption");
  private readonly head = h("tr");
  private readonly body = h("tbody");
  private drawn_ms = -Infinity;
  private key = "";

  constructor(what: string) {
    this.element = h("div", { class: "table", tabindex: 0, role: "region", "aria-label": `${what}, as a table` },
      h("table", {}, this.caption, h("thead", {}, this.head), this.body));
  }

  draw(spec: Spec): void {
    const key = `${spec.key} ${spec.x[1] - spec.x[0]}`;
    if (key === this.key && performance.now() - this.drawn_ms < EVERY_MS) return;
    [this.key, this.drawn_ms] = [key, performance.now()];
    const columns = spec.columns ?? [];
    const rows = tableRows(spec.data[0], columns);
    const step_s = rows.length > 1 ? rows[0].at_s - rows[1].at_s : spec.x[1] - spec.x[0];
    setText(this.caption, `${spec.summary} Newest first, ${duration(Math.round(step_s * 1e9))} a row.`);
    this.head.replaceChildren(...["Time", ...columns.map((column) => column.name)].map((name, index) =>
      h("th", { scope: "col", class: index ? "number" : "" }, name)));
    this.body.replaceChildren(...rows.map((row) => h("tr", {},
      h("th", { scope: "row" }, clock(row.at_s, step_s < 1)),
      ...row.values.map((value, index) => h("td", { class: "number" }, columns[index].text(value))))));
  }
}
