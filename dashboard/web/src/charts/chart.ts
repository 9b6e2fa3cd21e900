// One uPlot chart over time: axes, marks, cursor and selection alike on every page.
//
// A chart is drawn from a `Spec`, a plain value. Values change often and are set in place; whatever
// else changes (series, size, theme) makes the chart anew.

import uPlot from "uplot";
import { clock } from "../format";
import { color, onTheme } from "../theme";
import type { Mark } from "../types";

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
  marks: { mark: Mark; at_s: number }[];
  /** For those who cannot see it. */
  summary: string;
  compact?: boolean;
}

export interface ChartEvents {
  select?: (from_s: number, to_s: number) => void;
  /** Index of the value under the cursor, or null. */
  cursor?: (index: number | null) => void;
}

const live = new Set<Chart>();
onTheme(() => live.forEach((chart) => chart.renew()));
new ResizeObserver(() => live.forEach((chart) => chart.fit())).observe(document.documentElement);

export class Chart {
  private plot: uPlot | null = null;
  private spec: Spec | null = null;

  constructor(readonly host: HTMLElement, private readonly events: ChartEvents = {}) {
    host.classList.add("chart");
    host.setAttribute("role", "img");
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

  /** Time under the cursor, unix seconds. */
  cursorTime(): number | null {
    const left = this.plot?.cursor.left ?? -1;
    return left >= 0 ? this.plot!.posToVal(left, "x") : null;
  }

  fit(): void {
    const width = this.host.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.spec!.height });
  }

  renew(): void {
    this.plot?.destroy();
    this.plot = null;
    if (this.spec && this.host.clientWidth > 0) this.plot = new uPlot(this.options(this.spec), this.spec.data, this.host);
  }

  private options(spec: Spec): uPlot.Options {
    return {
      width: this.host.clientWidth,
      height: spec.height,
      legend: { show: false },
      padding: spec.compact ? [6, 0, 0, 0] : [14, 30, 0, 0],
      cursor: {
        sync: { key: "time", scales: ["x", null] },
        y: false,
        points: { show: false },
        drag: { x: Boolean(this.events.select), y: false, setScale: false, dist: 6 },
      },
      scales: {
        x: { time: false, range: () => this.spec!.x },
        y: { range: (_, __, max) => [0, spec.yMax ?? niceMax(Math.max(spec.yMin, max ?? 0))] },
      },
      axes: spec.compact ? [{ show: false }, { show: false }] : this.axes(spec),
      series: [{}, ...spec.series],
      hooks: {
        draw: [(plot) => drawMarks(plot, this.spec!)],
        setSelect: [(plot) => this.selected(plot)],
        setCursor: [(plot) => this.events.cursor?.(plot.cursor.left! >= 0 ? plot.cursor.idx ?? null : null)],
      },
    };
  }

  private axes(spec: Spec): uPlot.Axis[] {
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
    const values: uPlot.Axis = { ...shared, size: 50, space: 34, values: (_, splits) => splits.map(spec.yLabel) };
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

/** Labelled vertical lines; labels that would touch go one row down, out of three. */
function drawMarks(plot: uPlot, spec: Spec): void {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  const rowEnds = [-Infinity, -Infinity, -Infinity];
  ctx.save();
  ctx.font = `${11 * scale}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const { mark, at_s } of spec.marks) {
    if (at_s < spec.x[0] || at_s > spec.x[1]) continue;
    const x = Math.round(plot.valToPos(at_s, "x", true));
    ctx.strokeStyle = color("mark");
    ctx.lineWidth = scale;
    ctx.setLineDash([4 * scale, 3 * scale]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (spec.compact) continue;
    const name = mark.name.length > 24 ? `${mark.name.slice(0, 23)}…` : mark.name;
    const width = ctx.measureText(name).width + 8 * scale;
    const left = x + width > bbox.left + bbox.width ? x - width : x;
    const row = Math.max(0, rowEnds.findIndex((end) => end < left));
    rowEnds[row] = left + width;
    const top = bbox.top + row * 18 * scale;
    ctx.fillStyle = color("mark");
    ctx.fillRect(left, top, width, 16 * scale);
    ctx.fillStyle = color("mark-text");
    ctx.fillText(name, left + 4 * scale, top + 8.5 * scale);
  }
  ctx.restore();
}
