// A chart over time and the table behind it, one of which is shown.

import { h } from "../dom";
import { Chart, type ChartEvents, type Spec } from "./chart";
import { plain } from "./rows";
import { Tabled } from "./tabled";

export class ChartBox {
  readonly element: HTMLElement;
  readonly toggle: HTMLButtonElement;
  private readonly chart: Chart;
  private readonly tabled: Tabled;

  /** `name` stands in the address while the table is shown; `what` is what the chart is of. */
  constructor(name: string, what: string, events: ChartEvents = {}) {
    const host = h("div");
    this.chart = new Chart(host, events);
    this.tabled = new Tabled(name, what, host);
    this.element = this.tabled.element;
    this.toggle = this.tabled.toggle;
  }

  draw(spec: Spec): void {
    if (!this.tabled.draw(`${spec.key} ${spec.x[1] - spec.x[0]}`, () => plain(spec))) this.chart.draw(spec);
  }
}
