// Fetches lanes for what is looked at: one request at a time, the newest wish wins.

import type { Range } from "../types";
import { length, widened } from "./camera";
import { decode, type Lanes } from "./data";

/** The server's limit on the width of a question. */
const PX_MAX = 4000;
/** Nothing is asked more often, however fast a wheel turns. */
const PAUSE_MS = 90;
/** While time only goes on, an answer stands until so many columns are new; but not for longer than that. */
const NEW_COLUMNS = 4;
const LIVE_PAUSE_MS = 1000;

export interface Wish {
  session: number;
  view: Range;
  /** The session's range: what grows while it lives. */
  whole: Range;
  px: number;
  threads: number[];
}

export class Source {
  /** The newest answer; of another view or session until a better one is there. */
  lanes: Lanes | null = null;
  private wish: Wish | null = null;
  private busy = false;
  private lastMs = -Infinity;

  constructor(private readonly arrived: () => void, private readonly failed: (why: string) => void) {}

  want(wish: Wish): void {
    this.wish = wish;
    if (this.lanes && this.lanes.session !== wish.session) this.lanes = null;
    if (!this.busy && this.isStale(wish)) void this.fetch();
  }

  /** Whether what is there does not do: other threads, the view outgrows it, or it is too coarse. */
  private isStale(wish: Wish): boolean {
    const { lanes } = this;
    if (wish.threads.length === 0 || length(wish.whole) <= 0) return false;
    if (!lanes || !wish.threads.every((key) => lanes.threads.includes(key))) return true;
    const wanted = widened(wish.view, wish.whole);
    const margin = length(wish.view) / 2;
    const needed = {
      start_ns: Math.max(wanted.start_ns, wish.view.start_ns - margin),
      end_ns: Math.min(wanted.end_ns, wish.view.end_ns + margin),
    };
    if (lanes.range.start_ns > needed.start_ns || lanes.range.end_ns < needed.end_ns - this.slack_ns(wish, lanes)) return true;
    const step_ns = length(wanted) / pixels(wish, wanted);
    return lanes.step_ns > 1 && (lanes.step_ns > 1.25 * step_ns + 1 || lanes.step_ns < step_ns / 3);
  }

  /** How far an answer may lag behind the end of the session. */
  private slack_ns(wish: Wish, lanes: Lanes): number {
    return wish.view.end_ns >= wish.whole.end_ns ? Math.min(LIVE_PAUSE_MS * 1e6, NEW_COLUMNS * lanes.step_ns) : 0;
  }

  private async fetch(): Promise<void> {
    this.busy = true;
    const wait = this.lastMs + PAUSE_MS - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    this.lastMs = performance.now();
    const wish = this.wish!;
    const range = widened(wish.view, wish.whole);
    const query = `from_ns=${range.start_ns}&to_ns=${range.end_ns}&px=${pixels(wish, range)}&threads=${wish.threads.join()}`;
    try {
      const answer = await fetch(`/api/sessions/${wish.session}/lanes?${query}`);
      if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.error ?? `status ${answer.status}`);
      const lanes = decode(await answer.arrayBuffer());
      if (this.wish!.session === lanes.session) this.lanes = lanes;
      this.busy = false;
      this.arrived();
    } catch (error) {
      this.busy = false;
      this.failed(error instanceof Error ? error.message : String(error));
    }
  }
}

function pixels(wish: Wish, range: Range): number {
  const perView = length(range) / Math.max(1, length(wish.view));
  return Math.max(1, Math.min(PX_MAX, Math.round(wish.px * perView)));
}
