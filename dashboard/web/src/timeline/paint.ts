// Paints the timeline: axis, names, lanes, single spans, arrows from holder to waiter, cursor, marks.

import { clock, tick } from "../format";
import { color, patterned } from "../theme";
import type { Mark, Range } from "../types";
import { length, tickStep } from "./camera";
import { WAIT, HOLD_SEEN, type Lanes } from "./data";
import { place } from "./describe";
import { BAR, LANE } from "./picture";

export const AXIS = 26;
/** Arrows are drawn while there are no more waits than this in view; more would be a blot. */
const ARROWS_MAX = 250;
const FONT = "11px system-ui, sans-serif";

export interface Row { key: number; name: string; ended: boolean }

export interface Scene {
  width: number;
  height: number;
  /** Where the lanes begin, right of the names. */
  left: number;
  view: Range;
  anchor_unix_s: number;
  rows: Row[];
  /** First row in sight, in CSS pixels scrolled away. */
  scrolled: number;
  lanes: Lanes | null;
  picture: HTMLCanvasElement | null;
  marks: Mark[];
  cursor: { at_ns: number; row: number | null } | null;
  selection: Range | null;
  /** Whether a span passes the filter on functions and modules. */
  passes: (span: number) => boolean;
  hovered: number | null;
}

export interface Painted { arrows: number; waits: number; spans: number }

export function paint(ctx: CanvasRenderingContext2D, scene: Scene): Painted {
  const { width, height, left } = scene;
  ctx.clearRect(0, 0, width, height);
  ctx.font = FONT;
  ctx.textBaseline = "middle";
  const x = (at_ns: number) => left + ((at_ns - scene.view.start_ns) / length(scene.view)) * (width - left);
  paintNames(ctx, scene);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, 0, width - left, height);
  ctx.clip();
  paintAxis(ctx, scene, x);
  ctx.beginPath();
  ctx.rect(left, AXIS, width - left, height - AXIS);
  ctx.clip();
  paintPicture(ctx, scene, x);
  const painted = paintSpans(ctx, scene, x);
  paintOver(ctx, scene, x);
  ctx.restore();
  return painted;
}

const rowTop = (scene: Scene, row: number) => AXIS + row * LANE - scene.scrolled;
const inSight = (scene: Scene, row: number) => rowTop(scene, row) > AXIS - LANE && rowTop(scene, row) < scene.height;

function paintNames(ctx: CanvasRenderingContext2D, scene: Scene): void {
  scene.rows.forEach((row, index) => {
    if (!inSight(scene, index)) return;
    const y = rowTop(scene, index);
    if (scene.cursor?.row === index) {
      ctx.fillStyle = color("raised");
      ctx.fillRect(0, Math.max(AXIS, y), scene.width, LANE);
    }
    if (y < AXIS - LANE / 2) return;
    ctx.fillStyle = color(row.ended ? "muted" : "text");
    ctx.fillText(fitted(ctx, row.name, scene.left - 14), 6, y + LANE / 2 + 0.5);
  });
  ctx.fillStyle = color("grid");
  ctx.fillRect(scene.left - 1, AXIS, 1, scene.height - AXIS);
}

const widths = new Map<string, string>();
/** The name, cut with an ellipsis to fit. */
function fitted(ctx: CanvasRenderingContext2D, name: string, room: number): string {
  const key = `${room} ${name}`;
  const known = widths.get(key);
  if (known !== undefined) return known;
  let text = name.replace(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, " ");
  if (ctx.measureText(text).width > room) {
    while (text && ctx.measureText(`${text}…`).width > room) text = text.slice(0, -1);
    text += "…";
  }
  if (widths.size > 5000) widths.clear();
  widths.set(key, text);
  return text;
}

/** Wall clock down to milliseconds; below that, the first tick has the clock and the others follow it. */
function paintAxis(ctx: CanvasRenderingContext2D, scene: Scene, x: (at_ns: number) => number): void {
  const { view, left, width } = scene;
  const step = tickStep(length(view), (width - left) / 110);
  ctx.fillStyle = color("muted");
  // Round in wall clock time as far as doubles reach, which is what charts above show, too.
  const shift = step >= 1e6 ? (scene.anchor_unix_s * 1e9) % 86_400e9 : 0;
  const zone = step >= 1e9 ? new Date().getTimezoneOffset() * 60e9 : 0;
  const offset = ((shift - zone) % step + step) % step;
  let first: number | null = null;
  for (let at = Math.ceil((view.start_ns + offset) / step) * step - offset; at <= view.end_ns; at += step) {
    const px = Math.round(x(at));
    ctx.fillStyle = color("grid");
    ctx.fillRect(px, AXIS - 5, 1, scene.height);
    const label = first !== null && step < 1e6 ? `+${tick(at - first)}` : moment(scene, at, step);
    first ??= at;
    ctx.fillStyle = color("muted");
    ctx.fillText(label, Math.min(px + 4, width - ctx.measureText(label).width), AXIS / 2 - 1);
  }
}

