// The GIL page: how busy the lock is, who waits how long, and because of whom and what.

import { Chart, type ChartEvents } from "../charts/chart";
import { Histogram } from "../charts/histogram";
import { lineSpec, percentLabel } from "../charts/series";
import type { Context, PageView } from "../context";
import { h, show } from "../dom";
import { count, duration, percent, rate } from "../format";
import { Blame } from "../parts/blame";
import { Figures } from "../parts/figures";
import { Matrix } from "../parts/matrix";
import { exportButtons, panel } from "../parts/panel";
import { ThreadsTable, threadNames } from "../parts/threads";
import { select } from "../span";
import type { Distribution, GilTotals } from "../types";

const HISTOGRAMS = [
  { key: "wait", title: "Wait for the GIL", color: "waiters", plot: "gil-wait" },
  { key: "hold", title: "Hold of the GIL", color: "held", plot: "gil-hold" },
  { key: "drop_to_release", title: "Drop request to release", color: "drop", plot: null },
  { key: "wake", title: "Release to acquire by a waiter", color: "wake", plot: null },
] as const;

export class GilPage implements PageView {
  readonly element = h("main", { class: "page" });
  readonly chart: Chart;
  private readonly waiters: Chart;
  private readonly figures = new Figures();
  private readonly histograms = HISTOGRAMS.map((each) => new Histogram(each.title, each.color));
  private readonly threads = new ThreadsTable("gil");
  private readonly blame = new Blame();
  private readonly matrix = new Matrix();
  private readonly off = h("p", { class: "empty" });
  private readonly content = h("div", { class: "page-content" });
  private context: Context | null = null;

  constructor() {
    const where = () => ({ session: this.context!.session.id, range: this.context!.window });
    const hosts = [h("div"), h("div")];
    const events: ChartEvents = { select: (from_s, to_s) => select(this.context!.session, from_s, to_s) };
    [this.chart, this.waiters] = hosts.map((host) => new Chart(host, events));
    const time = panel("GIL held, share of time", exportButtons("gil-utilization", "GIL utilization", where));
    time.body.append(hosts[0], h("h3", {}, "Threads waiting: mean, and the most at once"), hosts[1]);
    const distributions = h("div", { class: "four" }, ...HISTOGRAMS.map((each, index) => {
      const tools = each.plot ? exportButtons(each.plot, each.title, where) : [];
      const box = panel(each.title, tools);
      box.body.append(this.histograms[index].element);
      return box.element;
    }));
    const blame = panel("Blame: what holders ran while others waited");
    blame.body.append(this.blame.element);
    const threads = panel("Threads");
    threads.body.append(this.threads.table.element);
    const handoffs = panel("Handoffs: from (row) to (column)", exportButtons("handoffs", "handoffs", where));
    handoffs.body.append(this.matrix.element);
    this.content.append(this.figures.element, time.element, distributions, blame.element, threads.element, handoffs.element);
    this.element.append(this.off, this.content);
  }

  draw(context: Context): void {
    this.context = context;
    const { parts, session } = context;
    const watched = parts.gil === undefined || parts.gil.columns.length > 0;
    show(this.off, !watched);
    show(this.content, watched);
    this.off.textContent = `The GIL of this process is not watched: ${session.notes.gil ?? "no figures have come yet"}.`;
    if (!watched) return;
    if (parts.gil) this.drawCharts(context);
    if (parts.totals) this.figures.draw(totalFigures(parts.totals, parts.histograms?.wait));
    if (parts.histograms) HISTOGRAMS.forEach((each, index) => this.histograms[index].draw(parts.histograms![each.key]));
    if (parts.blame) this.blame.update(parts.blame, parts.totals?.waited_ns ?? null);
    if (!parts.threads) return;
    this.threads.update(parts.threads.rows, parts.threads.n_rows, new Map(), "gil");
    if (parts.handoffs) this.matrix.draw(parts.handoffs.rows, threadNames(parts.threads.rows));
  }

  private drawCharts({ session, parts, window }: Context): void {
    const gil = parts.gil!;
    const totals = parts.totals;
    const share = totals ? percent(totals.held_ns / Math.max(1, totals.held_ns + totals.free_ns)) : "unknown";
    this.chart.draw(lineSpec(session, gil, window, [{ name: "utilization", color: "held", fill: "held-fill" }], {
      height: 190, yMin: 1, yMax: 1.02, yLabel: (value) => (value > 1 ? "" : percentLabel(value)),
      summary: `Share of time in which the GIL was held. Over the span: ${share}.`,
    }));
    const lines = [
      { name: "waiters_max", color: "waiters-max", width: 1 },
      { name: "waiters", color: "waiters", fill: "waiters-fill" },
    ];
    this.waiters.draw(lineSpec(session, gil, window, lines, {
      height: 130, yMin: 1, yLabel: (value) => String(+value.toFixed(2)),
      summary: "Threads waiting for the GIL: the mean and the most at once.",
    }));
  }
}

function totalFigures(totals: GilTotals, wait: Distribution | undefined): { name: string; value: string; title: string }[] {
  const window_ns = totals.held_ns + totals.free_ns;
  const per_s = (value: number) => rate(window_ns ? (value * 1e9) / window_ns : null);
  const share = (part: number, whole: number) => percent(whole ? part / whole : null);
  const releases = totals.releases_forced + totals.releases_voluntary;
  const exact = totals.acquires_timed === totals.acquires;
  return [
    { name: "held", value: share(totals.held_ns, window_ns), title: `${duration(totals.held_ns)} of ${duration(window_ns)}` },
    { name: "waiting", value: window_ns ? (totals.waited_ns / window_ns).toFixed(2) : "–", title: "Threads waiting at a time, on average" },
    { name: "wait p99", value: duration(wait?.p99_ns), title: "99 of 100 contended acquires waited less" },
    { name: "acquires", value: per_s(totals.acquires), title: `${count(totals.acquires)} in the span${exact ? "" : `, ${count(totals.acquires_timed)} of them timed`}` },
    { name: "contended", value: share(totals.acquires_contended, totals.acquires), title: "Share of acquires that had to wait" },
    { name: "handoffs", value: per_s(totals.handoffs), title: `${count(totals.handoffs)} times the GIL went to another thread` },
    { name: "drop requests", value: per_s(totals.drop_requests), title: "Times a waiter asked the holder to let go" },
    { name: "forced releases", value: share(totals.releases_forced, releases), title: `${count(totals.releases_forced)} of ${count(releases)} releases` },
  ];
}
