// The timeline: one lane a thread on one canvas, from hours down to single handoffs.

import "./timeline.css";
import { h, setText, show } from "../dom";
import { count, duration, UNKNOWN } from "../format";
import { onTheme } from "../theme";
import type { Mark, Range, Session } from "../types";
import { inside, length, panned, zoomed } from "./camera";
import { HOLD_SEEN, spanAt, sums, WAIT, type Lanes } from "./data";
import { pixelWords, place, spanWords, type Told } from "./describe";
import { Gestures } from "./gestures";
import { Minimap } from "./minimap";
import { AXIS, moment, paint, type Painted, type Row, type Scene } from "./paint";
import { LANE, picture } from "./picture";
import { Source } from "./source";

/** Lanes in sight at once; more are reached by scrolling. */
const ROWS_SHOWN = 16;
/** Rows above and below those in sight that are fetched, too. */
const ROWS_AROUND = 6;
const COMMIT_MS = 300;
/** Columns that lanes are fetched in while the table stands in their place: it has all of them, summed. */
const PX_UNSEEN = 100;

export interface Shown {
  session: Session;
  window: Range;
  marks: Mark[];
  rows: Row[];
  /** Of all threads, those without a row included: they may be waited for. */
  names: Map<number, string>;
  /** Whether code passes the filter on functions and modules. */
  passes: (functionName: string | null, module: string | null) => boolean;
  emptyText: string;
}

export interface TimelineEvents {
  /** The view was moved to a range, and stays there. */
  range: (range: Range) => void;
  /** The moment under the cursor, for charts that follow. */
  cursor: (at_ns: number | null) => void;
  /** Other lanes are there: what is said about them is no longer true. */
  arrived: () => void;
}

