// What a page is given each time it is drawn.

import type { Parts, Range, Session } from "./types";
import type { View } from "./state";

export interface Context {
  view: View;
  session: Session;
  sessions: Session[];
  parts: Parts;
  /** The span that charts show. */
  window: Range;
  /** The span that tables are about: what is selected, else what charts show. */
  tables: Range;
}

export interface PageView {
  readonly element: HTMLElement;
  /** The part that completes the page; until it is there the page is not shown, least of all with the
   *  figures of another session. */
  readonly needs: keyof Parts;
  draw(context: Context): void;
}

/** Whether the GIL is watched, as far as is known: a series without columns says that it is not. */
export function isGilWatched(parts: Parts): boolean {
  return parts.gil === undefined || parts.gil.columns.length > 0;
}

/** What tables are about: the same text while only time goes on. */
export function aboutOf({ session, view }: Context): string {
  return JSON.stringify([session.id, view.last_s, view.range, view.select]);
}

/** Lengths that a young session's window takes on its way to the span that is followed, s. */
const GROWING_S = [10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 450, 600, 900, 1200, 1800, 2700];

/** A span of time with the newest data at its right end, or the one that was chosen. */
export function windowOf(view: View, session: Session): Range {
  if (view.range) return view.range;
  const { start_ns, end_ns } = session.range;
  if (view.last_s === 0) return { start_ns, end_ns: Math.max(end_ns, start_ns + 1e9) };
  const length = view.last_s * 1e9;
  if (end_ns - start_ns >= length) return { start_ns: end_ns - length, end_ns };
  // A young session fills a window from the left that grows in steps: it is never stretched from one
  // update to the next, and never lost in an empty chart.
  const step = GROWING_S.find((step_s) => step_s * 1e9 >= end_ns - start_ns) ?? view.last_s;
  return { start_ns, end_ns: start_ns + Math.min(length, step * 1e9) };
}
