// Before and after: the pinned span and the one in view or selected, side by side: two graphs on one
// scale, then every figure with its difference, then the threads.

import { comparison, cpuFrame } from "../api";
import { Chart } from "../charts/chart";
import { stackSpec } from "../charts/stack";
import type { Context } from "../context";
import { h, setText } from "../dom";
import { figure, percent, signed } from "../format";
import type { Comparison, FigureChange, Frame, Pin, Range, Session, ThreadChange, ThreadFigures } from "../types";
import { exportButtons, panel } from "./panel";
import { spanText } from "./spanbar";
import { Table, type Column } from "./table";

/** A live span is compared anew this often. */
const EVERY_MS = 1000;
const HEIGHT = 190;

interface Loaded { comparison: Comparison; before: Frame; after: Frame; sessions: [Session, Session]; spans: [Range, Range] }

export class ComparisonPanel {
  readonly element: HTMLElement;
  private readonly panel = panel("Before and after");
  private readonly sides = [new Side("Before, pinned", "pinned"), new Side("After", "selected")];
  private readonly figures = new Table<FigureChange>("compare", figureColumns(), "order", "Nothing to compare.");
  private readonly threads = new Table<ThreadChange>("compare_threads", threadColumns(), "-change", "No threads.");
  private readonly wrong = h("p", { class: "hint", role: "status" });
  private asked = "";
  private asked_ms = -Infinity;
  private asking = false;

  constructor() {
    this.element = this.panel.element;
    this.panel.body.append(this.wrong,
      h("div", { class: "sides" }, ...this.sides.map((side) => side.element)),
      h("div", { class: "two" }, this.figures.element, this.threads.element));
  }

  /** Shows the comparison of the pinned span with the one that tables are about; asks for it if need be. */
  draw(context: Context, pin: Pin): void {
    const { session, tables, view } = context;
    const fixed = Boolean(view.select || view.range || session.ended);
    const wanted = JSON.stringify([pin, session.id, fixed ? tables : view.last_s, view.unit]);
    const due = performance.now() - this.asked_ms >= EVERY_MS;
    if (this.asking || (wanted === this.asked && (fixed || !due))) return;
    [this.asked, this.asked_ms, this.asking] = [wanted, performance.now(), true];
    void this.load(context, pin).then((loaded) => loaded && this.show(loaded, view.unit)).finally(() => (this.asking = false));
  }

  private async load({ session, sessions, tables }: Context, pin: Pin): Promise<Loaded | null> {
    const pinned = sessions.find((other) => other.id === pin.session);
    const after = { start_ns: Math.max(0, Math.round(tables.start_ns)), end_ns: Math.round(tables.end_ns) };
    try {
      if (!pinned) throw new Error("the session of the pinned span is gone");
      const [compared, ...frames] = await Promise.all([
        comparison(session.id, after, pin), cpuFrame(pin.session, pin), cpuFrame(session.id, after),
      ]);
      setText(this.wrong, "");
      return { comparison: compared, before: frames[0], after: frames[1], sessions: [pinned, session], spans: [pin, after] };
    } catch (error) {
      setText(this.wrong, `They cannot be compared: ${error instanceof Error ? error.message : error}.`);
      return null;
    }
  }

  private show({ comparison, before, after, sessions, spans }: Loaded, unit: "cores" | "percent"): void {
    const frames = [before, after];
    const highest = Math.max(...frames.map((frame) => Math.max(0, ...(frame.values.total ?? []))));
    frames.forEach((frame, index) => this.sides[index].draw(sessions[index], frame, spans[index], unit, highest));
    this.figures.update(comparison.figures);
    this.threads.update(comparison.threads);
  }
}

/** One of the two graphs. */
class Side {
  readonly element: HTMLElement;
  private readonly when = h("span", { class: "hint" });
  private readonly chart: Chart;
  private where: { session: number; range: Range } | null = null;

  constructor(title: string, kind: string) {
    const host = h("div");
    const tools = exportButtons("cpu", title, () => this.where!);
    this.element = h("section", {}, h("header", {}, h("h3", { class: `span-text ${kind}` }, title, " ", this.when), h("span", { class: "tools" }, ...tools)), host);
    this.chart = new Chart(host);
  }

