// What is painted over a chart: marks with their names, the selected span and the pinned one; and what
// is painted beneath its lines: layers that stand on each other.

import type uPlot from "uplot";
import type { View } from "../address";
import { color } from "../theme";
import type { Range } from "../types";
import type { Spec } from "./chart";
import { paintStrata } from "./strata";

const easel = document.createElement("canvas");
/** Kept, since a new one of this size ten times a second is work for the garbage collector. */
let image = new ImageData(1, 1);

/** The layers of a stack, if it has any. */
export function drawStrata(plot: uPlot, { strata, strataScale = 1, data: [times] }: Spec): void {
  if (!strata?.length || times.length === 0) return;
  const [left, top, width, height] = [plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height].map(Math.round);
  if (width < 1 || height < 1) return;
  const { min, max } = plot.scales.x;
  const values_s = times.length > 1 ? (times[times.length - 1] - times[0]) / (times.length - 1) : max! - min!;
  const column_s = (max! - min!) / width;
  if (image.width !== width || image.height !== height) image = new ImageData(width, height);
  const words = new Int32Array(image.data.buffer).fill(0);
  paintStrata(words, {
    width, height, top: plot.scales.y.max! / strataScale,
    from: (min! + column_s / 2 - times[0]) / values_s, step: column_s / values_s,
  }, strata);
  if (easel.width < width || easel.height < height) [easel.width, easel.height] = [Math.max(easel.width, width), Math.max(easel.height, height)];
  easel.getContext("2d")!.putImageData(image, 0, 0);
  plot.ctx.drawImage(easel, 0, 0, width, height, left, top, width, height);
}

/** Labelled vertical lines; labels that would touch go one row down, out of three. */
export function drawMarks(plot: uPlot, spec: Spec): void {
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
    line(ctx, x, bbox);
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

/** The selection tinted between solid edges, the pinned span between dotted ones with a bar on top. */
export function drawSpans(plot: uPlot, spec: Spec, view: View): void {
  if (view.pin?.session === spec.session.id) drawSpan(plot, spec, view.pin, "pin", [2, 3]);
  if (view.select) drawSpan(plot, spec, view.select, "accent", []);
}

function drawSpan(plot: uPlot, spec: Spec, range: Range, name: string, dash: number[]): void {
  const span = [range.start_ns, range.end_ns].map((ns) => spec.session.anchor_s + ns / 1e9);
  if (span[1] < spec.x[0] || span[0] > spec.x[1]) return;
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  const [left, right] = span.map((at_s) =>
    Math.round(plot.valToPos(Math.min(spec.x[1], Math.max(spec.x[0], at_s)), "x", true)));
  ctx.save();
  ctx.fillStyle = color(`${name}-tint`);
  ctx.fillRect(left, bbox.top, right - left, bbox.height);
  ctx.fillStyle = color(name);
  ctx.fillRect(left, bbox.top - 3 * scale, right - left, 3 * scale);
  ctx.strokeStyle = color(name);
  ctx.lineWidth = scale;
  ctx.setLineDash(dash.map((length) => length * scale));
  for (const x of [left, right]) line(ctx, x, bbox);
  ctx.restore();
}

function line(ctx: CanvasRenderingContext2D, x: number, bbox: uPlot.BBox): void {
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
}
