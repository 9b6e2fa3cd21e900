// A chart and the table behind it, one of which is shown; the button between them.

import { h, show } from "../dom";
import { getView, setView } from "../state";
import { Chart, type ChartEvents, type Spec } from "./chart";
import { ChartTable } from "./table";

export class ChartBox {
  readonly element = h("div", { class: "chart-box" });
  readonly toggle: HTMLButtonElement;
  readonly chart: Chart;
  private readonly host = h("div");
  private readonly table: ChartTable;

  /** `name` stands in the address while the table is shown; `what` is what the chart is of. */
  constructor(private readonly name: string, what: string, events: ChartEvents = {}) {
    this.chart = new Chart(this.host, events);
    this.table = new ChartTable(what);
    this.toggle = h("button", { type: "button", class: "quiet", title: `Show ${what} as a table`, click: () => this.turn() }, "Table");
    this.element.append(this.host, this.table.element);
  }

  draw(spec: Spec): void {
    const tabled = this.isTabled();
    this.toggle.setAttribute("aria-pressed", String(tabled));
    show(this.host, !tabled);
    show(this.table.element, tabled);
    if (tabled) this.table.draw(spec);
    else this.chart.draw(spec);
  }

  private isTabled(): boolean {
    return getView().tables.includes(this.name);
  }

  private turn(): void {
    const others = getView().tables.filter((name) => name !== this.name);
    setView({ tables: this.isTabled() ? others : [...others, this.name] });
  }
}
