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

/** What tables are about: the same text while only time goes on. */
export function aboutOf({ session, view }: Context): string {
  return JSON.stringify([session.id, view.last_s, view.range, view.select]);
}

/** A span of time with the newest data at its right end, or the one that was chosen. */
export function windowOf(view: View, session: Session): Range {
  if (view.range) return view.range;
  const { start_ns, end_ns } = session.range;
  if (view.last_s === 0) return { start_ns, end_ns: Math.max(end_ns, start_ns + 1e9) };
  const length = view.last_s * 1e9;
  // A young session fills the span from the left instead of being stretched over it.
  return end_ns - start_ns < length ? { start_ns, end_ns: start_ns + length } : { start_ns: end_ns - length, end_ns };
}
