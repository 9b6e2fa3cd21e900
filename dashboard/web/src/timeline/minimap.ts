// The whole session in one strip: how busy the GIL was, and which part of it the timeline shows.

import { h, setText } from "../dom";
import { duration } from "../format";
import { Seen } from "../seen";
import { color, onTheme } from "../theme";
import type { Range, Session } from "../types";
import { length } from "./camera";

const HEIGHT = 30;
/** A living session's strip is fetched anew so often; a young one's, whose end moves fast, more often. */
const FRESH_MS = 3000;
const YOUNG_FRESH_MS = 500;
const YOUNG_NS = 120e9;
/** A part too short to see or to catch is drawn as wide as this. */
const NARROWEST_PX = 6;

interface Strip { session: number; start_ns: number; step_ns: number; values: number[] }

export class Minimap {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly note = h("span", { class: "minimap-note" });
  private strip: Strip | null = null;
  private askedMs = -Infinity;
  private session: Session | null = null;
  private view: Range = { start_ns: 0, end_ns: 1 };
  private grabbed: number | null = null;
  private readonly kept = document.createElement("canvas");
  private readonly keptOf = new Seen();

  constructor(private readonly show: (range: Range) => void) {
    this.element = h("div", { class: "minimap" }, this.canvas, this.note);
    this.canvas.addEventListener("pointerdown", (event) => this.grab(event));
    this.canvas.addEventListener("pointermove", (event) => this.drag(event));
    this.canvas.addEventListener("pointerup", () => (this.grabbed = null));
    onTheme(() => this.paint());
  }

  draw(session: Session, view: Range): void {
    if (this.session?.id !== session.id) [this.strip, this.askedMs] = [null, -Infinity];
    [this.session, this.view] = [session, view];
    const fresh_ms = length(session.range) < YOUNG_NS ? YOUNG_FRESH_MS : FRESH_MS;
    const rested = performance.now() - this.askedMs > fresh_ms;
    if (rested && (!this.strip || !session.ended)) void this.fetch(session.id);
    const [shown, whole] = [view, session.range].map((range) => duration(length(range)));
    setText(this.note, length(view) >= length(session.range) ? `all ${whole}` : `${shown} of ${whole}`);
    this.paint();
  }

  private async fetch(session: number): Promise<void> {
    this.askedMs = performance.now();
    const answer = await fetch(`/api/sessions/${session}/gil?px=800`).catch(() => null);
    const data = answer?.ok ? await answer.json() : null;
    if (!data || this.session?.id !== session) return;
    this.strip = { session, start_ns: data.start_ns, step_ns: data.step_ns, values: data.utilization_mean };
    this.paint();
  }

  private time(x: number): number {
    const range = this.session!.range;
    return range.start_ns + (x / Math.max(1, this.canvas.clientWidth)) * length(range);
  }

  private grab(event: PointerEvent): void {
    if (!this.session) return;
    this.canvas.setPointerCapture(event.pointerId);
    const at_ns = this.time(event.offsetX);
    const within = at_ns >= this.view.start_ns && at_ns <= this.view.end_ns;
    this.grabbed = within ? at_ns - this.view.start_ns : length(this.view) / 2;
    this.drag(event);
  }

  private drag(event: PointerEvent): void {
    if (this.grabbed === null || !this.session) return;
    const start_ns = this.time(event.offsetX) - this.grabbed;
    this.show({ start_ns, end_ns: start_ns + length(this.view) });
  }

  private paint(): void {
    const { canvas, session } = this;
    const width = canvas.clientWidth;
    if (!session || width === 0) return;
    const scale = devicePixelRatio;
    if (canvas.width !== Math.round(width * scale)) {
      [canvas.width, canvas.height] = [Math.round(width * scale), HEIGHT * scale];
    }
    const ctx = canvas.getContext("2d")!;
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    ctx.drawImage(this.background(session, width), 0, 0, width, HEIGHT);
    const x = place(session, width);
    let [from, to] = [Math.max(0, x(this.view.start_ns)), Math.min(width, x(this.view.end_ns))];
    if (to - from < NARROWEST_PX) [from, to] = [(from + to - NARROWEST_PX) / 2, (from + to + NARROWEST_PX) / 2];
    ctx.globalAlpha = 0.62;
    ctx.fillStyle = color("panel");
    ctx.fillRect(0, 0, from, HEIGHT);
    ctx.fillRect(to, 0, width - to, HEIGHT);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = color("text");
    ctx.lineWidth = 1.5;
    ctx.strokeRect(Math.max(1, from), 1, Math.min(width - 2, to - from), HEIGHT - 2);
  }

  /** The strip without the view in it: kept, since the view moves in every frame of a pan. */
  private background(session: Session, width: number): HTMLCanvasElement {
    const { strip, kept } = this;
    const of = [strip, width, session.range.start_ns, session.range.end_ns, color("held"), devicePixelRatio];
    if (!this.keptOf.isNew(of)) return kept;
    [kept.width, kept.height] = [Math.round(width * devicePixelRatio), HEIGHT * devicePixelRatio];
    const ctx = kept.getContext("2d")!;
    ctx.scale(devicePixelRatio, devicePixelRatio);
    ctx.fillStyle = color("grid");
    ctx.fillRect(0, 0, width, HEIGHT);
    ctx.fillStyle = color("held");
    const x = place(session, width);
    strip?.values.forEach((value, index) => {
      const [from, to] = [strip.start_ns + index * strip.step_ns, strip.start_ns + (index + 1) * strip.step_ns].map(x);
      ctx.fillRect(from, HEIGHT * (1 - value), Math.max(0.5, to - from), HEIGHT * value);
    });
    return kept;
  }
}

/** Where a moment stands in a strip of this width. */
function place({ range }: Session, width: number): (at_ns: number) => number {
  return (at_ns) => ((at_ns - range.start_ns) / Math.max(1, length(range))) * width;
}
