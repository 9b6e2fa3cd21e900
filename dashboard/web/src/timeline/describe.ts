// What stands under the cursor, in words: for the tooltip, and for those who listen.

import { baseName, duration, percent } from "../format";
import { HOLD_SEEN, sharesAt, WAIT, type Lanes } from "./data";

const NAMES = ["holding the GIL", "waiting for it", "on a core without it", "off CPU or unknown", "not there"];

export interface Told { title: string; lines: string[] }

/** "render_template, views.py:88, in _hashlib" or null. */
export function place(lanes: Lanes, span: number): string | null {
  const { code, line, module } = lanes.spans;
  const fact = lanes.codes[code[span]];
  const native = lanes.modules[module[span]];
  const where = fact && `${fact.function}, ${baseName(fact.file)}:${line[span] || `${fact.first_line} ff.`}`;
  const inside = native && `in ${baseName(native).split(".")[0]}`;
  return [where, inside].filter(Boolean).join(", ") || null;
}

/** The words for a span. */
export function spanWords(lanes: Lanes, span: number, names: (key: number) => string): Told {
  const { lane, kind, start_ns, end_ns, holder, free_ns, drop_requests, drop_to_release_ns } = lanes.spans;
  const thread = names(lanes.threads[lane[span]]);
  const took = duration(end_ns[span] - start_ns[span]);
  const where = place(lanes, span);
  const lines: string[] = [];
  if (kind[span] === WAIT) {
    if (where) lines.push(`it ran ${where}`);
    if (free_ns[span] > 0) lines.push(`${duration(free_ns[span])} of it the GIL was free: waking up`);
    if (drop_requests[span] > 0) lines.push(`${drop_requests[span]} drop request${drop_requests[span] > 1 ? "s" : ""}`);
    return { title: `${thread} waited ${took} for ${holder[span] ? names(holder[span]) : "nobody known"}`, lines };
  }
  if (where) lines.push(where);
  if (drop_to_release_ns[span] > 0) lines.push(`let go ${duration(drop_to_release_ns[span])} after it was asked to`);
  if (kind[span] === HOLD_SEEN) lines.push("as a waiter saw it; may have had gaps");
  return { title: `${thread} held the GIL for ${took}`, lines };
}

/** The words for a pixel of a lane. */
export function pixelWords(lanes: Lanes, lane: number, at_ns: number, names: (key: number) => string): Told | null {
  const shares = sharesAt(lanes, lane, at_ns);
  if (!shares) return null;
  const parts = shares.flatMap((share, state) => (share > 0.001 ? [`${NAMES[state]} ${percent(share)}`] : []));
  const recorded = lanes.detail_from_ns !== null && at_ns >= lanes.detail_from_ns;
  const detail = recorded ? "No single wait or hold is recorded here: short holds without a waiter make no event."
    : lanes.bin_ns > lanes.step_ns ? `Counted per ${duration(lanes.bin_ns)} here; single events are no longer at hand.` : "";
  return { title: `${names(lanes.threads[lane])}, ${duration(lanes.step_ns)}`, lines: [parts.join(" · "), detail].filter(Boolean) };
}