export class Timeline {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", {
    tabindex: 0, role: "application", "aria-roledescription": "timeline", "aria-label": "GIL timeline, one lane a thread",
    "aria-describedby": "timeline-how",
  });
  private readonly spacer = h("div");
  private readonly scroller = h("div", { class: "lanes", scroll: () => this.moved() }, this.canvas, this.spacer);
  private readonly tip = h("div", { class: "lane-tip", hidden: true });
  private readonly status = h("p", { class: "hint lane-status", role: "status" });
  private readonly spoken = h("p", { class: "unseen", "aria-live": "polite" });
  private readonly empty = h("p", { class: "empty-line" });
  private readonly minimap = new Minimap((range) => this.show(range));
  private readonly source = new Source(() => this.arrived(), (why) => setText(this.status, `The lanes cannot be loaded: ${why}`));
  private readonly gestures: Gestures;
  private shown: Shown | null = null;
  private local: Range | null = null;
  private picture: HTMLCanvasElement | null = null;
  private painted: Painted = { arrows: 0, waits: 0, spans: 0 };
  private cursor: { at_ns: number; row: number | null } | null = null;
  private selection: Range | null = null;
  private hovered: number | null = null;
  private due = false;
  private commitTimer = 0;

  constructor(private readonly events: TimelineEvents) {
    this.gestures = new Gestures(this.canvas, this);
    const button = (text: string, title: string, click: () => void) => h("button", { type: "button", class: "quiet icon", title, "aria-label": title, click }, text);
    this.minimap.element.append(h("span", { class: "zooms", role: "group", "aria-label": "Zoom" },
      button("−", "Farther (s on the timeline)", () => this.zoom(2, 0.5)), button("+", "Closer (w on the timeline)", () => this.zoom(0.5, 0.5)),
      button("All", "All of the session (f on the timeline)", () => this.show(this.whole()))));
    this.element = h("div", { class: "timeline" }, this.minimap.element, this.empty, this.scroller, this.tip, this.status, this.spoken,
      h("p", { class: "hint", id: "timeline-how" }, "Drag over a span to look at it; Ctrl and wheel zoom, Shift and drag or wheel pan; " +
        "arrow keys go from event to event, + and − zoom, Enter looks at the event, f shows all."));
    onTheme(() => this.arrived());
    new ResizeObserver(() => this.moved()).observe(this.element);
  }

  draw(shown: Shown): void {
    if (this.shown?.session.id !== shown.session.id) [this.local, this.cursor, this.hovered] = [null, null, null];
    this.shown = shown;
    const height = shown.rows.length * LANE;
    this.spacer.style.height = `${height}px`;
    this.scroller.style.height = `${AXIS + Math.min(shown.rows.length, ROWS_SHOWN) * LANE + 2}px`;
    show(this.empty, shown.rows.length === 0);
    show(this.scroller, shown.rows.length > 0);
    setText(this.empty, shown.emptyText);
    this.minimap.draw(shown.session, this.view());
    this.moved();
  }

  /** Shows the moment that another chart points at. */
  point(at_ns: number | null): void {
    if (this.gestures.active) return;
    this.cursor = at_ns === null ? null : { at_ns, row: null };
    this.hovered = null;
    this.schedule();
  }

  get lanes(): Lanes | null {
    return this.source.lanes;
  }

  view(): Range {
    return this.local ?? this.shown!.window;
  }

  whole(): Range {
    return this.shown!.session.range;
  }

  /** From pixels of the canvas to a moment. */
  timeAt(x: number): number {
    const view = this.view();
    return view.start_ns + ((x - this.left()) / Math.max(1, this.width() - this.left())) * length(view);
  }

  rowAt(y: number): number | null {
    const row = Math.floor((y - AXIS + this.scroller.scrollTop) / LANE);
    return y >= AXIS && row >= 0 && row < this.shown!.rows.length ? row : null;
  }

  zoom(factor: number, anchor: number): void {
    this.show(zoomed(this.view(), factor, anchor, this.whole()));
  }

  /** Pans by a share of the view. */
  pan(share: number): void {
    this.show(panned(this.view(), share * length(this.view()), this.whole()));
  }

  /** Looks at a range at once; the page, its address and its figures follow when it rests. */
  show(range: Range): void {
    this.local = inside(range, this.whole());
    clearTimeout(this.commitTimer);
    this.commitTimer = window.setTimeout(() => this.commit(), COMMIT_MS);
    this.minimap.draw(this.shown!.session, this.local);
    this.moved();
  }

  private commit(): void {
    const range = this.local;
    this.local = null;
    if (range && this.shown) this.events.range(range);
  }

  select(range: Range | null): void {
    this.selection = range;
    this.schedule();
  }

  left(): number {
    return this.width() < 640 ? 84 : 150;
  }

  width(): number {
    return this.scroller.clientWidth;
  }

  /** The pointer is over a place of the canvas, or left it. */
  hover(x: number, y: number | null): void {
    const row = y === null ? null : this.rowAt(y);
    const at_ns = this.timeAt(x);
    if (y === null || x < this.left()) {
      this.cursor = null;
      this.hovered = null;
      show(this.tip, false);
    } else {
      this.cursor = { at_ns, row: null };
      this.hovered = row === null ? null : this.spanAt(row, at_ns, (4 * length(this.view())) / this.width());
      this.showTip(x, y, row === null ? null : this.told(row, at_ns));
    }
    this.events.cursor(this.cursor?.at_ns ?? null);
    this.schedule();
  }

  /** Moves the cursor of the keyboard: by rows, and from event to event or a fiftieth of the view. */
  step(by: number, rows: number): void {
    const view = this.view();
    const last = this.shown!.rows.length - 1;
    if (last < 0) return;
    const now = this.cursor ?? { at_ns: view.start_ns + length(view) / 2, row: null };
    const row = now.row === null ? this.firstRow() : Math.min(last, Math.max(0, now.row + rows));
    let at_ns = now.row === null ? now.at_ns : this.next(row, now.at_ns, by);
    at_ns = Math.min(Math.max(at_ns, this.whole().start_ns), this.whole().end_ns - 1);
    this.cursor = { at_ns, row };
    if (at_ns < view.start_ns || at_ns >= view.end_ns) this.pan(at_ns < view.start_ns ? -0.5 : 0.5);
    this.reveal(row);
    this.hovered = this.spanAt(row, at_ns, 0);
    this.events.cursor(at_ns);
    this.say(row, at_ns);
    this.schedule();
  }

  /** Looks at the event under the cursor, with some of its surroundings. */
  enter(): void {
    const span = this.hovered;
    if (span === null || !this.lanes) return;
    const { start_ns, end_ns } = this.lanes.spans;
    const margin = Math.max(500, (end_ns[span] - start_ns[span]) * 0.4);
    this.show({ start_ns: start_ns[span] - margin, end_ns: end_ns[span] + margin });
  }

  leave(): void {
    this.hover(0, null);
  }

  private firstRow(): number {
    return Math.ceil(this.scroller.scrollTop / LANE);
  }

  private reveal(row: number): void {
    const top = row * LANE;
    const room = this.scroller.clientHeight - AXIS - LANE;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top > this.scroller.scrollTop + room) this.scroller.scrollTop = top - room;
  }

  /** The middle of the next event of a lane on one side; without any, a fiftieth of the view away. */
  private next(row: number, at_ns: number, by: number): number {
    if (by === 0) return at_ns;
    const { lanes } = this;
    const jump = at_ns + (by * length(this.view())) / 50;
    const lane = this.laneOf(row);
    if (!lanes || lane < 0) return jump;
    const { start_ns, end_ns } = lanes.spans;
    const middle = (span: number) => start_ns[span] + (end_ns[span] - start_ns[span]) / 2;
    const here = spanAt(lanes, lane, at_ns);
    const spans = by > 0 ? lanes.byLane[lane] : [...lanes.byLane[lane]].reverse();
    const found = spans.find((span) => span !== here && (by > 0 ? middle(span) > at_ns : middle(span) < at_ns));
    if (found === undefined) return jump;
    // What lies farther than the view is wide is not "next": the eye would lose the place.
    return Math.abs(middle(found) - at_ns) < length(this.view()) ? middle(found) : jump;
  }

  private laneOf(row: number): number {
    return this.lanes?.threads.indexOf(this.shown!.rows[row]?.key) ?? -1;
  }

  private spanAt(row: number, at_ns: number, slack_ns: number): number | null {
    const lane = this.laneOf(row);
    return this.lanes && lane >= 0 ? spanAt(this.lanes, lane, at_ns, slack_ns) : null;
  }

  private readonly name = (key: number): string => this.shown!.names.get(key) ?? "an exited thread";

  private told(row: number, at_ns: number): Told | null {
    const { lanes } = this;
    if (!lanes) return null;
    if (this.hovered !== null) return spanWords(lanes, this.hovered, this.name);
    const lane = this.laneOf(row);
    return lane < 0 ? null : pixelWords(lanes, lane, at_ns, this.name);
  }

  private showTip(x: number, y: number, told: Told | null): void {
    show(this.tip, told !== null && !this.gestures.active);
    if (!told) return;
    this.tip.replaceChildren(h("b", {}, told.title), ...told.lines.map((line) => h("div", {}, line)),
      h("div", { class: "dim" }, this.clock(this.timeAt(x))));
    const top = this.scroller.offsetTop + y + 16;
    const room = this.element.clientWidth - this.tip.offsetWidth - 8;
    this.tip.style.transform = `translate(${Math.max(0, Math.min(x + 12, room))}px, ${top}px)`;
  }

  private say(row: number, at_ns: number): void {
    const told = this.told(row, at_ns);
    const parts = told && [told.title, ...told.lines, this.clock(at_ns)].map((part) => part.replace(/\.$/, ""));
    const text = parts?.join("; ") ?? "nothing is loaded here yet";
    setText(this.spoken, text);
    setText(this.status, text);
  }

  private clock(at_ns: number): string {
    const step = length(this.view()) / 1000;
    return moment({ anchor_unix_s: this.anchor() }, at_ns, Math.min(step, 1e8));
  }

  private anchor(): number {
    return this.shown!.session.target.anchor_unix_ns / 1e9;
  }

  private arrived(): void {
    this.picture = this.lanes && picture(this.lanes);
    this.hovered = null;
    this.moved();
    this.events.arrived();
  }

  /** The view, the rows or the size changed: asks for what is missing and paints what is there. */
  private moved(): void {
    const { shown } = this;
    if (!shown || shown.rows.length === 0) return;
    const first = Math.max(0, this.firstRow() - ROWS_AROUND);
    const seen = this.width() > 0;
    const rows = seen ? shown.rows.slice(first, first + ROWS_SHOWN + 2 * ROWS_AROUND) : shown.rows;
    this.source.want({
      session: shown.session.id, view: this.view(), whole: this.whole(),
      px: seen ? Math.max(50, this.width() - this.left()) : PX_UNSEEN, threads: rows.map((row) => row.key),
    });
    this.schedule();
  }

  private schedule(): void {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.paint();
    });
  }

  private paint(): void {
    const { shown, canvas } = this;
    const [width, height] = [this.width(), this.scroller.clientHeight];
    if (!shown || width === 0 || height === 0) return;
    const scale = devicePixelRatio;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      this.spacer.style.marginTop = `${AXIS - height}px`;
    }
    const ctx = canvas.getContext("2d")!;
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    this.painted = paint(ctx, this.scene(shown, width, height));
    if (!this.cursor || this.cursor.row === null) setText(this.status, this.summary());
    const label = `GIL timeline, one lane a thread. ${this.summary()}`;
    if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
  }

  private scene(shown: Shown, width: number, height: number): Scene {
    const { lanes } = this;
    return {
      width, height, left: this.left(), view: this.view(), anchor_unix_s: this.anchor(),
      rows: shown.rows, scrolled: this.scroller.scrollTop, lanes, picture: this.picture, marks: shown.marks,
      cursor: this.cursor, selection: this.selection, hovered: this.hovered,
      passes: (span) => {
        const fact = lanes!.codes[lanes!.spans.code[span]];
        return shown.passes(fact?.function ?? null, lanes!.modules[lanes!.spans.module[span]] ?? fact?.file ?? null);
      },
    };
  }

  /** What is in view, in one or two sentences. */
  summary(): string {
    const { lanes, shown } = this;
    if (!shown || !lanes) return "Loading the lanes …";
    const n = `${count(shown.rows.length)} thread${shown.rows.length === 1 ? "" : "s"}, ${duration(length(this.view()))}.`;
    if (lanes.detail_from_ns === null) {
      return `${n} Each column shows how its ${duration(lanes.step_ns)} were spent. Zoom in for single waits, holds and handoffs.`;
    }
    if (lanes.detail_from_ns > this.view().end_ns) {
      return `${n} Single events of this time are no longer at hand: what is shown was counted, one figure per ${duration(lanes.bin_ns)}.`;
    }
    const { spans, arrows } = this.painted;
    const columns = `as shares of a column's ${duration(lanes.step_ns)}`;
    if (!spans) return `${n} What threads did is shown ${columns}. Zoom in for single waits, holds and handoffs.`;
    const drawn = `${count(spans)} waits and holds are drawn one by one${arrows ? `, ${count(arrows)} handoffs as arrows` : ""}`;
    return `${n} ${drawn}; the rest is shown ${columns}.${lanes.spans_left_out || !arrows ? " Zoom in for more of them." : ""}`;
  }

  /** The table behind the picture: what each thread did in the view, then single events, the longest first. */
  table(): { head: string[]; rows: string[][] } {
    const head = ["What", "Thread", "Begin", "Holding", "Waiting", "On a core without it", "Off CPU or unknown", "Because of"];
    const { lanes, shown } = this;
    if (!lanes || !shown) return { head, rows: [] };
    const view = this.view();
    const threads = shown.rows.map(({ key }, row) => {
      const lane = this.laneOf(row);
      const parts = lane < 0 ? [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN] : sums(lanes, lane, view).slice(0, 4).map(duration);
      return ["all of the view", this.name(key), this.clock(view.start_ns), ...parts, ""];
    });
    const { start_ns, end_ns, kind, lane, holder } = lanes.spans;
    const visible = Array.from(start_ns.keys()).filter((span) => end_ns[span] > view.start_ns && start_ns[span] < view.end_ns);
    const longest = visible.sort((a, b) => end_ns[b] - start_ns[b] - (end_ns[a] - start_ns[a])).slice(0, 200);
    const singles = longest.map((span) => {
      const took = duration(end_ns[span] - start_ns[span]);
      const waits = kind[span] === WAIT;
      const because = [waits && holder[span] ? this.name(holder[span]) : "", place(lanes, span) ?? ""].filter(Boolean).join(": ");
      return [waits ? "wait" : kind[span] === HOLD_SEEN ? "hold, as seen by a waiter" : "hold", this.name(lanes.threads[lane[span]]),
        this.clock(start_ns[span]), waits ? "" : took, waits ? took : "", "", "", because];
    });
    return { head, rows: [...threads, ...singles] };
  }
}
