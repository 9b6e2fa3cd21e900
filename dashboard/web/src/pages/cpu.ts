// The CPU page: the ThreadWakeup graph, and what each thread did.

import { ChartBox } from "../charts/box";
import { stackSpec, threadColors } from "../charts/stack";
import type { Context, PageView } from "../context";
import { h, setText, show } from "../dom";
import { addKeys } from "../keys";
import { ComparisonPanel } from "../parts/comparison";
import { Legend } from "../parts/legend";
import { MarkList } from "../parts/marks";
import { exportButtons, panel, toggle } from "../parts/panel";
import { spanText } from "../parts/spanbar";
import { ThreadsTable } from "../parts/threads";
import { select } from "../span";
import { getView, setView } from "../state";

export class CpuPage implements PageView {
  readonly element = h("main", { class: "page" });
  readonly needs = "threads";
  private readonly box = new ChartBox("cpu", "CPU per thread", {
    select: (from_s, to_s) => select(this.context!.session, from_s, to_s),
    cursor: (index) => {
      this.cursor = index;
      this.drawLegend();
    },
  });
  private readonly legend = new Legend();
  private readonly marks = new MarkList();
  private readonly threads = new ThreadsTable("cpu");
  private readonly split = toggle("Parts", "Split each band into holding the GIL, running without it, waiting for a core (x)", split);
  private readonly percent = toggle("%", "Percent of a core instead of cores (u)", unit);
  private readonly table = panel("Threads");
  private readonly stack: HTMLElement;
  private readonly comparison = new ComparisonPanel();
  private context: Context | null = null;
  private cursor: number | null = null;

  constructor() {
    const where = () => ({ session: this.context!.session.id, range: this.context!.window });
    const plot = () => (getView().split ? "cpu-parts" : "cpu");
    const stack = panel("CPU per thread",
      [this.split, this.percent, this.box.toggle, ...exportButtons(plot, "CPU per thread", where)]);
    stack.body.append(h("div", { class: "stack-and-legend" }, h("div", { class: "stack" }, this.box.element), this.legend.element),
      this.marks.element);
    this.stack = stack.note;
    this.table.body.append(this.threads.table.element);
    this.table.element.dataset.panel = "threads";
    this.element.append(stack.element, this.comparison.element, this.table.element);
    addKeys("CPU", [
      { key: "x", name: "x", what: "split bands into their parts", run: split },
      { key: "u", name: "u", what: "cores or percent", run: unit },
    ], () => getView().page === "cpu");
  }

  draw(context: Context): void {
    this.context = context;
    const { parts: { cpu, threads }, session, window, view } = context;
    this.split.setAttribute("aria-pressed", String(view.split));
    this.percent.setAttribute("aria-pressed", String(view.unit === "percent"));
    const idle = cpu && (cpu.bands ?? []).every((band) => band.cpu_ns === 0) ? "; no thread used any in this span" : "";
    setText(this.stack, `stacked, ${view.unit === "percent" ? "in percent of a core" : "in cores"}${idle}`);
    this.marks.draw(session);
    show(this.comparison.element, view.pin !== null);
    if (view.pin) this.comparison.draw(context, view.pin);
    if (!cpu) return;
    this.box.draw(stackSpec(session, cpu, window, height(), view.unit));
    this.drawLegend();
    setText(this.table.note, view.select ? spanText(session, view.select) : "in the span shown; drag over the chart to choose another");
    if (threads) this.threads.update(threads.rows, threads.n_rows, threadColors(cpu), "cpu");
  }

  private drawLegend(): void {
    const cpu = this.context?.parts.cpu;
    if (cpu) this.legend.draw(this.context!.session, cpu, this.cursor, this.context!.view.unit);
  }
}

function split(): void {
  setView({ split: !getView().split });
}

function unit(): void {
  setView({ unit: getView().unit === "cores" ? "percent" : "cores" });
}

/** Half of the window's height: the table's head stays in view. */
function height(): number {
  return Math.max(240, Math.min(560, Math.round(innerHeight * 0.5)));
}
