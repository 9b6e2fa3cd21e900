// One uPlot chart over time: axes, marks, cursor and selection alike on every page.
//
// A chart is drawn from a `Spec`, a plain value. Values change often and are set in place; whatever
// else changes (series, size, theme) makes the chart anew.

import uPlot from "uplot";
import { announce } from "../announce";
import { cursor, onCursor, setCursor } from "../cursor";
import { clock } from "../format";
import { getView } from "../state";
import { color, onTheme } from "../theme";
import type { Mark } from "../types";
import { drawMarks, drawSpans, drawStrata } from "./overlay";
import type { Stratum } from "./strata";

/** A column of a chart that is shown as a table. */
export interface Column {
  name: string;
  /** One value a time; NaN is "no value". */
  values: ArrayLike<number>;
  text: (value: number | null) => string;
  /** Rows that stand for several values give the highest, not the mean. */
  most?: boolean;
}

export interface Spec {
  /** Charts with equal keys differ in values only. */
  key: string;
  height: number;
  series: uPlot.Series[];
  /** Unix seconds, then one column a series. */
  data: uPlot.AlignedData;
  x: [number, number];
  /** Lowest value that the upper end of y may take; it grows with the data. */
  yMin: number;
  yLabel: (value: number) => string;
  /** Fixed upper end of y. */
  yMax?: number;
  /** Values are bytes: y goes in powers of two. */
  yBytes?: boolean;
  marks: { mark: Mark; at_s: number }[];
  /** Whose times these are, and where its clock begins, unix seconds. */
  session: { id: number; anchor_s: number };
  /** For those who cannot see it: the whole in a sentence or two. */
  summary: string;
  /** And one value of it. */
  describe?: (index: number) => string;
  columns?: Column[];
  compact?: boolean;
  /** Layers that are painted beneath the series, from the bottom up, and what their values are times. */
  strata?: Stratum[];
  strataScale?: number;
}

export interface ChartEvents {
  select?: (from_s: number, to_s: number) => void;
  /** Index of the value under the cursor, or null. */
  cursor?: (index: number | null) => void;
}

const live = new Set<Chart>();
// Colours are part of a spec: the next one is drawn anew.
onTheme(() => live.forEach((chart) => chart.forget()));
onCursor((at_s, by) => live.forEach((chart) => chart.point(at_s, by)));
new ResizeObserver(() => live.forEach((chart) => chart.fit())).observe(document.documentElement);

/** Steps of the cursor per key. */
const STEPS: Record<string, number> = {
  ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity,
};

export class Chart {
  private plot: uPlot | null = null;
  private spec: Spec | null = null;
  /** Where a selection by keyboard began, unix seconds. */
  private anchor_s: number | null = null;

  constructor(readonly host: HTMLElement, private readonly events: ChartEvents = {}) {
    host.classList.add("chart");
    host.setAttribute("role", "application");
    host.setAttribute("aria-roledescription", "chart");
    host.tabIndex = 0;
    host.addEventListener("keydown", (event) => this.pressed(event));
    live.add(this);
  }

  draw(spec: Spec): void {
    const same = this.plot && this.spec?.key === spec.key && this.spec.height === spec.height;
    this.spec = spec;
    if (this.host.getAttribute("aria-label") !== spec.summary) this.host.setAttribute("aria-label", spec.summary);
    if (!same) return this.renew();
    this.plot!.batch(() => {
      this.plot!.setData(spec.data, false);
      this.plot!.setScale("x", { min: spec.x[0], max: spec.x[1] });
    });
  }

  /** Shows the cursor where another chart has it. */
  point(at_s: number | null, by: unknown): void {
    if (by === this || !this.plot || !this.spec || this.host.clientWidth === 0) return;
    const inside = at_s !== null && at_s >= this.spec.x[0] && at_s <= this.spec.x[1];
    this.plot.setCursor({ left: inside ? this.plot.valToPos(at_s, "x") : -10, top: inside ? 0 : -10 }, false);
    this.events.cursor?.(this.index());
  }

