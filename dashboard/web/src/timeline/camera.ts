// Where the timeline looks: a span of time and the pixels that it fills. Pure functions of numbers.

import type { Range } from "../types";

/** The shortest span, ns: a handoff of microseconds fills the screen long before. */
export const SHORTEST_NS = 2_000;

export function length(range: Range): number {
  return range.end_ns - range.start_ns;
}

/** Zooms by `factor` (below 1 is nearer) so that the moment under `anchor` (0 to 1) stays in place. */
export function zoomed(view: Range, factor: number, anchor: number, whole: Range): Range {
  const longest = Math.max(length(whole), SHORTEST_NS);
  const next = Math.min(longest, Math.max(SHORTEST_NS, length(view) * factor));
  const at = view.start_ns + anchor * length(view);
  return inside({ start_ns: at - anchor * next, end_ns: at + (1 - anchor) * next }, whole);
}

export function panned(view: Range, by_ns: number, whole: Range): Range {
  return inside({ start_ns: view.start_ns + by_ns, end_ns: view.end_ns + by_ns }, whole);
}

/** The range itself if it lies inside of the whole, else pushed back in; whole ns. */
export function inside(range: Range, whole: Range): Range {
  const size = Math.min(length(range), Math.max(length(whole), SHORTEST_NS));
  const latest = Math.max(whole.start_ns, whole.end_ns - size);
  const start_ns = Math.round(Math.min(Math.max(range.start_ns, whole.start_ns), latest));
  return { start_ns, end_ns: start_ns + Math.max(1, Math.round(size)) };
}

/** What to fetch for a view: as much again on both sides, so that panning finds it there. */
export function widened(view: Range, whole: Range): Range {
  const margin = length(view);
  return {
    start_ns: Math.max(whole.start_ns, Math.floor(view.start_ns - margin)),
    end_ns: Math.max(whole.start_ns + 1, Math.min(whole.end_ns, Math.ceil(view.end_ns + margin))),
  };
}

/** Steps of 1, 2, 5 from a nanosecond up, and then those of a clock. */
const CLOCK_STEPS = [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400].map((s) => s * 1e9);

/** The smallest round step of which at most `most` fit into `span_ns`. */
export function tickStep(span_ns: number, most: number): number {
  const wanted = span_ns / Math.max(1, most);
  for (let power = 1; power <= 1e9; power *= 10) {
    const step = [1, 2, 5].find((digit) => digit * power >= wanted);
    if (step) return step * power;
  }
  return CLOCK_STEPS.find((step) => step >= wanted) ?? CLOCK_STEPS[CLOCK_STEPS.length - 1];
}
