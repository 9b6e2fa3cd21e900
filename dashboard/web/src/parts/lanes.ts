// The panel of the timeline: filters, legend, table, export, and the two-way street to the page's view.

import { onCursor, setCursor } from "../cursor";
import { aboutOf, type Context } from "../context";
import { unixSeconds } from "../charts/series";
import { Tabled } from "../charts/tabled";
import { h } from "../dom";
import { setView } from "../state";
import { Timeline } from "../timeline/timeline";
import type { Range, Session, ThreadRow } from "../types";
import { codePasses, Filters, filterThreads, isFiltered } from "./filters";
import { exportButtons, panel } from "./panel";

const LEGEND = [
  ["holding", "holding the GIL"], ["seen", "holding, as a waiter saw it"], ["waiting", "waiting for it"],
  ["native", "on a core without it"], ["off", "off CPU or unknown"],
];

export class Lanes {
  readonly element: HTMLElement;
  readonly timeline: Timeline;
  private readonly filters = new Filters();
  private readonly tabled: Tabled;
  private session: Session | null = null;
  private about = "";

  constructor(where: () => { session: number; range: Range }) {
    this.timeline = new Timeline({
      range: (range) => setView({ range, select: null }),
      cursor: (at_ns) => setCursor(at_ns === null ? null : unixSeconds(this.session!, at_ns), this),
      arrived: () => this.drawTable(),
    });
    onCursor((at_s, by) => {
      if (by !== this && this.session) this.timeline.point(at_s === null ? null : (at_s - unixSeconds(this.session, 0)) * 1e9);
    });
    this.tabled = new Tabled("lanes", "the timeline", this.timeline.element);
    const box = panel("Timeline: one lane a thread", [this.tabled.toggle, ...exportButtons("gil-timeline", "the timeline", where)]);
    const legend = h("ul", { class: "lane-legend" }, ...LEGEND.map(([key, text]) => h("li", {}, h("span", { class: `swatch lane-${key}` }), text)));
    box.body.append(h("div", { class: "lane-bar" }, this.filters.element, legend), this.tabled.element);
    this.element = box.element;
  }

  draw(context: Context): void {
    const { session, parts, window } = context;
    this.session = session;
    const all = parts.threads?.rows.filter((row) => row.thread_id !== 0) ?? [];
    const rows = filterThreads(all, parts.blame?.rows ?? [], parts.handoffs?.rows ?? []);
    this.filters.draw(rows.length, all.length);
    this.timeline.draw({
      session, window, marks: session.marks,
      rows: ordered(rows).map((row) => ({ key: row.key, name: row.name || `thread ${row.thread_id}`, ended: !row.alive })),
      names: new Map(all.map((row) => [row.key, row.name || `thread ${row.thread_id}`])),
      passes: codePasses,
      emptyText: isFiltered() ? "No thread passes the filter." : "No thread was seen in this span.",
    });
    this.about = aboutOf(context);
    this.drawTable();
  }

  private drawTable(): void {
    this.tabled.draw(this.about, () => ({ caption: this.timeline.summary(), ...this.timeline.table() }));
  }
}

/** The main thread first, those that never take the GIL last, else in the order of first sight. */
function ordered(rows: ThreadRow[]): ThreadRow[] {
  const rank = (row: ThreadRow) => (row.is_main ? 0 : row.kind === "native" ? 2 : 1);
  return [...rows].sort((a, b) => rank(a) - rank(b) || a.key - b.key);
}