  /** Both have one scale: what is higher is more. */
  draw(session: Session, frame: Frame, span: Range, unit: "cores" | "percent", highest: number): void {
    this.where = { session: session.id, range: span };
    setText(this.when, spanText(session, span));
    const spec = stackSpec(session, frame, span, HEIGHT, unit);
    this.chart.draw({ ...spec, key: `${spec.key} compared`, yMin: Math.max(0.1, highest) * (unit === "percent" ? 100 : 1) });
  }
}

/** A figure of which something is not known has a star; what, is its tooltip. */
function noted(cell: HTMLTableCellElement, text: string, note: string | null): void {
  setText(cell, note ? `${text} *` : text);
  cell.title = note ?? "";
}

function leftOut(figures: ThreadFigures | null): string | null {
  return figures?.unsampled ? `without ${figures.unsampled} of ${figures.threads} threads, which lived between two samples of CPU` : null;
}

function figureColumns(): Column<FigureChange>[] {
  const numeric = true;
  return [
    { key: "order", label: "Figure", title: "What is compared", text: (row) => row.title, sort: () => 0 },
    { key: "before", label: "Before", title: "In the pinned span", numeric, text: (row) => figure(row.unit, row.before), sort: (row) => row.before,
      dress: (cell, row) => noted(cell, figure(row.unit, row.before), row.before_note) },
    { key: "after", label: "After", title: "In the span in view or selected", numeric, text: (row) => figure(row.unit, row.after), sort: (row) => row.after,
      dress: (cell, row) => noted(cell, figure(row.unit, row.after), row.after_note) },
    { key: "difference", label: "Difference", title: "After less before", numeric,
      text: (row) => signed(row.difference, (size) => figure(row.unit, size)), sort: (row) => row.difference },
    { key: "change", label: "Change", title: "The difference in terms of before", numeric,
      text: (row) => signed(row.change, percent), sort: (row) => row.change },
  ];
}

function threadColumns(): Column<ThreadChange>[] {
  const numeric = true;
  const change = ({ before, after }: ThreadChange) =>
    before?.cpu_cores == null && after?.cpu_cores == null ? null : (after?.cpu_cores ?? 0) - (before?.cpu_cores ?? 0);
  return [
    { key: "name", label: "Threads", title: "By name: of several with one name, the sum", text: (row) => row.name, sort: (row) => row.name },
    { key: "cpu_before", label: "CPU before", title: "Cores", numeric, text: (row) => figure("cores", row.before?.cpu_cores), sort: (row) => row.before?.cpu_cores ?? null,
      dress: (cell, row) => noted(cell, figure("cores", row.before?.cpu_cores), leftOut(row.before)) },
    { key: "cpu_after", label: "after", title: "Cores", numeric, text: (row) => figure("cores", row.after?.cpu_cores), sort: (row) => row.after?.cpu_cores ?? null,
      dress: (cell, row) => noted(cell, figure("cores", row.after?.cpu_cores), leftOut(row.after)) },
    { key: "change", label: "Difference", title: "Cores more or less", numeric,
      text: (row) => signed(change(row), (size) => figure("cores", size)), sort: (row) => Math.abs(change(row) ?? 0) },
    { key: "held_before", label: "Held before", title: "Share of the time with the GIL", numeric, text: (row) => percent(row.before?.hold_share), sort: (row) => row.before?.hold_share ?? null },
    { key: "held_after", label: "after", title: "Share of the time with the GIL", numeric, text: (row) => percent(row.after?.hold_share), sort: (row) => row.after?.hold_share ?? null },
    { key: "wait_before", label: "Waited before", title: "Share of the time waiting for the GIL", numeric, text: (row) => percent(row.before?.wait_share), sort: (row) => row.before?.wait_share ?? null },
    { key: "wait_after", label: "after", title: "Share of the time waiting for the GIL", numeric, text: (row) => percent(row.after?.wait_share), sort: (row) => row.after?.wait_share ?? null },
  ];
}
