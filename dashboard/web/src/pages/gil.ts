// The GIL page: how busy the lock is, who waits how long, and because of whom and what.

import { ChartBox } from "../charts/box";
import type { ChartEvents } from "../charts/chart";
import { lineSpec, percentLabel } from "../charts/series";
import { type Context, isGilWatched, type PageView } from "../context";
import { h, show } from "../dom";
import { count, duration, percent, rate } from "../format";
import { explainKeys } from "../keys";
import { Blame } from "../parts/blame";
import { Classes } from "../parts/classes";
import { Distributions } from "../parts/distributions";
import { Figures } from "../parts/figures";
import { blamePasses } from "../parts/filters";
import { Flame } from "../parts/flame";
import { blameTree } from "../parts/flametree";
import { Lanes } from "../parts/lanes";
import { Matrix } from "../parts/matrix";
import { exportButtons, panel } from "../parts/panel";
import { ThreadsTable, threadNames } from "../parts/threads";
import { IO_FIRST, TrySwitch } from "../parts/tries";
import { Seen } from "../seen";
import { select } from "../span";
import { getView } from "../state";
import type { Distribution, Frame, GilTotals, Range } from "../types";

export class GilPage implements PageView {
  readonly element = h("main", { class: "page" });
  readonly needs = "handoffs";
  private readonly where = () => ({ session: this.context!.session.id, range: this.context!.window });
  private readonly events: ChartEvents = { select: (from_s, to_s) => select(this.context!.session, from_s, to_s) };
  private readonly held = new ChartBox("held", "GIL utilization", this.events);
  private readonly waiters = new ChartBox("waiters", "threads waiting", this.events);
  private readonly lanes = new Lanes(this.where);
  private readonly figures = new Figures();
  private readonly distributions = new Distributions(this.where);
  private readonly threads = new ThreadsTable("gil");
  private readonly flame = new Flame({
    label: "Flame graph of blame",
    all: (root) => `all waits · ${duration(root.weight)}`,
    figure: (node) => `${duration(node.weight)} inflicted`,
    more: (node) => `, in ${count(node.count)} waits`,
    nothing: () => "Nobody waited for the GIL in this span.",
    hint: (root) => `${duration(root.weight)} of waiting inflicted: thread, then file and C module, function, line.`,
  });
  private readonly blame = new Blame();
  private readonly classes = new Classes();
  private readonly matrix = new Matrix();
  private readonly trySwitch = new TrySwitch(IO_FIRST);
  private readonly off = h("p", { class: "empty" });
  private readonly content = h("div", { class: "page-content" });
  private context: Context | null = null;
  /** What blame, classes and matrix were drawn of last. */
  private readonly blamed = new Seen();
  private readonly classed = new Seen();
  private readonly handed = new Seen();

  constructor() {
    const box = (title: string, body: HTMLElement[], tools: Node[] = []) => {
      const made = panel(title, tools);
      made.body.append(...body);
      return made.element;
    };
    const both = () => exportButtons("gil-utilization", "GIL utilization and threads waiting", this.where);
    const time = h("div", { class: "two even" },
      box("GIL held, share of time", [this.held.element], [this.trySwitch.element, this.held.toggle, ...both()]),
      box("Threads waiting: mean, and the most at once", [this.waiters.element], [this.waiters.toggle, ...both()]));
    const flame = box("Blame: who made others wait, in which function and line", [this.flame.element],
      exportButtons("gil-blame", "blame", this.where));
    const lower = h("div", { class: "two even" },
      box("Handoffs: from (row) to (column)", [this.matrix.element], exportButtons("handoffs", "handoffs", this.where)),
      box("I/O threads against CPU threads", [this.classes.element],
        exportButtons("gil-classes", "I/O threads against CPU threads", this.where)));
    flame.dataset.panel = "blame";
    this.content.append(this.figures.element, time, flame, this.lanes.element, this.distributions.element,
      box("Blame, line by line: what holders ran while others waited", [this.blame.element]), lower, box("Threads", [this.threads.table.element]));
    this.element.append(this.off, this.content);
    explainKeys("On the timeline", [
      ["← →", "to the event before or after; with shift, ten further"],
      ["↑ ↓", "to another thread"],
      ["enter", "look at the event"],
      ["w s", "closer, farther"],
      ["a d", "back, on in time"],
      ["f", "all of the session"],
      ["esc", "let go of the cursor"],
    ], () => getView().page === "gil");
  }

