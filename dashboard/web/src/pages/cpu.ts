// The CPU page: the ThreadWakeup graph, and what each thread did.

import { Chart } from "../charts/chart";
import { stackSpec, unixSeconds } from "../charts/series";
import type { Context, PageView } from "../context";
import { h } from "../dom";
import { bandColors } from "../palette";
import { Legend } from "../parts/legend";
import { MarkList } from "../parts/marks";
import { exportButtons, panel } from "../parts/panel";
import { ThreadsTable } from "../parts/threads";
import { setView } from "../state";
import type { Frame } from "../types";

export class CpuPage implements PageView {
  readonly element = h("main", { class: "page" });
  readonly chart: Chart;
  private readonly legend = new Legend();
  private readonly marks = new MarkList();
  private readonly threads = new ThreadsTable("cpu");
  private context: Context | null = null;
  private cursor: number | null = null;

  constructor() {
    const where = () => ({ session: this.context!.session.id, range: this.context!.window });
    const stack = panel("CPU per thread, cores", exportButtons("cpu", "CPU per thread", where));
    const host = h("div", { class: "stack" });
    stack.body.append(h("div", { class: "stack-and-legend" }, host, this.legend.element), this.marks.element);
    const table = panel("Threads");
    table.body.append(this.threads.table.element);
    this.element.append(stack.element, table.element);
    this.chart = new Chart(host, {
      select: (from_s, to_s) => zoom(this.context!, from_s, to_s),
      cursor: (index) => {
        this.cursor = index;
        this.drawLegend();
      },
    });
  }

  draw(context: Context): void {
    this.context = context;
    const { parts: { cpu, threads }, session, window } = context;
    this.marks.draw(session);
    if (!cpu) return;
    this.chart.draw(stackSpec(session, cpu, window, height()));
    this.drawLegend();
    if (threads) this.threads.update(threads.rows, threads.n_rows, threadColors(cpu), "cpu");
  }

  private drawLegend(): void {
    const cpu = this.context?.parts.cpu;
    if (cpu) this.legend.draw(this.context!.session, cpu, this.cursor);
  }
}

/** Half of the window's height: the table's head stays in view. */
function height(): number {
  return Math.max(260, Math.min(560, Math.round(innerHeight * 0.5)));
}

/** Colours of the threads that have a band of their own. */
export function threadColors(cpu: Frame | undefined): Map<number, string> {
  const bands = cpu?.bands ?? [];
  const colors = bandColors(bands);
  const found = new Map<number, string>();
  bands.forEach((band, index) => {
    if (band.of === "exited") return;
    if ("main" in band.of) found.set(band.of.main, colors[index]);
    if ("thread" in band.of) found.set(band.of.thread, colors[index]);
  });
  return found;
}

/** Shows the span that was drawn with the mouse. */
export function zoom(context: Context, from_s: number, to_s: number): void {
  const anchor_s = unixSeconds(context.session, 0);
  const ns = (at_s: number) => Math.max(0, Math.round((at_s - anchor_s) * 1e9));
  if (ns(to_s) - ns(from_s) >= 1e8) setView({ range: { start_ns: ns(from_s), end_ns: ns(to_s) } });
}
