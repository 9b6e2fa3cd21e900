// The lanes as the server sends them (dashboard/src/view/lanes.rs says what stands where), and looking
// things up in them.

import type { Range } from "../types";

export const STATES = ["holding", "waiting", "native", "off", "absent"] as const;
export const WAIT = 0;
export const HOLD_SEEN = 3;

export interface Code { function: string; file: string; first_line: number }

interface Header {
  session: number;
  range: Range;
  start_ns: number;
  step_ns: number;
  count: number;
  threads: number[];
  n_spans: number;
  spans_left_out: number;
  bin_ns: number;
  detail_from_ns: number | null;
  codes: Record<string, Code>;
  modules: Record<string, string>;
}

const LONG = ["start_ns", "end_ns", "free_ns", "drop_to_release_ns"] as const;
const SHORT = ["lane", "kind", "holder", "holder_start", "code", "line", "module", "drop_requests"] as const;

export type Spans = Record<(typeof LONG)[number], Float64Array> & Record<(typeof SHORT)[number], Uint32Array>;

export interface Lanes extends Header {
  spans: Spans;
  /** One row of `count` bytes for each thread and each of the first four states. */
  shares: Uint8Array;
  /** For each lane the numbers of its spans, by time. */
  byLane: number[][];
}

export function decode(buffer: ArrayBuffer): Lanes {
  const length = new DataView(buffer).getUint32(0, true);
  const header: Header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const spans = {} as Spans;
  for (const name of LONG) {
    spans[name] = new Float64Array(buffer, at, header.n_spans);
    at += 8 * header.n_spans;
  }
  for (const name of SHORT) {
    spans[name] = new Uint32Array(buffer, at, header.n_spans);
    at += 4 * header.n_spans;
  }
  const byLane: number[][] = header.threads.map(() => []);
  spans.lane.forEach((lane, span) => byLane[lane].push(span));
  return { ...header, spans, shares: new Uint8Array(buffer, at), byLane };
}

/** The span of a lane at a moment, or the nearest one not farther away than `slack_ns`. */
export function spanAt(lanes: Lanes, lane: number, at_ns: number, slack_ns = 0): number | null {
  const { start_ns, end_ns } = lanes.spans;
  let best: number | null = null;
  let nearest = slack_ns;
  for (const span of lanes.byLane[lane] ?? []) {
    if (start_ns[span] > at_ns + slack_ns) break;
    const away = Math.max(0, start_ns[span] - at_ns, at_ns - end_ns[span]);
    if (away <= nearest && (away < nearest || best === null || away === 0)) [best, nearest] = [span, away];
  }
  return best;
}

/** Shares of the five states in a pixel, 0 to 1, or null outside of what is known. */
export function sharesAt(lanes: Lanes, lane: number, at_ns: number): number[] | null {
  const pixel = Math.floor((at_ns - lanes.start_ns) / lanes.step_ns);
  if (pixel < 0 || pixel >= lanes.count || lane < 0 || lane >= lanes.threads.length) return null;
  const four = [0, 1, 2, 3].map((state) => lanes.shares[(lane * 4 + state) * lanes.count + pixel] / 255);
  return [...four, Math.max(0, 1 - four.reduce((sum, share) => sum + share, 0))];
}

/** Ns of each state of a lane in a range, as far as it is known. */
export function sums(lanes: Lanes, lane: number, range: Range): number[] {
  const sum = [0, 0, 0, 0, 0];
  const first = Math.max(0, Math.floor((range.start_ns - lanes.start_ns) / lanes.step_ns));
  const last = Math.min(lanes.count - 1, Math.floor((range.end_ns - 1 - lanes.start_ns) / lanes.step_ns));
  for (let pixel = first; pixel <= last; pixel += 1) {
    const start_ns = lanes.start_ns + pixel * lanes.step_ns;
    const part = Math.min(range.end_ns, start_ns + lanes.step_ns) - Math.max(range.start_ns, start_ns);
    let rest = 255;
    for (let state = 0; state < 4; state += 1) {
      const share = lanes.shares[(lane * 4 + state) * lanes.count + pixel];
      sum[state] += (share / 255) * part;
      rest -= share;
    }
    sum[4] += (rest / 255) * part;
  }
  return sum;
}
