// A histogram of durations on a logarithmic time axis, with its percentiles. One canvas.

import { count, duration, percent, tick } from "../format";
import { h } from "../dom";
import { color, onTheme } from "../theme";
import type { Distribution } from "../types";

const HEIGHT = 150;
const [LEFT, RIGHT, TOP, BOTTOM] = [4, 4, 30, 20];
/** The lowest bucket begins at 0, which no logarithmic axis has. */
const LOWEST_NS = 4;

export class Histogram {
  readonly element = document.createElement("div");
  private readonly canvas = document.createElement("canvas");
  private readonly note = h("dl", { class: "figures" });
  private data: Distribution | null = null;
  private hover: number | null = null;
  private said = "";

  constructor(private readonly name: string, private readonly colorName: string) {
    this.element.className = "histogram";
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${name}, a histogram: not drawn yet`);
    this.canvas.addEventListener("mousemove", (event) => this.point(event.offsetX));
    this.canvas.addEventListener("mouseleave", () => this.point(null));
    this.element.append(this.canvas, this.note);
    onTheme(() => this.paint());
    new ResizeObserver(() => this.paint()).observe(this.element);
  }

  draw(data: Distribution): void {
    this.data = data;
    this.paint();
  }

  private point(x: number | null): void {
    this.hover = x;
    this.paint();
  }

  /** Whole decades around the data. */
  private bounds(): [number, number] {
    const buckets = this.data!.buckets;
    const low = Math.max(LOWEST_NS, buckets[0].low_ns || LOWEST_NS);
    const high = Math.max(low * 10, buckets[buckets.length - 1].high_ns);
    return [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(Math.min(high, 1e15)))];
  }

  private paint(): void {
    // The figures below fill the box between the paddings, as the canvas is to.
    const width = this.note.clientWidth;
    const data = this.data;
    if (!data || width === 0) return;
    const scale = devicePixelRatio;
    const { canvas } = this;
    if (canvas.width !== Math.round(width * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = HEIGHT * scale;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${HEIGHT}px`;
    }
    const ctx = canvas.getContext("2d")!;
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    ctx.clearRect(0, 0, width, HEIGHT);
    ctx.font = "11px system-ui, sans-serif";
    this.describe(null);
    if (data.buckets.length === 0) return this.paintEmpty(ctx, width);
    const [low, high] = this.bounds();
    const decades = Math.log10(high / low);
    const x = (ns: number) => LEFT + (Math.log10(Math.max(ns, low) / low) / decades) * (width - LEFT - RIGHT);
    paintAxis(ctx, x, low, high, width);
    this.paintBars(ctx, x);
    paintPercentiles(ctx, x, data, width);
  }

  private paintEmpty(ctx: CanvasRenderingContext2D, width: number): void {
    ctx.fillStyle = color("muted");
    ctx.textAlign = "center";
    ctx.fillText("none in this span", width / 2, HEIGHT / 2);
    ctx.textAlign = "start";
  }

  private paintBars(ctx: CanvasRenderingContext2D, x: (ns: number) => number): void {
    const { buckets } = this.data!;
    const top = Math.max(...buckets.map((bucket) => bucket.count));
    for (const bucket of buckets) {
      const [left, right] = [x(bucket.low_ns), x(bucket.high_ns)];
      const hovered = this.hover !== null && this.hover >= left && this.hover < right;
      const size = Math.max(1, (bucket.count / top) * (HEIGHT - TOP - BOTTOM));
      ctx.fillStyle = color(hovered ? "accent" : this.colorName);
      ctx.fillRect(left, HEIGHT - BOTTOM - size, Math.max(1, right - left - 1), size);
      if (hovered) this.describe(bucket);
    }
  }

  private describe(bucket: Distribution["buckets"][number] | null): void {
    const data = this.data!;
    const bound = data.max_is_bound ? "≤ " : "";
    const figures = [["count", count(data.count)], ["p50", duration(data.p50_ns)], ["p95", duration(data.p95_ns)],
      ["p99", duration(data.p99_ns)], ["max", `${bound}${duration(data.max_ns)}`]];
    const whole = figures.map(([name, value]) => `${name} ${value}`).join(" · ");
    const text = bucket
      ? `${duration(bucket.low_ns)} to ${duration(bucket.high_ns)}: ${count(bucket.count)} (${percent(bucket.count / data.count)})`
      : whole;
    if (text === this.said) return;
    this.said = text;
    this.canvas.setAttribute("aria-label", `${this.name}, a histogram: ${whole}`);
    this.note.replaceChildren(...(bucket ? [h("dd", { class: "bucket" }, text)]
      : figures.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
  }
}

function paintAxis(ctx: CanvasRenderingContext2D, x: (ns: number) => number, low: number, high: number, width: number): void {
  ctx.strokeStyle = color("grid");
  ctx.fillStyle = color("muted");
  ctx.lineWidth = 1;
  let free = -Infinity;
  for (let ns = low; ns <= high * 1.01; ns *= 10) {
    const at = Math.round(x(ns)) + 0.5;
    ctx.beginPath();
    ctx.moveTo(at, TOP);
    ctx.lineTo(at, HEIGHT - BOTTOM);
    ctx.stroke();
    const label = tick(ns);
    const size = ctx.measureText(label).width;
    const left = Math.min(Math.max(0, at - size / 2), width - size);
    if (left < free) continue;
    ctx.fillText(label, left, HEIGHT - 6);
    free = left + size + 8;
  }
  ctx.beginPath();
  ctx.moveTo(LEFT, HEIGHT - BOTTOM + 0.5);
  ctx.lineTo(width - RIGHT, HEIGHT - BOTTOM + 0.5);
  ctx.stroke();
}

/** Lines at p50, p95 and p99; labels stand in two rows so that near ones do not touch. */
function paintPercentiles(ctx: CanvasRenderingContext2D, x: (ns: number) => number, data: Distribution, width: number): void {
  const rowEnds = [-Infinity, -Infinity, -Infinity];
  ctx.strokeStyle = color("text");
  ctx.fillStyle = color("text");
  for (const [name, ns] of [["p50", data.p50_ns], ["p95", data.p95_ns], ["p99", data.p99_ns]] as const) {
    if (ns === null) continue;
    const at = Math.round(x(ns)) + 0.5;
    const size = ctx.measureText(name).width;
    const left = Math.min(Math.max(0, at - size / 2), width - size);
    const row = Math.max(0, rowEnds.findIndex((end) => end < left));
    rowEnds[row] = left + size + 4;
    const y = 10 + row * 10;
    ctx.fillText(name, left, y);
    ctx.setLineDash([2, 2]);
    ctx.beginPath();
    ctx.moveTo(at, y + 3);
    ctx.lineTo(at, HEIGHT - BOTTOM);
    ctx.stroke();
    ctx.setLineDash([]);
  }
}
