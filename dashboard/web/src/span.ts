// Moving through time: pause, zoom, select, pin, marks. Each is a change of the view and nothing else.

import { unixSeconds } from "./charts/series";
import { windowOf } from "./context";
import { cursor, setCursor } from "./cursor";
import { getView, setView } from "./state";
import type { Mark, Range, Session } from "./types";

/** Nothing is drawn finer. */
const SHORTEST_NS = 1e8;

/** A moment of the session out of unix seconds, ns. */
export function sessionNs(session: Session, at_s: number): number {
  return Math.max(0, Math.round((at_s - unixSeconds(session, 0)) * 1e9));
}

/** Stops at what is seen, or goes on with what is live. */
export function pause(session: Session): void {
  const window = windowOf(getView(), session);
  setView({ range: getView().range ? null : { start_ns: window.start_ns, end_ns: Math.round(window.end_ns) } });
}

/** Selects the span between two moments, unix seconds; too short a one selects nothing. */
export function select(session: Session, from_s: number, to_s: number): void {
  const [start_ns, end_ns] = [sessionNs(session, Math.min(from_s, to_s)), sessionNs(session, Math.max(from_s, to_s))];
  if (end_ns - start_ns >= SHORTEST_NS) setView({ select: { start_ns, end_ns } });
}

/** Looks at the selection only. */
export function zoomToSelection(): void {
  const { select } = getView();
  if (select) setView({ range: select, select: null }, true);
}

/** Looks at `factor` times as much, around what is pointed at. */
export function zoomBy(session: Session, factor: number): void {
  const window = windowOf(getView(), session);
  const length = Math.max(SHORTEST_NS, (window.end_ns - window.start_ns) * factor);
  const at_s = cursor();
  const at = at_s === null ? (window.start_ns + window.end_ns) / 2 : sessionNs(session, at_s);
  const share = Math.min(1, Math.max(0, (at - window.start_ns) / (window.end_ns - window.start_ns)));
  setView({ range: within(session, at - share * length, length) });
}

/** Goes back or on in time by a share of what is seen. */
export function pan(session: Session, share: number): void {
  const window = windowOf(getView(), session);
  const length = window.end_ns - window.start_ns;
  setView({ range: within(session, window.start_ns + share * length, length) });
}

/** A span of this length that lies in the session as far as it can. */
function within(session: Session, start: number, length: number): Range {
  const { start_ns, end_ns } = session.range;
  const first = Math.max(start_ns, Math.min(start, end_ns - length));
  return { start_ns: Math.round(first), end_ns: Math.round(Math.min(first + length, Math.max(end_ns, first + SHORTEST_NS))) };
}

/** Keeps the selection, or what is seen, to compare with; a second time it is let go of. */
export function pin(session: Session): void {
  const view = getView();
  if (view.pin && !view.select) return setView({ pin: null });
  const kept = view.select ?? windowOf(view, session);
  const [start_ns, end_ns] = [Math.max(kept.start_ns, session.range.start_ns), Math.min(kept.end_ns, session.range.end_ns)];
  setView({ pin: { session: session.id, start_ns: Math.round(start_ns), end_ns: Math.round(end_ns) }, select: null });
}

/** Lets go of the selection, else of the pinned span. */
export function unselect(): void {
  if (getView().select) setView({ select: null });
  else if (getView().pin) setView({ pin: null });
}

/** Goes to the mark before or after what is pointed at; it is pointed at then. Null: there is none. */
export function goToMark(session: Session, by: 1 | -1): Mark | null {
  const window = windowOf(getView(), session);
  const at_s = cursor();
  const live_ns = getView().range ? (window.start_ns + window.end_ns) / 2 : window.end_ns;
  const here = at_s === null ? live_ns : sessionNs(session, at_s);
  // A moment comes back from the screen a little rounded.
  const beyond = session.marks.filter((mark) => (mark.at_ns - here) * by > 1e6);
  const mark = by > 0 ? beyond[0] : beyond.at(-1);
  if (!mark) return null;
  showMark(session, mark);
  return mark;
}

/** Points at a mark, and looks at what is around it if it is not in view. */
export function showMark(session: Session, mark: Mark): void {
  const window = windowOf(getView(), session);
  if (mark.at_ns < window.start_ns || mark.at_ns > window.end_ns) {
    const length = window.end_ns - window.start_ns;
    setView({ range: within(session, mark.at_ns - length / 2, length) });
  }
  setCursor(unixSeconds(session, mark.at_ns), null);
}
