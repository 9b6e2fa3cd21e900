// Which session is looked at, and which it is after the server was started anew. Pure.

import type { Session } from "./types";

/** The one that was asked for; without it the newest that still runs, else the first, as they were named. */
export function chosen(sessions: Session[], wanted: number | null): Session | null {
  return sessions.find((session) => session.id === wanted)
    ?? sessions.findLast((session) => !session.ended) ?? sessions[0] ?? null;
}

/** How it is with a session, in words: a reason that begins with "detached" needs no "ended" before it. */
export function stateText({ ended }: Session): string {
  if (!ended) return "running";
  return ended.how === "ended" ? `ended: ${ended.reason}` : ended.reason;
}

/** Whether both watch the same process on the same clock, so that spans of one hold for the other. */
export function isSame(a: Session, b: Session): boolean {
  return a.id === b.id && a.target.pid === b.target.pid && a.target.anchor_unix_ns === b.target.anchor_unix_ns;
}

/** After numbers were given out anew: the session that watches the process that `before` watched. */
export function again(before: Session, sessions: Session[]): Session | null {
  const { pid, started_unix_ns, host } = before.target;
  return sessions.findLast(({ target }) =>
    target.pid === pid && target.started_unix_ns === started_unix_ns && target.host === host) ?? null;
}