/** Wall clock with as many digits as the step needs. */
export function moment(scene: { anchor_unix_s: number }, at_ns: number, step_ns: number): string {
  const unix_s = scene.anchor_unix_s + at_ns / 1e9;
  if (step_ns >= 1e9) return clock(unix_s + 1e-4);
  const digits = step_ns >= 1e8 ? 1 : step_ns >= 1e7 ? 2 : step_ns >= 1e6 ? 3 : 6;
  const rounded = Math.round(unix_s * 10 ** digits) / 10 ** digits;
  const fraction = (rounded - Math.floor(rounded)).toFixed(digits).slice(1);
  return `${clock(Math.floor(rounded))}${fraction}`;
}

function paintPicture(ctx: CanvasRenderingContext2D, scene: Scene, x: (at_ns: number) => number): void {
  const { lanes, picture } = scene;
  if (!lanes || !picture) return;
  const begin = x(lanes.start_ns);
  const end = x(lanes.start_ns + lanes.count * lanes.step_ns);
  // Only the columns in sight are copied: a picture stretched a thousandfold is beyond any canvas.
  const perColumn = (end - begin) / lanes.count;
  const from = Math.max(0, Math.floor((scene.left - begin) / perColumn));
  const to = Math.min(lanes.count, Math.ceil((scene.width - begin) / perColumn));
  if (to <= from) return;
  ctx.imageSmoothingEnabled = perColumn < 1;
  scene.rows.forEach((row, index) => {
    const lane = lanes.threads.indexOf(row.key);
    if (lane < 0 || !inSight(scene, index)) return;
    const y = rowTop(scene, index) + (LANE - BAR) / 2;
    ctx.drawImage(picture, from, lane * BAR, to - from, BAR, begin + from * perColumn, y, (to - from) * perColumn, BAR);
  });
}

function paintSpans(ctx: CanvasRenderingContext2D, scene: Scene, x: (at_ns: number) => number): Painted {
  const { lanes } = scene;
  const painted = { arrows: 0, waits: 0, spans: 0 };
  if (!lanes || lanes.n_spans === 0) return painted;
  const waiting = stripes();
  const rowOf = new Map(scene.rows.map((row, index) => [row.key, index]));
  const arrows: number[] = [];
  const { start_ns, end_ns, lane, kind } = lanes.spans;
  for (let span = 0; span < lanes.n_spans; span += 1) {
    if (start_ns[span] > scene.view.end_ns) break;
    if (end_ns[span] < scene.view.start_ns) continue;
    const row = rowOf.get(lanes.threads[lane[span]]);
    if (row === undefined || !inSight(scene, row)) continue;
    const [from, to] = [Math.max(x(start_ns[span]), scene.left - 2), Math.min(x(end_ns[span]), scene.width + 2)];
    if (kind[span] === WAIT) {
      painted.waits += 1;
      if (end_ns[span] <= scene.view.end_ns) arrows.push(span);
    }
    if (to - from < 2.5 && span !== scene.hovered) continue;
    painted.spans += 1;
    const fill = kind[span] === WAIT ? waiting : color(kind[span] === HOLD_SEEN ? "held-seen" : "held");
    paintSpan(ctx, scene, span, fill, from, Math.max(1, to - from), rowTop(scene, row) + (LANE - BAR) / 2);
  }
  const few = arrows.length > ARROWS_MAX ? arrows.filter((span) => span === scene.hovered) : arrows;
  return { ...painted, arrows: paintArrows(ctx, scene, few, rowOf, x) };
}

/** Holding is a full bar, waiting a lower one with stripes: the shape tells, not the colour alone. */
function paintSpan(
  ctx: CanvasRenderingContext2D, scene: Scene, span: number, fill: string | CanvasPattern, left: number, width: number, top: number,
): void {
  const lanes = scene.lanes!;
  const waits = lanes.spans.kind[span] === WAIT;
  ctx.globalAlpha = scene.passes(span) ? 1 : 0.25;
  ctx.fillStyle = color("panel");
  ctx.fillRect(left, top, width, BAR);
  const [y, height] = waits ? [top + 4, BAR - 8] : [top, BAR];
  ctx.fillStyle = fill;
  ctx.fillRect(left, y, width, height);
  if (span === scene.hovered) {
    ctx.strokeStyle = color("text");
    ctx.lineWidth = 1.5;
    ctx.strokeRect(left, y, width, height);
  }
  const label = !waits && width > 46 ? place(lanes, span) : null;
  if (label) {
    ctx.fillStyle = color("held-text");
    ctx.fillText(fitted(ctx, label, Math.floor((width - 8) / 8) * 8), left + 4, top + BAR / 2 + 0.5);
  }
  ctx.globalAlpha = 1;
}