  draw(context: Context): void {
    this.context = context;
    const { parts, session } = context;
    const watched = isGilWatched(parts);
    show(this.off, !watched);
    show(this.content, watched);
    this.off.textContent = `The GIL of this process is not watched: ${session.notes.gil ?? (session.ended ? "the probe gil was off" : "the probe gil is off, or no figures have come yet")}.`;
    if (!watched) return;
    this.trySwitch.draw(session);
    if (parts.gil) this.drawCharts(context);
    this.lanes.draw(context);
    if (parts.totals) this.figures.draw(totalFigures(parts.totals, parts.histograms?.wait));
    if (parts.histograms) this.distributions.draw(context, parts.histograms);
    if (parts.blame) this.drawBlame(context);
    if (!parts.threads) return;
    this.threads.update(parts.threads.rows, parts.threads.n_rows, new Map(), "gil");
    if (this.classed.isNew([parts.threads, context.view.sorts])) this.classes.draw(parts.threads.rows);
    if (parts.handoffs && this.handed.isNew([parts.threads, parts.handoffs])) {
      this.matrix.draw(parts.handoffs.rows, threadNames(parts.threads.rows));
    }
  }

  private drawBlame({ parts, view }: Context): void {
    if (!this.blamed.isNew([parts.blame, parts.totals?.waited_ns, view.filters, view.sorts, innerWidth])) return;
    const { rows, n_rows } = parts.blame!;
    const kept = rows.filter(blamePasses);
    this.flame.draw(blameTree(kept));
    this.blame.update({ rows: kept, n_rows: kept.length + n_rows - rows.length }, parts.totals?.waited_ns ?? null);
  }

  private drawCharts({ session, parts, window }: Context): void {
    const gil = stretched(parts.gil!, window);
    const totals = parts.totals;
    const window_ns = totals ? totals.held_ns + totals.free_ns : 0;
    const share = window_ns ? percent(totals!.held_ns / window_ns) : "unknown";
    const mean = window_ns ? (totals!.waited_ns / window_ns).toFixed(2) : "unknown";
    this.held.draw(lineSpec(session, gil, window, [{ name: "utilization", color: "held", fill: "held-fill" }], {
      height: 130, yMin: 1, yMax: 1.02, yLabel: (value) => (value > 1 ? "" : percentLabel(value)),
      summary: `Share of time in which the GIL was held. Over the span: ${share}.`,
    }));
    const lines = [
      { name: "waiters_max", color: "waiters-max", width: 1 },
      { name: "waiters", color: "waiters", fill: "waiters-fill" },
    ];
    this.waiters.draw(lineSpec(session, gil, window, lines, {
      height: 130, yMin: 1, yLabel: (value) => String(+value.toFixed(2)),
      summary: `Threads waiting for the GIL: the mean and the most at once. Over the span: ${mean} on average.`,
    }));
  }
}

/** Figures come per 100 ms: a shorter view lies within one of them, which then stands for all of it. */
function stretched(frame: Frame, window: Range): Frame {
  const size_ns = window.end_ns - window.start_ns;
  if (frame.count === 0 || !frame.step_ns || size_ns > 2 * frame.step_ns) return frame;
  const values = Object.fromEntries(frame.columns.map((name) => {
    const known = frame.values[name].filter((value) => !Number.isNaN(value));
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    return [name, Float32Array.of(mean, mean)];
  }));
  return { ...frame, count: 2, start_ns: window.start_ns - size_ns / 2, step_ns: size_ns, values };
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
