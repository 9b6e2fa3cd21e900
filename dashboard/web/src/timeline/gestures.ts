// What wheel, pointer and keys do on the timeline. Knows pixels and keys, nothing of lanes.

import type { Range } from "../types";

export interface Moved {
  left(): number;
  width(): number;
  view(): Range;
  whole(): Range;
  timeAt(x: number): number;
  zoom(factor: number, anchor: number): void;
  pan(share: number): void;
  show(range: Range): void;
  select(range: Range | null): void;
  hover(x: number, y: number | null): void;
  step(by: number, rows: number): void;
  enter(): void;
  leave(): void;
}

/** A press that moves less is a click. */
const DRAG_PX = 5;

export class Gestures {
  /** A drag is going on. */
  active = false;
  private press: { x: number; pans: boolean } | null = null;

  constructor(private readonly canvas: HTMLCanvasElement, private readonly to: Moved) {
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", () => this.end());
    canvas.addEventListener("pointerleave", () => !this.active && this.to.leave());
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  private plot(): number {
    return Math.max(1, this.to.width() - this.to.left());
  }

  private wheel(event: WheelEvent): void {
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey || event.metaKey) {
      const anchor = Math.min(1, Math.max(0, (event.offsetX - this.to.left()) / this.plot()));
      this.to.zoom(Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY * unit * 0.003))), anchor);
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      this.to.pan((sideways * unit) / this.plot());
    } else {
      return; // the page and the lanes scroll
    }
    event.preventDefault();
  }

  private down(event: PointerEvent): void {
    if (event.button > 1) return;
    this.canvas.focus({ preventScroll: true });
    this.press = { x: event.offsetX, pans: event.shiftKey || event.button === 1 || event.pointerType === "touch" };
    this.canvas.setPointerCapture(event.pointerId);
    if (event.button === 1) event.preventDefault();
  }

  private move(event: PointerEvent): void {
    const { press } = this;
    if (!press) return this.to.hover(event.offsetX, event.offsetY);
    if (!this.active && Math.abs(event.offsetX - press.x) < DRAG_PX) return;
    this.active = true;
    if (press.pans) {
      this.to.pan((press.x - event.offsetX) / this.plot());
      press.x = event.offsetX;
    } else {
      this.to.select(this.between(press.x, event.offsetX));
    }
  }

  private up(event: PointerEvent): void {
    const { press } = this;
    if (press && this.active && !press.pans) this.to.show(this.between(press.x, event.offsetX));
    this.end();
    this.to.hover(event.offsetX, event.offsetY);
  }

  private end(): void {
    this.press = null;
    this.active = false;
    this.to.select(null);
  }

  private between(a: number, b: number): Range {
    const [from, to] = [a, b].map((x) => this.to.timeAt(Math.max(x, this.to.left()))).sort((p, q) => p - q);
    return { start_ns: from, end_ns: to };
  }

  /** Keys that the page has for itself (numbers, space, m, t, ?) go on to it. */
  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const { to } = this;
    const far = event.shiftKey ? 10 : 1;
    const actions: Record<string, () => void> = {
      ArrowLeft: () => to.step(-far, 0),
      ArrowRight: () => to.step(far, 0),
      ArrowUp: () => to.step(0, -far),
      ArrowDown: () => to.step(0, far),
      "+": () => to.zoom(0.5, 0.5),
      "=": () => to.zoom(0.5, 0.5),
      w: () => to.zoom(0.5, 0.5),
      "-": () => to.zoom(2, 0.5),
      s: () => to.zoom(2, 0.5),
      a: () => to.pan(-0.25),
      d: () => to.pan(0.25),
      f: () => to.show(to.whole()),
      Enter: () => to.enter(),
      Escape: () => to.leave(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }
}