/** A pattern rather than lines within a clip: with hundreds of waits that is most of a frame. */
function stripes(): CanvasPattern {
  const pattern = patterned(color("waiters-hatch"), color("waiters"), "lines");
  pattern.setTransform(new DOMMatrix().scale(1 / devicePixelRatio));
  return pattern;
}

interface Ends { x0: number; y0: number; x1: number; y1: number }

/** From holders at their release to waiters at their acquire: the slant is the time to wake up. All that
 *  look alike are one path, for one by one they take longer than a frame has. Returns how many. */
function paintArrows(
  ctx: CanvasRenderingContext2D, scene: Scene, spans: number[], rowOf: Map<number, number>, x: (at_ns: number) => number,
): number {
  const looks = [[0.2, 1], [1, 1], [1, 2]].map(([alpha, width]) => ({ alpha, width, lines: new Path2D(), heads: new Path2D() }));
  let painted = 0;
  for (const span of spans) {
    const ends = arrow(scene, span, rowOf, x);
    if (!ends) continue;
    const { lines, heads } = looks[span === scene.hovered ? 2 : scene.passes(span) ? 1 : 0];
    lines.moveTo(ends.x0, ends.y0);
    lines.lineTo(ends.x1, ends.y1);
    addHead(heads, ends);
    painted += 1;
  }
  ctx.strokeStyle = ctx.fillStyle = color("text");
  for (const { alpha, width, lines, heads } of looks) {
    ctx.globalAlpha = alpha;
    ctx.lineWidth = width;
    ctx.stroke(lines);
    ctx.fill(heads);
  }
  ctx.globalAlpha = 1;
  return painted;
}

/** Where the arrow of a wait begins and ends, or null if its holder has no row. */
function arrow(scene: Scene, span: number, rowOf: Map<number, number>, x: (at_ns: number) => number): Ends | null {
  const { holder, end_ns, free_ns, lane } = scene.lanes!.spans;
  const [from, to] = [rowOf.get(holder[span]), rowOf.get(scene.lanes!.threads[lane[span]])!];
  if (from === undefined || from === to) return null;
  const [start, end] = to > from ? [LANE - 3, 3] : [3, LANE - 3];
  return { x0: x(end_ns[span] - free_ns[span]), y0: rowTop(scene, from) + start, x1: x(end_ns[span]), y1: rowTop(scene, to) + end };
}

function addHead(path: Path2D, { x0, y0, x1, y1 }: Ends): void {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
  path.moveTo(x1 + dx, y1 + dy);
  path.lineTo(x1 - 6 * dx + 3 * dy, y1 - 6 * dy - 3 * dx);
  path.lineTo(x1 - 6 * dx - 3 * dy, y1 - 6 * dy + 3 * dx);
  path.closePath();
}

function paintOver(ctx: CanvasRenderingContext2D, scene: Scene, x: (at_ns: number) => number): void {
  const line = (at_ns: number, name: string, dash: number[]) => {
    const px = Math.round(x(at_ns)) + 0.5;
    ctx.strokeStyle = color(name);
    ctx.lineWidth = 1;
    ctx.setLineDash(dash);
    ctx.beginPath();
    ctx.moveTo(px, AXIS);
    ctx.lineTo(px, scene.height);
    ctx.stroke();
    ctx.setLineDash([]);
  };
  for (const mark of scene.marks) line(mark.at_ns, "mark", [4, 3]);
  if (scene.selection) {
    const [from, to] = [x(scene.selection.start_ns), x(scene.selection.end_ns)];
    ctx.globalAlpha = 0.2;
    ctx.fillStyle = color("accent");
    ctx.fillRect(from, AXIS, to - from, scene.height);
    ctx.globalAlpha = 1;
  }
  if (!scene.cursor) return;
  line(scene.cursor.at_ns, "muted", []);
  if (scene.cursor.row === null) return;
  ctx.strokeStyle = color("accent");
  ctx.lineWidth = 2;
  const top = rowTop(scene, scene.cursor.row);
  ctx.strokeRect(Math.round(x(scene.cursor.at_ns)) - 3, top + 2, 6, LANE - 4);
}