  fit(): void {
    const width = this.host.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.spec!.height });
  }

  forget(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  private renew(): void {
    this.forget();
    if (!this.spec || this.host.clientWidth === 0) return;
    this.plot = new uPlot(this.options(this.spec), this.spec.data, this.host);
    this.point(cursor(), null);
  }

  private index(): number | null {
    const { left, idx } = this.plot!.cursor;
    return left! >= 0 ? idx ?? null : null;
  }

  private pointed(): void {
    const { left } = this.plot!.cursor;
    setCursor(left! >= 0 ? this.plot!.posToVal(left!, "x") : null, this);
    this.events.cursor?.(this.index());
  }

  private pressed(event: KeyboardEvent): void {
    const step = STEPS[event.key];
    if (step === undefined || !this.plot || !this.spec || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const times = this.spec.data[0];
    if (times.length === 0) return;
    const from = this.index() ?? (step > 0 ? -1 : times.length);
    const index = Math.max(0, Math.min(times.length - 1, from + step));
    const before_s = times[Math.max(0, Math.min(times.length - 1, from))];
    this.plot.setCursor({ left: this.plot.valToPos(times[index], "x"), top: 1 });
    if (event.shiftKey) this.events.select?.((this.anchor_s ??= before_s), times[index]);
    else this.anchor_s = null;
    announce(`${clock(times[index], true)}: ${this.spec.describe?.(index) ?? ""}`);
  }

  private options(spec: Spec): uPlot.Options {
    return {
      width: this.host.clientWidth,
      height: spec.height,
      legend: { show: false },
      padding: spec.compact ? [6, 0, 0, 0] : [14, 30, 0, 0],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: Boolean(this.events.select), y: false, setScale: false, dist: 6 },
      },
      scales: {
        x: { time: false, range: () => this.spec!.x },
        y: { range: (_, __, max) => [0, this.spec!.yMax ?? (spec.yBytes ? niceBytes : niceMax)(Math.max(this.spec!.yMin, max ?? 0))] },
      },
      axes: spec.compact ? [{ show: false }, { show: false }] : this.axes(spec.yBytes),
      series: [{}, ...spec.series],
      hooks: {
        drawAxes: [(plot) => drawStrata(plot, this.spec!)],
        draw: [(plot) => { drawSpans(plot, this.spec!, getView()); drawMarks(plot, this.spec!); }],
        setSelect: [(plot) => this.selected(plot)],
        setCursor: [() => this.pointed()],
      },
    };
  }

  private axes(ofBytes = false): uPlot.Axis[] {
    const shared = {
      stroke: color("muted"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: color("grid"), width: 1 },
      ticks: { stroke: color("grid"), width: 1, size: 4 },
    };
    const time: uPlot.Axis = {
      ...shared,
      size: 26,
      space: 90,
      incrs: [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400],
      values: (_, splits, __, ___, incr) => splits.map((at) => clock(at + 1e-4, incr < 1)),
    };
    const values: uPlot.Axis = {
      ...shared, size: ofBytes ? 58 : 50, space: 34, values: (_, splits) => splits.map((value) => this.spec!.yLabel(value)),
      ...(ofBytes ? { incrs: POWERS_OF_TWO } : {}),
    };
    return [time, values];
  }

  private selected(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 6) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.events.select?.(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
  }
}

/** The next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 times a power of ten, so that the axis seldom jumps. */
function niceMax(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value * 1.02));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value * 1.02) ?? 10;
  return step * power;
}

/** Steps of an axis of bytes, up to a TiB. */
const POWERS_OF_TWO = Array.from({ length: 41 }, (_, power) => 2 ** power);

/** The next of 4, 5, 6, 7 times a power of two. */
function niceBytes(value: number): number {
  const power = 2 ** Math.floor(Math.log2(value * 1.02));
  return Math.ceil((value * 1.02 * 4) / power) * power / 4;
}
